/* IPv6 entries: words, "::" once, words left out at the end, "/n". */
#include "rbl/load/impl.h"
#include "rbl/load/types.h"

static int hex(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One word of any number of digits up to ffff; -1. *text moves behind what was read. */
static int word(const char **text) {
    const char *s = *text;
    int value = 0, digit;
    while ((digit = hex(*s)) >= 0 && (value = value << 4 | digit) <= 0xffff)
        s++;
    bool none = s == *text;
    *text = s;
    return none || value > 0xffff ? -1 : value;
}

/* Moves the bytes from `gap` on to the end. */
static int fill_gap(uint8_t addr[16], unsigned bytes, unsigned gap) {
    unsigned zeros = 16 - bytes;
    if (zeros == 0)
        return -1;
    memmove(addr + gap + zeros, addr + gap, bytes - gap);
    memset(addr + gap, 0, zeros);
    return 128;
}

/* Number of bits that were written, 128 with a "::", -1. */
static int words(const char **text, uint8_t addr[16]) {
    const char *s = *text;
    unsigned bytes = 0;
    int gap = -1, bits = -1, value;
    memset(addr, 0, 16);
    if (s[0] == ':' && s[1] == ':') {
        gap = 0;
        s += 2;
    }
    while ((value = word(&s)) >= 0) {
        put_u16(addr + bytes, (uint16_t)value);
        bytes += 2;
        if (*s != ':' || bytes == 16) {
            bits = (int)bytes * 8;
            break;
        }
        s++;
        if (gap < 0 && *s == ':') {
            gap = (int)bytes;
            s++;
        }
    }
    *text = s;
    return gap >= 0 ? fill_gap(addr, bytes, (unsigned)gap) : bits;
}

static int prefix_bits(const char **text) {
    const char *s = *text;
    int bits = 0;
    if (!load_digit(*s))
        return -1;
    while (load_digit(*s)) {
        bits = bits * 10 + (*s++ - '0');
        if (bits > 128)
            return -1;
    }
    *text = s;
    return bits;
}

static bool entry_ends(char c) { return c == '\0' || load_space(c) || load_comment(c) || c == ':'; }

/* Takes off what stands behind the prefix; whether anything did. */
static bool host_bits(uint8_t addr[16], unsigned bits) {
    bool any = false;
    for (unsigned i = bits; i < 128; i++) {
        any |= (addr[i / 8] & 0x80 >> i % 8) != 0;
        addr[i / 8] = (uint8_t)(addr[i / 8] & ~(0x80 >> i % 8));
    }
    return any;
}

const char *ip6trie_parse(const char *s, struct load_entry *e) {
    int bits = words(&s, e->addr);
    if (bits >= 0 && *s == '/') {
        s++;
        bits = prefix_bits(&s);
    } else if (bits == 16) {
        bits = -1; /* a bare number */
    }
    if (bits < 0 || !entry_ends(*s))
        return "invalid address";
    e->host_bits = host_bits(e->addr, (unsigned)bits);
    e->bits = (uint8_t)bits;
    e->rest = s;
    e->first = e->last = 0; /* $MAXRANGE4 is none of its business */
    return NULL;
}

/* A /64 as four words; exclusions are whole addresses. */
const char *ip6tset_parse(const char *s, struct load_entry *e) {
    int bits = words(&s, e->addr);
    if (bits < 0 || !entry_ends(*s))
        return "invalid address";
    if (bits != (e->excluded ? 128 : 64))
        return e->excluded ? "an exclusion has 128 bits" : "an entry has 64 bits";
    e->bits = (uint8_t)bits;
    e->rest = s;
    e->first = e->last = 0;
    return NULL;
}

int ip6_add(struct load *l, const struct load_entry *e, uint32_t value) {
    return data_add6(l->d, l->dataset, e->addr, e->bits, value);
}

bool ip6_holds(const struct load_entry *e, const struct load_key *key) {
    unsigned whole = key->bits / 8, rest = key->bits % 8;
    return key->kind == LOAD_KEY_6 && e->bits == key->bits && memcmp(e->addr, key->addr6, whole) == 0 &&
           (rest == 0 || (e->addr[whole] ^ key->addr6[whole]) >> (8 - rest) == 0);
}
