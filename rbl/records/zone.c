/* A zone opened for walking: its looks. */
#include <stdlib.h>

#include "rbl/records/look.h"

int zone_value(struct zone_read *z, uint32_t id, const struct value **v) {
    if (id < OVER_VALUE)
        return reader_value(z->r, id, v);
    *v = z->over->value[id - OVER_VALUE];
    return 0;
}

bool zone_classes(const struct zone_read *z, unsigned dataset) {
    if (dataset >= z->m->dataset_count)
        return false;
    enum conf_dataset_type type = z->m->dataset[dataset].type;
    return type == DATASET_IP4SET || type == DATASET_IP4TSET;
}

/* Whether any of these datasets has something of the kind, or had. */
static bool has_kind(const struct zone_read *z, uint64_t which, unsigned kind) {
    const struct over *o = z->over;
    if (o != NULL && (kind == KEEP_NAME ? o->names : o->items[kind == KEEP_6]) > 0)
        return true;
    for (unsigned i = 0; i < LIMIT_DATASETS; i++) {
        struct look_dataset ld;
        if ((which >> i & 1) == 0)
            continue;
        look_dataset_of(&ld, DATASET_IP4TRIE, &z->m->counts[i]);
        if (kind == KEEP_NAME ? ld.has_names : ld.levels[kind == KEEP_6] != 0)
            return true;
    }
    return false;
}

static int open_looks(struct zone_read *z, const struct name *sub, uint64_t which) {
    for (unsigned kind = KEEP_4; kind <= KEEP_NAME; kind++) {
        struct look **to = &z->look[z->looks];
        if (!has_kind(z, which, kind))
            continue;
        if (z->looks == ARRAY_SIZE(z->look))
            return E_FULL;
        int rc = kind == KEEP_NAME ? look_open_names(to, z, sub, which)
                                   : look_open_prefixes(to, z, kind == KEEP_4 ? KIND4 : KIND6, sub, which);
        z->looks += *to != NULL;
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Datasets of the files that are attached at this subzone; the root: those that are attached nowhere else, too. */
uint64_t zone_attached(const struct meta *m, const struct name *sub) {
    uint64_t which = 0;
    for (unsigned i = 0; i < m->dataset_count; i++) {
        const struct dataset *d = &m->dataset[i];
        bool here = d->sub_count == 0 && sub->labels == 0;
        for (unsigned s = 0; s < d->sub_count; s++)
            here |= name_equal(&d->sub[s], sub);
        if (here && d->type != DATASET_ACL)
            which |= UINT64_C(1) << i;
    }
    return which;
}

static bool seen_before(const struct meta *m, unsigned dataset, unsigned sub) {
    const struct name *n = &m->dataset[dataset].sub[sub];
    for (unsigned i = 0; i <= dataset; i++)
        for (unsigned s = 0; s < (i < dataset ? m->dataset[i].sub_count : sub); s++)
            if (name_equal(&m->dataset[i].sub[s], n))
                return true;
    return false;
}

static int open_guarded(void *ctx, struct err *err) {
    struct zone_read *z = ctx;
    const struct name root = {.size = 1};
    int rc = open_looks(z, &root, zone_attached(z->m, &root) | UINT64_C(1) << DATASET_LOCAL);
    for (unsigned i = 0; i < z->m->dataset_count && rc == 0; i++)
        for (unsigned s = 0; s < z->m->dataset[i].sub_count && rc == 0; s++) {
            const struct name *sub = &z->m->dataset[i].sub[s];
            z->subs = true;
            if (sub->labels > 0 && !seen_before(z->m, i, s))
                rc = open_looks(z, sub, zone_attached(z->m, sub));
        }
    return rc < 0 ? err_set(err, rc, "no way into the zone: %s", err_name(rc)) : 0;
}

int zone_read_open(struct zone_read *z, struct reader *r, const struct over *over, struct err *err) {
    *z = (struct zone_read){.r = r, .m = reader_meta(r), .over = over};
    int rc = reader_guarded(r, open_guarded, z, err);
    if (rc < 0)
        zone_read_close(z);
    return rc;
}

void zone_read_close(struct zone_read *z) {
    for (unsigned i = 0; i < z->looks; i++)
        z->look[i]->ops->close(z->look[i]);
    z->looks = 0;
}
