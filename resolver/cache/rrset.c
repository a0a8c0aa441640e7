/* RRsets in the cache: the ranking of RFC 2181, how long each may live, and their form in a record. */
#include "resolver/cache/rrset.h"
#include "resolver/cache/layout.h"

enum {
    RR_FIXED = 10, /* type, class, TTL, RDLENGTH */
    TTL_PART = 16, /* what would live less than this part of its TTL longer is left as it is */
    PUT_TRIES = 4, /* another process was quicker: judged anew against what it put there */
};

int rrset_next(const struct rrset *r, size_t *at, struct bytes *rdata) {
    uint16_t size;
    if (r->kind != RRSET_DATA || *at > r->data.size || r->data.size - *at < sizeof size)
        return E_NOTFOUND;
    memcpy(&size, r->data.at + *at, sizeof size);
    if (r->data.size - *at - sizeof size < size)
        return E_NOTFOUND;
    *rdata = (struct bytes){r->data.at + *at + sizeof size, size};
    *at += sizeof size + size;
    return 0;
}

static bool data_well_formed(const struct rrset *r) {
    struct bytes rdata;
    size_t at = 0;
    for (unsigned i = 0; i < (unsigned)r->count + r->sigs; i++)
        if (rrset_next(r, &at, &rdata) != 0)
            return false;
    return r->count > 0 && at == r->data.size;
}

/* A name without compression; 0: there is none. */
static size_t name_octets(struct bytes data, size_t at) {
    size_t size = 0;
    while (at + size < data.size && size < LIMIT_NAME_WIRE) {
        uint8_t label = data.at[at + size];
        if (label > 63)
            return 0;
        size += 1 + (size_t)label;
        if (label == 0)
            return size <= LIMIT_NAME_WIRE ? size : 0;
    }
    return 0;
}

static bool denial_well_formed(const struct rrset *r) {
    size_t at = 0;
    for (unsigned i = 0; i < r->count; i++) {
        size_t owner = name_octets(r->data, at);
        if (owner == 0 || r->data.size - at - owner < RR_FIXED)
            return false;
        at += owner + RR_FIXED;
        size_t rdata = get_u16(r->data.at + at - 2);
        if (r->data.size - at < rdata)
            return false;
        at += rdata;
    }
    return r->count > 0 && r->sigs == 0 && at == r->data.size;
}

static bool well_formed(const struct rrset *r) {
    if (r->data.size > CACHE_MESSAGE_MAX - CACHE_QUESTION_MAX || r->count > CACHE_TTLS_MAX || r->sigs > CACHE_TTLS_MAX)
        return false;
    if (r->kind > RRSET_NXDOMAIN || r->trust > TRUST_DATA || r->security > SECURITY_BOGUS)
        return false;
    if ((r->kind == RRSET_NXDOMAIN) != (r->type == RRSET_NAME) || r->owner.size == 0)
        return false;
    return r->kind == RRSET_DATA ? data_well_formed(r) : denial_well_formed(r);
}

/* A zone's word that something is not there weighs as much as its word that it is. */
static unsigned rank(const struct rrset *r) {
    return r->kind != RRSET_DATA && r->trust == TRUST_AUTHORITY ? TRUST_DATA : r->trust;
}

static uint32_t ttl_limited(const struct cache *c, const struct rrset *r) {
    uint32_t most = r->kind == RRSET_DATA ? c->config.max_ttl_s : c->config.max_negative_ttl_s;
    uint32_t ttl_s = r->ttl_s;
    if (r->kind == RRSET_DATA && ttl_s < c->config.min_ttl_s)
        ttl_s = c->config.min_ttl_s;
    return ttl_s < most ? ttl_s : most;
}

static uint16_t traits_pack(const struct rrset *r) {
    return (uint16_t)(r->kind | r->trust << 4 | r->security << 8 | (r->with_dnssec ? 1 : 0) << 12);
}

static void traits_unpack(struct rrset *r, uint16_t traits) {
    r->kind = traits & 15;
    r->trust = traits >> 4 & 15;
    r->security = traits >> 8 & 15;
    r->with_dnssec = traits >> 12 != 0;
}

static void probe_make(const struct cache *c, const struct name *owner, uint16_t type, uint16_t klass,
                       struct cache_probe *p) {
    cache_probe_make(c, owner, type, klass, CACHE_FLAG_RRSET, p);
}

static void record_build(struct cache *c, const struct cache_probe *p, const struct rrset *r) {
    struct cache_record *record = (struct cache_record *)c->scratch;
    *record = (struct cache_record){.size = (uint16_t)(p->question_size + r->data.size),
                                    .counts = {r->count, r->sigs, traits_pack(r)},
                                    .ede = EDE_NONE};
    uint8_t *body = c->scratch + sizeof *record;
    memcpy(body, p->question, p->question_size);
    memcpy(body + p->question_size, r->data.at, r->data.size);
}

/* What a name is known to have ends what said that it is not there. */
static void denial_end(const struct cache *c, const struct rrset *r) {
    struct cache_probe p;
    probe_make(c, &r->owner, RRSET_NAME, r->klass, &p);
    cache_forget(c, &p);
}

/* Zones say their name servers and addresses with every answer: that is not written each time. */
static bool says_the_same(const struct cache_record *there, const struct cache_probe *p, const struct rrset *r) {
    const uint8_t *data = (const uint8_t *)(there + 1) + p->question_size;
    return there->size == p->question_size + r->data.size && there->counts[0] == r->count &&
           there->counts[1] == r->sigs && there->counts[2] == traits_pack(r) &&
           memcmp(data, r->data.at, r->data.size) == 0;
}

int cache_rrset_put(struct cache *c, const struct rrset *r) {
    struct cache_probe p;
    if (!well_formed(r))
        return E_INVALID;
    cache_tick(c);
    probe_make(c, &r->owner, r->type, r->klass, &p);
    int e = E_AGAIN;
    for (unsigned i = 0; i < PUT_TRIES && e == E_AGAIN; i++) {
        struct cache_found at;
        struct rrset old;
        uint32_t ttl_s = ttl_limited(c, r);
        if (ttl_s == 0)
            return E_REFUSED;
        const struct cache_record *there = cache_find(c, &p, CACHE_ANY_AGE, &at);
        uint32_t left_s = there != NULL ? cache_left(c, there) : 0;
        if (left_s > 0) {
            traits_unpack(&old, there->counts[2]);
            if (rank(&old) > rank(r))
                return E_REFUSED;
            /* Whatever the child says of itself, it is asked for no longer than its parent delegates to it. */
            if (r->type == TYPE_NS && old.kind == RRSET_DATA && ttl_s > left_s)
                ttl_s = left_s;
            if (left_s <= ttl_s && left_s >= ttl_s - ttl_s / TTL_PART && says_the_same(there, &p, r)) {
                e = 0;
                break;
            }
        }
        record_build(c, &p, r);
        e = cache_record_put(c, &p, c->now_s, ttl_s, &at);
    }
    if (e == 0 && r->kind == RRSET_DATA && r->trust >= TRUST_ANSWER)
        denial_end(c, r);
    return e;
}

void cache_rrset_read(const struct cache *c, const struct cache_record *record, const struct cache_probe *p,
                      struct rrset *out, uint8_t *buf) {
    const uint8_t *body = (const uint8_t *)(record + 1);
    size_t name_size = p->question_size - 4;
    *out = (struct rrset){.type = get_u16(p->question + name_size),
                          .klass = get_u16(p->question + name_size + 2),
                          .ttl_s = cache_left(c, record),
                          .age_s = cache_age(c, record),
                          .count = record->counts[0],
                          .sigs = record->counts[1],
                          .data = {buf, record->size - p->question_size}};
    traits_unpack(out, record->counts[2]);
    memcpy(buf, body + p->question_size, out->data.size);
}

int cache_rrset_get(struct cache *c, const struct name *owner, uint16_t type, uint16_t klass, uint32_t stale_s,
                    struct rrset *out, uint8_t *buf) {
    struct cache_probe p;
    struct cache_found at;
    probe_make(c, owner, type, klass, &p);
    const struct cache_record *record = cache_find(c, &p, stale_s, &at);
    if (record == NULL)
        return E_NOTFOUND;
    cache_rrset_read(c, record, &p, out, buf);
    out->owner.size = owner->size;
    out->owner.labels = owner->labels;
    memcpy(out->owner.wire, p.question, owner->size); /* lower case */
    cache_asked(&at);
    return 0;
}
