/* Who is asked for a name: a zone, the names of its servers, and the addresses of them that are known. Made of what the
 * cache has, of a referral, of the root hints, or of a configured stub or forward zone. Bounded by BOUND_NS_NAMES,
 * BOUND_NS_ADDRESSES and BOUND_NS_PER_NAME: more servers than that are passed over (NXNSAttack). */
#ifndef CANDOR_ITERATE_DELEGATION_H
#define CANDOR_ITERATE_DELEGATION_H

#include "resolver/base/conf.h"
#include "resolver/cache/rrset.h"
#include "resolver/dns/hints.h"
#include "resolver/iterate/bounds.h"
#include "resolver/iterate/servers.h"
#include "resolver/iterate/sift.h"

enum { DELEGATION_A = 1, DELEGATION_AAAA = 2, DELEGATION_BOTH = 3 };
enum delegation_origin { FROM_CACHE, FROM_REFERRAL, FROM_HINTS, FROM_STUB, FROM_FORWARD };

struct delegation {
    struct name zone;
    enum delegation_origin origin;
    struct {
        struct name name;
        uint8_t asked; /* DELEGATION_A, DELEGATION_AAAA: these were asked for, or need not be */
        uint8_t addresses;
    } host[BOUND_NS_NAMES];
    unsigned hosts;
    struct server_choice at[BOUND_NS_ADDRESSES];
    uint8_t of[BOUND_NS_ADDRESSES]; /* whose: index of a host, the first that has this address */
    unsigned addresses;
};

/* Where delegations come from; all must outlive its use. */
struct delegations {
    const struct conf *conf;
    struct cache *cache; /* may be NULL */
    const struct hints *hints;
    uint8_t *buf;   /* RRSET_MAX, to work in */
    bool fell_back; /* forwarders that have a fallback have failed: not them */
};

/* The best one for the name: the deepest zone at or above it (for DS above it) with fewer than `below` labels that the
 * cache knows servers for, unless a stub or forward zone is deeper; the hints at last. A zone all of whose servers are
 * named inside itself and have no known address is passed over: only its parent can tell them. */
void delegation_find(struct delegation *d, const struct delegations *from, const struct name *qname, uint16_t qtype,
                     unsigned below);
/* What a referral said, with addresses that the cache has besides. */
void delegation_refer(struct delegation *d, const struct delegations *from, struct sift *sift,
                      const struct sift_result *referral);
/* An address of a server's name: of host `index`. False: it may not be asked, or is one too many. */
bool delegation_add(struct delegation *d, const struct conf *conf, unsigned index, const struct addr *a);
/* The host of that name; -1. */
int delegation_host(const struct delegation *d, const struct name *name);
/* Takes the addresses of an A or AAAA RRset in, for the host that has its owner's name. How many. */
unsigned delegation_take(struct delegation *d, const struct conf *conf, unsigned index, const struct rrset *set);

#endif
