/* Resolving: a question that neither zones nor cache could answer goes in, an answer or a failure comes out later.
 *
 *   resolve_ask -> flight under way for this question? join it
 *              -> else a new flight -> forward.c: servers of the longest matching `forward:` zone, tried in turn; their
 *                                      answer through scrub.c: only what belongs to the question, written anew
 *                                   -> recurse.c: from a `stub:` zone or the root down; the answer through compose.c
 *              -> cache -> every waiter
 *
 * One flight per (qname, qtype, qclass, DO, CD) and worker: however many clients ask, one query goes out. Each waiter
 * has its own id, case and EDNS, which this room never sees. Bounds: LIMIT_FLIGHTS, LIMIT_JOINERS, LIMIT_FORWARD_TRIES,
 * and `recursion.timeout` within which each flight has ended. One thread; no timers: a flight lives on its sender's
 * deadlines. */
#ifndef CANDOR_ITERATE_RESOLVE_H
#define CANDOR_ITERATE_RESOLVE_H

#include "resolver/base/board.h"
#include "resolver/base/conf.h"
#include "resolver/cache/cache.h"
#include "resolver/iterate/sender.h"

struct resolve;

struct resolve_question {
    struct name qname; /* any case */
    uint16_t qtype, qclass;
    bool dnssec_ok, checking_disabled;
    bool refresh; /* what the cache has is about to end, or has: it is asked for anew, whatever RRsets are there */
};

struct resolve_result {
    /* The answer as it went into the cache: header, question in lower case, RRs, no OPT. NULL: it failed. */
    const uint8_t *msg;
    size_t size;
    uint8_t rcode;        /* of a failure: SERVFAIL */
    int ede;              /* of a failure, EDE_NONE otherwise */
    const char *ede_text; /* static; NULL */
    bool closing;         /* the worker is ending: nobody should be told anything */
};

/* Embedded in the asker's own object, which stays the asker's; it must live until done was called. */
struct resolve_waiter {
    struct resolve_waiter *next; /* this room's */
    void (*done)(struct resolve_waiter *w, const struct resolve_result *r);
};

struct resolve_config {
    const struct conf *conf; /* must outlive it */
    struct cache *cache;     /* NULL: keeps nothing */
    struct sender sender;
    struct board_worker *stats; /* NULL: counts nowhere */
};

int resolve_open(struct resolve **out, const struct resolve_config *config, struct err *err) MUST_USE;
/* Every waiter is called with `closing`; every sending is cancelled. */
void resolve_close(struct resolve *r);

/* 0: w->done was or will be called exactly once (maybe from inside this call). E_FULL: LIMIT_FLIGHTS questions are
 * under way; E_AGAIN: LIMIT_JOINERS wait on this one; then done is not called. */
int resolve_ask(struct resolve *r, const struct resolve_question *q, struct resolve_waiter *w) MUST_USE;

/* What RRsets that recursion has kept say to a question that no answer in the cache is for (RD=0): as resolve_result's
 * message in `to`, its size. E_NOTFOUND. */
int resolve_known(struct resolve *r, const struct resolve_question *q, uint8_t *to, size_t cap) MUST_USE;

struct guards;
const struct guards *resolve_guards(const struct resolve *r); /* NULL: none */

/* Flights under way. */
unsigned resolve_flights(const struct resolve *r);

#endif
