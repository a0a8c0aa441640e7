/* Random labels that candor-health asks for, known by their hashes on the board: one that comes back as a question of
 * somebody else has travelled in a circle (a forwarding loop). Hashed with the key of this boot, case folded (RFC 4343,
 * since forwarders may play with it); never 0. */
#ifndef CANDOR_BASE_OWN_LABEL_H
#define CANDOR_BASE_OWN_LABEL_H

#include "resolver/base/board.h"

/* `label`: as on the wire, its length first; at most 63 octets of it count. FNV-1a. */
static inline uint64_t own_label_hash(const uint8_t *label, uint64_t key) {
    uint64_t h = 0xcbf29ce484222325ULL ^ key;
    unsigned n = label[0] & 63;
    for (unsigned i = 1; i <= n; i++) {
        uint8_t c = label[i];
        h = (h ^ (c >= 'A' && c <= 'Z' ? c + 32u : c)) * 0x100000001b3ULL;
    }
    return h != 0 ? h : 1;
}

/* A worker has to ask somebody for a name that begins with `label`. */
static inline void own_label_look(struct board *b, const uint8_t *label) {
    uint64_t h = own_label_hash(label, board_get(&b->node_boot));
    for (unsigned i = 0; i < BOARD_OWN_LABELS; i++)
        if (board_get(&b->own_label[i].hash) == h)
            board_add_shared(&b->own_label[i].seen, 1);
}

#endif
