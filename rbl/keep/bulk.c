/* A new generation: a directory of its own that nobody reads yet, filled in key order, synced, checked, and only then
 * named by `current`. Whatever goes wrong before leaves the old generation as it was. */
#include "rbl/keep/work.h"

/* One table being filled: each transaction goes on where the last committed one ended, and can be repeated. */
struct fill {
    struct feed *f;
    unsigned table;
    struct feed_at from;
    const struct ids *ids;
    struct store_txn *stored; /* where values that only local entries have are read */
    uint32_t id, id_from;
    bool done;
};

static int fill_feed(struct store_txn *t, void *ctx, struct err *err) {
    struct fill *l = ctx;
    l->f->at = l->from;
    l->done = false;
    for (unsigned i = 0; i < KEEP_BATCH; i++) {
        int rc = feed_next(l->f);
        if (rc < 0)
            return err_set(err, rc, "encoding: %s", err_name(rc));
        if (rc == 0) {
            l->done = true;
            return 0;
        }
        rc = store_append(t, l->table, (struct bytes){l->f->key, l->f->key_size}, buf_bytes(&l->f->record));
        if (rc == E_EXISTS)
            return err_set(err, E_INVALID, "the data is not sorted");
        if (rc < 0)
            return store_failed(t, rc, err, "append");
    }
    return 0;
}

static int fill_values(struct store_txn *t, void *ctx, struct err *err) {
    struct fill *l = ctx;
    struct buf record = {0};
    int rc = 0;
    l->id = l->id_from;
    for (unsigned i = 0; i < KEEP_BATCH && l->id < l->ids->end && rc == 0; l->id++) {
        uint8_t key[4];
        struct uses uses = ids_uses(l->ids, l->id);
        struct value v;
        if (uses_none(uses))
            continue;
        put_u32(key, l->id);
        record.size = 0;
        rc = ids_value(l->ids, l->stored, l->id, &v);
        if (rc < 0)
            break;
        meta_write_value(&record, uses, &v);
        rc = record.failed ? E_NOMEM
                           : store_append(t, TABLE_VALUES, (struct bytes){key, sizeof key}, buf_bytes(&record));
        i++;
    }
    l->done = l->id >= l->ids->end;
    buf_free(&record);
    return rc < 0 ? store_failed(t, rc, err, "values") : 0;
}

static int fill_table(struct store *s, struct fill *l, store_body body, struct err *err) {
    int rc = 0;
    while (rc == 0 && !l->done) {
        rc = store_write(s, body, l, err);
        if (l->f != NULL)
            l->from = l->f->at;
        l->id_from = l->id;
    }
    return rc;
}

static bool takes_local(const struct work *w) { return w->t != NULL && meta_has_local(w->next) && !w->c->whole; }

static int fill_entries(struct store *s, struct work *w, const struct ids *ids, struct err *err) {
    static const uint8_t local[1] = {DATASET_LOCAL};
    struct fill values = {.ids = ids, .stored = w->t, .id = 1, .id_from = 1};
    uint64_t bytes;
    int rc = fill_table(s, &values, fill_values, err);
    for (unsigned kind = 0; kind < FEED_KINDS && rc == 0; kind++) {
        struct feed f;
        feed_open(&f, w->d, ids->of_data, (enum feed_kind)kind, w->next);
        struct fill l = {.f = &f, .table = TABLE_4 + kind, .from = f.at};
        rc = fill_table(s, &l, fill_feed, err);
        feed_close(&f);
        if (rc == 0 && takes_local(w))
            rc = copy_table(s, w->t, TABLE_4 + kind, (struct bytes){local, sizeof local}, &bytes, err);
    }
    for (unsigned table = TABLE_UNTIL; table <= TABLE_DUE && rc == 0 && takes_local(w); table++)
        rc = copy_table(s, w->t, table, (struct bytes){NULL, 0}, &bytes, err);
    return rc;
}

/* A first guess; the map grows by itself when it is wrong. */
static uint64_t map_guess(const struct work *w) {
    uint64_t bytes = (uint64_t)4 << 20;
    for (uint32_t id = 1; id < w->d->value_count; id++)
        bytes += 64u + w->d->value[id].txt_size;
    return bytes + 6 * (uint64_t)w->d->n4 + 24 * (uint64_t)w->d->n6 + 48 * (uint64_t)w->d->nn;
}

/* The first commit of which everything fits into `room`; the one behind the newest when none does. */
static int journal_from(struct work *w, uint64_t room, uint64_t *commit) {
    struct store_cursor *c;
    struct bytes key, record;
    uint64_t left = w->k->meta->journal_bytes;
    *commit = w->k->meta->commits + 1;
    int rc = store_cursor_open(w->t, TABLE_JOURNAL, &c);
    if (rc == 0)
        rc = store_cursor_seek(c, (struct bytes){NULL, 0}, &key, &record);
    for (; rc == 0; rc = store_cursor_next(c, &key, &record)) {
        if (key.size != JOURNAL_KEY) {
            rc = E_CORRUPT;
            break;
        }
        if (left <= room && get_u32(key.at + 8) == 0) {
            *commit = get_u64(key.at);
            break;
        }
        uint64_t size = key.size + record.size;
        left -= size < left ? size : left;
    }
    store_cursor_close(c);
    return rc == E_NOTFOUND ? 0 : rc;
}

/* What the new generation takes over of the journal: the newest commits, as many as fit. */
static int take_journal(struct store *s, struct work *w, uint64_t fresh, struct err *err) {
    uint64_t commit, room = commit_journal_limit(w->k, w->next);
    uint8_t key[JOURNAL_KEY];
    w->next->journal_bytes = 0;
    if (w->t == NULL)
        return 0;
    room = room > fresh ? room - fresh : 0;
    int rc = journal_from(w, room, &commit);
    if (rc < 0)
        return err_set(err, rc, "journal: %s", err_name(rc));
    journal_key(key, commit, 0);
    return copy_table(s, w->t, TABLE_JOURNAL, (struct bytes){key, sizeof key}, &w->next->journal_bytes, err);
}

static int apply(struct store_txn *t, void *ctx, struct err *err) { return writes_apply(ctx, t, err); }

static int clear_journal(struct store_txn *t, void *ctx, struct err *err) {
    (void)ctx;
    int rc = store_clear(t, TABLE_JOURNAL);
    return rc < 0 ? store_failed(t, rc, err, "journal") : 0;
}

static int fill_rest(struct store *s, struct work *w, struct err *err) {
    struct buf writes = {0};
    bool kept = diff_changeset_kept(&w->diff);
    struct bytes changeset = buf_bytes(&w->diff.changeset.out);
    int rc = take_journal(s, w, kept ? changeset.size : 0, err);
    if (rc == E_CORRUPT) { /* history is worth less than the zone */
        LOG(LEVEL_ERROR, "the journal is damaged and starts anew", KS("zone", w->k->zone->name));
        rc = store_write(s, clear_journal, NULL, err);
        w->next->journal_bytes = 0;
    }
    if (rc == 0) {
        w->header.flags |= JOURNAL_BULK | (w->k->meta == NULL ? JOURNAL_FROM_EMPTY : 0);
        w->next->journal_bytes += commit_journal(&w->header, w->next->commits, kept, changeset, &writes);
        commit_meta(&writes, w->next);
        rc = writes.failed ? err_set(err, E_NOMEM, "no memory for the journal") : store_write(s, apply, &writes, err);
    }
    buf_free(&writes);
    return rc;
}

static int make(struct work *w, const char *making, struct err *err) {
    struct store *s = NULL;
    struct ids fresh = {0}, *ids = &w->ids;
    int rc = 0;
    if (!takes_local(w)) { /* else local records stand as they are, and with them their ids */
        ids = &fresh;
        rc = ids_open(ids, w->d, NULL, w->c->whole, err);
    }
    if (rc < 0)
        return rc;
    rc = keep_open_generation(&s, w->k->dir, making, GENERATION_WRITE | GENERATION_BULK, map_guess(w), err);
    if (rc == 0)
        rc = fill_entries(s, w, ids, err);
    if (rc == 0)
        rc = fill_rest(s, w, err);
    if (rc == 0)
        rc = copy_check(s, w->next, err);
    if (rc == 0)
        rc = store_sync(s, err);
    store_close(s);
    ids_close(&fresh);
    return rc;
}

int bulk_replace(struct work *w, uint64_t *bytes, struct err *err) {
    struct making m;
    making_name(&m, w->k);
    int rc = make(w, m.folder, err);
    work_end_reading(w);
    return making_finish(&m, w->k, rc, bytes, err);
}
