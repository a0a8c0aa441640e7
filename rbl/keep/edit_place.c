#define XXH_INLINE_ALL
#include <xxhash.h>

#include "rbl/keep/edit_impl.h"

/* Room for one more of `size` octets; doubles. */
static int room(void **array, uint32_t *cap, uint32_t used, size_t size) {
    if (used < *cap)
        return 0;
    uint32_t wanted = *cap == 0 ? 64 : *cap * 2;
    void *p = realloc(*array, wanted * size);
    if (p == NULL)
        return E_NOMEM;
    *array = p;
    *cap = wanted;
    return 0;
}

int batch_read(struct keep_batch *b, struct err *err) {
    if (b->t != NULL)
        return 0;
    int rc = keep_ready(b->k, err);
    if (rc == 0 && b->k->store != NULL)
        rc = store_read_begin(b->k->store, &b->t, err);
    if (rc < 0 || b->looked || b->k->meta == NULL)
        return rc;
    const struct meta *m = b->k->meta;
    for (unsigned i = 0; i < m->dataset_count; i++)
        look_dataset_of(&b->look[i], m->dataset[i].type, &m->counts[i]);
    look_dataset_of(&b->look[DATASET_LOCAL], DATASET_IP4TRIE, &m->counts[DATASET_LOCAL]);
    b->looked = true;
    return 0;
}

void batch_read_end(struct keep_batch *b) {
    store_read_end(b->t);
    b->t = NULL;
}

/* At most half full. */
static int grow_values(struct keep_batch *b) {
    if (b->value_slots / 2 > b->values + 1)
        return 0;
    uint32_t slots = b->value_slots == 0 ? BATCH_SLOTS : b->value_slots * 2;
    uint32_t *fresh = calloc(slots, sizeof *fresh);
    if (fresh == NULL)
        return E_NOMEM;
    free(b->value_slot);
    b->value_slot = fresh;
    b->value_slots = slots;
    for (uint32_t n = 1; n < b->values; n++) {
        uint32_t at = b->value[n].hash & (slots - 1);
        while (fresh[at] != 0)
            at = (at + 1) & (slots - 1);
        fresh[at] = n;
    }
    return 0;
}

static int intern(struct keep_batch *b, const struct value *v, uint32_t *number) {
    uint32_t hash = (uint32_t)value_hash(v), at;
    int rc = grow_values(b);
    if (rc == 0)
        rc = room((void **)&b->value, &b->value_cap, b->values + 1, sizeof *b->value);
    if (rc < 0)
        return rc;
    if (b->values == 0)
        b->value[b->values++] = (struct batch_value){.v = NULL};
    for (at = hash & (b->value_slots - 1); b->value_slot[at] != 0; at = (at + 1) & (b->value_slots - 1)) {
        *number = b->value_slot[at];
        if (b->value[*number].hash == hash && value_same(b->value[*number].v, v))
            return 0;
    }
    struct value *mine = arena_alloc(&b->arena, offsetof(struct value, txt) + v->txt_size + 1u);
    if (mine == NULL)
        return E_NOMEM;
    value_copy(mine, v);
    *number = b->value_slot[at] = b->values++;
    b->value[*number] = (struct batch_value){.v = mine, .hash = hash};
    return 0;
}

int batch_value_of(struct keep_batch *b, const struct value *v, uint32_t *number) {
    struct buf stored = {0};
    struct value normal;
    if (v->kind == VALUE_ACL || v->txt_size > VALUE_BYTES)
        return E_INVALID;
    value_put(&stored, v);
    int rc = stored.failed ? E_NOMEM : value_take(buf_bytes(&stored), &normal);
    buf_free(&stored);
    return rc == E_CORRUPT ? E_INVALID : rc < 0 ? rc : intern(b, &normal, number);
}

/* The number of a stored value. */
static int number_of(struct keep_batch *b, uint32_t id, uint32_t *number) {
    uint8_t key[4];
    struct bytes record;
    struct value v;
    struct uses uses;
    *number = 0;
    if (id == VALUE_EXCLUDED)
        return 0;
    put_u32(key, id);
    int rc = store_get(b->t, TABLE_VALUES, (struct bytes){key, sizeof key}, &record);
    if (rc == 0)
        rc = meta_read_value(record, &uses, &v);
    if (rc == 0)
        rc = intern(b, &v, number);
    if (rc == 0)
        b->value[*number].id = id;
    return rc == E_NOTFOUND ? E_CORRUPT : rc;
}

int batch_spot(struct keep_batch *b, struct place *p, uint32_t value, unsigned *spot) {
    for (*spot = 0; *spot < p->count; ++*spot)
        if (p->spot[*spot].value == value)
            return 0;
    if (p->count >= BATCH_SPOTS)
        return E_FULL;
    if (p->count == p->cap) {
        unsigned cap = p->cap == 0 ? 3 : p->cap * 2;
        struct spot *fresh = arena_alloc(&b->arena, cap * sizeof *fresh);
        if (fresh == NULL)
            return E_NOMEM;
        if (p->count > 0)
            memcpy(fresh, p->spot, p->count * sizeof *fresh);
        p->spot = fresh;
        p->cap = cap;
    }
    memset(&p->spot[p->count], 0, sizeof p->spot[0]);
    p->spot[p->count].value = value;
    *spot = p->count++;
    return 0;
}

static int found_stored(struct keep_batch *b, struct place *p, unsigned dataset, uint32_t id) {
    uint32_t number;
    unsigned spot;
    int rc = number_of(b, id, &number);
    if (rc < 0 || (dataset != DATASET_LOCAL && number == 0))
        return rc; /* a file's own exclusion is its own business */
    rc = batch_spot(b, p, number, &spot);
    if (rc < 0)
        return rc;
    struct spot *s = &p->spot[spot];
    if (dataset != DATASET_LOCAL) {
        s->file_dataset = s->file ? s->file_dataset : (uint8_t)dataset;
        s->file = true;
        return 0;
    }
    struct until_entry e = {p->kind, p->bits, {p->key, p->size}, id};
    rc = until_get(b->t, &e, &s->until);
    s->was = s->is = true;
    s->was_until = s->until;
    return rc;
}

static int read_prefix(struct keep_batch *b, struct place *p, unsigned dataset) {
    const struct levels *levels = &bucket_levels[p->kind];
    unsigned i = 0, count;
    while (p->bits > levels->at[i].high)
        i++;
    const struct level *lv = &levels->at[i];
    struct match m[BATCH_SPOTS]; /* all of them, or one not seen would be added twice */
    uint8_t key[BUCKET_KEY_MAX];
    struct bytes bucket;
    if (!(b->look[dataset].levels[p->kind] >> i & 1))
        return 0;
    size_t size = bucket_key(key, dataset, lv, p->key);
    int rc = store_get(b->t, TABLE_4 + (unsigned)p->kind, (struct bytes){key, size}, &bucket);
    if (rc == 0)
        rc = bucket_at(bucket, lv, bucket_suffix(lv, p->key, p->bits), p->bits, m, ARRAY_SIZE(m), &count);
    for (unsigned n = 0; rc == 0 && n < count; n++)
        rc = found_stored(b, p, dataset, m[n].value);
    return rc == E_NOTFOUND ? 0 : rc;
}

static int read_name(struct keep_batch *b, struct place *p, unsigned dataset) {
    uint8_t key[FEED_KEY_MAX] = {(uint8_t)dataset};
    struct bytes record;
    struct name_item i;
    if (!b->look[dataset].has_names)
        return 0;
    memcpy(key + 1, p->key, p->size);
    int rc = store_get(b->t, TABLE_NAMES, (struct bytes){key, 1u + p->size}, &record);
    if (rc < 0)
        return rc == E_NOTFOUND ? 0 : rc;
    struct scan s = scan_of(record);
    while ((rc = name_item_next(&s, &i)) > 0)
        if (i.wildcard == (p->bits != 0) && (rc = found_stored(b, p, dataset, i.value)) < 0)
            break;
    return rc;
}

/* At the top of the zone, where local entries are. */
static bool at_apex(const struct dataset *d) {
    for (unsigned i = 0; i < d->sub_count; i++)
        if (d->sub[i].labels == 0)
            return true;
    return d->sub_count == 0;
}

static int read_place(struct keep_batch *b, struct place *p) {
    const struct meta *m = b->k->meta;
    unsigned none;
    int rc = batch_spot(b, p, 0, &none);
    if (rc < 0 || b->t == NULL)
        return rc;
    for (unsigned i = 0; i <= m->dataset_count && rc == 0; i++) {
        unsigned dataset = i < m->dataset_count ? i : DATASET_LOCAL;
        if (i < m->dataset_count && (m->dataset[i].type == DATASET_ACL || !at_apex(&m->dataset[i])))
            continue;
        rc = p->kind == FEED_NAMES ? read_name(b, p, dataset) : read_prefix(b, p, dataset);
    }
    return rc;
}

static bool same_place(const struct place *p, enum feed_kind kind, unsigned bits, const uint8_t *key, size_t size) {
    return p->kind == kind && p->bits == bits && p->size == size && memcmp(p->key, key, size) == 0;
}

static int grow_places(struct keep_batch *b) {
    if (b->slots / 2 > b->places)
        return 0;
    uint32_t slots = b->slots == 0 ? BATCH_SLOTS : b->slots * 2;
    uint32_t *fresh = calloc(slots, sizeof *fresh);
    if (fresh == NULL)
        return E_NOMEM;
    free(b->slot);
    b->slot = fresh;
    b->slots = slots;
    for (uint32_t n = 0; n < b->places; n++) {
        uint32_t at = b->place[n].hash & (slots - 1);
        while (fresh[at] != 0)
            at = (at + 1) & (slots - 1);
        fresh[at] = n + 1;
    }
    return 0;
}

int batch_place(struct keep_batch *b, enum feed_kind kind, unsigned bits, const uint8_t *key, size_t size,
                struct place **p, struct err *err) {
    uint32_t hash = (uint32_t)XXH3_64bits_withSeed(key, size, bits << 2 | (unsigned)kind), at;
    int rc = grow_places(b);
    if (rc == 0)
        rc = room((void **)&b->place, &b->place_cap, b->places, sizeof *b->place);
    if (rc < 0)
        return err_set(err, rc, "no memory for edits");
    for (at = hash & (b->slots - 1); b->slot[at] != 0; at = (at + 1) & (b->slots - 1)) {
        *p = &b->place[b->slot[at] - 1];
        if ((*p)->hash == hash && same_place(*p, kind, bits, key, size))
            return 0;
    }
    if (b->places >= BATCH_PLACES)
        return err_set(err, E_FULL, "more than %d places in one batch", BATCH_PLACES);
    rc = batch_read(b, err);
    if (rc < 0)
        return rc;
    uint8_t *mine = arena_alloc(&b->arena, size + 1);
    if (mine == NULL)
        return err_set(err, E_NOMEM, "no memory for edits");
    memcpy(mine, key, size);
    *p = &b->place[b->places];
    **p = (struct place){.kind = kind, .bits = (uint8_t)bits, .size = (uint8_t)size, .key = mine, .hash = hash};
    rc = read_place(b, *p);
    if (rc < 0)
        return err_set(err, rc, "zone %s: looking at a place: %s", b->k->zone->name, err_name(rc));
    b->slot[at] = ++b->places;
    return 0;
}

struct change batch_change(const struct place *p) {
    struct change c;
    memset(&c, 0, offsetof(struct change, value));
    c.kind = p->kind;
    c.dataset = DATASET_LOCAL;
    c.bits = p->bits;
    if (p->kind == FEED_NAMES)
        c.name = (struct bytes){p->key, p->size};
    else
        memcpy(c.addr, p->key, p->size);
    return c;
}
