/* Clocks: the kernel's, and one that a test turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "resolver/base/clock.h"

static int64_t turned(enum clock_kind kind) { return 1000 * NS_PER_S * (kind + 1) + 7 * NS_PER_MS; }

static void can_be_turned(void **state) {
    (void)state;
    clock_set_source(turned);
    assert_int_equal(clock_mono_ms(), 1000007);
    assert_int_equal(clock_ns(CLOCK_KIND_BOOT), 2000 * NS_PER_S + 7 * NS_PER_MS);
    assert_int_equal(clock_wall_ms(), 3000007);
    assert_int_equal(clock_wall_s(), 3000);
    clock_set_source(NULL);
    assert_true(clock_wall_s() > 1600000000);
}

static void are_the_kernels(void **state) {
    struct timespec mono, wall;
    (void)state;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &mono), 0);
    assert_true(clock_ns(CLOCK_KIND_MONO) >= mono.tv_sec * NS_PER_S + mono.tv_nsec);
    assert_true(clock_ns(CLOCK_KIND_BOOT) >= mono.tv_sec * NS_PER_S + mono.tv_nsec);
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &wall), 0);
    assert_true(llabs(clock_wall_s() - wall.tv_sec) <= 3600);
    int64_t first = clock_ns(CLOCK_KIND_MONO);
    assert_true(clock_ns(CLOCK_KIND_MONO) >= first);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(can_be_turned), cmocka_unit_test(are_the_kernels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
