/* The traffic of the last minutes: rates and percentiles of windows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "health/web/pulse.h"

struct world {
    struct board *board;
    struct pulse pulse;
};

static int set_up(void **state) {
    struct world *w = calloc(1, sizeof(*w));
    w->board = calloc(1, sizeof(*w->board));
    board_set(&w->board->worker_count, 2);
    *state = w;
    return 0;
}

static int tear_down(void **state) {
    struct world *w = *state;
    free(w->board);
    free(w);
    return 0;
}

static void count(struct world *w, unsigned worker, uint64_t n) {
    board_add(&w->board->worker[worker].queries[PROTO_UDP][FAMILY_V4], n);
    board_add(&w->board->worker[worker].responses[SOURCE_ZONE][0], n);
    board_add(&w->board->worker[worker].latency[SOURCE_ZONE][0], n);
}

static void test_nothing_is_known_at_first(void **state) {
    struct world *w = *state;
    struct pulse_sample s;
    assert_false(pulse_window(&w->pulse, PULSE_WINDOW, &s));
    pulse_note(&w->pulse, w->board, 1000);
    assert_false(pulse_window(&w->pulse, PULSE_WINDOW, &s));
    assert_false(pulse_step(&w->pulse, 0, &s));
    assert_true(pulse_rate(&s, 5) == 0);
    assert_true(pulse_percentile_us(&s, SOURCE_COUNT, 0.5) < 0);
}

static void test_a_window(void **state) {
    struct world *w = *state;
    struct pulse_sample s;
    count(w, 0, 1000);
    pulse_note(&w->pulse, w->board, 0);
    count(w, 0, 50);
    count(w, 1, 50);
    pulse_note(&w->pulse, w->board, PULSE_STEP_MS - 1); /* too soon */
    pulse_note(&w->pulse, w->board, PULSE_STEP_MS);
    assert_true(pulse_window(&w->pulse, PULSE_WINDOW, &s)); /* as far back as there is */
    assert_int_equal(s.mono_ms, PULSE_STEP_MS);
    assert_int_equal(s.queries, 100);
    assert_true(pulse_rate(&s, s.queries) == 20);
    assert_int_equal(s.answers[SOURCE_ZONE], 100);
    assert_true(pulse_percentile_us(&s, SOURCE_ZONE, 0.5) == board_latency_us[0] * 0.5);
    assert_true(pulse_percentile_us(&s, SOURCE_CACHE, 0.5) < 0);
    assert_false(pulse_step(&w->pulse, 1, &s));
}

static void test_it_is_a_ring(void **state) {
    struct world *w = *state;
    struct pulse_sample s;
    unsigned steps = 0;
    for (int i = 0; i < 3 * PULSE_SAMPLES; i++) {
        count(w, 0, 10);
        pulse_note(&w->pulse, w->board, (int64_t)i * PULSE_STEP_MS);
    }
    while (pulse_step(&w->pulse, steps, &s)) {
        assert_int_equal(s.queries, 10);
        steps++;
    }
    assert_int_equal(steps, PULSE_SAMPLES - 1);
    assert_true(pulse_window(&w->pulse, PULSE_WINDOW, &s));
    assert_int_equal(s.queries, 10 * PULSE_WINDOW);
    assert_true(pulse_window(&w->pulse, 1000, &s));
    assert_int_equal(s.queries, 10 * (PULSE_SAMPLES - 1));
}

static void test_what_ran_backwards_is_nothing(void **state) {
    struct world *w = *state;
    struct pulse_sample s;
    count(w, 0, 1000);
    pulse_note(&w->pulse, w->board, 0);
    board_set(&w->board->worker_count, UINT64_MAX); /* hostile, too */
    board_set(&w->board->worker[0].queries[PROTO_UDP][FAMILY_V4], 3);
    pulse_note(&w->pulse, w->board, PULSE_STEP_MS);
    assert_true(pulse_window(&w->pulse, PULSE_WINDOW, &s));
    assert_int_equal(s.queries, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_is_known_at_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_window, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_is_a_ring, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_ran_backwards_is_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
