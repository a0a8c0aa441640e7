/* What a monitor makes of reports, of silence, and of its own questions: tables of moments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "health/monitor/watched.h"
#include "resolver/base/bytes.h"

enum { PUSH = 15000 };

static struct watched fresh(void) { return (struct watched){.name = "a", .push_ms = PUSH, .since_ms = 1000}; }

static struct report said(uint64_t boot, uint64_t sequence, int64_t wall_ms, enum verdict_state s, bool ready) {
    struct report r = {.node = "a", .boot = boot, .sequence = sequence, .wall_ms = wall_ms, .overall = (uint8_t)s};
    r.ready = ready;
    return r;
}

static void sequences(void **ctx) {
    (void)ctx;
    static const struct {
        uint64_t boot, sequence;
        int64_t wall_ms;
        enum watched_take take;
        uint64_t missed;
    } rows[] = {
        {1, 5, 100, WATCHED_NEW, 0},   /* met half-way: what came before is no loss of ours */
        {1, 6, 200, WATCHED_NEW, 0},   /* */
        {1, 6, 200, WATCHED_AGAIN, 0}, /* sent again */
        {1, 5, 100, WATCHED_OLD, 0},   /* a repeated datagram */
        {1, 9, 500, WATCHED_NEW, 2},   /* 7 and 8 never came */
        {2, 1, 600, WATCHED_NEW, 2},   /* restarted */
        {1, 10, 550, WATCHED_OLD, 2},  /* of the boot that is over */
        {2, 2, 700, WATCHED_NEW, 2},   /* */
        {3, 3, 800, WATCHED_NEW, 4},   /* restarted again, and its first two were lost */
    };
    struct watched w = fresh();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct report r = said(rows[i].boot, rows[i].sequence, rows[i].wall_ms, VERDICT_PASS, true);
        assert_int_equal(watched_report(&w, &r, 2000 + (int64_t)i, rows[i].wall_ms), rows[i].take);
        assert_int_equal(w.missed, rows[i].missed);
    }
    assert_int_equal(w.repeated, 3);
}

static void silence(void **ctx) {
    (void)ctx;
    char text[256];
    struct watched w = fresh();
    assert_int_equal(watched_judge(&w, 1000 + PUSH, text, sizeof text), VERDICT_UNKNOWN);
    assert_int_equal(watched_judge(&w, 1000 + 3 * PUSH, text, sizeof text), VERDICT_FAIL);
    assert_non_null(strstr(text, "no report"));
    struct report r = said(1, 1, 1, VERDICT_PASS, true);
    watched_report(&w, &r, 50000, 1);
    assert_int_equal(watched_judge(&w, 50000 + PUSH * 5 / 2, text, sizeof text), VERDICT_PASS);
    /* The last word was green: silence is not. */
    assert_int_equal(watched_judge(&w, 50001 + PUSH * 5 / 2, text, sizeof text), VERDICT_FAIL);
    assert_non_null(strstr(text, "silent for 37 s; its last word, number 1, was pass, ready"));
    /* A repeated datagram is no sign of life. */
    watched_report(&w, &r, 50001 + PUSH * 5 / 2, 1);
    assert_int_equal(watched_judge(&w, 50002 + PUSH * 5 / 2, text, sizeof text), VERDICT_FAIL);
}

static void own_word(void **ctx) {
    (void)ctx;
    static const enum verdict_state says[] = {VERDICT_PASS, VERDICT_WARN, VERDICT_FAIL, VERDICT_UNKNOWN};
    static const enum verdict_state want[] = {VERDICT_PASS, VERDICT_WARN, VERDICT_FAIL, VERDICT_FAIL};
    char text[256];
    for (size_t i = 0; i < ARRAY_SIZE(says); i++) {
        struct watched w = fresh();
        struct report r = said(1, 1, 1, says[i], true);
        watched_report(&w, &r, 1000, 1);
        assert_int_equal(watched_judge(&w, 1001, text, sizeof text), want[i]);
    }
}

/* Two monitors that watch each other: what one says of others is nothing that the other one holds against it. */
static void of_others(void **ctx) {
    (void)ctx;
    static const struct {
        uint8_t monitor, worker;
        enum verdict_state want;
    } rows[] = {{VERDICT_FAIL, VERDICT_PASS, VERDICT_PASS},  {VERDICT_UNKNOWN, VERDICT_WARN, VERDICT_WARN},
                {VERDICT_WARN, VERDICT_FAIL, VERDICT_FAIL},  {VERDICT_FAIL, VERDICT_UNKNOWN, VERDICT_FAIL},
                {VERDICT_FAIL, REPORT_ABSENT, VERDICT_PASS}, {REPORT_ABSENT, VERDICT_FAIL, VERDICT_FAIL}};
    char text[256];
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct watched w = fresh();
        struct report r = said(1, 1, 1, VERDICT_FAIL, true);
        r.scope[SCOPE_MONITOR] = rows[i].monitor;
        r.scope[SCOPE_WORKER] = rows[i].worker;
        watched_report(&w, &r, 1000, 1);
        assert_int_equal(watched_judge(&w, 1001, text, sizeof text), rows[i].want);
        assert_non_null(strstr(text, "says fail"));
        r.scope[SCOPE_PEERS] = VERDICT_FAIL;
        enum verdict_state own = watched_own(&r);
        assert_int_equal(own == VERDICT_UNKNOWN ? VERDICT_FAIL : own, rows[i].want);
    }
}

static void disagreement(void **ctx) {
    (void)ctx;
    static const struct {
        bool ready, answers;
        enum verdict_state want;
    } rows[] = {{true, true, VERDICT_PASS},
                {false, false, VERDICT_PASS},
                {true, false, VERDICT_FAIL},
                {false, true, VERDICT_WARN}};
    char text[256];
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct watched w = fresh();
        struct report r = said(1, 1, 1, VERDICT_PASS, rows[i].ready);
        assert_int_equal(watched_agree(&w, 1000, text, sizeof text), VERDICT_UNKNOWN);
        watched_report(&w, &r, 1000, 1);
        assert_int_equal(watched_agree(&w, 1000, text, sizeof text), VERDICT_UNKNOWN);
        watched_answer(&w, rows[i].answers, 1000);
        assert_int_equal(watched_agree(&w, 1001, text, sizeof text), rows[i].want);
        assert_int_equal(watched_agree(&w, 1000 + 3 * PUSH, text, sizeof text), VERDICT_UNKNOWN);
    }
}

static void gaps(void **ctx) {
    (void)ctx;
    char text[256];
    struct watched w = fresh();
    struct report r = said(1, 1, 1, VERDICT_PASS, true);
    watched_report(&w, &r, 1000, 1);
    assert_int_equal(watched_gaps(&w, 2000, 60000, text, sizeof text), VERDICT_PASS);
    r = said(1, 3, 2, VERDICT_PASS, true);
    watched_report(&w, &r, 3000, 2);
    assert_int_equal(watched_gaps(&w, 3000, 60000, text, sizeof text), VERDICT_WARN);
    assert_int_equal(watched_gaps(&w, 63000, 60000, text, sizeof text), VERDICT_WARN);
    assert_int_equal(watched_gaps(&w, 63001, 60000, text, sizeof text), VERDICT_PASS);
    assert_non_null(strstr(text, "1 in all"));
}

/* `lost` of `count` nodes answer nothing and report nothing. */
static void quorum(void **ctx) {
    (void)ctx;
    static const struct {
        size_t count, lost;
        bool cut_off;
    } rows[] = {{1, 0, false}, {1, 1, false}, {2, 1, false}, {2, 2, true},  {3, 1, false},
                {3, 2, true},  {4, 2, false}, {4, 3, true},  {9, 4, false}, {9, 5, true}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct watched w[9];
        size_t lost;
        for (size_t k = 0; k < rows[i].count; k++) {
            struct report r = said(1, 1, 1, VERDICT_PASS, true);
            w[k] = fresh();
            watched_report(&w[k], &r, k < rows[i].lost ? 1000 : 20000, 1);
            watched_answer(&w[k], k >= rows[i].lost, 20000);
        }
        assert_int_equal(watched_cut_off(w, rows[i].count, 20000, &lost), rows[i].cut_off);
        assert_int_equal(lost, rows[i].lost);
    }
}

/* A node whose resolver hangs goes on reporting: it is not lost, and no sign that the monitor is. */
static void hung_is_not_lost(void **ctx) {
    (void)ctx;
    struct watched w = fresh();
    struct report r = said(1, 1, 1, VERDICT_FAIL, false);
    watched_report(&w, &r, 1000, 1);
    watched_answer(&w, false, 1000);
    assert_false(watched_is_lost(&w, 1000 + PUSH));
    assert_true(watched_is_lost(&w, 1000 + 2 * PUSH));
    watched_answer(&w, true, 1000 + 2 * PUSH);
    assert_false(watched_is_lost(&w, 1000 + 2 * PUSH));
}

/* Its reports are not taken in: that it sends none is no silence, and what we get counts alone. */
static void unreported(void **ctx) {
    (void)ctx;
    struct watched w[2] = {fresh(), fresh()};
    size_t lost;
    w[0].unreported = w[1].unreported = true;
    assert_false(watched_is_silent(&w[0], 1000 + 100 * PUSH));
    assert_false(watched_cut_off(w, 2, 1000 + 100 * PUSH, &lost));
    watched_answer(&w[0], true, 2000);
    assert_false(watched_is_lost(&w[0], 1000 + 100 * PUSH));
    watched_answer(&w[0], false, 3000);
    assert_true(watched_is_lost(&w[0], 3000));
    watched_answer(&w[1], false, 3000);
    assert_true(watched_cut_off(w, 2, 3000, &lost));
    assert_int_equal(lost, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences),  cmocka_unit_test(silence),      cmocka_unit_test(own_word),
        cmocka_unit_test(of_others),  cmocka_unit_test(disagreement), cmocka_unit_test(gaps),
        cmocka_unit_test(unreported), cmocka_unit_test(quorum),       cmocka_unit_test(hung_is_not_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
