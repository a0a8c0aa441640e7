/* What clients live through, beside what probes see: counts of the workers (board_worker.h, `client` and what is beside
 * it) become shares over three windows, without a clock and without I/O.
 *
 *   sample (now, sums over all workers) -> rings of earlier ones -> view of each window -> verdict, and disagreement
 *
 * Probes count for no client (they ask for NSID, resolver/serve/clients.c). Prefixes are places on the board that
 * clients are hashed into: no address is known here. Shares are said only of windows with enough questions; too few are
 * no trouble and said to be too few. */
#ifndef CANDOR_VERDICT_LIVED_H
#define CANDOR_VERDICT_LIVED_H

#include "health/verdict/verdict.h"
#include "resolver/base/board.h"

enum { LIVED_SHORT, LIVED_MIDDLE, LIVED_LONG, LIVED_WINDOWS };
enum {
    LIVED_SLOTS = 5,          /* samples kept per window: a window reaches back four to five fifths of its span */
    LIVED_WARN_QUERIES = 50,  /* fewer in a window: nothing is said of it; one question is then 2 % */
    LIVED_FAIL_QUERIES = 200, /* fewer never fail: one dead domain that a mail server retries is that many soon */
    LIVED_SERVFAIL_WARN = 20, /* per cent; resolvers of mail servers have up to a tenth on a good day */
    LIVED_SERVFAIL_FAIL = 50,
    LIVED_ANSWERED_WARN = 90, /* per cent of questions that got any answer */
    LIVED_ANSWERED_FAIL = 50,
    LIVED_PREFIX_QUERIES = 20,   /* fewer from a prefix: quiet */
    LIVED_PREFIX_WORSE = 50,     /* per cent of its questions fail, and less than half as many of all others': worse */
    LIVED_SLOW_US = 1000000,     /* half of its answers take longer, and those of others do not: worse, too */
    LIVED_UPSTREAM_ANSWERS = 20, /* fewer that were asked for: whether clients get any is not known */
    LIVED_UPSTREAM_WELL = 90,    /* per cent of them */
};

struct lived_client {
    uint64_t queries, answered, failed, timed, slow;
};
/* All counted up since the board was made. */
struct lived_sample {
    int64_t mono_ms;
    struct lived_client client[BOARD_CLIENTS];
    uint64_t latency[SOURCE_COUNT][BOARD_LATENCY_BUCKETS];
    uint64_t upstream_good, upstream_bad; /* answers that had to be asked for: NOERROR and NXDOMAIN; SERVFAIL */
    uint64_t in_flight;                   /* now */
};

enum lived_prefix { LIVED_WELL, LIVED_WORSE, LIVED_QUIET, LIVED_PREFIXES };
struct lived_view {
    int64_t span_ms; /* that it reaches back; 0: nothing yet */
    uint64_t queries, answered /* without SERVFAIL */, failed, unanswered;
    uint64_t upstream_good, upstream_bad;
    struct {
        uint64_t count, p50_us, p99_us; /* upper bounds of their buckets; 0: none; UINT64_MAX: beyond the last */
    } source[SOURCE_COUNT];
    unsigned prefixes[LIVED_PREFIXES];
};
/* Parts of one: of questions that are settled, those with any answer, and those with SERVFAIL; 1 and 0 of none. */
double lived_answer_ratio(const struct lived_view *v);
double lived_servfail_ratio(const struct lived_view *v);

struct lived_ring {
    struct lived_sample at[LIVED_SLOTS];
    unsigned count, next;
    int64_t step_ms;
};
struct lived {
    struct lived_ring ring[LIVED_WINDOWS];
    struct lived_view view[LIVED_WINDOWS];
    int64_t window_ms[LIVED_WINDOWS];
};

/* Windows of 10 s, 60 s and 5 min at the usual local interval of 5 s; all shrink with it. */
void lived_open(struct lived *l, uint32_t local_ms);
/* How often lived_add wants a sample. */
int64_t lived_step_ms(const struct lived *l);
/* The board as it is now. */
void lived_read(struct lived_sample *s, const struct board *b, int64_t mono_ms);
/* Makes the views. Counts that ran backwards (another board) begin anew. */
void lived_add(struct lived *l, const struct lived_sample *now);

/* The shortest window with enough questions; LIVED_WINDOWS: there is none. */
int lived_window(const struct lived *l, uint64_t queries);
/* Pass, warn or fail, and why, in words. */
enum verdict_state lived_judge(const struct lived *l, char *came, size_t size);
/* Whether clients and probes tell the same. `probes`: the verdict on names that must be asked for, `said` its words. */
enum verdict_state lived_disagree(const struct lived *l, enum verdict_state probes, const char *said, char *came,
                                  size_t size);

#endif
