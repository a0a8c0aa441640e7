/* What is judged of processes and the machine, apart from how it is looked at: pure functions, evidence in words. Each
 * sets e->came, e->value and e->unit; `asked` is the caller's. */
#ifndef CANDOR_PROBE_MACHINE_H
#define CANDOR_PROBE_MACHINE_H

#include "health/system/sample.h"
#include "health/verdict/verdict.h"

enum {
    FDS_WARN_PERCENT = 80, /* of what a process may have open: time to raise the limit */
    FDS_FAIL_PERCENT = 95, /* connections are about to be refused */
    CONNTRACK_WARN_PERCENT = 80,
    CONNTRACK_FAIL_PERCENT = 95, /* beyond the limit new clients' packets are dropped without a word */
    STALL_WARN_PERCENT = 20,     /* of the time in which some task of the machine waited for memory */
    STALL_FULL_WARN_PERCENT = 5, /* ... in which all did */
    FAULTS_PER_S = 100,          /* our processes' reads from the disk for want of memory: each some 0.1 to 10 ms */
    LATE_US = 100000,            /* a tick this late: clients begin to ask again after some hundred ms */
    LATE_WARN_PERCENT = 25,      /* of the ticks of an interval */
    LATE_FAIL_PERCENT = 50,
    LATE_OWN_PERCENT = 30,   /* of the time that this process itself was late: then it is the machine, not the worker */
    DROPS_FAIL_PERCENT = 5,  /* of the questions that came */
    DROPS_FAIL_LEAST = 20,   /* ... and so many at least: a handful is a burst */
    POOL_DEADLINE_MS = 3000, /* of the canary; three fifths of the local interval, if that is less */
    POOL_DEADLINE_MIN_MS = 500,
    POOL_BUSY_PERCENT = 50, /* of a core: a pool that computes is at work and not starved, for ... */
    POOL_BUSY_MS = 60000,   /* ... at most this long */
    RESTARTS_WINDOW_S = 600,
    RESTARTS_WARN = 2,       /* one may be an accident */
    RESTARTS_FAIL = 4,       /* more than the supervisor grants to what hangs (3): a crash loop, ... */
    RESTARTS_INTERVALS = 24, /* ... while the last start is no older than so many local intervals */
    RESTARTS_KEPT = 16
};

/* Descriptors. `errors`: times that one could not be had since last looked at. */
enum verdict_state fds_judge(const struct sys_process *p, uint64_t errors, struct evidence *e);

enum verdict_state conntrack_judge(uint64_t count, uint64_t max, struct evidence *e);

struct pressure_look {
    bool known;            /* the kernel tells of it */
    double some, full;     /* parts of the time since last looked */
    double faults_per_s;   /* of all our processes */
    const char *faults_of; /* the one with the most */
    bool late;             /* a worker's loop is */
};
/* Never `fail` for what the machine goes through while our processes do not suffer from it. */
enum verdict_state pressure_judge(const struct pressure_look *l, struct evidence *e);

struct pool_look {
    int64_t now_ms, asked_ms, beat_ms; /* as on the board */
    uint64_t lag_us;
    double cpu; /* of the process, of one core */
    uint32_t deadline_ms;
};
enum verdict_state pool_judge(const struct pool_look *l, struct evidence *e);

/* A worker's loop between two looks. */
struct lag_look {
    uint64_t ticks[BOARD_LATENCY_BUCKETS]; /* more of each since then */
    int64_t elapsed_ms;
    double busy, cpu;   /* parts of the time; cpu < 0: not known */
    double own_late;    /* part of the time that the judge's own loop was late */
    int64_t slowest_us; /* of its answers to probes in that time; 0: none */
};
/* Part of its ticks that came late or not at all, 0 to 1. */
double lag_late_share(const struct lag_look *l);
enum verdict_state lag_judge(const struct lag_look *l, struct evidence *e);

/* Datagrams lost for want of room in the socket, against those that came in, in the same time. */
enum verdict_state drops_judge(uint64_t drops, uint64_t queries, uint64_t waiting_bytes, double over_s,
                               struct evidence *e);

/* When something started or was replaced: what comes after `expected` in the window is unexpected. `fresh_s`: a last
 * start older than that is no loop any more, but its end (`warn`). `times` in any
 * order, Unix seconds, 0: none. A time ahead of the clock by less than the window counts: the clock may have been set.
 */
bool starts_in_window(uint64_t at_s, int64_t now_s);
enum verdict_state starts_judge(const uint64_t *times, size_t count, unsigned expected, int64_t now_s, int64_t fresh_s,
                                const char *what, struct evidence *e);

#endif
