/* The configuration of a node: candor.yaml, read once, checked whole, never changed afterwards.
 *
 * The contract (keys, types, defaults) is documented in docs/configuration.md and conf/candor.yaml. Every address is
 * parsed here and is an address: no key takes a host name to look up. Texts live in the arena and end with the
 * configuration. Fields carry the names of their keys; `_s` seconds, `_ms` milliseconds. */
#ifndef CANDOR_BASE_CONF_H
#define CANDOR_BASE_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "resolver/base/addr.h"
#include "resolver/base/err.h"
#include "resolver/base/log.h"

struct conf_list_text {
    const char **at;
    size_t count;
};
struct conf_list_addr {
    struct addr *at;
    size_t count;
};
struct conf_list_prefix {
    struct prefix *at;
    size_t count;
};

struct conf_node {
    const char *name, *state, *run, *user;
}; /* state, run: absolute */
struct conf_log {
    enum log_level level;
    enum log_format format;
    enum log_target target;
};
struct conf_tls {
    const char *certificate, *key;
    struct conf_list_addr listen;
};

struct conf_listen {
    struct addr address;
    bool tls;
};

struct conf_cache {
    uint64_t size;
    uint32_t min_ttl_s, max_ttl_s, max_negative_ttl_s;
    uint32_t stale_max_age_s, stale_answer_after_ms;
    bool prefetch, persist;
    bool clock_monotonic;
};

struct conf_recursion {
    bool enabled, ipv4, ipv6, prime, qname_minimisation, case_randomisation, harden_glue, query_localhost;
    bool aggressive_nsec, fetch_ns_addresses;
    const char *root_hints;
    struct conf_list_prefix private_addresses;
    uint16_t edns_size;
    uint32_t max_queries, timeout_ms;
};

/* Zone names are lower-case text with the final dot, checked. */
struct conf_forward {
    const char *zone;
    struct conf_list_addr to;
    const char *tls_name;
    bool fallback;
};
struct conf_stub {
    const char *zone;
    struct conf_list_addr to;
};

struct conf_dnssec {
    bool validate, update_anchors, signal_anchors, permissive;
    struct conf_list_text trust_anchors, negative_trust_anchors;
};

/* TEST_UNSET: the key is not there. */
enum conf_test { TEST_UNSET, TEST_NONE, TEST_RFC5782_IP4, TEST_RFC5782_IP6, TEST_RFC5782_DOMAIN };

struct conf_guard {
    const char *zone;
    struct conf_list_prefix refuse;
    enum conf_test test;
};

struct conf_resolver {
    struct conf_listen *listen;
    size_t listen_count;
    struct conf_list_addr outgoing; /* port 0: any */
    unsigned workers;               /* 1..LIMIT_WORKERS; 0 was replaced by the number of CPUs */
    struct conf_list_prefix allow;
    bool refuse_any, minimal_responses, local_zones;
    struct {
        uint32_t responses_per_second, errors_per_second, slip;
    } rate_limit;
    uint16_t udp_size;
    struct conf_tls tls;
    struct conf_cache cache;
    struct conf_recursion recursion;
    struct conf_forward *forward;
    size_t forward_count;
    struct conf_stub *stub;
    size_t stub_count;
    struct conf_dnssec dnssec;
    struct conf_guard *guard;
    size_t guard_count;
};

struct conf_key {
    const char *name, *algorithm, *secret, *secret_file;
};

/* One `{ address, key }` as in primaries, notify, update, transfer; either may be absent. */
struct conf_peer_rule {
    bool has_address;
    struct addr address;
    struct prefix network;
    const char *key;
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

struct conf_zone {
    const char *name;
    struct conf_dataset *data;
    size_t data_count;
    struct conf_rules primaries, update, notify, transfer;
    struct conf_list_prefix allow;
    bool soa_set;
    struct conf_soa soa;
    struct conf_list_text ns;
    uint32_t ttl_s;
    enum conf_test test;
    struct {
        double shrink, grow;
        uint64_t entries;
    } limits; /* shares: 0.5 is 50% */
    enum conf_on_expire on_expire;
    uint64_t journal;
};

struct conf_catalog {
    const char *name;
    struct conf_rules primaries;
};

struct conf_rbl {
    struct conf_list_addr listen;
    struct conf_tls tls;
    struct conf_key *keys;
    size_t key_count;
    struct conf_zone *zones;
    size_t zone_count;
    struct conf_catalog *catalogs;
    size_t catalog_count;
};

struct conf_peer {
    const char *name;
    struct addr resolver, health;
    const char *key;
};
struct conf_sink {
    struct addr address;
    const char *key, *tls_name, *ca, *path;
    uint32_t interval_s;
};
struct conf_sql {
    bool enabled;
    struct addr address;
    const char *tls_name, *ca, *database, *user, *password_file;
};
struct conf_snmp {
    const char *agentx, *base_oid;
    struct conf_list_addr traps;
};
struct conf_monitor_listen {
    bool has_datagram, has_https;
    struct addr datagram, https;
};

struct conf_health {
    struct conf_list_addr listen;
    struct conf_list_prefix allow;
    const char *token;
    struct {
        uint32_t local_ms, upstream_ms, zones_ms, peers_ms, push_ms;
    } interval;
    unsigned fall, rise;
    struct {
        const char *cached, *uncached_under, *nxdomain_under;
    } canary; /* "": switched off */
    struct conf_list_addr service_addresses;
    struct conf_peer *peers;
    size_t peer_count;
    struct conf_sink *datagram;
    size_t datagram_count;
    struct conf_sink *https;
    size_t https_count;
    struct conf_sql sql;
    struct conf_snmp snmp;
    const char *exec;
    struct {
        bool enabled;
        struct conf_monitor_listen *listen;
        size_t listen_count;
        struct conf_peer *nodes;
        size_t node_count;
        struct conf_sink *dead_man;
        size_t dead_man_count;
    } monitor;
    struct {
        bool restart_hung;
        uint32_t max_restarts, within_s;
    } heal;
};

struct conf {
    struct conf_node node;
    struct conf_log log;
    struct conf_resolver resolver;
    struct conf_rbl rbl;
    struct conf_health health;
    struct conf_list_text later; /* "resolver.dnssec.validate: read, not used by this version" : keys given whose
                                    feature is not there yet */
    const char *path;            /* absolute; "" when no file was read */
};

/* Reads and checks `path`; NULL or an empty file gives the defaults. On failure *conf is NULL and err says
 * "FILE:LINE: KEY: expected WHAT". One call at a time. */
int conf_read(struct conf **conf, const char *path, struct err *err) MUST_USE;
/* The same from memory; relative paths start at `base_dir`, errors name `label`. */
int conf_read_text(struct conf **conf, const char *text, size_t size, const char *base_dir, const char *label,
                   struct err *err) MUST_USE;
void conf_free(struct conf *conf);

/* The distinct addresses of all `forward:` entries, in order of first appearance: the index used on the board.
 * Returns how many there are (at most `cap` are written). */
size_t conf_upstreams(const struct conf *conf, struct addr *to, size_t cap);

#endif
