/* Protection of the inside of a network from names of the outside (rebinding): addresses of
 * `recursion.private-addresses` are taken out of answers before anybody sees or keeps them.
 *
 * Left alone: answers to questions for names that may have such addresses, as long as the record's owner is one, too:
 * those at and below `private-domains`, the `forward` and `stub` zones that the operator named (the root is none), and
 * the remote lists of `guard`, whose answers are 127.0.0.x. What an alias of a public name leads to is not left alone:
 * that is how the inside is reached. Local zones and blocklist zones never come here.
 *
 * With all its addresses gone the answer is NODATA, with an SOA that is made so that it is kept a while. Signatures go
 * with what they covered. A, AAAA (IPv4 in IPv6 included) and the address hints of SVCB and HTTPS (RFC 9460) are looked
 * at. */
#ifndef CANDOR_ITERATE_REBINDING_H
#define CANDOR_ITERATE_REBINDING_H

#include "resolver/base/conf.h"
#include "resolver/iterate/resolve.h"

enum { REBINDING_TTL_S = 300 }; /* of an answer of which nothing was left, at most */

struct rebinding;

/* *out is NULL when there is nothing to look for. */
int rebinding_open(struct rebinding **out, const struct conf *conf, struct err *err) MUST_USE;
void rebinding_close(struct rebinding *r);

/* Looks through a whole answer to `q` (resolve_result's form, names in RDATA not compressed) that stands in `msg` of
 * LIMIT_MESSAGE octets, and writes it anew when something has to go. Its size, 0: what is
 * left could not be written, and nobody may see the rest. *dropped counts the RRs that went. */
size_t rebinding_strip(struct rebinding *r, const struct resolve_question *q, uint8_t *msg, size_t size,
                       unsigned *dropped);

#endif
