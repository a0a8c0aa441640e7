/* Flights: one per question, joined by whoever asks the same. */
#include "resolver/iterate/resolve.h"

#include <stdlib.h>
#include <string.h>

#include "resolver/base/rand.h"
#include "resolver/iterate/flight.h"

static bool same_question(const struct resolve_question *a, const struct resolve_question *b) {
    return a->qtype == b->qtype && a->qclass == b->qclass && a->dnssec_ok == b->dnssec_ok &&
           a->checking_disabled == b->checking_disabled && name_equal(&a->qname, &b->qname);
}

static struct flight **bucket_of(struct resolve *r, uint64_t hash) { return &r->buckets[hash % FLIGHT_BUCKETS]; }

static struct cache_key cache_key_of(const struct flight *f) {
    return (struct cache_key){.qname = &f->q.qname,
                              .qtype = f->q.qtype,
                              .qclass = f->q.qclass,
                              .dnssec_ok = f->q.dnssec_ok,
                              .checking_disabled = f->q.checking_disabled};
}

/* Takes the flight out of the table, then tells everyone: a waiter may ask again from inside its call. */
static void flight_end(struct flight *f, const struct resolve_result *result) {
    struct resolve *r = f->resolve;
    struct flight **at = bucket_of(r, f->hash);
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    r->flights--;
    struct resolve_waiter *w = f->waiters;
    while (w != NULL) {
        struct resolve_waiter *next = w->next;
        w->done(w, result);
        w = next;
    }
    free(f);
}

/* Whether the answer of a remote list may go on; else the flight has ended. */
static bool flight_guarded(struct flight *f, size_t size) {
    struct resolve *r = f->resolve;
    enum guard_found found = f->list >= 0 ? guards_judge(r->guards, f->list, r->answer, size) : GUARD_FINE;
    if (found == GUARD_FINE)
        return true;
    if (r->config.stats != NULL)
        board_add(&r->config.stats->guard[f->list][found == GUARD_REFUSED ? WITHHELD_REFUSED : WITHHELD_OUTSIDE], 1);
    flight_fail(f, EDE_INVALID_DATA, guards_text(found), !f->point);
    return false;
}

void flight_answer(struct flight *f, size_t size) {
    struct resolve *r = f->resolve;
    struct cache_key key = cache_key_of(f);
    unsigned dropped;
    if (!flight_guarded(f, size))
        return;
    size = rebinding_strip(r->rebinding, &f->q, r->answer, size, &dropped);
    if (size == 0) {
        flight_fail(f, EDE_FILTERED, "private addresses in an answer from outside", true);
        return;
    }
    if (dropped > 0 && r->config.stats != NULL)
        board_add(&r->config.stats->private_dropped, dropped);
    if (r->config.cache != NULL && !f->point && cache_put(r->config.cache, &key, r->answer, size) == 0 &&
        r->config.stats != NULL)
        board_add(&r->config.stats->cache_stores, 1);
    struct resolve_result result = {.msg = r->answer, .size = size, .rcode = r->answer[3] & 15, .ede = EDE_NONE};
    flight_end(f, &result);
}

void flight_fail(struct flight *f, int ede, const char *text, bool remember) {
    struct resolve *r = f->resolve;
    struct cache_key key = cache_key_of(f);
    if (remember && !f->point && r->config.cache != NULL)
        (void)cache_put_failure(r->config.cache, &key, RCODE_SERVFAIL, ede);
    struct resolve_result result = {.rcode = RCODE_SERVFAIL, .ede = ede, .ede_text = text, .closing = r->closing};
    flight_end(f, &result);
}

static struct flight *flight_find(struct resolve *r, const struct resolve_question *q, uint64_t hash) {
    for (struct flight *f = *bucket_of(r, hash); f != NULL; f = f->next)
        if (f->hash == hash && same_question(&f->q, q))
            return f;
    return NULL;
}

static struct flight *flight_new(struct resolve *r, const struct resolve_question *q, uint64_t hash) {
    struct flight *f = r->flights < LIMIT_FLIGHTS ? calloc(1, sizeof *f) : NULL;
    if (f == NULL)
        return NULL;
    f->resolve = r;
    f->q = *q;
    name_lower(&f->q.qname);
    f->list = guards_find(r->guards, &f->q.qname);
    f->point = f->list >= 0 && guards_is_point(r->guards, f->list, &f->q.qname);
    f->q.refresh |= f->point;
    f->hash = hash;
    f->deadline_ms =
        r->config.sender.ops->now_ms(r->config.sender.self) + r->config.conf->resolver.recursion.timeout_ms;
    f->ede = EDE_NONE;
    struct flight **at = bucket_of(r, hash);
    f->next = *at;
    *at = f;
    r->flights++;
    return f;
}

static void recursed(void *ctx, const struct recurse_result *result) {
    struct flight *f = ctx;
    struct resolve *r = f->resolve;
    f->recursion = NULL;
    if (!result->answered) {
        flight_fail(f, result->ede, result->text, result->remember);
        return;
    }
    int size = parts_write(result->parts, &f->q, r->answer, sizeof r->answer);
    if (size > 0)
        flight_answer(f, (size_t)size);
    else
        flight_fail(f, EDE_INVALID_DATA, "the answer is larger than a message can be", true);
}

bool flight_recurse(struct flight *f) {
    struct resolve *r = f->resolve;
    const struct recurse_plan plan = {&f->q, f->deadline_ms, f->tries > 0, recursed, f};
    return r->recursions != NULL && recurse_start(&f->recursion, r->recursions, &plan) == 0;
}

/* The labels of the deepest stub zone that holds the name; -1: none does. */
static int stub_labels(const struct resolve *r, const struct name *qname) {
    const struct conf_resolver *conf = &r->config.conf->resolver;
    struct name zone;
    int labels = -1;
    for (size_t i = 0; i < conf->stub_count; i++)
        if (name_from_text(&zone, conf->stub[i].zone, NULL) == 0 && name_under(qname, &zone) && zone.labels > labels)
            labels = zone.labels;
    return labels;
}

/* Who answers a question that is not ours: the forwarders or servers of the deepest zone configured, else recursion
 * from the root. */
static void flight_start(struct flight *f) {
    struct resolve *r = f->resolve;
    int stub = stub_labels(r, &f->q.qname);
    f->zone = forward_find(r, &f->q.qname);
    if (f->zone != NULL && f->zone->zone.labels >= stub) {
        forward_start(f);
        return;
    }
    if (stub < 0 && !r->config.conf->resolver.recursion.enabled)
        flight_fail(f, EDE_OTHER, "recursion is switched off, and no forwarder is configured for this name", false);
    else if (!flight_recurse(f))
        flight_fail(f, EDE_OTHER, "no memory", false);
}

int resolve_ask(struct resolve *r, const struct resolve_question *q, struct resolve_waiter *w) {
    uint64_t hash = name_hash(&q->qname, r->hash_key) ^ ((uint64_t)q->qtype << 16 | q->qclass);
    struct flight *f = flight_find(r, q, hash);
    bool fresh = f == NULL;
    if (r->closing)
        return E_FULL;
    if (fresh && (f = flight_new(r, q, hash)) == NULL)
        return E_FULL;
    if (f->waiting == LIMIT_JOINERS)
        return E_AGAIN;
    w->next = f->waiters;
    f->waiters = w;
    f->waiting++;
    if (fresh)
        flight_start(f);
    return 0;
}

int resolve_known(struct resolve *r, const struct resolve_question *q, uint8_t *to, size_t cap) {
    struct resolve_question own = *q;
    unsigned dropped;
    name_lower(&own.qname);
    own.refresh = false;
    /* What forwarders said is in answers alone, and what a remote list said is to be judged as it comes. */
    if (r->recursions == NULL || forward_find(r, &own.qname) != NULL || guards_find(r->guards, &own.qname) >= 0)
        return E_NOTFOUND;
    int size = recurse_known(r->recursions, &own, r->answer, sizeof r->answer);
    if (size < 0)
        return size;
    size_t left = rebinding_strip(r->rebinding, &own, r->answer, (size_t)size, &dropped);
    if (left == 0 || left > cap)
        return E_NOTFOUND;
    memcpy(to, r->answer, left);
    return (int)left;
}

const struct guards *resolve_guards(const struct resolve *r) { return r->guards; }

unsigned resolve_flights(const struct resolve *r) { return r->flights; }

int resolve_open(struct resolve **out, const struct resolve_config *config, struct err *err) {
    struct resolve *r = calloc(1, sizeof *r);
    *out = NULL;
    if (r == NULL || (r->scrub = scrub_new()) == NULL) {
        free(r);
        return err_set(err, E_NOMEM, "resolving: no memory");
    }
    r->config = *config;
    r->hash_key = rand_u64();
    const struct recursions_config recursions = {config->conf, config->cache, config->sender};
    const struct conf_resolver *conf = &config->conf->resolver;
    int e = forward_open(r, err);
    if (e == 0)
        e = guards_open(&r->guards, config->conf, err);
    if (e == 0)
        e = rebinding_open(&r->rebinding, config->conf, err);
    if (e == 0 && (conf->recursion.enabled || conf->stub_count > 0))
        e = recursions_open(&r->recursions, &recursions, err);
    if (e != 0) {
        resolve_close(r);
        return e;
    }
    *out = r;
    return 0;
}

void resolve_close(struct resolve *r) {
    if (r == NULL)
        return;
    r->closing = true;
    for (unsigned i = 0; i < FLIGHT_BUCKETS; i++)
        for (struct flight *f = r->buckets[i], *next; f != NULL; f = next) {
            next = f->next;
            forward_cancel(f);
            if (f->recursion != NULL)
                recurse_cancel(f->recursion);
            flight_fail(f, EDE_OTHER, NULL, false);
        }
    forward_close(r);
    recursions_close(r->recursions);
    guards_close(r->guards);
    rebinding_close(r->rebinding);
    scrub_free(r->scrub);
    free(r);
}
