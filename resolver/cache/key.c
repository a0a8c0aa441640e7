/* Keys and places: from a question to its bucket, and from a record to its place in the log. */
#include <xxhash.h>

#include "resolver/cache/layout.h"

/* Lower case in eight octets at once. Length octets of labels are below 64, so they are never taken for letters. */
static uint64_t fold8(uint64_t x) {
    const uint64_t ones = 0x0101010101010101ULL;
    uint64_t low = x & (0x7f * ones);
    uint64_t past_z = low + (0x7f - 'Z') * ones;
    uint64_t from_a = low + (0x80 - 'A') * ones;
    uint64_t upper = ~x & (0x80 * ones) & (from_a ^ past_z);
    return x | upper >> 2;
}

uint8_t cache_key_flags(const struct cache_key *key) {
    return (uint8_t)((key->dnssec_ok ? CACHE_FLAG_DO : 0) | (key->checking_disabled ? CACHE_FLAG_CD : 0));
}

void cache_probe_make(const struct cache *c, const struct name *name, uint16_t type, uint16_t klass, uint8_t flags,
                      struct cache_probe *p) {
    size_t n = name->size;
    memcpy(p->question, name->wire, n);
    memset(p->question + n, 0, 8);
    for (size_t i = 0; i < n; i += 8) {
        uint64_t word;
        memcpy(&word, p->question + i, 8);
        word = fold8(word);
        memcpy(p->question + i, &word, 8);
    }
    put_u16(p->question + n, type);
    put_u16(p->question + n + 2, klass);
    p->flags = flags;
    p->question[n + 4] = p->flags;
    p->question_size = n + 4;
    uint64_t hash = XXH3_64bits_withSeed(p->question, n + 5, c->hash_seed);
    p->tag = hash & ((1ULL << (64 - CACHE_POSITION_BITS)) - 1);
    p->bucket = c->index + (uint64_t)(((unsigned __int128)hash * c->buckets) >> 64) * CACHE_WAYS;
}

uint64_t cache_checksum(const struct cache *c, const uint8_t *record, size_t size, uint64_t position) {
    const size_t skip = sizeof(((struct cache_record *)0)->check);
    return XXH3_64bits_withSeed(record + skip, size - skip, c->check_seed ^ position);
}

uint64_t cache_append(struct cache *c, size_t size) {
    uint64_t room = (size + CACHE_UNIT - 1) & ~(uint64_t)(CACHE_UNIT - 1);
    for (unsigned i = 0; i < CACHE_RESERVE_TRIES; i++) {
        uint64_t at = __atomic_fetch_add(&c->file->head, room, __ATOMIC_RELAXED) & ~(uint64_t)(CACHE_UNIT - 1);
        c->head_seen = at + room;
        uint64_t position = at / CACHE_UNIT & CACHE_POSITION_MASK;
        uint64_t place = position * CACHE_UNIT % c->log_bytes;
        if (place + room > c->log_bytes || position == 0)
            continue;
        struct cache_record *r = (struct cache_record *)c->scratch;
        r->check = cache_checksum(c, c->scratch, size, position);
        memcpy(c->log + place, c->scratch, size);
        return position;
    }
    return 0;
}

void cache_forget(const struct cache_probe *p) {
    for (unsigned i = 0; i < CACHE_WAYS; i++) {
        uint64_t word = __atomic_load_n(&p->bucket[i], __ATOMIC_RELAXED);
        if ((word & CACHE_POSITION_MASK) != 0 && word >> CACHE_POSITION_BITS == p->tag)
            __atomic_compare_exchange_n(&p->bucket[i], &word, 0, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    }
}
