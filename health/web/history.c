/* What happened, and how available the node was: /history, and `availability` in /health. */
#include "health/web/document.h"
#include "health/web/render.h"

static void put_time(struct text *t, const char *key, int64_t wall_ms) {
    if (wall_ms <= 0)
        return;
    text_fmt(t, ",\"%s\":\"", key);
    text_time(t, wall_ms);
    text_put(t, "\"");
}

static void put_words(struct text *t, const char *key, const char *words) {
    text_fmt(t, ",\"%s\":", key);
    text_json(t, words);
}

static void put_event(struct text *t, const struct event *e) {
    text_fmt(t, "{\"number\":%llu,\"kind\":\"%s\",\"boot\":\"%016llx\"", (unsigned long long)e->sequence,
             event_kind_name((enum event_kind)e->kind), (unsigned long long)e->boot);
    put_time(t, "time", e->wall_ms);
    put_time(t, "firstSeen", e->seen_wall_ms);
    if (e->kind != EVENT_START)
        text_fmt(t, ",\"scope\":\"%s\"", verdict_scope_name(e->scope));
    if (e->what[0] != '\0')
        put_words(t, e->kind == EVENT_START ? "event" : "check", e->what);
    if (e->kind != EVENT_START)
        text_fmt(t, ",\"from\":\"%s\",\"to\":\"%s\"", verdict_state_name(e->from), verdict_state_name(e->to));
    put_words(t, "cause", e->cause);
    text_put(t, "}");
}

static bool wanted(const struct event *e, const struct history_query *q) {
    return e->sequence > q->since && (q->before == 0 || e->sequence < q->before) &&
           (q->scope == SCOPE_COUNT || (e->kind != EVENT_START && e->scope == q->scope));
}

/* `before` of the next page stands behind them when there are more. */
static void put_events(struct text *t, const struct event_list *l, const struct history_query *q) {
    size_t limit = q->limit > 0 ? q->limit : HISTORY_LIMIT, n = 0;
    const struct event *e, *last = NULL;
    text_put(t, ",\"events\":[");
    for (size_t back = 0; (e = event_list_at(l, back)) != NULL; back++) {
        if (!wanted(e, q))
            continue;
        if (n++ == limit)
            break;
        text_put(t, last != NULL ? "," : "");
        put_event(t, e);
        last = e;
    }
    text_put(t, "]");
    if (n > limit && last != NULL)
        text_fmt(t, ",\"before\":%llu", (unsigned long long)last->sequence);
}

static void put_kind(struct text *t, const char *key, const struct event_list *l, enum event_kind kind) {
    const struct event *e;
    size_t n = 0;
    text_fmt(t, ",\"%s\":[", key);
    for (size_t back = 0; (e = event_list_at(l, back)) != NULL && n < LIMIT_HISTORY; back++) {
        if (e->kind != kind)
            continue;
        text_put(t, n++ > 0 ? "," : "");
        put_event(t, e);
    }
    text_put(t, "]");
}

void document_history(struct document *d, const struct snapshot *s, const struct history_query *q) {
    *d = (struct document){.state = VERDICT_PASS};
    const struct event_list *l = s != NULL ? s->events : NULL;
    const struct event *newest = event_list_at(l, 0);
    size_t count = event_list_count(l);
    text_fmt(&d->head, "{\"total\":%llu,\"oldest\":%llu", (unsigned long long)(newest != NULL ? newest->sequence : 0),
             (unsigned long long)(newest != NULL ? event_list_at(l, count - 1)->sequence : 0));
    if (s != NULL && s->ledger.problem[0] != '\0')
        put_words(&d->head, "output", s->ledger.problem);
    else if (s == NULL || !s->ledger.loaded)
        put_words(&d->head, "output", "the history has not been read from disk yet");
    if (s != NULL)
        text_fmt(&d->head, ",\"waiting\":%llu,\"dropped\":%llu,\"damagedBytes\":%llu",
                 (unsigned long long)s->ledger.waiting, (unsigned long long)s->ledger.dropped,
                 (unsigned long long)s->ledger.damaged);
    put_events(&d->head, l, q);
    if (!q->given) {
        put_kind(&d->head, "scopes", l, EVENT_SCOPE);
        put_kind(&d->head, "checks", l, EVENT_CHECK);
        text_put(&d->head, ",\"availability\":{");
        if (s != NULL)
            text_putn(&d->head, s->availability.at != NULL ? s->availability.at : "", s->availability.size);
        text_put(&d->head, "}");
    }
    text_put(&d->tail, "}\n");
}

static void put_share(struct text *t, const char *window, const struct availability_share *s) {
    text_fmt(t, "\"%s\":{\"ratio\":%.6f,\"measured\":%.6f", window, s->ratio, s->measured);
    if (s->worst >= 0) {
        text_fmt(t, ",\"worst\":%.6f", s->worst);
        put_time(t, "worstUntil", s->worst_end_wall_ms);
    }
    text_put(t, "}");
}

void render_availability(struct text *t, const struct snapshot_source *s) {
    struct availability_share share;
    const char *between = "";
    for (int i = AVAILABILITY_SERIES; s->ledger != NULL && i-- > 0;) {
        bool any = false;
        for (int w = 0; w < AVAILABILITY_WINDOWS; w++) {
            if (!availability_share(ledger_availability(s->ledger), i, w, &share))
                continue;
            if (!any)
                text_fmt(t, "%s\"%s\":{", between, availability_series_name(i));
            else
                text_put(t, ",");
            put_share(t, availability_window_name(w), &share);
            any = true;
        }
        text_put(t, any ? "}" : "");
        between = any || between[0] != '\0' ? "," : "";
    }
}
