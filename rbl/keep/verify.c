#include "rbl/keep/until.h"
#include "rbl/keep/work.h"

enum { VERIFY_VALUES = 1024 }; /* values at hand; a power of two */

struct verify {
    struct store_txn *t;
    const struct meta *m;
    struct meta *found;
    struct digest digest;
    struct uses *uses; /* by value id */
    uint32_t end;
    struct items items;
    bool local; /* only local entries are looked at */
    /* values as a data to take digests with: number 0 is the excluded, 1 + id % VERIFY_VALUES the others */
    struct value value[1 + VERIFY_VALUES];
    uint32_t held[1 + VERIFY_VALUES];
    struct data d;
    uint8_t last[STORE_KEY_MAX];
    size_t last_size;
    unsigned table; /* of the last record */
};

static int find_value(struct verify *v, unsigned dataset, uint32_t id, uint32_t *number) {
    uint8_t key[4];
    struct bytes record;
    struct uses uses;
    *number = id == VALUE_EXCLUDED ? 0 : 1 + id % VERIFY_VALUES;
    if (id == VALUE_EXCLUDED)
        return 0;
    if (id >= v->end)
        return E_CORRUPT;
    if (dataset == DATASET_LOCAL)
        v->uses[id].local++;
    else
        v->uses[id].files++;
    if (v->held[*number] == id)
        return 0;
    put_u32(key, id);
    int rc = store_get(v->t, TABLE_VALUES, (struct bytes){key, sizeof key}, &record);
    if (rc == 0)
        rc = meta_read_value(record, &uses, &v->value[*number]);
    v->held[*number] = rc == 0 ? id : 0;
    return rc == E_NOTFOUND ? E_CORRUPT : rc;
}

static int on_item(struct verify *v, enum feed_kind kind, const struct level *lv, struct bytes key,
                   const struct item *i) {
    struct counts *c = &v->found->counts[key.at[0]];
    uint32_t number;
    uint8_t addr[16] = {0};
    int rc = find_value(v, key.at[0], i->value, &number);
    if (rc < 0)
        return rc;
    memcpy(addr, key.at + 2, lv->level / 8u);
    if (lv->width == 2)
        put_u16(addr + lv->level / 8u, (uint16_t)i->suffix);
    else
        put_u64(addr + lv->level / 8u, i->suffix);
    c->n[kind == FEED_4 ? COUNT_4 : COUNT_6][i->bits]++;
    v->found->entries[kind]++;
    if (kind == FEED_4) {
        struct entry4 e = {.addr = get_u32(addr), .value = number, .dataset = key.at[0], .bits = i->bits};
        digest_plus(&v->digest, digest_entry4(&v->d, &e));
    } else {
        struct entry6 e = {.value = number, .dataset = key.at[0], .bits = i->bits};
        memcpy(e.addr, addr, sizeof e.addr);
        digest_plus(&v->digest, digest_entry6(&v->d, &e));
    }
    return 0;
}

static int on_bucket(struct verify *v, enum feed_kind kind, struct bytes key, struct bytes bucket) {
    const struct level *lv = NULL;
    for (unsigned i = 0; i < bucket_levels[kind].count && key.size >= 2; i++)
        if (bucket_levels[kind].at[i].level == key.at[1] && key.size == 2u + key.at[1] / 8u)
            lv = &bucket_levels[kind].at[i];
    if (lv == NULL || !meta_has(v->m, key.at[0]))
        return E_CORRUPT;
    v->items.count = 0;
    int rc = bucket_decode(bucket, lv, &v->items);
    for (size_t i = 0; i < v->items.count && rc == 0; i++)
        rc = on_item(v, kind, lv, key, &v->items.at[i]);
    return rc;
}

static int on_name(struct verify *v, struct bytes key, struct bytes record) {
    struct scan s = scan_of(record);
    struct name_item i, before = {0};
    unsigned labels, n = 0;
    int more;
    if (key.size == 0 || !meta_has(v->m, key.at[0]) || meta_labels(key.at + 1, key.size - 1, &labels) < 0)
        return E_CORRUPT;
    while ((more = name_item_next(&s, &i)) > 0) {
        uint32_t number;
        bool rises =
            n == 0 || before.wildcard < i.wildcard || (before.wildcard == i.wildcard && before.value < i.value);
        int rc = rises ? find_value(v, key.at[0], i.value, &number) : E_CORRUPT;
        if (rc < 0)
            return rc;
        struct entry_name e = {.name = key.at + 1,
                               .size = (uint8_t)(key.size - 1),
                               .dataset = key.at[0],
                               .wildcard = i.wildcard,
                               .value = number};
        digest_plus(&v->digest, digest_entry_name(&v->d, &e));
        v->found->counts[key.at[0]].n[i.wildcard ? COUNT_WILDCARD : COUNT_EXACT][labels]++;
        v->found->entries[FEED_NAMES]++;
        before = i;
        n++;
    }
    return more < 0 || n == 0 ? E_CORRUPT : 0;
}

static int on_value(struct verify *v, struct bytes key, struct bytes record) {
    struct value value;
    struct uses uses;
    uint32_t id = key.size == 4 ? get_u32(key.at) : 0;
    return id == 0 || id >= v->end || meta_read_value(record, &uses, &value) < 0 || uses.local != v->uses[id].local ||
                   (!v->local && uses.files != v->uses[id].files)
               ? E_CORRUPT
               : 0;
}

static int on_journal(struct verify *v, struct bytes key, struct bytes record) {
    struct journal_header h;
    if (key.size != JOURNAL_KEY || get_u64(key.at) > v->m->commits)
        return E_CORRUPT;
    v->found->journal_bytes += key.size + record.size;
    return get_u32(key.at + 8) == 0 ? journal_read_header(record, &h) : 0;
}

/* The local entry that a time is of must be there. */
static int find_entry(struct verify *v, const struct until_entry *e) {
    struct match m[LIMIT_ANSWER_RRS];
    uint8_t key[FEED_KEY_MAX] = {DATASET_LOCAL};
    unsigned count = 0;
    struct bytes record;
    int rc;
    if (e->kind == FEED_NAMES) {
        struct name_item i;
        memcpy(key + 1, e->place.at, e->place.size);
        rc = store_get(v->t, TABLE_NAMES, (struct bytes){key, 1 + e->place.size}, &record);
        if (rc < 0)
            return rc;
        struct scan s = scan_of(record);
        while ((rc = name_item_next(&s, &i)) > 0)
            if (i.wildcard == (e->bits != 0) && i.value == e->id)
                return 0;
        return rc < 0 ? rc : E_NOTFOUND;
    }
    const struct level *lv = bucket_levels[e->kind].at;
    while (e->bits > lv->high)
        lv++;
    size_t size = bucket_key(key, DATASET_LOCAL, lv, e->place.at);
    rc = store_get(v->t, TABLE_4 + (unsigned)e->kind, (struct bytes){key, size}, &record);
    if (rc == 0)
        rc = bucket_at(record, lv, bucket_suffix(lv, e->place.at, e->bits), e->bits, m, ARRAY_SIZE(m), &count);
    for (unsigned i = 0; i < count; i++)
        if (m[i].value == e->id)
            return 0;
    return rc < 0 ? rc : count == ARRAY_SIZE(m) ? 0 : E_NOTFOUND;
}

/* `due` and `until` say the same of entries that are there. */
static int on_due(struct verify *v, struct bytes key) {
    struct until_entry e;
    int64_t due, until;
    int rc = until_due(key, &due, &e);
    if (rc == 0)
        rc = until_get(v->t, &e, &until);
    if (rc == 0 && due != until)
        rc = E_CORRUPT;
    if (rc == 0)
        rc = find_entry(v, &e);
    return rc == E_NOTFOUND ? E_CORRUPT : rc;
}

static int on_record(struct verify *v, unsigned table, struct bytes key, struct bytes record) {
    switch (table) {
    case TABLE_4:
    case TABLE_6:
        return on_bucket(v, (enum feed_kind)(table - TABLE_4), key, record);
    case TABLE_NAMES:
        return on_name(v, key, record);
    case TABLE_VALUES:
        return on_value(v, key, record);
    case TABLE_DUE:
        return on_due(v, key);
    default:
        return on_journal(v, key, record);
    }
}

static bool rises(const struct verify *v, struct bytes key) {
    if (key.size == 0 || key.size > sizeof v->last)
        return false;
    int c = memcmp(v->last, key.at, v->last_size < key.size ? v->last_size : key.size);
    return v->last_size == 0 || c < 0 || (c == 0 && v->last_size < key.size);
}

/* Every record of one table. Keys must rise, or damaged pages could lead round in a circle. */
static int walk(struct verify *v, unsigned table, const struct bytes *from, struct err *err) {
    struct store_cursor *c;
    struct bytes key, record;
    v->last_size = 0;
    int rc = store_cursor_open(v->t, table, &c);
    if (rc == 0)
        rc = store_cursor_seek(c, from != NULL ? *from : (struct bytes){NULL, 0}, &key, &record);
    while (rc == 0) {
        rc = rises(v, key) ? on_record(v, table, key, record) : E_CORRUPT;
        if (rc < 0)
            break;
        memcpy(v->last, key.at, key.size);
        v->last_size = key.size;
        rc = store_cursor_next(c, &key, &record);
        if (rc == E_NOTFOUND)
            break;
    }
    store_cursor_close(c);
    return rc == E_NOTFOUND || rc == 0 ? 0 : err_set(err, rc, "verify: table %s: %s", keep_tables[table], err_name(rc));
}

static int compare(const struct verify *v, struct err *err) {
    const struct meta *m = v->m, *f = v->found;
    if (memcmp(m->entries, f->entries, sizeof m->entries) != 0)
        return err_set(err, E_CORRUPT, "verify: %llu entries, meta says %llu", (unsigned long long)meta_entries(f),
                       (unsigned long long)meta_entries(m));
    if (v->digest.lo != m->digest.lo || v->digest.hi != m->digest.hi)
        return err_set(err, E_CORRUPT, "verify: digest %016llx%016llx, meta says %016llx%016llx",
                       (unsigned long long)v->digest.hi, (unsigned long long)v->digest.lo,
                       (unsigned long long)m->digest.hi, (unsigned long long)m->digest.lo);
    if (memcmp(m->counts, f->counts, m->dataset_count * sizeof m->counts[0]) != 0 ||
        memcmp(&m->counts[DATASET_LOCAL], &f->counts[DATASET_LOCAL], sizeof m->counts[0]) != 0)
        return err_set(err, E_CORRUPT, "verify: the counts by length are not those in meta");
    return 0;
}

static int compare_journal(const struct verify *v, struct err *err) {
    const struct meta *m = v->m, *f = v->found;
    struct journal_header h;
    if (m->journal_bytes != f->journal_bytes)
        return err_set(err, E_CORRUPT, "verify: the journal has %llu bytes, meta says %llu",
                       (unsigned long long)f->journal_bytes, (unsigned long long)m->journal_bytes);
    int rc = journal_header_of(v->t, m->commits, &h);
    if (rc == E_NOTFOUND)
        return 0; /* a journal too small for one commit */
    if (rc < 0 || h.to_serial != m->serial || h.after.lo != m->digest.lo || h.after.hi != m->digest.hi)
        return err_set(err, E_CORRUPT, "verify: the journal's last commit is not what meta says");
    return 0;
}

void verify_close(struct verify *v) {
    if (v == NULL)
        return;
    items_free(&v->items);
    free(v->uses);
    free(v->found);
    free(v);
}

struct verify *verify_open(struct store_txn *t, const struct meta *m) {
    struct verify *v = calloc(1, sizeof *v);
    struct store_cursor *c;
    struct bytes key, record;
    if (v == NULL)
        return NULL;
    v->t = t;
    v->m = m;
    v->d = (struct data){.value = v->value, .value_count = 1 + VERIFY_VALUES};
    v->found = calloc(1, sizeof *v->found);
    v->end = 1;
    if (store_cursor_open(t, TABLE_VALUES, &c) == 0) {
        if (store_cursor_last(c, &key, &record) == 0)
            v->end =
                key.size == 4 && get_u32(key.at) <= 2u * LIMIT_VALUES ? get_u32(key.at) + 1 : 2u * LIMIT_VALUES + 1;
        store_cursor_close(c);
    }
    v->uses = calloc(v->end, sizeof *v->uses);
    if (v->found != NULL && v->uses != NULL)
        return v;
    verify_close(v);
    return NULL;
}

static int check_times(struct verify *v, struct err *err) {
    if (v->m->format < META_FORMAT)
        return 0;
    int rc = walk(v, TABLE_DUE, NULL, err);
    if (rc == 0 && store_count(v->t, TABLE_DUE) != store_count(v->t, TABLE_UNTIL))
        rc = err_set(err, E_CORRUPT, "verify: the tables of times do not say the same");
    return rc;
}

int verify_record(struct verify *v, unsigned table, struct bytes key, struct bytes record, struct err *err) {
    if (v->table != table)
        v->last_size = 0;
    v->table = table;
    int rc = rises(v, key) ? on_record(v, table, key, record) : E_CORRUPT;
    if (rc < 0)
        return err_set(err, rc, "verify: table %s: %s", keep_tables[table], err_name(rc));
    memcpy(v->last, key.at, key.size);
    v->last_size = key.size;
    return 0;
}

int verify_rest(struct verify *v, bool journal, struct err *err) {
    int rc = walk(v, TABLE_VALUES, NULL, err);
    if (rc == 0 && journal)
        rc = walk(v, TABLE_JOURNAL, NULL, err);
    if (rc == 0)
        rc = check_times(v, err);
    if (rc == 0)
        rc = compare(v, err);
    return rc == 0 && journal ? compare_journal(v, err) : rc;
}

int verify_all(struct store_txn *t, const struct meta *m, struct err *err) {
    struct verify *v = verify_open(t, m);
    if (v == NULL)
        return err_set(err, E_NOMEM, "verify: no memory");
    int rc = 0;
    for (unsigned table = TABLE_4; table <= TABLE_NAMES && rc == 0; table++)
        rc = walk(v, table, NULL, err);
    if (rc == 0)
        rc = verify_rest(v, true, err);
    verify_close(v);
    return rc;
}

int verify_local(struct store_txn *t, const struct meta *m, struct digest *digest, struct err *err) {
    static const uint8_t local[1] = {DATASET_LOCAL};
    const struct bytes from = {local, sizeof local};
    struct verify *v = verify_open(t, m);
    if (v == NULL)
        return err_set(err, E_NOMEM, "verify: no memory");
    int rc = 0;
    v->local = true;
    for (unsigned table = TABLE_4; table <= TABLE_NAMES && rc == 0; table++)
        rc = walk(v, table, &from, err);
    if (rc == 0)
        rc = walk(v, TABLE_VALUES, NULL, err);
    if (rc == 0)
        rc = check_times(v, err);
    if (rc == 0 && memcmp(&m->counts[DATASET_LOCAL], &v->found->counts[DATASET_LOCAL], sizeof m->counts[0]) != 0)
        rc = err_set(err, E_CORRUPT, "verify: the counts of local entries are not those in meta");
    *digest = v->digest;
    verify_close(v);
    return rc;
}
