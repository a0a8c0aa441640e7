/* A sink that may hang: a thread of its own, and two letter boxes between it and the loop that reports.
 *
 *   loop: sink_offer(report) -> box -> thread: deliver(), however long that takes -> box -> loop: sink_news()
 *
 * Neither ever waits for the other: letters are put down and fetched with one atomic exchange each. So a sink that
 * hangs, or a thread that was stopped, costs the prober nothing, and is known by the age of its last news. What could
 * not be delivered waits, in order, the newest `keep` reports of it (1: only what is true now counts); what is older is
 * dropped, and counted. */
#ifndef CANDOR_REPORT_SINK_H
#define CANDOR_REPORT_SINK_H

#include "health/report/report.h"

enum sink_result { SINK_DELIVERED, SINK_FAILED, SINK_RESULTS };
const char *sink_result_name(enum sink_result r);

/* What is known of a sink; a copy for the loop. */
struct sink_news {
    uint64_t results[SINK_RESULTS];
    int64_t delivered_mono_ms, delivered_wall_ms; /* the last one that was; 0: none yet */
    uint64_t sequence;                            /* of that report */
    size_t waiting;                               /* reports not delivered yet */
    int64_t oldest_wall_ms;                       /* when the oldest of them was made; 0: none waits */
    uint64_t dropped;                             /* that were too many, so far */
    int64_t busy_since_mono_ms;                   /* a delivery is under way since; 0: none was when this was written */
    int64_t not_after_wall_s;                     /* end of the certificate that the other side showed; 0: not known */
    char trouble[160];                            /* why the last try came to nothing; "": it went well */
};

/* On the sink's thread: 0, or < 0 with the reason in news->trouble. May set news->not_after_wall_s. */
typedef int (*sink_deliver)(void *ctx, const struct report *r, struct sink_news *news);

struct sink;
struct sink_plan {
    size_t keep;       /* 1 to SINK_KEEP_MOST */
    uint32_t retry_ms; /* pause after a delivery that failed */
};
enum { SINK_KEEP_MOST = 1024 };
/* `end` frees ctx on the thread's end; it is called in any case, also when sink_open fails. */
int sink_open(struct sink **out, const struct sink_plan *plan, sink_deliver deliver, void (*end)(void *ctx), void *ctx,
              struct err *err) MUST_USE;
void sink_offer(struct sink *s, const struct report *r);
/* The newest; valid until the next call. */
const struct sink_news *sink_news(struct sink *s);
/* Several of them, for whoever shows them. */
struct sink_list {
    size_t count;
    struct {
        const char *kind, *address; /* "https"; as in the configuration */
        struct sink *sink;
    } at[LIMIT_PEERS + 1];
};

/* Waits SINK_CLOSE_MS for the thread; one that hangs is left behind, for the process is about to end. */
enum { SINK_CLOSE_MS = 500 };
void sink_close(struct sink *s);

#endif
