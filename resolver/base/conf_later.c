/* Which keys do something in this version; all others are accepted, checked, and said so (conf.later). */
#include <stdio.h>
#include <string.h>

#include "resolver/base/bytes.h"
#include "resolver/base/conf_fill.h"

/* A section or list that works whole, or a key in one that works in part; [] stands for every entry. Grows with every
 * feature; the list of docs/configuration.md says the same. */
static const char *const works[] = {
    "node",
    "log",
    "resolver.listen",
    "resolver.tls",
    "resolver.outgoing",
    "resolver.workers",
    "resolver.allow",
    "resolver.refuse-any",
    "resolver.rate-limit",
    "resolver.fairness",
    "resolver.dnstap",
    "resolver.udp-size",
    "resolver.tcp-idle",
    "resolver.cookies",
    "resolver.minimal-responses",
    "resolver.local-zones",
    "resolver.local-data",
    "resolver.overrides",
    "resolver.cache.size",
    "resolver.cache.min-ttl",
    "resolver.cache.max-ttl",
    "resolver.cache.max-negative-ttl",
    "resolver.cache.serve-stale",
    "resolver.cache.prefetch",
    "resolver.cache.persist",
    "resolver.cache.clock",
    "resolver.recursion.enabled",
    "resolver.recursion.ipv4",
    "resolver.recursion.ipv6",
    "resolver.recursion.root-hints",
    "resolver.recursion.prime",
    "resolver.recursion.qname-minimisation",
    "resolver.recursion.case-randomisation",
    "resolver.recursion.harden-glue",
    "resolver.recursion.query-localhost",
    "resolver.recursion.do-not-query",
    "resolver.recursion.private-addresses",
    "resolver.recursion.private-domains",
    "resolver.recursion.edns-size",
    "resolver.recursion.fetch-ns-addresses",
    "resolver.recursion.max-queries",
    "resolver.recursion.timeout",
    "resolver.forward[].zone",
    "resolver.forward[].to",
    "resolver.forward[].tls-name",
    "resolver.forward[].ca",
    "resolver.forward[].opportunistic",
    "resolver.forward[].tls-port",
    "resolver.forward[].fallback",
    "resolver.stub",
    "resolver.guard",
    "rbl.listen",
    "rbl.keys",
    "rbl.zones[].name",
    "rbl.zones[].data",
    "rbl.tls",
    "rbl.transfers",
    "rbl.zones[].primaries",
    "rbl.zones[].update",
    "rbl.zones[].transfer",
    "rbl.zones[].notify",
    "rbl.zones[].pair",
    "rbl.zones[].role",
    "rbl.zones[].allow",
    "rbl.zones[].soa",
    "rbl.zones[].ns",
    "rbl.zones[].ttl",
    "rbl.zones[].host-bits",
    "rbl.zones[].min-ttl",
    "rbl.zones[].max-ttl",
    "rbl.zones[].test",
    "rbl.zones[].limits",
    "rbl.zones[].on-expire",
    "rbl.zones[].journal",
    "rbl.zones[].heartbeat",
    "rbl.catalogs",
    "health.listen",
    "health.allow",
    "health.token",
    "health.interval.local",
    "health.interval.upstream",
    "health.interval.zones",
    "health.fall",
    "health.rise",
    "health.canary",
    "health.service-addresses",
    "health.peers[].name", /* and resolver: asked for the zones that are replicated */
    "health.peers[].resolver",
    "health.peers[].service-addresses",
    "health.peers[].health",
    "health.peers[].key",
    "health.interval.peers",
    "health.report.datagram",
    "health.report.https",
    "health.report.sql",
    "health.report.exec",
    "health.report.syslog",
    "health.report.snmp",
    "health.monitor.enabled",
    "health.monitor.nodes",
    "health.monitor.alert",
    "health.monitor.dead-man",
    "health.monitor.listen",
    "health.monitor.tls",
    "health.monitor.store",
    "health.interval.push",
    "health.heal",
    "health.agent-check",
    "health.drain",
};

enum verdict { WORKS, IN_PART, NOT_YET };

/* `pattern` is the path of a node with [] for every index. */
static enum verdict judge(const char *pattern) {
    size_t n = strlen(pattern);
    for (size_t i = 0; i < ARRAY_SIZE(works); i++) {
        if (strcmp(works[i], pattern) == 0)
            return WORKS;
        if (strncmp(works[i], pattern, n) == 0 && (works[i][n] == '.' || works[i][n] == '['))
            return IN_PART;
    }
    return NOT_YET;
}

/* Said so and done so: a feature that is switched off need not be there. */
static bool is_off(const struct conf_tree *node) {
    static const char *const off[] = {"", "false", "no", "off", "none", "0", "0s"};
    if (node->null)
        return true;
    if (node->kind != CONF_TEXT)
        return node->count == 0;
    for (size_t i = 0; i < ARRAY_SIZE(off); i++)
        if (strcmp(node->text, off[i]) == 0)
            return true;
    return false;
}

static void walk(struct conf_reader *r, const struct conf_tree *node, const char *pattern);

static void walk_child(struct conf_reader *r, const struct conf_tree *child, const char *pattern, size_t index) {
    char deeper[CONF_PATH_MAX];
    (void)snprintf(deeper, sizeof(deeper), "%s%s%s", pattern,
                   child->key == NULL   ? "[]"
                   : pattern[0] != '\0' ? "."
                                        : "",
                   child->key != NULL ? child->key : "");
    if (child->key != NULL)
        conf_enter(r, child->key);
    else
        conf_enter_at(r, index);
    walk(r, child, deeper);
    conf_leave(r);
}

/* The node is the one that was entered. A list of which nothing works is one line. */
static void walk(struct conf_reader *r, const struct conf_tree *node, const char *pattern) {
    enum verdict v = pattern[0] == '\0' ? IN_PART : judge(pattern);
    size_t i = 0;
    if (v == WORKS || is_off(node) || r->rc != E_OK)
        return;
    if (node->kind == CONF_TEXT || (node->kind == CONF_SEQUENCE && v == NOT_YET)) {
        conf_later(r, NULL, "accepted; this version does not use it yet");
        return;
    }
    for (const struct conf_tree *c = node->first; c != NULL; c = c->next)
        walk_child(r, c, pattern, i++);
}

void conf_list_later(struct conf_reader *r, const struct conf_tree *root) {
    if (root != NULL)
        walk(r, root, "");
}
