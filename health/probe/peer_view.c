/* The health ports of peers: each one's own view, fetched twice an interval, proved by its key when it has one. */
#include <stdio.h>

#include "health/probe/peer.h"
#include "resolver/base/clock.h"
#include "resolver/base/rand.h"

static struct peers_peer *peer_of(const struct peer_view *at) { return &at->p->peers->known.peer[at->peer]; }

static void new_nonce(char to[VIEW_NONCE]) {
    uint8_t octets[(VIEW_NONCE - 1) / 2];
    rand_bytes(octets, sizeof(octets));
    for (size_t i = 0; i < sizeof(octets); i++)
        snprintf(to + 2 * i, 3, "%02x", octets[i]);
}

/* All that it says of everybody is large with many peers: then only now and then, or when somebody is missed. */
static bool wants_whole(const struct peer_view *at) {
    const struct peers_known *k = &at->p->peers->known;
    bool amiss = false;
    for (size_t i = 0; i < k->count; i++)
        amiss |= k->peer[i].state == PEERS_PART || k->peer[i].state == PEERS_GONE;
    return k->count <= PEER_WHOLE_ALWAYS || amiss || at->rounds % PEER_WHOLE == 0;
}

/* Half of the way there and back is the age of the other clock's reading. */
static void note_clock(const struct peer_view *at, struct peers_peer *k, const struct http_result *r) {
    int64_t took_ms = r->took_us / 1000;
    if (took_ms > at->p->peers->known.interval_ms / 2 && k->offset_known)
        return; /* too slow to tell anything new */
    k->offset_known = true;
    k->offset_ms = k->view.wall_ms - (at->sent_wall_ms + took_ms / 2);
}

static int take(struct peer_view *at, const struct http_result *r, struct err *err) {
    struct peers_peer *k = peer_of(at);
    struct view v;
    int rc = peers_proved(at->p->peers->keys, at->peer, r->mac, &r->body, err);
    if (rc == 0)
        rc = view_read(&v, (const char *)r->body.at, r->body.size, k->conf->name, at->nonce, err);
    if (rc < 0)
        return rc;
    view_free(&k->view);
    k->view = v;
    k->heard_view = true;
    k->view_asked_ms = at->sent_ms;
    k->view_ms = clock_mono_ms();
    k->view_wall_ms = clock_wall_ms();
    phi_heard(&k->phi, k->view_ms);
    note_clock(at, k, r);
    peer_heard(at->p->peers, at->peer);
    return 0;
}

static void view_end(struct peer_view *at, bool hurry) {
    task_done(&at->task, hurry ? (int64_t)probe_hurry_ms(at->task.interval_ms) : -1);
}

static void fetched(void *ctx, const struct http_result *r) {
    struct peer_view *at = ctx;
    struct peer_probe *pp = at->p->peers;
    struct peers_peer *k = peer_of(at);
    struct err err = {.text = ""};
    int64_t now = clock_mono_ms(), lateness = prober_lateness(at->p) - at->lateness_ms;
    at->fetch = NULL;
    int rc = r->code == 0 ? take(at, r, &err) : err_set(&err, r->code, "%s", r->error);
    if (r->code == E_TIMEOUT && lateness > (int64_t)(r->took_us / 2000)) {
        pp->void_seen = true; /* the time was lost here */
        view_end(at, true);
        return;
    }
    at->path->lag_ms = (uint32_t)lateness;
    at->path->score = pp->known.summary.score;
    k->probe[PEERS_HTTP].done = true;
    k->probe[PEERS_HTTP].good = rc == 0;
    if (rc == 0) {
        (void)path_good(at->path, now);
        snprintf(at->path->came, sizeof(at->path->came), "view %llu of boot %s", (unsigned long long)k->view.sequence,
                 k->view.boot);
    } else {
        (void)path_failed(at->path, score_needed(at->path->score), err.text, now);
    }
    view_end(at, rc < 0 && at->path->fails < PEER_TIRED);
}

static void view_start(struct task *task) {
    struct peer_view *at = CONTAINER_OF(task, struct peer_view, task);
    const struct peers_known *k = &at->p->peers->known;
    char path[HTTP_PATH];
    struct err err = {.text = ""};
    new_nonce(at->nonce);
    snprintf(path, sizeof(path), "/peers?for=%.63s&nonce=%s%s%.63s", k->self, at->nonce,
             wants_whole(at) ? "" : "&about=", wants_whole(at) ? "" : k->self);
    at->rounds++;
    at->lateness_ms = prober_lateness(at->p);
    at->sent_wall_ms = clock_wall_ms();
    at->sent_ms = clock_mono_ms();
    uint32_t timeout = probe_timeout_ms(k->interval_ms);
    struct http_plan plan = {.server = peer_of(at)->conf->health,
                             .path = path,
                             .most = VIEW_BYTES,
                             .timeout_ms = score_patience_ms(k->summary.score, timeout, 2 * k->interval_ms),
                             .done = fetched,
                             .ctx = at};
    if (http_start(&at->fetch, at->p->loop, &plan, &err) < 0)
        task_done(task, -1); /* no descriptor or memory of our own: the check ages */
}

int peer_view_open(struct peer_probe *pp, size_t peer) {
    struct peers_peer *k = &pp->known.peer[peer];
    struct peer_node *n = &pp->node[peer];
    uint32_t interval = pp->known.interval_ms / PEER_FETCHES;
    struct peers_path *path = &k->path[k->paths++];
    path->addr = k->conf->health;
    path->by = SEEN_HTTP;
    addr_text(&path->addr, path->text);
    n->view = (struct peer_view){.p = pp->p, .peer = peer, .path = path};
    phi_open(&k->phi, interval);
    int rc = peer_check(pp->p, "health", k->conf->name, pp->known.interval_ms, &n->health_check);
    if (rc == 0)
        rc = peer_check(pp->p, "sees_us", k->conf->name, pp->known.interval_ms, &n->sees_check);
    if (rc == 0)
        rc = peer_check(pp->p, "agree", k->conf->name, pp->known.interval_ms, &n->agree_check);
    return rc == 0 ? prober_add(pp->p, &n->view.task, view_start, interval, false) : rc;
}

void peer_view_close(struct peer_probe *pp, size_t peer) {
    http_cancel(pp->node[peer].view.fetch);
    view_free(&pp->known.peer[peer].view);
}
