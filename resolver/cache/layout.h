/* Private to the room: how the cache lies in memory and in its file (docs/formats/cache.md). CACHE_FORMAT_DEF */
#ifndef CANDOR_CACHE_LAYOUT_H
#define CANDOR_CACHE_LAYOUT_H

#include "resolver/base/bytes.h"
#include "resolver/cache/cache.h"
#include "resolver/cache/rrset.h"
#include "resolver/dns/const.h"

enum {
    CACHE_FORMAT_VERSION = 2,
    CACHE_PAGE = 4096,        /* the header's room */
    CACHE_UNIT = 16,          /* records begin at multiples of this */
    CACHE_WAYS = 8,           /* index words per bucket: one cache line */
    CACHE_LOG_PER_WORD = 32,  /* octets of log per index word */
    CACHE_POSITION_BITS = 44, /* of an index word; the rest is the tag */
    CACHE_TTLS_MAX = 8192,    /* TTL fields in one record: LIMIT_RRS_PER_MESSAGE */
    CACHE_RESERVE_TRIES = 3,  /* a reservation across the ring's end is given up and made again */
    CACHE_QUESTION_MAX = LIMIT_NAME_WIRE + 4,
};

#define CACHE_ANY_AGE UINT32_MAX
#define CACHE_POSITION_MASK ((1ULL << CACHE_POSITION_BITS) - 1)
#define CACHE_MAGIC "CandorC\n"

/* The first page of the file. All but `head` is written once, covered by `check`, and copied into the handle at open:
 * what happens to it later moves nothing. */
struct cache_file {
    char magic[8];
    uint32_t version, order; /* order: 0x01020304 as this machine writes it */
    uint64_t size, buckets, log_bytes;
    uint64_t hash_seed, check_seed;
    uint64_t monotonic;
    uint8_t boot_id[16]; /* of the machine, when TTLs age by its uptime */
    uint64_t check;
    uint8_t pad[40];
    /* Next free place in the log, in octets since the file was made: grows for ever, place = head % log_bytes. A wrong
     * value costs hits, never truth. */
    uint64_t head;
};
_Static_assert(offsetof(struct cache_file, check) == 80, "format");
_Static_assert(offsetof(struct cache_file, head) == 128, "format, and a cache line of its own");

/* One answer in the log. Behind it: `size` octets of message from the question on, then `ttls` offsets of TTL fields
 * within those octets, 16 bits each. An RRset (rrset.c) has the same head: behind it owner, type and class, then its
 * data; counts are RRs, signatures, and kind, trust, security and with_dnssec in four bits each. */
struct cache_record {
    uint64_t check; /* XXH3 of all that follows, seeded with check_seed ^ position */
    uint32_t stored_s, expires_s;
    uint16_t size, ttls;
    uint16_t counts[3]; /* answer, authority, additional */
    int16_t ede;
    uint8_t rcode, flags; /* flags: CACHE_FLAG_* */
    uint8_t pad[2];
};
_Static_assert(sizeof(struct cache_record) == 32, "format");

enum { CACHE_FLAG_DO = 1, CACHE_FLAG_CD = 2, CACHE_FLAG_RRSET = 4, CACHE_FLAG_FAILURE = 8 };
enum { CACHE_RECORD_MAX = sizeof(struct cache_record) + CACHE_MESSAGE_MAX + 2 * CACHE_TTLS_MAX };

struct cache {
    struct cache_config config;
    struct cache_file *file;
    uint64_t *index; /* buckets * CACHE_WAYS words: tag << CACHE_POSITION_BITS | position; 0: empty */
    uint8_t *log;
    uint64_t size, buckets, log_bytes, hash_seed, check_seed;
    uint32_t now_s;
    uint64_t head_seen; /* head as of the last tick */
    bool on_disk;
    char *path;
    /* Where a record is copied to before it is believed, and built before it is appended. */
    uint8_t scratch[CACHE_RECORD_MAX + CACHE_UNIT] __attribute__((aligned(16)));
};

/* A key made ready: the question as it stands in a record, its hash, its place. */
struct cache_probe {
    uint8_t question[LIMIT_NAME_WIRE + 16]; /* folded name, type, class (network order) */
    size_t question_size;
    uint8_t flags;
    uint64_t tag;
    uint64_t *bucket;
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
/* Copies the record at `position` into c->scratch; NULL: there is no whole one of that place. */
const struct cache_record *cache_record_copy(struct cache *c, uint64_t position);
/* The message of the answer in c->scratch: TTLs less the age, or those of an answer that has ended. */
void cache_message_write(const struct cache_record *r, uint32_t age_s, bool ended, uint8_t *to);
/* What is asked for while it is in the oldest quarter of the log is appended anew. */
void cache_keep(struct cache *c, const struct cache_found *at, const struct cache_record *r);
/* Points the index at `position`. With `over` (may be NULL) only while what stands there is what was seen, or, for
 * over->seen 0, while nothing does: else E_AGAIN. */
int cache_publish(const struct cache_probe *p, uint64_t position, const struct cache_found *over);
/* Empties every index word with the tag of `p`: a record of another name that has the same is lost too. */
void cache_forget(const struct cache_probe *p);
/* Completes the record whose body stands in the scratch buffer already, and appends and publishes it. */
int cache_record_put(struct cache *c, const struct cache_probe *p, uint32_t stored_s, uint32_t ttl_s,
                     const struct cache_found *over);
uint64_t cache_checksum(const struct cache *c, const uint8_t *record, size_t size, uint64_t position);

/* Appends c->scratch[0..size) with its checksum and returns its position (in units), 0 when it could not. */
uint64_t cache_append(struct cache *c, size_t size);

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
