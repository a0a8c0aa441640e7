/* All looks of a zone as one tree. A place is there when something is at it or beneath it; each is visited once, in
 * order, and told with all that answers at the name itself and at the wildcard beneath it.
 *
 * "*.0.0.2" stands for 2.0.0.0/24, and is a wildcard for the 32 labels of 200x::/12, too. So where a listed network has
 * octets below ten alone, its names are told down to where the digits end, and a to f as names without an answer: then
 * no IPv6 address is listed because an IPv4 network is. */
#include <stdlib.h>

#include "rbl/records/impl.h"
#include "rbl/records/shape.h"

enum { DIGITS = 10, FRAMES = LIMIT_LABELS + 2 };

struct frame {
    uint8_t size;    /* of its path */
    bool wild;       /* the wildcard beneath it answers */
    bool spells;     /* digits beneath are names of their own */
    uint8_t spelled; /* of SPELLED, so far */
};

struct walker {
    struct zone_read *z;
    uint8_t path[PATH_MAX_SIZE];
    struct frame frame[FRAMES];
    unsigned frames;
    struct look_at *at; /* [frame][look] */
    struct told told[2];
    unsigned queued, given;
    const struct region *region;
    size_t regions, next_region;
    bool restricted, active;
    unsigned base; /* frames above the region */
    struct hits final;
};

size_t path_of(uint8_t to[PATH_MAX_SIZE], const struct name *n) {
    struct look_name reversed;
    look_name_of(&reversed, n);
    memcpy(to, reversed.wire, reversed.size);
    return reversed.size;
}

size_t path_octets(uint8_t *to, read_addr a, unsigned labels) {
    uint8_t *at = to;
    for (unsigned i = 0; i < labels; i++, a <<= 8) {
        unsigned n = (unsigned)(a >> 120);
        *at++ = (uint8_t)(n >= 100 ? 3 : n >= 10 ? 2 : 1);
        if (n >= 100)
            *at++ = (uint8_t)('0' + n / 100);
        if (n >= 10)
            *at++ = (uint8_t)('0' + n / 10 % 10);
        *at++ = (uint8_t)('0' + n % 10);
    }
    return (size_t)(at - to);
}

size_t path_nibbles(uint8_t *to, read_addr a, unsigned labels) {
    for (unsigned i = 0; i < labels; i++, a <<= 4) {
        *to++ = 1;
        *to++ = (uint8_t) "0123456789abcdef"[(unsigned)(a >> 124)];
    }
    return 2u * labels;
}

static bool is_under(struct bytes p, const uint8_t *above, size_t size) {
    return path_is_under(p, (struct bytes){above, size});
}

/* --- where a path is for a look --- */

static struct look_at at_of(const struct look *l, const struct look_at *above, unsigned labels, struct bytes path,
                            size_t label) {
    struct look_at at = {.inside = false};
    if (labels == l->sub_labels) {
        at.inside = path.size == l->sub_size && (path.size == 0 || memcmp(path.at, l->sub, path.size) == 0);
        return at;
    }
    if (labels < l->sub_labels || !above->inside)
        return at;
    at.labels = (uint8_t)(above->labels + 1);
    if (l->kind == KEEP_NAME) {
        at.inside = true;
        return at;
    }
    bool is4 = l->kind == KEEP_4;
    int value = is4 ? records_octet(path.at + label, true) : records_nibble(path.at + label);
    at.inside = value >= 0 && at.labels <= (is4 ? LABELS4 : LABELS6);
    if (at.inside)
        at.addr = above->addr | (read_addr)(unsigned)value << (128 - at.labels * (is4 ? 8u : 4u));
    return at;
}

struct look_at look_place(const struct look *l, struct bytes path, bool *whole) {
    struct look_at at = at_of(l, NULL, 0, (struct bytes){path.at, 0}, 0), below;
    unsigned labels = 0;
    *whole = true;
    for (size_t label = 0; label < path.size; label += path.at[label] + 1u) {
        struct bytes part = {path.at, label + path.at[label] + 1u};
        below = at_of(l, &at, ++labels, part, label);
        *whole = below.inside || labels < l->sub_labels;
        if (!*whole)
            break;
        at = below;
    }
    return at;
}

static struct look_at *at_row(const struct walker *w, unsigned frame) { return w->at + (size_t)frame * w->z->looks; }

/* The row of a place beneath the last frame. */
static void place_looks(struct walker *w, struct bytes path) {
    unsigned labels = w->frames;
    size_t label = labels > 0 ? w->frame[labels - 1].size : 0;
    for (unsigned i = 0; i < w->z->looks; i++)
        at_row(w, labels)[i] = at_of(w->z->look[i], labels > 0 ? &at_row(w, labels - 1)[i] : NULL, labels, path, label);
}

/* --- what is told --- */

/* Parts of a combined dataset say nothing where a longer subzone of it begins. */
static void leave_subzones(struct walker *w, const struct look *l, struct hits *h) {
    const struct meta *m = w->z->m;
    struct bytes path = {w->path, w->frame[w->frames - 1].size};
    unsigned kept = 0;
    for (unsigned i = 0; i < h->count; i++) {
        const struct hit *k = &h->hit[i];
        bool longer = false;
        for (unsigned d = 0; d < m->dataset_count && k->dataset < m->dataset_count; d++) {
            if (m->dataset[k->dataset].sub_count == 0 || m->dataset[d].source != m->dataset[k->dataset].source)
                continue;
            for (unsigned s = 0; s < m->dataset[d].sub_count; s++) {
                uint8_t sub[PATH_MAX_SIZE];
                size_t size = path_of(sub, &m->dataset[d].sub[s]);
                longer |= m->dataset[d].sub[s].labels > l->sub_labels && is_under(path, sub, size);
            }
        }
        if (!longer)
            h->hit[kept++] = *k;
    }
    h->count = kept;
}

static int tell_hits(struct walker *w, struct told *t, const struct look *l, const struct look_at *at,
                     const struct hits *hits, bool whole) {
    struct frame *f = &w->frame[w->frames - 1];
    if (hits->count == 0)
        return 0;
    hits_final(hits, &w->final);
    if (w->z->subs)
        leave_subzones(w, l, &w->final);
    struct told_place p = {.kind = (enum keep_kind)l->kind,
                           .whole = whole,
                           .addr = at->addr,
                           .path = {w->path + l->sub_size, (size_t)f->size - l->sub_size}};
    return told_add(t, w->z, &w->final, &p, f->size == 0 && !t->star);
}

static int tell_look(struct walker *w, struct told *exact, struct told *wild, unsigned index) {
    const struct look *l = w->z->look[index];
    const struct look_at *at = &at_row(w, w->frames - 1)[index];
    if (!at->inside)
        return 0;
    if (l->kind != KEEP_NAME) {
        bool whole = at->labels == (l->kind == KEEP_4 ? LABELS4 : LABELS6);
        return tell_hits(w, whole ? exact : wild, l, at, look_prefixes_hits(l), whole);
    }
    int rc = tell_hits(w, exact, l, at, look_names_exact(l), true);
    return rc == 0 ? tell_hits(w, wild, l, at, look_names_wild(l), false) : rc;
}

/* Could the name of this place be the end of that of an IPv6 address as well? */
static bool is_ambiguous(const struct look *l, const struct look_at *at) {
    if (l->kind != KEEP_4 || !at->inside || at->labels == LABELS4)
        return false;
    for (unsigned i = 0; i < at->labels; i++)
        if ((unsigned)(at->addr >> (120 - 8 * i)) % 256 >= DIGITS)
            return false;
    return hits_any(look_prefixes_hits(l));
}

static void queue(struct walker *w, struct told *t) {
    const struct frame *f = &w->frame[w->frames - 1];
    if (t->rrs == 0)
        return;
    t->path_size = f->size;
    t->labels = (uint8_t)(w->frames - 1);
    memcpy(t->path, w->path, f->size);
    if (t->rrs > 1)
        told_settle(t);
}

/* The place becomes the last frame, and what is to be told of it is queued. */
static int visit(struct walker *w, struct bytes path) {
    struct told *exact = &w->told[0], *wild = &w->told[1];
    int rc = 0;
    if (w->frames == FRAMES || path.size >= PATH_MAX_SIZE)
        return E_CORRUPT;
    place_looks(w, path);
    if (path.size > 0 && path.at != w->path)
        memmove(w->path, path.at, path.size);
    struct frame *f = &w->frame[w->frames++];
    *f = (struct frame){.size = (uint8_t)path.size};
    for (unsigned i = 0; i < w->z->looks && rc == 0; i++)
        rc = w->z->look[i]->ops->visit(w->z->look[i], &at_row(w, w->frames - 1)[i], (struct bytes){w->path, f->size});
    told_clear(exact);
    told_clear(wild);
    for (unsigned i = 0; i < w->z->looks && rc == 0; i++) {
        rc = tell_look(w, exact, wild, i);
        f->spells |= is_ambiguous(w->z->look[i], &at_row(w, w->frames - 1)[i]);
    }
    f->wild = wild->rrs > 0;
    if (rc == 0 && exact->rrs == 0 && !f->wild && w->frames > 1 && w->frame[w->frames - 2].wild)
        rc = told_excluded(exact, w->z->m->apex.ttl);
    queue(w, exact);
    queue(w, wild);
    w->given = 0;
    w->queued = exact->rrs > 0 || wild->rrs > 0 ? 2 : 0;
    return rc;
}

/* --- which place is next --- */

static const struct look *first_look(const struct walker *w) {
    const struct look *best = NULL;
    for (unsigned i = 0; i < w->z->looks; i++) {
        const struct look *l = w->z->look[i];
        if (l->has && (best == NULL || path_compare((struct bytes){l->next, l->next_size},
                                                    (struct bytes){best->next, best->next_size}) < 0))
            best = l;
    }
    return best;
}

/* The next label that the frame spells: its path, or size 0. */
static size_t spelled(const struct walker *w, const struct frame *f, uint8_t to[PATH_MAX_SIZE]) {
    if (!f->spells || f->spelled >= SPELLED || f->size + 2 >= PATH_MAX_SIZE)
        return 0;
    memcpy(to, w->path, f->size);
    to[f->size] = 1;
    to[f->size + 1] = (uint8_t) "0123456789abcdef"[f->spelled];
    return f->size + 2u;
}

/* The next spelled place that is wanted; size 0. */
static size_t next_spelled(struct walker *w, struct frame *f, uint8_t to[PATH_MAX_SIZE]) {
    const struct region *r = w->restricted ? &w->region[w->next_region - 1] : NULL;
    size_t size;
    while ((size = spelled(w, f, to)) > 0 && r != NULL) {
        struct bytes path = {to, size};
        if (region_has(r, path))
            break;
        if (path_compare(path, (struct bytes){r->from, r->from_size}) > 0)
            return 0;
        f->spelled++;
    }
    return size;
}

/* Whether the next place of the looks is in the region, or the region's first is there because of it. */
static bool is_wanted(const struct walker *w, struct bytes next) {
    const struct region *r = w->restricted ? &w->region[w->next_region - 1] : NULL;
    return r == NULL || region_has(r, next) || (w->frames == w->base && is_under(next, r->from, r->from_size));
}

/* What was visited in a region stays for the next one, which may be beneath it: a place is visited once. */
static bool is_done(struct walker *w, unsigned base, bool has) {
    uint8_t spell[PATH_MAX_SIZE];
    if (has || !w->restricted)
        return false;
    for (unsigned i = base > 0 ? base - 1 : 0; i < w->frames; i++)
        if (next_spelled(w, &w->frame[i], spell) > 0)
            return false;
    return true;
}

/* One place more: 1, or 0 when there are no more beneath the frames at `base`. */
static int step(struct walker *w, unsigned base) {
    const struct look *l = first_look(w);
    struct bytes next = {l != NULL ? l->next : w->path, l != NULL ? l->next_size : 0};
    uint8_t spell[PATH_MAX_SIZE];
    bool has = l != NULL && is_wanted(w, next);
    if (is_done(w, base, has))
        return 0;
    for (; w->frames > 0; w->frames--) {
        struct frame *f = &w->frame[w->frames - 1];
        bool under = has && is_under(next, w->path, f->size);
        size_t size = next_spelled(w, f, spell);
        if (under && next.size > f->size)
            next.size = f->size + next.at[f->size] + 1u;
        int c = size == 0 ? 1 : !under ? -1 : path_compare((struct bytes){spell, size}, next);
        if (c <= 0)
            f->spelled++;
        if (c < 0)
            next = (struct bytes){spell, size};
        if (under && next.size <= f->size)
            return E_CORRUPT; /* a place behind us */
        if (under || c < 0) {
            int rc = visit(w, next);
            return rc < 0 ? rc : 1;
        }
        if (w->frames == base)
            return 0;
    }
    if (!has)
        return 0;
    int rc = visit(w, (struct bytes){w->path, 0});
    return rc < 0 ? rc : 1;
}

static int seek(struct walker *w, struct bytes path) {
    int rc = 0;
    place_looks(w, path);
    for (unsigned i = 0; i < w->z->looks && rc == 0; i++)
        rc = w->z->look[i]->ops->seek(w->z->look[i], &at_row(w, w->frames)[i], path);
    return rc;
}

static bool is_there(const struct walker *w, struct bytes path) {
    for (unsigned i = 0; i < w->z->looks; i++) {
        const struct look *l = w->z->look[i];
        if (l->has && is_under((struct bytes){l->next, l->next_size}, path.at, path.size))
            return true;
    }
    const struct frame *f = w->frames > 0 ? &w->frame[w->frames - 1] : NULL;
    if (f == NULL || !f->spells || path.size != f->size + 2u || path.at[f->size] != 1)
        return false;
    return records_nibble(path.at + f->size) >= 0;
}

/* Down to the parent of the region's first place, a place at a time: 1; 0 when the region is at hand. The region is
 * passed over when a place above it is not there. */
static int descend(struct walker *w) {
    const struct region *r = w->region + w->next_region;
    struct bytes from = {r->from, r->from_size}, above = from;
    while (w->frames > 0) {
        const struct frame *f = &w->frame[w->frames - 1];
        if (f->size < from.size && is_under(from, w->path, f->size))
            break;
        w->frames--;
    }
    size_t size = w->frames > 0 ? w->frame[w->frames - 1].size : 0;
    above.size = w->frames > 0 ? size + from.at[size] + 1u : 0;
    int rc = seek(w, above);
    if (rc < 0)
        return rc;
    if (above.size == from.size) {
        w->next_region++;
        w->active = true;
        w->base = w->frames;
        return 0;
    }
    if (!is_there(w, above)) {
        w->next_region++;
        return 1;
    }
    rc = visit(w, above);
    return rc < 0 ? rc : 1;
}

/* 1: perhaps something is queued; 0: the end. */
static int advance(struct walker *w) {
    if (!w->restricted)
        return step(w, 0);
    if (!w->active) {
        if (w->next_region == w->regions)
            return 0;
        int rc = descend(w);
        return rc < 0 ? rc : 1;
    }
    int rc = step(w, w->base);
    if (rc == 0)
        w->active = false;
    return rc < 0 ? rc : 1;
}

int walker_next(struct walker *w, const struct told **t) {
    for (;;) {
        while (w->given < w->queued)
            if ((*t = &w->told[w->given++])->rrs > 0)
                return 1;
        w->queued = w->given = 0;
        int rc = advance(w);
        if (rc <= 0)
            return rc;
    }
}

void walker_regions(struct walker *w, const struct region *r, size_t count) {
    w->region = r;
    w->regions = count;
    w->restricted = true;
}

int walker_open(struct walker **out, struct zone_read *z) {
    struct walker *w = calloc(1, sizeof *w);
    *out = w;
    if (w == NULL)
        return E_NOMEM;
    w->z = z;
    w->told[1].star = true;
    w->at = calloc((size_t)FRAMES * (z->looks + 1), sizeof *w->at);
    return w->at != NULL ? seek(w, (struct bytes){w->path, 0}) : E_NOMEM;
}

void walker_close(struct walker *w) {
    if (w == NULL)
        return;
    for (unsigned i = 0; i < 2; i++) {
        free(w->told[i].rr);
        buf_free(&w->told[i].rdata);
    }
    free(w->at);
    free(w);
}
