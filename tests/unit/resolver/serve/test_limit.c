/* The rate limit: how many answers pass, what becomes of the others, who shares a place, and a full table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "resolver/serve/limit.h"
#include "resolver/serve/network.h"

static int64_t now_ns = 1000 * NS_PER_S;

static struct addr host(const char *text) {
    struct addr a;
    assert_int_equal(addr_parse(&a, text, 4000, NULL), 0);
    return a;
}

static struct limit *limit_of(const struct conf_rate_limit *conf) {
    struct limit *l;
    assert_int_equal(limit_open(&l, conf, NULL), 0);
    assert_non_null(l);
    return l;
}

struct tally {
    unsigned count[LIMIT_DROP + 1];
};

/* `asked` answers evenly over `ms`. */
static struct tally flood(struct limit *l, const char *from, bool error, unsigned asked, unsigned ms) {
    struct tally t = {0};
    struct addr a = host(from);
    int64_t begin_ns = now_ns;
    for (unsigned i = 0; i < asked; i++) {
        now_ns = begin_ns + (int64_t)ms * NS_PER_MS * i / asked;
        t.count[limit_take(l, &a, error, now_ns)]++;
    }
    now_ns = begin_ns + ms * NS_PER_MS;
    return t;
}

static void test_off_is_nothing(void **state) {
    struct conf_rate_limit conf = {.slip = 2};
    struct limit *l;
    (void)state;
    assert_int_equal(limit_open(&l, &conf, NULL), 0);
    assert_null(l);
    limit_close(l);
}

static void test_a_second_of_answers_and_no_more(void **state) {
    struct conf_rate_limit conf = {.responses_per_second = 100};
    struct limit *l = limit_of(&conf);
    (void)state;
    struct tally t = flood(l, "192.0.2.1", false, 1000, 0);
    assert_int_equal(t.count[LIMIT_PASS], 100);
    assert_int_equal(t.count[LIMIT_SLIP], 0); /* slip 0: never */
    assert_int_equal(t.count[LIMIT_DROP], 900);
    limit_close(l);
}

static void test_at_the_rate_all_pass(void **state) {
    struct conf_rate_limit conf = {.responses_per_second = 50};
    struct limit *l = limit_of(&conf);
    (void)state;
    assert_int_equal(flood(l, "192.0.2.1", false, 500, 10000).count[LIMIT_PASS], 500);
    limit_close(l);
}

static void test_a_flood_gets_nothing_until_it_ends(void **state) {
    struct conf_rate_limit conf = {.responses_per_second = 100, .slip = 1};
    struct limit *l = limit_of(&conf);
    (void)state;
    struct tally t = flood(l, "192.0.2.1", false, 10000, 10000);
    assert_true(t.count[LIMIT_PASS] >= 100 && t.count[LIMIT_PASS] < 130); /* its first burst */
    assert_int_equal(t.count[LIMIT_SLIP], 10000 - t.count[LIMIT_PASS]);
    now_ns += LIMIT_BURST_NS + LIMIT_DEBT_NS;
    assert_int_equal(flood(l, "192.0.2.1", false, 100, 0).count[LIMIT_PASS], 100);
    limit_close(l);
}

static void test_slip_is_one_in_so_many(void **state) {
    struct conf_rate_limit conf = {.responses_per_second = 1, .slip = 4};
    struct limit *l = limit_of(&conf);
    (void)state;
    struct tally t = flood(l, "192.0.2.1", false, 40001, 0);
    assert_int_equal(t.count[LIMIT_PASS], 1);
    assert_true(t.count[LIMIT_SLIP] > 9000 && t.count[LIMIT_SLIP] < 11000); /* 10,000 +- 11 deviations */
    limit_close(l);
}

static void test_networks_are_apart_and_whole(void **state) {
    struct conf_rate_limit conf = {.responses_per_second = 10};
    struct limit *l = limit_of(&conf);
    (void)state;
    assert_int_equal(flood(l, "192.0.2.1", false, 10, 0).count[LIMIT_PASS], 10);
    assert_int_equal(flood(l, "192.0.2.255", false, 10, 0).count[LIMIT_PASS], 0);
    assert_int_equal(flood(l, "192.0.3.1", false, 10, 0).count[LIMIT_PASS], 10);
    assert_int_equal(flood(l, "2001:db8:0:1ff::1", false, 10, 0).count[LIMIT_PASS], 10);
    assert_int_equal(flood(l, "2001:db8:0:100::1", false, 10, 0).count[LIMIT_PASS], 0);
    assert_int_equal(flood(l, "2001:db8:0:200::1", false, 10, 0).count[LIMIT_PASS], 10);
    limit_close(l);
}

static void test_errors_with_and_without_a_rate(void **state) {
    struct conf_rate_limit both = {.responses_per_second = 10, .errors_per_second = 3},
                           errors = {.errors_per_second = 3}, answers = {.responses_per_second = 10};
    struct limit *l = limit_of(&both);
    (void)state;
    assert_int_equal(flood(l, "192.0.2.1", true, 10, 0).count[LIMIT_PASS], 3);
    assert_int_equal(flood(l, "192.0.2.1", false, 20, 0).count[LIMIT_PASS], 10);
    limit_close(l);
    l = limit_of(&errors);
    assert_int_equal(flood(l, "192.0.2.1", true, 10, 0).count[LIMIT_PASS], 3);
    assert_int_equal(flood(l, "192.0.2.1", false, 1000, 0).count[LIMIT_PASS], 1000);
    limit_close(l);
    l = limit_of(&answers); /* no rate of their own: they count as the others */
    assert_int_equal(flood(l, "192.0.2.1", true, 6, 0).count[LIMIT_PASS], 6);
    assert_int_equal(flood(l, "192.0.2.1", false, 6, 0).count[LIMIT_PASS], 4);
    limit_close(l);
}

static void test_the_exempt_are_not_counted(void **state) {
    struct prefix mine;
    assert_int_equal(prefix_parse(&mine, "192.0.2.0/25", NULL), 0);
    struct conf_rate_limit conf = {.responses_per_second = 1, .exempt = {.at = &mine, .count = 1}};
    struct limit *l = limit_of(&conf);
    (void)state;
    assert_int_equal(flood(l, "192.0.2.1", false, 1000, 0).count[LIMIT_PASS], 1000);
    assert_int_equal(flood(l, "192.0.2.200", false, 1000, 0).count[LIMIT_PASS], 1);
    limit_close(l);
}

/* Ten times as many networks as there are places, each with one question: they push out one another, not who owes
 * most. */
static void test_a_flood_of_networks_does_not_clear_the_flooder(void **state) {
    struct conf_rate_limit conf = {.responses_per_second = 10};
    struct limit *l = limit_of(&conf);
    struct addr other = host("10.0.0.1");
    (void)state;
    assert_int_equal(flood(l, "192.0.2.1", false, 100, 0).count[LIMIT_PASS], 10);
    for (uint32_t i = 0; i < 10 * LIMIT_NETWORKS; i++) {
        other.in.sin_addr.s_addr = htonl((10U << 24) + (i << 8 & 0xffffff) + (i >> 16));
        (void)limit_take(l, &other, false, now_ns);
    }
    assert_int_equal(flood(l, "192.0.2.1", false, 100, 0).count[LIMIT_PASS], 0);
    limit_close(l);
}

static void test_numbers_and_texts_of_networks(void **state) {
    char text[PREFIX_TEXT_MAX];
    struct addr a = host("192.0.2.77"), b = host("2001:db8:1:2ff::77"), c = host("::1"), d = host("0.0.0.1");
    (void)state;
    assert_string_equal(network_text(&a, text), "192.0.2.0/24");
    assert_string_equal(network_text(&b, text), "2001:db8:1:200::/56");
    assert_true(network_of(&a) >> NETWORK_BITS == 0 && network_of(&b) >> NETWORK_BITS == 0);
    assert_true(network_of(&c) != network_of(&d)); /* both are network 0 of their family */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_off_is_nothing),
        cmocka_unit_test(test_a_second_of_answers_and_no_more),
        cmocka_unit_test(test_at_the_rate_all_pass),
        cmocka_unit_test(test_a_flood_gets_nothing_until_it_ends),
        cmocka_unit_test(test_slip_is_one_in_so_many),
        cmocka_unit_test(test_networks_are_apart_and_whole),
        cmocka_unit_test(test_errors_with_and_without_a_rate),
        cmocka_unit_test(test_the_exempt_are_not_counted),
        cmocka_unit_test(test_a_flood_of_networks_does_not_clear_the_flooder),
        cmocka_unit_test(test_numbers_and_texts_of_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
