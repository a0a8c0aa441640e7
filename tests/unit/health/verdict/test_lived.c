/* Shares over windows, and what they come to: scripted counters, no clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "health/verdict/lived.h"

enum { LOCAL_MS = 5000, STEP_MS = 2000 };

struct world {
    struct lived lived;
    struct lived_sample now;
    char came[256];
};

static int start(void **state) {
    struct world *w = *state = calloc(1, sizeof(*w));
    assert_non_null(w);
    lived_open(&w->lived, LOCAL_MS);
    w->now.mono_ms = 1000;
    lived_add(&w->lived, &w->now);
    return 0;
}

static int finish(void **state) {
    free(*state);
    return 0;
}

/* One step of so many questions of a prefix. */
static void ask(struct world *w, unsigned prefix, unsigned answered, unsigned failed, unsigned lost) {
    struct lived_client *c = &w->now.client[prefix];
    c->queries += answered + failed + lost;
    c->answered += answered;
    c->failed += failed;
}

static void step(struct world *w) {
    w->now.mono_ms += STEP_MS;
    lived_add(&w->lived, &w->now);
}

static void steps(struct world *w, unsigned n, unsigned answered, unsigned failed, unsigned lost) {
    for (unsigned i = 0; i < n; i++) {
        ask(w, 3, answered, failed, lost);
        step(w);
    }
}

static enum verdict_state judge(struct world *w) { return lived_judge(&w->lived, w->came, sizeof(w->came)); }

static void test_nobody_asks(void **state) {
    struct world *w = *state;
    steps(w, 10, 0, 0, 0);
    assert_int_equal(judge(w), VERDICT_PASS);
    assert_non_null(strstr(w->came, "of 0 questions"));
    assert_non_null(strstr(w->came, "too few"));
    assert_int_equal(lived_window(&w->lived, 1), LIVED_WINDOWS);
    assert_true(lived_answer_ratio(&w->lived.view[0]) == 1 && lived_servfail_ratio(&w->lived.view[0]) == 0);
}

static void test_shares(void **state) {
    static const struct {
        unsigned answered, failed, lost; /* per step of 2 s */
        enum verdict_state is;
    } rows[] = {
        {100, 0, 0, VERDICT_PASS}, {100, 10, 0, VERDICT_PASS}, /* a tenth of SERVFAIL is a usual day */
        {79, 21, 0, VERDICT_WARN}, {50, 50, 0, VERDICT_FAIL},  {0, 100, 0, VERDICT_FAIL}, {95, 0, 5, VERDICT_PASS},
        {85, 0, 15, VERDICT_WARN}, {40, 0, 60, VERDICT_FAIL},  {1, 2, 0, VERDICT_WARN}, /* few: one dead domain that is
                                                                                           asked for again and again
                                                                                           fails nobody */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world *w = *state;
        free(w);
        (void)start(state);
        w = *state;
        steps(w, 30, rows[i].answered, rows[i].failed, rows[i].lost);
        if (judge(w) != rows[i].is)
            fail_msg("row %zu: %s: %s", i, verdict_state_name(judge(w)), w->came);
    }
}

static void test_what_is_over_does_not_fail(void **state) {
    struct world *w = *state;
    steps(w, 30, 10, 0, 0);
    steps(w, 5, 0, 100, 0);
    assert_int_equal(judge(w), VERDICT_FAIL);
    assert_non_null(strstr(w->came, "SERVFAIL"));
    steps(w, 6, 100, 0, 0);
    assert_int_equal(judge(w), VERDICT_PASS); /* the shortest window with enough is what counts */
    steps(w, 60, 0, 0, 0);
    assert_int_not_equal(judge(w), VERDICT_FAIL); /* of five minutes only a warning is left */
}

static void test_windows_reach_as_far_as_they_say(void **state) {
    struct world *w = *state;
    steps(w, 200, 1, 0, 0);
    for (int i = 0; i < LIVED_WINDOWS; i++) {
        const struct lived_view *v = &w->lived.view[i];
        assert_true(v->span_ms <= w->lived.window_ms[i] && v->span_ms >= w->lived.window_ms[i] / 5 * 4);
        assert_int_equal(v->queries, v->span_ms / STEP_MS);
    }
    assert_int_equal(w->lived.window_ms[LIVED_SHORT], 10000);
    assert_int_equal(w->lived.window_ms[LIVED_LONG], 300000);
    assert_int_equal(lived_step_ms(&w->lived), STEP_MS);
}

static void test_who_waits_is_not_unanswered(void **state) {
    struct world *w = *state;
    w->now.in_flight = 30;
    steps(w, 1, 70, 0, 30);
    assert_int_equal(w->lived.view[LIVED_SHORT].unanswered, 0);
    w->now.in_flight = 10;
    step(w);
    assert_int_equal(w->lived.view[LIVED_SHORT].unanswered, 20);
}

static void test_another_board_begins_anew(void **state) {
    struct world *w = *state;
    steps(w, 5, 100, 0, 0);
    memset(w->now.client, 0, sizeof(w->now.client));
    step(w);
    assert_int_equal(w->lived.view[LIVED_SHORT].queries, 0);
    steps(w, 1, 7, 0, 0);
    assert_int_equal(w->lived.view[LIVED_SHORT].queries, 7);
}

static void test_prefixes_beside_each_other(void **state) {
    struct world *w = *state;
    for (unsigned i = 0; i < 30; i++) {
        for (unsigned p = 0; p < 10; p++)
            ask(w, p, p == 4 ? 1 : 10, 0, p == 4 ? 9 : 0);
        ask(w, 20, 0, 0, i == 0); /* a single question: quiet */
        step(w);
    }
    assert_int_equal(w->lived.view[LIVED_MIDDLE].prefixes[LIVED_WORSE], 1);
    assert_int_equal(w->lived.view[LIVED_MIDDLE].prefixes[LIVED_WELL], 9);
    assert_int_equal(w->lived.view[LIVED_MIDDLE].prefixes[LIVED_QUIET], BOARD_CLIENTS - 10);
    assert_int_equal(judge(w), VERDICT_WARN);
    assert_non_null(strstr(w->came, "1 of 10 groups"));
}

static void test_one_prefix_alone_is_not_worse_than_nobody(void **state) {
    struct world *w = *state;
    steps(w, 30, 0, 5, 0);
    assert_int_equal(w->lived.view[LIVED_MIDDLE].prefixes[LIVED_WORSE], 0);
}

static void test_slow_prefix(void **state) {
    struct world *w = *state;
    for (unsigned i = 0; i < 30; i++) {
        for (unsigned p = 0; p < 4; p++) {
            ask(w, p, 10, 0, 0);
            w->now.client[p].timed += 10;
            w->now.client[p].slow += p == 2 ? 9 : 0;
        }
        step(w);
    }
    assert_int_equal(w->lived.view[LIVED_MIDDLE].prefixes[LIVED_WORSE], 1);
}

static void test_percentiles(void **state) {
    struct world *w = *state;
    w->now.latency[SOURCE_CACHE][0] += 98;
    w->now.latency[SOURCE_CACHE][5] += 2;
    w->now.latency[SOURCE_UPSTREAM][BOARD_LATENCY_BUCKETS - 1] += 1;
    step(w);
    const struct lived_view *v = &w->lived.view[LIVED_SHORT];
    assert_int_equal(v->source[SOURCE_CACHE].count, 100);
    assert_int_equal(v->source[SOURCE_CACHE].p50_us, board_latency_us[0]);
    assert_int_equal(v->source[SOURCE_CACHE].p99_us, board_latency_us[5]);
    assert_true(v->source[SOURCE_UPSTREAM].p50_us == UINT64_MAX);
    assert_int_equal(v->source[SOURCE_ZONE].count, 0);
}

static void test_disagreement(void **state) {
    static const struct {
        unsigned answered, failed;
        unsigned upstream_good, upstream_bad;
        enum verdict_state probes, is;
        const char *words;
    } rows[] = {
        {100, 0, 50, 0, VERDICT_PASS, VERDICT_PASS, "nothing against"},
        {10, 90, 5, 45, VERDICT_PASS, VERDICT_WARN, "clients are not"},
        {10, 90, 5, 45, VERDICT_FAIL, VERDICT_PASS, "nothing against"},
        {100, 0, 50, 0, VERDICT_FAIL, VERDICT_WARN, "clients are well"},
        {100, 0, 0, 0, VERDICT_FAIL, VERDICT_PASS, "nothing against"}, /* all from cache and zones: says nothing */
        {100, 0, 50, 0, VERDICT_UNKNOWN, VERDICT_PASS, "nothing against"},
        {0, 0, 0, 0, VERDICT_FAIL, VERDICT_PASS, "nothing against"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world *w = *state;
        free(w);
        (void)start(state);
        w = *state;
        for (unsigned k = 0; k < 10; k++) {
            w->now.upstream_good += rows[i].upstream_good;
            w->now.upstream_bad += rows[i].upstream_bad;
            steps(w, 1, rows[i].answered, rows[i].failed, 0);
        }
        enum verdict_state s = lived_disagree(&w->lived, rows[i].probes, "NXDOMAIN", w->came, sizeof(w->came));
        if (s != rows[i].is || strstr(w->came, rows[i].words) == NULL)
            fail_msg("row %zu: %s", i, w->came);
    }
}

static void test_the_board_is_summed_over_workers(void **state) {
    struct board *b = calloc(1, sizeof(*b));
    struct lived_sample s;
    (void)state;
    for (unsigned w = 0; w < 3; w++) {
        board_set(&b->worker[w].boot, w == 2 ? 0 : 7); /* the third never ran: not believed */
        board_add(&b->worker[w].client[9].queries, 5);
        board_add(&b->worker[w].client[9].latency[BOARD_LATENCY_BUCKETS - 1], 1);
        board_add(&b->worker[w].responses[SOURCE_UPSTREAM][3], 2);
        board_add(&b->worker[w].in_flight, 4);
    }
    lived_read(&s, b, 99);
    assert_int_equal(s.client[9].queries, 10);
    assert_int_equal(s.client[9].slow, 2);
    assert_int_equal(s.upstream_good, 4);
    assert_int_equal(s.in_flight, 8);
    assert_int_equal(s.mono_ms, 99);
    free(b);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, start, finish)
    const struct CMUnitTest tests[] = {
        TEST(test_nobody_asks),
        TEST(test_shares),
        TEST(test_what_is_over_does_not_fail),
        TEST(test_windows_reach_as_far_as_they_say),
        TEST(test_who_waits_is_not_unanswered),
        TEST(test_another_board_begins_anew),
        TEST(test_prefixes_beside_each_other),
        TEST(test_one_prefix_alone_is_not_worse_than_nobody),
        TEST(test_slow_prefix),
        TEST(test_percentiles),
        TEST(test_disagreement),
        TEST(test_the_board_is_summed_over_workers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
