/* Answers from the cache beyond their time, and before it: what has ended is given when nothing fresh can be had
 * (RFC 8767), and what is asked often is asked for anew shortly before it ends. */
#include "resolver/serve/impl.h"

struct cache_key ask_key(const struct ask *a) {
    return (struct cache_key){.qname = &a->q->qname,
                              .qtype = a->q->qtype,
                              .qclass = a->q->qclass,
                              .dnssec_ok = a->q->edns.dnssec_ok,
                              .checking_disabled = a->q->header.flags & FLAG_CD};
}

struct resolve_question ask_question(const struct ask *a) {
    return (struct resolve_question){.qname = a->q->qname,
                                     .qtype = a->q->qtype,
                                     .qclass = a->q->qclass,
                                     .dnssec_ok = a->q->edns.dnssec_ok,
                                     .checking_disabled = a->q->header.flags & FLAG_CD};
}

bool stale_answer(struct ask *a, size_t *size) {
    struct cache *cache = a->s->config.cache;
    uint32_t max_age_s = a->s->config.conf->resolver.cache.stale_max_age_s;
    struct cache_key key = ask_key(a);
    struct cache_hit hit;
    if (cache == NULL || max_age_s == 0)
        return false;
    int e = cache_get_stale(cache, &key, max_age_s, a->reply, a->cap, &hit);
    if (e == E_NOTFOUND)
        return false;
    bool fresh = hit.left_s > 0; /* another worker was luckier meanwhile */
    a->source = fresh ? SOURCE_CACHE : SOURCE_STALE;
    if (e != 0)
        *size = reply_truncated(a, hit.rcode);
    else
        *size = reply_message(a, hit.size,
                              fresh                         ? EDE_NONE
                              : hit.rcode == RCODE_NXDOMAIN ? EDE_STALE_NXDOMAIN
                                                            : EDE_STALE_ANSWER);
    return true;
}

static void refreshed(struct resolve_waiter *w, const struct resolve_result *r) {
    (void)r; /* what came of it is in the cache */
    CONTAINER_OF(w, struct refresh, waiter)->busy = false;
}

/* One place for each few questions: while it is taken, nothing is asked for the others of it. So there is no list to
 * look through, and a name that is asked for ten thousand times a second is refreshed once. */
void refresh_start(struct ask *a) {
    struct serve *s = a->s;
    struct cache_key key = ask_key(a);
    struct resolve_question q = ask_question(a);
    struct refresh *place = &s->refreshes[(name_hash(key.qname, s->client_key) ^ key.qtype) % SERVE_REFRESHES];
    if (place->busy || !(a->q->header.flags & FLAG_RD) || resolve_flights(s->config.resolve) >= SERVE_REFRESH_BELOW ||
        cache_failing(s->config.cache, &key))
        return;
    q.refresh = true;
    place->waiter = (struct resolve_waiter){.done = refreshed};
    place->busy = true;
    if (resolve_ask(s->config.resolve, &q, &place->waiter) != 0)
        place->busy = false;
    else if (s->config.stats != NULL)
        board_add(&s->config.stats->cache_refreshes, 1);
}

bool prefetch_due(const struct serve *s, const struct cache_hit *hit) {
    uint32_t whole_s = hit->age_s + hit->left_s;
    return s->config.conf->resolver.cache.prefetch && whole_s >= SERVE_PREFETCH_TTL_S &&
           hit->left_s <= whole_s / SERVE_PREFETCH_PART;
}
