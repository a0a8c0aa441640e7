/* Who sees whom: each node's word on each other, by transport and address family. Node 0 is this one. From it comes
 * what no node alone can say: that somebody is fine and only the way from one node to another is not. */
#ifndef CANDOR_PEERS_MATRIX_H
#define CANDOR_PEERS_MATRIX_H

#include "health/peers/view.h"

enum { MATRIX_NODES = LIMIT_PEERS + 1, MATRIX_FAMILIES = 2 };

/* From the first to the last of a run of answers alike (mono). */
struct span {
    int64_t since_ms, last_ms;
};
/* Whether both held at the same time: what was good before, or only behind it, proves nothing of what is bad. */
bool spans_meet(struct span a, struct span b);

struct matrix {
    size_t count;
    const char *name[MATRIX_NODES];
    struct matrix_cell {
        uint8_t state; /* the worst of the addresses that are known */
        struct span span;
    } cell[MATRIX_NODES][MATRIX_NODES][SEEN_WAYS][MATRIX_FAMILIES];
};

/* Nothing is known of anybody. Names stay the caller's. */
void matrix_reset(struct matrix *m);
/* Index of a node, added when it is new; -1: no room. */
int matrix_node(struct matrix *m, const char *name);
/* -1: nobody spoke of it. */
int matrix_find(const struct matrix *m, const char *name);
void matrix_put(struct matrix *m, size_t from, size_t to, enum seen_by by, bool ip6, enum seen_state s,
                struct span span);
enum seen_state matrix_get(const struct matrix *m, size_t from, size_t to, enum seen_by by, bool ip6);
/* Over all ways and families: bad if any is bad, good if any is good. */
enum seen_state matrix_sees(const struct matrix *m, size_t from, size_t to);

/* A way that is closed between two nodes while a third one gets through: a firewall, a route. */
struct matrix_fault {
    size_t from, to, third;
    enum seen_by by;
    bool ip6;
    bool back; /* the other direction is open */
};
/* The first of them, such as this node is part of before others; false: none. *count: how many there are. */
bool matrix_fault(const struct matrix *m, struct matrix_fault *f, size_t *count);
/* "a does not reach b over udp on ip4, b reaches a and c reaches b: ..." */
void matrix_words(const struct matrix *m, const struct matrix_fault *f, char *to, size_t size);

#endif
