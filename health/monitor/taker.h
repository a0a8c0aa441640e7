/* The thread that keeps what comes from nodes, beside the loop that judges and the thread that takes HTTPS.
 *
 *   loop, HTTPS thread: taker_put -> box -> archive, many in one commit -> done(), and a letter -> loop: taker_fetch
 *
 * Nobody waits for it: letters are put down and fetched with one atomic exchange each. What is acknowledged lies on the
 * disk. When the disk is full, the file damaged or the thread stuck, deliveries come back as not kept (their nodes keep
 * the events and send them again), reports are judged all the same, and taker_state says so. A damaged file is set
 * aside, TAKER_ASIDES times at most. */
#ifndef CANDOR_MONITOR_TAKER_H
#define CANDOR_MONITOR_TAKER_H

#include "health/monitor/archive.h"
#include "health/monitor/intake.h"

enum {
    TAKER_WAITING = 8192,    /* that wait to be kept, or to be fetched */
    TAKER_BATCH = 256,       /* in one commit */
    TAKER_RETRY_MS = 5000,   /* until a file that cannot be opened is tried again */
    TAKER_LAZY_MS = 1000,    /* reports that nobody waits for are kept this late */
    TAKER_DETAIL_MS = 60000, /* what is looked at once a minute */
    TAKER_CLEAN_MS = 60000,  /* rows that are too old go, */
    TAKER_CLEAN_SLICES = 64, /* so many slices at a time */
    TAKER_ASIDES = 3,
    TAKER_PAST = 100, /* events that are remembered from before */
    TAKER_CLOSE_MS = 2000
};

struct taker_state {
    bool open;
    char trouble[200];                 /* why nothing is kept; "": all is well */
    int64_t trouble_since_ms, kept_ms; /* mono; 0: never */
    int64_t busy_since_ms;             /* mono: at work on the disk since; 0: not */
    uint64_t reports, events, details, failed, asides;
    size_t waiting;
};

struct taker;
/* `path` is copied. Opening the file is the thread's own work. */
int taker_open(struct taker **out, const struct archive_plan *plan, struct err *err) MUST_USE;
/* From any thread; takes `i` over. False: too many wait, or it is closing; then `i` stays the caller's. */
bool taker_put(struct taker *t, struct intake *i) MUST_USE;
/* For the loop: what was dealt with, oldest first, linked by `next`, the caller's. NULL: nothing. */
struct intake *taker_fetch(struct taker *t);
/* For the loop; valid until the next call. */
const struct taker_state *taker_state(struct taker *t);
/* Whoever waits for done() has been told when it returns true; false: the thread hangs and was left behind. NULL: true.
 */
bool taker_close(struct taker *t);

#endif
