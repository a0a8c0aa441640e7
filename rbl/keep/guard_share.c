/* How much of the address space a zone's new data lists. One pass over the entries in their order: prefixes lie inside
 * each other or apart, so a stack of those that are open tells for each stretch of addresses which prefix is the
 * nearest, and whether that is an exclusion. */
#include <stdlib.h>

#include "rbl/keep/guard.h"

enum { OPEN_MAX = 129, NETS = 1 << 24 };

struct open_prefix {
    uint64_t first, last;
    bool listed;
};

struct sweep {
    struct open_prefix open[OPEN_MAX];
    unsigned depth;
    uint64_t at; /* nothing before it is left to tell */
    void (*listed)(void *ctx, uint64_t first, uint64_t last);
    void *ctx;
};

static void tell(struct sweep *s, uint64_t last) {
    const struct open_prefix *top = &s->open[s->depth - 1];
    if (top->listed && s->at <= last)
        s->listed(s->ctx, s->at, last);
}

/* Closes what ends before `first`. */
static void close_before(struct sweep *s, uint64_t first) {
    while (s->depth > 0 && s->open[s->depth - 1].last < first) {
        tell(s, s->open[s->depth - 1].last);
        s->at = s->open[--s->depth].last + 1;
    }
}

static void take(struct sweep *s, uint64_t first, uint64_t last, bool listed) {
    close_before(s, first);
    const struct open_prefix *top = s->depth > 0 ? &s->open[s->depth - 1] : NULL;
    if (s->depth == OPEN_MAX || (top != NULL && top->first == first && top->last == last))
        return; /* the same prefix with another value */
    if (top != NULL && first > s->at)
        tell(s, first - 1);
    s->at = first;
    s->open[s->depth++] = (struct open_prefix){first, last, listed};
}

static void finish(struct sweep *s) {
    while (s->depth > 0) {
        uint64_t last = s->open[s->depth - 1].last;
        tell(s, last);
        s->depth--;
        if (last == UINT64_MAX)
            s->depth = 0; /* whatever is around it ends here too */
        else
            s->at = last + 1;
    }
    s->at = 0;
}

/* IPv4, all datasets together: whole /24s as bits, so that they count once, and what is smaller as a sum. */
struct space4 {
    uint64_t *net; /* [NETS / 64] */
    uint64_t addresses;
};

static void on_listed4(void *ctx, uint64_t first, uint64_t last) {
    struct space4 *x = ctx;
    uint64_t net = (first + 255) >> 8, end = (last + 1) >> 8;
    if (net >= end) {
        x->addresses += last - first + 1;
        return;
    }
    x->addresses += (net << 8) - first + (last + 1 - (end << 8));
    while (net < end) {
        if (net % 64 == 0 && end - net >= 64) {
            x->net[net / 64] = UINT64_MAX;
            net += 64;
        } else {
            x->net[net / 64] |= 1ULL << net % 64;
            net++;
        }
    }
}

bool guard_lists_addresses(enum conf_dataset_type type) { return type <= DATASET_IP6TRIE; }
_Static_assert(DATASET_IP4SET == 0 && DATASET_IP6TRIE == 4 && DATASET_DNSET == 5, "addresses come first");

/* IPv6 by the first 64 bits: what is longer is nothing beside them. Only 2000::/3 is given to anybody. */
enum { GLOBAL_SHIFT = 61 };

static void on_listed6(void *ctx, uint64_t first, uint64_t last) {
    const uint64_t low = 1ULL << GLOBAL_SHIFT, high = (1ULL << (GLOBAL_SHIFT + 1)) - 1;
    first = first > low ? first : low;
    last = last < high ? last : high;
    if (first <= last)
        *(uint64_t *)ctx += last - first + 1;
}

struct guard_share {
    enum bucket_kind kind;
    struct sweep s;
    struct space4 x;
    uint64_t sum, most; /* IPv6: of a dataset, of the largest */
};

int guard_share_open(struct guard_share **out, enum bucket_kind kind) {
    struct guard_share *g = *out = calloc(1, sizeof *g);
    if (g == NULL)
        return E_NOMEM;
    g->kind = kind;
    g->s = (struct sweep){.listed = kind == KIND4 ? on_listed4 : on_listed6,
                          .ctx = kind == KIND4 ? (void *)&g->x : (void *)&g->sum};
    if (kind == KIND4 && (g->x.net = calloc(NETS / 64, sizeof(uint64_t))) == NULL) {
        free(g);
        *out = NULL;
        return E_NOMEM;
    }
    return 0;
}

void guard_share_dataset(struct guard_share *g) {
    finish(&g->s);
    g->most = g->sum > g->most ? g->sum : g->most;
    g->sum = 0;
}

void guard_share_take(struct guard_share *g, uint64_t addr, unsigned bits, bool listed) {
    unsigned width = g->kind == KIND4 ? 32 : 64;
    if (bits > width)
        return;
    uint64_t host = bits == 0 ? UINT64_MAX : bits == 64 ? 0 : (1ULL << (64 - bits)) - 1;
    if (g->kind == KIND4)
        host = bits == 32 ? 0 : UINT32_MAX >> bits;
    take(&g->s, addr & ~host, addr | host, listed);
}

double guard_share_close(struct guard_share *g) {
    guard_share_dataset(g);
    for (unsigned i = 0; g->kind == KIND4 && i < NETS / 64; i++)
        g->x.addresses += 256u * (unsigned)__builtin_popcountll(g->x.net[i]);
    double share =
        g->kind == KIND4 ? (double)g->x.addresses / 4294967296.0 : (double)g->most / (double)(1ULL << GLOBAL_SHIFT);
    free(g->x.net);
    free(g);
    return share < 1 ? share : 1;
}

static void take4(struct guard_share *g, const struct data *d) {
    unsigned dataset = 0;
    for (size_t i = 0; i < d->n4; i++) {
        const struct entry4 *e = &d->e4[i];
        if (e->dataset != dataset)
            guard_share_dataset(g);
        dataset = e->dataset;
        if (dataset < d->dataset_count && guard_lists_addresses(d->dataset[dataset].type))
            guard_share_take(g, e->addr, e->bits, e->value != VALUE_EXCLUDED);
    }
}

static void take6(struct guard_share *g, const struct data *d) {
    unsigned dataset = 0;
    for (size_t i = 0; i < d->n6; i++) {
        const struct entry6 *e = &d->e6[i];
        if (e->dataset != dataset)
            guard_share_dataset(g);
        dataset = e->dataset;
        if (dataset < d->dataset_count && guard_lists_addresses(d->dataset[dataset].type))
            guard_share_take(g, get_u64(e->addr), e->bits, e->value != VALUE_EXCLUDED);
    }
}

double guard_share_data(const struct data *d, enum bucket_kind kind) {
    struct guard_share *g;
    if (guard_share_open(&g, kind) < 0)
        return E_NOMEM;
    if (kind == KIND4)
        take4(g, d);
    else
        take6(g, d);
    return guard_share_close(g);
}
