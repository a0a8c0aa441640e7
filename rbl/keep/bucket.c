#include "rbl/keep/bucket.h"

#include "rbl/keep/group.h"
#include "rbl/model/data.h"

const struct levels bucket_levels[2] = {
    [KIND4] = {2, {{0, 0, 16, 2}, {16, 17, 32, 2}}},
    [KIND6] = {5, {{0, 0, 16, 2}, {16, 17, 32, 2}, {32, 33, 48, 2}, {48, 49, 64, 2}, {64, 65, 128, 8}}},
};

size_t bucket_key(uint8_t key[BUCKET_KEY_MAX], unsigned dataset, const struct level *lv, const uint8_t *addr) {
    key[0] = (uint8_t)dataset;
    key[1] = lv->level;
    memcpy(key + 2, addr, lv->level / 8u);
    return 2 + lv->level / 8u;
}

uint64_t bucket_suffix(const struct level *lv, const uint8_t *addr, unsigned bits) {
    addr += lv->level / 8u;
    return (lv->width == 2 ? get_u16(addr) : get_u64(addr)) & bucket_mask(lv, bits);
}

int group_next(struct scan *s, const struct level *lv, struct group *g) {
    if (s->left == 0)
        return 0;
    g->bits = scan_u8(s);
    uint64_t head = scan_varint(s);
    g->form = head & 3;
    uint64_t count = (head >> 2) + 1;
    if (s->failed || g->bits < lv->low || g->bits > lv->high || count > s->left * 8)
        return E_CORRUPT;
    g->count = (uint32_t)count;
    g->value_width = 0;
    g->values = NULL;
    switch (g->form) {
    case GROUP_ARRAY:
        g->value = scan_varint32(s);
        g->suffixes = scan_take(s, count * lv->width);
        break;
    case GROUP_BITMAP:
        g->value = scan_varint32(s);
        g->suffixes = lv->width == 2 ? scan_take(s, GROUP_BITMAP_BYTES) : NULL;
        break;
    case GROUP_MIXED:
        g->value_width = scan_u8(s);
        g->suffixes = g->value_width >= 1 && g->value_width <= 4 ? scan_take(s, count * lv->width) : NULL;
        g->values = g->suffixes != NULL ? scan_take(s, count * g->value_width) : NULL;
        break;
    default:
        return E_CORRUPT;
    }
    return s->failed || g->suffixes == NULL ? E_CORRUPT : 1;
}

uint32_t group_value(const struct group *g, uint32_t i) {
    uint32_t v = 0;
    for (unsigned b = 0; b < g->value_width; b++)
        v = v << 8 | g->values[(size_t)i * g->value_width + b];
    return g->value_width == 0 ? g->value : v;
}

/* First index whose suffix is not below x. */
static inline uint32_t lower2(const uint8_t *a, uint32_t n, uint16_t x) {
    uint32_t low = 0;
    while (n > 0) {
        uint32_t half = n / 2;
        bool right = get_u16(a + 2 * (size_t)(low + half)) < x;
        low = right ? low + half + 1 : low;
        n = right ? n - half - 1 : half;
    }
    return low;
}

static inline uint32_t lower8(const uint8_t *a, uint32_t n, uint64_t x) {
    uint32_t low = 0;
    while (n > 0) {
        uint32_t half = n / 2;
        bool right = get_u64(a + 8 * (size_t)(low + half)) < x;
        low = right ? low + half + 1 : low;
        n = right ? n - half - 1 : half;
    }
    return low;
}

static inline uint32_t lower(const struct group *g, unsigned width, uint64_t x) {
    return width == 2 ? lower2(g->suffixes, g->count, (uint16_t)x) : lower8(g->suffixes, g->count, x);
}

uint64_t group_suffix(const struct group *g, unsigned width, uint32_t i) {
    return width == 2 ? get_u16(g->suffixes + 2 * (size_t)i) : get_u64(g->suffixes + 8 * (size_t)i);
}

static bool bitmap_has(const uint8_t *map, uint64_t x) { return map[x >> 3] >> (x & 7) & 1; }

/* Matches of one search, from `first` on; an exclusion is put first and displaces another when there is no room. */
struct found {
    struct match *m;
    unsigned first, count, cap;
};

static void found_add(struct found *f, uint32_t value, unsigned bits) {
    struct match one = {value, (uint8_t)bits};
    if (f->count < f->cap)
        f->m[f->count++] = one;
    else if (value != VALUE_EXCLUDED || f->count == f->first)
        return;
    if (value == VALUE_EXCLUDED) {
        f->m[f->count - 1] = f->m[f->first];
        f->m[f->first] = one;
    }
}

/* Whether there was any. */
static bool find_in(const struct group *g, const struct level *lv, uint64_t x, struct found *f) {
    if (g->form == GROUP_BITMAP) {
        bool has = bitmap_has(g->suffixes, x);
        if (has)
            found_add(f, g->value, g->bits);
        return has;
    }
    uint32_t first = lower(g, lv->width, x), i = first;
    for (; i < g->count && i - first < f->cap && group_suffix(g, lv->width, i) == x; i++)
        found_add(f, group_value(g, i), g->bits);
    return i > first;
}

/* Groups stand longest first: behind a hit, only its own length (or class) matters. In a group the exclusion, being the
 * smallest value, stands first. */
int bucket_find(struct bytes bucket, const struct level *lv, uint64_t suffix, enum bucket_find how, struct match *m,
                unsigned cap, unsigned *count) {
    struct scan s = scan_of(bucket);
    struct found f = {.m = m, .first = *count, .count = *count, .cap = cap};
    struct group g;
    unsigned bits = 0;
    bool any = false;
    int rc;
    while ((rc = group_next(&s, lv, &g)) > 0) {
        if (any && g.bits != bits && (how == FIND_LONGEST || entry_class4(g.bits) != entry_class4(bits)))
            break;
        if (find_in(&g, lv, suffix & bucket_mask(lv, g.bits), &f)) {
            any = true;
            bits = g.bits;
        }
    }
    *count = f.count;
    return rc < 0 ? rc : 0;
}

int bucket_find_local(struct bytes bucket, const struct level *lv, uint64_t suffix, struct local_find *f) {
    struct scan s = scan_of(bucket);
    struct group g;
    int rc;
    while ((rc = group_next(&s, lv, &g)) > 0) {
        if (f->silenced > g.bits)
            return 0;
        struct match m[LIMIT_ANSWER_RRS];
        struct found found = {.m = m, .cap = LIMIT_ANSWER_RRS};
        find_in(&g, lv, suffix & bucket_mask(lv, g.bits), &found);
        for (unsigned i = 0; i < found.count; i++) {
            if (m[i].value == VALUE_EXCLUDED) {
                f->silenced = g.bits;
            } else if ((f->bits < 0 || f->bits == g.bits) && f->count < f->cap) {
                f->bits = g.bits;
                f->m[f->count++] = m[i];
            }
        }
    }
    return rc < 0 ? rc : 0;
}

int bucket_at(struct bytes bucket, const struct level *lv, uint64_t suffix, unsigned bits, struct match *m,
              unsigned cap, unsigned *count) {
    struct scan s = scan_of(bucket);
    struct found found = {.m = m, .cap = cap};
    struct group g;
    int rc;
    while ((rc = group_next(&s, lv, &g)) > 0 && g.bits >= bits)
        if (g.bits == bits)
            find_in(&g, lv, suffix, &found);
    *count = found.count;
    return rc < 0 ? rc : 0;
}

static bool bitmap_any(const uint8_t *map, uint64_t from, uint64_t to) {
    for (uint64_t x = from; x <= to; x++)
        if (bitmap_has(map, x))
            return true;
    return false;
}

int bucket_touches(struct bytes bucket, const struct level *lv, uint64_t suffix, unsigned bits) {
    struct scan s = scan_of(bucket);
    struct group g;
    int rc;
    while ((rc = group_next(&s, lv, &g)) > 0) {
        uint64_t mask = bucket_mask(lv, g.bits < bits ? g.bits : bits);
        uint64_t first = suffix & mask;
        if (g.form == GROUP_BITMAP) {
            if (bitmap_any(g.suffixes, first, first | (~mask & 0xffff)))
                return 1;
            continue;
        }
        uint32_t i = lower(&g, lv->width, first);
        if (i < g.count && (group_suffix(&g, lv->width, i) & mask) == first)
            return 1;
    }
    return rc;
}
