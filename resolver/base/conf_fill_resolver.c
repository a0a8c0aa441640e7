/* Section `resolver`. */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "resolver/base/conf_fill.h"
#include "resolver/base/conf_raw_resolver.h"

enum { DNS_PORT = 53, DOT_PORT = 853, UDP_LEAST = 512, TTL_MAX_S = 7 * 86400, DAY_MS = 86400000 };

/* Where no server of a public zone can be (RFC 6890); loopback has a key of its own. */
static const char *const not_public[] = {"10.0.0.0/8",     "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12",
                                         "192.168.0.0/16", "fc00::/7",      "fe80::/10",      NULL};
static const char *const loopback[] = {"127.0.0.0/8", "::1", NULL};

void conf_fill_tls(struct conf_reader *r, const char *key, const struct conf_raw_tls *in, struct conf_tls *out) {
    conf_enter(r, key);
    out->certificate = conf_take_path(r, "certificate", in->certificate, "");
    out->key = conf_take_path(r, "key", in->key, "");
    if ((out->certificate[0] == '\0') != (out->key[0] == '\0'))
        conf_fail(r, E_INVALID, out->key[0] == '\0' ? "key" : "certificate",
                  "a file: certificate and key belong together");
    out->ca = conf_take_path(r, "ca", in->ca, "");
    out->listen = conf_take_addrs(r, "listen", in->listen, 0, NULL);
    if (out->listen.count > 0 && out->certificate[0] == '\0')
        conf_fail(r, E_INVALID, "certificate", "a certificate and its key, to serve TLS with");
    conf_leave(r);
}

enum conf_test conf_take_test(struct conf_reader *r, const char *key, const char *raw) {
    static const struct conf_word words[] = {{"rfc5782-ip4", TEST_RFC5782_IP4},
                                             {"rfc5782-ip6", TEST_RFC5782_IP6},
                                             {"rfc5782-domain", TEST_RFC5782_DOMAIN},
                                             {"none", TEST_NONE},
                                             {NULL, 0}};
    return (enum conf_test)conf_take_word(r, key, raw, TEST_UNSET, words);
}

/* As many as this process may run on; a container's share counts, not the machine. */
static unsigned cpus(void) {
    cpu_set_t set;
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    long n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : online;
    return n < 1 ? 1 : n > LIMIT_WORKERS ? LIMIT_WORKERS : (unsigned)n;
}

static void listen_list(struct conf_reader *r, const struct conf_raw_resolver *in, struct conf_resolver *out) {
    bool given = conf_given(r, "listen");
    char text[ADDR_TEXT_MAX];
    size_t n = given ? in->listen_count : 1;
    if (n == 0)
        conf_fail(r, E_INVALID, "listen", "at least one address");
    out->listen = conf_array(r, n, sizeof(*out->listen));
    conf_enter(r, "listen");
    for (size_t i = 0; i < n && r->rc == E_OK; i++) {
        struct conf_listen *l = &out->listen[i];
        conf_enter_at(r, i);
        conf_take_addr(r, given ? "address" : NULL, given ? in->listen[i].address : "127.0.0.1@5300", DNS_PORT,
                       &l->address);
        if (given && !conf_given(r, "address"))
            conf_fail(r, E_INVALID, "address", "ADDRESS@PORT");
        l->tls = given && conf_take_bool(r, "tls", in->listen[i].tls, false);
        for (size_t j = 0; j < i; j++)
            if (addr_same(&l->address, &out->listen[j].address))
                conf_fail(r, E_INVALID, "address", "each address once (%s is in the list already)",
                          addr_text(&l->address, text));
        conf_leave(r);
        out->listen_count++;
    }
    conf_leave(r);
}

static void cache(struct conf_reader *r, const struct conf_raw_cache *in, struct conf_cache *out) {
    static const struct conf_word clocks[] = {{"realtime", 0}, {"monotonic", 1}, {NULL, 0}};
    const struct conf_raw_stale *stale = CONF_RAW_OR_EMPTY(in->stale);
    conf_enter(r, "cache");
    out->size = conf_take_size(r, "size", in->size, 64ULL << 20, 1ULL << 20, 1ULL << 40);
    out->min_ttl_s = conf_take_s(r, "min-ttl", in->min_ttl, 0, 0, 86400);
    out->max_ttl_s = conf_take_s(r, "max-ttl", in->max_ttl, 86400, 1, TTL_MAX_S);
    out->max_negative_ttl_s = conf_take_s(r, "max-negative-ttl", in->max_negative_ttl, 3600, 1, TTL_MAX_S);
    if (out->min_ttl_s > out->max_ttl_s)
        conf_fail(r, E_RANGE, "min-ttl", "a time not above max-ttl, %us", out->max_ttl_s);
    conf_enter(r, "serve-stale");
    out->stale_max_age_s = conf_take_s(r, "max-age", stale->max_age, 86400, 0, TTL_MAX_S);
    out->stale_answer_after_ms = conf_take_ms(r, "answer-after", stale->answer_after, 1800, 0, 60000);
    conf_leave(r);
    out->prefetch = conf_take_bool(r, "prefetch", in->prefetch, true);
    out->persist = conf_take_bool(r, "persist", in->persist, true);
    out->clock_monotonic = conf_take_word(r, "clock", in->clock, 0, clocks) != 0;
    conf_leave(r);
}

static void recursion(struct conf_reader *r, const struct conf_raw_recursion *in, struct conf_recursion *out) {
    conf_enter(r, "recursion");
    out->enabled = conf_take_bool(r, "enabled", in->enabled, true);
    out->ipv4 = conf_take_bool(r, "ipv4", in->ipv4, true);
    out->ipv6 = conf_take_bool(r, "ipv6", in->ipv6, true);
    if (out->enabled && !out->ipv4 && !out->ipv6)
        conf_fail(r, E_INVALID, "ipv6", "ipv4 or ipv6 to be true: recursion needs one of them");
    out->root_hints = conf_take_path(r, "root-hints", in->root_hints, "");
    out->prime = conf_take_bool(r, "prime", in->prime, true);
    out->qname_minimisation = conf_take_bool(r, "qname-minimisation", in->qname_minimisation, true);
    out->case_randomisation = conf_take_bool(r, "case-randomisation", in->case_randomisation, false);
    out->harden_glue = conf_take_bool(r, "harden-glue", in->harden_glue, true);
    out->query_localhost = conf_take_bool(r, "query-localhost", in->query_localhost, false);
    out->do_not_query = conf_take_prefixes(r, "do-not-query", in->do_not_query, not_public);
    out->private_domains = conf_take_names(r, "private-domains", in->private_domains);
    out->private_addresses = conf_take_prefixes(r, "private-addresses", in->private_addresses, NULL);
    out->edns_size = (uint16_t)conf_take_number(r, "edns-size", in->edns_size, 1232, UDP_LEAST, LIMIT_UDP_QUERY);
    out->max_queries = conf_take_number(r, "max-queries", in->max_queries, 100, 1, 10000);
    out->timeout_ms = conf_take_ms(r, "timeout", in->timeout, 5000, 100, 60000);
    out->aggressive_nsec = conf_take_bool(r, "aggressive-nsec", in->aggressive_nsec, true);
    out->fetch_ns_addresses = conf_take_bool(r, "fetch-ns-addresses", in->fetch_ns_addresses, true);
    conf_leave(r);
}

/* The section entered is one entry of `forward:` or `stub:`. */
static void zone_and_servers(struct conf_reader *r, const struct conf_raw_forward *in, const char **zone,
                             struct conf_list_addr *to, uint16_t port) {
    *zone = conf_take_name(r, "zone", in->zone, ".");
    if (!conf_given(r, "zone"))
        conf_fail(r, E_INVALID, "zone", "the name of a zone, or . for all");
    *to = conf_take_addrs(r, "to", in->to, port, NULL);
    if (to->count == 0)
        conf_fail(r, E_INVALID, "to", "at least one ADDRESS@PORT");
}

static void forward(struct conf_reader *r, const struct conf_raw_resolver *in, struct conf_resolver *out) {
    out->forward = conf_array(r, in->forward_count, sizeof(*out->forward));
    conf_enter(r, "forward");
    for (size_t i = 0; i < in->forward_count && r->rc == E_OK; i++) {
        struct conf_forward *f = &out->forward[i];
        conf_enter_at(r, i);
        f->tls_name = conf_take_tls_name(r, "tls-name", in->forward[i].tls_name);
        f->ca = conf_take_path(r, "ca", in->forward[i].ca, "");
        f->tls_port = (uint16_t)conf_take_number(r, "tls-port", in->forward[i].tls_port, DOT_PORT, 1, 65535);
        zone_and_servers(r, &in->forward[i], &f->zone, &f->to, f->tls_name[0] != '\0' ? f->tls_port : DNS_PORT);
        if (f->ca[0] != '\0' && f->tls_name[0] == '\0')
            conf_fail(r, E_INVALID, "ca", "tls-name as well: whom the certificate must name");
        f->opportunistic = conf_take_bool(r, "opportunistic", in->forward[i].opportunistic, false);
        if (f->opportunistic && f->tls_name[0] != '\0')
            conf_fail(r, E_INVALID, "opportunistic", "not beside tls-name, which means TLS or nothing");
        f->fallback = conf_take_bool(r, "fallback", in->forward[i].fallback, false);
        for (size_t j = 0; j < i && r->rc == E_OK; j++)
            if (strcmp(f->zone, out->forward[j].zone) == 0)
                conf_fail(r, E_INVALID, "zone", "each zone once (forward[%zu] has this one)", j);
        conf_leave(r);
        out->forward_count++;
    }
    conf_leave(r);
}

static void stub(struct conf_reader *r, const struct conf_raw_resolver *in, struct conf_resolver *out) {
    out->stub = conf_array(r, in->stub_count, sizeof(*out->stub));
    conf_enter(r, "stub");
    for (size_t i = 0; i < in->stub_count && r->rc == E_OK; i++) {
        struct conf_stub *s = &out->stub[i];
        conf_enter_at(r, i);
        zone_and_servers(r, &in->stub[i], &s->zone, &s->to, DNS_PORT);
        for (size_t j = 0; j < i && r->rc == E_OK; j++)
            if (strcmp(s->zone, out->stub[j].zone) == 0)
                conf_fail(r, E_INVALID, "zone", "each zone once (stub[%zu] has this one)", j);
        conf_leave(r);
        out->stub_count++;
    }
    conf_leave(r);
}

static void dnssec(struct conf_reader *r, const struct conf_raw_dnssec *in, struct conf_dnssec *out) {
    static const char *const built_in[] = {"", NULL};
    conf_enter(r, "dnssec");
    out->validate = conf_take_bool(r, "validate", in->validate, true);
    out->trust_anchors = conf_take_paths(r, "trust-anchors", in->trust_anchors, built_in);
    out->negative_trust_anchors = conf_take_names(r, "negative-trust-anchors", in->negative_trust_anchors);
    out->update_anchors = conf_take_bool(r, "update-anchors", in->update_anchors, true);
    out->signal_anchors = conf_take_bool(r, "signal-anchors", in->signal_anchors, true);
    out->permissive = conf_take_bool(r, "permissive", in->permissive, false);
    conf_leave(r);
}

/* What 127.255.255.0/24 means is custom of the large lists; others have codes of their own. */
static const char *const refusals[] = {"127.255.255.0/24", NULL};

static void guard(struct conf_reader *r, const struct conf_raw_resolver *in, struct conf_resolver *out) {
    out->guard = conf_array(r, in->guard_count, sizeof(*out->guard));
    conf_enter(r, "guard");
    for (size_t i = 0; i < in->guard_count && r->rc == E_OK; i++) {
        struct conf_guard *g = &out->guard[i];
        conf_enter_at(r, i);
        g->zone = conf_take_name(r, "zone", in->guard[i].zone, ".");
        if (!conf_given(r, "zone"))
            conf_fail(r, E_INVALID, "zone", "the name of a blocklist");
        g->name = conf_take_text(r, "name", in->guard[i].name, g->zone);
        if (g->name[0] == '\0' || strlen(g->name) > LIMIT_NAME_WIRE)
            conf_fail(r, E_INVALID, "name", "a text of up to %d characters", LIMIT_NAME_WIRE);
        g->refuse = conf_take_prefixes(r, "refuse", in->guard[i].refuse, refusals);
        g->test = conf_take_test(r, "test", in->guard[i].test);
        for (size_t j = 0; j < i && r->rc == E_OK; j++)
            if (strcmp(g->zone, out->guard[j].zone) == 0)
                conf_fail(r, E_INVALID, "zone", "each zone once (guard[%zu] has this one)", j);
        for (size_t j = 0; j < i && r->rc == E_OK; j++)
            if (strcmp(g->name, out->guard[j].name) == 0)
                conf_fail(r, E_INVALID, "name", "each name once (guard[%zu] has this one)", j);
        conf_leave(r);
        out->guard_count++;
    }
    conf_leave(r);
}

static void overrides(struct conf_reader *r, const struct conf_raw_resolver *in, struct conf_resolver *out) {
    static const struct conf_word words[] = {{"transparent", LOCAL_TRANSPARENT},
                                             {"static", LOCAL_STATIC},
                                             {"redirect", LOCAL_REDIRECT},
                                             {"nxdomain", LOCAL_NXDOMAIN},
                                             {"nodata", LOCAL_NODATA},
                                             {"refuse", LOCAL_REFUSE},
                                             {"drop", LOCAL_DROP},
                                             {NULL, 0}};
    out->overrides = conf_array(r, in->override_count, sizeof(*out->overrides));
    conf_enter(r, "overrides");
    for (size_t i = 0; i < in->override_count && r->rc == E_OK; i++) {
        struct conf_override *o = &out->overrides[i];
        conf_enter_at(r, i);
        o->zone = conf_take_name(r, "zone", in->overrides[i].zone, ".");
        o->answer = (enum conf_local)conf_take_word(r, "answer", in->overrides[i].answer, LOCAL_NONE, words);
        if (!conf_given(r, "zone"))
            conf_fail(r, E_INVALID, "zone", "the name of a zone");
        if (!conf_given(r, "answer"))
            conf_fail(r, E_INVALID, "answer", "transparent, static, redirect, nxdomain, nodata, refuse or drop");
        for (size_t j = 0; j < i && r->rc == E_OK; j++)
            if (strcmp(o->zone, out->overrides[j].zone) == 0)
                conf_fail(r, E_INVALID, "zone", "each zone once (overrides[%zu] has this one)", j);
        conf_leave(r);
        out->override_count++;
    }
    conf_leave(r);
}

static int hex_digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static bool take_secret(uint8_t to[CONF_COOKIE_SECRET], const char *text) {
    if (text == NULL || strlen(text) != (size_t)2 * CONF_COOKIE_SECRET)
        return false;
    for (size_t i = 0; i < CONF_COOKIE_SECRET; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        to[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static void cookies(struct conf_reader *r, const struct conf_raw_cookies *in, struct conf_cookies *out) {
    conf_enter(r, "cookies");
    conf_enter(r, "secrets");
    for (size_t i = 0; i < in->secrets.count && i < CONF_COOKIE_SECRETS && r->rc == E_OK; i++) {
        conf_enter_at(r, i);
        if (!take_secret(out->secret[i], in->secrets.at[i]))
            conf_fail(r, E_INVALID, NULL, "16 octets as 32 hexadecimal digits");
        conf_leave(r);
        out->count++;
    }
    conf_leave(r);
    out->require = conf_take_bool(r, "require", in->require, false);
    conf_leave(r);
}

static void rate_limit(struct conf_reader *r, const struct conf_raw_rate_limit *in, struct conf_rate_limit *out) {
    conf_enter(r, "rate-limit");
    out->responses_per_second = conf_take_number(r, "responses-per-second", in->responses, 0, 0, 1000000);
    out->errors_per_second = conf_take_number(r, "errors-per-second", in->errors, 0, 0, 1000000);
    out->slip = conf_take_number(r, "slip", in->slip, 2, 0, 100);
    out->exempt = conf_take_prefixes(r, "exempt", in->exempt, loopback);
    conf_leave(r);
}

static void dnstap(struct conf_reader *r, const struct conf_raw_dnstap *in, struct conf_dnstap *out) {
    conf_enter(r, "dnstap");
    out->socket = conf_take_path(r, "socket", in->socket, "");
    out->file = conf_take_path(r, "file", in->file, "");
    if (out->socket[0] != '\0' && out->file[0] != '\0')
        conf_fail(r, E_INVALID, "file", "a socket or a file, not both");
    out->clients = conf_take_bool(r, "clients", in->clients, true);
    out->upstream = conf_take_bool(r, "upstream", in->upstream, true);
    conf_leave(r);
}

void conf_fill_resolver(struct conf_reader *r, const struct conf_raw_resolver *in, struct conf_resolver *out) {
    conf_enter(r, "resolver");
    listen_list(r, in, out);
    out->outgoing = conf_take_hosts(r, "outgoing", in->outgoing);
    out->workers = conf_take_number(r, "workers", in->workers, 0, 0, LIMIT_WORKERS);
    if (out->workers == 0)
        out->workers = cpus();
    out->allow = conf_take_prefixes(r, "allow", in->allow, loopback);
    out->refuse_any = conf_take_bool(r, "refuse-any", in->refuse_any, true);
    rate_limit(r, CONF_RAW_OR_EMPTY(in->rate_limit), &out->rate_limit);
    out->fairness = conf_take_bool(r, "fairness", in->fairness, true);
    dnstap(r, CONF_RAW_OR_EMPTY(in->dnstap), &out->dnstap);
    out->udp_size = (uint16_t)conf_take_number(r, "udp-size", in->udp_size, 1232, UDP_LEAST, LIMIT_UDP_QUERY);
    out->tcp_idle_ms = conf_take_ms(r, "tcp-idle", in->tcp_idle, LIMIT_TCP_IDLE_MS, 1000, LIMIT_TCP_IDLE_MAX_MS);
    cookies(r, CONF_RAW_OR_EMPTY(in->cookies), &out->cookies);
    out->minimal_responses = conf_take_bool(r, "minimal-responses", in->minimal_responses, true);
    conf_fill_tls(r, "tls", CONF_RAW_OR_EMPTY(in->tls), &out->tls);
    out->local_zones = conf_take_bool(r, "local-zones", in->local_zones, true);
    out->local_data = conf_take_texts(r, "local-data", in->local_data);
    overrides(r, in, out);
    cache(r, CONF_RAW_OR_EMPTY(in->cache), &out->cache);
    recursion(r, CONF_RAW_OR_EMPTY(in->recursion), &out->recursion);
    forward(r, in, out);
    stub(r, in, out);
    dnssec(r, CONF_RAW_OR_EMPTY(in->dnssec), &out->dnssec);
    guard(r, in, out);
    conf_leave(r);
}
