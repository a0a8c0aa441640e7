#include "health/web/detail.h"

#include <stdio.h>
#include <string.h>

#include "health/web/pulse.h"
#include "health/web/render.h"

static void number(struct text *t, const char *key, uint64_t n) {
    text_fmt(t, ",\"%s\":", key);
    text_digits(t, n, 1);
}

/* Left out when it is not known. */
static void moment(struct text *t, const char *key, int64_t wall_ms) {
    if (wall_ms > 0)
        number(t, key, (uint64_t)wall_ms);
}

static void words(struct text *t, const char *key, const char *what) {
    text_fmt(t, ",\"%s\":", key);
    text_json(t, what);
}

static void state(struct text *t, const char *key, enum verdict_state s) {
    text_fmt(t, ",\"%s\":\"%s\"", key, verdict_state_name(s));
}

static void put_scopes(struct text *t, const struct verdict_book *b) {
    const char *between = "";
    text_put(t, ",\"scopes\":{");
    for (int i = 0; i < SCOPE_COUNT; i++) {
        const struct verdict_scope_state *s = &b->scope[i];
        if (!s->present)
            continue;
        text_fmt(t, "%s\"%s\":{\"state\":\"%s\"", between, verdict_scope_name((enum verdict_scope)i),
                 verdict_state_name(s->state));
        moment(t, "sinceMs", s->changed_wall_ms);
        if (s->state != VERDICT_PASS && s->cause < b->count) {
            char label[CHECK_ID_MAX + 64], came[EVIDENCE_CAME_MAX + 64];
            words(t, "check", verdict_label(&b->checks[s->cause], label, sizeof label));
            words(t, "cause", verdict_words(&b->checks[s->cause], came, sizeof came));
        }
        text_put(t, "}");
        between = ",";
    }
    text_put(t, "}");
}

static enum verdict_state worker_state(const struct verdict_book *b, unsigned worker) {
    char id[24];
    enum verdict_state s = VERDICT_UNKNOWN;
    bool any = false;
    (void)snprintf(id, sizeof id, "worker %u", worker);
    for (size_t i = 0; i < b->count; i++)
        if (b->checks[i].scope == SCOPE_WORKER && strcmp(b->checks[i].id, id) == 0) {
            s = any ? verdict_worse(s, b->checks[i].shown) : b->checks[i].shown;
            any = true;
        }
    return s;
}

static void put_workers(struct text *t, const struct snapshot_source *s, int64_t mono_ms) {
    uint64_t count = board_get(&s->board->worker_count);
    text_put(t, ",\"workers\":[");
    for (unsigned i = 0; i < count && i < LIMIT_WORKERS; i++) {
        const struct board_worker *w = &s->board->worker[i];
        uint64_t queries = 0, beat = board_get(&w->heartbeat_ms);
        for (int p = 0; p < PROTO_COUNT; p++)
            for (int f = 0; f < FAMILY_COUNT; f++)
                queries += board_get(&w->queries[p][f]);
        text_fmt(t, "%s{\"worker\":%u,\"boot\":\"%016llx\"", i > 0 ? "," : "", i,
                 (unsigned long long)board_get(&w->boot));
        state(t, "state", worker_state(s->book, i));
        if (beat > 0 && (int64_t)beat <= mono_ms)
            number(t, "heartbeatMs", (uint64_t)mono_ms - beat);
        number(t, "lagUs", board_get(&w->loop_lag_us));
        moment(t, "answeredMs", s->tally->worker_answer_wall_ms[i]);
        number(t, "restarts", board_get(&w->restarts_died) + board_get(&w->restarts_hung));
        number(t, "queries", queries);
        text_put(t, "}");
    }
    text_put(t, "]");
}

static void put_probe(struct text *t, const struct verdict_check *c) {
    char came[EVIDENCE_CAME_MAX + 64];
    uint64_t transitions = 0;
    for (int i = 0; i < VERDICT_STATES; i++)
        transitions += c->transitions[i];
    text_fmt(t, "{\"scope\":\"%s\",\"check\":\"%s:%s\"", verdict_scope_name(c->scope), c->component, c->measurement);
    words(t, "id", c->id);
    state(t, "state", c->shown);
    moment(t, "sinceMs", c->changed_wall_ms);
    moment(t, "atMs", c->evidence.wall_ms);
    if (c->evidence.unit != NULL && c->evidence.value > -1e15 && c->evidence.value < 1e15) {
        text_fmt(t, ",\"value\":%.6g", c->evidence.value);
        words(t, "unit", c->evidence.unit);
    }
    if (c->evidence.took_us > 0)
        number(t, "tookUs", (uint64_t)c->evidence.took_us);
    number(t, "transitions", transitions);
    if (c->shown != VERDICT_PASS)
        words(t, "came", verdict_words(c, came, sizeof came));
    text_put(t, "}");
}

/* What does not pass comes first: it stays when there are too many. */
static void put_probes(struct text *t, const struct verdict_book *b) {
    size_t put = 0;
    text_put(t, ",\"probes\":[");
    for (int passing = 0; passing <= 1; passing++)
        for (size_t i = 0; i < b->count && put < DETAIL_PROBES; i++) {
            const struct verdict_check *c = &b->checks[i];
            if (c->scope == SCOPE_COUNT || (c->shown == VERDICT_PASS) != (passing == 1))
                continue;
            text_put(t, put++ > 0 ? "," : "");
            put_probe(t, c);
        }
    text_put(t, "]");
}

static void put_zone(struct text *t, const char *name, const struct board_zone *z) {
    static const char *const states[] = {"loading", "serving", "refused",   "bad source",
                                         "expired", "error",   "not stored"};
    char digest[2 * sizeof z->digest + 1];
    for (size_t i = 0; i < sizeof z->digest; i++)
        (void)snprintf(digest + 2 * i, 3, "%02x", z->digest[i]);
    text_put(t, "{\"zone\":");
    text_json(t, name);
    words(t, "state", states[z->state < ARRAY_SIZE(states) ? z->state : ARRAY_SIZE(states) - 2]);
    number(t, "serial", (uint32_t)z->serial);
    if (z->source_known != 0)
        number(t, "sourceSerial", (uint32_t)z->source_serial);
    number(t, "entries", z->entries);
    moment(t, "checkedMs", z->checked_wall_ms > 0 ? (int64_t)z->checked_wall_ms : (int64_t)z->last_check_wall_s * 1000);
    moment(t, "changedMs", (int64_t)z->last_change_wall_s * 1000);
    moment(t, "expiresMs", (int64_t)z->expires_wall_s * 1000);
    words(t, "digest", digest);
    text_put(t, "}");
}

static void put_zones(struct text *t, const struct snapshot_source *s, int64_t wall_ms) {
    size_t put = 0;
    text_put(t, ",\"zones\":[");
    for (size_t i = 0; i < s->conf->rbl.zone_count && put < DETAIL_ZONES; i++) {
        struct board_zone z;
        struct replica r;
        if (!snapshot_replica(s, i, wall_ms, &z, &r))
            continue;
        text_put(t, put++ > 0 ? "," : "");
        put_zone(t, s->conf->rbl.zones[i].name, &z);
    }
    text_put(t, "]");
}

/* This node's own view of the ways to a peer. */
static void put_sight(struct text *t, const struct matrix *m, const char *name) {
    int to = matrix_find(m, name);
    text_put(t, ",\"sees\"");
    if (to >= 0)
        render_ways(t, m, 0, (size_t)to);
    else
        text_put(t, ":{}");
}

static void put_peers(struct text *t, const struct peers_known *k, int64_t mono_ms) {
    static const char *const states[] = {"unknown", "well", "in part", "gone"};
    text_put(t, ",\"peers\":[");
    for (size_t i = 0; k != NULL && i < k->count; i++) {
        const struct peers_peer *p = &k->peer[i];
        text_fmt(t, "%s{\"peer\":", i > 0 ? "," : "");
        text_json(t, p->conf->name);
        words(t, "state", states[(unsigned)p->state < ARRAY_SIZE(states) ? p->state : 0]);
        moment(t, "heardMs", p->heard_wall_ms);
        text_fmt(t, ",\"phi\":%.3g", phi_now(&p->phi, mono_ms));
        if (peer_is_fresh(k, p, mono_ms))
            text_fmt(t, ",\"says\":\"%s\",\"ready\":%s", verdict_state_name(p->view.status),
                     p->view.ready ? "true" : "false");
        put_sight(t, &k->matrix, p->conf->name);
        text_fmt(t, ",\"disagrees\":%s}", p->disagrees ? "true" : "false");
    }
    text_put(t, "]");
}

void upstream_sum(struct upstream_sum *to, const struct board *b, size_t u) {
    *to = (struct upstream_sum){.last_success_wall_s = 0};
    for (int w = 0; w < LIMIT_WORKERS; w++) {
        const struct board_worker *at = &b->worker[w];
        for (int r = 0; r < UPSTREAM_RESULT_COUNT; r++)
            to->results[r] += board_get(&at->upstream[u].queries[0][r]) + board_get(&at->upstream[u].queries[1][r]);
        uint64_t last = board_get(&at->upstream[u].last_success_wall_s);
        to->last_success_wall_s = last > to->last_success_wall_s ? last : to->last_success_wall_s;
    }
}

static void put_upstreams(struct text *t, const struct snapshot_source *s) {
    struct addr list[LIMIT_UPSTREAMS];
    size_t count = conf_upstreams(s->conf, list, LIMIT_UPSTREAMS);
    text_put(t, ",\"upstreams\":[");
    for (size_t u = 0; u < count && u < LIMIT_UPSTREAMS; u++) {
        char address[ADDR_TEXT_MAX];
        struct upstream_sum sum;
        uint64_t queries = 0;
        upstream_sum(&sum, s->board, u);
        addr_text(&list[u], address);
        for (int r = 0; r < UPSTREAM_RESULT_COUNT; r++)
            queries += sum.results[r];
        text_fmt(t, "%s{\"upstream\":", u > 0 ? "," : "");
        text_json(t, address);
        for (size_t i = 0; i < s->book->count; i++) {
            const struct verdict_check *c = &s->book->checks[i];
            if (c->scope != SCOPE_UPSTREAM || strcmp(c->measurement, "answers") != 0 || strcmp(c->id, address) != 0)
                continue;
            text_fmt(t, ",\"up\":%s", c->shown == VERDICT_PASS || c->shown == VERDICT_WARN ? "true" : "false");
            if (c->evidence.took_us > 0)
                number(t, "rttUs", (uint64_t)c->evidence.took_us);
            break;
        }
        number(t, "queries", queries);
        number(t, "failures", queries - sum.results[UPSTREAM_OK]);
        moment(t, "lastSuccessMs", (int64_t)sum.last_success_wall_s * 1000);
        text_put(t, "}");
    }
    text_put(t, "]");
}

static void put_sender(struct text *t, const struct sender_target *m) {
    text_put(t, "{\"kind\":\"monitor\",\"address\":");
    text_json(t, m->address);
    words(t, "name", m->monitor);
    moment(t, "ackedMs", m->acked_wall_ms);
    number(t, "delivered", m->results[SENDER_ACKNOWLEDGED]);
    number(t, "failed", m->results[SENDER_SILENT] + m->results[SENDER_REFUSED]);
    words(t, "trouble", m->trouble);
    text_put(t, "}");
}

static void put_sink(struct text *t, const char *kind, const char *address, const struct sink_news *n) {
    text_fmt(t, "{\"kind\":\"%s\",\"address\":", kind);
    text_json(t, address);
    moment(t, "ackedMs", n->delivered_wall_ms);
    number(t, "delivered", n->results[SINK_DELIVERED]);
    number(t, "failed", n->results[SINK_FAILED]);
    number(t, "waiting", n->waiting);
    number(t, "eventsWaiting", n->events_waiting);
    moment(t, "oldestMs", n->oldest_wall_ms);
    number(t, "dropped", n->dropped);
    number(t, "eventsDropped", n->events_dropped);
    words(t, "trouble", n->trouble);
    text_put(t, "}");
}

static void put_monitors(struct text *t, const struct snapshot_source *s) {
    size_t put = 0, targets = s->sender != NULL ? sender_count(s->sender) : 0;
    text_put(t, ",\"monitors\":[");
    for (size_t i = 0; i < targets; i++) {
        text_put(t, put++ > 0 ? "," : "");
        put_sender(t, sender_target(s->sender, i));
    }
    for (size_t i = 0; s->sinks != NULL && i < s->sinks->count; i++) {
        text_put(t, put++ > 0 ? "," : "");
        put_sink(t, s->sinks->at[i].kind, s->sinks->at[i].address, sink_news(s->sinks->at[i].sink));
    }
    text_put(t, "]");
}

/* Of the last minute, and how many since the node was started. */
static void put_traffic(struct text *t, const struct snapshot_source *s) {
    struct pulse_sample w;
    if (s->pulse == NULL || !pulse_window(s->pulse, PULSE_WINDOW, &w))
        return;
    double half = pulse_percentile_us(&w, SOURCE_COUNT, 0.5), most = pulse_percentile_us(&w, SOURCE_COUNT, 0.99);
    text_fmt(t, ",\"traffic\":{\"perSecond\":%.1f", pulse_rate(&w, w.queries));
    if (half >= 0)
        text_fmt(t, ",\"p50Us\":%.0f,\"p99Us\":%.0f", half, most);
    number(t, "queries", w.queries);
    number(t, "servfail", w.servfail);
    number(t, "dropped", w.dropped);
    text_put(t, "}");
}

static void put_head(struct text *t, const struct snapshot_source *s, uint64_t sequence, int64_t wall_ms) {
    size_t first;
    text_put(t, "{\"v\":1,\"node\":");
    text_json(t, s->conf->node.name);
    if (s->config != NULL)
        number(t, "configVersion", s->config->version);
    text_fmt(t, ",\"version\":\"%s\",\"boot\":\"%016llx\"", CANDOR_VERSION,
             (unsigned long long)board_get(&s->board->process[ROLE_HEALTH].boot));
    number(t, "sequence", sequence);
    number(t, "wallMs", (uint64_t)wall_ms);
    number(t, "intervalMs", s->conf->health.interval.local_ms);
    state(t, "status", s->book->overall);
    text_fmt(t, ",\"ready\":%s", verdict_ready(s->book, &first) ? "true" : "false");
}

struct detail *detail_render(const struct snapshot_source *from, uint64_t sequence, int64_t mono_ms, int64_t wall_ms) {
    struct text t = {.at = NULL};
    struct replica_links links = {0};
    struct snapshot_source with_links = *from, *s = &with_links;
    s->links = replica_links_read(&links, s->board) == 0 ? &links : NULL;
    put_head(&t, s, sequence, wall_ms);
    put_scopes(&t, s->book);
    put_workers(&t, s, mono_ms);
    put_probes(&t, s->book);
    put_zones(&t, s, wall_ms);
    put_peers(&t, s->peers, mono_ms);
    put_upstreams(&t, s);
    put_monitors(&t, s);
    put_traffic(&t, s);
    text_put(&t, "}\n");
    replica_links_free(&links);
    struct detail *d = t.failed ? NULL : detail_make(t.at, t.size);
    text_free(&t);
    return d;
}
