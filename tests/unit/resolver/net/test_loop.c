/* The loop: timers, posts from other threads, the pool, watches that meet errors, the heartbeat, closing with all
 * alive. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "resolver/base/clock.h"
#include "tests/unit/resolver/net/help.h"

struct counter {
    struct loop *loop;
    struct loop_timer *timer;
    struct loop_watch *watch;
    unsigned calls, error_calls;
    int fd, last_events, number;
};

static int set_up(void **state) {
    struct counter *c = calloc(1, sizeof *c);
    assert_int_equal(loop_open(&c->loop, NULL), 0);
    *state = c;
    return 0;
}

static int tear_down(void **state) {
    struct counter *c = *state;
    loop_close(c->loop);
    free(c);
    return 0;
}

static void count(void *ctx) { ((struct counter *)ctx)->calls++; }

static void test_timer_once_and_again(void **state) {
    struct counter *c = *state;
    struct loop_timer *t = loop_timer_start(c->loop, 1, 0, count, c);
    TURN_UNTIL(c->loop, c->calls == 1);
    for (unsigned i = 0; i < 5; i++)
        loop_turn(c->loop, 2);
    assert_int_equal(c->calls, 1);
    loop_timer_again(t, 1);
    TURN_UNTIL(c->loop, c->calls == 2);
    loop_timer_cancel(t);
}

static void cancel_third(void *ctx) {
    struct counter *c = ctx;
    if (++c->calls == 3)
        loop_timer_cancel(c->timer);
}

static void test_timer_repeats_until_cancelled_inside(void **state) {
    struct counter *c = *state;
    c->timer = loop_timer_start(c->loop, 0, 1, cancel_third, c);
    TURN_UNTIL(c->loop, c->calls == 3);
    for (unsigned i = 0; i < 5; i++)
        loop_turn(c->loop, 2);
    assert_int_equal(c->calls, 3);
}

/* A timer started late in a long turn counts from then on, not from the start of the turn. */
static void start_late(void *ctx) {
    struct counter *c = ctx;
    (void)usleep(60000);
    c->number = (int)clock_mono_ms();
    c->timer = loop_timer_start(c->loop, 30, 0, count, c);
}

static void test_timer_counts_from_its_start(void **state) {
    struct counter *c = *state;
    struct loop_timer *t = loop_timer_start(c->loop, 0, 0, start_late, c);
    TURN_UNTIL(c->loop, c->calls == 1);
    assert_true((int)clock_mono_ms() - c->number >= 28);
    loop_timer_cancel(t);
    loop_timer_cancel(c->timer);
}

static void stop(void *ctx) {
    struct counter *c = ctx;
    c->calls++;
    loop_stop(c->loop);
}

static void test_run_until_stopped(void **state) {
    struct counter *c = *state;
    struct loop_timer *t = loop_timer_start(c->loop, 1, 1, stop, c);
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(loop_run(c->loop), 0);
        assert_int_equal(c->calls, i);
    }
    loop_timer_cancel(t);
    loop_stop(c->loop);
    assert_int_equal(loop_run(c->loop), 0); /* stopped before it ran */
}

static void test_now_is_the_monotonic_clock(void **state) {
    struct counter *c = *state;
    int64_t before = clock_mono_ms();
    loop_turn(c->loop, 1);
    assert_true(loop_now_ms(c->loop) >= before - 10 && loop_now_ms(c->loop) <= clock_mono_ms());
}

/* --- posts */

enum { POSTERS = 4, POSTS_EACH = 5000 };

static void *post_many(void *ctx) {
    struct counter *c = ctx;
    for (unsigned i = 0; i < POSTS_EACH; i++)
        while (loop_post(c->loop, count, c) == E_FULL)
            sched_yield();
    return NULL;
}

static void test_posts_from_threads(void **state) {
    struct counter *c = *state;
    pthread_t threads[POSTERS];
    for (unsigned i = 0; i < POSTERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, c), 0);
    int64_t until = clock_mono_ms() + 60000;
    while (c->calls < POSTERS * POSTS_EACH && clock_mono_ms() < until)
        loop_turn(c->loop, TURN_MS);
    assert_int_equal(c->calls, POSTERS * POSTS_EACH);
    for (unsigned i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
}

static void test_posts_are_bounded(void **state) {
    struct counter *c = *state;
    for (unsigned i = 0; i < LOOP_POSTS; i++)
        assert_int_equal(loop_post(c->loop, count, c), 0);
    assert_int_equal(loop_post(c->loop, count, c), E_FULL);
    TURN_UNTIL(c->loop, c->calls == LOOP_POSTS);
    assert_int_equal(loop_post(c->loop, count, c), 0);
    TURN_UNTIL(c->loop, c->calls == LOOP_POSTS + 1);
}

/* --- the thread pool */

static void set_number(void *ctx) { ((struct counter *)ctx)->number++; }

static void test_work_and_done(void **state) {
    struct counter *c = *state;
    assert_int_equal(loop_work(c->loop, set_number, count, c), 0);
    TURN_UNTIL(c->loop, c->calls == 1);
    assert_int_equal(c->number, 1);
}

static void post_until_closed(void *ctx) {
    struct counter *c = ctx;
    int rc;
    while ((rc = loop_post(c->loop, set_number, c)) == 0 || rc == E_FULL)
        sched_yield();
    c->last_events = rc;
}

static void test_close_waits_for_work_and_refuses_posts(void **state) {
    struct counter c = {0};
    (void)state;
    assert_int_equal(loop_open(&c.loop, NULL), 0);
    assert_int_equal(loop_work(c.loop, post_until_closed, count, &c), 0);
    for (unsigned i = 0; i < 10; i++)
        loop_turn(c.loop, 1);
    loop_close(c.loop);
    assert_int_equal(c.calls, 1);
    assert_int_equal(c.last_events, E_CLOSED);
}

static void test_close_runs_what_was_posted(void **state) {
    struct counter c = {0};
    (void)state;
    assert_int_equal(loop_open(&c.loop, NULL), 0);
    assert_int_equal(loop_post(c.loop, count, &c), 0);
    assert_int_equal(loop_post(c.loop, count, &c), 0);
    loop_close(c.loop);
    assert_int_equal(c.calls, 2);
}

/* `done` of the last work tries to start everything again while the loop closes. */
static void start_all(void *ctx) {
    struct counter *c = ctx;
    c->calls++;
    assert_null(loop_timer_start(c->loop, 1, 0, count, c));
    assert_null(loop_watch_start(c->loop, c->fd, LOOP_READ, NULL, c));
    assert_int_equal(loop_work(c->loop, set_number, NULL, c), E_CLOSED);
    assert_int_equal(loop_post(c->loop, count, c), E_CLOSED);
    assert_int_equal(loop_signal(c->loop, SIGUSR1, NULL, c, NULL), E_CLOSED);
    loop_stop(c->loop);
}

static void linger(void *ctx) {
    (void)ctx;
    (void)usleep(30000);
}

static void test_nothing_starts_in_a_closing_loop(void **state) {
    struct counter c = {0};
    (void)state;
    assert_int_equal(loop_open(&c.loop, NULL), 0);
    assert_int_equal(loop_work(c.loop, linger, start_all, &c), 0);
    loop_close(c.loop);
    assert_int_equal(c.calls, 1);
    loop_close(NULL);
}

/* --- watches */

static void read_one(void *ctx, int events) {
    struct counter *c = ctx;
    char byte;
    c->last_events = events;
    c->calls++;
    if ((events & LOOP_ERROR) != 0)
        c->error_calls++;
    if (recv(c->fd, &byte, 1, MSG_DONTWAIT) < 0)
        c->number = errno;
}

static void pair(int fds[2]) { assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0); }

static void test_watch_change_and_stop(void **state) {
    struct counter *c = *state;
    int fds[2];
    pair(fds);
    c->fd = fds[0];
    struct loop_watch *w = loop_watch_start(c->loop, fds[0], LOOP_READ, read_one, c);
    assert_non_null(w);
    assert_null(loop_watch_start(c->loop, fds[0], LOOP_READ, read_one, c));
    loop_turn(c->loop, 1);
    assert_int_equal(c->calls, 0);
    send_all_of(fds[1], "ab", 2);
    TURN_UNTIL(c->loop, c->calls == 2);
    loop_watch_change(w, 0);
    send_all_of(fds[1], "c", 1);
    for (unsigned i = 0; i < 5; i++)
        loop_turn(c->loop, 1);
    assert_int_equal(c->calls, 2);
    loop_watch_change(w, LOOP_READ | LOOP_WRITE);
    TURN_UNTIL(c->loop, c->calls == 3);
    assert_int_equal(c->last_events, LOOP_READ | LOOP_WRITE);
    loop_watch_stop(w);
    close(fds[0]);
    close(fds[1]);
    for (unsigned i = 0; i < 5; i++)
        loop_turn(c->loop, 1);
    assert_int_equal(c->calls, 3);
}

static void stop_inside(void *ctx, int events) {
    struct counter *c = ctx;
    (void)events;
    c->calls++;
    loop_watch_stop(c->watch);
    close(c->fd);
}

static void test_watch_stopped_inside(void **state) {
    struct counter *c = *state;
    int fds[2];
    pair(fds);
    c->fd = fds[0];
    c->watch = loop_watch_start(c->loop, fds[0], LOOP_READ, stop_inside, c);
    send_all_of(fds[1], "ab", 2);
    TURN_UNTIL(c->loop, c->calls == 1);
    loop_turn(c->loop, 1);
    assert_int_equal(c->calls, 1);
    close(fds[1]);
}

/* libuv stops a handle at POLLERR; ours goes on, and says so every time. */
static void test_watch_survives_errors(void **state) {
    struct counter *c = *state;
    struct addr a = address("127.0.0.1", 0);
    socklen_t size = sizeof a;
    int peer = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(bind(peer, &a.sa, addr_len(&a)), 0);
    assert_int_equal(getsockname(peer, &a.sa, &size), 0);
    c->fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(connect(c->fd, &a.sa, addr_len(&a)), 0);
    c->watch = loop_watch_start(c->loop, c->fd, LOOP_READ, read_one, c);
    close(peer); /* from now on: port unreachable */
    for (unsigned i = 1; i <= 3; i++) {
        c->number = 0;
        send_all_of(c->fd, "x", 1);
        TURN_UNTIL(c->loop, c->error_calls == i);
        assert_int_equal(c->last_events, LOOP_READ | LOOP_ERROR);
        assert_int_equal(c->number, ECONNREFUSED);
    }
    loop_watch_stop(c->watch);
    close(c->fd);
}

static void test_watch_of_what_cannot_be_polled(void **state) {
    struct counter *c = *state;
    FILE *f = tmpfile();
    assert_non_null(f);
    assert_null(loop_watch_start(c->loop, fileno(f), LOOP_READ, read_one, c));
    assert_null(loop_watch_start(c->loop, 9999, LOOP_READ, read_one, c));
    fclose(f);
}

/* --- signals, heartbeat */

static void on_signal(void *ctx, int signum) {
    struct counter *c = ctx;
    c->calls++;
    c->number = signum;
}

static void test_signal(void **state) {
    struct counter *c = *state;
    assert_int_equal(loop_signal(c->loop, SIGUSR1, on_signal, c, NULL), 0);
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    TURN_UNTIL(c->loop, c->calls == 1);
    assert_int_equal(c->number, SIGUSR1);
    assert_true(loop_signal(c->loop, SIGKILL, on_signal, c, NULL) < 0);
}

static void block(void *ctx) {
    (void)ctx;
    (void)usleep(BOARD_TICK_MS * 1000 * 2);
}

static uint64_t beats(const struct board_worker *w) {
    uint64_t n = 0;
    for (unsigned i = 0; i < BOARD_LATENCY_BUCKETS; i++)
        n += board_get(&w->loop_lag[i]);
    return n;
}

static void test_heartbeat(void **state) {
    struct counter *c = *state;
    static struct board_process p;
    static struct board_worker w;
    assert_int_equal(loop_beat(c->loop, &p, &w), 0);
    assert_int_equal(loop_beat(c->loop, &p, &w), E_EXISTS);
    uint64_t first = board_get(&p.heartbeat_ms);
    assert_true(first > 0 && board_get(&w.heartbeat_ms) > 0);
    TURN_UNTIL(c->loop, beats(&w) == 2);
    assert_true(board_get(&p.heartbeat_ms) >= first + BOARD_TICK_MS);
    assert_true(board_get(&w.heartbeat_ms) >= first + BOARD_TICK_MS);
    assert_true(board_get(&w.loop_idle_ns) > 0);
    /* A loop that is held up: the heartbeat is late by at least a tick, and says so. */
    struct loop_timer *t = loop_timer_start(c->loop, 0, 0, block, c);
    uint64_t busy = board_get(&w.loop_busy_ns);
    TURN_UNTIL(c->loop, beats(&w) == 4);
    assert_true(board_get(&w.loop_lag_max_us) >= BOARD_TICK_MS * 900);
    assert_true(board_get(&p.loop_lag_max_us) >= BOARD_TICK_MS * 900);
    assert_true(board_get(&w.loop_busy_ns) - busy >= (uint64_t)BOARD_TICK_MS * 2 * 900000);
    TURN_UNTIL(c->loop, board_get(&w.loop_lag_us) < BOARD_TICK_MS * 400); /* ticks that were missed are past */
    loop_timer_cancel(t);
}

static void test_close_with_all_alive(void **state) {
    static struct board_process p;
    struct counter c = {0};
    int fds[2];
    (void)state;
    pair(fds);
    assert_int_equal(loop_open(&c.loop, NULL), 0);
    assert_int_equal(loop_beat(c.loop, &p, NULL), 0);
    assert_int_equal(loop_signal(c.loop, SIGUSR2, on_signal, &c, NULL), 0);
    for (unsigned i = 0; i < 10; i++)
        assert_non_null(loop_timer_start(c.loop, i, i, count, &c));
    assert_non_null(loop_watch_start(c.loop, fds[0], LOOP_READ, read_one, &c));
    assert_non_null(loop_watch_start(c.loop, fds[1], LOOP_READ | LOOP_WRITE, read_one, &c));
    assert_int_equal(loop_work(c.loop, set_number, count, &c), 0);
    loop_close(c.loop);
    assert_int_equal(c.number, 1);
    close(fds[0]);
    close(fds[1]);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_timer_once_and_again),
        T(test_timer_repeats_until_cancelled_inside),
        T(test_timer_counts_from_its_start),
        T(test_run_until_stopped),
        T(test_now_is_the_monotonic_clock),
        T(test_posts_from_threads),
        T(test_posts_are_bounded),
        T(test_work_and_done),
        T(test_watch_change_and_stop),
        T(test_watch_stopped_inside),
        T(test_watch_survives_errors),
        T(test_watch_of_what_cannot_be_polled),
        T(test_signal),
        T(test_heartbeat),
        cmocka_unit_test(test_close_waits_for_work_and_refuses_posts),
        cmocka_unit_test(test_close_runs_what_was_posted),
        cmocka_unit_test(test_nothing_starts_in_a_closing_loop),
        cmocka_unit_test(test_close_with_all_alive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
