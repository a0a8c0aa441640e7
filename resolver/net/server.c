#include "resolver/net/server.h"

#include <stdlib.h>

#include "resolver/net/server_impl.h"
#include "resolver/net/socket.h"

static void close_owned(struct loop_owned *o) { server_close(CONTAINER_OF(o, struct server, owned)); }

static void on_queue_timer(void *ctx) { udp_look(ctx); }

static int open_ports(struct server *s, const struct server_sockets *sockets, struct err *err) {
    if (sockets->count > LIMIT_LISTEN)
        return err_set(err, E_FULL, "%zu listening sockets, at most %d", sockets->count, LIMIT_LISTEN);
    for (size_t i = 0; i < sockets->count; i++) {
        int rc = 0;
        s->count = i + 1;
        s->tcp[i].tls = sockets->at[i].tls;
        if (sockets->at[i].udp >= 0)
            rc = udp_port_open(&s->udp[i], s, (uint16_t)i, sockets->at[i].udp, err);
        if (rc == 0 && sockets->at[i].tcp >= 0)
            rc = tcp_port_open(&s->tcp[i], s, (uint16_t)i, sockets->at[i].tcp, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

struct server_limits server_default_limits(void) {
    return (struct server_limits){LIMIT_TCP_CONNECTIONS, LIMIT_TCP_PER_CLIENT, LIMIT_TCP_PIPELINE,
                                  LIMIT_TCP_IDLE_MS,     SERVER_TCP_QUEUE,     SERVER_STALL_MS};
}

int server_open(struct server **out, struct loop *l, const struct server_sockets *sockets, server_handler handler,
                server_batch batch, void *ctx, struct board_worker *stats, struct err *err) {
    *out = NULL;
    struct server *s = loop_closing(l) ? NULL : calloc(1, sizeof *s);
    if (s == NULL)
        return err_set(err, E_NOMEM, "no memory for a server");
    s->loop = l;
    s->handler = handler;
    s->batch = batch;
    s->ctx = ctx;
    s->stats = stats;
    s->limits = server_default_limits();
    for (size_t i = 0; i < LIMIT_LISTEN; i++)
        s->udp[i].fd = s->tcp[i].fd = -1;
    loop_own(l, &s->owned, LOOP_OBJECT, close_owned);
    int rc = udp_batch_new(s, err);
    if (rc == 0)
        rc = tcp_open(s, err);
    if (rc == 0)
        rc = open_ports(s, sockets, err);
    if (rc == 0) {
        udp_catch_up(s);
        s->queue_timer = loop_timer_start(l, 0, SERVER_QUEUE_LOOK_MS, on_queue_timer, s);
        rc = s->queue_timer != NULL ? 0 : err_set(err, E_NOMEM, "no memory for a server");
    }
    if (rc != 0) {
        server_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

void server_set_limits(struct server *s, const struct server_limits *limits) {
    s->limits = *limits;
    if (s->limits.connections > LIMIT_TCP_CONNECTIONS)
        s->limits.connections = LIMIT_TCP_CONNECTIONS;
    if (s->limits.connections == 0)
        s->limits.connections = 1;
    if (s->limits.stall_ms == 0 || s->limits.stall_ms > SERVER_STALL_MS)
        s->limits.stall_ms = SERVER_STALL_MS;
    tcp_limits_changed(s);
}

void server_reply(struct server *s, const struct client *c, const uint8_t *msg, size_t size) {
    if (size > LIMIT_MESSAGE || c->socket >= s->count)
        return;
    if (c->proto == PROTO_TCP || c->proto == PROTO_TLS)
        conn_reply(s, c, msg, size);
    else if (c->proto == PROTO_UDP && size > 0 && s->udp[c->socket].fd >= 0)
        udp_reply(&s->udp[c->socket], c, msg, size);
}

void server_on_event(struct server *s, server_event_fn fn) { s->event = fn; }

void server_use_tls(struct server *s, struct tls_context *tls) { s->tls = tls; }

void server_close(struct server *s) {
    if (s == NULL)
        return;
    if (s->queue_timer != NULL)
        loop_timer_cancel(s->queue_timer);
    for (size_t i = 0; i < s->count; i++) {
        udp_port_close(&s->udp[i]);
        tcp_port_close(&s->tcp[i]);
    }
    tcp_close(s);
    udp_batch_free(s);
    loop_disown(s->loop, &s->owned);
    free(s);
}
