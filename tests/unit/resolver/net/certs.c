#include "tests/unit/resolver/net/certs.h"

#include <dirent.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];

const char *certs_folder(void) {
    if (folder[0] == '\0') {
        (void)snprintf(folder, sizeof folder, "/tmp/candor-certs-XXXXXX");
        assert_non_null(mkdtemp(folder));
    }
    return folder;
}

void certs_clean(void) {
    DIR *d = folder[0] != '\0' ? opendir(folder) : NULL;
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;)
        (void)unlinkat(dirfd(d), e->d_name, 0);
    if (d != NULL)
        (void)closedir(d);
    (void)rmdir(folder);
    folder[0] = '\0';
}

static void extend(X509 *x, const X509 *signer, int kind, const char *text) {
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, (X509 *)signer, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, kind, text);
    assert_non_null(e);
    assert_int_equal(X509_add_ext(x, e, -1), 1);
    X509_EXTENSION_free(e);
}

static void write_files(struct cert *c, const struct cert_plan *plan) {
    (void)snprintf(c->certificate_path, sizeof c->certificate_path, "%s/%s.pem", certs_folder(), plan->file);
    (void)snprintf(c->key_path, sizeof c->key_path, "%s/%s.key", certs_folder(), plan->file);
    FILE *f = fopen(c->certificate_path, "w");
    assert_non_null(f);
    assert_int_equal(PEM_write_X509(f, c->x509), 1);
    assert_int_equal(fclose(f), 0);
    f = fopen(c->key_path, "w");
    assert_non_null(f);
    assert_int_equal(PEM_write_PrivateKey(f, c->key, plan->password != NULL ? EVP_aes_256_cbc() : NULL, NULL, 0, NULL,
                                          (void *)plan->password),
                     1);
    assert_int_equal(fclose(f), 0);
}

struct cert cert_make(const struct cert_plan *plan) {
    static long serial = 1;
    struct cert c = {.x509 = X509_new(), .key = EVP_EC_gen("P-256")};
    assert_true(c.x509 != NULL && c.key != NULL);
    const X509 *signer = plan->signer != NULL ? plan->signer->x509 : c.x509;
    X509_NAME *name = X509_get_subject_name(c.x509);
    assert_int_equal(X509_set_version(c.x509, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(c.x509), serial++), 1);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)plan->file, -1, -1, 0), 1);
    assert_int_equal(X509_set_issuer_name(c.x509, X509_get_subject_name(signer)), 1);
    bool day = plan->from_s == 0 && plan->to_s == 0;
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(c.x509), day ? -86400 : plan->from_s));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(c.x509), day ? 86400 : plan->to_s));
    assert_int_equal(X509_set_pubkey(c.x509, c.key), 1);
    extend(c.x509, signer, NID_basic_constraints, plan->authority ? "critical,CA:TRUE" : "CA:FALSE");
    extend(c.x509, signer, NID_subject_key_identifier, "hash");
    if (plan->says != NULL)
        extend(c.x509, signer, NID_subject_alt_name, plan->says);
    assert_true(X509_sign(c.x509, plan->signer != NULL ? plan->signer->key : c.key, EVP_sha256()) > 0);
    write_files(&c, plan);
    return c;
}

void cert_free(struct cert *c) {
    X509_free(c->x509);
    EVP_PKEY_free(c->key);
    memset(c, 0, sizeof *c);
}
