#include "rbl/keep/impl.h"

uint64_t keep_local_entries(const struct keep *k) {
    uint64_t sum = 0;
    if (k->meta == NULL)
        return 0;
    const struct counts *c = &k->meta->counts[DATASET_LOCAL];
    for (unsigned kind = 0; kind < COUNT_KINDS; kind++)
        for (unsigned length = 0; length < COUNT_LENGTHS; length++)
            sum += c->n[kind][length];
    return sum;
}
