/* Inside of a view: view.c opens and follows, find.c looks up. */
#ifndef CANDOR_KEEP_VIEW_IMPL_H
#define CANDOR_KEEP_VIEW_IMPL_H

#include "rbl/keep/impl.h"

enum { VIEW_INDEX_SLOTS = 1 << 16, VIEW_VALUES = 16 };

/* Where the /16's bucket was found in this epoch; size 0: there is none. */
struct view_slot {
    uint32_t epoch, size;
    const uint8_t *at;
};
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
    struct view_slot *index[LIMIT_DATASETS]; /* large IPv4 datasets: 65536 buckets; else NULL */
    struct view_value value[VIEW_VALUES];
    char (*listed)[NAME_TEXT_MAX]; /* per dataset, when there are names */
    /* the name being looked for, as one seek found it */
    struct store_cursor *cursor;
    bool seek_equal;
    struct bytes seek_record;
};

#endif
