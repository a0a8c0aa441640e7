/* One look into names: the cursors of all its datasets merged by name, and on the way down what wildcards say. */
#include <stdlib.h>

#include "rbl/records/look.h"

struct run {
    struct read_names stored;
    uint8_t dataset;
};
struct names {
    struct look look;
    struct run *run;
    unsigned runs;
    size_t over_at; /* the next one of the overlay */
    struct look_at at;
    struct hits exact;
    /* What wildcards say by labels, and which row counts where. */
    struct hits *wild;
    uint8_t wild_of[LIMIT_LABELS + 2];
    uint8_t depth; /* rows that hold: of the place at hand and above */
};
static const struct hits none;

const struct hits *look_names_exact(const struct look *l) {
    const struct names *n = (const struct names *)l;
    return n->at.inside ? &n->exact : &none;
}

const struct hits *look_names_wild(const struct look *l) {
    const struct names *n = (const struct names *)l;
    return n->at.inside ? &n->wild[n->wild_of[n->at.labels]] : &none;
}

/* --- the overlay --- */

static bool over_is(const struct over_name *o, struct bytes name) {
    return o->size == name.size && memcmp(o->name, name.at, name.size) == 0;
}

static size_t over_lower(const struct over *o, struct bytes name) {
    size_t low = 0, high = o->names;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (path_compare((struct bytes){o->name[mid].name, o->name[mid].size}, name) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Whether a stored item was not there yet: 1, 0 or an error. */
static int hidden(const struct names *n, unsigned dataset, struct bytes name, const struct name_item *i) {
    const struct over *o = n->look.z->over;
    for (size_t k = o != NULL ? over_lower(o, name) : 0; o != NULL && k < o->names && over_is(&o->name[k], name); k++) {
        const struct over_name *x = &o->name[k];
        if (!x->gone || x->dataset != dataset || x->wildcard != i->wildcard)
            continue;
        if (x->value == VALUE_EXCLUDED || i->value == VALUE_EXCLUDED) {
            if (x->value == i->value)
                return 1;
            continue;
        }
        const struct value *v;
        int rc = zone_value(n->look.z, i->value, &v);
        if (rc < 0)
            return rc;
        if (value_same(v, o->value[x->value - OVER_VALUE]))
            return 1;
    }
    return 0;
}

/* --- what is there --- */

/* An entry over what wildcards above say: of its dataset it is the most specific so far. */
static void overlay(struct hits *to, uint64_t *done, struct hit one) {
    bool local = one.dataset == DATASET_LOCAL;
    if ((*done >> one.dataset & 1) == 0 && !(local && one.value == VALUE_EXCLUDED)) {
        hits_drop(to, one.dataset, !local);
        *done |= UINT64_C(1) << one.dataset;
    }
    hits_add(to, one);
}

struct here {
    uint64_t exact_done, wild_done;
    bool wild; /* a row of its own is in use */
};

static void take(struct names *n, struct here *h, unsigned dataset, bool wildcard, uint32_t value) {
    unsigned labels = n->at.labels;
    if (!wildcard) {
        overlay(&n->exact, &h->exact_done, (struct hit){value, (uint8_t)dataset, HIT_EXACT});
        return;
    }
    if (!h->wild) {
        h->wild = true;
        if (labels > 0)
            hits_copy(&n->wild[labels], &n->wild[n->wild_of[labels - 1]]);
        else
            n->wild[0].count = 0;
        n->wild_of[labels] = (uint8_t)labels;
    }
    overlay(&n->wild[labels], &h->wild_done, (struct hit){value, (uint8_t)dataset, (uint8_t)labels});
}

static int take_record(struct names *n, struct here *h, const struct run *r) {
    struct scan s = scan_of(r->stored.record);
    struct name_item i;
    int rc;
    while ((rc = name_item_next(&s, &i)) > 0) {
        rc = hidden(n, r->dataset, r->stored.name, &i);
        if (rc < 0)
            return rc;
        if (rc == 0)
            take(n, h, r->dataset, i.wildcard, i.value);
    }
    return rc;
}

static bool over_counts(const struct names *n, const struct over_name *o) {
    return !o->gone && (n->look.which >> o->dataset & 1) != 0;
}

/* Whether the record under the cursor has something that is to be seen. */
static int any_seen(const struct names *n, const struct run *r) {
    struct scan s = scan_of(r->stored.record);
    struct name_item i;
    int rc;
    if (n->look.z->over == NULL)
        return 1;
    while ((rc = name_item_next(&s, &i)) > 0) {
        rc = hidden(n, r->dataset, r->stored.name, &i);
        if (rc <= 0)
            return rc < 0 ? rc : 1;
    }
    return rc;
}

static int skip_hidden(struct names *n, struct run *r) {
    int rc = 0;
    while (r->stored.held && (rc = any_seen(n, r)) == 0)
        if ((rc = read_names_next(&r->stored)) < 0)
            return rc;
    return rc < 0 ? rc : 0;
}

static void find_next(struct names *n) {
    struct look *l = &n->look;
    struct bytes best = {NULL, 0};
    const struct over *o = l->z->over;
    l->has = false;
    for (unsigned i = 0; i < n->runs; i++) {
        const struct read_names *r = &n->run[i].stored;
        if (r->held && (!l->has || path_compare(r->name, best) < 0)) {
            best = r->name;
            l->has = true;
        }
    }
    while (o != NULL && n->over_at < o->names && !over_counts(n, &o->name[n->over_at]))
        n->over_at++;
    if (o != NULL && n->over_at < o->names) {
        struct bytes name = {o->name[n->over_at].name, o->name[n->over_at].size};
        if (!l->has || path_compare(name, best) < 0)
            best = name;
        l->has = true;
    }
    if (!l->has || l->sub_size + best.size >= PATH_MAX_SIZE) {
        l->has = false;
        return;
    }
    memcpy(l->next, l->sub, l->sub_size);
    if (best.size > 0)
        memcpy(l->next + l->sub_size, best.at, best.size);
    l->next_size = (uint8_t)(l->sub_size + best.size);
}

static int visit(struct look *l, const struct look_at *at, struct bytes path) {
    struct names *n = (struct names *)l;
    struct here h = {0};
    n->at = *at;
    if (!at->inside)
        return 0;
    struct bytes name = {path.at + l->sub_size, path.size - l->sub_size};
    if (at->labels > 0) {
        n->wild_of[at->labels] = n->wild_of[at->labels - 1];
        hits_copy(&n->exact, &n->wild[n->wild_of[at->labels]]);
    } else {
        n->wild_of[0] = 0;
        n->wild[0].count = n->exact.count = 0;
    }
    if (!l->has || l->next_size != path.size || memcmp(l->next, path.at, path.size) != 0)
        return 0;
    for (unsigned i = 0; i < n->runs; i++) {
        struct run *r = &n->run[i];
        if (!r->stored.held || r->stored.name.size != name.size ||
            (name.size > 0 && memcmp(r->stored.name.at, name.at, name.size) != 0))
            continue;
        int rc = take_record(n, &h, r);
        if (rc == 0)
            rc = read_names_next(&r->stored);
        if (rc == 0)
            rc = skip_hidden(n, r);
        if (rc < 0)
            return rc;
    }
    const struct over *o = l->z->over;
    for (; o != NULL && n->over_at < o->names && over_is(&o->name[n->over_at], name); n->over_at++)
        if (over_counts(n, &o->name[n->over_at]))
            take(n, &h, o->name[n->over_at].dataset, o->name[n->over_at].wildcard, o->name[n->over_at].value);
    find_next(n);
    return 0;
}

/* What wildcards above say stands in the rows: they were visited. */
static int seek(struct look *l, const struct look_at *at, struct bytes path) {
    struct names *n = (struct names *)l;
    bool above = path.size <= l->sub_size && memcmp(l->sub, path.at, path.size) == 0;
    struct bytes from = {path.at, 0};
    int rc = 0;
    l->has = false;
    n->at.inside = false;
    if (!at->inside && !above)
        return 0;
    if (at->inside)
        from = (struct bytes){path.at + l->sub_size, path.size - l->sub_size};
    for (unsigned i = 0; i < n->runs && rc == 0; i++) {
        rc = read_names_seek(&n->run[i].stored, from);
        if (rc == 0)
            rc = skip_hidden(n, &n->run[i]);
    }
    n->over_at = l->z->over != NULL ? over_lower(l->z->over, from) : 0;
    if (rc == 0)
        find_next(n);
    return rc;
}

static void close(struct look *l) {
    struct names *n = (struct names *)l;
    for (unsigned i = 0; i < n->runs; i++)
        read_names_close(&n->run[i].stored);
    free(n->run);
    free(n->wild);
    free(n);
}

static const struct look_ops ops = {visit, seek, close};

int look_open_names(struct look **out, struct zone_read *z, const struct name *sub, uint64_t which) {
    struct names *n = calloc(1, sizeof *n);
    *out = n != NULL ? &n->look : NULL;
    if (n == NULL)
        return E_NOMEM;
    n->look.ops = &ops;
    n->look.z = z;
    n->look.kind = KEEP_NAME;
    n->look.which = which;
    n->look.sub_size = (uint8_t)path_of(n->look.sub, sub);
    n->look.sub_labels = sub->labels;
    n->run = calloc(LIMIT_DATASETS, sizeof *n->run);
    n->wild = malloc((LIMIT_LABELS + 2) * sizeof *n->wild);
    if (n->run == NULL || n->wild == NULL)
        return E_NOMEM;
    for (unsigned i = 0; i < LIMIT_DATASETS; i++) {
        struct look_dataset ld;
        look_dataset_of(&ld, DATASET_DNSET, &z->m->counts[i]);
        if ((which >> i & 1) == 0 || !ld.has_names)
            continue;
        n->run[n->runs].dataset = (uint8_t)i;
        int rc = read_names_open(&n->run[n->runs].stored, z->r, i);
        if (rc < 0)
            return rc;
        n->runs++;
    }
    return 0;
}
