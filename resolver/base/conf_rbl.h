/* Section `rbl` of the configuration (conf.h). Zone and key names are lower-case text with the final dot, checked. */
#ifndef CANDOR_BASE_CONF_RBL_H
#define CANDOR_BASE_CONF_RBL_H

#include "resolver/base/conf_parts.h"

struct conf_key {
    const char *name, *algorithm, *secret, *secret_file;
};

/* One `{ address, key, tls-name, ca }` as in primaries, notify, update, transfer; each may be absent. In `primaries`
 * and `pair` tls-name means: over TLS, and the certificate must say so; in `transfer` and `update`: the client's
 * certificate must. */
struct conf_peer_rule {
    bool has_address;
    struct addr address;
    struct prefix network;
    const char *key;
    const char *tls_name, *ca; /* "": none; ca: absolute path */
};
struct conf_rules {
    struct conf_peer_rule *at;
    size_t count;
};

enum conf_dataset_type {
    DATASET_IP4SET,
    DATASET_IP4TSET,
    DATASET_IP4TRIE,
    DATASET_IP6TSET,
    DATASET_IP6TRIE,
    DATASET_DNSET,
    DATASET_GENERIC,
    DATASET_COMBINED,
    DATASET_ACL,
    DATASET_TYPES
};
const char *conf_dataset_name(enum conf_dataset_type type);

struct conf_dataset {
    enum conf_dataset_type type;
    struct conf_list_text files;
}; /* absolute paths */

struct conf_soa {
    const char *primary, *contact;
    uint32_t refresh_s, retry_s, expire_s, minimum_s;
};

enum conf_on_expire { EXPIRE_SERVFAIL, EXPIRE_SERVE_STALE };

/* The zone "." is none: its one dataset, an acl, is for all zones. */
struct conf_catalog;
struct conf_zone {
    const char *name; /* "": this place is free */
    const struct conf_catalog
        *catalog; /* the zone is this catalog itself: replicated, never answered by the resolver */
    bool member;  /* it came at run time (conf_members.h) */
    struct conf_dataset *data;
    size_t data_count;
    struct conf_rules primaries, update, notify, transfer;
    struct conf_list_prefix allow;
    bool soa_set;
    struct conf_soa soa;
    struct conf_list_text ns;
    bool host_bits;                       /* networks in its files may be written with bits behind their prefix */
    uint32_t ttl_s, min_ttl_s, max_ttl_s; /* bounds of what files say; 0: none */
    enum conf_test test;
    struct {
        double shrink, grow;
        uint64_t entries;
        double space;  /* of the address space listed; 0 and 1: not watched */
        uint64_t tlds; /* listed whole */
        bool loopback; /* answers lie in 127.0.0.0/8 */
    } limits;          /* shares: 0.5 is 50% */
    enum conf_on_expire on_expire;
    uint64_t journal;
    struct conf_rules pair; /* none or one: the other of two primaries, active and standby */
    bool active;            /* `role: active`: which of a new pair begins; then the state folder knows */
    uint32_t heartbeat_s;   /* a TXT at _candor-heartbeat so often, for secondaries behind another make; 0: none */
};

/* "." with nothing but access lists: it counts for all zones, holds no name and is served to nobody. */
static inline bool conf_zone_is_global_acl(const struct conf_zone *z) {
    bool all = z->data_count > 0;
    for (size_t i = 0; i < z->data_count; i++)
        all &= z->data[i].type == DATASET_ACL;
    return all && z->name[0] == '.' && z->name[1] == '\0';
}

/* Whether there is a zone here that clients may ask for. */
static inline bool conf_zone_is_served(const struct conf_zone *z) {
    return z->name[0] != '\0' && z->catalog == NULL && !conf_zone_is_global_acl(z);
}

/* One key of a zone as text: "limits.shrink" and "30%"; the value is YAML in one line. */
struct conf_option {
    const char *key, *value;
};
struct conf_options {
    struct conf_option *at;
    size_t count;
};

/* Zones of a catalog (RFC 9432) that have this group, or "": all others, get these options. */
struct conf_catalog_group {
    const char *name; /* as in the catalog, case kept */
    struct conf_options options;
};
struct conf_catalog {
    const char *name;
    const struct conf_zone *zone;       /* its own place among the zones */
    struct conf_rules primaries;        /* none: this node produces it, of: */
    struct conf_list_text zones;        /* patterns of its zones' names: "*", "*.example.", "bl.example." */
    struct conf_rules notify, transfer; /* when it is produced or passed on */
    struct conf_catalog_group *groups;
    size_t group_count;
    uint32_t grace_s; /* a zone that left the catalog is served and kept so long */
    double shrink;    /* of ten and more members at most this share may leave at once, unasked */
};

struct conf_rbl {
    struct conf_list_addr listen;
    struct conf_tls tls;
    struct conf_key *keys;
    size_t key_count;
    /* Zones of the file, then the catalogs themselves, then places for members: those come, change and go at run time
     * (conf_members.h), on the loop's thread alone, and none moves while it lives. A free place has the name "". */
    struct conf_zone *zones; /* LIMIT_ZONES places, at the same address always */
    size_t zone_places;      /* LIMIT_ZONES; 0: not made by conf_read, so that no members may come */
    size_t zone_count;       /* places that may be taken; only grows */
    size_t zone_fixed;       /* the first of them are of the file */
    struct conf_catalog *catalogs;
    size_t catalog_count;
    struct {
        unsigned out, out_per_peer, in; /* transfers at the same time */
        uint32_t life_s;                /* of a read transaction that a transfer holds */
    } transfers;
};

#endif
