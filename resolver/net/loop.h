/* The event loop: libuv behind a door, so that uv.h stays in this room (its facts: resolver/net/README.md).
 *
 * One loop per process (or thread), used by the thread that made it. A process that forks workers opens none before:
 * a child would share its epoll set and signal pipe. A heartbeat slot on the board, when given, is
 * written by a timer of the loop itself: it beats only while the loop turns. */
#ifndef CANDOR_NET_LOOP_H
#define CANDOR_NET_LOOP_H

#include <stdint.h>

#include "resolver/base/board.h"
#include "resolver/base/err.h"

struct loop;
struct loop_timer;
struct loop_watch;

int loop_open(struct loop **out, struct err *err) MUST_USE;
/* Runs until loop_stop. */
int loop_run(struct loop *l) MUST_USE;
/* One turn, waiting at most `ms` (tests). */
void loop_turn(struct loop *l, unsigned ms);
/* May be called from a signal callback of this loop or any callback. */
void loop_stop(struct loop *l);
/* Runs what was posted, waits for loop_work() that is under way and calls its `done`, closes every timer, watch,
 * server, exchange and control socket that is left, then frees all. None of their pointers may be used afterwards. Not
 * from inside a callback of this loop. Whoever posts from another thread has ended before. */
void loop_close(struct loop *l);
/* From another thread: makes `fn` run once on the loop's thread. The only call that other threads may make. E_FULL when
 * LOOP_POSTS wait, E_CLOSED after loop_close began. */
enum { LOOP_POSTS = 1024 };
int loop_post(struct loop *l, void (*fn)(void *ctx), void *ctx) MUST_USE;

/* Monotonic milliseconds as of the start of this turn: no system call. */
int64_t loop_now_ms(const struct loop *l);

/* Calls `fn` after `after_ms` from now, then each `every_ms` (0: once). NULL when memory is out. Cancel frees it, also
 * from inside fn; one-shot timers are freed after their call by the caller's cancel, too: each start wants one cancel.
 * 0 from inside a timer's fn runs in the same turn, before any socket is looked at: never again and again. */
typedef void (*loop_timer_fn)(void *ctx);
struct loop_timer *loop_timer_start(struct loop *l, uint64_t after_ms, uint64_t every_ms, loop_timer_fn fn, void *ctx);
void loop_timer_again(struct loop_timer *t, uint64_t after_ms); /* moves the next call */
void loop_timer_cancel(struct loop_timer *t);

typedef void (*loop_signal_fn)(void *ctx, int signum);
int loop_signal(struct loop *l, int signum, loop_signal_fn fn, void *ctx, struct err *err) MUST_USE;

/* Readable/writable on a descriptor that stays the caller's; level-triggered. LOOP_ERROR comes together with all that
 * was watched for: the next read or write on the descriptor says what is wrong, and must be made, or the error comes
 * again at once. Change to 0 pauses. Stop frees, also from inside fn, and must come before the descriptor is closed.
 * NULL when memory is out or the descriptor cannot be polled or is watched already. */
enum { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_ERROR = 4 };
typedef void (*loop_watch_fn)(void *ctx, int events);
struct loop_watch *loop_watch_start(struct loop *l, int fd, int events, loop_watch_fn fn, void *ctx);
void loop_watch_change(struct loop_watch *w, int events);
void loop_watch_stop(struct loop_watch *w);

/* Runs `work` on the thread pool (four threads), then `done` on the loop; exactly once each. For files and imports,
 * never for what a client waits on. */
int loop_work(struct loop *l, void (*work)(void *ctx), void (*done)(void *ctx), void *ctx) MUST_USE;

/* Heartbeat (the first one at once) and lag each BOARD_TICK_MS: of a process, and of a worker (either may be NULL). The
 * worker's idle and busy time too, and descriptors that could not be had (err_count). Of a process that uses
 * loop_work() also a canary for its thread pool (board_process.pool_*): pool_asked_ms stays set while it waits, and
 * pool_beat_ms goes on when other work comes back meanwhile. At most one a loop. */
int loop_beat(struct loop *l, struct board_process *p, struct board_worker *w) MUST_USE;

#endif
