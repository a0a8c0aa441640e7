#include "health/web/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "resolver/base/text.h"

enum { TEXT_FIRST = 4096 };

static bool room(struct text *t, size_t n) {
    if (t->failed || n > TEXT_MAX || t->size + n > TEXT_MAX) {
        t->failed = true;
        return false;
    }
    if (t->size + n < t->cap)
        return true;
    size_t cap = t->cap > 0 ? t->cap : TEXT_FIRST;
    while (cap <= t->size + n)
        cap *= 2;
    char *more = realloc(t->at, cap);
    if (more == NULL) {
        t->failed = true;
        return false;
    }
    t->at = more;
    t->cap = cap;
    return true;
}

void text_putn(struct text *t, const char *s, size_t n) {
    if (!room(t, n))
        return;
    memcpy(t->at + t->size, s, n);
    t->size += n;
    t->at[t->size] = '\0';
}

void text_put(struct text *t, const char *s) { text_putn(t, s, strlen(s)); }

void text_fmt(struct text *t, const char *fmt, ...) {
    va_list args;
    if (!room(t, 256))
        return;
    for (int again = 0; again < 2; again++) {
        va_start(args, fmt);
        int n = vsnprintf(t->at + t->size, t->cap - t->size, fmt, args);
        va_end(args);
        if (n < 0) {
            t->failed = true;
            return;
        }
        if (t->size + (size_t)n < t->cap) {
            t->size += (size_t)n;
            return;
        }
        t->at[t->size] = '\0';
        if (!room(t, (size_t)n + 1))
            return;
    }
}

void text_digits(struct text *t, uint64_t n, unsigned digits) {
    char buf[24];
    size_t at = sizeof(buf);
    do {
        buf[--at] = (char)('0' + n % 10);
        n /= 10;
    } while ((n > 0 || sizeof(buf) - at < digits) && at > 0);
    text_putn(t, buf + at, sizeof(buf) - at);
}

/* Most of what is written needs no escape in any of the three forms: letters, digits and what stands in names. */
static size_t plain_run(const char *s, size_t size) {
    size_t n = 0;
    while (n < size && (unsigned char)s[n] >= 0x20 && (unsigned char)s[n] < 0x7f && s[n] != '"' && s[n] != '\\' &&
           s[n] != '&' && s[n] != '<' && s[n] != '>' && s[n] != '\'')
        n++;
    return n;
}

/* Walks UTF-8; `special` gets each ASCII character and returns how it is to be written, NULL: as it is. */
static void escape(struct text *t, const char *s, const char *(*special)(char c, char buf[8])) {
    size_t size = strlen(s);
    for (size_t i = 0; i < size;) {
        size_t run = plain_run(s + i, size - i);
        if (run > 0) {
            text_putn(t, s + i, run);
            i += run;
            continue;
        }
        size_t n = text_utf8((const uint8_t *)s + i, size - i);
        char buf[8];
        const char *as = n == 1 ? special(s[i], buf) : NULL;
        if (n == 0)
            text_putn(t, "?", 1);
        else if (as != NULL)
            text_put(t, as);
        else
            text_putn(t, s + i, n);
        i += n > 0 ? n : 1;
    }
}

static const char *json_special(char c, char buf[8]) {
    if (c == '"')
        return "\\\"";
    if (c == '\\')
        return "\\\\";
    if (c == '\n')
        return "\\n";
    if ((unsigned char)c >= 0x20 && c != 0x7f)
        return NULL;
    snprintf(buf, 8, "\\u%04x", (unsigned char)c);
    return buf;
}

static const char *html_special(char c, char buf[8]) {
    (void)buf;
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return (unsigned char)c < 0x20 || c == 0x7f ? "?" : NULL;
    }
}

static const char *label_special(char c, char buf[8]) {
    (void)buf;
    if (c == '"')
        return "\\\"";
    if (c == '\\')
        return "\\\\";
    return c == '\n' ? "\\n" : (unsigned char)c < 0x20 || c == 0x7f ? "?" : NULL;
}

void text_json(struct text *t, const char *s) {
    text_putn(t, "\"", 1);
    escape(t, s, json_special);
    text_putn(t, "\"", 1);
}

void text_html(struct text *t, const char *s) { escape(t, s, html_special); }
void text_label(struct text *t, const char *s) { escape(t, s, label_special); }

void text_time(struct text *t, int64_t wall_ms) {
    time_t s = (time_t)(wall_ms / 1000);
    struct tm tm;
    if (wall_ms <= 0 || gmtime_r(&s, &tm) == NULL)
        return;
    const unsigned part[] = {(unsigned)tm.tm_year + 1900, (unsigned)tm.tm_mon + 1, (unsigned)tm.tm_mday,
                             (unsigned)tm.tm_hour,        (unsigned)tm.tm_min,     (unsigned)tm.tm_sec,
                             (unsigned)(wall_ms % 1000)};
    static const unsigned digits[] = {4, 2, 2, 2, 2, 2, 3};
    for (unsigned i = 0; i < 7; i++) {
        text_digits(t, part[i], digits[i]);
        text_putn(t, &"--T::.Z"[i], 1);
    }
}

void text_free(struct text *t) {
    free(t->at);
    *t = (struct text){0};
}
