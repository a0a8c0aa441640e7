#include <stdlib.h>

#include "rbl/keep/edit_impl.h"
#include "rbl/records/edit_impl.h"

/* One RR removed or added, in the order of the transfer. */
struct op {
    const uint8_t *path, *rdata;
    uint32_t ttl, number;
    uint16_t type, rdata_size;
    uint8_t path_size, labels;
    bool star, removes;
};

struct records_edit {
    const struct conf_zone *conf;
    struct keep_batch *batch;
    struct name apex;
    struct arena arena;
    struct op *op;
    size_t ops, cap;
    struct view_apex *top; /* as the differences make it; NULL: not touched */
    /* while it is finished */
    struct reader *r;
    struct zone_read z;
    struct walker *w;
    struct region *region;
    size_t regions;
    struct records_in *in;
    size_t next_op, hint; /* of the owners in order; the region at hand */
    uint64_t walked;
    struct edit_entries was, is;
    struct hidden {
        uint8_t size;
        bool before, after;
        uint8_t path[PATH_MAX_SIZE];
    } hidden[LIMIT_LABELS + 2]; /* names with HINFO alone on the way down, and whether something is beneath them */
    unsigned hiddens;
};

int records_edit_open(struct records_edit **out, const struct conf_zone *zone, struct keep_batch *b, struct err *err) {
    struct records_edit *e = calloc(1, sizeof *e);
    *out = NULL;
    if (e == NULL)
        return err_set(err, E_NOMEM, "zone %s: no memory for changes", zone->name);
    e->conf = zone;
    e->batch = b;
    int rc = name_from_text(&e->apex, zone->name, err);
    name_lower(&e->apex);
    if (rc < 0) {
        records_edit_close(e);
        return rc;
    }
    *out = e;
    return 0;
}

void records_edit_close(struct records_edit *e) {
    if (e == NULL)
        return;
    free(e->op);
    free(e->top);
    free(e->was.at);
    free(e->is.at);
    arena_free(&e->arena);
    free(e);
}

/* --- SOA and NS of the apex --- */

static struct view_apex *top_of(struct records_edit *e) {
    const struct view_apex *now = keep_batch_apex(e->batch);
    if (e->top == NULL && now != NULL && (e->top = malloc(sizeof *e->top)) != NULL)
        *e->top = *now;
    return e->top;
}

static int change_ns(struct view_apex *a, const struct records_rr *rr, bool removes, struct err *err) {
    struct name ns;
    size_t end;
    unsigned i = 0;
    if (name_read(&ns, rr->rdata.at, rr->rdata.size, 0, &end) != 0 || end != rr->rdata.size)
        return err_set(err, E_INVALID, "an NS that is none");
    name_lower(&ns);
    while (i < a->ns_count && !name_equal(&a->ns[i], &ns))
        i++;
    if ((i < a->ns_count) != removes)
        return err_set(err, E_INVALID, removes ? "an NS goes that is not there" : "an NS comes that is there");
    if (removes) {
        memmove(&a->ns[i], &a->ns[i + 1], (a->ns_count - i - 1) * sizeof a->ns[0]);
        a->ns_count--;
        return 0;
    }
    if (a->ns_count == DATA_NS)
        return err_set(err, E_FULL, "more than %d name servers", DATA_NS);
    a->ns[a->ns_count++] = ns;
    a->ns_ttl = rr->ttl;
    return 0;
}

/* The serial is the commit's. */
static int change_soa(struct view_apex *a, const struct records_rr *rr, bool removes, struct err *err) {
    struct dns_soa soa;
    if (removes)
        return 0;
    if (records_read_soa(rr->rdata, &soa) < 0)
        return err_set(err, E_INVALID, "an SOA that is none");
    soa.serial = a->soa.serial;
    a->soa = soa;
    a->soa_ttl = rr->ttl;
    return 0;
}

static int change_apex(struct records_edit *e, const struct records_rr *rr, bool removes, struct err *err) {
    struct view_apex *a = top_of(e);
    if (a == NULL)
        return err_set(err, E_NOTFOUND, "nothing to change: the zone has no contents");
    return rr->type == TYPE_SOA ? change_soa(a, rr, removes, err) : change_ns(a, rr, removes, err);
}

/* --- RRs --- */

static int add_op(struct records_edit *e, const struct name *relative, const struct records_rr *rr, bool removes) {
    uint8_t path[PATH_MAX_SIZE];
    bool star = relative->labels > 0 && relative->wire[0] == 1 && relative->wire[1] == '*';
    struct name base = *relative;
    if (star)
        name_strip(&base, relative, 1);
    if (e->ops == e->cap) {
        size_t cap = e->cap == 0 ? 256 : 2 * e->cap;
        struct op *more = realloc(e->op, cap * sizeof *more);
        if (more == NULL)
            return E_NOMEM;
        e->op = more;
        e->cap = cap;
    }
    size_t size = path_of(path, &base);
    uint8_t *mine = arena_alloc(&e->arena, size + rr->rdata.size + 1);
    if (mine == NULL)
        return E_NOMEM;
    memcpy(mine, path, size);
    memcpy(mine + size, rr->rdata.at, rr->rdata.size);
    e->op[e->ops] = (struct op){.path = mine,
                                .rdata = mine + size,
                                .ttl = rr->ttl,
                                .number = (uint32_t)e->ops,
                                .type = rr->type,
                                .rdata_size = (uint16_t)rr->rdata.size,
                                .path_size = (uint8_t)size,
                                .labels = base.labels,
                                .star = star,
                                .removes = removes};
    e->ops++;
    return 0;
}

static int take(struct records_edit *e, const struct records_rr *rr, bool removes, struct err *err) {
    struct name relative;
    if (!records_relative(&rr->owner, &e->apex, &relative))
        return 0;
    bool apex = relative.labels == 0;
    if (apex && (rr->type == TYPE_SOA || rr->type == TYPE_NS))
        return change_apex(e, rr, removes, err);
    if (apex && rr->type == TYPE_ZONEMD)
        return 0; /* of the whole zone: differences have none of their own */
    if (rr->type == TYPE_SOA || records_is_dnssec(rr->type) || records_is_meta(rr->type) ||
        !records_rdata_right(rr->type, rr->rdata))
        return 0;
    if (e->ops == EDIT_RRS)
        return err_set(err, E_FULL, "more than %d RRs in one difference", EDIT_RRS);
    return add_op(e, &relative, rr, removes) < 0 ? err_set(err, E_NOMEM, "no memory for changes") : 0;
}

int records_edit_remove(struct records_edit *e, const struct records_rr *rr, struct err *err) {
    return take(e, rr, true, err);
}

int records_edit_add(struct records_edit *e, const struct records_rr *rr, struct err *err) {
    return take(e, rr, false, err);
}

/* --- regions --- */

static int owner_order(const struct op *a, const struct told *t) {
    int c = path_compare((struct bytes){a->path, a->path_size}, (struct bytes){t->path, t->path_size});
    return c != 0 ? c : (int)a->star - (int)t->star;
}

static int op_order(const void *va, const void *vb) {
    const struct op *a = va, *b = vb;
    int c = path_compare((struct bytes){a->path, a->path_size}, (struct bytes){b->path, b->path_size});
    if (c == 0)
        c = (int)a->star - (int)b->star;
    return c != 0 ? c : (a->number > b->number) - (a->number < b->number);
}

static bool same_owner(const struct op *a, const struct op *b) {
    return a->star == b->star && a->path_size == b->path_size && memcmp(a->path, b->path, a->path_size) == 0;
}

static int make_regions(struct records_edit *e) {
    int rc = 0;
    qsort(e->op, e->ops, sizeof *e->op, op_order);
    e->region = calloc(e->ops, sizeof *e->region);
    if (e->region == NULL)
        return E_NOMEM;
    for (size_t i = 0; i < e->ops && rc == 0; i++) {
        const struct op *o = &e->op[i];
        struct bytes path = {o->path, o->path_size};
        const struct region *last = e->regions > 0 ? &e->region[e->regions - 1] : NULL;
        if ((i > 0 && same_owner(o, &e->op[i - 1])) || (last != NULL && last->beneath && region_has(last, path)))
            continue;
        rc = edit_region_of(&e->z, &e->arena, path, o->star, &e->region[e->regions]);
        e->regions += rc == 0;
    }
    e->regions = regions_settle(e->region, e->regions);
    return rc;
}

/* --- what stands there, changed --- */

static bool same_rr(const struct told *t, const struct told_rr *rr, const struct op *o) {
    return rr->type == o->type && records_rdata_same(rr->type, (struct bytes){t->rdata.at + rr->at, rr->size},
                                                     (struct bytes){o->rdata, o->rdata_size});
}

static int put_rr(struct records_edit *e, const struct told *t, uint16_t type, uint32_t ttl, struct bytes rdata,
                  struct err *err) {
    struct records_rr rr = {.type = type, .ttl = ttl, .rdata = rdata};
    if (!records_owner(&rr.owner, t, &e->apex))
        return 0;
    return records_in_add(e->in, &rr, err);
}

/* The last that was said of an RR at this owner, and that each before it fits: 1 it is there, 0 it is not, E_INVALID.
 */
static int outcome(const struct op *ops, size_t count, const struct op *o, bool there) {
    for (size_t i = 0; i < count; i++) {
        const struct op *k = &ops[i];
        if (k->type != o->type || !records_rdata_same(o->type, (struct bytes){k->rdata, k->rdata_size},
                                                      (struct bytes){o->rdata, o->rdata_size}))
            continue;
        if (there != k->removes)
            return E_INVALID;
        there = !k->removes;
    }
    return there;
}

static bool first_of_rr(const struct op *ops, size_t i) {
    for (size_t k = 0; k < i; k++)
        if (ops[k].type == ops[i].type &&
            records_rdata_same(ops[i].type, (struct bytes){ops[k].rdata, ops[k].rdata_size},
                               (struct bytes){ops[i].rdata, ops[i].rdata_size}))
            return false;
    return true;
}

static const struct op *last_of_rr(const struct op *ops, size_t count, size_t i) {
    const struct op *last = &ops[i];
    for (size_t k = i + 1; k < count; k++)
        if (ops[k].type == ops[i].type &&
            records_rdata_same(ops[i].type, (struct bytes){ops[k].rdata, ops[k].rdata_size},
                               (struct bytes){ops[i].rdata, ops[i].rdata_size}))
            last = &ops[k];
    return last;
}

static int not_ours(const struct records_edit *e, const struct told *t, bool removes, struct err *err) {
    struct name owner;
    char text[NAME_TEXT_MAX];
    if (!records_owner(&owner, t, &e->apex))
        owner = e->apex;
    return err_set(err, E_INVALID, "%s: an RR %s", name_text(&owner, text),
                   removes ? "goes that is not there" : "comes that is there");
}

/* One owner: what was told (rrs 0: nothing), and what is done to it. *left: RRs that stay or come. */
static int change_owner(struct records_edit *e, const struct told *t, const struct op *ops, size_t count,
                        unsigned *left, struct err *err) {
    int rc = 0;
    *left = 0;
    for (unsigned i = 0; i < t->rrs && rc == 0; i++) {
        const struct told_rr *rr = &t->rr[i];
        struct bytes rdata = {t->rdata.at + rr->at, rr->size};
        size_t k = 0;
        while (k < count && !same_rr(t, rr, &ops[k]))
            k++;
        int stays = k < count ? outcome(ops, count, &ops[k], true) : 1;
        if (stays < 0)
            return not_ours(e, t, ops[k].removes, err);
        *left += stays > 0;
        uint32_t ttl = k < count ? last_of_rr(ops, count, k)->ttl : rr->ttl;
        rc = stays > 0 ? put_rr(e, t, rr->type, ttl, rdata, err) : 0;
    }
    for (size_t k = 0; k < count && rc == 0; k++) {
        bool told = false;
        for (unsigned i = 0; i < t->rrs && !told; i++)
            told = same_rr(t, &t->rr[i], &ops[k]);
        if (told || !first_of_rr(ops, k))
            continue;
        int comes = outcome(ops, count, &ops[k], false);
        if (comes < 0)
            return not_ours(e, t, ops[k].removes, err);
        const struct op *last = last_of_rr(ops, count, k);
        *left += comes > 0;
        rc = comes > 0 ? put_rr(e, t, last->type, last->ttl, (struct bytes){last->rdata, last->rdata_size}, err) : 0;
    }
    return rc;
}

static bool is_hinfo_alone(const struct told *t) {
    return !t->star && t->rrs == 1 && t->rr[0].type == TYPE_HINFO && t->rr[0].size == 10 &&
           memcmp(t->rdata.at + t->rr[0].at, "\10excluded", 10) == 0;
}

/* A name that our walk tells as excluded may be one at the server, or be there by what lies beneath it alone. When all
 * beneath it goes, only the server knows. */
static int pass_hidden(struct records_edit *e, const struct told *t, bool before, bool after, struct err *err) {
    struct bytes path = {t->path, t->path_size};
    for (; e->hiddens > 0; e->hiddens--) {
        struct hidden *h = &e->hidden[e->hiddens - 1];
        if (path.size > h->size && path_is_under(path, (struct bytes){h->path, h->size}))
            break;
        if (h->before && !h->after)
            return err_set(err, E_INVALID, "what is left of a name is not known here");
    }
    for (unsigned i = 0; i < e->hiddens; i++) {
        e->hidden[i].before |= before;
        e->hidden[i].after |= after;
    }
    if (!before || !after || !is_hinfo_alone(t) || e->hiddens == ARRAY_SIZE(e->hidden))
        return 0;
    struct hidden *h = &e->hidden[e->hiddens++];
    *h = (struct hidden){.size = t->path_size};
    memcpy(h->path, t->path, t->path_size);
    return 0;
}

static int pass_owner(struct records_edit *e, const struct told *t, struct err *err) {
    size_t first = e->next_op;
    unsigned left;
    while (e->next_op < e->ops && owner_order(&e->op[e->next_op], t) == 0)
        e->next_op++;
    int rc = change_owner(e, t, &e->op[first], e->next_op - first, &left, err);
    return rc == 0 ? pass_hidden(e, t, t->rrs > 0, left > 0, err) : rc;
}

/* Owners that only the changes know, up to one that is told; NULL: all. */
static int pass_new_owners(struct records_edit *e, const struct told *upto, struct err *err) {
    int rc = 0;
    while (rc == 0 && e->next_op < e->ops && (upto == NULL || owner_order(&e->op[e->next_op], upto) < 0)) {
        const struct op *o = &e->op[e->next_op];
        struct told t = {.path_size = o->path_size, .labels = o->labels, .star = o->star};
        memcpy(t.path, o->path, o->path_size);
        rc = pass_owner(e, &t, err);
    }
    return rc;
}

static bool is_within(struct records_edit *e, const struct told *t) {
    struct bytes path = {t->path, t->path_size};
    while (e->hint < e->regions && !region_has(&e->region[e->hint], path)) {
        if (path_compare(path, (struct bytes){e->region[e->hint].from, e->region[e->hint].from_size}) < 0)
            return false;
        e->hint++;
    }
    return e->hint < e->regions;
}

static int change_regions(struct records_edit *e, struct err *err) {
    const struct told *t;
    int rc = walker_open(&e->w, &e->z);
    if (rc < 0)
        return rc;
    walker_regions(e->w, e->region, e->regions);
    while ((rc = walker_next(e->w, &t)) > 0) {
        if (!is_within(e, t))
            continue;
        if (++e->walked > EDIT_WALKED)
            return err_set(err, E_FULL,
                           "the change has to do with more than %d names: the whole zone is the shorter way",
                           EDIT_WALKED);
        rc = pass_new_owners(e, t, err);
        if (rc == 0)
            rc = pass_owner(e, t, err);
        if (rc < 0)
            return rc;
    }
    if (rc == 0)
        rc = pass_new_owners(e, NULL, err);
    if (rc == 0) {
        struct told end = {.path_size = 0};
        rc = pass_hidden(e, &end, false, false, err);
    }
    return rc;
}

/* --- the batch --- */

static int foreign(const struct meta *m, struct err *err) {
    for (unsigned i = 0; i < m->dataset_count; i++)
        for (unsigned kind = 0; kind < COUNT_KINDS && m->dataset[i].type != DATASET_ACL; kind++)
            for (unsigned n = 0; n < COUNT_LENGTHS; n++)
                if (m->counts[i].n[kind][n] > 0)
                    return err_set(err, E_FULL,
                                   "the zone has datasets that no transfer brings: the whole zone is needed");
    return 0;
}

static int read_guarded(void *ctx, struct err *err) {
    struct records_edit *e = ctx;
    struct data *d = records_in_part(e->in);
    int rc = make_regions(e);
    if (rc == 0)
        rc = change_regions(e, err);
    for (size_t i = 0; i < e->regions && rc == 0; i++)
        rc = edit_stored(&e->z, &e->arena, &e->region[i], d, &e->was);
    return rc < 0 && (err == NULL || err->text[0] == '\0') ? err_set(err, rc, "changes: %s", err_name(rc)) : rc;
}

/* What the regions hold, as it is and as it is to be. */
static int read_regions(struct records_edit *e, struct err *err) {
    int rc = reader_open(&e->r, e->batch->k, err);
    if (rc < 0)
        return rc;
    rc = foreign(reader_meta(e->r), err);
    if (rc == 0)
        rc = zone_read_open(&e->z, e->r, NULL, err);
    if (rc == 0)
        rc = records_in_open_part(&e->in, e->conf, reader_meta(e->r)->apex.ttl, err);
    if (rc == 0)
        rc = reader_guarded(e->r, read_guarded, e, err);
    walker_close(e->w);
    e->w = NULL;
    zone_read_close(&e->z);
    reader_close(e->r);
    free(e->region);
    e->region = NULL;
    e->regions = 0;
    return rc;
}

int records_edit_finish(struct records_edit *e, struct err *err) {
    struct data *d = NULL;
    struct err why = {.text = ""};
    int rc = e->top != NULL ? keep_batch_set_apex(e->batch, e->top) : 0;
    if (rc < 0)
        return err_set(err, rc, "the apex: %s", err_name(rc));
    if (e->ops == 0)
        return 0;
    batch_read_end(e->batch);
    rc = read_regions(e, &why);
    if (rc == 0)
        rc = records_in_data(e->in, &d, &why);
    if (rc == 0 && edit_entries_of(&e->is, d) < 0)
        rc = err_set(&why, E_NOMEM, "no memory for changes");
    if (rc == 0)
        rc = edit_put(e->batch, &e->was, &e->is, d, &why);
    records_in_close(e->in);
    e->in = NULL;
    e->ops = 0;
    return rc < 0 ? err_set(err, rc, "%s", why.text) : 0;
}
