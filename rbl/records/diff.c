/* What a difference of entries is as a difference of RRs: the places that entries are at and those beneath them, with
 * the places above, are walked twice, as they are and as they were (struct over), and compared owner by owner. */
#include <inttypes.h>
#include <stdlib.h>

#include "rbl/records/impl.h"

enum { DIFF_OCTETS = 256 << 20, DIFF_RACES = 4 };

struct records_diff {
    struct keep *reading;
    struct reader *r;
    struct name apex;
    /* what changed */
    struct arena arena;
    struct over over;
    size_t item_cap[2], name_cap;
    const struct value **value;
    size_t values, value_cap;
    struct region *region;
    size_t regions, region_cap;
    uint64_t changes;
    /* what comes of it */
    struct zone_read was, is;
    struct walker *old, *new;
    struct buf removed, added;
    uint64_t touched;
    size_t removed_at, added_at;
    struct err *err; /* of the call that is running */
};

static int full(struct records_diff *d) {
    return err_set(d->err, E_NOTFOUND, "the change touches more than %d places: the whole zone is the shorter way",
                   RECORDS_DIFF_MOST);
}

static int grow(void **array, size_t *cap, size_t used, size_t size) {
    if (used < *cap)
        return 0;
    size_t wanted = *cap == 0 ? 256 : *cap + *cap / 2;
    void *more = realloc(*array, wanted * size);
    if (more == NULL)
        return E_NOMEM;
    *array = more;
    *cap = wanted;
    return 0;
}

/* --- changes --- */

static const uint8_t *copy(struct records_diff *d, const uint8_t *at, size_t size) {
    uint8_t *to = arena_alloc(&d->arena, size + 1);
    if (to != NULL && size > 0)
        memcpy(to, at, size);
    return to;
}

static int add_value(struct records_diff *d, const struct keep_entry *e, uint32_t *id) {
    *id = VALUE_EXCLUDED;
    if (e->excluded)
        return 0;
    int rc = grow((void **)&d->value, &d->value_cap, d->values, sizeof(void *));
    struct value *v = rc == 0 ? arena_alloc(&d->arena, offsetof(struct value, txt) + e->value.txt_size + 1u) : NULL;
    if (v == NULL)
        return E_NOMEM;
    value_copy(v, &e->value);
    d->value[d->values] = v;
    *id = OVER_VALUE + (uint32_t)d->values++;
    return 0;
}

static int add_item(struct records_diff *d, bool removed, const struct keep_entry *e) {
    unsigned kind = e->kind == KEEP_4 ? KIND4 : KIND6;
    uint32_t id;
    int rc = grow((void **)&d->over.item[kind], &d->item_cap[kind], d->over.items[kind], sizeof *d->over.item[kind]);
    if (rc == 0)
        rc = add_value(d, e, &id);
    if (rc < 0)
        return rc;
    d->over.item[kind][d->over.items[kind]++] =
        (struct over_item){.i = {read_addr_of(e->addr, kind == KIND4 ? 4 : 16), id, e->bits},
                           .dataset = (uint8_t)e->dataset,
                           .gone = !removed};
    return 0;
}

static int add_name(struct records_diff *d, bool removed, const struct keep_entry *e) {
    uint8_t path[PATH_MAX_SIZE];
    uint32_t id;
    size_t size = path_of(path, &e->name);
    const uint8_t *name = copy(d, path, size);
    int rc = name == NULL ? E_NOMEM : grow((void **)&d->over.name, &d->name_cap, d->over.names, sizeof *d->over.name);
    if (rc == 0)
        rc = add_value(d, e, &id);
    if (rc < 0)
        return rc;
    d->over.name[d->over.names++] = (struct over_name){.name = name,
                                                       .value = id,
                                                       .size = (uint8_t)size,
                                                       .dataset = (uint8_t)e->dataset,
                                                       .wildcard = e->bits != 0,
                                                       .gone = !removed};
    return 0;
}

/* --- regions --- */

static size_t path_in(uint8_t *to, const struct keep_entry *e, size_t at, read_addr a, unsigned labels) {
    if (e->kind == KEEP_4)
        return at + path_octets(to + at, a, labels);
    return at + path_nibbles(to + at, a, labels);
}

/* What an entry has to do with, beneath a subzone. */
static int add_region(struct records_diff *d, const struct keep_entry *e, const struct name *sub) {
    uint8_t from[2 * PATH_MAX_SIZE], last[2 * PATH_MAX_SIZE];
    size_t from_size = path_of(from, sub), last_size = path_of(last, sub);
    bool beneath = e->kind == KEEP_NAME && e->bits != 0;
    if (e->kind == KEEP_NAME) {
        from_size += path_of(from + from_size, &e->name);
        last_size += path_of(last + last_size, &e->name);
    } else {
        unsigned step = e->kind == KEEP_4 ? 8 : 4, all = e->kind == KEEP_4 ? 32 : 128;
        unsigned labels = (e->bits + step - 1) / step;
        read_addr a = read_addr_of(e->addr, e->kind == KEEP_4 ? 4 : 16);
        from_size = path_in(from, e, from_size, a, labels);
        last_size = path_in(last, e, last_size, a | ~read_mask(e->bits), labels);
        beneath = e->bits < all;
    }
    if (from_size >= PATH_MAX_SIZE || last_size >= PATH_MAX_SIZE)
        return 0; /* no name has room there */
    int rc = grow((void **)&d->region, &d->region_cap, d->regions, sizeof *d->region);
    struct region r = {.from_size = (uint8_t)from_size, .last_size = (uint8_t)last_size, .beneath = beneath};
    r.from = copy(d, from, from_size);
    r.last = copy(d, last, last_size);
    if (rc < 0 || r.from == NULL || r.last == NULL)
        return E_NOMEM;
    d->region[d->regions++] = r;
    return 0;
}

static int add_regions(struct records_diff *d, const struct keep_entry *e) {
    const struct name root = {.size = 1};
    const struct dataset *dataset;
    unsigned count;
    int rc = 0;
    (void)keep_apex(d->reading, &dataset, &count);
    if (e->dataset >= count || dataset[e->dataset].sub_count == 0)
        return add_region(d, e, &root);
    for (unsigned i = 0; i < dataset[e->dataset].sub_count && rc == 0; i++)
        rc = add_region(d, e, &dataset[e->dataset].sub[i]);
    return rc;
}

static int on_change(void *ctx, bool removed, const struct keep_entry *e) {
    struct records_diff *d = ctx;
    const struct dataset *dataset;
    unsigned count;
    (void)keep_apex(d->reading, &dataset, &count);
    if (e->dataset < count && dataset[e->dataset].type == DATASET_ACL)
        return 0;
    if (++d->changes > RECORDS_DIFF_MOST)
        return full(d);
    int rc = e->kind == KEEP_NAME ? add_name(d, removed, e) : add_item(d, removed, e);
    if (rc == 0)
        rc = add_regions(d, e);
    return rc;
}

static int item_order(const void *va, const void *vb) {
    const struct over_item *a = va, *b = vb;
    if (a->i.addr != b->i.addr)
        return a->i.addr < b->i.addr ? -1 : 1;
    return a->i.bits != b->i.bits ? a->i.bits - b->i.bits : a->dataset - b->dataset;
}

static int name_order(const void *va, const void *vb) {
    const struct over_name *a = va, *b = vb;
    return path_compare((struct bytes){a->name, a->size}, (struct bytes){b->name, b->size});
}

static void sort_changes(struct records_diff *d) {
    for (unsigned kind = KIND4; kind <= KIND6; kind++)
        if (d->over.items[kind] > 1)
            qsort(d->over.item[kind], d->over.items[kind], sizeof *d->over.item[kind], item_order);
    if (d->over.names > 1)
        qsort(d->over.name, d->over.names, sizeof *d->over.name, name_order);
    d->regions = regions_settle(d->region, d->regions);
    d->over.value = d->value;
}

/* --- comparing --- */

static bool has_rr(const struct told *t, const struct told *other, unsigned i) {
    const struct told_rr *rr = &other->rr[i];
    for (unsigned k = 0; k < t->rrs; k++)
        if (t->rr[k].type == rr->type && t->rr[k].ttl == rr->ttl && t->rr[k].size == rr->size &&
            memcmp(t->rdata.at + t->rr[k].at, other->rdata.at + rr->at, rr->size) == 0)
            return true;
    return false;
}

/* RRs of `t` that are not in `other`; NULL: all. */
static int put_others(struct buf *to, const struct told *t, const struct told *other) {
    for (unsigned i = 0; i < t->rrs; i++) {
        const struct told_rr *rr = &t->rr[i];
        if (other != NULL && has_rr(other, t, i))
            continue;
        buf_u8(to, t->star);
        buf_u8(to, t->labels);
        buf_u8(to, t->path_size);
        buf_put(to, t->path, t->path_size);
        buf_u16(to, rr->type);
        buf_u32(to, rr->ttl);
        buf_u16(to, rr->size);
        buf_put(to, t->rdata.at + rr->at, rr->size);
    }
    return to->failed ? E_NOMEM : 0;
}

static int told_order(const struct told *a, const struct told *b) {
    if (a == NULL || b == NULL)
        return a == NULL ? 1 : -1;
    int c = path_compare((struct bytes){a->path, a->path_size}, (struct bytes){b->path, b->path_size});
    return c != 0 ? c : (int)a->star - (int)b->star;
}

static int next_told(struct walker *w, const struct told **t) {
    int rc = walker_next(w, t);
    if (rc == 0)
        *t = NULL;
    return rc < 0 ? rc : 0;
}

static int compare_all(struct records_diff *d) {
    const struct told *a, *b;
    int rc = next_told(d->old, &a);
    if (rc == 0)
        rc = next_told(d->new, &b);
    while (rc == 0 && (a != NULL || b != NULL)) {
        int c = told_order(a, b);
        if (c <= 0)
            rc = put_others(&d->removed, a, c == 0 ? b : NULL);
        if (c >= 0 && rc == 0)
            rc = put_others(&d->added, b, c == 0 ? a : NULL);
        if (rc == 0 && (++d->touched > RECORDS_DIFF_MOST || d->removed.size + d->added.size > DIFF_OCTETS))
            return full(d);
        if (c <= 0 && rc == 0)
            rc = next_told(d->old, &a);
        if (c >= 0 && rc == 0)
            rc = next_told(d->new, &b);
    }
    return rc;
}

static int walk_guarded(void *ctx, struct err *err) {
    struct records_diff *d = ctx;
    d->err = err;
    int rc = walker_open(&d->old, &d->was);
    if (rc == 0)
        rc = walker_open(&d->new, &d->is);
    if (rc < 0)
        return err_set(err, rc, "cannot walk: %s", err_name(rc));
    walker_regions(d->old, d->region, d->regions);
    walker_regions(d->new, d->region, d->regions);
    rc = compare_all(d);
    return rc < 0 && rc != E_NOTFOUND ? err_set(err, rc, "reading the zone: %s", err_name(rc)) : rc;
}

static void forget(struct records_diff *d) {
    walker_close(d->old);
    walker_close(d->new);
    d->old = d->new = NULL;
    zone_read_close(&d->was);
    zone_read_close(&d->is);
    reader_close(d->r);
    d->r = NULL;
    for (unsigned kind = KIND4; kind <= KIND6; kind++)
        free(d->over.item[kind]);
    free(d->over.name);
    free(d->value);
    free(d->region);
    arena_free(&d->arena);
    d->over = (struct over){.names = 0};
    memset(d->item_cap, 0, sizeof d->item_cap);
    d->value = NULL;
    d->region = NULL;
    d->name_cap = d->values = d->value_cap = d->regions = d->region_cap = 0;
    d->changes = 0;
}

/* Changes up to the serial that the reader then sees: E_AGAIN when a commit came in between. */
static int read_changes(struct records_diff *d, uint32_t from, struct err *err) {
    struct keep_state st;
    bool apex = false;
    d->err = err;
    keep_state(d->reading, &st);
    int rc = keep_diff_apex(d->reading, from, st.serial, &apex, err);
    if (rc == 0 && apex) /* TTLs of all RRs, subzones, NS */
        return err_set(err, E_NOTFOUND, "more than entries changed since serial %u", from);
    if (rc == 0)
        rc = keep_diff(d->reading, from, st.serial, on_change, d, err);
    if (rc == 0)
        rc = reader_open(&d->r, d->reading, err);
    if (rc == 0 && reader_meta(d->r)->serial != st.serial)
        return E_AGAIN;
    return rc;
}

static int open_diff(struct records_diff *d, uint32_t from, struct err *err) {
    int rc = records_zone_name(&d->apex, d->reading, err);
    for (unsigned i = 0; rc == 0 && i < DIFF_RACES; i++) {
        rc = read_changes(d, from, err);
        if (rc != E_AGAIN)
            break;
        forget(d);
        rc = i + 1 < DIFF_RACES ? 0 : err_set(err, E_NOTFOUND, "commits come faster than they can be told");
    }
    if (rc < 0)
        return rc;
    sort_changes(d);
    rc = zone_read_open(&d->was, d->r, &d->over, err);
    if (rc == 0)
        rc = zone_read_open(&d->is, d->r, NULL, err);
    return rc == 0 ? reader_guarded(d->r, walk_guarded, d, err) : rc;
}

int records_diff_open(struct records_diff **out, struct keep *reading, uint32_t from_serial, struct err *err) {
    struct records_diff *d = calloc(1, sizeof *d);
    *out = NULL;
    if (d == NULL)
        return err_set(err, E_NOMEM, "no memory for the difference");
    d->reading = reading;
    int rc = open_diff(d, from_serial, err);
    forget(d);
    if (rc < 0) {
        records_diff_close(d);
        return rc;
    }
    *out = d;
    return 0;
}

void records_diff_close(struct records_diff *d) {
    if (d == NULL)
        return;
    buf_free(&d->removed);
    buf_free(&d->added);
    free(d);
}

int records_diff_next(struct records_diff *d, bool *removed, struct records_rr *rr, struct err *err) {
    struct told t = {.rrs = 0};
    do {
        *removed = d->removed_at < d->removed.size;
        const struct buf *from = *removed ? &d->removed : &d->added;
        size_t *at = *removed ? &d->removed_at : &d->added_at;
        if (*at >= from->size)
            return 0;
        struct scan s = {.at = from->at + *at, .left = from->size - *at};
        t.star = scan_u8(&s) != 0;
        t.labels = scan_u8(&s);
        t.path_size = scan_u8(&s);
        const uint8_t *path = scan_take(&s, t.path_size);
        if (path != NULL && t.path_size > 0)
            memcpy(t.path, path, t.path_size);
        rr->type = scan_u16(&s);
        rr->ttl = scan_u32(&s);
        rr->rdata.size = scan_u16(&s);
        rr->rdata.at = scan_take(&s, rr->rdata.size);
        if (s.failed)
            return err_set(err, E_CORRUPT, "the difference is damaged");
        *at = from->size - s.left;
    } while (!records_owner(&rr->owner, &t, &d->apex));
    return 1;
}
