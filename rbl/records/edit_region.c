#include "rbl/records/edit_impl.h"

static const uint8_t *copy(struct arena *arena, const uint8_t *at, size_t size) {
    uint8_t *to = arena_alloc(arena, size + 1);
    if (to != NULL && size > 0)
        memcpy(to, at, size);
    return to;
}

/* The wider of two that hold the same place. */
static void widen(struct region *r, const struct region *other) {
    int c = path_compare((struct bytes){other->from, other->from_size}, (struct bytes){r->from, r->from_size});
    if (c < 0 || (c == 0 && !region_has(r, (struct bytes){other->last, other->last_size})))
        *r = *other;
    else if (c == 0)
        r->beneath |= other->beneath && other->last_size == r->last_size;
}

/* All places that a prefix comes to. */
static int of_prefix(struct arena *arena, bool is4, const struct read_item *i, struct region *r) {
    uint8_t from[PATH_MAX_SIZE], last[PATH_MAX_SIZE];
    unsigned step = is4 ? 8 : 4, labels = (i->bits + step - 1) / step;
    read_addr end = i->addr | ~read_mask(i->bits);
    r->from_size = (uint8_t)(is4 ? path_octets(from, i->addr, labels) : path_nibbles(from, i->addr, labels));
    r->last_size = (uint8_t)(is4 ? path_octets(last, end, labels) : path_nibbles(last, end, labels));
    r->from = copy(arena, from, r->from_size);
    r->last = copy(arena, last, r->last_size);
    r->beneath = true;
    return r->from != NULL && r->last != NULL ? 0 : E_NOMEM;
}

static int by_prefixes(struct look *l, struct arena *arena, struct bytes path, bool star, struct region *r) {
    bool is4 = l->kind == KEEP_4, whole;
    struct look_at at = look_place(l, path, &whole);
    struct read_item i;
    struct region wide;
    unsigned all = is4 ? LABELS4 : LABELS6;
    if (!at.inside)
        return 0;
    int rc = look_prefixes_outermost(l, &at, &i);
    if (rc <= 0)
        return rc;
    if (whole && !star && at.labels == all && i.bits == all * (is4 ? 8u : 4u))
        return 0; /* the address itself */
    rc = of_prefix(arena, is4, &i, &wide);
    if (rc == 0)
        widen(r, &wide);
    return rc;
}

static int has_wildcard(struct read_names *n, struct bytes path) {
    struct name_item i;
    int rc = read_names_seek(n, path);
    if (rc < 0 || !n->held || n->name.size != path.size ||
        (path.size > 0 && memcmp(n->name.at, path.at, path.size) != 0))
        return rc;
    struct scan s = scan_of(n->record);
    while ((rc = name_item_next(&s, &i)) > 0)
        if (i.wildcard)
            return 1;
    return rc;
}

static int by_names(struct zone_read *z, struct bytes path, struct region *r) {
    struct read_names n;
    struct bytes above = {path.at, 0};
    int rc = read_names_open(&n, z->r, DATASET_LOCAL);
    while (rc == 0 && above.size < path.size && (rc = has_wildcard(&n, above)) == 0)
        above.size += path.at[above.size] + 1u;
    read_names_close(&n);
    if (rc > 0)
        widen(r, &(struct region){.from = path.at,
                                  .last = path.at,
                                  .from_size = (uint8_t)above.size,
                                  .last_size = (uint8_t)above.size,
                                  .beneath = true});
    return rc < 0 ? rc : 0;
}

int edit_region_of(struct zone_read *z, struct arena *arena, struct bytes path, bool star, struct region *r) {
    *r = (struct region){.from = path.at,
                         .last = path.at,
                         .from_size = (uint8_t)path.size,
                         .last_size = (uint8_t)path.size,
                         .beneath = star};
    int rc = by_names(z, path, r);
    for (unsigned i = 0; i < z->looks && rc == 0; i++)
        if (z->look[i]->kind != KEEP_NAME)
            rc = by_prefixes(z->look[i], arena, path, star, r);
    return rc;
}
