/* Parts of the status page by themselves: the fleet of a monitor, and charts. What stands there when little is known,
 * when words are hostile, when there are many nodes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "health/web/page_part.h"
#include "health/web/pulse.h"

enum { PUSH = 15000, T0 = 1000000, NODES = 200 };
#define WALL 1795365676123LL

static void say(struct watched *w, const char *name, enum verdict_state s, bool ready, const char *cause) {
    *w = (struct watched){.name = name, .push_ms = PUSH, .since_ms = T0};
    struct report r = {.boot = 1, .sequence = 1, .wall_ms = WALL, .overall = (uint8_t)s, .ready = ready};
    (void)snprintf(r.node, sizeof r.node, "%s", name);
    (void)snprintf(r.cause, sizeof r.cause, "%s", cause);
    memset(r.scope, REPORT_ABSENT, sizeof r.scope);
    r.scope[SCOPE_WORKER] = (uint8_t)s;
    (void)watched_report(w, &r, T0, WALL);
    watched_answer(w, s != VERDICT_FAIL, T0);
}

/* As a monitor's loop judges them. */
static void show(struct text *t, struct watched *w, size_t count, int64_t mono_ms) {
    char words[256];
    struct fleet f = {.watched = w, .count = count, .node = calloc(count, sizeof *f.node)};
    f.cut_off = watched_cut_off(w, count, mono_ms, &f.lost);
    for (size_t i = 0; i < count; i++)
        f.node[i].state = fleet_node_judge(&f, i, f.cut_off, mono_ms, words, sizeof words);
    page_fleet(t, &(struct snapshot_source){.fleet = &f}, mono_ms);
    free(f.node);
}

static size_t count(const struct text *t, const char *words) {
    size_t n = 0;
    for (const char *at = t->at; (at = strstr(at, words)) != NULL; at++)
        n++;
    return n;
}

static void no_monitor_no_fleet(void **state) {
    struct text t = {0};
    (void)state;
    page_fleet(&t, &(struct snapshot_source){0}, T0);
    assert_int_equal(t.size, 0);
}

static void both_views_and_hostile_words(void **state) {
    struct watched w[3];
    struct text t = {0};
    (void)state;
    say(&w[0], "well", VERDICT_PASS, true, "");
    say(&w[1], "<b>\"ill", VERDICT_FAIL, false, "<script>alert(1)</script>");
    say(&w[2], "liar", VERDICT_PASS, true, "");
    for (int i = 0; i < 8; i++)
        watched_answer(&w[2], false, T0 + i);
    show(&t, w, 3, T0 + 10);
    assert_false(t.failed);
    assert_null(strstr(t.at, "<script"));
    assert_non_null(strstr(t.at, "&lt;b&gt;&quot;ill"));
    assert_non_null(strstr(t.at, "3 nodes"));
    /* The worst first: a well one is the last. */
    assert_true(strstr(t.at, ">well<") > strstr(t.at, ">liar<"));
    assert_non_null(strstr(t.at, "<b class=\"differs\">disagrees</b>"));
    assert_non_null(strstr(t.at, "1 say otherwise than is seen"));
    text_free(&t);
}

/* Words that are too old are none, and of a node that never spoke nothing is known. */
static void old_words_are_unknown(void **state) {
    struct watched w[2];
    struct text t = {0};
    (void)state;
    say(&w[0], "a", VERDICT_PASS, true, "");
    w[1] = (struct watched){.name = "b", .push_ms = PUSH, .since_ms = T0};
    show(&t, w, 2, T0 + 10 * PUSH);
    assert_null(strstr(t.at, "<b class=\"pass\">pass</b>"));
    assert_non_null(strstr(t.at, "not asked yet"));
    text_free(&t);
}

static void cut_off_accuses_nobody(void **state) {
    struct watched w[4];
    struct text t = {0};
    char names[4][8];
    (void)state;
    for (int i = 0; i < 4; i++) {
        (void)snprintf(names[i], sizeof names[i], "n%d", i);
        say(&w[i], names[i], VERDICT_PASS, true, "");
        watched_answer(&w[i], false, T0 + 5 * PUSH);
    }
    show(&t, w, 4, T0 + 10 * PUSH);
    assert_non_null(strstr(t.at, "it is this monitor that is cut off"));
    assert_non_null(strstr(t.at, "<b class=\"unknown\">4 unknown</b>"));
    assert_null(strstr(t.at, "disagrees"));
    text_free(&t);
}

static void many_nodes_weigh_little(void **state) {
    struct watched *w = calloc(NODES, sizeof *w);
    char(*names)[16] = calloc(NODES, sizeof *names);
    struct text t = {0};
    (void)state;
    for (int i = 0; i < NODES; i++) {
        (void)snprintf(names[i], sizeof names[i], "scan%d", i);
        say(&w[i], names[i], i == 150 ? VERDICT_FAIL : VERDICT_PASS, i != 150, "");
    }
    show(&t, w, NODES, T0 + 10);
    assert_int_equal(count(&t, "<tr>"), 1 + 20);
    assert_non_null(strstr(t.at, "Nothing that a node has told of"));
    assert_true(strstr(t.at, "scan150") < strstr(t.at, "scan0<"));
    assert_non_null(strstr(t.at, "and 180 more"));
    assert_true(t.size < (size_t)20 << 10);
    text_free(&t);
    free(names);
    free(w);
}

/* The numbers of the charts: JSON within an attribute, oldest first, and no duration where there was no answer. */
static void charts(void **state) {
    static struct board board;
    static struct pulse p;
    struct text t = {0};
    (void)state;
    board_set(&board.worker_count, 1);
    pulse_note(&p, &board, T0);
    page_charts(&t, &p, T0, WALL);
    assert_int_equal(t.size, 0); /* one sample is no step */
    for (int i = 1; i <= 3; i++) {
        board_set(&board.worker[0].queries[0][0], (uint64_t)i * 500);
        if (i == 3)
            board_set(&board.worker[0].latency[SOURCE_CACHE][0], 10);
        pulse_note(&p, &board, T0 + (int64_t)i * PULSE_STEP_MS);
    }
    page_charts(&t, &p, T0 + 3 * PULSE_STEP_MS, WALL);
    const char *from = strstr(t.at, "data-pulse='"), *to = from != NULL ? strchr(from + 12, '\'') : NULL;
    assert_non_null(to);
    json_t *j = json_loadb(from + 12, (size_t)(to - from - 12), 0, NULL);
    assert_non_null(j);
    json_t *at = json_object_get(j, "at"), *rate = json_object_get(j, "rate"), *half = json_object_get(j, "p50");
    assert_int_equal(json_array_size(at), 3);
    assert_int_equal(json_integer_value(json_array_get(at, 2)), WALL / 1000);
    assert_int_equal(json_integer_value(json_array_get(at, 0)), WALL / 1000 - 10);
    assert_true(json_number_value(json_array_get(rate, 1)) == 100);
    assert_true(json_is_null(json_array_get(half, 1)));
    assert_true(json_number_value(json_array_get(half, 2)) >= 0 && !json_is_null(json_array_get(half, 2)));
    assert_int_equal(count(&t, "<polyline"), 3);
    json_decref(j);
    text_free(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_monitor_no_fleet),     cmocka_unit_test(both_views_and_hostile_words),
        cmocka_unit_test(old_words_are_unknown),   cmocka_unit_test(cut_off_accuses_nobody),
        cmocka_unit_test(many_nodes_weigh_little), cmocka_unit_test(charts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
