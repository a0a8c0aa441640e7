/* Private to the room: one question under way, and what resolve.c and forward.c share. */
#ifndef CANDOR_ITERATE_FLIGHT_H
#define CANDOR_ITERATE_FLIGHT_H

#include "resolver/iterate/asking.h"
#include "resolver/iterate/guard.h"
#include "resolver/iterate/rebinding.h"
#include "resolver/iterate/recurse.h"
#include "resolver/iterate/resolve.h"
#include "resolver/iterate/scrub.h"
#include "resolver/iterate/upstream.h"

enum {
    FLIGHT_BUCKETS = LIMIT_FLIGHTS,
    FORWARD_TRY_MS = 400,        /* first wait; half as much again at each next try */
    FORWARD_USUAL_MAX_MS = 1500, /* most that the first wait grows to with a server's usual time */
    FORWARD_LAST_MIN_MS = 150,   /* a try that would leave less than this to the deadline gets all of it */
    FORWARD_SENDS = 6,           /* of one try: TCP after TC, without EDNS, a new cookie */
    FORWARD_PROBE_TRIES = 3,     /* a probe may take so many times its first wait */
};

/* Why asking failed, from the least to the most telling. */
enum failure { FAILURE_NONE, FAILURE_NETWORK, FAILURE_TIMEOUT, FAILURE_INVALID, FAILURE_RCODE };

struct flight {
    struct flight *next; /* in its bucket */
    struct resolve *resolve;
    struct resolve_question q; /* qname in lower case */
    uint64_t hash;
    struct resolve_waiter *waiters;
    unsigned waiting;
    int64_t deadline_ms;
    int list;   /* of guards, -1: none */
    bool point; /* a test point of that list: nothing about it is kept */

    struct recurse *recursion; /* NULL: none is under way */

    /* forward.c */
    const struct forward_zone *zone;
    struct asking *asking; /* under way */
    unsigned tries;        /* so far */
    uint8_t server;        /* upstream asked now */
    bool tls;              /* over TLS */
    uint32_t tried;        /* bits of upstreams asked in this round */
    enum failure why;      /* the most telling so far */
    unsigned rcode;
    int ede;
};

/* One `forward:` entry. */
struct forward_zone {
    struct name zone;
    uint8_t servers[LIMIT_UPSTREAMS]; /* indices into upstreams */
    unsigned count;
    const char *tls_name, *ca; /* tls_name NULL: plain; "": opportunistic */
    uint16_t tls_port;         /* opportunistic: where TLS may listen, beside the plain port; else 0 */
    bool fallback;             /* recursion, when none of them answers */
};

struct resolve {
    struct resolve_config config;
    struct flight *buckets[FLIGHT_BUCKETS];
    unsigned flights;
    uint64_t hash_key;
    bool closing;
    struct forward_zone *zones;
    size_t zone_count;
    struct upstream upstreams[LIMIT_UPSTREAMS];
    unsigned upstream_count;
    struct servers *servers; /* what is known of upstreams as servers, and */
    struct askings *askings; /* the questions to them; NULL: no forward zone */
    struct scrub *scrub;
    struct recursions *recursions; /* NULL: neither recursion nor a stub zone is configured */
    struct guards *guards;         /* NULL: no remote list is guarded */
    struct rebinding *rebinding;   /* NULL: every address may come */
    uint8_t answer[LIMIT_MESSAGE]; /* of the flight that is being finished */
};

/* resolve.c: asks servers of zones itself; false: that is switched off, or there is no memory. */
bool flight_recurse(struct flight *f);
/* Both take the flight out, tell every waiter and free it. */
void flight_answer(struct flight *f, size_t size); /* r->answer holds it */
void flight_fail(struct flight *f, int ede, const char *text, bool remember);

/* forward.c */
int forward_open(struct resolve *r, struct err *err) MUST_USE;
void forward_close(struct resolve *r);
/* The entry with the longest zone that holds qname; NULL: none. */
const struct forward_zone *forward_find(const struct resolve *r, const struct name *qname);
void forward_start(struct flight *f);
void forward_cancel(struct flight *f);

#endif
