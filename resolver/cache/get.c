/* Looking an answer up: copy, prove, count down. */
#include "resolver/cache/layout.h"

const struct cache_record *cache_record_copy(struct cache *c, uint64_t place) {
    return cache_record_copy_to(c, place, c->scratch);
}

const struct cache_record *cache_record_copy_to(const struct cache *c, uint64_t place, uint8_t *to) {
    enum cache_ring_id ring = cache_ring_of(place);
    const uint8_t *log = c->ring[ring].log;
    uint64_t bytes = c->ring[ring].bytes, offset = (place & CACHE_POSITION_MASK) * CACHE_UNIT % bytes;
    if (offset + sizeof(struct cache_record) > bytes)
        return NULL;
    struct cache_record *r = (struct cache_record *)to;
    memcpy(r, log + offset, sizeof *r);
    size_t size = cache_record_size(r);
    if (r->ttls > CACHE_TTLS_MAX || offset + size > bytes)
        return NULL;
    memcpy(to + sizeof *r, log + offset + sizeof *r, size - sizeof *r);
    return cache_checksum(c, to, size, place) == r->check ? r : NULL;
}

/* The same, if it answers the question. */
static const struct cache_record *record_read(struct cache *c, const struct cache_probe *p, uint64_t place) {
    const struct cache_record *r = cache_record_copy(c, place);
    if (r == NULL || r->flags != p->flags || r->size < p->question_size ||
        memcmp(c->scratch + sizeof *r, p->question, p->question_size) != 0)
        return NULL;
    return r;
}

static bool record_is_fresh(const struct cache *c, const struct cache_record *r, uint32_t stale_s) {
    if (stale_s == CACHE_ANY_AGE)
        return true;
    return (uint64_t)r->expires_s + stale_s > c->now_s && !cache_of_future(c, r);
}

static const struct cache_record *bucket_find(struct cache *c, const struct cache_probe *p, uint64_t *bucket,
                                              uint32_t stale_s, struct cache_found *at) {
    for (unsigned i = 0; i < CACHE_WAYS; i++) {
        uint64_t word = __atomic_load_n(&bucket[i], __ATOMIC_ACQUIRE);
        if (word >> CACHE_TAG_SHIFT != p->tag || (word & CACHE_PLACE_MASK) == 0 || cache_overwritten(c, word))
            continue; /* of what was overwritten the word stays: it says that it was here */
        const struct cache_record *r = record_read(c, p, word & CACHE_PLACE_MASK);
        if (r == NULL) { /* damaged, or another name with the same tag: its word is of no more use */
            __atomic_compare_exchange_n(&bucket[i], &word, 0, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
            continue;
        }
        if (!record_is_fresh(c, r, stale_s))
            continue;
        *at = (struct cache_found){&bucket[i], word};
        return r;
    }
    *at = (struct cache_found){NULL, 0};
    return NULL;
}

const struct cache_record *cache_find(struct cache *c, const struct cache_probe *p, uint32_t stale_s,
                                      struct cache_found *at) {
    const struct cache_record *r = bucket_find(c, p, p->bucket, stale_s, at);
    for (unsigned e = c->extent; r == NULL && e > c->least; e--)
        r = bucket_find(c, p, cache_bucket(c, p->hash, e - 1), stale_s, at);
    return r;
}

/* Once while a record is where it is: the line of the index is not taken from the other workers at each hit. */
void cache_asked(const struct cache_found *at) {
    uint64_t seen = at->seen;
    if ((seen & CACHE_ASKED) == 0)
        __atomic_compare_exchange_n(at->word, &seen, seen | CACHE_ASKED, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

/* The message from the record in the scratch buffer, TTLs less the age or those of an answer that has ended. The
 * offsets passed the checksum and, when they were written, the reader; a bound costs nothing all the same. */
void cache_message_write(const struct cache_record *r, uint32_t age_s, bool ended, uint8_t *to) {
    const uint8_t *body = (const uint8_t *)(r + 1);
    memset(to, 0, DNS_HEADER);
    put_u16(to + 2, (uint16_t)(FLAG_QR | (r->rcode & 15)));
    put_u16(to + 4, 1);
    for (unsigned i = 0; i < 3; i++)
        put_u16(to + 6 + 2 * i, r->counts[i]);
    memcpy(to + DNS_HEADER, body, r->size);
    for (unsigned i = 0; i < r->ttls; i++) {
        uint16_t at;
        memcpy(&at, body + r->size + 2 * i, sizeof at);
        if ((size_t)at + 4 > r->size)
            continue;
        uint8_t *ttl = to + DNS_HEADER + at;
        uint32_t was = get_u32(ttl);
        put_u32(ttl, ended ? CACHE_STALE_TTL_S : was > age_s ? was - age_s : 0);
    }
}

static int answer_give(struct cache *c, const struct cache_record *r, const struct cache_found *at, uint8_t *to,
                       size_t cap, struct cache_hit *hit) {
    hit->size = DNS_HEADER + (size_t)r->size;
    hit->rcode = r->rcode;
    hit->ede = r->ede;
    hit->age_s = cache_age(c, r);
    hit->left_s = cache_left(c, r);
    if (hit->size > cap)
        return E_FULL;
    cache_message_write(r, hit->age_s, hit->left_s == 0, to);
    cache_asked(at);
    return 0;
}

static int get(struct cache *c, const struct cache_key *key, uint8_t flags, uint32_t stale_s, uint8_t *to, size_t cap,
               struct cache_hit *hit) {
    struct cache_probe p;
    struct cache_found at;
    cache_probe_make(c, key->qname, key->qtype, key->qclass, flags, &p);
    const struct cache_record *r = cache_find(c, &p, stale_s, &at);
    return r != NULL ? answer_give(c, r, &at, to, cap, hit) : E_NOTFOUND;
}

int cache_get(struct cache *c, const struct cache_key *key, uint8_t *to, size_t cap, struct cache_hit *hit) {
    uint8_t flags = cache_key_flags(key);
    int e = get(c, key, flags, 0, to, cap, hit);
    return e == E_NOTFOUND ? get(c, key, flags | CACHE_FLAG_FAILURE, 0, to, cap, hit) : e;
}

int cache_get_stale(struct cache *c, const struct cache_key *key, uint32_t stale_s, uint8_t *to, size_t cap,
                    struct cache_hit *hit) {
    return get(c, key, cache_key_flags(key), stale_s < CACHE_ANY_AGE ? stale_s : CACHE_ANY_AGE - 1, to, cap, hit);
}

uint64_t cache_count(struct cache *c) {
    uint64_t count = 0;
    cache_tick(c);
    for (uint64_t i = 0; i < cache_used(c) * CACHE_WAYS; i++) {
        const uint64_t *word = &c->index[cache_used_bucket(c, i / CACHE_WAYS) * CACHE_WAYS + i % CACHE_WAYS];
        uint64_t place = __atomic_load_n(word, __ATOMIC_ACQUIRE) & CACHE_PLACE_MASK;
        uint64_t bytes = c->ring[cache_ring_of(place)].bytes;
        uint64_t offset = (place & CACHE_POSITION_MASK) * CACHE_UNIT % bytes;
        if (place == 0 || cache_overwritten(c, place) || offset + sizeof(struct cache_record) > bytes)
            continue;
        struct cache_record r;
        memcpy(&r, c->ring[cache_ring_of(place)].log + offset, sizeof r);
        count += record_is_fresh(c, &r, 0);
    }
    return count;
}
