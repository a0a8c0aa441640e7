/* What alerts say. Whatever comes from outside is cleaned before it gets here. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "health/alert/impl.h"
#include "resolver/base/text.h"

/* Valid UTF-8 without control characters, cut between two characters. */
void words_clean(char *to, size_t cap, const char *from) {
    size_t left = from != NULL ? strlen(from) : 0, at = 0;
    const uint8_t *p = (const uint8_t *)from;
    while (left > 0) {
        size_t n = text_utf8(p, left);
        bool fits = n > 0 && p[0] >= 0x20 && p[0] != 0x7f && !(n == 2 && p[0] == 0xC2 && p[1] < 0xA0);
        if (at + (fits ? n : 1) >= cap)
            break;
        if (fits)
            memcpy(to + at, p, n);
        else
            to[at] = n == 0 ? '?' : ' ';
        at += fits ? n : 1;
        p += n > 0 ? n : 1;
        left -= n > 0 ? n : 1;
    }
    to[at] = '\0';
}

__attribute__((format(printf, 4, 5))) static size_t put(char *to, size_t cap, size_t at, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    int n = at < cap ? vsnprintf(to + at, cap - at, fmt, args) : 0;
    va_end(args);
    return n < 0 ? at : at + (size_t)n < cap ? at + (size_t)n : cap - 1;
}

static size_t put_views(const struct alerts *a, const struct subject *s, char *to, size_t cap, size_t at) {
    if (s->own[0] != '\0')
        at = put(to, cap, at, "%s by its own word: %s\n", s->name, s->own);
    if (s->got[0] != '\0')
        at = put(to, cap, at, "What monitor %s got: %s\n", a->monitor, s->got);
    if (s->seen[0] != '\0')
        at = put(to, cap, at, "Both together, and others: %s\n", s->seen);
    return at;
}

/* The last line break goes. */
static void end_text(char *to, size_t at) {
    while (at > 0 && to[at - 1] == '\n')
        to[--at] = '\0';
}

void words_single(const struct alerts *a, struct alert *alert, const struct subject *s) {
    char raw[2 * ALERT_WORDS];
    const char *whose = s->kind == ALERT_FLEET     ? "the nodes do not agree: "
                        : s->kind == ALERT_MONITOR ? ", a monitor, is not well itself: "
                                                   : ": ";
    (void)snprintf(raw, sizeof raw, "%s%s%s", s->kind == ALERT_FLEET ? "" : s->name, whose, s->why);
    words_clean(alert->summary, sizeof alert->summary, raw);
    end_text(alert->description, put_views(a, s, alert->description, sizeof alert->description,
                                           put(alert->description, sizeof alert->description, 0, "%s", "")));
    if (alert->description[0] == '\0')
        (void)put(alert->description, sizeof alert->description, 0, "%s", alert->summary);
}

void words_many(const struct alerts *a, struct alert *alert, int entry) {
    char *to = alert->description;
    size_t cap = sizeof alert->description, at = 0, named = 0;
    const struct subject *first = NULL;
    if (alert->ill == 0)
        return; /* what is over keeps the words that it had */
    at = put(to, cap, at, "%s", "Not well: ");
    for (size_t i = 0; i < ALERT_SUBJECTS && named < ALERT_NAMED; i++) {
        const struct subject *s = &a->subject[i];
        if (s->name[0] == '\0' || s->entry != entry)
            continue;
        at = put(to, cap, at, "%s%s", named++ > 0 ? ", " : "", s->name);
        if (first == NULL && s->why[0] != '\0')
            first = s;
    }
    if (alert->ill > named)
        at = put(to, cap, at, " and %zu more", alert->ill - named);
    at = put(to, cap, at, "%s", "\n");
    if (first != NULL) {
        at = put(to, cap, at, "The first of them: %s\n", first->why);
        at = put_views(a, first, to, cap, at);
    }
    end_text(to, at);
    (void)snprintf(alert->summary, sizeof alert->summary, "%zu of %zu nodes %s not well", alert->ill,
                   a->nodes > alert->ill ? a->nodes : alert->ill, alert->ill == 1 ? "is" : "are");
    if (alert->total > alert->ill)
        (void)put(alert->summary, sizeof alert->summary, strlen(alert->summary), "; %zu were", alert->total);
}

void words_cut_off(const struct alerts *a, struct alert *alert) {
    char raw[ALERT_NAME + 2 * ALERT_WORDS];
    (void)snprintf(raw, sizeof raw, "monitor %s is cut off from the nodes: %s", a->monitor, a->cut);
    words_clean(alert->summary, sizeof alert->summary, raw);
    (void)snprintf(
        alert->description, sizeof alert->description,
        "%s\nHow the nodes are is not known here; nothing is said of any of them until most are heard again.", a->cut);
}
