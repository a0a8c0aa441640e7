/* Text form of section `resolver` (conf_raw.h). */
#ifndef CANDOR_BASE_CONF_RAW_RESOLVER_H
#define CANDOR_BASE_CONF_RAW_RESOLVER_H

#include "resolver/base/conf_raw.h"

struct conf_raw_listen {
    char *address, *tls;
};

struct conf_raw_rate_limit {
    char *responses, *errors, *slip;
    struct conf_raw_list exempt;
};

struct conf_raw_dnstap {
    char *socket, *file, *clients, *upstream;
};

struct conf_raw_stale {
    char *max_age, *answer_after;
};

struct conf_raw_cache {
    char *size, *min_ttl, *max_ttl, *max_negative_ttl, *prefetch, *persist, *clock;
    struct conf_raw_stale *stale;
};

struct conf_raw_recursion {
    char *enabled, *ipv4, *ipv6, *root_hints, *prime, *qname_minimisation, *case_randomisation, *harden_glue;
    char *query_localhost, *edns_size, *max_queries, *timeout, *aggressive_nsec, *fetch_ns_addresses;
    struct conf_raw_list private_addresses, private_domains, do_not_query;
};

/* Of `forward:`; `stub:` has the first two only. */
struct conf_raw_forward {
    char *zone, *tls_name, *ca, *opportunistic, *tls_port, *fallback;
    struct conf_raw_list to;
};

struct conf_raw_override {
    char *zone, *answer;
};

struct conf_raw_dnssec {
    char *validate, *update_anchors, *signal_anchors, *permissive;
    struct conf_raw_list trust_anchors, negative_trust_anchors;
};

struct conf_raw_guard {
    char *zone, *name, *test;
    struct conf_raw_list refuse;
};

struct conf_raw_cookies {
    char *require;
    struct conf_raw_list secrets;
};

struct conf_raw_resolver {
    struct conf_raw_listen *listen;
    struct conf_raw_forward *forward, *stub;
    struct conf_raw_guard *guard;
    struct conf_raw_override *overrides;
    unsigned listen_count, forward_count, stub_count, guard_count, override_count;
    struct conf_raw_list outgoing, allow, local_data;
    char *workers, *refuse_any, *udp_size, *tcp_idle, *minimal_responses, *local_zones, *fairness;
    struct conf_raw_rate_limit *rate_limit;
    struct conf_raw_dnstap *dnstap;
    struct conf_raw_cookies *cookies;
    struct conf_raw_tls *tls;
    struct conf_raw_cache *cache;
    struct conf_raw_recursion *recursion;
    struct conf_raw_dnssec *dnssec;
};

#endif
