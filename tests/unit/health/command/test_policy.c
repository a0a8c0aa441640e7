#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "health/command/policy.h"

static const struct policy three_in_ten_minutes = {3, 600000};

static void test_the_first_death_is_followed_at_once(void **state) {
    struct policy_record r = {0};
    (void)state;
    assert_int_equal(policy_died(&r, 0), 0);
    assert_int_equal(policy_died(&r, 0), POLICY_DELAY_MS);
}

static void test_dying_young_again_and_again_waits_longer_up_to_a_limit(void **state) {
    struct policy_record r = {0};
    int64_t last = policy_died(&r, 5);
    (void)state;
    for (int i = 0; i < POLICY_PATIENCE; i++)
        assert_int_equal(policy_died(&r, 5), POLICY_DELAY_MS);
    assert_int_equal(policy_died(&r, 5), 2 * POLICY_DELAY_MS);
    assert_int_equal(policy_died(&r, 5), 4 * POLICY_DELAY_MS);
    for (int i = 0; i < 40; i++) {
        int64_t delay = policy_died(&r, 5);
        assert_true(delay >= last && delay <= POLICY_LONGEST_DELAY_MS);
        last = delay;
    }
    assert_int_equal(last, POLICY_LONGEST_DELAY_MS);
}

static void test_a_life_makes_up_for_early_deaths(void **state) {
    struct policy_record r = {0};
    (void)state;
    for (int i = 0; i < 60; i++)
        (void)policy_died(&r, 0);
    assert_true(policy_died(&r, 3000) <= POLICY_LONGEST_DELAY_MS / 8);
    for (int i = 0; i < 60; i++)
        (void)policy_died(&r, 0);
    assert_int_equal(policy_died(&r, 60000), 0);
    assert_int_equal(policy_died(&r, INT64_MAX), 0);
}

/* Killed at any moment, time and again, young and old: it is back within a second. */
static void test_killed_at_random_is_back_within_a_second(void **state) {
    struct policy_record r = {0};
    (void)state;
    for (int i = 0; i < 1000; i++)
        assert_true(policy_died(&r, (i * 7919) % 1500) <= 200);
}

static void test_clock_of_a_confused_caller_does_no_harm(void **state) {
    struct policy_record r = {0};
    (void)state;
    assert_int_equal(policy_died(&r, -5), 0);
    assert_int_equal(policy_died(&r, INT64_MIN), POLICY_DELAY_MS);
    assert_int_equal(r.deaths, 2);
}

static void test_hangs_are_rationed(void **state) {
    struct policy_record r = {0};
    const struct policy *p = &three_in_ten_minutes;
    (void)state;
    assert_int_equal(policy_hung(&r, p, 1000), 0);
    assert_int_equal(policy_hung(&r, p, 21000), 0);
    assert_int_equal(policy_hung(&r, p, 41000), 0);
    assert_int_equal(policy_hung(&r, p, 61000), p->within_ms);
}

static void test_the_ration_comes_back_with_time(void **state) {
    struct policy_record r = {0};
    const struct policy *p = &three_in_ten_minutes;
    (void)state;
    for (int i = 0; i < 20; i++)
        assert_int_equal(policy_hung(&r, p, 1000 + i * (p->within_ms / 3 + 1)), 0);
}

static void test_beyond_the_ration_one_try_a_window(void **state) {
    struct policy_record r = {0};
    const struct policy *p = &three_in_ten_minutes;
    int64_t now = 1000;
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(policy_hung(&r, p, now), 0);
    assert_int_equal(policy_hung(&r, p, now), p->within_ms);
    for (int i = 0; i < 5; i++) {
        now += p->within_ms + 20000; /* down for a window, tried, hung within 20 s */
        assert_int_equal(policy_hung(&r, p, now), p->within_ms);
    }
    now += p->within_ms + p->within_ms + 1; /* tried, and well for a whole window */
    assert_int_equal(policy_hung(&r, p, now), 0);
    assert_int_equal(policy_hung(&r, p, now), 0);
}

static void test_ration_of_none_and_a_huge_one(void **state) {
    struct policy_record none = {0}, many = {0};
    const struct policy zero = {0, 600000}, huge = {UINT32_MAX, 600000};
    (void)state;
    assert_int_equal(policy_hung(&none, &zero, 1000), 600000);
    for (int i = 0; i < POLICY_HUNG_KEPT; i++)
        assert_int_equal(policy_hung(&many, &huge, 1000 + i), 0);
    assert_int_equal(policy_hung(&many, &huge, 2000), 600000);
}

static void test_a_window_of_nothing_still_waits(void **state) {
    struct policy_record r = {0};
    const struct policy p = {0, 0};
    (void)state;
    assert_true(policy_hung(&r, &p, 5) > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_death_is_followed_at_once),
        cmocka_unit_test(test_dying_young_again_and_again_waits_longer_up_to_a_limit),
        cmocka_unit_test(test_a_life_makes_up_for_early_deaths),
        cmocka_unit_test(test_killed_at_random_is_back_within_a_second),
        cmocka_unit_test(test_clock_of_a_confused_caller_does_no_harm),
        cmocka_unit_test(test_hangs_are_rationed),
        cmocka_unit_test(test_the_ration_comes_back_with_time),
        cmocka_unit_test(test_beyond_the_ration_one_try_a_window),
        cmocka_unit_test(test_ration_of_none_and_a_huge_one),
        cmocka_unit_test(test_a_window_of_nothing_still_waits),
    };
    return cmocka_run_group_tests_name("command_policy", tests, NULL, NULL);
}
