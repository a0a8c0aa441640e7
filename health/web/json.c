/* Checks and transitions as JSON, rendered ahead. */
#include <string.h>

#include "health/web/render.h"

static void field_time(struct text *t, const char *key, int64_t wall_ms) {
    if (wall_ms <= 0)
        return;
    text_put(t, ",\"");
    text_put(t, key);
    text_put(t, "\":\"");
    text_time(t, wall_ms);
    text_put(t, "\"");
}

static void field_text(struct text *t, const char *key, const char *value) {
    text_put(t, ",\"");
    text_put(t, key);
    text_put(t, "\":");
    text_json(t, value);
}

static void render_evidence(struct text *t, const struct evidence *e) {
    text_put(t, ",\"evidence\":{\"asked\":");
    text_json(t, e->asked);
    if (e->server[0] != '\0') {
        field_text(t, "server", e->server);
        text_fmt(t, ",\"proto\":\"%s\",\"sourcePort\":%u", e->tls ? "tls" : e->tcp ? "tcp" : "udp", e->source_port);
    }
    uint64_t took_us = e->took_us > 0 ? (uint64_t)e->took_us : 0;
    text_put(t, ",\"tookMs\":");
    text_digits(t, took_us / 1000, 1);
    text_put(t, ".");
    text_digits(t, took_us % 1000, 3);
    field_text(t, "came", e->came);
    field_time(t, "time", e->wall_ms);
    text_put(t, "}");
}

static void render_check(struct text *t, const struct verdict_check *c) {
    char words[EVIDENCE_CAME_MAX];
    const struct evidence *e = &c->evidence;
    text_put(t, "{\"componentId\":");
    text_json(t, c->id[0] != '\0' ? c->id : c->component);
    text_fmt(t, ",\"status\":\"%s\"", verdict_state_name(c->shown));
    if (e->unit != NULL)
        text_fmt(t, ",\"observedValue\":%.9g,\"observedUnit\":\"%s\"", e->value, e->unit);
    field_time(t, "time", e->wall_ms);
    if (!c->fixed) /* whoever reads it can tell for himself how old it may be */
        text_fmt(t, ",\"intervalMs\":%u", c->interval_ms);
    field_text(t, "output", verdict_words(c, words, sizeof(words)));
    field_time(t, "since", c->changed_wall_ms);
    field_time(t, "firstSeen", c->seen_wall_ms);
    field_time(t, "failingSince", c->failing_since_wall_ms);
    if (c->readiness && c->shown != VERDICT_PASS && c->shown != VERDICT_WARN)
        text_put(t, ",\"affectedEndpoints\":[\"/readyz\"]");
    render_evidence(t, e);
    text_put(t, "}");
}

static bool same_key(const struct verdict_check *a, const struct verdict_check *b) {
    return a->scope == b->scope && strcmp(a->component, b->component) == 0 &&
           strcmp(a->measurement, b->measurement) == 0;
}

enum { KEYS_MAX = 64 }; /* kinds of check in one scope; there are far fewer */

static size_t find_keys(const struct verdict_book *b, enum verdict_scope scope, const struct verdict_check *keys[]) {
    size_t n = 0;
    for (size_t i = 0; i < b->count; i++) {
        const struct verdict_check *c = &b->checks[i];
        bool known = c->scope != scope;
        for (size_t k = 0; k < n && !known; k++)
            known = same_key(keys[k], c);
        if (!known && n < KEYS_MAX)
            keys[n++] = c;
    }
    return n;
}

void render_checks(struct text *t, const struct verdict_book *b, enum verdict_scope scope) {
    const struct verdict_check *keys[KEYS_MAX];
    size_t n = find_keys(b, scope, keys);
    for (size_t k = 0; k < n; k++) {
        text_fmt(t, "%s\"%s:%s\":[", k > 0 ? "," : "", keys[k]->component, keys[k]->measurement);
        bool first = true;
        for (size_t i = 0; i < b->count; i++) {
            if (!same_key(keys[k], &b->checks[i]))
                continue;
            text_put(t, first ? "" : ",");
            render_check(t, &b->checks[i]);
            first = false;
        }
        text_put(t, "]");
    }
}
