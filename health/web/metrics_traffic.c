/* What the workers counted, summed over all of them. */
#include <string.h>

#include "health/web/metrics.h"

static const char *const proto_names[PROTO_COUNT] = {"udp", "tcp", "tls"};
static const char *const family_names[FAMILY_COUNT] = {"ip4", "ip6"};
static const char *const source_names[SOURCE_COUNT] = {"zone", "cache", "stale", "upstream", "local"};
static const char *const drop_names[DROP_COUNT] = {"malformed", "response",   "acl",     "full",
                                                   "send",      "rate_limit", "fairness"};
static const char *const upstream_names[UPSTREAM_RESULT_COUNT] = {"ok", "timeout", "error_rcode", "mismatch",
                                                                  "network"};
static const char *const rcode_names[] = {"NOERROR",  "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED",
                                          "YXDOMAIN", "YXRRSET", "NXRRSET",  "NOTAUTH",  "NOTZONE"};

/* Sum of the word at the same place in every worker's slot. */
static uint64_t sum(const struct metrics *m, const board_word *of_first) {
    const struct board *b = m->from->board;
    size_t offset = (size_t)((const char *)of_first - (const char *)&b->worker[0]);
    uint64_t total = 0;
    for (unsigned w = 0; w < LIMIT_WORKERS; w++)
        total += board_get((const board_word *)((const char *)&b->worker[w] + offset));
    return total;
}

static void sum_buckets(const struct metrics *m, const board_word *of_first, board_word to[BOARD_LATENCY_BUCKETS]) {
    for (int i = 0; i < BOARD_LATENCY_BUCKETS; i++)
        to[i] = sum(m, &of_first[i]);
}

static void put_queries(struct metrics *m, const struct board_worker *w) {
    metric_family(m, METRIC_COUNTER, "queries", "Questions of clients.");
    for (int p = 0; p < PROTO_COUNT; p++) {
        for (int f = 0; f < FAMILY_COUNT; f++) {
            metric_begin(m);
            metric_label(m, "proto", proto_names[p]);
            metric_label(m, "family", family_names[f]);
            metric_value(m, (double)sum(m, &w->queries[p][f]));
        }
    }
}

static void put_responses(struct metrics *m, const struct board_worker *w) {
    metric_family(m, METRIC_COUNTER, "responses", "Answers to clients by where they came from.");
    for (int s = 0; s < SOURCE_COUNT; s++) {
        uint64_t rest = 0;
        size_t named = sizeof(rcode_names) / sizeof(rcode_names[0]);
        for (size_t r = 0; r < BOARD_RCODES; r++) {
            uint64_t n = sum(m, &w->responses[s][r]);
            if (r >= named) {
                rest += n;
                continue;
            }
            metric_begin(m);
            metric_label(m, "source", source_names[s]);
            metric_label(m, "rcode", rcode_names[r]);
            metric_value(m, (double)n);
        }
        metric_begin(m);
        metric_label(m, "source", source_names[s]);
        metric_label(m, "rcode", "other");
        metric_value(m, (double)rest);
    }
    metric_family(m, METRIC_HISTOGRAM, "response_duration_seconds", "From question to answer, by source.");
    for (int s = 0; s < SOURCE_COUNT; s++) {
        board_word buckets[BOARD_LATENCY_BUCKETS];
        sum_buckets(m, w->latency[s], buckets);
        metric_histogram(m, &(struct metric_pair){"source", source_names[s]}, 1, buckets,
                         (double)sum(m, &w->latency_sum_us[s]));
    }
}

static uint64_t stale_answers(const struct metrics *m, const struct board_worker *w) {
    uint64_t n = 0;
    for (int r = 0; r < BOARD_RCODES; r++)
        n += sum(m, &w->responses[SOURCE_STALE][r]);
    return n;
}

static void put_counts(struct metrics *m, const struct board_worker *w) {
    metric_family(m, METRIC_COUNTER, "queries_dropped", "Messages of clients that got no answer.");
    for (int d = 0; d < DROP_COUNT; d++)
        metric_one(m, "reason", drop_names[d], (double)sum(m, &w->drops[d]));
    metric_family(m, METRIC_GAUGE, "queries_in_flight", "Questions that wait for an upstream.");
    metric_plain(m, (double)sum(m, &w->in_flight));
    metric_family(m, METRIC_GAUGE, "tcp_connections", "Open TCP connections of clients.");
    metric_plain(m, (double)sum(m, &w->tcp_connections));
    const struct {
        const char *name, *help;
        double value;
    } counters[] = {
        {"responses_truncated", "Answers that were cut, with TC.", (double)sum(m, &w->truncated)},
        {"cache_hits", "Questions that the cache answered.", (double)sum(m, &w->cache_hits)},
        {"cache_misses", "Questions that it did not.", (double)sum(m, &w->cache_misses)},
        {"cache_stores", "Answers taken into the cache.", (double)sum(m, &w->cache_stores)},
        {"cache_refreshes",
         "Questions asked anew for the cache alone: shortly before their answer ended, or behind a stale one.",
         (double)sum(m, &w->cache_refreshes)},
        {"stale_answers", "Answers given from expired entries (RFC 8767).", (double)stale_answers(m, w)},
    };
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
        metric_family(m, METRIC_COUNTER, counters[i].name, counters[i].help);
        metric_plain(m, counters[i].value);
    }
}

static void put_cache(struct metrics *m) {
    const struct board *b = m->from->board;
    metric_family(m, METRIC_GAUGE, "cache_entries", "Records in the answer cache, from a sample.");
    metric_one(m, "kind", "answer", (double)board_get(&b->cache.answers));
    metric_one(m, "kind", "rrset", (double)board_get(&b->cache.rrsets));
    metric_one(m, "kind", "failure", (double)board_get(&b->cache.failures));
    metric_one(m, "kind", "ended", (double)board_get(&b->cache.ended));
    metric_family(m, METRIC_GAUGE, "cache_used_bytes", "Room that these records take, from a sample.");
    metric_plain(m, (double)board_get(&b->cache.octets));
    metric_family(m, METRIC_GAUGE, "cache_size_bytes", "Size of the answer cache.");
    metric_plain(m, (double)board_get(&b->cache.size));
    metric_family(m, METRIC_GAUGE, "cache_on_disk",
                  "Whether it is the file, which outlives a restart; 0: memory alone.");
    metric_plain(m, board_get(&b->cache.identity) != 0);
}

struct upstreams {
    char text[LIMIT_UPSTREAMS][ADDR_TEXT_MAX];
    size_t count;
};

static void put_upstream_counts(struct metrics *m, const struct board_worker *w, const struct upstreams *u) {
    metric_family(m, METRIC_COUNTER, "upstream_queries", "Questions to forwarders by outcome.");
    for (size_t i = 0; i < u->count; i++) {
        for (int tcp = 0; tcp <= 1; tcp++) {
            for (int r = 0; r < UPSTREAM_RESULT_COUNT; r++) {
                metric_begin(m);
                metric_label(m, "upstream", u->text[i]);
                metric_label(m, "proto", proto_names[tcp]);
                metric_label(m, "result", upstream_names[r]);
                metric_value(m, (double)sum(m, &w->upstream[i].queries[tcp][r]));
            }
        }
    }
    metric_family(m, METRIC_HISTOGRAM, "upstream_duration_seconds", "How long forwarders took; answered only.");
    for (size_t i = 0; i < u->count; i++) {
        board_word buckets[BOARD_LATENCY_BUCKETS];
        sum_buckets(m, w->upstream[i].latency, buckets);
        metric_histogram(m, &(struct metric_pair){"upstream", u->text[i]}, 1, buckets,
                         (double)sum(m, &w->upstream[i].latency_sum_us));
    }
    metric_family(m, METRIC_GAUGE, "upstream_last_success_timestamp_seconds",
                  "When a worker last had a good answer from a forwarder; 0: never.");
    for (size_t i = 0; i < u->count; i++) {
        uint64_t last = 0;
        for (unsigned k = 0; k < LIMIT_WORKERS; k++) {
            uint64_t at = board_get(&m->from->board->worker[k].upstream[i].last_success_wall_s);
            last = at > last ? at : last;
        }
        metric_one(m, "upstream", u->text[i], (double)last);
    }
}

static const struct verdict_check *find_check(const struct metrics *m, enum verdict_scope scope,
                                              const char *measurement, const char *id) {
    const struct verdict_book *b = m->from->book;
    for (size_t i = 0; i < b->count; i++) {
        const struct verdict_check *c = &b->checks[i];
        if (c->scope == scope && strcmp(c->measurement, measurement) == 0 && (id == NULL || strcmp(c->id, id) == 0))
            return c;
    }
    return NULL;
}

static void put_upstream_verdicts(struct metrics *m, const struct upstreams *u) {
    metric_family(m, METRIC_GAUGE, "upstream_up", "Whether a forwarder passes its probe.");
    for (size_t i = 0; i < u->count; i++) {
        const struct verdict_check *c = find_check(m, SCOPE_UPSTREAM, "answers", u->text[i]);
        metric_one(m, "upstream", u->text[i], c != NULL && !c->fixed && c->shown <= VERDICT_WARN);
    }
    metric_family(m, METRIC_COUNTER, "upstream_state_changes", "Times that the verdict on a forwarder changed.");
    for (size_t i = 0; i < u->count; i++) {
        const struct verdict_check *c = find_check(m, SCOPE_UPSTREAM, "answers", u->text[i]);
        uint64_t n = 0;
        for (int s = 0; c != NULL && s < VERDICT_STATES; s++)
            n += c->transitions[s];
        metric_one(m, "upstream", u->text[i], (double)n);
    }
    const struct verdict_check *nx = find_check(m, SCOPE_RESOLUTION, "nxdomain", NULL);
    metric_family(m, METRIC_GAUGE, "nxdomain_canary_success", "Whether a name that does not exist is NXDOMAIN.");
    metric_plain(m, nx != NULL && nx->shown == VERDICT_PASS);
}

void metrics_traffic(struct metrics *m) {
    const struct board_worker *w = &m->from->board->worker[0];
    struct addr addrs[LIMIT_UPSTREAMS];
    struct upstreams u = {.count = conf_upstreams(m->from->conf, addrs, LIMIT_UPSTREAMS)};
    u.count = u.count < LIMIT_UPSTREAMS ? u.count : LIMIT_UPSTREAMS;
    for (size_t i = 0; i < u.count; i++)
        addr_text(&addrs[i], u.text[i]);
    put_queries(m, w);
    put_responses(m, w);
    put_counts(m, w);
    put_cache(m);
    put_upstream_counts(m, w, &u);
    put_upstream_verdicts(m, &u);
}
