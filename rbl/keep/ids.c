#include "rbl/keep/ids.h"

#include "rbl/keep/impl.h"

/* The data's values by content: open addressing, at most half full. */
struct by_content {
    uint32_t *slot, mask;
};

static int index_values(struct by_content *x, const struct data *d) {
    uint32_t slots = 64;
    while (slots / 2 <= d->value_count)
        slots *= 2;
    x->mask = slots - 1;
    x->slot = calloc(slots, sizeof *x->slot);
    if (x->slot == NULL)
        return E_NOMEM;
    for (uint32_t id = VALUE_FIRST; id < d->value_count; id++) {
        uint32_t at = (uint32_t)value_hash(&d->value[id]) & x->mask;
        while (x->slot[at] != 0)
            at = (at + 1) & x->mask;
        x->slot[at] = id;
    }
    return 0;
}

static uint32_t find_value(const struct by_content *x, const struct data *d, const struct value *v) {
    for (uint32_t at = (uint32_t)value_hash(v) & x->mask; x->slot[at] != 0; at = (at + 1) & x->mask)
        if (value_same(&d->value[x->slot[at]], v))
            return x->slot[at];
    return 0;
}

static inline void count_use(struct uses *uses, unsigned dataset) {
    if (dataset == DATASET_LOCAL)
        uses->local++;
    else
        uses->files++;
}

/* Entries per value of the data; the excluded are nobody's. */
static void count_uses(const struct data *d, struct uses *uses) {
    for (size_t i = 0; i < d->n4; i++)
        count_use(&uses[d->e4[i].value], d->e4[i].dataset);
    for (size_t i = 0; i < d->n6; i++)
        count_use(&uses[d->e6[i].value], d->e6[i].dataset);
    for (size_t i = 0; i < d->nn; i++)
        count_use(&uses[d->en[i].value], d->en[i].dataset);
    uses[VALUE_EXCLUDED] = (struct uses){0, 0};
}
_Static_assert(LIMIT_LOAD_ENTRIES < UINT32_MAX, "uses are counted in 32 bits");

static int damaged(struct err *err) { return err_set(err, E_CORRUPT, "values: a record is damaged"); }

static int read_stored(struct ids *ids, const struct by_content *x, struct store_txn *t, struct err *err) {
    struct store_cursor *c;
    struct bytes key, record;
    struct value v;
    struct uses uses;
    int rc = store_cursor_open(t, TABLE_VALUES, &c);
    if (rc == 0)
        rc = store_cursor_seek(c, (struct bytes){NULL, 0}, &key, &record);
    for (uint32_t last = 0; rc == 0; rc = store_cursor_next(c, &key, &record)) {
        uint32_t id = key.size == 4 ? get_u32(key.at) : 0;
        if (id <= last || id >= ids->end || meta_read_value(record, &uses, &v) < 0) {
            rc = damaged(err);
            break;
        }
        last = id;
        ids->old[id] = uses;
        uint32_t mine = find_value(x, ids->d, &v);
        if (mine == 0)
            continue;
        if (ids->of_data[mine] != 0) {
            rc = damaged(err); /* one content twice */
            break;
        }
        ids->of_data[mine] = id;
        ids->data_of[id] = mine;
    }
    store_cursor_close(c);
    return rc == E_NOTFOUND ? 0 : rc;
}

/* New values fill the gaps that others left, then go on behind the greatest. */
static void assign(struct ids *ids, const struct uses *uses) {
    uint32_t id = 1;
    for (uint32_t mine = VALUE_FIRST; mine < ids->d->value_count; mine++) {
        if (uses_none(uses[mine]))
            continue;
        if (ids->of_data[mine] == 0) {
            while (!uses_none(ids->old[id]))
                id++;
            ids->of_data[mine] = id;
            ids->data_of[id] = mine;
            id++;
        }
        ids->files[ids->of_data[mine]] = uses[mine].files;
        if (ids->local != NULL)
            ids->local[ids->of_data[mine]] = uses[mine].local;
    }
}

static int last_stored(struct store_txn *t, uint32_t *last, struct err *err) {
    struct store_cursor *c;
    struct bytes key, record;
    *last = 0;
    if (t == NULL)
        return 0;
    int rc = store_cursor_open(t, TABLE_VALUES, &c);
    if (rc == 0)
        rc = store_cursor_last(c, &key, &record);
    if (rc == 0 && key.size == 4)
        *last = get_u32(key.at);
    store_cursor_close(c);
    if (rc == 0 && (key.size != 4 || *last > 2u * LIMIT_VALUES))
        return damaged(err);
    return rc == E_NOTFOUND ? 0 : rc;
}

int ids_open(struct ids *ids, const struct data *d, struct store_txn *t, bool whole, struct err *err) {
    struct by_content x = {0};
    struct uses *uses = calloc(d->value_count, sizeof *uses);
    uint32_t last;
    memset(ids, 0, sizeof *ids);
    ids->d = d;
    int rc = last_stored(t, &last, err);
    if (rc < 0)
        goto out;
    ids->end = last + d->value_count + 1;
    ids->of_data = calloc(d->value_count, sizeof *ids->of_data);
    ids->data_of = calloc(ids->end, sizeof *ids->data_of);
    ids->old = calloc(ids->end, sizeof *ids->old);
    ids->files = calloc(ids->end, sizeof *ids->files);
    ids->local = whole ? calloc(ids->end, sizeof *ids->local) : NULL;
    if (uses == NULL || (whole && ids->local == NULL) || ids->of_data == NULL || ids->data_of == NULL ||
        ids->old == NULL || ids->files == NULL || (t != NULL && index_values(&x, d) < 0)) {
        rc = err_set(err, E_NOMEM, "no memory for %u values", d->value_count);
        goto out;
    }
    count_uses(d, uses);
    if (t != NULL)
        rc = read_stored(ids, &x, t, err);
    if (rc == 0)
        assign(ids, uses);
out:
    free(x.slot);
    free(uses);
    if (rc < 0)
        ids_close(ids);
    return rc;
}

void ids_close(struct ids *ids) {
    free(ids->of_data);
    free(ids->data_of);
    free(ids->old);
    free(ids->files);
    free(ids->local);
    memset(ids, 0, sizeof *ids);
}

int ids_value(const struct ids *ids, struct store_txn *t, uint32_t id, struct value *v) {
    uint8_t key[4];
    struct bytes record;
    struct uses uses;
    if (id < ids->end && ids->data_of[id] != 0) {
        value_copy(v, &ids->d->value[ids->data_of[id]]);
        return 0;
    }
    put_u32(key, id);
    int rc = t != NULL ? store_get(t, TABLE_VALUES, (struct bytes){key, sizeof key}, &record) : E_NOTFOUND;
    if (rc == E_NOTFOUND)
        return E_CORRUPT;
    return rc < 0 ? rc : meta_read_value(record, &uses, v);
}
