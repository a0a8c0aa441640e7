#include "health/web/fleet.h"

#include <stdlib.h>
#include <string.h>

#include "health/web/document.h"
#include "health/web/render.h"

enum { SHOWN_ZONES = 256 };

static void put_number(struct text *t, const char *key, int64_t n) { text_fmt(t, ",\"%s\":%lld", key, (long long)n); }

static void put_words(struct text *t, const char *key, const char *words) {
    text_fmt(t, ",\"%s\":", key);
    text_json(t, words);
}

static void put_state(struct text *t, const char *key, enum verdict_state s) {
    text_fmt(t, ",\"%s\":\"%s\"", key, verdict_state_name(s));
}

/* What is a moment of this process, on the clock of the wall. */
static int64_t wall_of(int64_t then_ms, int64_t mono_ms, int64_t wall_ms) { return wall_ms - (mono_ms - then_ms); }

static void put_self(struct text *t, const struct fleet *f, size_t i, int64_t mono_ms) {
    const struct watched *w = &f->watched[i];
    const struct fleet_node *n = &f->node[i];
    const char *comma = "";
    if (!w->heard_once && n->page == NULL)
        return;
    text_fmt(t, ",\"self\":{\"fresh\":%s", w->heard_once && !watched_is_silent(w, mono_ms) ? "true" : "false");
    if (w->heard_once) {
        put_state(t, "status", (enum verdict_state)w->last.overall);
        text_fmt(t, ",\"ready\":%s,\"boot\":\"%016llx\"", w->last.ready ? "true" : "false",
                 (unsigned long long)w->last.boot);
        put_number(t, "heardMs", w->heard_wall_ms);
        put_number(t, "sequence", (int64_t)w->last.sequence);
        put_words(t, "version", w->last.version);
        put_words(t, "cause", w->last.cause);
        text_put(t, ",\"scopes\":{");
        for (int s = 0; s < SCOPE_COUNT; s++)
            if (w->last.scope[s] < VERDICT_STATES) {
                text_fmt(t, "%s\"%s\":\"%s\"", comma, verdict_scope_name((enum verdict_scope)s),
                         verdict_state_name((enum verdict_state)w->last.scope[s]));
                comma = ",";
            }
        text_put(t, "}");
    }
    if (n->facts != NULL && n->facts->config_version >= 0)
        put_number(t, "configVersion", n->facts->config_version);
    if (n->page != NULL && n->page->detail != NULL)
        put_number(t, "detailMs", n->page->detail_ms);
    text_put(t, "}");
}

static void put_seen(struct text *t, const struct watched *w, int64_t mono_ms, int64_t wall_ms) {
    if (!w->asked && !w->pulled)
        return;
    text_put(t, ",\"seen\":{");
    if (w->asked)
        text_fmt(t, "\"answers\":%s", w->answers ? "true" : "false");
    if (w->asked && w->answered_ms != 0)
        put_number(t, "answeredMs", wall_of(w->answered_ms, mono_ms, wall_ms));
    if (w->pulled) {
        text_fmt(t, "%s\"health\":\"%s\"", w->asked ? "," : "", verdict_state_name(w->shows ? w->shown : VERDICT_FAIL));
        if (w->shows)
            text_fmt(t, ",\"ready\":%s", w->shows_ready ? "true" : "false");
        if (w->shown_ms != 0)
            put_number(t, "healthMs", wall_of(w->shown_ms, mono_ms, wall_ms));
    }
    text_put(t, "}");
}

static void put_node(struct text *t, const struct fleet *f, size_t i, int64_t mono_ms, int64_t wall_ms) {
    const struct watched *w = &f->watched[i];
    const struct fleet_node *n = &f->node[i];
    char words[EVIDENCE_CAME_MAX], no[EVIDENCE_CAME_MAX];
    enum verdict_state state = fleet_node_judge(f, i, f->cut_off, mono_ms, words, sizeof words);
    text_put(t, "{\"node\":");
    text_json(t, w->name);
    put_state(t, "state", state);
    if (n->since_ms != 0)
        put_number(t, "sinceMs", state == n->state ? n->since_ms : wall_ms);
    put_self(t, f, i, mono_ms);
    put_seen(t, w, mono_ms, wall_ms);
    text_fmt(t, ",\"peers\":{\"see\":%zu,\"miss\":%zu,\"of\":%zu}", w->peers_see, w->peers_miss, w->peers_of);
    put_number(t, "gaps", (int64_t)w->missed);
    put_state(t, "agree", watched_agree(w, mono_ms, no, sizeof no));
    put_words(t, "words", words);
    text_put(t, "}");
}

static void put_event(struct text *t, const struct fleet_event *from) {
    const struct event *e = &from->event;
    bool start = e->kind == EVENT_START;
    text_put(t, "{\"node\":");
    text_json(t, from->node);
    put_number(t, "sequence", (int64_t)e->sequence);
    text_fmt(t, ",\"boot\":\"%016llx\",\"kind\":\"%s\",\"scope\":\"%s\"", (unsigned long long)e->boot,
             event_kind_name((enum event_kind)e->kind),
             start || e->scope >= SCOPE_COUNT ? "" : verdict_scope_name((enum verdict_scope)e->scope));
    put_words(t, "what", e->what);
    text_fmt(t, ",\"from\":\"%s\",\"to\":\"%s\"",
             start || e->from >= VERDICT_STATES ? "" : verdict_state_name((enum verdict_state)e->from),
             start || e->to >= VERDICT_STATES ? "" : verdict_state_name((enum verdict_state)e->to));
    put_number(t, "wallMs", e->wall_ms);
    put_number(t, "seenMs", e->seen_wall_ms);
    put_words(t, "cause", e->cause);
    text_put(t, "}");
}

static void put_names(struct text *t, const char *key, const struct fleet *f, const uint16_t *list, size_t count) {
    text_fmt(t, ",\"%s\":[", key);
    for (size_t i = 0; i < count && i < FLEET_NAMED; i++) {
        text_put(t, i > 0 ? "," : "");
        text_json(t, f->watched[list[i]].name);
    }
    text_put(t, "]");
}

static void put_zone(struct text *t, const struct fleet *f, const struct fleet_zone *z) {
    text_put(t, "{\"zone\":");
    text_json(t, z->zone);
    put_state(t, "state", z->state);
    put_number(t, "nodes", (int64_t)z->nodes);
    text_put(t, ",\"serials\":{");
    for (size_t i = 0; i < z->serials; i++)
        text_fmt(t, "%s\"%u\":%zu", i > 0 ? "," : "", (unsigned)z->serial[i], z->have[i]);
    text_put(t, "}");
    put_names(t, "behind", f, z->lagging, z->lag);
    put_names(t, "differ", f, z->differing, z->differ);
    text_fmt(t, ",\"words\":\"%zu behind serial %u, %zu with other content\"}", z->lag, (unsigned)z->newest, z->differ);
}

static void put_zones(struct text *t, const struct fleet *f) {
    size_t shown = 0;
    for (int well = 0; well <= 1; well++)
        for (size_t i = 0; i < f->zones && shown < SHOWN_ZONES; i++) {
            const struct fleet_zone *z = &f->zone[i];
            if (z->nodes < 2 || (z->state == VERDICT_PASS) != (well == 1))
                continue;
            text_put(t, shown++ > 0 ? "," : "");
            put_zone(t, f, z);
        }
}

static void put_head(struct text *t, const struct snapshot_source *s, int64_t wall_ms) {
    text_put(t, "{\"v\":1,\"monitor\":");
    text_json(t, s->conf->node.name);
    put_number(t, "wallMs", wall_ms);
    put_number(t, "intervalMs", s->conf->health.interval.push_ms);
}

static void put_sums(struct text *t, const struct fleet *f) {
    size_t sums[VERDICT_STATES] = {0};
    for (size_t i = 0; i < f->count; i++)
        sums[f->node[i].state]++;
    text_fmt(t, ",\"cutOff\":%s,\"lost\":%zu,\"sums\":{", f->cut_off ? "true" : "false", f->lost);
    for (int i = 0; i < VERDICT_STATES; i++)
        text_fmt(t, "%s\"%s\":%zu", i > 0 ? "," : "", verdict_state_name((enum verdict_state)i), sums[i]);
    text_put(t, "}");
}

void render_fleet(struct fleet_shot *to, const struct snapshot_source *s, int64_t mono_ms, int64_t wall_ms) {
    const struct fleet *f = s->fleet;
    if (f == NULL || (to->of = calloc(f->count + 1, sizeof *to->of)) == NULL)
        return;
    to->present = true;
    put_head(&to->head, s, wall_ms);
    text_put(&to->events, "],\"events\":[");
    text_put(&to->zones, "],\"zones\":[");
    for (; to->count < f->count; to->count++) {
        size_t i = to->count, at;
        text_put(&to->nodes, i > 0 ? "," : "");
        at = to->nodes.size;
        put_node(&to->nodes, f, i, mono_ms, wall_ms);
        to->of[i].name = f->watched[i].name;
        to->of[i].at = at;
        to->of[i].size = to->nodes.size - at;
        to->of[i].page = fleet_page_ref(f->node[i].page);
    }
    const struct fleet_event *e;
    for (size_t back = 0; (e = fleet_event_at(f, back)) != NULL; back++) {
        text_put(&to->events, back > 0 ? "," : "");
        put_event(&to->events, e);
    }
    put_zones(&to->zones, f);
    text_put(&to->zones, "]}\n");
    put_sums(&to->sums, f);
    text_put(&to->sums, ",\"nodes\":[");
}

void fleet_shot_free(struct fleet_shot *f) {
    for (size_t i = 0; i < f->count; i++)
        fleet_page_unref(f->of[i].page);
    free(f->of);
    text_free(&f->head);
    text_free(&f->sums);
    text_free(&f->nodes);
    text_free(&f->events);
    text_free(&f->zones);
}

static void add(struct document *d, const char *at, size_t size) {
    if (size > 0)
        d->body[d->bodies++] = (struct bytes){(const uint8_t *)at, size};
}

static void one_node(struct document *d, const struct fleet_shot *f, size_t i) {
    const struct fleet_page *p = f->of[i].page;
    text_putn(&d->head, f->head.at, f->head.size);
    put_words(&d->head, "node", f->of[i].name);
    text_put(&d->head, ",\"is\":");
    text_putn(&d->head, f->nodes.at + f->of[i].at, f->of[i].size);
    if (p != NULL && p->detail != NULL) {
        put_number(&d->head, "detailMs", p->detail_ms);
        text_put(&d->head, ",\"detail\":");
        add(d, p->detail->json, p->detail->size);
    }
    text_put(&d->tail, ",\"events\":[");
    for (size_t k = 0; p != NULL && k < p->events; k++) {
        text_put(&d->tail, k > 0 ? "," : "");
        put_event(&d->tail, p->event[k]);
    }
    text_put(&d->tail, "]}\n");
}

bool document_fleet(struct document *d, const struct snapshot *s, const char *node) {
    const struct fleet_shot *f = &s->fleet;
    if (!f->present)
        return false;
    if (node == NULL) {
        add(d, f->head.at, f->head.size);
        add(d, f->sums.at, f->sums.size);
        add(d, f->nodes.at, f->nodes.size);
        add(d, f->events.at, f->events.size);
        add(d, f->zones.at, f->zones.size);
        return true;
    }
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->of[i].name, node) == 0) {
            one_node(d, f, i);
            return true;
        }
    return false;
}
