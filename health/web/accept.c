#include "health/web/accept.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct text_span {
    const char *at;
    size_t size;
};

/* A representation that is made here. */
struct form {
    const char *type, *version;
};
static const struct form forms[2] = {{"text/plain", "0.0.4"}, {"application/openmetrics-text", "1.0.0"}};

/* How well a range fits: 0 not at all, then any type, any subtype, the type by name, its version besides. */
enum fit { FIT_NONE, FIT_ANY, FIT_TYPE, FIT_NAMED, FIT_VERSION };

static struct text_span trim(const char *at, size_t size) {
    while (size > 0 && (*at == ' ' || *at == '\t'))
        at++, size--;
    while (size > 0 && (at[size - 1] == ' ' || at[size - 1] == '\t'))
        size--;
    return (struct text_span){at, size};
}

static bool is(struct text_span s, const char *word) {
    return s.size == strlen(word) && strncasecmp(s.at, word, s.size) == 0;
}

/* Up to the next `sign`, which is skipped; quoted strings are walked over. */
static struct text_span take(const char **from, char sign) {
    const char *at = *from;
    bool quoted = false;
    while (*at != '\0' && (quoted || *at != sign)) {
        quoted ^= *at == '"';
        if (quoted && *at == '\\' && at[1] != '\0')
            at++;
        at++;
    }
    struct text_span s = trim(*from, (size_t)(at - *from));
    *from = *at != '\0' ? at + 1 : at;
    return s;
}

static struct text_span unquoted(struct text_span s) {
    if (s.size >= 2 && s.at[0] == '"' && s.at[s.size - 1] == '"')
        return (struct text_span){s.at + 1, s.size - 2};
    return s;
}

/* "0.75" -> 750; what is no qvalue counts as 0. */
static int thousandths(struct text_span s) {
    int value = 0, unit = 1000;
    if (s.size == 0 || s.size > 5 || (s.at[0] != '0' && s.at[0] != '1') || (s.size > 1 && s.at[1] != '.'))
        return 0;
    value = (s.at[0] - '0') * unit;
    for (size_t i = 2; i < s.size; i++) {
        if (s.at[i] < '0' || s.at[i] > '9')
            return 0;
        unit /= 10;
        value += (s.at[i] - '0') * unit;
    }
    return value <= 1000 ? value : 0;
}

static enum fit fit_of(struct text_span type, const struct form *f) {
    char main_of_form[64];
    (void)snprintf(main_of_form, sizeof(main_of_form), "%.*s/*", (int)strcspn(f->type, "/"), f->type);
    if (is(type, "*/*"))
        return FIT_ANY;
    if (is(type, f->type))
        return FIT_NAMED;
    return is(type, main_of_form) ? FIT_TYPE : FIT_NONE;
}

struct wish {
    enum fit fit;
    int q;
};

/* One media range, held against one form. */
static struct wish wish_of(const char *range, size_t size, const struct form *f) {
    char text[256];
    struct wish w = {.q = 1000};
    if (size >= sizeof(text))
        return w;
    memcpy(text, range, size);
    text[size] = '\0';
    const char *at = text;
    w.fit = fit_of(take(&at, ';'), f);
    while (w.fit != FIT_NONE && *at != '\0') {
        struct text_span parameter = take(&at, ';');
        const char *equals = memchr(parameter.at, '=', parameter.size);
        if (equals == NULL)
            continue;
        struct text_span key = trim(parameter.at, (size_t)(equals - parameter.at));
        struct text_span value = unquoted(trim(equals + 1, parameter.size - (size_t)(equals + 1 - parameter.at)));
        if (is(key, "q"))
            w.q = thousandths(value);
        else if (is(key, "version") && w.fit == FIT_NAMED)
            w.fit = is(value, f->version) ? FIT_VERSION : FIT_NONE;
    }
    return w;
}

bool accept_openmetrics(const char *accept) {
    struct wish best[2] = {{FIT_NONE, 0}, {FIT_NONE, 0}};
    for (int n = 0; accept != NULL && *accept != '\0' && n < ACCEPT_RANGES; n++) {
        struct text_span range = take(&accept, ',');
        for (int i = 0; i < 2; i++) {
            struct wish w = wish_of(range.at, range.size, &forms[i]);
            if (w.fit > best[i].fit || (w.fit != FIT_NONE && w.fit == best[i].fit && w.q > best[i].q))
                best[i] = w;
        }
    }
    if (best[1].fit == FIT_NONE || best[1].q == 0)
        return false;
    return best[1].q > best[0].q || (best[1].q == best[0].q && best[1].fit >= FIT_NAMED);
}

/* One content coding: its name, and q in thousandths. */
static struct text_span coding(struct text_span item, char text[64], int *q) {
    const char *at = text;
    *q = 1000;
    if (item.size >= 64)
        return (struct text_span){text, 0};
    memcpy(text, item.at, item.size);
    text[item.size] = '\0';
    struct text_span name = take(&at, ';');
    while (*at != '\0') {
        struct text_span parameter = take(&at, ';');
        if (parameter.size > 2 && strncasecmp(parameter.at, "q=", 2) == 0)
            *q = thousandths((struct text_span){parameter.at + 2, parameter.size - 2});
    }
    return name;
}

bool accept_gzip(const char *accept) {
    int gzip = -1, any = 0, plain = 0, q;
    char text[64];
    for (int n = 0; accept != NULL && *accept != '\0' && n < ACCEPT_RANGES; n++) {
        struct text_span name = coding(take(&accept, ','), text, &q);
        if (is(name, "gzip") || is(name, "x-gzip"))
            gzip = q > gzip ? q : gzip;
        else if (is(name, "*"))
            any = q;
        else if (is(name, "identity"))
            plain = q;
    }
    gzip = gzip < 0 ? any : gzip;
    return gzip > 0 && gzip >= plain;
}
