/* Peers: what is known of each and who sees whom, for /health; and this node's own view, which peers fetch. */
#include <string.h>

#include "health/web/document.h"
#include "health/web/render.h"

static const char *const states[] = {"unknown", "well", "in part", "gone"};

static uint32_t ago(int64_t then_ms, int64_t now_ms) {
    int64_t ms = now_ms - then_ms;
    return then_ms == 0 || ms > UINT32_MAX ? UINT32_MAX : ms < 0 ? 0 : (uint32_t)ms;
}

static void put_path(struct text *t, const struct peers_path *p, int64_t mono_ms) {
    struct span span = path_span(p);
    text_put(t, "{\"to\":");
    text_json(t, p->text);
    text_fmt(t, ",\"by\":\"%s\",\"state\":\"%s\",\"ago\":%u,\"for\":%u,\"lag\":%u,\"score\":%u,\"came\":",
             seen_by_name(p->by), seen_state_name(p->state), ago(span.last_ms, mono_ms), ago(span.since_ms, mono_ms),
             p->lag_ms, p->score);
    text_json(t, p->came);
    text_put(t, "}");
}

static void put_paths(struct text *t, const struct peers_peer *p, int64_t mono_ms) {
    text_put(t, "[");
    for (size_t i = 0; i < p->paths; i++) {
        text_put(t, i > 0 ? "," : "");
        put_path(t, &p->path[i], mono_ms);
    }
    text_put(t, "]");
}

static void put_word(struct text *t, const struct view *v) {
    text_fmt(t, ",\"says\":{\"status\":\"%s\",\"ready\":%s,\"cutOff\":%s,\"score\":%u,\"lag\":%u,\"output\":",
             verdict_state_name(v->status), v->ready ? "true" : "false", v->cut_off ? "true" : "false", v->score,
             v->lag_ms);
    text_json(t, v->cause);
    text_put(t, "}");
}

static void put_peer(struct text *t, const struct peers_known *k, const struct peers_peer *p, int64_t mono_ms) {
    text_fmt(t, ":{\"state\":\"%s\",\"phi\":%.3g,\"disagrees\":%s", states[p->state], phi_now(&p->phi, mono_ms),
             p->disagrees ? "true" : "false");
    if (p->heard_wall_ms > 0) {
        text_put(t, ",\"heard\":\"");
        text_time(t, p->heard_wall_ms);
        text_put(t, "\"");
    }
    if (p->offset_known)
        text_fmt(t, ",\"clockOffset\":%.3f", (double)p->offset_ms / 1000);
    if (!p->has_health)
        text_put(t, ",\"health\":\"none is configured: its DNS port alone is asked\"");
    if (peer_is_fresh(k, p, mono_ms))
        put_word(t, &p->view);
    text_put(t, ",\"paths\":");
    put_paths(t, p, mono_ms);
    text_put(t, "}");
}

void render_peers(struct text *t, const struct snapshot_source *s, int64_t mono_ms) {
    for (size_t i = 0; s->peers != NULL && i < s->peers->count; i++) {
        text_put(t, i > 0 ? "," : "");
        text_json(t, s->peers->peer[i].conf->name);
        put_peer(t, s->peers, &s->peers->peer[i], mono_ms);
    }
}

/* --- who sees whom */

void render_ways(struct text *t, const struct matrix *m, size_t from, size_t to) {
    const char *between = "";
    text_put(t, ":{");
    for (int by = 0; by < SEEN_WAYS; by++)
        for (int ip6 = 0; ip6 < MATRIX_FAMILIES; ip6++) {
            enum seen_state s = matrix_get(m, from, to, (enum seen_by)by, ip6 != 0);
            if (s == SEEN_UNKNOWN)
                continue;
            text_fmt(t, "%s\"%s/%s\":\"%s\"", between, seen_by_name((enum seen_by)by), ip6 ? "ip6" : "ip4",
                     seen_state_name(s));
            between = ",";
        }
    text_put(t, "}");
}

static void put_row(struct text *t, const struct matrix *m, size_t from) {
    const char *between = "";
    text_json(t, m->name[from]);
    text_put(t, ":{");
    for (size_t to = 0; to < m->count; to++) {
        if (from == to || matrix_sees(m, from, to) == SEEN_UNKNOWN)
            continue;
        text_put(t, between);
        text_json(t, m->name[to]);
        render_ways(t, m, from, to);
        between = ",";
    }
    text_put(t, "}");
}

void render_matrix(struct text *t, const struct snapshot_source *s) {
    if (s->peers == NULL)
        return;
    const struct peers_summary *sum = &s->peers->summary;
    text_fmt(t,
             "\"heard\":%u,\"of\":%u,\"ready\":%u,\"seeUs\":%u,\"missUs\":%u,\"cutOff\":%s,\"score\":%u,\"matrix\":{",
             sum->heard, sum->configured, sum->ready, sum->see_us, sum->miss_us, sum->cut_off ? "true" : "false",
             sum->score);
    for (size_t from = 0; from < s->peers->matrix.count; from++) {
        text_put(t, from > 0 ? "," : "");
        put_row(t, &s->peers->matrix, from);
    }
    text_put(t, "}");
}

/* --- the view that peers fetch */

/* How it is itself: what it finds of its peers and of the nodes that it watches is theirs, or each would be red because
 * of the others. */
static enum verdict_state own_status(const struct snapshot *s, const char **cause) {
    enum verdict_state worst = VERDICT_PASS;
    bool any = false;
    *cause = "";
    for (int i = 0; i < SCOPE_COUNT; i++) {
        const struct snapshot_scope *at = &s->scope[i];
        if (!at->present || i == SCOPE_PEERS || i == SCOPE_MONITOR)
            continue;
        any = true;
        if (verdict_worse(worst, at->state) != worst) {
            worst = at->state;
            *cause = at->cause;
        }
    }
    return any ? worst : VERDICT_UNKNOWN;
}

void render_view(struct snapshot_view *v, const struct snapshot_source *s, const struct snapshot *whole) {
    const struct board_process *own = &s->board->process[ROLE_HEALTH];
    const char *cause;
    enum verdict_state status = own_status(whole, &cause);
    text_fmt(&v->head,
             ",\"sequence\":%llu,\"status\":\"%s\",\"ready\":%s,\"cutOff\":%s,\"score\":%u,\"lag\":%llu,\"cause\":",
             (unsigned long long)whole->sequence, verdict_state_name(status), whole->ready ? "true" : "false",
             s->peers != NULL && s->peers->summary.cut_off ? "true" : "false",
             s->peers != NULL ? s->peers->summary.score : 0, (unsigned long long)(board_get(&own->loop_lag_us) / 1000));
    text_json(&v->head, cause);
    for (size_t i = 0; s->peers != NULL && i < s->peers->count; i++) {
        const struct peers_peer *p = &s->peers->peer[i];
        text_put(&v->seen, i > 0 ? "," : "");
        size_t begin = v->seen.size;
        text_json(&v->seen, p->conf->name);
        text_put(&v->seen, ":");
        put_paths(&v->seen, p, whole->mono_ms);
        v->of[i].at = begin;
        v->of[i].size = v->seen.size - begin;
        v->count = i + 1;
    }
}

static struct bytes part_of(const struct snapshot_view *v, const struct conf *conf, const char *about) {
    if (about == NULL)
        return (struct bytes){(const uint8_t *)v->seen.at, v->seen.size};
    for (size_t i = 0; i < v->count && i < conf->health.peer_count; i++)
        if (strcmp(conf->health.peers[i].name, about) == 0 && v->seen.at != NULL)
            return (struct bytes){(const uint8_t *)v->seen.at + v->of[i].at, v->of[i].size};
    return (struct bytes){NULL, 0};
}

void document_peers(struct document *d, const struct snapshot *s, const struct conf *conf, uint64_t boot,
                    const struct peers_asked *asked, int64_t mono_ms, int64_t wall_ms) {
    bool stale = s == NULL || snapshot_is_stale(s, mono_ms);
    int64_t age = s == NULL ? UINT32_MAX : mono_ms - s->mono_ms;
    *d = (struct document){.state = VERDICT_PASS};
    text_put(&d->head, "{\"nonce\":");
    text_json(&d->head, asked->nonce);
    text_put(&d->head, ",\"node\":");
    text_json(&d->head, conf->node.name);
    text_fmt(&d->head, ",\"boot\":\"%llx\",\"now\":%lld,\"stale\":%s,\"age\":%lld", (unsigned long long)boot,
             (long long)wall_ms, stale ? "true" : "false", (long long)(age > 0 ? age : 0));
    if (!stale) {
        struct bytes part = part_of(&s->view, conf, asked->about);
        text_putn(&d->head, s->view.head.at, s->view.head.size);
        text_put(&d->head, ",\"peers\":{");
        if (part.size > 0)
            d->body[d->bodies++] = part;
        text_put(&d->tail, "}");
    }
    text_put(&d->tail, "}\n");
}
