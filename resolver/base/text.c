#include "resolver/base/text.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

const char *text_shown(char to[TEXT_SHOWN_MAX], const char *text) {
    static const char hex[] = "0123456789abcdef";
    const size_t room = TEXT_SHOWN_MAX - sizeof("...");
    size_t n = 0;
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = c >= ' ' && c < 0x7f;
        if (n + (plain ? 1 : 4) > room) {
            memcpy(to + n, "...", sizeof("..."));
            return to;
        }
        if (plain) {
            to[n++] = (char)c;
        } else {
            to[n++] = '\\';
            to[n++] = 'x';
            to[n++] = hex[c >> 4];
            to[n++] = hex[c & 15];
        }
    }
    to[n] = '\0';
    return to;
}

size_t text_utf8(const uint8_t *at, size_t size) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t point;
    size_t n;
    if (size == 0)
        return 0;
    if (at[0] < 0x80)
        return 1;
    n = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4 || n > size)
        return 0;
    point = at[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (at[i] & 0x3fu);
    }
    /* Longer than needed, half of a surrogate pair, or beyond Unicode. */
    if (point < least[n] || (point >= 0xd800 && point <= 0xdfff) || point > 0x10ffff)
        return 0;
    return n;
}

static int base64_value(char c) {
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four characters, of which the last `pad` are '=', into three minus `pad` bytes. */
static bool base64_group(uint8_t out[3], const char *in, size_t pad) {
    uint32_t bits = 0;
    for (size_t i = 0; i < 4; i++) {
        int value = i < 4 - pad ? base64_value(in[i]) : 0;
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
    }
    out[0] = (uint8_t)(bits >> 16);
    out[1] = (uint8_t)(bits >> 8);
    out[2] = (uint8_t)bits;
    return true;
}

long text_base64(uint8_t *to, size_t cap, const char *text) {
    size_t n = strlen(text), written = 0;
    uint8_t out[3];
    if (n % 4 != 0 || n > LONG_MAX / 2)
        return -1;
    for (size_t i = 0; i < n; i += 4) {
        bool last = i + 4 == n;
        size_t pad = last && text[i + 3] == '=' ? (text[i + 2] == '=' ? 2 : 1) : 0;
        if (!base64_group(out, text + i, pad) || written + 3 - pad > cap)
            return -1;
        if (to != NULL)
            memcpy(to + written, out, 3 - pad);
        written += 3 - pad;
    }
    return (long)written;
}
