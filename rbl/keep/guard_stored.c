/* What is stored, read as the guards on space and names want it: the levels of a dataset's prefixes in one order of
 * addresses, and its names. */
#include "rbl/keep/guard.h"
#include "rbl/keep/read.h"

struct levels_read {
    struct read_prefixes at[BUCKET_LEVELS_MAX];
    unsigned count;
};

static int open_levels(struct levels_read *l, struct reader *r, const struct meta *m, enum bucket_kind kind,
                       unsigned dataset) {
    const struct levels *levels = &bucket_levels[kind];
    struct look_dataset ld;
    int rc = 0;
    l->count = 0;
    look_dataset_of(&ld, m->dataset[dataset].type, &m->counts[dataset]);
    for (unsigned i = 0; i < levels->count && rc == 0; i++) {
        if (!(ld.levels[kind] >> i & 1) || levels->at[i].low > 64)
            continue;
        rc = read_prefixes_open(&l->at[l->count], r, kind, dataset, i);
        if (rc < 0)
            break;
        rc = read_prefixes_seek(&l->at[l->count++], 0);
    }
    return rc;
}

/* The one that begins first; the wider of two that begin alike. NULL: no more. */
static struct read_prefixes *lowest(struct levels_read *l) {
    struct read_prefixes *first = NULL;
    for (unsigned i = 0; i < l->count; i++) {
        struct read_prefixes *p = &l->at[i];
        if (!p->held)
            continue;
        if (first == NULL || p->now.addr < first->now.addr ||
            (p->now.addr == first->now.addr && p->now.bits < first->now.bits))
            first = p;
    }
    return first;
}

static int sum_dataset(struct guard_share *g, struct reader *r, const struct meta *m, enum bucket_kind kind,
                       unsigned dataset) {
    struct levels_read l;
    struct read_prefixes *p;
    int rc = open_levels(&l, r, m, kind, dataset);
    while (rc == 0 && (p = lowest(&l)) != NULL) {
        uint64_t addr = (uint64_t)(p->now.addr >> (kind == KIND4 ? 96 : 64));
        guard_share_take(g, addr, p->now.bits, p->now.value != VALUE_EXCLUDED);
        rc = read_prefixes_next(p);
    }
    for (unsigned i = 0; i < l.count; i++)
        read_prefixes_close(&l.at[i]);
    return rc;
}

double guard_share_stored(struct store_txn *t, const struct meta *m, enum bucket_kind kind) {
    struct guard_share *g = NULL;
    struct reader *r;
    int rc = reader_of(&r, t);
    if (rc == 0)
        rc = guard_share_open(&g, kind);
    if (rc < 0 || g == NULL) {
        reader_close(r);
        return rc;
    }
    for (unsigned i = 0; i < m->dataset_count && rc == 0; i++) {
        guard_share_dataset(g);
        if (guard_lists_addresses(m->dataset[i].type))
            rc = sum_dataset(g, r, m, kind, i);
    }
    double share = guard_share_close(g);
    reader_close(r);
    return rc < 0 ? rc : share;
}

int guard_each_name(struct store_txn *t, unsigned dataset,
                    int (*each)(void *ctx, struct bytes name, bool wildcard, bool excluded), void *ctx) {
    struct read_names n;
    struct reader *r;
    int rc = reader_of(&r, t);
    if (rc < 0)
        return rc;
    rc = read_names_open(&n, r, dataset);
    if (rc == 0)
        rc = read_names_seek(&n, (struct bytes){NULL, 0});
    while (rc == 0 && n.held) {
        struct scan s = scan_of(n.record);
        struct name_item i;
        int more = 0;
        while (rc == 0 && (more = name_item_next(&s, &i)) > 0)
            rc = each(ctx, n.name, i.wildcard, i.value == VALUE_EXCLUDED);
        rc = more < 0 ? more : rc;
        if (rc == 0)
            rc = read_names_next(&n);
    }
    read_names_close(&n);
    reader_close(r);
    return rc;
}
