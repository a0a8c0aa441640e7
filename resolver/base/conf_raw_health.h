/* Text form of section `health` (conf_raw.h). */
#ifndef CANDOR_BASE_CONF_RAW_HEALTH_H
#define CANDOR_BASE_CONF_RAW_HEALTH_H

#include "resolver/base/conf_raw.h"

struct conf_raw_interval {
    char *local, *upstream, *zones, *peers, *push;
};

struct conf_raw_canary {
    char *cached, *uncached_under, *nxdomain_under, *signed_name, *bogus;
};

struct conf_raw_peer {
    char *name, *resolver, *health, *key;
    struct conf_raw_list service;
};

/* Of report.datagram, report.https and monitor.dead-man; each takes some of the keys. */
struct conf_raw_sink {
    char *address, *key, *tls_name, *ca, *path, *interval;
};

struct conf_raw_sql {
    char *address, *tls_name, *ca, *database, *user, *password_file, *keep;
};

struct conf_raw_snmp {
    char *agentx, *base_oid, *community;
    struct conf_raw_list traps;
};

struct conf_raw_syslog {
    char *socket, *address, *facility;
};

struct conf_raw_smtp {
    char *address, *tls_name, *ca, *from, *user, *password_file;
    struct conf_raw_list to;
};

struct conf_raw_alert {
    struct conf_raw_sink *alertmanager, *webhook;
    struct conf_raw_smtp *smtp;
    unsigned alertmanager_count, webhook_count, smtp_count;
    char *exec, *wait, *again;
};

struct conf_raw_store {
    char *path, *keep;
};

struct conf_raw_report {
    struct conf_raw_sink *datagram, *https;
    unsigned datagram_count, https_count;
    struct conf_raw_sql *sql;
    struct conf_raw_snmp *snmp;
    struct conf_raw_syslog *syslog;
    char *exec;
};

struct conf_raw_monitor_listen {
    char *datagram, *https;
};

struct conf_raw_monitor {
    char *enabled;
    struct conf_raw_monitor_listen *listen;
    struct conf_raw_peer *nodes;
    struct conf_raw_sink *dead_man;
    struct conf_raw_tls *tls;
    struct conf_raw_store *store;
    struct conf_raw_alert *alert;
    unsigned listen_count, node_count, dead_man_count;
};

struct conf_raw_heal {
    char *restart_hung, *end_readers, *max_restarts, *within;
};

struct conf_raw_drain {
    char *route_file, *command, *format, *hold_down, *min_ready, *confirm;
    struct conf_raw_list routes;
};

struct conf_raw_health {
    struct conf_raw_list listen, allow, service_addresses, agent_check;
    char *token, *fall, *rise;
    struct conf_raw_interval *interval;
    struct conf_raw_canary *canary;
    struct conf_raw_peer *peers;
    unsigned peer_count;
    struct conf_raw_report *report;
    struct conf_raw_monitor *monitor;
    struct conf_raw_heal *heal;
    struct conf_raw_drain *drain;
};

#endif
