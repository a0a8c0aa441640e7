#include "resolver/net/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "resolver/base/bytes.h"
#include "resolver/net/tls_bio.h"
#include "resolver/net/tls_impl.h"

struct tls_context {
    bool server, needed, anybody;
    char *certificate, *key, *ca; /* paths; "": none */
    SSL_CTX *ssl;                 /* counted: connections keep the one they began with */
    BIO_METHOD *bio;
    int64_t not_after;
};

/* RFC 7858 has no name of its own for ALPN; RFC 9103 section 7.1 uses this one. */
static const uint8_t alpn_dot[] = {3, 'd', 'o', 't'};
/* TLS 1.2 with forward secrecy and authenticated encryption only (RFC 9325 section 4.2). */
static const char ciphers_12[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
static const uint8_t session_name[] = "candor";

/* OpenSSL would ask the terminal. */
static int no_password(char *to, int size, int writing, void *ctx) {
    (void)to, (void)size, (void)writing, (void)ctx;
    return -1;
}

static int alpn_select(SSL *ssl, const uint8_t **out, uint8_t *out_size, const uint8_t *in, unsigned in_size,
                       void *ctx) {
    (void)ssl, (void)ctx;
    for (unsigned at = 0; at < in_size; at += 1 + in[at])
        if (in_size - at >= sizeof alpn_dot && memcmp(in + at, alpn_dot, sizeof alpn_dot) == 0) {
            *out = in + at + 1;
            *out_size = sizeof alpn_dot - 1;
            return SSL_TLSEXT_ERR_OK;
        }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* --- files */

static int bad_file(struct err *err, const char *path, const char *what) {
    const char *why = ERR_reason_error_string(ERR_peek_last_error());
    int rc = err_set(err, E_INVALID, "%s: %s: %s", path, what, why != NULL ? why : "not readable");
    ERR_clear_error();
    return rc;
}

static int load_own(SSL_CTX *ssl, const struct tls_context *t, struct err *err) {
    if (t->certificate[0] == '\0')
        return 0;
    if (SSL_CTX_use_certificate_chain_file(ssl, t->certificate) != 1)
        return bad_file(err, t->certificate, "no certificate");
    if (SSL_CTX_use_PrivateKey_file(ssl, t->key, SSL_FILETYPE_PEM) != 1)
        return bad_file(err, t->key, "no private key");
    if (SSL_CTX_check_private_key(ssl) != 1)
        return bad_file(err, t->key, "not the key of the certificate");
    return 0;
}

static int load_trust(SSL_CTX *ssl, const struct tls_context *t, struct err *err) {
    int mode = SSL_VERIFY_PEER;
    if (t->ca[0] == '\0')
        return 0;
    if (SSL_CTX_load_verify_file(ssl, t->ca) != 1)
        return bad_file(err, t->ca, "no certificates");
    if (t->server) {
        STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(t->ca);
        if (names == NULL)
            return bad_file(err, t->ca, "no certificates");
        SSL_CTX_set_client_CA_list(ssl, names);
        if (t->needed)
            mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
        (void)SSL_CTX_set_num_tickets(ssl, 0); /* every connection shows its certificate anew */
        (void)SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET);
    }
    /* Whoever stands in the file is believed, be it a root, an intermediate, or one server's own certificate. */
    (void)X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ssl), X509_V_FLAG_PARTIAL_CHAIN);
    SSL_CTX_set_verify(ssl, mode, NULL);
    return 0;
}

static bool set_ways(SSL_CTX *ssl, bool server) {
    (void)SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                       SSL_OP_IGNORE_UNEXPECTED_EOF);
    (void)SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                    SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_default_passwd_cb(ssl, no_password);
    if (server)
        SSL_CTX_set_alpn_select_cb(ssl, alpn_select, NULL);
    else if (SSL_CTX_set_alpn_protos(ssl, alpn_dot, sizeof alpn_dot) != 0)
        return false;
    return SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1 && SSL_CTX_set_cipher_list(ssl, ciphers_12) == 1 &&
           SSL_CTX_set_session_id_context(ssl, session_name, sizeof session_name - 1) == 1;
}

static int64_t end_of(SSL_CTX *ssl) {
    X509 *own = SSL_CTX_get0_certificate(ssl);
    struct tm tm = {0};
    return own != NULL && ASN1_TIME_to_tm(X509_get0_notAfter(own), &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

int tls_reload(struct tls_context *t, struct err *err) {
    ERR_clear_error();
    SSL_CTX *ssl = SSL_CTX_new(t->server ? TLS_server_method() : TLS_client_method());
    if (ssl == NULL)
        return err_set(err, E_NOMEM, "no memory for TLS");
    int rc = set_ways(ssl, t->server) ? 0 : err_set(err, E_SYSTEM, "OpenSSL lacks what TLS 1.2 and 1.3 need");
    if (rc == 0)
        rc = load_own(ssl, t, err);
    if (rc == 0)
        rc = load_trust(ssl, t, err);
    if (rc != 0) {
        SSL_CTX_free(ssl);
        return rc;
    }
    SSL_CTX_free(t->ssl);
    t->ssl = ssl;
    t->not_after = end_of(ssl);
    return 0;
}

static int check_config(const struct tls_config *c, struct err *err) {
    bool certificate = c->certificate != NULL && c->certificate[0] != '\0', key = c->key != NULL && c->key[0] != '\0';
    bool ca = c->ca != NULL && c->ca[0] != '\0';
    if (certificate != key)
        return err_set(err, E_INVALID, "TLS: a certificate and its key, both or neither");
    if (c->server && !certificate)
        return err_set(err, E_INVALID, "TLS: a server needs a certificate");
    if (!c->server && ca == c->anybody)
        return err_set(err, E_INVALID, "TLS: a client needs to know whom to believe (ca), or that it does not matter");
    if (c->client_certificate_needed && !ca)
        return err_set(err, E_INVALID, "TLS: clients' certificates need somebody who vouches for them (ca)");
    return 0;
}

int tls_open(struct tls_context **out, const struct tls_config *c, struct err *err) {
    *out = NULL;
    int rc = check_config(c, err);
    if (rc != 0)
        return rc;
    struct tls_context *t = calloc(1, sizeof *t);
    if (t == NULL)
        return err_set(err, E_NOMEM, "no memory for TLS");
    t->server = c->server;
    t->needed = c->client_certificate_needed;
    t->anybody = c->anybody;
    t->certificate = strdup(c->certificate != NULL ? c->certificate : "");
    t->key = strdup(c->key != NULL ? c->key : "");
    t->ca = strdup(c->ca != NULL ? c->ca : "");
    t->bio = tls_bio_method();
    if (t->certificate == NULL || t->key == NULL || t->ca == NULL || t->bio == NULL)
        rc = err_set(err, E_NOMEM, "no memory for TLS");
    else
        rc = tls_reload(t, err);
    if (rc != 0) {
        tls_close(t);
        return rc;
    }
    *out = t;
    return 0;
}

void tls_close(struct tls_context *t) {
    if (t == NULL)
        return;
    SSL_CTX_free(t->ssl);
    BIO_meth_free(t->bio);
    free(t->certificate);
    free(t->key);
    free(t->ca);
    free(t);
}

int64_t tls_not_after(const struct tls_context *t) { return t->not_after; }

/* --- one connection */

static bool is_address(const char *name) {
    uint8_t raw[16];
    return inet_pton(AF_INET, name, raw) == 1 || inet_pton(AF_INET6, name, raw) == 1;
}

/* What the certificate must say, and, for servers with several, which one is meant (SNI is for names only). */
static bool want_name(SSL *ssl, const char *name) {
    if (is_address(name))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    char host[256];
    size_t size = text_copy(host, sizeof host, name);
    if (size > 1 && host[size - 1] == '.')
        host[size - 1] = '\0'; /* certificates have none (RFC 6125) */
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

bool tls_wants_name(const struct tls_context *t) { return !t->server && !t->anybody; }

int tls_connection(struct tls_context *t, int fd, const char *name, SSL **out, struct err *err) {
    bool named = name != NULL && name[0] != '\0';
    if (tls_wants_name(t) && !named)
        return err_set(err, E_INVALID, "TLS: no name that the server's certificate must say");
    SSL *ssl = SSL_new(t->ssl);
    BIO *bio = ssl != NULL ? tls_bio_new(t->bio, fd) : NULL;
    if (bio == NULL) {
        SSL_free(ssl);
        return err_set(err, E_NOMEM, "no memory for TLS");
    }
    SSL_set_bio(ssl, bio, bio);
    if (t->server) {
        SSL_set_accept_state(ssl);
    } else {
        SSL_set_connect_state(ssl);
        if (named && !want_name(ssl, name)) {
            SSL_free(ssl);
            return err_set(err, E_INVALID, "TLS: \"%s\" is no name for a certificate", name);
        }
    }
    *out = ssl;
    return 0;
}

bool tls_says(X509 *certificate, const char *name) {
    size_t size = strlen(name);
    if (is_address(name))
        return X509_check_ip_asc(certificate, name, 0) == 1;
    if (size > 1 && name[size - 1] == '.')
        size--;
    return size > 0 && X509_check_host(certificate, name, size, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
}
