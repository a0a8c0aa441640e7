/* When whom: every case is a row of events with the time they come at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rbl/secondary/schedule.h"

static uint32_t middle(uint32_t bound) { return bound / 2; }
static uint32_t lowest(uint32_t bound) {
    (void)bound;
    return 0;
}
static uint32_t highest(uint32_t bound) { return bound - 1; }

static void open_with(struct schedule *s, unsigned count) {
    schedule_open(s, count, 0);
    s->random = middle;
    schedule_times(s, 100, 20, 1000);
}

static unsigned ask_all(struct schedule *s, int64_t now) {
    unsigned mask = 0;
    for (int i; (i = schedule_ask(s, now)) >= 0;)
        mask |= 1U << i;
    return mask;
}

static void serials_go_round(void **state) {
    (void)state;
    static const struct {
        uint32_t a, b;
        bool newer;
    } rows[] = {{2, 1, true},           {1, 2, false},          {1, 1, false},
                {0, 0xFFFFFFFF, true},  {5, 0xFFFFFFF0, true},  {0xFFFFFFF0, 5, false},
                {0x80000000, 0, false}, {0, 0x80000000, false}, {0x7FFFFFFF, 0, true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(serial_newer(rows[i].a, rows[i].b), rows[i].newer);
}

static void all_are_asked_at_start_and_once(void **state) {
    (void)state;
    struct schedule s;
    open_with(&s, 3);
    assert_int_equal(ask_all(&s, 0), 7);
    assert_int_equal(ask_all(&s, 1000000), 0); /* until they answer */
}

static void refresh_varies_by_a_tenth(void **state) {
    (void)state;
    static const struct {
        uint32_t (*random)(uint32_t);
        int64_t least, most;
    } rows[] = {{lowest, 89999, 90001}, {middle, 99999, 100001}, {highest, 109999, 110001}};
    for (size_t i = 0; i < 3; i++) {
        struct schedule s;
        open_with(&s, 1);
        s.random = rows[i].random;
        assert_int_equal(ask_all(&s, 0), 1);
        schedule_said(&s, 0, 7, 0, 0);
        assert_int_equal(ask_all(&s, rows[i].least - 1), 0);
        assert_int_equal(ask_all(&s, rows[i].most + 1), 1);
    }
}

static void silence_backs_off_to_retry(void **state) {
    (void)state;
    struct schedule s;
    int64_t now = 0, waits[10];
    open_with(&s, 1);
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(ask_all(&s, now), 1);
        schedule_failed(&s, 0, now);
        waits[i] = s.primary[0].ask_ms - now;
        now = s.primary[0].ask_ms;
    }
    static const int64_t want[] = {1000, 2000, 4000, 8000, 16000, 20000, 20000, 20000, 20000, 20000};
    for (size_t i = 0; i < 10; i++)
        assert_in_range(waits[i], want[i] - 1, want[i] + 1);
    schedule_times(&s, 1000000, 500000, 1000); /* a retry time of days: all the same within a minute */
    for (size_t i = 0; i < 20; i++)
        schedule_failed(&s, 0, now);
    assert_in_range(s.primary[0].ask_ms - now, 1, 66000);
}

static void times_are_bounded(void **state) {
    (void)state;
    struct schedule s;
    open_with(&s, 1);
    schedule_times(&s, 0, 0, 0);
    assert_true(s.refresh_s > 0 && s.retry_s > 0 && s.expire_s > 0);
    schedule_times(&s, UINT32_MAX, UINT32_MAX, UINT32_MAX);
    assert_int_equal(s.refresh_s, SCHEDULE_SECONDS_MOST);
    assert_int_equal(ask_all(&s, 0), 1);
    schedule_said(&s, 0, 1, 0, 0);
    assert_true(s.primary[0].ask_ms > 0);
}

/* The first zone that comes has a refresh time shorter than what was assumed before. */
static void a_shorter_refresh_counts_at_once(void **state) {
    (void)state;
    struct schedule s;
    schedule_open(&s, 1, 0);
    s.random = highest;
    assert_int_equal(ask_all(&s, 0), 1);
    schedule_said(&s, 0, 7, 0, 10);
    schedule_times(&s, 2, 1, 10);
    assert_int_equal(ask_all(&s, 1000), 0);
    assert_int_equal(ask_all(&s, 2201), 1);
    schedule_said(&s, 0, 7, 0, 2201);
    int64_t due = s.primary[0].ask_ms;
    schedule_times(&s, 2, 1, 10); /* what varies is left alone */
    assert_int_equal(s.primary[0].ask_ms, due);
}

static void notify_is_a_hint(void **state) {
    (void)state;
    struct schedule s;
    open_with(&s, 2);
    assert_int_equal(ask_all(&s, 0), 3);
    schedule_hint(&s, 0, NULL, 1); /* one is under way: remembered, once */
    schedule_hint(&s, 0, NULL, 2);
    assert_int_equal(ask_all(&s, 500), 0);
    schedule_said(&s, 0, 5, 0, 500);
    schedule_said(&s, 1, 5, 0, 500);
    assert_int_equal(ask_all(&s, 500), 1);
    schedule_said(&s, 0, 5, 0, 510);
    assert_int_equal(ask_all(&s, 1000), 0);
    /* not more often than that, however many come */
    for (int i = 0; i < 100; i++)
        schedule_hint(&s, 0, NULL, 520);
    assert_int_equal(ask_all(&s, 520), 0);
    assert_int_equal(ask_all(&s, 500 + SCHEDULE_HINT_MS), 1);
    schedule_said(&s, 0, 5, 0, 800);
    /* what we have needs no question; what it has not, or nobody knows, does */
    schedule_have(&s, 5);
    uint32_t ours = 5, newer = 6;
    schedule_hint(&s, 0, &ours, 5000);
    assert_int_equal(ask_all(&s, 5000), 0);
    schedule_hint(&s, 0, &newer, 5000);
    assert_int_equal(ask_all(&s, 5000), 1);
    schedule_failed(&s, 0, 5000);
    schedule_hint(&s, 0, &ours, 5300); /* it did not answer: it does now */
    assert_int_equal(ask_all(&s, 5300), 1);
}

static void the_newest_wins_and_the_dead_are_left_out(void **state) {
    (void)state;
    static const struct {
        uint32_t ours;
        bool have;
        int64_t says[3]; /* -1: silent */
        int want;
    } rows[] = {
        {0, false, {-1, -1, -1}, -1},      {0, false, {5, -1, -1}, 0}, {0, false, {5, 6, 6}, 1},
        {5, true, {5, 5, 5}, -1},          {5, true, {4, 5, 6}, 2},    {5, true, {6, 6, 6}, 0},
        {5, true, {-1, 6, 9}, 2},          {5, true, {4, 3, -1}, -1},  {0xFFFFFFFF, true, {0xFFFFFFFE, 1, 0}, 1},
        {0, true, {0x80000000, 0, 0}, -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct schedule s;
        open_with(&s, 3);
        if (rows[i].have)
            schedule_have(&s, rows[i].ours);
        (void)ask_all(&s, 0);
        for (unsigned p = 0; p < 3; p++)
            if (rows[i].says[p] < 0)
                schedule_failed(&s, p, 10);
            else
                schedule_said(&s, p, (uint32_t)rows[i].says[p], 0, 10);
        assert_int_equal(schedule_transfer(&s, 10), rows[i].want);
        assert_int_equal(schedule_transfer(&s, 10), -1); /* one at a time */
    }
}

static void a_broken_transfer_goes_to_another(void **state) {
    (void)state;
    struct schedule s;
    open_with(&s, 2);
    (void)ask_all(&s, 0);
    schedule_said(&s, 0, 9, 0, 0);
    schedule_said(&s, 1, 9, 0, 0);
    assert_int_equal(schedule_transfer(&s, 0), 0);
    schedule_ended(&s, 0, SCHEDULE_BROKEN, 0, 0);
    assert_int_equal(schedule_transfer(&s, 0), 1);
    schedule_ended(&s, 1, SCHEDULE_BROKEN, 0, 0);
    assert_int_equal(schedule_transfer(&s, 500), -1);
    assert_int_equal(schedule_transfer(&s, 2000), 0);
    schedule_ended(&s, 0, SCHEDULE_DONE, 9, 2000);
    assert_int_equal(schedule_transfer(&s, 100000), -1);
    assert_int_equal(s.serial, 9);
}

static void what_was_refused_is_not_taken_again(void **state) {
    (void)state;
    struct schedule s;
    open_with(&s, 2);
    schedule_have(&s, 4);
    (void)ask_all(&s, 0);
    schedule_said(&s, 0, 5, 0, 0);
    schedule_said(&s, 1, 5, 0, 0);
    assert_int_equal(schedule_transfer(&s, 0), 0);
    schedule_ended(&s, 0, SCHEDULE_REFUSED, 5, 0);
    assert_int_equal(schedule_transfer(&s, 1000000), -1);
    schedule_said(&s, 1, 6, 0, 10);
    assert_int_equal(schedule_transfer(&s, 1000000), 1);
}

static void whole_takes_what_is_older(void **state) {
    (void)state;
    struct schedule s;
    open_with(&s, 2);
    schedule_have(&s, 50);
    (void)ask_all(&s, 0);
    schedule_said(&s, 0, 3, 0, 0);
    schedule_said(&s, 1, 50, 0, 0);
    assert_int_equal(schedule_transfer(&s, 0), -1);
    schedule_whole(&s, 0, 1000);
    assert_int_equal(schedule_transfer(&s, 1000), 0);
    schedule_ended(&s, 0, SCHEDULE_DONE, 3, 1000);
    assert_int_equal(s.serial, 3);
    assert_false(s.whole);
}

static void a_held_question_stands_for_polling(void **state) {
    (void)state;
    struct schedule s;
    open_with(&s, 1);
    (void)ask_all(&s, 0);
    schedule_said(&s, 0, 3, 5000, 0);
    s.primary[0].held = true;
    assert_int_equal(ask_all(&s, 10000000), 0);
    schedule_hint(&s, 0, NULL, 10000000);
    assert_int_equal(ask_all(&s, 10000000), 1);
    schedule_failed(&s, 0, 10000000); /* and whoever held it knows no more */
    assert_false(s.primary[0].held);
    assert_int_equal(ask_all(&s, 10002000), 1);
}

static void many_primaries_are_cut(void **state) {
    (void)state;
    struct schedule s;
    schedule_open(&s, 1000, 0);
    assert_int_equal(s.count, SCHEDULE_PRIMARIES);
    schedule_open(&s, 0, 0);
    assert_int_equal(schedule_ask(&s, 100), -1);
    assert_int_equal(schedule_transfer(&s, 100), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serials_go_round),
        cmocka_unit_test(all_are_asked_at_start_and_once),
        cmocka_unit_test(refresh_varies_by_a_tenth),
        cmocka_unit_test(silence_backs_off_to_retry),
        cmocka_unit_test(times_are_bounded),
        cmocka_unit_test(a_shorter_refresh_counts_at_once),
        cmocka_unit_test(notify_is_a_hint),
        cmocka_unit_test(the_newest_wins_and_the_dead_are_left_out),
        cmocka_unit_test(a_broken_transfer_goes_to_another),
        cmocka_unit_test(what_was_refused_is_not_taken_again),
        cmocka_unit_test(whole_takes_what_is_older),
        cmocka_unit_test(a_held_question_stands_for_polling),
        cmocka_unit_test(many_primaries_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
