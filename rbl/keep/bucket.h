/* ZONE_FORMAT_DEF. Buckets: all entries of one dataset whose prefix begins with the same bytes, packed into one LMDB
 * value (docs/formats/zone.md). Pure functions over bytes; what is read is checked and never trusted.
 *
 *   IPv4  level 16: prefixes of 17..32 bits, a bucket per /16     level 0: prefixes of 0..16 bits, one bucket
 *   IPv6  levels 64 (65..128 bits), 48 (49..64), 32 (33..48), 16 (17..32), 0 (0..16)
 *
 * A bucket is a row of groups, longest prefixes first, so that a search ends at the first group that hits. What
 * follows the bucket's own bytes in the address is the suffix: 2 bytes, at level 64 eight. */
#ifndef CANDOR_KEEP_BUCKET_H
#define CANDOR_KEEP_BUCKET_H

#include <stdbool.h>

#include "rbl/keep/wire.h"

enum bucket_kind { KIND4, KIND6 };
enum { BUCKET_LEVELS_MAX = 5, BUCKET_KEY_MAX = 10 };

struct level {
    uint8_t level;     /* bits of the address that are in the key */
    uint8_t low, high; /* prefix lengths kept here */
    uint8_t width;     /* bytes of a suffix: 2 or 8 */
};
struct levels {
    unsigned count;
    struct level at[BUCKET_LEVELS_MAX]; /* shortest first */
};
extern const struct levels bucket_levels[2]; /* by enum bucket_kind */

/* Key of the bucket at `lv` for an address (4 or 16 bytes): dataset, level, level/8 bytes. Returns its size. */
size_t bucket_key(uint8_t key[BUCKET_KEY_MAX], unsigned dataset, const struct level *lv, const uint8_t *addr);
/* The suffix of an address in its bucket, host bits beyond `bits` cleared. */
uint64_t bucket_suffix(const struct level *lv, const uint8_t *addr, unsigned bits);
/* Mask of a suffix whose prefix has `bits` bits in all. */
static inline uint64_t bucket_mask(const struct level *lv, unsigned bits) {
    unsigned host = lv->width * 8u - (bits - lv->level);
    return host >= 64 ? 0 : ~0ULL << host;
}

struct item {
    uint64_t suffix;
    uint32_t value; /* the store's id; 0: excluded */
    uint8_t bits;
};
struct items {
    struct item *at;
    size_t count, cap;
};
int items_grow(struct items *list) MUST_USE;
static inline MUST_USE int items_add(struct items *list, const struct item *i) {
    if (list->count == list->cap && items_grow(list) < 0)
        return E_NOMEM;
    list->at[list->count++] = *i;
    return 0;
}
void items_free(struct items *list);
/* By bits (longest first), suffix, value: the order in which two buckets are compared. */
void items_sort(struct items *list);
int item_compare(const struct item *a, const struct item *b);

/* Writes the one and only encoding of these items (in any order; they are sorted in place). E_INVALID: one twice, or
 * a suffix or length that does not belong here. */
int bucket_encode(struct buf *to, const struct level *lv, struct items *list) MUST_USE;
/* Adds all items to `list`, in bucket order. E_CORRUPT on anything that bucket_encode would not have written. */
int bucket_decode(struct bytes bucket, const struct level *lv, struct items *list) MUST_USE;

enum bucket_find {
    FIND_LONGEST, /* the longest prefix that covers the address */
    FIND_CLASS,   /* all prefixes that cover it, in the nearest of the classes 32, 24, 16, 8 (entry_class4) */
};
struct match {
    uint32_t value;
    uint8_t bits;
};
/* Adds matches for the whole address's suffix to m[*count..cap), an exclusion first; more than fit are dropped. Returns
 * 0 or E_CORRUPT. */
int bucket_find(struct bytes bucket, const struct level *lv, uint64_t suffix, enum bucket_find how, struct match *m,
                unsigned cap, unsigned *count) MUST_USE;
/* Of the local dataset, bucket by bucket, longest first: what answers, and up to which length others are silenced. */
struct local_find {
    int silenced; /* bits of the longest exclusion that covers the address; -1: none yet */
    int bits;     /* of the matches; -1: none yet. Shorter prefixes than these answer nothing */
    struct match *m;
    unsigned count, cap;
};
int bucket_find_local(struct bytes bucket, const struct level *lv, uint64_t suffix, struct local_find *f) MUST_USE;
/* All entries of exactly suffix/bits, an exclusion first. */
int bucket_at(struct bytes bucket, const struct level *lv, uint64_t suffix, unsigned bits, struct match *m,
              unsigned cap, unsigned *count) MUST_USE;
/* Is there a prefix inside suffix/bits, or around it? 1, 0 or E_CORRUPT. `bits` within the level's range or beyond. */
int bucket_touches(struct bytes bucket, const struct level *lv, uint64_t suffix, unsigned bits) MUST_USE;

#endif
