/* What the verdicts have been through: changes of single checks, and doubts. */
#include "health/web/metrics.h"

static void each_scope(struct metrics *m, uint64_t (*value)(const struct verdict_scope_state *)) {
    for (int i = 0; i < SCOPE_COUNT; i++)
        if (m->from->book->scope[i].present)
            metric_one(m, "scope", verdict_scope_name((enum verdict_scope)i), (double)value(&m->from->book->scope[i]));
}

static void each_share(struct metrics *m, double (*value)(const struct availability_share *)) {
    struct availability_share s;
    const struct availability *a = ledger_availability(m->from->ledger);
    for (int i = 0; i < AVAILABILITY_SERIES; i++)
        for (int w = 0; w < AVAILABILITY_WINDOWS; w++) {
            if (!availability_share(a, i, w, &s) || value(&s) < 0)
                continue;
            metric_begin(m);
            metric_label(m, "scope", availability_series_name(i));
            metric_label(m, "window", availability_window_name(w));
            metric_value(m, value(&s));
        }
}

static double ratio(const struct availability_share *s) { return s->ratio; }
static double measured(const struct availability_share *s) { return s->measured; }
static double worst(const struct availability_share *s) { return s->worst; }

static void metrics_availability(struct metrics *m) {
    struct ledger_state state;
    if (m->from->ledger == NULL)
        return;
    metric_family(
        m, METRIC_GAUGE, "availability_ratio",
        "Share of the window in which a scope, the node or its clients were well; unknown counts against it.");
    each_share(m, ratio);
    metric_family(m, METRIC_GAUGE, "availability_measured_ratio", "Share of the window of which anything is known.");
    each_share(m, measured);
    metric_family(m, METRIC_GAUGE, "availability_worst_ratio", "The worst window of this length in 30 days.");
    each_share(m, worst);
    ledger_state(m->from->ledger, &state);
    metric_family(m, METRIC_COUNTER, "history_dropped",
                  "Events and minutes that found no room while the disk took none.");
    metric_plain(m, (double)state.dropped);
    metric_family(m, METRIC_GAUGE, "history_waiting_records", "Events and minutes that wait for the disk.");
    metric_plain(m, (double)state.waiting);
    metric_family(m, METRIC_GAUGE, "history_damaged_bytes", "Octets of the history that were damaged at the start.");
    metric_plain(m, (double)state.damaged);
}

static uint64_t changes(const struct verdict_scope_state *s) { return s->check_changes; }
static uint64_t doubts(const struct verdict_scope_state *s) { return s->doubts; }

void metrics_verdict(struct metrics *m) {
    metric_family(m, METRIC_COUNTER, "health_check_changes", "Single checks that changed, also while they flap.");
    each_scope(m, changes);
    metric_family(m, METRIC_COUNTER, "health_doubts",
                  "Bad results that were taken back before they made a check fall.");
    each_scope(m, doubts);
    metrics_availability(m);
}
