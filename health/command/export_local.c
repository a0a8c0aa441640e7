#include <stdlib.h>
#include <string.h>

#include "health/command/export.h"

enum { LOCALS_FIRST = 1024 };

struct reading {
    struct locals *l;
    struct err *err;
};

static int put(struct locals *l, const struct keep_entry *e) {
    char entry[ZONE_ENTRY_MAX], value[VALUE_TEXT_MAX];
    if (l->count == l->cap) {
        size_t cap = l->cap > 0 ? 2 * l->cap : LOCALS_FIRST;
        struct local *more = realloc(l->at, cap * sizeof *more);
        if (more == NULL)
            return E_NOMEM;
        l->at = more;
        l->cap = cap;
    }
    struct local *o = &l->at[l->count];
    *o = (struct local){.kind = e->kind, .bits = e->bits, .excluded = e->excluded};
    memcpy(o->addr, e->addr, sizeof o->addr);
    size_t size = zone_entry_text(e, entry);
    o->entry = arena_text(&l->arena, entry, size);
    if (!e->excluded) {
        o->rr = e->value.kind == VALUE_RR;
        (void)value_text(&e->value, value);
        o->value = arena_text(&l->arena, value, strlen(value));
    }
    if (o->entry == NULL || (!e->excluded && o->value == NULL))
        return E_NOMEM;
    l->count++;
    return 0;
}

static int each(void *ctx, const struct keep_entry *e) {
    struct reading *r = ctx;
    if (e->dataset != DATASET_LOCAL)
        return 0;
    return put(r->l, e) < 0 ? err_set(r->err, E_NOMEM, "no memory for the changes by hand") : 0;
}

static int compare_place(const struct local *a, const struct local *b) {
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    int c = a->kind == KEEP_NAME ? strcmp(a->entry, b->entry) : memcmp(a->addr, b->addr, sizeof a->addr);
    return c != 0 ? c : (int)a->bits - (int)b->bits;
}

static int compare(const void *va, const void *vb) {
    const struct local *a = va, *b = vb;
    int c = compare_place(a, b);
    return c != 0 ? c : (int)b->excluded - (int)a->excluded;
}

bool local_same_place(const struct local *a, const struct local *b) { return compare_place(a, b) == 0; }

int locals_read(struct locals *l, struct export *x, struct err *err) {
    struct reading r = {l, err};
    memset(l, 0, sizeof *l);
    int rc = keep_walk(x->keep, each, &r, err);
    if (rc == 0 && l->count > 0)
        qsort(l->at, l->count, sizeof *l->at, compare);
    return rc;
}

void locals_free(struct locals *l) {
    free(l->at);
    arena_free(&l->arena);
}

bool locals_exclude(const struct locals *l, const struct keep_entry *e) {
    char entry[ZONE_ENTRY_MAX];
    struct local key = {.kind = e->kind, .bits = e->bits, .excluded = true, .entry = entry};
    if (l->count == 0)
        return false;
    memcpy(key.addr, e->addr, sizeof key.addr);
    if (e->kind == KEEP_NAME)
        (void)zone_entry_text(e, entry);
    return bsearch(&key, l->at, l->count, sizeof key, compare) != NULL;
}
