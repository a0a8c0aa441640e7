/* Texts from outside: shown safely, recognised as UTF-8, decoded from base64. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "resolver/base/text.h"

static void shows_only_what_is_printable(void **state) {
    char to[TEXT_SHOWN_MAX];
    (void)state;
    assert_string_equal(text_shown(to, "plain text"), "plain text");
    assert_string_equal(text_shown(to, ""), "");
    assert_string_equal(text_shown(to, "a\nb\x1b[2J\xc3\xa4\x7f"), "a\\x0ab\\x1b[2J\\xc3\\xa4\\x7f");
}

static void cuts_what_is_long(void **state) {
    char to[TEXT_SHOWN_MAX], long_text[400];
    (void)state;
    for (int c = 'x'; c >= 0; c -= 'x' - 1) { /* printable, and four bytes each */
        memset(long_text, c, sizeof(long_text) - 1);
        long_text[sizeof(long_text) - 1] = '\0';
        text_shown(to, long_text);
        assert_true(strlen(to) < TEXT_SHOWN_MAX);
        assert_string_equal(to + strlen(to) - 3, "...");
    }
}

static void knows_utf8(void **state) {
    static const struct {
        const char *bytes;
        size_t size, length;
    } rows[] = {
        {"", 0, 0},
        {"a", 1, 1},
        {"\xc3\xa4", 2, 2},
        {"\xe2\x82\xac", 3, 3},
        {"\xf0\x9f\x98\x80", 4, 4},
        {"\xf4\x8f\xbf\xbf", 4, 4},
        {"\xc3", 1, 0},             /* cut */
        {"\xf0\x9f\x98", 3, 0},     /* cut */
        {"\x80", 1, 0},             /* no start */
        {"\xc0\x80", 2, 0},         /* longer than needed */
        {"\xe0\x80\x80", 3, 0},     /* longer than needed */
        {"\xf0\x80\x80\x80", 4, 0}, /* longer than needed */
        {"\xed\xa0\x80", 3, 0},     /* half of a pair */
        {"\xf4\x90\x80\x80", 4, 0}, /* beyond Unicode */
        {"\xf5\x80\x80\x80", 4, 0}, /* beyond Unicode */
        {"\xff", 1, 0},
        {"\xc3\x28", 2, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_int_equal(text_utf8((const uint8_t *)rows[i].bytes, rows[i].size), rows[i].length);
}

static void decodes_base64(void **state) {
    /* RFC 4648 section 10 */
    static const char *const rows[][2] = {{"", ""},
                                          {"Zg==", "f"},
                                          {"Zm8=", "fo"},
                                          {"Zm9v", "foo"},
                                          {"Zm9vYg==", "foob"},
                                          {"Zm9vYmE=", "fooba"},
                                          {"Zm9vYmFy", "foobar"}};
    uint8_t out[16];
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        long n = text_base64(out, sizeof(out), rows[i][0]);
        assert_int_equal(n, strlen(rows[i][1]));
        assert_memory_equal(out, rows[i][1], (size_t)n);
        assert_int_equal(text_base64(NULL, sizeof(out), rows[i][0]), n);
    }
    assert_int_equal(text_base64(out, sizeof(out), "+/8="), 2);
    assert_memory_equal(out, "\xfb\xff", 2);
    assert_int_equal(text_base64(out, sizeof(out), "base64=="), 4); /* bits behind the last byte */
}

static void refuses_what_is_not_base64(void **state) {
    static const char *const rows[] = {"Z",     "Zg",   "Zg=",  "====", "Z===",  "=Zg=",   "Zg==Zg==",
                                       "Zm9 v", "Zm9-", "Zm9_", "Zm 9", "Zm9\n", "Zm9v\n", "\xff\xff\xff\xff",
                                       "Z=g="};
    uint8_t out[16];
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_int_equal(text_base64(out, sizeof(out), rows[i]), -1);
    assert_int_equal(text_base64(out, 2, "Zm9v"), -1); /* does not fit */
    assert_int_equal(text_base64(NULL, 2, "Zm9v"), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_only_what_is_printable),
        cmocka_unit_test(cuts_what_is_long),
        cmocka_unit_test(knows_utf8),
        cmocka_unit_test(decodes_base64),
        cmocka_unit_test(refuses_what_is_not_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
