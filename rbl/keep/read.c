#include "rbl/keep/read.h"

#include <stdlib.h>

#include "rbl/keep/walk_impl.h"

enum { READ_VALUES = 1024 }; /* at hand; a power of two */

struct reader {
    struct keep *k;
    struct store_txn *t;
    struct meta *m;
    uint32_t held[READ_VALUES]; /* whose value stands at id % READ_VALUES */
    struct value value[READ_VALUES];
};

read_addr read_addr_of(const uint8_t *addr, unsigned octets) {
    return octets == 4 ? (read_addr)get_u32(addr) << 96 : (read_addr)get_u64(addr) << 64 | get_u64(addr + 8);
}

void read_addr_put(read_addr a, uint8_t addr[16]) {
    put_u64(addr, (uint64_t)(a >> 64));
    put_u64(addr + 8, (uint64_t)a);
}

static int open_guarded(void *ctx, struct err *err) {
    struct reader *r = ctx;
    int rc = keep_ready(r->k, err);
    if (rc == 0 && r->k->store == NULL)
        rc = err_set(err, E_NOTFOUND, "zone %s: nothing was ever committed", r->k->zone->name);
    if (rc == 0)
        rc = store_read_begin(r->k->store, &r->t, err);
    return rc == 0 ? keep_read_meta(r->t, r->m, err) : rc;
}

int reader_open(struct reader **out, struct keep *reading, struct err *err) {
    struct reader *r = calloc(1, sizeof *r);
    *out = r;
    if (r != NULL) {
        r->k = reading;
        r->m = calloc(1, sizeof *r->m);
    }
    int rc = r == NULL || r->m == NULL ? err_set(err, E_NOMEM, "zone %s: no memory to read", reading->zone->name)
                                       : reader_guarded(r, open_guarded, r, err);
    if (rc < 0) {
        reader_close(r);
        *out = NULL;
    }
    return rc;
}

int reader_of(struct reader **out, struct store_txn *t) {
    struct reader *r = *out = calloc(1, sizeof *r);
    if (r != NULL)
        r->t = t;
    return r != NULL ? 0 : E_NOMEM;
}

void reader_close(struct reader *r) {
    if (r == NULL)
        return;
    if (r->k != NULL)
        store_read_end(r->t);
    free(r->m);
    free(r);
}

const struct meta *reader_meta(const struct reader *r) { return r->m; }

int reader_guarded(struct reader *r, int (*body)(void *ctx, struct err *err), void *ctx, struct err *err) {
    return keep_guarded(r->k, body, ctx, err);
}

int reader_value(struct reader *r, uint32_t id, const struct value **v) {
    uint32_t slot = id % READ_VALUES;
    uint8_t key[4];
    struct bytes record;
    struct uses uses;
    *v = &r->value[slot];
    if (r->held[slot] == id)
        return id != 0 ? 0 : E_CORRUPT;
    put_u32(key, id);
    r->held[slot] = 0;
    int rc = store_get(r->t, TABLE_VALUES, (struct bytes){key, sizeof key}, &record);
    if (rc == 0)
        rc = meta_read_value(record, &uses, &r->value[slot]);
    if (rc < 0)
        return rc == E_NOTFOUND ? E_CORRUPT : rc;
    r->held[slot] = id;
    return 0;
}

/* --- prefixes --- */

int read_prefixes_open(struct read_prefixes *p, struct reader *r, enum bucket_kind kind, unsigned dataset,
                       unsigned level) {
    *p = (struct read_prefixes){
        .r = r, .lv = &bucket_levels[kind].at[level], .kind = kind, .dataset = (uint8_t)dataset, .end = true};
    return store_cursor_open(r->t, TABLE_4 + (unsigned)kind, &p->cursor);
}

void read_prefixes_close(struct read_prefixes *p) {
    store_cursor_close(p->cursor);
    items_free(&p->items);
    p->cursor = NULL;
}

static int compare(const void *va, const void *vb) {
    const struct item *a = va, *b = vb;
    if (a->suffix != b->suffix)
        return a->suffix < b->suffix ? -1 : 1;
    if (a->bits != b->bits)
        return a->bits - b->bits;
    return a->value < b->value ? -1 : a->value > b->value;
}

static void sort(struct items *list) {
    for (size_t i = 1; i < list->count; i++)
        if (compare(&list->at[i - 1], &list->at[i]) > 0) {
            qsort(list->at, list->count, sizeof *list->at, compare);
            return;
        }
}

/* Left shift of a suffix in an address. */
static unsigned shift_of(const struct level *lv) { return (128u - lv->level - 8u * lv->width) & 127; }

/* The bucket under the cursor, if it is of this dataset and level and behind the last one. */
static int take_bucket(struct read_prefixes *p, struct bytes key, struct bytes bucket, bool first) {
    unsigned octets = p->lv->level / 8u;
    uint8_t addr[16] = {0};
    p->items.count = p->at = 0;
    p->end = key.size < 2 || key.at[0] != p->dataset || key.at[1] != p->lv->level;
    if (p->end)
        return 0;
    if (key.size != 2u + octets)
        return E_CORRUPT;
    memcpy(addr, key.at + 2, octets);
    read_addr base = read_addr_of(addr, 16);
    if (!first && base <= p->base)
        return E_CORRUPT; /* damaged pages could lead round in a circle */
    p->base = base;
    int rc = bucket_decode(bucket, p->lv, &p->items);
    if (rc == 0)
        sort(&p->items);
    return rc;
}

static int set_now(struct read_prefixes *p) {
    while (!p->end && p->at == p->items.count) {
        struct bytes key, bucket;
        int rc = store_cursor_next(p->cursor, &key, &bucket);
        if (rc == E_NOTFOUND)
            p->end = true;
        else if (rc == 0)
            rc = take_bucket(p, key, bucket, false);
        if (rc < 0 && rc != E_NOTFOUND)
            return rc;
    }
    p->held = !p->end;
    if (p->end)
        return 0;
    const struct item *i = &p->items.at[p->at];
    p->now = (struct read_item){p->base | (read_addr)i->suffix << shift_of(p->lv), i->value, i->bits};
    return 0;
}

/* The first item of suffix/bits or behind it. */
static size_t lower(const struct read_prefixes *p, uint64_t suffix, unsigned bits) {
    size_t low = 0, high = p->items.count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const struct item *i = &p->items.at[mid];
        if (i->suffix < suffix || (i->suffix == suffix && i->bits < bits))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static uint64_t suffix_of(const struct read_prefixes *p, read_addr a) {
    return (uint64_t)((a & ~read_mask(p->lv->level)) >> shift_of(p->lv));
}

int read_prefixes_seek(struct read_prefixes *p, read_addr from) {
    uint8_t addr[16], key[BUCKET_KEY_MAX];
    struct bytes found, bucket;
    read_addr base = from & read_mask(p->lv->level);
    read_addr_put(from, addr);
    if (p->end || p->base != base || p->items.count == 0) {
        size_t size = bucket_key(key, p->dataset, p->lv, addr);
        int rc = store_cursor_seek(p->cursor, (struct bytes){key, size}, &found, &bucket);
        if (rc == E_NOTFOUND) {
            p->end = true;
            p->items.count = 0;
        } else if (rc == 0) {
            rc = take_bucket(p, found, bucket, true);
        }
        if (rc < 0 && rc != E_NOTFOUND)
            return rc;
    }
    p->at = 0;
    if (!p->end && p->base == base) {
        bool within = (from & ~read_mask(p->lv->level + 8u * p->lv->width)) != 0; /* what begins alike began before */
        p->at = lower(p, suffix_of(p, from) + within, 0);
    }
    return set_now(p);
}

int read_prefixes_next(struct read_prefixes *p) {
    p->at++;
    return set_now(p);
}

/* What holds `from` stands in its own bucket, which the cursor may have left behind. */
int read_prefixes_around(struct read_prefixes *p, read_addr from, int (*each)(void *ctx, const struct read_item *i),
                         void *ctx) {
    struct read_prefixes own = *p;
    uint8_t addr[16], key[BUCKET_KEY_MAX];
    struct bytes bucket;
    read_addr_put(from, addr);
    bool here = !p->end && p->base == (from & read_mask(p->lv->level)) && p->items.count > 0;
    int rc = 0;
    if (!here) {
        own.items = (struct items){0};
        size_t size = bucket_key(key, p->dataset, p->lv, addr);
        rc = store_get(p->r->t, TABLE_4 + (unsigned)p->kind, (struct bytes){key, size}, &bucket);
        if (rc == 0)
            rc = bucket_decode(bucket, p->lv, &own.items);
        sort(&own.items);
        own.base = from & read_mask(p->lv->level);
    }
    for (unsigned bits = p->lv->low; bits <= p->lv->high && rc == 0; bits++) {
        read_addr at = from & read_mask(bits);
        if (at == from)
            continue;
        for (size_t i = lower(&own, suffix_of(p, at), bits);
             i < own.items.count && rc == 0 && own.items.at[i].suffix == suffix_of(p, at) &&
             own.items.at[i].bits == bits;
             i++)
            rc = each(ctx, &(struct read_item){at, own.items.at[i].value, (uint8_t)bits});
    }
    if (!here)
        items_free(&own.items);
    return rc == E_NOTFOUND ? 0 : rc;
}

/* --- names --- */

int read_names_open(struct read_names *n, struct reader *r, unsigned dataset) {
    n->r = r;
    n->dataset = (uint8_t)dataset;
    n->end = true;
    n->held = false;
    n->last_size = 0;
    return store_cursor_open(r->t, TABLE_NAMES, &n->cursor);
}

void read_names_close(struct read_names *n) {
    store_cursor_close(n->cursor);
    n->cursor = NULL;
}

static int take_name(struct read_names *n, int rc, struct bytes key, struct bytes record) {
    unsigned labels;
    n->end = rc == E_NOTFOUND || (rc == 0 && (key.size == 0 || key.at[0] != n->dataset));
    n->held = !n->end;
    if (n->end)
        return 0;
    if (rc < 0)
        return rc;
    n->name = (struct bytes){key.at + 1, key.size - 1};
    n->record = record;
    if (n->name.size >= LIMIT_NAME_WIRE || meta_labels(n->name.at, n->name.size, &labels) < 0)
        return E_CORRUPT;
    memcpy(n->last, key.at, key.size);
    n->last_size = key.size;
    return 0;
}

int read_names_seek(struct read_names *n, struct bytes from) {
    uint8_t key[STORE_KEY_MAX];
    struct bytes found = {NULL, 0}, record = {NULL, 0};
    if (from.size >= LIMIT_NAME_WIRE)
        return E_RANGE;
    key[0] = n->dataset;
    if (from.size > 0)
        memcpy(key + 1, from.at, from.size);
    int rc = store_cursor_seek(n->cursor, (struct bytes){key, 1 + from.size}, &found, &record);
    return take_name(n, rc, found, record);
}

int read_names_next(struct read_names *n) {
    struct bytes key = {NULL, 0}, record = {NULL, 0};
    int rc = store_cursor_next(n->cursor, &key, &record);
    if (rc == 0) {
        size_t size = key.size < n->last_size ? key.size : n->last_size;
        int c = memcmp(n->last, key.at, size);
        if (c > 0 || (c == 0 && key.size <= n->last_size))
            return E_CORRUPT;
    }
    return take_name(n, rc, key, record);
}
