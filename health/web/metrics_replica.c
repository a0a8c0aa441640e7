/* Replication as numbers: by zone, and by other node over all zones. Bounded: a line for each link where zone and node
 * matter together, else a line for each zone or node. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health/verdict/replica.h"
#include "health/web/metrics.h"

static const char *const directions[] = {[LINK_FROM] = "in", [LINK_TO] = "out", [LINK_BESIDE] = "beside"};
static const char *const kinds[TRANSFER_KINDS] = {"axfr", "ixfr", "native", "snapshot"};
static const char *const results[TRANSFER_RESULTS] = {"ok", "failed", "refused"};
static const char *const reasons[REJECT_COUNT] = {"guard", "digest", "format", "serial", "loop", "epoch"};
static const char *const errors[BOARD_TSIG_COUNT] = {"BADSIG", "BADKEY", "BADTIME", "BADTRUNC"};

static bool zone_at(const struct metrics *m, size_t i, struct board_zone *z, struct replica *r) {
    const struct snapshot_source *s = m->from;
    if (!snapshot_replica(s, i, m->wall_ms, z, r))
        return false;
    return replica_is_secondary(r) || replica_is_primary(r);
}

typedef void (*zone_fn)(struct metrics *m, const struct replica *r);

static void each_zone(struct metrics *m, zone_fn fn) {
    for (size_t i = 0; i < m->from->conf->rbl.zone_count && i < LIMIT_ZONES; i++) {
        struct board_zone z;
        struct replica r;
        if (zone_at(m, i, &z, &r))
            fn(m, &r);
    }
}

static void put_source_serial(struct metrics *m, const struct replica *r) {
    uint32_t newest;
    if (replica_newest(r, &newest))
        metric_one(m, "zone", r->zone->name, newest);
}
static void put_lag(struct metrics *m, const struct replica *r) {
    if (replica_is_secondary(r))
        metric_one(m, "zone", r->zone->name, replica_lag(r));
}
static void put_regressions(struct metrics *m, const struct replica *r) {
    metric_one(m, "zone", r->zone->name, (double)r->z->serial_regressions);
}
static void put_diverged(struct metrics *m, const struct replica *r) {
    metric_one(m, "zone", r->zone->name, (double)r->z->diverged);
}
static void put_epoch(struct metrics *m, const struct replica *r) {
    if (r->zone->pair.count > 0)
        metric_one(m, "zone", r->zone->name, (double)r->z->epoch);
}
static void put_active(struct metrics *m, const struct replica *r) {
    if (r->zone->pair.count > 0)
        metric_one(m, "zone", r->zone->name, r->z->role == ROLE_ACTIVE);
}

static void put_propagation(struct metrics *m, const struct replica *r) {
    static const char *const les[BOARD_PROPAGATION] = {"0.001", "0.002", "0.005", "0.01", "0.02", "0.05",
                                                       "0.1",   "0.2",   "0.5",   "1.0",  "2.5",  "5.0",
                                                       "10.0",  "60.0",  "600.0", "+Inf"};
    if (replica_is_secondary(r))
        metric_buckets(m, "zone", r->zone->name, r->z->propagation, les, BOARD_PROPAGATION,
                       (double)r->z->propagation_sum_ms / 1000);
}

static void put_match(struct metrics *m, const struct replica *r) {
    for (size_t i = 0; i < r->links; i++) {
        const struct board_link *k = r->link[i];
        if (k->digest_known == 0 || (uint32_t)k->serial != (uint32_t)r->z->serial || k->way == LINK_FREE)
            continue;
        if (i > 0 && strcmp(r->link[i - 1]->peer, k->peer) == 0)
            continue;
        metric_begin(m);
        metric_label(m, "zone", r->zone->name);
        metric_label(m, "peer", k->peer);
        metric_value(m, memcmp(k->digest, r->z->digest, sizeof(k->digest)) == 0);
    }
}

static void put_link_state(struct metrics *m, const struct replica *r) {
    for (size_t i = 0; i < r->links; i++) {
        const struct board_link *k = r->link[i];
        metric_begin(m);
        metric_label(m, "zone", r->zone->name);
        metric_label(m, "peer", k->peer);
        metric_label(m, "direction", directions[k->way]);
        metric_value(m, replica_link_state(r, k));
    }
}

/* Sums over a zone's links of one direction. */
struct moved {
    bool any;
    uint64_t transfers[TRANSFER_KINDS][TRANSFER_RESULTS], sum_us, octets;
};

static struct moved moved_of(const struct replica *r, enum board_link_way way) {
    struct moved s = {.any = way == LINK_FROM ? replica_is_secondary(r) : replica_is_primary(r)};
    for (size_t i = 0; i < r->links; i++) {
        const struct board_link *k = r->link[i];
        if (k->way != way)
            continue;
        s.any = true;
        s.sum_us += k->transfer_sum_us;
        s.octets += way == LINK_FROM ? k->bytes_in : k->bytes_out;
        for (int kind = 0; kind < TRANSFER_KINDS; kind++)
            for (int res = 0; res < TRANSFER_RESULTS; res++)
                s.transfers[kind][res] += k->transfers[kind][res];
    }
    return s;
}

static void put_transfers(struct metrics *m, const struct replica *r) {
    for (int way = LINK_FROM; way <= LINK_TO; way++) {
        struct moved s = moved_of(r, (enum board_link_way)way);
        for (int kind = 0; s.any && kind < TRANSFER_KINDS; kind++)
            for (int res = 0; res < TRANSFER_RESULTS; res++) {
                metric_begin(m);
                metric_label(m, "zone", r->zone->name);
                metric_label(m, "direction", directions[way]);
                metric_label(m, "kind", kinds[kind]);
                metric_label(m, "result", results[res]);
                metric_value(m, (double)s.transfers[kind][res]);
            }
    }
}

static void put_duration(struct metrics *m, const struct replica *r) {
    for (int way = LINK_FROM; way <= LINK_TO; way++) {
        struct moved s = moved_of(r, (enum board_link_way)way);
        const struct metric_pair labels[] = {{"zone", r->zone->name}, {"direction", directions[way]}};
        uint64_t count = 0;
        for (int kind = 0; kind < TRANSFER_KINDS; kind++)
            for (int res = 0; res < TRANSFER_RESULTS; res++)
                count += s.transfers[kind][res];
        if (s.any)
            metric_summary(m, labels, 2, (double)s.sum_us / 1e6, (double)count);
    }
}

static void put_octets(struct metrics *m, const struct replica *r) {
    for (int way = LINK_FROM; way <= LINK_TO; way++) {
        struct moved s = moved_of(r, (enum board_link_way)way);
        if (!s.any)
            continue;
        metric_begin(m);
        metric_label(m, "zone", r->zone->name);
        metric_label(m, "direction", directions[way]);
        metric_value(m, (double)s.octets);
    }
}

static void zones(struct metrics *m) {
    static const struct {
        enum metric_type type;
        const char *name, *help;
        zone_fn fn;
    } families[] = {
        {METRIC_GAUGE, "zone_source_serial", "Newest serial that a primary of the zone said to have.",
         put_source_serial},
        {METRIC_GAUGE, "zone_serial_lag", "How many serials the newest primary is ahead (RFC 1982).", put_lag},
        {METRIC_COUNTER, "zone_serial_regressions", "Times that a primary's serial went backwards.", put_regressions},
        {METRIC_GAUGE, "zone_diverged_peers", "Primaries with the same serial and another digest.", put_diverged},
        {METRIC_GAUGE, "zone_pair_active", "Whether this node is the active one of a pair.", put_active},
        {METRIC_GAUGE, "zone_pair_epoch", "Epoch of a pair: it grows with each promotion.", put_epoch},
        {METRIC_HISTOGRAM, "zone_propagation_seconds", "From the commit at the source to the commit here.",
         put_propagation},
        {METRIC_GAUGE, "zone_peer_digest_match", "Whether a peer with the same serial has the same digest.", put_match},
        {METRIC_GAUGE, "replication_link_state",
         "0 unknown, 1 ok, 2 behind, 3 unreachable, 4 denied, 5 broken: of one zone at one node.", put_link_state},
        {METRIC_COUNTER, "zone_transfers", "Transfers that ended; refused: by our guards.", put_transfers},
        {METRIC_SUMMARY, "zone_transfer_duration_seconds", "How long transfers took.", put_duration},
        {METRIC_COUNTER, "zone_transfer_bytes", "Octets of messages about the zone.", put_octets},
    };
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        metric_family(m, families[i].type, families[i].name, families[i].help);
        each_zone(m, families[i].fn);
    }
}

/* One node over all its links. */
struct node {
    const char *name;
    uint64_t queue, oldest_ms, applied, rejected[REJECT_COUNT], tsig[BOARD_TSIG_COUNT];
    uint64_t notify_sent, notify_answered, notify_unanswered, checks, checks_failed, heard_ms, state;
    bool clock_known;
    int64_t offset_ms;
    const struct peers_peer *peer; /* of health.peers; NULL: a node of replication alone */
};

enum { NODES = 512 }; /* those beyond are counted together, as "others" */

static struct node *node_of(struct node *nodes, size_t *count, const char *name) {
    for (size_t i = 0; i < *count; i++)
        if (strcmp(nodes[i].name, name) == 0)
            return &nodes[i];
    if (*count == NODES)
        return &nodes[NODES - 1];
    nodes[*count].name = *count == NODES - 1 ? "others" : name;
    return &nodes[(*count)++];
}

static void add_link(struct node *n, const struct board_link *k) {
    n->queue += k->queue_commits;
    if (k->oldest_queued_wall_ms != 0 && (n->oldest_ms == 0 || k->oldest_queued_wall_ms < n->oldest_ms))
        n->oldest_ms = k->oldest_queued_wall_ms;
    n->applied += k->applied;
    for (int i = 0; i < REJECT_COUNT; i++)
        n->rejected[i] += k->rejected[i];
    for (int i = 0; i < BOARD_TSIG_COUNT; i++)
        n->tsig[i] += k->tsig_failures[i];
    n->notify_sent += k->notify_sent;
    n->notify_answered += k->notify_answered;
    n->notify_unanswered += k->notify_unanswered;
    n->checks += k->checks;
    n->checks_failed += k->checks_failed;
    n->state = k->state > n->state ? k->state : n->state;
    if (k->clock_known != 0 && (!n->clock_known || k->heard_wall_ms >= n->heard_ms)) {
        n->clock_known = true;
        n->offset_ms = (int64_t)k->clock_offset_ms;
    }
    n->heard_ms = k->heard_wall_ms > n->heard_ms ? k->heard_wall_ms : n->heard_ms;
}

static double queue_of(const struct node *n) { return (double)n->queue; }
static double oldest_of(const struct node *n) { return (double)n->oldest_ms / 1000; }
static double applied_of(const struct node *n) { return (double)n->applied; }
static double heard_of(const struct node *n) { return (double)n->heard_ms / 1000; }

/* By its links and by what health.peers gets of it, the worse; while this node is cut off nothing is known. */
static double state_of(const struct node *n) {
    static const uint8_t of[] = {[PEERS_UNKNOWN] = LINK_UNKNOWN,
                                 [PEERS_WELL] = LINK_OK,
                                 [PEERS_PART] = LINK_BEHIND,
                                 [PEERS_GONE] = LINK_UNREACHABLE};
    if (n->peer == NULL)
        return (double)n->state;
    uint64_t asked = of[n->peer->state];
    return (double)(asked == LINK_UNKNOWN || asked > n->state ? asked : n->state);
}

static void add_peer(struct node *n, const struct peers_peer *p) {
    n->peer = p;
    if (p->heard_wall_ms > 0 && (uint64_t)p->heard_wall_ms > n->heard_ms)
        n->heard_ms = (uint64_t)p->heard_wall_ms;
    if (p->offset_known) { /* fresher than what messages of transfers tell */
        n->clock_known = true;
        n->offset_ms = p->offset_ms;
    }
}

static void simple(struct metrics *m, const struct node *nodes, size_t count) {
    static const struct {
        enum metric_type type;
        const char *name, *help;
        double (*of)(const struct node *);
    } families[] = {
        {METRIC_GAUGE, "replication_queue_entries", "Commits that a secondary has not said to have.", queue_of},
        {METRIC_GAUGE, "replication_oldest_queued_timestamp_seconds",
         "When the oldest commit was made that a secondary has not said to have; 0: it has all.", oldest_of},
        {METRIC_COUNTER, "replication_applied", "Versions and changes from this node that were committed.", applied_of},
        {METRIC_GAUGE, "peer_last_heard_timestamp_seconds",
         "When an answer or a message of this node was last believed; 0: never.", heard_of},
        {METRIC_GAUGE, "peer_state",
         "Worst of its links and of what it answers: 0 unknown, 1 ok, 2 behind or in part, 3 unreachable, 4 denied, 5 "
         "broken.",
         state_of},
    };
    for (size_t f = 0; f < sizeof(families) / sizeof(families[0]); f++) {
        metric_family(m, families[f].type, families[f].name, families[f].help);
        for (size_t i = 0; i < count; i++)
            metric_one(m, "peer", nodes[i].name, families[f].of(&nodes[i]));
    }
}

static void pair_of(struct metrics *m, const char *peer, const char *key, const char *label, uint64_t value) {
    metric_begin(m);
    metric_label(m, "peer", peer);
    metric_label(m, key, label);
    metric_value(m, (double)value);
}

static void labelled(struct metrics *m, const struct node *nodes, size_t count) {
    metric_family(m, METRIC_COUNTER, "replication_rejected", "What came from a node and was not taken.");
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < REJECT_COUNT; k++)
            pair_of(m, nodes[i].name, "reason", reasons[k], nodes[i].rejected[k]);
    metric_family(m, METRIC_COUNTER, "replication_tsig_failures",
                  "TSIG errors that a node sent us, or that were found in its messages.");
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < BOARD_TSIG_COUNT; k++)
            pair_of(m, nodes[i].name, "error", errors[k], nodes[i].tsig[k]);
    metric_family(m, METRIC_COUNTER, "replication_notify", "NOTIFY messages for a node, each try one.");
    for (size_t i = 0; i < count; i++) {
        pair_of(m, nodes[i].name, "result", "sent", nodes[i].notify_sent);
        pair_of(m, nodes[i].name, "result", "answered", nodes[i].notify_answered);
        pair_of(m, nodes[i].name, "result", "unanswered", nodes[i].notify_unanswered);
    }
    metric_family(m, METRIC_COUNTER, "replication_checks", "SOA questions that a primary was asked.");
    for (size_t i = 0; i < count; i++) {
        uint64_t failed = nodes[i].checks_failed < nodes[i].checks ? nodes[i].checks_failed : nodes[i].checks;
        pair_of(m, nodes[i].name, "result", "ok", nodes[i].checks - failed);
        pair_of(m, nodes[i].name, "result", "failed", nodes[i].checks_failed);
    }
    metric_family(m, METRIC_GAUGE, "peer_clock_offset_seconds",
                  "Clock of a node less ours, as its messages and its health port tell.");
    for (size_t i = 0; i < count; i++)
        if (nodes[i].clock_known)
            metric_one(m, "peer", nodes[i].name, (double)nodes[i].offset_ms / 1000);
}

/* The one that ends first of those that workers hold; 0: none. */
static uint64_t resolver_certificate(const struct board *b) {
    uint64_t first = 0;
    for (unsigned w = 0; w < LIMIT_WORKERS; w++) {
        uint64_t until = board_get(&b->worker[w].certificate_until_wall_s);
        if (until != 0 && (first == 0 || until < first))
            first = until;
    }
    return first;
}

void metrics_replica(struct metrics *m) {
    const struct replica_links *l = m->from->links;
    size_t count = 0;
    uint64_t until = board_get(&m->from->board->sync.certificate_until_wall_s);
    metric_family(m, METRIC_GAUGE, "tls_certificate_not_after_timestamp_seconds", "When a certificate of ours ends.");
    if (until != 0)
        metric_one(m, "use", "sync", (double)until);
    if ((until = resolver_certificate(m->from->board)) != 0)
        metric_one(m, "use", "resolver", (double)until);
    if (l == NULL)
        return;
    zones(m);
    struct node *nodes = calloc(NODES, sizeof(*nodes));
    if (nodes == NULL) {
        m->t->failed = true;
        return;
    }
    for (size_t i = 0; i < l->count; i++)
        add_link(node_of(nodes, &count, l->sorted[i]->peer), l->sorted[i]);
    for (size_t i = 0; m->from->peers != NULL && i < m->from->peers->count; i++)
        add_peer(node_of(nodes, &count, m->from->peers->peer[i].conf->name), &m->from->peers->peer[i]);
    simple(m, nodes, count);
    labelled(m, nodes, count);
    free(nodes);
}
