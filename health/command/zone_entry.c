/* Entries as text. Written millions at a time: no printf on the way of an address. */
#include <arpa/inet.h>
#include <string.h>

#include "health/command/zone.h"
#include "resolver/base/text.h"

static char *put_number(char *to, unsigned n) {
    if (n >= 100)
        *to++ = (char)('0' + n / 100);
    if (n >= 10)
        *to++ = (char)('0' + n / 10 % 10);
    *to++ = (char)('0' + n % 10);
    return to;
}

static char *put_bits(char *to, unsigned bits, unsigned all) {
    if (bits == all)
        return to;
    *to++ = '/';
    return put_number(to, bits);
}

static size_t name_entry(const struct keep_entry *e, char *to) {
    char text[NAME_TEXT_MAX];
    size_t size = strlen(name_text(&e->name, text)), at = 0;
    if (e->name.labels == 0) {
        (void)memcpy(to, e->bits != 0 ? "*" : "@", 2);
        return 1;
    }
    if (e->bits != 0) {
        memcpy(to, "*.", 2);
        at = 2;
    }
    memcpy(to + at, text, size - 1); /* without the final dot */
    to[at + size - 1] = '\0';
    return at + size - 1;
}

size_t zone_entry_text(const struct keep_entry *e, char to[ZONE_ENTRY_MAX]) {
    char *at = to;
    if (e->kind == KEEP_NAME)
        return name_entry(e, to);
    if (e->kind == KEEP_4) {
        for (unsigned i = 0; i < 4; i++) {
            if (i > 0)
                *at++ = '.';
            at = put_number(at, e->addr[i]);
        }
    } else {
        (void)inet_ntop(AF_INET6, e->addr, to, INET6_ADDRSTRLEN);
        at += strlen(to);
    }
    at = put_bits(at, e->bits, e->kind == KEEP_4 ? 32 : 128);
    *at = '\0';
    return (size_t)(at - to);
}

static bool plain(unsigned char c) { return c >= ' ' && c < 127 && c != '"' && c != '\\'; }

void zone_json_text(FILE *to, const char *text, size_t size) {
    fputc('"', to);
    for (size_t i = 0; i < size;) {
        size_t run = i;
        while (run < size && plain((unsigned char)text[run]))
            run++;
        fwrite(text + i, 1, run - i, to);
        i = run;
        if (i == size)
            break;
        unsigned char c = (unsigned char)text[i];
        size_t n = text_utf8((const uint8_t *)text + i, size - i);
        if (c == '"' || c == '\\')
            fprintf(to, "\\%c", c);
        else if (c < ' ' || c == 127)
            fprintf(to, "\\u%04x", c);
        else if (n == 0)
            fputs("\\ufffd", to);
        else
            fwrite(text + i, 1, n, to);
        i += n > 0 ? n : 1;
    }
    fputc('"', to);
}

/* The TXT part of what value_text writes: behind the second colon. */
static void json_value(FILE *to, const struct value *v) {
    static const char *const act[] = {"ignore", "refuse", "empty", "listed", "pass"};
    char text[VALUE_TEXT_MAX];
    (void)value_text(v, text);
    if (v->kind == VALUE_RR) {
        fputs(",\"rr\":", to);
        zone_json_text(to, text, strlen(text));
        return;
    }
    if (v->kind == VALUE_ACL)
        fprintf(to, ",\"act\":\"%s\"", v->act <= ACL_PASS ? act[v->act] : act[0]);
    if (v->kind == VALUE_ACL && v->act != ACL_LISTED)
        return;
    const char *colon = strchr(text + 1, ':');
    fputs(",\"a\":\"", to);
    if (colon != NULL)
        fwrite(text + 1, 1, (size_t)(colon - text - 1), to);
    fputs("\",\"txt\":", to);
    if (v->has_txt && colon != NULL)
        zone_json_text(to, colon + 1, strlen(colon + 1));
    else
        fputs("null", to);
    if (v->ttl != 0)
        fprintf(to, ",\"ttl\":%u", v->ttl);
}

void zone_entry_json(FILE *to, const struct keep_entry *e, const char *change, const char *type) {
    char text[ZONE_ENTRY_MAX], time[ZONE_TIME_MAX];
    size_t size = zone_entry_text(e, text);
    fputc('{', to);
    if (change != NULL)
        fprintf(to, "\"change\":\"%s\",", change);
    fputs("\"entry\":", to);
    zone_json_text(to, text, size);
    fputs(",\"type\":\"", to);
    fputs(type, to);
    *put_number(text, e->dataset) = '\0';
    fputs("\",\"dataset\":", to);
    fputs(text, to);
    fputs(e->excluded ? ",\"excluded\":true" : ",\"excluded\":false", to);
    if (!e->excluded)
        json_value(to, &e->value);
    if (e->until_wall_s > 0)
        fprintf(to, ",\"until\":\"%s\"", zone_time(e->until_wall_s, time));
    fputs("}\n", to);
}
