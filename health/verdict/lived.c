#include "health/verdict/lived.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "resolver/base/bytes.h"

/* In local intervals. */
static const unsigned spans[LIVED_WINDOWS] = {2, 12, 60};

void lived_open(struct lived *l, uint32_t local_ms) {
    memset(l, 0, sizeof(*l));
    for (int i = 0; i < LIVED_WINDOWS; i++) {
        l->window_ms[i] = (int64_t)spans[i] * local_ms;
        l->ring[i].step_ms = l->window_ms[i] / LIVED_SLOTS;
    }
}

int64_t lived_step_ms(const struct lived *l) { return l->ring[LIVED_SHORT].step_ms; }

static void read_client(struct lived_client *to, const struct board_client *from) {
    to->queries += board_get(&from->queries);
    to->answered += board_get(&from->answered);
    to->failed += board_get(&from->failed);
    for (unsigned i = 0; i < BOARD_LATENCY_BUCKETS; i++) {
        uint64_t n = board_get(&from->latency[i]);
        to->timed += n;
        to->slow += i > 0 && board_latency_us[i - 1] >= LIVED_SLOW_US ? n : 0;
    }
}

void lived_read(struct lived_sample *s, const struct board *b, int64_t mono_ms) {
    memset(s, 0, sizeof(*s));
    s->mono_ms = mono_ms;
    for (unsigned w = 0; w < LIMIT_WORKERS; w++) {
        const struct board_worker *from = &b->worker[w];
        if (board_get(&from->boot) == 0)
            continue;
        for (unsigned c = 0; c < BOARD_CLIENTS; c++)
            read_client(&s->client[c], &from->client[c]);
        for (unsigned i = 0; i < SOURCE_COUNT; i++)
            for (unsigned k = 0; k < BOARD_LATENCY_BUCKETS; k++)
                s->latency[i][k] += board_get(&from->latency[i][k]);
        s->upstream_good += board_get(&from->responses[SOURCE_UPSTREAM][0 /* NOERROR */]) +
                            board_get(&from->responses[SOURCE_UPSTREAM][3 /* NXDOMAIN */]);
        s->upstream_bad += board_get(&from->responses[SOURCE_UPSTREAM][2 /* SERVFAIL */]);
        s->in_flight += board_get(&from->in_flight);
    }
}

static uint64_t less(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }
static uint64_t settled(const struct lived_view *v) { return v->answered + v->failed + v->unanswered; }

double lived_answer_ratio(const struct lived_view *v) {
    return settled(v) > 0 ? (double)(v->answered + v->failed) / (double)settled(v) : 1;
}

double lived_servfail_ratio(const struct lived_view *v) {
    return settled(v) > 0 ? (double)v->failed / (double)settled(v) : 0;
}

/* The upper bound of the bucket in which the `part`th of all stands. */
static uint64_t percentile(const uint64_t n[BOARD_LATENCY_BUCKETS], uint64_t total, unsigned percent) {
    uint64_t rank = (total * percent + 99) / 100, so_far = 0;
    for (unsigned i = 0; i < BOARD_LATENCY_BUCKETS - 1; i++)
        if ((so_far += n[i]) >= rank)
            return board_latency_us[i];
    return UINT64_MAX;
}

static void view_sources(struct lived_view *v, const struct lived_sample *now, const struct lived_sample *then) {
    for (unsigned s = 0; s < SOURCE_COUNT; s++) {
        uint64_t n[BOARD_LATENCY_BUCKETS], total = 0;
        for (unsigned k = 0; k < BOARD_LATENCY_BUCKETS; k++)
            total += n[k] = less(now->latency[s][k], then->latency[s][k]);
        v->source[s].count = total;
        v->source[s].p50_us = total > 0 ? percentile(n, total, 50) : 0;
        v->source[s].p99_us = total > 0 ? percentile(n, total, 99) : 0;
    }
}

static struct lived_client delta(const struct lived_client *now, const struct lived_client *then) {
    return (struct lived_client){.queries = less(now->queries, then->queries),
                                 .answered = less(now->answered, then->answered),
                                 .failed = less(now->failed, then->failed),
                                 .timed = less(now->timed, then->timed),
                                 .slow = less(now->slow, then->slow)};
}

/* Whether one fares much worse than all others together. */
static enum lived_prefix judge_prefix(const struct lived_client *c, const struct lived_client *all) {
    uint64_t bad = less(c->queries, c->answered), others = less(all->queries, c->queries);
    uint64_t others_bad = less(less(all->queries, all->answered), bad);
    uint64_t others_timed = less(all->timed, c->timed), others_slow = less(all->slow, c->slow);
    if (c->queries < LIVED_PREFIX_QUERIES)
        return LIVED_QUIET;
    if (others < LIVED_PREFIX_QUERIES)
        return LIVED_WELL; /* nobody to compare it with: what it lives through is what all do */
    bool fails = bad * 100 >= c->queries * LIVED_PREFIX_WORSE && 2 * others_bad * c->queries < bad * others;
    bool slow = c->timed >= LIVED_PREFIX_QUERIES && 2 * c->slow >= c->timed && 2 * others_slow < others_timed;
    return fails || slow ? LIVED_WORSE : LIVED_WELL;
}

static void view_make(struct lived_view *v, const struct lived_sample *now, const struct lived_sample *then) {
    struct lived_client all = {0}, one[BOARD_CLIENTS];
    memset(v, 0, sizeof(*v));
    v->span_ms = now->mono_ms - then->mono_ms;
    for (unsigned c = 0; c < BOARD_CLIENTS; c++) {
        one[c] = delta(&now->client[c], &then->client[c]);
        all.queries += one[c].queries;
        all.answered += one[c].answered;
        all.failed += one[c].failed;
        all.timed += one[c].timed;
        all.slow += one[c].slow;
    }
    for (unsigned c = 0; c < BOARD_CLIENTS; c++)
        v->prefixes[judge_prefix(&one[c], &all)]++;
    v->queries = all.queries;
    v->answered = all.answered;
    v->failed = all.failed;
    /* Who waits is not unanswered yet. */
    v->unanswered = less(less(all.queries, all.answered + all.failed), now->in_flight);
    v->upstream_good = less(now->upstream_good, then->upstream_good);
    v->upstream_bad = less(now->upstream_bad, then->upstream_bad);
    view_sources(v, now, then);
}

static uint64_t sum_queries(const struct lived_sample *s) {
    uint64_t n = 0;
    for (unsigned c = 0; c < BOARD_CLIENTS; c++)
        n += s->client[c].queries;
    return n;
}

static const struct lived_sample *newest(const struct lived_ring *r) {
    return &r->at[(r->next + LIVED_SLOTS - 1) % LIVED_SLOTS];
}

static void ring_add(struct lived_ring *r, const struct lived_sample *now) {
    if (r->count > 0 && now->mono_ms - newest(r)->mono_ms < r->step_ms)
        return;
    r->at[r->next] = *now;
    r->next = (r->next + 1) % LIVED_SLOTS;
    r->count += r->count < LIVED_SLOTS;
}

void lived_add(struct lived *l, const struct lived_sample *now) {
    for (int i = 0; i < LIVED_WINDOWS; i++) {
        struct lived_ring *r = &l->ring[i];
        if (r->count > 0 && sum_queries(now) < sum_queries(newest(r)))
            r->count = r->next = 0;
        const struct lived_sample *oldest = &r->at[r->count == LIVED_SLOTS ? r->next : 0];
        if (r->count > 0)
            view_make(&l->view[i], now, oldest);
        else
            memset(&l->view[i], 0, sizeof(l->view[i]));
        ring_add(r, now);
    }
}

int lived_window(const struct lived *l, uint64_t queries) {
    for (int i = 0; i < LIVED_WINDOWS; i++)
        if (settled(&l->view[i]) >= queries)
            return i;
    return LIVED_WINDOWS;
}

static void say(char *came, size_t size, const struct lived_view *v, const char *more) {
    snprintf(came, size,
             "of %" PRIu64 " questions of clients in %.0f s, %.1f %% were answered with SERVFAIL, %.1f %% not at all%s",
             v->queries, (double)v->span_ms / 1000, 100 * lived_servfail_ratio(v), 100 * (1 - lived_answer_ratio(v)),
             more);
}

static bool beyond(const struct lived_view *v, unsigned servfail, unsigned answered) {
    return 100 * v->failed >= settled(v) * servfail || 100 * (v->answered + v->failed) < settled(v) * answered;
}

enum verdict_state lived_judge(const struct lived *l, char *came, size_t size) {
    int at = lived_window(l, LIVED_WARN_QUERIES), many = lived_window(l, LIVED_FAIL_QUERIES);
    if (at == LIVED_WINDOWS) {
        const struct lived_view *v = &l->view[LIVED_LONG];
        say(came, size, v, ": too few to judge by");
        return VERDICT_PASS;
    }
    /* What five minutes hold may be long over: only what is so now fails. */
    if (many < LIVED_LONG && beyond(&l->view[many], LIVED_SERVFAIL_FAIL, LIVED_ANSWERED_FAIL)) {
        say(came, size, &l->view[many], "");
        return VERDICT_FAIL;
    }
    if (beyond(&l->view[at], LIVED_SERVFAIL_WARN, LIVED_ANSWERED_WARN)) {
        say(came, size, &l->view[at], "");
        return VERDICT_WARN;
    }
    const struct lived_view *v = &l->view[at < LIVED_MIDDLE ? LIVED_MIDDLE : at];
    char more[96] = "";
    if (v->prefixes[LIVED_WORSE] > 0)
        snprintf(more, sizeof(more), "; %u of %u groups of client prefixes fare much worse than the others",
                 v->prefixes[LIVED_WORSE], v->prefixes[LIVED_WORSE] + v->prefixes[LIVED_WELL]);
    say(came, size, v, more);
    return v->prefixes[LIVED_WORSE] > 0 ? VERDICT_WARN : VERDICT_PASS;
}

enum verdict_state lived_disagree(const struct lived *l, enum verdict_state probes, const char *said, char *came,
                                  size_t size) {
    int at = lived_window(l, LIVED_WARN_QUERIES);
    const struct lived_view *v = &l->view[at == LIVED_WINDOWS ? LIVED_MIDDLE : at];
    uint64_t asked = v->upstream_good + v->upstream_bad;
    bool ill = at != LIVED_WINDOWS && beyond(v, LIVED_SERVFAIL_FAIL, LIVED_ANSWERED_FAIL);
    bool well = asked >= LIVED_UPSTREAM_ANSWERS && 100 * v->upstream_good >= asked * LIVED_UPSTREAM_WELL && !ill;
    char clients[EVIDENCE_CAME_MAX];
    say(clients, sizeof(clients), v, "");
    if (probes == VERDICT_PASS && ill) {
        snprintf(came, size, "probes are well (%.60s), clients are not: %.150s", said, clients);
        return VERDICT_WARN;
    }
    if (probes == VERDICT_FAIL && well) {
        snprintf(came, size,
                 "probes fail (%.60s), clients are well: of %" PRIu64 " answers that had to be asked for in %.0f s, "
                 "%.1f %% were good",
                 said, asked, (double)v->span_ms / 1000, 100.0 * (double)v->upstream_good / (double)asked);
        return VERDICT_WARN;
    }
    snprintf(came, size, "nothing against each other; probes: %.60s; %.150s", said, clients);
    return VERDICT_PASS;
}
