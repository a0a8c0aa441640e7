/* The look-ups of a view: one LMDB descent for each level of prefixes, or number of labels, that has entries at all;
 * large IPv4 datasets remember where their buckets are until the next commit. */
#include "rbl/keep/view_impl.h"

static int get_bucket(struct view *v, enum bucket_kind kind, unsigned dataset, const struct level *lv,
                      const uint8_t *addr, struct bytes *bucket) {
    uint8_t key[BUCKET_KEY_MAX];
    size_t size = bucket_key(key, dataset, lv, addr);
    return store_get(v->txn, TABLE_4 + (unsigned)kind, (struct bytes){key, size}, bucket);
}

static int shortest(struct view *v, enum bucket_kind kind, unsigned dataset, const uint8_t *addr,
                    struct bytes *bucket) {
    struct bytes *b = &v->shortest[kind][dataset];
    if (!v->shortest_known[kind][dataset]) {
        int rc = get_bucket(v, kind, dataset, &bucket_levels[kind].at[0], addr, b);
        if (rc < 0 && rc != E_NOTFOUND)
            return rc;
        if (rc == E_NOTFOUND)
            b->size = 0;
        v->shortest_known[kind][dataset] = true;
    }
    *bucket = *b;
    return b->size > 0 ? 0 : E_NOTFOUND;
}

/* What does not fit into a slot is fetched each time. */
static int fill_slot(struct view *v, unsigned dataset, const uint8_t *addr, view_slot *slot, struct bytes *bucket) {
    int rc = get_bucket(v, KIND4, dataset, &bucket_levels[KIND4].at[1], addr, bucket);
    if (rc == E_NOTFOUND)
        *slot = SLOT_NONE;
    else if (rc == 0 && bucket->size <= SLOT_SIZE_MAX && (uintptr_t)bucket->at >> SLOT_SIZE_AT == 0)
        *slot = (view_slot)bucket->size << SLOT_SIZE_AT | (uintptr_t)bucket->at;
    return rc;
}

static int on_bucket(void *ctx, enum bucket_kind kind, unsigned dataset, unsigned level, const uint8_t *addr,
                     struct bytes *bucket) {
    struct view *v = ctx;
    const struct level *lv = &bucket_levels[kind].at[level];
    if (level == 0)
        return shortest(v, kind, dataset, addr, bucket);
    if (kind != KIND4 || v->index[dataset] == NULL)
        return get_bucket(v, kind, dataset, lv, addr, bucket);
    view_slot *slot = &v->index[dataset][get_u16(addr)];
    if (*slot == SLOT_UNKNOWN)
        return fill_slot(v, dataset, addr, slot, bucket);
    if (*slot == SLOT_NONE)
        return E_NOTFOUND;
    *bucket = (struct bytes){(const uint8_t *)(uintptr_t)(*slot & ((UINT64_C(1) << SLOT_SIZE_AT) - 1)),
                             *slot >> SLOT_SIZE_AT};
    return 0;
}

static void add_hits(const struct view *v, unsigned dataset, const struct match *m, unsigned count,
                     struct view_hit *hit, unsigned *hits) {
    for (unsigned i = 0; i < count && *hits < LIMIT_ANSWER_RRS; i++)
        hit[(*hits)++] = (struct view_hit){.value = m[i].value, .ttl = v->ttl[dataset], .dataset = (uint8_t)dataset};
}

static unsigned take_lowest(uint64_t *set) {
    unsigned i = (unsigned)__builtin_ctzll(*set);
    *set &= *set - 1;
    return i;
}

/* The local dataset first: it says what of the others counts. */
static int find_prefix(struct view *v, uint64_t which, enum bucket_kind kind, const uint8_t *addr, struct view_hit *hit,
                       unsigned *hits) {
    const struct look_source s = {.ctx = v, .bucket = on_bucket};
    struct match m[LIMIT_ANSWER_RRS];
    unsigned count;
    int silenced = LOOK_NOT, rc;
    which &= v->prefixes[kind];
    if (which & VIEW_LOCAL) {
        rc = look_local_prefix(&s, &v->look[DATASET_LOCAL], kind, addr, m, ARRAY_SIZE(m), &count, &silenced);
        if (rc < 0)
            return rc;
        add_hits(v, DATASET_LOCAL, m, count, hit, hits);
        which &= ~VIEW_LOCAL;
    }
    while (which != 0) {
        unsigned i = take_lowest(&which);
        rc = look_prefix(&s, &v->look[i], i, kind, addr, m, ARRAY_SIZE(m), &count);
        if (rc < 0)
            return rc;
        if (count == 0)
            continue;
        look_silence_prefix(silenced, m, &count);
        add_hits(v, i, m, count, hit, hits);
    }
    return 0;
}

int look_into_find4(struct view *v, uint64_t which, uint32_t addr, struct view_hit *hit, unsigned *hits) {
    uint8_t four[4];
    put_u32(four, addr);
    *hits = 0;
    return find_prefix(v, which, KIND4, four, hit, hits);
}

int look_into_find6(struct view *v, uint64_t which, const uint8_t addr[16], struct view_hit *hit, unsigned *hits) {
    uint8_t four[4];
    *hits = 0;
    int rc = find_prefix(v, which, KIND6, addr, hit, hits);
    if (rc == 0 && look_embedded4(addr, four))
        rc = find_prefix(v, which, KIND4, four, hit, hits);
    return rc;
}

/* Every acl dataset is a trie; the one with the lowest act speaks for all. */
static int find_acl(struct view *v, enum bucket_kind kind, const uint8_t *addr, struct value *value, bool *found) {
    const struct look_source s = {.ctx = v, .bucket = on_bucket};
    for (uint64_t which = v->acl; which != 0;) {
        unsigned i = take_lowest(&which), count;
        struct match m;
        struct value one;
        int rc = look_prefix(&s, &v->look[i], i, kind, addr, &m, 1, &count);
        if (rc < 0)
            return rc;
        if (count == 0 || m.value == VALUE_EXCLUDED)
            continue;
        rc = view_value(v, m.value, &one);
        if (rc == 0 && one.kind != VALUE_ACL)
            rc = E_CORRUPT;
        if (rc < 0)
            return rc;
        if (one.ttl == 0)
            one.ttl = v->ttl[i];
        if (!*found || one.act < value->act)
            *value = one;
        *found = true;
    }
    return 0;
}

int look_into_find_acl(struct view *v, const struct addr *client, struct value *value) {
    uint8_t four[4];
    bool found = false;
    int rc = 0;
    if (v->acl == 0)
        return 0;
    if (addr_family(client) == AF_INET)
        rc = find_acl(v, KIND4, (const uint8_t *)&client->in.sin_addr, value, &found);
    else if (addr_family(client) == AF_INET6) {
        const uint8_t *six = client->in6.sin6_addr.s6_addr;
        rc = find_acl(v, KIND6, six, value, &found);
        if (rc == 0 && !found && look_mapped4(six, four))
            rc = find_acl(v, KIND4, four, value, &found);
    }
    return rc < 0 ? rc : found;
}

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits) {
    if (memcmp(a, b, bits / 8) != 0)
        return false;
    return bits % 8 == 0 || ((a[bits / 8] ^ b[bits / 8]) & (0xff00 >> bits % 8) & 0xff) == 0;
}

/* A level whose keys are at least as long as the prefix: the first key at or behind it tells. */
static int below_keys(struct view *v, enum bucket_kind kind, unsigned dataset, const struct level *lv,
                      const uint8_t *addr, unsigned bits, bool *below) {
    uint8_t key[BUCKET_KEY_MAX];
    struct store_cursor *c;
    struct bytes k, bucket;
    size_t size = bucket_key(key, dataset, lv, addr);
    int rc = store_cursor_open(v->txn, TABLE_4 + (unsigned)kind, &c);
    if (rc < 0)
        return rc;
    rc = store_cursor_seek(c, (struct bytes){key, size}, &k, &bucket);
    *below = rc == 0 && k.size == size && memcmp(k.at, key, 2) == 0 && same_bits(k.at + 2, addr, bits);
    store_cursor_close(c);
    return rc == E_NOTFOUND ? 0 : rc;
}

static int below_level(struct view *v, enum bucket_kind kind, unsigned dataset, unsigned level, const uint8_t *addr,
                       unsigned bits, bool *below) {
    const struct level *lv = &bucket_levels[kind].at[level];
    struct bytes bucket;
    if (lv->level > 0 && lv->level >= bits)
        return below_keys(v, kind, dataset, lv, addr, bits, below);
    int rc = on_bucket(v, kind, dataset, level, addr, &bucket);
    if (rc == E_NOTFOUND)
        return 0;
    unsigned most = lv->level + lv->width * 8u;
    bits = bits < most ? bits : most;
    if (rc == 0)
        rc = bucket_touches(bucket, lv, bucket_suffix(lv, addr, bits), bits);
    *below = rc > 0;
    return rc < 0 ? rc : 0;
}

/* `addr` has its bits beyond `bits` cleared. */
static int below_prefix(struct view *v, uint64_t which, enum bucket_kind kind, const uint8_t *addr, unsigned bits,
                        bool *below) {
    *below = false;
    for (which &= v->prefixes[kind]; which != 0;) {
        unsigned i = take_lowest(&which);
        for (unsigned l = bucket_levels[kind].count; l-- > 0;) {
            if (!(v->look[i].levels[kind] >> l & 1))
                continue;
            int rc = below_level(v, kind, i, l, addr, bits, below);
            if (rc < 0 || *below)
                return rc;
        }
    }
    return 0;
}

int look_into_below4(struct view *v, uint64_t which, uint32_t addr, unsigned bits, bool *below) {
    uint8_t four[4];
    if (bits > 32)
        return E_RANGE;
    put_u32(four, bits == 0 ? 0 : addr & ~0u << (32 - bits));
    return below_prefix(v, which, KIND4, four, bits, below);
}

int look_into_below6(struct view *v, uint64_t which, const uint8_t addr[16], unsigned bits, bool *below) {
    uint8_t cut[16] = {0};
    if (bits > 128)
        return E_RANGE;
    memcpy(cut, addr, (bits + 7) / 8);
    if (bits % 8 != 0)
        cut[bits / 8] &= (uint8_t)(0xff00 >> bits % 8);
    return below_prefix(v, which, KIND6, cut, bits, below);
}

static size_t name_key(uint8_t key[FEED_KEY_MAX], unsigned dataset, const struct look_name *n, unsigned labels) {
    key[0] = (uint8_t)dataset;
    memcpy(key + 1, n->wire, n->end[labels]);
    return 1u + n->end[labels];
}

/* The whole name was sought before; only shorter ones are fetched. */
static int on_name(void *ctx, unsigned dataset, const struct look_name *n, unsigned labels, struct bytes *record) {
    struct view *v = ctx;
    uint8_t key[FEED_KEY_MAX];
    if (labels == n->labels) {
        *record = v->seek_record;
        return v->seek_equal ? 0 : E_NOTFOUND;
    }
    size_t size = name_key(key, dataset, n, labels);
    return store_get(v->txn, TABLE_NAMES, (struct bytes){key, size}, record);
}

static bool beneath(struct bytes key, const uint8_t *name, size_t size) {
    return key.size > size && memcmp(key.at, name, size) == 0;
}

/* One seek tells whether the name itself has a record and whether there is any name beneath it. */
static int seek_name(struct view *v, unsigned dataset, const struct look_name *n, bool *below) {
    const struct look_dataset *ld = &v->look[dataset];
    uint8_t key[FEED_KEY_MAX];
    struct bytes k;
    unsigned l = n->labels;
    v->seek_equal = false;
    *below = false;
    if (ld->deepest <= l && !((ld->exact[l >> 6] | ld->wildcard[l >> 6]) >> (l & 63) & 1))
        return 0;
    size_t size = name_key(key, dataset, n, l);
    int rc = store_cursor_seek(v->cursor, (struct bytes){key, size}, &k, &v->seek_record);
    if (rc < 0)
        return rc == E_NOTFOUND ? 0 : rc;
    v->seek_equal = k.size == size && memcmp(k.at, key, size) == 0;
    if (!v->seek_equal) {
        *below = beneath(k, key, size);
        return 0;
    }
    struct scan s = scan_of(v->seek_record);
    struct name_item i;
    while ((rc = name_item_next(&s, &i)) > 0)
        *below |= i.wildcard;
    return rc;
}

/* Names beneath one that has a record of its own. */
static int seek_beneath(struct view *v, unsigned dataset, const struct look_name *n, bool *below) {
    uint8_t key[FEED_KEY_MAX];
    struct bytes k, record;
    if (!v->seek_equal || *below || v->look[dataset].deepest <= n->labels)
        return 0;
    size_t size = name_key(key, dataset, n, n->labels);
    int rc = store_cursor_next(v->cursor, &k, &record);
    *below = rc == 0 && beneath(k, key, size);
    return rc == E_NOTFOUND ? 0 : rc;
}

static int find_name(struct view *v, unsigned dataset, const struct look_name *n, int *silenced, struct view_hit *hit,
                     unsigned *hits, bool *below) {
    const struct look_source s = {.ctx = v, .name = on_name};
    const struct look_dataset *ld = &v->look[dataset];
    struct match m[LIMIT_ANSWER_RRS];
    unsigned count = 0, labels = 0, before = *hits;
    bool here = false;
    int rc = seek_name(v, dataset, n, &here);
    if (rc == 0 && dataset == DATASET_LOCAL)
        rc = look_local_name(&s, ld, n, m, ARRAY_SIZE(m), &count, &labels, silenced);
    else if (rc == 0)
        rc = look_name(&s, ld, dataset, n, m, ARRAY_SIZE(m), &count, &labels);
    if (rc < 0)
        return rc;
    if (dataset != DATASET_LOCAL)
        look_silence_name(*silenced, labels, m, &count);
    add_hits(v, dataset, m, count, hit, hits);
    if (*hits == before) {
        rc = seek_beneath(v, dataset, n, &here);
        *below |= here;
        return rc;
    }
    char *text = v->listed[dataset];
    text_name(text, sizeof v->listed[dataset], n->wire, n->end[labels], false);
    for (unsigned i = before; i < *hits; i++)
        hit[i].listed = (struct bytes){(const uint8_t *)text, strlen(text)};
    return 0;
}

int look_into_find_name(struct view *v, uint64_t which, const struct name *relative, struct view_hit *hit,
                        unsigned *hits, bool *below) {
    struct look_name n;
    int silenced = LOOK_NOT;
    *hits = 0;
    *below = false;
    which &= v->names;
    if (which == 0)
        return 0;
    look_name_of(&n, relative);
    int rc = store_cursor_open(v->txn, TABLE_NAMES, &v->cursor);
    if (rc == 0 && which & VIEW_LOCAL)
        rc = find_name(v, DATASET_LOCAL, &n, &silenced, hit, hits, below);
    for (which &= ~VIEW_LOCAL; which != 0 && rc == 0;)
        rc = find_name(v, take_lowest(&which), &n, &silenced, hit, hits, below);
    store_cursor_close(v->cursor);
    return rc;
}
