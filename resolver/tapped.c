#include "resolver/tapped.h"

#include <stdlib.h>

#include "resolver/base/clock.h"
#include "resolver/dns/const.h"

/* --- clients */

static void tell_client(const struct tapped *t, const struct client *c, const uint8_t *msg, size_t size, bool answer) {
    struct tap_message m = {.kind = answer ? TAP_CLIENT_RESPONSE : TAP_CLIENT_QUERY,
                            .proto = c->proto,
                            .asks = &c->peer,
                            .answers = &c->local,
                            .asked_ns = c->arrived_ns,
                            .answered_ns = answer ? clock_ns(CLOCK_KIND_MONO) : 0,
                            .msg = {msg, size}};
    if (t->clients)
        tap_put(t->tap, &m);
}

size_t tapped_handle(void *ctx, const struct client *c, const uint8_t *msg, size_t size, uint8_t *reply, size_t cap) {
    const struct tapped *t = ctx;
    tell_client(t, c, msg, size, false);
    size_t n = serve_handle(t->serve, c, msg, size, reply, cap);
    if (n > 0)
        tell_client(t, c, reply, n, true);
    return n;
}

void tapped_batch(void *ctx, bool begin) { serve_batch(((struct tapped *)ctx)->serve, begin); }

void tapped_reply(const struct tapped *t, const struct client *c, const uint8_t *msg, size_t size) {
    if (size > 0)
        tell_client(t, c, msg, size, true);
}

/* --- servers */

struct sending {
    struct tapped *t;
    void *below;
    sender_done done;
    void *ctx;
    struct addr server;
    bool tcp, forwarded;
    int64_t asked_ns;
};

static void tell_server(const struct sending *s, const uint8_t *msg, size_t size, bool answer) {
    enum tap_kind query = s->forwarded ? TAP_FORWARDER_QUERY : TAP_RESOLVER_QUERY;
    struct tap_message m = {.kind = query + answer,
                            .proto = s->tcp ? PROTO_TCP : PROTO_UDP,
                            .answers = &s->server,
                            .asked_ns = s->asked_ns,
                            .answered_ns = answer ? clock_ns(CLOCK_KIND_MONO) : 0,
                            .msg = {msg, size}};
    tap_put(s->t->tap, &m);
}

static void ended(void *ctx, const struct sender_reply *r) {
    struct sending *s = ctx;
    sender_done done = s->done;
    void *done_ctx = s->ctx;
    if (r->code == 0)
        tell_server(s, r->answer.at, r->answer.size, true);
    free(s);
    done(done_ctx, r);
}

static void *send_told(void *self, const struct sender_query *q) {
    struct tapped *t = self;
    struct sending *s = malloc(sizeof *s);
    if (s == NULL)
        return NULL;
    *s = (struct sending){.t = t,
                          .done = q->done,
                          .ctx = q->ctx,
                          .server = q->server,
                          .tcp = q->tcp,
                          .forwarded = q->size > 2 && (q->msg[2] & (FLAG_RD >> 8)) != 0,
                          .asked_ns = clock_ns(CLOCK_KIND_MONO)};
    struct sender_query below = *q;
    below.done = ended;
    below.ctx = s;
    s->below = t->below.ops->send(t->below.self, &below);
    if (s->below == NULL) {
        free(s);
        return NULL;
    }
    tell_server(s, q->msg, q->size, false);
    return s;
}

static void cancel_told(void *self, void *token) {
    const struct tapped *t = self;
    struct sending *s = token;
    t->below.ops->cancel(t->below.self, s->below);
    free(s);
}

static int64_t now_told(void *self) {
    const struct tapped *t = self;
    return t->below.ops->now_ms(t->below.self);
}

struct sender tapped_sender(struct tapped *t) {
    static const struct sender_ops ops = {send_told, cancel_told, now_told};
    return (struct sender){&ops, t};
}
