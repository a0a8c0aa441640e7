/* The machine of alerts: groups, storms, cut off, well again, restarts, and words that mean harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "health/alert/alert.h"
#include "resolver/base/text.h"

enum { NODES = 2000, STEP_MS = 1000, WAIT_MS = 5000, HOLD_MS = 15000, DOUBT_MS = 22000, SETTLE_MS = 20000 };

struct play {
    struct alerts *a;
    int64_t now;
    size_t nodes;
    enum alert_state state[NODES], fleet, monitor;
    const char *cut_off, *why;
    unsigned news; /* looks with news */
};

static void set_up(struct play *p, size_t nodes) {
    struct err err;
    *p = (struct play){.now = 1000000, .nodes = nodes, .fleet = ALERT_WELL, .monitor = ALERT_WELL, .why = "silent"};
    const struct alert_plan plan = {.monitor = "m",
                                    .wait_ms = WAIT_MS,
                                    .hold_ms = HOLD_MS,
                                    .doubt_ms = DOUBT_MS,
                                    .settle_ms = SETTLE_MS,
                                    .again_ms = 3600000};
    for (size_t i = 0; i < nodes; i++)
        p->state[i] = ALERT_WELL;
    assert_int_equal(alerts_open(&p->a, &plan, &err), 0);
}

static void look(struct play *p) {
    char name[32];
    p->now += STEP_MS;
    alerts_begin(p->a, p->now, 1700000000000 + p->now, p->cut_off);
    for (size_t i = 0; i < p->nodes; i++) {
        (void)snprintf(name, sizeof name, "n%zu", i);
        alerts_see(p->a, &(struct alert_view){.kind = ALERT_NODE,
                                              .name = name,
                                              .state = p->state[i],
                                              .why = p->why,
                                              .own = "pass, ready",
                                              .got = "no answer",
                                              .seen = "they disagree"});
    }
    alerts_see(p->a, &(struct alert_view){.kind = ALERT_FLEET, .name = "m", .state = p->fleet, .why = "zones differ"});
    alerts_see(p->a, &(struct alert_view){.kind = ALERT_MONITOR, .name = "m", .state = p->monitor, .why = "disk full"});
    p->news += alerts_end(p->a);
}

static void pass_ms(struct play *p, int64_t ms) {
    for (int64_t end = p->now + ms; p->now < end;)
        look(p);
}

static void all(struct play *p, size_t from, size_t to, enum alert_state s) {
    for (size_t i = from; i < to; i++)
        p->state[i] = s;
}

static size_t firing(const struct play *p) {
    size_t n = 0;
    for (int k = 0; k < ALERT_KINDS; k++)
        n += alerts_firing(p->a, (enum alert_kind)k);
    return n;
}

static void test_one_node(void **state) {
    struct play p;
    (void)state;
    set_up(&p, 10);
    pass_ms(&p, 60000);
    assert_int_equal(p.news, 0);
    p.state[3] = ALERT_ILL;
    pass_ms(&p, WAIT_MS);
    assert_int_equal(firing(&p), 0);
    look(&p);
    assert_int_equal(alerts_firing(p.a, ALERT_NODE), 1);
    struct alert_list *l = alerts_list(p.a);
    assert_int_equal(l->count, 1);
    const struct alert *at = &l->at[0];
    assert_string_equal(at->node, "n3");
    assert_string_equal(at->members, "n3\n");
    assert_string_equal(at->summary, "n3: silent");
    assert_non_null(strstr(at->description, "n3 by its own word: pass, ready\nWhat monitor m got: no answer\n"));
    assert_int_equal(at->news, ALERT_BEGAN);
    assert_int_equal(at->began_wall_ms, 1700000000000 + p.now - WAIT_MS);
    assert_int_equal(at->ended_wall_ms, 0);
    assert_true(at->change == l->change && at->id > 0);
    alert_list_unref(l);
    pass_ms(&p, 600000); /* nothing new */
    assert_int_equal(p.news, 1);
    p.state[3] = ALERT_WELL;
    pass_ms(&p, HOLD_MS);
    assert_int_equal(firing(&p), 1);
    look(&p);
    assert_int_equal(firing(&p), 0);
    l = alerts_list(p.a);
    assert_int_equal(l->count, 1);
    assert_int_equal(l->at[0].news, ALERT_OVER);
    assert_true(l->at[0].ended_wall_ms > l->at[0].began_wall_ms);
    alert_list_unref(l);
    assert_int_equal(p.news, 2);
    alerts_close(p.a);
}

static void test_short_trouble_is_none(void **state) {
    struct play p;
    (void)state;
    set_up(&p, 10);
    for (int i = 0; i < 20; i++) {
        p.state[1] = i % 2 == 0 ? ALERT_ILL : ALERT_WELL;
        pass_ms(&p, 3000);
    }
    assert_int_equal(p.news, 0);
    alerts_close(p.a);
}

static void test_what_flaps_is_held(void **state) {
    struct play p;
    (void)state;
    set_up(&p, 10);
    p.state[1] = ALERT_ILL;
    pass_ms(&p, 10000);
    for (int i = 0; i < 50; i++) {
        p.state[1] = i % 2 == 0 ? ALERT_WELL : ALERT_ILL;
        pass_ms(&p, 10000);
    }
    assert_int_equal(p.news, 1);
    assert_int_equal(firing(&p), 1);
    alerts_close(p.a);
}

static void test_group_of_few_one_each(void **state) {
    struct play p;
    (void)state;
    set_up(&p, 100);
    all(&p, 0, 4, ALERT_ILL);
    pass_ms(&p, 3000);
    all(&p, 4, ALERT_SINGLY, ALERT_ILL); /* within the wait */
    pass_ms(&p, 4000);
    assert_int_equal(alerts_firing(p.a, ALERT_NODE), ALERT_SINGLY);
    assert_int_equal(p.news, 1);
    all(&p, 0, 100, ALERT_WELL);
    pass_ms(&p, 20000);
    assert_int_equal(firing(&p), 0);
    assert_int_equal(p.news, 2);
    alerts_close(p.a);
}

static void test_a_thousand_at_once_is_one(void **state) {
    struct play p;
    (void)state;
    set_up(&p, NODES);
    look(&p);
    all(&p, 100, 1100, ALERT_ILL);
    pass_ms(&p, DOUBT_MS + 2000); /* more than half: a while is waited whether it is the monitor */
    assert_int_equal(alerts_firing(p.a, ALERT_NODES), 1);
    assert_int_equal(firing(&p), 1);
    assert_int_equal(p.news, 1);
    struct alert_list *l = alerts_list(p.a);
    assert_string_equal(l->at[0].summary, "1000 of 2000 nodes are not well");
    assert_non_null(strstr(l->at[0].description, "n100, n101"));
    assert_non_null(strstr(l->at[0].description, "n119 and 980 more"));
    assert_null(strstr(l->at[0].description, "n120"));
    alert_list_unref(l);
    all(&p, 100, 1000, ALERT_WELL);
    pass_ms(&p, 60000);
    assert_int_equal(p.news, 1); /* not over before all are well */
    l = alerts_list(p.a);
    assert_string_equal(l->at[0].summary, "100 of 2000 nodes are not well; 1000 were");
    alert_list_unref(l);
    all(&p, 0, NODES, ALERT_WELL);
    pass_ms(&p, 20000);
    assert_int_equal(p.news, 2);
    assert_int_equal(firing(&p), 0);
    alerts_close(p.a);
}

static void test_a_hundred_of_a_thousand_waits_no_longer(void **state) {
    struct play p;
    (void)state;
    set_up(&p, 1000);
    all(&p, 0, 100, ALERT_ILL);
    pass_ms(&p, WAIT_MS + STEP_MS);
    assert_int_equal(alerts_firing(p.a, ALERT_NODES), 1);
    assert_int_equal(firing(&p), 1);
    alerts_close(p.a);
}

static void test_those_that_come_later_join(void **state) {
    struct play p;
    (void)state;
    set_up(&p, 1000);
    all(&p, 0, 20, ALERT_ILL);
    pass_ms(&p, 10000);
    for (size_t i = 20; i < 320; i++) { /* one a second */
        p.state[i] = ALERT_ILL;
        look(&p);
    }
    assert_int_equal(alerts_firing(p.a, ALERT_NODES), 1);
    assert_int_equal(firing(&p), 1);
    assert_in_range(p.news, 2, 8); /* told, less and less often */
    pass_ms(&p, 2 * ALERT_UPDATE_MS);
    struct alert_list *l = alerts_list(p.a);
    assert_int_equal(l->at[0].ill, 320);
    assert_int_equal(l->at[0].news, ALERT_GREW);
    alert_list_unref(l);
    /* When few of them are left, one that fails then is a case of its own. */
    all(&p, 5, 1000, ALERT_WELL);
    pass_ms(&p, 20000);
    p.state[900] = ALERT_ILL;
    pass_ms(&p, 10000);
    assert_int_equal(alerts_firing(p.a, ALERT_NODE), 1);
    alerts_close(p.a);
}

static void test_a_trickle_is_no_storm(void **state) {
    struct play p;
    (void)state;
    set_up(&p, 1000);
    for (size_t i = 0; i < 400; i++) {
        p.state[i] = ALERT_ILL;
        pass_ms(&p, 7000);
    }
    assert_int_equal(alerts_firing(p.a, ALERT_NODE), ALERT_SINGLES);
    assert_in_range(alerts_firing(p.a, ALERT_NODES), 1, ALERT_TOGETHER);
    assert_in_range(p.news, ALERT_SINGLES, ALERT_SINGLES + 20);
    alerts_close(p.a);
}

static void test_cut_off_accuses_nobody(void **state) {
    struct play p;
    (void)state;
    set_up(&p, 100);
    p.state[7] = ALERT_ILL;
    pass_ms(&p, 10000);
    all(&p, 0, 100, ALERT_ILL); /* most answers are missed before it is known why */
    pass_ms(&p, DOUBT_MS - 2000);
    assert_int_equal(p.news, 1);
    p.cut_off = "0 of 100 nodes are heard";
    p.monitor = ALERT_ILL;
    look(&p);
    assert_int_equal(alerts_firing(p.a, ALERT_CUT_OFF), 1);
    all(&p, 0, 100, ALERT_WELL); /* withheld: no proof of anything */
    pass_ms(&p, 600000);
    assert_int_equal(p.news, 2);
    assert_int_equal(firing(&p), 2);
    struct alert_list *l = alerts_list(p.a);
    assert_string_equal(l->at[1].summary, "monitor m is cut off from the nodes: 0 of 100 nodes are heard");
    assert_string_equal(l->at[1].node, "m");
    alert_list_unref(l);
    p.cut_off = NULL;
    p.monitor = ALERT_WELL;
    all(&p, 0, 40, ALERT_ILL); /* some are heard later than others */
    pass_ms(&p, 10000);
    all(&p, 0, 100, ALERT_WELL);
    pass_ms(&p, SETTLE_MS);
    assert_int_equal(alerts_firing(p.a, ALERT_CUT_OFF), 0);
    assert_int_equal(p.news, 3);
    pass_ms(&p, 2 * HOLD_MS);
    assert_int_equal(firing(&p), 0);
    assert_int_equal(p.news, 4);
    alerts_close(p.a);
}

static void test_what_is_not_known_changes_nothing(void **state) {
    struct play p;
    (void)state;
    set_up(&p, 10);
    all(&p, 0, 10, ALERT_DARK);
    pass_ms(&p, 60000);
    assert_int_equal(p.news, 0);
    all(&p, 0, 10, ALERT_WELL);
    p.state[1] = ALERT_ILL;
    pass_ms(&p, 10000);
    p.state[1] = ALERT_DARK;
    pass_ms(&p, 600000);
    assert_int_equal(firing(&p), 1);
    p.state[1] = ALERT_WELL;
    pass_ms(&p, 20000);
    assert_int_equal(firing(&p), 0);
    alerts_close(p.a);
}

static void test_again(void **state) {
    struct play p;
    (void)state;
    set_up(&p, 10);
    p.state[1] = ALERT_ILL;
    pass_ms(&p, 3600000 + 10000);
    assert_int_equal(p.news, 2);
    struct alert_list *l = alerts_list(p.a);
    assert_int_equal(l->at[0].news, ALERT_AGAIN);
    alert_list_unref(l);
    alerts_close(p.a);
}

static void test_fleet_and_monitor(void **state) {
    struct play p;
    (void)state;
    set_up(&p, 3);
    p.fleet = p.monitor = ALERT_ILL;
    pass_ms(&p, 7000);
    assert_int_equal(alerts_firing(p.a, ALERT_FLEET), 1);
    assert_int_equal(alerts_firing(p.a, ALERT_MONITOR), 1);
    struct alert_list *l = alerts_list(p.a);
    assert_string_equal(l->at[0].summary, "the nodes do not agree: zones differ");
    assert_string_equal(l->at[1].summary, "m, a monitor, is not well itself: disk full");
    alert_list_unref(l);
    p.fleet = p.monitor = ALERT_WELL;
    pass_ms(&p, 20000);
    assert_int_equal(firing(&p), 0);
    alerts_close(p.a);
}

/* Another process goes on where this one ended: nothing is told anew, and what is over by then is told. */
static void test_restart(void **state) {
    struct play p, q;
    (void)state;
    set_up(&p, 1000);
    p.state[999] = ALERT_ILL;
    pass_ms(&p, 10000);
    all(&p, 0, 100, ALERT_ILL);
    pass_ms(&p, 10000);
    assert_int_equal(firing(&p), 2);
    struct alert_list *past = alerts_list(p.a);
    set_up(&q, 1000);
    alerts_restore(q.a, past);
    all(&q, 0, 1000, ALERT_DARK);
    pass_ms(&q, 20000);
    all(&q, 0, 1000, ALERT_WELL);
    all(&q, 0, 100, ALERT_ILL);
    q.state[999] = ALERT_ILL;
    pass_ms(&q, 60000);
    assert_int_equal(q.news, 0);
    assert_int_equal(firing(&q), 2);
    all(&q, 0, 1000, ALERT_WELL);
    pass_ms(&q, 20000);
    assert_int_equal(firing(&q), 0);
    struct alert_list *l = alerts_list(q.a);
    assert_int_equal(l->count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(l->at[i].news, ALERT_OVER);
        assert_true(l->at[i].change > past->change);
    }
    alert_list_unref(l);
    alert_list_unref(past);
    alerts_close(p.a);
    alerts_close(q.a);
}

static void test_restart_while_cut_off_and_a_node_that_is_watched_no_more(void **state) {
    struct play p, q;
    (void)state;
    set_up(&p, 10);
    p.state[9] = ALERT_ILL;
    pass_ms(&p, 10000);
    p.cut_off = "nobody";
    pass_ms(&p, 10000);
    struct alert_list *past = alerts_list(p.a);
    assert_int_equal(past->count, 2);
    set_up(&q, 9); /* n9 has gone from the configuration */
    alerts_restore(q.a, past);
    q.cut_off = NULL;
    look(&q);
    assert_int_equal(alerts_firing(q.a, ALERT_CUT_OFF), 1);
    assert_int_equal(alerts_firing(q.a, ALERT_NODE), 0);
    q.cut_off = "nobody";
    pass_ms(&q, 60000);
    assert_int_equal(alerts_firing(q.a, ALERT_CUT_OFF), 1);
    q.cut_off = NULL;
    pass_ms(&q, 60000);
    assert_int_equal(firing(&q), 0);
    alert_list_unref(past);
    alerts_close(p.a);
    alerts_close(q.a);
}

/* Nothing of a list that somebody else wrote is taken at its word. */
static void test_a_past_that_cannot_be(void **state) {
    struct play p;
    (void)state;
    set_up(&p, 10);
    struct alert_list *l = alert_list_new(3 * ALERT_MAX);
    for (size_t i = 0; i < l->count; i++) {
        l->at[i].id = l->at[i].change = i + 1;
        l->at[i].kind = (enum alert_kind)(i % (ALERT_KINDS + 2));
        l->at[i].members = strdup(i % 3 == 0 ? "" : i % 3 == 1 ? "n1\nno line break" : "\n\n\nn2\n");
        l->at[i].ill = 5000;
        l->at[i].ended_wall_ms = i % 7 == 0;
    }
    alerts_restore(p.a, l);
    alert_list_unref(l);
    assert_in_range(firing(&p), 0, ALERT_SINGLES + ALERT_TOGETHER + 3);
    pass_ms(&p, 120000);
    assert_int_equal(firing(&p), 0);
    alerts_close(p.a);
}

static void test_words_that_mean_harm(void **state) {
    struct play p;
    (void)state;
    set_up(&p, 3);
    char lots[5000];
    memset(lots, 0xC3, sizeof lots);
    lots[sizeof lots - 1] = '\0';
    const char *const names[] = {"a\r\nBcc: everybody@example.org", "\xff\xfe\x80", "", lots};
    const char *const whys[] = {"x\n.\nQUIT\x1b[31m\x7f\xc2\x85", "\xed\xa0\x80 surrogate", "nothing", lots};
    for (int n = 0; n < 10; n++) {
        p.now += STEP_MS;
        alerts_begin(p.a, p.now, p.now, NULL);
        for (size_t i = 0; i < 4; i++)
            alerts_see(p.a, &(struct alert_view){.kind = ALERT_NODE,
                                                 .name = names[i],
                                                 .state = ALERT_ILL,
                                                 .why = whys[i],
                                                 .own = whys[i],
                                                 .got = whys[i],
                                                 .seen = NULL});
        alerts_see(p.a, &(struct alert_view){.kind = ALERT_NODE, .name = NULL, .state = ALERT_ILL});
        (void)alerts_end(p.a);
    }
    pass_ms(&p, 0);
    p.now += DOUBT_MS;
    look(&p);
    struct alert_list *l = alerts_list(p.a);
    for (size_t i = 0; i < l->count; i++) {
        const char *texts[] = {l->at[i].node, l->at[i].summary, l->at[i].description};
        for (size_t k = 0; k < 3; k++)
            for (size_t at = 0, size = strlen(texts[k]); at < size;) {
                size_t step = text_utf8((const uint8_t *)texts[k] + at, size - at);
                assert_in_range(step, 1, 4);
                assert_true((unsigned char)texts[k][at] >= 0x20 || (k == 2 && texts[k][at] == '\n'));
                assert_int_not_equal(texts[k][at], 0x7f);
                at += step;
            }
    }
    alert_list_unref(l);
    alerts_close(p.a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_node),
        cmocka_unit_test(test_short_trouble_is_none),
        cmocka_unit_test(test_what_flaps_is_held),
        cmocka_unit_test(test_group_of_few_one_each),
        cmocka_unit_test(test_a_thousand_at_once_is_one),
        cmocka_unit_test(test_a_hundred_of_a_thousand_waits_no_longer),
        cmocka_unit_test(test_those_that_come_later_join),
        cmocka_unit_test(test_a_trickle_is_no_storm),
        cmocka_unit_test(test_cut_off_accuses_nobody),
        cmocka_unit_test(test_what_is_not_known_changes_nothing),
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_fleet_and_monitor),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_restart_while_cut_off_and_a_node_that_is_watched_no_more),
        cmocka_unit_test(test_a_past_that_cannot_be),
        cmocka_unit_test(test_words_that_mean_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
