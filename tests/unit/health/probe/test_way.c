/* Judgements of the way that an answer takes: large answers, the clock, a resolver that is stuck, signatures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "health/probe/clock.h"
#include "health/probe/impl.h"
#include "health/probe/large.h"
#include "health/probe/stuck.h"

static void test_large(void **state) {
    (void)state;
    enum { V = LARGE_VOID, R = LARGE_RIGHT, S = LARGE_SILENT, W = LARGE_WRONG, X = LARGE_STRANGE };
    static const struct {
        int step[LARGE_STEPS];
        enum verdict_state is;
        const char *words;
    } rows[] = {
        {{R, R, R, R, R}, VERDICT_PASS, "512, 1232 and 4096 octets came"},
        {{R, R, S, R, R}, VERDICT_FAIL, "no answer: 4096 octets over UDP: large datagrams or their fragments are lost"},
        {{R, S, S, R, R}, VERDICT_FAIL, "no answer: 1232 octets over UDP, 4096 octets over UDP"},
        {{R, R, S, R, S}, VERDICT_FAIL, "no answer: 4096 octets over UDP, 4096 octets over TCP"},
        {{S, S, S, S, S}, VERDICT_FAIL, "no answer of any size"},
        {{R, R, R, W, R}, VERDICT_FAIL, "wrong: the TC bit"},
        {{X, X, X, X, X}, VERDICT_WARN, "not known"},
        {{R, R, V, V, V}, VERDICT_UNKNOWN, "not asked to the end"},
        {{S, S, S, S, V}, VERDICT_UNKNOWN, ""}, /* never an accusation that was not asked to the end */
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char came[256], small[8];
        enum large_came step[LARGE_STEPS];
        for (int k = 0; k < LARGE_STEPS; k++)
            step[k] = (enum large_came)rows[i].step[k];
        enum verdict_state s = large_judge(step, came, sizeof(came));
        if (s != rows[i].is || strstr(came, rows[i].words) == NULL)
            fail_msg("row %zu: %s", i, came);
        assert_int_equal(large_judge(step, small, sizeof(small)), rows[i].is);
    }
}

static void test_jumps_and_slews(void **state) {
    (void)state;
    struct clock_watch w = {0};
    assert_int_equal(clock_look(&w, 1000000, 500), 0); /* nothing to compare with yet */
    assert_int_equal(clock_look(&w, 1000250, 750), 0);
    assert_int_equal(clock_look(&w, 1002500, 1000), 0); /* 2.0 s: a leap second, a nudge */
    assert_int_equal(clock_look(&w, 1005000, 1250), 2250);
    assert_int_equal(clock_look(&w, 1005250, 1500), 0); /* told once */
    assert_int_equal(clock_look(&w, 5250, 1500), -1000000);
    assert_int_equal(clock_look(&w, 5250 + 100000 + 9900, 101500), 0); /* slewed while nobody looked for 100 s */
    assert_int_equal(clock_look(&w, 5250 + 200000 + 9900 + 12001, 201500), 12001);
}

static void add_link(struct board *b, unsigned i, const char *peer, int64_t offset_ms, uint64_t heard) {
    struct board_link *k = &b->link[i];
    board_set(&k->way, LINK_FROM);
    board_set(&k->clock_known, 1);
    board_set(&k->clock_offset_ms, (uint64_t)offset_ms);
    board_set(&k->heard_wall_ms, heard);
    snprintf(k->peer, sizeof(k->peer), "%s", peer);
}

static void test_offset_is_the_middle_one(void **state) {
    struct board *b = calloc(1, sizeof(*b));
    int64_t ms;
    size_t nodes;
    (void)state;
    assert_false(clock_offset(b, 100000, 10000, &ms, &nodes));
    add_link(b, 0, "a", -5000, 99000);
    add_link(b, 1, "a", 70000, 99000); /* one voice for each node */
    assert_true(clock_offset(b, 100000, 10000, &ms, &nodes));
    assert_true(ms == -5000 && nodes == 1);
    add_link(b, 2, "b", 3600000, 99000); /* a liar */
    add_link(b, 3, "c", -5100, 99000);
    add_link(b, 4, "d", 9, 89000); /* not heard lately */
    assert_true(clock_offset(b, 100000, 10000, &ms, &nodes));
    assert_true(ms == -5000 && nodes == 3);
    assert_false(clock_offset(b, 1000000, 10000, &ms, &nodes));
    memset(b->link[3].peer, 'x', sizeof(b->link[3].peer)); /* no end: shared memory is not believed */
    assert_true(clock_offset(b, 100000, 10000, &ms, &nodes));
    free(b);
}

static void test_stuck(void **state) {
    (void)state;
    struct stuck_watch w = {0};
    struct stuck_view v = {.direct = true, .through = true};
    assert_int_equal(stuck_look(&w, &v, 1000, 7500), STUCK_NOT);
    v = (struct stuck_view){.failed = 1};
    assert_int_equal(stuck_look(&w, &v, 2000, 7500), STUCK_BLIND);
    v = (struct stuck_view){.direct = true, .failed = 5};
    assert_int_equal(stuck_look(&w, &v, 60000, 7500), STUCK_MAYBE);
    v.failed = 6;
    assert_int_equal(stuck_look(&w, &v, 70000, 7500), STUCK_MAYBE); /* time alone is no proof */
    v.failed = 7;
    assert_int_equal(stuck_look(&w, &v, 71000, 7500), STUCK_YES);
    v.direct = false; /* the forwarder is gone again: nobody knows */
    assert_int_equal(stuck_look(&w, &v, 72000, 7500), STUCK_BLIND);
    v.direct = true;
    assert_int_equal(stuck_look(&w, &v, 73000, 7500), STUCK_MAYBE);
    v.failed = 11;
    assert_int_equal(stuck_look(&w, &v, 80000, 7500), STUCK_MAYBE); /* asked often, but not long enough */
    assert_int_equal(stuck_look(&w, &v, 80500, 7500), STUCK_YES);
    v.through = true;
    assert_int_equal(stuck_look(&w, &v, 81000, 7500), STUCK_NOT);
}

static void test_signatures(void **state) {
    (void)state;
    static const struct {
        bool bogus, direct;
        unsigned rcode, answers;
        bool ad;
        enum verdict_state is;
        const char *words;
        bool stale;
    } rows[] = {
        {false, true, RCODE_NOERROR, 1, true, VERDICT_PASS, "with AD", false},
        {false, true, RCODE_NOERROR, 1, false, VERDICT_FAIL, "does not validate", false},
        {false, false, RCODE_NOERROR, 1, false, VERDICT_PASS, "answered", false},
        {false, true, RCODE_SERVFAIL, 0, false, VERDICT_FAIL, "ran out", false},
        {false, false, RCODE_SERVFAIL, 0, false, VERDICT_FAIL, "ran out", false},
        {false, true, RCODE_NOERROR, 0, true, VERDICT_FAIL, "no answer", false},
        {false, true, RCODE_NXDOMAIN, 0, true, VERDICT_FAIL, "no answer", false},
        {true, true, RCODE_SERVFAIL, 0, false, VERDICT_PASS, "as they must be", false},
        {true, true, RCODE_NOERROR, 1, false, VERDICT_FAIL, "nobody validates", false},
        {true, false, RCODE_NOERROR, 1, true, VERDICT_FAIL, "nobody validates", false},
        {true, true, RCODE_REFUSED, 0, false, VERDICT_FAIL, "REFUSED", false},
        {false, false, RCODE_NOERROR, 1, false, VERDICT_FAIL, "ran out", true},
        {true, false, RCODE_NOERROR, 1, false, VERDICT_PASS, "as they must be", true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char came[256];
        struct answer a = {.rcode = rows[i].rcode, .answers = rows[i].answers, .stale = rows[i].stale};
        a.header.flags = rows[i].ad ? FLAG_AD : 0;
        enum verdict_state s = signed_judge(rows[i].bogus, rows[i].direct, &a, came, sizeof(came));
        if (s != rows[i].is || strstr(came, rows[i].words) == NULL)
            fail_msg("row %zu: %s", i, came);
    }
}

static void test_built_some_time_ago(void **state) {
    (void)state;
    assert_true(build_epoch_s() > 1700000000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_jumps_and_slews),
        cmocka_unit_test(test_offset_is_the_middle_one),
        cmocka_unit_test(test_stuck),
        cmocka_unit_test(test_signatures),
        cmocka_unit_test(test_built_some_time_ago),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
