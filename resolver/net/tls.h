/* TLS for streams: DNS over TLS (RFC 7858) and zone transfers over TLS (RFC 9103), over OpenSSL. No name is ever looked
 * up: a certificate is checked against the name that the configuration gives, chains against the CA file it gives (no
 * OCSP, no CRL by address), but where the caller wants no more than not to be overheard. TLS 1.3, or 1.2 with forward
 * secrecy; ALPN "dot" is offered and, when the other side uses ALPN, wanted (RFC 9103 section 8.2). */
#ifndef CANDOR_NET_TLS_H
#define CANDOR_NET_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "resolver/base/err.h"

struct tls_context; /* one role's certificate, key and trust; shared by its connections; used by one thread */

struct tls_config {
    bool server;
    const char *certificate, *key; /* PEM files; a server needs both; a client's own for mutual TLS, or "" */
    const char *ca; /* PEM file of who is trusted; a server with one verifies clients that show a certificate,
                       without one it asks for none; a client needs one */
    bool client_certificate_needed; /* server: who shows none is refused */
    bool anybody;                   /* client: whoever answers will do (RFC 7435); there is no ca then, no name */
};
int tls_open(struct tls_context **out, const struct tls_config *c, struct err *err) MUST_USE;
/* After the last connection that uses it. NULL is none. */
void tls_close(struct tls_context *t);
/* Reads the files again (a renewed certificate); on an error the old ones stay. New connections use the new ones. */
int tls_reload(struct tls_context *t, struct err *err) MUST_USE;
/* notAfter of the own certificate, wall clock seconds; 0: there is none. */
int64_t tls_not_after(const struct tls_context *t);

#endif
