/* Private to the room: a handle on the cache, and what its files share. */
#ifndef CANDOR_CACHE_LAYOUT_H
#define CANDOR_CACHE_LAYOUT_H

#include "resolver/base/bytes.h"
#include "resolver/cache/format.h"
#include "resolver/cache/rrset.h"
#include "resolver/dns/const.h"

#define CACHE_ANY_AGE UINT32_MAX

struct cache {
    struct cache_config config;
    struct cache_file *file;
    uint64_t *index; /* buckets * CACHE_WAYS words; 0: empty */
    struct {
        uint8_t *log;
        uint64_t bytes;
        uint64_t head_seen; /* head as of the last tick */
    } ring[CACHE_RINGS];
    uint64_t size, buckets, hash_seed, check_seed;
    unsigned extent, least; /* of the index, as of the last tick: where records go; the first that may have some */
    uint32_t now_s;
    bool on_disk;
    char *path;
    /* Where a record is copied to before it is believed, and built before it is appended. */
    uint8_t scratch[CACHE_RECORD_ROOM] __attribute__((aligned(16)));
    uint8_t moved[CACHE_RINGS][CACHE_RECORD_ROOM] __attribute__((aligned(16))); /* the same, for evict.c */
};

/* A key made ready: the question as it stands in a record, its hash, its place. */
struct cache_probe {
    uint8_t question[LIMIT_NAME_WIRE + 16]; /* folded name, type, class (network order) */
    size_t question_size;
    uint8_t flags;
    uint64_t hash, tag;
    uint64_t *bucket; /* of the extent in use */
};

/* Where a record was found: its index word and what stood in it. */
struct cache_found {
    uint64_t *word;
    uint64_t seen;
};

void cache_probe_make(const struct cache *c, const struct name *name, uint16_t type, uint16_t klass, uint8_t flags,
                      struct cache_probe *p);
uint8_t cache_key_flags(const struct cache_key *key);
/* Copies the record into c->scratch and proves it; one that ended up to `stale_s` seconds ago is found too
 * (CACHE_ANY_AGE: whatever its times). NULL: none. */
const struct cache_record *cache_find(struct cache *c, const struct cache_probe *p, uint32_t stale_s,
                                      struct cache_found *at);
/* Copies the record at `place` into c->scratch; NULL: there is no whole one of that place. */
const struct cache_record *cache_record_copy(struct cache *c, uint64_t place);
const struct cache_record *cache_record_copy_to(const struct cache *c, uint64_t place, uint8_t *to);
/* The message of the answer in c->scratch: TTLs less the age, or those of an answer that has ended. */
void cache_message_write(const struct cache_record *r, uint32_t age_s, bool ended, uint8_t *to);
/* Somebody asked for it: it is kept when its turn comes. */
void cache_asked(const struct cache_found *at);
/* Points the index at `place`. With `over` (may be NULL) only while what stands there is what was seen, or, for
 * over->seen 0, while nothing does: else E_AGAIN. */
int cache_publish(const struct cache *c, const struct cache_probe *p, uint64_t place, const struct cache_found *over);
/* Empties every index word with the tag of `p`: a record of another name that has the same is lost too. */
void cache_forget(const struct cache *c, const struct cache_probe *p);
/* The same but for the bucket in use: what was put again when the index has grown. False: there was nothing. */
bool cache_forget_elsewhere(const struct cache *c, const struct cache_probe *p);
/* Completes the record whose body stands in the scratch buffer already, and appends and publishes it. */
int cache_record_put(struct cache *c, const struct cache_probe *p, uint32_t stored_s, uint32_t ttl_s,
                     const struct cache_found *over);
uint64_t cache_checksum(const struct cache *c, const uint8_t *record, size_t size, uint64_t place);

/* Appends a record, completing it with its checksum, and returns its place; 0: it could not. */
uint64_t cache_append(struct cache *c, enum cache_ring_id ring, uint8_t *record, size_t size);
/* evict.c: judges what the next `size` octets of a ring will overwrite, and moves what is worth it. */
void cache_make_room(struct cache *c, enum cache_ring_id ring, size_t size);
/* Where a record of this question goes: new, or kept because it came back soon enough after it was dropped. */
enum cache_ring_id cache_ring_for(const struct cache *c, const struct cache_probe *p, size_t size);

/* Buckets that may hold something, and which they are: the rest of the index was never touched, and is no memory. */
uint64_t cache_used(const struct cache *c);
uint64_t cache_used_bucket(const struct cache *c, uint64_t i);

static inline uint64_t cache_extent_buckets(const struct cache *c, unsigned extent) {
    return c->buckets >> CACHE_EXTENT_SHIFT * (CACHE_EXTENTS - 1 - extent);
}

/* Each extent before the last lies in another quarter of it, so that not all of them fill the same buckets. */
static inline uint64_t cache_extent_first(const struct cache *c, unsigned extent) {
    return (CACHE_EXTENTS - 1 - extent) * (c->buckets >> CACHE_EXTENT_SHIFT);
}

static inline uint64_t *cache_bucket(const struct cache *c, uint64_t hash, unsigned extent) {
    uint64_t i = (uint64_t)(((unsigned __int128)hash * cache_extent_buckets(c, extent)) >> 64);
    return c->index + (cache_extent_first(c, extent) + i) * CACHE_WAYS;
}

static inline enum cache_ring_id cache_ring_of(uint64_t place) { return place >> CACHE_RING_SHIFT & 1; }

/* Octets written to its ring since, as far as this process has seen (others may be ahead of that: 0); more than the
 * ring has: it is overwritten. */
static inline uint64_t cache_behind(const struct cache *c, uint64_t place) {
    uint64_t units = (c->ring[cache_ring_of(place)].head_seen / CACHE_UNIT - place) & CACHE_POSITION_MASK;
    return units > CACHE_POSITION_MASK / 2 ? 0 : units * CACHE_UNIT;
}

static inline bool cache_overwritten(const struct cache *c, uint64_t place) {
    return cache_behind(c, place) > c->ring[cache_ring_of(place)].bytes;
}

static inline uint64_t cache_room(size_t size) { return (size + CACHE_UNIT - 1) & ~(uint64_t)(CACHE_UNIT - 1); }

static inline uint32_t cache_age(const struct cache *c, const struct cache_record *r) {
    return c->now_s > r->stored_s ? c->now_s - r->stored_s : 0;
}

/* Stored under another clock: what it says of time means nothing. */
static inline bool cache_of_future(const struct cache *c, const struct cache_record *r) {
    return (int64_t)r->stored_s > (int64_t)c->now_s + CACHE_CLOCK_SLACK_S;
}

static inline uint32_t cache_left(const struct cache *c, const struct cache_record *r) {
    return r->expires_s > c->now_s && !cache_of_future(c, r) ? r->expires_s - c->now_s : 0;
}

/* rrset.c: the RRset of the record in c->scratch, its data copied to `buf`. */
void cache_rrset_read(const struct cache *c, const struct cache_record *record, const struct cache_probe *p,
                      struct rrset *out, uint8_t *buf);

static inline size_t cache_record_size(const struct cache_record *r) {
    return sizeof *r + r->size + 2 * (size_t)r->ttls;
}

#endif
