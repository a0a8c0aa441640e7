/* The detail as rows: what stands where, the order of a walk, text that is no detail, and what is left of old rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "health/snmp/rows.h"

static struct rows *of(const char *json) { return rows_of_detail(json, strlen(json)); }

static const struct cell *get(const struct rows *r, unsigned long table, unsigned long column, unsigned long row) {
    const unsigned long oid[] = {1, table, 1, column, row};
    return rows_find(r, oid, ROWS_OID, false);
}

static const char small[] =
    "{\"node\":\"n\",\"sequence\":18446744073709,\"status\":\"warn\",\"ready\":true,\"wallMs\":1764000000999,"
    "\"scopes\":{\"worker\":{\"state\":\"fail\",\"cause\":\"c\"}},\"traffic\":{\"p99Us\":300},"
    "\"zones\":[{\"zone\":\"a.\",\"serial\":4294967295,\"expiresMs\":99999999999999},{\"zone\":\"b.\",\"serial\":-1}],"
    "\"monitors\":[{\"waiting\":2,\"eventsWaiting\":3}]}";

static void values(void **ctx) {
    (void)ctx;
    struct rows *r = of(small);
    assert_non_null(r);
    assert_string_equal(get(r, 1, 2, 1)->text, "n");
    assert_int_equal(get(r, 1, 5, 1)->number, 18446744073709);
    assert_int_equal(get(r, 1, 6, 1)->number, 2);
    assert_int_equal(get(r, 1, 7, 1)->number, 1);
    assert_int_equal(get(r, 1, 8, 1)->number, 1764000000);
    assert_int_equal(get(r, 1, 11, 1)->number, 300);
    assert_string_equal(get(r, 2, 2, 1)->text, "worker");
    assert_int_equal(get(r, 2, 3, 1)->number, 3);
    assert_int_equal(get(r, 5, 4, 1)->number, UINT32_MAX);
    assert_int_equal(get(r, 5, 4, 2)->number, 0); /* below 0: nothing */
    assert_int_equal(get(r, 5, 9, 1)->number, UINT32_MAX);
    assert_int_equal(get(r, 8, 8, 1)->number, 5);
    assert_null(get(r, 5, 4, 3));
    assert_null(get(r, 3, 2, 1)); /* no workers */
    rows_free(r);
}

/* GETNEXT from the base on meets every cell once, in the order of OIDs. */
static void walk(void **ctx) {
    (void)ctx;
    struct rows *r = of(small);
    unsigned long at[ROWS_OID] = {0}, before[ROWS_OID] = {0};
    size_t count = 0, size = 0;
    const struct cell *c;
    while ((c = rows_find(r, at, size, true)) != NULL && count <= r->count) {
        cell_oid(c, at);
        for (size_t i = 0; count > 0 && i < ROWS_OID; i++) {
            assert_true(at[i] >= before[i]);
            if (at[i] > before[i])
                break;
        }
        assert_true(count == 0 || memcmp(at, before, sizeof at) != 0);
        memcpy(before, at, sizeof at);
        size = ROWS_OID;
        count++;
    }
    assert_int_equal(count, r->count);
    const unsigned long longer[] = {1, 1, 1, 2, 1, 7}, shorter[] = {1, 5}, high[] = {2};
    assert_null(rows_find(r, longer, 6, false));
    assert_int_equal(rows_find(r, longer, 6, true)->column, 3);
    assert_null(rows_find(r, shorter, 2, false));
    assert_string_equal(rows_find(r, shorter, 2, true)->text, "a.");
    assert_null(rows_find(r, high, 1, true));
    rows_free(r);
}

static void any_text(void **ctx) {
    (void)ctx;
    static const char *const wrong[] = {"", "{", "[]", "null", "7", "\"x\"", "{\"zones\":}"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_null(of(wrong[i]));
    struct rows *r =
        of("{\"zones\":7,\"workers\":[1,null,{\"worker\":\"x\",\"lagUs\":1e300}],\"scopes\":[{}],\"node\":{},"
           "\"status\":[],\"traffic\":[1],\"peers\":{\"a\":1}}");
    assert_non_null(r);
    assert_int_equal(get(r, 1, 6, 1)->number, 4); /* no state is unknown */
    assert_string_equal(get(r, 1, 2, 1)->text, "");
    assert_int_equal(get(r, 3, 5, 3)->number, UINT32_MAX);
    assert_int_equal(get(r, 3, 2, 3)->number, 0);
    rows_free(r);
}

/* Long texts end between two characters; lists end at their bound. */
static void bounds(void **ctx) {
    (void)ctx;
    char *text = malloc(200000);
    size_t n = 0;
    assert_non_null(text);
    n += (size_t)sprintf(text + n, "{\"node\":\"");
    for (int i = 0; i < 200; i++)
        n += (size_t)sprintf(text + n, "\xc3\xa4");
    n += (size_t)sprintf(text + n, "\",\"zones\":[{}");
    for (int i = 0; i < 2 * ROWS_EACH_MAX; i++)
        n += (size_t)sprintf(text + n, ",{\"zone\":\"z\"}");
    (void)sprintf(text + n, "]}");
    struct rows *r = of(text);
    assert_non_null(r);
    assert_int_equal(strlen(get(r, 1, 2, 1)->text), ROWS_TEXT_MAX - 1);
    assert_non_null(get(r, 5, 2, ROWS_EACH_MAX));
    assert_null(get(r, 5, 2, ROWS_EACH_MAX + 1));
    rows_free(r);
    free(text);
}

static void stale(void **ctx) {
    (void)ctx;
    struct rows *r = of(small), *old = rows_stale(r);
    assert_non_null(old);
    assert_int_equal(get(old, 1, 6, 1)->number, 4);
    assert_int_equal(get(old, 1, 7, 1)->number, 2);
    assert_string_equal(get(old, 1, 2, 1)->text, "n");
    assert_null(get(old, 5, 2, 1));
    rows_free(r);
    rows_free(old);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(values), cmocka_unit_test(walk), cmocka_unit_test(any_text),
                                       cmocka_unit_test(bounds), cmocka_unit_test(stale)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
