/* Changes of many commits, added up: of each entry whether it was there before and is afterwards. Made from the
 * changesets of a stream without looking at the store. */
#ifndef CANDOR_KEEP_STREAM_NET_H
#define CANDOR_KEEP_STREAM_NET_H

#include "rbl/keep/journal.h"
#include "rbl/keep/work.h"
#include "resolver/base/arena.h"

struct net_value {
    const struct value *v; /* arena; NULL: number 0, the exclusion */
    uint32_t hash;
    struct commit_use use; /* filled when it is written */
};
struct net_change {
    union {
        uint8_t addr[16];
        const uint8_t *name; /* reversed labels; arena */
    };
    int64_t until_wall_s;
    uint32_t value, order;
    uint8_t kind, dataset, bits, level; /* level: index of the bucket's */
    uint8_t size;                       /* of a name */
    bool removed, stays;                /* as they came */
    bool was, is, timed;                /* once settled; timed: until_wall_s is known */
};
struct net {
    struct arena arena;
    struct net_value *value;
    uint32_t values, value_cap;
    uint32_t *slot, slots;
    struct net_change *at;
    size_t count, cap;
};
void net_free(struct net *n);
/* E_NOMEM, or E_INVALID: what no entry can be. */
int net_add(struct net *n, const struct change *c) MUST_USE;
/* Sorts them as the records stand, each entry once, those that came and went left out. E_INVALID: what is there comes,
 * or what is not goes. */
int net_settle(struct net *n) MUST_USE;
/* As a change again; `c->removed` when it goes. */
void net_change(const struct net *n, const struct net_change *x, struct change *c);
/* The record that it is in. */
size_t net_record_key(const struct net_change *x, uint8_t key[FEED_KEY_MAX]);

#endif
