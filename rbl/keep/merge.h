/* A stored record with some of its entries taken out and others put in. */
#ifndef CANDOR_KEEP_MERGE_H
#define CANDOR_KEEP_MERGE_H

#include "rbl/keep/diff.h"

struct merge {
    struct items changed; /* what was there goes, what was not comes; in any order, each once */
    int64_t more;         /* by how many entries the record grows */
    struct items old, fresh;
};
void merge_free(struct merge *m);
/* An entry as an item of its record; names (lv NULL): `bits` 0 for a wildcard, so that exact ones stand first. */
struct item merge_item(const struct level *lv, const uint8_t *addr, unsigned bits, uint32_t value);
/* The new record, or its end, to the writes. `t` NULL: nothing is stored. E_CORRUPT: it does not come to `more`, or is
 * damaged. */
int merge_record(struct merge *m, struct store_txn *t, unsigned table, struct bytes key, const struct level *lv,
                 struct buf *record, struct buf *writes) MUST_USE;

#endif
