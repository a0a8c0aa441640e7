#include "resolver/dns/siphash.h"

struct state {
    uint64_t a, b, c, d;
};

static uint64_t turn(uint64_t x, unsigned bits) { return x << bits | x >> (64 - bits); }

static void rounds(struct state *v, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        v->a += v->b;
        v->c += v->d;
        v->b = turn(v->b, 13) ^ v->a;
        v->d = turn(v->d, 16) ^ v->c;
        v->a = turn(v->a, 32);
        v->c += v->b;
        v->a += v->d;
        v->b = turn(v->b, 17) ^ v->c;
        v->d = turn(v->d, 21) ^ v->a;
        v->c = turn(v->c, 32);
    }
}

/* Up to eight octets, the first the lowest. */
static uint64_t load(const uint8_t *octets, size_t size) {
    uint64_t x = 0;
    for (size_t i = 0; i < size; i++)
        x |= (uint64_t)octets[i] << 8 * i;
    return x;
}

static void take(struct state *v, uint64_t word) {
    v->d ^= word;
    rounds(v, 2);
    v->a ^= word;
}

uint64_t siphash24(const uint8_t key[SIPHASH_KEY], const uint8_t *octets, size_t size) {
    uint64_t k0 = load(key, 8), k1 = load(key + 8, 8);
    struct state v = {k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
                      k1 ^ 0x7465646279746573};
    size_t whole = size & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8)
        take(&v, load(octets + i, 8));
    take(&v, (uint64_t)(size & 0xff) << 56 | load(octets + whole, size & 7));
    v.c ^= 0xff;
    rounds(&v, 4);
    return v.a ^ v.b ^ v.c ^ v.d;
}
