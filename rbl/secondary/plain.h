/* A transfer as plain RRs, message by message: what each RR means by its place (RFC 5936 section 2.2, RFC 1995 section
 * 4). No I/O; nothing is believed here but the order: signatures are looked at before, contents behind. */
#ifndef CANDOR_SECONDARY_PLAIN_H
#define CANDOR_SECONDARY_PLAIN_H

#include "rbl/records/records.h"

enum {
    PLAIN_RRS = 2 * LIMIT_LOAD_ENTRIES, /* then it is no zone any more */
    PLAIN_SEQUENCES = 1 << 20           /* differences in one answer */
};

enum plain_part {
    PLAIN_WHOLE,  /* an RR of the whole zone; the first is the SOA, which does not come again at the end */
    PLAIN_REMOVE, /* of a difference */
    PLAIN_ADD     /* likewise; the SOA that it leads to comes before the others */
};
typedef int (*plain_fn)(void *ctx, enum plain_part part, const struct records_rr *rr, struct err *err);

struct plain {
    struct name apex;  /* lower-case */
    uint16_t id, type; /* of the question: TYPE_AXFR, TYPE_IXFR */
    uint32_t have;     /* IXFR: the serial asked for */
    /* so far */
    enum { PLAIN_FIRST, PLAIN_SECOND, PLAIN_ALL, PLAIN_LESS, PLAIN_MORE, PLAIN_END } at;
    bool differences;  /* IXFR: what comes are differences */
    uint32_t serial;   /* of the first SOA: what this leads to */
    uint32_t sequence; /* where the difference under way leads to */
    uint32_t soa_ttl, refresh_s, retry_s, expire_s;
    uint64_t messages, rrs, sequences;
    uint16_t soa_size;
    uint8_t soa[2 * LIMIT_NAME_WIRE + 20]; /* RDATA of the first: the last must be the same */
};

void plain_open(struct plain *p, const struct name *apex, uint16_t id, uint16_t type, uint32_t have);
/* 0: there is more to come; 1: that was all. p->at == PLAIN_END and neither a difference nor anything else told: we
 * have what the server has. E_UNSUPPORTED: it does no IXFR, ask for everything; E_DENIED: it refuses (the text has its
 * RCODE); E_INVALID: no transfer, another question's, or one whose differences do not join. What `each` returns other
 * than 0 ends it. */
int plain_take(struct plain *p, const uint8_t *msg, size_t size, plain_fn each, void *ctx, struct err *err) MUST_USE;

#endif
