/* The DNS addresses of peers, each over UDP and TCP, asked as a client would: who are you (that decides whether it
 * answers), and then in turn a name to resolve, a test point of a zone that goes between nodes, and large answers. */
#include <stdio.h>
#include <stdlib.h>

#include "health/probe/peer.h"
#include "health/probe/zone.h"
#include "resolver/base/clock.h"

static struct peers_peer *peer_of(const struct peer_path *at) { return &at->p->peers->known.peer[at->peer]; }
static struct peers_path *path_of(const struct peer_path *at) { return &peer_of(at)->path[at->path]; }

static bool is_tired(const struct peer_path *at) { return path_of(at)->fails >= PEER_TIRED; }

static void set_plan(struct peer_path *at) {
    uint32_t interval = at->p->peers->known.interval_ms, timeout = probe_timeout_ms(interval);
    unsigned score = at->p->peers->known.summary.score;
    at->plan.timeout_ms = score_patience_ms(score, timeout, 2 * interval);
    at->plan.hedge_ms = at->plan.timeout_ms / 10;
    at->plan.tries = is_tired(at) ? 1 : PEER_TRIES;
    at->lateness_ms = prober_lateness(at->p);
}

static void path_end(struct peer_path *at, bool hurry) {
    uint32_t interval = at->p->peers->known.interval_ms;
    at->task.interval_ms = is_tired(at) ? 2 * interval : interval;
    task_done(&at->task, hurry ? (int64_t)probe_hurry_ms(interval) / 4 : -1);
}

/* Whose answer it is: a Candor node says so by NSID (node/boot/worker). */
static bool right(struct peer_path *at, const struct ask_result *r, char *came, size_t size) {
    const struct peers_peer *k = peer_of(at);
    struct nsid id;
    if (r->code == 0 && r->answer.rcode == RCODE_REFUSED) {
        snprintf(came, size, "REFUSED: is this node in its health.peers?");
        return false;
    }
    if (r->code != 0 || r->answer.rcode != RCODE_NOERROR) {
        ask_problem(came, size, r);
        return false;
    }
    bool named = nsid_read(&id, r->answer.nsid) == 0;
    if (named && strcmp(id.node, k->conf->name) != 0) {
        snprintf(came, size, "another node answers there: \"%.40s\"", id.node);
        return false;
    }
    if (!named && k->has_health) {
        snprintf(came, size, "no Candor node answers there (NSID \"%.24s\")", r->answer.nsid);
        return false;
    }
    if (named)
        snprintf(came, size, "worker %u of boot %llx, in %.1f ms", id.worker, (unsigned long long)id.boot,
                 (double)r->took_us / 1000);
    else
        snprintf(came, size, "it is no Candor node, in %.1f ms", (double)r->took_us / 1000);
    at->boot = named ? id.boot : 0;
    return true;
}

static bool second_start(struct peer_path *at);

static void note(struct peer_path *at, const struct ask_result *r, bool good) {
    struct peers_peer *k = peer_of(at);
    size_t kind = at->plan.tcp ? PEERS_TCP : PEERS_UDP;
    k->probe[kind].done = true;
    k->probe[kind].good = good;
    if (good) {
        k->rtt_sum_s += (double)r->took_us / 1e6;
        k->rtt_count++;
        peer_heard(at->p->peers, at->peer);
    }
}

static void id_answer(void *ctx, const struct ask_result *r) {
    struct peer_path *at = ctx;
    struct peer_probe *pp = at->p->peers;
    struct peers_path *path = path_of(at);
    struct evidence e;
    char came[VIEW_CAME];
    int64_t now = clock_mono_ms();
    ask_evidence(&e, &at->plan, r);
    if (r->code == E_AGAIN) {
        pp->void_seen = true; /* this node was late itself: that counts against it and nobody else */
        path_end(at, true);
        return;
    }
    bool good = right(at, r, came, sizeof(came)), before = path->state == SEEN_GOOD;
    path->lag_ms = (uint32_t)(prober_lateness(at->p) - at->lateness_ms);
    path->score = pp->known.summary.score;
    note(at, r, good);
    if (good) {
        (void)path_good(path, now);
        text_copy(path->came, sizeof(path->came), came);
    } else {
        (void)path_failed(path, score_needed(path->score), came, now);
        if (before && path->fails == 1)
            peer_doubt(pp, at->peer);
    }
    bool undecided = peer_tell_path(pp, at, &e) || (!good && path->state != SEEN_BAD);
    if (!good || undecided || !second_start(at))
        path_end(at, undecided);
}

/* --- the second question */

static void second_tell(struct peer_path *at, enum verdict_state s, const struct evidence *e) {
    struct peer_node *n = &at->p->peers->node[at->peer];
    struct peer_address *a = &n->address[at->path / 2];
    static const char *const measurements[SECONDS] = {"resolves", "point", "large"};
    static const enum peers_probe kinds[SECONDS] = {PEERS_RESOLUTION, PEERS_POINT, PEERS_LARGE};
    struct peers_peer *k = peer_of(at);
    k->probe[kinds[at->second]].done = true;
    k->probe[kinds[at->second]].good = s == VERDICT_PASS;
    /* Zones come and go: a check is there from the first time that it was made. */
    uint32_t every = (at->second == SECOND_LARGE ? PEER_LARGE : SECONDS) * at->p->peers->known.interval_ms;
    if (a->check[at->second] == PEER_NO_CHECK &&
        peer_check(at->p, measurements[at->second], a->id, every, &a->check[at->second]) < 0)
        a->check[at->second] = PEER_NO_CHECK;
    if (a->check[at->second] == PEER_NO_CHECK || s == VERDICT_UNKNOWN)
        return;
    bool undecided = prober_result(at->p, (size_t)a->check[at->second], s, e);
    if (at->second == SECOND_LARGE && (undecided || s != VERDICT_PASS))
        at->large_ms = 0; /* once more in the next round */
}

static enum verdict_state judge_resolution(const struct ask_result *r, char *came, size_t size) {
    if (r->answer.rcode == RCODE_REFUSED) {
        snprintf(came, size, "REFUSED: it does not resolve for this node");
        return VERDICT_WARN;
    }
    if (r->answer.rcode == RCODE_NOERROR && r->answer.answers > 0) {
        snprintf(came, size, "NOERROR, %u RRs", r->answer.answers);
        return VERDICT_PASS;
    }
    ask_problem(came, size, r);
    /* What is behind it may be down for it: its own page says so, and its own scope. */
    return VERDICT_WARN;
}

static enum verdict_state judge_second(struct peer_path *at, const struct ask_result *r, char *came, size_t size) {
    if (r->code != 0) {
        ask_problem(came, size, r);
        /* It has answered a small question a moment ago: silence is about this one. */
        return at->second == SECOND_RESOLUTION ? VERDICT_WARN : VERDICT_FAIL;
    }
    if (at->second == SECOND_RESOLUTION)
        return judge_resolution(r, came, size);
    if (r->answer.rcode == RCODE_REFUSED) {
        snprintf(came, size, "REFUSED: it does not serve %.120s to this node", at->p->conf->rbl.zones[at->zone].name);
        return VERDICT_WARN;
    }
    return point_judge(POINT_LISTED, &r->answer, NULL, came, size);
}

static void second_answer(void *ctx, const struct ask_result *r) {
    struct peer_path *at = ctx;
    struct evidence e;
    ask_evidence(&e, &at->plan, r);
    at->p->peers->void_seen |= r->code == E_AGAIN;
    if (r->code != E_AGAIN) {
        enum verdict_state s = judge_second(at, r, e.came, sizeof(e.came));
        second_tell(at, s, &e);
    }
    path_end(at, false);
}

/* The next zone in turn that goes between nodes and has a test point. */
static bool next_zone(struct peer_path *at) {
    const struct conf *c = at->p->conf;
    size_t count = c->rbl.zone_count < LIMIT_ZONES ? c->rbl.zone_count : LIMIT_ZONES;
    struct name apex;
    for (size_t i = 1; i <= count; i++) {
        size_t at_zone = (at->zone + i) % count;
        const struct conf_zone *z = &c->rbl.zones[at_zone];
        const struct board_zone *b = &at->p->board->zone[at_zone];
        bool shared = z->primaries.count + z->notify.count + z->pair.count > 0 || board_get(&b->secondary) != 0;
        if (z->name[0] == '\0' || !shared || conf_zone_is_global_acl(z) || board_get(&b->commits) == 0 ||
            name_from_text(&apex, z->name, NULL) < 0 || point_name(&at->plan.qname, z->test, POINT_LISTED, &apex) < 0)
            continue;
        at->zone = at_zone;
        return true;
    }
    return false;
}

static bool second_plan(struct peer_path *at) {
    const char *cached = at->p->conf->health.canary.cached;
    at->plan.qclass = CLASS_IN;
    at->plan.qtype = TYPE_A;
    at->plan.nsid = false;
    at->plan.rd = at->second == SECOND_RESOLUTION;
    switch (at->second) {
    case SECOND_RESOLUTION:
        return cached[0] != '\0' && name_from_text(&at->plan.qname, cached, NULL) == 0;
    case SECOND_POINT:
        return next_zone(at);
    default:
        return false;
    }
}

static void large_done_here(void *ctx, enum verdict_state s, const struct evidence *e) {
    struct peer_path *at = ctx;
    at->p->peers->void_seen |= s == VERDICT_UNKNOWN;
    second_tell(at, s, e);
    path_end(at, false);
}

/* Of Candor nodes alone: others know no such names. */
static bool large_begin(struct peer_path *at) {
    int64_t now = clock_mono_ms(), apart = (int64_t)PEER_LARGE * at->p->peers->known.interval_ms;
    if (at->plan.tcp || at->boot == 0 || (at->large_ms != 0 && now - at->large_ms < apart - apart / PEER_LARGE / 2))
        return false;
    at->large_ms = now;
    at->second = SECOND_LARGE;
    return large_start(&at->large, at->p, &at->plan.server, at->plan.timeout_ms, large_done_here, at) == 0;
}

/* What the last round did not ask. False: there is nothing to be asked. */
static bool second_start(struct peer_path *at) {
    if (large_begin(at))
        return true;
    for (int i = 0; i < SECONDS; i++) {
        at->second = (enum peer_second)((at->second + 1) % SECONDS);
        if (second_plan(at))
            return ask_start(at->p, &at->plan, second_answer, at) == 0;
    }
    return false;
}

/* --- */

static void path_start(struct task *task) {
    struct peer_path *at = CONTAINER_OF(task, struct peer_path, task);
    at->plan.qname = at->id;
    at->plan.qtype = TYPE_TXT;
    at->plan.qclass = CLASS_CH;
    at->plan.nsid = true;
    at->plan.rd = false;
    set_plan(at);
    if (ask_start(at->p, &at->plan, id_answer, at) != 0)
        path_end(at, false);
}

static int path_open(struct peer_probe *pp, size_t peer, const struct addr *addr, bool tcp) {
    struct peers_peer *k = &pp->known.peer[peer];
    struct peer_node *n = &pp->node[peer];
    struct peers_path *path = &k->path[k->paths];
    struct peer_path *at = &n->path[n->paths++];
    char id[CHECK_ID_MAX];
    path->addr = *addr;
    path->by = tcp ? SEEN_TCP : SEEN_UDP;
    addr_text(addr, path->text);
    *at = (struct peer_path){.p = pp->p, .peer = peer, .path = k->paths++};
    at->plan = (struct ask_plan){.server = *addr, .tcp = tcp, .far = true};
    snprintf(id, sizeof(id), "%.63s %s %s", k->conf->name, path->text, seen_by_name(path->by));
    int rc = peer_check(pp->p, "answers", id, pp->known.interval_ms, &at->check);
    if (rc == 0)
        rc = name_from_text(&at->id, "id.server.", NULL);
    return rc == 0 ? prober_add(pp->p, &at->task, path_start, pp->known.interval_ms, false) : rc;
}

static int address_open(struct peer_probe *pp, size_t peer, const struct addr *addr) {
    struct peer_node *n = &pp->node[peer];
    char text[ADDR_TEXT_MAX];
    for (size_t i = 0; i < n->addresses; i++)
        if (addr_same(&n->address[i].addr, addr))
            return 0;
    if (n->addresses == PEERS_ADDRESSES)
        return 0;
    struct peer_address *a = &n->address[n->addresses++];
    a->addr = *addr;
    for (int i = 0; i < SECONDS; i++)
        a->check[i] = PEER_NO_CHECK;
    snprintf(a->id, sizeof(a->id), "%.63s %s", pp->known.peer[peer].conf->name, addr_text(addr, text));
    int rc = path_open(pp, peer, addr, false);
    return rc == 0 ? path_open(pp, peer, addr, true) : rc;
}

int peer_paths_open(struct peer_probe *pp, size_t peer) {
    const struct conf_peer *c = pp->known.peer[peer].conf;
    int rc = addr_family(&c->resolver) != 0 ? address_open(pp, peer, &c->resolver) : 0;
    for (size_t i = 0; rc == 0 && i < c->service.count; i++)
        rc = address_open(pp, peer, &c->service.at[i]);
    return rc;
}
