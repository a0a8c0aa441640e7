/* Zones that come, change and go while the keeper works: places, jobs that wait, keeps that are lent, files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "rbl/publish/keeper.h"
#include "resolver/base/log.h"

enum { WAIT_TURNS = 20000, PLACE = 5 };

static struct {
    char folder[64];
    struct conf *conf, *first, *second;
    struct board *board;
    struct loop *loop;
    struct keeper *keeper;
    unsigned gone, told, done;
    int code;
} t;

static struct conf *zone_of(const char *options) {
    struct conf *c;
    struct err err = {.text = ""};
    if (conf_read_zone(&c, t.conf, options, "options", &err) != 0)
        fail_msg("%s", err.text);
    return c;
}

static void tell(void *ctx, int zone) {
    (void)ctx;
    t.told += zone == PLACE;
}

static int set_up(void **state) {
    struct err err = {0};
    (void)state;
    memset(&t, 0, sizeof t);
    log_open("test", LEVEL_ERROR, LOG_FORMAT_LOGFMT, LOG_TARGET_STDERR);
    text_copy(t.folder, sizeof t.folder, "/tmp/candor-zones-XXXXXX");
    assert_non_null(mkdtemp(t.folder));
    static const char text[] = "{node: {name: test, state: state, run: .}, rbl: {zones: [{name: fixed.test}]}}";
    if (conf_read_text(&t.conf, text, sizeof text - 1, t.folder, "test", &err) != 0)
        fail_msg("%s", err.text);
    t.first = zone_of("{name: come.test., ttl: 10s, test: none}");
    t.second = zone_of("{name: come.test., ttl: 20s, test: none}");
    assert_int_equal(board_attach(&t.board, t.folder, &err), 0);
    assert_int_equal(loop_open(&t.loop, &err), 0);
    assert_int_equal(keeper_open(&t.keeper, t.loop, t.conf, t.board, &err), 0);
    keeper_on_zone(t.keeper, tell, NULL);
    return 0;
}

static int tear_down(void **state) {
    char command[128];
    (void)state;
    while (!keeper_quiet(t.keeper))
        loop_turn(t.loop, 10);
    keeper_close(t.keeper);
    loop_close(t.loop);
    board_detach(t.board);
    conf_free(t.first);
    conf_free(t.second);
    conf_free(t.conf);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", t.folder);
    return system(command); /* NOLINT(cert-env33-c): the folder is the test's own */
}

static void turn_until(bool (*right)(void)) {
    for (int i = 0; i < WAIT_TURNS && !right(); i++)
        loop_turn(t.loop, 5);
    assert_true(right());
}

static bool is_there(void) {
    struct keep_state st;
    return keeper_state(t.keeper, PLACE, &st, NULL) == 0;
}
static bool is_gone(void) { return t.gone == 1; }
static bool is_free(void) { return keeper_zone_free(t.keeper, PLACE); }
static bool is_done(void) { return t.done == 1; }
static bool has_options(void) { return keeper_zone_conf(t.keeper, PLACE) == &t.second->rbl.zones[0]; }

static int add_one(void *ctx, struct keep_batch *b, struct err *err) {
    struct keep_entry e = {.kind = KEEP_4, .bits = 32, .addr = {192, 0, 2, 1}, .value = {.kind = VALUE_LISTED}};
    (void)ctx;
    memcpy(e.value.a, "\177\0\0\2", 4);
    return keep_batch_add(b, &e, err);
}

static void job_done(void *ctx, struct job *j) {
    (void)ctx;
    t.done++;
    t.code = j->code;
}

static int submit(struct err *err) {
    struct job *j = job_new(JOB_CHANGE);
    assert_non_null(j);
    j->change = add_one;
    j->change_source = "test";
    j->done = job_done;
    int rc = keeper_submit(t.keeper, PLACE, j, err);
    if (rc < 0)
        job_free(j);
    return rc;
}

static void gone(void *ctx, size_t place) {
    (void)ctx;
    t.gone += place == PLACE;
    assert_int_equal(keeper_find(t.keeper, "come.test"), E_NOTFOUND);
}

static bool has_files(void) {
    char path[128];
    struct stat st;
    (void)snprintf(path, sizeof path, "%s/state/zones/come.test.", t.folder);
    return stat(path, &st) == 0;
}

static void come(void) {
    struct err err = {0};
    assert_true(is_free());
    assert_int_equal(keeper_zone_put(t.keeper, PLACE, &t.first->rbl.zones[0], &err), 0);
    assert_int_equal(keeper_find(t.keeper, "COME.test"), PLACE);
    assert_int_equal(submit(&err), 0);
    turn_until(is_done);
    assert_int_equal(t.code, 0);
    turn_until(is_there);
}

static void come_and_go(void **state) {
    struct err err = {0};
    (void)state;
    struct keep_state first, again;
    come();
    assert_int_equal(keeper_state(t.keeper, PLACE, &first, NULL), 0);
    assert_int_equal(t.told, 1);
    assert_int_equal(board_get(&t.board->zone_count), PLACE + 1);
    assert_string_equal(t.board->zone[PLACE].name, "come.test.");
    assert_int_equal(board_get(&t.board->zone[PLACE].entries), 1);
    assert_int_equal(keeper_zone_put(t.keeper, PLACE, &t.second->rbl.zones[0], &err), 0);
    turn_until(has_options);
    assert_int_equal(t.told, 2);
    assert_false(keeper_holds(t.keeper, &t.first->rbl.zones[0]));
    assert_true(has_files());
    t.done = 0;
    assert_int_equal(submit(&err), 0); /* under way or waiting: answered either way */
    assert_int_equal(keeper_zone_remove(t.keeper, PLACE, gone, NULL, &err), 0);
    assert_int_equal(submit(&err), E_CLOSED);
    assert_int_equal(keeper_zone_remove(t.keeper, PLACE, gone, NULL, &err), E_NOTFOUND);
    turn_until(is_gone);
    assert_int_equal(t.done, 1);
    assert_false(has_files());
    assert_string_equal(t.board->zone[PLACE].name, "");
    assert_int_equal(board_get(&t.board->zone[PLACE].entries), 0);
    assert_false(is_there());
    turn_until(is_free);
    assert_false(keeper_holds(t.keeper, &t.second->rbl.zones[0]));
    t.done = t.gone = 0;
    come(); /* the place may be taken again, and the zone begins empty */
    assert_int_equal(keeper_state(t.keeper, PLACE, &again, NULL), 0);
    assert_int_equal(again.commits, first.commits);
    assert_int_equal(again.entries, 1);
}

/* Somebody fills beside: neither other options nor the end come before it is given back. */
static void lent(void **state) {
    struct err err = {0};
    struct keep *keep;
    (void)state;
    come();
    assert_int_equal(keeper_keep(t.keeper, PLACE, &keep, &err), 0);
    assert_int_equal(keeper_zone_put(t.keeper, PLACE, &t.second->rbl.zones[0], &err), 0);
    for (int i = 0; i < 20; i++)
        loop_turn(t.loop, 1);
    assert_false(has_options());
    assert_int_equal(keeper_zone_remove(t.keeper, PLACE, gone, NULL, &err), 0);
    turn_until(is_gone);
    for (int i = 0; i < 20; i++)
        loop_turn(t.loop, 1);
    assert_false(is_free());
    assert_int_equal(keeper_keep(t.keeper, PLACE, &keep, &err), E_NOTFOUND);
    keeper_give_back(t.keeper, PLACE);
    turn_until(is_free);
}

static void wrong_places(void **state) {
    struct err err = {0};
    (void)state;
    assert_int_equal(keeper_zone_put(t.keeper, LIMIT_ZONES, &t.first->rbl.zones[0], &err), E_FULL);
    assert_int_equal(keeper_zone_remove(t.keeper, 900, gone, NULL, &err), E_NOTFOUND);
    assert_false(keeper_zone_free(t.keeper, LIMIT_ZONES));
    assert_false(keeper_zone_free(t.keeper, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(come_and_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wrong_places, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
