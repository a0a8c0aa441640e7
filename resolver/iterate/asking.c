/* The tries of one question to one server. */
#include "resolver/iterate/asking.h"

#include <stdlib.h>
#include <string.h>

#include "resolver/base/rand.h"
#include "resolver/dns/cookie.h"
#include "resolver/dns/writer.h"
#include "resolver/iterate/bounds.h"

enum {
    QUERY_MAX = 512,
    PLAIN_MS = 600000, /* how long it is remembered that a server has no EDNS, keeps no case */
    TCP_MS = 60000,    /* ... that somebody guesses at its answers */
    SMALL_AFTER = 1,   /* silences of a server that never answered EDNS */
    PLAIN_AFTER = 2,
    SMALL_SIZE = 512,
    TCP_FACTOR = 3, /* connecting, asking, answering */
};

struct asking {
    struct asking *next, *before;
    struct askings *all;
    struct asking_plan plan;
    struct name qname;
    struct server *server;
    void *sent;
    unsigned sends;
    bool tcp, plain, mixed; /* this try */
    bool want_tcp, want_plain;
    uint8_t cookie_tries;
};

struct askings {
    struct asking_config config;
    struct asking *first;
};

static int64_t now_of(const struct askings *a) { return a->config.sender.ops->now_ms(a->config.sender.self); }

int askings_open(struct askings **out, const struct asking_config *config, struct err *err) {
    struct askings *a = calloc(1, sizeof *a);
    *out = a;
    if (a == NULL)
        return err_set(err, E_NOMEM, "asking: no memory");
    a->config = *config;
    return 0;
}

static void drop(struct asking *q) {
    if (q->sent != NULL) {
        q->all->config.sender.ops->cancel(q->all->config.sender.self, q->sent);
        q->server->in_flight--;
    }
    *(q->before != NULL ? &q->before->next : &q->all->first) = q->next;
    if (q->next != NULL)
        q->next->before = q->before;
    free(q);
}

void asking_cancel(struct asking *q) { drop(q); }

void askings_close(struct askings *a) {
    if (a == NULL)
        return;
    for (struct asking *q = a->first, *next; q != NULL; q = next) {
        next = q->next;
        drop(q);
    }
    free(a);
}

static void finish(struct asking *q, const struct asking_reply *r) {
    asking_done done = q->plan.done;
    void *ctx = q->plan.ctx;
    drop(q);
    done(ctx, r);
}

static void give_up(struct asking *q, int code, uint32_t mismatches) {
    struct asking_reply r = {.code = code, .sends = q->sends, .stream = q->tcp, .mismatches = mismatches};
    finish(q, &r);
}

/* --- the query */

static void mix_case(struct name *n) {
    uint64_t bits = rand_u64();
    for (unsigned i = 0, used = 0; i < n->size; i++) {
        bool letter = (n->wire[i] | 0x20) >= 'a' && (n->wire[i] | 0x20) <= 'z' && n->wire[i] > 63;
        if (!letter)
            continue;
        if (bits >> used % 64 & 1)
            n->wire[i] = (uint8_t)(n->wire[i] & ~0x20);
        if (++used % 64 == 0)
            bits = rand_u64();
    }
}

static void choose_manner(struct asking *q, int64_t now_ms) {
    const struct server *v = q->server;
    const struct conf_recursion *conf = &q->all->config.conf->resolver.recursion;
    /* A resolver that was silent was down: it knows EDNS, or says that it does not. */
    bool mute = !q->plan.recursion_desired && !v->edns_answered && v->timeouts >= PLAIN_AFTER;
    q->plain = q->want_plain || now_ms < v->plain_until_ms || mute;
    q->tcp = q->want_tcp || now_ms < v->tcp_until_ms || q->plan.tls_name != NULL;
    q->mixed = conf->case_randomisation && !q->tcp && now_ms >= v->case_until_ms;
}

static int write_query(struct asking *q, uint8_t query[QUERY_MAX]) {
    struct server *v = q->server;
    const struct conf_recursion *conf = &q->all->config.conf->resolver.recursion;
    struct name qname = q->qname;
    uint16_t flags = (uint16_t)((q->plan.recursion_desired ? FLAG_RD : 0) | (q->plan.checking_disabled ? FLAG_CD : 0));
    struct dns_opt opt = DNS_OPT_INIT(conf->edns_size);
    if (!v->edns_answered && v->timeouts >= SMALL_AFTER)
        opt.udp_size = SMALL_SIZE;
    if (v->cookie_size == 0) {
        rand_bytes(v->cookie, COOKIE_CLIENT);
        v->cookie_size = COOKIE_CLIENT;
    }
    opt.dnssec_ok = q->plan.dnssec_ok;
    if (q->plan.tls_name != NULL)
        opt.pad = DNS_PAD_QUERY; /* RFC 8467 section 4.1 */
    else
        opt.cookie = (struct bytes){v->cookie, v->cookie_size};
    if (q->mixed)
        mix_case(&qname);
    return dns_query_write(query, QUERY_MAX, rand_u16(), flags, &qname, q->plan.qtype, q->plan.qclass,
                           q->plain ? NULL : &opt);
}

static void sent_done(void *ctx, const struct sender_reply *reply);

static uint32_t patience_ms(const struct asking *q, int64_t now_ms) {
    uint64_t wait = q->plan.wait_ms != 0 ? q->plan.wait_ms : q->server->rto_ms;
    if (q->tcp)
        wait = wait * TCP_FACTOR < BOUND_TCP_TOTAL_MS ? wait * TCP_FACTOR : BOUND_TCP_TOTAL_MS;
    if (q->tcp && wait < BOUND_TCP_TOTAL_MS / TCP_FACTOR)
        wait = BOUND_TCP_TOTAL_MS / TCP_FACTOR;
    int64_t left = q->plan.deadline_ms - now_ms;
    return left <= 0 ? 0 : wait < (uint64_t)left ? (uint32_t)wait : (uint32_t)left;
}

/* 0: under way. */
static int send_now(struct asking *q) {
    uint8_t query[QUERY_MAX];
    int64_t now_ms = now_of(q->all);
    choose_manner(q, now_ms);
    uint32_t wait = patience_ms(q, now_ms);
    if (wait == 0 || q->sends >= q->plan.sends_max)
        return E_TIMEOUT;
    int size = write_query(q, query);
    if (size < 0)
        return size;
    struct sender_query s = {.server = q->server->address,
                             .tcp = q->tcp,
                             .tls_name = q->plan.tls_name,
                             .tls_ca = q->plan.tls_ca,
                             .msg = query,
                             .size = (size_t)size,
                             .timeout_ms = wait,
                             .mismatches_max = BOUND_MISMATCHES,
                             .done = sent_done,
                             .ctx = q};
    q->sent = q->all->config.sender.ops->send(q->all->config.sender.self, &s);
    if (q->sent == NULL)
        return E_SYSTEM;
    q->sends++;
    q->server->in_flight++;
    return 0;
}

static void again(struct asking *q, const struct sender_reply *reply) {
    if (q->plan.retried != NULL)
        q->plan.retried(q->plan.ctx, reply, q->tcp);
    int e = send_now(q);
    if (e != 0)
        give_up(q, e, 0);
}

/* --- what came */

/* Takes the server's cookie in. False: this is not whom we have been talking to. */
static bool cookie_fits(struct server *v, const struct dns_edns *edns) {
    bool ours = edns->cookie.size >= COOKIE_CLIENT && memcmp(edns->cookie.at, v->cookie, COOKIE_CLIENT) == 0;
    if (ours && edns->cookie.size >= 2 * COOKIE_CLIENT && edns->cookie.size <= sizeof v->cookie) {
        memcpy(v->cookie, edns->cookie.at, edns->cookie.size);
        v->cookie_size = (uint8_t)edns->cookie.size;
        v->cookies = true;
    }
    return ours || (edns->cookie.size == 0 && !v->cookies);
}

static void alive(struct asking *q, int64_t took_us, int64_t now_ms) {
    struct server *v = q->server;
    if (!q->tcp) {
        server_answered(v, took_us, now_ms);
        return;
    }
    v->timeouts = 0;
    v->dead_since_ms = v->probe_at_ms = 0;
}

/* `e`: what looking for the OPT of the answer came to. One that is missing or broken brings no cookie. */
static bool answer_fits(const struct asking *q, const struct dns_edns *edns, int e) {
    return q->plain || q->plan.tls_name != NULL || (e == 0 ? cookie_fits(q->server, edns) : !q->server->cookies);
}

/* True: it is asked again in another manner; false: this is the answer. */
static bool wants_another_manner(struct asking *q, const struct sender_reply *reply, int64_t now_ms) {
    struct server *v = q->server;
    struct dns_edns edns;
    const uint8_t *at = reply->answer.at;
    int e = dns_edns_find(&edns, at, reply->answer.size);
    unsigned rcode = at[3] & 15u;
    bool truncated = at[2] & 2;
    /* Before anything is remembered of it: a forged refusal would take the cookies away from all later questions. */
    if (!answer_fits(q, &edns, e) && !q->tcp)
        return q->want_tcp = true;
    if (e == 0) {
        v->edns_answered = true;
        rcode |= (unsigned)edns.rcode_high << 4;
    }
    if (!q->plain && e != 0 && (rcode == RCODE_FORMERR || rcode == RCODE_NOTIMP)) {
        v->plain_until_ms = now_ms + PLAIN_MS;
        return q->want_plain = true;
    }
    if (!q->plain && rcode == RCODE_BADVERS) {
        v->plain_until_ms = now_ms + PLAIN_MS;
        return q->want_plain = true;
    }
    if (q->plain && e == E_NOTFOUND && !v->edns_answered && rcode != RCODE_FORMERR)
        v->plain_until_ms = now_ms + PLAIN_MS;
    if (e == 0 && rcode == RCODE_BADCOOKIE && q->cookie_tries < 2) {
        q->want_tcp |= q->cookie_tries++ > 0;
        return true;
    }
    if (truncated && !q->tcp)
        return q->want_tcp = true;
    return false;
}

static void unanswered(struct asking *q, const struct sender_reply *reply, int64_t now_ms) {
    struct server *v = q->server;
    bool guessed = !q->tcp && reply->mismatches >= BOUND_MISMATCHES;
    bool case_lost = !q->tcp && q->mixed && reply->case_lost > 0;
    if (guessed)
        v->tcp_until_ms = now_ms + TCP_MS;
    if (case_lost)
        v->case_until_ms = now_ms + PLAIN_MS;
    if (guessed || case_lost) {
        q->want_tcp = true;
        again(q, reply);
        return;
    }
    server_silent(v, now_ms);
    give_up(q, reply->code, reply->mismatches);
}

static void sent_done(void *ctx, const struct sender_reply *reply) {
    struct asking *q = ctx;
    int64_t now_ms = now_of(q->all);
    q->sent = NULL;
    q->server->in_flight--;
    if (reply->code != 0 || reply->answer.size < DNS_HEADER) {
        unanswered(q, reply, now_ms);
        return;
    }
    alive(q, reply->took_us, now_ms);
    if (wants_another_manner(q, reply, now_ms)) {
        again(q, reply);
        return;
    }
    struct asking_reply r = {.answer = reply->answer,
                             .stream = q->tcp,
                             .sends = q->sends,
                             .took_us = reply->took_us,
                             .mismatches = reply->mismatches};
    finish(q, &r);
}

struct asking *asking_start(struct askings *a, const struct asking_plan *plan) {
    struct server *v = servers_get(a->config.servers, plan->server, now_of(a));
    unsigned most = plan->in_flight_max != 0 ? plan->in_flight_max : BOUND_SERVER_IN_FLIGHT;
    struct asking *q = v == NULL || v->in_flight >= most ? NULL : calloc(1, sizeof *q);
    if (q == NULL)
        return NULL;
    q->all = a;
    q->plan = *plan;
    q->qname = *plan->qname;
    q->plan.server = &v->address;
    q->plan.qname = &q->qname;
    q->server = v;
    q->next = a->first;
    if (a->first != NULL)
        a->first->before = q;
    a->first = q;
    if (send_now(q) == 0)
        return q;
    drop(q);
    return NULL;
}
