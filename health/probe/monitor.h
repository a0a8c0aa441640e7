/* Between the files of the monitor in this room: one node's tasks and checks. */
#ifndef CANDOR_PROBE_MONITOR_H
#define CANDOR_PROBE_MONITOR_H

#include "health/monitor/fleet.h"
#include "health/monitor/https_in.h"
#include "health/monitor/receiver.h"
#include "health/peers/http.h"
#include "health/peers/mac.h"
#include "health/peers/view.h"
#include "health/probe/impl.h"

enum node_check { CHECK_REPORT, CHECK_ANSWERS, CHECK_HEALTH, CHECK_AGREE, CHECK_GAPS, NODE_CHECKS };
#define NO_CHECK SIZE_MAX

struct monitor_node {
    struct prober *p;
    size_t at; /* of health.monitor.nodes */
    struct task ask, pull;
    struct ask_plan plan;
    struct http *fetch; /* NULL: none is under way */
    char nonce[VIEW_NONCE];
    int64_t lateness_ms;
    unsigned mute, hidden; /* bad results in a row, of its DNS port and of its health port */
    size_t check[NODE_CHECKS];
};

struct monitor_probe {
    struct task task, news; /* judges; fetches what was kept */
    struct prober *p;
    struct fleet *fleet;
    struct receiver *receiver;
    struct https_in *https;
    struct taker *taker;
    struct peers_keys *keys; /* of health.monitor.nodes */
    size_t quorum_check, store_check, certificate_check, zones_check;
    bool cut_off, hears; /* hears: reports can come in at all */
    int64_t compared_ms;
    struct monitor_node *node; /* as fleet->count */
};

int monitor_add(struct prober *p, const char *component, const char *measurement, const char *id, uint32_t interval_ms,
                size_t *check) MUST_USE;
/* A result; nothing when it is unknown, or there is no such check. */
void monitor_tell(struct prober *p, size_t check, enum verdict_state s, const char *asked, const char *came);
int monitor_node_open(struct monitor_probe *m, size_t at) MUST_USE;
void monitor_node_close(struct monitor_node *n);
void monitor_node_judge(struct monitor_probe *m, size_t at, int64_t now);
/* Nobody is accused while this monitor is cut off. */
void monitor_node_withhold(struct monitor_probe *m, size_t at);

#endif
