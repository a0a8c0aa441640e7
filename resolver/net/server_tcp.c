/* Listening sockets: who gets a connection, and who has to go. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "resolver/base/log.h"
#include "resolver/net/server_impl.h"
#include "resolver/net/socket.h"

enum { IDLE_LOOKS = 8, IDLE_LOOK_MIN_MS = 10, IDLE_LOOK_MAX_MS = 1000 }; /* per idle_ms */

static void accept_pause(struct server *s, int number) {
    int64_t now = loop_now_ms(s->loop);
    err_count(number);
    if (s->accept_logged_ms == 0 || now - s->accept_logged_ms >= SERVER_ACCEPT_LOG_MS) {
        s->accept_logged_ms = now;
        LOG(LEVEL_WARN, "cannot accept TCP connections for now", KI("errno", number), KU("open", s->conn_count));
    }
    /* The connection stays in the queue and the socket readable: without a pause this would spin. */
    s->accept_paused = true;
    for (size_t i = 0; i < s->count; i++)
        if (s->tcp[i].watch != NULL)
            loop_watch_change(s->tcp[i].watch, 0);
    loop_timer_again(s->accept_timer, SERVER_ACCEPT_PAUSE_MS);
}

static void on_accept_timer(void *ctx) {
    struct server *s = ctx;
    s->accept_paused = false;
    for (size_t i = 0; i < s->count; i++)
        if (s->tcp[i].watch != NULL)
            loop_watch_change(s->tcp[i].watch, LOOP_READ);
}

static unsigned of_client(const struct server *s, const struct addr *peer) {
    unsigned n = 0;
    for (const struct conn *c = s->oldest; c != NULL; c = c->newer)
        n += addr_same_host(&c->peer, peer);
    return n;
}

static int free_slot(const struct server *s) {
    for (unsigned i = 0; i < s->limits.connections; i++)
        if (s->conns[i] == NULL)
            return (int)i;
    return -1;
}

static void take(struct tcp_port *p, int fd, const struct sockaddr *name) {
    struct server *s = p->server;
    struct addr peer;
    addr_from_sockaddr(&peer, name);
    if (of_client(s, &peer) >= s->limits.per_client) {
        (void)close(fd);
        return;
    }
    if (s->conn_count >= s->limits.connections)
        conn_close(s->oldest);
    int slot = free_slot(s);
    if (slot < 0) {
        (void)close(fd);
        return;
    }
    if (conn_open(p, (uint16_t)slot, fd, &peer) == E_NOMEM)
        LOG(LEVEL_WARN, "no memory for a TCP connection", KU("open", s->conn_count));
}

static void on_connections(void *ctx, int events) {
    struct tcp_port *p = ctx;
    if ((events & LOOP_ERROR) != 0)
        (void)socket_error(p->fd);
    for (unsigned i = 0; i < SERVER_ACCEPTS_PER_WAKE; i++) {
        struct sockaddr_storage name = {0};
        socklen_t size = sizeof name;
        int fd = accept4(p->fd, (struct sockaddr *)&name, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            take(p, fd, (struct sockaddr *)&name);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            accept_pause(p->server, errno);
            return;
        } /* else an error of that one connection (accept(2)): the next may be well */
    }
}

static void on_idle_timer(void *ctx) {
    struct server *s = ctx;
    int64_t before = loop_now_ms(s->loop) - (int64_t)s->limits.idle_ms;
    while (s->oldest != NULL && s->oldest->last_ms <= before)
        conn_idle(s->oldest);
    tcp_limits_changed(s);
}

/* What server_more() and server_reply() left to do. */
static void on_wake_timer(void *ctx) {
    struct server *s = ctx;
    for (unsigned i = 0; i < LIMIT_TCP_CONNECTIONS; i++)
        if (s->conns[i] != NULL && s->conns[i]->broken)
            conn_close(s->conns[i]);
        else if (s->conns[i] != NULL)
            stream_tell_drained(s->conns[i]);
}

/* How often to look for idle connections. */
void tcp_limits_changed(struct server *s) {
    uint32_t every = s->limits.idle_ms / IDLE_LOOKS;
    if (every < IDLE_LOOK_MIN_MS)
        every = IDLE_LOOK_MIN_MS;
    loop_timer_again(s->idle_timer, every < IDLE_LOOK_MAX_MS ? every : IDLE_LOOK_MAX_MS);
}

int tcp_open(struct server *s, struct err *err) {
    s->frame = malloc(LIMIT_MESSAGE);
    s->idle_timer = loop_timer_start(s->loop, IDLE_LOOK_MAX_MS, 0, on_idle_timer, s);
    s->accept_timer = loop_timer_start(s->loop, SERVER_ACCEPT_PAUSE_MS, 0, on_accept_timer, s);
    s->wake_timer = loop_timer_start(s->loop, 0, 0, on_wake_timer, s);
    if (s->frame == NULL || s->idle_timer == NULL || s->accept_timer == NULL || s->wake_timer == NULL)
        return err_set(err, E_NOMEM, "no memory for TCP");
    return 0;
}

void tcp_close(struct server *s) {
    struct loop_timer *timers[] = {s->idle_timer, s->accept_timer, s->wake_timer};
    s->event = NULL;
    while (s->oldest != NULL)
        conn_close(s->oldest);
    for (size_t i = 0; i < ARRAY_SIZE(timers); i++)
        if (timers[i] != NULL)
            loop_timer_cancel(timers[i]);
    free(s->frame);
}

int tcp_port_open(struct tcp_port *p, struct server *s, uint16_t index, int fd, struct err *err) {
    struct addr bound;
    char text[ADDR_TEXT_MAX];
    if (socket_name(fd, &bound) != 0)
        return err_set(err, E_INVALID, "descriptor %d is no socket of the Internet", fd);
    p->server = s;
    p->index = index;
    p->fd = fd;
    p->watch = loop_watch_start(s->loop, fd, LOOP_READ, on_connections, p);
    return p->watch != NULL ? 0 : err_set(err, E_SYSTEM, "%s: cannot be watched", addr_text(&bound, text));
}

void tcp_port_close(struct tcp_port *p) {
    if (p->watch != NULL)
        loop_watch_stop(p->watch);
    p->watch = NULL;
    p->fd = -1;
}
