/* RRsets for iteration, in the same mapping as the answers (cache.h): one record each, keyed by (owner, type, class),
 * with its signatures, what it is trusted for (RFC 2181 section 5.4.1), what validation said, and when it ends. What a
 * name does not have is kept the same way: NODATA under its type, NXDOMAIN under RRSET_NAME.
 *
 * Copies only, as everywhere in this cache: what comes out lies in the caller's buffer and was proved by its checksum.
 */
#ifndef CANDOR_CACHE_RRSET_H
#define CANDOR_CACHE_RRSET_H

#include "resolver/base/bytes.h"
#include "resolver/cache/cache.h"

/* From the least to the most: a lower one never replaces a higher one that has not expired. A denial of TRUST_AUTHORITY
 * weighs as much as TRUST_DATA. */
enum rrset_trust {
    TRUST_NONE,
    TRUST_ADDITIONAL, /* additional section: glue of a referral and what else came along */
    TRUST_REFERRAL,   /* NS (and DS) at a zone cut, as its parent has it */
    TRUST_ANSWER,     /* answer section without AA, of a forwarder for one */
    TRUST_AUTHORITY,  /* authority section with AA: the zone's own NS, the SOA of a negative answer */
    TRUST_DATA,       /* answer section with AA */
};

/* RFC 4035 section 4.3. Nothing validates yet: all that is stored is SECURITY_UNCHECKED. */
enum rrset_security { SECURITY_UNCHECKED, SECURITY_INDETERMINATE, SECURITY_INSECURE, SECURITY_SECURE, SECURITY_BOGUS };

enum rrset_kind { RRSET_DATA, RRSET_NODATA, RRSET_NXDOMAIN };

enum {
    RRSET_NAME = 0,        /* the "type" under which an NXDOMAIN is kept */
    RRSET_MAX = 65535 + 1, /* octets of `data`, all of one RRset or of the authority section of a denial */
};

/* `data` of RRSET_DATA: (count + sigs) times [size, 16 bits in host order][RDATA without compression]; the signatures
 * (RRSIG RDATA) behind the data. `data` of a denial: the SOA and, when it was asked for with DO, NSEC, NSEC3 and their
 * RRSIGs, `count` RRs in wire form without compression, TTLs as they came. */
struct rrset {
    struct name owner; /* lower case */
    uint16_t type, klass;
    uint8_t kind, trust, security;
    bool with_dnssec; /* it was asked for with DO: no signature here means that there is none */
    uint32_t ttl_s;   /* put: to be kept that long; got: what is left; of a stale one 0 */
    uint32_t age_s;   /* got: since it was stored */
    uint16_t count, sigs;
    struct bytes data; /* the caller's */
};

/* Keeps it, its TTL brought within the configured limits (those of negative answers for a denial). E_REFUSED: one that
 * is trusted more is there, or the TTL is 0; E_INVALID: `data` is not of the form above, or too large with its owner
 * for 65,535 octets; E_AGAIN: others wrote the same one again and again meanwhile. An NS RRset that replaces one does
 * not outlive it, whatever the trust and the RDATA (ghost domains: a delegation ends when its parent said it would).
 * Data of TRUST_ANSWER and more ends the NXDOMAIN of its owner. */
int cache_rrset_put(struct cache *c, const struct rrset *r);

/* What is kept under (owner, type, class); for type A of a name that does not exist that is E_NOTFOUND: ask for
 * RRSET_NAME too. `buf` (RRSET_MAX) takes `data`. `stale_s`: how long past its end it may be, 0: not at all. */
int cache_rrset_get(struct cache *c, const struct name *owner, uint16_t type, uint16_t klass, uint32_t stale_s,
                    struct rrset *out, uint8_t *buf) MUST_USE;

/* The next RDATA: 0, or E_NOTFOUND behind the last (signatures included). *at begins as 0. */
int rrset_next(const struct rrset *r, size_t *at, struct bytes *rdata) MUST_USE;

#endif
