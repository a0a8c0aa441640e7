/* One TCP connection (RFC 7766): messages in, answers out in any order.
 *
 *   on_ready -> read once -> conn_advance: take every whole message, as far as the bounds allow -> settle: send, close,
 *   or wait for what is still possible
 *
 * Nobody is freed while somebody stands inside: a failure there marks the connection broken, settle closes it. */
#include <linux/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "resolver/base/clock.h"
#include "resolver/base/log.h"
#include "resolver/net/server_impl.h"
#include "resolver/net/socket.h"

enum { SERVER_TLS_LOG_MS = 1000 };

static void set_board(const struct server *s) {
    if (s->stats != NULL)
        board_set(&s->stats->tcp_connections, s->conn_count);
}

static enum board_proto proto_of(const struct conn *c) { return c->stream.tls != NULL ? PROTO_TLS : PROTO_TCP; }

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

/* A stream fills its queue by itself; the questions beside it are answered all the same. */
static bool may_take(const struct conn *c) {
    size_t soft = c->stream_count > 0 ? 2 * (size_t)SERVER_STREAM_SOFT : SERVER_TCP_QUEUE_SOFT;
    return c->unanswered < c->server->limits.pipeline && c->out.size < soft;
}

static bool may_read(const struct conn *c) { return !c->ended && !has_message(c) && may_take(c); }

/* No whole message waits once the client has ended: while one does, nothing is read, not even the end. */
static bool is_over(const struct conn *c) {
    return c->broken || (c->ended && c->unanswered == 0 && c->stream_count == 0 && c->out.size == 0);
}

static void send_queue(struct conn *c) {
    size_t before = c->out.size;
    if (before == 0 || c->broken)
        return;
    if (stream_send(&c->stream, &c->out, NULL) != 0)
        c->broken = true;
    if (c->out.size < before)
        c->moved_ms = loop_now_ms(c->server->loop);
    if (c->out.size == 0)
        touch(c);
}

static void wait_for_more(struct conn *c) {
    int events = c->stream.wants;
    /* The messages that wait are taken on the next turn, when they can be answered. */
    if (c->out.size > 0 || (has_message(c) && may_take(c)) || (may_read(c) && stream_pending(&c->stream)))
        events |= LOOP_WRITE;
    if (may_read(c))
        events |= LOOP_READ;
    loop_watch_change(c->watch, events);
}

/* Sends, then closes or says what to wait for. False: the connection is gone. */
static bool settle(struct conn *c) {
    send_queue(c);
    if (is_over(c)) {
        conn_close(c);
        return false;
    }
    wait_for_more(c);
    return true;
}

void conn_push(struct conn *c) {
    if (c->busy)
        return; /* its own conn_advance() settles */
    if (c->stream_count == 0) {
        (void)settle(c);
        return;
    }
    send_queue(c);
    if (is_over(c) || c->full)
        loop_timer_again(c->server->wake_timer, 0);
    if (!c->broken)
        wait_for_more(c);
}

void conn_queue(struct conn *c, const uint8_t *msg, size_t size, size_t most) {
    uint8_t length[2];
    if (c->broken)
        return;
    if (c->out.size == 0)
        c->moved_ms = loop_now_ms(c->server->loop);
    put_u16(length, (uint16_t)size);
    if (c->out.size + sizeof length + size > most || !buffer_add(&c->out, length, sizeof length) ||
        !buffer_add(&c->out, msg, size)) {
        server_drop(c->server, DROP_SEND);
        c->broken = true;
    }
}

static void queue_answer(struct conn *c, uint32_t question, const uint8_t *msg, size_t size) {
    if (!stream_end(c, question) && c->unanswered > 0)
        c->unanswered--;
    if (size > 0)
        conn_queue(c, msg, size, c->server->limits.queue_bytes + (c->stream_count > 0 ? SERVER_STREAM_HARD : 0));
}

static void take_message(struct conn *c, struct client *from) {
    struct server *s = c->server;
    const uint8_t *at = buffer_at(&c->in);
    size_t size = get_u16(at);
    touch(c);
    c->unanswered++;
    from->question = ++c->questions;
    server_count(s, proto_of(c), c->family, 1);
    size_t reply = s->handler(s->ctx, from, at + 2, size, s->frame, LIMIT_MESSAGE);
    buffer_take(&c->in, 2 + size);
    if (reply > 0 && reply <= LIMIT_MESSAGE)
        queue_answer(c, from->question, s->frame, reply);
}

/* False: the connection is gone. */
static bool conn_advance(struct conn *c) {
    struct server *s = c->server;
    struct client from = {.proto = (uint8_t)proto_of(c), .socket = c->socket, .peer = c->peer, .local = c->local};
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
    bool lives = settle(c);
    if (taken > 0)
        server_begin_end(s, false);
    return lives;
}

/* One read a wake, so that no client keeps the others waiting; into a buffer that is never larger than one message. */
static void receive(struct conn *c) {
    size_t want = SERVER_TCP_READ;
    if (c->in.size >= 2 && 2 + (size_t)get_u16(buffer_at(&c->in)) > want)
        want = 2 + (size_t)get_u16(buffer_at(&c->in));
    if (c->in.size >= want)
        return;
    int rc = stream_receive(&c->stream, &c->in, want - c->in.size, NULL);
    if (rc == E_CLOSED)
        c->ended = true;
    else if (rc != 0 && rc != E_AGAIN)
        c->broken = true;
}

/* At most one line about it in SERVER_TLS_LOG_MS: who knocks at a port is not for us to say. */
static void log_handshake(struct conn *c, const struct err *why) {
    char peer[ADDR_TEXT_MAX];
    struct server *s = c->server;
    int64_t now = loop_now_ms(s->loop);
    if (s->tls_logged_ms != 0 && now - s->tls_logged_ms < SERVER_TLS_LOG_MS)
        return;
    s->tls_logged_ms = now;
    LOG(LEVEL_WARN, "TLS handshake failed", KS("peer", addr_host_text(&c->peer, peer)), KS("why", why->text));
}

/* False: not yet, or gone. The idle timer bounds how long it may take. */
static bool shake_hands(struct conn *c) {
    struct err why = {0};
    int rc = stream_handshake(&c->stream, &why);
    if (rc == E_AGAIN) {
        loop_watch_change(c->watch, c->stream.wants);
    } else if (rc != 0) {
        log_handshake(c, &why);
        conn_close(c);
    }
    return rc == 0;
}

static void on_ready(void *ctx, int events) {
    struct conn *c = ctx;
    if (!c->stream.up && !shake_hands(c))
        return;
    if (c->stream.tls != NULL ? may_read(c) : (events & LOOP_READ) != 0 && !c->ended)
        receive(c);
    else if ((events & LOOP_ERROR) != 0)
        c->broken = true;
    if (conn_advance(c))
        stream_tell_drained(c);
}

static int start(struct tcp_port *p, struct conn *c) {
    struct server *s = p->server;
    struct err err = {0};
    int rc = 0;
    if (p->tls)
        rc = s->tls != NULL ? stream_tls(&c->stream, s->tls, NULL, &err) : E_CLOSED;
    if (rc == 0 && socket_name(c->stream.fd, &c->local) != 0)
        rc = E_SYSTEM;
    if (rc == 0 && (c->watch = loop_watch_start(s->loop, c->stream.fd, LOOP_READ, on_ready, c)) == NULL)
        rc = E_NOMEM;
    return rc;
}

int conn_open(struct tcp_port *p, uint16_t slot, int fd, const struct addr *peer) {
    struct server *s = p->server;
    struct conn *c = calloc(1, sizeof *c);
    if (c == NULL) {
        (void)close(fd);
        return E_NOMEM;
    }
    *c = (struct conn){.server = s, .stream = {.fd = fd, .up = true}, .slot = slot, .socket = p->index, .peer = *peer};
    c->family = addr_family(peer) == AF_INET6 ? FAMILY_V6 : FAMILY_V4;
    int rc = start(p, c);
    if (rc != 0) {
        stream_close(&c->stream);
        free(c);
        return rc;
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
    uint64_t who = token(c);
    bool tell = c->stream_count > 0 && s->event != NULL;
    age_remove(c);
    s->conns[c->slot] = NULL;
    s->conn_count--;
    set_board(s);
    loop_watch_stop(c->watch);
    stream_close(&c->stream);
    buffer_free(&c->in);
    buffer_free(&c->out);
    free(c->streams);
    free(c);
    if (tell)
        s->event(s->ctx, who, SERVER_GONE);
}

/* What the client's kernel has confirmed: a slow reader moves long before the next octet fits into ours. */
static void look_for_progress(struct conn *c) {
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    if (getsockopt(c->stream.fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 || info.tcpi_bytes_acked == c->acked)
        return;
    c->acked = info.tcpi_bytes_acked;
    c->moved_ms = loop_now_ms(c->server->loop);
}

void conn_idle(struct conn *c) {
    look_for_progress(c);
    int64_t stalled = loop_now_ms(c->server->loop) - (int64_t)c->server->limits.stall_ms;
    if (c->stream_count == 0 || c->broken || (c->out.size > 0 && c->moved_ms <= stalled))
        conn_close(c);
    else
        touch(c);
}

struct conn *conn_of(const struct server *s, const struct client *c) {
    uint32_t slot = (uint32_t)c->token;
    struct conn *found = c->proto != PROTO_UDP && slot < LIMIT_TCP_CONNECTIONS ? s->conns[slot] : NULL;
    return found != NULL && token(found) == c->token ? found : NULL;
}

void conn_reply(struct server *s, const struct client *client, const uint8_t *msg, size_t size) {
    struct conn *c = conn_of(s, client);
    if (c == NULL || (c->unanswered == 0 && c->stream_count == 0))
        return; /* gone, and perhaps another client in its place */
    queue_answer(c, client->question, msg, size);
    conn_push(c);
}
