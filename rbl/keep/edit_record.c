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

/* What the edits at[from..to) of one record put in and take out. Items stand for names too (lv NULL). */
static int gather(struct edits *e, size_t from, size_t to, const struct level *lv) {
    int rc = 0;
    e->merge.changed.count = 0;
    e->merge.more = 0;
    for (size_t i = from; i < to && rc == 0; i++) {
        const struct edited *x = &e->at[i];
        struct item one = merge_item(lv, x->p->key, x->p->bits, x->id);
        if (x->s->was == x->s->is)
            continue;
        e->merge.more += x->s->is ? 1 : -1;
        rc = items_add(&e->merge.changed, &one);
    }
    return rc;
}

/* The one record of at[from..to). */
static int write_record(struct edits *e, size_t from, size_t to, struct buf *record) {
    const struct place *p = e->at[from].p;
    const struct level *lv = p->kind != FEED_NAMES ? level_of(p) : NULL;
    uint8_t key[FEED_KEY_MAX];
    struct bytes k = {key, record_key(p, key)};
    int rc = gather(e, from, to, lv);
    return rc == 0 ? merge_record(&e->merge, e->b->t, TABLE_4 + (unsigned)p->kind, k, lv, record, &e->diff.writes) : rc;
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
