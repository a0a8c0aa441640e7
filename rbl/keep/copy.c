/* What a new generation is made with besides its entries: records taken over as they stand, the reading back, the
 * renames that make it the live one. */
#include <stdio.h>
#include <sys/stat.h>

#include "rbl/keep/work.h"

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
    bool done, whole;
};

static bool belongs(const struct copy *l) {
    if (l->table == TABLE_JOURNAL)
        return l->key.size == JOURNAL_KEY;
    return l->whole || l->table >= TABLE_UNTIL || (l->key.size > 0 && l->key.at[0] == DATASET_LOCAL);
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

int copy_table(struct store *s, struct store_txn *t, unsigned table, struct bytes from, uint64_t *bytes,
               struct err *err) {
    struct copy l = {.t = t, .table = table, .from_size = from.size, .whole = from.size == 0};
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

int copy_check(struct store *s, const struct meta *m, struct err *err) {
    struct store_txn *t;
    int rc = store_read_begin(s, &t, err);
    if (rc < 0)
        return rc;
    rc = verify_all(t, m, err);
    store_read_end(t);
    return rc;
}

/* Never a name that readers may have open, be the folder gone or not. */
void making_name(struct making *m, const struct keep *k) {
    char named[32];
    uint64_t next = keep_generation_next(k->dir), number;
    if (keep_current_read(k->dir, named, NULL) == 0 && keep_generation_number(named, &number) == 0 && number >= next)
        next = number + 1;
    snprintf(m->generation, sizeof m->generation, "g%llu", (unsigned long long)next);
    snprintf(m->folder, sizeof m->folder, "%s" KEEP_MAKING, m->generation);
}

static uint64_t file_bytes(const struct keep *k, const char *generation) {
    char path[KEEP_PATH_MAX + 64];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s/data.mdb", k->dir, generation);
    return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* It is open before `current` names it: what this process cannot open is not published, and the old one stays. */
int making_finish(const struct making *m, struct keep *k, int rc, uint64_t *bytes, struct err *err) {
    struct keep_prepared p = {.store = NULL};
    char named[32];
    if (rc == 0)
        rc = keep_generation_finish(k->dir, m->generation, err);
    if (rc == 0)
        rc = keep_prepare(&p, k, m->generation, 0, err);
    if (rc == 0)
        rc = keep_current_write(k->dir, m->generation, err);
    if (rc == 0) {
        *bytes = file_bytes(k, m->generation);
        keep_adopt(k, m->generation, &p);
        return 0;
    }
    keep_unprepare(&p);
    keep_remove_generation(k->dir, m->folder);
    /* the last rename may have happened although its sync failed: then it is the live one */
    if (keep_current_read(k->dir, named, NULL) == 0 && strcmp(named, m->generation) == 0)
        k->reopen = true;
    else
        keep_remove_generation(k->dir, m->generation);
    return rc;
}
