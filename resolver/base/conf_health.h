/* Section `health` of the configuration (conf.h). An address that was not given has family 0, a text is "". */
#ifndef CANDOR_BASE_CONF_HEALTH_H
#define CANDOR_BASE_CONF_HEALTH_H

#include "resolver/base/conf_parts.h"

struct conf_peer {
    const char *name;
    struct addr resolver, health;
    const char *key;
};
struct conf_sink {
    struct addr address;
    const char *key, *tls_name, *ca, *path;
    uint32_t interval_s;
};
struct conf_sql {
    bool enabled;
    struct addr address;
    const char *tls_name, *ca, *database, *user, *password_file;
};
struct conf_snmp {
    const char *agentx, *base_oid;
    struct conf_list_addr traps;
};
struct conf_monitor_listen {
    bool has_datagram, has_https;
    struct addr datagram, https;
};

struct conf_health {
    struct conf_list_addr listen;
    struct conf_list_prefix allow;
    const char *token;
    struct {
        uint32_t local_ms, upstream_ms, zones_ms, peers_ms, push_ms;
    } interval;
    unsigned fall, rise;
    struct {
        const char *cached, *uncached_under, *nxdomain_under;
    } canary; /* "": switched off */
    struct conf_list_addr service_addresses;
    struct conf_peer *peers;
    size_t peer_count;
    struct conf_sink *datagram;
    size_t datagram_count;
    struct conf_sink *https;
    size_t https_count;
    struct conf_sql sql;
    struct conf_snmp snmp;
    const char *exec;
    struct {
        bool enabled;
        struct conf_monitor_listen *listen;
        size_t listen_count;
        struct conf_peer *nodes;
        size_t node_count;
        struct conf_sink *dead_man;
        size_t dead_man_count;
    } monitor;
    struct {
        bool restart_hung;
        uint32_t max_restarts, within_s;
    } heal;
};

#endif
