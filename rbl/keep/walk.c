/* A kept zone read from beside, and all of its entries one after the other. */
#include "rbl/keep/walk.h"

#include "rbl/keep/until.h"
#include "rbl/keep/walk_impl.h"

enum {
    READING_RACES = 8, /* generations that may vanish between reading `current` and opening them */
    WALK_VALUES = 256, /* values at hand; a power of two */
};

/* What `current` names now becomes what is read; `meta` as it is now. */
static int follow(struct keep *k, struct err *err) {
    char generation[32];
    int rc = keep_current_read(k->dir, generation, err);
    if (k->reopen) {
        keep_set_store(k, NULL, k->generation);
        k->reopen = false;
    }
    if (rc < 0 || (k->store != NULL && strcmp(generation, k->generation) == 0))
        return rc;
    struct store *s;
    rc = keep_open_generation(&s, k->dir, generation, GENERATION_CHECK, 0, err);
    if (rc < 0)
        return rc;
    keep_set_store(k, s, generation);
    return 0;
}

static int ready_guarded(struct keep *k, struct err *err) {
    int rc = E_NOTFOUND;
    for (unsigned i = 0; i < READING_RACES && rc == E_NOTFOUND; i++)
        rc = follow(k, err);
    if (rc < 0)
        return rc;
    struct store_txn *t;
    rc = store_read_begin(k->store, &t, err);
    if (rc == 0) {
        rc = keep_read_meta(t, k->meta, err);
        store_read_end(t);
    }
    return rc;
}

int reading_ready(struct keep *k, struct err *err) {
    if (k->fixed)
        return k->reopen ? err_set(err, E_CORRUPT, "%s/%s: is damaged", k->dir, k->generation) : 0;
    KEEP_GUARDED(k, err, ready_guarded(k, err));
}

int keep_open_reading(struct keep **out, const char *state, const struct conf_zone *zone, struct err *err) {
    *out = NULL;
    struct keep *k = calloc(1, sizeof *k);
    if (k == NULL)
        return err_set(err, E_NOMEM, "zone %s: no memory", zone->name);
    k->zone = zone;
    k->lock = -1;
    k->reading = true;
    (void)pthread_mutex_init(&k->share, NULL); /* of the default kind: cannot fail */
    k->meta = calloc(1, sizeof *k->meta);
    int rc = k->meta == NULL ? err_set(err, E_NOMEM, "no memory for meta") : keep_dir(k->dir, state, zone->name, err);
    if (rc == 0)
        rc = reading_ready(k, err);
    if (rc < 0) {
        keep_close(k);
        (void)err_prefix(err, "zone %s", zone->name);
        return rc;
    }
    *out = k;
    return 0;
}

int name_of_reversed(struct name *n, const uint8_t *reversed, size_t size) {
    unsigned labels;
    if (size + 1 > sizeof n->wire || meta_labels(reversed, size, &labels) < 0)
        return E_CORRUPT;
    n->labels = (uint8_t)labels;
    n->size = (uint8_t)(size + 1);
    n->wire[size] = 0;
    for (size_t at = 0; at < size; at += reversed[at] + 1u)
        memcpy(n->wire + size - at - reversed[at] - 1u, reversed + at, reversed[at] + 1u);
    return 0;
}

struct walk {
    struct store_txn *t;
    unsigned datasets;
    struct items items;
    struct keep_entry e;
    struct bytes place; /* of e: its address or reversed labels */
    int (*each)(void *ctx, const struct keep_entry *e);
    void *ctx;
    bool stopped; /* by `each` */
    uint8_t last[STORE_KEY_MAX];
    size_t last_size;
    uint32_t held[WALK_VALUES]; /* whose value stands at id % WALK_VALUES */
    struct value value[WALK_VALUES];
};

static int find_value(struct walk *w, uint32_t id, const struct value **v) {
    uint32_t slot = id % WALK_VALUES;
    uint8_t key[4];
    struct bytes record;
    struct uses uses;
    *v = &w->value[slot];
    if (w->held[slot] == id)
        return 0;
    put_u32(key, id);
    w->held[slot] = 0;
    int rc = store_get(w->t, TABLE_VALUES, (struct bytes){key, sizeof key}, &record);
    if (rc == 0)
        rc = meta_read_value(record, &uses, &w->value[slot]);
    if (rc < 0)
        return rc == E_NOTFOUND ? E_CORRUPT : rc;
    w->held[slot] = id;
    return 0;
}

static int find_until(struct walk *w, uint32_t id) {
    struct until_entry at = {.kind = (enum feed_kind)w->e.kind, .bits = w->e.bits, .place = w->place, .id = id};
    w->e.until_wall_s = 0;
    return w->e.dataset == DATASET_LOCAL ? until_get(w->t, &at, &w->e.until_wall_s) : 0;
}
_Static_assert(FEED_4 == (int)KEEP_4 && FEED_6 == (int)KEEP_6 && FEED_NAMES == (int)KEEP_NAME, "the same kinds");

static int tell(struct walk *w, uint32_t id) {
    int rc = find_until(w, id);
    if (rc < 0)
        return rc;
    w->e.excluded = id == VALUE_EXCLUDED;
    if (!w->e.excluded) {
        const struct value *v;
        rc = find_value(w, id, &v);
        if (rc < 0)
            return rc;
        value_copy(&w->e.value, v);
    }
    rc = w->each(w->ctx, &w->e);
    w->stopped = rc != 0;
    return rc;
}

static int on_bucket(struct walk *w, enum bucket_kind kind, struct bytes key, struct bytes bucket) {
    const struct level *lv = NULL;
    for (unsigned i = 0; i < bucket_levels[kind].count && key.size >= 2; i++)
        if (bucket_levels[kind].at[i].level == key.at[1] && key.size == 2u + key.at[1] / 8u)
            lv = &bucket_levels[kind].at[i];
    if (lv == NULL)
        return E_CORRUPT;
    w->items.count = 0;
    int rc = bucket_decode(bucket, lv, &w->items);
    w->e.kind = kind == KIND4 ? KEEP_4 : KEEP_6;
    w->place = (struct bytes){w->e.addr, kind == KIND4 ? 4 : 16};
    for (size_t i = 0; i < w->items.count && rc == 0; i++) {
        const struct item *it = &w->items.at[i];
        memset(w->e.addr, 0, sizeof w->e.addr);
        memcpy(w->e.addr, key.at + 2, lv->level / 8u);
        if (lv->width == 2)
            put_u16(w->e.addr + lv->level / 8u, (uint16_t)it->suffix);
        else
            put_u64(w->e.addr + lv->level / 8u, it->suffix);
        w->e.bits = it->bits;
        rc = tell(w, it->value);
    }
    return rc;
}

static int on_name(struct walk *w, struct bytes key, struct bytes record) {
    struct scan s = scan_of(record);
    struct name_item i;
    int more, rc = name_of_reversed(&w->e.name, key.at + 1, key.size - 1);
    w->e.kind = KEEP_NAME;
    w->place = (struct bytes){key.at + 1, key.size - 1};
    if (rc < 0)
        return rc;
    while ((more = name_item_next(&s, &i)) > 0) {
        w->e.bits = i.wildcard;
        rc = tell(w, i.value);
        if (rc != 0)
            return rc;
    }
    return more;
}

static bool rises(const struct walk *w, struct bytes key) {
    if (key.size == 0 || key.size > sizeof w->last)
        return false;
    int c = memcmp(w->last, key.at, w->last_size < key.size ? w->last_size : key.size);
    return w->last_size == 0 || c < 0 || (c == 0 && w->last_size < key.size);
}

/* Every record of one table. Keys must rise, or damaged pages could lead round in a circle. */
static int walk_table(struct walk *w, unsigned table) {
    struct store_cursor *c;
    struct bytes key, record;
    w->last_size = 0;
    int rc = store_cursor_open(w->t, table, &c);
    if (rc == 0)
        rc = store_cursor_seek(c, (struct bytes){NULL, 0}, &key, &record);
    while (rc == 0) {
        if (!rises(w, key) || key.at[0] >= LIMIT_DATASETS) {
            rc = E_CORRUPT;
            break;
        }
        w->e.dataset = key.at[0];
        memcpy(w->last, key.at, key.size);
        w->last_size = key.size;
        rc = table == TABLE_NAMES ? on_name(w, key, record)
                                  : on_bucket(w, (enum bucket_kind)(table - TABLE_4), key, record);
        if (rc == 0)
            rc = store_cursor_next(c, &key, &record);
    }
    store_cursor_close(c);
    return rc == E_NOTFOUND && !w->stopped ? 0 : rc;
}

static int walk_all(struct walk *w, struct meta *m, struct err *err) {
    int rc = keep_read_meta(w->t, m, err);
    if (rc < 0)
        return rc;
    for (unsigned table = TABLE_4; table <= TABLE_NAMES && rc == 0; table++) {
        rc = walk_table(w, table);
        if (rc < 0 && !w->stopped)
            return err_set(err, rc, "table %s: %s", keep_tables[table], err_name(rc));
    }
    return rc;
}
_Static_assert(TABLE_6 == TABLE_4 + 1 && TABLE_NAMES == TABLE_6 + 1, "the tables of entries stand side by side");

static int walk_guarded(struct keep *k, int (*each)(void *ctx, const struct keep_entry *e), void *ctx,
                        struct err *err) {
    int rc = keep_ready(k, err);
    if (rc < 0 || k->store == NULL)
        return rc;
    struct walk *w = calloc(1, sizeof *w);
    struct meta *m = calloc(1, sizeof *m);
    rc = w == NULL || m == NULL ? err_set(err, E_NOMEM, "zone %s: no memory to walk", k->zone->name)
                                : store_read_begin(k->store, &w->t, err);
    if (rc == 0 && w != NULL) {
        w->each = each;
        w->ctx = ctx;
        rc = walk_all(w, m, err);
        store_read_end(w->t);
        items_free(&w->items);
        if (rc < 0 && !w->stopped)
            err_prefix(err, "zone %s", k->zone->name);
    }
    free(m);
    free(w);
    return rc;
}

int keep_walk(struct keep *k, int (*each)(void *ctx, const struct keep_entry *e), void *ctx, struct err *err) {
    KEEP_GUARDED(k, err, walk_guarded(k, each, ctx, err));
}
