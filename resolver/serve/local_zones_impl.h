/* Private to local_zones*.c: a tree of names, each found by its parent and its leftmost label in one hash table. */
#ifndef CANDOR_SERVE_LOCAL_ZONES_IMPL_H
#define CANDOR_SERVE_LOCAL_ZONES_IMPL_H

#include "resolver/serve/local_zones.h"

struct local_rr {
    uint32_t node, ttl;
    uint32_t at; /* of its RDATA in octets */
    uint16_t size, type;
};

struct local_node {
    uint32_t parent;
    uint32_t label;        /* at octets: its length and it, lower case; of the root nothing */
    uint32_t first, count; /* its RRs, by type */
    uint32_t soa;          /* RDATA of its SOA at octets, of a zone or a name with data; 0: none */
    uint16_t soa_size;
    uint8_t kind; /* enum conf_local; LOCAL_NONE: no zone begins here */
    bool built_in;
    uint32_t negative_ttl;
};

struct local_zones {
    struct local_node *node; /* [0] is the root */
    uint32_t nodes, nodes_cap;
    uint32_t *slot; /* node + 1, 0: free */
    uint32_t slots; /* a power of two, more than twice the nodes */
    struct local_rr *rr;
    uint32_t rrs, rrs_cap;
    uint8_t *octets;
    uint32_t octets_size, octets_cap;
};

enum { LOCAL_NOT_FOUND = UINT32_MAX };

/* The child of `parent` with this label (its length octet first, lower case); LOCAL_NOT_FOUND. */
uint32_t local_child(const struct local_zones *z, uint32_t parent, const uint8_t *label);
uint32_t local_slot(const struct local_zones *z, uint32_t parent, const uint8_t *label);
/* The node of a name, LOCAL_NOT_FOUND; *zone, when it is not NULL, the longest zone that holds the name. */
uint32_t local_find(const struct local_zones *z, const struct name *n, uint32_t *zone, unsigned *zone_labels);

/* The built-in zones, one by one: name, kind, and an RR or "" ("localhost." "A" "127.0.0.1"); false: no more. */
struct local_default {
    const char *zone;
    enum conf_local kind;
    const char *rr[2]; /* as local-data; NULL: none */
};
const struct local_default *local_default(size_t index);

#endif
