/* What the verdicts have been through: changes of single checks, and doubts. */
#include "health/web/metrics.h"

static void each_scope(struct metrics *m, uint64_t (*value)(const struct verdict_scope_state *)) {
    for (int i = 0; i < SCOPE_COUNT; i++)
        if (m->from->book->scope[i].present)
            metric_one(m, "scope", verdict_scope_name((enum verdict_scope)i), (double)value(&m->from->book->scope[i]));
}

static uint64_t changes(const struct verdict_scope_state *s) { return s->check_changes; }
static uint64_t doubts(const struct verdict_scope_state *s) { return s->doubts; }

void metrics_verdict(struct metrics *m) {
    metric_family(m, METRIC_COUNTER, "health_check_changes", "Single checks that changed, also while they flap.");
    each_scope(m, changes);
    metric_family(m, METRIC_COUNTER, "health_doubts",
                  "Bad results that were taken back before they made a check fall.");
    each_scope(m, doubts);
}
