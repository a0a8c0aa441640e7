/* One sending, one exchange. */
#include "resolver/sender.h"

#include <stdlib.h>

#include "resolver/base/log.h"
#include "resolver/base/rand.h"
#include "resolver/channel.h"
#include "resolver/net/exchange.h"

struct net_sender {
    struct loop *loop;
    const struct conf *conf;
    struct channels *channels;
};

struct sending {
    sender_done done;
    void *ctx;
    bool tcp;
    struct exchange *exchange; /* NULL: over TLS */
    void *question;            /* of a channel */
};

static void ended(void *ctx, const struct exchange_result *r) {
    struct sending *s = ctx;
    struct sender_reply reply = {.code = r->code,
                                 .answer = r->answer,
                                 .took_us = r->took_ns / 1000,
                                 .mismatches = r->mismatches,
                                 .case_lost = r->case_lost};
    /* Nothing but packets that do not fit: the server itself said nothing. */
    if (r->code == E_INVALID && !s->tcp)
        reply.code = E_TIMEOUT;
    sender_done done = s->done;
    void *done_ctx = s->ctx;
    free(s);
    done(done_ctx, &reply);
}

/* One of the outgoing addresses of the server's family, at random; NULL: the kernel picks. */
static const struct addr *source_for(const struct conf *conf, const struct addr *server) {
    const struct conf_list_addr *all = &conf->resolver.outgoing;
    const struct addr *pick = NULL;
    uint32_t fitting = 0;
    for (size_t i = 0; i < all->count; i++)
        if (addr_family(&all->at[i]) == addr_family(server) && rand_below(++fitting) == 0)
            pick = &all->at[i];
    return pick;
}

static void over_tls_ended(void *ctx, const struct sender_reply *reply) {
    struct sending *s = ctx;
    sender_done done = s->done;
    void *done_ctx = s->ctx;
    free(s);
    done(done_ctx, reply);
}

static void *send_over_tls(struct net_sender *n, const struct sender_query *q, struct sending *s) {
    struct sender_query own = *q;
    own.done = over_tls_ended;
    own.ctx = s;
    s->question = channels_send(n->channels, &own);
    if (s->question != NULL)
        return s;
    free(s);
    return NULL;
}

static void *net_send(void *self, const struct sender_query *q) {
    struct net_sender *n = self;
    struct err err = {0};
    struct sending *s = malloc(sizeof *s);
    if (s == NULL)
        return NULL;
    *s = (struct sending){.done = q->done, .ctx = q->ctx, .tcp = q->tcp};
    if (q->tls_name != NULL)
        return send_over_tls(n, q, s);
    struct exchange_plan plan = {.server = q->server,
                                 .tcp = q->tcp,
                                 .source = source_for(n->conf, &q->server),
                                 .query = q->msg,
                                 .size = q->size,
                                 .timeout_ms = q->timeout_ms,
                                 .mismatches_max = q->mismatches_max,
                                 .done = ended,
                                 .ctx = s};
    s->exchange = exchange_start(n->loop, &plan, &err);
    if (s->exchange != NULL)
        return s;
    LOG(LEVEL_DEBUG, "cannot send", KS("why", err.text));
    free(s);
    return NULL;
}

static void net_cancel(void *self, void *token) {
    struct sending *s = token;
    if (s->exchange != NULL)
        exchange_cancel(s->exchange);
    else
        channels_cancel(((struct net_sender *)self)->channels, s->question);
    free(s);
}

static int64_t net_now_ms(void *self) { return loop_now_ms(((struct net_sender *)self)->loop); }

int net_sender_open(struct sender *s, struct loop *loop, const struct conf *conf, struct err *err) {
    static const struct sender_ops ops = {net_send, net_cancel, net_now_ms};
    struct net_sender *n = malloc(sizeof *n);
    if (n == NULL)
        return err_set(err, E_NOMEM, "sender: no memory");
    *n = (struct net_sender){loop, conf, NULL};
    int e = channels_open(&n->channels, loop, conf, err);
    if (e != 0) {
        free(n);
        return e;
    }
    *s = (struct sender){&ops, n};
    return 0;
}

void net_sender_close(struct sender *s) {
    if (s->self != NULL)
        channels_close(((struct net_sender *)s->self)->channels);
    free(s->self);
    s->self = NULL;
}
