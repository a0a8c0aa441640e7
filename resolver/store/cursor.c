#include "resolver/store/impl.h"

static struct store_cursor *find_slot(struct store *s, const struct store_txn *t, unsigned table) {
    struct store_cursor *empty = NULL;
    for (unsigned i = 0; i < STORE_CURSORS; i++) {
        struct store_cursor *c = &s->cursor[i];
        if (c->txn != NULL)
            continue;
        if (c->at == NULL)
            empty = empty != NULL ? empty : c;
        else if (!t->writing && c->table == table)
            return c;
    }
    return empty;
}

int store_cursor_open(struct store_txn *t, unsigned table, struct store_cursor **out) {
    *out = NULL;
    struct store *s = t->store;
    if (!t->active || table >= s->table_count)
        return E_INVALID;
    struct store_cursor *c = find_slot(s, t, table);
    if (c == NULL)
        return E_FULL;
    int rc = c->at != NULL ? mdb_cursor_renew(t->txn, c->at) : mdb_cursor_open(t->txn, s->table[table], &c->at);
    if (rc != 0) {
        if (t->failed != MDB_MAP_FULL)
            t->failed = rc;
        return store_code(rc);
    }
    c->txn = t;
    c->table = table;
    *out = c;
    return 0;
}

/* A reader's cursor stays for the next transaction; a writer's ends with its own. */
void store_cursor_close(struct store_cursor *c) {
    if (c == NULL || c->txn == NULL)
        return;
    if (c->txn->writing) {
        mdb_cursor_close(c->at);
        c->at = NULL;
    }
    c->txn = NULL;
}

void store_cursors_end(struct store_txn *t) {
    for (unsigned i = 0; i < STORE_CURSORS; i++)
        if (t->store->cursor[i].txn == t)
            store_cursor_close(&t->store->cursor[i]);
}

static int move(struct store_cursor *c, MDB_val *k, MDB_cursor_op op, struct bytes *key, struct bytes *value) {
    MDB_val v = {0, NULL};
    struct store_txn *t = c->txn;
    if (t == NULL || !t->active)
        return E_INVALID;
    int rc = mdb_cursor_get(c->at, k, &v, op);
    if (rc == MDB_NOTFOUND)
        return E_NOTFOUND;
    if (rc != 0) {
        if (t->failed != MDB_MAP_FULL)
            t->failed = rc;
        return store_code(rc);
    }
    rc = store_view(t, k, key);
    return rc < 0 ? rc : store_view(t, &v, value);
}

int store_cursor_seek(struct store_cursor *c, struct bytes from, struct bytes *key, struct bytes *value) {
    MDB_val k = {from.size, (void *)(uintptr_t)from.at};
    return move(c, &k, from.size == 0 ? MDB_FIRST : MDB_SET_RANGE, key, value);
}

int store_cursor_next(struct store_cursor *c, struct bytes *key, struct bytes *value) {
    MDB_val k = {0, NULL};
    return move(c, &k, MDB_NEXT, key, value);
}

int store_cursor_last(struct store_cursor *c, struct bytes *key, struct bytes *value) {
    MDB_val k = {0, NULL};
    return move(c, &k, MDB_LAST, key, value);
}

static int changed(struct store_txn *t, int rc) {
    if (rc != 0 && t->failed != MDB_MAP_FULL)
        t->failed = rc;
    return store_code(rc);
}

/* The key is copied: LMDB moves the node about while it still reads the key it was given. */
int store_cursor_put(struct store_cursor *c, struct bytes value) {
    uint8_t key[STORE_KEY_MAX];
    MDB_val k, v;
    if (c->txn == NULL || !c->txn->active || !c->txn->writing)
        return E_INVALID;
    int rc = mdb_cursor_get(c->at, &k, &v, MDB_GET_CURRENT);
    if (rc == 0 && k.mv_size > sizeof key)
        rc = MDB_CORRUPTED;
    if (rc == 0) {
        memcpy(key, k.mv_data, k.mv_size);
        k.mv_data = key;
        v = (MDB_val){value.size, (void *)(uintptr_t)value.at};
        rc = mdb_cursor_put(c->at, &k, &v, MDB_CURRENT);
    }
    return changed(c->txn, rc);
}

int store_cursor_del(struct store_cursor *c) {
    if (c->txn == NULL || !c->txn->active || !c->txn->writing)
        return E_INVALID;
    return changed(c->txn, mdb_cursor_del(c->at, 0));
}
