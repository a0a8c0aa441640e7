/* Inside of a view: view.c opens and follows, find.c looks up. */
#ifndef CANDOR_KEEP_VIEW_IMPL_H
#define CANDOR_KEEP_VIEW_IMPL_H

#include "rbl/keep/impl.h"

enum { VIEW_INDEX_SLOTS = 1 << 16, VIEW_VALUES = 16 };

/* Where the bucket of a /16 was found in this epoch: SLOT_UNKNOWN, SLOT_NONE, or its address with its size above bit
 * SLOT_SIZE_AT. Eight octets, because the whole index is to stay in a core's cache. */
typedef uint64_t view_slot;
enum { SLOT_UNKNOWN = 0, SLOT_NONE = 1, SLOT_SIZE_AT = 48, SLOT_SIZE_MAX = UINT16_MAX };
struct view_value {
    uint32_t epoch, id;
    struct value value;
};

struct view {
    char dir[KEEP_PATH_MAX];
    struct store *store;
    struct store_txn *txn; /* NULL: between end and begin */
    char generation[32];
    bool opened; /* and read without an error since */
    bool hurt;   /* a look-up met a fault: the pages are checked before the next one */
    int64_t now_ms, looked_ms;
    uint64_t hint;
    struct err failed; /* code 0: the last try went well */
    uint64_t txn_id;   /* what follows is of this commit; 0: nothing read yet */
    uint32_t epoch;
    struct view_apex apex;
    unsigned dataset_count;
    struct dataset dataset[LIMIT_DATASETS];
    struct name *subs; /* of all datasets */
    struct look_dataset look[LIMIT_DATASETS];
    uint32_t ttl[LIMIT_DATASETS];
    /* datasets that have entries, acl apart */
    uint64_t prefixes[2], names, acl; /* prefixes by enum bucket_kind */
    /* the bucket of the shortest prefixes, fetched once per commit */
    bool shortest_known[2][LIMIT_DATASETS];
    struct bytes shortest[2][LIMIT_DATASETS];
    view_slot *index[LIMIT_DATASETS]; /* large IPv4 datasets: 65536 buckets; else NULL */
    struct view_value value[VIEW_VALUES];
    char (*listed)[NAME_TEXT_MAX]; /* per dataset, when there are names */
    /* the name being looked for, as one seek found it */
    struct store_cursor *cursor;
    bool seek_equal;
    struct bytes seek_record;
};

/* --- find.c, view.c: what the functions of view.h do, without the guard against faults (view_guard.c) --- */
int look_into_find4(struct view *v, uint64_t which, uint32_t addr, struct view_hit *hit, unsigned *hits) MUST_USE;
int look_into_find6(struct view *v, uint64_t which, const uint8_t addr[16], struct view_hit *hit,
                    unsigned *hits) MUST_USE;
int look_into_find_name(struct view *v, uint64_t which, const struct name *relative, struct view_hit *hit,
                        unsigned *hits, bool *below) MUST_USE;
int look_into_below4(struct view *v, uint64_t which, uint32_t addr, unsigned bits, bool *below) MUST_USE;
int look_into_below6(struct view *v, uint64_t which, const uint8_t addr[16], unsigned bits, bool *below) MUST_USE;
int look_into_find_acl(struct view *v, const struct addr *client, struct value *value) MUST_USE;
int look_into_value(struct view *v, uint32_t id, struct value *value) MUST_USE;

#endif
