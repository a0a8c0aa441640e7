/* Section `health` of the configuration (conf.h). An address that was not given has family 0, a text is "". */
#ifndef CANDOR_BASE_CONF_HEALTH_H
#define CANDOR_BASE_CONF_HEALTH_H

#include "resolver/base/conf_parts.h"

struct conf_peer {
    const char *name;
    struct addr resolver, health;
    struct conf_list_addr service; /* further addresses of its DNS port, as it names them in health.service-addresses */
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
    uint32_t keep_s; /* rows */
};
struct conf_snmp {
    const char *agentx, *base_oid, *community;
    struct conf_list_addr traps;
};
struct conf_monitor_listen {
    bool has_datagram, has_https;
    struct addr datagram, https;
};

struct conf_syslog {
    bool enabled, has_address;
    struct addr address; /* RFC 5426, or... */
    const char *socket;  /* ...the local daemon's */
    unsigned facility;   /* RFC 5424 section 6.2.1 */
};
struct conf_smtp {
    struct addr address; /* of the relay */
    const char *tls_name, *ca, *from, *user, *password_file;
    struct conf_list_text to;
};
/* Who is told what a monitor sees. Without tls-name a webhook and Alertmanager are plain HTTP. */
struct conf_alert {
    struct conf_sink *alertmanager, *webhook;
    struct conf_smtp *smtp;
    size_t alertmanager_count, webhook_count, smtp_count;
    const char *exec;
    uint32_t wait_ms, again_s; /* what comes within `wait` is one alert; it is told again after `again` */
};
struct conf_store {
    const char *path; /* of the monitor's own store; "": below node.state */
    uint32_t keep_s;
};

enum conf_drain_format { DRAIN_BIRD, DRAIN_EXABGP };

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
        const char *signed_name, *bogus; /* "" unless given: one that validates, one that must not (RFC 4033) */
    } canary;                            /* "": switched off */
    struct conf_list_addr service_addresses;
    struct conf_peer *peers;
    size_t peer_count;
    struct conf_sink *datagram;
    size_t datagram_count;
    struct conf_sink *https;
    size_t https_count;
    struct conf_sql sql;
    struct conf_snmp snmp;
    struct conf_syslog syslog;
    const char *exec;
    struct {
        bool enabled;
        struct conf_monitor_listen *listen;
        size_t listen_count;
        struct conf_peer *nodes;
        size_t node_count;
        struct conf_sink *dead_man;
        size_t dead_man_count;
        struct conf_tls tls; /* of listen[].https */
        struct conf_store store;
        struct conf_alert alert;
    } monitor;
    struct {
        bool restart_hung, end_readers;
        uint32_t max_restarts, within_s;
    } heal;
    struct conf_list_addr agent_check; /* HAProxy's agent-check: one line of text to whoever connects */
    struct {
        const char *route_file, *command; /* absolute paths; "": none */
        enum conf_drain_format format;
        struct conf_list_prefix routes; /* announced while this node serves */
        uint32_t hold_down_s;           /* how long it must be well again before it serves again */
        uint32_t min_ready;             /* other nodes that must be ready before this one may leave */
        bool confirm;                   /* a peer must see the fault too */
    } drain;
};

#endif
