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

unsigned answer_inner4(const uint8_t addr[16], uint32_t *inner) {
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (memcmp(addr, mapped, sizeof mapped) == 0) {
        *inner = get_u32(addr + 12);
        return 96;
    }
    *inner = get_u32(addr + 2);
    return addr[0] == 0x20 && addr[1] == 0x02 ? 16 : 0;
}
