#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "resolver/base/clock.h"
#include "resolver/base/log.h"
#include "resolver/store/fault.h"
#include "resolver/store/impl.h"

/* BAD_RSLOT: another handle of this process on the same environment was closed and took this one's reader slot with
 * it. The slot may be someone else's by now: ending the transaction would clear it, so only its memory is freed. */
static int begin_once(struct store *s, struct store_txn *t, unsigned flags) {
    int rc = t->txn != NULL ? mdb_txn_renew(t->txn) : 0;
    if (t->txn != NULL && rc != MDB_BAD_RSLOT)
        return rc;
    free(t->txn);
    rc = mdb_txn_begin(s->env, NULL, flags, &t->txn);
    if (rc != 0)
        t->txn = NULL;
    return rc;
}

static int begin(struct store *s, struct store_txn *t, unsigned flags, struct err *err) {
    int rc = 0, dead;
    bool cleared = false;
    for (unsigned i = 0; i < STORE_RETRIES; i++) {
        rc = begin_once(s, t, flags);
        if (rc == MDB_MAP_RESIZED) {
            if ((s->read.active && t != &s->read) || s->write.active || s->of != NULL)
                break; /* the map must not move under an open transaction */
            s->map = NULL;
            store_fault_map(s, NULL, 0);
            if (mdb_env_set_mapsize(s->env, 0) != 0) {
                s->broken = true;
                break;
            }
        } else if (rc == MDB_READERS_FULL && !cleared) {
            cleared = true;
            (void)mdb_reader_check(s->env, &dead);
        } else {
            break;
        }
    }
    if (rc == MDB_PANIC)
        s->broken = true;
    if (rc != 0)
        return store_error(s, rc, err, flags & MDB_RDONLY ? "begin reading" : "begin writing");
    if (s->map == NULL)
        store_find_map(s, t->txn);
    t->active = true;
    t->failed = 0;
    t->begun_ms = clock_mono_ms();
    return 0;
}

static int set_bounds(struct store *s, struct store_txn *t, struct err *err) {
    MDB_envinfo info;
    int rc = mdb_env_info(s->env, &info);
    if (rc != 0)
        return store_error(s, rc, err, "info");
    uint64_t used = ((uint64_t)info.me_last_pgno + 1) * s->page_bytes;
    t->low = s->map;
    t->high = s->map != NULL ? s->map + (used < info.me_mapsize ? used : info.me_mapsize) : NULL;
    return 0;
}

int store_begin(struct store *s, struct store_txn *t, unsigned flags, struct err *err) {
    struct store_fault f;
    if (sigsetjmp(f.back, 0) != 0) {
        s->broken = true;
        s->lost = true; /* the lock may be held, the transaction half-made */
        t->txn = NULL;
        (void)store_faulted(&f, err);
        (void)err_prefix(err, "%s", s->path);
        return E_CORRUPT;
    }
    store_fault_arm(&f);
    f.any = true;
    int rc = begin(s, t, flags, err);
    if (rc == 0 && flags & MDB_RDONLY)
        rc = set_bounds(s, t, err);
    store_fault_disarm(&f);
    return rc;
}

/* Where the map begins is not told by LMDB, but each page knows its number and a key always lies inside its page. */
void store_find_map(struct store *s, MDB_txn *txn) {
    MDB_envinfo info;
    MDB_cursor *c;
    MDB_val k, v;
    if (s->table_count == 0 || sysconf(_SC_PAGESIZE) != (long)s->page_bytes || mdb_env_info(s->env, &info) != 0)
        return;
    if (mdb_cursor_open(txn, 1, &c) != 0) /* LMDB's own table of tables */
        return;
    if (mdb_cursor_get(c, &k, &v, MDB_FIRST) == 0) {
        uint64_t number;
        const uint8_t *page = (const uint8_t *)k.mv_data - (uintptr_t)k.mv_data % s->page_bytes;
        memcpy(&number, page, sizeof number);
        if (number < info.me_mapsize / s->page_bytes) {
            s->map = page - number * s->page_bytes;
            store_fault_map(s, s->map, info.me_mapsize);
        }
    }
    mdb_cursor_close(c);
}

int store_read_begin(struct store *s, struct store_txn **out, struct err *err) {
    *out = NULL;
    int rc = store_usable(s, err);
    if (rc < 0)
        return rc;
    struct store_txn *t = &s->read;
    if (s->of != NULL && t->active) {
        t->nested++;
        *out = t;
        return 0;
    }
    if (t->active)
        return err_set(err, E_INVALID, "%s: this handle reads already", s->path);
    rc = store_begin(s, t, MDB_RDONLY, err);
    if (rc < 0)
        store_read_end(t);
    else
        *out = t;
    return rc;
}

void store_read_end(struct store_txn *t) {
    if (t == NULL || !t->active || !store_is_mine(t->store))
        return;
    if (t->store->of != NULL && t->nested > 0) {
        if (--t->nested == 0)
            store_cursors_end(t);
        return;
    }
    store_cursors_end(t);
    mdb_txn_reset(t->txn);
    t->active = false;
}

int64_t store_read_age_ms(const struct store_txn *t) { return t->active ? clock_mono_ms() - t->begun_ms : 0; }

uint64_t store_txn_id(const struct store_txn *t) { return mdb_txn_id(t->txn); }

/* Bytes this thread has handed to write(2) and its kin so far: LMDB writes its pages that way. */
static uint64_t thread_written(void) {
    char text[512];
    unsigned long long bytes;
    int fd = open("/proc/thread-self/io", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0)
        close(fd);
    if (n > 0) {
        text[n] = '\0';
        const char *w = strstr(text, "wchar: ");
        if (w != NULL && sscanf(w, "wchar: %llu", &bytes) == 1)
            return bytes;
    }
    struct rusage use;
    return getrusage(RUSAGE_THREAD, &use) == 0 ? (uint64_t)use.ru_oublock * 512 : 0;
}

static void write_end(struct store_txn *t) {
    store_cursors_end(t);
    if (t->txn != NULL)
        mdb_txn_abort(t->txn);
    t->txn = NULL;
    t->active = false;
}

/* One run of the body. 1: the map was full, once more. */
static int write_body(struct store *s, store_body body, void *ctx, struct err *err) {
    struct store_txn *t = &s->write;
    int rc = store_begin(s, t, 0, err);
    if (rc < 0)
        return rc;
    rc = body(t, ctx, err);
    if (rc < 0 || t->failed == MDB_MAP_FULL) {
        write_end(t);
        return t->failed == MDB_MAP_FULL ? 1 : rc;
    }
    uint64_t before = thread_written();
    store_cursors_end(t);
    int mdb = mdb_txn_commit(t->txn); /* ends the transaction whatever it returns */
    t->txn = NULL;
    t->active = false;
    if (mdb == MDB_MAP_FULL)
        return 1;
    if (mdb == MDB_PANIC)
        s->broken = true;
    if (mdb != 0)
        return store_error(s, mdb, err, "commit");
    s->commit_bytes = thread_written() - before;
    return 0;
}

/* A map is room to grow, not room that is short: it is kept at least half as large again as what is used, so that
 * MAP_FULL is rare and a map near its limit means that it could not grow. */
static void keep_room(struct store *s) {
    MDB_envinfo info;
    struct err err;
    if (mdb_env_info(s->env, &info) == 0 &&
        ((uint64_t)info.me_last_pgno + 1) * s->page_bytes > info.me_mapsize / 3 * 2 && store_grow(s, &err) < 0 &&
        !store_is_shared(s)) /* else with the next commit */
        LOG(LEVEL_WARN, "the map does not grow", KS("path", s->path), KS("why", err.text));
}

/* A fault leaves LMDB in the middle of its work, with cursors on a stack that is gone and its lock held. */
static int write_once(struct store *s, store_body body, void *ctx, struct err *err) {
    struct store_fault f;
    if (sigsetjmp(f.back, 0) != 0) {
        s->broken = s->lost = true;
        s->write.active = false;
        s->write.txn = NULL;
        (void)store_faulted(&f, err);
        (void)err_prefix(err, "%s", s->path);
        return E_CORRUPT;
    }
    store_fault_arm(&f);
    int rc = write_body(s, body, ctx, err);
    if (rc == 0)
        keep_room(s);
    store_fault_disarm(&f);
    return rc;
}

int store_write(struct store *s, store_body body, void *ctx, struct err *err) {
    int rc = store_usable(s, err);
    if (rc < 0)
        return rc;
    if (!s->writer || s->write.active || s->read.active)
        return err_set(err, E_INVALID, "%s: %s", s->path,
                       s->writer ? "a transaction is open on this handle" : "opened for reading");
    for (unsigned i = 0; i < STORE_MAP_DOUBLINGS; i++) {
        rc = write_once(s, body, ctx, err);
        if (rc <= 0)
            return rc;
        int dead = 0; /* readers that died may be all that stands in the way */
        if (mdb_reader_check(s->env, &dead) == 0 && dead > 0) {
            s->dead_cleared += (unsigned)dead;
            continue;
        }
        rc = store_grow(s, err);
        if (rc < 0)
            return rc;
    }
    return err_set(err, E_FULL, "%s: the map is full after %d doublings", s->path, STORE_MAP_DOUBLINGS);
}

uint64_t store_last_commit_bytes(const struct store *s) { return s->commit_bytes; }

/* What LMDB said, remembered: MAP_FULL above all else, since store_write acts on it. */
static int said(struct store_txn *t, int mdb) {
    if (mdb == 0)
        return 0;
    if (t->failed != MDB_MAP_FULL)
        t->failed = mdb;
    return store_code(mdb);
}

int store_failed(const struct store_txn *t, int code, struct err *err, const char *what) {
    const char *words = t->failed != 0 && store_code(t->failed) == code ? mdb_strerror(t->failed) : err_name(code);
    return err_set(err, code, "%s: %s: %s", t->store->path, what, words);
}

int store_view(const struct store_txn *t, const MDB_val *from, struct bytes *to) {
    to->at = from->mv_data;
    to->size = from->mv_size;
    if (t->writing || t->low == NULL)
        return 0;
    return to->at < t->low || to->at > t->high || to->size > (size_t)(t->high - to->at) ? E_CORRUPT : 0;
}

static bool usable(const struct store_txn *t, unsigned table) { return t->active && table < t->store->table_count; }

int store_get(struct store_txn *t, unsigned table, struct bytes key, struct bytes *value) {
    if (!usable(t, table))
        return E_INVALID;
    MDB_val k = {key.size, (void *)(uintptr_t)key.at}, v;
    int rc = mdb_get(t->txn, t->store->table[table], &k, &v);
    if (rc == MDB_NOTFOUND)
        return E_NOTFOUND;
    return rc != 0 ? said(t, rc) : store_view(t, &v, value);
}

static int put(struct store_txn *t, unsigned table, struct bytes key, struct bytes value, unsigned flags) {
    if (!usable(t, table) || !t->writing)
        return E_INVALID;
    MDB_val k = {key.size, (void *)(uintptr_t)key.at}, v = {value.size, (void *)(uintptr_t)value.at};
    return said(t, mdb_put(t->txn, t->store->table[table], &k, &v, flags));
}

int store_put(struct store_txn *t, unsigned table, struct bytes key, struct bytes value) {
    return put(t, table, key, value, 0);
}

int store_append(struct store_txn *t, unsigned table, struct bytes key, struct bytes value) {
    return put(t, table, key, value, MDB_APPEND);
}

int store_del(struct store_txn *t, unsigned table, struct bytes key) {
    if (!usable(t, table) || !t->writing)
        return E_INVALID;
    MDB_val k = {key.size, (void *)(uintptr_t)key.at};
    int rc = mdb_del(t->txn, t->store->table[table], &k, NULL);
    return rc == MDB_NOTFOUND ? E_NOTFOUND : said(t, rc);
}

int store_clear(struct store_txn *t, unsigned table) {
    if (!usable(t, table) || !t->writing)
        return E_INVALID;
    return said(t, mdb_drop(t->txn, t->store->table[table], 0));
}

uint64_t store_count(struct store_txn *t, unsigned table) {
    MDB_stat st;
    if (!usable(t, table) || mdb_stat(t->txn, t->store->table[table], &st) != 0)
        return 0;
    return st.ms_entries;
}
