/* Addresses as names: the tree of labels from the top, each node with what holds all of it.
 *
 * "*.0.0.2" stands for 2.0.0.0/24, and is a wildcard for the 32 labels of 200x::/12, too. So where a listed network has
 * octets below ten alone, its names are written down to where the digits end, and a to f as names without an answer:
 * then no IPv6 address is listed because an IPv4 network is. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "health/command/export_bind.h"

enum { CHILDREN = 256, OWNER = 80, DIGITS = 10 };

struct walk4or6 {
    struct bind *b;
    unsigned step, all; /* 8 of 32, 4 of 128 */
    uint8_t key[16];    /* of the node at hand */
    unsigned bits;      /* of what is written */
    char subject[INET6_ADDRSTRLEN + 16];
};

static int compare(const void *va, const void *vb) {
    const struct bind_item *a = va, *b = vb;
    int c = memcmp(a->key, b->key, sizeof a->key);
    if (c == 0)
        c = (int)a->bits - (int)b->bits;
    return c != 0 ? c : (int)a->dataset - (int)b->dataset;
}

void bind_sort_addresses(struct bind *b, unsigned family) {
    if (b->items[family] > 0)
        qsort(b->item[family], b->items[family], sizeof *b->item[family], compare);
}

static unsigned label_of(const struct walk4or6 *w, const uint8_t *key, unsigned depth) {
    return w->step == 8 ? key[depth / 8] : depth % 8 == 0 ? key[depth / 8] >> 4 : key[depth / 8] & 15;
}

static void set_label(struct walk4or6 *w, unsigned depth, unsigned label) {
    uint8_t *at = &w->key[depth / 8];
    *at = (uint8_t)(w->step == 8 ? label : depth % 8 == 0 ? label << 4 | (*at & 15) : (*at & 0xf0) | label);
}

static char *put_label(char *to, unsigned label, bool decimal) {
    if (decimal && label >= 100)
        *to++ = (char)('0' + label / 100);
    if (decimal && label >= 10)
        *to++ = (char)('0' + label / 10 % 10);
    *to++ = "0123456789abcdef"[decimal ? label % 10 : label];
    return to;
}

/* "*.2.0.192" of the node of `bits`; of a whole address without the star; "*" of the top. */
static void owner_of(const struct walk4or6 *w, unsigned bits, char to[OWNER]) {
    char *at = to;
    if (bits < w->all)
        *at++ = '*';
    for (unsigned d = bits; d > 0; d -= w->step) {
        if (at != to)
            *at++ = '.';
        at = put_label(at, label_of(w, w->key, d - w->step), w->step == 8);
    }
    *at = '\0';
}

/* Could the name of this node be the end of that of an IPv6 address as well? */
static bool ambiguous(const struct walk4or6 *w, unsigned bits) {
    for (unsigned i = 0; i < bits / 8; i++)
        if (w->step != 8 || w->key[i] >= DIGITS)
            return false;
    return w->step == 8 && bits < w->all;
}

static const char *subject(void *ctx, const struct hit *h) {
    struct walk4or6 *w = ctx;
    char address[INET6_ADDRSTRLEN];
    (void)h;
    (void)inet_ntop(w->step == 8 ? AF_INET : AF_INET6, w->key, address, sizeof address);
    (void)snprintf(w->subject, sizeof w->subject, w->bits < w->all ? "%s/%u" : "%s", address, w->bits);
    return w->subject;
}

static void put(struct walk4or6 *w, unsigned bits, const struct answer *final, bool excluded) {
    char owner[OWNER];
    owner_of(w, bits, owner);
    if (excluded) {
        bind_excluded(w->b, owner);
        return;
    }
    w->bits = bits;
    bind_rrs(w->b, owner, final, subject, w);
}

/* An entry of this step replaces what wider ones of its dataset said. An ip4set adds up what lies in one class, and a
 * step is a class; elsewhere the longest counts. */
static void overlay(const struct walk4or6 *w, struct answer *a, const struct bind_item *i, unsigned above) {
    const struct export *x = w->b->x;
    bool classes = i->dataset < x->datasets &&
                   (x->dataset[i->dataset].type == DATASET_IP4SET || x->dataset[i->dataset].type == DATASET_IP4TSET);
    bool local = i->dataset == DATASET_LOCAL;
    int here = -1;
    for (unsigned k = 0; k < a->count; k++)
        if (a->hit[k].dataset == i->dataset && (!local || (a->hit[k].value == 0) == (i->value == 0)))
            here = a->hit[k].specific > here ? a->hit[k].specific : here;
    bool replaces = classes ? here >= 0 && here <= (int)above && above > 0 : here >= 0 && here < i->bits;
    if (classes && above == 0 && here == 0)
        replaces = false; /* 0/0 is of the same class as a /8 */
    if (replaces && !(local && i->value == 0))
        answer_drop(a, i->dataset, !local);
    answer_add(a, (struct hit){i->value, i->dataset, i->bits});
}

static bool same(const struct answer *a, const struct answer *b) {
    bool equal = a->count == b->count;
    for (unsigned i = 0; i < a->count && equal; i++)
        equal = a->hit[i].value == b->hit[i].value && a->hit[i].dataset == b->hit[i].dataset;
    return equal;
}

static void node(struct walk4or6 *w, unsigned bits, const struct bind_item *at, size_t count, const struct answer *all);

/* One label beneath the node: `coarse` items of this step may hold it, `at` begins with it. */
static void child(struct walk4or6 *w, unsigned bits, unsigned label, const struct bind_item *const *coarse,
                  size_t coarse_count, const struct bind_item *at, size_t count, const struct answer *all) {
    struct answer a = *all, final, above;
    unsigned below = bits + w->step;
    size_t deeper = 0;
    bool touched = false, spelled = label < DIGITS && ambiguous(w, bits);
    for (size_t i = 0; i < coarse_count; i++) {
        unsigned first = label_of(w, coarse[i]->key, bits), span = 1u << (below - coarse[i]->bits);
        if (label < first || label >= first + span)
            continue;
        overlay(w, &a, coarse[i], bits);
        touched = true;
    }
    for (; deeper < count && at[deeper].bits <= below; deeper++) {
        if (at[deeper].bits < below || (w->b->attached >> at[deeper].dataset & 1) == 0)
            continue;
        overlay(w, &a, &at[deeper], bits);
        touched = true;
    }
    set_label(w, bits, label);
    answer_final(&a, &final);
    answer_final(all, &above);
    /* Also when there is more beneath: none of that may come to be written, and the name must be there. */
    if (final.count == 0 && above.count > 0)
        put(w, below, &final, true);
    else if (deeper == count && final.count > 0 && !ambiguous(w, below) &&
             (spelled || (touched && !same(&final, &above))))
        put(w, below, &final, false);
    if (deeper < count || (final.count > 0 && ambiguous(w, below)))
        node(w, below, at + deeper, count - deeper, &a);
    set_label(w, bits, 0);
}

/* Entries that hold several children of the node, in order, and which children those are. NULL: none, or no memory. */
static const struct bind_item **coarse_of(struct walk4or6 *w, unsigned bits, const struct bind_item *at, size_t count,
                                          bool touched[CHILDREN], size_t *found) {
    const struct bind_item **list = NULL;
    unsigned below = bits + w->step;
    size_t cap = 0;
    for (size_t k = 0; k < count; k++) {
        if (at[k].bits >= below || (w->b->attached >> at[k].dataset & 1) == 0)
            continue;
        if (*found == cap) {
            const struct bind_item **more = realloc(list, (cap = cap > 0 ? 2 * cap : 16) * sizeof(void *));
            if (more == NULL) {
                w->b->failed = true;
                *found = 0;
                break;
            }
            list = more;
        }
        list[(*found)++] = &at[k];
        unsigned first = label_of(w, at[k].key, bits), span = 1u << (below - at[k].bits);
        for (unsigned c = first; c < first + span && c < CHILDREN; c++)
            touched[c] = true;
    }
    return list;
}

/* The node and all beneath it; `all`: what holds all of it. `at`: entries inside. */
static void node(struct walk4or6 *w, unsigned bits, const struct bind_item *at, size_t count,
                 const struct answer *all) {
    const struct bind_item **coarse;
    bool touched[CHILDREN] = {false};
    struct answer final;
    size_t coarse_count = 0, i = 0;
    answer_final(all, &final);
    if (final.count > 0)
        put(w, bits, &final, false);
    bool spelled = final.count > 0 && ambiguous(w, bits);
    for (unsigned c = 0; c < DIGITS && spelled; c++)
        touched[c] = true;
    coarse = coarse_of(w, bits, at, count, touched, &coarse_count);
    for (unsigned c = 0; c < 1u << w->step; c++) {
        size_t from = i;
        while (i < count && label_of(w, at[i].key, bits) == c)
            i++;
        if (i > from || touched[c])
            child(w, bits, c, coarse, coarse_count, at + from, i - from, all);
    }
    for (unsigned c = DIGITS; c < 16 && spelled; c++) {
        char owner[OWNER];
        owner_of(w, bits, owner);
        owner[0] = "0123456789abcdef"[c];
        bind_excluded(w->b, owner);
    }
    free(coarse);
}

void bind_addresses(struct bind *b, unsigned family) {
    struct walk4or6 w = {.b = b, .step = family == 0 ? 8 : 4, .all = family == 0 ? 32 : 128};
    const struct bind_item *at = b->item[family];
    struct answer all = {0};
    size_t first = 0;
    /* What holds everything: 0/0. */
    for (; first < b->items[family] && at[first].bits == 0; first++)
        if ((b->attached >> at[first].dataset & 1) != 0)
            overlay(&w, &all, &at[first], 0);
    if (first < b->items[family] || all.count > 0)
        node(&w, 0, at + first, b->items[family] - first, &all);
}
