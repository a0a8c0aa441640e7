#include "rbl/keep/work.h"

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
        if (ids->old[id].files == ids->files[id])
            continue;
        put_u32(key, id);
        struct uses uses = ids_uses(ids, id);
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

static uint64_t add_journal_record(struct work *w, uint32_t number, struct bytes record) {
    uint8_t key[JOURNAL_KEY];
    journal_key(key, w->next->commits, number);
    writes_put(&w->diff.writes, TABLE_JOURNAL, (struct bytes){key, sizeof key}, record);
    return sizeof key + record.size;
}

/* The header, the changeset in pieces. Returns their bytes. */
static uint64_t add_journal(struct work *w) {
    struct bytes all = buf_bytes(&w->diff.changeset.out);
    struct buf record = {0};
    uint64_t bytes = 0;
    bool kept = w->diff.changeset_kept && all.size <= w->diff.changeset_max;
    w->header.bytes = kept ? all.size : 0;
    w->header.chunks = (uint32_t)((w->header.bytes + KEEP_JOURNAL_CHUNK - 1) / KEEP_JOURNAL_CHUNK);
    journal_write_header(&record, &w->header);
    bytes += add_journal_record(w, 0, buf_bytes(&record));
    for (uint32_t i = 0; i < w->header.chunks; i++) {
        size_t at = (size_t)i * KEEP_JOURNAL_CHUNK, left = all.size - at;
        struct bytes part = {all.at + at, left < KEEP_JOURNAL_CHUNK ? left : KEEP_JOURNAL_CHUNK};
        bytes += add_journal_record(w, i + 1, part);
    }
    w->diff.writes.failed |= record.failed;
    buf_free(&record);
    return bytes;
}

/* Takes the oldest records away until what stays fits beside `fresh` new bytes. */
static int trim_journal(struct work *w, uint64_t fresh, struct err *err) {
    uint64_t limit = w->k->zone->journal, bytes = w->k->meta->journal_bytes;
    struct store_cursor *c;
    struct bytes key, record;
    w->next->journal_bytes = bytes + fresh;
    if (w->next->journal_bytes <= limit)
        return 0;
    int rc = store_cursor_open(w->t, TABLE_JOURNAL, &c);
    if (rc == 0)
        rc = store_cursor_seek(c, (struct bytes){NULL, 0}, &key, &record);
    for (; rc == 0 && w->next->journal_bytes > limit; rc = store_cursor_next(c, &key, &record)) {
        writes_del(&w->diff.writes, TABLE_JOURNAL, key);
        uint64_t size = key.size + record.size;
        w->next->journal_bytes -= size < w->next->journal_bytes ? size : w->next->journal_bytes;
    }
    store_cursor_close(c);
    return rc == 0 || rc == E_NOTFOUND ? 0 : store_failed(w->t, rc, err, "journal");
}

static int apply(struct store_txn *t, void *ctx, struct err *err) { return writes_apply(ctx, t, err); }

/* A store that failed to commit is opened again before its next use: LMDB may have given it up. */
static int write_all(struct keep *k, struct buf *writes, struct err *err) {
    if (writes->failed)
        return err_set(err, E_NOMEM, "no memory for the commit");
    int rc = store_write(k->store, apply, writes, err);
    if (rc == E_IO || rc == E_CORRUPT || rc == E_NOMEM || rc == E_SYSTEM)
        k->reopen = true;
    return rc;
}

int commit_live(struct work *w, uint64_t *bytes, struct err *err) {
    int rc = add_values(w, err);
    if (rc == 0)
        rc = trim_journal(w, add_journal(w), err);
    if (rc < 0)
        return rc;
    commit_meta(&w->diff.writes, w->next);
    work_end_reading(w);
    rc = write_all(w->k, &w->diff.writes, err);
    if (rc == 0)
        *bytes = store_last_commit_bytes(w->k->store);
    return rc;
}

int commit_quiet(struct keep *k, const struct meta *m, struct err *err) {
    struct buf writes = {0}, record = {0};
    meta_write_zone(&record, m);
    writes_put(&writes, TABLE_META, text_bytes("zone"), buf_bytes(&record));
    writes.failed |= record.failed;
    int rc = write_all(k, &writes, err);
    buf_free(&record);
    buf_free(&writes);
    return rc;
}
