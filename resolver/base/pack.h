/* Fields one behind the other, as messages between nodes are made: numbers in network order, short names with their
 * size before them. Errors stick, so a message is written or read straight through and looked at once at the end. */
#ifndef CANDOR_BASE_PACK_H
#define CANDOR_BASE_PACK_H

#include <stdbool.h>

#include "resolver/base/bytes.h"
#include "resolver/base/err.h"

/* Writing: the first thing that does not fit sticks as E_FULL, and nothing is written from there on. */
struct pack_out {
    uint8_t *at;
    size_t size, cap;
    int error;
};

void pack_octets(struct pack_out *o, const void *from, size_t size);
/* The lower `octets` of v, 1 to 8. */
void pack_number(struct pack_out *o, uint64_t v, unsigned octets);
/* One octet of size and the text, which ends before `cap` (at most 256), else E_FULL. */
void pack_text(struct pack_out *o, const char *text, size_t cap);

/* Reading: what runs out sticks as `bad`, and reads as zero. */
struct pack_in {
    const uint8_t *at;
    size_t left;
    bool bad;
};

void unpack_octets(struct pack_in *i, void *to, size_t size);
uint64_t unpack_number(struct pack_in *i, unsigned octets);
/* A name that goes into logs, the board and labels of metrics: printable, no blank, quote or backslash; shorter than
 * `cap`, else bad. The rest of `to` is zeroed. */
void unpack_name(struct pack_in *i, char *to, size_t cap);
/* Words for people: octets that are no printable ASCII become '?'. */
void unpack_words(struct pack_in *i, char *to, size_t cap);
/* Milliseconds since 1970; times that are none would run over in whoever takes differences of them: bad. */
int64_t unpack_time_ms(struct pack_in *i);

#endif
