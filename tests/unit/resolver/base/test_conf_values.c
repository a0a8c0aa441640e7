/* What values become: defaults, units, shorthand forms, names, paths, and what is said to come later. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include <cmocka.h>

#include "resolver/base/bytes.h"
#include "resolver/base/limits.h"
#include "tests/unit/resolver/base/conf_helper.h"

static const char *shown(const struct addr *a) {
    static char text[ADDR_TEXT_MAX];
    return addr_text(a, text);
}

static void has(const struct conf_list_prefix *list, const char *address, bool wanted) {
    struct addr a;
    assert_int_equal(addr_parse(&a, address, 1, NULL), E_OK);
    assert_int_equal(prefix_list_has(list->at, list->count, &a), wanted);
}

static void check_node_defaults(const struct conf *c) {
    struct utsname kernel;
    assert_int_equal(uname(&kernel), 0);
    assert_true(strcmp(c->node.name, kernel.nodename) == 0 || strcmp(c->node.name, "node") == 0);
    assert_string_equal(c->node.state, "/var/lib/candor");
    assert_string_equal(c->node.run, "/run/candor");
    assert_string_equal(c->node.user, "");
    assert_int_equal(c->log.level, LEVEL_INFO);
    assert_int_equal(c->log.format, LOG_FORMAT_LOGFMT);
    assert_int_equal(c->log.target, LOG_TARGET_STDERR);
    assert_int_equal(c->later.count, 0);
}

static void check_resolver_defaults(const struct conf_resolver *r) {
    assert_int_equal(r->listen_count, 1);
    assert_string_equal(shown(&r->listen[0].address), "127.0.0.1@5300");
    assert_false(r->listen[0].tls);
    assert_int_equal(r->outgoing.count, 0);
    assert_in_range(r->workers, 1, LIMIT_WORKERS);
    has(&r->allow, "127.9.9.9", true);
    has(&r->allow, "::1", true);
    has(&r->allow, "192.0.2.1", false);
    assert_true(r->refuse_any && r->minimal_responses && r->local_zones);
    assert_int_equal(r->rate_limit.responses_per_second, 0);
    assert_int_equal(r->rate_limit.slip, 2);
    assert_int_equal(r->udp_size, 1232);
    assert_int_equal(r->tcp_idle_ms, 10000);
    assert_string_equal(r->tls.certificate, "");
    assert_int_equal(r->cache.size, 64 << 20);
    assert_int_equal(r->cache.min_ttl_s, 0);
    assert_int_equal(r->cache.max_ttl_s, 86400);
    assert_int_equal(r->cache.max_negative_ttl_s, 3600);
    assert_int_equal(r->cache.stale_max_age_s, 86400);
    assert_int_equal(r->cache.stale_answer_after_ms, 1800);
    assert_true(r->cache.prefetch && r->cache.persist && !r->cache.clock_monotonic);
    assert_true(r->recursion.enabled && r->recursion.ipv4 && r->recursion.ipv6 && r->recursion.prime);
    assert_true(r->recursion.qname_minimisation && !r->recursion.case_randomisation && r->recursion.harden_glue);
    assert_true(!r->recursion.query_localhost && r->recursion.aggressive_nsec && r->recursion.fetch_ns_addresses);
    assert_string_equal(r->recursion.root_hints, "");
    assert_int_equal(r->recursion.private_addresses.count, 0);
    has(&r->recursion.do_not_query, "10.1.2.3", true);
    has(&r->recursion.do_not_query, "fd00::1", true);
    has(&r->recursion.do_not_query, "198.41.0.4", false);
    assert_int_equal(r->recursion.edns_size, 1232);
    assert_int_equal(r->recursion.max_queries, 100);
    assert_int_equal(r->recursion.timeout_ms, 5000);
    assert_int_equal(r->local_data.count + r->override_count, 0);
    assert_int_equal(r->forward_count + r->stub_count + r->guard_count, 0);
    assert_true(r->dnssec.validate && r->dnssec.update_anchors && r->dnssec.signal_anchors && !r->dnssec.permissive);
    assert_int_equal(r->dnssec.trust_anchors.count, 1);
    assert_string_equal(r->dnssec.trust_anchors.at[0], "");
    assert_int_equal(r->dnssec.negative_trust_anchors.count, 0);
}

static void check_other_defaults(const struct conf *c) {
    const struct conf_health *h = &c->health;
    assert_int_equal(c->rbl.listen.count, 1);
    assert_string_equal(shown(&c->rbl.listen.at[0]), "127.0.0.1@5301");
    assert_int_equal(c->rbl.zone_count + c->rbl.key_count + c->rbl.catalog_count + c->rbl.tls.listen.count, 0);
    assert_int_equal(h->listen.count, 1);
    assert_string_equal(shown(&h->listen.at[0]), "127.0.0.1@5380");
    has(&h->allow, "127.0.0.1", true);
    has(&h->allow, "10.0.0.1", false);
    assert_string_equal(h->token, "");
    assert_int_equal(h->interval.local_ms, 5000);
    assert_int_equal(h->interval.upstream_ms, 15000);
    assert_int_equal(h->interval.zones_ms, 30000);
    assert_int_equal(h->interval.peers_ms, 5000);
    assert_int_equal(h->interval.push_ms, 15000);
    assert_int_equal(h->fall, 2);
    assert_int_equal(h->rise, 2);
    assert_string_equal(h->canary.cached, "example.com.");
    assert_string_equal(h->canary.uncached_under, "example.com.");
    assert_string_equal(h->canary.nxdomain_under, "com.");
    assert_int_equal(h->service_addresses.count + h->peer_count + h->datagram_count + h->https_count, 0);
    assert_false(h->sql.enabled);
    assert_string_equal(h->snmp.agentx, "");
    assert_string_equal(h->exec, "");
    assert_false(h->monitor.enabled);
    assert_int_equal(h->monitor.listen_count + h->monitor.node_count + h->monitor.dead_man_count, 0);
    assert_true(h->heal.restart_hung);
    assert_int_equal(h->heal.max_restarts, 3);
    assert_int_equal(h->heal.within_s, 600);
}

/* Nothing at all, in the many ways that it can be written. */
static void defaults(void **state) {
    static const char *const texts[] = {
        "",
        "\n",
        "# nothing\n",
        "---\n",
        "---\n...\n",
        "~",
        "null\n",
        "{}",
        "\xef\xbb\xbf",
        "\xef\xbb\xbf{}",
        "node:\nlog:\nresolver:\nrbl:\nhealth:\n",
        "node: ~\nresolver: null\n",
        "resolver:\n  listen:\n  workers:\n  cache:\n    size: ~\n  allow: ~\n  dnssec: {}\n",
        "rbl: {zones: [], keys: ~, tls: }\n",
        "node: {name: }\r\nlog: {}\r\n"};
    struct err err = {0};
    struct conf *c;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        c = conf_of(texts[i]);
        check_node_defaults(c);
        check_resolver_defaults(&c->resolver);
        check_other_defaults(c);
        conf_free(c);
    }
    assert_int_equal(conf_read(&c, NULL, &err), E_OK);
    check_node_defaults(c);
    check_resolver_defaults(&c->resolver);
    check_other_defaults(c);
    assert_string_equal(c->path, "");
    conf_free(c);
    conf_free(NULL);
}

static void shorthand(void **state) {
    struct conf *c =
        conf_of("node: { name: scan1, state: ../data, run: /run/x, user: candor }\n"
                "log: { level: debug, format: json, target: syslog }\n"
                "resolver:\n"
                "  listen:\n"
                "    - address: 127.0.0.1@5300      # a comment\n"
                "    - { address: \"[::1]@5853\", tls: yes }\n"
                "    - address: 192.0.2.1\n"
                "  outgoing: [192.0.2.9, \"2001:db8::9\"]\n"
                "  workers: 3\n"
                "  allow: []\n"
                "  dnssec: { trust-anchors: [\"\", /etc/anchor, sub/anchor], negative-trust-anchors: [Corp] }\n");
    (void)state;
    assert_string_equal(c->node.name, "scan1");
    assert_string_equal(c->node.state, "/base/../data");
    assert_string_equal(c->node.run, "/run/x");
    assert_string_equal(c->node.user, "candor");
    assert_int_equal(c->log.level, LEVEL_DEBUG);
    assert_int_equal(c->log.format, LOG_FORMAT_JSON);
    assert_int_equal(c->log.target, LOG_TARGET_SYSLOG);
    assert_int_equal(c->resolver.listen_count, 3);
    assert_string_equal(shown(&c->resolver.listen[1].address), "::1@5853");
    assert_true(c->resolver.listen[1].tls && !c->resolver.listen[0].tls);
    assert_string_equal(shown(&c->resolver.listen[2].address), "192.0.2.1@53");
    assert_int_equal(c->resolver.outgoing.count, 2);
    assert_string_equal(shown(&c->resolver.outgoing.at[0]), "192.0.2.9@0");
    assert_string_equal(shown(&c->resolver.outgoing.at[1]), "2001:db8::9@0");
    assert_int_equal(c->resolver.workers, 3);
    assert_int_equal(c->resolver.allow.count, 0);
    assert_int_equal(c->resolver.dnssec.trust_anchors.count, 3);
    assert_string_equal(c->resolver.dnssec.trust_anchors.at[0], "");
    assert_string_equal(c->resolver.dnssec.trust_anchors.at[1], "/etc/anchor");
    assert_string_equal(c->resolver.dnssec.trust_anchors.at[2], "/base/sub/anchor");
    assert_string_equal(c->resolver.dnssec.negative_trust_anchors.at[0], "corp.");
    conf_free(c);
}

static void units(void **state) {
    static const struct {
        const char *text;
        uint64_t bytes;
    } sizes[] = {{"1048576", 1 << 20}, {"1024K", 1 << 20}, {"1024k", 1 << 20}, {"7M", 7 << 20},
                 {"2G", 2ULL << 30},   {"1T", 1ULL << 40}, {"007M", 7 << 20}};
    static const struct {
        const char *text;
        uint64_t ms;
    } times[] = {{"100ms", 100}, {"1s", 1000}, {"1m", 60000}, {"60s", 60000}, {"0001500ms", 1500}};
    static const struct {
        const char *text;
        double share;
    } shares[] = {{"0%", 0}, {"50%", 0.5}, {"100%", 1}, {"12.5%", 0.125}, {"0.5%", 0.005}};
    char text[200];
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        (void)snprintf(text, sizeof(text), "resolver: {cache: {size: %s}}", sizes[i].text);
        struct conf *c = conf_of(text);
        assert_true(c->resolver.cache.size == sizes[i].bytes);
        conf_free(c);
    }
    for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
        (void)snprintf(text, sizeof(text), "resolver: {recursion: {timeout: %s}}", times[i].text);
        struct conf *c = conf_of(text);
        assert_int_equal(c->resolver.recursion.timeout_ms, times[i].ms);
        conf_free(c);
    }
    for (size_t i = 0; i < ARRAY_SIZE(shares); i++) {
        (void)snprintf(text, sizeof(text), "rbl: {zones: [{name: a, limits: {shrink: %s}}]}", shares[i].text);
        struct conf *c = conf_of(text);
        assert_true(c->rbl.zones[0].limits.shrink == shares[i].share);
        conf_free(c);
    }
    struct conf *c = conf_of("resolver: {cache: {min-ttl: 0, max-ttl: 7d, serve-stale: {max-age: 0}}}\n"
                             "rbl: {zones: [{name: a, limits: {grow: 250%, entries: 20K, space: 75%, tlds: 3, values: "
                             "any}, journal: 0, ttl: 2147483646s, "
                             "min-ttl: 1m, max-ttl: 2147483647s}, {name: ., data: [{type: acl, files: [a]}]}]}");
    assert_int_equal(c->resolver.cache.max_ttl_s, 7 * 86400);
    assert_int_equal(c->resolver.cache.stale_max_age_s, 0);
    assert_true(c->rbl.zones[0].limits.grow == 2.5);
    assert_int_equal(c->rbl.zones[0].limits.entries, 20000);
    assert_true(c->rbl.zones[0].limits.space == 0.75 && !c->rbl.zones[0].limits.loopback);
    assert_int_equal(c->rbl.zones[0].limits.tlds, 3);
    assert_int_equal(c->rbl.zones[0].journal, 0);
    assert_int_equal(c->rbl.zones[0].ttl_s, 2147483646);
    assert_int_equal(c->rbl.zones[0].min_ttl_s, 60);
    assert_int_equal(c->rbl.zones[0].max_ttl_s, 2147483647);
    assert_string_equal(c->rbl.zones[1].name, ".");
    assert_int_equal(c->rbl.zones[1].data[0].type, DATASET_ACL);
    assert_int_equal(c->rbl.zones[1].min_ttl_s + c->rbl.zones[1].max_ttl_s, 0);
    conf_free(c);
}

static void zones(void **state) {
    struct conf *c =
        conf_of("rbl:\n"
                "  keys: [{ name: Sync, secret: Zm9v }, { name: k2., algorithm: hmac-sha512, secret-file: k }]\n"
                "  zones:\n"
                "    - name: BL.Example\n"
                "      data:\n"
                "        - { type: ip4trie, files: [a.txt, /b.txt] }\n"
                "        - { type: dnset, files: [c] }\n"
                "      pair: [{ address: 192.0.2.10@5301, key: sync }]\n"
                "      role: active\n"
                "      heartbeat: 1m\n"
                "      update: [{ key: k2 }]\n"
                "      transfer: [{ key: sync. }, { address: 127.0.0.0/8 }, { address: \"::1\", key: k2. }]\n"
                "      ns: [NS.bl.example]\n"
                "      soa: { refresh: 10m }\n"
                "      test: rfc5782-ip4\n"
                "      on-expire: serve-stale\n"
                "    - name: other.example.\n"
                "      primaries: [{ address: 192.0.2.10@5301, key: sync },\n"
                "                  { address: 192.0.2.11, tls-name: NS.example, ca: ca.pem }]\n"
                "      allow: [10.0.0.0/8]\n"
                "      test: none\n");
    const struct conf_zone *z = &c->rbl.zones[0], *y = &c->rbl.zones[1];
    (void)state;
    assert_int_equal(c->rbl.key_count, 2);
    assert_string_equal(c->rbl.keys[0].name, "sync.");
    assert_string_equal(c->rbl.keys[0].algorithm, "hmac-sha256");
    assert_string_equal(c->rbl.keys[0].secret, "Zm9v");
    assert_string_equal(c->rbl.keys[1].algorithm, "hmac-sha512");
    assert_string_equal(c->rbl.keys[1].secret_file, "/base/k");
    assert_int_equal(c->rbl.zone_count, 2);
    assert_string_equal(z->name, "bl.example.");
    assert_int_equal(z->data_count, 2);
    assert_int_equal(z->data[0].type, DATASET_IP4TRIE);
    assert_string_equal(z->data[0].files.at[0], "/base/a.txt");
    assert_string_equal(z->data[0].files.at[1], "/b.txt");
    assert_int_equal(z->data[1].type, DATASET_DNSET);
    assert_int_equal(z->pair.count, 1);
    assert_string_equal(z->pair.at[0].key, "sync.");
    assert_true(z->active);
    assert_int_equal(z->heartbeat_s, 60);
    assert_int_equal(y->primaries.count, 2);
    assert_string_equal(shown(&y->primaries.at[0].address), "192.0.2.10@5301");
    assert_string_equal(y->primaries.at[0].key, "sync.");
    assert_string_equal(y->primaries.at[0].tls_name, "");
    assert_string_equal(shown(&y->primaries.at[1].address), "192.0.2.11@53");
    assert_string_equal(y->primaries.at[1].key, "");
    assert_string_equal(y->primaries.at[1].tls_name, "ns.example");
    assert_string_equal(y->primaries.at[1].ca, "/base/ca.pem");
    assert_int_equal(y->pair.count + y->active + y->heartbeat_s, 0);
    assert_true(!z->update.at[0].has_address);
    assert_int_equal(z->transfer.count, 3);
    assert_true(z->transfer.at[1].has_address);
    assert_int_equal(z->transfer.at[1].network.bits, 8);
    assert_string_equal(z->transfer.at[1].key, "");
    assert_string_equal(z->transfer.at[2].key, "k2.");
    has(&z->allow, "203.0.113.1", true);
    has(&z->allow, "2001:db8::1", true);
    assert_true(z->soa_set);
    assert_string_equal(z->soa.primary, "ns.bl.example.");
    assert_string_equal(z->soa.contact, "hostmaster.bl.example.");
    assert_int_equal(z->soa.refresh_s, 600);
    assert_int_equal(z->soa.retry_s, 60);
    assert_int_equal(z->test, TEST_RFC5782_IP4);
    assert_int_equal(z->on_expire, EXPIRE_SERVE_STALE);
    assert_false(y->soa_set);
    assert_string_equal(y->soa.primary, "other.example.");
    assert_int_equal(y->soa.expire_s, 86400);
    assert_int_equal(y->ttl_s, 2100);
    assert_int_equal(y->test, TEST_NONE);
    assert_true(y->limits.shrink == 0.5 && y->limits.grow == 1);
    assert_int_equal(y->limits.entries, 100000000);
    assert_true(y->limits.space == 0.5 && y->limits.tlds == 20 && y->limits.loopback);
    assert_int_equal(y->journal, 256 << 20);
    assert_int_equal(y->data_count, 0);
    has(&y->allow, "203.0.113.1", false);
    conf_free(c);
    c = conf_of("rbl: {zones: [{name: a, data: [{type: ip4set, files: [x]}], primaries: [{address: 192.0.2.1}]}]}");
    assert_int_equal(c->rbl.zones[0].primaries.count, 0);
    assert_true(c->later.count > 0);
    assert_int_equal(c->rbl.transfers.out_per_peer, 8);
    assert_int_equal(c->rbl.transfers.life_s, 60);
    conf_free(c);
    c = conf_of("rbl: {zones: [{name: a}]}");
    assert_int_equal(c->rbl.zones[0].test, TEST_UNSET);
    conf_free(c);
    for (int i = 0; i < DATASET_TYPES; i++)
        assert_string_not_equal(conf_dataset_name((enum conf_dataset_type)i), "unknown");
    assert_string_equal(conf_dataset_name(DATASET_TYPES), "unknown");
    assert_string_equal(conf_dataset_name(DATASET_IP6TRIE), "ip6trie");
}

/* Names as long as names may be: nothing put in front of them may make them too long. */
static void long_names(void **state) {
    char text[400] = "rbl: {zones: [{name: ", name[255];
    (void)state;
    memset(name, 'a', sizeof(name) - 1);
    for (size_t i = 63; i < sizeof(name) - 1; i += 64)
        name[i] = '.';
    name[253] = '.';
    name[254] = '\0';
    strcat(strcat(text, name), "}]}");
    struct conf *c = conf_of(text);
    assert_string_equal(c->rbl.zones[0].name, name);
    assert_string_equal(c->rbl.zones[0].soa.contact, name);
    conf_free(c);
}

static void health(void **state) {
    struct conf *c =
        conf_of("rbl: { keys: [{ name: k, secret: Zm9v }] }\n"
                "health:\n"
                "  token: 0123456789\n"
                "  canary: { cached: \"\", nxdomain-under: Net }\n"
                "  service-addresses: [192.0.2.53]\n"
                "  peers: [{ name: scan2, resolver: 192.0.2.20, health: 192.0.2.20@5380, key: k }]\n"
                "  report:\n"
                "    datagram: [{ address: 192.0.2.90@5390, key: k }]\n"
                "    https: [{ address: 192.0.2.90@8443, tls-name: Monitor.Example, ca: ca.pem }]\n"
                "    sql: { address: 192.0.2.91, password-file: p }\n"
                "    snmp: { traps: [192.0.2.92] }\n"
                "    exec: /usr/bin/notify --quiet\n"
                "  monitor: { enabled: on, listen: [{ datagram: 192.0.2.90@5390, https: 192.0.2.90@8443 }],\n"
                "             nodes: [{ name: n, health: 192.0.2.21@5380 }],\n"
                "             dead-man: [{ address: 192.0.2.99@443, tls-name: w.example, interval: 2m }] }\n");
    const struct conf_health *h = &c->health;
    (void)state;
    assert_string_equal(h->canary.cached, "");
    assert_string_equal(h->canary.uncached_under, "example.com.");
    assert_string_equal(h->canary.nxdomain_under, "net.");
    assert_string_equal(shown(&h->service_addresses.at[0]), "192.0.2.53@53");
    assert_string_equal(shown(&h->peers[0].resolver), "192.0.2.20@53");
    assert_string_equal(h->peers[0].key, "k.");
    assert_string_equal(shown(&h->datagram[0].address), "192.0.2.90@5390");
    assert_string_equal(h->https[0].tls_name, "monitor.example");
    assert_string_equal(h->https[0].ca, "/base/ca.pem");
    assert_string_equal(h->https[0].path, "/report");
    assert_true(h->sql.enabled);
    assert_string_equal(shown(&h->sql.address), "192.0.2.91@5432");
    assert_string_equal(h->sql.password_file, "/base/p");
    assert_string_equal(h->snmp.agentx, "/var/agentx/master");
    assert_string_equal(shown(&h->snmp.traps.at[0]), "192.0.2.92@162");
    assert_string_equal(h->exec, "/usr/bin/notify --quiet");
    assert_true(h->monitor.enabled && h->monitor.listen[0].has_datagram && h->monitor.listen[0].has_https);
    assert_int_equal(addr_family(&h->monitor.nodes[0].resolver), 0);
    assert_int_equal(h->monitor.dead_man[0].interval_s, 120);
    assert_string_equal(h->monitor.dead_man[0].path, "/");
    conf_free(c);
}

static void later(void **state) {
    struct conf *c = conf_of("resolver:\n"
                             "  local-zones: false\n" /* off: nothing to say */
                             "  stub: []\n"
                             "  cache: { size: 1M, prefetch: true }\n"
                             "  dnssec: { validate: true }\n"
                             "  forward: [{ zone: ., to: [192.0.2.1], tls-name: a, fallback: false }]\n"
                             "rbl:\n"
                             "  zones:\n"
                             "    - name: a\n"
                             "    - name: b\n"
                             "      data: [{ type: ip4set, files: [x] }, { type: generic, files: [x] }]\n"
                             "      update: [{ key: nobody }]\n"
                             "      soa: { minimum: 1m }\n");
    (void)state;
    assert_true(conf_has_later(c, "resolver.dnssec.validate: accepted; this version does not use it yet"));
    assert_true(
        conf_has_later(c, "rbl.zones[1].update[0].key: names no entry of rbl.keys; nothing that needs this key will "
                          "be done"));
    assert_int_equal(c->later.count, 2);
    conf_free(c);
}

/* More lines than the list has room for at first. */
static void much_later(void **state) {
    static char text[200000];
    size_t n = (size_t)snprintf(text, sizeof(text), "rbl:\n  zones:\n");
    (void)state;
    for (int i = 0; i < LIMIT_ZONES; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "    - { name: z%d, update: [{ key: nobody }] }\n", i);
    struct conf *c = conf_of(text);
    assert_int_equal(c->rbl.zone_count, LIMIT_ZONES);
    assert_int_equal(c->later.count, LIMIT_ZONES);
    assert_true(
        conf_has_later(c, "rbl.zones[1023].update[0].key: names no entry of rbl.keys; nothing that needs this key will "
                          "be done"));
    conf_free(c);
}

static void upstreams(void **state) {
    struct conf *c = conf_of("resolver:\n  forward:\n"
                             "    - { zone: ., to: [192.0.2.1, 192.0.2.2@5353] }\n"
                             "    - { zone: a, to: [192.0.2.2, 192.0.2.1@53, \"2001:db8::1\"] }\n");
    struct addr to[LIMIT_UPSTREAMS];
    (void)state;
    assert_int_equal(conf_upstreams(c, to, LIMIT_UPSTREAMS), 4);
    assert_string_equal(shown(&to[0]), "192.0.2.1@53");
    assert_string_equal(shown(&to[1]), "192.0.2.2@5353");
    assert_string_equal(shown(&to[2]), "192.0.2.2@53");
    assert_string_equal(shown(&to[3]), "2001:db8::1@53");
    memset(to, 0, sizeof(to));
    assert_true(conf_upstreams(c, to, 2) >= 2); /* more than fit */
    assert_int_equal(addr_family(&to[2]), 0);
    conf_free(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults), cmocka_unit_test(shorthand),  cmocka_unit_test(units),
        cmocka_unit_test(zones),    cmocka_unit_test(long_names), cmocka_unit_test(health),
        cmocka_unit_test(later),    cmocka_unit_test(much_later), cmocka_unit_test(upstreams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
