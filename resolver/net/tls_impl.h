/* Inside of TLS, for tls.c and stream.c only. */
#ifndef CANDOR_NET_TLS_IMPL_H
#define CANDOR_NET_TLS_IMPL_H

#include <openssl/ssl.h>

#include "resolver/net/tls.h"

/* Whether a client's connection needs the name that the server's certificate must say: not where anybody will do. */
bool tls_wants_name(const struct tls_context *t);
/* A new connection on `fd`; `name` as in stream_tls. Freed with SSL_free. */
int tls_connection(struct tls_context *t, int fd, const char *name, SSL **out, struct err *err) MUST_USE;
/* Turns what OpenSSL says of a step that failed (`rc` of SSL_read and the like) into a code and a text. E_AGAIN: it
 * wants to read or write, *wants says what. */
int tls_error(SSL *ssl, int rc, int *wants, struct err *err) MUST_USE;
/* Whether a certificate says this name or address. */
bool tls_says(X509 *certificate, const char *name);

#endif
