#include <stdio.h>

#include "resolver/store/fault.h"
#include "resolver/store/impl.h"
#include "resolver/store/pages.h"

struct readers {
    struct store_stat *stat;
    bool any;
    uint64_t oldest;
};

/* One line of LMDB's reader table: pid, thread, transaction number or "-". */
static int on_reader(const char *line, void *ctx) {
    struct readers *r = ctx;
    int pid;
    unsigned long long thread, txn;
    int fields = sscanf(line, "%d %llx %llu", &pid, &thread, &txn);
    if (fields >= 2)
        r->stat->readers++;
    if (fields == 3 && (!r->any || txn < r->oldest)) {
        r->any = true;
        r->oldest = txn;
        r->stat->oldest_reader_pid = pid;
    }
    return 0;
}

/* Pages in LMDB's free list: each record begins with how many it holds. */
static int count_free(struct store *s, uint64_t *pages, struct err *err) {
    struct store_txn *t;
    MDB_cursor *c;
    MDB_val k, v;
    int rc = store_read_begin(s, &t, err);
    if (rc < 0)
        return rc;
    rc = mdb_cursor_open(t->txn, 0, &c);
    if (rc == 0) {
        while ((rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) == 0) {
            size_t n;
            if (v.mv_size < sizeof n)
                continue;
            memcpy(&n, v.mv_data, sizeof n);
            *pages += n;
        }
        mdb_cursor_close(c);
    }
    store_read_end(t);
    return rc == MDB_NOTFOUND ? 0 : store_error(s, rc, err, "free list");
}

static int stat_all(struct store *s, struct store_stat *st, struct err *err) {
    MDB_envinfo info;
    int dead = 0;
    memset(st, 0, sizeof *st);
    int rc = store_usable(s, err);
    if (rc < 0)
        return rc;
    int mdb = mdb_reader_check(s->env, &dead);
    if (mdb == 0)
        mdb = mdb_env_info(s->env, &info);
    if (mdb != 0)
        return store_error(s, mdb, err, "stat");
    st->stale_cleared = s->dead_cleared + (unsigned)dead;
    s->dead_cleared = 0;
    st->map_bytes = info.me_mapsize;
    st->used_bytes = ((uint64_t)info.me_last_pgno + 1) * s->page_bytes;
    st->last_txn = info.me_last_txnid;
    st->readers_max = info.me_maxreaders;
    struct readers r = {.stat = st};
    mdb = mdb_reader_list(s->env, on_reader, &r);
    if (mdb < 0)
        return store_error(s, mdb, err, "readers");
    st->oldest_reader_txns = r.any && r.oldest < st->last_txn ? st->last_txn - r.oldest : 0;
    return count_free(s, &st->free_pages, err);
}

int store_stat(struct store *s, struct store_stat *st, struct err *err) {
    struct store_fault f;
    if (sigsetjmp(f.back, 0) != 0) {
        s->broken = true;
        store_read_end(&s->read);
        (void)store_faulted(&f, err);
        (void)err_prefix(err, "%s", s->path);
        return E_CORRUPT;
    }
    store_fault_arm(&f);
    int rc = stat_all(s, st, err);
    store_fault_disarm(&f);
    return rc;
}

int store_check(struct store *s, struct err *err) {
    int rc = store_usable(s, err);
    if (rc == 0)
        rc = pages_check(s->path, err);
    return rc == E_NOTFOUND ? err_set(err, E_CORRUPT, "%s/data.mdb: is gone, or empty", s->path) : rc;
}
