#include "resolver/store/fault.h"
#include "resolver/store/impl.h"

/* Pages being filled as LMDB fills them when records are appended in order. */
struct filling {
    uint64_t page_bytes, left; /* of the leaf being filled */
    uint64_t leaves, big_pages, key_bytes;
};

enum { HEADER = 16, NODE = 8, POINTER = 2 };

static void fill_one(struct filling *f, size_t key, size_t value) {
    uint64_t most = (((f->page_bytes - HEADER) / 2) & ~(uint64_t)1) - POINTER, node = NODE + key + value;
    if (node > most) {
        f->big_pages += (HEADER + value + f->page_bytes - 1) / f->page_bytes;
        node = NODE + key + sizeof(uint64_t);
    }
    node = ((node + 1) & ~(uint64_t)1) + POINTER;
    if (f->left < node) {
        f->leaves++;
        f->left = f->page_bytes - HEADER;
        f->key_bytes += NODE + POINTER + key;
    }
    f->left -= node;
}

static int fill_table(struct store_txn *t, unsigned table, uint64_t *pages) {
    struct filling f = {.page_bytes = t->store->page_bytes};
    MDB_cursor *c;
    MDB_val k, v;
    int rc = mdb_cursor_open(t->txn, t->store->table[table], &c);
    if (rc != 0)
        return rc;
    while ((rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) == 0)
        fill_one(&f, k.mv_size, v.mv_size);
    mdb_cursor_close(c);
    uint64_t room = f.page_bytes - HEADER, branches = f.leaves > 1 ? f.key_bytes / room + 1 : 0;
    *pages += f.leaves + f.big_pages + branches + branches / 64;
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int weigh(struct store *s, uint64_t *bytes, struct err *err) {
    struct store_txn *t;
    uint64_t pages = 4; /* metas, table of tables, free list */
    int mdb = 0, rc = store_read_begin(s, &t, err);
    *bytes = 0;
    if (rc < 0)
        return rc;
    for (unsigned i = 0; i < s->table_count && mdb == 0; i++)
        mdb = fill_table(t, i, &pages);
    store_read_end(t);
    *bytes = pages * s->page_bytes;
    return mdb != 0 ? store_error(s, mdb, err, "weighing") : 0;
}

int store_weigh(struct store *s, uint64_t *bytes, struct err *err) {
    struct store_fault f;
    if (sigsetjmp(f.back, 0) != 0) {
        s->broken = true;
        store_read_end(&s->read);
        (void)store_faulted(&f, err);
        (void)err_prefix(err, "%s", s->path);
        return E_CORRUPT;
    }
    store_fault_arm(&f);
    int rc = weigh(s, bytes, err);
    store_fault_disarm(&f);
    return rc;
}
