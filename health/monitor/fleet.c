#include "health/monitor/fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "resolver/base/bytes.h"

enum { CLOCK_BACK_MS = 300000 };

static void event_unref(struct fleet_event *e) {
    if (e != NULL && __atomic_sub_fetch(&e->refs, 1, __ATOMIC_ACQ_REL) == 0)
        free(e);
}

static struct fleet_event *event_ref(struct fleet_event *e) {
    __atomic_add_fetch(&e->refs, 1, __ATOMIC_RELAXED);
    return e;
}

struct fleet_page *fleet_page_ref(struct fleet_page *p) {
    if (p != NULL)
        __atomic_add_fetch(&p->refs, 1, __ATOMIC_RELAXED);
    return p;
}

void fleet_page_unref(struct fleet_page *p) {
    if (p == NULL || __atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    detail_unref(p->detail);
    for (size_t i = 0; i < p->events; i++)
        event_unref(p->event[i]);
    free(p);
}

int fleet_open(struct fleet **out, const struct conf *conf, int64_t mono_ms, struct err *err) {
    const struct conf_health *h = &conf->health;
    struct fleet *f = calloc(1, sizeof *f);
    size_t count = h->monitor.node_count < LIMIT_NODES ? h->monitor.node_count : LIMIT_NODES;
    *out = NULL;
    if (f != NULL) {
        f->conf = conf;
        f->index = node_index_make(conf);
        f->watched = calloc(count + 1, sizeof *f->watched);
        f->node = calloc(count + 1, sizeof *f->node);
    }
    if (f == NULL || f->index == NULL || f->watched == NULL || f->node == NULL) {
        fleet_close(f);
        return err_set(err, E_NOMEM, "no memory for %zu nodes", count);
    }
    for (f->count = 0; f->count < count; f->count++) {
        f->watched[f->count] = (struct watched){
            .name = h->monitor.nodes[f->count].name, .push_ms = h->interval.push_ms, .since_ms = mono_ms};
        f->node[f->count] = (struct fleet_node){.state = VERDICT_UNKNOWN};
    }
    *out = f;
    return 0;
}

void fleet_close(struct fleet *f) {
    if (f == NULL)
        return;
    for (size_t i = 0; i < f->count; i++) {
        fleet_page_unref(f->node[i].page);
        facts_free(f->node[i].facts);
        facts_free(f->node[i].sights);
    }
    for (size_t i = 0; i < FLEET_EVENTS; i++)
        event_unref(f->event[i]);
    for (size_t i = 0; i < f->zones; i++)
        free(f->zone[i].zone);
    free(f->zone);
    free(f->node);
    free(f->watched);
    node_index_free(f->index);
    free(f);
}

const struct fleet_event *fleet_event_at(const struct fleet *f, size_t back) {
    return back < FLEET_EVENTS && back < f->events ? f->event[(f->events - 1 - back) % FLEET_EVENTS] : NULL;
}

static struct fleet_event *event_make(const char *node, const struct event *from) {
    struct fleet_event *e = malloc(sizeof *e);
    if (e == NULL)
        return NULL;
    e->refs = 1;
    e->event = *from;
    text_copy(e->node, sizeof e->node, node);
    return e;
}

/* The page that is to come: what the old one had, and room for more. */
static struct fleet_page *page_like(const struct fleet_page *old) {
    struct fleet_page *p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    p->refs = 1;
    if (old == NULL)
        return p;
    p->detail = detail_ref(old->detail);
    p->detail_ms = old->detail_ms;
    for (; p->events < old->events; p->events++)
        p->event[p->events] = event_ref(old->event[p->events]);
    return p;
}

static void page_add(struct fleet_page *p, struct fleet_event *e) {
    if (p->events == FLEET_PAGE_EVENTS)
        event_unref(p->event[--p->events]);
    for (size_t i = p->events; i > 0; i--)
        p->event[i] = p->event[i - 1];
    p->event[0] = event_ref(e);
    p->events++;
}

/* What came before is passed over: deliveries are repeated when their acknowledgement was lost. */
static void take_events(struct fleet *f, struct fleet_node *n, struct fleet_page *p, const struct intake *i) {
    for (size_t k = 0; k < i->events; k++) {
        const struct event *from = &i->event[k];
        bool known = n->events > 0 && from->sequence <= n->event && from->wall_ms <= n->event_ms;
        struct fleet_event *e = known ? NULL : event_make(i->name, from);
        if (e == NULL)
            continue;
        page_add(p, e);
        event_unref(f->event[f->events % FLEET_EVENTS]);
        f->event[f->events++ % FLEET_EVENTS] = e;
        n->event = from->sequence;
        n->event_ms = from->wall_ms;
        n->events++;
    }
}

/* An older one came late, or was played again. */
static bool is_older(const struct fleet_node *n, const struct facts *facts, int64_t mono_ms) {
    return n->facts != NULL && facts->wall_ms < n->facts->wall_ms && mono_ms - n->facts_ms < CLOCK_BACK_MS;
}

static void take_detail(struct fleet *f, struct fleet_node *n, struct fleet_page *p, struct intake *i,
                        int64_t mono_ms) {
    if (i->detail == NULL || i->facts == NULL || is_older(n, i->facts, mono_ms))
        return;
    detail_unref(p->detail);
    p->detail = detail_ref(i->detail);
    p->detail_ms = i->came_ms;
    facts_free(n->facts);
    n->facts = i->facts;
    n->facts_ms = mono_ms;
    i->facts = NULL;
    f->changed = true;
}

void fleet_take(struct fleet *f, struct intake *i, int64_t mono_ms, int64_t wall_ms) {
    size_t at = i->node != SIZE_MAX ? i->node : node_index_find(f->index, i->name);
    if (at >= f->count) { /* a node that was taken out of the configuration */
        intake_free(i);
        return;
    }
    struct fleet_node *n = &f->node[at];
    if (i->has_report && !i->taken)
        (void)watched_report(&f->watched[at], &i->report, mono_ms, wall_ms);
    struct fleet_page *p = i->events > 0 || i->detail != NULL ? page_like(n->page) : NULL;
    if (p != NULL) {
        take_events(f, n, p, i);
        take_detail(f, n, p, i, mono_ms);
        fleet_page_unref(n->page);
        n->page = p;
    }
    intake_free(i);
}

void fleet_see(struct fleet *f, size_t node, struct facts *sights, int64_t mono_ms) {
    facts_free(f->node[node].sights);
    f->node[node].sights = sights;
    f->node[node].sights_ms = mono_ms;
}

/* Whom it sees, by whatever is fresh; NULL: that is not known. */
static const struct facts *sights_of(const struct fleet *f, size_t i, int64_t mono_ms) {
    const struct fleet_node *n = &f->node[i];
    int64_t patience = FLEET_FRESH_INTERVALS * (int64_t)f->conf->health.interval.push_ms;
    if (n->facts != NULL && mono_ms - n->facts_ms <= patience && !watched_is_silent(&f->watched[i], mono_ms))
        return n->facts;
    return n->sights != NULL && mono_ms - n->sights_ms <= patience ? n->sights : NULL;
}

void fleet_sights(struct fleet *f, int64_t mono_ms) {
    for (size_t i = 0; i < f->count; i++)
        f->watched[i].peers_see = f->watched[i].peers_miss = f->watched[i].peers_of = 0;
    for (size_t i = 0; i < f->count; i++) {
        const struct facts *facts = sights_of(f, i, mono_ms);
        for (size_t k = 0; facts != NULL && k < facts->peers; k++) {
            size_t at = node_index_find(f->index, facts->peer[k].peer);
            if (at >= f->count || at == i)
                continue;
            f->watched[at].peers_of++;
            f->watched[at].peers_see += facts->peer[k].sight == FACTS_WELL;
            f->watched[at].peers_miss += facts->peer[k].sight == FACTS_GONE;
        }
    }
}

/* Of a node whose word is not taken in. */
static enum verdict_state judge_seen(const struct watched *w, char *to, size_t size) {
    bool mute = w->asked && !w->answers, dark = w->pulled && !w->shows;
    if (mute || dark) {
        snprintf(to, size, mute ? "it does not answer here" : "its health port does not answer here");
        return VERDICT_FAIL;
    }
    if (!w->asked && !w->pulled) {
        snprintf(to, size, "not asked yet");
        return VERDICT_UNKNOWN;
    }
    snprintf(to, size, "its reports are not taken in; it %s%s%s", w->asked ? "answers" : "",
             w->asked && w->pulled ? ", and " : "", w->pulled ? "its health port shows: " : "");
    if (w->pulled)
        snprintf(to + strlen(to), size - strlen(to), "%s", verdict_state_name(w->shown));
    return !w->pulled ? VERDICT_PASS : w->shown == VERDICT_UNKNOWN ? VERDICT_FAIL : w->shown;
}

enum verdict_state fleet_node_judge(const struct fleet *f, size_t node, bool cut_off, int64_t mono_ms, char *to,
                                    size_t size) {
    const struct watched *w = &f->watched[node];
    char no[EVIDENCE_CAME_MAX];
    if (cut_off && watched_is_lost(w, mono_ms)) {
        snprintf(to, size, "not known: this monitor is cut off from most nodes");
        return VERDICT_UNKNOWN;
    }
    if (w->unreported)
        return judge_seen(w, to, size);
    enum verdict_state says = watched_judge(w, mono_ms, to, size), agree = watched_agree(w, mono_ms, no, sizeof no);
    if (agree == VERDICT_FAIL || (agree == VERDICT_WARN && says == VERDICT_PASS)) {
        snprintf(to, size, "%s", no);
        return agree;
    }
    if (w->asked && !w->answers && says != VERDICT_FAIL) {
        snprintf(to, size, "it does not answer here");
        return VERDICT_FAIL;
    }
    if (!w->asked)
        return verdict_worse(says, VERDICT_UNKNOWN);
    return w->answers ? says : VERDICT_FAIL;
}
