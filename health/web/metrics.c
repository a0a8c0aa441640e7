/* The writer of metrics, and what the prober itself knows: verdicts and probes. */
#include "health/web/metrics.h"

#include <stdio.h>
#include <string.h>

#include "health/web/document.h"
#include "health/web/render.h"

void metric_family(struct metrics *m, enum metric_type type, const char *name, const char *help) {
    static const char *const types[] = {"gauge", "counter", "histogram", "summary"};
    const char *suffix = type == METRIC_COUNTER && !m->open ? "_total" : "";
    m->name = name;
    m->type = type;
    text_fmt(m->t, "# HELP candor_%s%s %s\n# TYPE candor_%s%s %s\n", name, suffix, help, name, suffix, types[type]);
}

static void begin_with(struct metrics *m, const char *suffix) {
    text_put(m->t, "candor_");
    text_put(m->t, m->name);
    text_put(m->t, suffix);
    m->labels = 0;
}

void metric_begin(struct metrics *m) { begin_with(m, m->type == METRIC_COUNTER ? "_total" : ""); }

void metric_label(struct metrics *m, const char *key, const char *value) {
    text_put(m->t, m->labels++ == 0 ? "{" : ",");
    text_put(m->t, key);
    text_put(m->t, "=\"");
    text_label(m->t, value);
    text_put(m->t, "\"");
}

/* Nearly all values are whole numbers, and printf is slow with a double. */
void metric_value(struct metrics *m, double value) {
    text_put(m->t, m->labels > 0 ? "} " : " ");
    if (value >= 0 && value < 1e15 && value == (double)(uint64_t)value)
        text_digits(m->t, (uint64_t)value, 1);
    else
        text_fmt(m->t, "%.15g", value);
    text_put(m->t, "\n");
}

void metric_plain(struct metrics *m, double value) {
    metric_begin(m);
    metric_value(m, value);
}

void metric_one(struct metrics *m, const char *key, const char *label, double value) {
    metric_begin(m);
    metric_label(m, key, label);
    metric_value(m, value);
}

static void histogram_line(struct metrics *m, const char *suffix, const struct metric_pair *labels, size_t count,
                           const char *le, double value) {
    begin_with(m, suffix);
    for (size_t i = 0; i < count; i++)
        metric_label(m, labels[i].key, labels[i].value);
    if (le != NULL)
        metric_label(m, "le", le);
    metric_value(m, value);
}

void metric_histogram(struct metrics *m, const struct metric_pair *labels, size_t count, const board_word *buckets,
                      double sum_us) {
    uint64_t total = 0;
    char le[32];
    for (int i = 0; i < BOARD_LATENCY_BUCKETS; i++) {
        total += board_get(&buckets[i]);
        if (i < BOARD_LATENCY_BUCKETS - 1)
            snprintf(le, sizeof(le), "%.6g%s", board_latency_us[i] / 1e6,
                     board_latency_us[i] % 1000000 == 0 ? ".0" : "");
        else
            text_copy(le, sizeof(le), "+Inf");
        histogram_line(m, "_bucket", labels, count, le, (double)total);
    }
    if (sum_us < 0)
        return;
    histogram_line(m, "_sum", labels, count, NULL, sum_us / 1e6);
    histogram_line(m, "_count", labels, count, NULL, (double)total);
}

void metric_buckets(struct metrics *m, const char *key, const char *label, const board_word *buckets,
                    const char *const *les, unsigned count, double sum) {
    const struct metric_pair labels[] = {{key, label}};
    uint64_t total = 0;
    for (unsigned i = 0; i < count; i++) {
        total += board_get(&buckets[i]);
        histogram_line(m, "_bucket", labels, 1, les[i], (double)total);
    }
    metric_summary(m, labels, 1, sum, (double)total);
}

void metric_summary(struct metrics *m, const struct metric_pair *labels, size_t count, double sum, double n) {
    histogram_line(m, "_sum", labels, count, NULL, sum);
    histogram_line(m, "_count", labels, count, NULL, n);
}

static void each_scope(struct metrics *m, const struct snapshot *s, double (*value)(const struct snapshot_scope *)) {
    for (int i = 0; i < SCOPE_COUNT; i++)
        if (s->scope[i].present)
            metric_one(m, "scope", verdict_scope_name((enum verdict_scope)i), value(&s->scope[i]));
}

static double scope_state(const struct snapshot_scope *c) { return c->state; }
static double scope_unknown(const struct snapshot_scope *c) { return c != NULL ? VERDICT_UNKNOWN : 0; }
static double scope_evaluated(const struct snapshot_scope *c) { return (double)c->evaluated_wall_ms / 1000; }
static double scope_failing(const struct snapshot_scope *c) { return (double)c->failing_since_wall_ms / 1000; }

static void put_transitions(struct metrics *m, const struct snapshot *s) {
    metric_family(m, METRIC_COUNTER, "health_transitions", "Verdicts of a scope that changed, by what they became.");
    for (int i = 0; i < SCOPE_COUNT; i++) {
        for (int to = 0; s->scope[i].present && to < VERDICT_STATES; to++) {
            metric_begin(m);
            metric_label(m, "scope", verdict_scope_name((enum verdict_scope)i));
            metric_label(m, "to", verdict_state_name((enum verdict_state)to));
            metric_value(m, (double)s->scope[i].transitions[to]);
        }
    }
}

void document_metrics(struct document *d, const struct snapshot *s, bool open, int64_t mono_ms) {
    bool stale = s == NULL || snapshot_is_stale(s, mono_ms);
    *d = (struct document){.state = VERDICT_PASS};
    struct metrics m = {.t = &d->head, .open = open};
    metric_family(&m, METRIC_GAUGE, "health_stale", "1 when nothing was judged for so long that nothing is known.");
    metric_plain(&m, stale);
    if (s != NULL) {
        metric_family(&m, METRIC_GAUGE, "health_age_seconds", "How long ago the verdicts were published.");
        metric_plain(&m, (double)(mono_ms - s->mono_ms) / 1000);
        metric_family(&m, METRIC_GAUGE, "health_status", "Verdict of a scope: 0 pass, 1 warn, 2 fail, 3 unknown.");
        each_scope(&m, s, stale ? scope_unknown : scope_state);
        metric_family(&m, METRIC_GAUGE, "health_last_evaluated_timestamp_seconds", "Newest evidence of a scope.");
        each_scope(&m, s, scope_evaluated);
        metric_family(&m, METRIC_GAUGE, "health_failing_since_timestamp_seconds",
                      "Since when a scope has been failing or unknown; 0: it is not.");
        each_scope(&m, s, scope_failing);
        put_transitions(&m, s);
    }
    if (!stale && s->metrics[open].size > 0)
        d->body[d->bodies++] = (struct bytes){(const uint8_t *)s->metrics[open].at, s->metrics[open].size};
    if (open)
        text_put(&d->tail, "# EOF\n");
}

typedef void (*tally_fn)(struct metrics *m, const struct metric_pair *labels, const struct tally *t);

static void each_tally(struct metrics *m, tally_fn fn) {
    static const char *const protos[TALLY_PROTOS] = {"udp", "tcp", "tls"};
    for (int p = 0; p < TALLY_PROBES; p++) {
        for (int proto = 0; proto < TALLY_PROTOS; proto++) {
            for (int family = 0; family < FAMILY_COUNT; family++) {
                const struct tally *t = &m->from->tally->probe[p][proto][family];
                bool file = p == TALLY_CANARY_WRITE;
                const struct metric_pair labels[] = {{"probe", tally_probe_name((enum tally_probe)p)},
                                                     {"proto", file ? "none" : protos[proto]},
                                                     {"family", file                  ? "none"
                                                                : family == FAMILY_V6 ? "ip6"
                                                                                      : "ip4"}};
                if (t->planned)
                    fn(m, labels, t);
            }
        }
    }
}

static void with_labels(struct metrics *m, const struct metric_pair *labels, double value) {
    metric_begin(m);
    for (int i = 0; i < 3; i++)
        metric_label(m, labels[i].key, labels[i].value);
    metric_value(m, value);
}

static void tally_runs(struct metrics *m, const struct metric_pair *labels, const struct tally *t) {
    for (int r = 0; r < TALLY_RESULTS; r++) {
        metric_begin(m);
        for (int i = 0; i < 3; i++)
            metric_label(m, labels[i].key, labels[i].value);
        metric_label(m, "result", tally_result_name((enum tally_result)r));
        metric_value(m, (double)t->runs[r]);
    }
}

static void tally_success(struct metrics *m, const struct metric_pair *l, const struct tally *t) {
    with_labels(m, l, t->success);
}
static void tally_last(struct metrics *m, const struct metric_pair *l, const struct tally *t) {
    with_labels(m, l, (double)t->last_success_wall_ms / 1000);
}
static void tally_failures(struct metrics *m, const struct metric_pair *l, const struct tally *t) {
    with_labels(m, l, (double)t->consecutive_failures);
}
static void tally_duration(struct metrics *m, const struct metric_pair *l, const struct tally *t) {
    metric_histogram(m, l, 3, t->duration, (double)t->duration_sum_us);
}

static void metrics_probes(struct metrics *m) {
    metric_family(m, METRIC_GAUGE, "probe_success", "Whether the newest probe of this kind succeeded.");
    each_tally(m, tally_success);
    metric_family(m, METRIC_COUNTER, "probe_runs",
                  "Probes by result; void: this process was late itself, it counts for nobody.");
    each_tally(m, tally_runs);
    metric_family(m, METRIC_GAUGE, "probe_last_success_timestamp_seconds", "When a probe last succeeded.");
    each_tally(m, tally_last);
    metric_family(m, METRIC_GAUGE, "probe_consecutive_failures", "Probes failed since the last success.");
    each_tally(m, tally_failures);
    metric_family(m, METRIC_HISTOGRAM, "probe_duration_seconds", "How long answered probes took.");
    each_tally(m, tally_duration);
    metric_family(m, METRIC_COUNTER, "probe_mismatched_packets", "Packets that did not answer what was asked.");
    metric_plain(m, (double)m->from->tally->mismatches);
    metric_family(m, METRIC_COUNTER, "probe_own_lag",
                  "Times that the prober's own loop was late, so that it did not believe itself.");
    metric_plain(m, (double)m->from->tally->late);
    metric_family(m, METRIC_COUNTER, "heal_requests", "Times that a hung process was reported for replacement.");
    metric_plain(m, (double)m->from->tally->heals);
}

void render_metrics(struct text *t, const struct snapshot_source *s, bool open, uint64_t sequence, int64_t mono_ms,
                    int64_t wall_ms) {
    struct metrics m = {.t = t, .open = open, .from = s, .mono_ms = mono_ms, .wall_ms = wall_ms};
    metric_family(&m, METRIC_GAUGE, "build_info", "Version of candor-health; always 1.");
    metric_one(&m, "version", CANDOR_VERSION, 1);
    metric_family(&m, METRIC_COUNTER, "health_snapshots", "Times that the verdicts were published.");
    metric_plain(&m, (double)sequence);
    metrics_probes(&m);
    metrics_verdict(&m);
    metrics_processes(&m);
    metrics_workers(&m);
    metrics_traffic(&m);
    metrics_serving(&m);
    metrics_guard(&m);
    metrics_lived(&m);
    metrics_clock(&m);
    metrics_zones(&m);
    metrics_replica(&m);
    metrics_asked(&m);
    metrics_system(&m);
    metrics_report(&m);
    metrics_alert(&m);
    metrics_catalog(&m);
    metrics_drain(&m);
    metrics_peers(&m);
}
