/* Writing and reading the zone format's bytes (docs/formats/zone.md). Both ends carry a sticky failure, so that code
 * stays linear: write or read everything, then look once. Numbers are in network order; varints are LEB128, shortest
 * form not enforced, at most ten bytes. */
#ifndef CANDOR_KEEP_WIRE_H
#define CANDOR_KEEP_WIRE_H

#include <stdbool.h>
#include <stdlib.h>

#include "resolver/base/bytes.h"
#include "resolver/base/err.h"

/* A buffer that grows; freed by buf_free. failed: no memory. */
struct buf {
    uint8_t *at;
    size_t size, cap;
    bool failed;
};

static inline bool buf_room(struct buf *b, size_t more) {
    if (b->failed)
        return false;
    if (more <= b->cap - b->size)
        return true;
    size_t cap = b->cap < 256 ? 512 : b->cap * 2;
    while (cap - b->size < more)
        cap *= 2;
    uint8_t *at = realloc(b->at, cap);
    if (at == NULL) {
        b->failed = true;
        return false;
    }
    b->at = at;
    b->cap = cap;
    return true;
}

static inline void buf_free(struct buf *b) {
    free(b->at);
    memset(b, 0, sizeof *b);
}

static inline struct bytes buf_bytes(const struct buf *b) { return (struct bytes){b->at, b->size}; }

/* Room for `size` bytes that the caller fills; NULL: failed. */
static inline uint8_t *buf_take(struct buf *b, size_t size) {
    if (!buf_room(b, size))
        return NULL;
    uint8_t *at = b->at + b->size;
    b->size += size;
    return at;
}

static inline void buf_put(struct buf *b, const void *from, size_t size) {
    uint8_t *to = buf_take(b, size);
    if (to != NULL && size > 0)
        memcpy(to, from, size);
}

static inline void buf_u8(struct buf *b, unsigned v) {
    uint8_t *to = buf_take(b, 1);
    if (to != NULL)
        *to = (uint8_t)v;
}

static inline void buf_u16(struct buf *b, unsigned v) {
    uint8_t *to = buf_take(b, 2);
    if (to != NULL)
        put_u16(to, (uint16_t)v);
}

static inline void buf_u32(struct buf *b, uint32_t v) {
    uint8_t *to = buf_take(b, 4);
    if (to != NULL)
        put_u32(to, v);
}

static inline void buf_u64(struct buf *b, uint64_t v) {
    uint8_t *to = buf_take(b, 8);
    if (to != NULL)
        put_u64(to, v);
}

static inline void buf_varint(struct buf *b, uint64_t v) {
    for (; v >= 0x80; v >>= 7)
        buf_u8(b, (unsigned)(v & 0x7f) | 0x80);
    buf_u8(b, (unsigned)v);
}

/* One byte of length, then at most 255 bytes of text. */
static inline void buf_text(struct buf *b, const char *text) {
    size_t n = text != NULL ? strlen(text) : 0;
    n = n > 255 ? 255 : n;
    buf_u8(b, (unsigned)n);
    buf_put(b, text, n);
}

/* Bytes being read. failed: they ended early or hold what cannot be. */
struct scan {
    const uint8_t *at;
    size_t left;
    bool failed;
};

static inline struct scan scan_of(struct bytes b) { return (struct scan){.at = b.at, .left = b.size}; }

/* `size` bytes as they stand; NULL: failed. */
static inline const uint8_t *scan_take(struct scan *s, size_t size) {
    if (s->failed || size > s->left) {
        s->failed = true;
        return NULL;
    }
    const uint8_t *at = s->at;
    s->at += size;
    s->left -= size;
    return at;
}

static inline uint8_t scan_u8(struct scan *s) {
    const uint8_t *p = scan_take(s, 1);
    return p != NULL ? *p : 0;
}

static inline uint16_t scan_u16(struct scan *s) {
    const uint8_t *p = scan_take(s, 2);
    return p != NULL ? get_u16(p) : 0;
}

static inline uint32_t scan_u32(struct scan *s) {
    const uint8_t *p = scan_take(s, 4);
    return p != NULL ? get_u32(p) : 0;
}

static inline uint64_t scan_u64(struct scan *s) {
    const uint8_t *p = scan_take(s, 8);
    return p != NULL ? get_u64(p) : 0;
}

static inline uint64_t scan_varint(struct scan *s) {
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = scan_u8(s);
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return v;
    }
    s->failed = true;
    return 0;
}

/* A varint that must fit in 32 bits. */
static inline uint32_t scan_varint32(struct scan *s) {
    uint64_t v = scan_varint(s);
    if (v > UINT32_MAX)
        s->failed = true;
    return s->failed ? 0 : (uint32_t)v;
}

static inline void scan_text(struct scan *s, char *to, size_t cap) {
    size_t n = scan_u8(s);
    const uint8_t *p = scan_take(s, n);
    if (p == NULL)
        n = 0;
    n = n < cap ? n : cap - 1;
    if (n > 0)
        memcpy(to, p, n);
    to[n] = '\0';
}

#endif
