/* How OpenSSL reads and writes a socket here: send and recv that never wait and never raise SIGPIPE. For tls.c only. */
#ifndef CANDOR_NET_TLS_BIO_H
#define CANDOR_NET_TLS_BIO_H

#include <openssl/bio.h>

/* NULL when memory is out. BIO_meth_free, after the last BIO. */
BIO_METHOD *tls_bio_method(void);
/* The descriptor stays the caller's. NULL when memory is out. */
BIO *tls_bio_new(BIO_METHOD *m, int fd);

#endif
