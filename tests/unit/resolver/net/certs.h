/* Certificates made for a test: authorities, servers' and clients', good, expired and wrong. */
#ifndef CANDOR_TEST_NET_CERTS_H
#define CANDOR_TEST_NET_CERTS_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>

struct cert {
    X509 *x509;
    EVP_PKEY *key;
    char certificate_path[256], key_path[256];
};

struct cert_plan {
    const char *file;          /* FOLDER/file.pem and FOLDER/file.key */
    const char *says;          /* subjectAltName as in x509v3.cnf: "DNS:a.test,IP:127.0.0.1"; NULL: none */
    const struct cert *signer; /* NULL: itself */
    bool authority;
    int from_s, to_s;     /* from now; 0, 0: a day around */
    const char *password; /* of the key; NULL: none */
};

/* A folder for the files of this test, removed with all that is in it by certs_clean. */
const char *certs_folder(void);
void certs_clean(void);
struct cert cert_make(const struct cert_plan *plan);
void cert_free(struct cert *c);

#endif
