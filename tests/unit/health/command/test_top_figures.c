/* What came between two looks at the board, and what a percentile of buckets is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "health/command/top_figures.h"

static struct board *board(void) {
    struct board *b = calloc(1, sizeof *b);
    assert_non_null(b);
    board_set(&b->worker_count, 2);
    board_set(&b->zone_count, 1);
    return b;
}

static void test_rates(void **state) {
    struct board *b = board();
    struct top_figures *then = calloc(1, sizeof *then), *now = calloc(1, sizeof *now);
    (void)state;
    board_set(&b->worker[0].queries[PROTO_UDP][FAMILY_V4], 100);
    top_read(then, b, 1000);
    board_set(&b->worker[0].queries[PROTO_UDP][FAMILY_V4], 600);
    board_set(&b->worker[1].queries[PROTO_TCP][FAMILY_V6], 500);
    board_set(&b->worker[1].responses[SOURCE_UPSTREAM][TOP_RCODE_SERVFAIL], 5);
    board_set(&b->worker[0].responses[SOURCE_ZONE][0], 15);
    board_set(&b->worker[0].upstream[3].queries[1][UPSTREAM_TIMEOUT], 7);
    board_set(&b->asked[0].listed, 2);
    board_set(&b->asked[0].unlisted, 4);
    top_read(now, b, 3000);
    top_between(now, then, now); /* in place */
    assert_int_equal(now->mono_ms, 2000);
    assert_int_equal(now->queries, 1000);
    assert_true(top_rate(now, now->queries) == 500);
    assert_int_equal(now->worker[1].queries, 500);
    assert_int_equal(now->servfail, 5);
    assert_true(top_share(now->servfail, now->answers[SOURCE_ZONE] + now->answers[SOURCE_UPSTREAM]) == 25);
    assert_int_equal(now->upstream[3].bad, 7);
    assert_int_equal(now->upstream[3].good, 0);
    assert_int_equal(now->asked[0], 6);
    free(then);
    free(now);
    free(b);
}

static void test_a_counter_that_runs_backwards_is_nothing(void **state) {
    struct board *b = board();
    struct top_figures *then = calloc(1, sizeof *then), *now = calloc(1, sizeof *now);
    (void)state;
    board_set(&b->worker[0].queries[PROTO_UDP][FAMILY_V4], 100);
    top_read(then, b, 5000);
    board_set(&b->worker[0].queries[PROTO_UDP][FAMILY_V4], 1);
    top_read(now, b, 4000);
    top_between(now, then, now);
    assert_int_equal(now->queries, 0);
    assert_int_equal(now->mono_ms, 0);
    assert_true(top_rate(now, 10) == 0);
    assert_true(top_share(1, 0) == 0);
    free(then);
    free(now);
    free(b);
}

static void test_a_board_that_lies_about_its_counts(void **state) {
    struct board *b = board();
    struct top_figures *now = calloc(1, sizeof *now);
    (void)state;
    board_set(&b->worker_count, UINT64_MAX);
    board_set(&b->zone_count, UINT64_MAX);
    board_set(&b->worker[LIMIT_WORKERS - 1].queries[PROTO_UDP][FAMILY_V4], 3);
    top_read(now, b, 1);
    assert_int_equal(now->queries, 3);
    free(now);
    free(b);
}

static void test_percentiles(void **state) {
    uint64_t n[BOARD_LATENCY_BUCKETS] = {0};
    (void)state;
    assert_true(top_percentile_us(n, 0.5) < 0);
    n[0] = 100;
    assert_true(top_percentile_us(n, 0.5) == board_latency_us[0] * 0.5);
    n[0] = 50;
    n[3] = 50; /* half of all in the fourth */
    assert_true(top_percentile_us(n, 0.5) == board_latency_us[0]);
    double p75 = top_percentile_us(n, 0.75);
    assert_true(p75 > board_latency_us[2] && p75 < board_latency_us[3]);
    memset(n, 0, sizeof n);
    n[BOARD_LATENCY_BUCKETS - 1] = 1; /* beyond all bounds: at least the last one */
    assert_true(top_percentile_us(n, 0.99) == board_latency_us[BOARD_LATENCY_BUCKETS - 2]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_a_counter_that_runs_backwards_is_nothing),
        cmocka_unit_test(test_a_board_that_lies_about_its_counts),
        cmocka_unit_test(test_percentiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
