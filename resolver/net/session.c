/* The client's side of a long connection.
 *
 *   session_open -> connect -> (handshake) -> up -> on_ready: send what waits, read once, hand on every whole message
 *
 * Nobody is freed while a callback runs: session_close() inside of one marks the session, whoever called frees it. */
#include "resolver/net/session.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "resolver/base/bytes.h"
#include "resolver/base/limits.h"
#include "resolver/dns/const.h"
#include "resolver/net/loop_owned.h"
#include "resolver/net/socket.h"
#include "resolver/net/stream.h"
#include "resolver/net/tls_impl.h"

enum {
    SESSION_READ = 64 << 10, /* octets a wake: the bound of what is handed on before the others' turn */
    SESSION_IN = SESSION_READ + 2 + LIMIT_MESSAGE,
    KEEPALIVE_PROBES = 3
};

struct session {
    struct loop_owned owned;
    struct loop *loop;
    struct loop_watch *watch;
    struct loop_timer *timer; /* bounds connecting */
    struct loop_timer *again; /* goes on with what no watch tells of */
    struct stream stream;
    bool connected, paused;
    bool inside; /* a callback runs */
    bool gone;   /* closed while one ran */
    int failed;  /* errno met before anybody may be told */
    struct addr server;
    struct tls_context *tls;
    char *tls_name;
    uint64_t octets_in, octets_out;
    struct buffer in, out;
    void (*up)(void *ctx, struct session *s, const struct addr *local);
    void (*message)(void *ctx, struct session *s, const uint8_t *msg, size_t size);
    void (*down)(void *ctx, struct session *s, const struct err *why);
    void *ctx;
};

/* --- the end */

static void let_go(struct session *s) {
    if (s->watch != NULL)
        loop_watch_stop(s->watch);
    if (s->timer != NULL)
        loop_timer_cancel(s->timer);
    if (s->again != NULL)
        loop_timer_cancel(s->again);
    s->watch = NULL;
    s->timer = s->again = NULL;
    stream_close(&s->stream);
    loop_disown(s->loop, &s->owned);
}

static void free_all(struct session *s) {
    buffer_free(&s->in);
    buffer_free(&s->out);
    free(s->tls_name);
    free(s);
}

void session_close(struct session *s) {
    if (s == NULL || s->gone)
        return;
    s->gone = true;
    let_go(s);
    if (!s->inside)
        free_all(s);
}

static void close_owned(struct loop_owned *o) { session_close(CONTAINER_OF(o, struct session, owned)); }

/* Tells it and frees all. Not from inside a callback. */
static void end(struct session *s, const struct err *why) {
    char text[ADDR_TEXT_MAX];
    struct err err = *why;
    (void)err_prefix(&err, "%s", addr_text(&s->server, text));
    s->gone = s->inside = true; /* nobody closes it twice */
    let_go(s);
    if (s->down != NULL)
        s->down(s->ctx, s, &err);
    free_all(s);
}

static void end_errno(struct session *s, int number) {
    struct err why = {0};
    errno = number;
    (void)err_errno(&why, "cannot be reached");
    why.code = number == ETIMEDOUT ? E_TIMEOUT : E_SYSTEM;
    end(s, &why);
}

/* --- what it waits for */

static bool has_message(const struct session *s) {
    return s->in.size >= 2 && s->in.size >= 2 + (size_t)get_u16(buffer_at(&s->in));
}

static void settle(struct session *s) {
    int events = s->stream.wants;
    if (!s->connected) {
        events = LOOP_WRITE;
    } else if (s->stream.up) {
        if (!s->paused)
            events |= LOOP_READ;
        if (s->out.size > 0)
            events |= LOOP_WRITE;
    }
    loop_watch_change(s->watch, events);
    if (s->stream.up && !s->paused && (has_message(s) || stream_pending(&s->stream)))
        loop_timer_again(s->again, 0);
}

/* --- messages */

/* All whole messages, until one closes the session or wants a pause. False: the session is gone. */
static bool hand_on(struct session *s) {
    while (!s->paused && has_message(s)) {
        size_t size = get_u16(buffer_at(&s->in));
        if (size < DNS_HEADER) {
            struct err why = {0};
            (void)err_set(&why, E_INVALID, "a message of %zu octets", size);
            end(s, &why);
            return false;
        }
        s->inside = true;
        if (s->message != NULL)
            s->message(s->ctx, s, buffer_at(&s->in) + 2, size);
        s->inside = false;
        if (s->gone) {
            free_all(s);
            return false;
        }
        buffer_take(&s->in, 2 + size);
    }
    return true;
}

/* Messages that came before the end are handed on before it is told. `broken`: why nothing can be sent any more; the
 * other side may have said why, and that is the better text. */
static void receive(struct session *s, const struct err *broken) {
    struct err why = {0};
    size_t before = s->in.size;
    int rc = before < SESSION_IN ? stream_receive(&s->stream, &s->in, SESSION_READ, &why) : E_AGAIN;
    s->octets_in += s->in.size - before;
    if (!hand_on(s))
        return;
    if (broken != NULL && rc != E_DENIED)
        end(s, broken);
    else if (rc == 0 || rc == E_AGAIN || s->paused)
        settle(s); /* a pause: the end is met again when it is over */
    else if (rc == E_CLOSED && s->in.size > 0)
        end(s, &(struct err){E_CLOSED, "the other side ended the connection in the middle of a message"});
    else
        end(s, &why);
}

static void go_on(struct session *s, bool read) {
    struct err why = {0};
    size_t before = s->out.size;
    int rc = stream_send(&s->stream, &s->out, &why);
    s->octets_out += before - s->out.size;
    if (rc != 0)
        receive(s, &why);
    else if (read && !s->paused)
        receive(s, NULL);
    else
        settle(s);
}

/* --- becoming connected */

static bool tell_up(struct session *s) {
    struct addr local;
    loop_timer_cancel(s->timer);
    s->timer = NULL;
    if (socket_name(s->stream.fd, &local) != 0)
        local = (struct addr){.sa.sa_family = AF_UNSPEC};
    s->inside = true;
    if (s->up != NULL)
        s->up(s->ctx, s, &local);
    s->inside = false;
    if (!s->gone)
        return true;
    free_all(s);
    return false;
}

/* False: not yet, or gone. */
static bool advance(struct session *s) {
    struct err why = {0};
    int rc = 0;
    if (!s->connected) {
        int number = socket_error(s->stream.fd);
        if (number != 0) {
            end_errno(s, number);
            return false;
        }
        s->connected = true;
        if (s->tls != NULL)
            rc = stream_tls(&s->stream, s->tls, s->tls_name, &why);
        else
            s->stream.up = true;
    }
    if (rc == 0)
        rc = stream_handshake(&s->stream, &why);
    if (rc == E_AGAIN)
        settle(s);
    else if (rc != 0)
        end(s, &why);
    return rc == 0 && tell_up(s);
}

static void on_ready(void *ctx, int events) {
    struct session *s = ctx;
    if (s->stream.up || advance(s))
        go_on(s, (events & (LOOP_READ | LOOP_ERROR)) != 0 || s->stream.tls != NULL);
}

static void on_again(void *ctx) {
    struct session *s = ctx;
    if (s->failed != 0)
        end_errno(s, s->failed);
    else if (s->stream.up)
        go_on(s, true);
}

static void on_timer(void *ctx) {
    struct session *s = ctx;
    struct err why = {0};
    (void)err_set(&why, E_TIMEOUT, s->connected ? "no TLS handshake in time" : "no connection in time");
    end(s, &why);
}

/* --- the beginning */

static void set(int fd, int level, int option, int value) { (void)setsockopt(fd, level, option, &value, sizeof value); }

/* A path that died is noticed by what was sent and not confirmed, or else by probes (tcp(7)). */
static void set_options(int fd, uint32_t dead_ms) {
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (dead_ms == 0)
        return;
    int every_s = (int)(dead_ms / 1000 / (KEEPALIVE_PROBES + 1));
    if (every_s < 1)
        every_s = 1;
    set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(fd, IPPROTO_TCP, TCP_KEEPIDLE, every_s);
    set(fd, IPPROTO_TCP, TCP_KEEPINTVL, every_s);
    set(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
    set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, dead_ms < INT32_MAX ? (int)dead_ms : INT32_MAX);
}

static int open_socket(struct session *s, const struct session_plan *plan, struct err *err) {
    char text[ADDR_TEXT_MAX];
    int family = addr_family(&plan->server);
    if (family != AF_INET && family != AF_INET6)
        return err_set(err, E_INVALID, "no address to connect to");
    int fd = s->stream.fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(err, "%s: socket", addr_text(&plan->server, text));
    if (plan->source != NULL && bind(fd, &plan->source->sa, addr_len(plan->source)) != 0)
        return err_errno(err, "%s: bind to %s", addr_text(&plan->server, text),
                         addr_host_text(plan->source, (char[ADDR_TEXT_MAX]){""}));
    set_options(fd, plan->dead_ms);
    if (connect(fd, &plan->server.sa, addr_len(&plan->server)) != 0 && errno != EINPROGRESS)
        s->failed = errno;
    return 0;
}

static int begin(struct session *s, const struct session_plan *plan, struct err *err) {
    if (plan->tls != NULL) {
        const char *name = plan->tls_name != NULL ? plan->tls_name : "";
        if (tls_wants_name(plan->tls) && name[0] == '\0')
            return err_set(err, E_INVALID, "TLS: no name that the server's certificate must say");
        if ((s->tls_name = strdup(name)) == NULL)
            return err_set(err, E_NOMEM, "no memory for a session");
    }
    int rc = open_socket(s, plan, err);
    if (rc != 0)
        return rc;
    s->timer = loop_timer_start(s->loop, plan->connect_ms, 0, on_timer, s);
    s->again = loop_timer_start(s->loop, s->failed != 0 ? 0 : plan->connect_ms, 0, on_again, s);
    if (s->failed == 0)
        s->watch = loop_watch_start(s->loop, s->stream.fd, LOOP_WRITE, on_ready, s);
    if (s->timer == NULL || s->again == NULL || (s->failed == 0 && s->watch == NULL))
        return err_set(err, E_NOMEM, "no memory for a session");
    return 0;
}

int session_open(struct session **out, struct loop *l, const struct session_plan *plan, struct err *err) {
    *out = NULL;
    struct session *s = loop_closing(l) ? NULL : calloc(1, sizeof *s);
    if (s == NULL)
        return err_set(err, E_NOMEM, "no memory for a session");
    *s = (struct session){.loop = l,
                          .stream.fd = -1,
                          .server = plan->server,
                          .tls = plan->tls,
                          .up = plan->up,
                          .message = plan->message,
                          .down = plan->down,
                          .ctx = plan->ctx};
    loop_own(l, &s->owned, LOOP_OBJECT, close_owned);
    int rc = begin(s, plan, err);
    if (rc != 0) {
        session_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

/* --- what the owner may do */

int session_send(struct session *s, const uint8_t *msg, size_t size) {
    uint8_t length[2];
    if (s->gone || s->failed != 0)
        return E_CLOSED;
    if (size > LIMIT_MESSAGE)
        return E_INVALID;
    if (s->out.size + 2 + size > SESSION_QUEUE)
        return E_FULL;
    put_u16(length, (uint16_t)size);
    if (buffer_room(&s->out, 2 + size) == NULL)
        return E_NOMEM;
    if (!buffer_add(&s->out, length, sizeof length) || !buffer_add(&s->out, msg, size))
        return E_NOMEM;
    /* At once; what is wrong with the connection is met and told on the next wake. */
    size_t before = s->out.size;
    if (stream_send(&s->stream, &s->out, NULL) != 0)
        loop_timer_again(s->again, 0);
    s->octets_out += before - s->out.size;
    if (!s->inside && s->stream.up)
        settle(s);
    return 0;
}

void session_pause(struct session *s, bool pause) {
    if (s->gone || s->paused == pause)
        return;
    s->paused = pause;
    if (!s->inside && s->stream.up)
        settle(s);
}

void session_traffic(const struct session *s, uint64_t *in, uint64_t *out) {
    *in = s->octets_in;
    *out = s->octets_out;
}
