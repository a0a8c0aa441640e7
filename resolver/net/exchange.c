#include "resolver/net/exchange.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "resolver/base/clock.h"
#include "resolver/base/limits.h"
#include "resolver/base/rand.h"
#include "resolver/dns/const.h"
#include "resolver/net/buffer.h"
#include "resolver/net/loop_owned.h"
#include "resolver/net/socket.h"

enum {
    BIND_TRIES = 16,
    PORT_FIRST = 1024,
    PORT_COUNT = 65536 - PORT_FIRST,
    PACKETS_PER_WAKE = 32, /* of somebody who floods us with guesses */
    TCP_READ = 4096,
};

struct exchange {
    struct loop_owned owned;
    struct loop *loop;
    struct loop_watch *watch;
    struct loop_timer *timer;
    int fd;
    bool tcp, connected, expired;
    int failed; /* errno that exchange_start met: told on the next turn */
    exchange_done done;
    void *ctx;
    int64_t started_ns;
    struct exchange_result result;
    struct buffer in, out; /* TCP */
    uint32_t mismatches_max;
    size_t question_end;
    size_t size;
    uint8_t query[];
};

/* --- which answer is ours */

/* Offset behind the question section of our own query; 0 when it cannot be read. */
static size_t find_question_end(const uint8_t *msg, size_t size) {
    size_t at = DNS_HEADER;
    if (size < DNS_HEADER || size > LIMIT_MESSAGE || get_u16(msg + 4) > 1)
        return 0;
    if (get_u16(msg + 4) == 0)
        return at;
    for (unsigned labels = 0; labels <= LIMIT_LABELS && at < size; labels++) {
        if (msg[at] == 0)
            return at + 1 + 4 <= size ? at + 1 + 4 : 0;
        if (msg[at] > 63)
            return 0;
        at += 1 + (size_t)msg[at];
    }
    return 0;
}

/* Servers that make nothing of a question may leave it out of their refusal. */
static bool may_lack_question(unsigned rcode) {
    return rcode == RCODE_FORMERR || rcode == RCODE_SERVFAIL || rcode == RCODE_NOTIMP || rcode == RCODE_REFUSED;
}

static bool is_ours(const struct exchange *x, const uint8_t *msg, size_t size) {
    if (size < DNS_HEADER || get_u16(msg) != get_u16(x->query) || (get_u16(msg + 2) & FLAG_QR) == 0)
        return false;
    if (get_u16(msg + 4) == 0 && may_lack_question(msg[3] & 0x0f))
        return true;
    return get_u16(msg + 4) == get_u16(x->query + 4) && size >= x->question_end &&
           memcmp(msg + DNS_HEADER, x->query + DNS_HEADER, x->question_end - DNS_HEADER) == 0;
}

static bool is_letter(uint8_t c) { return (uint8_t)((c | 0x20) - 'a') < 26; }

/* Somebody who guesses does not know the name's case either: only the server itself answers all of it but the case. */
static bool is_ours_but_for_case(const struct exchange *x, const uint8_t *msg, size_t size) {
    if (size < x->question_end || get_u16(msg) != get_u16(x->query) || (get_u16(msg + 2) & FLAG_QR) == 0 ||
        get_u16(msg + 4) != get_u16(x->query + 4))
        return false;
    for (size_t i = DNS_HEADER; i < x->question_end; i++)
        if ((msg[i] ^ x->query[i]) & (is_letter(msg[i]) ? 0xdf : 0xff))
            return false;
    return true;
}

/* True: that was one too many. */
static bool count_mismatch(struct exchange *x, const uint8_t *msg, size_t size) {
    x->result.mismatches++;
    x->result.case_lost += is_ours_but_for_case(x, msg, size);
    return x->mismatches_max > 0 && x->result.mismatches >= x->mismatches_max;
}

static void note_local(struct exchange *x) {
    if (socket_name(x->fd, &x->result.local) != 0)
        x->result.local = (struct addr){.sa.sa_family = AF_UNSPEC};
}

/* --- the end */

static void let_go(struct exchange *x) {
    if (x->watch != NULL)
        loop_watch_stop(x->watch);
    if (x->timer != NULL)
        loop_timer_cancel(x->timer);
    if (x->fd >= 0)
        (void)close(x->fd);
    loop_disown(x->loop, &x->owned);
}

static void free_all(struct exchange *x) {
    buffer_free(&x->in);
    buffer_free(&x->out);
    free(x);
}

void exchange_cancel(struct exchange *x) {
    if (x == NULL)
        return;
    let_go(x);
    free_all(x);
}

static void close_owned(struct loop_owned *o) { exchange_cancel(CONTAINER_OF(o, struct exchange, owned)); }

static void finish(struct exchange *x, int code, int number, struct bytes answer) {
    x->result.code = code;
    x->result.sys_errno = number;
    x->result.answer = answer;
    x->result.took_ns = clock_ns(CLOCK_KIND_MONO) - x->started_ns;
    let_go(x); /* before done: who starts the next one there may need the descriptor */
    x->done(x->ctx, &x->result);
    free_all(x);
}

static void fail(struct exchange *x, int code, int number) { finish(x, code, number, (struct bytes){NULL, 0}); }

/* Timers come before sockets in a turn of the loop. When the loop was late, the answer may have been lying there for
 * long: the sockets are looked at once more before it is called a timeout. */
static void on_timer(void *ctx) {
    struct exchange *x = ctx;
    if (x->failed == 0 && !x->expired) {
        x->expired = true;
        loop_timer_again(x->timer, 1);
        return;
    }
    if (x->failed != 0)
        fail(x, E_SYSTEM, x->failed);
    else
        fail(x, x->result.mismatches > 0 ? E_INVALID : E_TIMEOUT, 0);
}

/* --- UDP */

static void on_packet(void *ctx, int events) {
    struct exchange *x = ctx;
    uint8_t *msg = loop_scratch(x->loop);
    (void)events;
    if (msg == NULL) {
        fail(x, E_SYSTEM, ENOMEM);
        return;
    }
    for (unsigned i = 0; i < PACKETS_PER_WAKE; i++) {
        ssize_t n = recv(x->fd, msg, LOOP_SCRATCH, MSG_DONTWAIT);
        if (n >= 0 && is_ours(x, msg, (size_t)n)) {
            finish(x, 0, 0, (struct bytes){msg, (size_t)n});
            return;
        }
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
            return;
        if (n < 0) {
            fail(x, E_SYSTEM, errno);
            return;
        }
        if (count_mismatch(x, msg, (size_t)n)) {
            fail(x, E_INVALID, 0);
            return;
        }
    }
}

/* An attacker who does not see the question must guess the port as well (RFC 5452 section 9.2). */
static int bind_random(int fd, const struct exchange_plan *plan) {
    struct addr a = {.sa.sa_family = (sa_family_t)addr_family(&plan->server)};
    if (plan->source != NULL)
        a = *plan->source;
    for (unsigned i = 0; i < BIND_TRIES; i++) {
        addr_set_port(&a, (uint16_t)(PORT_FIRST + rand_below(PORT_COUNT)));
        if (bind(fd, &a.sa, addr_len(&a)) == 0)
            return 0;
        if (errno != EADDRINUSE && errno != EACCES)
            break;
    }
    return -1;
}

static void start_udp(struct exchange *x, const struct exchange_plan *plan) {
    if (connect(x->fd, &plan->server.sa, addr_len(&plan->server)) != 0 ||
        send(x->fd, x->query, x->size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        x->failed = errno;
}

/* --- TCP */

static void read_frame(struct exchange *x) {
    size_t want = TCP_READ;
    if (x->in.size >= 2)
        want = 2 + (size_t)get_u16(buffer_at(&x->in)) - x->in.size;
    int rc = buffer_receive(&x->in, x->fd, want);
    if (rc == E_AGAIN)
        return;
    if (rc != 0) {
        fail(x, rc == E_CLOSED ? E_INVALID : E_SYSTEM, rc == E_SYSTEM ? errno : rc == E_NOMEM ? ENOMEM : 0);
        return;
    }
    if (x->in.size < 2 || x->in.size < 2 + (size_t)get_u16(buffer_at(&x->in)))
        return;
    struct bytes answer = {buffer_at(&x->in) + 2, get_u16(buffer_at(&x->in))};
    if (is_ours(x, answer.at, answer.size)) {
        finish(x, 0, 0, answer);
    } else {
        x->result.mismatches++;
        fail(x, E_INVALID, 0);
    }
}

static void on_stream(void *ctx, int events) {
    struct exchange *x = ctx;
    if (!x->connected) {
        int number = socket_error(x->fd);
        if (number != 0) {
            fail(x, E_SYSTEM, number);
            return;
        }
        x->connected = true;
        note_local(x);
    }
    if (x->out.size > 0 && buffer_send(&x->out, x->fd) != 0) {
        fail(x, E_SYSTEM, errno);
        return;
    }
    loop_watch_change(x->watch, x->out.size > 0 ? LOOP_READ | LOOP_WRITE : LOOP_READ);
    if ((events & LOOP_READ) != 0)
        read_frame(x);
}

static void start_tcp(struct exchange *x, const struct exchange_plan *plan) {
    uint8_t length[2];
    int on = 1;
    put_u16(length, (uint16_t)x->size);
    (void)setsockopt(x->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!buffer_add(&x->out, length, sizeof length) || !buffer_add(&x->out, x->query, x->size))
        x->failed = ENOMEM;
    else if (connect(x->fd, &plan->server.sa, addr_len(&plan->server)) != 0 && errno != EINPROGRESS)
        x->failed = errno;
}

/* --- the beginning */

static int open_socket(struct exchange *x, const struct exchange_plan *plan, struct err *err) {
    char text[ADDR_TEXT_MAX];
    int family = addr_family(&plan->server), rc;
    if (family != AF_INET && family != AF_INET6)
        return err_set(err, E_INVALID, "no address to ask");
    x->fd = socket(family, (plan->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (x->fd < 0)
        return err_errno(err, "%s: socket", addr_text(&plan->server, text));
    if (plan->tcp)
        rc = plan->source != NULL ? bind(x->fd, &plan->source->sa, addr_len(plan->source)) : 0;
    else
        rc = bind_random(x->fd, plan);
    if (rc == 0)
        return 0;
    return err_errno(err, "%s: bind%s%s", addr_text(&plan->server, text), plan->source != NULL ? " to " : "",
                     plan->source != NULL ? addr_host_text(plan->source, (char[ADDR_TEXT_MAX]){""}) : "");
}

static int begin(struct exchange *x, const struct exchange_plan *plan, struct err *err) {
    int rc = open_socket(x, plan, err);
    if (rc != 0)
        return rc;
    x->started_ns = clock_ns(CLOCK_KIND_MONO);
    if (plan->tcp)
        start_tcp(x, plan);
    else
        start_udp(x, plan);
    note_local(x);
    x->timer = loop_timer_start(x->loop, x->failed != 0 ? 1 : plan->timeout_ms, 0, on_timer, x);
    if (x->timer == NULL)
        return err_set(err, E_NOMEM, "no memory for a timer");
    if (x->failed != 0)
        return 0;
    x->watch = loop_watch_start(x->loop, x->fd, plan->tcp ? LOOP_READ | LOOP_WRITE : LOOP_READ,
                                plan->tcp ? on_stream : on_packet, x);
    return x->watch != NULL ? 0 : err_set(err, E_NOMEM, "no memory to watch a socket");
}

struct exchange *exchange_start(struct loop *l, const struct exchange_plan *plan, struct err *err) {
    size_t question_end = find_question_end(plan->query, plan->size);
    if (question_end == 0) {
        err_set(err, E_INVALID, "a query of %zu octets without a readable question section", plan->size);
        return NULL;
    }
    struct exchange *x = calloc(1, sizeof *x + plan->size);
    if (x == NULL) {
        err_set(err, E_NOMEM, "no memory for a question");
        return NULL;
    }
    *x = (struct exchange){.loop = l, .fd = -1, .tcp = plan->tcp, .done = plan->done, .ctx = plan->ctx};
    x->mismatches_max = plan->mismatches_max;
    x->question_end = question_end;
    x->size = plan->size;
    memcpy(x->query, plan->query, plan->size);
    loop_own(l, &x->owned, LOOP_OBJECT, close_owned);
    if (begin(x, plan, err) != 0) {
        exchange_cancel(x);
        return NULL;
    }
    return x;
}
