#include "resolver/base/conf_raw_health.h"

static const cyaml_schema_field_t interval_fields[] = {
    CONF_RAW_TEXT("local", struct conf_raw_interval, local),
    CONF_RAW_TEXT("upstream", struct conf_raw_interval, upstream),
    CONF_RAW_TEXT("zones", struct conf_raw_interval, zones),
    CONF_RAW_TEXT("peers", struct conf_raw_interval, peers),
    CONF_RAW_TEXT("push", struct conf_raw_interval, push),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t canary_fields[] = {
    CONF_RAW_TEXT("cached", struct conf_raw_canary, cached),
    CONF_RAW_TEXT("uncached-under", struct conf_raw_canary, uncached_under),
    CONF_RAW_TEXT("nxdomain-under", struct conf_raw_canary, nxdomain_under),
    CONF_RAW_TEXT("signed", struct conf_raw_canary, signed_name),
    CONF_RAW_TEXT("bogus", struct conf_raw_canary, bogus),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t peer_fields[] = {
    CONF_RAW_TEXT("name", struct conf_raw_peer, name),
    CONF_RAW_TEXT("resolver", struct conf_raw_peer, resolver),
    CONF_RAW_TEXT("health", struct conf_raw_peer, health),
    CONF_RAW_TEXT("key", struct conf_raw_peer, key),
    CONF_RAW_TEXTS("service-addresses", struct conf_raw_peer, service, LIMIT_LISTEN),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t peer_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct conf_raw_peer, peer_fields)};

static const cyaml_schema_field_t datagram_fields[] = {
    CONF_RAW_TEXT("address", struct conf_raw_sink, address),
    CONF_RAW_TEXT("key", struct conf_raw_sink, key),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t datagram_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct conf_raw_sink, datagram_fields)};

static const cyaml_schema_field_t https_fields[] = {
    CONF_RAW_TEXT("address", struct conf_raw_sink, address),   CONF_RAW_TEXT("key", struct conf_raw_sink, key),
    CONF_RAW_TEXT("tls-name", struct conf_raw_sink, tls_name), CONF_RAW_TEXT("ca", struct conf_raw_sink, ca),
    CONF_RAW_TEXT("path", struct conf_raw_sink, path),         CYAML_FIELD_END,
};
static const cyaml_schema_value_t https_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct conf_raw_sink, https_fields)};

static const cyaml_schema_field_t dead_man_fields[] = {
    CONF_RAW_TEXT("address", struct conf_raw_sink, address),
    CONF_RAW_TEXT("tls-name", struct conf_raw_sink, tls_name),
    CONF_RAW_TEXT("ca", struct conf_raw_sink, ca),
    CONF_RAW_TEXT("path", struct conf_raw_sink, path),
    CONF_RAW_TEXT("interval", struct conf_raw_sink, interval),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t dead_man_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct conf_raw_sink, dead_man_fields)};

static const cyaml_schema_field_t sql_fields[] = {
    CONF_RAW_TEXT("address", struct conf_raw_sql, address),
    CONF_RAW_TEXT("tls-name", struct conf_raw_sql, tls_name),
    CONF_RAW_TEXT("ca", struct conf_raw_sql, ca),
    CONF_RAW_TEXT("database", struct conf_raw_sql, database),
    CONF_RAW_TEXT("user", struct conf_raw_sql, user),
    CONF_RAW_TEXT("password-file", struct conf_raw_sql, password_file),
    CONF_RAW_TEXT("keep", struct conf_raw_sql, keep),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t snmp_fields[] = {
    CONF_RAW_TEXT("agentx", struct conf_raw_snmp, agentx),
    CONF_RAW_TEXT("base-oid", struct conf_raw_snmp, base_oid),
    CONF_RAW_TEXT("community", struct conf_raw_snmp, community),
    CONF_RAW_TEXTS("traps", struct conf_raw_snmp, traps, LIMIT_PEERS),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t syslog_fields[] = {
    CONF_RAW_TEXT("socket", struct conf_raw_syslog, socket),
    CONF_RAW_TEXT("address", struct conf_raw_syslog, address),
    CONF_RAW_TEXT("facility", struct conf_raw_syslog, facility),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t report_fields[] = {
    CONF_RAW_MAPS("datagram", struct conf_raw_report, datagram, datagram_count, &datagram_entry, LIMIT_PEERS),
    CONF_RAW_MAPS("https", struct conf_raw_report, https, https_count, &https_entry, LIMIT_PEERS),
    CONF_RAW_MAP("sql", struct conf_raw_report, sql, sql_fields),
    CONF_RAW_MAP("snmp", struct conf_raw_report, snmp, snmp_fields),
    CONF_RAW_MAP("syslog", struct conf_raw_report, syslog, syslog_fields),
    CONF_RAW_TEXT("exec", struct conf_raw_report, exec),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t monitor_listen_fields[] = {
    CONF_RAW_TEXT("datagram", struct conf_raw_monitor_listen, datagram),
    CONF_RAW_TEXT("https", struct conf_raw_monitor_listen, https),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t monitor_listen_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct conf_raw_monitor_listen, monitor_listen_fields)};

/* Of an alert's receivers: no key, a path. */
static const cyaml_schema_field_t hook_fields[] = {
    CONF_RAW_TEXT("address", struct conf_raw_sink, address),
    CONF_RAW_TEXT("tls-name", struct conf_raw_sink, tls_name),
    CONF_RAW_TEXT("ca", struct conf_raw_sink, ca),
    CONF_RAW_TEXT("path", struct conf_raw_sink, path),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t hook_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct conf_raw_sink, hook_fields)};

static const cyaml_schema_field_t smtp_fields[] = {
    CONF_RAW_TEXT("address", struct conf_raw_smtp, address),
    CONF_RAW_TEXT("tls-name", struct conf_raw_smtp, tls_name),
    CONF_RAW_TEXT("ca", struct conf_raw_smtp, ca),
    CONF_RAW_TEXT("from", struct conf_raw_smtp, from),
    CONF_RAW_TEXTS("to", struct conf_raw_smtp, to, LIMIT_PEERS),
    CONF_RAW_TEXT("user", struct conf_raw_smtp, user),
    CONF_RAW_TEXT("password-file", struct conf_raw_smtp, password_file),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t smtp_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct conf_raw_smtp, smtp_fields)};

static const cyaml_schema_field_t alert_fields[] = {
    CONF_RAW_MAPS("alertmanager", struct conf_raw_alert, alertmanager, alertmanager_count, &hook_entry, LIMIT_PEERS),
    CONF_RAW_MAPS("webhook", struct conf_raw_alert, webhook, webhook_count, &hook_entry, LIMIT_PEERS),
    CONF_RAW_MAPS("smtp", struct conf_raw_alert, smtp, smtp_count, &smtp_entry, LIMIT_PEERS),
    CONF_RAW_TEXT("exec", struct conf_raw_alert, exec),
    CONF_RAW_TEXT("wait", struct conf_raw_alert, wait),
    CONF_RAW_TEXT("again", struct conf_raw_alert, again),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t store_fields[] = {
    CONF_RAW_TEXT("path", struct conf_raw_store, path),
    CONF_RAW_TEXT("keep", struct conf_raw_store, keep),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t monitor_fields[] = {
    CONF_RAW_TEXT("enabled", struct conf_raw_monitor, enabled),
    CONF_RAW_MAPS("listen", struct conf_raw_monitor, listen, listen_count, &monitor_listen_entry, LIMIT_LISTEN),
    CONF_RAW_MAPS("nodes", struct conf_raw_monitor, nodes, node_count, &peer_entry, LIMIT_NODES),
    CONF_RAW_MAPS("dead-man", struct conf_raw_monitor, dead_man, dead_man_count, &dead_man_entry, LIMIT_PEERS),
    CONF_RAW_MAP("tls", struct conf_raw_monitor, tls, conf_schema_tls),
    CONF_RAW_MAP("store", struct conf_raw_monitor, store, store_fields),
    CONF_RAW_MAP("alert", struct conf_raw_monitor, alert, alert_fields),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t heal_fields[] = {
    CONF_RAW_TEXT("restart-hung", struct conf_raw_heal, restart_hung),
    CONF_RAW_TEXT("end-readers", struct conf_raw_heal, end_readers),
    CONF_RAW_TEXT("max-restarts", struct conf_raw_heal, max_restarts),
    CONF_RAW_TEXT("within", struct conf_raw_heal, within),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t drain_fields[] = {
    CONF_RAW_TEXT("route-file", struct conf_raw_drain, route_file),
    CONF_RAW_TEXT("command", struct conf_raw_drain, command),
    CONF_RAW_TEXT("format", struct conf_raw_drain, format),
    CONF_RAW_TEXTS("routes", struct conf_raw_drain, routes, LIMIT_LISTEN),
    CONF_RAW_TEXT("hold-down", struct conf_raw_drain, hold_down),
    CONF_RAW_TEXT("min-ready", struct conf_raw_drain, min_ready),
    CONF_RAW_TEXT("confirm", struct conf_raw_drain, confirm),
    CYAML_FIELD_END,
};

const cyaml_schema_field_t conf_schema_health[] = {
    CONF_RAW_TEXTS("listen", struct conf_raw_health, listen, LIMIT_LISTEN),
    CONF_RAW_TEXTS("allow", struct conf_raw_health, allow, LIMIT_CONF_LIST),
    CONF_RAW_TEXT("token", struct conf_raw_health, token),
    CONF_RAW_MAP("interval", struct conf_raw_health, interval, interval_fields),
    CONF_RAW_TEXT("fall", struct conf_raw_health, fall),
    CONF_RAW_TEXT("rise", struct conf_raw_health, rise),
    CONF_RAW_MAP("canary", struct conf_raw_health, canary, canary_fields),
    CONF_RAW_TEXTS("service-addresses", struct conf_raw_health, service_addresses, LIMIT_LISTEN),
    CONF_RAW_MAPS("peers", struct conf_raw_health, peers, peer_count, &peer_entry, LIMIT_PEERS),
    CONF_RAW_MAP("report", struct conf_raw_health, report, report_fields),
    CONF_RAW_MAP("monitor", struct conf_raw_health, monitor, monitor_fields),
    CONF_RAW_MAP("heal", struct conf_raw_health, heal, heal_fields),
    CONF_RAW_TEXTS("agent-check", struct conf_raw_health, agent_check, LIMIT_LISTEN),
    CONF_RAW_MAP("drain", struct conf_raw_health, drain, drain_fields),
    CYAML_FIELD_END,
};
