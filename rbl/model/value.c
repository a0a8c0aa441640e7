#define XXH_INLINE_ALL
#include <xxhash.h>

#include <stdio.h>
#include <stdlib.h>

#include "rbl/model/impl.h"

static bool value_equal(const struct value *a, const struct value *b) {
    return memcmp(a->a, b->a, sizeof a->a) == 0 && a->has_txt == b->has_txt && a->txt_size == b->txt_size &&
           memcmp(a->txt, b->txt, a->txt_size) == 0;
}

static uint32_t value_hash(const struct value *v) {
    return (uint32_t)XXH3_64bits_withSeed(v->txt, v->txt_size, (uint64_t)get_u32(v->a) << 1 | v->has_txt);
}

/* The slot that holds an equal value, or the free one where it belongs. */
static uint32_t *slot_of(const struct data *d, const struct value *v) {
    struct data_value_index *x = d->index;
    for (uint32_t at = value_hash(v);; at++) {
        uint32_t *slot = &x->slot[at & (x->slots - 1)];
        if (*slot == 0 || value_equal(&d->value[*slot], v))
            return slot;
    }
}

/* At most half full, so that slot_of always ends. */
static int index_grow(struct data *d) {
    struct data_value_index *x = d->index;
    if (x->slots / 2 > d->value_count)
        return 0;
    uint32_t slots = x->slots == 0 ? 64 : x->slots * 2;
    uint32_t *fresh = calloc(slots, sizeof *fresh);
    if (fresh == NULL)
        return E_NOMEM;
    free(x->slot);
    x->slot = fresh;
    x->slots = slots;
    for (uint32_t id = VALUE_FIRST; id < d->value_count; id++)
        *slot_of(d, &d->value[id]) = id;
    return 0;
}

static int array_grow(struct data *d) {
    if (d->value_count < d->value_cap)
        return 0;
    uint32_t cap = d->value_cap * 2;
    struct value *p = realloc(d->value, (size_t)cap * sizeof *p);
    if (p == NULL)
        return E_NOMEM;
    d->value = p;
    d->value_cap = cap;
    return 0;
}

int data_value(struct data *d, const struct value *v, uint32_t *id) {
    if (v->txt_size > 0 && !v->has_txt)
        return E_RANGE;
    int rc = index_grow(d);
    if (rc < 0)
        return rc;
    uint32_t *slot = slot_of(d, v);
    if (*slot != 0) {
        *id = *slot;
        return 0;
    }
    if (d->value_count >= LIMIT_VALUES)
        return E_FULL;
    rc = array_grow(d);
    if (rc < 0)
        return rc;
    struct value *mine = &d->value[d->value_count];
    memset(mine, 0, sizeof *mine);
    memcpy(mine->a, v->a, sizeof mine->a);
    mine->has_txt = v->has_txt;
    mine->txt_size = v->txt_size;
    memcpy(mine->txt, v->txt, v->txt_size);
    *slot = *id = d->value_count++;
    return 0;
}

const char *value_text(const struct value *v, char *to) {
    int at = snprintf(to, VALUE_TEXT_MAX, ":%u.%u.%u.%u:", v->a[0], v->a[1], v->a[2], v->a[3]);
    for (unsigned i = 0; i < v->txt_size; i++) {
        to[at++] = v->txt[i] != '\0' ? v->txt[i] : '$';
        if (v->txt[i] == '\0')
            to[at++] = '$';
    }
    to[at] = '\0';
    return to;
}

/* The canonical form: dataset, kind, key size, key, bits or wildcard, then 0 for an exclusion, else 1, A, 0 or 1 for
 * TXT, TXT. It is part of docs/formats/zone.md: a change makes every stored digest wrong. */
static struct digest digest(const struct data *d, unsigned dataset, char kind, const uint8_t *key, size_t key_size,
                            unsigned bits, uint32_t value) {
    uint8_t form[5 + LIMIT_NAME_WIRE + 6 + LIMIT_TXT];
    size_t at = 0;
    form[at++] = (uint8_t)dataset;
    form[at++] = (uint8_t)kind;
    form[at++] = (uint8_t)key_size;
    memcpy(form + at, key, key_size);
    at += key_size;
    form[at++] = (uint8_t)bits;
    form[at++] = value != VALUE_EXCLUDED;
    if (value != VALUE_EXCLUDED && value < d->value_count) {
        const struct value *v = &d->value[value];
        memcpy(form + at, v->a, 4);
        form[at + 4] = v->has_txt;
        memcpy(form + at + 5, v->txt, v->txt_size);
        at += 5u + v->txt_size;
    }
    XXH128_hash_t h = XXH3_128bits(form, at);
    return (struct digest){.lo = h.low64, .hi = h.high64};
}

struct digest digest_entry4(const struct data *d, const struct entry4 *e) {
    uint8_t addr[4];
    put_u32(addr, e->addr);
    return digest(d, e->dataset, '4', addr, sizeof addr, e->bits, e->value);
}

struct digest digest_entry6(const struct data *d, const struct entry6 *e) {
    return digest(d, e->dataset, '6', e->addr, sizeof e->addr, e->bits, e->value);
}

struct digest digest_entry_name(const struct data *d, const struct entry_name *e) {
    return digest(d, e->dataset, 'n', e->name, e->size, e->wildcard, e->value);
}
