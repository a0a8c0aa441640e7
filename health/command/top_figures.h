/* The numbers of candor top: the board's counters at two moments, and what came in between. */
#ifndef CANDOR_COMMAND_TOP_FIGURES_H
#define CANDOR_COMMAND_TOP_FIGURES_H

#include "resolver/base/board.h"

enum { TOP_RCODE_SERVFAIL = 2 };

struct top_worker {
    uint64_t boot, queries, servfail, idle_ns, busy_ns, drops;
    uint64_t lag[BOARD_LATENCY_BUCKETS];
};
struct top_upstream {
    uint64_t good, bad; /* answered; timeouts, error codes and the rest */
    uint64_t latency[BOARD_LATENCY_BUCKETS];
};

/* Counters as they stand, or, after top_between(), as they grew. About a hundred KiB. */
struct top_figures {
    int64_t mono_ms; /* when; or how long in between */
    uint64_t queries, answers[SOURCE_COUNT], servfail, dropped, cache_hits, cache_misses;
    uint64_t latency[BOARD_LATENCY_BUCKETS]; /* of answers */
    struct top_worker worker[LIMIT_WORKERS];
    struct top_upstream upstream[LIMIT_UPSTREAMS];
    uint64_t asked[LIMIT_ZONES]; /* questions below the zone's apex */
};

void top_read(struct top_figures *f, const struct board *b, int64_t mono_ms);
/* What came since `then`. A counter that ran backwards (another board, another boot) gives 0. `to` may be `now`. */
void top_between(struct top_figures *to, const struct top_figures *then, const struct top_figures *now);

/* Per second; 0 while no time has passed. */
double top_rate(const struct top_figures *between, uint64_t count);
/* In per cent; 0 of nothing. */
double top_share(uint64_t part, uint64_t whole);
/* The duration that `part` (0 to 1) of what the buckets counted stayed below, in microseconds, laid between the bounds
 * of its bucket; the last bucket's is its lower bound. < 0: nothing was counted. */
double top_percentile_us(const uint64_t buckets[BOARD_LATENCY_BUCKETS], double part);

#endif
