/* Counters and latency on the board. Answers given at once are timed per burst: one look at the clock for all that one
 * recvmmsg brought, since they leave together too. */
#include "resolver/base/clock.h"
#include "resolver/serve/impl.h"

static void count_response(const struct serve *s, enum board_source source, const uint8_t *reply) {
    struct board_worker *stats = s->config.stats;
    board_add(&stats->responses[source][s->rcode < BOARD_RCODES ? s->rcode : BOARD_RCODES - 1], 1);
    if (reply[2] & (FLAG_TC >> 8))
        board_add(&stats->truncated, 1);
}

static void count_latency(struct board_worker *stats, enum board_source source, int64_t arrived_ns, uint64_t n) {
    int64_t took = clock_ns(CLOCK_KIND_MONO) - arrived_ns;
    uint64_t us = took > 0 ? (uint64_t)took / 1000 : 0;
    board_add(&stats->latency[source][board_latency_bucket(us)], n);
    board_add(&stats->latency_sum_us[source], us * n);
}

void count_burst(struct serve *s) {
    if (s->config.stats == NULL)
        return;
    for (unsigned i = 0; i < SOURCE_COUNT; i++) {
        if (s->burst.count[i] > 0)
            count_latency(s->config.stats, i, s->burst.arrived_ns, s->burst.count[i]);
        s->burst.count[i] = 0;
    }
}

void count_reply(const struct ask *a, const uint8_t *reply, size_t size) {
    struct serve *s = a->s;
    if (s->config.stats == NULL || size < DNS_HEADER)
        return;
    count_response(s, a->source, reply);
    if (a->client->arrived_ns != s->burst.arrived_ns) {
        count_burst(s);
        s->burst.arrived_ns = a->client->arrived_ns;
    }
    s->burst.count[a->source]++;
}

void count_late(const struct serve *s, const struct client *c, const uint8_t *reply, size_t size) {
    if (s->config.stats == NULL || size < DNS_HEADER)
        return;
    count_response(s, SOURCE_UPSTREAM, reply);
    count_latency(s->config.stats, SOURCE_UPSTREAM, c->arrived_ns, 1);
}

void count_drop(const struct serve *s, enum board_drop why) {
    if (s->config.stats != NULL)
        board_add(&s->config.stats->drops[why], 1);
}
