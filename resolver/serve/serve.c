/* From a packet to whoever answers it. */
#include "resolver/serve/serve.h"

#include <stdlib.h>

#include "resolver/serve/impl.h"

int serve_open(struct serve **out, const struct serve_config *config, struct err *err) {
    struct serve *s = calloc(1, sizeof *s);
    *out = NULL;
    if (s == NULL)
        return err_set(err, E_NOMEM, "serving: no memory");
    s->config = *config;
    s->guards = config->resolve != NULL ? resolve_guards(config->resolve) : NULL;
    s->client_key = config->board != NULL ? board_get(&config->board->node_boot) : 0;
    int e = local_open(s, err);
    if (e == 0)
        e = limit_open(&s->limit, &config->conf->resolver.rate_limit, err);
    if (e == 0 && config->conf->resolver.fairness)
        e = fair_open(&s->fair, config->stats, err);
    if (e != 0) {
        serve_close(s);
        return e;
    }
    *out = s;
    return 0;
}

void serve_close(struct serve *s) {
    if (s == NULL)
        return;
    limit_close(s->limit);
    fair_close(s->fair);
    free(s->confidants);
    free(s);
}

void serve_batch(void *ctx, bool begin) {
    struct serve *s = ctx;
    const struct source *source = s->config.source;
    s->in_batch = begin;
    if (begin && s->config.cache != NULL)
        cache_tick(s->config.cache);
    if (begin && s->config.cookies != NULL)
        cookies_read(s->config.cookies, &s->cookies_seen, &s->secrets);
    if (source != NULL)
        (begin ? source->ops->begin : source->ops->end)(source->self);
    if (!begin)
        count_burst(s);
    if (begin)
        s->datagrams = 0;
    else if (s->fair != NULL)
        shared_turn(s);
}

static size_t answer_zone(struct ask *a, int zone) {
    const struct source *source = a->s->config.source;
    struct source_answer sa = {.rcode = RCODE_NOERROR, .ede = EDE_NONE};
    struct dns_writer w;
    uint16_t flags = (uint16_t)(reply_flags(a) | FLAG_AA);
    size_t room = reply_opt_size(a);
    a->source = SOURCE_ZONE;
    dns_writer_open(&w, a->reply, a->limit, a->q->header.id, reply_flags(a), a->q->header.opcode);
    dns_writer_question(&w, &a->q->qname, a->q->qtype, a->q->qclass);
    struct dns_mark question = dns_writer_mark(&w);
    dns_writer_reserve(&w, room);
    source->ops->answer(source->self, zone, a->q, &a->client->peer, &w, &sa);
    dns_writer_release(&w, room);
    if (sa.drop) {
        a->who = NULL; /* by the operator's will: nobody was failed */
        count_drop(a->s, DROP_ACL);
        return 0;
    }
    if (w.error != 0) {
        bool full = w.error == E_FULL;
        dns_writer_rewind(&w, &question);
        if (!full)
            return reply_error(a, RCODE_SERVFAIL, EDE_OTHER, "the zone's answer could not be written");
        flags |= FLAG_TC;
    }
    if (sa.rcode != RCODE_NOERROR && sa.rcode != RCODE_NXDOMAIN)
        flags &= (uint16_t)~FLAG_AA;
    return reply_finish(a, &w, flags, sa.rcode, sa.ede, sa.ede_text);
}

static bool answer_local(struct ask *a, size_t *size) {
    const struct local_zones *locals = a->s->config.locals;
    struct local_answer la;
    struct dns_writer w;
    if (locals == NULL)
        return false;
    uint16_t flags = (uint16_t)(reply_flags(a) | FLAG_AA);
    size_t room = reply_opt_size(a);
    dns_writer_open(&w, a->reply, a->limit, a->q->header.id, reply_flags(a), a->q->header.opcode);
    dns_writer_question(&w, &a->q->qname, a->q->qtype, a->q->qclass);
    struct dns_mark question = dns_writer_mark(&w);
    dns_writer_reserve(&w, room);
    if (!local_zones_answer(locals, &a->q->qname, a->q->qtype, &w, &la))
        return false;
    dns_writer_release(&w, room);
    if (w.error != 0) {
        dns_writer_rewind(&w, &question);
        flags |= FLAG_TC;
    }
    if (la.drop) {
        a->who = NULL;
        count_drop(a->s, DROP_ACL);
        *size = 0;
        return true;
    }
    if (la.rcode == RCODE_REFUSED)
        flags &= (uint16_t)~FLAG_AA;
    *size = reply_finish(a, &w, flags, la.rcode, la.ede, la.ede_text);
    return true;
}

static bool answer_cached(struct ask *a, size_t *size) {
    struct cache *cache = a->s->config.cache;
    struct cache_hit hit;
    struct cache_key key = ask_key(a);
    int e = cache != NULL ? cache_get(cache, &key, a->reply, a->cap, &hit) : E_NOTFOUND;
    struct board_worker *stats = a->s->config.stats;
    if (stats != NULL)
        board_add(e == E_NOTFOUND ? &stats->cache_misses : &stats->cache_hits, 1);
    if (e == E_NOTFOUND)
        return false;
    a->source = SOURCE_CACHE;
    bool failed = hit.rcode != RCODE_NOERROR && hit.rcode != RCODE_NXDOMAIN;
    if (e != 0)
        *size = reply_truncated(a, hit.rcode);
    else if (failed && !stale_answer(a, size))
        *size = reply_error(a, hit.rcode, hit.ede, "asked a moment ago, and it failed");
    else if (!failed)
        *size = reply_message(a, hit.size, EDE_NONE);
    if (!failed && prefetch_due(a->s, &hit))
        refresh_start(a);
    return true;
}

/* Who is not to wait for a fresh answer gets the stale one, and the next one the fresh. */
static bool answer_stale_at_once(struct ask *a, size_t *size) {
    if (a->s->config.conf->resolver.cache.stale_answer_after_ms > 0 || !stale_answer(a, size))
        return false;
    refresh_start(a);
    return true;
}

/* Nobody is to be asked: what RRsets say, or an answer that has ended. */
static size_t answer_known(struct ask *a) {
    struct resolve *resolve = a->s->config.resolve;
    struct resolve_question q = ask_question(a);
    size_t stale;
    int size = resolve != NULL ? resolve_known(resolve, &q, a->reply, a->cap) : E_NOTFOUND;
    if (size < 0 && stale_answer(a, &stale))
        return stale;
    if (size < 0)
        return reply_error(a, RCODE_REFUSED, EDE_NOT_AUTHORITATIVE, "not cached, and recursion was not desired");
    a->source = SOURCE_CACHE;
    return reply_message(a, (size_t)size, EDE_NONE);
}

/* QTYPEs that are no type of data (RFC 6895 section 3.1) and that this port does not answer. */
static bool is_meta(uint16_t qtype) { return qtype == 0 || qtype == TYPE_OPT || (qtype >= 128 && qtype < TYPE_ANY); }

static size_t answer(struct ask *a) {
    const struct dns_query *q = a->q;
    const struct source *source = a->s->config.source;
    size_t size;
    if (q->header.opcode != OPCODE_QUERY)
        return reply_error(a, RCODE_REFUSED, EDE_NOT_SUPPORTED, "UPDATE and NOTIFY belong to the sync port");
    if (q->qclass == CLASS_CH)
        return local_chaos(a);
    if (q->qclass != CLASS_IN)
        return reply_error(a, RCODE_REFUSED, EDE_NOT_SUPPORTED, "class IN only");
    if (q->qtype == TYPE_AXFR || q->qtype == TYPE_IXFR)
        return reply_error(a, RCODE_REFUSED, EDE_NOT_SUPPORTED, "zone transfers belong to the sync port");
    if (is_meta(q->qtype))
        return reply_error(a, RCODE_NOTIMP, EDE_NOT_SUPPORTED, NULL);
    int zone = source != NULL ? source->ops->zone(source->self, &q->qname) : -1;
    if (zone >= 0)
        return answer_zone(a, zone);
    if (!a->allowed)
        return reply_error(a, RCODE_REFUSED, EDE_PROHIBITED, NULL);
    if (answer_local(a, &size))
        return size;
    if (q->qtype == TYPE_ANY && a->s->config.conf->resolver.refuse_any)
        return local_any(a);
    if (guard_before_cache(a, &size) || answer_cached(a, &size))
        return size;
    if (!(q->header.flags & FLAG_RD))
        return answer_known(a);
    if (guard_before_asking(a, &size) || answer_stale_at_once(a, &size))
        return size;
    a->source = SOURCE_UPSTREAM;
    return pending_ask(a);
}

/* There will be none: a connection may forget the question, a datagram is forgotten already. */
static size_t no_reply(struct serve *s, const struct client *c) {
    if (c->proto != PROTO_UDP)
        s->config.reply(s->config.reply_ctx, c, NULL, 0);
    return 0;
}

size_t serve_handle(void *ctx, const struct client *c, const uint8_t *msg, size_t size, uint8_t *reply, size_t cap) {
    struct serve *s = ctx;
    struct dns_query q;
    bool over = s->fair != NULL && shared_refuses(s, c);
    if (over && !local_may_know(s, c)) {
        count_drop(s, DROP_FAIR);
        return 0;
    }
    q.question_end = 0;
    q.qname.size = 0;
    q.edns.present = false;
    int rc = dns_query_read(&q, msg, size);
    if (rc < 0) {
        count_drop(s, size >= DNS_HEADER && (get_u16(msg + 2) & FLAG_QR) ? DROP_RESPONSE : DROP_MALFORMED);
        return no_reply(s, c);
    }
    struct board_client *who = client_count(s, c, &q);
    if (over && who != NULL) { /* no probe: they tell how it is, overload or not */
        count_drop(s, DROP_FAIR);
        return 0;
    }
    bool alone = !s->in_batch;
    if (alone)
        serve_batch(s, true);
    struct ask a = {.s = s,
                    .client = c,
                    .q = &q,
                    .reply = reply,
                    .cap = cap,
                    .limit = reply_limit(s, c, &q, cap),
                    .source = SOURCE_LOCAL,
                    .list = -1,
                    .who = who};
    a.allowed = prefix_list_has(s->config.conf->resolver.allow.at, s->config.conf->resolver.allow.count, &c->peer);
    size_t n = cookie_take(&a, (unsigned)rc);
    if (n == 0)
        n = rc > 0 ? reply_error(&a, (unsigned)rc, EDE_NONE, NULL) : answer(&a);
    if (n > 0 && s->limit != NULL)
        n = limited_reply(&a, n, c->arrived_ns);
    if (a.who != NULL)
        board_add(&a.who->queries, 1);
    if (n > 0)
        count_reply(&a, reply, n);
    else if (!a.waits)
        no_reply(s, c);
    if (alone)
        serve_batch(s, false);
    return n;
}
