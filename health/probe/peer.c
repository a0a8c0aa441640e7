/* The nodes of health.peers: plan of their tasks. */
#include <stdio.h>
#include <stdlib.h>

#include "health/probe/peer.h"
#include "resolver/base/clock.h"
#include "resolver/base/rand.h"

int peer_check(struct prober *p, const char *measurement, const char *id, uint32_t interval_ms, int *check) {
    *check = verdict_add(&p->book, SCOPE_PEERS, "peer", measurement, id, interval_ms, false);
    return *check < 0 ? *check : 0;
}

void peer_heard(struct peer_probe *pp, size_t peer) {
    pp->known.peer[peer].heard_ms = clock_mono_ms();
    pp->known.peer[peer].heard_wall_ms = clock_wall_ms();
    pp->well = true;
}

void peer_doubt(struct peer_probe *pp, size_t peer) {
    int64_t now = clock_mono_ms();
    uint32_t spread = probe_hurry_ms(pp->known.interval_ms);
    for (size_t i = 0; i < pp->known.count; i++) {
        struct task *t = &pp->node[i].path[0].task;
        bool asked = pp->node[i].paths > 0;
        if (i == peer || !asked || pp->known.peer[i].heard_ms > now - (int64_t)spread)
            continue;
        int64_t due = now + rand_below(spread + 1);
        t->due_ms = t->due_ms < due ? t->due_ms : due;
    }
}

/* Their own health port and addresses once; who has no health port is heard of by DNS alone. */
static int node_open(struct peer_probe *pp, size_t i) {
    struct prober *p = pp->p;
    struct peers_peer *k = &pp->known.peer[i];
    struct peer_node *n = &pp->node[i];
    k->conf = &p->conf->health.peers[i];
    k->has_health = addr_family(&k->conf->health) != 0;
    n->health_check = n->sees_check = n->agree_check = PEER_NO_CHECK;
    int rc = peer_paths_open(pp, i);
    if (rc == 0 && k->has_health)
        rc = peer_view_open(pp, i);
    else if (rc == 0)
        rc = verdict_add_off(&p->book, SCOPE_PEERS, "peer", "health", k->conf->name,
                             "it has no health address in health.peers: what it sees of this node is not known",
                             clock_wall_ms());
    return rc < 0 ? rc : 0;
}

static int common_open(struct peer_probe *pp) {
    struct prober *p = pp->p;
    uint32_t interval = pp->known.interval_ms;
    int rc = 0;
    pp->quorum_check = pp->matrix_check = pp->clock_check = PEER_NO_CHECK;
    if (pp->known.count >= 2)
        rc = peer_check(p, "quorum", "", interval, &pp->quorum_check);
    if (rc == 0 && pp->known.count >= 2)
        rc = peer_check(p, "matrix", "", interval, &pp->matrix_check);
    bool any = false;
    for (size_t i = 0; i < pp->known.count; i++)
        any |= pp->known.peer[i].has_health;
    if (rc == 0 && any)
        rc = peer_check(p, "clock", "", interval, &pp->clock_check);
    return rc == 0 ? prober_add(p, &pp->task, peer_judge_start, interval / PEER_JUDGES, false) : rc;
}

int peer_open(struct prober *p) {
    const struct conf_health *h = &p->conf->health;
    struct err err = {.text = ""};
    if (h->peer_count == 0)
        return 0;
    struct peer_probe *pp = p->peers = calloc(1, sizeof(*pp));
    if (pp == NULL)
        return E_NOMEM;
    pp->p = p;
    pp->score_ms = clock_mono_ms();
    pp->known.self = p->conf->node.name;
    pp->known.interval_ms = h->interval.peers_ms;
    pp->known.count = h->peer_count < LIMIT_PEERS ? h->peer_count : LIMIT_PEERS;
    pp->known.summary.configured = (unsigned)pp->known.count;
    int rc = peers_keys_open(&pp->keys, p->conf, p->conf->health.peers, p->conf->health.peer_count, &err);
    for (size_t i = 0; rc == 0 && i < pp->known.count; i++)
        rc = node_open(pp, i);
    return rc == 0 ? common_open(pp) : rc;
}

void peer_close(struct prober *p) {
    if (p->peers == NULL)
        return;
    for (size_t i = 0; i < p->peers->known.count; i++)
        peer_view_close(p->peers, i);
    peers_keys_close(p->peers->keys);
    free(p->peers);
}

const struct peers_summary *prober_peers(const struct prober *p) {
    static const struct peers_summary none;
    return p->peers != NULL ? &p->peers->known.summary : &none;
}

const struct peers_known *prober_peers_known(const struct prober *p) {
    return p->peers != NULL ? &p->peers->known : NULL;
}
