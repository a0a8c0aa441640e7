#include "health/web/pulse.h"

#include <string.h>

enum { SERVFAIL = 2 };

static void read_worker(struct pulse_sample *s, const struct board_worker *w) {
    for (int p = 0; p < PROTO_COUNT; p++)
        for (int f = 0; f < FAMILY_COUNT; f++)
            s->queries += board_get(&w->queries[p][f]);
    for (int k = 0; k < SOURCE_COUNT; k++) {
        s->servfail += board_get(&w->responses[k][SERVFAIL]);
        for (int r = 0; r < BOARD_RCODES; r++)
            s->answers[k] += board_get(&w->responses[k][r]);
        for (int i = 0; i < BOARD_LATENCY_BUCKETS; i++)
            s->latency[k][i] += board_get(&w->latency[k][i]);
    }
    for (int d = 0; d < DROP_COUNT; d++)
        s->dropped += board_get(&w->drops[d]);
}

static const struct pulse_sample *sample(const struct pulse *p, unsigned back) {
    return back < p->count ? &p->at[(p->next + 2 * PULSE_SAMPLES - 1 - back) % PULSE_SAMPLES] : NULL;
}

void pulse_note(struct pulse *p, const struct board *b, int64_t mono_ms) {
    const struct pulse_sample *last = sample(p, 0);
    uint64_t workers = board_get(&b->worker_count);
    if (last != NULL && mono_ms - last->mono_ms < PULSE_STEP_MS)
        return;
    struct pulse_sample *s = &p->at[p->next];
    memset(s, 0, sizeof(*s));
    s->mono_ms = mono_ms;
    for (uint64_t i = 0; i < workers && i < LIMIT_WORKERS; i++)
        read_worker(s, &b->worker[i]);
    p->next = (p->next + 1) % PULSE_SAMPLES;
    p->count += p->count < PULSE_SAMPLES;
}

static uint64_t grown(uint64_t then, uint64_t now) { return now > then ? now - then : 0; }

static bool between(const struct pulse_sample *a, const struct pulse_sample *b, struct pulse_sample *to) {
    memset(to, 0, sizeof(*to));
    if (a == NULL || b == NULL || b->mono_ms <= a->mono_ms)
        return false;
    to->mono_ms = b->mono_ms - a->mono_ms;
    to->queries = grown(a->queries, b->queries);
    to->servfail = grown(a->servfail, b->servfail);
    to->dropped = grown(a->dropped, b->dropped);
    for (int k = 0; k < SOURCE_COUNT; k++) {
        to->answers[k] = grown(a->answers[k], b->answers[k]);
        for (int i = 0; i < BOARD_LATENCY_BUCKETS; i++)
            to->latency[k][i] = grown(a->latency[k][i], b->latency[k][i]);
    }
    return true;
}

bool pulse_window(const struct pulse *p, unsigned steps, struct pulse_sample *to) {
    unsigned back = steps < p->count ? steps : p->count > 0 ? p->count - 1 : 0;
    return between(sample(p, back), sample(p, 0), to);
}

bool pulse_step(const struct pulse *p, unsigned back, struct pulse_sample *to) {
    return between(sample(p, back + 1), sample(p, back), to);
}

int64_t pulse_ended_ms(const struct pulse *p, unsigned back) {
    const struct pulse_sample *s = sample(p, back);
    return s != NULL ? s->mono_ms : 0;
}

double pulse_rate(const struct pulse_sample *s, uint64_t count) {
    return s->mono_ms > 0 ? (double)count * 1000 / (double)s->mono_ms : 0;
}

double pulse_percentile_us(const struct pulse_sample *s, unsigned source, double part) {
    double here[BOARD_LATENCY_BUCKETS] = {0}, all = 0, below = 0;
    for (unsigned k = 0; k < SOURCE_COUNT; k++)
        for (int i = 0; i < BOARD_LATENCY_BUCKETS && (source == SOURCE_COUNT || source == k); i++)
            here[i] += (double)s->latency[k][i];
    for (int i = 0; i < BOARD_LATENCY_BUCKETS; i++)
        all += here[i];
    if (all <= 0)
        return -1;
    for (int i = 0; i < BOARD_LATENCY_BUCKETS - 1; i++) {
        double least = i > 0 ? board_latency_us[i - 1] : 0;
        if (here[i] > 0 && below + here[i] >= part * all)
            return least + (part * all - below) / here[i] * (board_latency_us[i] - least);
        below += here[i];
    }
    return board_latency_us[BOARD_LATENCY_BUCKETS - 2];
}
