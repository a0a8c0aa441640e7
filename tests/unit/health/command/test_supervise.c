#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "health/command/child.h"
#include "health/command/shown.h"
#include "health/command/supervise.h"
#include "resolver/base/clock.h"

enum { NOW = 1000000, STARTED = NOW - 60000 };

static void test_a_fresh_heartbeat_is_well(void **state) {
    struct board_process p = {.boot = 7, .heartbeat_ms = NOW - 200};
    (void)state;
    assert_null(supervise_hung(&p, STARTED, NOW));
    p.heartbeat_ms = NOW - SUPERVISE_HANG_MS;
    assert_null(supervise_hung(&p, STARTED, NOW));
}

static void test_a_heartbeat_that_stands_still_hangs(void **state) {
    struct board_process p = {.boot = 7, .heartbeat_ms = NOW - SUPERVISE_HANG_MS - 1};
    (void)state;
    assert_non_null(supervise_hung(&p, STARTED, NOW));
}

static void test_a_start_counts_as_a_heartbeat(void **state) {
    struct board_process p = {.boot = 7, .heartbeat_ms = 1};
    (void)state;
    assert_null(supervise_hung(&p, NOW - 100, NOW));
}

static void test_who_never_claims_the_slot_gets_longer(void **state) {
    struct board_process p = {0};
    (void)state;
    assert_null(supervise_hung(&p, NOW - SUPERVISE_HANG_MS - 1, NOW));
    assert_non_null(supervise_hung(&p, NOW - SUPERVISE_CLAIM_MS - 1, NOW));
}

static void test_the_word_of_health_counts_for_this_boot_only(void **state) {
    struct board_process p = {.boot = 7, .heartbeat_ms = NOW, .heal_boot = 7};
    (void)state;
    assert_non_null(supervise_hung(&p, STARTED, NOW));
    p.heal_boot = 6; /* meant for its predecessor */
    assert_null(supervise_hung(&p, STARTED, NOW));
    p.boot = p.heal_boot = 0; /* nobody is meant */
    assert_null(supervise_hung(&p, NOW - 100, NOW));
}

static void test_life_on_the_board_is_checked_against_the_machine(void **state) {
    struct board_process p = {.boot = 7, .pid = (uint64_t)getpid(), .heartbeat_ms = NOW - 100};
    (void)state;
    assert_int_equal(shown_life(&p, NOW), SHOWN_GONE); /* a pid of a program of another name */
    p.pid = 0;
    assert_int_equal(shown_life(&p, NOW), SHOWN_GONE);
    p.pid = UINT64_MAX;
    assert_int_equal(shown_life(&p, NOW), SHOWN_GONE);
    p.boot = 0;
    assert_int_equal(shown_life(&p, NOW), SHOWN_NEVER);
}

static void test_age_of_a_heartbeat_from_another_boot_is_unknown(void **state) {
    (void)state;
    assert_true(shown_age_s(0, NOW) < 0);
    assert_true(shown_age_s(NOW + 5, NOW) < 0);
    assert_true(shown_age_s(NOW - 1500, NOW) > 1.4);
}

/* Tables of a board full of nonsense: bounded and clean. */
static void test_tables_of_a_board_gone_mad(void **state) {
    struct board *b = malloc(sizeof *b);
    struct conf_zone zone[2] = {{.name = "a.test."}, {.name = "b.test."}};
    struct conf conf = {.rbl.zones = zone, .rbl.zone_count = 2};
    FILE *f = tmpfile();
    (void)state;
    assert_true(b != NULL && f != NULL);
    memset(b, 0xff, sizeof *b);
    shown_processes(b, NOW, f);
    shown_workers(b, NOW, f);
    shown_zones(b, &conf, NOW / 1000, f);
    shown_upstreams(b, &conf, NOW / 1000, f);
    memset(b, 0x1b, sizeof *b);
    memset(b->zone[0].error, 0x1b, sizeof b->zone[0].error);
    b->zone[0].seq = 2;
    shown_zones(b, &conf, NOW / 1000, f);
    assert_true(ftell(f) > 0);
    rewind(f);
    for (int c = getc(f); c != EOF; c = getc(f))
        assert_int_not_equal(c, 0x1b);
    fclose(f);
    free(b);
}

static void test_a_daemon_that_is_nowhere(void **state) {
    char path[4096];
    struct err err = {0};
    (void)state;
    assert_int_equal(child_find(path, sizeof path, "candor-nowhere", &err), E_NOTFOUND);
    assert_non_null(strstr(err.text, "libexec"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_fresh_heartbeat_is_well),
        cmocka_unit_test(test_a_heartbeat_that_stands_still_hangs),
        cmocka_unit_test(test_a_start_counts_as_a_heartbeat),
        cmocka_unit_test(test_who_never_claims_the_slot_gets_longer),
        cmocka_unit_test(test_the_word_of_health_counts_for_this_boot_only),
        cmocka_unit_test(test_life_on_the_board_is_checked_against_the_machine),
        cmocka_unit_test(test_age_of_a_heartbeat_from_another_boot_is_unknown),
        cmocka_unit_test(test_tables_of_a_board_gone_mad),
        cmocka_unit_test(test_a_daemon_that_is_nowhere),
    };
    return cmocka_run_group_tests_name("command_supervise", tests, NULL, NULL);
}
