/* The records that a batch changes: of each bucket and name one new one, whatever the number of edits in it. */
#include "rbl/keep/edit_impl.h"

static const struct level *level_of(const struct place *p) {
    const struct level *lv = bucket_levels[p->kind].at;
    while (p->bits > lv->high)
        lv++;
    return lv;
}

/* The record that a place is in. */
static size_t record_key(const struct place *p, uint8_t key[FEED_KEY_MAX]) {
    if (p->kind != FEED_NAMES)
        return bucket_key(key, DATASET_LOCAL, level_of(p), p->key);
    key[0] = DATASET_LOCAL;
    memcpy(key + 1, p->key, p->size);
    return 1u + p->size;
}

/* By table, then as keys stand in it, then by place. */
static int compare_edited(const void *a, const void *b) {
    const struct edited *x = a, *y = b;
    uint8_t kx[FEED_KEY_MAX], ky[FEED_KEY_MAX];
    if (x->p->kind != y->p->kind)
        return x->p->kind < y->p->kind ? -1 : 1;
    if (x->p == y->p)
        return x->s < y->s ? -1 : x->s > y->s;
    size_t nx = record_key(x->p, kx), ny = record_key(y->p, ky);
    int c = memcmp(kx, ky, nx < ny ? nx : ny);
    if (c != 0 || nx != ny)
        return c != 0 ? c : nx < ny ? -1 : 1;
    c = memcmp(x->p->key, y->p->key, x->p->size);
    return c != 0 ? c : x->p->bits < y->p->bits ? -1 : x->p->bits > y->p->bits;
}

/* Old items with the changed ones put in or taken out; both in order. */
static int merge_items(struct edits *e) {
    e->fresh.count = 0;
    for (size_t i = 0, k = 0; i < e->old.count || k < e->changed.count;) {
        int c = i == e->old.count ? 1 : k == e->changed.count ? -1 : item_compare(&e->old.at[i], &e->changed.at[k]);
        int rc = 0;
        if (c != 0)
            rc = items_add(&e->fresh, c < 0 ? &e->old.at[i] : &e->changed.at[k]);
        if (rc < 0)
            return rc;
        i += c <= 0;
        k += c >= 0;
    }
    return 0;
}

/* The edits at[from..to) over e->old become e->fresh: what was is taken out and what was not is put in. Where it stands
 * differently the record is damaged. Items stand for names too (lv NULL): exact ones first. */
static int merge_edits(struct edits *e, size_t from, size_t to, const struct level *lv) {
    size_t expected = e->old.count;
    int rc = 0;
    for (size_t i = from; i < to && rc == 0; i++) {
        const struct edited *x = &e->at[i];
        struct item one = {.value = x->id, .bits = lv != NULL ? x->p->bits : x->p->bits == 0};
        if (lv != NULL)
            one.suffix = bucket_suffix(lv, x->p->key, x->p->bits);
        if (x->s->was == x->s->is)
            continue;
        expected = x->s->is ? expected + 1 : expected - 1;
        rc = items_add(&e->changed, &one);
    }
    if (rc < 0)
        return rc;
    items_sort(&e->old);
    items_sort(&e->changed);
    rc = merge_items(e);
    return rc == 0 && e->fresh.count != expected ? E_CORRUPT : rc;
}

static int bucket_record(struct edits *e, size_t from, size_t to, struct bytes old, struct buf *record) {
    const struct level *lv = level_of(e->at[from].p);
    e->old.count = e->changed.count = 0;
    int rc = old.size > 0 ? bucket_decode(old, lv, &e->old) : 0;
    if (rc == 0)
        rc = merge_edits(e, from, to, lv);
    return rc == 0 && e->fresh.count > 0 ? bucket_encode(record, lv, &e->fresh) : rc;
}

/* Names have few values; a wildcard's item has `bits` 0. */
static int name_record(struct edits *e, size_t from, size_t to, struct bytes old, struct buf *record) {
    struct scan s = scan_of(old);
    struct name_item n;
    int more, rc = 0;
    e->old.count = e->changed.count = 0;
    while (rc == 0 && (more = name_item_next(&s, &n)) != 0) {
        struct item one = {.value = n.value, .bits = !n.wildcard};
        rc = more > 0 ? items_add(&e->old, &one) : more;
    }
    if (rc == 0)
        rc = merge_edits(e, from, to, NULL);
    for (size_t i = 0; i < e->fresh.count && rc == 0; i++)
        name_item_put(record, (struct name_item){e->fresh.at[i].value, e->fresh.at[i].bits == 0});
    return record->failed ? E_NOMEM : rc;
}

/* The one record of at[from..to). */
static int write_record(struct edits *e, size_t from, size_t to, struct buf *record) {
    const struct place *p = e->at[from].p;
    unsigned table = TABLE_4 + (unsigned)p->kind;
    uint8_t key[FEED_KEY_MAX];
    struct bytes k = {key, record_key(p, key)}, old = {NULL, 0};
    int rc = e->b->t != NULL ? store_get(e->b->t, table, k, &old) : E_NOTFOUND;
    if (rc < 0 && rc != E_NOTFOUND)
        return rc;
    record->size = 0;
    rc = p->kind == FEED_NAMES ? name_record(e, from, to, old, record) : bucket_record(e, from, to, old, record);
    if (rc < 0)
        return rc;
    if (record->size > 0)
        writes_put(&e->diff.writes, table, k, buf_bytes(record));
    else if (old.size > 0)
        writes_del(&e->diff.writes, table, k);
    return 0;
}

static bool same_record(const struct place *a, const struct place *b) {
    uint8_t ka[FEED_KEY_MAX], kb[FEED_KEY_MAX];
    size_t na = record_key(a, ka), nb = record_key(b, kb);
    return a->kind == b->kind && na == nb && memcmp(ka, kb, na) == 0;
}

int edits_write_records(struct edits *e, struct err *err) {
    struct buf record = {0};
    int rc = 0;
    for (size_t from = 0, to; from < e->count && rc == 0; from = to) {
        bool any = false;
        for (to = from; to < e->count && same_record(e->at[from].p, e->at[to].p); to++)
            any |= e->at[to].s->was != e->at[to].s->is;
        if (any)
            rc = write_record(e, from, to, &record);
    }
    buf_free(&record);
    return rc < 0 ? err_set(err, rc, "zone %s: the local entries: %s", e->b->k->zone->name, err_name(rc)) : 0;
}

void edits_sort(struct edits *e) { qsort(e->at, e->count, sizeof *e->at, compare_edited); }
