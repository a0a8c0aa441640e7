/* Names as text: presentation form of RFC 1035 section 5.1. */
#include <string.h>

#include "resolver/dns/name.h"

static bool digit(char c) { return c >= '0' && c <= '9'; }

/* One octet of a label at *text, its escape undone; -1 when the escape is none. */
static int octet_take(const char **text) {
    const char *p = *text;
    if (p[0] != '\\') {
        *text = p + 1;
        return (uint8_t)p[0];
    }
    if (!digit(p[1])) {
        *text = p + 2;
        return p[1] == '\0' ? -1 : (uint8_t)p[1];
    }
    if (!digit(p[2]) || !digit(p[3]))
        return -1;
    int value = (p[1] - '0') * 100 + (p[2] - '0') * 10 + (p[3] - '0');
    *text = p + 4;
    return value <= 255 ? value : -1;
}

/* One label at *text, up to its dot or the end, behind what n holds. */
static int label_take(struct name *n, const char **text, const char *whole, struct err *err) {
    size_t head = n->size, len = 0;
    while (**text != '\0' && **text != '.') {
        int octet = octet_take(text);
        if (octet < 0)
            return err_set(err, E_INVALID, "name \"%.300s\": expected \\DDD up to 255 or \\ and a character", whole);
        if (len == 63)
            return err_set(err, E_INVALID, "name \"%.300s\": label longer than 63 octets", whole);
        /* One octet is kept for the root label. */
        if (head + 1 + len + 1 >= LIMIT_NAME_WIRE)
            return err_set(err, E_INVALID, "name \"%.300s\": longer than 255 octets", whole);
        n->wire[head + 1 + len++] = (uint8_t)octet;
    }
    if (len == 0)
        return err_set(err, E_INVALID, "name \"%.300s\": empty label", whole);
    n->wire[head] = (uint8_t)len;
    n->size = (uint8_t)(head + 1 + len);
    n->labels++;
    if (**text == '.')
        (*text)++;
    return 0;
}

int name_from_text(struct name *n, const char *text, struct err *err) {
    const char *at = text;
    n->size = 0;
    n->labels = 0;
    if (*text == '\0')
        return err_set(err, E_INVALID, "name is empty; the root is \".\"");
    if (strcmp(text, ".") == 0)
        at++;
    while (*at != '\0') {
        int e = label_take(n, &at, text, err);
        if (e != 0)
            return e;
    }
    n->wire[n->size++] = 0;
    return 0;
}

static char *octet_put(char *to, uint8_t c) {
    if (c <= ' ' || c >= 0x7f) {
        *to++ = '\\';
        *to++ = (char)('0' + c / 100);
        *to++ = (char)('0' + c / 10 % 10);
        *to++ = (char)('0' + c % 10);
        return to;
    }
    if (strchr(".\\\"();@$", c) != NULL) /* what a zone file would take for something else */
        *to++ = '\\';
    *to++ = (char)c;
    return to;
}

const char *name_text(const struct name *n, char to[NAME_TEXT_MAX]) {
    char *p = to;
    if (n->labels == 0)
        *p++ = '.';
    for (size_t at = 0; n->wire[at] != 0;) {
        size_t end = at + 1 + n->wire[at];
        for (at++; at < end; at++)
            p = octet_put(p, n->wire[at]);
        *p++ = '.';
    }
    *p = '\0';
    return to;
}
