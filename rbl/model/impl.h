/* Inside of rbl/model: shared by data.c, value.c, sort.c and settle.c. */
#ifndef CANDOR_RBL_MODEL_IMPL_H
#define CANDOR_RBL_MODEL_IMPL_H

#include "rbl/model/data.h"

/* Finds equal values, and packs names without the arena's alignment. */
struct data_value_index {
    uint32_t *slot; /* value ids, 0: free; open addressing */
    uint32_t slots; /* a power of two */
    uint8_t *chunk; /* rest of the block that names are cut from */
    size_t chunk_left;
};

/* Bytes kept for the length of `d`, not aligned; NULL: no memory. */
uint8_t *data_pack(struct data *d, const uint8_t *bytes, size_t size);

/* Stable sorts by (dataset, address, bits) and (dataset, name, wildcard): what came first stays first among equals. */
int sort_entries4(struct entry4 *e, size_t n) MUST_USE;
int sort_entries6(struct entry6 *e, size_t n) MUST_USE;
int sort_entries_name(struct entry_name *e, size_t n) MUST_USE;

#endif
