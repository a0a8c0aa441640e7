#include "rbl/keep/group.h"

int items_grow(struct items *list) {
    size_t cap = list->cap == 0 ? 256 : list->cap * 2;
    struct item *at = realloc(list->at, cap * sizeof *at);
    if (at == NULL)
        return E_NOMEM;
    list->at = at;
    list->cap = cap;
    return 0;
}

void items_free(struct items *list) {
    free(list->at);
    memset(list, 0, sizeof *list);
}

int item_compare(const struct item *a, const struct item *b) {
    if (a->bits != b->bits)
        return a->bits > b->bits ? -1 : 1;
    if (a->suffix != b->suffix)
        return a->suffix < b->suffix ? -1 : 1;
    return a->value != b->value ? (a->value < b->value ? -1 : 1) : 0;
}

static int compare(const void *a, const void *b) { return item_compare(a, b); }

void items_sort(struct items *list) {
    for (size_t i = 1; i < list->count; i++)
        if (item_compare(&list->at[i - 1], &list->at[i]) > 0) {
            qsort(list->at, list->count, sizeof *list->at, compare);
            return;
        }
}

static void put_head(struct buf *to, unsigned bits, size_t count, enum group_form form) {
    buf_u8(to, bits);
    buf_varint(to, (uint64_t)(count - 1) << 2 | form);
}

static void put_suffix(uint8_t *to, unsigned width, uint64_t suffix) {
    if (width == 2)
        put_u16(to, (uint16_t)suffix);
    else
        put_u64(to, suffix);
}

/* The items of one length that have `value`, which are `count`. */
static void put_single(struct buf *to, unsigned width, const struct item *at, size_t n, uint32_t value, size_t count) {
    bool bitmap = width == 2 && count > GROUP_ARRAY_MAX;
    put_head(to, at->bits, count, bitmap ? GROUP_BITMAP : GROUP_ARRAY);
    buf_varint(to, value);
    uint8_t *out = buf_take(to, bitmap ? GROUP_BITMAP_BYTES : count * width);
    if (out == NULL)
        return;
    if (bitmap)
        memset(out, 0, GROUP_BITMAP_BYTES);
    for (size_t i = 0; i < n; i++) {
        if (at[i].value != value)
            continue;
        if (bitmap) {
            out[at[i].suffix >> 3] |= (uint8_t)(1u << (at[i].suffix & 7));
        } else {
            put_suffix(out, width, at[i].suffix);
            out += width;
        }
    }
}

static void put_mixed(struct buf *to, unsigned width, const struct item *at, size_t n) {
    uint32_t largest = 0;
    for (size_t i = 0; i < n; i++)
        largest = at[i].value > largest ? at[i].value : largest;
    unsigned bytes = largest > 0xffffff ? 4 : largest > 0xffff ? 3 : largest > 0xff ? 2 : 1;
    put_head(to, at->bits, n, GROUP_MIXED);
    buf_u8(to, bytes);
    uint8_t *out = buf_take(to, n * (width + bytes));
    if (out == NULL)
        return;
    for (size_t i = 0; i < n; i++)
        put_suffix(out + i * width, width, at[i].suffix);
    out += n * width;
    for (size_t i = 0; i < n; i++)
        for (unsigned b = bytes; b-- > 0;)
            *out++ = (uint8_t)(at[i].value >> 8 * b);
}

struct value_count {
    uint32_t value;
    size_t count;
};

/* The distinct values of items[0..n) and how often they come, ascending; GROUP_VALUES + 1: too many. */
static unsigned count_values(const struct item *at, size_t n, struct value_count v[GROUP_VALUES]) {
    unsigned distinct = 0;
    for (size_t i = 0, last = 0; i < n; i++) {
        size_t k = last < distinct && v[last].value == at[i].value ? last : 0;
        while (k < distinct && v[k].value < at[i].value)
            k++;
        if (k == distinct || v[k].value != at[i].value) {
            if (distinct == GROUP_VALUES)
                return GROUP_VALUES + 1;
            memmove(v + k + 1, v + k, (distinct - k) * sizeof *v);
            v[k] = (struct value_count){at[i].value, 0};
            distinct++;
        }
        v[k].count++;
        last = k;
    }
    return distinct;
}

static int check_items(const struct level *lv, const struct items *list) {
    for (size_t i = 0; i < list->count; i++) {
        const struct item *at = &list->at[i];
        if (at->bits < lv->low || at->bits > lv->high || (at->suffix & ~bucket_mask(lv, at->bits)) != 0 ||
            (lv->width == 2 && at->suffix > 0xffff))
            return E_INVALID;
        if (i > 0 && item_compare(at - 1, at) == 0)
            return E_INVALID;
    }
    return list->count > UINT32_MAX / 16 ? E_FULL : 0;
}

/* The common bucket in one pass: one length, one value, suffixes that rise, few enough for an array. False: it is not
 * such a one, and nothing was written. */
static bool encode_plain(struct buf *to, const struct level *lv, const struct items *list) {
    const struct item *at = list->at;
    size_t n = list->count, before = to->size;
    if (n == 0 || n > GROUP_ARRAY_MAX || lv->width != 2 || at->bits < lv->low || at->bits > lv->high)
        return false;
    uint64_t foreign = ~(bucket_mask(lv, at->bits) & 0xffff), bad = at->suffix & foreign;
    put_head(to, at->bits, n, GROUP_ARRAY);
    buf_varint(to, at->value);
    uint8_t *out = buf_take(to, n * 2);
    if (out == NULL)
        return false;
    put_u16(out, (uint16_t)at->suffix);
    for (size_t i = 1; i < n; i++) {
        bad |= (at[i].suffix & foreign) | (at[i].suffix <= at[i - 1].suffix) | (uint64_t)(at[i].bits ^ at->bits) |
               (at[i].value ^ at->value);
        put_u16(out + 2 * i, (uint16_t)at[i].suffix);
    }
    if (bad != 0)
        to->size = before;
    return bad == 0;
}

int bucket_encode(struct buf *to, const struct level *lv, struct items *list) {
    if (encode_plain(to, lv, list))
        return 0;
    items_sort(list);
    int rc = check_items(lv, list);
    if (rc < 0)
        return rc;
    for (size_t i = 0, end; i < list->count; i = end) {
        const struct item *at = &list->at[i];
        for (end = i + 1; end < list->count && list->at[end].bits == at->bits;)
            end++;
        struct value_count v[GROUP_VALUES];
        unsigned distinct = count_values(at, end - i, v);
        if (distinct > GROUP_VALUES)
            put_mixed(to, lv->width, at, end - i);
        for (unsigned k = 0; distinct <= GROUP_VALUES && k < distinct; k++)
            put_single(to, lv->width, at, end - i, v[k].value, v[k].count);
    }
    return to->failed ? E_NOMEM : 0;
}

static int unpack(const struct group *g, const struct level *lv, struct items *list) {
    struct item one = {.bits = g->bits};
    uint32_t seen = 0;
    for (uint32_t x = 0; g->form == GROUP_BITMAP && x < 1 << 16; x++) {
        if (!(g->suffixes[x >> 3] >> (x & 7) & 1))
            continue;
        one.suffix = x;
        one.value = g->value;
        if ((one.suffix & ~bucket_mask(lv, g->bits)) != 0 || ++seen > g->count)
            return E_CORRUPT;
        int rc = items_add(list, &one);
        if (rc < 0)
            return rc;
    }
    if (g->form == GROUP_BITMAP)
        return seen == g->count && seen > GROUP_ARRAY_MAX ? 0 : E_CORRUPT;
    for (uint32_t i = 0; i < g->count; i++) {
        struct item before = one;
        one.suffix = group_suffix(g, lv->width, i);
        one.value = group_value(g, i);
        if ((one.suffix & ~bucket_mask(lv, g->bits)) != 0 || (i > 0 && item_compare(&before, &one) >= 0))
            return E_CORRUPT;
        int rc = items_add(list, &one);
        if (rc < 0)
            return rc;
    }
    return lv->width == 2 && g->form == GROUP_ARRAY && g->count > GROUP_ARRAY_MAX ? E_CORRUPT : 0;
}

/* Groups: longest first; of one length either one mixed group or up to GROUP_VALUES with ascending values. */
int bucket_decode(struct bytes bucket, const struct level *lv, struct items *list) {
    struct scan s = scan_of(bucket);
    struct group g, before = {.bits = 0};
    bool first = true;
    int rc;
    if (bucket.size == 0)
        return E_CORRUPT;
    while ((rc = group_next(&s, lv, &g)) > 0) {
        if (!first &&
            (g.bits > before.bits || (g.bits == before.bits && (g.form == GROUP_MIXED || before.form == GROUP_MIXED ||
                                                                g.value <= before.value))))
            return E_CORRUPT;
        rc = unpack(&g, lv, list);
        if (rc < 0)
            return rc;
        before = g;
        first = false;
    }
    return rc;
}
