#include "rbl/model/data.h"

#include <stdlib.h>

#include "rbl/model/impl.h"

enum { GROW_FIRST = 1024, CHUNK = 1 << 16 };

int data_open(struct data *d) {
    memset(d, 0, sizeof *d);
    d->index = calloc(1, sizeof *d->index);
    d->value = calloc(16, sizeof *d->value);
    if (d->index == NULL || d->value == NULL) {
        data_free(d);
        return E_NOMEM;
    }
    d->value_cap = 16;
    d->value_count = VALUE_FIRST;
    d->ttl = 35 * 60;
    return 0;
}

void data_free(struct data *d) {
    arena_free(&d->arena);
    if (d->index != NULL)
        free(d->index->slot);
    free(d->index);
    free(d->value);
    free(d->e4);
    free(d->e6);
    free(d->en);
    memset(d, 0, sizeof *d);
}

uint64_t data_entries(const struct data *d) { return (uint64_t)d->n4 + d->n6 + d->nn; }

/* Room for one more element. */
static int grow(void **array, size_t *cap, size_t used, size_t size) {
    if (used < *cap)
        return 0;
    size_t wanted = *cap == 0 ? GROW_FIRST : *cap * 2;
    if (wanted < *cap || wanted > SIZE_MAX / size)
        return E_NOMEM;
    void *p = realloc(*array, wanted * size);
    if (p == NULL)
        return E_NOMEM;
    *array = p;
    *cap = wanted;
    return 0;
}

static int check(const struct data *d, unsigned dataset) {
    if (dataset >= LIMIT_DATASETS)
        return E_RANGE;
    return data_entries(d) >= LIMIT_LOAD_ENTRIES ? E_FULL : 0;
}

static int add4(struct data *d, unsigned dataset, uint32_t addr, unsigned bits, uint32_t value) {
    int rc = check(d, dataset);
    if (rc == 0)
        rc = grow((void **)&d->e4, &d->cap4, d->n4, sizeof *d->e4);
    if (rc < 0)
        return rc;
    d->e4[d->n4++] = (struct entry4){.addr = addr, .value = value, .dataset = (uint8_t)dataset, .bits = (uint8_t)bits};
    return 0;
}

int data_add4(struct data *d, unsigned dataset, uint32_t first, uint32_t last, uint32_t value) {
    if (first > last)
        return E_RANGE;
    for (uint64_t at = first; at <= last;) {
        /* as wide as the alignment of `at` and what is left of the range allow */
        unsigned host = at == 0 ? 32 : (unsigned)__builtin_ctzll(at);
        uint64_t left = (uint64_t)last - at + 1;
        unsigned fits = 63 - (unsigned)__builtin_clzll(left);
        if (host > fits)
            host = fits;
        int rc = add4(d, dataset, (uint32_t)at, 32 - host, value);
        if (rc < 0)
            return rc;
        at += 1ULL << host;
    }
    return 0;
}

int data_add6(struct data *d, unsigned dataset, const uint8_t addr[16], unsigned bits, uint32_t value) {
    int rc = bits > 128 ? E_RANGE : check(d, dataset);
    if (rc == 0)
        rc = grow((void **)&d->e6, &d->cap6, d->n6, sizeof *d->e6);
    if (rc < 0)
        return rc;
    struct entry6 *e = &d->e6[d->n6++];
    memset(e, 0, sizeof *e);
    memcpy(e->addr, addr, (bits + 7) / 8);
    if (bits % 8 != 0)
        e->addr[bits / 8] &= (uint8_t)(0xff00 >> bits % 8);
    e->value = value;
    e->dataset = (uint8_t)dataset;
    e->bits = (uint8_t)bits;
    return 0;
}

uint8_t *data_pack(struct data *d, const uint8_t *bytes, size_t size) {
    struct data_value_index *x = d->index;
    if (size > CHUNK)
        return NULL;
    if (size > x->chunk_left || x->chunk == NULL) {
        uint8_t *chunk = arena_alloc(&d->arena, CHUNK);
        if (chunk == NULL)
            return NULL;
        x->chunk = chunk;
        x->chunk_left = CHUNK;
    }
    uint8_t *to = x->chunk;
    memcpy(to, bytes, size);
    x->chunk += size;
    x->chunk_left -= size;
    return to;
}

/* Labels from last to first, folded, without the root. */
static size_t reverse(uint8_t to[LIMIT_NAME_WIRE], const struct name *n) {
    size_t end = n->size > 0 ? n->size - 1u : 0, at = 0;
    for (size_t label; at < end; at += label) {
        label = n->wire[at] + 1u;
        if (at + label > end)
            return 0;
        uint8_t *copy = to + end - at - label;
        copy[0] = n->wire[at];
        for (size_t i = 1; i < label; i++) {
            uint8_t c = n->wire[at + i];
            copy[i] = c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
        }
    }
    return end;
}

int data_add_name(struct data *d, unsigned dataset, const struct name *n, bool wildcard, uint32_t value) {
    uint8_t reversed[LIMIT_NAME_WIRE];
    int rc = check(d, dataset);
    if (rc == 0)
        rc = grow((void **)&d->en, &d->capn, d->nn, sizeof *d->en);
    if (rc < 0)
        return rc;
    size_t size = reverse(reversed, n);
    uint8_t *packed = data_pack(d, reversed, size);
    if (packed == NULL)
        return E_NOMEM;
    d->en[d->nn++] = (struct entry_name){
        .name = packed, .size = (uint8_t)size, .dataset = (uint8_t)dataset, .wildcard = wildcard, .value = value};
    return 0;
}
