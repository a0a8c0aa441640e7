/* Content negotiation, and packed bodies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <zlib.h>

#include "health/web/accept.h"
#include "health/web/gzip.h"

static void test_who_gets_what(void **state) {
    static const struct {
        const char *accept;
        bool open;
    } rows[] = {
        {NULL, false},
        {"", false},
        {"*/*", false},
        {"text/plain", false},
        {"text/html,*/*;q=0.8", false},
        {"application/openmetrics-text", true},
        {"APPLICATION/OpenMetrics-Text ; Version=1.0.0", true},
        {"application/openmetrics-text;version=\"1.0.0\"", true},
        {"application/openmetrics-text; version=2.0.0", false},
        {"application/openmetrics-text; version=0.0.1,text/plain", false},
        /* Prometheus 2.42 and 3 */
        {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
         "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         true},
        {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
         "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
         "text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
         true},
        {"text/plain;version=0.0.4;q=1,application/openmetrics-text;version=1.0.0;q=0.9", false},
        {"application/openmetrics-text;q=0", false},
        {"application/openmetrics-text;q=0,*/*", false},
        {"application/openmetrics-text;q=0.5,text/plain;q=0.5", true},
        {"text/plain;q=0.001,application/openmetrics-text;q=0.002", true},
        {"application/*", true},
        {"application/*;q=0.3,text/*;q=0.2", true},
        {"application/*;q=0.2,text/*;q=0.2", false},
        {"text/plain;q=0,*/*;q=0.5", true},
        {"text/plain;note=\"a,b;q=0\",application/openmetrics-text;q=0.1", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (accept_openmetrics(rows[i].accept) != rows[i].open)
            fail_msg("%s", rows[i].accept != NULL ? rows[i].accept : "(none)");
}

static void test_nonsense(void **state) {
    static const char *const rows[] = {
        ",,,,;;;",
        "application/openmetrics-text;q=",
        "application/openmetrics-text;q=2",
        ";q=1",
        "/",
        "application/openmetrics-text;q=0.0001",
        "application/openmetrics-text;q=-1",
        "\"application/openmetrics-text",
        "application/openmetrics-text;version=",
        "*/",
        "application/openmetrics-text;q=1.5",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_false(accept_openmetrics(rows[i]));
}

static void test_packed_or_not(void **state) {
    static const struct {
        const char *accept;
        bool gzip;
    } rows[] = {{NULL, false},
                {"", false},
                {"gzip", true},
                {"GZIP", true},
                {"x-gzip", true},
                {"gzip, deflate, br", true},
                {"deflate, br", false},
                {"*", true},
                {"*;q=0", false},
                {"gzip;q=0, *", false},
                {"gzip;q=0", false},
                {"br;q=1, gzip ; q=0.5", true},
                {"identity;q=1, gzip;q=0.5", false},
                {"identity;q=0.5, gzip;q=0.5", true},
                {"identity", false},
                {"identity, *;q=0.1", false},
                {"gzip;q=nonsense", false},
                {"gzip;q=2", false},
                {";;;,,,gzip", true},
                {"gzipped", false}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (accept_gzip(rows[i].accept) != rows[i].gzip)
            fail_msg("%s", rows[i].accept != NULL ? rows[i].accept : "(none)");
}

static void test_what_is_packed_comes_back(void **state) {
    enum { SIZE = 300000 };
    uint8_t *text = malloc(SIZE), *back = malloc(SIZE + 1), *at;
    (void)state;
    for (size_t i = 0; i < SIZE; i++)
        text[i] = (uint8_t)(i % 7 == 0 ? i * 2654435761u >> 24 : 'a' + i % 19);
    const struct bytes part[] = {{text, 1}, {text + 1, 0}, {text + 1, SIZE - 1001}, {text + SIZE - 1000, 1000}};
    size_t size = gzip_make(part, 4, &at);
    assert_in_range(size, 1, SIZE - 1);
    z_stream z = {.next_in = at, .avail_in = (uInt)size, .next_out = back, .avail_out = SIZE + 1};
    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.total_out, SIZE);
    assert_memory_equal(back, text, SIZE);
    (void)inflateEnd(&z);
    free(at);
    for (size_t i = 0; i < SIZE; i++)
        text[i] = (uint8_t)(i * i * 2654435761u >> 13); /* hardly any smaller: the bound holds */
    size = gzip_make(&(struct bytes){text, SIZE}, 1, &at);
    assert_true(size > 0);
    free(at);
    assert_true(gzip_make(part, 0, &at) > 0); /* nothing is a member, too */
    free(at);
    free(text);
    free(back);
}

static void test_it_is_bounded(void **state) {
    enum { MANY = 100000 };
    char *long_one = malloc(MANY + 64);
    (void)state;
    assert_non_null(long_one);
    memset(long_one, 'x', MANY);
    strcpy(long_one + MANY, ",application/openmetrics-text");
    assert_true(accept_openmetrics(long_one)); /* a range that is too long is none */
    memset(long_one, ',', MANY);
    assert_false(accept_openmetrics(long_one)); /* too many */
    free(long_one);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_gets_what), cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_packed_or_not), cmocka_unit_test(test_what_is_packed_comes_back),
        cmocka_unit_test(test_it_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
