/* Sorting millions of entries: byte-wise radix sorts from the last byte to the first, which are stable by nature and
 * skip bytes that are the same everywhere (most datasets hold one prefix length). Names are sorted eight bytes at a
 * time, so that each name is fetched from memory once per eight bytes and not once per comparison. */
#include <stdlib.h>

#include "rbl/model/impl.h"

enum { RADIX_PASSES_MAX = 18, NAMES_INSERTION = 24, NAMES_MERGE = 4096 };

typedef uint8_t (*key_byte)(const void *element, unsigned pass);

/* `byte(e, 0)` is the least of the key. Always inlined, so that size and byte are constants inside. Afterwards the
 * sorted elements are in *from. */
static inline __attribute__((always_inline)) void radix(void **from, void **to, size_t n, size_t size, unsigned passes,
                                                        key_byte byte, size_t (*count)[256]) {
    memset(count, 0, passes * sizeof *count);
    for (size_t i = 0; i < n; i++)
        for (unsigned p = 0; p < passes; p++)
            count[p][byte((char *)*from + i * size, p)]++;
    for (unsigned p = 0; p < passes; p++) {
        if (count[p][byte(*from, p)] == n)
            continue;
        for (size_t b = 0, at = 0; b < 256; b++) {
            size_t here = count[p][b];
            count[p][b] = at;
            at += here;
        }
        for (size_t i = 0; i < n; i++) {
            const char *e = (const char *)*from + i * size;
            memcpy((char *)*to + count[p][byte(e, p)]++ * size, e, size);
        }
        void *swap = *from;
        *from = *to;
        *to = swap;
    }
}

static inline uint8_t byte4(const void *element, unsigned pass) {
    const struct entry4 *e = element;
    return pass == 0 ? e->bits : pass == 5 ? e->dataset : (uint8_t)(e->addr >> 8 * (pass - 1));
}

static inline uint8_t byte6(const void *element, unsigned pass) {
    const struct entry6 *e = element;
    return pass == 0 ? e->bits : pass == 17 ? e->dataset : e->addr[16 - pass];
}

static uint64_t key4(const struct entry4 *e) { return (uint64_t)e->dataset << 40 | (uint64_t)e->addr << 8 | e->bits; }

static int compare6(const struct entry6 *a, const struct entry6 *b) {
    if (a->dataset != b->dataset)
        return a->dataset < b->dataset ? -1 : 1;
    int c = memcmp(a->addr, b->addr, sizeof a->addr);
    return c != 0 ? c : (int)a->bits - (int)b->bits;
}

int sort_entries4(struct entry4 *e, size_t n) {
    size_t i = 1, count[6][256];
    while (i < n && key4(&e[i - 1]) <= key4(&e[i]))
        i++;
    if (i >= n)
        return 0;
    struct entry4 *other = malloc(n * sizeof *e);
    if (other == NULL)
        return E_NOMEM;
    void *from = e, *to = other;
    radix(&from, &to, n, sizeof *e, 6, byte4, count);
    if (from != e)
        memcpy(e, from, n * sizeof *e);
    free(other);
    return 0;
}

int sort_entries6(struct entry6 *e, size_t n) {
    size_t i = 1, count[RADIX_PASSES_MAX][256];
    while (i < n && compare6(&e[i - 1], &e[i]) <= 0)
        i++;
    if (i >= n)
        return 0;
    struct entry6 *other = malloc(n * sizeof *e);
    if (other == NULL)
        return E_NOMEM;
    void *from = e, *to = other;
    radix(&from, &to, n, sizeof *e, 18, byte6, count);
    if (from != e)
        memcpy(e, from, n * sizeof *e);
    free(other);
    return 0;
}

/* A name with the eight bytes that are being looked at. */
struct keyed {
    uint64_t key;
    struct entry_name e;
};

static inline uint8_t byte_key(const void *element, unsigned pass) {
    return (uint8_t)(((const struct keyed *)element)->key >> 8 * pass);
}

/* Order below (dataset, name): exact before wildcard. */
static int compare_name(const struct entry_name *a, const struct entry_name *b) {
    if (a->dataset != b->dataset)
        return a->dataset < b->dataset ? -1 : 1;
    int c = memcmp(a->name, b->name, a->size < b->size ? a->size : b->size);
    if (c == 0)
        c = (int)a->size - (int)b->size;
    return c != 0 ? c : (int)a->wildcard - (int)b->wildcard;
}

static void insertion(struct keyed *k, size_t n) {
    for (size_t i = 1; i < n; i++) {
        struct keyed x = k[i];
        size_t at = i;
        for (; at > 0 && compare_name(&k[at - 1].e, &x.e) > 0; at--)
            k[at] = k[at - 1];
        k[at] = x;
    }
}

static void merge(struct keyed *k, struct keyed *tmp, size_t n) {
    if (n < 2)
        return;
    size_t half = n / 2, a = 0, b = half, at = 0;
    merge(k, tmp, half);
    merge(k + half, tmp, n - half);
    if (k[half - 1].key <= k[half].key)
        return;
    memcpy(tmp, k, half * sizeof *k);
    while (a < half && b < n)
        k[at++] = k[b].key < tmp[a].key ? k[b++] : tmp[a++];
    memcpy(k + at, tmp + a, (half - a) * sizeof *k);
}

/* Eight bytes of the name from `depth` on. Behind the end stands 0, which no label has as its length, so that a name
 * sorts before the names beneath it. The first key is the dataset, the last the wildcard. */
static uint64_t key_at(const struct entry_name *e, unsigned depth, bool *more) {
    uint64_t key = 0;
    for (unsigned i = depth; i < depth + 8; i++)
        key = key << 8 | (i < e->size ? e->name[i] : 0);
    *more = depth + 8 < e->size;
    return key;
}

static void sort_by_key(struct keyed *k, struct keyed *tmp, size_t n, size_t (*count)[256]) {
    if (n <= NAMES_MERGE) {
        merge(k, tmp, n);
        return;
    }
    void *from = k, *to = tmp;
    radix(&from, &to, n, sizeof *k, 8, byte_key, count);
    if (from != k)
        memcpy(k, from, n * sizeof *k);
}

/* k[0..n): one dataset, names equal in their first `depth` bytes. Deep at most LIMIT_NAME_WIRE / 8. */
static void sort_names(struct keyed *k, struct keyed *tmp, size_t n, unsigned depth, size_t (*count)[256]) {
    if (n <= NAMES_INSERTION) {
        insertion(k, n);
        return;
    }
    bool more, any = false;
    for (size_t i = 0; i < n; i++) {
        k[i].key = key_at(&k[i].e, depth, &more);
        any |= more;
    }
    sort_by_key(k, tmp, n, count);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && k[end].key == k[i].key;)
            end++;
        if (end - i == 1)
            continue;
        if (any && depth + 8 < LIMIT_NAME_WIRE) {
            sort_names(k + i, tmp, end - i, depth + 8, count);
        } else {
            for (size_t j = i; j < end; j++)
                k[j].key = k[j].e.wildcard;
            sort_by_key(k + i, tmp, end - i, count);
        }
    }
}

int sort_entries_name(struct entry_name *e, size_t n) {
    size_t i = 1, count[8][256];
    while (i < n && compare_name(&e[i - 1], &e[i]) <= 0)
        i++;
    if (i >= n)
        return 0;
    struct keyed *k = calloc(n, 2 * sizeof *k);
    if (k == NULL)
        return E_NOMEM;
    for (i = 0; i < n; i++)
        k[i] = (struct keyed){.key = e[i].dataset, .e = e[i]};
    sort_by_key(k, k + n, n, count);
    for (size_t from = 0, end; from < n; from = end) {
        for (end = from + 1; end < n && k[end].e.dataset == k[from].e.dataset;)
            end++;
        sort_names(k + from, k + n, end - from, 0, count);
    }
    for (i = 0; i < n; i++)
        e[i] = k[i].e;
    free(k);
    return 0;
}
