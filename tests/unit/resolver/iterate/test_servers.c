/* What is remembered of servers, and whom it makes the next one to be asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "resolver/base/limits.h"
#include "resolver/iterate/bounds.h"
#include "resolver/iterate/minimise.h"
#include "resolver/iterate/servers.h"
#include "tests/unit/resolver/iterate/script.h"

static struct servers *servers;
static const struct name root = {.size = 1};

static int start(void **state) {
    struct err err;
    (void)state;
    return servers_open(&servers, &err);
}

static int finish(void **state) {
    (void)state;
    servers_close(servers);
    return 0;
}

static struct addr address(unsigned n) {
    struct addr a = {.in = {.sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(0x0b000000u + n)}};
    return a;
}

static struct server *server(unsigned n, int64_t now_ms) {
    struct addr a = address(n);
    return servers_get(servers, &a, now_ms);
}

static void test_times(void **state) {
    (void)state;
    struct server *v = server(1, 0);
    assert_int_equal(v->rto_ms, SERVER_UNKNOWN_MS);
    server_answered(v, 100000, 0);
    assert_int_equal(v->srtt_us, 100000);
    assert_int_equal(v->rto_ms, 300); /* RFC 6298 section 2.2 */
    for (int i = 0; i < 100; i++)
        server_answered(v, 100000, 0);
    assert_in_range(v->rto_ms, 200, 210); /* never so tight that a steady server is given up for a hiccup */
    for (int i = 0; i < 100; i++)
        server_answered(v, 0, 0);
    assert_int_equal(v->rto_ms, 100);
    server_answered(v, INT64_MAX, 0); /* a clock that jumped */
    assert_in_range(v->rto_ms, 50, 6000);
}

static void test_silence_and_death(void **state) {
    (void)state;
    struct server *v = server(1, 0);
    server_answered(v, 20000, 0);
    uint32_t before = v->rto_ms;
    server_silent(v, 1000);
    assert_int_equal(v->rto_ms, 2 * before);
    for (int i = 0; i < 20; i++)
        server_silent(v, 1000);
    assert_int_equal(v->rto_ms, 6000);
    assert_false(server_dead(v, 1000)); /* all at once: one outage of a moment */
    server_silent(v, 1000 + SERVER_DEAD_MS);
    assert_true(server_dead(v, 1000 + SERVER_DEAD_MS));
    int64_t probe = v->probe_at_ms;
    assert_false(server_dead(v, probe));
    server_silent(v, probe);
    assert_true(server_dead(v, probe + 1) && v->probe_at_ms - probe > probe - 1000 - SERVER_DEAD_MS);
    for (int i = 0; i < 20; i++)
        server_silent(v, v->probe_at_ms);
    assert_int_equal(v->probe_every_ms, 60000);
    server_answered(v, 20000, v->probe_at_ms);
    assert_false(server_dead(v, v->probe_at_ms + 1));
    assert_int_equal(v->timeouts, 0);
}

static void test_lame_for_a_zone_and_a_while(void **state) {
    (void)state;
    char text[32];
    struct server *v = server(1, 0);
    struct name zone = script_name("example."), other = script_name("other.");
    server_is_lame(v, &zone, 1000);
    assert_true(server_lame(v, &zone, 1001));
    assert_false(server_lame(v, &other, 1001));
    assert_false(server_lame(v, &zone, 1000 + 900000));
    for (unsigned i = 0; i < 3 * SERVER_LAMES; i++) { /* the oldest make room */
        snprintf(text, sizeof text, "z%u.", i);
        zone = script_name(text);
        server_is_lame(v, &zone, 2000 + i);
        assert_true(server_lame(v, &zone, 2000 + i));
    }
}

static void test_the_table_is_bounded(void **state) {
    (void)state;
    struct server *busy = server(0, 0);
    busy->in_flight = 1;
    for (unsigned i = 1; i <= 3 * BOUND_SERVERS; i++)
        assert_non_null(server(i, i));
    assert_ptr_equal(server(0, 1), busy);
    assert_int_equal(busy->in_flight, 1);
    server_answered(server(3 * BOUND_SERVERS, 1), 5000, 1);
    assert_int_equal(server(3 * BOUND_SERVERS, 2)->srtt_us, 5000); /* the newest are still known */
}

static struct server_choice choices[BOUND_NS_ADDRESSES];

static void fill(unsigned count) {
    for (unsigned i = 0; i < count; i++)
        choices[i] = (struct server_choice){.address = address(i)};
}

static unsigned count_picks(unsigned among, unsigned which, unsigned of, int64_t now_ms) {
    unsigned n = 0;
    for (unsigned i = 0; i < of; i++)
        n += servers_pick(servers, choices, among, &root, now_ms) == (int)which;
    return n;
}

static void test_fast_before_slow(void **state) {
    (void)state;
    fill(3);
    server_answered(server(0, 0), 10000, 0);
    server_answered(server(1, 0), 60000, 0);
    server_answered(server(2, 0), 900000, 0);
    assert_in_range(count_picks(3, 0, 2000, 0), 700, 1300); /* one band: none is always the one */
    assert_in_range(count_picks(3, 2, 2000, 0), 1, 100);    /* now and then: it may have recovered */
    choices[0].given_up = choices[1].given_up = true;
    assert_int_equal(count_picks(3, 2, 10, 0), 10);
    choices[2].tries = BOUND_TRIES_PER_SERVER;
    assert_int_equal(servers_pick(servers, choices, 3, &root, 0), -1);
    assert_int_equal(servers_pick(servers, choices, 0, &root, 0), -1);
}

static void test_living_before_dead(void **state) {
    (void)state;
    fill(2);
    struct server *v = server(0, 0);
    server_silent(v, 0);
    for (int i = 0; i < SERVER_DEAD_TIMEOUTS; i++)
        server_silent(v, SERVER_DEAD_MS);
    assert_int_equal(count_picks(2, 0, 500, SERVER_DEAD_MS), 0);
    choices[1].given_up = true; /* nobody else: the dead one is better than nothing */
    assert_int_equal(count_picks(2, 0, 5, SERVER_DEAD_MS), 5);
}

static void test_neither_lame_nor_busy(void **state) {
    (void)state;
    fill(2);
    server(0, 0)->in_flight = BOUND_SERVER_IN_FLIGHT;
    server_is_lame(server(1, 0), &root, 0);
    assert_int_equal(servers_pick(servers, choices, 2, &root, 0), -1);
    struct name other = script_name("example.");
    assert_int_equal(servers_pick(servers, choices, 2, &other, 0), 1);
    server(0, 0)->in_flight = 0;
}

static void test_tried_ones_wait(void **state) {
    (void)state;
    fill(2);
    server_answered(server(0, 0), 5000, 0);
    server_answered(server(1, 0), 90000, 0);
    choices[0].tries = 1;
    assert_in_range(count_picks(2, 1, 1000, 0), 900, 1000);
}

/* Each step shows more, never more than the name has, and never in more steps than RFC 9156 section 2.3 allows. */
static void test_minimising(void **state) {
    (void)state;
    for (unsigned zone = 0; zone < 4; zone++)
        for (unsigned total = zone + 1; total <= 127; total++) {
            unsigned shown = zone, steps = 0;
            while (shown < total) {
                unsigned next = minimise_next(shown, total, steps++);
                assert_true(next > shown && next <= total);
                assert_true(steps > BOUND_MINIMISE_ONE_LAB || next == shown + 1);
                shown = next;
            }
            assert_true(steps <= BOUND_MINIMISE_COUNT);
        }
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, start, finish)
    const struct CMUnitTest tests[] = {
        T(test_times),
        T(test_silence_and_death),
        T(test_lame_for_a_zone_and_a_while),
        T(test_the_table_is_bounded),
        T(test_fast_before_slow),
        T(test_living_before_dead),
        T(test_neither_lame_nor_busy),
        T(test_tried_ones_wait),
        T(test_minimising),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
