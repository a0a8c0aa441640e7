/* Keeping an answer: read it once with the bounded reader, bring its TTLs within the limits, append, publish. */
#include "resolver/cache/layout.h"
#include "resolver/dns/message.h"

/* What one pass over the message found. */
struct survey {
    uint32_t ttl_s; /* smallest */
    unsigned ttls;
    bool answered; /* an RR of the type asked for */
    bool soa;
    uint16_t counts[3];
    uint8_t rcode;
};

static uint32_t smaller(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* The TTL with which the RR is to be kept and told: RFC 2308 section 5 for the SOA of a negative answer. */
static int rr_ttl(const struct cache *c, const struct dns_rr *rr, const uint8_t *msg, size_t size, uint32_t *ttl_s) {
    if (rr->section == SECTION_AUTHORITY && rr->type == TYPE_SOA) {
        uint32_t serial, minimum;
        if (dns_soa_read(rr, msg, size, &serial, &minimum) != 0)
            return E_INVALID;
        *ttl_s = smaller(smaller(rr->ttl, minimum), c->config.max_negative_ttl_s);
        return 0;
    }
    *ttl_s = smaller(rr->ttl, c->config.max_ttl_s);
    if (rr->section == SECTION_ANSWER && *ttl_s < c->config.min_ttl_s)
        *ttl_s = c->config.min_ttl_s;
    return 0;
}

/* Reads the whole message, writes the TTLs back within their limits and their offsets to `offsets`. */
static int survey_make(const struct cache *c, const struct cache_key *key, uint8_t *msg, size_t size, uint16_t *offsets,
                       struct survey *s) {
    struct dns_reader reader;
    struct dns_rr rr;
    struct name qname;
    uint16_t qtype, qclass;
    if (dns_reader_open(&reader, msg, size, &qname, &qtype, &qclass) != 0 || reader.header.qd != 1)
        return E_INVALID;
    if (qtype != key->qtype || qclass != key->qclass || !name_equal(&qname, key->qname) ||
        reader.at != DNS_HEADER + qname.size + 4u)
        return E_INVALID;
    *s = (struct survey){.ttl_s = UINT32_MAX,
                         .rcode = reader.header.rcode,
                         .counts = {reader.header.an, reader.header.ns, reader.header.ar}};
    int e;
    while ((e = dns_reader_next(&reader, &rr)) == 0) {
        uint32_t ttl_s;
        if (rr.type == TYPE_OPT || s->ttls == CACHE_TTLS_MAX || rr_ttl(c, &rr, msg, size, &ttl_s) != 0)
            return E_INVALID;
        size_t at = rr.rdata - 6; /* TTL and RDLENGTH stand before the RDATA */
        put_u32(msg + at, ttl_s);
        offsets[s->ttls++] = (uint16_t)(at - DNS_HEADER);
        s->ttl_s = smaller(s->ttl_s, ttl_s);
        s->soa |= rr.section == SECTION_AUTHORITY && rr.type == TYPE_SOA;
        s->answered |= rr.section == SECTION_ANSWER && (rr.type == qtype || qtype == TYPE_ANY);
    }
    return e == E_NOTFOUND ? 0 : E_INVALID;
}

/* How dispensable a word is: an empty one, then what was overwritten, then what is new, then what is kept, then what
 * was asked for where it is; of each the oldest first. */
static uint64_t dispensable(const struct cache *c, uint64_t word) {
    uint64_t place = word & CACHE_PLACE_MASK;
    if (place == 0)
        return UINT64_MAX;
    uint64_t behind = cache_behind(c, place);
    unsigned grade = 0;
    if (cache_overwritten(c, place))
        grade = 3;
    else if (!(word & CACHE_ASKED))
        grade = cache_ring_of(place) == CACHE_NEW ? 2 : 1;
    return (uint64_t)grade << 60 | behind;
}

/* The word to write over: that of the same tag, else the most dispensable. */
static unsigned victim(const struct cache *c, const struct cache_probe *p, uint64_t *seen) {
    unsigned best = 0;
    uint64_t most = 0;
    for (unsigned i = 0; i < CACHE_WAYS; i++) {
        uint64_t word = __atomic_load_n(&p->bucket[i], __ATOMIC_RELAXED);
        if ((word & CACHE_PLACE_MASK) != 0 && word >> CACHE_TAG_SHIFT == p->tag) {
            *seen = word;
            return i;
        }
        uint64_t now = dispensable(c, word);
        if (i == 0 || now > most) {
            best = i;
            most = now;
            *seen = word;
        }
    }
    return best;
}

/* Whether another process put something there since it was looked at; that it is overwritten, or asked for, is not. */
static bool is_news(const struct cache *c, const struct cache_probe *p, uint64_t word, const struct cache_found *over) {
    return over != NULL && (word & CACHE_PLACE_MASK) != 0 && word >> CACHE_TAG_SHIFT == p->tag &&
           (word & ~CACHE_ASKED) != (over->seen & ~CACHE_ASKED) && !cache_overwritten(c, word);
}

int cache_publish(const struct cache *c, const struct cache_probe *p, uint64_t place, const struct cache_found *over) {
    for (unsigned i = 0; i < CACHE_WAYS; i++) { /* as often as others may be quicker */
        uint64_t seen = 0;
        unsigned way = victim(c, p, &seen);
        if (is_news(c, p, seen, over))
            return E_AGAIN;
        if (__atomic_compare_exchange_n(&p->bucket[way], &seen, p->tag << CACHE_TAG_SHIFT | place, false,
                                        __ATOMIC_RELEASE, __ATOMIC_RELAXED))
            return 0;
    }
    return E_AGAIN;
}

int cache_record_put(struct cache *c, const struct cache_probe *p, uint32_t stored_s, uint32_t ttl_s,
                     const struct cache_found *over) {
    struct cache_record *r = (struct cache_record *)c->scratch;
    r->stored_s = stored_s;
    r->expires_s = stored_s > UINT32_MAX - ttl_s ? UINT32_MAX : stored_s + ttl_s;
    r->flags = p->flags;
    size_t size = cache_record_size(r);
    enum cache_ring_id ring = cache_ring_for(c, p, size);
    cache_make_room(c, ring, size);
    uint64_t place = cache_append(c, ring, c->scratch, size);
    int e = place == 0 ? E_AGAIN : cache_publish(c, p, place, over);
    if (e == 0)
        (void)cache_forget_elsewhere(c, p);
    return e;
}

static void failure_probe(const struct cache *c, const struct cache_key *key, struct cache_probe *p) {
    cache_probe_make(c, key->qname, key->qtype, key->qclass, cache_key_flags(key) | CACHE_FLAG_FAILURE, p);
}

bool cache_failing(struct cache *c, const struct cache_key *key) {
    struct cache_probe p;
    struct cache_found at;
    failure_probe(c, key, &p);
    return cache_find(c, &p, 0, &at) != NULL;
}

/* The question has an answer again: the next failure is the first one. */
static void failure_end(struct cache *c, const struct cache_key *key) {
    struct cache_probe p;
    failure_probe(c, key, &p);
    cache_forget(c, &p);
}

int cache_put(struct cache *c, const struct cache_key *key, uint8_t *msg, size_t size) {
    uint16_t offsets[CACHE_TTLS_MAX];
    struct survey s;
    if (size < DNS_HEADER || size > CACHE_MESSAGE_MAX)
        return E_INVALID;
    int e = survey_make(c, key, msg, size, offsets, &s);
    if (e != 0)
        return e;
    if (s.rcode != RCODE_NOERROR && s.rcode != RCODE_NXDOMAIN)
        return E_REFUSED;
    if (((s.rcode == RCODE_NXDOMAIN || !s.answered) && !s.soa) || s.ttl_s == 0)
        return E_REFUSED;

    struct cache_probe p;
    cache_tick(c);
    cache_probe_make(c, key->qname, key->qtype, key->qclass, cache_key_flags(key), &p);
    struct cache_record *r = (struct cache_record *)c->scratch;
    *r = (struct cache_record){.size = (uint16_t)(size - DNS_HEADER),
                               .ttls = (uint16_t)s.ttls,
                               .counts = {s.counts[0], s.counts[1], s.counts[2]},
                               .ede = EDE_NONE,
                               .rcode = s.rcode};
    uint8_t *body = c->scratch + sizeof *r;
    memcpy(body, msg + DNS_HEADER, r->size);
    memcpy(body, p.question, p.question_size);
    memcpy(body + r->size, offsets, 2 * (size_t)s.ttls);
    e = cache_record_put(c, &p, c->now_s, s.ttl_s, NULL);
    if (e == 0)
        failure_end(c, key);
    return e;
}

/* How long this one is to be remembered: twice as long as the last time when that was not long ago; 0: that one still
 * is. */
static uint32_t failure_ttl(const struct cache *c, const struct cache_record *last) {
    if (last == NULL || cache_of_future(c, last) || last->expires_s < last->stored_s)
        return CACHE_FAILURE_FIRST_S;
    uint32_t lasted_s = last->expires_s - last->stored_s;
    uint32_t rest_s = lasted_s > CACHE_FAILURE_REST_S ? lasted_s : CACHE_FAILURE_REST_S;
    if (last->expires_s > c->now_s)
        return 0;
    if (c->now_s - last->expires_s > rest_s)
        return CACHE_FAILURE_FIRST_S;
    return lasted_s < CACHE_FAILURE_MAX_S / 2 ? lasted_s * 2 : CACHE_FAILURE_MAX_S;
}

int cache_put_failure(struct cache *c, const struct cache_key *key, uint8_t rcode, int ede) {
    struct cache_probe p;
    struct cache_found at;
    cache_tick(c);
    failure_probe(c, key, &p);
    uint32_t ttl_s = failure_ttl(c, cache_find(c, &p, CACHE_ANY_AGE, &at));
    if (ttl_s == 0)
        return 0;
    struct cache_record *r = (struct cache_record *)c->scratch;
    *r = (struct cache_record){.size = (uint16_t)p.question_size, .ede = (int16_t)ede, .rcode = rcode};
    memcpy(c->scratch + sizeof *r, p.question, p.question_size);
    return cache_record_put(c, &p, c->now_s, ttl_s, NULL);
}
