/* What a commit by single entries does to counts, values and look-ups: shared by batches and changes from another node.
 */
#include "rbl/keep/values.h"
#include "rbl/keep/work.h"

int commit_count(struct meta *next, const struct change *c) {
    struct counts *n = &next->counts[c->dataset];
    unsigned kind = c->kind == FEED_4 ? COUNT_4 : c->kind == FEED_6 ? COUNT_6 : c->bits ? COUNT_WILDCARD : COUNT_EXACT;
    unsigned length = c->bits;
    if (c->kind == FEED_NAMES && meta_labels(c->name.at, c->name.size, &length) < 0)
        return E_INVALID;
    if (c->removed && (n->n[kind][length] == 0 || next->entries[c->kind] == 0))
        return E_CORRUPT;
    n->n[kind][length] += c->removed ? -1ULL : 1;
    next->entries[c->kind] += c->removed ? -1ULL : 1;
    return 0;
}

static bool add_uses(uint32_t *uses, int64_t more) {
    int64_t sum = (int64_t)*uses + more;
    *uses = (uint32_t)sum;
    return sum >= 0 && sum <= UINT32_MAX;
}

int commit_use(struct store_txn *t, struct commit_use *use, struct buf *writes, struct err *err) {
    struct uses uses = {0, 0};
    struct buf record = {0};
    struct value stored;
    struct bytes old;
    uint8_t key[4];
    struct bytes k = {key, sizeof key};
    int rc = 0;
    use->gone = false;
    if (use->local == 0 && use->files == 0)
        return 0;
    put_u32(key, use->id);
    if (!use->fresh) {
        rc = store_get(t, TABLE_VALUES, k, &old);
        if (rc == 0)
            rc = meta_read_value(old, &uses, &stored);
    }
    if (rc < 0 || !add_uses(&uses.local, use->local) || !add_uses(&uses.files, use->files))
        return err_set(err, E_CORRUPT, "values: %s", rc < 0 ? err_name(rc) : "uses that cannot be");
    use->gone = uses_none(uses);
    meta_write_value(&record, uses, use->v);
    if (use->gone)
        writes_del(writes, TABLE_VALUES, k);
    else
        writes_put(writes, TABLE_VALUES, k, buf_bytes(&record));
    writes->failed |= record.failed;
    buf_free(&record);
    return 0;
}

int commit_used(struct keep *k, const struct commit_use *use) {
    int rc = 0;
    if (k->values == NULL)
        return 0;
    k->values->commits = k->meta->commits;
    if (use == NULL || (use->local == 0 && use->files == 0))
        return 0;
    if (use->fresh)
        rc = values_add(k->values, use->v, use->id);
    else if (use->gone)
        values_remove(k->values, use->v, use->id);
    if (rc < 0) {
        values_free(k->values);
        k->values = NULL;
    }
    return rc;
}

static int after_get(const struct commit_after *a, unsigned table, struct bytes key, struct bytes *record) {
    if ((!a->local || key.at[0] == DATASET_LOCAL) && writes_find(a->writes, table, key, record))
        return record->size > 0 ? 0 : E_NOTFOUND;
    return a->t != NULL ? store_get(a->t, table, key, record) : E_NOTFOUND;
}

static int after_bucket(void *ctx, enum bucket_kind kind, unsigned dataset, unsigned level, const uint8_t *addr,
                        struct bytes *bucket) {
    uint8_t key[BUCKET_KEY_MAX];
    size_t size = bucket_key(key, dataset, &bucket_levels[kind].at[level], addr);
    return after_get(ctx, TABLE_4 + (unsigned)kind, (struct bytes){key, size}, bucket);
}

static int after_name(void *ctx, unsigned dataset, const struct look_name *n, unsigned labels, struct bytes *record) {
    uint8_t key[FEED_KEY_MAX] = {(uint8_t)dataset};
    memcpy(key + 1, n->wire, n->end[labels]);
    return after_get(ctx, TABLE_NAMES, (struct bytes){key, 1u + n->end[labels]}, record);
}

struct look_source commit_after_source(struct commit_after *a) {
    return (struct look_source){.ctx = a, .bucket = after_bucket, .name = after_name};
}
