/* Query names of address lists: octets or nibbles in reverse order in front of the apex (RFC 5782 section 2). */
#include "rbl/answer_impl.h"

/* One label of one to three digits, at most 255; leading zeros pass. -1: none. */
static inline int octet(const uint8_t *label) {
    unsigned a = label[1] - (unsigned)'0', b, c;
    if (a > 9)
        return -1;
    switch (label[0]) {
    case 1:
        return (int)a;
    case 2:
        b = label[2] - (unsigned)'0';
        return b <= 9 ? (int)(a * 10 + b) : -1;
    case 3:
        b = label[2] - (unsigned)'0';
        c = label[3] - (unsigned)'0';
        a = a * 100 + b * 10 + c;
        return b <= 9 && c <= 9 && a <= 255 ? (int)a : -1;
    default:
        return -1;
    }
}

static int nibble(const uint8_t *label) {
    uint8_t c = label[1];
    if (label[0] != 1)
        return -1;
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* `labels` octets, the last label being the first of the address. */
static inline bool octets(const uint8_t *wire, unsigned labels, uint32_t *addr) {
    uint32_t a = 0;
    for (unsigned i = 0; i < labels; i++) {
        int value = octet(wire);
        if (value < 0)
            return false;
        a = a >> 8 | (uint32_t)value << 24;
        wire += wire[0] + 1;
    }
    *addr = a;
    return true;
}

static bool nibbles(const uint8_t *wire, unsigned labels, uint8_t addr[16]) {
    memset(addr, 0, 16);
    for (unsigned i = labels; i-- > 0;) {
        int value = nibble(wire);
        if (value < 0)
            return false;
        addr[i / 2] |= (uint8_t)(i % 2 ? value : value << 4);
        wire += 2;
    }
    return true;
}

bool answer_name4(const struct name *qname, uint32_t *addr) { return octets(qname->wire, 4, addr); }

bool answer_name6(const struct name *qname, uint8_t addr[16]) { return nibbles(qname->wire, 32, addr); }

unsigned answer_part4(const struct name *qname, unsigned labels, uint32_t *addr) {
    return labels >= 1 && labels <= 3 && octets(qname->wire, labels, addr) ? labels * 8 : 0;
}

unsigned answer_part6(const struct name *qname, unsigned labels, uint8_t addr[16]) {
    return labels >= 1 && labels <= 31 && nibbles(qname->wire, labels, addr) ? labels * 4 : 0;
}

static char *put_octet(char *to, unsigned value) {
    if (value >= 100)
        *to++ = (char)('0' + value / 100);
    if (value >= 10)
        *to++ = (char)('0' + value / 10 % 10);
    *to++ = (char)('0' + value % 10);
    return to;
}

size_t answer_text4(char to[NAME_TEXT_MAX], uint32_t addr) {
    char *at = to;
    for (int shift = 24; shift >= 0; shift -= 8) {
        at = put_octet(at, addr >> shift & 255);
        if (shift > 0)
            *at++ = '.';
    }
    return (size_t)(at - to);
}

static char *put_word(char *to, unsigned word) {
    static const char digits[] = "0123456789abcdef";
    for (int shift = 12; shift >= 0; shift -= 4)
        if (word >> shift != 0 || shift == 0)
            *to++ = digits[word >> shift & 15];
    return to;
}

/* RFC 5952, but never with IPv4 at the end, as rbldnsd writes it. */
size_t answer_text6(char to[NAME_TEXT_MAX], const uint8_t addr[16]) {
    unsigned gap = 8, gap_size = 1;
    for (unsigned i = 0; i < 8; i++) {
        unsigned n = 0;
        while (i + n < 8 && get_u16(addr + 2 * (i + n)) == 0)
            n++;
        if (n > gap_size) {
            gap = i;
            gap_size = n;
        }
    }
    char *at = to;
    for (unsigned i = 0; i < 8; i++) {
        if (i == gap) {
            *at++ = ':';
            if (i == 0)
                *at++ = ':';
            i += gap_size - 1;
            if (i == 7)
                break;
            continue;
        }
        at = put_word(at, get_u16(addr + 2 * i));
        if (i < 7)
            *at++ = ':';
    }
    return (size_t)(at - to);
}

unsigned answer_inner4(const uint8_t addr[16], uint32_t *inner) {
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (memcmp(addr, mapped, sizeof mapped) == 0) {
        *inner = get_u32(addr + 12);
        return 96;
    }
    *inner = get_u32(addr + 2);
    return addr[0] == 0x20 && addr[1] == 0x02 ? 16 : 0;
}
