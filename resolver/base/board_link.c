/* What links and propagation on the board mean. */
#include "resolver/base/board.h"
#include "resolver/base/bytes.h"
#include "resolver/base/conf.h"

const uint32_t board_propagation_ms[BOARD_PROPAGATION - 1] = {
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2500, 5000, 10000, 60000, 600000,
};

void board_zone_propagated(struct board_zone *z, int64_t ms) {
    unsigned bucket = 0;
    if (ms < 0)
        ms = 0; /* clocks differ by more than the path takes */
    while (bucket < BOARD_PROPAGATION - 1 && ms > board_propagation_ms[bucket])
        bucket++;
    board_add(&z->propagation[bucket], 1);
    board_add(&z->propagation_sum_ms, (uint64_t)ms);
}

enum board_link_state board_link_judge(const struct board_link *k, const struct board_zone *z, int64_t now_wall_ms,
                                       int64_t within_ms) {
    if (k->state != LINK_OK && k->state != LINK_BEHIND)
        return k->state <= LINK_BROKEN ? (enum board_link_state)k->state : LINK_BROKEN;
    if (k->heard_wall_ms == 0 || now_wall_ms - (int64_t)k->heard_wall_ms > within_ms)
        return LINK_UNKNOWN;
    bool differs = k->serial_known != 0 && z->commits != 0 && (uint32_t)k->serial != (uint32_t)z->serial;
    return differs ? LINK_BEHIND : LINK_OK;
}

const char *board_link_peer(const struct conf *conf, const struct addr *a, char to[BOARD_PEER_MAX]) {
    char text[ADDR_TEXT_MAX];
    for (size_t i = 0; i < conf->health.peer_count; i++) {
        const struct conf_peer *p = &conf->health.peers[i];
        if (addr_same_host(&p->resolver, a) || addr_same_host(&p->health, a)) {
            text_copy(to, BOARD_PEER_MAX, p->name);
            return to;
        }
    }
    text_copy(to, BOARD_PEER_MAX, addr_port(a) != 0 ? addr_text(a, text) : addr_host_text(a, text));
    return to;
}
