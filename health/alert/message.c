#include "health/alert/message.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "health/alert/json.h"
#include "resolver/base/text.h"

enum {
    LINE = 76,          /* RFC 2045 section 6.7 */
    WORD = 54,          /* octets of an encoded word's text: its line has at most 76 (RFC 2047 section 2) */
    SUBJECT_PLAIN = 65, /* a subject that needs no folding */
    SUBJECT_MOST = 200  /* octets of a subject */
};

struct out {
    char *at;
    size_t size, cap;
    unsigned column; /* of the body */
};

/* Grows; without memory `at` is NULL for good. */
static void put_octet(struct out *o, char c) {
    if (o->at != NULL && o->size + 1 >= o->cap) {
        char *more = realloc(o->at, 2 * o->cap);
        if (more == NULL)
            free(o->at);
        o->at = more;
        o->cap *= 2;
    }
    if (o->at == NULL)
        return;
    o->at[o->size++] = c;
    o->at[o->size] = '\0';
}

__attribute__((format(printf, 2, 3))) static void put(struct out *o, const char *fmt, ...) {
    char text[ALERT_TEXT + 512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    for (const char *c = text; *c != '\0'; c++)
        put_octet(o, *c);
}

/* One octet of the body as it is or as =XX, a soft break before it when the line is full. */
static void put_quoted(struct out *o, uint8_t c, bool last) {
    bool plain = (c > 0x20 && c < 0x7f && c != '=') || (c == ' ' && !last);
    unsigned width = plain ? 1 : 3;
    if (o->column + width >= LINE) {
        put(o, "=\r\n");
        o->column = 0;
    }
    if (plain)
        put_octet(o, (char)c);
    else
        put(o, "=%02X", c);
    o->column += width;
}

static void body_text(struct out *o, const char *text) {
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '\n') {
            put(o, "\r\n");
            o->column = 0;
        } else {
            put_quoted(o, (uint8_t)*c, c[1] == '\n' || c[1] == '\0');
        }
    }
}

__attribute__((format(printf, 2, 3))) static void body(struct out *o, const char *fmt, ...) {
    char text[ALERT_TEXT + 512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    body_text(o, text);
}

/* Up to `size` octets of it in one encoded word, cut between two characters; how many. */
static size_t put_word(struct out *o, const char *text, size_t size) {
    size_t used = 0, at = 0;
    put(o, "=?UTF-8?Q?");
    while (at < size) {
        size_t n = text_utf8((const uint8_t *)text + at, size - at);
        size_t take = n > 0 ? n : 1;
        if (used + 3 * take > WORD)
            break;
        for (size_t i = 0; i < take; i++)
            put(o, "=%02X", (uint8_t)text[at + i]);
        used += 3 * take;
        at += take;
    }
    put(o, "?=");
    return at;
}

static void put_subject(struct out *o, const char *text) {
    size_t size = strlen(text), at = 0;
    bool plain = size <= SUBJECT_PLAIN;
    for (const char *c = text; *c != '\0'; c++)
        plain = plain && *c >= ' ' && *c < 0x7f;
    plain = plain && strstr(text, "=?") == NULL;
    if (plain) {
        put(o, "Subject: %s\r\n", text);
        return;
    }
    put(o, "Subject:");
    while (at < size) {
        put(o, " ");
        at += put_word(o, text + at, size - at);
        put(o, "\r\n");
    }
}

static void subject(struct out *o, const struct errand *e) {
    char text[SUBJECT_MOST + ALERT_SUMMARY + 64];
    size_t firing = 0;
    const struct alert *first = NULL;
    for (size_t i = 0; i < e->count; i++) {
        bool holds = e->news[i]->ended_wall_ms == 0;
        firing += holds;
        if (first == NULL || (holds && first->ended_wall_ms != 0))
            first = e->news[i];
    }
    const char *summary = first != NULL ? first->summary : "";
    if (e->count <= 1)
        (void)snprintf(text, sizeof text, "[%s] %s", firing > 0 ? "FIRING" : "RESOLVED", summary);
    else if (firing == 0 || firing == e->count)
        (void)snprintf(text, sizeof text, "[%s:%zu] %s, and more", firing > 0 ? "FIRING" : "RESOLVED", e->count,
                       summary);
    else
        (void)snprintf(text, sizeof text, "[FIRING:%zu, RESOLVED:%zu] %s, and more", firing, e->count - firing,
                       summary);
    text[SUBJECT_MOST] = '\0';
    put_subject(o, text);
}

static void headers(struct out *o, const struct errand *e, const struct conf_smtp *to, const char *domain,
                    int64_t wall_ms) {
    char date[64] = "";
    struct tm tm;
    time_t s = (time_t)(wall_ms / 1000);
    put(o, "From: <%s>\r\nTo:", to->from);
    for (size_t i = 0; i < to->to.count; i++)
        put(o, " <%s>%s\r\n", to->to.at[i], i + 1 < to->to.count ? "," : "");
    if (gmtime_r(&s, &tm) != NULL) /* the C locale: nobody sets another */
        (void)strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", &tm);
    put(o, "Date: %s\r\nMessage-ID: <%llu.%lld@%s>\r\n", date, (unsigned long long)e->list->change, (long long)wall_ms,
        domain);
    subject(o, e);
    put(o, "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
           "Content-Transfer-Encoding: quoted-printable\r\nAuto-Submitted: auto-generated\r\n\r\n");
}

static void one(struct out *o, const struct alert *a) {
    char began[JSON_TIME], ended[JSON_TIME];
    body(o, "%s: %s\n", a->ended_wall_ms == 0 ? "FIRING" : "RESOLVED", a->summary);
    body(o, "%s, %s, since %s", alert_kind_name(a->kind), alert_is_critical(a->kind) ? "critical" : "warning",
         json_time(a->began_wall_ms, began));
    if (a->ended_wall_ms != 0)
        body(o, ", over at %s", json_time(a->ended_wall_ms, ended));
    body(o, "%s\n\n", a->news == ALERT_AGAIN ? ", still" : a->news == ALERT_GREW ? ", more of them" : "");
    body_text(o, a->description);
    body(o, "\n\n");
}

char *message_write(const struct errand *e, const struct conf_smtp *to, const char *domain, const char *page,
                    int64_t wall_ms) {
    struct out o = {.cap = 4096};
    o.at = malloc(o.cap);
    headers(&o, e, to, domain, wall_ms);
    for (size_t i = 0; i < e->count; i++)
        one(&o, e->news[i]);
    body(&o, "Seen by monitor %s: %s\n", e->list->monitor, page);
    return o.at;
}

void message_domain(const char *node, char to[ALERT_NAME]) {
    size_t n = 0;
    for (const char *c = node; *c != '\0' && n + 1 < ALERT_NAME; c++) {
        bool fits =
            (*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || *c == '-' || *c == '.';
        if (fits && (n > 0 || (*c != '.' && *c != '-')))
            to[n++] = *c;
    }
    while (n > 0 && (to[n - 1] == '.' || to[n - 1] == '-'))
        n--;
    to[n] = '\0';
    if (n == 0)
        (void)snprintf(to, ALERT_NAME, "candor");
}
