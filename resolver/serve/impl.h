/* Private to the room: the worker's state and one question on its way. */
#ifndef CANDOR_SERVE_IMPL_H
#define CANDOR_SERVE_IMPL_H

#include "resolver/serve/fair.h"
#include "resolver/serve/limit.h"
#include "resolver/serve/serve.h"

struct pending;

/* Who waits for what: a stale answer (RFC 8767), or the word of a remote list, which scanners do not wait for long. */
enum patience { PATIENCE_STALE, PATIENCE_LIST, PATIENCES };

/* A question asked anew for the cache, not for a client. */
struct refresh {
    struct resolve_waiter waiter;
    bool busy;
};

struct serve {
    struct serve_config config;
    struct addr *confidants; /* hosts besides this machine that are told the identity */
    size_t confidant_count;
    bool in_batch;
    uint64_t cookies_seen;
    struct cookie_secrets secrets; /* as of this batch */
    struct limit *limit;           /* NULL: nobody is limited */
    struct fair *fair;             /* NULL: first come, first served */
    unsigned datagrams;            /* of this batch */
    int64_t arrived_ns;            /* its last message */
    uint16_t socket;               /* where that came from */
    unsigned pending;
    struct {
        struct pending *first, *last;
    } patient[PATIENCES]; /* clients that get another answer when none comes in time: in each list all wait as long, so
                             the first is next */
    const struct guards *guards; /* NULL: no remote list is guarded */
    struct refresh refreshes[SERVE_REFRESHES];
    unsigned rcode;      /* extended, of the reply written last */
    uint64_t client_key; /* of this boot */
    struct {
        int64_t arrived_ns;
        uint32_t count[SOURCE_COUNT];
        struct board_client *client[LIMIT_UDP_BATCH];
        unsigned clients;
    } burst;                     /* answers at once to one recvmmsg: timed together */
    uint8_t late[LIMIT_MESSAGE]; /* late answers are written here */
};

/* The COOKIE option of a reply: its client's. */
struct reply_cookie {
    bool given;      /* the client sent one */
    uint8_t verdict; /* enum cookie_verdict */
    uint8_t at[COOKIE_WHOLE];
};

/* One question, its client, and where the reply goes. */
struct ask {
    struct serve *s;
    const struct client *client;
    const struct dns_query *q;
    uint8_t *reply;
    size_t cap;   /* of the buffer */
    size_t limit; /* of the reply: what the client can take */
    bool allowed; /* may ask for recursion */
    bool waits;   /* the reply comes later */
    struct reply_cookie cookie;
    struct board_client *who; /* counts what it lives through; NULL: a probe, or nobody counts */
    enum board_source source;
    int list; /* remote list that the question is about, -1: none; set by guard_before_cache */
    enum board_guard_mark mark;
};

/* reply.c: what a reply looks like. All return the size written; 0: nothing could be written. */
size_t reply_limit(const struct serve *s, const struct client *c, const struct dns_query *q, size_t cap);
uint16_t reply_flags(const struct ask *a);
/* Octets of an OPT that says no more than it must. */
size_t reply_opt_size(const struct ask *a);
/* The same with all that it will say: its exact size when an RCODE and no more is told. */
size_t reply_opt_whole(const struct ask *a);
/* An RCODE without RRs; ede EDE_NONE: none, text NULL: none. */
size_t reply_error(const struct ask *a, unsigned rcode, int ede, const char *text);
/* Finishes what stands in w behind the question: OPT, flags, rcode. `truncate` adds TC. */
size_t reply_finish(const struct ask *a, struct dns_writer *w, uint16_t flags, unsigned rcode, int ede,
                    const char *text);
/* Makes the reply out of a whole message of `size` octets that stands in a->reply already (cache_get's form); ede
 * EDE_NONE: none. */
size_t reply_message(const struct ask *a, size_t size, int ede);
/* TC and nothing else: the answer is larger than the buffer. */
size_t reply_truncated(const struct ask *a, unsigned rcode);

/* local.c: what the node says of itself. */
int local_open(struct serve *s, struct err *err) MUST_USE;
bool local_may_know(const struct serve *s, const struct client *c);
size_t local_chaos(const struct ask *a);
size_t local_any(const struct ask *a);

/* large.c: the size that a name of the form SIZE.size.server. asks for, 0: it is no such name; and the answer. */
enum { LARGE_LEAST = 512, LARGE_MOST = LIMIT_UDP_QUERY };
unsigned large_size(const struct name *n);
size_t large_answer(const struct ask *a, unsigned size);

/* clients.c: where a client counts; NULL: nowhere. */
struct board_client *client_count(const struct serve *s, const struct client *c, const struct dns_query *q);
unsigned client_place(uint64_t key, const struct addr *a);

/* cookie.c: judges the client's cookie, if there is one, for a question that was read with this RCODE. The reply when
 * that is for the cookie alone to decide, else 0. */
size_t cookie_take(struct ask *a, unsigned rcode);

/* limited.c: what is left of a reply of n octets when the rate limit has been asked: it, a shorter one, or nothing. */
size_t limited_reply(struct ask *a, size_t n, int64_t now_ns);

/* shared.c: whether the client has had its share; begins and ends of turns; a place for a question under way. */
bool shared_refuses(struct serve *s, const struct client *c);
void shared_turn(struct serve *s);
bool shared_place(const struct ask *a, struct fair_place *place) MUST_USE;
void shared_place_back(struct serve *s, const struct fair_place *place);

/* pending.c: asks for what nobody here knows; the reply's size when it is there at once, else 0. */
size_t pending_ask(struct ask *a);

/* stale.c: the question as the cache and resolving know it. */
struct cache_key ask_key(const struct ask *a);
struct resolve_question ask_question(const struct ask *a);
/* What the cache had, as a reply that says that it has ended; false: nothing that may be given. */
bool stale_answer(struct ask *a, size_t *size);
/* Asks anew for what the cache has, unless that is under way, failed a moment ago, or too much else is under way. */
void refresh_start(struct ask *a);
bool prefetch_due(const struct serve *s, const struct cache_hit *hit);

/* guard.c: true: *size is the reply. In this order; what comes of a list that is not marked is judged where it is
 * resolved. */
bool guard_before_cache(struct ask *a, size_t *size);
bool guard_before_asking(struct ask *a, size_t *size);
/* The reply of who has waited GUARD_ANSWER_MS for a list (a->list). */
size_t guard_late(struct ask *a);

/* count.c */
void count_reply(const struct ask *a, const uint8_t *reply, size_t size);
void count_late(const struct ask *a, const uint8_t *reply, size_t size);
void count_burst(struct serve *s);
void count_drop(const struct serve *s, enum board_drop why);

#endif
