/* Value ids. The store has its own, dense and reused; the data's are mapped to them by content at each commit. */
#ifndef CANDOR_KEEP_IDS_H
#define CANDOR_KEEP_IDS_H

#include "rbl/keep/meta.h"
#include "resolver/store/env.h"

struct ids {
    const struct data *d;
    uint32_t *of_data; /* [d->value_count]: the store's id; 0 for VALUE_EXCLUDED and for values without entries */
    uint32_t *data_of; /* [end]: the data's id, 0: the store's alone */
    struct uses *old;  /* [end]: as stored; none: not stored */
    uint32_t *files;   /* [end]: uses by the data's entries */
    uint32_t *local;   /* [end]: likewise by those of DATASET_LOCAL; NULL: what is stored stays */
    uint32_t end;      /* one more than the greatest id */
};

/* Reads the table `values` (t NULL: a fresh generation, nothing stored) and gives every value of `d` that has entries
 * an id: that of the equal stored value, else the smallest free one. `whole`: the local entries are the data's too. */
int ids_open(struct ids *ids, const struct data *d, struct store_txn *t, bool whole, struct err *err) MUST_USE;
void ids_close(struct ids *ids);

/* Uses after the data became the files' entries; the local ones stay unless they are the data's. */
static inline struct uses ids_uses(const struct ids *ids, uint32_t id) {
    return (struct uses){.local = ids->local != NULL ? ids->local[id] : ids->old[id].local, .files = ids->files[id]};
}

/* The content behind a store's id, from the data or from the table. */
int ids_value(const struct ids *ids, struct store_txn *t, uint32_t id, struct value *v) MUST_USE;

#endif
