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
    static const char *const kinds[] = {"https", "sql", "exec", "syslog", "snmp", "agentx"};
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

static void spool(struct metrics *m, size_t at, const char *what, double value) {
    const struct sink_list *list = m->from->sinks;
    metric_begin(m);
    metric_label(m, "sink", list->at[at].kind);
    metric_label(m, "address", list->at[at].address);
    if (what != NULL)
        metric_label(m, "what", what);
    metric_value(m, value);
}

/* Reports wait in the sink, events in the ledger: what becomes of the two is told apart. */
static void spools(struct metrics *m) {
    const struct sink_list *list = m->from->sinks;
    if (list->count == 0)
        return;
    metric_family(m, METRIC_GAUGE, "spool_records", "What waits for a sink.");
    for (size_t i = 0; i < list->count; i++) {
        spool(m, i, "report", (double)sink_news(list->at[i].sink)->waiting);
        spool(m, i, "event", (double)sink_news(list->at[i].sink)->events_waiting);
    }
    metric_family(m, METRIC_GAUGE, "spool_oldest_timestamp_seconds",
                  "When the oldest of what waits was made; 0: nothing waits.");
    for (size_t i = 0; i < list->count; i++)
        spool(m, i, NULL, (double)sink_news(list->at[i].sink)->oldest_wall_ms / 1000);
    metric_family(m, METRIC_COUNTER, "spool_dropped",
                  "What a sink never got: reports that were too many to wait, events that the ledger had forgotten or "
                  "that a command failed on too often.");
    for (size_t i = 0; i < list->count; i++) {
        spool(m, i, "report", (double)sink_news(list->at[i].sink)->dropped);
        spool(m, i, "event", (double)sink_news(list->at[i].sink)->events_dropped);
    }
}

static void reports(struct metrics *m) {
    pushes(m);
    contacts(m);
    spools(m);
}

static void fleet(struct metrics *m) {
    const struct fleet *f = m->from->fleet;
    size_t sums[VERDICT_STATES] = {0};
    for (size_t i = 0; i < f->count; i++)
        sums[f->node[i].state]++;
    metric_family(m, METRIC_GAUGE, "monitor_nodes", "Nodes of this monitor by their state, as /fleet has it.");
    for (int i = 0; i < VERDICT_STATES; i++)
        metric_one(m, "state", verdict_state_name((enum verdict_state)i), (double)sums[i]);
    metric_family(m, METRIC_GAUGE, "monitor_cut_off", "1: more than half of the nodes are lost at once.");
    metric_plain(m, f->cut_off);
    metric_family(m, METRIC_COUNTER, "monitor_kept", "What the monitor's store took in.");
    metric_one(m, "kind", "report", (double)f->store.reports);
    metric_one(m, "kind", "event", (double)f->store.events);
    metric_one(m, "kind", "detail", (double)f->store.details);
    metric_family(m, METRIC_GAUGE, "monitor_store_up", "1: the monitor's store takes in what comes.");
    metric_plain(m, f->store.open && f->store.trouble[0] == '\0');
    metric_family(m, METRIC_COUNTER, "monitor_refused", "Requests that the HTTPS port for reports refused or cut off.");
    for (int i = 0; i < HTTPS_IN_REFUSALS; i++)
        metric_one(m, "reason", https_in_refusal_name((enum https_in_refusal)i), (double)f->refused[i]);
}

static void nodes(struct metrics *m) {
    if (m->from->fleet != NULL)
        fleet(m);
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
