#include "resolver/base/conf_raw_resolver.h"
#include "resolver/base/conf_resolver.h"

static const cyaml_schema_field_t listen_fields[] = {
    CONF_RAW_TEXT("address", struct conf_raw_listen, address),
    CONF_RAW_TEXT("tls", struct conf_raw_listen, tls),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t listen_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct conf_raw_listen, listen_fields)};

static const cyaml_schema_field_t rate_limit_fields[] = {
    CONF_RAW_TEXT("responses-per-second", struct conf_raw_rate_limit, responses),
    CONF_RAW_TEXT("errors-per-second", struct conf_raw_rate_limit, errors),
    CONF_RAW_TEXT("slip", struct conf_raw_rate_limit, slip),
    CONF_RAW_TEXTS("exempt", struct conf_raw_rate_limit, exempt, LIMIT_CONF_LIST),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t dnstap_fields[] = {
    CONF_RAW_TEXT("socket", struct conf_raw_dnstap, socket),
    CONF_RAW_TEXT("file", struct conf_raw_dnstap, file),
    CONF_RAW_TEXT("clients", struct conf_raw_dnstap, clients),
    CONF_RAW_TEXT("upstream", struct conf_raw_dnstap, upstream),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t stale_fields[] = {
    CONF_RAW_TEXT("max-age", struct conf_raw_stale, max_age),
    CONF_RAW_TEXT("answer-after", struct conf_raw_stale, answer_after),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t cache_fields[] = {
    CONF_RAW_TEXT("size", struct conf_raw_cache, size),
    CONF_RAW_TEXT("min-ttl", struct conf_raw_cache, min_ttl),
    CONF_RAW_TEXT("max-ttl", struct conf_raw_cache, max_ttl),
    CONF_RAW_TEXT("max-negative-ttl", struct conf_raw_cache, max_negative_ttl),
    CONF_RAW_MAP("serve-stale", struct conf_raw_cache, stale, stale_fields),
    CONF_RAW_TEXT("prefetch", struct conf_raw_cache, prefetch),
    CONF_RAW_TEXT("persist", struct conf_raw_cache, persist),
    CONF_RAW_TEXT("clock", struct conf_raw_cache, clock),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t recursion_fields[] = {
    CONF_RAW_TEXT("enabled", struct conf_raw_recursion, enabled),
    CONF_RAW_TEXT("ipv4", struct conf_raw_recursion, ipv4),
    CONF_RAW_TEXT("ipv6", struct conf_raw_recursion, ipv6),
    CONF_RAW_TEXT("root-hints", struct conf_raw_recursion, root_hints),
    CONF_RAW_TEXT("prime", struct conf_raw_recursion, prime),
    CONF_RAW_TEXT("qname-minimisation", struct conf_raw_recursion, qname_minimisation),
    CONF_RAW_TEXT("case-randomisation", struct conf_raw_recursion, case_randomisation),
    CONF_RAW_TEXT("harden-glue", struct conf_raw_recursion, harden_glue),
    CONF_RAW_TEXT("query-localhost", struct conf_raw_recursion, query_localhost),
    CONF_RAW_TEXTS("private-domains", struct conf_raw_recursion, private_domains, LIMIT_CONF_LIST),
    CONF_RAW_TEXTS("do-not-query", struct conf_raw_recursion, do_not_query, LIMIT_CONF_LIST),
    CONF_RAW_TEXTS("private-addresses", struct conf_raw_recursion, private_addresses, LIMIT_CONF_LIST),
    CONF_RAW_TEXT("edns-size", struct conf_raw_recursion, edns_size),
    CONF_RAW_TEXT("max-queries", struct conf_raw_recursion, max_queries),
    CONF_RAW_TEXT("timeout", struct conf_raw_recursion, timeout),
    CONF_RAW_TEXT("aggressive-nsec", struct conf_raw_recursion, aggressive_nsec),
    CONF_RAW_TEXT("fetch-ns-addresses", struct conf_raw_recursion, fetch_ns_addresses),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t forward_fields[] = {
    CONF_RAW_TEXT("zone", struct conf_raw_forward, zone),
    CONF_RAW_TEXTS("to", struct conf_raw_forward, to, LIMIT_UPSTREAMS),
    CONF_RAW_TEXT("tls-name", struct conf_raw_forward, tls_name),
    CONF_RAW_TEXT("ca", struct conf_raw_forward, ca),
    CONF_RAW_TEXT("opportunistic", struct conf_raw_forward, opportunistic),
    CONF_RAW_TEXT("tls-port", struct conf_raw_forward, tls_port),
    CONF_RAW_TEXT("fallback", struct conf_raw_forward, fallback),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t forward_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct conf_raw_forward, forward_fields)};

static const cyaml_schema_field_t stub_fields[] = {
    CONF_RAW_TEXT("zone", struct conf_raw_forward, zone),
    CONF_RAW_TEXTS("to", struct conf_raw_forward, to, LIMIT_UPSTREAMS),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t stub_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct conf_raw_forward, stub_fields)};

static const cyaml_schema_field_t dnssec_fields[] = {
    CONF_RAW_TEXT("validate", struct conf_raw_dnssec, validate),
    CONF_RAW_TEXTS("trust-anchors", struct conf_raw_dnssec, trust_anchors, LIMIT_FILES),
    CONF_RAW_TEXTS("negative-trust-anchors", struct conf_raw_dnssec, negative_trust_anchors, LIMIT_CONF_LIST),
    CONF_RAW_TEXT("update-anchors", struct conf_raw_dnssec, update_anchors),
    CONF_RAW_TEXT("signal-anchors", struct conf_raw_dnssec, signal_anchors),
    CONF_RAW_TEXT("permissive", struct conf_raw_dnssec, permissive),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t guard_fields[] = {
    CONF_RAW_TEXT("zone", struct conf_raw_guard, zone),
    CONF_RAW_TEXT("name", struct conf_raw_guard, name),
    CONF_RAW_TEXTS("refuse", struct conf_raw_guard, refuse, LIMIT_CONF_LIST),
    CONF_RAW_TEXT("test", struct conf_raw_guard, test),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t guard_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct conf_raw_guard, guard_fields)};

static const cyaml_schema_field_t override_fields[] = {
    CONF_RAW_TEXT("zone", struct conf_raw_override, zone),
    CONF_RAW_TEXT("answer", struct conf_raw_override, answer),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t override_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct conf_raw_override, override_fields)};

static const cyaml_schema_field_t cookies_fields[] = {
    CONF_RAW_TEXTS("secrets", struct conf_raw_cookies, secrets, CONF_COOKIE_SECRETS),
    CONF_RAW_TEXT("require", struct conf_raw_cookies, require),
    CYAML_FIELD_END,
};

const cyaml_schema_field_t conf_schema_resolver[] = {
    CONF_RAW_MAPS("listen", struct conf_raw_resolver, listen, listen_count, &listen_entry, LIMIT_LISTEN),
    CONF_RAW_TEXTS("outgoing", struct conf_raw_resolver, outgoing, LIMIT_LISTEN),
    CONF_RAW_TEXT("workers", struct conf_raw_resolver, workers),
    CONF_RAW_TEXTS("allow", struct conf_raw_resolver, allow, LIMIT_CONF_LIST),
    CONF_RAW_TEXT("refuse-any", struct conf_raw_resolver, refuse_any),
    CONF_RAW_MAP("rate-limit", struct conf_raw_resolver, rate_limit, rate_limit_fields),
    CONF_RAW_TEXT("fairness", struct conf_raw_resolver, fairness),
    CONF_RAW_MAP("dnstap", struct conf_raw_resolver, dnstap, dnstap_fields),
    CONF_RAW_TEXT("udp-size", struct conf_raw_resolver, udp_size),
    CONF_RAW_TEXT("tcp-idle", struct conf_raw_resolver, tcp_idle),
    CONF_RAW_MAP("cookies", struct conf_raw_resolver, cookies, cookies_fields),
    CONF_RAW_TEXT("minimal-responses", struct conf_raw_resolver, minimal_responses),
    CONF_RAW_MAP("tls", struct conf_raw_resolver, tls, conf_schema_tls),
    CONF_RAW_TEXT("local-zones", struct conf_raw_resolver, local_zones),
    CONF_RAW_TEXTS("local-data", struct conf_raw_resolver, local_data, LIMIT_LOCAL_DATA),
    CONF_RAW_MAPS("overrides", struct conf_raw_resolver, overrides, override_count, &override_entry, LIMIT_CONF_LIST),
    CONF_RAW_MAP("cache", struct conf_raw_resolver, cache, cache_fields),
    CONF_RAW_MAP("recursion", struct conf_raw_resolver, recursion, recursion_fields),
    CONF_RAW_MAPS("forward", struct conf_raw_resolver, forward, forward_count, &forward_entry, LIMIT_CONF_LIST),
    CONF_RAW_MAPS("stub", struct conf_raw_resolver, stub, stub_count, &stub_entry, LIMIT_CONF_LIST),
    CONF_RAW_MAP("dnssec", struct conf_raw_resolver, dnssec, dnssec_fields),
    CONF_RAW_MAPS("guard", struct conf_raw_resolver, guard, guard_count, &guard_entry, LIMIT_GUARDS),
    CYAML_FIELD_END,
};
