#include "tests/unit/resolver/dns/wire.h"

void wire_u8(struct wire *w, unsigned v) {
    assert_true(w->size < sizeof w->at);
    w->at[w->size++] = (uint8_t)v;
}

void wire_u16(struct wire *w, unsigned v) {
    wire_u8(w, v >> 8 & 0xFF);
    wire_u8(w, v & 0xFF);
}

void wire_u32(struct wire *w, uint32_t v) {
    wire_u16(w, v >> 16);
    wire_u16(w, v & 0xFFFF);
}

void wire_raw(struct wire *w, const void *octets, size_t size) {
    for (size_t i = 0; i < size; i++)
        wire_u8(w, ((const uint8_t *)octets)[i]);
}

void wire_hex(struct wire *w, const char *hex) {
    unsigned octet;
    int used;
    while (sscanf(hex, " %2x%n", &octet, &used) == 1) {
        wire_u8(w, octet);
        hex += used;
    }
    assert_int_equal(*hex, '\0');
}

void wire_name(struct wire *w, const char *dotted) {
    while (*dotted != '\0') {
        size_t len = strcspn(dotted, ".");
        wire_u8(w, (unsigned)len);
        wire_raw(w, dotted, len);
        dotted += len + (dotted[len] == '.');
    }
    wire_u8(w, 0);
}

void wire_label(struct wire *w, unsigned size, char c) {
    wire_u8(w, size);
    for (unsigned i = 0; i < size; i++)
        wire_u8(w, (uint8_t)c);
}

void wire_header(struct wire *w, unsigned flags, unsigned qd, unsigned an, unsigned ns, unsigned ar) {
    w->size = 0;
    wire_u16(w, 0x1234);
    wire_u16(w, flags);
    wire_u16(w, qd);
    wire_u16(w, an);
    wire_u16(w, ns);
    wire_u16(w, ar);
}

void wire_question(struct wire *w, const char *dotted, unsigned type) {
    wire_name(w, dotted);
    wire_u16(w, type);
    wire_u16(w, 1);
}

void wire_rr(struct wire *w, const char *dotted, unsigned type, const void *rdata, size_t size) {
    wire_name(w, dotted);
    wire_u16(w, type);
    wire_u16(w, 1);
    wire_u32(w, 300);
    wire_u16(w, (unsigned)size);
    wire_raw(w, rdata, size);
}

void wire_opt(struct wire *w, const char *options_hex) {
    wire_u8(w, 0);
    wire_u16(w, 41);
    wire_u16(w, 1232);
    wire_u32(w, 0);
    size_t length = w->size;
    wire_u16(w, 0);
    wire_hex(w, options_hex);
    w->at[length] = (uint8_t)((w->size - length - 2) >> 8);
    w->at[length + 1] = (uint8_t)(w->size - length - 2);
}

uint8_t *wire_exact(const void *octets, size_t size) {
    uint8_t *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, octets, size);
    return copy;
}
