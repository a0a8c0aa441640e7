#include <stdlib.h>

#include "rbl/records/edit_impl.h"

int edit_entries_add(struct edit_entries *to, const struct edit_entry *e) {
    if (to->count == to->cap) {
        size_t cap = to->cap == 0 ? 256 : 2 * to->cap;
        struct edit_entry *more = realloc(to->at, cap * sizeof *more);
        if (more == NULL)
            return E_NOMEM;
        to->at = more;
        to->cap = cap;
    }
    to->at[to->count++] = *e;
    return 0;
}

int edit_entry_order(const void *va, const void *vb) {
    const struct edit_entry *a = va, *b = vb;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    int c = a->kind == KEEP_NAME ? path_compare((struct bytes){a->path, a->size}, (struct bytes){b->path, b->size}) : 0;
    if (c == 0 && a->kind == KEEP_NAME)
        c = a->wildcard - b->wildcard;
    if (c == 0 && a->addr != b->addr)
        c = a->addr < b->addr ? -1 : 1;
    if (c == 0)
        c = a->bits - b->bits;
    return c != 0 ? c : (a->value > b->value) - (a->value < b->value);
}

static int value_in(struct zone_read *z, struct data *d, uint32_t id, uint32_t *to) {
    const struct value *v;
    *to = VALUE_EXCLUDED;
    int rc = id != VALUE_EXCLUDED ? zone_value(z, id, &v) : 0;
    return rc == 0 && id != VALUE_EXCLUDED ? data_value(d, v, to) : rc;
}

/* The addresses of a region: false when it has none of the kind. */
static bool span(const struct region *r, enum bucket_kind kind, read_addr *first, read_addr *last, bool *single) {
    struct look shape = {.kind = kind == KIND4 ? KEEP_4 : KEEP_6};
    unsigned step = kind == KIND4 ? 8 : 4, all = kind == KIND4 ? LABELS4 : LABELS6;
    bool whole, last_whole;
    struct look_at from = look_place(&shape, (struct bytes){r->from, r->from_size}, &whole),
                   to = look_place(&shape, (struct bytes){r->last, r->last_size}, &last_whole);
    if (!whole || !last_whole || (!r->beneath && from.labels < all))
        return false;
    *first = from.addr;
    *last = to.addr | ~read_mask(to.labels * step);
    *single = !r->beneath;
    return true;
}

static int stored_level(struct zone_read *z, const struct region *r, struct data *d, struct edit_entries *to,
                        enum bucket_kind kind, unsigned level) {
    struct read_prefixes p;
    read_addr first, last;
    bool single;
    if (!span(r, kind, &first, &last, &single))
        return 0;
    int rc = read_prefixes_open(&p, z->r, kind, DATASET_LOCAL, level);
    if (rc == 0)
        rc = read_prefixes_seek(&p, first);
    for (; rc == 0 && p.held && p.now.addr <= last; rc = read_prefixes_next(&p)) {
        struct edit_entry e = {.kind = kind == KIND4 ? KEEP_4 : KEEP_6, .addr = p.now.addr, .bits = p.now.bits};
        if (single && p.now.bits < (kind == KIND4 ? 32 : 128))
            continue;
        rc = value_in(z, d, p.now.value, &e.value);
        if (rc == 0)
            rc = edit_entries_add(to, &e);
        if (rc < 0)
            break;
    }
    read_prefixes_close(&p);
    return rc;
}

static int stored_name(struct zone_read *z, struct arena *arena, const struct read_names *n, struct data *d,
                       struct edit_entries *to) {
    uint8_t *path = arena_alloc(arena, n->name.size + 1);
    struct scan s = scan_of(n->record);
    struct name_item i;
    int rc;
    if (path == NULL)
        return E_NOMEM;
    if (n->name.size > 0)
        memcpy(path, n->name.at, n->name.size);
    while ((rc = name_item_next(&s, &i)) > 0) {
        struct edit_entry e = {.kind = KEEP_NAME, .path = path, .size = (uint8_t)n->name.size, .wildcard = i.wildcard};
        rc = value_in(z, d, i.value, &e.value);
        if (rc == 0)
            rc = edit_entries_add(to, &e);
        if (rc < 0)
            return rc;
    }
    return rc;
}

static int stored_names(struct zone_read *z, struct arena *arena, const struct region *r, struct data *d,
                        struct edit_entries *to) {
    struct read_names n;
    int rc = read_names_open(&n, z->r, DATASET_LOCAL);
    if (rc == 0)
        rc = read_names_seek(&n, (struct bytes){r->from, r->from_size});
    while (rc == 0 && n.held && region_has(r, n.name)) {
        rc = stored_name(z, arena, &n, d, to);
        if (rc == 0)
            rc = read_names_next(&n);
    }
    read_names_close(&n);
    return rc;
}

int edit_stored(struct zone_read *z, struct arena *arena, const struct region *r, struct data *d,
                struct edit_entries *to) {
    int rc = 0;
    for (unsigned kind = KIND4; kind <= KIND6; kind++)
        for (unsigned level = 0; level < bucket_levels[kind].count && rc == 0; level++)
            rc = stored_level(z, r, d, to, (enum bucket_kind)kind, level);
    return rc == 0 ? stored_names(z, arena, r, d, to) : rc;
}
