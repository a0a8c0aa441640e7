/* Addresses as texts, without the C library: for every answer that has one in it. */
#include "resolver/base/text.h"

static char *put_octet(char *to, unsigned value) {
    if (value >= 100)
        *to++ = (char)('0' + value / 100);
    if (value >= 10)
        *to++ = (char)('0' + value / 10 % 10);
    *to++ = (char)('0' + value % 10);
    return to;
}

size_t text_addr4(char to[TEXT_ADDR_MAX], uint32_t addr) {
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

size_t text_addr6(char to[TEXT_ADDR_MAX], const uint8_t addr[16]) {
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
