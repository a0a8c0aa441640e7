/* What is judged of processes and the machine: thresholds from both sides, words, and what must accuse nobody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "health/probe/machine.h"
#include "health/probe/stray.h"

#define SAYS(e, words) assert_non_null(strstr((e).came, words))

static void test_fds(void **state) {
    (void)state;
    struct evidence e;
    struct sys_process p = {.fds = 79, .fds_max = 100};
    assert_int_equal(fds_judge(&p, 0, &e), VERDICT_PASS);
    p.fds = 80;
    assert_int_equal(fds_judge(&p, 0, &e), VERDICT_WARN);
    SAYS(e, "80 of 100 descriptors");
    p.fds = 95;
    assert_int_equal(fds_judge(&p, 0, &e), VERDICT_FAIL);
    p.fds_bound = true; /* it may be fewer */
    assert_int_equal(fds_judge(&p, 0, &e), VERDICT_WARN);
    SAYS(e, "at most 95");
    p = (struct sys_process){.fds = 5, .fds_max = 100};
    assert_int_equal(fds_judge(&p, 3, &e), VERDICT_FAIL);
    SAYS(e, "3 times");
    p.fds_max = 0; /* no limit */
    assert_int_equal(fds_judge(&p, 0, &e), VERDICT_PASS);
    p.fds_bound = true;
    p.fds = p.fds_max = UINT64_MAX;
    assert_int_equal(fds_judge(&p, UINT64_MAX, &e), VERDICT_FAIL);
}

static void test_conntrack(void **state) {
    (void)state;
    struct evidence e;
    assert_int_equal(conntrack_judge(79, 100, &e), VERDICT_PASS);
    assert_int_equal(conntrack_judge(80, 100, &e), VERDICT_WARN);
    assert_int_equal(conntrack_judge(95, 100, &e), VERDICT_FAIL);
    SAYS(e, "95 of 100");
    assert_int_equal(conntrack_judge(5, 0, &e), VERDICT_PASS);
}

static void test_pressure(void **state) {
    (void)state;
    static const struct {
        struct pressure_look l;
        enum verdict_state is;
    } rows[] = {
        {{true, 0.19, 0.04, 1000, "x", true}, VERDICT_PASS}, /* cold pages, a late worker: not for want of memory */
        {{true, 0.20, 0, 0, "x", false}, VERDICT_WARN},
        {{true, 0, 0.05, 0, "x", false}, VERDICT_WARN},
        {{true, 1, 1, 99, "x", false}, VERDICT_WARN}, /* the machine suffers, we do not */
        {{true, 0.20, 0, 100, "candor-sync", false}, VERDICT_FAIL},
        {{true, 0.20, 0, 0, "x", true}, VERDICT_FAIL},
        {{false, 0, 0, 100, "x", true}, VERDICT_WARN}, /* no word of pressure */
        {{false, 0, 0, 0, "", false}, VERDICT_PASS},
    };
    struct evidence e;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (pressure_judge(&rows[i].l, &e) != rows[i].is)
            fail_msg("row %zu: %s", i, e.came);
    assert_int_equal(pressure_judge(&rows[4].l, &e), VERDICT_FAIL);
    SAYS(e, "candor-sync");
}

static void test_pool(void **state) {
    (void)state;
    static const struct {
        struct pool_look l;
        enum verdict_state is;
    } rows[] = {
        {{10000, 0, 0, 0, 0, 3000}, VERDICT_PASS},           /* never used */
        {{10000, 0, 9000, 100, 0, 3000}, VERDICT_PASS},      /* came back */
        {{10000, 7000, 6000, 100, 0, 3000}, VERDICT_PASS},   /* waits, not too long yet */
        {{10000, 6999, 6000, 100, 0, 3000}, VERDICT_FAIL},   /* nothing came back since */
        {{10000, 5000, 9000, 100, 0, 3000}, VERDICT_WARN},   /* other work did: busy */
        {{10000, 5000, 6000, 100, 0, 3000}, VERDICT_FAIL},   /* not any more */
        {{10000, 5000, 4000, 100, 0.5, 3000}, VERDICT_WARN}, /* it computes */
        {{100000, 39999, 1000, 100, 4, 3000}, VERDICT_FAIL}, /* ... for ever */
        {{10000, 9999, 0, 0, 0, 3000}, VERDICT_PASS},        /* the first one is under way */
        {{10000, INT64_MAX, 0, 0, 0, 3000}, VERDICT_PASS},   /* a word that is no time */
    };
    struct evidence e;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (pool_judge(&rows[i].l, &e) != rows[i].is)
            fail_msg("row %zu: %s", i, e.came);
}

static void test_lag(void **state) {
    (void)state;
    struct evidence e;
    struct lag_look l = {.elapsed_ms = 5000, .cpu = -1};
    l.ticks[0] = 20;
    assert_int_equal(lag_judge(&l, &e), VERDICT_PASS);
    l.ticks[0] = 16, l.ticks[10] = 4; /* up to 100 ms is in time */
    assert_int_equal(lag_judge(&l, &e), VERDICT_PASS);
    l.ticks[10] = 0, l.ticks[11] = 5, l.ticks[0] = 15;
    assert_int_equal(lag_judge(&l, &e), VERDICT_WARN);
    SAYS(e, "p99 250 ms");
    l.ticks[11] = 10, l.ticks[0] = 10;
    assert_int_equal(lag_judge(&l, &e), VERDICT_FAIL);
    l.own_late = 0.5; /* the judge lives on the same machine */
    assert_int_equal(lag_judge(&l, &e), VERDICT_WARN);
    SAYS(e, "late itself");
    /* Ticks that never came count as late: a loop that turns once a second. */
    l = (struct lag_look){.elapsed_ms = 5000, .cpu = 0.99, .busy = 1, .slowest_us = 1500000};
    l.ticks[12] = 5;
    assert_int_equal(lag_judge(&l, &e), VERDICT_FAIL);
    SAYS(e, "99% of a core");
    SAYS(e, "1500.0 ms");
    l = (struct lag_look){.elapsed_ms = 0, .cpu = -1}; /* the first look, or a new worker */
    assert_int_equal(lag_judge(&l, &e), VERDICT_PASS);
    l = (struct lag_look){.elapsed_ms = 400, .cpu = -1}; /* a short while: one tick may fall beside it */
    assert_int_equal(lag_judge(&l, &e), VERDICT_PASS);
}

static void test_drops(void **state) {
    (void)state;
    struct evidence e;
    assert_int_equal(drops_judge(0, 0, 0, 15, &e), VERDICT_PASS);
    assert_int_equal(drops_judge(1, 0, 0, 15, &e), VERDICT_WARN); /* a handful, whatever its share */
    assert_int_equal(drops_judge(20, 381, 0, 15, &e), VERDICT_WARN);
    assert_int_equal(drops_judge(20, 380, 0, 15, &e), VERDICT_FAIL);
    SAYS(e, "20 datagrams dropped");
}

static void test_starts(void **state) {
    (void)state;
    struct evidence e;
    uint64_t t[6] = {1000, 1100, 1200, 1300, 1400, 0};
    assert_int_equal(starts_judge(t, 6, 1, 1500, 1000, "starts", &e), VERDICT_FAIL);
    SAYS(e, "crash loop");
    SAYS(e, "100 s ago");
    assert_int_equal(starts_judge(t, 6, 2, 1500, 1000, "starts", &e), VERDICT_WARN);
    assert_int_equal(starts_judge(t, 6, 4, 1500, 1000, "starts", &e), VERDICT_PASS);
    assert_int_equal(starts_judge(t, 6, 0, 1300 + RESTARTS_WINDOW_S, 1000, "starts", &e),
                     VERDICT_WARN); /* two are left */
    assert_int_equal(starts_judge(t, 6, 0, 1401 + RESTARTS_WINDOW_S, 1000, "starts", &e), VERDICT_PASS);
    assert_int_equal(starts_judge(t, 6, 0, 900, 1000, "starts", &e), VERDICT_FAIL); /* the clock was set back */
    assert_int_equal(starts_judge(t, 0, 0, 900, 1000, "starts", &e), VERDICT_PASS);
    assert_int_equal(starts_judge(t, 6, 0, 1500, 100, "starts", &e), VERDICT_FAIL);
    assert_int_equal(starts_judge(t, 6, 0, 1501, 100, "starts", &e), VERDICT_WARN); /* no start since: it has ended */
    SAYS(e, "was a crash loop");
    t[0] = UINT64_MAX;
    assert_int_equal(starts_judge(t, 1, 0, 900, 1000, "starts", &e), VERDICT_PASS);
}

static void test_strays(void **state) {
    (void)state;
    struct evidence e;
    const uint64_t ours[] = {10, 11, 12, 13};
    struct sys_socket s = {.inode = 10};
    struct stray_look l = {.expected = 4, .owners_known = true, .whole = true};
    for (int i = 0; i < 4; i++, s.inode++)
        stray_count(&l, &s, i > 1, ours, 4);
    assert_int_equal(stray_judge(&l, &e), VERDICT_PASS);
    s = (struct sys_socket){.inode = 99, .uid = 33};
    stray_count(&l, &s, false, ours, 4);
    assert_int_equal(l.inode, 99);
    assert_int_equal(stray_judge(&l, &e), VERDICT_FAIL);
    SAYS(e, "user 33");
    const struct stray_seen owner = {.inode = 99, .pid = 7, .name = "unbound"};
    l.owner = &owner;
    assert_int_equal(stray_judge(&l, &e), VERDICT_FAIL);
    SAYS(e, "pid 7 (unbound)");
    /* Where nobody may look whose they are, their number tells. */
    l = (struct stray_look){.expected = 2, .whole = true};
    for (int i = 0; i < 2; i++)
        stray_count(&l, &s, false, ours, E_DENIED);
    assert_int_equal(stray_judge(&l, &e), VERDICT_PASS);
    stray_count(&l, &s, false, ours, E_DENIED);
    assert_int_equal(stray_judge(&l, &e), VERDICT_FAIL);
    l = (struct stray_look){.expected = 2, .whole = false};
    assert_int_equal(stray_judge(&l, &e), VERDICT_WARN);
    l = (struct stray_look){.expected = 2, .whole = true, .unread = true};
    assert_int_equal(stray_judge(&l, &e), VERDICT_WARN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fds),    cmocka_unit_test(test_conntrack), cmocka_unit_test(test_pressure),
        cmocka_unit_test(test_pool),   cmocka_unit_test(test_lag),       cmocka_unit_test(test_drops),
        cmocka_unit_test(test_starts), cmocka_unit_test(test_strays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
