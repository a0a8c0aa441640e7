/* Peers: what this node gets from each, what they get from it, and how far it believes itself. What replication knows
 * of the same nodes stands in metrics_replica.c, which joins it under the names that both have. */
#include "health/web/metrics.h"

static void each(struct metrics *m, enum metric_type type, const char *name, const char *help,
                 double (*of)(const struct metrics *m, const struct peers_peer *p)) {
    metric_family(m, type, name, help);
    for (size_t i = 0; i < m->from->peers->count; i++)
        metric_one(m, "peer", m->from->peers->peer[i].conf->name, of(m, &m->from->peers->peer[i]));
}

static double phi_of(const struct metrics *m, const struct peers_peer *p) { return phi_now(&p->phi, m->mono_ms); }

static double disagrees_of(const struct metrics *m, const struct peers_peer *p) {
    (void)m;
    return p->disagrees;
}

static bool planned(const struct peers_peer *p, int probe) {
    bool dns = p->paths > (p->has_health ? 1u : 0u);
    return probe == PEERS_HTTP ? p->has_health : probe <= PEERS_TCP ? dns : p->probe[probe].done;
}

static void probes(struct metrics *m) {
    metric_family(m, METRIC_GAUGE, "peer_probe_success", "Whether the newest probe of this kind succeeded.");
    for (size_t i = 0; i < m->from->peers->count; i++)
        for (int k = 0; k < PEERS_PROBES; k++) {
            const struct peers_peer *p = &m->from->peers->peer[i];
            if (!planned(p, k))
                continue;
            metric_begin(m);
            metric_label(m, "peer", p->conf->name);
            metric_label(m, "probe", peers_probe_name((enum peers_probe)k));
            metric_value(m, p->probe[k].good);
        }
}

static void round_trips(struct metrics *m) {
    metric_family(m, METRIC_SUMMARY, "peer_rtt_seconds", "From a question to a peer to its right answer.");
    for (size_t i = 0; i < m->from->peers->count; i++) {
        const struct peers_peer *p = &m->from->peers->peer[i];
        const struct metric_pair labels[] = {{"peer", p->conf->name}};
        metric_summary(m, labels, 1, p->rtt_sum_s, (double)p->rtt_count);
    }
}

void metrics_peers(struct metrics *m) {
    if (m->from->peers == NULL)
        return;
    each(m, METRIC_GAUGE, "peer_phi",
         "Suspicion that grows with a peer's silence; 8: one in a hundred million is wrong.", phi_of);
    probes(m);
    each(m, METRIC_GAUGE, "peer_views_disagree", "1: the peer finds this node other than this node finds itself.",
         disagrees_of);
    round_trips(m);
    metric_family(m, METRIC_GAUGE, "local_health_score",
                  "How late this node itself is: 0 in time; others are given 1 + this times as long.");
    metric_plain(m, m->from->peers->summary.score);
    metric_family(m, METRIC_GAUGE, "quorum_visible_ratio", "Share of the peers that are heard.");
    metric_plain(m, m->from->peers->visible);
}
