#include "rbl/keep/work.h"
#include "resolver/base/clock.h"

static struct bytes text_bytes(const char *text) { return (struct bytes){(const uint8_t *)text, strlen(text)}; }

void commit_meta(struct buf *writes, const struct meta *m) {
    static const struct {
        const char *key;
        void (*write)(struct buf *to, const struct meta *m);
    } records[] = {{"zone", meta_write_zone}, {"apex", meta_write_apex}, {"counts", meta_write_counts}};
    struct buf record = {0};
    for (unsigned i = 0; i < ARRAY_SIZE(records); i++) {
        record.size = 0;
        records[i].write(&record, m);
        writes_put(writes, TABLE_META, text_bytes(records[i].key), buf_bytes(&record));
        writes->failed |= record.failed;
    }
    buf_free(&record);
}

/* Values that came, went, or are used more or less often. */
static int add_values(struct work *w, struct err *err) {
    const struct ids *ids = &w->ids;
    int rc = 0;
    struct buf record = {0};
    for (uint32_t id = 1; id < ids->end; id++) {
        uint8_t key[4];
        struct bytes k = {key, sizeof key};
        struct uses uses = ids_uses(ids, id);
        if (ids->old[id].files == uses.files && ids->old[id].local == uses.local)
            continue;
        put_u32(key, id);
        if (uses_none(uses)) {
            writes_del(&w->diff.writes, TABLE_VALUES, k);
            continue;
        }
        record.size = 0;
        struct value v;
        rc = ids_value(ids, w->t, id, &v);
        if (rc < 0)
            break;
        meta_write_value(&record, uses, &v);
        writes_put(&w->diff.writes, TABLE_VALUES, k, buf_bytes(&record));
    }
    w->diff.writes.failed |= record.failed;
    buf_free(&record);
    return rc < 0 ? err_set(err, rc, "values: %s", err_name(rc)) : 0;
}

/* RFC 1982: whether a comes after b. */
static bool serial_newer(uint32_t a, uint32_t b) { return a != b && (int32_t)(a - b) > 0; }

bool commit_wants_serial(const struct keep *k, const struct keep_commit *c) {
    return c->exact_serial && k->meta != NULL && k->meta->serial != c->serial_hint;
}

uint32_t commit_serial(struct keep *k, const struct keep_commit *c) {
    uint32_t next, hint = c->serial_hint;
    if (c->exact_serial)
        return hint;
    if (k->meta == NULL) {
        next = hint != 0 ? hint : (uint32_t)clock_wall_s();
        return next != 0 ? next : 1;
    }
    uint32_t now = k->meta->serial;
    if (hint != 0 && serial_newer(hint, now))
        return hint;
    if (hint != 0 && hint != now && hint != k->old_hint) {
        k->old_hint = hint; /* said once */
        LOG(LEVEL_WARN, "the source's serial is older than the zone's, counting on from the zone's",
            KS("zone", k->zone->name), KU("source_serial", hint), KU("serial", now));
    }
    next = now + 1;
    return next != 0 ? next : 1;
}

static uint64_t put_record(struct buf *writes, uint64_t commit, uint32_t number, struct bytes record) {
    uint8_t key[JOURNAL_KEY];
    journal_key(key, commit, number);
    writes_put(writes, TABLE_JOURNAL, (struct bytes){key, sizeof key}, record);
    return sizeof key + record.size;
}

/* Records fill pages: a commit of a thousand edits has about 5,000 octets, and a history is made of such. */
static size_t piece(size_t left) {
    size_t pages = (left + KEEP_JOURNAL_PAGE_HEAD) / KEEP_JOURNAL_PAGE;
    if (left >= KEEP_JOURNAL_CHUNK)
        return KEEP_JOURNAL_CHUNK;
    if (pages > 0)
        return pages * KEEP_JOURNAL_PAGE - KEEP_JOURNAL_PAGE_HEAD;
    return left < KEEP_JOURNAL_HALF ? left : KEEP_JOURNAL_HALF;
}

uint64_t commit_journal(struct journal_header *h, uint64_t commit, bool kept, struct bytes changeset,
                        struct buf *writes) {
    struct buf record = {0};
    uint64_t bytes = 0;
    h->bytes = kept ? changeset.size : 0;
    h->chunks = 0;
    for (size_t left = h->bytes; left > 0; left -= piece(left))
        h->chunks++;
    journal_write_header(&record, h);
    bytes += put_record(writes, commit, 0, buf_bytes(&record));
    for (size_t at = 0, i = 1; at < h->bytes; i++) {
        struct bytes part = {changeset.at + at, piece(h->bytes - at)};
        bytes += put_record(writes, commit, (uint32_t)i, part);
        at += part.size;
    }
    writes->failed |= record.failed;
    buf_free(&record);
    return bytes;
}

uint64_t commit_journal_limit(const struct keep *k, const struct meta *next) {
    uint64_t worth = KEEP_JOURNAL_ENTRY * meta_entries(next);
    worth = worth > KEEP_JOURNAL_LEAST ? worth : KEEP_JOURNAL_LEAST;
    return k->zone->journal < worth ? k->zone->journal : worth;
}

int commit_trim(struct keep *k, struct store_txn *t, uint64_t fresh, struct meta *next, struct buf *writes,
                struct err *err) {
    uint64_t limit = commit_journal_limit(k, next);
    struct store_cursor *c;
    struct bytes key, record;
    next->journal_bytes = k->meta->journal_bytes + fresh;
    if (next->journal_bytes <= limit)
        return 0;
    int rc = store_cursor_open(t, TABLE_JOURNAL, &c);
    if (rc == 0)
        rc = store_cursor_seek(c, (struct bytes){NULL, 0}, &key, &record);
    for (; rc == 0 && next->journal_bytes > limit; rc = store_cursor_next(c, &key, &record)) {
        writes_del(writes, TABLE_JOURNAL, key);
        uint64_t size = key.size + record.size;
        next->journal_bytes -= size < next->journal_bytes ? size : next->journal_bytes;
    }
    store_cursor_close(c);
    return rc == 0 || rc == E_NOTFOUND ? 0 : store_failed(t, rc, err, "journal");
}

static int apply(struct store_txn *t, void *ctx, struct err *err) { return writes_apply(ctx, t, err); }

/* A store that failed to commit is opened again before its next use: LMDB may have given it up. */
int commit_write(struct keep *k, struct buf *writes, struct err *err) {
    if (writes->failed)
        return err_set(err, E_NOMEM, "no memory for the commit");
    int rc = store_write(k->store, apply, writes, err);
    if (rc == E_IO || rc == E_CORRUPT || rc == E_NOMEM || rc == E_SYSTEM)
        k->reopen = true;
    return rc;
}

/* Times of local entries, when these come anew: a transfer in plain RRs tells none. */
static int drop_times(struct work *w, struct err *err) {
    int rc = 0;
    for (unsigned table = TABLE_UNTIL; table <= TABLE_DUE && rc == 0; table++) {
        struct store_cursor *c;
        struct bytes key, record;
        if (store_count(w->t, table) == 0)
            continue;
        rc = store_cursor_open(w->t, table, &c);
        if (rc == 0)
            rc = store_cursor_seek(c, (struct bytes){NULL, 0}, &key, &record);
        for (; rc == 0; rc = store_cursor_next(c, &key, &record))
            writes_del(&w->diff.writes, table, key);
        store_cursor_close(c);
        rc = rc == E_NOTFOUND ? 0 : store_failed(w->t, rc, err, "times");
    }
    return rc;
}

int commit_live(struct work *w, uint64_t *bytes, struct err *err) {
    struct buf *writes = &w->diff.writes;
    struct bytes changeset = buf_bytes(&w->diff.changeset.out);
    int rc = add_values(w, err);
    if (rc == 0 && w->c->whole)
        rc = drop_times(w, err);
    if (rc < 0)
        return rc;
    uint64_t fresh = commit_journal(&w->header, w->next->commits, diff_changeset_kept(&w->diff), changeset, writes);
    rc = commit_trim(w->k, w->t, fresh, w->next, writes, err);
    if (rc < 0)
        return rc;
    commit_meta(writes, w->next);
    work_end_reading(w);
    rc = commit_write(w->k, writes, err);
    if (rc == 0)
        *bytes = store_last_commit_bytes(w->k->store);
    return rc;
}

/* All of meta: the format may have been an older one. */
int commit_quiet(struct keep *k, const struct meta *m, struct err *err) {
    struct buf writes = {0};
    commit_meta(&writes, m);
    int rc = commit_write(k, &writes, err);
    buf_free(&writes);
    return rc;
}
