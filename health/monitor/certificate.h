/* The certificate that the monitor's HTTPS port shows, and its key (health.monitor.tls): read again when the files
 * change, by a thread of its own, so that a renewed one needs no restart. One that cannot be used changes nothing: the
 * old one stays, and why is said.
 *
 * GnuTLS asks for it in each handshake (gnutls_certificate_retrieve_function2, which knows no context): one such
 * certificate in a process. This file is GnuTLS's one door. */
#ifndef CANDOR_MONITOR_CERTIFICATE_H
#define CANDOR_MONITOR_CERTIFICATE_H

#include <stdint.h>

#include "resolver/base/err.h"

enum {
    CERTIFICATE_PEM = 1 << 20, /* octets of a file at most */
    CERTIFICATE_CHAIN = 8,     /* certificates in it */
    CERTIFICATE_KEPT = 4,      /* of those that were: a handshake that began with one ends with it */
    CERTIFICATE_TROUBLE = 200
};

struct certificate;
/* Looks at the files every `look_ms`. When they cannot be used at all: E_INVALID, or the file's own error. Paths are
 * copied. */
int certificate_open(struct certificate **out, const char *chain, const char *key, uint32_t look_ms,
                     struct err *err) MUST_USE;
/* For MHD_OPTION_HTTPS_CERT_CALLBACK: a gnutls_certificate_retrieve_function2. */
void *certificate_retrieve(void);
/* notAfter of the one that is shown, wall clock seconds; `trouble`: why the files cannot be used now, "": they can. */
int64_t certificate_until_s(struct certificate *c, char trouble[CERTIFICATE_TROUBLE]);
/* When nobody is served any more. NULL is allowed. */
void certificate_close(struct certificate *c);

#endif
