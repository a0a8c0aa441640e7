#include "health/command/top_figures.h"

#include <string.h>

static uint64_t add_buckets(uint64_t to[BOARD_LATENCY_BUCKETS], const board_word *from) {
    uint64_t sum = 0;
    for (int i = 0; i < BOARD_LATENCY_BUCKETS; i++) {
        uint64_t n = board_get(&from[i]);
        to[i] += n;
        sum += n;
    }
    return sum;
}

static void read_worker(struct top_figures *f, struct top_worker *to, const struct board_worker *w) {
    to->boot = board_get(&w->boot);
    to->idle_ns = board_get(&w->loop_idle_ns);
    to->busy_ns = board_get(&w->loop_busy_ns);
    to->drops = board_get(&w->socket_drops);
    (void)add_buckets(to->lag, w->loop_lag);
    for (int p = 0; p < PROTO_COUNT; p++)
        for (int k = 0; k < FAMILY_COUNT; k++)
            to->queries += board_get(&w->queries[p][k]);
    for (int s = 0; s < SOURCE_COUNT; s++) {
        (void)add_buckets(f->latency, w->latency[s]);
        to->servfail += board_get(&w->responses[s][TOP_RCODE_SERVFAIL]);
        for (int r = 0; r < BOARD_RCODES; r++)
            f->answers[s] += board_get(&w->responses[s][r]);
    }
    for (int d = 0; d < DROP_COUNT; d++)
        f->dropped += board_get(&w->drops[d]);
    f->cache_hits += board_get(&w->cache_hits);
    f->cache_misses += board_get(&w->cache_misses);
    f->queries += to->queries;
    f->servfail += to->servfail;
}

static void read_upstream(struct top_upstream *to, const struct board_worker *w, int u) {
    (void)add_buckets(to->latency, w->upstream[u].latency);
    for (int tcp = 0; tcp <= 1; tcp++)
        for (int r = 0; r < UPSTREAM_RESULT_COUNT; r++)
            *(r == UPSTREAM_OK ? &to->good : &to->bad) += board_get(&w->upstream[u].queries[tcp][r]);
}

void top_read(struct top_figures *f, const struct board *b, int64_t mono_ms) {
    uint64_t workers = board_get(&b->worker_count), zones = board_get(&b->zone_count);
    memset(f, 0, sizeof *f);
    f->mono_ms = mono_ms;
    for (uint64_t i = 0; i < workers && i < LIMIT_WORKERS; i++) {
        read_worker(f, &f->worker[i], &b->worker[i]);
        for (int u = 0; u < LIMIT_UPSTREAMS; u++)
            read_upstream(&f->upstream[u], &b->worker[i], u);
    }
    for (uint64_t i = 0; i < zones && i < LIMIT_ZONES; i++)
        f->asked[i] = board_get(&b->asked[i].listed) + board_get(&b->asked[i].unlisted);
}

/* All of it but the time and the boots are counters. */
static uint64_t grown(uint64_t then, uint64_t now) { return now > then ? now - then : 0; }

static void grown_all(uint64_t *to, const uint64_t *then, const uint64_t *now, size_t count) {
    for (size_t i = 0; i < count; i++)
        to[i] = grown(then[i], now[i]);
}

void top_between(struct top_figures *to, const struct top_figures *then, const struct top_figures *now) {
    to->mono_ms = now->mono_ms > then->mono_ms ? now->mono_ms - then->mono_ms : 0;
    to->queries = grown(then->queries, now->queries);
    to->servfail = grown(then->servfail, now->servfail);
    to->dropped = grown(then->dropped, now->dropped);
    to->cache_hits = grown(then->cache_hits, now->cache_hits);
    to->cache_misses = grown(then->cache_misses, now->cache_misses);
    grown_all(to->answers, then->answers, now->answers, SOURCE_COUNT);
    grown_all(to->latency, then->latency, now->latency, BOARD_LATENCY_BUCKETS);
    grown_all(to->asked, then->asked, now->asked, LIMIT_ZONES);
    for (int i = 0; i < LIMIT_WORKERS; i++) {
        const struct top_worker *a = &then->worker[i], *b = &now->worker[i];
        struct top_worker *w = &to->worker[i];
        w->boot = b->boot;
        w->queries = grown(a->queries, b->queries);
        w->servfail = grown(a->servfail, b->servfail);
        w->idle_ns = grown(a->idle_ns, b->idle_ns);
        w->busy_ns = grown(a->busy_ns, b->busy_ns);
        w->drops = grown(a->drops, b->drops);
        grown_all(w->lag, a->lag, b->lag, BOARD_LATENCY_BUCKETS);
    }
    for (int u = 0; u < LIMIT_UPSTREAMS; u++) {
        to->upstream[u].good = grown(then->upstream[u].good, now->upstream[u].good);
        to->upstream[u].bad = grown(then->upstream[u].bad, now->upstream[u].bad);
        grown_all(to->upstream[u].latency, then->upstream[u].latency, now->upstream[u].latency, BOARD_LATENCY_BUCKETS);
    }
}

double top_rate(const struct top_figures *between, uint64_t count) {
    return between->mono_ms > 0 ? (double)count * 1000 / (double)between->mono_ms : 0;
}

double top_share(uint64_t part, uint64_t whole) { return whole > 0 ? 100 * (double)part / (double)whole : 0; }

double top_percentile_us(const uint64_t buckets[BOARD_LATENCY_BUCKETS], double part) {
    double all = 0, below = 0;
    for (int i = 0; i < BOARD_LATENCY_BUCKETS; i++)
        all += (double)buckets[i];
    if (all <= 0)
        return -1;
    for (int i = 0; i < BOARD_LATENCY_BUCKETS - 1; i++) {
        double here = (double)buckets[i], least = i > 0 ? board_latency_us[i - 1] : 0;
        if (here > 0 && below + here >= part * all)
            return least + (part * all - below) / here * (board_latency_us[i] - least);
        below += here;
    }
    return board_latency_us[BOARD_LATENCY_BUCKETS - 2];
}
