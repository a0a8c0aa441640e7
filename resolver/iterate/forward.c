/* Forwarding: the servers of one `forward:` entry in turn, until one answers, the tries are used up or time is.
 *
 *   pick -> ask (asking.h) -> answer ................... flight_answer
 *    ^        |---> no answer over a TLS that was only hoped for: the same server in the clear
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
    z->tls_name = from->tls_name[0] != '\0' || from->opportunistic ? from->tls_name : NULL;
    z->tls_port = from->opportunistic ? from->tls_port : 0;
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
    if (r->zone_count == 0)
        return 0;
    int e = servers_open(&r->servers, err);
    const struct asking_config asking = {conf, r->config.sender, r->servers};
    return e != 0 ? e : askings_open(&r->askings, &asking, err);
}

const struct forward_zone *forward_find(const struct resolve *r, const struct name *qname) {
    const struct forward_zone *best = NULL;
    for (size_t i = 0; i < r->zone_count; i++)
        if (name_under(qname, &r->zones[i].zone) && (best == NULL || r->zones[i].zone.labels > best->zone.labels))
            best = &r->zones[i];
    return best;
}

/* The question of a flight as it goes to one server; who starts it adds for whom. */
static struct asking_plan plan_of(const struct resolve_question *q, const struct forward_zone *z, bool tls,
                                  const struct addr *server) {
    return (struct asking_plan){.server = server,
                                .qname = &q->qname,
                                .qtype = q->qtype,
                                .qclass = q->qclass,
                                .recursion_desired = true,
                                .dnssec_ok = q->dnssec_ok,
                                .checking_disabled = q->checking_disabled,
                                .tls_name = tls ? z->tls_name : NULL,
                                .tls_ca = tls ? z->ca : NULL,
                                .in_flight_max = LIMIT_FLIGHTS,
                                .sends_max = FORWARD_SENDS};
}

static struct addr address_of(const struct upstream *u, const struct forward_zone *z, bool tls) {
    struct addr a = u->address;
    if (tls && z->tls_port != 0)
        addr_set_port(&a, z->tls_port);
    return a;
}

/* Nobody is authenticated: what answers over TLS is used, and the clear when nothing does (RFC 7435). */
static bool opportunistic(const struct forward_zone *z) { return z->tls_port != 0; }

static void count_retried(struct resolve *r, uint8_t server, const struct sender_reply *reply, bool stream) {
    unsigned rcode = reply->code == 0 ? reply->answer.at[3] & 15u : 0;
    bool refused = rcode == RCODE_FORMERR || rcode == RCODE_NOTIMP;
    upstream_count(r->config.stats, server, stream,
                   reply->code != 0 ? UPSTREAM_TIMEOUT
                   : refused        ? UPSTREAM_ERROR_RCODE
                                    : UPSTREAM_OK,
                   reply->mismatches, reply->took_us);
}

static unsigned trouble_of(const struct scrub_result *s) {
    return s->kind == SCRUB_ERROR && (s->rcode == RCODE_REFUSED || s->rcode == RCODE_NOTIMP) ? TROUBLE_REFUSED
                                                                                             : TROUBLE_SERVFAIL;
}

/* --- probes beside the flight that gave the question: whether a failing server is back, whether one speaks TLS */

struct probe {
    struct resolve *resolve;
    struct asking *asking;
    struct resolve_question q;
    uint8_t server;
    bool tls; /* whether it does */
};

static void probe_retried(void *ctx, const struct sender_reply *reply, bool stream) {
    struct probe *p = ctx;
    count_retried(p->resolve, p->server, reply, stream);
}

static void probe_done(void *ctx, const struct asking_reply *reply) {
    struct probe *p = ctx;
    struct resolve *r = p->resolve;
    struct upstream *u = &r->upstreams[p->server];
    bool good = false;
    enum board_upstream_result result = reply->code == E_TIMEOUT ? UPSTREAM_TIMEOUT : UPSTREAM_NETWORK;
    *(p->tls ? &u->tls_probe : &u->probe) = NULL;
    if (reply->code == 0) {
        struct scrub_result s;
        scrub_answer(r->scrub, &p->q, reply->answer, r->answer, sizeof r->answer, &s);
        good = s.kind == SCRUB_ANSWER;
        result = good ? UPSTREAM_OK : UPSTREAM_ERROR_RCODE;
    }
    if (p->tls)
        upstream_tls(u, good, now_ms(r));
    else if (good)
        upstream_answered(u, reply->took_us);
    /* That nothing listens for TLS is no fault of a server that need not. */
    if (!p->tls || good)
        upstream_count(r->config.stats, p->server, reply->stream, result, reply->mismatches, reply->took_us);
    free(p);
}

static void probe_start(const struct flight *f, uint8_t server, bool tls) {
    struct resolve *r = f->resolve;
    struct upstream *u = &r->upstreams[server];
    bool strict = f->zone->tls_name != NULL && !opportunistic(f->zone);
    struct addr address = address_of(u, f->zone, tls);
    struct probe *p = malloc(sizeof *p);
    if (p == NULL)
        return;
    *p = (struct probe){.resolve = r, .q = f->q, .server = server, .tls = tls};
    struct asking_plan plan = plan_of(&p->q, f->zone, tls || strict, &address);
    plan.wait_ms = UPSTREAM_PROBE_FIRST_MS;
    plan.deadline_ms = now_ms(r) + (int64_t)UPSTREAM_PROBE_FIRST_MS * FORWARD_PROBE_TRIES;
    plan.retried = probe_retried;
    plan.done = probe_done;
    plan.ctx = p;
    p->asking = asking_start(r->askings, &plan);
    if (p->asking == NULL)
        free(p);
    else
        *(tls ? &u->tls_probe : &u->probe) = p;
}

static void probe_end(struct probe *p) {
    if (p != NULL)
        asking_cancel(p->asking);
    free(p);
}

static void probe_beside(const struct flight *f) {
    struct resolve *r = f->resolve;
    for (unsigned i = 0; i < f->zone->count; i++) {
        uint8_t at = f->zone->servers[i];
        if (at != f->server && upstream_wants_probe(&r->upstreams[at], now_ms(r)))
            probe_start(f, at, false);
        if (at == f->server && opportunistic(f->zone) && upstream_wants_tls(&r->upstreams[at], now_ms(r)))
            probe_start(f, at, true);
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
    if (f->tries == LIMIT_FORWARD_TRIES || wait + FORWARD_LAST_MIN_MS > (uint64_t)left_ms)
        wait = (uint64_t)left_ms;
    return (uint32_t)wait;
}

static void judge(struct flight *f, const struct asking_reply *reply) {
    struct resolve *r = f->resolve;
    struct upstream *u = &r->upstreams[f->server];
    struct scrub_result s;
    scrub_answer(r->scrub, &f->q, reply->answer, r->answer, sizeof r->answer, &s);
    bool good = s.kind == SCRUB_ANSWER;
    upstream_count(r->config.stats, f->server, reply->stream, good ? UPSTREAM_OK : UPSTREAM_ERROR_RCODE,
                   reply->mismatches, reply->took_us);
    if (good) {
        if (!reply->stream || f->tls)
            upstream_answered(u, reply->took_us);
        flight_answer(f, s.size);
        return;
    }
    note_failure(f, s.kind == SCRUB_ERROR ? FAILURE_RCODE : FAILURE_INVALID, &s);
    upstream_troubled(u, trouble_of(&s), now_ms(r));
    f->tried |= 1u << f->server;
    try_next(f);
}

static void failed(struct flight *f, bool timeout) {
    struct upstream *u = &f->resolve->upstreams[f->server];
    if (f->tls && opportunistic(f->zone)) {
        upstream_tls(u, false, now_ms(f->resolve)); /* the same server again, in the clear */
        return;
    }
    upstream_troubled(u, timeout ? TROUBLE_TIMEOUT : TROUBLE_NETWORK, now_ms(f->resolve));
    note_failure(f, timeout ? FAILURE_TIMEOUT : FAILURE_NETWORK, NULL);
    f->tried |= 1u << f->server;
}

static void asked_retried(void *ctx, const struct sender_reply *reply, bool stream) {
    struct flight *f = ctx;
    count_retried(f->resolve, f->server, reply, stream);
}

static void asked_done(void *ctx, const struct asking_reply *reply) {
    struct flight *f = ctx;
    f->asking = NULL;
    if (reply->code == 0) {
        judge(f, reply);
        return;
    }
    bool timeout = reply->code == E_TIMEOUT;
    upstream_count(f->resolve->config.stats, f->server, reply->stream, timeout ? UPSTREAM_TIMEOUT : UPSTREAM_NETWORK,
                   reply->mismatches, reply->took_us);
    failed(f, timeout);
    try_next(f);
}

/* The server for the next try: the same in the clear where TLS was only hoped for, else the best not asked in this
 * round. */
static bool choose(struct flight *f) {
    struct resolve *r = f->resolve;
    if (f->tries == 0 || f->tried & 1u << f->server) {
        int at = upstream_pick(r->upstreams, f->zone->servers, f->zone->count, f->tried);
        if (at < 0) {
            f->tried = 0;
            at = upstream_pick(r->upstreams, f->zone->servers, f->zone->count, 0);
        }
        if (at < 0)
            return false;
        f->server = (uint8_t)at;
    }
    f->tls = f->zone->tls_name != NULL && (!opportunistic(f->zone) || r->upstreams[f->server].tls_works);
    return true;
}

/* Asks one server after the other until a question is under way; a refusal of the socket counts as a try. */
static void try_next(struct flight *f) {
    struct resolve *r = f->resolve;
    while (f->tries < LIMIT_FORWARD_TRIES) {
        int64_t left_ms = f->deadline_ms - now_ms(r);
        if (left_ms <= 0 || !choose(f))
            break;
        struct addr address = address_of(&r->upstreams[f->server], f->zone, f->tls);
        struct asking_plan plan = plan_of(&f->q, f->zone, f->tls, &address);
        f->tries++;
        plan.wait_ms = try_timeout_ms(f, left_ms);
        plan.deadline_ms = f->deadline_ms;
        plan.retried = asked_retried;
        plan.done = asked_done;
        plan.ctx = f;
        f->asking = asking_start(r->askings, &plan);
        if (f->asking != NULL) {
            if (f->tries == 1)
                probe_beside(f);
            return;
        }
        upstream_count(r->config.stats, f->server, f->tls, UPSTREAM_NETWORK, 0, 0);
        failed(f, false);
    }
    give_up(f);
}

void forward_start(struct flight *f) { try_next(f); }

void forward_cancel(struct flight *f) {
    if (f->asking != NULL)
        asking_cancel(f->asking);
    f->asking = NULL;
}

void forward_close(struct resolve *r) {
    for (unsigned i = 0; i < r->upstream_count; i++) {
        probe_end(r->upstreams[i].probe);
        probe_end(r->upstreams[i].tls_probe);
    }
    askings_close(r->askings);
    servers_close(r->servers);
    free(r->zones);
}
