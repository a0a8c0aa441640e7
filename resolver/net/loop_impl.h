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
    unsigned works;       /* on the thread pool */
    pthread_mutex_t lock; /* guards the four below */
    bool closing;
    unsigned first, count;
    struct loop_post posts[LOOP_POSTS];
};

#endif
