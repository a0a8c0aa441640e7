/* When a process that ended is started again. Pure arithmetic on milliseconds of CLOCK_MONOTONIC; one owner.
 *
 * A death (crash, kill, an exit nobody asked for) is always followed by a start: at once when the process had lived,
 * later and later when it keeps dying young. Being ended because it hung is rationed (candor.yaml: health.heal): beyond
 * the ration it stays down for one window, is tried once, and stays down again when that hangs too. */
#ifndef CANDOR_COMMAND_POLICY_H
#define CANDOR_COMMAND_POLICY_H

#include <stdbool.h>
#include <stdint.h>

enum {
    POLICY_DELAY_MS = 100,           /* after a death young ... */
    POLICY_PATIENCE = 8,             /* ... and after so many of them in a row it doubles each time, ... */
    POLICY_LONGEST_DELAY_MS = 30000, /* ... up to this */
    POLICY_FORGET_MS = 500,          /* so much life makes up for one death */
    POLICY_HUNG_KEPT = 64,           /* the ration can not be greater */
};

struct policy {
    uint32_t max_restarts;
    int64_t within_ms;
};

struct policy_record {
    unsigned deaths; /* in a row, those that life made up for taken off */
    int64_t hung_at_ms[POLICY_HUNG_KEPT];
    unsigned hung; /* of those: how many are kept, oldest first */
    bool rationed; /* the ration was used up; cleared by a whole window without a hang */
};

/* The process died after `lived_ms`. Returns in how many milliseconds to start it again. */
int64_t policy_died(struct policy_record *r, int64_t lived_ms);

/* It was ended at `now_ms` because it hung. The same; > 0: the ration is used up. */
int64_t policy_hung(struct policy_record *r, const struct policy *p, int64_t now_ms);

#endif
