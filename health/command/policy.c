#include "health/command/policy.h"

#include <string.h>

enum { DOUBLINGS = 9 };
_Static_assert(POLICY_DELAY_MS << DOUBLINGS > POLICY_LONGEST_DELAY_MS, "the longest delay is reached");

int64_t policy_died(struct policy_record *r, int64_t lived_ms) {
    int64_t made_up = lived_ms > 0 ? lived_ms / POLICY_FORGET_MS : 0, delay = 0;
    unsigned deaths = made_up < r->deaths ? r->deaths - (unsigned)made_up : 0;
    if (deaths > POLICY_PATIENCE)
        delay = (int64_t)POLICY_DELAY_MS << (deaths - POLICY_PATIENCE);
    else if (deaths > 0)
        delay = POLICY_DELAY_MS;
    r->deaths = deaths < POLICY_PATIENCE + DOUBLINGS ? deaths + 1 : deaths;
    return delay < POLICY_LONGEST_DELAY_MS ? delay : POLICY_LONGEST_DELAY_MS;
}

static void forget_old(struct policy_record *r, int64_t before_ms) {
    unsigned gone = 0;
    while (gone < r->hung && r->hung_at_ms[gone] <= before_ms)
        gone++;
    r->hung -= gone;
    memmove(r->hung_at_ms, r->hung_at_ms + gone, r->hung * sizeof r->hung_at_ms[0]);
}

int64_t policy_hung(struct policy_record *r, const struct policy *p, int64_t now_ms) {
    uint32_t ration = p->max_restarts < POLICY_HUNG_KEPT ? p->max_restarts : POLICY_HUNG_KEPT;
    bool quiet = r->hung == 0 || now_ms - r->hung_at_ms[r->hung - 1] > 2 * p->within_ms;
    forget_old(r, now_ms - p->within_ms);
    /* After a window spent down, the one try that follows counts from its start: two windows since the last hang. */
    if (r->rationed && quiet)
        r->rationed = false;
    if (r->rationed || r->hung >= ration) {
        r->rationed = true;
        r->hung_at_ms[0] = now_ms;
        r->hung = 1;
        return p->within_ms > 0 ? p->within_ms : 1;
    }
    r->hung_at_ms[r->hung++] = now_ms;
    return 0;
}
