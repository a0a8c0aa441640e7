/* A canary for the thread pool: once a second a piece of work that does nothing. A pool whose threads all wait for
 * something is not seen from the loop, which turns on. One canary is under way at a time, and none before the pool was
 * used first: workers of the resolver never start its threads. */
#include "resolver/base/clock.h"
#include "resolver/net/loop_impl.h"

static void canary_work(uv_work_t *req) { (void)req; }

static void canary_back(uv_work_t *req, int status) {
    struct loop *l = req->data;
    (void)status;
    int64_t now_ns = clock_ns(CLOCK_KIND_MONO), lag_ns = now_ns - l->pool.asked_ns;
    l->pool.under_way = false;
    l->works--;
    board_set(&l->pool.slot->pool_lag_us, lag_ns > 0 ? (uint64_t)lag_ns / 1000 : 0);
    board_set(&l->pool.slot->pool_beat_ms, (uint64_t)(now_ns / NS_PER_MS));
    board_set(&l->pool.slot->pool_asked_ms, 0);
}

void loop_pool_open(struct loop *l, struct board_process *slot) {
    l->pool.slot = slot;
    board_set(&slot->pool_asked_ms, 0);
    board_set(&slot->pool_beat_ms, 0);
    board_set(&slot->pool_lag_us, 0);
}

void loop_pool_moved(struct loop *l) {
    if (l->pool.under_way)
        board_set(&l->pool.slot->pool_beat_ms, (uint64_t)clock_mono_ms());
}

void loop_pool_tick(struct loop *l) {
    int64_t now_ns = clock_ns(CLOCK_KIND_MONO);
    if (!l->pool.used || l->pool.under_way || loop_closing(l) || now_ns - l->pool.asked_ns < LOOP_CANARY_MS * NS_PER_MS)
        return;
    l->pool.asked_ns = now_ns;
    l->pool.req.data = l;
    if (uv_queue_work(&l->uv, &l->pool.req, canary_work, canary_back) != 0)
        return;
    l->works++;
    l->pool.under_way = true;
    board_set(&l->pool.slot->pool_asked_ms, (uint64_t)(now_ns / NS_PER_MS));
}
