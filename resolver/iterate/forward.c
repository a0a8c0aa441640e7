/* Forwarding: the servers of one `forward:` entry in turn, until one answers, the tries are used up or time is.
 *
 *   pick -> send -> answer ........................... flight_answer
 *    ^        |---> TC over UDP: the same server over TCP
 *    |        |---> FORMERR to EDNS: the same server without EDNS
 *    +--------+---> timeout, network error, another RCODE, nonsense: the next server
 */
#include <stdlib.h>

#include "resolver/base/log.h"
#include "resolver/base/rand.h"
#include "resolver/dns/writer.h"
#include "resolver/iterate/flight.h"

static void try_next(struct flight *f);

static int64_t now_ms(const struct resolve *r) { return r->config.sender.ops->now_ms(r->config.sender.self); }

/* Index of an address among the upstreams, which stand in the order of conf_upstreams(). */
static int upstream_index(const struct resolve *r, const struct addr *a) {
    for (unsigned i = 0; i < r->upstream_count; i++)
        if (addr_same(&r->upstreams[i].address, a))
            return (int)i;
    return -1;
}

static int zone_open(struct resolve *r, struct forward_zone *z, const struct conf_forward *from, struct err *err) {
    int e = name_from_text(&z->zone, from->zone, err);
    if (e != 0)
        return err_prefix(err, "resolver.forward");
    z->fallback = from->fallback;
    z->tls_name = from->tls_name[0] != '\0' ? from->tls_name : NULL;
    z->ca = from->ca;
    for (size_t i = 0; i < from->to.count && z->count < LIMIT_UPSTREAMS; i++) {
        int at = upstream_index(r, &from->to.at[i]);
        if (at >= 0)
            z->servers[z->count++] = (uint8_t)at;
    }
    return 0;
}

int forward_open(struct resolve *r, struct err *err) {
    const struct conf *conf = r->config.conf;
    struct addr all[LIMIT_UPSTREAMS];
    size_t count = conf_upstreams(conf, all, LIMIT_UPSTREAMS);
    if (count > LIMIT_UPSTREAMS)
        return err_set(err, E_RANGE, "resolver.forward: %zu addresses, at most %d are used", count, LIMIT_UPSTREAMS);
    r->upstream_count = (unsigned)count;
    for (size_t i = 0; i < count; i++)
        r->upstreams[i].address = all[i];
    r->zone_count = conf->resolver.forward_count;
    r->zones = calloc(r->zone_count + 1, sizeof *r->zones);
    if (r->zones == NULL)
        return err_set(err, E_NOMEM, "resolver.forward: no memory");
    for (size_t i = 0; i < r->zone_count; i++) {
        int e = zone_open(r, &r->zones[i], &conf->resolver.forward[i], err);
        if (e != 0)
            return e;
    }
    return 0;
}

void forward_close(struct resolve *r) {
    for (unsigned i = 0; i < r->upstream_count; i++)
        if (r->upstreams[i].probe != NULL)
            r->config.sender.ops->cancel(r->config.sender.self, r->upstreams[i].probe);
    free(r->zones);
}

const struct forward_zone *forward_find(const struct resolve *r, const struct name *qname) {
    const struct forward_zone *best = NULL;
    for (size_t i = 0; i < r->zone_count; i++)
        if (name_under(qname, &r->zones[i].zone) && (best == NULL || r->zones[i].zone.labels > best->zone.labels))
            best = &r->zones[i];
    return best;
}

static int query_write(const struct flight *f, bool plain, uint8_t query[FORWARD_QUERY_MAX]) {
    const struct conf_recursion *conf = &f->resolve->config.conf->resolver.recursion;
    struct dns_opt opt = {.udp_size = conf->edns_size, .dnssec_ok = f->q.dnssec_ok, .ede = EDE_NONE, .keepalive = -1};
    uint16_t flags = (uint16_t)(FLAG_RD | (f->q.checking_disabled ? FLAG_CD : 0));
    return dns_query_write(query, FORWARD_QUERY_MAX, rand_u16(), flags, &f->q.qname, f->q.qtype, f->q.qclass,
                           plain ? NULL : &opt);
}

static void *send_to(const struct flight *f, const struct upstream *u, const uint8_t *query, size_t size,
                     uint32_t timeout_ms, sender_done done, void *ctx) {
    struct resolve *r = f->resolve;
    struct sender_query q = {.server = u->address,
                             .tcp = f->tcp && u == &r->upstreams[f->server],
                             .tls_name = f->zone->tls_name,
                             .tls_ca = f->zone->ca,
                             .msg = query,
                             .size = size,
                             .timeout_ms = timeout_ms,
                             .done = done,
                             .ctx = ctx};
    return r->config.sender.ops->send(r->config.sender.self, &q);
}

static unsigned trouble_of(const struct scrub_result *s) {
    return s->kind == SCRUB_ERROR && (s->rcode == RCODE_REFUSED || s->rcode == RCODE_NOTIMP) ? TROUBLE_REFUSED
                                                                                             : TROUBLE_SERVFAIL;
}

/* --- probes of failing servers, beside the flight that gave the question */

struct probe {
    struct resolve *resolve;
    struct resolve_question q;
    uint8_t server;
};

static void probe_done(void *ctx, const struct sender_reply *reply) {
    struct probe *p = ctx;
    struct resolve *r = p->resolve;
    struct upstream *u = &r->upstreams[p->server];
    enum board_upstream_result result = reply->code == E_TIMEOUT ? UPSTREAM_TIMEOUT : UPSTREAM_NETWORK;
    u->probe = NULL;
    if (reply->code == 0) {
        struct scrub_result s;
        scrub_answer(r->scrub, &p->q, reply->answer, r->answer, sizeof r->answer, &s);
        bool good = s.kind == SCRUB_ANSWER || s.kind == SCRUB_TRUNCATED;
        result = good ? UPSTREAM_OK : UPSTREAM_ERROR_RCODE;
        if (good)
            upstream_answered(u, reply->took_us);
    }
    upstream_count(r->config.stats, p->server, false, result, reply->mismatches, reply->took_us);
    free(p);
}

static void probe_failing(const struct flight *f) {
    struct resolve *r = f->resolve;
    uint8_t query[FORWARD_QUERY_MAX];
    for (unsigned i = 0; i < f->zone->count; i++) {
        uint8_t at = f->zone->servers[i];
        struct upstream *u = &r->upstreams[at];
        if (at == f->server || !upstream_wants_probe(u, now_ms(r)))
            continue;
        int size = query_write(f, u->plain_until_ms > now_ms(r), query);
        struct probe *p = size > 0 ? malloc(sizeof *p) : NULL;
        if (p == NULL)
            return;
        *p = (struct probe){.resolve = r, .q = f->q, .server = at};
        u->probe = send_to(f, u, query, (size_t)size, UPSTREAM_PROBE_FIRST_MS, probe_done, p);
        if (u->probe == NULL)
            free(p);
    }
}

/* --- one flight */

static void note_failure(struct flight *f, enum failure why, const struct scrub_result *s) {
    if (why < f->why)
        return;
    f->why = why;
    if (s != NULL) {
        f->rcode = s->rcode;
        f->ede = s->ede;
    }
}

static void give_up(struct flight *f) {
    if (f->zone->fallback && flight_recurse(f))
        return;
    switch (f->why) {
    case FAILURE_RCODE:
        flight_fail(f, f->ede != EDE_NONE ? f->ede : EDE_NO_REACHABLE_AUTHORITY,
                    f->rcode == RCODE_REFUSED   ? "every forwarder refused"
                    : f->rcode == RCODE_NOERROR ? "a forwarder does not recurse"
                                                : "every forwarder answered with an error",
                    true);
        return;
    case FAILURE_INVALID:
        flight_fail(f, EDE_INVALID_DATA, "the forwarder's answer was not well-formed", true);
        return;
    case FAILURE_NETWORK:
        flight_fail(f, EDE_NETWORK_ERROR, "no forwarder can be reached", true);
        return;
    case FAILURE_TIMEOUT:
    case FAILURE_NONE:
        break;
    }
    flight_fail(f, EDE_NO_REACHABLE_AUTHORITY, "no forwarder answered in time", true);
}

/* How long to wait for this try. */
static uint32_t try_timeout_ms(const struct flight *f, int64_t left_ms) {
    const struct upstream *u = &f->resolve->upstreams[f->server];
    uint64_t wait = FORWARD_TRY_MS;
    for (unsigned i = 1; i < f->tries; i++)
        wait += wait / 2;
    uint64_t usual = (uint64_t)u->srtt_us * 2 / 1000 + 100;
    if (usual > FORWARD_USUAL_MAX_MS)
        usual = FORWARD_USUAL_MAX_MS;
    if (usual > wait)
        wait = usual;
    if (f->tcp)
        wait *= FORWARD_TCP_FACTOR;
    if (f->tries == LIMIT_FORWARD_TRIES || wait + FORWARD_LAST_MIN_MS > (uint64_t)left_ms)
        wait = (uint64_t)left_ms;
    return (uint32_t)wait;
}

static void judge(struct flight *f, const struct sender_reply *reply) {
    struct resolve *r = f->resolve;
    struct upstream *u = &r->upstreams[f->server];
    struct scrub_result s;
    scrub_answer(r->scrub, &f->q, reply->answer, r->answer, sizeof r->answer, &s);
    bool good = s.kind == SCRUB_ANSWER || (s.kind == SCRUB_TRUNCATED && !f->tcp);
    upstream_count(r->config.stats, f->server, f->tcp, good ? UPSTREAM_OK : UPSTREAM_ERROR_RCODE, reply->mismatches,
                   reply->took_us);
    if (good && (!f->tcp || f->zone->tls_name != NULL))
        upstream_answered(u, reply->took_us);
    if (s.kind == SCRUB_ANSWER) {
        flight_answer(f, s.size);
        return;
    }
    if (good) {
        f->tcp = true;
    } else if (s.kind == SCRUB_ERROR && s.rcode == RCODE_FORMERR && !f->plain) {
        u->plain_until_ms = now_ms(r) + UPSTREAM_PLAIN_MS;
    } else {
        note_failure(f, s.kind == SCRUB_ERROR ? FAILURE_RCODE : FAILURE_INVALID, &s);
        upstream_troubled(u, trouble_of(&s), now_ms(r));
        f->tried |= 1u << f->server;
        f->tcp = f->zone->tls_name != NULL;
    }
    try_next(f);
}

static void failed(struct flight *f, bool timeout) {
    upstream_troubled(&f->resolve->upstreams[f->server], timeout ? TROUBLE_TIMEOUT : TROUBLE_NETWORK,
                      now_ms(f->resolve));
    note_failure(f, timeout ? FAILURE_TIMEOUT : FAILURE_NETWORK, NULL);
    f->tried |= 1u << f->server;
    f->tcp = f->zone->tls_name != NULL;
}

static void sent_done(void *ctx, const struct sender_reply *reply) {
    struct flight *f = ctx;
    f->sent = NULL;
    if (reply->code == 0) {
        judge(f, reply);
        return;
    }
    bool timeout = reply->code == E_TIMEOUT;
    upstream_count(f->resolve->config.stats, f->server, f->tcp, timeout ? UPSTREAM_TIMEOUT : UPSTREAM_NETWORK,
                   reply->mismatches, reply->took_us);
    failed(f, timeout);
    try_next(f);
}

/* The server for the next try: over TCP or without EDNS the same again, else the best not asked in this round. */
static bool choose(struct flight *f) {
    if (f->tries > 0 && !(f->tried & 1u << f->server))
        return true;
    struct resolve *r = f->resolve;
    int at = upstream_pick(r->upstreams, f->zone->servers, f->zone->count, f->tried);
    if (at < 0) {
        f->tried = 0;
        at = upstream_pick(r->upstreams, f->zone->servers, f->zone->count, 0);
    }
    if (at < 0)
        return false;
    f->server = (uint8_t)at;
    return true;
}

/* Sends to one server after the other until a sending is under way; a refusal of the socket counts as a try. */
static void try_next(struct flight *f) {
    struct resolve *r = f->resolve;
    uint8_t query[FORWARD_QUERY_MAX];
    while (f->tries < LIMIT_FORWARD_TRIES) {
        int64_t left_ms = f->deadline_ms - now_ms(r);
        if (left_ms <= 0 || !choose(f))
            break;
        struct upstream *u = &r->upstreams[f->server];
        f->tries++;
        f->plain = u->plain_until_ms > now_ms(r);
        int size = query_write(f, f->plain, query);
        if (size < 0)
            break;
        f->sent = send_to(f, u, query, (size_t)size, try_timeout_ms(f, left_ms), sent_done, f);
        if (f->sent != NULL) {
            if (f->tries == 1)
                probe_failing(f);
            return;
        }
        upstream_count(r->config.stats, f->server, f->tcp, UPSTREAM_NETWORK, 0, 0);
        failed(f, false);
    }
    give_up(f);
}

void forward_start(struct flight *f) {
    f->tcp = f->zone->tls_name != NULL;
    try_next(f);
}

void forward_cancel(struct flight *f) {
    if (f->sent != NULL)
        f->resolve->config.sender.ops->cancel(f->resolve->config.sender.self, f->sent);
    f->sent = NULL;
}
