/* The answer to a client, gathered RRset by RRset along a chain of aliases that may pass many zones, and written as one
 * message at the end. Each part is a copy of its own; BOUND_PARTS and BOUND_KEPT_OCTETS hold what one question keeps.
 */
#ifndef CANDOR_ITERATE_COMPOSE_H
#define CANDOR_ITERATE_COMPOSE_H

#include "resolver/cache/rrset.h"
#include "resolver/iterate/resolve.h"

enum { BOUND_PARTS = 64 };

struct parts {
    struct rrset *at[BOUND_PARTS]; /* each with its data behind it */
    unsigned count;
    unsigned rcode; /* unless a denial says NXDOMAIN */
    size_t octets;
};

/* Takes a copy. E_FULL, E_NOMEM. */
int parts_add(struct parts *p, const struct rrset *r) MUST_USE;
void parts_clear(struct parts *p);

/* The message for `q` as struct resolve_result has it: answer section in the order of the parts, the authority section
 * of a denial (always the last part) with its RCODE. Signatures go with what they cover when q asked with DO. Size, or
 * E_FULL when it is larger than a message can be, E_INVALID. */
int parts_write(const struct parts *p, const struct resolve_question *q, uint8_t *to, size_t cap) MUST_USE;

#endif
