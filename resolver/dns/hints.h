/* Where recursion begins: names and addresses of the root servers, built in or from `recursion.root-hints` (a zone
 * file, read with ldns). Kept for as long as the node runs: priming (RFC 8109) refreshes what the cache has, never
 * these. */
#ifndef CANDOR_DNS_HINTS_H
#define CANDOR_DNS_HINTS_H

#include "resolver/base/addr.h"
#include "resolver/base/conf.h"
#include "resolver/dns/name.h"

enum { HINTS_NAMES = 32, HINTS_ADDRESSES = 64 };

struct hints {
    struct name host[HINTS_NAMES];
    unsigned hosts;
    struct {
        struct addr address; /* port 53 */
        uint8_t host;
    } at[HINTS_ADDRESSES];
    unsigned count;
};

/* E_INVALID with file and line; a file without one usable NS and address is refused. */
int hints_open(struct hints *h, const struct conf *conf, struct err *err) MUST_USE;

/* Whether recursion may send to this address: not to loopback, unspecified, multicast, link-local and private ones
 * unless `query-localhost` (loopback) or a stub or forward names it; not in a family that is off; not to ourselves
 * (a listen address). RFC 6890. */
bool hints_may_ask(const struct conf *conf, const struct addr *a);

#endif
