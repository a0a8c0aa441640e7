#define XXH_INLINE_ALL
#include <xxhash.h>

#include <stddef.h>
#include <stdlib.h>

#include "rbl/model/impl.h"

static bool has_a(const struct value *v) {
    return v->kind == VALUE_LISTED || (v->kind == VALUE_ACL && v->act == ACL_LISTED);
}

/* Only what the kind uses, the rest zero, so that equal values are equal octet by octet. E_RANGE: none of ours. */
static int normal(struct value *to, const struct value *v) {
    bool listed = has_a(v);
    if (v->kind > VALUE_ACL || (v->kind == VALUE_ACL && v->act > ACL_PASS) ||
        (v->txt_size > 0 && listed && !v->has_txt))
        return E_RANGE;
    if (v->txt_size > (listed ? LIMIT_TXT : VALUE_BYTES))
        return E_RANGE;
    memset(to, 0, offsetof(struct value, txt));
    to->kind = v->kind;
    if (v->kind == VALUE_ACL)
        to->act = v->act;
    else
        to->ttl = v->ttl;
    if (v->kind == VALUE_RR)
        to->type = v->type;
    if (listed) {
        memcpy(to->a, v->a, sizeof to->a);
        to->has_txt = v->has_txt;
    }
    to->txt_size = listed || v->kind == VALUE_RR ? v->txt_size : 0;
    memcpy(to->txt, v->txt, to->txt_size);
    to->txt[to->txt_size] = '\0';
    return 0;
}

/* Of two normal ones. */
static bool value_equal(const struct value *a, const struct value *b) {
    return memcmp(a, b, offsetof(struct value, txt)) == 0 && memcmp(a->txt, b->txt, a->txt_size) == 0;
}

bool value_same(const struct value *a, const struct value *b) {
    struct value x, y;
    return normal(&x, a) == 0 && normal(&y, b) == 0 && value_equal(&x, &y);
}

static uint32_t value_hash(const struct value *v) {
    return (uint32_t)XXH3_64bits(v, offsetof(struct value, txt) + v->txt_size);
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
    struct value mine;
    int rc = normal(&mine, v);
    if (rc == 0)
        rc = index_grow(d);
    if (rc < 0)
        return rc;
    uint32_t *slot = slot_of(d, &mine);
    if (*slot != 0) {
        *id = *slot;
        return 0;
    }
    if (d->value_count >= LIMIT_VALUES)
        return E_FULL;
    rc = array_grow(d);
    if (rc < 0)
        return rc;
    memcpy(&d->value[d->value_count], &mine, offsetof(struct value, txt) + mine.txt_size + 1u);
    *slot = *id = d->value_count++;
    return 0;
}

/* What an entry says, as docs/formats/zone.md has it: a change makes every stored digest wrong. */
static size_t form_value(uint8_t *to, const struct value *v) {
    enum { FORM_LISTED = 1, FORM_LISTED_TTL, FORM_RR, FORM_ACL };
    size_t at = 0;
    if (v->kind == VALUE_RR) {
        to[at++] = FORM_RR;
        put_u16(to + at, v->type);
        put_u32(to + at + 2, v->ttl);
        at += 6;
    } else if (v->kind == VALUE_ACL) {
        to[at++] = FORM_ACL;
        to[at++] = v->act;
    } else if (v->ttl != 0) {
        to[at++] = FORM_LISTED_TTL;
        put_u32(to + at, v->ttl);
        at += 4;
    } else {
        to[at++] = FORM_LISTED;
    }
    if (has_a(v)) {
        memcpy(to + at, v->a, 4);
        to[at + 4] = v->has_txt;
        at += 5;
    }
    memcpy(to + at, v->txt, v->txt_size);
    return at + v->txt_size;
}

/* The canonical form: dataset, kind, key size, key, bits or wildcard, then 0 for an exclusion, else the value. */
static struct digest digest(const struct data *d, unsigned dataset, char kind, const uint8_t *key, size_t key_size,
                            unsigned bits, uint32_t value) {
    uint8_t form[4 + LIMIT_NAME_WIRE + 10 + VALUE_BYTES];
    size_t at = 0;
    form[at++] = (uint8_t)dataset;
    form[at++] = (uint8_t)kind;
    form[at++] = (uint8_t)key_size;
    memcpy(form + at, key, key_size);
    at += key_size;
    form[at++] = (uint8_t)bits;
    if (value != VALUE_EXCLUDED && value < d->value_count)
        at += form_value(form + at, &d->value[value]);
    else
        form[at++] = value != VALUE_EXCLUDED;
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
