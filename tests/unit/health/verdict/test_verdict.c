/* The state machine of health/verdict: every row is a story of results and the states it must show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "health/verdict/verdict.h"

enum { INTERVAL = 1000, WALL = 1700000000 };

static int open_one(struct verdict_book *b, unsigned fall, unsigned rise) {
    assert_int_equal(verdict_open(b, 8, fall, rise), 0);
    int c = verdict_add(b, SCOPE_WORKER, "worker", "answers", "worker 0", INTERVAL, true);
    assert_int_equal(c, 0);
    return c;
}

static void feed(struct verdict_book *b, size_t check, enum verdict_state s, int64_t now) {
    struct verdict_result r = {.state = s, .mono_ms = now, .evidence = {.wall_ms = WALL + now}};
    snprintf(r.evidence.came, sizeof(r.evidence.came), "said %s", verdict_state_name(s));
    (void)verdict_result(b, check, &r);
    verdict_judge(b, now, WALL + now);
}

/* One letter a tick: what came (p w f, or . for nothing at all) and what must be shown after it. */
struct story {
    const char *name;
    unsigned fall, rise;
    const char *came, *shown;
};

static const struct story stories[] = {
    {"the first good result decides", 2, 2, "p", "p"},
    {"a first bad result is not yet an alarm, but no green", 2, 2, "ff", "uf"},
    {"fall counts results in a row", 2, 2, "pfpfpf", "pppppp"},
    {"falls after two", 2, 2, "pff", "ppf"},
    {"falls after three when told so", 3, 2, "pfff", "pppf"},
    {"rises after two", 2, 2, "pffpp", "ppffp"},
    {"one good result is no recovery", 2, 2, "pffpfpfpp", "ppffffffp"},
    {"a fall of zero is a fall of one", 0, 0, "pfp", "pfp"},
    {"warn between: the milder of the two that made it fall", 2, 2, "pwf", "ppw"},
    {"warn, then worse", 2, 2, "pwwff", "ppwwf"},
    {"from fail by warn upwards", 2, 2, "ppffwp", "pppffw"},
    {"three intervals of silence are still evidence, more are not", 2, 2, "p...", "pppp"},
    {"silence turns pass into unknown", 2, 2, "p....", "ppppu"},
    {"silence turns fail into unknown", 2, 2, "ff....", "uffffu"},
    {"after silence one good result is enough for who was well", 2, 2, "p....p", "ppppup"},
    {"after silence who had failed must rise", 2, 2, "ff....pp", "uffffuup"},
    {"after silence a bad result decides at once", 2, 2, "p....f", "ppppuf"},
};

static enum verdict_state letter(char c) {
    return c == 'p' ? VERDICT_PASS : c == 'w' ? VERDICT_WARN : c == 'f' ? VERDICT_FAIL : VERDICT_UNKNOWN;
}

static void tell_stories(const struct story *list, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const struct story *s = &list[i];
        struct verdict_book b;
        int c = open_one(&b, s->fall, s->rise);
        for (size_t t = 0; s->came[t] != '\0'; t++) {
            int64_t now = 10000 + (int64_t)t * INTERVAL;
            if (s->came[t] != '.')
                feed(&b, (size_t)c, letter(s->came[t]), now);
            verdict_judge(&b, now, WALL + now);
            if (b.checks[c].shown != letter(s->shown[t]))
                fail_msg("%s: step %zu shows %s, not '%c'", s->name, t + 1, verdict_state_name(b.checks[c].shown),
                         s->shown[t]);
        }
        verdict_close(&b);
    }
}

static void test_stories(void **state) {
    (void)state;
    tell_stories(stories, sizeof(stories) / sizeof(stories[0]));
}

static void test_age_is_exact(void **state) {
    (void)state;
    struct verdict_book b;
    int c = open_one(&b, 2, 2);
    feed(&b, (size_t)c, VERDICT_PASS, 5000);
    assert_int_equal(verdict_valid_until(&b), 8000);
    verdict_judge(&b, 8000, WALL);
    assert_int_equal(b.checks[c].shown, VERDICT_PASS);
    verdict_judge(&b, 8001, WALL);
    assert_int_equal(b.checks[c].shown, VERDICT_UNKNOWN);
    assert_int_equal(verdict_valid_until(&b), INT64_MAX);
    verdict_close(&b);
}

static void test_scope_is_the_worst_with_its_cause(void **state) {
    (void)state;
    struct verdict_book b;
    open_one(&b, 1, 1);
    int second = verdict_add(&b, SCOPE_WORKER, "worker", "answers", "worker 1", INTERVAL, true);
    int zone = verdict_add(&b, SCOPE_ZONES, "zone", "serial", "bl.example.", INTERVAL, false);
    feed(&b, 0, VERDICT_PASS, 1000);
    feed(&b, (size_t)second, VERDICT_FAIL, 1000);
    feed(&b, (size_t)zone, VERDICT_PASS, 1000);
    assert_int_equal(b.scope[SCOPE_WORKER].state, VERDICT_FAIL);
    assert_int_equal(b.scope[SCOPE_WORKER].cause, second);
    assert_int_equal(b.scope[SCOPE_WORKER].counts[VERDICT_PASS], 1);
    assert_int_equal(b.scope[SCOPE_ZONES].state, VERDICT_PASS);
    assert_int_equal(b.overall, VERDICT_FAIL);
    assert_false(b.scope[SCOPE_UPSTREAM].present);
    const struct history_entry *e = history_at(&b.scopes, 1);
    assert_non_null(e);
    assert_string_equal(e->what, "");
    assert_non_null(strstr(e->cause, "worker 1"));
    assert_non_null(strstr(e->cause, "said fail"));
    verdict_close(&b);
}

static void test_unknown_counts_as_fail(void **state) {
    (void)state;
    struct verdict_book b;
    size_t cause;
    open_one(&b, 2, 2);
    verdict_judge(&b, 1, WALL);
    assert_int_equal(b.overall, VERDICT_UNKNOWN);
    assert_false(verdict_ready(&b, &cause));
    assert_int_equal(cause, 0);
    feed(&b, 0, VERDICT_PASS, 1000);
    assert_true(verdict_ready(&b, &cause));
    verdict_judge(&b, 1000 + 3 * INTERVAL + 1, WALL);
    assert_false(verdict_ready(&b, &cause));
    verdict_close(&b);
}

static void test_nothing_to_judge_is_no_green(void **state) {
    (void)state;
    struct verdict_book b;
    size_t cause;
    assert_int_equal(verdict_open(&b, 1, 2, 2), 0);
    verdict_judge(&b, 1, WALL);
    assert_int_equal(b.overall, VERDICT_UNKNOWN);
    assert_false(verdict_ready(&b, &cause));
    verdict_close(&b);
}

static void test_switched_off_is_warn_for_good(void **state) {
    (void)state;
    struct verdict_book b;
    assert_int_equal(verdict_open(&b, 2, 2, 2), 0);
    int c = verdict_add_off(&b, SCOPE_RESOLUTION, "canary", "cached", "", "switched off: health.canary.cached is \"\"",
                            WALL);
    assert_int_equal(c, 0);
    feed(&b, (size_t)c, VERDICT_PASS, 1000);
    feed(&b, (size_t)c, VERDICT_PASS, 2000);
    assert_int_equal(b.checks[c].shown, VERDICT_WARN);
    verdict_judge(&b, INT64_MAX / 2, WALL);
    assert_int_equal(b.checks[c].shown, VERDICT_WARN);
    assert_int_equal(b.overall, VERDICT_WARN);
    assert_int_equal(verdict_add(&b, SCOPE_ZONES, "a", "b", "", 1, false), 1);
    assert_int_equal(verdict_add(&b, SCOPE_ZONES, "a", "b", "", 1, false), E_FULL);
    verdict_close(&b);
}

static void test_transitions_are_counted_and_failing_since_stays(void **state) {
    (void)state;
    struct verdict_book b;
    open_one(&b, 1, 1);
    feed(&b, 0, VERDICT_PASS, 1000);
    feed(&b, 0, VERDICT_FAIL, 2000);
    assert_int_equal(b.scope[SCOPE_WORKER].failing_since_wall_ms, WALL + 2000);
    verdict_judge(&b, 5001, WALL + 5001); /* fail ages into unknown: it has been failing all the time */
    assert_int_equal(b.scope[SCOPE_WORKER].state, VERDICT_UNKNOWN);
    assert_int_equal(b.scope[SCOPE_WORKER].failing_since_wall_ms, WALL + 2000);
    feed(&b, 0, VERDICT_PASS, 6000);
    assert_int_equal(b.scope[SCOPE_WORKER].failing_since_wall_ms, 0);
    assert_int_equal(b.scope[SCOPE_WORKER].transitions[VERDICT_PASS], 2);
    assert_int_equal(b.scope[SCOPE_WORKER].transitions[VERDICT_FAIL], 1);
    assert_int_equal(b.scope[SCOPE_WORKER].transitions[VERDICT_UNKNOWN], 1);
    assert_int_equal(b.revision, 8); /* four of the check, four of the scope */
    verdict_close(&b);
}

/* A flap of one tick each: a gauge would miss it, the count does not; the ring forgets the oldest, the total never. */
static void test_ring_keeps_the_newest(void **state) {
    (void)state;
    struct verdict_book b;
    open_one(&b, 1, 1);
    for (int i = 0; i < 3 * LIMIT_HISTORY; i++)
        feed(&b, 0, i % 2 == 0 ? VERDICT_PASS : VERDICT_FAIL, 1000 + i);
    assert_int_equal(b.details.total, 3 * LIMIT_HISTORY);
    assert_int_equal(b.checks[0].transitions[VERDICT_FAIL], 3 * LIMIT_HISTORY / 2);
    assert_int_equal(b.scope[SCOPE_WORKER].check_changes, 3 * LIMIT_HISTORY);
    assert_int_equal(b.scope[SCOPE_WORKER].state, VERDICT_FAIL); /* and it is held */
    assert_int_equal(history_count(&b.details), LIMIT_HISTORY);
    assert_int_equal(history_at(&b.details, 0)->number, 3 * LIMIT_HISTORY);
    assert_int_equal(history_at(&b.details, LIMIT_HISTORY - 1)->number, 2 * LIMIT_HISTORY + 1);
    assert_null(history_at(&b.details, LIMIT_HISTORY));
    verdict_close(&b);
}

static void test_bad_arguments_change_nothing(void **state) {
    (void)state;
    struct verdict_book b;
    open_one(&b, 1, 1);
    struct verdict_result r = {.state = VERDICT_UNKNOWN, .mono_ms = 1};
    assert_false(verdict_result(&b, 0, &r));
    r.state = VERDICT_FAIL;
    assert_false(verdict_result(&b, 7, &r));
    assert_int_equal(b.checks[0].settled, VERDICT_UNKNOWN);
    char longest[2 * CHECK_ID_MAX];
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    int c = verdict_add(&b, SCOPE_ZONES, "zone", "serial", longest, INTERVAL, false);
    assert_int_equal(strlen(b.checks[c].id), CHECK_ID_MAX - 1);
    feed(&b, (size_t)c, VERDICT_FAIL, 1);
    assert_int_equal(verdict_scope_find("zones"), SCOPE_ZONES);
    assert_int_equal(verdict_scope_find(""), -1);
    assert_string_equal(verdict_state_name((enum verdict_state)99), "unknown");
    verdict_close(&b);
}

static void test_hurry_while_undecided(void **state) {
    (void)state;
    struct verdict_book b;
    open_one(&b, 2, 2);
    struct verdict_result r = {.state = VERDICT_PASS, .mono_ms = 1};
    assert_false(verdict_result(&b, 0, &r));
    r.state = VERDICT_FAIL;
    assert_true(verdict_result(&b, 0, &r));
    assert_false(verdict_result(&b, 0, &r)); /* decided */
    r.state = VERDICT_PASS;
    assert_true(verdict_result(&b, 0, &r));
    verdict_close(&b);
}

static void test_a_node_that_starts_is_unknown(void **state) {
    (void)state;
    struct verdict_book b;
    open_one(&b, 2, 2);
    b.grace_until_ms = 10000;
    for (int64_t now = 1000; now < 10000; now += 1000)
        feed(&b, 0, VERDICT_FAIL, now);
    assert_int_equal(b.checks[0].shown, VERDICT_UNKNOWN);
    assert_string_equal(b.checks[0].evidence.came, "said fail");
    feed(&b, 0, VERDICT_FAIL, 10000);
    assert_int_equal(b.checks[0].shown, VERDICT_UNKNOWN);
    feed(&b, 0, VERDICT_FAIL, 11000);
    assert_int_equal(b.checks[0].shown, VERDICT_FAIL);
    verdict_close(&b);
    /* Who was well once has no grace. */
    open_one(&b, 1, 1);
    b.grace_until_ms = 10000;
    feed(&b, 0, VERDICT_PASS, 1000);
    feed(&b, 0, VERDICT_FAIL, 2000);
    assert_int_equal(b.checks[0].shown, VERDICT_FAIL);
    verdict_close(&b);
}

static void a_check_that_is_dropped(void **state) {
    struct verdict_book b;
    (void)state;
    assert_int_equal(verdict_open(&b, 2, 1, 1), 0);
    int zone = verdict_add(&b, SCOPE_ZONES, "zone", "serial", "gone.example.", INTERVAL, true);
    int worker = verdict_add(&b, SCOPE_WORKER, "worker", "answers", "worker 0", INTERVAL, true);
    struct verdict_result r = {.state = VERDICT_FAIL, .mono_ms = 1};
    (void)verdict_result(&b, (size_t)zone, &r);
    r.state = VERDICT_PASS;
    (void)verdict_result(&b, (size_t)worker, &r);
    verdict_judge(&b, 2, WALL);
    assert_int_equal(b.overall, VERDICT_FAIL);
    verdict_drop(&b, (size_t)zone);
    verdict_drop(&b, (size_t)zone);
    verdict_drop(&b, 99);
    verdict_judge(&b, 3, WALL);
    size_t cause;
    assert_int_equal(b.overall, VERDICT_PASS);
    assert_false(b.scope[SCOPE_ZONES].present);
    assert_true(verdict_ready(&b, &cause));
    assert_false(verdict_result(&b, (size_t)zone, &r)); /* late news of it */
    assert_int_equal(verdict_add(&b, SCOPE_REPLICATION, "zone", "source", "new.example.", INTERVAL, false), zone);
    assert_int_equal(verdict_add(&b, SCOPE_ZONES, "a", "b", "", 1, false), E_FULL);
    verdict_judge(&b, 4, WALL);
    assert_int_equal(b.overall, VERDICT_UNKNOWN); /* it knows nothing of its predecessor */
    verdict_close(&b);
}

static const struct story damped[] = {
    {"three outages far apart are three outages", 1, 1, "pfppppppppppfppppppppppfpppppp",
     "pfppppppppppfppppppppppfpppppp"},
    {"the sixth change within the window holds it", 1, 1, "pfpfpfppppppp", "pfpfpfffffffp"},
    {"it is held for as long as it goes on", 1, 1, "pfpfpfpfpfppppppp", "pfpfpfffffffffffp"},
    {"worse than what it is held as is shown at once", 1, 1, "pwpwpwpfppppppp", "pwpwpwwfffffffp"},
    {"evidence that is too old is unknown, held or not", 1, 1, "pwpwpwp....", "pwpwpwwwwwu"},
    {"ageing away and coming back is no flapping", 1, 1, "p....p....p....p....p", "ppppuppppuppppuppppup"},
    {"single bad results never count as changes", 2, 2, "pfpfpfpfpfpfpfp", "ppppppppppppppp"},
};

static void test_damping(void **state) {
    (void)state;
    tell_stories(damped, sizeof(damped) / sizeof(damped[0]));
}

/* Every flap is told with what is wrong, and what is damped is counted on. */
static void test_flapping_says_so(void **state) {
    (void)state;
    struct verdict_book b;
    char words[EVIDENCE_CAME_MAX];
    open_one(&b, 1, 1);
    for (int i = 0; i < 9; i++)
        feed(&b, 0, i % 2 == 0 ? VERDICT_PASS : VERDICT_FAIL, 10000 + i * INTERVAL);
    assert_string_equal(verdict_words(&b.checks[0], words, sizeof(words)),
                        "flapping: 8 changes in 7.0 s, held as fail until it is steady; now pass: said pass");
    assert_int_equal(b.checks[0].transitions[VERDICT_PASS], 5);
    assert_int_equal(b.checks[0].transitions[VERDICT_FAIL], 4);
    assert_int_equal(b.details.total, 9);
    assert_int_equal(b.scope[SCOPE_WORKER].transitions[VERDICT_FAIL], 3); /* from the sixth on it stays */
    assert_int_equal(verdict_valid_until(&b), INT64_MAX);
    for (int i = 9; i < 15; i++)
        feed(&b, 0, VERDICT_PASS, 10000 + i * INTERVAL);
    assert_int_equal(b.checks[0].shown, VERDICT_PASS);
    assert_int_equal(b.details.total, 10);
    assert_string_equal(history_at(&b.details, 0)->cause, "no longer flapping");
    assert_int_equal(b.checks[0].transitions[VERDICT_PASS], 5);
    assert_string_equal(verdict_words(&b.checks[0], words, sizeof(words)), "said pass");
    verdict_close(&b);
}

/* One bad result between good ones turns nothing; a gauge that is read now and then never sees it. */
static void test_a_doubt_is_counted_and_kept(void **state) {
    (void)state;
    struct verdict_book b;
    open_one(&b, 2, 2);
    feed(&b, 0, VERDICT_PASS, 1000);
    feed(&b, 0, VERDICT_FAIL, 2000);
    assert_int_equal(b.scope[SCOPE_WORKER].doubts, 0); /* not taken back yet */
    feed(&b, 0, VERDICT_PASS, 3000);
    assert_int_equal(b.scope[SCOPE_WORKER].doubts, 1);
    assert_int_equal(b.scope[SCOPE_WORKER].check_changes, 1);
    const struct history_entry *e = history_at(&b.details, 0);
    assert_int_equal(e->from, VERDICT_PASS);
    assert_int_equal(e->to, VERDICT_PASS);
    assert_int_equal(e->seen_wall_ms, WALL + 2000);
    assert_int_equal(e->wall_ms, WALL + 3000);
    assert_string_equal(e->cause, "taken back before it counted: said fail");
    verdict_close(&b);
}

static void test_first_seen_and_judged(void **state) {
    (void)state;
    struct verdict_book b;
    open_one(&b, 3, 2);
    feed(&b, 0, VERDICT_PASS, 1000);
    feed(&b, 0, VERDICT_FAIL, 2000);
    feed(&b, 0, VERDICT_FAIL, 2500);
    feed(&b, 0, VERDICT_FAIL, 3000);
    const struct history_entry *e = history_at(&b.scopes, 0);
    assert_int_equal(e->to, VERDICT_FAIL);
    assert_int_equal(e->wall_ms, WALL + 3000);
    assert_int_equal(e->seen_wall_ms, WALL + 2000);
    assert_int_equal(b.checks[0].failing_since_wall_ms, WALL + 2000);
    assert_int_equal(b.scope[SCOPE_WORKER].failing_since_wall_ms, WALL + 2000);
    verdict_judge(&b, 6001, WALL + 6001);
    e = history_at(&b.details, 0);
    assert_int_equal(e->to, VERDICT_UNKNOWN);
    assert_int_equal(e->seen_wall_ms, WALL + 3000); /* the last that was heard */
    verdict_close(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_check_that_is_dropped),
        cmocka_unit_test(test_stories),
        cmocka_unit_test(test_damping),
        cmocka_unit_test(test_flapping_says_so),
        cmocka_unit_test(test_a_doubt_is_counted_and_kept),
        cmocka_unit_test(test_first_seen_and_judged),
        cmocka_unit_test(test_age_is_exact),
        cmocka_unit_test(test_scope_is_the_worst_with_its_cause),
        cmocka_unit_test(test_unknown_counts_as_fail),
        cmocka_unit_test(test_nothing_to_judge_is_no_green),
        cmocka_unit_test(test_switched_off_is_warn_for_good),
        cmocka_unit_test(test_transitions_are_counted_and_failing_since_stays),
        cmocka_unit_test(test_ring_keeps_the_newest),
        cmocka_unit_test(test_bad_arguments_change_nothing),
        cmocka_unit_test(test_hurry_while_undecided),
        cmocka_unit_test(test_a_node_that_starts_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
