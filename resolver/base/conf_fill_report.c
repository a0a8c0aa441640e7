/* health.report: where the node's state goes; and what a sink is, for health.monitor, too. */
#include <stdio.h>
#include <string.h>

#include "resolver/base/bytes.h"

#include "resolver/base/conf_fill.h"
#include "resolver/base/conf_raw_health.h"

enum { SNMP_TRAP_PORT = 162, POSTGRES_PORT = 5432, SYSLOG_PORT = 514, OID_ARCS = 128 };
enum { SQL_KEEP_S = 30 * 86400, SQL_KEEP_LEAST_S = 3600, SQL_KEEP_MOST_S = 3660 * 86400 };

/* The path of a URL: visible characters only, nothing that would start a query of its own. */
static bool url_path_fits(const char *path) {
    for (const char *c = path; *c != '\0'; c++)
        if (*c <= ' ' || *c >= 0x7f || *c == '#')
            return false;
    return *path == '/';
}

static void sink(struct conf_reader *r, const struct conf_raw_sink *in, enum conf_sink_kind kind,
                 struct conf_sink *out) {
    static const char *const paths[] = {[CONF_SINK_DATAGRAM] = "/",
                                        [CONF_SINK_HTTPS] = "/report",
                                        [CONF_SINK_DEAD_MAN] = "/",
                                        [CONF_SINK_ALERTMANAGER] = "/api/v2/alerts",
                                        [CONF_SINK_WEBHOOK] = "/"};
    conf_take_addr(r, "address", in->address, 0, &out->address);
    if (!conf_given(r, "address"))
        conf_fail(r, E_INVALID, "address", "ADDRESS@PORT");
    out->key = conf_take_key_name(r, "key", in->key);
    out->tls_name = conf_take_tls_name(r, "tls-name", in->tls_name);
    out->ca = conf_take_path(r, "ca", in->ca, "");
    out->path = conf_take_text(r, "path", in->path, paths[kind]);
    if (!url_path_fits(out->path))
        conf_fail(r, E_INVALID, "path", "the path of a URL, starting with /");
    if ((kind == CONF_SINK_HTTPS || kind == CONF_SINK_DEAD_MAN) && out->tls_name[0] == '\0')
        conf_fail(r, E_INVALID, "tls-name", "the name that the server's certificate must say");
    out->interval_s = conf_take_s(r, "interval", in->interval, 60, 1, 86400);
}

struct conf_sink *conf_fill_sinks(struct conf_reader *r, const char *key, const struct conf_raw_sink *in, size_t count,
                                  enum conf_sink_kind kind) {
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
    out->keep_s = conf_take_s(r, "keep", in->keep, SQL_KEEP_S, SQL_KEEP_LEAST_S, SQL_KEEP_MOST_S);
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
    out->community = conf_take_text(r, "community", in->community, "public");
    out->traps = conf_take_addrs(r, "traps", in->traps, SNMP_TRAP_PORT, NULL);
    conf_leave(r);
}

/* The local daemon's socket, unless an address is given: then RFC 5426 to that. */
static void syslog_to(struct conf_reader *r, const struct conf_raw_syslog *in, struct conf_syslog *out) {
    static const char *const facilities[] = {"kern",   "user",   "mail",   "daemon", "auth",     "syslog",
                                             "lpr",    "news",   "uucp",   "cron",   "authpriv", "ftp",
                                             "ntp",    "audit",  "alert",  "clock",  "local0",   "local1",
                                             "local2", "local3", "local4", "local5", "local6",   "local7"};
    out->enabled = conf_given(r, "syslog");
    conf_enter(r, "syslog");
    out->has_address = conf_given(r, "address");
    conf_take_addr(r, "address", in->address, SYSLOG_PORT, &out->address);
    out->socket = conf_take_path(r, "socket", in->socket, "/dev/log");
    if (out->has_address && conf_given(r, "socket"))
        conf_fail(r, E_INVALID, "socket", "a socket or an address, not both");
    const char *name = conf_take_text(r, "facility", in->facility, "daemon");
    for (out->facility = 0; out->facility < ARRAY_SIZE(facilities); out->facility++)
        if (strcmp(facilities[out->facility], name) == 0)
            break;
    if (out->facility == ARRAY_SIZE(facilities))
        conf_fail(r, E_INVALID, "facility", "a facility of RFC 5424 such as daemon or local3");
    conf_leave(r);
}

void conf_fill_report(struct conf_reader *r, const struct conf_raw_health *in, struct conf_health *out) {
    const struct conf_raw_report *report = CONF_RAW_OR_EMPTY(in->report);
    conf_enter(r, "report");
    out->datagram = conf_fill_sinks(r, "datagram", report->datagram, report->datagram_count, CONF_SINK_DATAGRAM);
    out->datagram_count = report->datagram_count;
    out->https = conf_fill_sinks(r, "https", report->https, report->https_count, CONF_SINK_HTTPS);
    out->https_count = report->https_count;
    sql(r, CONF_RAW_OR_EMPTY(report->sql), &out->sql);
    snmp(r, CONF_RAW_OR_EMPTY(report->snmp), &out->snmp);
    out->exec = conf_take_path(r, "exec", report->exec, "");
    syslog_to(r, CONF_RAW_OR_EMPTY(report->syslog), &out->syslog);
    conf_leave(r);
}
