/* What the page asks for is in the program, whole, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "health/page/assets.h"

static bool has(struct bytes b, const char *words) { return memmem(b.at, b.size, words, strlen(words)) != NULL; }

static void style_and_script(void **state) {
    struct page_asset css, js;
    (void)state;
    assert_true(page_asset_find("/page.css", &css));
    assert_true(page_asset_find("/page.js", &js));
    assert_string_equal(css.type, "text/css; charset=utf-8");
    assert_string_equal(js.type, "text/javascript; charset=utf-8");
    assert_true(has(css.body, ".banner.pass") && has(css.body, ".u-legend"));
    assert_true(has(js.body, "var uPlot=") && has(js.body, "async function renew("));
    /* The license of what is not ours goes with it; nothing is made of words, and nothing comes from elsewhere. */
    assert_true(has(js.body, "The MIT License") && has(js.body, "Leon Sorokin"));
    assert_false(has(js.body, "eval(") || has(js.body, "new Function") || has(js.body, "innerHTML"));
    assert_false(has(css.body, "url(") || has(css.body, "@import"));
    assert_true(css.body.size + js.body.size < (size_t)110 << 10);
}

static void icons(void **state) {
    static const char *const states[] = {"pass", "warn", "fail", "unknown"};
    struct page_asset a;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
        char path[32];
        (void)snprintf(path, sizeof path, "/icon/%s.svg", states[i]);
        assert_true(page_asset_find(path, &a));
        assert_string_equal(a.type, "image/svg+xml");
        assert_true(has(a.body, "</svg>"));
    }
}

static void nothing_else(void **state) {
    static const char *const paths[] = {
        "",           "/",          "/page.css/", "/page.cs", "/page.css?1",     "/../page.js",
        "/icon/.svg", "/icon/pass", "/bytes.S",   "page.js",  "/icon/pass.svg/x"};
    struct page_asset a;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
        assert_false(page_asset_find(paths[i], &a));
    assert_int_equal(strlen(page_asset_stamp()), 12);
    assert_int_equal(strspn(page_asset_stamp(), "0123456789abcdef"), 12);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(style_and_script), cmocka_unit_test(icons),
                                       cmocka_unit_test(nothing_else)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
