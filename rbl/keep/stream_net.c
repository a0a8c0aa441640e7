#include "rbl/keep/stream_net.h"

enum { NET_FIRST = 64 };

void net_free(struct net *n) {
    arena_free(&n->arena);
    free(n->value);
    free(n->slot);
    free(n->at);
    memset(n, 0, sizeof *n);
}

static int grow_values(struct net *n) {
    if (n->values == n->value_cap) {
        uint32_t cap = n->value_cap == 0 ? NET_FIRST : n->value_cap * 2;
        struct net_value *p = realloc(n->value, cap * sizeof *p);
        if (p == NULL)
            return E_NOMEM;
        n->value = p;
        n->value_cap = cap;
        if (n->values == 0)
            n->value[n->values++] = (struct net_value){.v = NULL};
    }
    if (n->slots / 2 > n->values)
        return 0;
    uint32_t slots = n->slots == 0 ? 2 * NET_FIRST : n->slots * 2;
    uint32_t *fresh = calloc(slots, sizeof *fresh);
    if (fresh == NULL)
        return E_NOMEM;
    free(n->slot);
    n->slot = fresh;
    n->slots = slots;
    for (uint32_t i = 1; i < n->values; i++) {
        uint32_t at = n->value[i].hash & (slots - 1);
        while (fresh[at] != 0)
            at = (at + 1) & (slots - 1);
        fresh[at] = i;
    }
    return 0;
}

static int value_number(struct net *n, const struct value *v, uint32_t *number) {
    uint32_t hash = (uint32_t)value_hash(v), at;
    int rc = grow_values(n);
    if (rc < 0)
        return rc;
    for (at = hash & (n->slots - 1); n->slot[at] != 0; at = (at + 1) & (n->slots - 1)) {
        *number = n->slot[at];
        if (n->value[*number].hash == hash && value_same(n->value[*number].v, v))
            return 0;
    }
    struct value *mine = arena_alloc(&n->arena, offsetof(struct value, txt) + v->txt_size + 1u);
    if (mine == NULL)
        return E_NOMEM;
    value_copy(mine, v);
    *number = n->slot[at] = n->values++;
    n->value[*number] = (struct net_value){.v = mine, .hash = hash};
    return 0;
}

static bool host_bits(const struct change *c) {
    unsigned size = c->kind == FEED_4 ? 4 : 16;
    for (unsigned bit = c->bits; bit < size * 8; bit = bit / 8 * 8 + 8)
        if ((c->addr[bit / 8] & (0xff >> bit % 8)) != 0)
            return true;
    return false;
}

static int fill(struct net *n, const struct change *c, struct net_change *x) {
    *x = (struct net_change){.until_wall_s = c->until_wall_s,
                             .order = (uint32_t)n->count,
                             .kind = (uint8_t)c->kind,
                             .dataset = c->dataset,
                             .bits = c->bits,
                             .removed = c->removed,
                             .stays = c->stays};
    if (!c->excluded) {
        int rc = value_number(n, &c->value, &x->value);
        if (rc < 0)
            return rc;
    }
    if (c->kind != FEED_NAMES) {
        if (host_bits(c))
            return E_INVALID;
        memcpy(x->addr, c->addr, sizeof x->addr);
        while (c->bits > bucket_levels[c->kind].at[x->level].high)
            x->level++;
        return 0;
    }
    uint8_t *name = arena_alloc(&n->arena, c->name.size + 1);
    if (name == NULL)
        return E_NOMEM;
    memcpy(name, c->name.at, c->name.size);
    x->name = name;
    x->size = (uint8_t)c->name.size;
    return 0;
}

int net_add(struct net *n, const struct change *c) {
    if (n->count == n->cap) {
        size_t cap = n->cap == 0 ? NET_FIRST : n->cap * 2;
        struct net_change *p = cap <= UINT32_MAX ? realloc(n->at, cap * sizeof *p) : NULL;
        if (p == NULL)
            return E_NOMEM;
        n->at = p;
        n->cap = cap;
    }
    int rc = fill(n, c, &n->at[n->count]);
    n->count += rc == 0;
    return rc;
}

/* Where it stands: table, dataset, level, address or name, bits. */
static int compare_place(const struct net_change *x, const struct net_change *y) {
    if (x->kind != y->kind || x->dataset != y->dataset || x->level != y->level)
        return x->kind != y->kind         ? (int)x->kind - y->kind
               : x->dataset != y->dataset ? (int)x->dataset - y->dataset
                                          : (int)x->level - y->level;
    int c;
    if (x->kind == FEED_NAMES) {
        c = memcmp(x->name, y->name, x->size < y->size ? x->size : y->size);
        c = c != 0 ? c : (int)x->size - y->size;
    } else {
        c = memcmp(x->addr, y->addr, sizeof x->addr);
    }
    return c != 0 ? c : (int)x->bits - y->bits;
}

static int compare_entry(const struct net_change *x, const struct net_change *y) {
    int c = compare_place(x, y);
    return c != 0 ? c : x->value != y->value ? (x->value < y->value ? -1 : 1) : 0;
}

static int compare(const void *a, const void *b) {
    const struct net_change *x = a, *y = b;
    int c = compare_entry(x, y);
    return c != 0 ? c : x->order < y->order ? -1 : x->order > y->order;
}

/* The changes of one entry in their order. */
static int settle(const struct net_change *at, size_t count, struct net_change *sum) {
    bool now = at[0].removed || at[0].stays;
    *sum = at[0];
    sum->was = now;
    sum->timed = false;
    for (size_t i = 0; i < count; i++) {
        bool expected = at[i].removed || at[i].stays;
        if (expected != now)
            return E_INVALID;
        now = !at[i].removed;
        sum->until_wall_s = at[i].until_wall_s;
        sum->timed = now;
    }
    sum->is = now;
    return 0;
}

int net_settle(struct net *n) {
    size_t count = 0;
    if (n->count > 1)
        qsort(n->at, n->count, sizeof *n->at, compare);
    for (size_t from = 0, to; from < n->count; from = to) {
        struct net_change sum;
        for (to = from + 1; to < n->count && compare_entry(&n->at[from], &n->at[to]) == 0;)
            to++;
        int rc = settle(&n->at[from], to - from, &sum);
        if (rc < 0)
            return rc;
        if (sum.was != sum.is || (sum.is && sum.dataset == DATASET_LOCAL))
            n->at[count++] = sum;
    }
    n->count = count;
    return 0;
}

void net_change(const struct net *n, const struct net_change *x, struct change *c) {
    memset(c, 0, offsetof(struct change, value));
    c->removed = !x->is;
    c->stays = x->was && x->is;
    c->kind = (enum feed_kind)x->kind;
    c->dataset = x->dataset;
    c->bits = x->bits;
    c->until_wall_s = x->until_wall_s;
    c->excluded = x->value == 0;
    if (!c->excluded)
        value_copy(&c->value, n->value[x->value].v);
    if (x->kind == FEED_NAMES)
        c->name = (struct bytes){x->name, x->size};
    else
        memcpy(c->addr, x->addr, sizeof c->addr);
}

size_t net_record_key(const struct net_change *x, uint8_t key[FEED_KEY_MAX]) {
    if (x->kind != FEED_NAMES)
        return bucket_key(key, x->dataset, &bucket_levels[x->kind].at[x->level], x->addr);
    key[0] = x->dataset;
    memcpy(key + 1, x->name, x->size);
    return 1u + x->size;
}
