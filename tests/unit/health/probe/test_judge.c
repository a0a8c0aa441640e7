/* The judgements of probes that need no network: zones on the board, serials, test points, process states. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "health/probe/zone.h"

enum { NOW_S = 1700000000 };

static void test_serials(void **state) {
    (void)state;
    struct serial_watch w = {0};
    assert_int_equal(serial_look(&w, 7, 7, 0, 5000), SERIAL_RIGHT);
    /* A commit that is served a moment later is no fault. */
    assert_int_equal(serial_look(&w, 7, 8, 1000, 5000), SERIAL_BEHIND);
    assert_int_equal(serial_look(&w, 8, 8, 2000, 5000), SERIAL_RIGHT);
    /* A worker that stays away is. */
    assert_int_equal(serial_look(&w, 8, 9, 10000, 5000), SERIAL_BEHIND);
    assert_int_equal(serial_look(&w, 8, 9, 15000, 5000), SERIAL_BEHIND);
    assert_int_equal(serial_look(&w, 8, 9, 15001, 5000), SERIAL_WRONG);
    /* Also when commits go on all the time: it is its own serial that stands still. */
    assert_int_equal(serial_look(&w, 8, 12, 17000, 5000), SERIAL_WRONG);
    /* One that follows, always a commit behind, is not. */
    struct serial_watch f = {0};
    for (uint32_t i = 0; i < 20; i++)
        assert_int_equal(serial_look(&f, i, i + 1, (int64_t)i * 4000, 5000), SERIAL_BEHIND);
}

static void test_far_serials(void **state) {
    (void)state;
    struct far_serial s = {0};
    far_serial_look(&s, 7, 7, 1000);
    assert_int_equal(far_serial_apart_ms(&s), 0);
    /* One look may meet a commit that is on its way: it takes a second one to say that it lasted. */
    far_serial_look(&s, 7, 8, 2000);
    assert_int_equal(far_serial_apart_ms(&s), 0);
    far_serial_look(&s, 7, 9, 32000);
    assert_int_equal(far_serial_apart_ms(&s), 30000);
    far_serial_look(&s, 9, 9, 40000);
    assert_int_equal(far_serial_apart_ms(&s), 0);
    /* Who follows is not behind, however many changes come; neither is this node. */
    struct far_serial it = {0}, here = {0}, turns = {0};
    for (uint32_t i = 0; i < 20; i++) {
        far_serial_look(&it, i, i + 1, (int64_t)i * 4000);
        far_serial_look(&here, i + 1, i, (int64_t)i * 4000);
        far_serial_look(&turns, i + i % 2, i + (i + 1) % 2, (int64_t)i * 4000);
        assert_int_equal(far_serial_apart_ms(&it), 0);
        assert_int_equal(far_serial_apart_ms(&here), 0);
        assert_int_equal(far_serial_apart_ms(&turns), 0);
    }
    /* Who stands still is, on either side, and serials wrap. */
    struct far_serial stuck = {0}, back = {0};
    for (uint32_t i = 0; i < 20; i++) {
        far_serial_look(&stuck, UINT32_MAX - 3, UINT32_MAX - 2 + i, (int64_t)i * 4000);
        far_serial_look(&back, UINT32_MAX - 2 + i, UINT32_MAX - 3, (int64_t)i * 4000);
        assert_int_equal(far_serial_apart_ms(&stuck), i * 4000);
        assert_int_equal(far_serial_apart_ms(&back), i * 4000);
    }
}

static struct board_zone good_zone(void) {
    struct board_zone z = {.name = "bl.test.", .generation = "g1", .state = ZONE_OK, .serial = 7, .entries = 100};
    z.last_check_wall_s = NOW_S - 2;
    return z;
}

static enum verdict_state judge(struct conf_zone *conf, const struct board_zone *z, const char *says) {
    struct evidence e;
    enum verdict_state s = zone_data_judge(conf, z, NOW_S, &e);
    if (strstr(e.came, says) == NULL)
        fail_msg("says \"%s\", not \"%s\"", e.came, says);
    return s;
}

static void test_zone_data(void **state) {
    (void)state;
    struct conf_zone conf = {.name = "bl.test.", .data_count = 1};
    struct board_zone z = good_zone();
    assert_int_equal(judge(&conf, &z, "serial 7, 100 entries"), VERDICT_PASS);
    z.state = ZONE_LOADING; /* a newer version is read in, the old one is served */
    assert_int_equal(judge(&conf, &z, "serial 7"), VERDICT_PASS);
    z.state = ZONE_REFUSED;
    snprintf(z.error, sizeof(z.error), "shrinks by 90%%");
    assert_int_equal(judge(&conf, &z, "refused, serial 7 stays: shrinks by 90%"), VERDICT_WARN);
    z.state = ZONE_BAD_SOURCE;
    assert_int_equal(judge(&conf, &z, "refused"), VERDICT_WARN);
    z.state = ZONE_ERROR;
    assert_int_equal(judge(&conf, &z, "shrinks"), VERDICT_FAIL);
    z = good_zone();
    z.last_check_wall_s = NOW_S - 361;
    assert_int_equal(judge(&conf, &z, "not checked for 361 s"), VERDICT_WARN);
    z.last_check_wall_s = NOW_S - 360;
    assert_int_equal(judge(&conf, &z, "serial 7"), VERDICT_PASS);
    conf.soa.refresh_s = 3600;
    z.last_check_wall_s = NOW_S - 3000;
    assert_int_equal(judge(&conf, &z, "serial 7"), VERDICT_PASS);
    z.expires_wall_s = NOW_S + 1;
    assert_int_equal(judge(&conf, &z, "serial 7"), VERDICT_PASS);
    z.expires_wall_s = NOW_S;
    assert_int_equal(judge(&conf, &z, "expired"), VERDICT_FAIL);
    conf.on_expire = EXPIRE_SERVE_STALE;
    assert_int_equal(judge(&conf, &z, "as configured"), VERDICT_WARN);
}

static void test_zone_whose_changes_are_refused(void **state) {
    (void)state;
    struct conf_zone conf = {.name = "bl.test."};
    struct board_zone z = good_zone();
    snprintf(z.change_error, sizeof(z.change_error), "would list 0.0.0.0/0");
    z.change_refused_wall_s = NOW_S - 10;
    assert_int_equal(judge(&conf, &z, "a change was refused, serial 7 stays: would list 0.0.0.0/0"), VERDICT_WARN);
    z.change_refused_wall_s = NOW_S - 1000; /* long ago, and nobody tried again */
    assert_int_equal(judge(&conf, &z, "serial 7"), VERDICT_PASS);
    z.change_refused_wall_s = NOW_S - 10;
    z.change_error[0] = '\0'; /* one went through since */
    assert_int_equal(judge(&conf, &z, "serial 7"), VERDICT_PASS);
    z.local_entries = 3;
    assert_int_equal(judge(&conf, &z, "100 entries, 3 of them by hand"), VERDICT_PASS);
}

static void test_zone_that_waits_for_a_writer(void **state) {
    (void)state;
    struct conf_zone conf = {.name = "bl.test.", .data_count = 1};
    struct board_zone z = good_zone();
    snprintf(z.waiting, sizeof(z.waiting), "/lists/a is still open for writing");
    assert_int_equal(judge(&conf, &z, "100 entries; /lists/a is still open"), VERDICT_PASS);
    z.last_check_wall_s = NOW_S - 361;
    assert_int_equal(judge(&conf, &z, "not checked for 361 s: /lists/a is still open"), VERDICT_WARN);
}

static void test_zone_without_data(void **state) {
    (void)state;
    struct conf_zone conf = {.name = "bl.test.", .data_count = 1};
    struct board_zone z = {.name = "bl.test.", .state = ZONE_LOADING};
    assert_int_equal(judge(&conf, NULL, "not loaded"), VERDICT_FAIL);
    assert_int_equal(judge(&conf, &z, "not loaded"), VERDICT_FAIL);
    snprintf(z.error, sizeof(z.error), "line 3: not an address");
    assert_int_equal(judge(&conf, &z, "no data: line 3"), VERDICT_FAIL);
    conf.data_count = 0;
    assert_int_equal(judge(&conf, NULL, "none has come"), VERDICT_WARN);
    assert_int_equal(judge(&conf, &z, "line 3"), VERDICT_FAIL);
}

static void test_zone_from_primaries(void **state) {
    (void)state;
    struct conf_zone conf = {.name = "bl.test.", .primaries = {.count = 1}};
    struct board_zone z = {.name = "bl.test.", .state = ZONE_LOADING};
    assert_int_equal(judge(&conf, NULL, "first transfer"), VERDICT_FAIL);
    assert_int_equal(judge(&conf, &z, "first transfer"), VERDICT_FAIL);
    z = good_zone();
    z.last_check_wall_s = NOW_S - 100000; /* no file was looked at, and there is none */
    assert_int_equal(judge(&conf, &z, "serial 7"), VERDICT_PASS);
    z.expires_wall_s = NOW_S - 1;
    assert_int_equal(judge(&conf, &z, "expired"), VERDICT_FAIL);
    conf.primaries.count = 0;
    z = (struct board_zone){.name = "bl.test.", .secondary = 1};
    assert_int_equal(judge(&conf, &z, "first transfer"), VERDICT_FAIL);
}

static void test_zone_slot_is_not_believed_blindly(void **state) {
    (void)state;
    struct board *b = calloc(1, sizeof(*b));
    struct board_zone z;
    board_set(&b->zone_count, 1);
    memset(b->zone[0].name, 'x', sizeof(b->zone[0].name)); /* no end */
    memset(b->zone[0].error, 'y', sizeof(b->zone[0].error));
    memset(b->zone[0].change_error, 'y', sizeof(b->zone[0].change_error));
    assert_false(zone_data_read(b, 0, "bl.test.", &z));
    snprintf(b->zone[0].name, sizeof(b->zone[0].name), "BL.test.");
    assert_true(zone_data_read(b, 0, "bl.test.", &z));
    assert_int_equal(strlen(z.error), sizeof(z.error) - 1);
    assert_int_equal(strlen(z.change_error), sizeof(z.change_error) - 1);
    assert_false(zone_data_read(b, 1, "bl.test.", &z));
    assert_false(zone_data_read(b, LIMIT_ZONES, "bl.test.", &z));
    board_set(&b->zone_count, UINT64_MAX);
    assert_false(zone_data_read(b, SIZE_MAX, "bl.test.", &z));
    board_zone_open(&b->zone[0]); /* its writer died half-way */
    assert_false(zone_data_read(b, 0, "bl.test.", &z));
    free(b);
}

static void test_point_names(void **state) {
    (void)state;
    static const struct {
        enum conf_test test;
        int point;
        const char *name;
    } rows[] = {
        {TEST_RFC5782_IP4, POINT_LISTED, "2.0.0.127.bl.test."},
        {TEST_RFC5782_IP4, POINT_UNLISTED, "1.0.0.127.bl.test."},
        {TEST_RFC5782_IP6, POINT_LISTED, "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.bl.test."},
        {TEST_RFC5782_IP6, POINT_UNLISTED, "1.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.bl.test."},
        {TEST_RFC5782_DOMAIN, POINT_LISTED, "test.bl.test."},
        {TEST_RFC5782_DOMAIN, POINT_UNLISTED, "invalid.bl.test."},
    };
    struct name zone, n, want;
    assert_int_equal(name_from_text(&zone, "bl.test.", NULL), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(point_name(&n, rows[i].test, rows[i].point, &zone), 0);
        assert_int_equal(name_from_text(&want, rows[i].name, NULL), 0);
        if (!name_equal(&n, &want))
            fail_msg("not %s", rows[i].name);
    }
    assert_int_equal(point_name(&n, TEST_NONE, POINT_LISTED, &zone), E_NOTFOUND);
    assert_int_equal(point_name(&n, TEST_UNSET, POINT_LISTED, &zone), E_NOTFOUND);
    char longest[300];
    size_t at = 0;
    for (int i = 0; i < 4; i++, at += 61)
        at += (size_t)snprintf(longest + at, sizeof(longest) - at, "%060d.", 1) - 61;
    assert_int_equal(name_from_text(&zone, longest, NULL), 0);
    assert_int_equal(point_name(&n, TEST_RFC5782_IP6, POINT_LISTED, &zone), E_RANGE);
}

static void test_points(void **state) {
    (void)state;
    struct prefix prefix;
    assert_int_equal(prefix_parse(&prefix, "127.0.9.0/24", NULL), 0);
    struct conf_list_prefix refuse = {.at = &prefix, .count = 1};
    static const struct {
        int point;
        unsigned rcode, a_count;
        uint8_t a[4];
        enum verdict_state is;
        const char *says;
    } rows[] = {
        {POINT_LISTED, RCODE_NOERROR, 1, {127, 0, 0, 2}, VERDICT_PASS, "listed, as"},
        {POINT_LISTED, RCODE_NOERROR, 0, {0}, VERDICT_FAIL, "NOERROR"},
        {POINT_LISTED, RCODE_NXDOMAIN, 0, {0}, VERDICT_FAIL, "NXDOMAIN"},
        {POINT_LISTED, RCODE_SERVFAIL, 0, {0}, VERDICT_FAIL, "SERVFAIL"},
        {POINT_LISTED, RCODE_NOERROR, 1, {192, 0, 2, 1}, VERDICT_FAIL, "127.0.0.0/8"},
        {POINT_LISTED, RCODE_NOERROR, 1, {127, 255, 255, 254}, VERDICT_FAIL, "refuses"},
        {POINT_LISTED, RCODE_NOERROR, 1, {127, 0, 9, 3}, VERDICT_FAIL, "refuses"},
        {POINT_UNLISTED, RCODE_NXDOMAIN, 0, {0}, VERDICT_PASS, "not listed, as"},
        {POINT_UNLISTED, RCODE_NOERROR, 0, {0}, VERDICT_FAIL, "NOERROR"},
        {POINT_UNLISTED, RCODE_REFUSED, 0, {0}, VERDICT_FAIL, "REFUSED"},
        {POINT_UNLISTED, RCODE_NOERROR, 1, {127, 0, 0, 2}, VERDICT_FAIL, "lists the world"},
        {POINT_UNLISTED, RCODE_NOERROR, 1, {127, 255, 255, 252}, VERDICT_FAIL, "refuses"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct answer a = {.rcode = rows[i].rcode, .a_count = rows[i].a_count, .answers = rows[i].a_count};
        char came[EVIDENCE_CAME_MAX];
        memcpy(a.a, rows[i].a, 4);
        assert_int_equal(point_judge(rows[i].point, &a, &refuse, came, sizeof(came)), rows[i].is);
        if (strstr(came, rows[i].says) == NULL)
            fail_msg("row %zu says \"%s\"", i, came);
    }
}

static void test_deadlines_shrink_with_the_tick(void **state) {
    (void)state;
    assert_int_equal(probe_timeout_ms(5000), 1500);
    assert_int_equal(probe_timeout_ms(15000), 2000);
    assert_int_equal(probe_timeout_ms(1000), 300);
    assert_int_equal(probe_timeout_ms(1), PROBE_TIMEOUT_MIN_MS);
    assert_int_equal(probe_hedge_ms(5000), 150);
    for (uint32_t ms = 300; ms < 60000; ms += 100)
        assert_true(2 * probe_timeout_ms(ms) < ms);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_serials),
        cmocka_unit_test(test_far_serials),
        cmocka_unit_test(test_zone_data),
        cmocka_unit_test(test_zone_whose_changes_are_refused),
        cmocka_unit_test(test_zone_that_waits_for_a_writer),
        cmocka_unit_test(test_zone_without_data),
        cmocka_unit_test(test_zone_from_primaries),
        cmocka_unit_test(test_zone_slot_is_not_believed_blindly),
        cmocka_unit_test(test_point_names),
        cmocka_unit_test(test_points),
        cmocka_unit_test(test_deadlines_shrink_with_the_tick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
