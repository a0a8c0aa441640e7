/* ZONE_FORMAT_DEF. When local entries go by themselves. Two tables that say the same: `until` by entry, `due` by time
 * (docs/formats/zone.md). An entry without a time is in neither. */
#ifndef CANDOR_KEEP_UNTIL_H
#define CANDOR_KEEP_UNTIL_H

#include "rbl/keep/diff.h"

/* kind (1), bits or wildcard (1), address or reversed labels, value id (4); in `due` behind the time (8). */
enum { UNTIL_TIME = 8, UNTIL_KEY_MAX = 2 + LIMIT_NAME_WIRE + 4, DUE_KEY_MAX = UNTIL_TIME + UNTIL_KEY_MAX };

struct until_entry {
    enum feed_kind kind;
    uint8_t bits;
    struct bytes place; /* address or reversed labels */
    uint32_t id;        /* VALUE_EXCLUDED: the exclusion's */
};

size_t until_key(uint8_t key[UNTIL_KEY_MAX], const struct until_entry *e);
int until_parse(struct bytes key, struct until_entry *e) MUST_USE;
/* *until_wall_s is 0 when it stays. */
int until_get(struct store_txn *t, const struct until_entry *e, int64_t *until_wall_s) MUST_USE;
/* From one time to another, 0 for none; both tables. */
void until_put(struct buf *writes, const struct until_entry *e, int64_t was_wall_s, int64_t until_wall_s);
/* A record of `due`. */
int until_due(struct bytes key, int64_t *wall_s, struct until_entry *e) MUST_USE;

#endif
