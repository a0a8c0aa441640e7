/* What has come of peers so far, ten times an interval: the score of this node's own lateness, quorum, matrix, clock,
 * and each peer's word on this node, into the book. */
#include <stdio.h>

#include "health/peers/judge.h"
#include "health/probe/peer.h"
#include "resolver/base/clock.h"

void peer_tell(struct prober *p, int check, enum verdict_state s, struct evidence *e) {
    if (check == PEER_NO_CHECK || s == VERDICT_UNKNOWN)
        return;
    if (e->wall_ms == 0)
        e->wall_ms = clock_wall_ms();
    (void)prober_result(p, (size_t)check, s, e);
}

/* Failures in a row were counted already: an accusation need not wait for more of them, nor one that is taken back. */
static bool tell_path(struct peer_probe *pp, const struct peer_path *at, struct evidence *e, int64_t now) {
    const struct peers_peer *k = &pp->known.peer[at->peer];
    enum verdict_state s = judge_path(&pp->known, k, &k->path[at->path], now, e->came, sizeof(e->came));
    bool undecided = s != VERDICT_UNKNOWN && prober_result(pp->p, (size_t)at->check, s, e);
    unsigned more = s == VERDICT_FAIL ? pp->p->book.fall : s == VERDICT_WARN ? pp->p->book.rise : 0;
    bool was_fail = pp->p->book.checks[at->check].settled == VERDICT_FAIL;
    for (unsigned i = 0; undecided && (s == VERDICT_FAIL || was_fail) && i < more; i++)
        undecided = prober_result(pp->p, (size_t)at->check, s, e);
    return undecided;
}

bool peer_tell_path(struct peer_probe *pp, const struct peer_path *at, struct evidence *e) {
    int64_t now = clock_mono_ms();
    peers_judge_heard(&pp->known);
    return tell_path(pp, at, e, now);
}

/* This node is the one that is cut off: what it said of others just before is taken back. */
static void take_back(struct peer_probe *pp, int64_t now) {
    for (size_t i = 0; i < pp->known.count; i++)
        for (size_t n = 0; n < pp->node[i].paths; n++) {
            const struct peer_path *at = &pp->node[i].path[n];
            struct evidence e = pp->p->book.checks[at->check].evidence;
            if (pp->known.peer[i].path[at->path].fails > 0)
                (void)tell_path(pp, at, &e, now);
        }
}

static void score_round(struct peer_probe *pp, int64_t now) {
    struct peers_summary *s = &pp->known.summary;
    if (now - pp->score_ms < (int64_t)pp->known.interval_ms / PEER_FETCHES)
        return;
    struct score_round r = {.late = pp->void_seen || prober_late(pp->p, pp->score_ms),
                            .unconfirmed = peers_unconfirmed(&pp->known, now),
                            .well = pp->well};
    s->score = score_next(s->score, &r);
    pp->void_seen = pp->well = false;
    pp->score_ms = now;
}

static void judge_common(struct peer_probe *pp) {
    struct peers_known *k = &pp->known;
    struct evidence quorum = {.asked = "who is heard at all", .value = k->visible, .unit = "ratio"};
    struct evidence matrix = {.asked = "who sees whom"};
    struct evidence clock = {
        .asked = "the clocks of peers", .value = (double)k->clock_ms / 1000, .unit = k->clock_known ? "s" : NULL};
    enum verdict_state s = judge_quorum_words(k, quorum.came, sizeof(quorum.came));
    peer_tell(pp->p, pp->quorum_check, s, &quorum);
    s = judge_matrix(k, matrix.came, sizeof(matrix.came));
    peer_tell(pp->p, pp->matrix_check, s, &matrix);
    s = judge_clocks(k, clock.came, sizeof(clock.came));
    peer_tell(pp->p, pp->clock_check, s, &clock);
}

static const char *why_not_ready(const struct verdict_book *b, bool ready, size_t cause, char *to, size_t size) {
    char label[CHECK_ID_MAX + 64];
    to[0] = '\0';
    if (!ready && cause < b->count)
        snprintf(to, size, "%.60s: %.60s", verdict_label(&b->checks[cause], label, sizeof(label)),
                 b->checks[cause].evidence.came);
    return to;
}

static void judge_one(struct peer_probe *pp, size_t i, int64_t now) {
    struct peers_peer *k = &pp->known.peer[i];
    const struct peer_node *n = &pp->node[i];
    struct evidence e = {.asked = "its health port", .unit = NULL};
    char why[160];
    size_t cause;
    bool ready = verdict_ready(&pp->p->book, &cause);
    addr_text(&k->conf->health, e.server);
    e.tcp = true;
    enum verdict_state s = judge_health(&pp->known, k, now, e.came, sizeof(e.came));
    peer_tell(pp->p, n->health_check, s, &e);
    text_copy(e.asked, sizeof(e.asked), "its health port: what it gets from this node");
    s = judge_sees_us(&pp->known, k, now, e.came, sizeof(e.came));
    peer_tell(pp->p, n->sees_check, s, &e);
    text_copy(e.asked, sizeof(e.asked), "its health port: whether it finds this node as this node finds itself");
    (void)why_not_ready(&pp->p->book, ready, cause, why, sizeof(why));
    s = judge_agree(&pp->known, k, ready, why, now, e.came, sizeof(e.came));
    peer_tell(pp->p, n->agree_check, s, &e);
}

void peer_judge_start(struct task *task) {
    struct peer_probe *pp = CONTAINER_OF(task, struct peer_probe, task);
    int64_t now = clock_mono_ms();
    peers_judge(&pp->known, now);
    score_round(pp, now);
    if (pp->known.summary.cut_off && !pp->cut_off)
        take_back(pp, now);
    if (pp->known.summary.cut_off != pp->cut_off)
        pp->p->book.revision++; /* to be published at once */
    pp->cut_off = pp->known.summary.cut_off;
    /* What was not taken in yet is no silence of anybody. */
    if (!prober_late(pp->p, now - (int64_t)task->interval_ms)) {
        judge_common(pp);
        for (size_t i = 0; i < pp->known.count; i++)
            if (pp->known.peer[i].has_health)
                judge_one(pp, i, now);
    }
    task_done(task, -1);
}
