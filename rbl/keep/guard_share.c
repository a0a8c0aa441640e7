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

static bool lists_addresses(const struct data *d, unsigned dataset) {
    return dataset < d->dataset_count && d->dataset[dataset].type <= DATASET_IP6TRIE;
}
_Static_assert(DATASET_IP4SET == 0 && DATASET_IP6TRIE == 4 && DATASET_DNSET == 5, "addresses come first");

double guard_share4(const struct data *d) {
    struct space4 x = {.net = calloc(NETS / 64, sizeof(uint64_t))};
    struct sweep s = {.listed = on_listed4, .ctx = &x};
    unsigned dataset = 0;
    if (x.net == NULL)
        return E_NOMEM;
    for (size_t i = 0; i < d->n4; i++) {
        const struct entry4 *e = &d->e4[i];
        uint64_t size = 1ULL << (32 - (e->bits <= 32 ? e->bits : 32));
        if (e->dataset != dataset)
            finish(&s);
        dataset = e->dataset;
        if (lists_addresses(d, dataset))
            take(&s, e->addr & ~(size - 1), (e->addr & ~(size - 1)) + size - 1, e->value != VALUE_EXCLUDED);
    }
    finish(&s);
    for (unsigned i = 0; i < NETS / 64; i++)
        x.addresses += 256u * (unsigned)__builtin_popcountll(x.net[i]);
    free(x.net);
    double share = (double)x.addresses / 4294967296.0;
    return share < 1 ? share : 1;
}

/* IPv6 by the first 64 bits: what is longer is nothing beside them. Only 2000::/3 is given to anybody. */
enum { GLOBAL_SHIFT = 61 };

static void on_listed6(void *ctx, uint64_t first, uint64_t last) {
    const uint64_t low = 1ULL << GLOBAL_SHIFT, high = (1ULL << (GLOBAL_SHIFT + 1)) - 1;
    first = first > low ? first : low;
    last = last < high ? last : high;
    if (first <= last)
        *(uint64_t *)ctx += last - first + 1;
}

double guard_share6(const struct data *d) {
    uint64_t sum = 0, most = 0;
    struct sweep s = {.listed = on_listed6, .ctx = &sum};
    unsigned dataset = 0;
    for (size_t i = 0; i < d->n6; i++) {
        const struct entry6 *e = &d->e6[i];
        if (e->dataset != dataset) {
            finish(&s);
            most = sum > most ? sum : most;
            sum = 0;
            dataset = e->dataset;
        }
        if (!lists_addresses(d, dataset) || e->bits > 64)
            continue;
        uint64_t host = e->bits == 0 ? UINT64_MAX : e->bits == 64 ? 0 : (1ULL << (64 - e->bits)) - 1;
        uint64_t first = get_u64(e->addr) & ~host;
        take(&s, first, first | host, e->value != VALUE_EXCLUDED);
    }
    finish(&s);
    most = sum > most ? sum : most;
    double share = (double)most / (double)(1ULL << GLOBAL_SHIFT);
    return share < 1 ? share : 1;
}
