/* RDATA as it may be stored: whole names instead of pointers into a message that will be gone. */
#ifndef CANDOR_DNS_RDATA_H
#define CANDOR_DNS_RDATA_H

#include "resolver/dns/message.h"

/* RDATA of `rr` in message `raw` without compression: into `to`, or where it stands when its type has no names. Checks
 * the form of types that have names, and of those that clients of a mail filter's resolver read (A, AAAA, TXT, ...);
 * other types are opaque (RFC 3597). E_INVALID. */
int rdata_plain(const struct dns_rr *rr, struct bytes raw, uint8_t *to, size_t cap, struct bytes *rdata) MUST_USE;

#endif
