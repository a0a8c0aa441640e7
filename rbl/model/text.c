/* Values as a data file would write them. */
#include <stdio.h>

#include "rbl/model/data.h"
#include "resolver/dns/const.h"

/* Where the text goes; `to` always has room, by VALUE_TEXT_MAX. */
struct out {
    char *to;
    size_t at;
};

static void put(struct out *o, char c) {
    if (o->at < VALUE_TEXT_MAX - 1)
        o->to[o->at++] = c;
}

static void put_text(struct out *o, const char *s) {
    while (*s != '\0')
        put(o, *s++);
}

static void put_number(struct out *o, uint32_t n, char behind) {
    char digits[12];
    snprintf(digits, sizeof digits, "%u%c", n, behind);
    put_text(o, digits);
}

static void put_listed(struct out *o, const struct value *v) {
    for (unsigned i = 0; i < 4; i++) {
        put(o, i == 0 ? ':' : '.');
        put_number(o, v->a[i], '\0');
    }
    put(o, ':');
    for (unsigned i = 0; i < v->txt_size && i < VALUE_BYTES; i++) {
        put(o, v->txt[i] != '\0' ? v->txt[i] : '$');
        if (v->txt[i] == '\0')
            put(o, '$');
    }
}

/* A name in wire form that is all of rdata from `from` on. */
static bool rdata_name(struct out *o, const uint8_t *rdata, size_t size, size_t from) {
    struct name n;
    char text[NAME_TEXT_MAX];
    size_t end;
    if (from >= size || name_read(&n, rdata, size, from, &end) < 0 || end != size)
        return false;
    for (size_t i = 0; i < from; i += 2)
        put_number(o, get_u16(rdata + i), ' ');
    put_text(o, name_text(&n, text));
    return true;
}

static bool rdata_txt(struct out *o, const uint8_t *rdata, size_t size) {
    char escaped[8];
    for (size_t at = 0; at < size; at += 1u + rdata[at])
        if (at + rdata[at] >= size)
            return false;
    for (size_t at = 0; at < size; at += 1u + rdata[at]) {
        put_text(o, at == 0 ? "\"" : " \"");
        for (size_t i = at + 1; i <= at + rdata[at]; i++) {
            bool plain = rdata[i] >= ' ' && rdata[i] < 0x7f;
            snprintf(escaped, sizeof escaped, plain ? "\\%c" : "\\%03u", rdata[i]);
            put_text(o, plain && rdata[i] != '"' && rdata[i] != '\\' ? escaped + 1 : escaped);
        }
        put(o, '"');
    }
    return size > 0;
}

static bool rdata_address(struct out *o, const uint8_t *rdata, size_t size) {
    for (size_t i = 0; i < size && size == 4; i++) {
        if (i > 0)
            put(o, '.');
        put_number(o, rdata[i], '\0');
    }
    for (size_t i = 0; i < size && size == 16; i += 2) {
        char word[8];
        snprintf(word, sizeof word, i > 0 ? ":%x" : "%x", get_u16(rdata + i));
        put_text(o, word);
    }
    return true;
}

static bool rdata_known(struct out *o, uint16_t type, const uint8_t *rdata, size_t size) {
    switch (type) {
    case TYPE_A:
        return size == 4 && rdata_address(o, rdata, size);
    case TYPE_AAAA:
        return size == 16 && rdata_address(o, rdata, size);
    case TYPE_NS:
    case TYPE_CNAME:
    case TYPE_PTR:
        return rdata_name(o, rdata, size, 0);
    case TYPE_MX:
        return rdata_name(o, rdata, size, 2);
    case TYPE_TXT:
        return rdata_txt(o, rdata, size);
    default:
        return false;
    }
}

/* What has no notation of its own is written as RFC 3597 says. */
static void put_rr(struct out *o, const struct value *v) {
    const uint8_t *rdata = (const uint8_t *)v->txt;
    size_t size = v->txt_size < VALUE_BYTES ? v->txt_size : VALUE_BYTES;
    char type[16];
    if (v->ttl != 0)
        put_number(o, v->ttl, ' ');
    put_text(o, dns_type_text(v->type, type));
    put(o, ' ');
    if (rdata_known(o, v->type, rdata, size))
        return;
    put_text(o, "\\# ");
    put_number(o, (uint32_t)size, '\0');
    for (size_t i = 0; i < size; i++) {
        char hex[4];
        snprintf(hex, sizeof hex, i == 0 ? " %02x" : "%02x", rdata[i]);
        put_text(o, hex);
    }
}

const char *value_text(const struct value *v, char *to) {
    static const char *const act[] = {":ignore", ":refuse", ":empty", NULL, ":pass"};
    struct out o = {.to = to};
    if (v->kind == VALUE_RR)
        put_rr(&o, v);
    else if (v->kind == VALUE_ACL && v->act != ACL_LISTED)
        put_text(&o, v->act <= ACL_PASS ? act[v->act] : ":ignore");
    else
        put_listed(&o, v);
    to[o.at] = '\0';
    return to;
}
