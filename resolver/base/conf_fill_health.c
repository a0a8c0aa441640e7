/* Section `health`, but for its reports (conf_fill_report.c). */
#include <string.h>

#include "resolver/base/conf_fill.h"
#include "resolver/base/conf_raw_health.h"

enum { DNS_PORT = 53, TICK_LEAST_MS = 10, TICK_MOST_MS = 86400000, TOKEN_LEAST = 8 };

/* A name of a peer stands in metrics and paths like the node's own. */
static bool peer_name_fits(const char *name) {
    for (const char *c = name; *c != '\0'; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || *c == '-' ||
              *c == '_' || *c == '.'))
            return false;
    return *name != '\0' && strlen(name) <= 63;
}

static void peer(struct conf_reader *r, const struct conf_raw_peer *in, struct conf_peer *out) {
    out->name = conf_take_text(r, "name", in->name, "");
    if (!peer_name_fits(out->name))
        conf_fail(r, E_INVALID, "name", "the peer's node name, 1 to 63 letters, digits, - _ and .");
    conf_take_addr(r, "resolver", in->resolver, DNS_PORT, &out->resolver);
    conf_take_addr(r, "health", in->health, 0, &out->health);
    if (!conf_given(r, "resolver") && !conf_given(r, "health"))
        conf_fail(r, E_INVALID, NULL, "resolver: ADDRESS@PORT, health: ADDRESS@PORT or both");
    out->service = conf_take_addrs(r, "service-addresses", in->service, DNS_PORT, NULL);
    out->key = conf_take_key_name(r, "key", in->key);
}

void conf_fill_peers(struct conf_reader *r, const char *key, const struct conf_raw_peer *in, size_t count,
                     struct conf_peer **out) {
    struct conf_peer *list = conf_array(r, count, sizeof(*list));
    conf_enter(r, key);
    for (size_t i = 0; i < count && r->rc == E_OK; i++) {
        conf_enter_at(r, i);
        peer(r, &in[i], &list[i]);
        for (size_t j = 0; j < i && r->rc == E_OK; j++)
            if (strcmp(list[i].name, list[j].name) == 0)
                conf_fail(r, E_INVALID, "name", "each name once (%s[%zu] has this one)", key, j);
        conf_leave(r);
    }
    conf_leave(r);
    *out = list;
}

static uint32_t tick(struct conf_reader *r, const char *key, const char *raw, uint32_t fallback_ms) {
    return conf_take_ms(r, key, raw, fallback_ms, TICK_LEAST_MS, TICK_MOST_MS);
}

static void interval(struct conf_reader *r, const struct conf_raw_interval *in, struct conf_health *out) {
    conf_enter(r, "interval");
    out->interval.local_ms = tick(r, "local", in->local, 5000);
    out->interval.upstream_ms = tick(r, "upstream", in->upstream, 15000);
    out->interval.zones_ms = tick(r, "zones", in->zones, 30000);
    out->interval.peers_ms = tick(r, "peers", in->peers, 5000);
    out->interval.push_ms = tick(r, "push", in->push, 15000);
    conf_leave(r);
}

/* "" switches a canary off, so it is told from a key that is not there. */
static const char *canary_name(struct conf_reader *r, const char *key, const char *raw, const char *fallback) {
    return conf_take_name(r, key, raw, conf_given(r, key) ? "" : fallback);
}

static void canary(struct conf_reader *r, const struct conf_raw_canary *in, struct conf_health *out) {
    conf_enter(r, "canary");
    out->canary.cached = canary_name(r, "cached", in->cached, "example.com.");
    out->canary.uncached_under = canary_name(r, "uncached-under", in->uncached_under, "example.com.");
    out->canary.nxdomain_under = canary_name(r, "nxdomain-under", in->nxdomain_under, "com.");
    out->canary.signed_name = canary_name(r, "signed", in->signed_name, "");
    out->canary.bogus = canary_name(r, "bogus", in->bogus, "");
    conf_leave(r);
}

static void drain(struct conf_reader *r, const struct conf_raw_drain *in, struct conf_health *out) {
    static const struct conf_word formats[] = {{"bird", DRAIN_BIRD}, {"exabgp", DRAIN_EXABGP}, {NULL, 0}};
    conf_enter(r, "drain");
    out->drain.route_file = conf_take_path(r, "route-file", in->route_file, "");
    out->drain.command = conf_take_path(r, "command", in->command, "");
    out->drain.format = (enum conf_drain_format)conf_take_word(r, "format", in->format, DRAIN_BIRD, formats);
    out->drain.routes = conf_take_prefixes(r, "routes", in->routes, NULL);
    out->drain.hold_down_s = conf_take_s(r, "hold-down", in->hold_down, 30, 0, 86400);
    out->drain.min_ready = conf_take_number(r, "min-ready", in->min_ready, 1, 0, LIMIT_PEERS);
    out->drain.confirm = conf_take_bool(r, "confirm", in->confirm, true);
    if (out->drain.route_file[0] != '\0' && out->drain.routes.count == 0)
        conf_fail(r, E_INVALID, "routes", "the prefixes that route-file announces");
    conf_leave(r);
}

static void heal(struct conf_reader *r, const struct conf_raw_heal *in, struct conf_health *out) {
    conf_enter(r, "heal");
    out->heal.restart_hung = conf_take_bool(r, "restart-hung", in->restart_hung, true);
    out->heal.end_readers = conf_take_bool(r, "end-readers", in->end_readers, true);
    out->heal.max_restarts = conf_take_number(r, "max-restarts", in->max_restarts, 3, 0, 1000);
    out->heal.within_s = conf_take_s(r, "within", in->within, 600, 1, 86400);
    conf_leave(r);
}

static bool token_fits(const char *token) {
    for (const char *c = token; *c != '\0'; c++)
        if (*c <= ' ' || *c >= 0x7f)
            return false;
    return *token == '\0' || strlen(token) >= TOKEN_LEAST;
}

void conf_fill_health(struct conf_reader *r, const struct conf_raw_health *in, struct conf_health *out) {
    static const char *const listen[] = {"127.0.0.1@5380", NULL};
    static const char *const loopback[] = {"127.0.0.0/8", "::1", NULL};
    conf_enter(r, "health");
    out->listen = conf_take_addrs(r, "listen", in->listen, 0, listen);
    if (out->listen.count == 0)
        conf_fail(r, E_INVALID, "listen", "at least one ADDRESS@PORT");
    out->allow = conf_take_prefixes(r, "allow", in->allow, loopback);
    out->token = conf_take_text(r, "token", in->token, "");
    if (!token_fits(out->token))
        conf_fail(r, E_INVALID, "token", "%d or more printable characters without blanks, or \"\"", TOKEN_LEAST);
    interval(r, CONF_RAW_OR_EMPTY(in->interval), out);
    out->fall = conf_take_number(r, "fall", in->fall, 2, 1, 100);
    out->rise = conf_take_number(r, "rise", in->rise, 2, 1, 100);
    canary(r, CONF_RAW_OR_EMPTY(in->canary), out);
    out->service_addresses = conf_take_addrs(r, "service-addresses", in->service_addresses, DNS_PORT, NULL);
    conf_fill_peers(r, "peers", in->peers, in->peer_count, &out->peers);
    out->peer_count = in->peer_count;
    conf_fill_report(r, in, out);
    conf_fill_monitor(r, CONF_RAW_OR_EMPTY(in->monitor), out);
    heal(r, CONF_RAW_OR_EMPTY(in->heal), out);
    out->agent_check = conf_take_addrs(r, "agent-check", in->agent_check, 0, NULL);
    drain(r, CONF_RAW_OR_EMPTY(in->drain), out);
    conf_leave(r);
}
