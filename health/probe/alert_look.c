/* From the book to what people should know: who is ill, who is well, of whom nothing is known.
 *
 * Only what fails is told: a warning is for the page and the morning. */
#include <stdio.h>
#include <string.h>

#include "health/probe/alert.h"

enum { FLEET_PUSHES = 20 }; /* push intervals that details are waited for after a start */

static bool is_of(const struct verdict_check *c, const char *component) {
    return c->scope == SCOPE_MONITOR && strcmp(c->component, component) == 0;
}

static bool never_was(const struct verdict_check *c) {
    return c->shown == VERDICT_UNKNOWN && c->before == VERDICT_UNKNOWN;
}

/* It was known, and is no more. */
static bool has_aged(const struct verdict_check *c) { return c->shown == VERDICT_UNKNOWN && !never_was(c); }

static bool is_current(const struct verdict_check *c, int64_t mono_ms) {
    return !never_was(c) && mono_ms - c->last_mono_ms <= (int64_t)VERDICT_AGE_INTERVALS * c->interval_ms;
}

static void look_at_part(const struct verdict_check *c, struct alert_look *to) {
    char label[CHECK_ID_MAX + 64], words[EVIDENCE_CAME_MAX];
    if (strcmp(c->measurement, "dead_man") == 0 || to->part[0] != '\0')
        return;
    if (c->shown == VERDICT_FAIL || has_aged(c) || c->fixed)
        (void)snprintf(to->part, sizeof to->part, "%.80s: %.160s", verdict_label(c, label, sizeof label),
                       verdict_words(c, words, sizeof words));
}

void alert_look(const struct prober *p, int64_t mono_ms, struct alert_look *to) {
    char words[EVIDENCE_CAME_MAX];
    *to = (struct alert_look){.nodes = p->conf->health.monitor.node_count};
    for (size_t i = 0; i < p->book.count; i++) {
        const struct verdict_check *c = &p->book.checks[i];
        if (is_of(c, "monitor") && strcmp(c->measurement, "quorum") == 0) {
            to->quorum_passes = c->shown == VERDICT_PASS;
            if (c->shown == VERDICT_FAIL)
                text_copy(to->cut_off, sizeof to->cut_off, verdict_words(c, words, sizeof words));
        } else if (is_of(c, "monitor")) {
            look_at_part(c, to);
        } else if (is_of(c, "node")) {
            to->heard += strcmp(c->measurement, "report") == 0 && !c->fixed && c->shown <= VERDICT_WARN;
            to->asked += strcmp(c->measurement, "answers") == 0 && is_current(c, mono_ms);
        }
    }
}

/* What is known of one node, check by check. */
struct sick {
    char name[ALERT_NAME];
    bool ill, dark;
    enum verdict_state worst; /* of the check that `why` is of */
    char why[ALERT_WORDS], own[ALERT_WORDS], got[ALERT_WORDS], seen[ALERT_WORDS];
};

static void add_words(char to[ALERT_WORDS], const char *words) {
    size_t n = strlen(to);
    (void)snprintf(to + n, ALERT_WORDS - n, "%s%s", n > 0 ? "; " : "", words);
}

/* That a node does not answer says more than what it says of itself. */
static unsigned weight(const struct verdict_check *c) {
    static const char *const order[] = {"answers", "report", "health", "agree"};
    for (unsigned i = 0; i < ARRAY_SIZE(order); i++)
        if (strcmp(order[i], c->measurement) == 0)
            return i;
    return ARRAY_SIZE(order);
}

static void add_check(struct sick *s, const struct verdict_check *c, unsigned *best) {
    char words[EVIDENCE_CAME_MAX];
    unsigned w = weight(c);
    bool told = w < 3; /* what is only said about what is known is not known when that is not */
    if (c->fixed)
        return;
    bool ill = c->shown == VERDICT_FAIL || (told && has_aged(c));
    s->ill = s->ill || ill;
    s->dark = s->dark || (told && never_was(c));
    if (never_was(c))
        return;
    (void)verdict_words(c, words, sizeof words);
    add_words(w == 1 ? s->own : w == 0 ? s->got : s->seen, words);
    if (!ill || w >= *best)
        return;
    *best = w;
    (void)snprintf(s->why, sizeof s->why, "%s: %.200s", w == 0 ? "it does not answer" : c->measurement, words);
}

static void see(struct alerts *a, enum alert_kind kind, const struct sick *s) {
    const struct alert_view v = {.kind = kind,
                                 .name = s->name,
                                 .state = s->ill    ? ALERT_ILL
                                          : s->dark ? ALERT_DARK
                                                    : ALERT_WELL,
                                 .why = s->why,
                                 .own = s->own,
                                 .got = s->got,
                                 .seen = s->seen};
    alerts_see(a, &v);
}

/* The checks of one node stand together. */
static void tell_nodes(const struct prober *p, struct alerts *a) {
    struct sick s = {.name = ""};
    unsigned best = UINT32_MAX;
    for (size_t i = 0; i < p->book.count; i++) {
        const struct verdict_check *c = &p->book.checks[i];
        if (!is_of(c, "node"))
            continue;
        if (strncmp(s.name, c->id, sizeof s.name - 1) != 0) {
            see(a, ALERT_NODE, &s);
            s = (struct sick){.name = ""};
            best = UINT32_MAX;
            text_copy(s.name, sizeof s.name, c->id);
        }
        add_check(&s, c, &best);
    }
    see(a, ALERT_NODE, &s);
}

static void add_failure(struct sick *s, const char *label, const char *words) {
    char both[2 * ALERT_WORDS];
    (void)snprintf(both, sizeof both, "%.120s: %.200s", label, words);
    if (!s->ill)
        text_copy(s->why, sizeof s->why, both);
    s->ill = true;
    add_words(s->own, both);
}

static void tell_fleet(const struct prober *p, struct alerts *a, int64_t mono_ms) {
    char label[CHECK_ID_MAX + 64], words[EVIDENCE_CAME_MAX];
    struct sick s = {.name = ""};
    bool any = false;
    text_copy(s.name, sizeof s.name, p->conf->node.name);
    for (size_t i = 0; i < p->book.count; i++) {
        const struct verdict_check *c = &p->book.checks[i];
        if (!is_of(c, "fleet") || c->fixed)
            continue;
        any = true;
        s.dark = s.dark || c->shown == VERDICT_UNKNOWN;
        if (c->shown == VERDICT_FAIL)
            add_failure(&s, verdict_label(c, label, sizeof label), verdict_words(c, words, sizeof words));
    }
    s.dark = s.dark || !any; /* it is there from the first details on: until then what held before may hold */
    if (any || mono_ms - p->started_ms < FLEET_PUSHES * (int64_t)p->conf->health.interval.push_ms)
        see(a, ALERT_FLEET, &s);
}

/* This node by itself, what it says of others left out. */
static void tell_monitor(const struct prober *p, struct alerts *a, const struct alert_look *l) {
    char label[CHECK_ID_MAX + 64], words[EVIDENCE_CAME_MAX];
    struct sick s = {.name = ""};
    text_copy(s.name, sizeof s.name, p->conf->node.name);
    for (int scope = 0; scope < SCOPE_COUNT; scope++) {
        const struct verdict_scope_state *at = &p->book.scope[scope];
        if (scope == SCOPE_MONITOR || !at->present)
            continue;
        s.dark = s.dark || at->state == VERDICT_UNKNOWN;
        if (at->state != VERDICT_FAIL || at->cause >= p->book.count)
            continue;
        const struct verdict_check *c = &p->book.checks[at->cause];
        add_failure(&s, verdict_label(c, label, sizeof label), verdict_words(c, words, sizeof words));
    }
    if (l->part[0] != '\0')
        add_failure(&s, "as a monitor", l->part);
    see(a, ALERT_MONITOR, &s);
}

bool alert_tell(const struct prober *p, struct alerts *a, const struct alert_look *l, int64_t mono_ms,
                int64_t wall_ms) {
    alerts_begin(a, mono_ms, wall_ms, l->cut_off[0] != '\0' ? l->cut_off : NULL);
    tell_nodes(p, a);
    tell_fleet(p, a, mono_ms);
    tell_monitor(p, a, l);
    return alerts_end(a);
}
