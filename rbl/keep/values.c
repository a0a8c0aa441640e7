#include "rbl/keep/values.h"

enum { VALUES_GONE = UINT32_MAX >> 1, VALUES_SLOTS = 64, VALUES_IDS = 1024 };
_Static_assert(VALUES_GONE > 2u * LIMIT_VALUES, "no id");

void values_free(struct values *x) {
    if (x == NULL)
        return;
    free(x->slot);
    free(x->used);
    free(x);
}

static bool used(const struct values *x, uint32_t id) { return id < x->ids && x->used[id >> 6] >> (id & 63) & 1; }

static int mark(struct values *x, uint32_t id) {
    if (id >= x->ids) {
        uint32_t ids = x->ids == 0 ? VALUES_IDS : x->ids;
        while (ids <= id)
            ids *= 2;
        uint64_t *p = realloc(x->used, ids / 8);
        if (p == NULL)
            return E_NOMEM;
        memset((uint8_t *)p + x->ids / 8, 0, (ids - x->ids) / 8);
        x->used = p;
        x->ids = ids;
    }
    x->used[id >> 6] |= UINT64_C(1) << (id & 63);
    return 0;
}

static void place(struct values *x, struct values_slot s) {
    uint32_t at = s.hash & (x->slots - 1);
    while (x->slot[at].id != 0)
        at = (at + 1) & (x->slots - 1);
    x->slot[at] = s;
    x->filled++;
}

/* At most half full, gone ones included, so that a search always ends. */
static int grow(struct values *x) {
    if (x->slots / 2 > x->filled)
        return 0;
    struct values_slot *old = x->slot;
    uint32_t slots = x->slots, wanted = VALUES_SLOTS;
    while (wanted / 4 <= x->filled)
        wanted *= 2;
    x->slot = calloc(wanted, sizeof *x->slot);
    if (x->slot == NULL) {
        x->slot = old;
        return E_NOMEM;
    }
    x->slots = wanted;
    x->filled = 0;
    for (uint32_t i = 0; i < slots; i++)
        if (old[i].id != 0 && old[i].id != VALUES_GONE)
            place(x, old[i]);
    free(old);
    return 0;
}

int values_add(struct values *x, const struct value *v, uint32_t id) {
    int rc = grow(x);
    if (rc == 0)
        rc = mark(x, id);
    if (rc == 0)
        place(x, (struct values_slot){(uint32_t)value_hash(v), id});
    return rc;
}

void values_remove(struct values *x, const struct value *v, uint32_t id) {
    uint32_t hash = (uint32_t)value_hash(v);
    for (uint32_t at = hash & (x->slots - 1); x->slot[at].id != 0; at = (at + 1) & (x->slots - 1))
        if (x->slot[at].id == id) {
            x->slot[at].id = VALUES_GONE;
            break;
        }
    if (used(x, id))
        x->used[id >> 6] &= ~(UINT64_C(1) << (id & 63));
    x->first_free = id < x->first_free ? id : x->first_free;
}

int values_find(const struct values *x, struct store_txn *t, const struct value *v, uint32_t *id) {
    uint32_t hash = (uint32_t)value_hash(v);
    for (uint32_t at = hash & (x->slots - 1); x->slot[at].id != 0; at = (at + 1) & (x->slots - 1)) {
        uint8_t key[4];
        struct bytes record;
        struct value one;
        struct uses uses;
        if (x->slot[at].hash != hash || x->slot[at].id == VALUES_GONE)
            continue;
        put_u32(key, x->slot[at].id);
        int rc = store_get(t, TABLE_VALUES, (struct bytes){key, sizeof key}, &record);
        if (rc == 0)
            rc = meta_read_value(record, &uses, &one);
        if (rc < 0)
            return rc == E_NOTFOUND ? E_CORRUPT : rc;
        *id = x->slot[at].id;
        if (value_same(&one, v))
            return 0;
    }
    return E_NOTFOUND;
}

int values_new_id(struct values *x, uint32_t *from, uint32_t *id) {
    uint32_t at = *from > x->first_free ? *from : x->first_free;
    at = at > 0 ? at : 1;
    while (used(x, at))
        at++;
    if (at > 2u * LIMIT_VALUES)
        return E_FULL;
    if (*from <= x->first_free)
        x->first_free = at;
    *from = at + 1;
    *id = at;
    return 0;
}

static int read_all(struct values *x, struct store_txn *t, bool once) {
    struct store_cursor *c;
    struct bytes key, record;
    int rc = store_cursor_open(t, TABLE_VALUES, &c);
    if (rc < 0)
        return rc;
    rc = store_cursor_seek(c, (struct bytes){NULL, 0}, &key, &record);
    for (uint32_t last = 0; rc == 0;) {
        struct value v;
        struct uses uses;
        uint32_t id = key.size == 4 ? get_u32(key.at) : 0;
        rc = id > last && id <= 2u * LIMIT_VALUES ? meta_read_value(record, &uses, &v) : E_CORRUPT;
        if (rc == 0 && once) {
            uint32_t other;
            rc = values_find(x, t, &v, &other);
            rc = rc == E_NOTFOUND ? 0 : rc == 0 ? E_CORRUPT : rc;
        }
        if (rc == 0)
            rc = values_add(x, &v, id);
        last = id;
        if (rc == 0)
            rc = store_cursor_next(c, &key, &record);
    }
    store_cursor_close(c);
    return rc == E_NOTFOUND ? 0 : rc;
}

int values_once(struct store_txn *t) {
    struct values *x = calloc(1, sizeof *x);
    int rc = x != NULL ? grow(x) : E_NOMEM;
    if (rc == 0)
        rc = read_all(x, t, true);
    values_free(x);
    return rc;
}

int values_ready(struct keep *k, struct store_txn *t, struct err *err) {
    uint64_t commits = k->meta != NULL ? k->meta->commits : 0;
    if (k->values != NULL && k->values->commits == commits && strcmp(k->values->generation, k->generation) == 0)
        return 0;
    values_free(k->values);
    k->values = calloc(1, sizeof *k->values);
    int rc = k->values != NULL ? grow(k->values) : E_NOMEM;
    if (rc == 0 && t != NULL)
        rc = read_all(k->values, t, false);
    if (rc == 0) {
        k->values->commits = commits;
        text_copy(k->values->generation, sizeof k->values->generation, k->generation);
        return 0;
    }
    values_free(k->values);
    k->values = NULL;
    return err_set(err, rc, "values: %s", err_name(rc));
}
