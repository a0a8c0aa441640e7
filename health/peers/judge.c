#include "health/peers/judge.h"

#include <stdio.h>
#include <string.h>

#include "resolver/base/bytes.h"

enum { LIST_SHOWN = 3 }; /* addresses named in one sentence */

static double seconds(int64_t ms) { return (double)ms / 1000; }

enum verdict_state judge_path(const struct peers_known *k, const struct peers_peer *p, const struct peers_path *path,
                              int64_t now_ms, char *came, size_t size) {
    const char *name = p->conf->name;
    if (path->asked_ms == 0)
        return VERDICT_UNKNOWN;
    if (path->state == SEEN_GOOD && path->fails == 0) {
        snprintf(came, size, "%.63s answers: %s", name, path->came);
        return VERDICT_PASS;
    }
    if (k->summary.cut_off) {
        snprintf(came, size, "%s; this node is cut off, so that says nothing of %.63s", path->came, name);
        return VERDICT_WARN;
    }
    if (path->state != SEEN_BAD) {
        snprintf(came, size, "%s: %u of %u failures that make it one%s", path->came, path->fails,
                 score_needed(k->summary.score), k->summary.score > 0 ? "; this node is late itself" : "");
        return VERDICT_WARN;
    }
    /* The way to all of them may be closed: whoever is accused, somebody was heard since it went silent. */
    if (k->count >= 2 && !peers_any_heard(k, path->failed_ms)) {
        snprintf(came, size, "%s; nobody was heard since, so it may be this node's own fault", path->came);
        return VERDICT_WARN;
    }
    snprintf(came, size, "%.63s: %s, for %.1f s (%s)", name, path->came, seconds(now_ms - path->failed_ms),
             p->state == PEERS_GONE ? "nothing of it is heard" : "it is heard on other ways");
    return VERDICT_FAIL;
}

static const struct peers_path *health_path(const struct peers_peer *p) {
    for (size_t i = 0; i < p->paths; i++)
        if (p->path[i].by == SEEN_HTTP)
            return &p->path[i];
    return NULL;
}

static enum verdict_state judge_silent(const struct peers_known *k, const struct peers_peer *p,
                                       const struct peers_path *path, int64_t now_ms, char *came, size_t size) {
    double phi = phi_now(&p->phi, now_ms);
    const char *how = k->summary.cut_off       ? "this node is cut off"
                      : p->state == PEERS_GONE ? "its DNS port does not answer either"
                                               : "its DNS port answers";
    snprintf(came, size, "its health port: %s; %s (phi %.1f)", path->came, how, phi);
    if (p->state != PEERS_GONE || path->state != SEEN_BAD)
        return VERDICT_WARN;
    /* Nothing of it is heard: until that is beyond doubt it is left at what was said last. */
    return phi >= PHI_DEAD || p->phi.last_ms == 0 ? VERDICT_FAIL : VERDICT_UNKNOWN;
}

enum verdict_state judge_health(const struct peers_known *k, const struct peers_peer *p, int64_t now_ms, char *came,
                                size_t size) {
    const struct peers_path *path = health_path(p);
    const struct view *v = &p->view;
    if (path == NULL || path->asked_ms == 0)
        return VERDICT_UNKNOWN;
    if (path->fails > 0 && (path->state == SEEN_BAD || !peer_is_fresh(k, p, now_ms)))
        return judge_silent(k, p, path, now_ms, came, size);
    if (!p->heard_view)
        return VERDICT_UNKNOWN;
    if (v->stale || v->age_ms > VERDICT_AGE_INTERVALS * k->interval_ms) {
        snprintf(came, size, "its health port answers, its prober has said nothing for %.1f s", seconds(v->age_ms));
        return VERDICT_WARN;
    }
    snprintf(came, size, "says %s, %s%s%.120s%s", verdict_state_name(v->status), v->ready ? "ready" : "not ready",
             v->cause[0] != '\0' ? ": " : "", v->cause, v->cut_off ? "; it is cut off by its own word" : "");
    bool fine = v->status == VERDICT_PASS || v->status == VERDICT_WARN;
    return fine && v->ready ? VERDICT_PASS : VERDICT_WARN;
}

/* What one peer says of our addresses. */
struct word {
    unsigned good, bad, doubted, unknown;
    bool health_bad;
    char list[160]; /* the first of those without an answer */
};

static void add_to_list(struct word *w, const struct seen *s) {
    size_t n = strlen(w->list);
    if (w->bad + w->doubted <= LIST_SHOWN)
        snprintf(w->list + n, sizeof(w->list) - n, "%s%s over %s", n > 0 ? ", " : "", s->address, seen_by_name(s->by));
}

static struct word word_of(const struct peers_known *k, const struct peers_peer *p) {
    struct word w = {.list = ""};
    for (size_t i = 0; i < p->view.count; i++) {
        const struct seen *s = &p->view.seen[i];
        if (strcmp(s->node, k->self) != 0)
            continue;
        if (s->by == SEEN_HTTP) {
            w.health_bad |= s->state == SEEN_BAD;
        } else if (s->state == SEEN_BAD) {
            bool believed = peer_is_believed(k, p, s);
            w.bad += believed;
            w.doubted += !believed;
            add_to_list(&w, s);
        } else {
            w.good += s->state == SEEN_GOOD;
            w.unknown += s->state == SEEN_UNKNOWN;
        }
    }
    return w;
}

static enum verdict_state not_heard(const struct peers_known *k, const struct peers_peer *p, int64_t now_ms, char *came,
                                    size_t size) {
    const struct peers_path *path = health_path(p);
    if (path == NULL || path->asked_ms == 0 || (!p->heard_view && path->fails < score_needed(k->summary.score)))
        return VERDICT_UNKNOWN;
    if (!p->heard_view)
        snprintf(came, size, "%.63s was never heard: what it gets of this node is not known", p->conf->name);
    else if (now_ms - p->view_ms < (int64_t)VERDICT_AGE_INTERVALS * k->interval_ms)
        snprintf(came, size, "%.63s has asked nobody for %.1f s, by its own word", p->conf->name,
                 seconds(p->view.age_ms));
    else
        snprintf(came, size, "%.63s was not heard for %.1f s: what it gets of this node is not known", p->conf->name,
                 seconds(now_ms - p->view_ms));
    return VERDICT_WARN;
}

enum verdict_state judge_sees_us(const struct peers_known *k, const struct peers_peer *p, int64_t now_ms, char *came,
                                 size_t size) {
    const char *name = p->conf->name;
    if (!peer_is_fresh(k, p, now_ms))
        return not_heard(k, p, now_ms, came, size);
    struct word w = word_of(k, p);
    if (p->view.cut_off) {
        snprintf(came, size, "%.63s says that it is cut off: its word on others is not taken", name);
        return VERDICT_WARN;
    }
    if (w.bad > 0) {
        snprintf(came, size, "%.63s gets no right answer from %s%s; from %u other%s it does", name, w.list,
                 w.bad + w.doubted > LIST_SHOWN ? " and more" : "", w.good, w.good == 1 ? "" : "s");
        return VERDICT_FAIL;
    }
    if (w.doubted > 0) {
        snprintf(came, size, "%.63s gets no answer from %s, and is late itself (lag %u ms, score %u): not believed",
                 name, w.list, p->view.lag_ms, p->view.score);
        return VERDICT_WARN;
    }
    if (w.good + w.unknown == 0) {
        snprintf(came, size, "%.63s does not ask a node called %.63s: is it in its health.peers?", name, k->self);
        return VERDICT_WARN;
    }
    if (w.good == 0)
        return VERDICT_UNKNOWN;
    snprintf(came, size, "%.63s gets right answers from %u way%s to this node%s", name, w.good, w.good == 1 ? "" : "s",
             w.health_bad ? ", and none from its health port" : "");
    return w.health_bad ? VERDICT_WARN : VERDICT_PASS;
}

enum verdict_state judge_agree(const struct peers_known *k, struct peers_peer *p, bool ready, const char *why,
                               int64_t now_ms, char *came, size_t size) {
    p->disagrees = false;
    if (!peer_is_fresh(k, p, now_ms) || p->view.cut_off)
        return VERDICT_UNKNOWN;
    struct word w = word_of(k, p);
    if (w.bad + w.good == 0)
        return VERDICT_UNKNOWN;
    p->disagrees = ready ? w.bad > 0 : w.bad == 0;
    if (!p->disagrees)
        snprintf(came, size, ready ? "both: it answers" : "both: something is wrong here");
    else if (ready)
        snprintf(came, size, "this node finds itself ready, %.63s gets no right answer from %s", p->conf->name, w.list);
    else
        snprintf(came, size, "%.63s gets right answers, this node finds itself not ready: %.120s", p->conf->name, why);
    return !p->disagrees ? VERDICT_PASS : ready ? VERDICT_FAIL : VERDICT_WARN;
}

enum verdict_state judge_quorum_words(const struct peers_known *k, char *came, size_t size) {
    const struct peers_summary *s = &k->summary;
    if (!k->decided && !s->cut_off)
        return VERDICT_UNKNOWN;
    snprintf(came, size, "%u of %u peers are heard%s", s->heard, s->configured,
             s->cut_off ? ": most are gone at once, so this node is the one that is cut off, and accuses nobody" : "");
    return s->cut_off ? VERDICT_FAIL : VERDICT_PASS;
}

enum verdict_state judge_matrix(const struct peers_known *k, char *came, size_t size) {
    struct matrix_fault f;
    size_t count;
    if (!k->decided)
        return VERDICT_UNKNOWN;
    if (!matrix_fault(&k->matrix, &f, &count)) {
        snprintf(came, size, "nobody is kept from anybody whom others reach");
        return VERDICT_PASS;
    }
    matrix_words(&k->matrix, &f, came, size);
    /* Between two others it is worth knowing, and no fault of this node. */
    return f.from == 0 || f.to == 0 ? VERDICT_FAIL : VERDICT_WARN;
}

enum verdict_state judge_clocks(const struct peers_known *k, char *came, size_t size) {
    int64_t off = k->clock_ms < 0 ? -k->clock_ms : k->clock_ms;
    if (!k->clock_known)
        return VERDICT_UNKNOWN;
    snprintf(came, size, "the clocks of peers are %.3f s %s of this one (median)%s", seconds(off),
             k->clock_ms < 0 ? "behind" : "ahead",
             off > PEERS_CLOCK_WARN_MS    ? ": signed messages fail at 300 s"
             : off > PEERS_CLOCK_NOTED_MS ? ": more than two seconds, worth a look"
                                          : "");
    return off > PEERS_CLOCK_WARN_MS ? VERDICT_WARN : VERDICT_PASS;
}
