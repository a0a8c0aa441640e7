/* Alerts of a monitor: what holds, who was told; and the dead man's switches that it feeds. */
#include "health/web/metrics.h"

static uint64_t delivered_of(const struct courier_news *n) { return n->delivered; }
static uint64_t failed_of(const struct courier_news *n) { return n->failed; }
static uint64_t waiting_of(const struct courier_news *n) { return n->waiting; }

static void receivers(struct metrics *m, const struct receiver_list *l) {
    static const struct {
        enum metric_type type;
        const char *name, *help;
        uint64_t (*value)(const struct courier_news *);
    } families[] = {{METRIC_COUNTER, "alerts_sent", "Notifications that a receiver took, each with one alert or more.",
                     delivered_of},
                    {METRIC_COUNTER, "alerts_failed", "Tries to tell or to reach it that came to nothing.", failed_of},
                    {METRIC_GAUGE, "alerts_waiting", "Alerts with news that it has not taken.", waiting_of}};
    for (size_t f = 0; f < ARRAY_SIZE(families) && l->count > 0; f++) {
        metric_family(m, families[f].type, families[f].name, families[f].help);
        for (size_t i = 0; i < l->count; i++) {
            metric_begin(m);
            metric_label(m, "receiver", l->at[i].kind);
            metric_label(m, "address", l->at[i].address);
            metric_value(m, (double)families[f].value(courier_news(l->at[i].courier)));
        }
    }
}

static uint64_t fed_of(const struct dead_man_news *n) { return n->fed; }
static uint64_t not_fed_of(const struct dead_man_news *n) { return n->failed; }
static uint64_t withheld_of(const struct dead_man_news *n) { return n->withheld; }

static void dead_men(struct metrics *m, const struct receiver_list *l) {
    static const struct {
        const char *result;
        uint64_t (*value)(const struct dead_man_news *);
    } results[] = {{"fed", fed_of}, {"failed", not_fed_of}, {"withheld", withheld_of}};
    if (l->dead_men == 0)
        return;
    metric_family(m, METRIC_COUNTER, "dead_man", "Turns to feed an outside switch, by what became of them.");
    for (size_t i = 0; i < l->dead_men; i++)
        for (size_t r = 0; r < ARRAY_SIZE(results); r++) {
            metric_begin(m);
            metric_label(m, "address", l->dead_man[i].address);
            metric_label(m, "result", results[r].result);
            metric_value(m, (double)results[r].value(dead_man_news(l->dead_man[i].dead_man)));
        }
}

void metrics_alert(struct metrics *m) {
    const struct receiver_list *l = m->from->receivers;
    if (l == NULL)
        return;
    if (l->count > 0) {
        metric_family(m, METRIC_GAUGE, "alerts_firing", "Alerts that hold now, by kind.");
        for (int k = 0; k < ALERT_KINDS; k++)
            metric_one(m, "alertname", alert_kind_name((enum alert_kind)k), (double)l->firing[k]);
    }
    receivers(m, l);
    dead_men(m, l);
}
