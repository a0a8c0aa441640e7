#include "rbl/keep/until.h"

size_t until_key(uint8_t key[UNTIL_KEY_MAX], const struct until_entry *e) {
    key[0] = (uint8_t)e->kind;
    key[1] = e->bits;
    memcpy(key + 2, e->place.at, e->place.size);
    put_u32(key + 2 + e->place.size, e->id);
    return 2 + e->place.size + 4;
}

int until_parse(struct bytes key, struct until_entry *e) {
    unsigned labels;
    if (key.size < 6 || key.size > UNTIL_KEY_MAX || key.at[0] >= FEED_KINDS)
        return E_CORRUPT;
    e->kind = (enum feed_kind)key.at[0];
    e->bits = key.at[1];
    e->place = (struct bytes){key.at + 2, key.size - 6};
    e->id = get_u32(key.at + key.size - 4);
    if (e->kind == FEED_NAMES)
        return e->bits <= 1 && meta_labels(e->place.at, e->place.size, &labels) == 0 ? 0 : E_CORRUPT;
    return e->place.size == (e->kind == FEED_4 ? 4 : 16) && e->bits <= e->place.size * 8 ? 0 : E_CORRUPT;
}

int until_get(struct store_txn *t, const struct until_entry *e, int64_t *until_wall_s) {
    uint8_t key[UNTIL_KEY_MAX];
    struct bytes record;
    *until_wall_s = 0;
    int rc = store_get(t, TABLE_UNTIL, (struct bytes){key, until_key(key, e)}, &record);
    if (rc < 0)
        return rc == E_NOTFOUND ? 0 : rc;
    if (record.size != UNTIL_TIME)
        return E_CORRUPT;
    *until_wall_s = (int64_t)get_u64(record.at);
    return *until_wall_s > 0 ? 0 : E_CORRUPT;
}

int until_due(struct bytes key, int64_t *wall_s, struct until_entry *e) {
    if (key.size < UNTIL_TIME)
        return E_CORRUPT;
    *wall_s = (int64_t)get_u64(key.at);
    return *wall_s > 0 ? until_parse((struct bytes){key.at + UNTIL_TIME, key.size - UNTIL_TIME}, e) : E_CORRUPT;
}

void until_put(struct buf *writes, const struct until_entry *e, int64_t was_wall_s, int64_t until_wall_s) {
    static const uint8_t nothing[1] = {0};
    uint8_t due[DUE_KEY_MAX], time[UNTIL_TIME];
    struct bytes key = {due + UNTIL_TIME, until_key(due + UNTIL_TIME, e)};
    struct bytes due_key = {due, UNTIL_TIME + key.size};
    if (was_wall_s == until_wall_s)
        return;
    if (was_wall_s != 0) {
        put_u64(due, (uint64_t)was_wall_s);
        writes_del(writes, TABLE_DUE, due_key);
    }
    if (until_wall_s == 0) {
        writes_del(writes, TABLE_UNTIL, key);
        return;
    }
    put_u64(due, (uint64_t)until_wall_s);
    put_u64(time, (uint64_t)until_wall_s);
    writes_put(writes, TABLE_DUE, due_key, (struct bytes){nothing, sizeof nothing});
    writes_put(writes, TABLE_UNTIL, key, (struct bytes){time, sizeof time});
}
