/* Whether clients may come here. */
#include "health/drain/drain.h"
#include "health/web/metrics.h"

void metrics_drain(struct metrics *m) {
    const struct board *b = m->from->board;
    uint64_t state = board_get(&b->drain_state);
    bool fresh = (int64_t)board_get(&b->drain_until_ms) >= m->mono_ms;
    metric_family(m, METRIC_GAUGE, "drain_state", "1 for what holds: starting, serve, drain.");
    for (int s = 0; s < DRAIN_STATES; s++)
        metric_one(m, "state", drain_state_name((enum drain_state)s), fresh && state == (uint64_t)s);
    metric_family(m, METRIC_COUNTER, "drain_changes", "Times that this node came to serve, or left.");
    metric_plain(m, (double)board_get(&b->drain_changes));
}
