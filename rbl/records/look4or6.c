/* One look into prefixes: the cursors of all its datasets and levels merged by address, and the prefixes that hold the
 * place at hand as a stack, each with all that answers there. A prefix whose length is no whole number of labels has
 * places for each of the labels that it holds. */
#include <stdlib.h>

#include "rbl/records/look.h"

enum { COVERS = 129 };

struct cover {
    read_addr addr, last;
    uint8_t bits;
    struct hits hits;
};
/* A cursor into what is stored, or into what the overlay puts back. */
struct run {
    struct read_prefixes stored;
    struct read_item now;
    size_t at;
    bool over, held;
    uint8_t dataset;
};
struct prefixes {
    struct look look;
    struct look_at at;
    read_addr next_addr;
    /* By labels: the last place that was visited; what begins before it is told. */
    read_addr visited[LABELS6 + 1];
    bool any_visited[LABELS6 + 1];
    enum bucket_kind kind;
    unsigned step, all; /* bits of a label, of an address */
    unsigned runs;
    unsigned heaped;
    unsigned covers;
    unsigned next_labels;
    struct run *run;
    unsigned *heap;      /* runs that hold something, the first one foremost */
    struct cover *cover; /* from the shortest */
};
static const struct hits none;

const struct hits *look_prefixes_hits(const struct look *l) {
    const struct prefixes *p = (const struct prefixes *)l;
    return p->at.inside && p->covers > 0 ? &p->cover[p->covers - 1].hits : &none;
}

/* --- the overlay --- */

static int item_order(const struct read_item *a, const struct read_item *b) {
    if (a->addr != b->addr)
        return a->addr < b->addr ? -1 : 1;
    return a->bits - b->bits;
}

/* The first overlay item at or behind addr/bits. */
static size_t over_lower(const struct prefixes *p, const struct read_item *i) {
    const struct over *o = p->look.z->over;
    size_t low = 0, high = o->items[p->kind];
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (item_order(&o->item[p->kind][mid].i, i) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Whether a stored item was not there yet: 1, 0 or an error. */
static int hidden(const struct prefixes *p, unsigned dataset, const struct read_item *i) {
    const struct over *o = p->look.z->over;
    if (o == NULL)
        return 0;
    for (size_t k = over_lower(p, i); k < o->items[p->kind] && item_order(&o->item[p->kind][k].i, i) == 0; k++) {
        const struct over_item *x = &o->item[p->kind][k];
        if (!x->gone || x->dataset != dataset)
            continue;
        if (x->i.value == VALUE_EXCLUDED || i->value == VALUE_EXCLUDED) {
            if (x->i.value == i->value)
                return 1;
            continue;
        }
        const struct value *v;
        int rc = zone_value(p->look.z, i->value, &v);
        if (rc < 0)
            return rc;
        if (value_same(v, o->value[x->i.value - OVER_VALUE]))
            return 1;
    }
    return 0;
}

/* --- runs --- */

static int run_settle(struct prefixes *p, struct run *r) {
    if (r->over) {
        const struct over *o = p->look.z->over;
        while (r->at < o->items[p->kind] &&
               (o->item[p->kind][r->at].gone || (p->look.which >> o->item[p->kind][r->at].dataset & 1) == 0))
            r->at++;
        r->held = r->at < o->items[p->kind];
        if (r->held) {
            r->now = o->item[p->kind][r->at].i;
            r->dataset = o->item[p->kind][r->at].dataset;
        }
        return 0;
    }
    int rc = 0;
    while (r->stored.held && (rc = hidden(p, r->dataset, &r->stored.now)) > 0)
        if ((rc = read_prefixes_next(&r->stored)) < 0)
            return rc;
    r->held = r->stored.held;
    r->now = r->stored.now;
    return rc;
}

static int run_next(struct prefixes *p, struct run *r) {
    if (r->over) {
        r->at++;
        return run_settle(p, r);
    }
    int rc = read_prefixes_next(&r->stored);
    if (rc < 0)
        return rc;
    if (p->look.z->over != NULL)
        return run_settle(p, r);
    r->held = r->stored.held;
    r->now = r->stored.now;
    return 0;
}

static int run_seek(struct prefixes *p, struct run *r, read_addr from) {
    if (r->over)
        r->at = over_lower(p, &(struct read_item){.addr = from});
    else {
        int rc = read_prefixes_seek(&r->stored, from);
        if (rc < 0)
            return rc;
    }
    return run_settle(p, r);
}

static bool before(const struct prefixes *p, unsigned a, unsigned b) {
    const struct run *x = &p->run[a], *y = &p->run[b];
    int c = item_order(&x->now, &y->now);
    return c != 0 ? c < 0 : x->dataset != y->dataset ? x->dataset < y->dataset : a < b;
}

static void sift(struct prefixes *p, unsigned at) {
    for (unsigned child; (child = 2 * at + 1) < p->heaped; at = child) {
        if (child + 1 < p->heaped && before(p, p->heap[child + 1], p->heap[child]))
            child++;
        if (!before(p, p->heap[child], p->heap[at]))
            return;
        unsigned t = p->heap[at];
        p->heap[at] = p->heap[child];
        p->heap[child] = t;
    }
}

static int top_next(struct prefixes *p) {
    struct run *r = &p->run[p->heap[0]];
    int rc = run_next(p, r);
    if (rc < 0)
        return rc;
    if (!r->held)
        p->heap[0] = p->heap[--p->heaped];
    sift(p, 0);
    return 0;
}

/* --- what holds a place --- */

static void cover_pop(struct prefixes *p, read_addr at) {
    while (p->covers > 0 && p->cover[p->covers - 1].last < at)
        p->covers--;
}

static int cover_push(struct prefixes *p, const struct read_item *i, unsigned dataset) {
    struct cover *top = p->covers > 0 ? &p->cover[p->covers - 1] : NULL;
    if (top == NULL || top->bits != i->bits) {
        if (p->cover == NULL || p->covers == COVERS || (top != NULL && top->bits > i->bits))
            return E_CORRUPT;
        struct cover *c = &p->cover[p->covers++];
        c->addr = i->addr;
        c->last = i->addr | ~read_mask(i->bits);
        c->bits = i->bits;
        if (top != NULL)
            hits_copy(&c->hits, &top->hits);
        else
            c->hits.count = 0;
        top = c;
    }
    hits_prefix(&top->hits, (struct hit){i->value, (uint8_t)dataset, i->bits}, zone_classes(p->look.z, dataset));
    return 0;
}

/* --- the next place --- */

static unsigned labels_for(const struct prefixes *p, unsigned bits) { return (bits + p->step - 1) / p->step; }

static void offer(struct prefixes *p, read_addr addr, unsigned labels, bool *has) {
    if (*has && (addr > p->next_addr || (addr == p->next_addr && labels >= p->next_labels)))
        return;
    *has = true;
    p->next_addr = addr;
    p->next_labels = labels;
}

static void find_next(struct prefixes *p) {
    bool has = false;
    if (p->heaped > 0) {
        const struct read_item *i = &p->run[p->heap[0]].now;
        offer(p, i->addr, labels_for(p, i->bits), &has);
    }
    for (unsigned k = p->covers; k-- > 0;) {
        const struct cover *c = &p->cover[k];
        if (c->bits % p->step == 0)
            continue;
        unsigned labels = labels_for(p, c->bits);
        read_addr one = (read_addr)1 << (128 - labels * p->step), at = c->addr;
        if (p->any_visited[labels] && p->visited[labels] >= c->addr) {
            if (p->visited[labels] >= (c->last & read_mask(labels * p->step)))
                continue;
            at = p->visited[labels] + one;
        }
        offer(p, at, labels, &has);
    }
    struct look *l = &p->look;
    l->has = has;
    if (has) {
        memcpy(l->next, l->sub, l->sub_size);
        l->next_size =
            (uint8_t)(l->sub_size + (p->kind == KIND4
                                         ? path_octets(l->next + l->sub_size, p->next_addr, p->next_labels)
                                         : path_nibbles(l->next + l->sub_size, p->next_addr, p->next_labels)));
    }
}

static int visit(struct look *l, const struct look_at *at, struct bytes path) {
    struct prefixes *p = (struct prefixes *)l;
    (void)path;
    p->at = *at;
    if (!at->inside)
        return 0;
    unsigned bits = at->labels * p->step;
    cover_pop(p, at->addr);
    while (p->heaped > 0) {
        const struct run *r = &p->run[p->heap[0]];
        if (r->now.addr > at->addr || r->now.bits > bits)
            break;
        if (r->now.addr < at->addr)
            return E_CORRUPT;
        int rc = cover_push(p, &r->now, r->dataset);
        if (rc == 0)
            rc = top_next(p);
        if (rc < 0)
            return rc;
    }
    p->visited[at->labels] = at->addr;
    p->any_visited[at->labels] = true;
    find_next(p);
    return 0;
}

/* --- seeking --- */

struct around {
    struct read_item i;
    uint8_t dataset;
};
struct arounds {
    struct around *at;
    size_t count, cap;
    struct prefixes *p;
    uint8_t dataset;
};

static int around_add(void *ctx, const struct read_item *i) {
    struct arounds *a = ctx;
    int rc = hidden(a->p, a->dataset, i);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    if (a->count == a->cap) {
        size_t cap = a->cap == 0 ? 64 : 2 * a->cap;
        struct around *more = realloc(a->at, cap * sizeof *more);
        if (more == NULL)
            return E_NOMEM;
        a->at = more;
        a->cap = cap;
    }
    a->at[a->count++] = (struct around){*i, a->dataset};
    return 0;
}

static int around_order(const void *va, const void *vb) {
    const struct around *a = va, *b = vb;
    return a->i.bits != b->i.bits ? a->i.bits - b->i.bits : a->dataset - b->dataset;
}

static int over_around(struct arounds *a, read_addr from) {
    const struct over *o = a->p->look.z->over;
    int rc = 0;
    for (unsigned bits = 0; o != NULL && bits <= 128 && rc == 0; bits++) {
        struct read_item at = {.addr = from & read_mask(bits), .bits = (uint8_t)bits};
        if (at.addr == from)
            continue;
        for (size_t k = over_lower(a->p, &at);
             k < o->items[a->p->kind] && item_order(&o->item[a->p->kind][k].i, &at) == 0 && rc == 0; k++) {
            const struct over_item *x = &o->item[a->p->kind][k];
            a->dataset = x->dataset;
            if (x->gone || (a->p->look.which >> x->dataset & 1) == 0)
                continue;
            /* hidden() is for what is stored; this one is what was */
            if (a->count == a->cap) {
                struct around *more = realloc(a->at, (a->cap + 64) * sizeof *more);
                if (more == NULL)
                    return E_NOMEM;
                a->at = more;
                a->cap += 64;
            }
            a->at[a->count++] = (struct around){x->i, x->dataset};
        }
    }
    return rc;
}

/* Everything that holds `from` and begins before it. */
static int seek_covers(struct prefixes *p, read_addr from) {
    struct arounds a = {.p = p};
    int rc = 0;
    p->covers = 0;
    for (unsigned i = 0; i < p->runs && rc == 0; i++) {
        a.dataset = p->run[i].dataset;
        if (!p->run[i].over)
            rc = read_prefixes_around(&p->run[i].stored, from, around_add, &a);
    }
    if (rc == 0)
        rc = over_around(&a, from);
    if (a.count > 1)
        qsort(a.at, a.count, sizeof *a.at, around_order);
    for (size_t i = 0; i < a.count && rc == 0; i++)
        rc = cover_push(p, &a.at[i].i, a.at[i].dataset);
    free(a.at);
    return rc;
}

static int seek(struct look *l, const struct look_at *at, struct bytes path) {
    struct prefixes *p = (struct prefixes *)l;
    bool above = path.size <= l->sub_size && memcmp(l->sub, path.at, path.size) == 0;
    read_addr from = at->inside ? at->addr : 0;
    int rc = 0;
    memset(p->any_visited, 0, sizeof p->any_visited);
    p->covers = p->heaped = 0;
    l->has = false;
    p->at.inside = false;
    if (!at->inside && !above)
        return 0; /* no address is there */
    for (unsigned i = 0; i < p->runs && rc == 0; i++) {
        rc = run_seek(p, &p->run[i], from);
        if (rc == 0 && p->run[i].held)
            p->heap[p->heaped++] = i;
    }
    for (unsigned i = p->heaped / 2; i-- > 0 && rc == 0;)
        sift(p, i);
    if (rc == 0)
        rc = seek_covers(p, from);
    /* What begins here and holds more than this place was told above it. */
    while (rc == 0 && p->heaped > 0) {
        const struct run *r = &p->run[p->heap[0]];
        if (r->now.addr != from || r->now.bits >= at->labels * p->step)
            break;
        rc = cover_push(p, &r->now, r->dataset);
        if (rc == 0)
            rc = top_next(p);
    }
    /* Places above this one were visited, and those before it are behind us. */
    for (unsigned labels = 1; labels <= LABELS6 && labels * p->step <= p->all; labels++) {
        unsigned host = 128 - labels * p->step;
        read_addr one = host < 128 ? (read_addr)1 << host : 0;
        bool above_it = labels < at->labels;
        p->any_visited[labels] = above_it || from != 0;
        p->visited[labels] = above_it ? from & read_mask(labels * p->step) : from - one;
    }
    find_next(p);
    return rc;
}

struct outermost {
    struct read_item i;
    unsigned bits; /* no longer ones */
    bool any;
};

static int outermost_add(void *ctx, const struct read_item *i) {
    struct outermost *o = ctx;
    if (i->bits <= o->bits && (!o->any || i->bits < o->i.bits))
        o->i = *i;
    o->any |= i->bits <= o->bits;
    return 0;
}

int look_prefixes_outermost(struct look *l, const struct look_at *at, struct read_item *i) {
    struct prefixes *p = (struct prefixes *)l;
    struct outermost o = {.bits = at->labels * p->step};
    int rc = 0;
    for (unsigned k = 0; k < p->runs && rc == 0; k++) {
        struct run *r = &p->run[k];
        rc = read_prefixes_seek(&r->stored, at->addr);
        for (; rc == 0 && r->stored.held && r->stored.now.addr == at->addr; rc = read_prefixes_next(&r->stored))
            (void)outermost_add(&o, &r->stored.now);
        if (rc == 0)
            rc = read_prefixes_around(&r->stored, at->addr, outermost_add, &o);
    }
    *i = o.i;
    return rc < 0 ? rc : o.any;
}

static void close(struct look *l) {
    struct prefixes *p = (struct prefixes *)l;
    for (unsigned i = 0; i < p->runs; i++)
        if (!p->run[i].over)
            read_prefixes_close(&p->run[i].stored);
    free(p->run);
    free(p->heap);
    free(p->cover);
    free(p);
}

static const struct look_ops ops = {visit, seek, close};

/* Which levels a dataset has something at, also by the overlay. */
static bool has_level(const struct zone_read *z, enum bucket_kind kind, unsigned dataset, unsigned level) {
    struct look_dataset ld;
    look_dataset_of(&ld, DATASET_IP4TRIE, &z->m->counts[dataset]);
    return ld.levels[kind] >> level & 1;
}

int look_open_prefixes(struct look **out, struct zone_read *z, enum bucket_kind kind, const struct name *sub,
                       uint64_t which) {
    struct prefixes *p = calloc(1, sizeof *p);
    unsigned most = LIMIT_DATASETS * BUCKET_LEVELS_MAX + 1;
    *out = p != NULL ? &p->look : NULL;
    if (p == NULL)
        return E_NOMEM;
    p->look.ops = &ops;
    p->look.z = z;
    p->look.kind = kind == KIND4 ? KEEP_4 : KEEP_6;
    p->look.which = which;
    p->look.sub_size = (uint8_t)path_of(p->look.sub, sub);
    p->look.sub_labels = sub->labels;
    p->kind = kind;
    p->step = kind == KIND4 ? 8 : 4;
    p->all = kind == KIND4 ? 32 : 128;
    p->run = calloc(most, sizeof *p->run);
    p->heap = calloc(most, sizeof *p->heap);
    p->cover = malloc(COVERS * sizeof *p->cover);
    if (p->run == NULL || p->heap == NULL || p->cover == NULL)
        return E_NOMEM;
    for (unsigned i = 0; i < LIMIT_DATASETS; i++)
        for (unsigned level = 0; level < bucket_levels[kind].count && (which >> i & 1) != 0; level++) {
            if (!has_level(z, kind, i, level))
                continue;
            struct run *r = &p->run[p->runs++];
            r->dataset = (uint8_t)i;
            int rc = read_prefixes_open(&r->stored, z->r, kind, i, level);
            if (rc < 0) {
                p->runs--;
                return rc;
            }
        }
    if (z->over != NULL && z->over->items[kind] > 0)
        p->run[p->runs++].over = true;
    return 0;
}
