/* When a process is asked to be ended from outside: for local causes alone, and never one that waits for a disk, since
 * its successor would wait there too. Pure. */
#ifndef CANDOR_PROBE_HEAL_H
#define CANDOR_PROBE_HEAL_H

#include <stdbool.h>
#include <stdint.h>

enum {
    HEAL_AGAIN_MS = 10000,   /* the same process is not marked more often */
    HEAL_AGE_MIN_MS = 3000,  /* a heartbeat that stands still for less is no hang */
    HEAL_POOL_MS = 60000,    /* a thread pool from which nothing came back for so long, ... */
    HEAL_POOL_SHARE = 12,    /* ... or for so many local intervals, if that is less ... */
    HEAL_POOL_MIN_MS = 12000 /* ... but not less than this: imports of large zones use it, too */
};

struct heal_look {
    uint64_t boot;         /* 0: it is not there */
    char state;            /* of the process, as /proc has it */
    bool disk;             /* it, or one of its threads, waits for the disk */
    bool judged_fail;      /* its heartbeat was bad `fall` times in a row */
    int64_t heartbeat_ms;  /* age */
    int64_t hung_ms;       /* from this age on it hangs */
    bool stuck;            /* resolver: the way out is there, and it does not find it (stuck.h) */
    bool pool_fail;        /* its thread pool was judged starved ... */
    int64_t pool_still_ms; /* ... and nothing came back from it for so long */
    int64_t pool_ms;
    bool silent; /* worker: it was asked where others answered, and said nothing `fall` times in a row */
};

/* Workers that were marked lately. */
enum { HEAL_RATION = 64 };
struct heal_ration {
    int64_t at_ms[HEAL_RATION];
    unsigned count;
    bool told;
};

/* NULL: leave it alone; else why it is to be ended. */
const char *heal_judge(const struct heal_look *l);

/* How long a pool may stand still, from the local interval. */
int64_t heal_pool_ms(uint32_t local_ms);

#endif
