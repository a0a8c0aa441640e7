/* Inside of the loop, for this room only: the one header that knows libuv's types. Which handle is freed when stands in
 * resolver/net/README.md. */
#ifndef CANDOR_NET_LOOP_IMPL_H
#define CANDOR_NET_LOOP_IMPL_H

#include <pthread.h>
#include <stdbool.h>
#include <uv.h>

#include "resolver/net/loop_owned.h"

struct loop_post {
    void (*fn)(void *ctx);
    void *ctx;
};

struct loop {
    uv_loop_t uv;
    uv_async_t wake; /* keeps the loop alive, too: without an active handle uv_run returns */
    uv_timer_t turn; /* bounds loop_turn */
    struct loop_owned *owned[LOOP_OWNED_KINDS];
    struct loop_beat *beat;
    uint8_t *scratch;
    unsigned works; /* on the thread pool, the canary among them */
    struct {
        bool used, under_way;
        int64_t asked_ns;
        struct board_process *slot; /* NULL: there is no canary */
        uv_work_t req;
    } pool;
    pthread_mutex_t lock; /* guards the four below */
    bool closing;
    unsigned first, count;
    struct loop_post posts[LOOP_POSTS];
};

/* loop_pool.c: the canary of a process with a slot, once each LOOP_CANARY_MS, from the heartbeat. */
enum { LOOP_CANARY_MS = 1000 };
void loop_pool_open(struct loop *l, struct board_process *slot);
void loop_pool_tick(struct loop *l);
/* Other work came back while the canary waits: a pool that has much to do is not one that hangs. */
void loop_pool_moved(struct loop *l);

#endif
