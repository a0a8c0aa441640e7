/* Who stays when the logs are full: S3-FIFO (Yang et al., SOSP 2023) on two rings without a list or a lock.
 *
 * What is new goes into a small ring. Before a place in it is written again, the record that stands there is judged:
 * asked for since it was written, it moves to the large ring, else it is gone. The large ring is judged the same way,
 * its records go round once more. So a name that is asked for once passes through a tenth of the room and takes
 * nobody's place. The index word of what is gone stays for a while and says so: what comes back soon is kept at once.
 *
 * `judged` of a ring runs ahead of its head, moved on by whoever has judged what stands there: who is stopped or killed
 * in between leaves that to the next, and of two who judge at once one has appended a copy that nobody points at.
 * Nothing in the log is believed: what is no whole record is passed in units. */
#include "resolver/cache/layout.h"

enum {
    STEPS = 48,        /* looks at one place, per record put */
    MOVES = 12,        /* records moved, per record put: the rest of what was asked for is lost to a burst of others */
    AHEAD_PART = 32,   /* the judge is ahead of the head by a ring's part, */
    AHEAD_MAX = 65536, /* at most so many octets: other processes write meanwhile */
    LARGE_PART = 8,    /* a record of more than this part of the small ring goes into the large one */
};

struct judge {
    struct cache *c;
    enum cache_ring_id ring;
    unsigned steps, moves;
};

static uint64_t ahead(const struct cache *c, enum cache_ring_id ring) {
    uint64_t part = c->ring[ring].bytes / AHEAD_PART & ~(uint64_t)(CACHE_UNIT - 1);
    return part < AHEAD_MAX ? part : AHEAD_MAX;
}

/* A look at the head of what may be a record, before its checksum is worth its time. */
static bool plausible(const struct cache *c, const struct cache_record *r) {
    return r->pad[0] == 0 && r->pad[1] == 0 && r->ttls <= CACHE_TTLS_MAX && r->size > 4 && r->flags < 16 &&
           r->expires_s >= r->stored_s && !cache_of_future(c, r);
}

/* The record that begins at `at`; NULL: none does. */
static const struct cache_record *record_at(struct judge *j, uint64_t at) {
    struct cache *c = j->c;
    uint64_t bytes = c->ring[j->ring].bytes, position = at / CACHE_UNIT & CACHE_POSITION_MASK;
    uint64_t offset = position * CACHE_UNIT % bytes;
    struct cache_record r;
    if (position == 0 || offset + sizeof r > bytes)
        return NULL;
    memcpy(&r, c->ring[j->ring].log + offset, sizeof r);
    if (!plausible(c, &r))
        return NULL;
    return cache_record_copy_to(c, (uint64_t)j->ring << CACHE_RING_SHIFT | position, c->moved[j->ring]);
}

/* The key of a record in c->moved; false: it has none. */
static bool probe_of(const struct cache *c, const struct cache_record *r, struct cache_probe *p) {
    const uint8_t *body = (const uint8_t *)(r + 1);
    struct name name = {.size = 0};
    size_t next;
    if (name_read(&name, body, r->size, 0, &next) != 0 || next != name.size || r->size - next < 4)
        return false;
    cache_probe_make(c, &name, get_u16(body + next), get_u16(body + next + 2), r->flags, p);
    return true;
}

/* The words where a record may be, from the extent in use down. */
static unsigned ways(const struct cache *c) { return (c->extent - c->least + 1) * CACHE_WAYS; }

static uint64_t *way(const struct cache *c, const struct cache_probe *p, unsigned i) {
    return cache_bucket(c, p->hash, c->extent - i / CACHE_WAYS) + i % CACHE_WAYS;
}

/* There is room in the large ring that nobody has used yet. */
static bool kept_has_room(const struct cache *c) {
    uint64_t head = __atomic_load_n(&c->file->ring[CACHE_KEPT].head, __ATOMIC_RELAXED);
    return head + ahead(c, CACHE_KEPT) < 2 * c->ring[CACHE_KEPT].bytes;
}

/* Since the record was put the index has grown: from now on it is found at once. Who forgets it meanwhile finds one of
 * both words, and if that was the old one, the new one is taken back. */
static void raise_word(const struct cache *c, const struct cache_probe *p, uint64_t place) {
    const struct cache_found none = {.seen = 0};
    if (cache_publish(c, p, place, &none) != 0 || cache_forget_elsewhere(c, p))
        return;
    for (unsigned i = 0; i < CACHE_WAYS; i++) {
        uint64_t word = p->tag << CACHE_TAG_SHIFT | place;
        __atomic_compare_exchange_n(&p->bucket[i], &word, 0, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    }
}

static void move(struct judge *j, const struct cache_record *r, const struct cache_probe *p, uint64_t *word,
                 uint64_t seen) {
    struct cache *c = j->c;
    size_t size = cache_record_size(r);
    if (j->ring == CACHE_NEW)
        cache_make_room(c, CACHE_KEPT, size);
    uint64_t place = cache_append(c, CACHE_KEPT, c->moved[j->ring], size);
    if (place != 0 &&
        __atomic_compare_exchange_n(word, &seen, seen >> CACHE_TAG_SHIFT << CACHE_TAG_SHIFT | place, false,
                                    __ATOMIC_RELEASE, __ATOMIC_RELAXED) &&
        (word < p->bucket || word >= p->bucket + CACHE_WAYS))
        raise_word(c, p, place);
    j->moves++;
}

static void judge(struct judge *j, const struct cache_record *r, uint64_t at) {
    struct cache *c = j->c;
    struct cache_probe p;
    uint64_t place = (uint64_t)j->ring << CACHE_RING_SHIFT | (at / CACHE_UNIT & CACHE_POSITION_MASK);
    if (!probe_of(c, r, &p))
        return;
    for (unsigned i = 0; i < ways(c); i++) {
        uint64_t *at_word = way(c, &p, i), word = __atomic_load_n(at_word, __ATOMIC_ACQUIRE);
        if ((word & CACHE_PLACE_MASK) != place || word >> CACHE_TAG_SHIFT != p.tag)
            continue;
        if (word & CACHE_ASKED || (j->ring == CACHE_NEW && kept_has_room(c)))
            move(j, r, &p, at_word, word);
        return;
    }
}

/* Octets from `at` to the next place to look at, with the record that stands at `at` if one does. */
static uint64_t step(struct judge *j, uint64_t at, const struct cache_record **r) {
    uint64_t bytes = j->c->ring[j->ring].bytes, offset = at % bytes;
    *r = NULL;
    if (offset + sizeof(struct cache_record) > bytes)
        return bytes - offset;
    *r = record_at(j, at);
    return *r != NULL ? cache_room(cache_record_size(*r)) : CACHE_UNIT;
}

void cache_make_room(struct cache *c, enum cache_ring_id ring, size_t size) {
    struct judge j = {.c = c, .ring = ring};
    uint64_t *judged = &c->file->ring[ring].judged;
    uint64_t bytes = c->ring[ring].bytes, room = cache_room(size);
    while (j.steps++ < STEPS && j.moves < MOVES) {
        uint64_t head = __atomic_load_n(&c->file->ring[ring].head, __ATOMIC_RELAXED) & ~(uint64_t)(CACHE_UNIT - 1);
        uint64_t at = __atomic_load_n(judged, __ATOMIC_RELAXED);
        /* Further behind is being overwritten already, and nothing is ahead of what was written. */
        uint64_t from = at & ~(uint64_t)(CACHE_UNIT - 1), behind = head - from;
        if (behind + room > bytes || behind > bytes)
            from = head + room - bytes;
        else if (behind + room + ahead(c, ring) <= bytes)
            return;
        const struct cache_record *r;
        uint64_t next = from + step(&j, from, &r);
        if (r != NULL)
            judge(&j, r, from);
        __atomic_compare_exchange_n(judged, &at, next, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    }
}

enum cache_ring_id cache_ring_for(const struct cache *c, const struct cache_probe *p, size_t size) {
    if (size > c->ring[CACHE_NEW].bytes / LARGE_PART)
        return CACHE_KEPT;
    for (unsigned i = 0; i < ways(c); i++) {
        uint64_t word = __atomic_load_n(way(c, p, i), __ATOMIC_RELAXED);
        if ((word & CACHE_PLACE_MASK) == 0 || word >> CACHE_TAG_SHIFT != p->tag)
            continue;
        if (!cache_overwritten(c, word))
            return word & CACHE_ASKED ? CACHE_KEPT : cache_ring_of(word);
        return cache_behind(c, word) < c->ring[CACHE_KEPT].bytes ? CACHE_KEPT : CACHE_NEW;
    }
    return CACHE_NEW;
}
