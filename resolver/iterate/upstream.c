/* Servers by speed and trouble. */
#include "resolver/iterate/upstream.h"

#include "resolver/base/clock.h"

void upstream_answered(struct upstream *u, int64_t took_us) {
    uint32_t rtt = took_us < 1 ? 1 : took_us > UPSTREAM_RTT_MAX_US ? UPSTREAM_RTT_MAX_US : (uint32_t)took_us;
    u->srtt_us = u->srtt_us == 0 || upstream_failing(u) ? rtt : (uint32_t)(((uint64_t)u->srtt_us * 7 + rtt) / 8);
    u->trouble = 0;
    u->probe_every_ms = 0;
}

void upstream_troubled(struct upstream *u, unsigned points, int64_t now_ms) {
    bool was_failing = upstream_failing(u);
    u->trouble = u->trouble + points > TROUBLE_MAX ? TROUBLE_MAX : u->trouble + points;
    if (!was_failing && upstream_failing(u)) {
        u->probe_every_ms = UPSTREAM_PROBE_FIRST_MS;
        u->probe_at_ms = now_ms + UPSTREAM_PROBE_FIRST_MS;
    }
}

static bool better(const struct upstream *a, const struct upstream *b) {
    if (upstream_failing(a) != upstream_failing(b))
        return upstream_failing(b);
    return a->srtt_us < b->srtt_us;
}

int upstream_pick(struct upstream *all, const uint8_t *among, unsigned count, uint32_t tried) {
    int best = -1;
    for (unsigned i = 0; i < count; i++)
        if (!(tried & 1u << among[i]) && (best < 0 || better(&all[among[i]], &all[best])))
            best = among[i];
    for (unsigned i = 0; i < count; i++)
        if (among[i] != best && !upstream_failing(&all[among[i]]))
            all[among[i]].srtt_us -= all[among[i]].srtt_us >> 7;
    return best;
}

bool upstream_wants_probe(struct upstream *u, int64_t now_ms) {
    if (!upstream_failing(u) || u->probe != NULL || now_ms < u->probe_at_ms)
        return false;
    u->probe_at_ms = now_ms + u->probe_every_ms;
    u->probe_every_ms = u->probe_every_ms * 2 > UPSTREAM_PROBE_MAX_MS ? UPSTREAM_PROBE_MAX_MS : u->probe_every_ms * 2;
    return true;
}

bool upstream_wants_tls(const struct upstream *u, int64_t now_ms) {
    return !u->tls_works && u->tls_probe == NULL && now_ms >= u->tls_probe_at_ms;
}

void upstream_tls(struct upstream *u, bool works, int64_t now_ms) {
    u->tls_works = works;
    if (works) {
        u->tls_probe_every_ms = 0;
        return;
    }
    uint32_t every = u->tls_probe_every_ms * 2;
    every = every == 0 ? UPSTREAM_TLS_FIRST_MS : every > UPSTREAM_TLS_MAX_MS ? UPSTREAM_TLS_MAX_MS : every;
    u->tls_probe_every_ms = every;
    u->tls_probe_at_ms = now_ms + every;
}

void upstream_count(struct board_worker *stats, unsigned index, bool tcp, enum board_upstream_result result,
                    uint32_t mismatches, int64_t took_us) {
    if (stats == NULL || index >= LIMIT_UPSTREAMS)
        return;
    board_add(&stats->upstream[index].queries[tcp][result], 1);
    if (mismatches > 0)
        board_add(&stats->upstream[index].queries[tcp][UPSTREAM_MISMATCH], mismatches);
    if (result != UPSTREAM_OK && result != UPSTREAM_ERROR_RCODE)
        return;
    board_add(&stats->upstream[index].latency[board_latency_bucket((uint64_t)took_us)], 1);
    board_add(&stats->upstream[index].latency_sum_us, (uint64_t)took_us);
    if (result == UPSTREAM_OK)
        board_set(&stats->upstream[index].last_success_wall_s, (uint64_t)clock_wall_s());
}
