/* Every bound of recursion: what a hostile zone, server or client can make this resolver do, per question, per server
 * and in all. Each has a test of its own (tests/unit/resolver/iterate/test_bounds.c, tests/system/test_hostile.py).
 * `recursion.max-queries` (100) bounds the upstream queries of one client question, those of its dependencies included.
 */
#ifndef CANDOR_ITERATE_BOUNDS_H
#define CANDOR_ITERATE_BOUNDS_H

enum {
    /* one question */
    BOUND_CHAIN = 11,              /* CNAMEs and DNAMEs followed, over all servers */
    BOUND_REFERRALS = 30,          /* zone cuts followed down */
    BOUND_GLUELESS_DEPTH = 4,      /* questions for the address of a server of a zone of an address of ... */
    BOUND_NS_NAMES = 16,           /* of one delegation that are kept */
    BOUND_NS_ADDRESSES = 32,       /* of one delegation that are kept */
    BOUND_NS_PER_NAME = 6,         /* addresses of one server name that are kept */
    BOUND_GLUELESS_AT_ONCE = 2,    /* server names looked up at the same time for one question */
    BOUND_GLUELESS_IN_ALL = 8,     /* server names looked up for one question and delegation (NXNSAttack) */
    BOUND_GLUELESS_TOTAL = 20,     /* for one client question, over all delegations */
    BOUND_FETCH_BELOW = 2,         /* a zone of so many addresses, or more, needs no further server looked up ... */
    BOUND_FETCH_SENDS = 16,        /* ... which may cost so many queries, and has one server name per client question */
    BOUND_TRIES_PER_SERVER = 3,    /* sends to one address for one question */
    BOUND_TRIES = 24,              /* sends for one question without a referral or an answer in between */
    BOUND_MINIMISE_COUNT = 10,     /* labels added one by one (RFC 9156 section 2.3: MAX_MINIMISE_COUNT) */
    BOUND_MINIMISE_ONE_LAB = 4,    /* of these one label each; what is left is cut into even steps */
    BOUND_KEPT_OCTETS = 256 << 10, /* of RRsets held by one question */

    /* one message */
    BOUND_RRS = 2048,      /* read from an upstream answer */
    BOUND_RRSET_RRS = 512, /* of one RRset: more is not believed */

    /* one server, one zone, in all (per worker) */
    BOUND_SERVER_IN_FLIGHT = 256, /* queries under way to one address; more wait for another server or fail */
    BOUND_ZONE_IN_FLIGHT = 512,   /* questions under way below one cut */
    BOUND_FETCHES = 32,           /* server names that are looked up though no client waits for them */
    BOUND_SERVERS = 16384,        /* addresses of which something is remembered */
    BOUND_MISMATCHES = 16,        /* packets that did not fit, for one sending over UDP: then TCP */
    BOUND_TCP_TOTAL_MS = 3000,    /* a TCP answer that drips more slowly is given up */

    BOUND_FAILURE_FIRST_S = 2, /* RFC 9520: a failure is remembered this long, doubled while it stays */
    BOUND_FAILURE_MAX_S = 300,
};

#endif
