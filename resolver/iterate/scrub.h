/* What another server said, reduced to what it may say: nothing else reaches a client or the cache.
 *
 * Kept of the answer section: RRs of the class asked, owned by qname or by a name that a chain of CNAMEs (and DNAMEs)
 * leads to from there, of the type asked. Kept of the authority section: the SOA of a negative answer, and with DO the
 * NSEC, NSEC3 and RRSIG RRs. The additional section, OPT with its ECS included, is dropped. The message is written
 * anew: names in RDATA of the types that may be compressed are expanded, RDATA of fixed form is checked (RFC 3597
 * section 4). */
#ifndef CANDOR_ITERATE_SCRUB_H
#define CANDOR_ITERATE_SCRUB_H

#include "resolver/dns/message.h"
#include "resolver/iterate/resolve.h"

enum { SCRUB_CHAIN_MAX = 16 }; /* CNAMEs followed within one answer */

enum scrub_kind {
    SCRUB_ANSWER,    /* written */
    SCRUB_TRUNCATED, /* TC: ask over TCP */
    SCRUB_ERROR,     /* an RCODE that is no answer, or a referral: ask another server */
    SCRUB_INVALID,   /* breaks the format or does not fit the question */
};

struct scrub_result {
    enum scrub_kind kind;
    unsigned rcode; /* extended */
    int ede;        /* first EDE of the upstream's OPT */
    size_t size;    /* of the message written */
};

/* Room to work in; one per resolve. */
struct scrub;
struct scrub *scrub_new(void); /* NULL: no memory */
void scrub_free(struct scrub *s);

/* Reads `raw`, writes into `to` (cap: 65,535 is always enough for what fits a DNS message). q->qname in lower case. */
void scrub_answer(struct scrub *s, const struct resolve_question *q, struct bytes raw, uint8_t *to, size_t cap,
                  struct scrub_result *result);

#endif
