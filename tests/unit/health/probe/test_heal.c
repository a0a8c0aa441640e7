#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "health/probe/heal.h"

static const struct heal_look well = {.boot = 7, .state = 'S', .heartbeat_ms = 100, .hung_ms = 10000, .pool_ms = 60000};

static void test_only_what_hangs_here_is_ended(void **state) {
    (void)state;
    static const struct {
        struct heal_look l;
        bool end;
    } rows[] = {
        {{.boot = 7, .state = 'S', .heartbeat_ms = 100, .hung_ms = 10000}, false},
        {{.boot = 7, .state = 'T', .judged_fail = true, .heartbeat_ms = 10001, .hung_ms = 10000}, true},
        {{.boot = 7, .state = 'R', .judged_fail = true, .heartbeat_ms = 10000, .hung_ms = 10000}, false},
        {{.boot = 7, .state = 'R', .judged_fail = false, .heartbeat_ms = 99999, .hung_ms = 10000}, false},
        {{.boot = 7, .state = 'S', .stuck = true}, true},
        {{.boot = 7, .state = 'S', .pool_fail = true, .pool_still_ms = 60001, .pool_ms = 60000}, true},
        {{.boot = 7, .state = 'S', .pool_fail = true, .pool_still_ms = 60000, .pool_ms = 60000}, false},
        {{.boot = 7, .state = 'S', .pool_fail = false, .pool_still_ms = 99999, .pool_ms = 60000}, false},
        {{.boot = 7, .state = 'S', .silent = true}, true},
        {{.boot = 0, .state = 'S', .silent = true}, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(heal_judge(&rows[i].l) != NULL, rows[i].end);
}

static void test_nobody_who_is_gone_or_waits_for_a_disk(void **state) {
    (void)state;
    static const char gone[] = {'\0', 'Z', 'X'};
    struct heal_look l = well;
    l.judged_fail = l.stuck = l.pool_fail = l.silent = true;
    l.heartbeat_ms = l.pool_still_ms = INT64_MAX;
    assert_non_null(heal_judge(&l));
    for (size_t i = 0; i < sizeof gone; i++) {
        l.state = gone[i];
        assert_null(heal_judge(&l));
    }
    l.state = 'S';
    l.disk = true;
    assert_null(heal_judge(&l));
}

static void test_a_pool_has_its_time(void **state) {
    (void)state;
    assert_int_equal(heal_pool_ms(5000), HEAL_POOL_MS);
    assert_int_equal(heal_pool_ms(3600000), HEAL_POOL_MS);
    assert_int_equal(heal_pool_ms(1000), HEAL_POOL_MIN_MS);
    assert_int_equal(heal_pool_ms(UINT32_MAX), HEAL_POOL_MS);
    assert_int_equal(heal_pool_ms(2000), 24000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_what_hangs_here_is_ended),
        cmocka_unit_test(test_nobody_who_is_gone_or_waits_for_a_disk),
        cmocka_unit_test(test_a_pool_has_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
