/* Remote lists: which names are theirs, and which answers are listings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "resolver/base/rand.h"
#include "resolver/iterate/guard.h"
#include "tests/unit/resolver/iterate/script.h"

#define LISTS                                                                                                          \
    "resolver: {guard: [{zone: zen.example., test: rfc5782-ip4}, {zone: Example., refuse: [127.0.0.1, 127.0.0.255]},"  \
    " {zone: six.test., test: rfc5782-ip6}, {zone: names.test., test: rfc5782-domain}]}"

static struct conf *conf;
static struct guards *guards;
static uint8_t msg[LIMIT_MESSAGE];

static int start(void **state) {
    (void)state;
    conf = script_conf(LISTS);
    return guards_open(&guards, conf, NULL);
}

static int finish(void **state) {
    (void)state;
    guards_close(guards);
    conf_free(conf);
    return 0;
}

static int find(const char *text) {
    struct name n = script_name(text);
    return guards_find(guards, &n);
}

static bool is_point(int list, const char *text) {
    struct name n = script_name(text);
    return guards_is_point(guards, list, &n);
}

static void test_names(void **state) {
    (void)state;
    assert_int_equal(find("2.0.0.127.zen.example."), 0);
    assert_int_equal(find("2.0.0.127.ZEN.Example."), 0);
    assert_int_equal(find("zen.example."), 1); /* the apex is not below itself, but below the other list */
    assert_int_equal(find("a.example."), 1);
    assert_int_equal(find("example."), -1);
    assert_int_equal(find("azen.test."), -1);
    assert_int_equal(find("."), -1);
    struct name n = script_name("a.zen.example.");
    assert_int_equal(guards_find(NULL, &n), -1);
}

static void test_points(void **state) {
    (void)state;
    assert_true(is_point(0, "2.0.0.127.zen.example."));
    assert_true(is_point(0, "1.0.0.127.Zen.example."));
    assert_false(is_point(0, "3.0.0.127.zen.example."));
    assert_false(is_point(1, "2.0.0.127.example."));
    assert_true(is_point(2, "1.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.six.test."));
    assert_true(is_point(2, "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.six.test."));
    assert_true(is_point(3, "test.names.test."));
    assert_true(is_point(3, "invalid.names.test."));
    assert_false(is_point(3, "a.invalid.names.test."));
}

/* Of A RRs with these addresses, written as 32-bit numbers; 0 ends. */
static enum guard_found judge(int list, const uint32_t *addresses) {
    struct name n = script_name("1.2.0.192.zen.example.");
    struct dns_writer w;
    uint8_t octets[4];
    dns_writer_open(&w, msg, sizeof msg, 0, FLAG_QR, OPCODE_QUERY);
    dns_writer_question(&w, &n, TYPE_A, CLASS_IN);
    dns_writer_txt(&w, SECTION_ANSWER, &n, 60, (struct bytes){(const uint8_t *)"x", 1});
    for (; *addresses != 0; addresses++) {
        put_u32(octets, *addresses);
        dns_writer_a(&w, SECTION_ANSWER, &n, 60, octets);
    }
    put_u32(octets, 0xcb007101);
    dns_writer_a(&w, SECTION_ADDITIONAL, &n, 60, octets); /* no answer */
    int size = dns_writer_end(&w, 0, RCODE_NOERROR);
    assert_true(size > 0);
    return guards_judge(guards, list, msg, (size_t)size);
}

#define JUDGE(list, ...) judge(list, (const uint32_t[]){__VA_ARGS__, 0})

static void test_answers(void **state) {
    (void)state;
    assert_int_equal(judge(0, (const uint32_t[]){0}), GUARD_FINE);
    assert_int_equal(JUDGE(0, 0x7f000002), GUARD_FINE);
    assert_int_equal(JUDGE(0, 0x7f000002, 0x7f00000a), GUARD_FINE);
    assert_int_equal(JUDGE(0, 0x7ffffefe), GUARD_FINE);
    assert_int_equal(JUDGE(0, 0x7ffffffc), GUARD_REFUSED);
    assert_int_equal(JUDGE(0, 0x7f000002, 0x7fffff00), GUARD_REFUSED);
    assert_int_equal(JUDGE(0, 0xcb007150), GUARD_OUTSIDE);
    assert_int_equal(JUDGE(0, 0x80000002), GUARD_OUTSIDE);
    assert_int_equal(JUDGE(0, 0xcb007150, 0x7fffff01), GUARD_REFUSED);
    assert_int_equal(JUDGE(0, 0x7f0000ff), GUARD_FINE);
    assert_int_equal(JUDGE(1, 0x7f0000ff), GUARD_REFUSED);
    assert_int_equal(JUDGE(1, 0x7f000001), GUARD_REFUSED);
    assert_int_equal(JUDGE(1, 0x7ffffffe), GUARD_REFUSED); /* in any case */
    assert_non_null(guards_text(GUARD_REFUSED));
    assert_null(guards_text(GUARD_FINE));
}

static void test_noise(void **state) {
    (void)state;
    for (int i = 0; i < 20000; i++) {
        (void)JUDGE(0, 0x7f000002);
        for (int k = 0; k < 4; k++)
            msg[rand_below(80)] = (uint8_t)rand_u32();
        (void)guards_judge(guards, 0, msg, rand_below(120));
    }
}

static void test_marks(void **state) {
    (void)state;
    struct board *b = calloc(1, sizeof *b);
    assert_non_null(b);
    assert_int_equal(guards_mark(NULL, 0, 1000), GUARD_MARK_NONE);
    assert_int_equal(guards_mark(b, 0, 1000), GUARD_MARK_NONE);
    board_set(&b->guard[1].mark, GUARD_MARK_WORLD);
    board_set(&b->guard[1].until_ms, 2000);
    assert_int_equal(guards_mark(b, 1, 1999), GUARD_MARK_WORLD);
    assert_int_equal(guards_mark(b, 1, 2000), GUARD_MARK_NONE); /* nobody vouches for it any more */
    assert_int_equal(guards_mark(b, 0, 1000), GUARD_MARK_NONE);
    assert_int_equal(guards_mark(b, -1, 1000), GUARD_MARK_NONE);
    assert_int_equal(guards_mark(b, LIMIT_GUARDS, 1000), GUARD_MARK_NONE);
    board_set(&b->guard[1].mark, 77);
    assert_int_equal(guards_mark(b, 1, 1000), GUARD_MARK_NONE);
    assert_string_equal(board_guard_mark_name(77), "unknown");
    assert_string_equal(board_guard_mark_name(GUARD_MARK_SILENT), "silent");
    free(b);
}

static void test_none(void **state) {
    (void)state;
    struct conf *c = script_conf("");
    struct guards *g;
    assert_int_equal(guards_open(&g, c, NULL), 0);
    assert_null(g);
    guards_close(g);
    conf_free(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_names, start, finish),
        cmocka_unit_test_setup_teardown(test_points, start, finish),
        cmocka_unit_test_setup_teardown(test_answers, start, finish),
        cmocka_unit_test_setup_teardown(test_noise, start, finish),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
