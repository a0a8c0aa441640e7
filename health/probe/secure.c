/* Sessions for one question each: a kept one would not see that new ones are refused. */
#include "health/probe/secure.h"

#include <stdlib.h>
#include <string.h>

#include "health/probe/impl.h"
#include "resolver/base/clock.h"
#include "resolver/net/session.h"

enum { TRUSTS_MAX = LIMIT_UPSTREAMS + 2 };

/* The file of the system's trust on Debian and its kin. */
static const char system_ca[] = "/etc/ssl/certs/ca-certificates.crt";

struct trust {
    const char *ca;
    bool anybody, doubtful; /* doubtful: somebody was not believed; the file may be another by now */
    struct tls_context *tls;
};

struct secure_trusts {
    struct trust at[TRUSTS_MAX];
    size_t count;
};

struct secure {
    struct trust *trust;
    struct session *session;
    struct loop_timer *timer;
    struct secure_plan plan;
    struct addr local;
    int64_t started_ns;
    size_t size;
    uint8_t query[];
};

static struct trust *trust_new(struct prober *p, bool anybody, const char *ca, struct err *err) {
    struct secure_trusts *all = p->trusts;
    if (all->count == TRUSTS_MAX) {
        (void)err_set(err, E_FULL, "more files of trust than there are forwarders");
        return NULL;
    }
    struct trust *t = &all->at[all->count];
    struct tls_config config = {.certificate = "", .key = "", .ca = anybody ? "" : ca, .anybody = anybody};
    *t = (struct trust){.ca = ca, .anybody = anybody};
    if (tls_open(&t->tls, &config, err) != 0)
        return NULL;
    all->count++;
    return t;
}

static struct trust *trust_for(struct prober *p, const struct secure_plan *plan, struct err *err) {
    bool anybody = plan->name[0] == '\0';
    const char *ca = anybody ? "" : plan->ca[0] != '\0' ? plan->ca : system_ca;
    if (p->trusts == NULL && (p->trusts = calloc(1, sizeof(*p->trusts))) == NULL) {
        (void)err_set(err, E_NOMEM, "no memory for TLS");
        return NULL;
    }
    for (size_t i = 0; i < p->trusts->count; i++) {
        struct trust *t = &p->trusts->at[i];
        if (t->anybody != anybody || strcmp(t->ca, ca) != 0)
            continue;
        struct err why;
        if (t->doubtful && tls_reload(t->tls, &why) == 0)
            t->doubtful = false;
        return t;
    }
    return trust_new(p, anybody, ca, err);
}

static void let_go(struct secure *s) {
    if (s->session != NULL)
        session_close(s->session);
    if (s->timer != NULL)
        loop_timer_cancel(s->timer);
}

void secure_cancel(struct secure *s) {
    if (s == NULL)
        return;
    let_go(s);
    free(s);
}

static void finish(struct secure *s, int code, struct bytes answer, const char *trouble) {
    struct exchange_result r = {
        .code = code, .answer = answer, .local = s->local, .took_ns = clock_ns(CLOCK_KIND_MONO) - s->started_ns};
    struct secure_plan plan = s->plan;
    s->trust->doubtful |= code == E_DENIED;
    if (code == 0) { /* the answer lies in the session */
        plan.done(plan.ctx, &r, trouble);
        secure_cancel(s);
        return;
    }
    secure_cancel(s);
    plan.done(plan.ctx, &r, trouble);
}

static void on_timer(void *ctx) { finish(ctx, E_TIMEOUT, (struct bytes){NULL, 0}, "no answer over TLS in time"); }

static void on_up(void *ctx, struct session *session, const struct addr *local) {
    struct secure *s = ctx;
    (void)session;
    s->local = *local;
}

static void on_message(void *ctx, struct session *session, const uint8_t *msg, size_t size) {
    struct secure *s = ctx;
    (void)session;
    if (size >= 2 && memcmp(msg, s->query, 2) == 0)
        finish(s, 0, (struct bytes){msg, size}, NULL);
}

static void on_down(void *ctx, struct session *session, const struct err *why) {
    struct secure *s = ctx;
    (void)session;
    s->session = NULL;
    finish(s, why->code == E_CLOSED ? E_SYSTEM : why->code, (struct bytes){NULL, 0}, why->text);
}

struct secure *secure_start(struct prober *p, const struct secure_plan *plan, struct err *err) {
    struct trust *t = trust_for(p, plan, err);
    struct secure *s = t != NULL ? calloc(1, sizeof(*s) + plan->size) : NULL;
    if (s == NULL)
        return NULL;
    *s = (struct secure){.trust = t, .plan = *plan, .started_ns = clock_ns(CLOCK_KIND_MONO), .size = plan->size};
    memcpy(s->query, plan->query, plan->size);
    struct session_plan session = {.server = plan->server,
                                   .tls = t->tls,
                                   .tls_name = plan->name,
                                   .connect_ms = plan->timeout_ms,
                                   .up = on_up,
                                   .message = on_message,
                                   .down = on_down,
                                   .ctx = s};
    s->timer = loop_timer_start(p->loop, plan->timeout_ms, 0, on_timer, s);
    if (s->timer == NULL || session_open(&s->session, p->loop, &session, err) != 0 ||
        session_send(s->session, s->query, s->size) != 0) {
        secure_cancel(s);
        return NULL;
    }
    return s;
}

void secure_close(struct prober *p) {
    for (size_t i = 0; p->trusts != NULL && i < p->trusts->count; i++)
        tls_close(p->trusts->at[i].tls);
    free(p->trusts);
}
