#include "health/peers/http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "resolver/base/clock.h"
#include "resolver/net/socket.h"

enum { READ_LEAST = 4096, REQUEST_MAX = HTTP_PATH + 128 };

struct http {
    struct loop *loop;
    http_done done;
    void *ctx;
    int fd;
    struct loop_watch *watch;
    struct loop_timer *timer;
    int64_t started_ns;
    size_t most; /* head and body */
    char request[REQUEST_MAX];
    size_t request_size, sent;
    uint8_t *at;
    size_t size, cap;
    struct http_result result;
};

void http_cancel(struct http *f) {
    if (f == NULL)
        return;
    if (f->watch != NULL)
        loop_watch_stop(f->watch);
    if (f->timer != NULL)
        loop_timer_cancel(f->timer);
    if (f->fd >= 0)
        (void)close(f->fd);
    free(f->at);
    free(f);
}

static void finish(struct http *f, int code, const char *why) {
    struct http_result r = f->result;
    http_done done = f->done;
    void *ctx = f->ctx;
    uint8_t *body = f->at;
    r.took_us = (clock_ns(CLOCK_KIND_MONO) - f->started_ns) / 1000;
    r.code = code;
    if (why != NULL)
        text_copy(r.error, sizeof(r.error), why);
    f->at = NULL;
    http_cancel(f);
    done(ctx, &r);
    free(body);
}

static void on_timeout(void *ctx) {
    struct http *f = ctx;
    finish(f, E_TIMEOUT, f->sent == 0 ? "no connection in time" : "no whole answer in time");
}

static const uint8_t *line_end(const uint8_t *at, size_t size) { return memmem(at, size, "\r\n", 2); }

static void take_header(struct http_result *r, const char *line, size_t size, long long *length) {
    static const char mac[] = PEERS_MAC_HEADER ":", len[] = "content-length:";
    char text[PEERS_MAC_TEXT + 8] = "";
    bool is_mac = size > sizeof(mac) - 1 && strncasecmp(line, mac, sizeof(mac) - 1) == 0;
    bool is_len = size > sizeof(len) - 1 && strncasecmp(line, len, sizeof(len) - 1) == 0;
    if (!is_mac && !is_len)
        return;
    size_t skip = (is_mac ? sizeof(mac) : sizeof(len)) - 1;
    while (skip < size && line[skip] == ' ')
        skip++;
    if (size - skip >= sizeof(text))
        return;
    memcpy(text, line + skip, size - skip);
    if (is_mac)
        text_copy(r->mac, sizeof(r->mac), text);
    else
        *length = strtoll(text, NULL, 10);
}

int http_read(struct http_result *r, const uint8_t *at, size_t size) {
    static const char http[] = "HTTP/1.";
    const uint8_t *end = memmem(at, size < HTTP_HEAD ? size : HTTP_HEAD, "\r\n\r\n", 4);
    long long length = -1;
    if (end == NULL || (size_t)(end - at) < sizeof(http) + 4 || memcmp(at, http, sizeof(http) - 1) != 0) {
        text_copy(r->error, sizeof(r->error), "no HTTP answer");
        return E_INVALID;
    }
    const uint8_t *line = line_end(at, size) + 2;
    while (line < end + 2) {
        const uint8_t *next = line_end(line, (size_t)(end + 2 - line));
        take_header(r, (const char *)line, (size_t)(next - line), &length);
        line = next + 2;
    }
    r->body = (struct bytes){end + 4, size - (size_t)(end + 4 - at)};
    if (memcmp(at + 8, " 200", 4) != 0) {
        snprintf(r->error, sizeof(r->error), "HTTP status %.3s", (const char *)at + 9);
        return E_DENIED;
    }
    if (length >= 0 && (size_t)length != r->body.size) {
        text_copy(r->error, sizeof(r->error), "the answer is cut off");
        return E_INVALID;
    }
    return 0;
}

static void whole(struct http *f) { finish(f, http_read(&f->result, f->at, f->size), NULL); }

static void broken(struct http *f, int error) { finish(f, E_SYSTEM, strerror(error)); }

static bool room(struct http *f) {
    if (f->cap - f->size >= READ_LEAST)
        return true;
    size_t cap = f->cap > 0 ? 2 * f->cap : 2 * READ_LEAST;
    uint8_t *more = realloc(f->at, cap);
    if (more == NULL)
        return false;
    f->at = more;
    f->cap = cap;
    return true;
}

static void receive(struct http *f) {
    if (f->size > f->most) {
        finish(f, E_FULL, "the answer is larger than any view");
        return;
    }
    if (!room(f)) {
        finish(f, E_NOMEM, "no memory");
        return;
    }
    ssize_t n = recv(f->fd, f->at + f->size, f->cap - f->size, 0);
    if (n > 0)
        f->size += (size_t)n;
    else if (n == 0)
        whole(f);
    else if (errno != EAGAIN && errno != EINTR)
        broken(f, errno);
}

static void send_request(struct http *f) {
    int error = socket_error(f->fd);
    if (error != 0) {
        broken(f, error);
        return;
    }
    ssize_t n = send(f->fd, f->request + f->sent, f->request_size - f->sent, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        broken(f, errno);
        return;
    }
    f->sent += n > 0 ? (size_t)n : 0;
    if (f->sent == f->request_size) {
        if (socket_name(f->fd, &f->result.local) < 0)
            f->result.local = (struct addr){.in = {0}};
        loop_watch_change(f->watch, LOOP_READ);
    }
}

static void on_ready(void *ctx, int events) {
    struct http *f = ctx;
    (void)events;
    if (f->sent < f->request_size)
        send_request(f);
    else
        receive(f);
}

static int http_connect(struct http *f, const struct http_plan *plan, struct err *err) {
    char host[ADDR_TEXT_MAX];
    int n = snprintf(f->request, sizeof(f->request), "GET %s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n\r\n",
                     plan->path, addr_host_text(&plan->server, host));
    if (n < 0 || (size_t)n >= sizeof(f->request))
        return err_set(err, E_INVALID, "the path is too long");
    f->request_size = (size_t)n;
    f->fd = socket(addr_family(&plan->server), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (f->fd < 0)
        return errno == EMFILE || errno == ENFILE ? err_set(err, E_FULL, "no descriptor is left")
                                                  : err_errno(err, "socket");
    if (connect(f->fd, &plan->server.sa, addr_len(&plan->server)) < 0 && errno != EINPROGRESS)
        f->result.code = errno; /* told by the timer: never from inside http_start */
    return 0;
}

static void cannot_connect(void *ctx) {
    struct http *f = ctx;
    broken(f, f->result.code);
}

int http_start(struct http **out, struct loop *l, const struct http_plan *plan, struct err *err) {
    struct http *f = calloc(1, sizeof(*f));
    *out = NULL;
    if (f == NULL)
        return err_set(err, E_NOMEM, "no memory for a request");
    f->loop = l;
    f->done = plan->done;
    f->ctx = plan->ctx;
    f->fd = -1;
    f->most = plan->most + HTTP_HEAD;
    f->started_ns = clock_ns(CLOCK_KIND_MONO);
    int rc = http_connect(f, plan, err);
    bool refused = rc == 0 && f->result.code != 0;
    if (rc == 0) {
        f->timer = loop_timer_start(l, refused ? 0 : plan->timeout_ms, 0, refused ? cannot_connect : on_timeout, f);
        f->watch = refused ? NULL : loop_watch_start(l, f->fd, LOOP_WRITE, on_ready, f);
        if (f->timer == NULL || (!refused && f->watch == NULL))
            rc = err_set(err, E_NOMEM, "no memory for a request");
    }
    if (rc < 0) {
        http_cancel(f);
        return rc;
    }
    *out = f;
    return 0;
}
