/* health.report and health.monitor: where the node's state goes, and where others' comes in. */
#include <stdio.h>
#include <string.h>

#include "resolver/base/conf_fill.h"
#include "resolver/base/conf_raw_health.h"

enum { SNMP_TRAP_PORT = 162, POSTGRES_PORT = 5432, OID_ARCS = 128 };

/* What a sink takes besides its address. */
enum sink_kind { SINK_DATAGRAM, SINK_HTTPS, SINK_DEAD_MAN };

/* The path of a URL: visible characters only, nothing that would start a query of its own. */
static bool url_path_fits(const char *path) {
    for (const char *c = path; *c != '\0'; c++)
        if (*c <= ' ' || *c >= 0x7f || *c == '#')
            return false;
    return *path == '/';
}

static void sink(struct conf_reader *r, const struct conf_raw_sink *in, enum sink_kind kind, struct conf_sink *out) {
    conf_take_addr(r, "address", in->address, 0, &out->address);
    if (!conf_given(r, "address"))
        conf_fail(r, E_INVALID, "address", "ADDRESS@PORT");
    out->key = conf_take_key_name(r, "key", in->key);
    out->tls_name = conf_take_tls_name(r, "tls-name", in->tls_name);
    out->ca = conf_take_path(r, "ca", in->ca, "");
    out->path = conf_take_text(r, "path", in->path, kind == SINK_HTTPS ? "/report" : "/");
    if (!url_path_fits(out->path))
        conf_fail(r, E_INVALID, "path", "the path of a URL, starting with /");
    if (kind != SINK_DATAGRAM && out->tls_name[0] == '\0')
        conf_fail(r, E_INVALID, "tls-name", "the name that the server's certificate must say");
    out->interval_s = conf_take_s(r, "interval", in->interval, 60, 1, 86400);
}

static struct conf_sink *sinks(struct conf_reader *r, const char *key, const struct conf_raw_sink *in, size_t count,
                               enum sink_kind kind) {
    struct conf_sink *list = conf_array(r, count, sizeof(*list));
    conf_enter(r, key);
    for (size_t i = 0; i < count && r->rc == E_OK; i++) {
        conf_enter_at(r, i);
        sink(r, &in[i], kind, &list[i]);
        conf_leave(r);
    }
    conf_leave(r);
    return list;
}

static void sql(struct conf_reader *r, const struct conf_raw_sql *in, struct conf_sql *out) {
    out->enabled = conf_given(r, "sql");
    conf_enter(r, "sql");
    conf_take_addr(r, "address", in->address, POSTGRES_PORT, &out->address);
    if (out->enabled && !conf_given(r, "address"))
        conf_fail(r, E_INVALID, "address", "ADDRESS@PORT");
    out->tls_name = conf_take_tls_name(r, "tls-name", in->tls_name);
    out->ca = conf_take_path(r, "ca", in->ca, "");
    out->database = conf_take_text(r, "database", in->database, "candor");
    out->user = conf_take_text(r, "user", in->user, "candor");
    out->password_file = conf_take_path(r, "password-file", in->password_file, "");
    conf_leave(r);
}

/* "1.3.6.1": numbers of 32 bits, separated by dots. */
static bool oid_fits(const char *text) {
    unsigned arcs = 1, digits = 0;
    for (; *text != '\0'; text++) {
        if (*text == '.') {
            if (digits == 0)
                return false;
            arcs++;
            digits = 0;
        } else if (*text < '0' || *text > '9' || ++digits > 9) {
            return false;
        }
    }
    return digits > 0 && arcs >= 2 && arcs <= OID_ARCS;
}

static void snmp(struct conf_reader *r, const struct conf_raw_snmp *in, struct conf_snmp *out) {
    bool given = conf_given(r, "snmp");
    conf_enter(r, "snmp");
    out->agentx = conf_take_path(r, "agentx", in->agentx, given ? "/var/agentx/master" : "");
    out->base_oid = conf_take_text(r, "base-oid", in->base_oid, "1.3.6.1.4.1.8072.9999.9999");
    if (!oid_fits(out->base_oid))
        conf_fail(r, E_INVALID, "base-oid", "numbers and dots such as 1.3.6.1.4.1.8072.9999.9999");
    out->traps = conf_take_addrs(r, "traps", in->traps, SNMP_TRAP_PORT, NULL);
    conf_leave(r);
}

static void monitor_listen(struct conf_reader *r, const struct conf_raw_monitor *in, struct conf_health *out) {
    struct conf_monitor_listen *list = conf_array(r, in->listen_count, sizeof(*list));
    conf_enter(r, "listen");
    for (size_t i = 0; i < in->listen_count && r->rc == E_OK; i++) {
        conf_enter_at(r, i);
        list[i].has_datagram = conf_given(r, "datagram");
        list[i].has_https = conf_given(r, "https");
        conf_take_addr(r, "datagram", in->listen[i].datagram, 0, &list[i].datagram);
        conf_take_addr(r, "https", in->listen[i].https, 0, &list[i].https);
        if (!list[i].has_datagram && !list[i].has_https)
            conf_fail(r, E_INVALID, NULL, "datagram: ADDRESS@PORT, https: ADDRESS@PORT or both");
        conf_leave(r);
    }
    conf_leave(r);
    out->monitor.listen = list;
    out->monitor.listen_count = in->listen_count;
}

static void monitor(struct conf_reader *r, const struct conf_raw_monitor *in, struct conf_health *out) {
    conf_enter(r, "monitor");
    out->monitor.enabled = conf_take_bool(r, "enabled", in->enabled, false);
    monitor_listen(r, in, out);
    conf_fill_peers(r, "nodes", in->nodes, in->node_count, &out->monitor.nodes);
    out->monitor.node_count = in->node_count;
    out->monitor.dead_man = sinks(r, "dead-man", in->dead_man, in->dead_man_count, SINK_DEAD_MAN);
    out->monitor.dead_man_count = in->dead_man_count;
    conf_leave(r);
}

void conf_fill_report(struct conf_reader *r, const struct conf_raw_health *in, struct conf_health *out) {
    const struct conf_raw_report *report = CONF_RAW_OR_EMPTY(in->report);
    conf_enter(r, "report");
    out->datagram = sinks(r, "datagram", report->datagram, report->datagram_count, SINK_DATAGRAM);
    out->datagram_count = report->datagram_count;
    out->https = sinks(r, "https", report->https, report->https_count, SINK_HTTPS);
    out->https_count = report->https_count;
    sql(r, CONF_RAW_OR_EMPTY(report->sql), &out->sql);
    snmp(r, CONF_RAW_OR_EMPTY(report->snmp), &out->snmp);
    out->exec = conf_take_text(r, "exec", report->exec, "");
    conf_leave(r);
    monitor(r, CONF_RAW_OR_EMPTY(in->monitor), out);
}
