/* The heartbeat. A timerfd rather than a libuv timer: it fires at exact times of CLOCK_MONOTONIC, while libuv counts in
 * whole milliseconds, and the lag of a healthy loop is below one. */
#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "resolver/base/clock.h"
#include "resolver/net/loop_impl.h"

struct loop_beat {
    struct loop *loop;
    struct loop_watch *watch;
    int fd;
    int64_t due_ms;
    struct board_process *process;
    struct board_worker *worker;
    int64_t last_ns; /* when idle and busy were last counted */
    uint64_t idle_ns;
    unsigned long descriptors_out; /* as told to the board */
};

static void count_idle(struct loop_beat *b, int64_t now_ns) {
    uint64_t idle = uv_metrics_idle_time(&b->loop->uv);
    uint64_t slept = idle - b->idle_ns, passed = now_ns > b->last_ns ? (uint64_t)(now_ns - b->last_ns) : 0;
    if (slept > passed)
        slept = passed;
    board_add(&b->worker->loop_idle_ns, slept);
    board_add(&b->worker->loop_busy_ns, passed - slept);
    b->idle_ns = idle;
    b->last_ns = now_ns;
}

static void beat_worker(struct loop_beat *b) {
    struct board_worker *w = b->worker;
    int64_t now_ns = clock_ns(CLOCK_KIND_MONO), late_ns = now_ns - b->due_ms * NS_PER_MS;
    uint64_t lag_us = late_ns > 0 ? (uint64_t)late_ns / 1000 : 0;
    board_set(&w->heartbeat_ms, (uint64_t)(now_ns / NS_PER_MS));
    board_set(&w->loop_lag_us, lag_us);
    if (lag_us > board_get(&w->loop_lag_max_us))
        board_set(&w->loop_lag_max_us, lag_us);
    board_add(&w->loop_lag[board_latency_bucket(lag_us)], 1);
    count_idle(b, now_ns);
}

/* Counted for the whole process, and told by its loop. */
static void count_descriptors(struct loop_beat *b) {
    unsigned long all = err_descriptors_out();
    if (all == b->descriptors_out)
        return;
    if (b->process != NULL)
        board_add(&b->process->fd_errors, all - b->descriptors_out);
    if (b->worker != NULL)
        board_add(&b->worker->fd_errors, all - b->descriptors_out);
    b->descriptors_out = all;
}

static void on_tick(void *ctx, int events) {
    struct loop_beat *b = ctx;
    uint64_t ticks = 0;
    (void)events;
    if (read(b->fd, &ticks, sizeof ticks) != (ssize_t)sizeof ticks || ticks == 0)
        return;
    if (b->process != NULL)
        board_tick(b->process, b->due_ms);
    if (b->worker != NULL)
        beat_worker(b);
    count_descriptors(b);
    if (b->process != NULL)
        loop_pool_tick(b->loop);
    b->due_ms += (int64_t)ticks * BOARD_TICK_MS;
}

/* The first tick at a whole millisecond, so that board_tick() can be told it exactly. */
static int arm(struct loop_beat *b) {
    struct timespec now;
    struct itimerspec at = {.it_interval.tv_nsec = BOARD_TICK_MS * NS_PER_MS};
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        return -1;
    b->due_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / NS_PER_MS + BOARD_TICK_MS;
    at.it_value.tv_sec = b->due_ms / 1000;
    at.it_value.tv_nsec = b->due_ms % 1000 * NS_PER_MS;
    return timerfd_settime(b->fd, TFD_TIMER_ABSTIME, &at, NULL);
}

void loop_beat_stop(struct loop *l) {
    struct loop_beat *b = l->beat;
    if (b == NULL)
        return;
    if (b->watch != NULL)
        loop_watch_stop(b->watch);
    if (b->fd >= 0)
        (void)close(b->fd);
    free(b);
    l->beat = NULL;
}

int loop_beat(struct loop *l, struct board_process *p, struct board_worker *w) {
    if (l->beat != NULL)
        return E_EXISTS;
    struct loop_beat *b = l->beat = calloc(1, sizeof *b);
    if (b == NULL)
        return E_NOMEM;
    *b = (struct loop_beat){.loop = l, .process = p, .worker = w, .last_ns = clock_ns(CLOCK_KIND_MONO)};
    b->idle_ns = uv_metrics_idle_time(&l->uv);
    b->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    b->watch = b->fd >= 0 ? loop_watch_start(l, b->fd, LOOP_READ, on_tick, b) : NULL;
    if (b->watch == NULL || arm(b) != 0) {
        loop_beat_stop(l);
        return E_SYSTEM;
    }
    if (p != NULL) {
        board_tick(p, clock_mono_ms());
        loop_pool_open(l, p);
    }
    if (w != NULL)
        board_set(&w->heartbeat_ms, (uint64_t)clock_mono_ms());
    return 0;
}
