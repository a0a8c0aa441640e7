/* Changes in groups: who shares a commit, who is refused, what is left when one of them fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "rbl/publish/keeper.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"

enum { FREE, GUARDED, ZONES, WAIT_TURNS = 20000 };

static struct {
    char folder[64];
    struct conf *conf;
    struct board *board;
    struct loop *loop;
    struct keeper *keeper;
} t;

static int64_t skew_s; /* how far the wall clock is ahead */

static int64_t skewed(enum clock_kind kind) {
    struct timespec ts;
    (void)clock_gettime(kind == CLOCK_KIND_WALL ? CLOCK_REALTIME : CLOCK_MONOTONIC, &ts);
    int64_t ns = (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
    return kind == CLOCK_KIND_WALL ? ns + __atomic_load_n(&skew_s, __ATOMIC_RELAXED) * NS_PER_S : ns;
}

static void open_keeper(void) {
    struct err err = {0};
    assert_int_equal(board_attach(&t.board, t.folder, &err), 0);
    assert_int_equal(loop_open(&t.loop, &err), 0);
    if (keeper_open(&t.keeper, t.loop, t.conf, t.board, &err) != 0)
        fail_msg("%s", err.text);
}

static void close_keeper(void) {
    while (!keeper_quiet(t.keeper))
        loop_turn(t.loop, 10);
    keeper_close(t.keeper);
    loop_close(t.loop);
    board_detach(t.board);
}

static int set_up(void **state) {
    struct err err = {0};
    (void)state;
    memset(&t, 0, sizeof t);
    log_open("test", LEVEL_ERROR, LOG_FORMAT_LOGFMT, LOG_TARGET_STDERR);
    skew_s = 0;
    clock_set_source(skewed);
    text_copy(t.folder, sizeof t.folder, "/tmp/candor-change-XXXXXX");
    assert_non_null(mkdtemp(t.folder));
    static const char text[] = "node: { name: test, state: state, run: . }\n"
                               "rbl:\n  zones:\n"
                               "    - { name: free.test., test: none }\n"
                               "    - { name: guarded.test., test: rfc5782-ip4 }\n";
    if (conf_read_text(&t.conf, text, sizeof text - 1, t.folder, "test", &err) != 0)
        fail_msg("%s", err.text);
    open_keeper();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    close_keeper();
    conf_free(t.conf);
    clock_set_source(NULL);
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", t.folder);
    return system(command); /* NOLINT(cert-env33-c): the folder is the test's own */
}

/* One publisher: adds `count` addresses from `first` on. */
struct asked {
    int64_t until;
    const char *source, *force;
    uint32_t first, count;
    bool remove, fails_after; /* fails when its edits are made */
    /* what came of it */
    bool failed_itself;
    unsigned calls, done;
    int code;
    uint32_t serial;
    uint64_t entries;
    char text[128];
};

static int make_edits(void *ctx, struct keep_batch *b, struct err *err) {
    struct asked *a = ctx;
    a->calls++;
    for (uint32_t i = 0; i < a->count; i++) {
        struct keep_entry e = {.kind = KEEP_4, .bits = 32, .until_wall_s = a->until};
        e.value = (struct value){.a = {127, 0, 0, 2}};
        put_u32(e.addr, a->first + i);
        int rc = a->remove ? keep_batch_remove(b, &e, true, err) : keep_batch_add(b, &e, err);
        if (rc < 0)
            return rc;
    }
    return a->fails_after ? err_set(err, E_EXISTS, "a prerequisite") : 0;
}

static void note_done(void *ctx, struct job *j) {
    struct asked *a = ctx;
    a->done++;
    a->code = j->code;
    a->failed_itself = j->failed_itself;
    a->serial = j->state.serial;
    a->entries = j->state.entries;
    text_copy(a->text, sizeof a->text, j->err.text);
}

static int submit(int zone, struct asked *a) {
    struct job *j = job_new(JOB_CHANGE);
    assert_non_null(j);
    j->change = make_edits;
    j->change_source = a->source;
    j->force = a->force;
    j->done = note_done;
    j->ctx = a;
    int rc = keeper_submit(t.keeper, zone, j, NULL);
    if (rc < 0)
        job_free(j);
    return rc;
}

static void wait_all(const struct asked *a, size_t count) {
    for (size_t i = 0; i < count; i++)
        for (int turn = 0; a[i].done == 0; turn++) {
            assert_true(turn < WAIT_TURNS);
            loop_turn(t.loop, 10);
        }
}

static void change(int zone, struct asked *a, size_t count) {
    for (size_t i = 0; i < count; i++)
        assert_int_equal(submit(zone, &a[i]), 0);
    wait_all(a, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(a[i].done, 1);
}

static struct board_zone board_of(int zone) {
    struct board_zone z;
    assert_true(board_zone_read(&t.board->zone[zone], &z));
    return z;
}

/* Runs a job without a callback of its own and waits for it. */
static int run_job(int zone, enum job_kind kind) {
    struct asked a = {0};
    struct job *j = job_new(kind);
    assert_non_null(j);
    j->done = note_done;
    j->ctx = &a;
    assert_int_equal(keeper_submit(t.keeper, zone, j, NULL), 0);
    wait_all(&a, 1);
    return a.code;
}

static void test_changes_that_wait_share_commits(void **state) {
    enum { MANY = 500 };
    struct asked *a = calloc(MANY, sizeof *a);
    (void)state;
    for (uint32_t i = 0; i < MANY; i++)
        a[i] = (struct asked){.first = 0x0a000000 + i, .count = 1, .source = "test"};
    change(FREE, a, MANY);
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(a[i].code, 0);
    struct board_zone z = board_of(FREE);
    assert_int_equal(z.changes_done, MANY);
    assert_in_range(z.change_groups, 1, MANY / 10);
    assert_true(z.commits >= z.change_groups);
    assert_int_equal(z.entries, MANY);
    assert_int_equal(z.local_entries, MANY);
    assert_int_equal(z.state, ZONE_OK);
    assert_int_equal(run_job(FREE, JOB_VERIFY), 0);
    free(a);
}

static void test_one_at_a_time_has_commits_of_its_own(void **state) {
    uint32_t before = 0;
    (void)state;
    for (uint32_t i = 0; i < 5; i++) {
        struct asked a = {.first = i, .count = 1};
        change(FREE, &a, 1);
        assert_int_equal(a.code, 0);
        assert_int_equal(a.entries, i + 1);
        assert_int_not_equal(a.serial, before);
        before = a.serial;
    }
}

static void test_a_change_that_fails_takes_its_own_edits_alone(void **state) {
    struct asked a[3] = {
        {.first = 10, .count = 2}, {.first = 20, .count = 7, .fails_after = true}, {.first = 30, .count = 3}};
    (void)state;
    change(FREE, a, 3);
    assert_int_equal(a[0].code, 0);
    assert_int_equal(a[1].code, E_EXISTS);
    assert_true(a[1].failed_itself);
    assert_string_equal(a[1].text, "a prerequisite");
    assert_int_equal(a[2].code, 0);
    struct board_zone z = board_of(FREE);
    assert_int_equal(z.entries, 5);
    assert_int_equal(z.changes_failed, 1);
    assert_int_equal(z.changes_done, 2);
}

static const struct asked listed_point = {.first = 0x7f000002, .count = 1},
                          bad_point = {.first = 0x7f000001, .count = 1};

static void test_a_bad_one_does_not_sink_its_group(void **state) {
    enum { MANY = 64 };
    struct asked point = listed_point, a[MANY];
    (void)state;
    change(GUARDED, &point, 1);
    assert_int_equal(point.code, 0);
    for (uint32_t i = 0; i < MANY; i++)
        a[i] = i == 41 ? bad_point : (struct asked){.first = 0x0a000000 + i, .count = 1};
    change(GUARDED, a, MANY);
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(a[i].code, i == 41 ? E_REFUSED : 0);
    assert_false(a[41].failed_itself);
    if (strstr(a[41].text, "test point") == NULL)
        fail_msg("%s", a[41].text);
    struct board_zone z = board_of(GUARDED);
    assert_int_equal(z.entries, MANY);
    assert_int_equal(z.changes_refused, 1);
    assert_int_equal(z.state, ZONE_OK);
    assert_non_null(strstr(z.change_error, "test point"));
    assert_int_equal(run_job(GUARDED, JOB_VERIFY), 0);
}

static void test_the_search_for_bad_ones_is_bounded(void **state) {
    enum { MANY = 1000 };
    struct asked point = listed_point, *a = calloc(MANY, sizeof *a);
    unsigned refused = 0, again = 0, good = 0, calls = 0;
    (void)state;
    change(GUARDED, &point, 1);
    for (uint32_t i = 0; i < MANY; i++)
        a[i] = i % 2 ? bad_point : (struct asked){.first = 0x0a000000 + i, .count = 1};
    change(GUARDED, a, MANY);
    for (uint32_t i = 0; i < MANY; i++) {
        refused += a[i].code == E_REFUSED;
        again += a[i].code == E_AGAIN;
        good += a[i].code == 0;
        calls += a[i].calls;
        assert_true(a[i].code != 0 || i % 2 == 0);
    }
    assert_int_equal(refused + again + good, MANY);
    assert_true(refused > 0 && good > 0 && again > 0);
    assert_in_range(calls, 1, 4 * MANY + KEEPER_TRIES * 64);
    assert_int_equal(board_of(GUARDED).entries, good + 1);
    assert_int_equal(run_job(GUARDED, JOB_VERIFY), 0);
    free(a);
}

static void test_more_edits_than_a_batch_holds_become_several(void **state) {
    enum { MANY = 5, EACH = 20000 };
    struct asked a[MANY];
    (void)state;
    for (uint32_t i = 0; i < MANY; i++)
        a[i] = (struct asked){.first = i << 24, .count = EACH};
    change(FREE, a, MANY);
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(a[i].code, 0);
    assert_int_equal(board_of(FREE).entries, MANY * EACH);
    struct asked too_much = {.first = 0x20000000, .count = KEEP_BATCH_EDITS + 1};
    change(FREE, &too_much, 1);
    assert_int_equal(too_much.code, E_FULL);
    assert_int_equal(board_of(FREE).entries, MANY * EACH);
}

static void test_changes_that_wait_are_bounded(void **state) {
    struct asked *a = calloc(KEEPER_CHANGES + KEEPER_GROUP + 2, sizeof *a);
    size_t taken = 0;
    (void)state;
    assert_int_equal(run_job(FREE, JOB_STAT), 0); /* opened */
    while (taken < KEEPER_CHANGES + KEEPER_GROUP + 2) {
        a[taken] = (struct asked){.first = (uint32_t)taken, .count = 1};
        if (submit(FREE, &a[taken]) < 0)
            break;
        taken++;
    }
    assert_in_range(taken, KEEPER_CHANGES, KEEPER_CHANGES + 1);
    struct job *stat = job_new(JOB_STAT); /* other work has a bound of its own */
    assert_int_equal(keeper_submit(t.keeper, FREE, stat, NULL), 0);
    wait_all(a, taken);
    for (size_t i = 0; i < taken; i++)
        assert_int_equal(a[i].code, 0);
    assert_int_equal(board_of(FREE).entries, taken);
    assert_true(board_of(FREE).change_groups <= KEEPER_CHANGES / KEEPER_GROUP + 2);
    free(a);
}

static void test_a_forced_change_goes_past_the_limits_alone(void **state) {
    struct asked a = {.first = 0, .count = 1000}, most = {.first = 0, .count = 900, .remove = true}, forced[4];
    (void)state;
    change(FREE, &a, 1);
    change(FREE, &most, 1);
    assert_int_equal(most.code, E_REFUSED);
    for (uint32_t i = 0; i < 4; i++)
        forced[i] = (struct asked){.first = 5000 + i, .count = 1};
    forced[2] = most;
    forced[2].calls = forced[2].done = 0;
    forced[2].force = "wrong list";
    forced[3] = (struct asked){.first = 900, .count = 100, .remove = true}; /* not forced: too much for what is left */
    change(FREE, forced, 4);
    assert_int_equal(forced[0].code, 0);
    assert_int_equal(forced[1].code, 0);
    assert_int_equal(forced[2].code, 0);
    assert_int_equal(forced[3].code, E_REFUSED);
    assert_int_equal(board_of(FREE).entries, 102);
}

static void test_nothing_changed_is_no_commit(void **state) {
    struct asked a = {.first = 1, .count = 1}, again = a, none = {.first = 9, .count = 1, .remove = true};
    (void)state;
    change(FREE, &a, 1);
    change(FREE, &again, 1);
    change(FREE, &none, 1);
    assert_int_equal(again.code, 0);
    assert_int_equal(none.code, 0);
    assert_int_equal(none.serial, a.serial);
    assert_int_equal(board_of(FREE).change_groups, 1);
    assert_int_equal(board_of(FREE).changes_done, 3);
}

static void test_a_stopping_keeper_answers_all_that_wait(void **state) {
    enum { MANY = 300 };
    struct asked *a = calloc(MANY, sizeof *a);
    unsigned closed = 0;
    (void)state;
    for (uint32_t i = 0; i < MANY; i++) {
        a[i] = (struct asked){.first = i, .count = 1};
        assert_int_equal(submit(FREE, &a[i]), 0);
    }
    while (!keeper_quiet(t.keeper))
        loop_turn(t.loop, 10);
    for (uint32_t i = 0; i < MANY; i++) {
        assert_int_equal(a[i].done, 1);
        assert_true(a[i].code == 0 || a[i].code == E_CLOSED);
        closed += a[i].code == E_CLOSED;
    }
    assert_true(closed > 0);
    assert_int_equal(submit(FREE, &a[0]), E_CLOSED);
    free(a);
}

static void wait_entries(int zone, uint64_t entries) {
    for (int turn = 0; board_of(zone).entries != entries; turn++) {
        assert_true(turn < WAIT_TURNS);
        loop_turn(t.loop, 10);
    }
}

static void test_entries_go_when_their_time_is_up(void **state) {
    int64_t now = clock_wall_s();
    struct asked a[3] = {{.first = 1, .count = 1, .until = now + 1000},
                         {.first = 2, .count = 2, .until = now + 2000},
                         {.first = 4, .count = 1}};
    (void)state;
    change(FREE, a, 3);
    assert_int_equal(board_of(FREE).entries, 4);
    assert_int_equal(board_of(FREE).expire_next_wall_s, now + 1000);
    __atomic_store_n(&skew_s, 1001, __ATOMIC_RELAXED);
    wait_entries(FREE, 3);
    assert_int_equal(board_of(FREE).expire_next_wall_s, now + 2000);
    __atomic_store_n(&skew_s, 2001, __ATOMIC_RELAXED);
    wait_entries(FREE, 1);
    assert_int_equal(board_of(FREE).expire_next_wall_s, 0);
    assert_int_equal(board_of(FREE).expired, 3);
    assert_int_equal(run_job(FREE, JOB_VERIFY), 0);
}

static void test_what_is_due_at_the_start_goes_at_once(void **state) {
    int64_t now = clock_wall_s();
    struct asked a[2] = {{.first = 1, .count = 3, .until = now + 1000}, {.first = 9, .count = 1}};
    (void)state;
    change(FREE, a, 2);
    close_keeper();
    __atomic_store_n(&skew_s, 5000, __ATOMIC_RELAXED);
    open_keeper();
    wait_entries(FREE, 1);
}

static void test_time_that_is_up_needs_no_leave_to_shrink(void **state) {
    int64_t now = clock_wall_s();
    struct asked a = {.first = 0x0a000000, .count = 1000, .until = now + 1000}, point = listed_point;
    (void)state;
    change(GUARDED, &point, 1);
    change(GUARDED, &a, 1);
    assert_int_equal(a.code, 0);
    __atomic_store_n(&skew_s, 1001, __ATOMIC_RELAXED);
    wait_entries(GUARDED, 1);
}

static void test_compaction_keeps_everything(void **state) {
    struct asked a = {.first = 1, .count = 5000}, b = {.first = 1, .count = 2000, .remove = true};
    (void)state;
    change(FREE, &a, 1);
    change(FREE, &b, 1);
    assert_int_equal(run_job(FREE, JOB_COMPACT), 0);
    struct board_zone z = board_of(FREE);
    assert_int_equal(z.compactions, 1);
    assert_int_equal(z.entries, 3000);
    assert_int_equal(z.serial, b.serial);
    assert_int_equal(run_job(FREE, JOB_VERIFY), 0);
    struct asked c = {.first = 1, .count = 1};
    change(FREE, &c, 1);
    assert_int_equal(c.code, 0);
    assert_int_equal(c.entries, 3001);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_changes_that_wait_share_commits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_at_a_time_has_commits_of_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_change_that_fails_takes_its_own_edits_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_bad_one_does_not_sink_its_group, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_search_for_bad_ones_is_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_more_edits_than_a_batch_holds_become_several, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_changes_that_wait_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_forced_change_goes_past_the_limits_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_changed_is_no_commit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_stopping_keeper_answers_all_that_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_entries_go_when_their_time_is_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_due_at_the_start_goes_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_time_that_is_up_needs_no_leave_to_shrink, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_compaction_keeps_everything, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
