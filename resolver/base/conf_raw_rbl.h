/* Text form of section `rbl` (conf_raw.h). */
#ifndef CANDOR_BASE_CONF_RAW_RBL_H
#define CANDOR_BASE_CONF_RAW_RBL_H

#include "resolver/base/conf_raw.h"

struct conf_raw_key {
    char *name, *algorithm, *secret, *secret_file;
};

/* Of primaries, update, notify, transfer. */
struct conf_raw_rule {
    char *address, *key, *tls_name, *ca;
};
struct conf_raw_rules {
    struct conf_raw_rule *at;
    unsigned count;
};

struct conf_raw_dataset {
    char *type;
    struct conf_raw_list files;
};

struct conf_raw_soa {
    char *primary, *contact, *refresh, *retry, *expire, *minimum;
};

struct conf_raw_zone_limits {
    char *shrink, *grow, *entries, *space, *tlds, *values;
};

struct conf_raw_zone {
    char *name, *host_bits, *ttl, *min_ttl, *max_ttl, *test, *on_expire, *journal, *role, *heartbeat;
    struct conf_raw_dataset *data;
    unsigned data_count;
    struct conf_raw_rules primaries, update, notify, transfer, pair;
    struct conf_raw_list allow, ns;
    struct conf_raw_soa *soa;
    struct conf_raw_zone_limits *limits;
};

struct conf_raw_catalog {
    char *name, *grace, *shrink;
    struct conf_raw_rules primaries, notify, transfer;
    struct conf_raw_list zones;
    struct conf_raw_zone *groups;
    unsigned group_count;
};

struct conf_raw_transfers {
    char *out, *out_per_peer, *in, *life;
};

struct conf_raw_rbl {
    struct conf_raw_list listen;
    struct conf_raw_tls *tls;
    struct conf_raw_transfers *transfers;
    struct conf_raw_key *keys;
    struct conf_raw_zone *zones;
    struct conf_raw_catalog *catalogs;
    unsigned key_count, zone_count, catalog_count;
};

#endif
