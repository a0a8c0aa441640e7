/* One look at the node's processes and the machine, shared by the probes that judge it and the pages that show it: all
 * of /proc is read once for both. Taken by the thread that judges. */
#ifndef CANDOR_SYSTEM_SAMPLE_H
#define CANDOR_SYSTEM_SAMPLE_H

#include "health/system/machine.h"
#include "health/system/process.h"
#include "resolver/base/board.h"

enum { SYS_ONES_MAX = ROLE_COUNT + LIMIT_WORKERS };

/* A process of the node: its name on pages ("candor-sync", "worker 1"), now and since the look before. */
struct sys_one {
    char name[SYS_NAME_MAX];
    uint64_t pid; /* 0: it never was */
    struct sys_process now;
    bool has_rates;        /* the same process was seen at the last look */
    double cpu;            /* of one core */
    double major_per_s;    /* faults that waited for the disk */
    uint64_t cpu_ticks;    /* of this name so far, over all processes that bore it since this program began to look */
    uint64_t major_faults; /* the same */
};

struct sys_sample {
    int64_t mono_ms; /* 0: never taken */
    struct sys_one at[SYS_ONES_MAX];
    size_t count; /* roles first (enum board_role), workers behind them */
    struct sys_pressure pressure[SYS_RESOURCES];
    bool has_pressure[SYS_RESOURCES];
    double stall[SYS_RESOURCES][SYS_STALLS]; /* part of the time since the last look; of the first one, avg10 */
    uint64_t conntrack, conntrack_max;       /* max 0: nothing is tracked */
};

/* Looks anew; rates are those since the last time. */
void sys_sample_take(struct sys_sample *s, const struct board *b, int64_t mono_ms);
/* What one process did between two looks, `ms` apart, into *one, where the older look stands. */
void sys_one_follow(struct sys_one *one, uint64_t pid, const struct sys_process *now, int64_t ms, long ticks_per_s);
const struct sys_one *sys_sample_worker(const struct sys_sample *s, unsigned worker); /* NULL: none */
const char *sys_role_name(enum board_role r);

#endif
