#include "health/peers/known.h"

#include <stdlib.h>
#include <string.h>

#include "resolver/base/bytes.h"

enum { LAG_LEAST_MS = 200 };

const char *peers_probe_name(enum peers_probe p) {
    static const char *const names[PEERS_PROBES] = {"udp", "tcp", "health", "resolution", "point", "large"};
    return (unsigned)p < PEERS_PROBES ? names[p] : "?";
}

bool path_good(struct peers_path *p, int64_t now_ms) {
    bool changed = p->state != SEEN_GOOD;
    if (changed || p->fails > 0 || p->since_ms == 0)
        p->since_ms = now_ms;
    p->state = SEEN_GOOD;
    p->fails = 0;
    p->good_ms = p->asked_ms = now_ms;
    p->failed_ms = 0;
    p->confirmed = false;
    return changed;
}

bool path_failed(struct peers_path *p, unsigned patience, const char *came, int64_t now_ms) {
    enum seen_state was = p->state;
    p->fails += p->fails < UINT16_MAX;
    p->asked_ms = now_ms;
    text_copy(p->came, sizeof(p->came), came);
    if (p->fails >= patience)
        p->state = SEEN_BAD;
    if (p->state == SEEN_BAD && was != SEEN_BAD) {
        p->failed_ms = now_ms;
        p->since_ms = 0;
    }
    return p->state != was;
}

struct span path_span(const struct peers_path *p) {
    if (p->state == SEEN_GOOD)
        return (struct span){.since_ms = p->since_ms, .last_ms = p->good_ms};
    return (struct span){.since_ms = p->failed_ms, .last_ms = p->asked_ms};
}

bool peer_is_fresh(const struct peers_known *k, const struct peers_peer *p, int64_t now_ms) {
    return p->heard_view && !p->view.stale && p->view.age_ms <= VERDICT_AGE_INTERVALS * k->interval_ms &&
           now_ms - p->view_ms <= VERDICT_AGE_INTERVALS * (int64_t)k->interval_ms;
}

/* Two thirds of a try: who lost as much to itself has not waited. A busy machine's tenth of a second is no doubt. */
static uint32_t lag_doubted_ms(const struct peers_known *k) {
    uint32_t ms = k->interval_ms / 5;
    return ms > LAG_LEAST_MS ? ms : LAG_LEAST_MS;
}

bool peer_is_believed(const struct peers_known *k, const struct peers_peer *p, const struct seen *s) {
    return !p->view.cut_off && s->score < SCORE_DOUBTED && p->view.score < SCORE_DOUBTED &&
           s->lag_ms < lag_doubted_ms(k) && s->ago_ms <= VERDICT_AGE_INTERVALS * k->interval_ms;
}

bool peers_any_heard(const struct peers_known *k, int64_t since_ms) {
    for (size_t i = 0; i < k->count; i++)
        if (k->peer[i].heard_ms >= since_ms && k->peer[i].heard_ms != 0)
            return true;
    return false;
}

struct span peer_saw(const struct peers_peer *p, const struct seen *s) {
    return (struct span){.since_ms = p->view_ms - p->view.age_ms - s->for_ms,
                         .last_ms = p->view_asked_ms - p->view.age_ms - s->ago_ms};
}

bool quorum_is_lost(size_t configured, size_t heard) { return configured >= 2 && heard * 2 < configured; }

static enum peers_state state_of(const struct peers_peer *p) {
    size_t good = 0, bad = 0;
    for (size_t i = 0; i < p->paths; i++) {
        good += p->path[i].state == SEEN_GOOD;
        bad += p->path[i].state == SEEN_BAD;
    }
    if (good + bad == 0)
        return PEERS_UNKNOWN;
    return good == 0 ? PEERS_GONE : bad > 0 ? PEERS_PART : PEERS_WELL;
}

static void count_word(struct peers_known *k, const struct peers_peer *p) {
    bool sees = false, misses = false;
    for (size_t i = 0; i < p->view.count; i++) {
        const struct seen *s = &p->view.seen[i];
        if (s->by == SEEN_HTTP || s->state == SEEN_UNKNOWN || strcmp(s->node, k->self) != 0)
            continue;
        sees = true;
        misses |= s->state == SEEN_BAD && peer_is_believed(k, p, s);
    }
    k->summary.see_us += sees;
    k->summary.miss_us += misses;
}

/* By none of its ways, in the newest round: for the quorum, where this node doubts itself, that is enough. */
static bool is_missed(const struct peers_peer *p) {
    unsigned most = 0;
    for (size_t i = 0; i < p->paths; i++) {
        if (p->path[i].fails == 0)
            return false;
        most = p->path[i].fails > most ? p->path[i].fails : most;
    }
    return most >= SCORE_FALL;
}

void peers_judge_heard(struct peers_known *k) {
    struct peers_summary *s = &k->summary;
    unsigned known = 0, missed = 0;
    s->heard = 0;
    for (size_t i = 0; i < k->count; i++) {
        struct peers_peer *p = &k->peer[i];
        bool is = is_missed(p);
        p->state = state_of(p);
        missed += is;
        known += is || p->state != PEERS_UNKNOWN;
        s->heard += !is && (p->state == PEERS_WELL || p->state == PEERS_PART);
    }
    k->decided |= known == k->count; /* at the start nobody was heard yet: that is no loss */
    s->cut_off = missed > 0 && k->decided && quorum_is_lost(k->count, k->count - missed);
    k->visible = k->count > 0 ? (double)s->heard / (double)k->count : 1;
    for (size_t i = 0; i < k->count && s->cut_off; i++)
        k->peer[i].state = PEERS_UNKNOWN;
}

static void matrix_own(struct peers_known *k) {
    for (size_t i = 0; i < k->count; i++) {
        const struct peers_peer *p = &k->peer[i];
        int to = matrix_node(&k->matrix, p->conf->name);
        for (size_t n = 0; to >= 0 && n < p->paths && !k->summary.cut_off; n++)
            matrix_put(&k->matrix, 0, (size_t)to, p->path[n].by, addr_family(&p->path[n].addr) == AF_INET6,
                       p->path[n].state, path_span(&p->path[n]));
    }
}

static void matrix_other(struct peers_known *k, const struct peers_peer *p) {
    int from = matrix_find(&k->matrix, p->conf->name);
    for (size_t i = 0; from >= 0 && i < p->view.count; i++) {
        const struct seen *s = &p->view.seen[i];
        int to = matrix_find(&k->matrix, s->node); /* whom nobody here knows is nobody's concern */
        if (to >= 0 && (s->state != SEEN_BAD || peer_is_believed(k, p, s)))
            matrix_put(&k->matrix, (size_t)from, (size_t)to, s->by, s->ip6, s->state, peer_saw(p, s));
    }
}

static int by_size(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Of two in the middle the smaller: one wrong clock of two is no reason to doubt this node's. */
static int64_t middle(const int64_t *sorted, size_t n) {
    int64_t low = sorted[(n - 1) / 2], high = sorted[n / 2];
    return llabs(low) < llabs(high) ? low : high;
}

static void judge_clock(struct peers_known *k, int64_t now_ms) {
    int64_t offset[LIMIT_PEERS];
    size_t n = 0;
    for (size_t i = 0; i < k->count; i++)
        if (k->peer[i].offset_known && peer_is_fresh(k, &k->peer[i], now_ms))
            offset[n++] = k->peer[i].offset_ms;
    qsort(offset, n, sizeof(offset[0]), by_size);
    k->clock_known = n > 0;
    k->clock_ms = n == 0 ? 0 : middle(offset, n);
}

void peers_judge(struct peers_known *k, int64_t now_ms) {
    k->summary = (struct peers_summary){.configured = (unsigned)k->count, .score = k->summary.score};
    peers_judge_heard(k);
    matrix_reset(&k->matrix);
    (void)matrix_node(&k->matrix, k->self);
    matrix_own(k);
    for (size_t i = 0; i < k->count; i++) {
        const struct peers_peer *p = &k->peer[i];
        if (!peer_is_fresh(k, p, now_ms))
            continue;
        k->summary.ready += p->view.ready;
        count_word(k, p);
        if (!p->view.cut_off)
            matrix_other(k, p);
    }
    judge_clock(k, now_ms);
}

/* Another node has had an answer there since: what it had before proves nothing. */
static bool contradicted(const struct peers_known *k, const struct peers_peer *accused, const struct peers_path *path,
                         int64_t now_ms) {
    for (size_t i = 0; i < k->count; i++) {
        const struct peers_peer *p = &k->peer[i];
        if (p == accused || !peer_is_fresh(k, p, now_ms))
            continue;
        for (size_t n = 0; n < p->view.count; n++) {
            const struct seen *s = &p->view.seen[n];
            if (s->state == SEEN_GOOD && s->by == path->by && spans_meet(peer_saw(p, s), path_span(path)) &&
                strcmp(s->address, path->text) == 0 && strcmp(s->node, accused->conf->name) == 0)
                return true;
        }
    }
    return false;
}

unsigned peers_unconfirmed(struct peers_known *k, int64_t now_ms) {
    unsigned count = 0;
    for (size_t i = 0; i < k->count; i++)
        for (size_t n = 0; n < k->peer[i].paths; n++) {
            struct peers_path *path = &k->peer[i].path[n];
            if (path->state != SEEN_BAD || path->confirmed || !contradicted(k, &k->peer[i], path, now_ms))
                continue;
            path->confirmed = true;
            count++;
        }
    return count;
}
