/* IPv4 entries: "a.b.c.d", "a.b.c" for a /24, "a.b.c.d/n"; ranges in sets only. */
#include "rbl/load/impl.h"
#include "rbl/load/types.h"

static uint32_t mask(unsigned bits) { return bits == 0 ? 0 : ~0u << (32 - bits); }

static bool entry_ends(char c) { return c == '\0' || load_space(c) || load_comment(c) || c == ':'; }

int load_octets(const char **text, uint32_t *addr) {
    const char *s = *text;
    uint32_t a = 0;
    unsigned bits = 0;
    for (;;) {
        uint32_t octet = 0;
        if (!load_digit(*s))
            return -1;
        do {
            octet = octet * 10 + (uint32_t)(*s++ - '0');
            if (octet > 255)
                return -1;
        } while (load_digit(*s));
        bits += 8;
        a |= octet << (32 - bits);
        if (bits == 32 || *s != '.')
            break;
        s++;
    }
    *text = s;
    *addr = a;
    return (int)bits;
}

/* As inet_aton() has it: "1.2" is 1.0.0.2 and "1.2.3" is 1.2.0.3. */
bool load_ip4(const char **text, uint32_t *addr) {
    int bits = load_octets(text, addr);
    if (bits == 8)
        *addr >>= 24;
    else if (bits == 16)
        *addr = (*addr & 0xff000000) | (*addr >> 16 & 255);
    else if (bits == 24)
        *addr = (*addr & 0xffff0000) | (*addr >> 8 & 255);
    return bits >= 0;
}

/* Digits behind a '/': 0..32, -1. */
static int mask_bits(const char **text) {
    const char *s = *text;
    int bits = 0;
    if (!load_digit(*s))
        return -1;
    do {
        bits = bits * 10 + (*s++ - '0');
        if (bits > 32)
            return -1;
    } while (load_digit(*s));
    *text = s;
    return bits;
}

/* "a-b": `bits` of the first boundary were given. One octet alone replaces the last one given ("127.16-31"); the last
 * boundary is filled up with ones. */
static bool range(const char **s, struct load_entry *e, unsigned bits) {
    int last_bits = load_octets(s, &e->last);
    if (last_bits < 0)
        return false;
    if (last_bits == 8)
        e->last = e->last >> (bits - 8) | (e->first & mask(bits - 8));
    else if ((unsigned)last_bits != bits)
        return false;
    e->last |= ~mask(bits);
    return e->first <= e->last;
}

/* The common part: bits of a prefix or 32 for a range, -1. */
static int parse(const char *s, struct load_entry *e, bool ranges) {
    int bits = load_octets(&s, &e->first);
    if (bits < 0)
        return -1;
    if (*s == '-' && ranges) {
        s++;
        if (!range(&s, e, (unsigned)bits))
            return -1;
        bits = 32;
    } else {
        if (*s == '/') {
            s++;
            bits = mask_bits(&s);
        } else if (bits == 8) {
            return -1; /* a bare number */
        }
        if (bits < 0)
            return -1;
        e->host_bits = (e->first & ~mask((unsigned)bits)) != 0;
        e->first &= mask((unsigned)bits);
        e->last = e->first | ~mask((unsigned)bits);
    }
    e->rest = s;
    return entry_ends(*s) ? bits : -1;
}

const char *ip4set_parse(const char *s, struct load_entry *e) {
    int bits = parse(s, e, true);
    return bits > 0 ? NULL : "invalid address"; /* a set cannot hold 0/0 */
}

/* Whole addresses alone. */
const char *ip4tset_parse(const char *s, struct load_entry *e) {
    int bits = load_octets(&s, &e->first);
    e->last = e->first;
    e->rest = s;
    return bits == 32 && entry_ends(*s) ? NULL : "invalid address";
}

const char *ip4trie_parse(const char *s, struct load_entry *e) {
    int bits = parse(s, e, false);
    return bits >= 0 ? NULL : "invalid address";
}

int ip4_add(struct load *l, const struct load_entry *e, uint32_t value) {
    return data_add4(l->d, l->dataset, e->first, e->last, value);
}

/* A prefix belongs to the fewest that make up a range when the range has the prefix but not the one above it. */
bool ip4_holds(const struct load_entry *e, const struct load_key *key) {
    if (key->kind != LOAD_KEY_4)
        return false;
    uint32_t m = mask(key->bits), first = key->addr & m;
    if (first < e->first || (first | ~m) > e->last)
        return false;
    if (key->bits == 0)
        return true;
    uint32_t above = mask(key->bits - 1);
    return (first & above) < e->first || (first | ~above) > e->last;
}
