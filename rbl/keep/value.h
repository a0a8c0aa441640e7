/* ZONE_FORMAT_DEF. A value as it is stored, in the table `values` and in changesets: eight octets at most for what an A
 * and TXT need besides the TXT, and the same octets that format 1 had for them (docs/formats/zone.md). */
#ifndef CANDOR_KEEP_VALUE_H
#define CANDOR_KEEP_VALUE_H

#include <stddef.h>

#include "rbl/keep/wire.h"
#include "rbl/model/data.h"

enum { VALUE_STORED_MAX = 16 + VALUE_BYTES };

/* Writes what the kind uses; the rest of the value counts for nothing. */
void value_put(struct buf *to, const struct value *v);
/* Reads all of `stored`: what is not used is zero, of txt[] only txt_size octets and a NUL are written. E_CORRUPT. */
int value_take(struct bytes stored, struct value *v) MUST_USE;
uint64_t value_hash(const struct value *v);
/* What is in use. */
static inline void value_copy(struct value *to, const struct value *from) {
    memcpy(to, from, offsetof(struct value, txt) + from->txt_size + 1u);
}

#endif
