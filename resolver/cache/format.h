/* Private to the room: what stands in the cache's file (docs/formats/cache.md). CACHE_FORMAT_DEF */
#ifndef CANDOR_CACHE_FORMAT_H
#define CANDOR_CACHE_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "resolver/base/limits.h"
#include "resolver/cache/cache.h"

enum {
    CACHE_FORMAT_VERSION = 3,
    CACHE_PAGE = 4096,       /* the header's room */
    CACHE_UNIT = 8,          /* records begin at multiples of this */
    CACHE_WAYS = 8,          /* index words per bucket: one cache line */
    CACHE_LOG_PER_WORD = 48, /* octets of log per index word */
    CACHE_EXTENTS = 4,       /* the index grows with what the logs hold: the last extent is all of it, */
    CACHE_EXTENT_SHIFT = 2,  /* each before it a quarter of the next, */
    CACHE_EXTENT_MIN = 1024, /* if that is so many buckets, */
    CACHE_EXTENT_LOAD = 24,  /* left when the logs hold so many octets for each of its words */
    CACHE_RING_SHIFT = 42,   /* an index word: position, ring, asked for since it was written, tag */
    CACHE_ASKED_SHIFT = 43,
    CACHE_TAG_SHIFT = 44,
    CACHE_NEW_PART = 10,     /* one in so many octets of log is for what is new */
    CACHE_TTLS_MAX = 8192,   /* TTL fields in one record: LIMIT_RRS_PER_MESSAGE */
    CACHE_RESERVE_TRIES = 3, /* a reservation across the ring's end is given up and made again */
    CACHE_QUESTION_MAX = LIMIT_NAME_WIRE + 4,
};

/* Two logs: what is new, and what was asked for again (evict.c). */
enum cache_ring_id { CACHE_NEW, CACHE_KEPT, CACHE_RINGS };

#define CACHE_POSITION_MASK ((1ULL << CACHE_RING_SHIFT) - 1)
#define CACHE_PLACE_MASK ((1ULL << CACHE_ASKED_SHIFT) - 1) /* ring and position; 0: empty */
#define CACHE_ASKED (1ULL << CACHE_ASKED_SHIFT)
#define CACHE_MAGIC "CandorC\n"

/* The first page of the file. All but `ring` is written once, covered by `check`, and copied into the handle at open:
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
    /* In octets since the file was made, growing for ever, place = octets % those of the ring: the next free place, and
     * the oldest record that was not judged yet (evict.c). A wrong value costs hits, never truth. */
    struct {
        uint64_t head, judged;
        uint8_t pad[48];
    } ring[CACHE_RINGS];
};
_Static_assert(offsetof(struct cache_file, check) == 80, "format");
_Static_assert(offsetof(struct cache_file, ring[1]) == 192, "format, and a cache line for each");

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
enum {
    CACHE_RECORD_MAX = sizeof(struct cache_record) + CACHE_MESSAGE_MAX + 2 * CACHE_TTLS_MAX,
    CACHE_RECORD_ROOM = (CACHE_RECORD_MAX + 2 * CACHE_UNIT) / CACHE_UNIT * CACHE_UNIT,
};

#endif
