#include "health/peers/score.h"

unsigned score_next(unsigned score, const struct score_round *r) {
    unsigned doubts = (r->late ? 1u : 0u) + (r->unconfirmed > 0 ? 1u : 0u);
    if (doubts > 0)
        return score + doubts < PEERS_SCORE_MAX ? score + doubts : PEERS_SCORE_MAX;
    return r->well && score > 0 ? score - 1 : score;
}

unsigned score_needed(unsigned score) { return SCORE_FALL + score; }

uint32_t score_patience_ms(unsigned score, uint32_t ms, uint32_t most_ms) {
    uint64_t long_ms = (uint64_t)ms * (1 + score);
    return long_ms < most_ms ? (uint32_t)long_ms : most_ms > ms ? most_ms : ms;
}
