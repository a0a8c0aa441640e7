#include "resolver/base/pack.h"

static uint8_t *room(struct pack_out *o, size_t octets) {
    if (o->error != 0 || octets > o->cap - o->size) {
        o->error = E_FULL;
        return NULL;
    }
    o->size += octets;
    return o->at + o->size - octets;
}

void pack_octets(struct pack_out *o, const void *from, size_t size) {
    uint8_t *p = room(o, size);
    if (p != NULL && size > 0)
        memcpy(p, from, size);
}

void pack_number(struct pack_out *o, uint64_t v, unsigned octets) {
    uint8_t be[8];
    put_u64(be, v);
    pack_octets(o, be + sizeof be - octets, octets);
}

void pack_text(struct pack_out *o, const char *text, size_t cap) {
    size_t size = strnlen(text, cap);
    if (size == cap || size > UINT8_MAX)
        o->error = E_FULL;
    pack_number(o, size, 1);
    pack_octets(o, text, size);
}

void unpack_octets(struct pack_in *i, void *to, size_t size) {
    if (i->bad || size > i->left) {
        i->bad = true;
        memset(to, 0, size);
        return;
    }
    memcpy(to, i->at, size);
    i->at += size;
    i->left -= size;
}

uint64_t unpack_number(struct pack_in *i, unsigned octets) {
    uint8_t be[8] = {0};
    unpack_octets(i, be + sizeof be - octets, octets);
    return get_u64(be);
}

static size_t text(struct pack_in *i, char *to, size_t cap) {
    size_t size = (size_t)unpack_number(i, 1);
    memset(to, 0, cap);
    if (size >= cap) {
        i->bad = true;
        return 0;
    }
    unpack_octets(i, to, size);
    return size;
}

void unpack_name(struct pack_in *i, char *to, size_t cap) {
    size_t size = text(i, to, cap);
    for (size_t c = 0; c < size; c++)
        i->bad |= to[c] <= ' ' || to[c] > '~' || to[c] == '"' || to[c] == '\\';
}

void unpack_words(struct pack_in *i, char *to, size_t cap) {
    size_t size = text(i, to, cap);
    for (size_t c = 0; c < size; c++)
        if (to[c] < ' ' || to[c] > '~')
            to[c] = '?';
}

int64_t unpack_time_ms(struct pack_in *i) {
    uint64_t ms = unpack_number(i, 8);
    if (ms > UINT64_C(1) << 53) {
        i->bad = true;
        return 0;
    }
    return (int64_t)ms;
}
