/* phi, the score of own lateness, and the quorum: tables. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "health/peers/known.h"

static double error_of(double got, double want) { return fabs(got - want); }

/* -log10 of the tail of the normal distribution: 1.0 deviation 0.7995, 2: 1.6430, 3: 2.8697, 4: 4.4993, 5: 6.5427. */
static void at_known_deviations(void **state) {
    static const double want[] = {0.30103, 0.7995, 1.6430, 2.8697, 4.4993, 6.5427};
    struct phi p;
    (void)state;
    phi_open(&p, 1000);
    for (int64_t t = 1000; t <= 101000; t += 1000)
        phi_heard(&p, t);
    for (int i = 0; i < 6; i++) { /* mean 1000, deviation at its floor of 500 */
        double got = phi_now(&p, 101000 + 1000 + 500 * i);
        assert_true(error_of(got, want[i]) < 0.01);
    }
}

static void it_grows_and_never_falls_in_silence(void **state) {
    struct phi p;
    double before = 0;
    (void)state;
    phi_open(&p, 2500);
    phi_heard(&p, 1);
    for (int64_t t = 1; t < 10000000; t += t / 2 + 1) {
        double now = phi_now(&p, t);
        assert_true(now >= before && now <= PHI_MOST);
        before = now;
    }
    assert_true(before == PHI_MOST);
}

static void a_punctual_peer_is_not_dead_for_being_a_little_late(void **state) {
    struct phi p;
    (void)state;
    phi_open(&p, 1000);
    for (int64_t t = 1000; t <= 500000; t += 1000)
        phi_heard(&p, t);
    assert_true(phi_now(&p, 500000 + 1500) < 1);
    assert_true(phi_now(&p, 500000 + 2500) < PHI_DEAD);
    assert_true(phi_now(&p, 500000 + 10000) > PHI_DEAD);
}

static void habits_are_learned(void **state) {
    struct phi p;
    int64_t t = 1000;
    (void)state;
    phi_open(&p, 1000);
    phi_heard(&p, t);
    for (int i = 0; i < 500; i++)
        phi_heard(&p, t += 5000);
    assert_true(error_of(p.mean_ms, 5000) < 50);
    assert_true(phi_now(&p, t + 5000) < 1);
}

static void never_heard_is_not_known(void **state) {
    struct phi p;
    (void)state;
    phi_open(&p, 0);
    assert_true(phi_now(&p, 1000000) == 0);
    phi_heard(&p, 5000);
    phi_heard(&p, 4000); /* a clock that runs backwards teaches nothing */
    assert_true(p.last_ms == 5000);
    assert_true(phi_now(&p, 4000) == 0);
}

static void score_goes_up_with_doubt_and_down_when_all_is_well(void **state) {
    static const struct {
        unsigned from;
        struct score_round round;
        unsigned to;
    } table[] = {
        {0, {.well = true}, 0},
        {0, {.late = true, .well = true}, 1},
        {0, {.unconfirmed = 5}, 1},
        {3, {.late = true, .unconfirmed = 1}, 5},
        {PEERS_SCORE_MAX, {.late = true}, PEERS_SCORE_MAX},
        {7, {.late = true, .unconfirmed = 2}, PEERS_SCORE_MAX},
        {3, {.well = true}, 2},
        {3, {.well = false}, 3}, /* nothing was heard: no reason to believe oneself more */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        assert_int_equal(score_next(table[i].from, &table[i].round), table[i].to);
    assert_int_equal(score_needed(0), 2);
    assert_int_equal(score_needed(8), 10);
    assert_int_equal(score_patience_ms(0, 1500, 10000), 1500);
    assert_int_equal(score_patience_ms(2, 1500, 10000), 4500);
    assert_int_equal(score_patience_ms(8, 1500, 10000), 10000);
    assert_int_equal(score_patience_ms(8, UINT32_MAX, 10), UINT32_MAX);
}

static void quorum_table(void **state) {
    static const struct {
        size_t configured, heard;
        bool lost;
    } table[] = {{0, 0, false}, {1, 0, false}, {2, 2, false}, {2, 1, false},   {2, 0, true},  {3, 2, false},
                 {3, 1, true},  {4, 2, false}, {4, 1, true},  {63, 32, false}, {63, 31, true}};
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        assert_int_equal(quorum_is_lost(table[i].configured, table[i].heard), table[i].lost);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_known_deviations),
        cmocka_unit_test(it_grows_and_never_falls_in_silence),
        cmocka_unit_test(a_punctual_peer_is_not_dead_for_being_a_little_late),
        cmocka_unit_test(habits_are_learned),
        cmocka_unit_test(never_heard_is_not_known),
        cmocka_unit_test(score_goes_up_with_doubt_and_down_when_all_is_well),
        cmocka_unit_test(quorum_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
