#include "resolver/channel.h"

#include <stdlib.h>
#include <string.h>

#include "resolver/base/clock.h"
#include "resolver/base/log.h"
#include "resolver/base/rand.h"
#include "resolver/dns/const.h"
#include "resolver/net/session.h"

struct question {
    struct question *next;
    struct channel *channel;
    struct loop_timer *timer;
    sender_done done;
    void *ctx;
    int64_t started_ns;
    uint16_t id, own_id; /* the asker's; on the wire */
    bool again;          /* sent a second time */
    size_t size;
    uint8_t msg[];
};

struct channel {
    struct channels *all;
    struct addr server;
    const char *name, *ca; /* the configuration's */
    struct tls_context *tls;
    struct session *session;
    struct question *first;
    unsigned count;
    struct loop_timer *idle;
};

struct channels {
    struct loop *loop;
    const struct conf *conf;
    struct channel *at[CHANNELS_MAX];
    unsigned count;
};

static struct question **place_of(struct channel *c, const struct question *q) {
    struct question **at = &c->first;
    while (*at != NULL && *at != q)
        at = &(*at)->next;
    return at;
}

static void take_out(struct question *q) {
    struct question **at = place_of(q->channel, q);
    if (*at == q) {
        *at = q->next;
        q->channel->count--;
    }
    if (q->timer != NULL)
        loop_timer_cancel(q->timer);
    q->timer = NULL;
}

static void settle(struct channel *c) {
    if (c->count == 0 && c->session != NULL && c->idle != NULL)
        loop_timer_again(c->idle, CHANNEL_IDLE_MS);
}

static void finish(struct question *q, int code, struct bytes answer) {
    struct channel *c = q->channel;
    struct sender_reply r = {
        .code = code, .answer = answer, .took_us = (clock_ns(CLOCK_KIND_MONO) - q->started_ns) / 1000};
    take_out(q);
    settle(c);
    sender_done done = q->done;
    void *ctx = q->ctx;
    free(q);
    done(ctx, &r);
}

static void too_late(void *ctx) { finish(ctx, E_TIMEOUT, (struct bytes){NULL, 0}); }

static bool is_answer(const struct question *q, const uint8_t *msg, size_t size) {
    size_t end = DNS_HEADER;
    if (size < DNS_HEADER || get_u16(msg) != q->own_id || (get_u16(msg + 2) & FLAG_QR) == 0)
        return false;
    while (end < q->size && q->msg[end] != 0)
        end += 1 + (size_t)q->msg[end];
    end += 5;
    return end <= q->size && end <= size && memcmp(msg + DNS_HEADER, q->msg + DNS_HEADER, end - DNS_HEADER) == 0;
}

static void on_message(void *ctx, struct session *s, const uint8_t *msg, size_t size) {
    struct channel *c = ctx;
    (void)s;
    for (struct question *q = c->first; q != NULL; q = q->next)
        if (is_answer(q, msg, size)) {
            finish(q, 0, (struct bytes){msg, size});
            return;
        }
}

static int open_session(struct channel *c, struct err *err);

static int send_question(struct channel *c, struct question *q) { return session_send(c->session, q->msg, q->size); }

/* What was under way on a session that the other side ended while it was idle goes out once more. */
static void on_down(void *ctx, struct session *s, const struct err *why) {
    struct channel *c = ctx;
    struct question *left = c->first;
    struct err err;
    (void)s;
    c->session = NULL;
    c->first = NULL;
    c->count = 0;
    LOG(LEVEL_DEBUG, "a session over TLS ended", KS("why", why->text));
    bool anew = why->code == E_CLOSED && left != NULL && open_session(c, &err) == 0;
    for (struct question *q = left, *next; q != NULL; q = next) {
        next = q->next;
        q->next = NULL;
        if (anew && !q->again && send_question(c, q) == 0) {
            q->again = true;
            q->next = c->first;
            c->first = q;
            c->count++;
        } else {
            finish(q, why->code == E_TIMEOUT ? E_TIMEOUT : E_SYSTEM, (struct bytes){NULL, 0});
        }
    }
}

static void close_idle(void *ctx) {
    struct channel *c = ctx;
    if (c->count > 0 || c->session == NULL)
        return;
    session_close(c->session);
    c->session = NULL;
}

static const struct addr *source_for(const struct conf *conf, const struct addr *server) {
    const struct conf_list_addr *all = &conf->resolver.outgoing;
    for (size_t i = 0; i < all->count; i++)
        if (addr_family(&all->at[i]) == addr_family(server))
            return &all->at[i];
    return NULL;
}

static int open_session(struct channel *c, struct err *err) {
    struct session_plan plan = {.server = c->server,
                                .source = source_for(c->all->conf, &c->server),
                                .tls = c->tls,
                                .tls_name = c->name,
                                .connect_ms = CHANNEL_CONNECT_MS,
                                .dead_ms = CHANNEL_IDLE_MS,
                                .message = on_message,
                                .down = on_down,
                                .ctx = c};
    return session_open(&c->session, c->all->loop, &plan, err);
}

/* The file of the system's trust on Debian and its kin. */
static const char system_ca[] = "/etc/ssl/certs/ca-certificates.crt";

static struct channel *channel_new(struct channels *all, const struct sender_query *plan) {
    struct err err;
    struct channel *c = all->count < CHANNELS_MAX ? calloc(1, sizeof *c) : NULL;
    if (c == NULL)
        return NULL;
    *c = (struct channel){.all = all, .server = plan->server, .name = plan->tls_name, .ca = plan->tls_ca};
    bool anybody = c->name[0] == '\0';
    struct tls_config tls = {.certificate = "",
                             .key = "",
                             .ca = anybody            ? ""
                                   : c->ca[0] != '\0' ? c->ca
                                                      : system_ca,
                             .anybody = anybody};
    if (tls_open(&c->tls, &tls, &err) != 0) {
        LOG(LEVEL_WARN, "nothing is forwarded over TLS", KS("why", err.text));
        free(c);
        return NULL;
    }
    c->idle = loop_timer_start(all->loop, CHANNEL_IDLE_MS, 0, close_idle, c);
    if (c->idle == NULL) {
        tls_close(c->tls);
        free(c);
        return NULL;
    }
    return all->at[all->count++] = c;
}

static struct channel *channel_for(struct channels *all, const struct sender_query *plan) {
    for (unsigned i = 0; i < all->count; i++) {
        struct channel *c = all->at[i];
        if (addr_same(&c->server, &plan->server) && strcmp(c->name, plan->tls_name) == 0 &&
            strcmp(c->ca, plan->tls_ca) == 0)
            return c;
    }
    return channel_new(all, plan);
}

static uint16_t free_id(const struct channel *c) {
    for (;;) { /* few of 65,536 are taken: CHANNEL_IN_FLIGHT */
        uint16_t id = rand_u16();
        const struct question *q = c->first;
        while (q != NULL && q->own_id != id)
            q = q->next;
        if (q == NULL)
            return id;
    }
}

void *channels_send(struct channels *all, const struct sender_query *plan) {
    struct channel *c = channel_for(all, plan);
    struct err err;
    if (c == NULL || c->count == CHANNEL_IN_FLIGHT || plan->size < DNS_HEADER ||
        (c->session == NULL && open_session(c, &err) != 0))
        return NULL;
    struct question *q = calloc(1, sizeof *q + plan->size);
    if (q == NULL)
        return NULL;
    *q = (struct question){.channel = c,
                           .done = plan->done,
                           .ctx = plan->ctx,
                           .started_ns = clock_ns(CLOCK_KIND_MONO),
                           .own_id = free_id(c),
                           .size = plan->size};
    memcpy(q->msg, plan->msg, plan->size);
    put_u16(q->msg, q->own_id);
    q->timer = loop_timer_start(all->loop, plan->timeout_ms, 0, too_late, q);
    if (q->timer == NULL || send_question(c, q) != 0) {
        take_out(q);
        free(q);
        return NULL;
    }
    q->next = c->first;
    c->first = q;
    c->count++;
    return q;
}

void channels_cancel(struct channels *all, void *token) {
    struct question *q = token;
    struct channel *c = q->channel;
    (void)all;
    take_out(q);
    free(q);
    settle(c);
}

int channels_open(struct channels **out, struct loop *l, const struct conf *conf, struct err *err) {
    struct channels *all = *out = calloc(1, sizeof *all);
    if (all == NULL)
        return err_set(err, E_NOMEM, "channels: no memory");
    all->loop = l;
    all->conf = conf;
    return 0;
}

void channels_close(struct channels *all) {
    if (all == NULL)
        return;
    for (unsigned i = 0; i < all->count; i++) {
        struct channel *c = all->at[i];
        for (struct question *q = c->first, *next; q != NULL; q = next) {
            next = q->next;
            loop_timer_cancel(q->timer);
            free(q);
        }
        session_close(c->session);
        loop_timer_cancel(c->idle);
        tls_close(c->tls);
        free(c);
    }
    free(all);
}
