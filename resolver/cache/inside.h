/* The cache looked into, record by record: for the operator's commands and for figures, never for the hot path. All of
 * it walks the index as everybody else changes it: what is put or moved meanwhile may be seen or not, never half. */
#ifndef CANDOR_CACHE_INSIDE_H
#define CANDOR_CACHE_INSIDE_H

#include "resolver/cache/rrset.h"

enum cache_kind { CACHE_ANSWER, CACHE_FAILURE, CACHE_RRSET, CACHE_KINDS };

/* One record that a look-up could find: whole, in its own place. What it points at counts until the next one. */
struct cache_item {
    enum cache_kind kind;
    struct name name; /* lower case */
    uint16_t type, klass;
    bool dnssec_ok, checking_disabled; /* answers and failures */
    uint32_t age_s, left_s, ended_s;   /* since it was stored; until it ends; since it has ended */
    size_t octets;                     /* of the log */
    uint8_t rcode;                     /* answers and failures */
    int ede;                           /* failures */
    const uint8_t *msg;                /* answers: as cache_get_stale gives them */
    size_t msg_size;
    struct rrset rrset; /* RRsets */
};

/* True: the record is to be forgotten. */
typedef bool (*cache_see)(void *ctx, const struct cache_item *item);

/* Maps the cache file of a node that may be running, as it is: of another size or clock than `config` says it is taken
 * over too, and it is never made. TTL limits are those of `config`. E_NOTFOUND; E_CORRUPT: no cache file of this
 * version. Nobody is disturbed. */
int cache_attach(struct cache **out, const struct cache_config *config, struct err *err) MUST_USE;
/* Tells files apart, also of one path: new with each file that is made. 0: the mapping is of memory alone. */
uint64_t cache_identity(const struct cache *c);

/* Calls `see` for every record. *forgotten (may be NULL): how many were. E_NOMEM. */
int cache_walk(struct cache *c, cache_see see, void *ctx, uint64_t *forgotten);

/* Forgets what is known about a name (`below`: and all names below it): RRsets, denials, failures, answers, those to
 * other questions that lead to it by CNAME, and what denies it from above (RFC 8020). Nobody, in no process, is given
 * any of it once this has returned; what is on its way from a server meanwhile may come in anew. */
int cache_flush(struct cache *c, const struct name *name, bool below, uint64_t *forgotten);

/* How full it is, from a sample of at most CACHE_SAMPLE buckets, looked at in steps of CACHE_STEP neighbours, spread
 * evenly, so that nobody is held up: some tens of microseconds each. */
enum { CACHE_SAMPLE = 1024, CACHE_STEP = 16 };
struct cache_figures {
    uint64_t records[CACHE_KINDS]; /* that have not ended */
    uint64_t ended;                /* of all kinds, that may still be given as stale answers */
    uint64_t octets;               /* of the log that all these take */
};
struct cache_survey { /* zeros to begin with */
    uint64_t at;
    struct cache_figures sum;
};
/* The next step; true: that was the last of a round, and `to` has what it came to. */
bool cache_measure(struct cache *c, struct cache_survey *s, struct cache_figures *to);
/* Octets of the mapping. */
uint64_t cache_size(const struct cache *c);

#endif
