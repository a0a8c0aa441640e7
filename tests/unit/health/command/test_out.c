#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "health/command/out.h"

static void test_nothing_steers_the_terminal(void **state) {
    char to[64];
    (void)state;
    assert_string_equal(out_clean(to, sizeof to, "a\033[31mb\n\0c\x80", 10), "a\\027[31mb\\010\\000c");
    assert_string_equal(out_clean(to, sizeof to, "\x7f\xff", 2), "\\127\\255");
    assert_string_equal(out_clean(to, sizeof to, "", 0), "");
}

static void test_long_text_is_cut_inside_its_room(void **state) {
    char to[12];
    (void)state;
    assert_string_equal(out_clean(to, sizeof to, "abcdefghijklmnop", 16), "abcdefgh...");
    assert_string_equal(out_clean(to, sizeof to, "abcdefgh", 8), "abcdefgh");
    assert_string_equal(out_clean(to, sizeof to, "abcdefg\n\n", 9), "abcdefg...");
}

static void test_ages(void **state) {
    char to[32];
    (void)state;
    assert_string_equal(out_age(to, -1), "never");
    assert_string_equal(out_age(to, 0), "0 ms");
    assert_string_equal(out_age(to, 0.25), "250 ms");
    assert_string_equal(out_age(to, 59), "59 s");
    assert_string_equal(out_age(to, 600), "10 min");
    assert_string_equal(out_age(to, 7200), "2 h");
    assert_string_equal(out_age(to, 864000), "10 d");
}

static void test_counts_and_bytes(void **state) {
    char to[32];
    (void)state;
    assert_string_equal(out_count(to, 0), "0");
    assert_string_equal(out_count(to, 999), "999");
    assert_string_equal(out_count(to, 1000), "1,000");
    assert_string_equal(out_count(to, UINT64_MAX), "18,446,744,073,709,551,615");
    assert_string_equal(out_bytes(to, 812), "812 B");
    assert_string_equal(out_bytes(to, 1536), "1.5 KiB");
    assert_string_equal(out_bytes(to, UINT64_MAX), "16777216.0 TiB");
}

/* What the table prints, as text. */
static const char *printed(struct out_table *t, char *to, size_t cap) {
    FILE *f = tmpfile();
    assert_non_null(f);
    out_table_print(t, f, "> ");
    rewind(f);
    to[fread(to, 1, cap - 1, f)] = '\0';
    fclose(f);
    return to;
}

static void test_columns_are_as_wide_as_their_widest(void **state) {
    char to[512];
    struct out_table *t = out_table_new(3);
    (void)state;
    out_row(t, "a", "bb", "last");
    out_row(t, "long one", NULL, "x");
    out_row(t, "c", "d", "");
    assert_string_equal(printed(t, to, sizeof to), "> a         bb  last\n> long one      x\n> c         d\n");
}

static void test_cells_are_cleaned_and_rows_are_bounded(void **state) {
    static char to[1 << 18];
    struct out_table *t = out_table_new(1);
    char big[2 * OUT_CELL_MAX];
    (void)state;
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    out_row(t, "\033]0;title\007");
    out_row(t, big);
    for (int i = 0; i < OUT_ROWS; i++)
        out_row(t, "row");
    printed(t, to, sizeof to);
    assert_null(strchr(to, '\033'));
    assert_non_null(strstr(to, "and 2 more"));
    assert_non_null(strstr(to, "x..."));
}

static void test_no_table_prints_nothing(void **state) {
    char to[16];
    (void)state;
    out_row(NULL, "x");
    assert_string_equal(printed(NULL, to, sizeof to), "");
    assert_string_equal(printed(out_table_new(4), to, sizeof to), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_steers_the_terminal),
        cmocka_unit_test(test_long_text_is_cut_inside_its_room),
        cmocka_unit_test(test_ages),
        cmocka_unit_test(test_counts_and_bytes),
        cmocka_unit_test(test_columns_are_as_wide_as_their_widest),
        cmocka_unit_test(test_cells_are_cleaned_and_rows_are_bounded),
        cmocka_unit_test(test_no_table_prints_nothing),
    };
    return cmocka_run_group_tests_name("command_out", tests, NULL, NULL);
}
