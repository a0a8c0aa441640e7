/* Section `resolver` of the configuration (conf.h). Zone names are lower-case text with the final dot, checked. */
#ifndef CANDOR_BASE_CONF_RESOLVER_H
#define CANDOR_BASE_CONF_RESOLVER_H

#include "resolver/base/conf_parts.h"

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
    struct conf_list_prefix private_addresses, do_not_query;
    struct conf_list_text private_domains;
    uint16_t edns_size;
    uint32_t max_queries, timeout_ms;
};

struct conf_forward {
    const char *zone;
    struct conf_list_addr to;
    const char *tls_name, *ca; /* tls_name "": plain; ca: absolute path, "": that of the system */
    bool opportunistic;        /* TLS to whoever answers at tls_port, else plain; no tls_name then */
    uint16_t tls_port;         /* of servers over TLS, where `to` names none */
    bool fallback;
};
struct conf_stub {
    const char *zone;
    struct conf_list_addr to;
};

/* Who answers names at and below a zone, `local-data` excepted, which always answers the name that has it. */
enum conf_local {
    LOCAL_NONE,
    LOCAL_TRANSPARENT, /* nobody here: asked for as if there were no local zone */
    LOCAL_STATIC,      /* this node alone, with AA: what local-data does not have does not exist (RFC 6303) */
    LOCAL_REDIRECT,    /* the data of the zone's own name stands for every name below */
    LOCAL_NXDOMAIN,
    LOCAL_NODATA,
    LOCAL_REFUSE,
    LOCAL_DROP, /* no reply at all */
};
struct conf_override {
    const char *zone;
    enum conf_local answer;
};

struct conf_dnssec {
    bool validate, update_anchors, signal_anchors, permissive;
    struct conf_list_text trust_anchors, negative_trust_anchors;
};

struct conf_guard {
    const char *zone;
    const char *name; /* shown in place of the zone, which may hold a key */
    struct conf_list_prefix refuse;
    enum conf_test test;
};

/* DNS cookies (RFC 9018). No secret: the resolver makes its own and changes it daily. */
enum { CONF_COOKIE_SECRETS = 3, CONF_COOKIE_SECRET = 16 };
struct conf_cookies {
    uint8_t secret[CONF_COOKIE_SECRETS][CONF_COOKIE_SECRET]; /* the first makes cookies, all are believed */
    unsigned count;
    bool require; /* over UDP nothing but BADCOOKIE or TC without a good one */
};

/* Answers over UDP in a second to one network of clients; 0: no limit. */
struct conf_rate_limit {
    uint32_t responses_per_second, errors_per_second, slip;
    struct conf_list_prefix exempt;
};

/* Where questions and answers are told in dnstap: at most one of both, "" each: nowhere. */
struct conf_dnstap {
    const char *socket, *file;
    bool clients, upstream;
};

struct conf_resolver {
    struct conf_listen *listen;
    size_t listen_count;
    struct conf_list_addr outgoing; /* port 0: any */
    unsigned workers;               /* 1..LIMIT_WORKERS; 0 was replaced by the number of CPUs */
    struct conf_list_prefix allow;
    bool refuse_any, minimal_responses, local_zones;
    bool fairness;
    struct conf_rate_limit rate_limit;
    struct conf_dnstap dnstap;
    uint16_t udp_size;
    uint32_t tcp_idle_ms;
    struct conf_cookies cookies;
    struct conf_tls tls;
    struct conf_cache cache;
    struct conf_recursion recursion;
    struct conf_forward *forward;
    size_t forward_count;
    struct conf_stub *stub;
    size_t stub_count;
    struct conf_list_text local_data; /* RRs as a zone file has them: resolver/serve/local_zones.h reads them */
    struct conf_override *overrides;
    size_t override_count;
    struct conf_dnssec dnssec;
    struct conf_guard *guard;
    size_t guard_count;
};

#endif
