/* Domain names in wire form, uncompressed: at most 255 octets, 127 labels of at most 63 (RFC 1035 section 3.1).
 * Case is kept as it came; comparison and hashing fold ASCII case (RFC 4343). */
#ifndef CANDOR_DNS_NAME_H
#define CANDOR_DNS_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "resolver/base/err.h"
#include "resolver/base/limits.h"

struct name {
    uint8_t size;   /* octets used in wire, the root label included: 1..255 */
    uint8_t labels; /* without the root: 0..127 */
    uint8_t wire[LIMIT_NAME_WIRE];
};

enum { NAME_TEXT_MAX = 1024 }; /* every octet as \DDD, dots, NUL */

/* Reads a name at `offset` of a message, following compression pointers strictly backward. *next is the offset behind
 * the name as it stands there. E_INVALID on anything else. */
int name_read(struct name *n, const uint8_t *msg, size_t size, size_t offset, size_t *next) MUST_USE;

/* Presentation form, with \. and \DDD escapes; a missing final dot is added. */
int name_from_text(struct name *n, const char *text, struct err *err) MUST_USE;
const char *name_text(const struct name *n, char to[NAME_TEXT_MAX]);

void name_lower(struct name *n);
bool name_equal(const struct name *a, const struct name *b);
/* Whether n is `zone` or below it. */
bool name_under(const struct name *n, const struct name *zone);
/* Total order of RFC 4034 section 6.1. */
int name_compare(const struct name *a, const struct name *b);
/* Offset in n->wire where label `index` begins (0: leftmost; index == labels: the root). */
size_t name_label_at(const struct name *n, unsigned index);
/* The name without its `count` leftmost labels. */
void name_strip(struct name *to, const struct name *n, unsigned count);
/* label + "." + n; E_RANGE when it becomes too long. */
int name_prepend(struct name *n, const char *label) MUST_USE;
/* Hash of the folded name, keyed so that nobody outside can aim at a bucket. */
uint64_t name_hash(const struct name *n, uint64_t key);

#endif
