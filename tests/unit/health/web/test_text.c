/* Growing text and its escapes, fed with what an enemy would put into a zone name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "health/web/text.h"

static void test_json_strings_come_back(void **state) {
    (void)state;
    static const char *const good[] = {"",
                                       "plain",
                                       "quote \" backslash \\ slash /",
                                       "line\nfeed\ttab",
                                       "\x01\x1f\x7f",
                                       "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
                                       "</script>"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct text t = {0};
        text_put(&t, "[");
        text_json(&t, good[i]);
        text_put(&t, "]");
        json_t *j = json_loads(t.at, 0, NULL);
        assert_non_null(j);
        assert_string_equal(json_string_value(json_array_get(j, 0)), good[i]);
        json_decref(j);
        text_free(&t);
    }
}

static void test_json_takes_any_bytes(void **state) {
    (void)state;
    srand(1);
    for (int round = 0; round < 2000; round++) {
        char bytes[40];
        size_t n = (size_t)rand() % (sizeof(bytes) - 1);
        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)(1 + rand() % 255);
        bytes[n] = '\0';
        struct text t = {0};
        text_put(&t, "[");
        text_json(&t, bytes);
        text_put(&t, "]");
        json_error_t e;
        json_t *j = json_loads(t.at, 0, &e);
        if (j == NULL)
            fail_msg("round %d: %s", round, e.text);
        json_decref(j);
        text_free(&t);
    }
}

static void test_html_and_labels(void **state) {
    (void)state;
    struct text t = {0};
    text_html(&t, "<b a=\"1\" c='2'>&\x01\xff</b>");
    assert_string_equal(t.at, "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;??&lt;/b&gt;");
    text_free(&t);
    text_label(&t, "a\"b\\c\nd\re\xfe");
    assert_string_equal(t.at, "a\\\"b\\\\c\\nd?e?");
    text_free(&t);
}

static void test_time(void **state) {
    (void)state;
    struct text t = {0};
    text_time(&t, 1795365676123);
    assert_string_equal(t.at, "2026-11-22T16:41:16.123Z");
    text_free(&t);
    text_time(&t, 0);
    assert_int_equal(t.size, 0);
    text_time(&t, INT64_MIN);
    assert_int_equal(t.size, 0);
}

static void test_grows_at_every_seam(void **state) {
    (void)state;
    for (size_t first = 4000; first < 4200; first++) {
        struct text t = {0};
        for (size_t i = 0; i < first; i++)
            text_putn(&t, "x", 1);
        text_fmt(&t, "%s%0300d", "yy", 7);
        assert_int_equal(t.size, first + 302);
        assert_int_equal(strlen(t.at), t.size);
        assert_int_equal(t.at[t.size - 1], '7');
        assert_false(t.failed);
        text_free(&t);
    }
}

static void test_has_an_end(void **state) {
    (void)state;
    struct text t = {0};
    static char block[1 << 20];
    memset(block, 'x', sizeof(block));
    for (int i = 0; i < 70; i++)
        text_putn(&t, block, sizeof(block));
    assert_true(t.failed);
    assert_true(t.size <= TEXT_MAX);
    text_putn(&t, "a", SIZE_MAX);
    text_fmt(&t, "%d", 1);
    assert_true(t.failed);
    text_free(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_strings_come_back), cmocka_unit_test(test_json_takes_any_bytes),
        cmocka_unit_test(test_html_and_labels),        cmocka_unit_test(test_time),
        cmocka_unit_test(test_grows_at_every_seam),    cmocka_unit_test(test_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
