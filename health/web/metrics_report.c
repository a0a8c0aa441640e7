/* Reports: who hears this node, and, on a monitor, whom it hears. */
#include "health/web/metrics.h"

static void pushes(struct metrics *m, const struct sender *s) {
    uint64_t sum[SENDER_RESULTS] = {0};
    size_t count = sender_count(s);
    for (size_t i = 0; i < count; i++)
        for (int r = 0; r < SENDER_RESULTS; r++)
            sum[r] += sender_target(s, i)->results[r];
    metric_family(m, METRIC_COUNTER, "report_sequence", "Number of the last report.");
    metric_plain(m, (double)m->from->tally->report_sequence);
    metric_family(m, METRIC_COUNTER, "push", "Reports sent, by what became of them.");
    for (int r = 0; r < SENDER_RESULTS; r++) {
        metric_begin(m);
        metric_label(m, "sink", "datagram");
        metric_label(m, "result", sender_result_name((enum sender_result)r));
        metric_value(m, (double)sum[r]);
    }
    metric_family(m, METRIC_GAUGE, "monitor_last_contact_timestamp_seconds",
                  "When a monitor last acknowledged a report; 0: never.");
    for (size_t i = 0; i < count; i++)
        metric_one(m, "monitor", sender_target(s, i)->address, (double)sender_target(s, i)->acked_wall_ms / 1000);
    metric_family(m, METRIC_GAUGE, "monitor_reachable", "1: the last report was acknowledged.");
    for (size_t i = 0; i < count; i++) {
        const struct sender_target *t = sender_target(s, i);
        metric_begin(m);
        metric_label(m, "monitor", t->address);
        metric_label(m, "path", "datagram");
        metric_value(m, t->acked_mono_ms != 0 && t->trouble[0] == '\0');
    }
}

static void nodes(struct metrics *m) {
    const struct watched *w = m->from->watched;
    metric_family(m, METRIC_COUNTER, "monitor_gaps", "Reports of a node that never came.");
    for (size_t i = 0; i < m->from->watched_count; i++)
        metric_one(m, "node", w[i].name, (double)w[i].missed);
    metric_family(m, METRIC_GAUGE, "monitor_node_status",
                  "What a node says of itself: 0 pass, 1 warn, 2 fail, 3 unknown, also when it is silent.");
    for (size_t i = 0; i < m->from->watched_count; i++)
        metric_one(m, "node", w[i].name,
                   w[i].heard_once && !watched_is_silent(&w[i], m->mono_ms) ? w[i].last.overall : VERDICT_UNKNOWN);
    metric_family(m, METRIC_GAUGE, "monitor_node_answers", "1: its DNS port answered this monitor.");
    for (size_t i = 0; i < m->from->watched_count; i++)
        metric_one(m, "node", w[i].name, w[i].asked && w[i].answers);
    metric_family(m, METRIC_GAUGE, "monitor_node_last_heard_timestamp_seconds", "When its last report came; 0: never.");
    for (size_t i = 0; i < m->from->watched_count; i++)
        metric_one(m, "node", w[i].name, (double)w[i].heard_wall_ms / 1000);
}

void metrics_report(struct metrics *m) {
    if (m->from->sender != NULL)
        pushes(m, m->from->sender);
    if (m->from->watched_count > 0)
        nodes(m);
}
