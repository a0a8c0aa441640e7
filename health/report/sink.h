/* A sink that may hang: a thread of its own, and two letter boxes between it and the loop that reports.
 *
 *   loop: sink_offer(report, events, detail) -> box -> thread: deliver(), however long that takes -> loop: sink_news()
 *
 * Neither ever waits for the other: letters are put down and fetched with one atomic exchange each. So a sink that
 * hangs, or a thread that was stopped, costs the prober nothing, and is known by the age of its last news.
 *
 * Reports that could not be delivered wait, in order, the newest `keep` of them (1: only what is true now counts), on
 * disk too (spool.h); what is older is dropped, and counted. Events are never dropped for them: they lie in the ledger,
 * and the sink keeps the number of the last one that was taken (its mark, on disk). So each is delivered at least once,
 * in their order, also when process or machine ended in between; those that the ledger had to forget are counted. */
#ifndef CANDOR_REPORT_SINK_H
#define CANDOR_REPORT_SINK_H

#include "health/report/notice.h"

enum sink_result { SINK_DELIVERED, SINK_FAILED, SINK_RESULTS };
const char *sink_result_name(enum sink_result r);

/* What is known of a sink; a copy for the loop. */
struct sink_news {
    uint64_t results[SINK_RESULTS];
    int64_t delivered_mono_ms, delivered_wall_ms; /* the last one that was; 0: none yet */
    uint64_t sequence;                            /* of that report */
    size_t waiting;                               /* reports not delivered yet */
    size_t events_waiting;                        /* and events */
    int64_t oldest_wall_ms;                       /* when the oldest of both was made; 0: none waits */
    uint64_t dropped, events_dropped;             /* that were too many, so far */
    uint64_t event_sequence;                      /* of the last event that was delivered */
    int64_t busy_since_mono_ms;                   /* a delivery is under way since; 0: none was when this was written */
    int64_t asked_mono_ms;    /* when the monitor that took it asked this node last, by its word; 0: it does not say */
    int64_t not_after_wall_s; /* end of the certificate that the other side showed; 0: not known */
    char who[64];             /* who took it, by its own word; "": it did not say */
    char trouble[160];        /* why the last try came to nothing, or what stands against the sink
                                 although it took this one; "": it went well */
};

/* On the sink's thread: 0: all of it was taken (news->trouble is empty before, and stays as it is left); or < 0 with
 * the reason in news->trouble, and all of it comes again. May set news->not_after_wall_s. */
typedef int (*sink_deliver)(void *ctx, const struct notice *n, struct sink_news *news);

struct sink;
struct sink_plan {
    size_t keep;        /* 1 to SINK_KEEP_MOST */
    uint32_t retry_ms;  /* pause after a delivery that failed */
    bool events;        /* it wants them; otherwise notices have none */
    bool events_anew;   /* the first time, only those that come from now on: nobody wants old ones played to them */
    bool no_reports;    /* it wants events alone; notice.report is only what is true now, then, and nothing waits. A
                           notice without events asks whether it could take some, and is no delivery that counts */
    size_t events_most; /* in one notice; 0: NOTICE_EVENTS */
    const char *folder; /* where mark and waiting reports are kept; "" or NULL: nowhere */
    const char *name;   /* of their files: kind and address */
};
enum { SINK_KEEP_MOST = 1024 };
/* `end` frees ctx on the thread's end; it is called in any case, also when sink_open fails. */
int sink_open(struct sink **out, const struct sink_plan *plan, sink_deliver deliver, void (*end)(void *ctx), void *ctx,
              struct err *err) MUST_USE;
/* `events` and `detail` may be NULL; references are taken. */
void sink_offer(struct sink *s, const struct report *r, struct event_list *events, struct detail *detail);
/* The newest; valid until the next call. */
const struct sink_news *sink_news(struct sink *s);
/* Several of them, for whoever shows them. */
struct sink_list {
    size_t count;
    struct {
        const char *kind, *address; /* "https"; as in the configuration */
        struct sink *sink;
    } at[2 * LIMIT_PEERS + 4];
};

/* Waits SINK_CLOSE_MS for the thread; one that hangs is left behind, for the process is about to end. */
enum { SINK_CLOSE_MS = 500 };
void sink_close(struct sink *s);

#endif
