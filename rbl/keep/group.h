/* Inside of the bucket codec: one group, as bucket.c searches it and pack.c writes and checks it. */
#ifndef CANDOR_KEEP_GROUP_H
#define CANDOR_KEEP_GROUP_H

#include "rbl/keep/bucket.h"

enum group_form {
    GROUP_ARRAY,  /* one value, sorted suffixes */
    GROUP_BITMAP, /* one value, 65536 bits; for more than GROUP_ARRAY_MAX members */
    GROUP_MIXED,  /* more than GROUP_VALUES values: sorted suffixes, then as many values of one width */
};
enum { GROUP_ARRAY_MAX = 4096, GROUP_BITMAP_BYTES = 8192, GROUP_VALUES = 4 };
_Static_assert(GROUP_BITMAP_BYTES * 8 == 1 << 16 && GROUP_BITMAP_BYTES == 2 * GROUP_ARRAY_MAX,
               "a bitmap covers two bytes of suffix and pays from there on");

struct group {
    uint8_t bits, form, value_width;
    uint32_t count, value;
    const uint8_t *suffixes, *values;
};

/* 1: *g is the next group, its arrays inside the bytes; 0: the end; E_CORRUPT. Order and bitmap counts are not
 * checked: a search in what is not sorted finds nothing, it does not go astray. */
int group_next(struct scan *s, const struct level *lv, struct group *g) MUST_USE;
uint32_t group_value(const struct group *g, uint32_t i);
uint64_t group_suffix(const struct group *g, unsigned width, uint32_t i);

#endif
