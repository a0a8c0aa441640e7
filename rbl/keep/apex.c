#include "rbl/keep/edit_impl.h"
#include "rbl/keep/impl.h"
#include "rbl/keep/meta.h"
#include "rbl/keep/walk.h"

const struct view_apex *keep_apex(const struct keep *k, const struct dataset **dataset, unsigned *count) {
    *dataset = k->meta != NULL ? k->meta->dataset : NULL;
    *count = k->meta != NULL ? k->meta->dataset_count : 0;
    return k->meta != NULL ? &k->meta->apex : NULL;
}

int keep_batch_set_apex(struct keep_batch *b, const struct view_apex *apex) {
    if (apex->ns_count > META_NS_MAX)
        return E_RANGE;
    if (b->apex == NULL)
        b->apex = malloc(sizeof *b->apex);
    if (b->apex == NULL)
        return E_NOMEM;
    *b->apex = *apex;
    return 0;
}

const struct view_apex *keep_batch_apex(const struct keep_batch *b) {
    return b->k->meta != NULL ? &b->k->meta->apex : NULL;
}
