#include "rbl/keep/diff.h"

#include <stdio.h>

enum { WRITE_PUT, WRITE_DEL };

static void writes_add(struct buf *w, unsigned how, unsigned table, struct bytes key, struct bytes value) {
    buf_u8(w, how);
    buf_u8(w, table);
    buf_varint(w, key.size);
    buf_put(w, key.at, key.size);
    buf_varint(w, value.size);
    buf_put(w, value.at, value.size);
}

void writes_put(struct buf *w, unsigned table, struct bytes key, struct bytes value) {
    writes_add(w, WRITE_PUT, table, key, value);
}

void writes_del(struct buf *w, unsigned table, struct bytes key) {
    writes_add(w, WRITE_DEL, table, key, (struct bytes){NULL, 0});
}

struct write {
    unsigned how, table;
    struct bytes key, value;
};

static struct write write_next(struct scan *s) {
    struct write w = {.how = scan_u8(s)};
    w.table = scan_u8(s);
    w.key.size = scan_varint(s);
    w.key.at = scan_take(s, w.key.size);
    w.value.size = scan_varint(s);
    w.value.at = scan_take(s, w.value.size);
    return w;
}

bool writes_find(const struct buf *w, unsigned table, struct bytes key, struct bytes *value) {
    struct scan s = scan_of(buf_bytes(w));
    bool found = false;
    while (s.left > 0) {
        struct write one = write_next(&s);
        if (one.table != table || one.key.size != key.size || one.key.at == NULL ||
            memcmp(one.key.at, key.at, key.size) != 0)
            continue;
        *value = one.how == WRITE_PUT ? one.value : (struct bytes){NULL, 0};
        found = true;
    }
    return found;
}

/* The journal grows at its end: appended, its pages are full. */
static int put(struct store_txn *t, const struct write *one) {
    int rc = one->table == TABLE_JOURNAL ? store_append(t, one->table, one->key, one->value) : E_EXISTS;
    return rc == E_EXISTS ? store_put(t, one->table, one->key, one->value) : rc;
}

int writes_apply(const struct buf *w, struct store_txn *t, struct err *err) {
    struct scan s = scan_of(buf_bytes(w));
    while (s.left > 0) {
        struct write one = write_next(&s);
        int rc = one.how == WRITE_PUT ? put(t, &one) : store_del(t, one.table, one.key);
        if (rc < 0)
            return store_failed(t, rc, err, one.how == WRITE_PUT ? "put" : "delete");
    }
    return 0;
}

int diff_open(struct diff *x, const struct data *d, const struct ids *ids, struct store_txn *t, struct digest stored) {
    memset(x, 0, sizeof *x);
    x->d = d;
    x->ids = ids;
    x->t = t;
    x->digest = stored;
    x->bulk = t == NULL;
    x->bulk_from = UINT64_MAX;
    x->changeset_kept = t != NULL;
    return changeset_open(&x->changeset, ids->end);
}

void diff_close(struct diff *x) {
    buf_free(&x->writes);
    changeset_close(&x->changeset);
    items_free(&x->old);
    items_free(&x->new);
}

void diff_note_first(struct diff *x, const struct change *c) {
    char entry[64], value[VALUE_TEXT_MAX];
    if (x->first_count >= ARRAY_SIZE(x->first))
        return;
    if (c->kind == FEED_4)
        text_entry4(entry, sizeof entry, c->addr, c->bits);
    else if (c->kind == FEED_6)
        text_entry6(entry, sizeof entry, c->addr, c->bits);
    else
        text_name(entry, sizeof entry, c->name.at, c->name.size, c->bits);
    value[0] = '\0';
    if (!c->excluded)
        value_text(&c->value, value);
    /* cut where the line ends */
    char line[sizeof entry + sizeof value + 4];
    snprintf(line, sizeof line, "%c%s%s%s%s", c->removed ? '-' : '+', c->excluded ? "!" : "", entry,
             c->excluded ? "" : " ", value);
    text_copy(x->first[x->first_count++], sizeof x->first[0], line);
}

static struct digest digest_of(const struct change *c, uint32_t value, struct value two[2]) {
    struct data d = {.value = two, .value_count = 2};
    if (c->kind == FEED_4) {
        struct entry4 e = {.addr = get_u32(c->addr), .value = value, .dataset = c->dataset, .bits = c->bits};
        return digest_entry4(&d, &e);
    }
    if (c->kind == FEED_6) {
        struct entry6 e = {.value = value, .dataset = c->dataset, .bits = c->bits};
        memcpy(e.addr, c->addr, sizeof e.addr);
        return digest_entry6(&d, &e);
    }
    struct entry_name e = {.name = c->name.at,
                           .size = (uint8_t)c->name.size,
                           .dataset = c->dataset,
                           .wildcard = c->bits != 0,
                           .value = value};
    return digest_entry_name(&d, &e);
}

struct digest change_digest(const struct change *c) {
    struct value two[2];
    two[1] = c->value;
    return digest_of(c, c->excluded ? VALUE_EXCLUDED : VALUE_FIRST, two);
}

/* One entry removed or added; c lacks only its value. */
static int note(struct diff *x, struct change *c, uint32_t id) {
    c->excluded = id == VALUE_EXCLUDED;
    if (!c->excluded && (!x->value_known || x->value_id != id)) {
        x->value_known = false;
        int rc = ids_value(x->ids, x->t, id, &x->value);
        if (rc < 0)
            return rc;
        x->value_id = id;
        x->value_known = true;
    }
    if (!c->excluded)
        c->value = x->value;
    if (c->removed)
        x->removed++;
    else
        x->added++;
    if (c->removed)
        digest_minus(&x->digest, change_digest(c));
    else
        digest_plus(&x->digest, change_digest(c));
    diff_note_first(x, c);
    if (x->added + x->removed > x->bulk_from)
        x->bulk = true;
    if (x->changeset.out.size > x->changeset_max)
        x->changeset_kept = false;
    if (x->changeset_kept)
        changeset_add(&x->changeset, c, id);
    return 0;
}

static int note_item(struct diff *x, const struct feed *f, const struct level *lv, struct bytes key,
                     const struct item *i, bool removed) {
    struct change c = {.removed = removed, .kind = f->kind, .dataset = key.at[0], .bits = i->bits};
    memcpy(c.addr, key.at + 2, lv->level / 8u);
    if (lv->width == 2)
        put_u16(c.addr + lv->level / 8u, (uint16_t)i->suffix);
    else
        put_u64(c.addr + lv->level / 8u, i->suffix);
    return note(x, &c, i->value);
}

static const struct level *level_of(enum feed_kind kind, struct bytes key) {
    for (unsigned i = 0; i < bucket_levels[kind].count && key.size >= 2; i++) {
        const struct level *lv = &bucket_levels[kind].at[i];
        if (lv->level == key.at[1] && key.size == 2 + lv->level / 8u)
            return lv;
    }
    return NULL;
}

/* Decoded and sorted; empty bytes: no items. */
static int load_items(struct items *list, struct bytes bucket, const struct level *lv) {
    list->count = 0;
    int rc = bucket.size > 0 ? bucket_decode(bucket, lv, list) : 0;
    if (rc == 0)
        items_sort(list);
    return rc;
}

static int diff_bucket(struct diff *x, const struct feed *f, struct bytes key, struct bytes old, struct bytes new) {
    const struct level *lv = level_of(f->kind, key);
    int rc = lv == NULL || key.at[0] >= LIMIT_DATASETS ? E_CORRUPT : load_items(&x->old, old, lv);
    if (rc == 0)
        rc = load_items(&x->new, new, lv);
    for (size_t i = 0, k = 0; rc == 0 && (i < x->old.count || k < x->new.count);) {
        int c = i == x->old.count ? 1 : k == x->new.count ? -1 : item_compare(&x->old.at[i], &x->new.at[k]);
        if (c < 0)
            rc = note_item(x, f, lv, key, &x->old.at[i], true);
        else if (c > 0)
            rc = note_item(x, f, lv, key, &x->new.at[k], false);
        i += c <= 0;
        k += c >= 0;
    }
    return rc;
}

static int compare_item(struct name_item a, struct name_item b) {
    if (a.wildcard != b.wildcard)
        return a.wildcard ? 1 : -1;
    return a.value != b.value ? (a.value < b.value ? -1 : 1) : 0;
}

static int diff_name(struct diff *x, struct bytes key, struct bytes old, struct bytes new) {
    struct scan s = scan_of(old), r = scan_of(new);
    struct name_item a, b;
    unsigned labels;
    if (key.size == 0 || key.at[0] >= LIMIT_DATASETS || meta_labels(key.at + 1, key.size - 1, &labels) < 0)
        return E_CORRUPT;
    int have_a = name_item_next(&s, &a), have_b = name_item_next(&r, &b), rc = 0;
    while (rc == 0 && have_a >= 0 && have_b >= 0 && (have_a > 0 || have_b > 0)) {
        int c = have_a == 0 ? 1 : have_b == 0 ? -1 : compare_item(a, b);
        struct change change = {.removed = c < 0,
                                .kind = FEED_NAMES,
                                .dataset = key.at[0],
                                .bits = c < 0 ? a.wildcard : b.wildcard,
                                .name = {key.at + 1, key.size - 1}};
        if (c != 0)
            rc = note(x, &change, c < 0 ? a.value : b.value);
        if (c <= 0)
            have_a = name_item_next(&s, &a);
        if (c >= 0)
            have_b = name_item_next(&r, &b);
    }
    return rc < 0 ? rc : have_a < 0 ? have_a : have_b < 0 ? have_b : 0;
}

static int diff_record(struct diff *x, const struct feed *f, struct bytes key, struct bytes old, struct bytes new) {
    unsigned table = TABLE_4 + (unsigned)f->kind;
    int rc = f->kind == FEED_NAMES ? diff_name(x, key, old, new) : diff_bucket(x, f, key, old, new);
    if (rc < 0 || x->bulk)
        return rc;
    if (new.size > 0)
        writes_put(&x->writes, table, key, new);
    else
        writes_del(&x->writes, table, key);
    return x->writes.failed || x->changeset.out.failed ? E_NOMEM : 0;
}
_Static_assert(TABLE_6 == TABLE_4 + FEED_6 && TABLE_NAMES == TABLE_4 + FEED_NAMES, "one table per kind");

static int compare_key(struct bytes a, struct bytes b) {
    int c = memcmp(a.at, b.at, a.size < b.size ? a.size : b.size);
    return c != 0 ? c : a.size < b.size ? -1 : a.size > b.size;
}

/* The stored side of the walk. Keys must rise: damaged pages could otherwise lead round in a circle. */
struct stored {
    struct store_cursor *c;
    bool whole;
    int rc; /* 0: key and record are the next; E_NOTFOUND: the end */
    struct bytes key, record;
    uint8_t last[STORE_KEY_MAX];
    size_t last_size;
};

static void stored_next(struct stored *o) {
    if (o->c == NULL) {
        o->rc = E_NOTFOUND;
        return;
    }
    o->rc = o->last_size == 0 ? store_cursor_seek(o->c, (struct bytes){NULL, 0}, &o->key, &o->record)
                              : store_cursor_next(o->c, &o->key, &o->record);
    if (o->rc < 0)
        return;
    if (!o->whole && o->key.size > 0 && o->key.at[0] == DATASET_LOCAL) { /* not the files' business */
        o->rc = E_NOTFOUND;
        return;
    }
    if (o->key.size == 0 || o->key.size > sizeof o->last ||
        (o->last_size > 0 && compare_key(o->key, (struct bytes){o->last, o->last_size}) <= 0)) {
        o->rc = E_CORRUPT;
        return;
    }
    memcpy(o->last, o->key.at, o->key.size);
    o->last_size = o->key.size;
}

/* What a page holds on average, and what each record costs besides its octets. */
enum { PAGE_HOLDS = 4000, RECORD_COSTS = 10 };

/* A commit writes whole pages: how many it would be is what decides between one and a new generation. */
static void count_page(struct diff *x, const struct feed *f, const struct stored *o, int compared, bool changed) {
    x->bytes += RECORD_COSTS + (compared < 0 ? f->key_size + f->record.size : o->key.size + o->record.size);
    uint64_t page = x->bytes / PAGE_HOLDS + 1;
    if (changed && page != x->last_page) {
        x->pages++;
        x->last_page = page;
    }
}

static int walk(struct diff *x, struct feed *f, struct stored *o) {
    const struct bytes none = {NULL, 0};
    int more = feed_next(f);
    stored_next(o);
    while (more > 0 || (more == 0 && o->rc == 0)) {
        struct bytes key = {f->key, f->key_size}, record = buf_bytes(&f->record);
        int rc = 0;
        if (o->rc < 0 && o->rc != E_NOTFOUND)
            return o->rc;
        int c = more == 0 ? 1 : o->rc < 0 ? -1 : compare_key(key, o->key);
        bool changed = c != 0 || record.size != o->record.size || memcmp(record.at, o->record.at, record.size) != 0;
        count_page(x, f, o, c, changed);
        if (changed)
            rc = diff_record(x, f, c <= 0 ? key : o->key, c >= 0 ? o->record : none, c <= 0 ? record : none);
        if (rc < 0)
            return rc;
        if (c <= 0)
            more = feed_next(f);
        if (c >= 0)
            stored_next(o);
    }
    return more < 0 ? more : o->rc == E_NOTFOUND ? 0 : o->rc;
}

void diff_choose(struct diff *x) {
    uint64_t all = x->bytes / PAGE_HOLDS + 1;
    if (x->pages > KEEP_BULK_PAGES && x->pages > all / KEEP_BULK_PAGE_SHARE)
        x->bulk = true;
}

int diff_run(struct diff *x, struct feed *f, struct err *err) {
    static const char *const kinds[] = {"IPv4 entries", "IPv6 entries", "names"};
    struct stored o = {.c = NULL, .whole = x->whole};
    int rc = x->t != NULL ? store_cursor_open(x->t, TABLE_4 + (unsigned)f->kind, &o.c) : 0;
    if (rc == 0)
        rc = walk(x, f, &o);
    store_cursor_close(o.c);
    return rc < 0 ? err_set(err, rc, "comparing %s: %s", kinds[f->kind], err_name(rc)) : 0;
}
