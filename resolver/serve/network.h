/* The network that a client belongs to, IPv4 /24 or IPv6 /56: those in it are taken for one, since whoever has one of
 * its addresses has, or can forge, the others. */
#ifndef CANDOR_SERVE_NETWORK_H
#define CANDOR_SERVE_NETWORK_H

#include <string.h>

#include "resolver/base/addr.h"
#include "resolver/base/bytes.h"

enum { NETWORK_BITS = 57, NETWORK_V4_BITS = 24, NETWORK_V6_BITS = 56 };

/* As a number below 2^NETWORK_BITS, another for each network. */
static inline uint64_t network_of(const struct addr *a) {
    uint8_t first[8] = {0};
    if (addr_family(a) == AF_INET)
        return 1ULL << NETWORK_V6_BITS | ntohl(a->in.sin_addr.s_addr) >> (32 - NETWORK_V4_BITS);
    memcpy(first + 1, &a->in6.sin6_addr, NETWORK_V6_BITS / 8);
    return get_u64(first);
}

static inline const char *network_text(const struct addr *a, char to[PREFIX_TEXT_MAX]) {
    struct prefix p = {.family = (uint8_t)addr_family(a)};
    if (addr_family(a) == AF_INET) {
        p.bits = NETWORK_V4_BITS;
        memcpy(p.bytes, &a->in.sin_addr, NETWORK_V4_BITS / 8);
    } else {
        p.bits = NETWORK_V6_BITS;
        memcpy(p.bytes, &a->in6.sin6_addr, NETWORK_V6_BITS / 8);
    }
    return prefix_text(&p, to);
}

#endif
