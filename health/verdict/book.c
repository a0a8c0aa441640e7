/* All checks of a node, and the scopes that are judged from them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health/verdict/impl.h"
#include "resolver/base/bytes.h"

static const char *const state_names[VERDICT_STATES] = {"pass", "warn", "fail", "unknown"};
static const char *const scope_names[SCOPE_COUNT] = {"process",  "worker",  "resolution", "zones",     "replication",
                                                     "upstream", "storage", "peers",      "reporting", "monitor"};

const char *verdict_state_name(enum verdict_state s) {
    return (unsigned)s < VERDICT_STATES ? state_names[s] : "unknown";
}

const char *verdict_scope_name(enum verdict_scope s) { return (unsigned)s < SCOPE_COUNT ? scope_names[s] : "?"; }

int verdict_scope_find(const char *name) {
    for (int i = 0; i < SCOPE_COUNT; i++)
        if (strcmp(name, scope_names[i]) == 0)
            return i;
    return -1;
}

int verdict_open(struct verdict_book *b, size_t cap, unsigned fall, unsigned rise) {
    *b = (struct verdict_book){.fall = fall > 0 ? fall : 1, .rise = rise > 0 ? rise : 1, .overall = VERDICT_UNKNOWN};
    b->checks = calloc(cap > 0 ? cap : 1, sizeof(*b->checks));
    b->scopes.at = calloc(LIMIT_HISTORY, sizeof(*b->scopes.at));
    b->details.at = calloc(LIMIT_HISTORY, sizeof(*b->details.at));
    b->cap = cap;
    for (int i = 0; i < SCOPE_COUNT; i++)
        b->scope[i].state = VERDICT_UNKNOWN;
    if (b->checks == NULL || b->scopes.at == NULL || b->details.at == NULL) {
        verdict_close(b);
        return E_NOMEM;
    }
    return 0;
}

void verdict_close(struct verdict_book *b) {
    free(b->checks);
    free(b->scopes.at);
    free(b->details.at);
    *b = (struct verdict_book){0};
}

static size_t free_place(struct verdict_book *b) {
    for (size_t i = 0; b->dropped > 0 && i < b->count; i++)
        if (b->checks[i].scope == SCOPE_COUNT) {
            b->dropped--;
            return i;
        }
    return b->count;
}

int verdict_add(struct verdict_book *b, enum verdict_scope scope, const char *component, const char *measurement,
                const char *id, uint32_t interval_ms, bool readiness) {
    size_t at = free_place(b);
    if (at >= b->cap)
        return E_FULL;
    struct verdict_check *c = &b->checks[at];
    *c = (struct verdict_check){.scope = scope,
                                .component = component,
                                .measurement = measurement,
                                .interval_ms = interval_ms,
                                .readiness = readiness,
                                .settled = VERDICT_UNKNOWN,
                                .before = VERDICT_UNKNOWN,
                                .told = VERDICT_UNKNOWN,
                                .shown = VERDICT_UNKNOWN};
    text_copy(c->id, sizeof(c->id), id);
    text_copy(c->evidence.came, sizeof(c->evidence.came), "not asked yet");
    b->scope[scope].present = true;
    b->count += at == b->count;
    return (int)at;
}

void verdict_drop(struct verdict_book *b, size_t check) {
    if (check >= b->count || b->checks[check].scope == SCOPE_COUNT)
        return;
    b->checks[check] = (struct verdict_check){.scope = SCOPE_COUNT,
                                              .component = "",
                                              .measurement = "",
                                              .fixed = true,
                                              .settled = VERDICT_PASS,
                                              .before = VERDICT_PASS,
                                              .told = VERDICT_PASS,
                                              .shown = VERDICT_PASS};
    b->dropped++;
    b->revision++;
}

int verdict_add_off(struct verdict_book *b, enum verdict_scope scope, const char *component, const char *measurement,
                    const char *id, const char *why, int64_t wall_ms) {
    int at = verdict_add(b, scope, component, measurement, id, 0, false);
    if (at < 0)
        return at;
    struct verdict_check *c = &b->checks[at];
    c->fixed = true;
    c->settled = c->before = c->told = c->shown = VERDICT_WARN;
    c->evidence.wall_ms = c->changed_wall_ms = wall_ms;
    text_copy(c->evidence.asked, sizeof(c->evidence.asked), "configuration");
    text_copy(c->evidence.came, sizeof(c->evidence.came), why);
    return at;
}

/* A wall clock that was set back never makes it later than it was judged. */
static int64_t seen_ms(const struct verdict_check *c, int64_t wall_ms) {
    return c->seen_wall_ms > 0 && c->seen_wall_ms < wall_ms ? c->seen_wall_ms : wall_ms;
}

static void record(struct history *h, const struct verdict_check *c, bool whole_scope, enum verdict_state from,
                   enum verdict_state to, int64_t wall_ms) {
    struct history_entry *e = history_next(h);
    char label[CHECK_ID_MAX + 64], words[HISTORY_CAUSE_MAX];
    verdict_label(c, label, sizeof(label));
    verdict_words(c, words, sizeof(words));
    e->wall_ms = wall_ms;
    e->seen_wall_ms = seen_ms(c, wall_ms);
    e->scope = (uint8_t)c->scope;
    e->from = (uint8_t)from;
    e->to = (uint8_t)to;
    text_copy(e->what, sizeof(e->what), label);
    if (whole_scope)
        e->what[0] = '\0';
    if (to == VERDICT_UNKNOWN)
        snprintf(e->cause, sizeof(e->cause), "%.150s: no evidence for three intervals", label);
    else if (whole_scope)
        snprintf(e->cause, sizeof(e->cause), "%.100s: %.150s", label, words);
    else
        text_copy(e->cause, sizeof(e->cause), words);
}

static int64_t failing_since(enum verdict_state from, enum verdict_state to, int64_t since, int64_t wall_ms) {
    bool was = from == VERDICT_FAIL || from == VERDICT_UNKNOWN, is = to == VERDICT_FAIL || to == VERDICT_UNKNOWN;
    if (!is)
        return 0;
    return was && since != 0 ? since : wall_ms;
}

/* What a gauge would miss: a bad result or two between good ones. One entry for all since the book was last judged. */
static void tell_doubts(struct verdict_book *b, struct verdict_check *c, int64_t wall_ms) {
    if (c->doubts == c->doubts_told)
        return;
    b->scope[c->scope].doubts += c->doubts - c->doubts_told;
    c->doubts_told = c->doubts;
    record(&b->details, c, false, c->shown, c->shown, wall_ms);
    struct history_entry *e = history_last(&b->details);
    e->seen_wall_ms = c->doubt_wall_ms > 0 ? c->doubt_wall_ms : wall_ms;
    snprintf(e->cause, sizeof(e->cause), "taken back before it counted: %.200s", c->doubt);
}

/* Every change is counted and kept, whether it is shown or damped away. */
static void tell_change(struct verdict_book *b, struct verdict_check *c, int64_t wall_ms) {
    enum verdict_state from = c->told;
    if (from == c->settled)
        return;
    c->told = c->settled;
    c->transitions[c->settled]++;
    b->scope[c->scope].check_changes++;
    b->revision++;
    record(&b->details, c, false, from, c->settled, wall_ms);
}

static void check_show(struct verdict_book *b, struct verdict_check *c, int64_t mono_ms, int64_t wall_ms) {
    enum verdict_state from = c->shown, to = check_state(c, mono_ms);
    bool released = to != from && c->told == c->settled && to == c->settled;
    c->shown = to;
    tell_doubts(b, c, wall_ms);
    tell_change(b, c, wall_ms);
    if (from == to)
        return;
    c->changed_wall_ms = wall_ms;
    c->failing_since_wall_ms = failing_since(from, to, c->failing_since_wall_ms, seen_ms(c, wall_ms));
    if (released) {
        b->revision++;
        record(&b->details, c, false, from, to, wall_ms);
        text_copy(history_last(&b->details)->cause, HISTORY_CAUSE_MAX, "no longer flapping");
    }
}

static void scope_show(struct verdict_book *b, enum verdict_scope scope, const struct verdict_scope_state *now,
                       int64_t wall_ms) {
    struct verdict_scope_state *s = &b->scope[scope];
    enum verdict_state from = s->state, to = now->state;
    s->cause = now->cause;
    memcpy(s->counts, now->counts, sizeof(s->counts));
    s->evaluated_wall_ms = now->evaluated_wall_ms;
    if (from == to)
        return;
    s->state = to;
    s->changed_wall_ms = wall_ms;
    s->failing_since_wall_ms =
        failing_since(from, to, s->failing_since_wall_ms, b->checks[s->cause].failing_since_wall_ms);
    s->transitions[to]++;
    b->revision++;
    record(&b->scopes, &b->checks[s->cause], true, from, to, wall_ms);
}

void verdict_judge(struct verdict_book *b, int64_t mono_ms, int64_t wall_ms) {
    struct verdict_scope_state now[SCOPE_COUNT] = {0};
    for (size_t i = 0; i < b->count; i++) {
        struct verdict_check *c = &b->checks[i];
        if (c->scope == SCOPE_COUNT)
            continue;
        struct verdict_scope_state *s = &now[c->scope];
        check_age(c, mono_ms);
        check_show(b, c, mono_ms, wall_ms);
        if (!s->present || verdict_worse(s->state, c->shown) != s->state)
            s->cause = i;
        s->state = s->present ? verdict_worse(s->state, c->shown) : c->shown;
        s->present = true;
        s->counts[c->shown]++;
        if (c->evidence.wall_ms > s->evaluated_wall_ms)
            s->evaluated_wall_ms = c->evidence.wall_ms;
    }
    bool any = false;
    b->overall = VERDICT_PASS;
    for (int i = 0; i < SCOPE_COUNT; i++) {
        b->scope[i].present = now[i].present;
        if (!now[i].present)
            continue;
        scope_show(b, (enum verdict_scope)i, &now[i], wall_ms);
        b->overall = verdict_worse(b->overall, now[i].state);
        any = true;
    }
    if (!any)
        b->overall = VERDICT_UNKNOWN;
}

bool verdict_ready(const struct verdict_book *b, size_t *cause) {
    bool any = false;
    for (size_t i = 0; i < b->count; i++) {
        const struct verdict_check *c = &b->checks[i];
        if (!c->readiness)
            continue;
        any = true;
        *cause = i;
        if (c->shown == VERDICT_FAIL || c->shown == VERDICT_UNKNOWN)
            return false;
    }
    *cause = b->count;
    return any;
}

int64_t verdict_valid_until(const struct verdict_book *b) {
    int64_t until = INT64_MAX;
    for (size_t i = 0; i < b->count; i++) {
        const struct verdict_check *c = &b->checks[i];
        bool green = c->shown == VERDICT_PASS || c->shown == VERDICT_WARN;
        if (green && !c->fixed && check_deadline(c) < until)
            until = check_deadline(c);
    }
    return until;
}
