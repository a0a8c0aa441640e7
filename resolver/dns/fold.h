/* Private to resolver/dns: folding ASCII case (RFC 4343) eight octets at a time. Length octets of labels are at most
 * 63, below 'A', so whole names in wire form fold like text. */
#ifndef CANDOR_DNS_FOLD_H
#define CANDOR_DNS_FOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint8_t fold1(uint8_t c) { return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c; }

static inline uint64_t fold8(uint64_t x) {
    const uint64_t ones = 0x0101010101010101u, tops = ones << 7;
    uint64_t low = x & ~tops;
    uint64_t from_a = low + ones * (0x80 - 'A'), beyond_z = low + ones * (0x7f - 'Z');
    return x | ((from_a ^ beyond_z) & ~x & tops) >> 2;
}

/* Up to eight octets as one number; reads not one octet more. Two loads that overlap stand in for a loop. */
static inline uint64_t load_upto8(const uint8_t *p, size_t size) {
    if (size >= 4) {
        uint32_t head, tail;
        memcpy(&head, p, 4);
        memcpy(&tail, p + size - 4, 4);
        return (uint64_t)head << 32 | tail;
    }
    if (size == 0)
        return 0;
    return (uint64_t)p[0] << 16 | (uint64_t)p[size / 2] << 8 | p[size - 1];
}

static inline bool fold_equal(const uint8_t *a, const uint8_t *b, size_t size) {
    for (; size >= 8; size -= 8, a += 8, b += 8) {
        uint64_t x, y;
        memcpy(&x, a, 8);
        memcpy(&y, b, 8);
        if (x != y && fold8(x) != fold8(y))
            return false;
    }
    return fold8(load_upto8(a, size)) == fold8(load_upto8(b, size));
}

/* `to` may be `from`. */
static inline void fold_copy(uint8_t *to, const uint8_t *from, size_t size) {
    for (; size >= 8; size -= 8, to += 8, from += 8) {
        uint64_t x;
        memcpy(&x, from, 8);
        x = fold8(x);
        memcpy(to, &x, 8);
    }
    for (size_t i = 0; i < size; i++)
        to[i] = fold1(from[i]);
}

#endif
