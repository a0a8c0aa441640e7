/* The rules of rbl/keep/look.h, for all entries that hold a place at once rather than for one question. */
#include "rbl/records/look.h"

void hits_add(struct hits *h, struct hit one) {
    if (h->count < HITS)
        h->hit[h->count++] = one;
}

void hits_drop(struct hits *h, unsigned dataset, bool exclusions_too) {
    unsigned kept = 0;
    for (unsigned i = 0; i < h->count; i++)
        if (h->hit[i].dataset != dataset || (h->hit[i].value == VALUE_EXCLUDED && !exclusions_too))
            h->hit[kept++] = h->hit[i];
    h->count = kept;
}

/* The longest prefix of a dataset counts; of an ip4set the nearest class. Local entries and the local exclusion are
 * weighed apart. */
void hits_prefix(struct hits *h, struct hit one, bool classes) {
    bool local = one.dataset == DATASET_LOCAL, replaces = false;
    for (unsigned i = 0; i < h->count; i++) {
        const struct hit *k = &h->hit[i];
        if (k->dataset != one.dataset || (local && (k->value == VALUE_EXCLUDED) != (one.value == VALUE_EXCLUDED)))
            continue;
        replaces |= classes ? entry_class4(k->specific) != entry_class4(one.specific) : k->specific < one.specific;
    }
    if (replaces && !(local && one.value == VALUE_EXCLUDED))
        hits_drop(h, one.dataset, !local);
    hits_add(h, one);
}

void hits_final(const struct hits *h, struct hits *to) {
    int silenced = LOOK_NOT;
    uint64_t excluded = 0;
    to->count = 0;
    for (unsigned i = 0; i < h->count; i++) {
        const struct hit *k = &h->hit[i];
        if (k->value == VALUE_EXCLUDED && k->dataset == DATASET_LOCAL)
            silenced = k->specific > silenced ? k->specific : silenced;
        else if (k->value == VALUE_EXCLUDED)
            excluded |= UINT64_C(1) << k->dataset;
    }
    for (unsigned i = 0; i < h->count; i++) {
        const struct hit *k = &h->hit[i];
        /* What was added by hand stands beside an exclusion by hand of the same place: that is for the files. */
        int least = k->dataset == DATASET_LOCAL ? silenced : silenced + 1;
        if (k->value != VALUE_EXCLUDED && k->specific >= least && (excluded >> k->dataset & 1) == 0)
            hits_add(to, *k);
    }
}

bool hits_any(const struct hits *h) {
    struct hits final;
    if (h->count == 0)
        return false;
    if (h->count == 1)
        return h->hit[0].value != VALUE_EXCLUDED;
    hits_final(h, &final);
    return final.count > 0;
}
