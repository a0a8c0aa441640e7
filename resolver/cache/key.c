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
    p->hash = hash;
    p->tag = hash & ((1ULL << (64 - CACHE_TAG_SHIFT)) - 1);
    p->bucket = cache_bucket(c, hash, c->extent);
}

uint64_t cache_used(const struct cache *c) {
    if (c->extent == CACHE_EXTENTS - 1)
        return c->buckets;
    uint64_t sum = 0;
    for (unsigned e = c->least; e <= c->extent; e++)
        sum += cache_extent_buckets(c, e);
    return sum;
}

uint64_t cache_used_bucket(const struct cache *c, uint64_t i) {
    for (unsigned e = c->least; e <= c->extent && c->extent < CACHE_EXTENTS - 1; e++) {
        uint64_t buckets = cache_extent_buckets(c, e);
        if (i < buckets)
            return cache_extent_first(c, e) + i;
        i -= buckets;
    }
    return i;
}

uint64_t cache_checksum(const struct cache *c, const uint8_t *record, size_t size, uint64_t place) {
    const size_t skip = sizeof(((struct cache_record *)0)->check);
    return XXH3_64bits_withSeed(record + skip, size - skip, c->check_seed ^ place);
}

uint64_t cache_append(struct cache *c, enum cache_ring_id ring, uint8_t *record, size_t size) {
    uint64_t room = cache_room(size), bytes = c->ring[ring].bytes;
    for (unsigned i = 0; i < CACHE_RESERVE_TRIES; i++) {
        uint64_t at =
            __atomic_fetch_add(&c->file->ring[ring].head, room, __ATOMIC_RELAXED) & ~(uint64_t)(CACHE_UNIT - 1);
        c->ring[ring].head_seen = at + room;
        uint64_t position = at / CACHE_UNIT & CACHE_POSITION_MASK, offset = position * CACHE_UNIT % bytes;
        uint64_t place = (uint64_t)ring << CACHE_RING_SHIFT | position;
        if (offset + room > bytes || position == 0)
            continue;
        struct cache_record *r = (struct cache_record *)record;
        r->check = cache_checksum(c, record, size, place);
        memcpy(c->ring[ring].log + offset, record, size);
        return place;
    }
    return 0;
}

static bool bucket_forget(const struct cache_probe *p, uint64_t *bucket) {
    bool any = false;
    for (unsigned i = 0; i < CACHE_WAYS; i++) {
        uint64_t word = __atomic_load_n(&bucket[i], __ATOMIC_RELAXED);
        if ((word & CACHE_PLACE_MASK) != 0 && word >> CACHE_TAG_SHIFT == p->tag)
            any |= __atomic_compare_exchange_n(&bucket[i], &word, 0, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    }
    return any;
}

bool cache_forget_elsewhere(const struct cache *c, const struct cache_probe *p) {
    bool any = false;
    for (unsigned e = c->least; e < c->extent; e++) {
        uint64_t *bucket = cache_bucket(c, p->hash, e);
        if (bucket != p->bucket) /* the last extent overlaps the others */
            any |= bucket_forget(p, bucket);
    }
    return any;
}

void cache_forget(const struct cache *c, const struct cache_probe *p) {
    (void)cache_forget_elsewhere(c, p);
    (void)bucket_forget(p, p->bucket);
}
