#include "rbl/keep/feed.h"

static size_t count_of(const struct feed *f) {
    return f->kind == FEED_4 ? f->d->n4 : f->kind == FEED_6 ? f->d->n6 : f->d->nn;
}

static unsigned dataset_of(const struct feed *f, size_t i) {
    return f->kind == FEED_4 ? f->d->e4[i].dataset : f->kind == FEED_6 ? f->d->e6[i].dataset : f->d->en[i].dataset;
}

/* First entry of [low, high) whose dataset is not below `dataset`. */
static size_t first_of(const struct feed *f, unsigned dataset) {
    size_t low = 0, high = count_of(f);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (dataset_of(f, middle) < dataset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Those of the files, then the local one, which has entries in a whole zone alone. */
static unsigned next_dataset(const struct feed *f, unsigned dataset) {
    return dataset + 1 < f->d->dataset_count ? dataset + 1 : dataset < DATASET_LOCAL ? DATASET_LOCAL : LIMIT_DATASETS;
}

void feed_open(struct feed *f, const struct data *d, const uint32_t *value_of, enum feed_kind kind,
               const struct meta *m) {
    memset(f, 0, sizeof *f);
    f->d = d;
    f->value_of = value_of;
    f->kind = kind;
    for (unsigned i = 0; i <= LIMIT_DATASETS; i++)
        f->start[i] = first_of(f, i);
    f->at.dataset = d->dataset_count > 0 ? 0 : DATASET_LOCAL;
    for (unsigned i = f->at.dataset; i < LIMIT_DATASETS && kind != FEED_NAMES; i = next_dataset(f, i)) {
        struct look_dataset ld;
        look_dataset_of(&ld, i == DATASET_LOCAL ? DATASET_IP4TRIE : d->dataset[i].type, &m->counts[i]);
        f->levels[i] = ld.levels[kind];
    }
    f->at.entry = f->start[f->at.dataset];
}

void feed_close(struct feed *f) {
    buf_free(&f->record);
    items_free(&f->items);
}

static inline const uint8_t *entry_addr(const struct feed *f, size_t i, uint8_t four[4]) {
    if (f->kind == FEED_6)
        return f->d->e6[i].addr;
    put_u32(four, f->d->e4[i].addr);
    return four;
}

/* Gathers the first bucket of level `lv` at or behind entry `i`, before `end`. 1, 0: none, or an error. */
static inline __attribute__((always_inline)) int gather_from(struct feed *f, const struct level *lv, size_t i,
                                                             size_t end, enum feed_kind kind) {
    uint8_t four[4];
    size_t same = lv->level / 8u;
    f->items.count = 0;
    for (; i < end; i++) {
        unsigned bits = kind == FEED_4 ? f->d->e4[i].bits : f->d->e6[i].bits;
        const uint8_t *addr = entry_addr(f, i, four);
        if (f->items.count > 0 && memcmp(addr, f->key + 2, same) != 0)
            break;
        if (bits < lv->low || bits > lv->high)
            continue; /* in this network, but of another level */
        if (f->items.count == 0)
            f->key_size = bucket_key(f->key, f->at.dataset, lv, addr);
        uint32_t value = kind == FEED_4 ? f->d->e4[i].value : f->d->e6[i].value;
        struct item one = {.suffix = bucket_suffix(lv, addr, bits), .value = f->value_of[value], .bits = (uint8_t)bits};
        int rc = items_add(&f->items, &one);
        if (rc < 0)
            return rc;
    }
    f->at.entry = i;
    return f->items.count > 0;
}

static int gather(struct feed *f, const struct level *lv, size_t i, size_t end) {
    int rc = f->kind == FEED_4 ? gather_from(f, lv, i, end, FEED_4) : gather_from(f, lv, i, end, FEED_6);
    f->record.size = 0;
    if (rc <= 0)
        return rc;
    rc = bucket_encode(&f->record, lv, &f->items);
    return rc < 0 ? rc : 1;
}

static int next_bucket(struct feed *f) {
    const struct levels *levels = &bucket_levels[f->kind];
    while (f->at.dataset < LIMIT_DATASETS) {
        unsigned ds = f->at.dataset;
        if (f->at.level < levels->count && f->levels[ds] >> f->at.level & 1) {
            int rc = gather(f, &levels->at[f->at.level], f->at.entry, f->start[ds + 1]);
            if (rc != 0)
                return rc;
        }
        f->at.level++;
        if (f->at.level >= levels->count) {
            f->at.level = 0;
            f->at.dataset = next_dataset(f, ds);
        }
        f->at.entry = f->start[f->at.dataset];
    }
    return 0;
}

static bool same_name(const struct entry_name *a, const struct entry_name *b) {
    return a->dataset == b->dataset && a->size == b->size && memcmp(a->name, b->name, a->size) == 0;
}

static int compare_item(const void *a, const void *b) {
    const struct name_item *x = a, *y = b;
    if (x->wildcard != y->wildcard)
        return x->wildcard ? 1 : -1;
    return x->value != y->value ? (x->value < y->value ? -1 : 1) : 0;
}

/* The record of all entries that have the name of entry `i`: exact ones first, then by value. */
static int gather_name(struct feed *f, size_t i) {
    const struct entry_name *e = &f->d->en[i];
    struct name_item few[16], *list = few;
    size_t n = 0, cap = ARRAY_SIZE(few), count = 1;
    while (i + count < f->d->nn && same_name(e, &e[count]))
        count++;
    if (count > cap && (list = malloc(count * sizeof *list)) == NULL)
        return E_NOMEM;
    for (; n < count; n++)
        list[n] = (struct name_item){f->value_of[e[n].value], e[n].wildcard};
    if (n > 1)
        qsort(list, n, sizeof *list, compare_item);
    f->record.size = 0;
    for (size_t k = 0; k < n; k++)
        name_item_put(&f->record, list[k]);
    if (list != few)
        free(list);
    f->key[0] = e->dataset;
    memcpy(f->key + 1, e->name, e->size);
    f->key_size = 1u + e->size;
    f->at.entry = i + count;
    return f->record.failed ? E_NOMEM : 1;
}

int feed_next(struct feed *f) {
    if (f->kind != FEED_NAMES)
        return next_bucket(f);
    return f->at.entry < f->d->nn ? gather_name(f, f->at.entry) : 0;
}

/* First entry of the dataset whose address, cut to `size` bytes, is not below that of `addr`. */
static size_t seek(const struct feed *f, unsigned dataset, const uint8_t *addr, size_t size) {
    size_t low = f->start[dataset], high = f->start[dataset + 1];
    uint8_t four[4];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(entry_addr(f, middle, four), addr, size) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int feed_bucket(void *ctx, enum bucket_kind kind, unsigned dataset, unsigned level, const uint8_t *addr,
                struct bytes *bucket) {
    struct feed *f = (struct feed *)ctx + kind;
    const struct level *lv = &bucket_levels[kind].at[level];
    uint8_t key[BUCKET_KEY_MAX];
    size_t size = bucket_key(key, dataset, lv, addr);
    f->at.dataset = dataset;
    int rc = gather(f, lv, seek(f, dataset, addr, lv->level / 8u), f->start[dataset + 1]);
    if (rc < 0)
        return rc;
    if (rc == 0 || size != f->key_size || memcmp(key, f->key, size) != 0)
        return E_NOTFOUND;
    *bucket = buf_bytes(&f->record);
    return 0;
}

int feed_name(void *ctx, unsigned dataset, const struct look_name *n, unsigned labels, struct bytes *record) {
    struct feed *f = (struct feed *)ctx + FEED_NAMES;
    size_t size = n->end[labels], low = f->start[dataset], high = f->start[dataset + 1];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct entry_name *e = &f->d->en[middle];
        int c = memcmp(e->name, n->wire, e->size < size ? e->size : size);
        if (c < 0 || (c == 0 && e->size < size))
            low = middle + 1;
        else
            high = middle;
    }
    if (low == f->start[dataset + 1] || f->d->en[low].size != size || memcmp(f->d->en[low].name, n->wire, size) != 0)
        return E_NOTFOUND;
    int rc = gather_name(f, low);
    if (rc < 0)
        return rc;
    *record = buf_bytes(&f->record);
    return 0;
}
