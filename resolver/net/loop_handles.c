/* Timers, watches and signals: one libuv handle each, freed in its close callback. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "resolver/base/bytes.h"
#include "resolver/net/loop_impl.h"

struct loop_timer {
    uv_timer_t uv;
    struct loop_owned owned;
    loop_timer_fn fn;
    void *ctx;
};

struct loop_watch {
    uv_poll_t uv;
    struct loop_owned owned;
    int events;
    loop_watch_fn fn;
    void *ctx;
};

struct loop_signal {
    uv_signal_t uv;
    struct loop_owned owned;
    loop_signal_fn fn;
    void *ctx;
};

_Static_assert(LOOP_READ == (int)UV_READABLE && LOOP_WRITE == (int)UV_WRITABLE, "events are handed through");

static struct loop *loop_of(const void *handle) { return CONTAINER_OF(uv_handle_get_loop(handle), struct loop, uv); }

static void on_closed(uv_handle_t *h) { free(h->data); }

/* --- timers */

static void on_timer(uv_timer_t *h) {
    struct loop_timer *t = h->data;
    t->fn(t->ctx);
}

static void close_timer(struct loop_owned *o) { loop_timer_cancel(CONTAINER_OF(o, struct loop_timer, owned)); }

/* libuv counts from the start of this turn: in a turn that lasts, a timer would come too early by that much. */
static uint64_t from_now(struct loop *l, uint64_t after_ms) {
    uint64_t now = uv_hrtime() / 1000000, turn = uv_now(&l->uv);
    return now > turn ? after_ms + (now - turn) : after_ms;
}

struct loop_timer *loop_timer_start(struct loop *l, uint64_t after_ms, uint64_t every_ms, loop_timer_fn fn, void *ctx) {
    struct loop_timer *t = loop_closing(l) ? NULL : calloc(1, sizeof *t);
    if (t == NULL)
        return NULL;
    t->fn = fn;
    t->ctx = ctx;
    (void)uv_timer_init(&l->uv, &t->uv);
    t->uv.data = t;
    (void)uv_timer_start(&t->uv, on_timer, from_now(l, after_ms), every_ms);
    loop_own(l, &t->owned, LOOP_HANDLE, close_timer);
    return t;
}

void loop_timer_again(struct loop_timer *t, uint64_t after_ms) {
    (void)uv_timer_start(&t->uv, on_timer, from_now(loop_of(&t->uv), after_ms), uv_timer_get_repeat(&t->uv));
}

void loop_timer_cancel(struct loop_timer *t) {
    loop_disown(loop_of(&t->uv), &t->owned);
    uv_close((uv_handle_t *)&t->uv, on_closed);
}

/* --- watches */

static void on_poll(uv_poll_t *h, int status, int events) {
    struct loop_watch *w = h->data;
    if (status < 0) {
        /* POLLERR: libuv has stopped the handle and calls it EBADF whatever it was, be it a passing ICMP error. */
        if (w->events == 0 || uv_poll_start(h, w->events, on_poll) != 0)
            return;
        events = w->events | LOOP_ERROR;
    }
    w->fn(w->ctx, events);
}

static void close_watch(struct loop_owned *o) { loop_watch_stop(CONTAINER_OF(o, struct loop_watch, owned)); }

struct loop_watch *loop_watch_start(struct loop *l, int fd, int events, loop_watch_fn fn, void *ctx) {
    struct loop_watch *w = loop_closing(l) ? NULL : calloc(1, sizeof *w);
    if (w == NULL)
        return NULL;
    w->fn = fn;
    w->ctx = ctx;
    if (uv_poll_init(&l->uv, &w->uv, fd) != 0) {
        free(w);
        return NULL;
    }
    w->uv.data = w;
    loop_own(l, &w->owned, LOOP_HANDLE, close_watch);
    loop_watch_change(w, events);
    return w;
}

void loop_watch_change(struct loop_watch *w, int events) {
    if (events == w->events)
        return;
    w->events = events;
    if (events == 0)
        (void)uv_poll_stop(&w->uv);
    else
        (void)uv_poll_start(&w->uv, events, on_poll);
}

void loop_watch_stop(struct loop_watch *w) {
    loop_disown(loop_of(&w->uv), &w->owned);
    (void)uv_poll_stop(&w->uv);
    uv_close((uv_handle_t *)&w->uv, on_closed);
}

/* --- signals */

static void on_signal(uv_signal_t *h, int signum) {
    struct loop_signal *s = h->data;
    s->fn(s->ctx, signum);
}

static void close_signal(struct loop_owned *o) {
    struct loop_signal *s = CONTAINER_OF(o, struct loop_signal, owned);
    loop_disown(loop_of(&s->uv), &s->owned);
    uv_close((uv_handle_t *)&s->uv, on_closed);
}

int loop_signal(struct loop *l, int signum, loop_signal_fn fn, void *ctx, struct err *err) {
    if (loop_closing(l))
        return err_set(err, E_CLOSED, "signal %d: the event loop is closing", signum);
    struct loop_signal *s = calloc(1, sizeof *s);
    if (s == NULL)
        return err_set(err, E_NOMEM, "no memory for signal %d", signum);
    s->fn = fn;
    s->ctx = ctx;
    int rc = uv_signal_init(&l->uv, &s->uv);
    if (rc != 0) {
        free(s);
        errno = -rc;
        return err_errno(err, "signal %d", signum);
    }
    s->uv.data = s;
    loop_own(l, &s->owned, LOOP_HANDLE, close_signal);
    rc = uv_signal_start(&s->uv, on_signal, signum);
    if (rc != 0) {
        close_signal(&s->owned);
        errno = -rc;
        return err_errno(err, "signal %d", signum);
    }
    return 0;
}
