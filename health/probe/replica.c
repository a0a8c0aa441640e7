/* Is what is published elsewhere here, and what is published here elsewhere? Judged from what candor-sync wrote on the
 * board (health/verdict/replica.h), all zones at once. Zones come and go; their checks with them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health/probe/zone.h"
#include "health/verdict/replica.h"
#include "resolver/base/clock.h"

enum { KIND_SOURCE, KIND_REACH, KIND_SAME, KIND_PAIR, KINDS };
enum { NO_CHECK = UINT32_MAX };
enum { SAMPLE_ZONES = 128, KEYS_IN_SIGHT = 3, CERTIFICATE_DAYS = 21, DAY_S = 86400 };

struct replica_zone {
    uint32_t check[KINDS]; /* NO_CHECK: none */
    char name[BOARD_NAME_MAX];
    bool known;
    uint32_t wanted; /* the serial that a primary had when we were first seen to be behind */
    int64_t behind_ms;
};

struct replica_probe {
    struct task task;
    struct prober *p;
    struct replica_links links;
    struct replica_zone zone[LIMIT_ZONES];
    uint32_t clocks, keys, certificate;
    uint64_t failures[BOARD_TSIG_COUNT];
    int64_t failed_ms; /* 0: never */
    char failed[EVIDENCE_CAME_MAX];
};

static const char *const measurements[KINDS] = {"source", "secondaries", "digest", "pair"};

static void drop(struct replica_probe *rp, struct replica_zone *z) {
    for (int i = 0; i < KINDS; i++) {
        if (z->check[i] != NO_CHECK)
            verdict_drop(&rp->p->book, z->check[i]);
        z->check[i] = NO_CHECK;
    }
    z->known = false;
    z->behind_ms = 0;
}

static uint32_t add(struct prober *p, const char *measurement, const char *id) {
    int at = verdict_add(&p->book, SCOPE_REPLICATION, "replication", measurement, id, p->conf->health.interval.local_ms,
                         false);
    return at < 0 ? NO_CHECK : (uint32_t)at;
}

/* A change that a primary had when we first saw it, and that has not come since. */
static int64_t behind_ms(struct replica_zone *z, const struct replica *r, int64_t now) {
    if (replica_lag(r) == 0) {
        z->behind_ms = 0;
        return 0;
    }
    if (z->behind_ms == 0 || !board_serial_newer(z->wanted, r->z->serial)) {
        z->behind_ms = now;
        (void)replica_newest(r, &z->wanted);
    }
    return now - z->behind_ms;
}

static void tell(struct replica_probe *rp, struct replica_zone *z, int kind, enum verdict_state s, struct evidence *e) {
    if (z->check[kind] == NO_CHECK)
        z->check[kind] = add(rp->p, measurements[kind], z->name);
    if (z->check[kind] != NO_CHECK && s < VERDICT_UNKNOWN)
        (void)prober_result(rp->p, z->check[kind], s, e);
}

static void untell(struct replica_probe *rp, struct replica_zone *z, int kind) {
    if (z->check[kind] != NO_CHECK)
        verdict_drop(&rp->p->book, z->check[kind]);
    z->check[kind] = NO_CHECK;
}

static void judge_zone(struct replica_probe *rp, struct replica_zone *z, const struct replica *r) {
    struct evidence e = {.wall_ms = r->now_ms};
    int64_t behind = behind_ms(z, r, clock_mono_ms());
    text_copy(e.asked, sizeof(e.asked), "the zone's links on the board");
    if (replica_is_secondary(r))
        tell(rp, z, KIND_SOURCE, replica_source(r, behind, e.came, sizeof(e.came)), &e);
    else
        untell(rp, z, KIND_SOURCE);
    if (replica_is_primary(r))
        tell(rp, z, KIND_REACH, replica_reach(r, e.came, sizeof(e.came)), &e);
    enum verdict_state same = replica_same(r, e.came, sizeof(e.came));
    if (same == VERDICT_UNKNOWN && z->check[KIND_SAME] != NO_CHECK) { /* compared before, and not now: no fault */
        snprintf(e.came, sizeof(e.came), "no other node has serial %" PRIu64 " now: nothing to compare with",
                 r->z->serial);
        same = VERDICT_PASS;
    }
    if (same != VERDICT_UNKNOWN)
        tell(rp, z, KIND_SAME, same, &e);
    if (r->zone->pair.count > 0)
        tell(rp, z, KIND_PAIR, replica_pair(r, e.came, sizeof(e.came)), &e);
}

static void look_at(struct replica_probe *rp, size_t i, int64_t wall_ms) {
    const struct prober *p = rp->p;
    const struct conf_zone *conf = &p->conf->rbl.zones[i];
    struct replica_zone *z = &rp->zone[i];
    struct board_zone board;
    if (z->known && strcmp(z->name, conf->name) != 0)
        drop(rp, z);
    if (conf->name[0] == '\0' || conf_zone_is_global_acl(conf) || !zone_data_read(p->board, i, conf->name, &board))
        return; /* what was known of it ages */
    struct replica r = {.conf = p->conf,
                        .zone = conf,
                        .z = &board,
                        .now_ms = wall_ms,
                        .allowance_ms = p->conf->health.interval.zones_ms};
    r.links = replica_links_of(&rp->links, i, &r.link);
    if (!replica_is_secondary(&r) && !replica_is_primary(&r) && conf->pair.count == 0)
        return;
    text_copy(z->name, sizeof(z->name), conf->name);
    z->known = true;
    judge_zone(rp, z, &r);
}

/* What was refused on the sync port, and what others refused of us. */
static void count_failures(struct replica_probe *rp, uint64_t to[BOARD_TSIG_COUNT], const struct board_link **last) {
    for (unsigned e = 0; e < BOARD_TSIG_COUNT; e++) {
        to[e] = board_get(&rp->p->board->sync.tsig_failures[e]);
        for (size_t i = 0; i < rp->links.count; i++)
            to[e] += rp->links.sorted[i]->tsig_failures[e];
    }
    for (size_t i = 0; i < rp->links.count; i++)
        if (rp->links.sorted[i]->state == LINK_DENIED &&
            (*last == NULL || rp->links.sorted[i]->tried_wall_ms > (*last)->tried_wall_ms))
            *last = rp->links.sorted[i];
}

static void judge_keys(struct replica_probe *rp, int64_t wall_ms) {
    static const char *const names[BOARD_TSIG_COUNT] = {"BADSIG", "BADKEY", "BADTIME", "BADTRUNC"};
    uint64_t now[BOARD_TSIG_COUNT];
    const struct board_link *last = NULL;
    struct evidence e = {.wall_ms = wall_ms};
    int64_t mono = clock_mono_ms(), sight = KEYS_IN_SIGHT * (int64_t)rp->p->conf->health.interval.zones_ms;
    count_failures(rp, now, &last);
    for (unsigned i = 0; i < BOARD_TSIG_COUNT; i++) {
        if (now[i] > rp->failures[i] && rp->failed_ms >= 0) {
            snprintf(rp->failed, sizeof(rp->failed), "%s: %" PRIu64 " signed messages were refused%s%.60s%s%.120s",
                     names[i], now[i] - rp->failures[i], last != NULL ? "; last with " : "",
                     last != NULL ? last->peer : "", last != NULL ? ": " : "", last != NULL ? last->error : "");
            rp->failed_ms = mono;
        }
        rp->failures[i] = now[i];
    }
    if (rp->failed_ms < 0)
        rp->failed_ms = 0; /* the first look: what was counted before is past */
    bool bad = rp->failed_ms > 0 && mono - rp->failed_ms < sight;
    text_copy(e.asked, sizeof(e.asked), "counters of TSIG errors on the board");
    text_copy(e.came, sizeof(e.came), bad ? rp->failed : "no signed message was refused lately");
    if (rp->keys != NO_CHECK)
        (void)prober_result(rp->p, rp->keys, bad ? VERDICT_WARN : VERDICT_PASS, &e);
}

static void judge_clocks(struct replica_probe *rp, int64_t wall_ms) {
    struct evidence e = {.wall_ms = wall_ms};
    enum verdict_state s = replica_clocks(&rp->links, wall_ms, e.came, sizeof(e.came));
    text_copy(e.asked, sizeof(e.asked), "clocks of other nodes, as their messages tell");
    if (s != VERDICT_UNKNOWN && rp->clocks == NO_CHECK)
        rp->clocks = add(rp->p, "clock", "");
    if (s != VERDICT_UNKNOWN && rp->clocks != NO_CHECK)
        (void)prober_result(rp->p, rp->clocks, s, &e);
    if (s == VERDICT_UNKNOWN && rp->clocks != NO_CHECK) {
        verdict_drop(&rp->p->book, rp->clocks);
        rp->clocks = NO_CHECK;
    }
}

static void judge_certificate(struct replica_probe *rp, int64_t wall_ms) {
    uint64_t until = board_get(&rp->p->board->sync.certificate_until_wall_s);
    int64_t left_s = (int64_t)until - wall_ms / 1000;
    struct evidence e = {.wall_ms = wall_ms, .value = (double)left_s / DAY_S, .unit = "d"};
    if (until == 0)
        return;
    if (rp->certificate == NO_CHECK)
        rp->certificate = add(rp->p, "certificate", "");
    text_copy(e.asked, sizeof(e.asked), "notAfter of rbl.tls.certificate");
    snprintf(e.came, sizeof(e.came), left_s <= 0 ? "it ended %" PRId64 " days ago" : "it ends in %" PRId64 " days",
             (left_s < 0 ? -left_s : left_s) / DAY_S);
    if (rp->certificate != NO_CHECK)
        (void)prober_result(rp->p, rp->certificate,
                            left_s <= 0                         ? VERDICT_FAIL
                            : left_s < CERTIFICATE_DAYS * DAY_S ? VERDICT_WARN
                                                                : VERDICT_PASS,
                            &e);
}

/* A board whose writer does not turn says nothing: evidence that stands still must age. */
static bool writer_turns(const struct prober *p) {
    int64_t age = clock_mono_ms() - (int64_t)board_get(&p->board->process[ROLE_SYNC].heartbeat_ms);
    return age < (int64_t)VERDICT_AGE_INTERVALS * p->conf->health.interval.local_ms;
}

static void replica_start(struct task *task) {
    struct replica_probe *rp = CONTAINER_OF(task, struct replica_probe, task);
    size_t count = rp->p->conf->rbl.zone_count;
    int64_t wall_ms = clock_wall_ms();
    if (writer_turns(rp->p) && replica_links_read(&rp->links, rp->p->board) == 0) {
        for (size_t i = 0; i < count && i < LIMIT_ZONES; i++)
            look_at(rp, i, wall_ms);
        judge_keys(rp, wall_ms);
        judge_clocks(rp, wall_ms);
        judge_certificate(rp, wall_ms);
    }
    task_done(task, -1);
}

bool replica_is_native(const struct prober *p, size_t zone, const char *peer) {
    const struct board_link *const *link;
    size_t count = p->replica != NULL ? replica_links_of(&p->replica->links, zone, &link) : 0;
    for (size_t i = 0; i < count; i++)
        if (link[i]->way == LINK_TO && link[i]->native != 0 && strcmp(link[i]->peer, peer) == 0)
            return true;
    return false;
}

int replica_open(struct prober *p) {
    const struct conf *c = p->conf;
    uint32_t local = c->health.interval.local_ms;
    if (c->rbl.zone_count == 0 && c->rbl.catalog_count == 0)
        return 0;
    struct replica_probe *rp = p->replica = calloc(1, sizeof(*rp));
    if (rp == NULL)
        return E_NOMEM;
    rp->p = p;
    rp->failed_ms = -1;
    for (size_t i = 0; i < LIMIT_ZONES; i++)
        for (int k = 0; k < KINDS; k++)
            rp->zone[i].check[k] = NO_CHECK;
    rp->clocks = rp->certificate = NO_CHECK;
    rp->keys = c->rbl.listen.count > 0 && c->rbl.key_count > 0 ? add(p, "keys", "") : NO_CHECK;
    bool often = c->rbl.zone_count <= SAMPLE_ZONES && local > PROBE_SAMPLE_MS;
    return prober_add(p, &rp->task, replica_start, often ? PROBE_SAMPLE_MS : local, true);
}

void replica_close(struct prober *p) {
    if (p->replica != NULL)
        replica_links_free(&p->replica->links);
    free(p->replica);
}
