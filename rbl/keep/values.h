/* Values by content, for batches: which id a value has in the store, and which ids are free, without reading the table
 * `values` for every commit. Built when it is first wanted, kept up with by batches, made anew after anything else. */
#ifndef CANDOR_KEEP_VALUES_H
#define CANDOR_KEEP_VALUES_H

#include "rbl/keep/impl.h"

struct values_slot {
    uint32_t hash, id; /* id 0: free; VALUES_GONE: was in use */
};
struct values {
    uint64_t commits; /* of the zone and generation that it is true of */
    char generation[32];
    struct values_slot *slot;
    uint32_t slots, filled; /* a power of two; slots that are not free */
    uint64_t *used;         /* bit per id */
    uint32_t ids, first_free;
};

/* Makes k->values true of what is stored; `t` NULL: nothing is. */
int values_ready(struct keep *k, struct store_txn *t, struct err *err) MUST_USE;
void values_free(struct values *x);
/* The id of an equal value: E_NOTFOUND. */
int values_find(const struct values *x, struct store_txn *t, const struct value *v, uint32_t *id) MUST_USE;
/* The smallest free id from *from on; *from goes behind it. */
int values_new_id(struct values *x, uint32_t *from, uint32_t *id) MUST_USE;
/* Whether each content stands there once: E_CORRUPT. */
int values_once(struct store_txn *t) MUST_USE;
/* After a commit. E_NOMEM: k->values is to be made anew. */
int values_add(struct values *x, const struct value *v, uint32_t id) MUST_USE;
void values_remove(struct values *x, const struct value *v, uint32_t id);

#endif
