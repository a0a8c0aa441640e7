#include "health/report/body.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *scopes_json(const struct report *r) {
    json_t *scopes = json_object();
    for (int s = 0; s < SCOPE_COUNT; s++)
        if (r->scope[s] < VERDICT_STATES)
            (void)json_object_set_new(scopes, verdict_scope_name((enum verdict_scope)s),
                                      json_string(verdict_state_name((enum verdict_state)r->scope[s])));
    return scopes;
}

/* What is cut in the middle of a character, or never was UTF-8, must not cost the whole report. */
static json_t *words(const char *text) {
    json_t *j = json_string(text);
    if (j != NULL)
        return j;
    char *plain = strdup(text);
    for (char *c = plain; c != NULL && *c != '\0'; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    j = plain != NULL ? json_string(plain) : NULL;
    free(plain);
    return j;
}

static json_t *report_json(const struct report *r) {
    char boot[24];
    (void)snprintf(boot, sizeof boot, "%016llx", (unsigned long long)r->boot);
    return json_pack("{s:o,s:o,s:s,s:I,s:I,s:I,s:i,s:s,s:b,s:o,s:o}", "node", words(r->node), "version",
                     words(r->version), "boot", boot, "sequence", (json_int_t)r->sequence, "wallMs",
                     (json_int_t)r->wall_ms, "revision", (json_int_t)r->revision, "lagMs", (int)r->lag_ms, "status",
                     verdict_state_name((enum verdict_state)r->overall), "ready", r->ready, "scopes", scopes_json(r),
                     "cause", words(r->cause));
}

static const char *scope_of(const struct event *e) {
    return e->scope < SCOPE_COUNT ? verdict_scope_name((enum verdict_scope)e->scope) : "";
}

static const char *state_of(uint8_t s) { return s < VERDICT_STATES ? verdict_state_name((enum verdict_state)s) : ""; }

/* Of a start scope, from and to mean nothing. */
static json_t *event_json(const struct event *e) {
    char boot[24];
    bool start = e->kind == EVENT_START;
    (void)snprintf(boot, sizeof boot, "%016llx", (unsigned long long)e->boot);
    return json_pack("{s:I,s:s,s:s,s:s,s:o,s:s,s:s,s:I,s:I,s:o}", "sequence", (json_int_t)e->sequence, "boot", boot,
                     "kind", event_kind_name((enum event_kind)e->kind), "scope", start ? "" : scope_of(e), "what",
                     words(e->what), "from", start ? "" : state_of(e->from), "to", start ? "" : state_of(e->to),
                     "wallMs", (json_int_t)e->wall_ms, "seenMs", (json_int_t)e->seen_wall_ms, "cause", words(e->cause));
}

static char *text_of(json_t *j) {
    char *text = j != NULL ? json_dumps(j, JSON_COMPACT) : NULL;
    json_decref(j);
    return text;
}

char *body_report(const struct report *r) { return text_of(report_json(r)); }

char *body_event(const struct event *e) { return text_of(event_json(e)); }

/* The detail is text already; it goes in as it is, before the last brace. */
static char *with_detail(char *text, const struct detail *d) {
    static const char label[] = ",\"detail\":";
    size_t size = text != NULL ? strlen(text) : 0, detail = d->size;
    while (detail > 0 && d->json[detail - 1] == '\n')
        detail--;
    char *longer = text != NULL ? realloc(text, size + sizeof label + detail + 1) : NULL;
    if (longer == NULL) {
        free(text);
        return NULL;
    }
    char *at = longer + size - 1;
    memcpy(at, label, sizeof label - 1);
    memcpy(at + sizeof label - 1, d->json, detail);
    memcpy(at + sizeof label - 1 + detail, "}", 2);
    return longer;
}

char *body_notice(const struct notice *n, const char *node) {
    json_t *doc = json_object(), *events = json_array();
    if (node != NULL)
        (void)json_object_set_new(doc, "node", words(node));
    if (n->report != NULL)
        (void)json_object_set_new(doc, "report", report_json(n->report));
    for (size_t i = 0; i < n->events; i++)
        (void)json_array_append_new(events, event_json(n->event[i]));
    (void)json_object_set_new(doc, "events", events);
    (void)json_object_set_new(doc, "eventsLost", json_integer((json_int_t)n->events_lost));
    char *text = text_of(doc);
    return n->detail != NULL ? with_detail(text, n->detail) : text;
}
