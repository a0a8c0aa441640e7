/* Walking over all records. */
#include "resolver/cache/inside.h"

#include <stdlib.h>

#include "resolver/cache/layout.h"

enum { FORGET_TRIES = 4 }; /* it is moved or written anew meanwhile: looked at again */

struct walk {
    struct cache *c;
    struct cache_item item;
    uint8_t msg[RRSET_MAX + DNS_HEADER];
};

/* The record's own question; false: it is none. */
static bool question_read(const struct cache_record *r, struct cache_item *item) {
    const uint8_t *body = (const uint8_t *)(r + 1);
    size_t next;
    memset(&item->name, 0, sizeof item->name);
    if (r->size < 5 || name_read(&item->name, body, r->size, 0, &next) != 0 || next != item->name.size ||
        r->size - next < 4)
        return false;
    item->type = get_u16(body + next);
    item->klass = get_u16(body + next + 2);
    return true;
}

static void times_read(const struct cache *c, const struct cache_record *r, struct cache_item *item) {
    item->age_s = cache_age(c, r);
    item->left_s = cache_left(c, r);
    item->ended_s = item->left_s == 0 && c->now_s > r->expires_s ? c->now_s - r->expires_s : 0;
}

static bool bucket_right(const struct cache *c, const struct cache_probe *p, const uint64_t *bucket) {
    for (unsigned e = c->least; e <= c->extent; e++)
        if (cache_bucket(c, p->hash, e) == bucket)
            return true;
    return false;
}

/* The record behind an index word as an item; false: no look-up would find it. */
static bool item_read(struct walk *w, const uint64_t *bucket, uint64_t word) {
    struct cache *c = w->c;
    struct cache_item *item = &w->item;
    struct cache_probe p;
    const struct cache_record *r = cache_record_copy(c, word & CACHE_PLACE_MASK);
    memset(item, 0, sizeof *item);
    if (r == NULL || cache_of_future(c, r) || !question_read(r, item))
        return false;
    cache_probe_make(c, &item->name, item->type, item->klass, r->flags, &p);
    if (!bucket_right(c, &p, bucket) || p.tag != word >> CACHE_TAG_SHIFT)
        return false;
    times_read(c, r, item);
    item->octets = cache_record_size(r);
    item->dnssec_ok = r->flags & CACHE_FLAG_DO;
    item->checking_disabled = r->flags & CACHE_FLAG_CD;
    item->rcode = r->rcode;
    item->ede = r->ede;
    item->kind = r->flags & CACHE_FLAG_RRSET     ? CACHE_RRSET
                 : r->flags & CACHE_FLAG_FAILURE ? CACHE_FAILURE
                                                 : CACHE_ANSWER;
    if (item->kind == CACHE_RRSET) {
        cache_rrset_read(c, r, &p, &item->rrset, w->msg);
        item->rrset.owner = item->name;
    } else if (item->kind == CACHE_ANSWER) {
        item->msg = w->msg;
        item->msg_size = DNS_HEADER + (size_t)r->size;
        if (item->msg_size > sizeof w->msg)
            return false;
        cache_message_write(r, item->age_s, item->left_s == 0, w->msg);
    }
    return true;
}

/* Shows the record behind one index word. True: it was forgotten. */
static bool word_see(struct walk *w, uint64_t *at, const uint64_t *bucket, cache_see see, void *ctx) {
    for (unsigned i = 0; i < FORGET_TRIES; i++) {
        uint64_t word = __atomic_load_n(at, __ATOMIC_ACQUIRE);
        if ((word & CACHE_PLACE_MASK) == 0 || !item_read(w, bucket, word) || !see(ctx, &w->item))
            return false;
        if (__atomic_compare_exchange_n(at, &word, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
            return true;
    }
    __atomic_store_n(at, 0, __ATOMIC_RELEASE); /* somebody writes it all the time: what it holds now goes too */
    return true;
}

int cache_walk(struct cache *c, cache_see see, void *ctx, uint64_t *forgotten) {
    struct walk *w = malloc(sizeof *w);
    uint64_t count = 0;
    if (w == NULL)
        return E_NOMEM;
    w->c = c;
    cache_tick(c);
    for (uint64_t i = 0; i < cache_used(c) * CACHE_WAYS; i++) {
        uint64_t *bucket = c->index + cache_used_bucket(c, i / CACHE_WAYS) * CACHE_WAYS;
        count += word_see(w, &bucket[i % CACHE_WAYS], bucket, see, ctx);
    }
    if (forgotten != NULL)
        *forgotten = count;
    free(w);
    return 0;
}

uint64_t cache_size(const struct cache *c) { return c->size; }

static void bucket_measure(struct cache *c, uint64_t bucket, struct cache_figures *sum) {
    for (unsigned i = 0; i < CACHE_WAYS; i++) {
        uint64_t word = __atomic_load_n(&c->index[bucket * CACHE_WAYS + i], __ATOMIC_ACQUIRE);
        uint64_t place = word & CACHE_PLACE_MASK;
        if (place == 0 || cache_overwritten(c, place))
            continue;
        const struct cache_record *r = cache_record_copy(c, place);
        if (r == NULL || cache_of_future(c, r))
            continue;
        sum->octets += cache_room(cache_record_size(r));
        if (cache_left(c, r) == 0)
            sum->ended++;
        else
            sum->records[r->flags & CACHE_FLAG_RRSET     ? CACHE_RRSET
                         : r->flags & CACHE_FLAG_FAILURE ? CACHE_FAILURE
                                                         : CACHE_ANSWER]++;
    }
}

bool cache_measure(struct cache *c, struct cache_survey *s, struct cache_figures *to) {
    cache_tick(c);
    uint64_t used = cache_used(c), sample = used < CACHE_SAMPLE ? used : CACHE_SAMPLE;
    uint64_t skip = (used - sample) / (CACHE_SAMPLE / CACHE_STEP) * (s->at / CACHE_STEP);
    for (unsigned i = 0; i < CACHE_STEP && s->at < sample; i++, s->at++)
        bucket_measure(c, cache_used_bucket(c, s->at + skip), &s->sum);
    if (s->at < sample)
        return false;
    for (unsigned i = 0; i < CACHE_KINDS; i++)
        to->records[i] = s->sum.records[i] * used / sample;
    to->ended = s->sum.ended * used / sample;
    to->octets = s->sum.octets * used / sample;
    *s = (struct cache_survey){.at = 0};
    return true;
}
