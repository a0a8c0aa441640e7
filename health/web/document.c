#include "health/web/document.h"

#include <stdio.h>
#include <string.h>

/* Nothing when it has not come yet. */
static void put_moment(struct text *t, const char *key, int64_t wall_ms) {
    if (wall_ms <= 0)
        return;
    text_fmt(t, ",\"%s\":\"", key);
    text_time(t, wall_ms);
    text_put(t, "\"");
}

static void piece(struct document *d, const char *s, size_t size) {
    if (size > 0 && d->bodies < DOCUMENT_BODIES)
        d->body[d->bodies++] = (struct bytes){(const uint8_t *)s, size};
}

static void put_text(struct document *d, const struct text *t) { piece(d, t->at, t->size); }

static double age_s(const struct snapshot *s, int64_t mono_ms) { return (double)(mono_ms - s->mono_ms) / 1000; }

static void open_json(struct document *d, enum verdict_state state, const char *node, const char *what,
                      int64_t wall_ms) {
    d->state = state;
    text_fmt(&d->head,
             "{\"status\":\"%s\",\"version\":\"1\",\"releaseId\":\"%s\",\"serviceId\":", verdict_state_name(state),
             CANDOR_VERSION);
    text_json(&d->head, node);
    text_put(&d->head, ",\"description\":");
    text_json(&d->head, what);
    text_put(&d->head, ",\"time\":\"");
    text_time(&d->head, wall_ms);
    text_put(&d->head, "\"");
}

static void say_stale(struct document *d, const struct snapshot *s, int64_t mono_ms) {
    if (s == NULL)
        text_put(&d->head, ",\"output\":\"nothing was judged yet\"");
    else
        text_fmt(&d->head, ",\"output\":\"the prober has published nothing for %.1f s: nothing is known\"",
                 age_s(s, mono_ms));
}

static void put_scope(struct text *t, const struct snapshot_scope *c, bool stale) {
    text_fmt(t, "{\"status\":\"%s\"", verdict_state_name(stale ? VERDICT_UNKNOWN : c->state));
    if (c->cause[0] != '\0' && !stale) {
        text_put(t, ",\"output\":");
        text_json(t, c->cause);
    }
    put_moment(t, "time", c->evaluated_wall_ms);
    put_moment(t, "since", c->changed_wall_ms);
    put_moment(t, "failingSince", c->failing_since_wall_ms);
    text_put(t, ",\"transitions\":{");
    for (int i = 0; i < VERDICT_STATES; i++)
        text_fmt(t, "%s\"%s\":%llu", i > 0 ? "," : "", verdict_state_name((enum verdict_state)i),
                 (unsigned long long)c->transitions[i]);
    text_put(t, "}}");
}

static void put_scopes(struct document *d, const struct snapshot *s, int scope, bool stale) {
    const char *between = "";
    text_put(&d->head, ",\"scopes\":{");
    for (int i = 0; i < SCOPE_COUNT; i++) {
        if (!s->scope[i].present || (scope != SCOPE_COUNT && scope != i))
            continue;
        text_fmt(&d->head, "%s\"%s\":", between, verdict_scope_name((enum verdict_scope)i));
        put_scope(&d->head, &s->scope[i], stale);
        between = ",";
    }
    text_put(&d->head, "}");
}

static void say_cause(struct document *d, const struct snapshot *s, int scope) {
    for (int i = 0; i < SCOPE_COUNT; i++) {
        const struct snapshot_scope *c = &s->scope[i];
        bool wanted = c->present && (scope == SCOPE_COUNT || scope == i);
        if (!wanted || c->state != d->state || c->cause[0] == '\0')
            continue;
        text_put(&d->head, ",\"output\":");
        text_json(&d->head, c->cause);
        return;
    }
}

/* `head` is a literal: the document keeps its place. */
static void put_group(struct document *d, const char *head, const struct text *body) {
    if (body->size == 0)
        return;
    piece(d, head, strlen(head));
    put_text(d, body);
}

void document_health(struct document *d, const struct snapshot *s, const char *node, int scope, int64_t mono_ms,
                     int64_t wall_ms) {
    bool stale = s == NULL || snapshot_is_stale(s, mono_ms);
    char what[64];
    *d = (struct document){0};
    snprintf(what, sizeof(what), scope == SCOPE_COUNT ? "health of a Candor node" : "health of a Candor node: %s",
             scope == SCOPE_COUNT ? "" : verdict_scope_name((enum verdict_scope)scope));
    open_json(d,
              stale                  ? VERDICT_UNKNOWN
              : scope == SCOPE_COUNT ? s->overall
                                     : s->scope[scope].state,
              node, what, wall_ms);
    if (stale)
        say_stale(d, s, mono_ms);
    else if (scope != SCOPE_COUNT && !s->scope[scope].present)
        text_put(&d->head, ",\"output\":\"this node has no checks of this scope\"");
    else
        say_cause(d, s, scope);
    if (s != NULL) {
        text_fmt(&d->head, ",\"sequence\":%llu,\"ageMs\":%lld", (unsigned long long)s->sequence,
                 (long long)(mono_ms - s->mono_ms));
        put_scopes(d, s, scope, stale);
    }
    text_put(&d->head, ",\"checks\":{");
    for (int i = 0; !stale && i < SCOPE_COUNT; i++) {
        if (s->checks[i].size == 0 || (scope != SCOPE_COUNT && scope != i))
            continue;
        if (d->bodies > 0)
            piece(d, ",", 1);
        put_text(d, &s->checks[i]);
    }
    if (!stale && (scope == SCOPE_COUNT || scope == SCOPE_ZONES)) {
        put_group(d, "},\"zones\":{", &s->kept);
        put_group(d, "},\"asked\":{", &s->asked);
    }
    if (!stale && (scope == SCOPE_COUNT || scope == SCOPE_REPLICATION))
        put_group(d, "},\"replication\":{", &s->replica);
    if (!stale && (scope == SCOPE_COUNT || scope == SCOPE_PEERS)) {
        put_group(d, "},\"peers\":{", &s->peers);
        put_group(d, "},\"seen\":{", &s->matrix);
    }
    if (!stale && (scope == SCOPE_COUNT || scope == SCOPE_RESOLUTION))
        put_group(d, "},\"lived\":{", &s->lived);
    if (!stale && scope == SCOPE_COUNT)
        put_group(d, "},\"availability\":{", &s->availability);
    text_put(&d->tail, "}}\n");
}

void document_ready(struct document *d, const struct snapshot *s, const char *node, int64_t mono_ms, int64_t wall_ms) {
    bool stale = s == NULL || snapshot_is_stale(s, mono_ms);
    *d = (struct document){0};
    open_json(d,
              stale      ? VERDICT_UNKNOWN
              : s->ready ? VERDICT_PASS
                         : VERDICT_FAIL,
              node, "every worker answers on the DNS port, every zone is loaded, served and not expired", wall_ms);
    if (stale)
        say_stale(d, s, mono_ms);
    if (!stale && !s->ready) {
        text_put(&d->head, ",\"output\":");
        text_json(&d->head, s->ready_cause[0] != '\0' ? s->ready_cause : "nothing that readiness could be judged by");
    }
    text_put(&d->tail, "}\n");
}

static void put_loop(struct document *d, const char *name, unsigned index, int64_t age_ms, bool started, bool *first) {
    bool good = started && age_ms <= LIVE_MAX_MS;
    text_put(&d->tail, *first ? "" : ",");
    *first = false;
    text_fmt(&d->tail, "{\"componentId\":\"%s", name);
    if (index != UINT32_MAX)
        text_fmt(&d->tail, " %u", index);
    text_fmt(&d->tail, "\",\"status\":\"%s\"", good ? "pass" : "fail");
    if (started)
        text_fmt(&d->tail, ",\"observedValue\":%.3f,\"observedUnit\":\"s\"}", (double)age_ms / 1000);
    else
        text_put(&d->tail, ",\"output\":\"never started\"}");
    if (!good)
        d->state = VERDICT_FAIL;
}

void document_live(struct document *d, const struct board *b, const char *node, int64_t mono_ms, int64_t wall_ms) {
    static const char *const names[ROLE_COUNT] = {"candor", "candor-resolver", "candor-sync", "candor-health"};
    uint64_t workers = board_get(&b->worker_count);
    bool first = true;
    *d = (struct document){.state = VERDICT_PASS};
    for (int i = 0; i < ROLE_COUNT; i++) {
        const struct board_process *p = &b->process[i];
        bool started = board_get(&p->boot) != 0;
        if (started || i != ROLE_SUPERVISOR)
            put_loop(d, names[i], UINT32_MAX, mono_ms - (int64_t)board_get(&p->heartbeat_ms), started, &first);
    }
    for (unsigned w = 0; w < workers && w < LIMIT_WORKERS; w++)
        put_loop(d, "worker", w, mono_ms - (int64_t)board_get(&b->worker[w].heartbeat_ms),
                 board_get(&b->worker[w].boot) != 0, &first);
    open_json(d, d->state, node, "every event loop turned within five seconds", wall_ms);
    text_put(&d->head, ",\"checks\":{\"loop:heartbeat\":[");
    text_put(&d->tail, "]}}\n");
}

void document_run(struct document *d, const struct snapshot *s, uint64_t number, int64_t mono_ms) {
    bool known = s != NULL && s->run.number >= number;
    bool last = known && s->run.number == number, done = known && (!last || s->run.ended_wall_ms > 0);
    *d = (struct document){.state = !done || snapshot_is_stale(s, mono_ms) ? VERDICT_UNKNOWN : s->overall};
    struct text *t = &d->head;
    text_fmt(t, "{\"run\":%llu,\"state\":\"%s\"", (unsigned long long)number, done ? "done" : "pending");
    if (last && !done)
        text_fmt(t, ",\"waiting\":%zu", s->run.waiting);
    put_moment(t, "began", last ? s->run.began_wall_ms : 0);
    put_moment(t, "ended", last ? s->run.ended_wall_ms : 0);
    text_fmt(t, ",\"status\":\"%s\"", verdict_state_name(d->state));
    if (s != NULL)
        text_fmt(t, ",\"sequence\":%llu,\"ageMs\":%lld", (unsigned long long)s->sequence,
                 (long long)(mono_ms - s->mono_ms));
    text_put(t, "}\n");
}

void document_free(struct document *d) {
    text_free(&d->head);
    text_free(&d->tail);
    *d = (struct document){0};
}
