/* Reports: who hears this node, and, on a monitor, whom it hears. */
#include "health/web/metrics.h"

static void push(struct metrics *m, const char *sink, const char *result, uint64_t n) {
    metric_begin(m);
    metric_label(m, "sink", sink);
    metric_label(m, "result", result);
    metric_value(m, (double)n);
}

/* By kind: where there are several of one, their sum. */
static void pushes(struct metrics *m) {
    const struct sender *s = m->from->sender;
    const struct sink_list *list = m->from->sinks;
    static const char *const kinds[] = {"https", "sql"};
    metric_family(m, METRIC_COUNTER, "push", "Reports sent, by what became of them.");
    for (int r = 0; s != NULL && r < SENDER_RESULTS; r++) {
        uint64_t sum = 0;
        for (size_t i = 0; i < sender_count(s); i++)
            sum += sender_target(s, i)->results[r];
        push(m, "datagram", sender_result_name((enum sender_result)r), sum);
    }
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
        for (int r = 0; r < SINK_RESULTS; r++) {
            uint64_t sum = 0;
            bool any = false;
            for (size_t i = 0; i < list->count; i++)
                if (strcmp(list->at[i].kind, kinds[k]) == 0) {
                    sum += sink_news(list->at[i].sink)->results[r];
                    any = true;
                }
            if (any)
                push(m, kinds[k], sink_result_name((enum sink_result)r), sum);
        }
}

static void reach(struct metrics *m, const char *address, const char *path, double value) {
    metric_begin(m);
    metric_label(m, "monitor", address);
    metric_label(m, "path", path);
    metric_value(m, value);
}

static void contacts(struct metrics *m) {
    const struct sender *s = m->from->sender;
    const struct sink_list *list = m->from->sinks;
    size_t targets = s != NULL ? sender_count(s) : 0;
    metric_family(m, METRIC_GAUGE, "monitor_last_contact_timestamp_seconds",
                  "When a report was last acknowledged there; 0: never.");
    for (size_t i = 0; i < targets; i++)
        reach(m, sender_target(s, i)->address, "datagram", (double)sender_target(s, i)->acked_wall_ms / 1000);
    for (size_t i = 0; i < list->count; i++)
        reach(m, list->at[i].address, list->at[i].kind, (double)sink_news(list->at[i].sink)->delivered_wall_ms / 1000);
    metric_family(m, METRIC_GAUGE, "monitor_reachable", "1: the last report was acknowledged there.");
    for (size_t i = 0; i < targets; i++) {
        const struct sender_target *t = sender_target(s, i);
        reach(m, t->address, "datagram", t->acked_mono_ms != 0 && t->trouble[0] == '\0');
    }
    for (size_t i = 0; i < list->count; i++) {
        const struct sink_news *n = sink_news(list->at[i].sink);
        reach(m, list->at[i].address, list->at[i].kind, n->delivered_mono_ms != 0 && n->trouble[0] == '\0');
    }
}

static double waiting_of(const struct sink_news *n) { return (double)n->waiting; }
static double oldest_of(const struct sink_news *n) { return (double)n->oldest_wall_ms / 1000; }
static double dropped_of(const struct sink_news *n) { return (double)n->dropped; }

static void spools(struct metrics *m) {
    static const struct {
        enum metric_type type;
        const char *name, *help;
        double (*value)(const struct sink_news *);
    } families[] = {
        {METRIC_GAUGE, "spool_records", "Reports that wait for a sink.", waiting_of},
        {METRIC_GAUGE, "spool_oldest_timestamp_seconds", "When the oldest of them was made; 0: none waits.", oldest_of},
        {METRIC_COUNTER, "spool_dropped", "Reports that were too many to wait.", dropped_of}};
    const struct sink_list *list = m->from->sinks;
    for (size_t f = 0; f < ARRAY_SIZE(families) && list->count > 0; f++) {
        metric_family(m, families[f].type, families[f].name, families[f].help);
        for (size_t i = 0; i < list->count; i++) {
            metric_begin(m);
            metric_label(m, "sink", list->at[i].kind);
            metric_label(m, "address", list->at[i].address);
            metric_value(m, families[f].value(sink_news(list->at[i].sink)));
        }
    }
}

static void reports(struct metrics *m) {
    pushes(m);
    contacts(m);
    spools(m);
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
    metric_family(m, METRIC_COUNTER, "report_sequence", "Number of the last report; 0: none was made.");
    metric_plain(m, (double)m->from->tally->report_sequence);
    if (m->from->sinks != NULL && (m->from->sender != NULL || m->from->sinks->count > 0))
        reports(m);
    if (m->from->watched_count > 0)
        nodes(m);
}
