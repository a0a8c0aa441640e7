/* What nodes come to together: who sees whom, zones that lag or differ, events once, and who is said to lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health/monitor/fleet.h"

enum { PUSH = 15000 };

static struct conf_peer peers[LIMIT_NODES];
static char names[LIMIT_NODES][8];
static struct conf conf;

static struct fleet *opened(size_t count) {
    struct fleet *f;
    struct err err = {.text = ""};
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(names[i], sizeof names[i], "n%zu", i);
        peers[i] = (struct conf_peer){.name = names[i], .key = "k."};
    }
    conf.health.interval.push_ms = PUSH;
    conf.health.monitor.nodes = peers;
    conf.health.monitor.node_count = count;
    assert_int_equal(fleet_open(&f, &conf, 1000, &err), 0);
    return f;
}

static void give(struct fleet *f, const char *text, int64_t now) {
    struct intake *i;
    struct err err = {.text = ""};
    if (intake_read(&i, text, strlen(text), &err) != 0)
        fail_msg("%s: %s", text, err.text);
    i->node = SIZE_MAX;
    i->came_ms = now + 1000000;
    fleet_take(f, i, now, now + 1000000);
}

/* A detail of one zone, with a report. */
static void zone(struct fleet *f, int node, unsigned serial, const char *digest, int64_t now) {
    char text[640];
    (void)snprintf(
        text, sizeof text,
        "{\"report\":{\"node\":\"n%d\",\"boot\":\"0123456789abcdef\",\"sequence\":%lld,\"wallMs\":%lld,\"status\":"
        "\"pass\",\"ready\":true},\"detail\":{\"node\":\"n%d\",\"wallMs\":%lld,\"zones\":[{\"zone\":\"bl.\","
        "\"serial\":%u,\"digest\":\"%s\"}]}}",
        node, (long long)now, (long long)now, node, (long long)now, serial, digest);
    give(f, text, now);
}

static void test_index_finds_all(void **state) {
    (void)state;
    struct fleet *f = opened(LIMIT_NODES);
    for (size_t i = 0; i < LIMIT_NODES; i++)
        assert_int_equal(node_index_find(f->index, names[i]), i);
    assert_int_equal(node_index_find(f->index, "nobody"), SIZE_MAX);
    fleet_close(f);
}

static void test_zones_lag_and_differ(void **state) {
    (void)state;
    struct fleet *f = opened(4);
    char words[256];
    fleet_compare(f, 2000);
    assert_int_equal(fleet_zones_judge(f, words, sizeof words), VERDICT_UNKNOWN);
    for (int i = 0; i < 3; i++)
        zone(f, i, 7, "aa", 2000);
    fleet_compare(f, 2000);
    assert_int_equal(fleet_zones_judge(f, words, sizeof words), VERDICT_PASS);
    zone(f, 0, 8, "bb", 3000);
    zone(f, 1, 8, "bb", 3000);
    fleet_compare(f, 3000);
    assert_int_equal(fleet_zones_judge(f, words, sizeof words), VERDICT_PASS); /* not yet */
    for (int64_t now = 18000; now <= 78000; now += PUSH) {
        zone(f, 0, 8, "bb", now);
        zone(f, 1, 8, "bb", now);
        zone(f, 2, 7, "aa", now);
        fleet_compare(f, now);
    }
    assert_int_equal(fleet_zones_judge(f, words, sizeof words), VERDICT_WARN);
    assert_non_null(strstr(words, "bl.: n2 behind serial 8"));
    assert_int_equal(f->zone[0].serials, 2);
    zone(f, 2, 8, "cc", 80000);
    zone(f, 3, 8, "bb", 80000);
    fleet_compare(f, 80000);
    assert_int_equal(fleet_zones_judge(f, words, sizeof words), VERDICT_FAIL);
    assert_non_null(strstr(words, "other content on n2"));
    zone(f, 2, 8, "bb", 81000);
    fleet_compare(f, 81000);
    assert_int_equal(fleet_zones_judge(f, words, sizeof words), VERDICT_PASS);
    fleet_compare(f, 81000 + 5 * PUSH); /* all details are old: nothing is known */
    assert_int_equal(fleet_zones_judge(f, words, sizeof words), VERDICT_UNKNOWN);
    fleet_close(f);
}

static void test_serials_go_around(void **state) {
    (void)state;
    struct fleet *f = opened(2);
    zone(f, 0, 4294967295U, "", 2000);
    zone(f, 1, 3, "", 2000); /* newer, by RFC 1982 */
    fleet_compare(f, 2000);
    assert_int_equal(f->zone[0].newest, 3);
    fleet_close(f);
}

static void test_events_once_and_newest_first(void **state) {
    (void)state;
    struct fleet *f = opened(2);
    char text[512];
    for (int k = 1; k <= 130; k++)
        for (int twice = 0; twice < 2; twice++) {
            (void)snprintf(text, sizeof text,
                           "{\"detail\":{\"node\":\"n%d\"},\"events\":[{\"sequence\":%d,\"boot\":"
                           "\"0123456789abcdef\",\"kind\":\"start\",\"wallMs\":%d}]}",
                           k % 2, k, k);
            give(f, text, 2000 + k);
        }
    assert_int_equal(f->events, 130);
    assert_int_equal(fleet_event_at(f, 0)->event.sequence, 130);
    assert_int_equal(fleet_event_at(f, 99)->event.sequence, 31);
    assert_null(fleet_event_at(f, 100));
    struct fleet_page *held = fleet_page_ref(f->node[1].page);
    assert_int_equal(held->events, FLEET_PAGE_EVENTS);
    assert_int_equal(held->event[0]->event.sequence, 129);
    assert_int_equal(held->event[1]->event.sequence, 127);
    give(f, "{\"detail\":{\"node\":\"n1\",\"x\":2}}", 5000);
    assert_ptr_not_equal(held, f->node[1].page);
    fleet_close(f);
    assert_string_equal(held->event[0]->node, "n1"); /* whoever holds a page keeps it */
    fleet_page_unref(held);
}

static void test_an_old_detail_played_again_changes_nothing(void **state) {
    (void)state;
    struct fleet *f = opened(2);
    zone(f, 0, 8, "bb", 90000);
    int64_t facts_ms = f->node[0].facts_ms;
    give(f, "{\"detail\":{\"node\":\"n0\",\"wallMs\":5,\"zones\":[]}}", 95000);
    assert_int_equal(f->node[0].facts->zones, 1);
    assert_int_equal(f->node[0].facts_ms, facts_ms);
    fleet_close(f);
}

static void sees(struct fleet *f, int node, const char *state_of_n0, int64_t now) {
    char text[512];
    (void)snprintf(
        text, sizeof text,
        "{\"report\":{\"node\":\"n%d\",\"boot\":\"0123456789abcdef\",\"sequence\":%lld,\"wallMs\":%lld,\"status\":"
        "\"pass\",\"ready\":true},\"detail\":{\"node\":\"n%d\",\"wallMs\":%lld,\"peers\":[{\"peer\":\"n0\","
        "\"state\":\"%s\"},{\"peer\":\"elsewhere\",\"state\":\"gone\"}]}}",
        node, (long long)now, (long long)now, node, (long long)now, state_of_n0);
    give(f, text, now);
}

/* Its word says ready; this monitor gets answers; two of its peers do not see it. */
static void test_a_node_that_lies(void **state) {
    (void)state;
    struct fleet *f = opened(4);
    char words[256];
    zone(f, 0, 1, "", 2000);
    watched_answer(&f->watched[0], true, 2000);
    watched_pulled(&f->watched[0], true, VERDICT_PASS, true, 2000);
    sees(f, 1, "well", 2000);
    sees(f, 2, "gone", 2000);
    fleet_sights(f, 2000);
    assert_true(f->watched[0].peers_of == 2 && f->watched[0].peers_see == 1 && f->watched[0].peers_miss == 1);
    assert_int_equal(watched_agree(&f->watched[0], 2000, words, sizeof words), VERDICT_PASS);
    sees(f, 3, "gone", 2100);
    fleet_sights(f, 2100);
    assert_int_equal(watched_agree(&f->watched[0], 2100, words, sizeof words), VERDICT_FAIL);
    assert_non_null(strstr(words, "ready by its own word"));
    assert_non_null(strstr(words, "health port shows pass, ready"));
    assert_non_null(strstr(words, "of 3 peers 1 see it, 2 say it is gone"));
    assert_int_equal(fleet_node_judge(f, 0, false, 2100, words, sizeof words), VERDICT_FAIL);
    fleet_sights(f, 2100 + 5 * PUSH); /* who is not heard says nothing of others */
    assert_int_equal(f->watched[0].peers_of, 0);
    fleet_close(f);
}

static void test_cut_off_accuses_nobody(void **state) {
    (void)state;
    struct fleet *f = opened(3);
    char words[256];
    assert_int_equal(fleet_node_judge(f, 0, true, 1000 + 4 * PUSH, words, sizeof words), VERDICT_UNKNOWN);
    assert_non_null(strstr(words, "cut off"));
    assert_int_equal(fleet_node_judge(f, 0, false, 1000 + 4 * PUSH, words, sizeof words), VERDICT_FAIL);
    fleet_close(f);
}

static void test_who_is_unknown_is_passed_over(void **state) {
    (void)state;
    struct fleet *f = opened(1);
    give(f, "{\"detail\":{\"node\":\"stranger\"},\"events\":[]}", 2000);
    assert_null(f->node[0].page);
    fleet_close(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_index_finds_all),
                                       cmocka_unit_test(test_zones_lag_and_differ),
                                       cmocka_unit_test(test_serials_go_around),
                                       cmocka_unit_test(test_events_once_and_newest_first),
                                       cmocka_unit_test(test_an_old_detail_played_again_changes_nothing),
                                       cmocka_unit_test(test_a_node_that_lies),
                                       cmocka_unit_test(test_cut_off_accuses_nobody),
                                       cmocka_unit_test(test_who_is_unknown_is_passed_over)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
