/* One question and its tries, each from a fresh source port; the first answer wins. Waits in a lane when too many are
 * under way. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health/probe/impl.h"
#include "health/probe/secure.h"
#include "resolver/base/clock.h"
#include "resolver/base/rand.h"
#include "resolver/dns/writer.h"

enum { ASK_EDNS_SIZE = 1232 };

struct ask_try {
    struct ask *ask;
    struct exchange *exchange; /* NULL: not started, or over */
    struct secure *secure;     /* over TLS */
};

struct ask {
    struct prober *p;
    struct ask_plan plan;
    ask_done done;
    void *ctx;
    struct ask *prev, *next; /* all */
    struct ask *waiting;     /* lane */
    struct ask_try tries[PROBE_TRIES_MAX];
    unsigned started, running;
    int64_t started_ms, lateness_ms; /* the prober's clock and its lateness so far, when it began */
    struct loop_timer *timer;
    struct ask_result result;
};

static void lane_add(struct prober *p, struct ask *a) {
    bool far = a->plan.far;
    if (p->wait_tail[far] != NULL)
        p->wait_tail[far]->waiting = a;
    else
        p->wait_head[far] = a;
    p->wait_tail[far] = a;
}

static struct ask *lane_take(struct prober *p, bool far) {
    struct ask *a = p->wait_head[far];
    if (a == NULL)
        return NULL;
    p->wait_head[far] = a->waiting;
    if (a->waiting == NULL)
        p->wait_tail[far] = NULL;
    a->waiting = NULL;
    return a;
}

static bool has_room(const struct prober *p, bool far) {
    return p->in_flight < LIMIT_PROBES_IN_FLIGHT + p->more_in_flight &&
           (!far || p->far_in_flight < PROBE_FAR_IN_FLIGHT + p->more_in_flight);
}

static void count_flight(struct prober *p, bool far, int by) {
    p->in_flight += (unsigned)by;
    if (far)
        p->far_in_flight += (unsigned)by;
}

static void next_try(struct ask *a);
static void ask_begin(struct ask *a);

static void lanes_pump(struct prober *p) {
    for (int far = 0; far <= 1; far++)
        while (p->wait_head[far] != NULL && has_room(p, far))
            ask_begin(lane_take(p, far));
}

static void unlink_ask(struct ask *a) {
    if (a->prev != NULL)
        a->prev->next = a->next;
    else
        a->p->asks = a->next;
    if (a->next != NULL)
        a->next->prev = a->prev;
}

/* Ends the other tries and frees everything but the result. */
static void ask_free(struct ask *a) {
    for (unsigned i = 0; i < a->started; i++) {
        if (a->tries[i].exchange == NULL && a->tries[i].secure == NULL)
            continue;
        exchange_cancel(a->tries[i].exchange);
        secure_cancel(a->tries[i].secure);
        count_flight(a->p, a->plan.far, -1);
    }
    if (a->timer != NULL)
        loop_timer_cancel(a->timer);
    unlink_ask(a);
    free(a);
}

static void ask_finish(struct ask *a) {
    struct prober *p = a->p;
    struct ask_result result = a->result;
    ask_done done = a->done;
    void *ctx = a->ctx;
    if (result.code == E_TIMEOUT && prober_starved(p, a->started_ms, a->lateness_ms, a->plan.timeout_ms))
        result.code = E_AGAIN;
    ask_free(a);
    done(ctx, &result);
    lanes_pump(p);
}

static void keep_problem(struct ask *a, int code, const char *text, int64_t took_us) {
    a->result.code = code;
    a->result.took_us = took_us;
    text_copy(a->result.error, sizeof(a->result.error), text);
}

/* `trouble`: why, where the network has more to say than a number. */
static void take_result(struct ask *a, const struct exchange_result *r, const char *trouble) {
    char text[sizeof(a->result.error)];
    int64_t took_us = r->took_ns / 1000;
    a->p->tally.mismatches += r->mismatches;
    a->result.local = r->local;
    if (r->code == 0 && answer_read(&a->result.answer, r->answer.at, r->answer.size, &a->plan.qname) == 0) {
        a->result.code = 0;
        a->result.took_us = took_us;
        return;
    }
    if (r->code == 0)
        snprintf(text, sizeof(text), "an answer of %zu octets that is no DNS message", r->answer.size);
    else if (trouble != NULL)
        text_copy(text, sizeof(text), trouble);
    else if (r->sys_errno != 0)
        snprintf(text, sizeof(text), "%s", strerror(r->sys_errno));
    else
        snprintf(text, sizeof(text), "%s", err_name(r->code));
    keep_problem(a, r->code == 0 ? E_INVALID : r->code, text, took_us);
}

static void try_over(struct ask_try *t, const struct exchange_result *r, const char *trouble) {
    struct ask *a = t->ask;
    t->exchange = NULL;
    t->secure = NULL;
    a->running--;
    count_flight(a->p, a->plan.far, -1);
    take_result(a, r, trouble);
    if (a->result.code != 0 && a->started < a->plan.tries)
        next_try(a);
    else if (a->result.code == 0 || a->running == 0)
        ask_finish(a);
}

static void try_done(void *ctx, const struct exchange_result *r) { try_over(ctx, r, NULL); }

static void secure_done(void *ctx, const struct exchange_result *r, const char *trouble) { try_over(ctx, r, trouble); }

static void hedge(void *ctx) {
    struct ask *a = ctx;
    if (a->started < a->plan.tries && has_room(a->p, a->plan.far))
        next_try(a);
}

static void no_try(void *ctx) {
    struct ask *a = ctx;
    ask_finish(a);
}

/* Told never from inside ask_start. No descriptor or memory to ask with is this process's own trouble: void. */
static void finish_later(struct ask *a) {
    if (a->timer != NULL)
        loop_timer_cancel(a->timer);
    a->timer = loop_timer_start(a->p->loop, 0, 0, no_try, a);
}

/* True: it is under way. */
static bool send_query(struct ask *a, struct ask_try *t, const uint8_t *query, size_t size, struct err *err) {
    if (a->plan.tls_name != NULL) {
        struct secure_plan plan = {.server = a->plan.server,
                                   .name = a->plan.tls_name,
                                   .ca = a->plan.tls_ca,
                                   .query = query,
                                   .size = size,
                                   .timeout_ms = a->plan.timeout_ms,
                                   .done = secure_done,
                                   .ctx = t};
        return (t->secure = secure_start(a->p, &plan, err)) != NULL;
    }
    struct exchange_plan plan = {.server = a->plan.server,
                                 .tcp = a->plan.tcp,
                                 .query = query,
                                 .size = size,
                                 .timeout_ms = a->plan.timeout_ms,
                                 .done = try_done,
                                 .ctx = t};
    return (t->exchange = exchange_start(a->p->loop, &plan, err)) != NULL;
}

static void next_try(struct ask *a) {
    uint8_t query[LIMIT_NAME_WIRE + 64];
    struct dns_opt opt = {.udp_size = a->plan.edns_size > 0 ? a->plan.edns_size : ASK_EDNS_SIZE,
                          .nsid = a->plan.nsid,
                          .ede = EDE_NONE,
                          .keepalive = -1};
    uint16_t flags = (uint16_t)((a->plan.rd ? FLAG_RD : 0) | (a->plan.ad ? FLAG_AD : 0));
    struct err err = {0};
    int size =
        dns_query_write(query, sizeof(query), rand_u16(), flags, &a->plan.qname, a->plan.qtype, a->plan.qclass, &opt);
    if (a->plan.counted != NULL)
        board_add(a->plan.counted, 1);
    struct ask_try *t = &a->tries[a->started++];
    t->ask = a;
    if (size > 0 && send_query(a, t, query, (size_t)size, &err)) {
        a->running++;
        count_flight(a->p, a->plan.far, +1);
    } else if (a->running == 0) {
        bool own = err.code == E_FULL || err.code == E_NOMEM;
        keep_problem(a, own ? E_AGAIN : E_SYSTEM, err.text[0] != '\0' ? err.text : "the question cannot be written", 0);
        a->started = a->plan.tries;
        finish_later(a);
    }
}

static void ask_begin(struct ask *a) {
    a->started_ms = clock_mono_ms();
    a->lateness_ms = prober_lateness(a->p);
    if (a->plan.tries > 1)
        a->timer = loop_timer_start(a->p->loop, a->plan.hedge_ms, a->plan.hedge_ms, hedge, a);
    next_try(a);
}

int ask_start(struct prober *p, const struct ask_plan *plan, ask_done done, void *ctx) {
    struct ask *a = calloc(1, sizeof(*a));
    if (a == NULL)
        return E_NOMEM;
    a->p = p;
    a->plan = *plan;
    if (a->plan.tries == 0 || a->plan.tries > PROBE_TRIES_MAX)
        a->plan.tries = a->plan.tries == 0 ? 1 : PROBE_TRIES_MAX;
    a->done = done;
    a->ctx = ctx;
    a->next = p->asks;
    if (p->asks != NULL)
        p->asks->prev = a;
    p->asks = a;
    if (has_room(p, plan->far) && p->wait_head[plan->far] == NULL)
        ask_begin(a);
    else
        lane_add(p, a);
    return 0;
}

void ask_close_all(struct prober *p) {
    for (struct ask *a = p->asks, *next; a != NULL; a = next) {
        next = a->next;
        ask_free(a);
    }
    memset(p->wait_head, 0, sizeof(p->wait_head));
    memset(p->wait_tail, 0, sizeof(p->wait_tail));
}

static const char *class_text(uint16_t qclass) { return qclass == CLASS_CH ? " CH" : ""; }

void ask_evidence(struct evidence *e, const struct ask_plan *plan, const struct ask_result *r) {
    char name[NAME_TEXT_MAX], type[16];
    *e = (struct evidence){.tcp = plan->tcp,
                           .tls = plan->tls_name != NULL,
                           .wall_ms = clock_wall_ms(),
                           .took_us = r->took_us,
                           .unit = NULL};
    snprintf(e->asked, sizeof(e->asked), "%.280s%s %s", name_text(&plan->qname, name), class_text(plan->qclass),
             dns_type_text(plan->qtype, type));
    addr_text(&plan->server, e->server);
    e->source_port = addr_family(&r->local) != 0 ? addr_port(&r->local) : 0;
}

void ask_problem(char *to, size_t size, const struct ask_result *r) {
    char rcode[16];
    if (r->code == E_TIMEOUT)
        snprintf(to, size, "no answer in %lld ms", (long long)(r->took_us / 1000));
    else if (r->code != 0)
        snprintf(to, size, "no answer: %s", r->error);
    else
        snprintf(to, size, "%s", dns_rcode_text(r->answer.rcode, rcode));
}

void ask_tally(struct prober *p, enum tally_probe kind, const struct ask_plan *plan, const struct ask_result *r,
               bool good) {
    int family = addr_family(&plan->server) == AF_INET6 ? FAMILY_V6 : FAMILY_V4;
    enum tally_result t = good                                          ? TALLY_PASS
                          : r->code == E_AGAIN                          ? TALLY_VOID
                          : r->code == E_TIMEOUT || r->code == E_SYSTEM ? TALLY_TIMEOUT
                                                                        : TALLY_FAIL;
    tally_add(&p->tally.probe[kind][plan->tls_name != NULL ? TALLY_TLS
                                    : plan->tcp            ? TALLY_TCP
                                                           : TALLY_UDP][family],
              t, r->took_us, clock_wall_ms());
}
