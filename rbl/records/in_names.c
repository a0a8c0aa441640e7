/* Names as DNS has them become entries of a list of names: exact ones and wildcards, with exclusions where a name, or
 * an empty non-terminal, ends the wildcard above. */
#include <stdlib.h>

#include "rbl/model/impl.h"
#include "rbl/records/in_impl.h"
#include "rbl/records/text.h"

struct names_frame {
    uint8_t size; /* of its path */
    struct told_ids says;
};
struct names_fold {
    struct data *d;
    struct names_frame frame[LIMIT_LABELS + 2];
    unsigned frames;
    size_t out;
    struct entry_name *more;
    size_t mores, cap;
};

static int exclude(struct names_fold *x, const uint8_t *name, size_t size, bool wildcard) {
    if (x->mores == x->cap) {
        size_t cap = x->cap == 0 ? 256 : 2 * x->cap;
        struct entry_name *more = realloc(x->more, cap * sizeof *more);
        if (more == NULL)
            return E_NOMEM;
        x->more = more;
        x->cap = cap;
    }
    x->more[x->mores++] = (struct entry_name){
        .name = name, .size = (uint8_t)size, .dataset = DATASET_LOCAL, .wildcard = wildcard, .value = VALUE_EXCLUDED};
    return 0;
}

static struct names_frame *top(struct names_fold *x) { return &x->frame[x->frames - 1]; }

static void push(struct names_fold *x, size_t size, const struct told_ids *says) {
    struct names_frame *f = &x->frame[x->frames++];
    f->size = (uint8_t)size;
    f->says.count = says != NULL ? says->count : 0;
    if (f->says.count > 0)
        memcpy(f->says.id, says->id, f->says.count * sizeof says->id[0]);
}

static bool is_beneath(const struct entry_name *e, const uint8_t *name, size_t size) {
    return e->size >= size && (size == 0 || memcmp(e->name, name, size) == 0);
}

/* Empty non-terminals between the last name above and this one. */
static int pass_between(struct names_fold *x, const uint8_t *name, size_t size, const uint8_t *last) {
    int rc = 0;
    while (x->frames > 1 && (top(x)->size > size || memcmp(last, name, top(x)->size) != 0))
        x->frames--;
    for (size_t at = top(x)->size; at < size && rc == 0;) {
        at += name[at] + 1u;
        if (at >= size || top(x)->says.count == 0)
            break;
        rc = exclude(x, name, at, false);
        if (rc == 0)
            rc = exclude(x, name, at, true);
        push(x, at, NULL);
    }
    return rc;
}

static void keep(struct names_fold *x, const struct entry_name *e, bool wildcard, const struct told_ids *ids) {
    struct entry_name one = *e;
    one.wildcard = wildcard;
    one.value = VALUE_EXCLUDED;
    if (ids->count == 0)
        x->d->en[x->out++] = one;
    for (unsigned i = 0; i < ids->count; i++) {
        one.value = ids->id[i];
        x->d->en[x->out++] = one;
    }
}

/* Of one name: its own values and those of the wildcard beneath it. `given`: entries that it has, room for so many. */
static int fold_name(struct names_fold *x, const struct entry_name *e, const struct told_ids *exact,
                     const struct told_ids *wild, size_t given, bool beneath) {
    struct told_ids above = top(x)->says;
    size_t from = x->out;
    bool again = exact->count > 0 && told_ids_same(exact, &above) && (beneath || !told_ids_same(wild, &above));
    bool there = beneath || (!again && (exact->count > 0 || above.count > 0));
    bool wild_again = wild->count > 0 && told_ids_same(wild, &above) && there;
    int rc = 0;
    if (!again && exact->count > 0)
        keep(x, e, false, exact);
    else if (exact->count == 0 && above.count > 0 && e->size > 0)
        rc = exclude(x, e->name, e->size, false);
    if (!wild_again && wild->count > 0)
        keep(x, e, true, wild);
    else if (wild->count == 0 && above.count > 0 && rc == 0)
        rc = exclude(x, e->name, e->size, true);
    push(x, e->size, wild);
    return rc < 0 ? rc : x->out - from > given ? E_CORRUPT : 0;
}

static int fold_all(struct names_fold *x) {
    struct data *d = x->d;
    const uint8_t *last = NULL;
    int rc = 0;
    push(x, 0, NULL);
    for (size_t i = 0, end; i < d->nn && rc == 0; i = end) {
        struct entry_name e = d->en[i];
        struct told_ids exact = {.count = 0}, wild = {.count = 0};
        for (end = i; end < d->nn && d->en[end].size == e.size && is_beneath(&d->en[end], e.name, e.size); end++)
            if (d->en[end].value != VALUE_EXCLUDED)
                told_ids_add(d->en[end].wildcard ? &wild : &exact, d->en[end].value);
        bool beneath = end < d->nn && is_beneath(&d->en[end], e.name, e.size);
        if (e.size > 0)
            rc = pass_between(x, e.name, e.size, last);
        if (e.size == 0)
            x->frames = 0;
        if (rc == 0 && e.size == 0)
            push(x, 0, NULL);
        if (rc == 0)
            rc = fold_name(x, &e, &exact, &wild, end - i, beneath);
        last = e.name;
    }
    return rc;
}

int records_fold_names(struct data *d) {
    struct names_fold *x = calloc(1, sizeof *x);
    if (x == NULL)
        return E_NOMEM;
    x->d = d;
    int rc = sort_entries_name(d->en, d->nn);
    if (rc == 0)
        rc = fold_all(x);
    if (rc == 0) {
        d->nn = x->out;
        for (size_t i = 0; i < x->mores && rc == 0; i++) {
            struct name n;
            records_name_of_path((struct bytes){x->more[i].name, x->more[i].size}, &n);
            rc = data_add_name(d, DATASET_LOCAL, &n, x->more[i].wildcard, VALUE_EXCLUDED);
        }
    }
    free(x->more);
    free(x);
    return rc;
}
