/* What an authoritative server said to one question, taken apart: which kind of answer it is and which RRsets may be
 * believed, how far (RFC 2181 section 5.4.1). Pure: no cache, no clock, no sockets; reads hostile octets.
 *
 * Bailiwick: whatever is not at or below the zone that was asked is dropped, in every section, and so is the data of a
 * name below a cut that the same message shows, except as glue. Kept: in the answer section the chain of CNAMEs and
 * DNAMEs from qname as far as it stays inside the zone, and the RRset at its end; in the authority section one SOA, the
 * NS and DS of the cut of a referral, and with DO the NSEC, NSEC3. NS of the zone itself that nobody asked for are not
 * believed: one forged answer would give the zone away; in the additional section A and AAAA of the NS
 * that were kept. Signatures stay with what they cover. RDATA of known form is checked and decompressed (rdata.h).
 *
 * A CNAME that a DNAME of the message calls for is made here when it is missing, and must agree when it is there (RFC
 * 6672 section 3.3). */
#ifndef CANDOR_ITERATE_SIFT_H
#define CANDOR_ITERATE_SIFT_H

#include "resolver/cache/rrset.h"
#include "resolver/dns/message.h"

enum sift_kind {
    SIFT_ANSWER,    /* the RRset asked for, maybe behind a chain */
    SIFT_CNAME,     /* a chain that leads to `target` and ends there: ask on */
    SIFT_NODATA,    /* for `target` (the end of a chain) or qname: no such type */
    SIFT_NXDOMAIN,  /* for `target` or qname */
    SIFT_REFERRAL,  /* to `cut`, which is below the zone asked and holds qname */
    SIFT_LAME,      /* a referral upward or to the zone itself; what a resolver says (RA without AA). AA alone decides
                       nothing: servers in the field set it on referrals and forget it on answers */
    SIFT_YXDOMAIN,  /* a DNAME makes a name that is too long (RFC 6672 section 2.2): the end of the chain */
    SIFT_TRUNCATED, /* TC */
    SIFT_RCODE,     /* another RCODE: `rcode` */
    SIFT_INVALID,   /* breaks the format, a bound of bounds.h, or does not fit the question */
};

struct sift_question {
    struct name qname, zone; /* lower case; zone: whose servers were asked, qname is below it */
    uint16_t qtype, qclass;
    bool dnssec_ok;
    bool any_glue;      /* addresses of servers are kept wherever their names lie */
    bool resolvers_too; /* nobody else is left to ask: a resolver's answer is better than none */
    bool forwarded;     /* RD=1 to a forwarder: AA is not called for, `zone` is the root */
};

/* One RRset of the message. */
struct sift_rrset {
    struct name owner; /* lower case */
    uint16_t type;
    uint8_t section, trust;
    uint16_t count, sigs;
    uint32_t ttl_s; /* the least of its RRs (RFC 2181 section 5.2) */
    uint16_t first; /* the room's: its first RR */
    bool made;      /* a CNAME made from a DNAME */
};

enum { SIFT_RRSETS = 256 }; /* that may be kept of one message; more is SIFT_INVALID */

struct sift_result {
    enum sift_kind kind;
    unsigned rcode; /* extended */
    bool aa, ra;
    struct name target; /* CNAME, NODATA, NXDOMAIN, ANSWER: where the chain ended (qname without one) */
    struct name cut;    /* REFERRAL */
    unsigned chain;     /* CNAMEs and DNAMEs passed */
    const char *why;    /* of LAME and INVALID: static words for the log */
    struct sift_rrset rrset[SIFT_RRSETS];
    unsigned count;
};

/* Room to work in, about half a megabyte: one per worker. NULL: no memory. */
struct sift;
struct sift *sift_new(void);
void sift_free(struct sift *s);

/* `raw` must live as long as the result is used. The result is the room's, until the next call. */
const struct sift_result *sift_read(struct sift *s, const struct sift_question *q, struct bytes raw);

/* RRset `index` in the cache's form; `buf` of RRSET_MAX takes its data. E_FULL when it would be larger. */
int sift_rrset(struct sift *s, unsigned index, struct rrset *out, uint8_t *buf) MUST_USE;
/* The denial of a SIFT_NODATA or SIFT_NXDOMAIN in the cache's form: owner `target`, type qtype or RRSET_NAME, TTL after
 * RFC 2308 section 5. E_NOTFOUND: the message brought no SOA, so it may be told but not kept. */
int sift_denial(struct sift *s, struct rrset *out, uint8_t *buf) MUST_USE;

#endif
