/* Counters and latency on the board. Answers given at once are timed per burst: one look at the clock for all that one
 * recvmmsg brought, since they leave together too. */
#include "resolver/base/clock.h"
#include "resolver/serve/impl.h"

static void count_client(struct board_client *who, unsigned rcode) {
    if (who != NULL)
        board_add(rcode == RCODE_SERVFAIL ? &who->failed : &who->answered, 1);
}

static void count_response(const struct serve *s, enum board_source source, const uint8_t *reply) {
    struct board_worker *stats = s->config.stats;
    board_add(&stats->responses[source][s->rcode < BOARD_RCODES ? s->rcode : BOARD_RCODES - 1], 1);
    if (reply[2] & (FLAG_TC >> 8))
        board_add(&stats->truncated, 1);
}

static uint64_t took_us(int64_t arrived_ns) {
    int64_t took = clock_ns(CLOCK_KIND_MONO) - arrived_ns;
    return took > 0 ? (uint64_t)took / 1000 : 0;
}

static void count_latency(struct board_worker *stats, enum board_source source, uint64_t us, uint64_t n) {
    board_add(&stats->latency[source][board_latency_bucket(us)], n);
    board_add(&stats->latency_sum_us[source], us * n);
}

void count_burst(struct serve *s) {
    if (s->config.stats == NULL)
        return;
    if (s->burst.clients == 0)
        return;
    uint64_t us = took_us(s->burst.arrived_ns);
    for (unsigned i = 0; i < SOURCE_COUNT; i++) {
        if (s->burst.count[i] > 0)
            count_latency(s->config.stats, i, us, s->burst.count[i]);
        s->burst.count[i] = 0;
    }
    unsigned bucket = board_latency_bucket(us);
    for (unsigned i = 0; i < s->burst.clients; i++)
        board_add(&s->burst.client[i]->latency[bucket], 1);
    s->burst.clients = 0;
}

void count_reply(const struct ask *a, const uint8_t *reply, size_t size) {
    struct serve *s = a->s;
    if (s->config.stats == NULL || size < DNS_HEADER)
        return;
    count_response(s, a->source, reply);
    if (a->who == NULL)
        return;
    count_client(a->who, s->rcode);
    if (a->client->arrived_ns != s->burst.arrived_ns || s->burst.clients == ARRAY_SIZE(s->burst.client)) {
        count_burst(s);
        s->burst.arrived_ns = a->client->arrived_ns;
    }
    s->burst.count[a->source]++;
    s->burst.client[s->burst.clients++] = a->who;
}

void count_late(const struct ask *a, const uint8_t *reply, size_t size) {
    const struct serve *s = a->s;
    struct board_client *who = a->who;
    if (s->config.stats == NULL || size < DNS_HEADER)
        return;
    count_response(s, a->source, reply);
    if (who == NULL)
        return;
    uint64_t us = took_us(a->client->arrived_ns);
    count_client(who, s->rcode);
    count_latency(s->config.stats, a->source, us, 1);
    board_add(&who->latency[board_latency_bucket(us)], 1);
}

void count_drop(const struct serve *s, enum board_drop why) {
    if (s->config.stats != NULL)
        board_add(&s->config.stats->drops[why], 1);
}
