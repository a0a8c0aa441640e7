#include "rbl/keep/merge.h"

void merge_free(struct merge *m) {
    items_free(&m->changed);
    items_free(&m->old);
    items_free(&m->fresh);
}

struct item merge_item(const struct level *lv, const uint8_t *addr, unsigned bits, uint32_t value) {
    if (lv == NULL)
        return (struct item){.value = value, .bits = bits == 0};
    return (struct item){.suffix = bucket_suffix(lv, addr, bits), .value = value, .bits = (uint8_t)bits};
}

static int merge_items(struct merge *m) {
    m->fresh.count = 0;
    for (size_t i = 0, k = 0; i < m->old.count || k < m->changed.count;) {
        int c = i == m->old.count ? 1 : k == m->changed.count ? -1 : item_compare(&m->old.at[i], &m->changed.at[k]);
        int rc = 0;
        if (c != 0)
            rc = items_add(&m->fresh, c < 0 ? &m->old.at[i] : &m->changed.at[k]);
        if (rc < 0)
            return rc;
        i += c <= 0;
        k += c >= 0;
    }
    return 0;
}

static int decode_name(struct merge *m, struct bytes old) {
    struct scan s = scan_of(old);
    struct name_item n;
    int more, rc = 0;
    while (rc == 0 && (more = name_item_next(&s, &n)) != 0) {
        struct item one = {.value = n.value, .bits = !n.wildcard};
        rc = more > 0 ? items_add(&m->old, &one) : more;
    }
    return rc;
}

static int encode(struct merge *m, const struct level *lv, struct buf *record) {
    if (lv != NULL)
        return m->fresh.count > 0 ? bucket_encode(record, lv, &m->fresh) : 0;
    for (size_t i = 0; i < m->fresh.count; i++)
        name_item_put(record, (struct name_item){m->fresh.at[i].value, m->fresh.at[i].bits == 0});
    return record->failed ? E_NOMEM : 0;
}

int merge_record(struct merge *m, struct store_txn *t, unsigned table, struct bytes key, const struct level *lv,
                 struct buf *record, struct buf *writes) {
    struct bytes old = {NULL, 0};
    int rc = t != NULL ? store_get(t, table, key, &old) : E_NOTFOUND;
    m->old.count = record->size = 0;
    if (rc == 0)
        rc = lv != NULL ? bucket_decode(old, lv, &m->old) : decode_name(m, old);
    if (rc < 0 && rc != E_NOTFOUND)
        return rc;
    items_sort(&m->old);
    items_sort(&m->changed);
    rc = merge_items(m);
    if (rc == 0 && (int64_t)m->fresh.count != (int64_t)m->old.count + m->more)
        rc = E_CORRUPT;
    if (rc == 0)
        rc = encode(m, lv, record);
    if (rc < 0)
        return rc;
    if (record->size > 0)
        writes_put(writes, table, key, buf_bytes(record));
    else if (old.size > 0)
        writes_del(writes, table, key);
    return 0;
}
