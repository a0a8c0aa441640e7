/* One TCP connection (RFC 7766): messages in, answers out in any order.
 *
 *   on_ready -> read once -> conn_advance: take every whole message, as far as the bounds allow -> settle: send, close,
 *   or wait for what is still possible
 *
 * Nobody is freed while somebody stands inside: a failure there marks the connection broken, settle closes it. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "resolver/base/clock.h"
#include "resolver/net/server_impl.h"
#include "resolver/net/socket.h"

static void set_board(const struct server *s) {
    if (s->stats != NULL)
        board_set(&s->stats->tcp_connections, s->conn_count);
}

static uint64_t token(const struct conn *c) { return (uint64_t)c->server->generation[c->slot] << 32 | c->slot; }

/* --- the list by age */

static void age_remove(struct conn *c) {
    struct server *s = c->server;
    if (c->older != NULL)
        c->older->newer = c->newer;
    else
        s->oldest = c->newer;
    if (c->newer != NULL)
        c->newer->older = c->older;
    else
        s->newest = c->older;
}

static void age_append(struct conn *c) {
    struct server *s = c->server;
    c->last_ms = loop_now_ms(s->loop);
    c->newer = NULL;
    c->older = s->newest;
    if (s->newest != NULL)
        s->newest->newer = c;
    else
        s->oldest = c;
    s->newest = c;
}

static void touch(struct conn *c) {
    age_remove(c);
    age_append(c);
}

/* --- what it may do now */

static bool has_message(const struct conn *c) {
    return c->in.size >= 2 && c->in.size >= 2 + (size_t)get_u16(buffer_at(&c->in));
}

static bool may_take(const struct conn *c) {
    return c->unanswered < c->server->limits.pipeline && c->out.size < SERVER_TCP_QUEUE_SOFT;
}

/* No whole message waits once the client has ended: while one does, nothing is read, not even the end. */
static bool is_over(const struct conn *c) { return c->broken || (c->ended && c->unanswered == 0 && c->out.size == 0); }

/* Sends, then closes or says what to wait for. The connection may be gone afterwards. */
static void settle(struct conn *c) {
    int events = 0;
    bool had = c->out.size > 0;
    if (!c->broken && buffer_send(&c->out, c->fd) != 0)
        c->broken = true;
    if (is_over(c)) {
        conn_close(c);
        return;
    }
    if (had && c->out.size == 0)
        touch(c);
    if (c->out.size > 0 || (has_message(c) && may_take(c)))
        events |= LOOP_WRITE; /* the messages that wait are taken on the next turn, when they can be answered */
    if (!c->ended && !has_message(c) && may_take(c))
        events |= LOOP_READ;
    loop_watch_change(c->watch, events);
}

static void queue_answer(struct conn *c, const uint8_t *frame, size_t size) {
    if (c->broken)
        return;
    if (c->out.size + size > c->server->limits.queue_bytes || !buffer_add(&c->out, frame, size)) {
        server_drop(c->server, DROP_SEND);
        c->broken = true;
    }
}

static void take_message(struct conn *c, struct client *from) {
    struct server *s = c->server;
    const uint8_t *at = buffer_at(&c->in);
    size_t size = get_u16(at);
    touch(c);
    c->unanswered++;
    server_count(s, PROTO_TCP, c->family, 1);
    size_t reply = s->handler(s->ctx, from, at + 2, size, s->frame + 2, LIMIT_MESSAGE);
    buffer_take(&c->in, 2 + size);
    if (reply == 0 || reply > LIMIT_MESSAGE)
        return;
    if (c->unanswered > 0)
        c->unanswered--;
    put_u16(s->frame, (uint16_t)reply);
    queue_answer(c, s->frame, 2 + reply);
}

static void conn_advance(struct conn *c) {
    struct server *s = c->server;
    struct client from = {.proto = PROTO_TCP, .socket = c->socket, .peer = c->peer, .local = c->local};
    unsigned taken = 0;
    c->busy = true;
    from.token = token(c);
    for (; taken < SERVER_FRAMES_PER_WAKE && !c->broken && may_take(c) && has_message(c); taken++) {
        if (taken == 0) {
            server_begin_end(s, true);
            from.arrived_ns = clock_ns(CLOCK_KIND_MONO);
        }
        take_message(c, &from);
    }
    c->busy = false;
    settle(c);
    if (taken > 0)
        server_begin_end(s, false);
}

/* One read a wake, so that no client keeps the others waiting; into a buffer that is never larger than one message. */
static void receive(struct conn *c) {
    size_t want = SERVER_TCP_READ;
    if (c->in.size >= 2 && 2 + (size_t)get_u16(buffer_at(&c->in)) > want)
        want = 2 + (size_t)get_u16(buffer_at(&c->in));
    if (c->in.size >= want)
        return;
    int rc = buffer_receive(&c->in, c->fd, want - c->in.size);
    if (rc == E_CLOSED)
        c->ended = true;
    else if (rc != 0 && rc != E_AGAIN)
        c->broken = true;
}

static void on_ready(void *ctx, int events) {
    struct conn *c = ctx;
    if ((events & LOOP_READ) != 0 && !c->ended)
        receive(c);
    else if ((events & LOOP_ERROR) != 0)
        c->broken = true;
    conn_advance(c);
}

int conn_open(struct server *s, uint16_t slot, uint16_t socket, int fd, const struct addr *peer) {
    struct conn *c = calloc(1, sizeof *c);
    if (c == NULL) {
        (void)close(fd);
        return E_NOMEM;
    }
    *c = (struct conn){.server = s, .fd = fd, .slot = slot, .socket = socket, .peer = *peer};
    c->family = addr_family(peer) == AF_INET6 ? FAMILY_V6 : FAMILY_V4;
    c->watch = loop_watch_start(s->loop, fd, LOOP_READ, on_ready, c);
    if (c->watch == NULL || socket_name(fd, &c->local) != 0) {
        if (c->watch != NULL)
            loop_watch_stop(c->watch);
        (void)close(fd);
        free(c);
        return E_NOMEM;
    }
    s->conns[slot] = c;
    s->generation[slot]++;
    s->conn_count++;
    age_append(c);
    set_board(s);
    return 0;
}

void conn_close(struct conn *c) {
    struct server *s = c->server;
    if (c->busy) {
        c->broken = true;
        return;
    }
    age_remove(c);
    s->conns[c->slot] = NULL;
    s->conn_count--;
    set_board(s);
    loop_watch_stop(c->watch);
    (void)close(c->fd);
    buffer_free(&c->in);
    buffer_free(&c->out);
    free(c);
}

void conn_reply(struct server *s, const struct client *client, const uint8_t *msg, size_t size) {
    uint32_t slot = (uint32_t)client->token;
    uint8_t length[2];
    struct conn *c = slot < LIMIT_TCP_CONNECTIONS ? s->conns[slot] : NULL;
    if (c == NULL || token(c) != client->token || c->unanswered == 0)
        return; /* gone, and perhaps another client in its place */
    c->unanswered--;
    put_u16(length, (uint16_t)size);
    if (size > 0) {
        queue_answer(c, length, sizeof length);
        queue_answer(c, msg, size);
    }
    /* From inside a handler this connection's own conn_advance() settles; from elsewhere no handler may run now. */
    if (!c->busy)
        settle(c);
}
