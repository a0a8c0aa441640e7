/* Private to sift*.c: the message under the sieve. */
#ifndef CANDOR_ITERATE_SIFT_IMPL_H
#define CANDOR_ITERATE_SIFT_IMPL_H

#include "resolver/iterate/bounds.h"
#include "resolver/iterate/sift.h"

/* One RR of the message: enough to find it and read it again. */
struct sift_rr {
    struct dns_reader before; /* the reader as it stood in front of it */
    uint64_t owner_hash;      /* keyed: nobody outside can make two names meet */
    uint32_t ttl_s;
    uint16_t type, covers; /* covers: of an RRSIG */
    uint8_t section;
    bool taken; /* belongs to an RRset that is kept */
};

struct sift {
    const struct sift_question *q;
    struct bytes raw;
    struct sift_rr rr[BOUND_RRS];
    unsigned rrs;
    struct sift_result result;
    uint64_t key, target[BOUND_NS_NAMES]; /* hashes of the names of the servers that are kept */
    unsigned targets;
    struct name made_target[BOUND_CHAIN + 1];
    unsigned made_targets;
    uint8_t rdata[LIMIT_MESSAGE]; /* work: one RDATA without compression */
};

/* RR `index` again; false never happens to a message that was surveyed. */
bool sift_reread(const struct sift *s, unsigned index, struct dns_rr *rr);
/* The first RR of this owner, type and section that nobody took; -1. */
int sift_find(const struct sift *s, const struct name *owner, uint16_t type, uint8_t section);
/* Keeps the RRset of which RR `first` is one, with its signatures. Its index; -1 with the result made SIFT_INVALID. */
int sift_keep(struct sift *s, unsigned first, uint8_t trust);
/* What breaks the rules. */
void sift_refuse(struct sift *s, const char *why);

/* sift_chain.c: from qname along CNAMEs and DNAMEs as far as the zone goes; fills target and chain. True: the RRset
 * asked for stands at its end. */
bool sift_chain(struct sift *s, uint8_t trust);

#endif
