/* Questions that no client waits for: who the root servers are, and the addresses of servers that came without. */
#include "resolver/iterate/recurse_impl.h"

enum { PRIME_AGAIN_MS = 60000, PRIME_MS = 10000 };

/* --- the root */

static void primed(void *ctx, const struct recurse_result *r) {
    (void)r;
    ((struct recursions *)ctx)->priming = NULL;
}

void recurse_prime(struct recursions *a) {
    struct resolve_question q = {.qname = {.size = 1}, .qtype = TYPE_NS, .qclass = CLASS_IN};
    int64_t now_ms = recurse_now(a);
    if (!a->config.conf->resolver.recursion.prime || a->priming != NULL || now_ms < a->prime_at_ms)
        return;
    a->prime_at_ms = now_ms + PRIME_AGAIN_MS;
    a->priming = recurse_new(a, NULL, &q);
    if (a->priming == NULL)
        return;
    a->priming->own.deadline_ms = now_ms + PRIME_MS;
    a->priming->done = primed;
    a->priming->ctx = a;
    recurse_ready(a->priming);
}

/* --- addresses of servers */

static void fetched(void *ctx, const struct recurse_result *r) {
    const struct recurse *x = ctx;
    const struct cache_key key = {.qname = &x->q.qname, .qtype = x->q.qtype, .qclass = CLASS_IN};
    x->all->fetches--;
    if (!r->answered && r->remember)
        (void)cache_put_failure(x->all->config.cache, &key, RCODE_SERVFAIL, r->ede);
}

/* A question of its own, with a budget of its own, that ends by itself. */
static void fetch(struct recursions *a, const struct name *host, uint16_t type) {
    const struct conf_recursion *conf = &a->config.conf->resolver.recursion;
    struct resolve_question q = {.qname = *host, .qtype = type, .qclass = CLASS_IN};
    struct recurse *x = recurse_new(a, NULL, &q);
    if (x == NULL)
        return;
    x->own.sends = conf->max_queries > BOUND_FETCH_SENDS ? conf->max_queries - BOUND_FETCH_SENDS : 0;
    x->own.glueless = BOUND_GLUELESS_TOTAL; /* of what it meets on its way nothing is fetched */
    x->own.deadline_ms = recurse_now(a) + conf->timeout_ms;
    x->done = fetched;
    x->ctx = x;
    a->fetches++;
    recurse_ready(x);
}

/* Whether the cache knows the address, or that there is none, or that it could not be found a moment ago. */
static bool is_known(struct recursions *a, const struct name *host, uint16_t type) {
    const struct cache_key key = {.qname = host, .qtype = type, .qclass = CLASS_IN};
    struct rrset set;
    return cache_failing(a->config.cache, &key) ||
           cache_rrset_get(a->config.cache, host, type, CLASS_IN, 0, &set, a->buf) == 0 ||
           cache_rrset_get(a->config.cache, host, RRSET_NAME, CLASS_IN, 0, &set, a->buf) == 0;
}

void recurse_fetch(struct recurse *x) {
    struct recursions *a = x->all;
    const struct conf_recursion *conf = &a->config.conf->resolver.recursion;
    bool known = x->d.origin == FROM_CACHE; /* most zones are asked for one name, once */
    uint16_t type = conf->ipv4 ? TYPE_A : TYPE_AAAA;
    if (!conf->fetch_ns_addresses || a->config.cache == NULL || x->parent != NULL || x->done == fetched ||
        x == a->priming || !known || x->d.addresses >= BOUND_FETCH_BELOW || a->fetches >= BOUND_FETCHES)
        return;
    for (unsigned i = 0; i < x->d.hosts; i++) {
        const struct name *host = &x->d.host[i].name;
        /* Inside the zone only its parent could tell. */
        if (x->d.host[i].addresses > 0 || name_under(host, &x->d.zone) || is_known(a, host, type))
            continue;
        fetch(a, host, type);
        return;
    }
}
