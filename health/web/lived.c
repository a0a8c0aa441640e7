/* What clients live through (health/verdict/lived.h), as JSON and as metrics, beside what the probes see. */
#include "health/verdict/lived.h"

#include <stdio.h>

#include "health/web/metrics.h"
#include "health/web/render.h"

static const char *const source_names[SOURCE_COUNT] = {"zone", "cache", "stale", "upstream", "local"};
static const char *const prefix_names[LIVED_PREFIXES] = {"well", "worse", "quiet"};

/* "10s"; shorter intervals make shorter windows. */
static const char *window_name(const struct lived *l, int i, char to[24]) {
    snprintf(to, 24, "%gs", (double)l->window_ms[i] / 1000);
    return to;
}

static void put_us(struct text *t, const char *key, uint64_t us) {
    if (us != UINT64_MAX)
        text_fmt(t, ",\"%s\":%.6g", key, (double)us / 1000);
}

static void put_sources(struct text *t, const struct lived_view *v) {
    const char *between = "";
    text_put(t, ",\"sources\":{");
    for (int s = 0; s < SOURCE_COUNT; s++) {
        if (v->source[s].count == 0)
            continue;
        text_fmt(t, "%s\"%s\":{\"answers\":%llu", between, source_names[s], (unsigned long long)v->source[s].count);
        put_us(t, "p50Ms", v->source[s].p50_us);
        put_us(t, "p99Ms", v->source[s].p99_us);
        text_put(t, "}");
        between = ",";
    }
    text_put(t, "}");
}

void render_lived(struct text *t, const struct snapshot_source *from) {
    const struct lived *l = from->lived;
    char name[24];
    for (int i = 0; l != NULL && i < LIVED_WINDOWS; i++) {
        const struct lived_view *v = &l->view[i];
        text_fmt(t,
                 "%s\"%s\":{\"spanMs\":%lld,\"queries\":%llu,\"answered\":%llu,\"servfail\":%llu,\"unanswered\":%llu",
                 i > 0 ? "," : "", window_name(l, i, name), (long long)v->span_ms, (unsigned long long)v->queries,
                 (unsigned long long)v->answered, (unsigned long long)v->failed, (unsigned long long)v->unanswered);
        text_fmt(t, ",\"answerRatio\":%.4g,\"servfailRatio\":%.4g", lived_answer_ratio(v), lived_servfail_ratio(v));
        put_sources(t, v);
        text_put(t, ",\"prefixes\":{");
        for (int k = 0; k < LIVED_PREFIXES; k++)
            text_fmt(t, "%s\"%s\":%u", k > 0 ? "," : "", prefix_names[k], v->prefixes[k]);
        text_put(t, "}}");
    }
}

static void each_window(struct metrics *m, double (*value)(const struct lived_view *)) {
    char name[24];
    for (int i = 0; i < LIVED_WINDOWS; i++)
        metric_one(m, "window", window_name(m->from->lived, i, name), value(&m->from->lived->view[i]));
}

static double queries(const struct lived_view *v) { return (double)v->queries; }

void metrics_lived(struct metrics *m) {
    if (m->from->lived == NULL)
        return;
    metric_family(m, METRIC_GAUGE, "lived_queries", "Questions of clients in a window; probes are none.");
    each_window(m, queries);
    metric_family(m, METRIC_GAUGE, "lived_answer_ratio", "Part of them that got any answer; 1 when there were none.");
    each_window(m, lived_answer_ratio);
    metric_family(m, METRIC_GAUGE, "lived_servfail_ratio", "Part of them that was answered with SERVFAIL.");
    each_window(m, lived_servfail_ratio);
    metric_family(m, METRIC_GAUGE, "client_prefix_buckets",
                  "Groups of client prefixes in the middle window: well, much worse than the others, or quiet.");
    for (int k = 0; k < LIVED_PREFIXES; k++)
        metric_one(m, "state", prefix_names[k], m->from->lived->view[LIVED_MIDDLE].prefixes[k]);
}

void metrics_clock(struct metrics *m) {
    const struct tally_set *t = m->from->tally;
    metric_family(m, METRIC_COUNTER, "clock_jumps", "Jumps of the wall clock by more than two seconds.");
    metric_one(m, "direction", "ahead", (double)t->clock_jumps[1]);
    metric_one(m, "direction", "back", (double)t->clock_jumps[0]);
    if (!t->clock_offset_known)
        return;
    metric_family(m, METRIC_GAUGE, "clock_offset_seconds", "This node's clock less the middle one of other nodes'.");
    metric_plain(m, (double)t->clock_offset_ms / 1000);
}
