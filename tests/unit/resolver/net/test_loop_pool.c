/* The canary of the thread pool, and descriptors that could not be had, on the board. */
#include <errno.h>
#include <pthread.h>

#include "tests/unit/resolver/net/help.h"

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t opened;
    bool open;
    unsigned done;
};

static struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0};

static void wait_at_gate(void *ctx) {
    struct gate *g = ctx;
    pthread_mutex_lock(&g->lock);
    while (!g->open)
        pthread_cond_wait(&g->opened, &g->lock);
    pthread_mutex_unlock(&g->lock);
}

static void back(void *ctx) { ((struct gate *)ctx)->done++; }
static void nothing(void *ctx) { (void)ctx; }

static void set_gate(bool open) {
    pthread_mutex_lock(&gate.lock);
    gate.open = open;
    pthread_cond_broadcast(&gate.opened);
    pthread_mutex_unlock(&gate.lock);
}

static void test_no_canary_before_use(void **state) {
    struct board_process p = {0};
    struct board_worker w = {0};
    struct loop *l;
    (void)state;
    assert_int_equal(loop_open(&l, NULL), 0);
    assert_int_equal(loop_beat(l, &p, &w), 0);
    uint64_t first = board_get(&p.heartbeat_ms);
    TURN_UNTIL(l, board_get(&p.heartbeat_ms) > first + 1000 + BOARD_TICK_MS);
    assert_int_equal(board_get(&p.pool_asked_ms), 0);
    assert_int_equal(board_get(&p.pool_beat_ms), 0);
    loop_close(l);
}

static void test_canary_waits_with_the_pool(void **state) {
    struct board_process p = {.pool_asked_ms = 77, .pool_beat_ms = 77}; /* of one that was killed */
    struct loop *l;
    (void)state;
    assert_int_equal(loop_open(&l, NULL), 0);
    assert_int_equal(loop_beat(l, &p, NULL), 0);
    assert_int_equal(board_get(&p.pool_asked_ms), 0);
    assert_int_equal(loop_work(l, nothing, NULL, NULL), 0);
    TURN_UNTIL(l, board_get(&p.pool_beat_ms) > 0);
    set_gate(false);
    for (int i = 0; i < 4; i++)
        assert_int_equal(loop_work(l, wait_at_gate, back, &gate), 0);
    TURN_UNTIL(l, board_get(&p.pool_asked_ms) > 0);
    uint64_t asked = board_get(&p.pool_asked_ms), beat = board_get(&p.pool_beat_ms), tick = board_get(&p.heartbeat_ms);
    TURN_UNTIL(l, board_get(&p.heartbeat_ms) > tick + 1000 + 2 * BOARD_TICK_MS);
    assert_int_equal(board_get(&p.pool_asked_ms), asked); /* one is under way, and no second one */
    assert_int_equal(board_get(&p.pool_beat_ms), beat);
    set_gate(true);
    TURN_UNTIL(l, gate.done == 4 && board_get(&p.pool_asked_ms) != asked && board_get(&p.pool_lag_us) >= 1000000);
    assert_true(board_get(&p.pool_beat_ms) > beat);
    loop_close(l);
}

static void test_loop_closes_with_a_canary_under_way(void **state) {
    struct board_process p = {0};
    struct loop *l;
    (void)state;
    assert_int_equal(loop_open(&l, NULL), 0);
    assert_int_equal(loop_beat(l, &p, NULL), 0);
    assert_int_equal(loop_work(l, nothing, NULL, NULL), 0);
    TURN_UNTIL(l, board_get(&p.pool_asked_ms) > 0 || board_get(&p.pool_beat_ms) > 0);
    loop_close(l);
    assert_int_equal(board_get(&p.pool_asked_ms), 0);
}

static void test_descriptors_are_counted(void **state) {
    struct board_process p = {0};
    struct board_worker w = {0};
    struct loop *l;
    (void)state;
    unsigned long before = err_descriptors_out();
    errno = EMFILE;
    (void)err_errno(NULL, "nobody wants the words");
    err_count(ENFILE);
    err_count(ENOENT);
    errno = ENOENT;
    (void)err_errno(NULL, "something else");
    assert_int_equal(err_descriptors_out() - before, 2);
    assert_int_equal(loop_open(&l, NULL), 0);
    assert_int_equal(loop_beat(l, &p, &w), 0);
    TURN_UNTIL(l, board_get(&p.fd_errors) == err_descriptors_out());
    err_count(EMFILE);
    TURN_UNTIL(l, board_get(&w.fd_errors) == err_descriptors_out());
    loop_close(l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_canary_before_use),
        cmocka_unit_test(test_canary_waits_with_the_pool),
        cmocka_unit_test(test_loop_closes_with_a_canary_under_way),
        cmocka_unit_test(test_descriptors_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
