/* A new generation: a directory of its own that nobody reads yet, filled in key order, synced, checked, and only then
 * named by `current`. Whatever goes wrong before leaves the old generation as it was. */
#include <stdio.h>
#include <sys/stat.h>

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

/* Records of the generation before that are taken over as they stand: from a key on, in their order. */
struct copy {
    struct store_txn *t;
    unsigned table;
    uint8_t from[STORE_KEY_MAX]; /* the next key is this one or behind it */
    size_t from_size;
    struct store_cursor *c;
    struct bytes key, record;
    int rc;
    uint64_t bytes, bytes_from;
    bool done;
};

static bool belongs(const struct copy *l) {
    if (l->table == TABLE_JOURNAL)
        return l->key.size == JOURNAL_KEY;
    return l->table >= TABLE_UNTIL || (l->key.size > 0 && l->key.at[0] == DATASET_LOCAL);
}

static int copy_body(struct store_txn *t, void *ctx, struct err *err) {
    struct copy *l = ctx;
    l->bytes = l->bytes_from;
    int rc = store_cursor_seek(l->c, (struct bytes){l->from, l->from_size}, &l->key, &l->record);
    for (unsigned i = 0; i < KEEP_BATCH && rc == 0; i++) {
        rc = belongs(l) ? store_append(t, l->table, l->key, l->record) : E_EXISTS;
        if (rc == E_EXISTS)
            return err_set(err, E_CORRUPT, "table %s: a key where it cannot be", keep_tables[l->table]);
        if (rc < 0)
            return store_failed(t, rc, err, "taking over");
        l->bytes += l->key.size + l->record.size;
        rc = store_cursor_next(l->c, &l->key, &l->record);
    }
    l->done = rc == E_NOTFOUND;
    return rc == E_NOTFOUND ? 0 : rc < 0 ? err_set(err, rc, "table %s: %s", keep_tables[l->table], err_name(rc)) : 0;
}

/* Everything in `table` from `from` on; *bytes: how much it was. */
static int copy_table(struct store *s, struct store_txn *t, unsigned table, struct bytes from, uint64_t *bytes,
                      struct err *err) {
    struct copy l = {.t = t, .table = table, .from_size = from.size};
    if (from.size > 0)
        memcpy(l.from, from.at, from.size);
    int rc = store_cursor_open(t, table, &l.c);
    if (rc < 0)
        return store_failed(t, rc, err, "taking over");
    while (rc == 0 && !l.done) {
        rc = store_write(s, copy_body, &l, err);
        l.bytes_from = l.bytes;
        if (rc == 0 && !l.done && l.key.size <= sizeof l.from) {
            memcpy(l.from, l.key.at, l.key.size);
            l.from_size = l.key.size;
        }
    }
    store_cursor_close(l.c);
    *bytes = l.bytes;
    return rc;
}

static bool takes_local(const struct work *w) { return w->t != NULL && meta_has_local(w->next); }

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
    uint64_t commit, room = map_guess(w), limit = w->k->zone->journal;
    uint8_t key[JOURNAL_KEY];
    w->next->journal_bytes = 0;
    if (w->t == NULL)
        return 0;
    room = room > KEEP_JOURNAL_TAKEN ? room : KEEP_JOURNAL_TAKEN;
    room = room < limit ? room : limit;
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

static int check(struct store *s, const struct meta *m, struct err *err) {
    struct store_txn *t;
    int rc = store_read_begin(s, &t, err);
    if (rc < 0)
        return rc;
    rc = verify_all(t, m, err);
    store_read_end(t);
    return rc;
}

static int make(struct work *w, const char *making, struct err *err) {
    struct store *s = NULL;
    struct ids fresh = {0}, *ids = &w->ids;
    int rc = 0;
    if (!takes_local(w)) { /* else local records stand as they are, and with them their ids */
        ids = &fresh;
        rc = ids_open(ids, w->d, NULL, err);
    }
    if (rc < 0)
        return rc;
    rc = keep_open_generation(&s, w->k->dir, making, GENERATION_WRITE | GENERATION_BULK, map_guess(w), err);
    if (rc == 0)
        rc = fill_entries(s, w, ids, err);
    if (rc == 0)
        rc = fill_rest(s, w, err);
    if (rc == 0)
        rc = check(s, w->next, err);
    if (rc == 0)
        rc = store_sync(s, err);
    store_close(s);
    ids_close(&fresh);
    return rc;
}

static uint64_t file_bytes(const struct keep *k, const char *generation) {
    char path[KEEP_PATH_MAX + 64];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s/data.mdb", k->dir, generation);
    return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

int bulk_replace(struct work *w, uint64_t *bytes, struct err *err) {
    struct keep *k = w->k;
    char generation[32], making[40], named[32];
    snprintf(generation, sizeof generation, "g%llu", (unsigned long long)keep_generation_next(k->dir));
    snprintf(making, sizeof making, "%s" KEEP_MAKING, generation);
    int rc = make(w, making, err);
    work_end_reading(w);
    if (rc == 0)
        rc = keep_generation_finish(k->dir, generation, err);
    if (rc == 0)
        rc = keep_current_write(k->dir, generation, err);
    if (rc == 0) {
        *bytes = file_bytes(k, generation);
        return keep_take_over(k, generation, 0, err);
    }
    keep_remove_generation(k->dir, making);
    /* the last rename may have happened although its sync failed: then it is the live one */
    if (keep_current_read(k->dir, named, NULL) == 0 && strcmp(named, generation) == 0)
        k->reopen = true;
    else
        keep_remove_generation(k->dir, generation);
    return rc;
}
