/* What a database is given: JSON that no encoding of it can refuse. The rest of the sink is tested with a real server
 * (tests/system). */
#include "health/report/sql.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "health/report/body.h"
#include "resolver/base/bytes.h"

static void plain(const char *from, const char *to) {
    char text[256];
    text_copy(text, sizeof text, from);
    sql_plain(text);
    assert_string_equal(text, to);
}

static void ascii_alone(void **state) {
    (void)state;
    plain("", "");
    plain("{\"a\":\"b\",\"c\":[1,2.5,null]}", "{\"a\":\"b\",\"c\":[1,2.5,null]}");
    plain("{\"a\":\"\\\"\\\\\\/\"}", "{\"a\":\"\\\"\\\\\\/\"}");
    plain("{\"a\":\"x\\u0000y\\u001fz\\n\\t\\b\"}", "{\"a\":\"x?y?z???\"}");
    plain("{\"a\":\"\\\\u0000\"}", "{\"a\":\"\\\\u0000\"}"); /* a backslash and five letters */
    plain("{\"a\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80.\"}", "{\"a\":\"???.\"}");
    plain("{\"a\":\"\xff\xc3\"}", "{\"a\":\"??\"}");
    plain("{\"a\":\"\\ud83d\\ude00\"}", "{\"a\":\"??\"}");
    plain("\"\\u12\"", "\"?\"");
    plain("\"\\u\"", "\"?\"");
    plain("\\", "\\");
    plain("\"\\", "\"\\");
    plain("\"\\u", "\"?");
}

/* Any octets in an event's texts: what comes out is JSON, ASCII, with nothing below a blank. */
static void any_words(void **state) {
    (void)state;
    srand(5);
    for (int round = 0; round < 3000; round++) {
        struct event e = {.sequence = 1};
        for (size_t i = 0; i + 1 < sizeof e.cause; i++)
            e.cause[i] = (char)(1 + rand() % 255);
        for (size_t i = 0; i + 1 < sizeof e.what; i++)
            e.what[i] = (char)("\\u0\"\x80\xc3 n")[rand() % 8];
        char *text = body_event(&e);
        assert_non_null(text);
        sql_plain(text);
        for (const char *c = text; *c != '\0'; c++)
            assert_true(*c >= ' ' && (unsigned char)*c < 0x80);
        json_t *j = json_loads(text, 0, NULL);
        assert_non_null(j);
        json_decref(j);
        free(text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(ascii_alone), cmocka_unit_test(any_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
