/* The shared answer cache: whole answers in wire form, in one mapping that all workers read and write.
 *
 * There is no lock anywhere. Records are appended to a ring (the log); an index of 64-bit words says where. A reader
 * copies a record out and believes the copy only when its checksum, seeded with its place in the log, is right. So a
 * record that is being overwritten, was left half-written by a process killed in mid-write, or was damaged in the
 * file is a miss, never an answer, and nobody ever waits for anybody. What is new passes through a small ring; what was
 * asked for there, or comes back soon, is moved to a large one and stays as long as it is asked for (S3-FIFO: as good
 * as SIEVE, and names that are asked for once push nobody out; evict.c). Layout: docs/formats/cache.md.
 *
 * Owner: the resolver's parent opens the mapping; workers inherit it over fork() and use their copy of the handle. One
 * thread per process. A hit costs one index line and one record, no allocation and no system call; it writes one bit,
 * and only the first hit while a record is where it is does. Memory is touched as it fills: a large cache that holds
 * little is little memory.
 *
 * Keys are (qname folded, qtype, qclass, DO, CD), hashed with a secret of the file. TTLs (RFC 2181, RFC 2308): those of
 * positive answers are held within min/max; a negative answer lives as long as the SOA in its authority section allows
 * and is not kept without one. Expiry is the smallest TTL in the answer. */
#ifndef CANDOR_CACHE_CACHE_H
#define CANDOR_CACHE_CACHE_H

#include "resolver/dns/name.h"

enum {
    CACHE_SIZE_MIN = 1 << 20,  /* a smaller size is raised to this */
    CACHE_FAILURE_FIRST_S = 2, /* how long a failure is remembered; each time it fails again, twice as long as before */
    CACHE_FAILURE_MAX_S = 300, /* and never longer (RFC 9520 section 3.2) */
    CACHE_FAILURE_REST_S = 60, /* a failure that ended longer ago than this and than it lasted is forgotten */
    CACHE_STALE_TTL_S = 30,    /* TTLs of an answer that has ended (RFC 8767 section 4) */
    CACHE_CLOCK_SLACK_S = 2,   /* a record from further in the future than this was stored under another clock */
    CACHE_MESSAGE_MAX = 65535, /* octets of one answer */
};

struct cache;

struct cache_config {
    const char *path; /* the file; NULL: memory only, gone with the last process */
    uint64_t size;    /* octets of the whole mapping */
    bool persist;     /* take over what the file holds; else start empty */
    bool monotonic;   /* TTLs age by CLOCK_BOOTTIME instead of the wall clock */
    uint32_t min_ttl_s, max_ttl_s, max_negative_ttl_s;
};

struct cache_key {
    const struct name *qname; /* any case */
    uint16_t qtype, qclass;
    bool dnssec_ok, checking_disabled;
};

struct cache_hit {
    size_t size; /* octets of the message */
    uint8_t rcode;
    int ede;         /* of a remembered failure; EDE_NONE */
    uint32_t age_s;  /* since it was stored */
    uint32_t left_s; /* until it expires */
};

/* Maps the file, making it when it is missing or when anything about it is odd (logged: size, version, damaged
 * header, another machine's clock). The disk's refusal to hold it (full, read-only, no permission) is no reason not to
 * serve: then the cache is memory only, and that is logged. Fails only without memory. */
int cache_open(struct cache **out, const struct cache_config *config, struct err *err) MUST_USE;
/* Unmaps; the file stays. */
void cache_close(struct cache *c);
/* Parent, after a worker died of SIGBUS (somebody cut the file short, the disk has a hole): maps a new, empty one for
 * the workers forked from now on. */
int cache_renew(struct cache *c, struct err *err) MUST_USE;
/* True when the mapping is backed by the configured file. */
bool cache_on_disk(const struct cache *c);

/* Takes the time for the calls that follow: once per batch. */
void cache_tick(struct cache *c);

/* The answer to `key` with its TTLs counted down, written into `to` as a message: header with id 0, QR and rcode set,
 * other flags clear, the question in lower case. E_NOTFOUND: not there, expired or damaged. E_FULL: there, but larger
 * than `cap`; `hit` is filled. */
int cache_get(struct cache *c, const struct cache_key *key, uint8_t *to, size_t cap, struct cache_hit *hit) MUST_USE;

/* The same for an answer that may have ended up to `stale_s` seconds ago (RFC 8767): of one that has, every TTL is
 * CACHE_STALE_TTL_S and hit->left_s is 0. Failures are never found here. */
int cache_get_stale(struct cache *c, const struct cache_key *key, uint32_t stale_s, uint8_t *to, size_t cap,
                    struct cache_hit *hit) MUST_USE;

/* Keeps `msg`: a well-formed answer to `key` written by ourselves, rcode NOERROR or NXDOMAIN, no OPT. Its TTLs are
 * first brought within the limits in place, so that the first client is told what later ones will be; E_REFUSED when
 * it is one not to be kept (TTL 0, a negative answer without SOA), E_INVALID when it is not well-formed. */
int cache_put(struct cache *c, const struct cache_key *key, uint8_t *msg, size_t size);
/* Remembers that asking failed (RFC 9520 section 3), beside an answer that has ended and may still be given: for
 * CACHE_FAILURE_FIRST_S, for twice as long each time that it fails again after that. An answer ends it. */
int cache_put_failure(struct cache *c, const struct cache_key *key, uint8_t rcode, int ede);

/* Whether a failure is remembered at this moment, whatever answer stands beside it. */
bool cache_failing(struct cache *c, const struct cache_key *key);

/* Records that a look-up would find now; walks the whole index, so not for the hot path. */
uint64_t cache_count(struct cache *c);

#endif
