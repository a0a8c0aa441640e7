#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "health/command/command.h"

static int nothing(const struct args *a) {
    (void)a;
    return 0;
}

static const struct command sample = {
    .name = "sample",
    .synopsis = "ZONE [FILE...]",
    .options = OPTION_CONFIG | OPTION_DRY_RUN | OPTION_FORCE,
    .min_args = 1,
    .max_args = 3,
    .run = nothing,
};

/* Parses the words up to NULL as getopt gets them. */
static int parse(struct args *a, struct err *err, char **words) {
    int argc = 0;
    while (words[argc] != NULL)
        argc++;
    err->text[0] = '\0';
    return args_parse(a, &sample, argc, words, err);
}

#define PARSE(...) parse(&a, &err, (char *[]){"sample", __VA_ARGS__, NULL})

static void test_options_may_stand_anywhere(void **state) {
    struct args a;
    struct err err;
    (void)state;
    assert_int_equal(PARSE("bl.example.", "-c", "f.yaml", "ip4set:x", "--dry-run", "--force=because"), 0);
    assert_string_equal(a.config, "f.yaml");
    assert_true(a.dry_run);
    assert_false(a.json);
    assert_string_equal(a.force, "because");
    assert_int_equal(a.count, 2);
    assert_string_equal(a.at[0], "bl.example.");
    assert_string_equal(a.at[1], "ip4set:x");
}

static void test_parsing_begins_anew_each_time(void **state) {
    struct args a;
    struct err err;
    (void)state;
    assert_int_equal(PARSE("--dry-run", "z"), 0);
    assert_int_equal(PARSE("z"), 0);
    assert_false(a.dry_run);
    assert_null(a.config);
    assert_int_equal(a.count, 1);
}

static void test_config_in_both_forms(void **state) {
    struct args a;
    struct err err;
    (void)state;
    assert_int_equal(PARSE("--config", "one", "z"), 0);
    assert_string_equal(a.config, "one");
    assert_int_equal(PARSE("--config=two", "z"), 0);
    assert_string_equal(a.config, "two");
    assert_int_equal(PARSE("-cthree", "z"), 0);
    assert_string_equal(a.config, "three");
}

static void test_what_is_wrong_is_named(void **state) {
    struct args a;
    struct err err;
    (void)state;
    assert_int_equal(PARSE("z", "--bogus"), E_INVALID);
    assert_non_null(strstr(err.text, "--bogus"));
    assert_int_equal(PARSE("z", "--json"), E_INVALID); /* another command's option */
    assert_non_null(strstr(err.text, "--json"));
    assert_int_equal(PARSE("z", "-c"), E_INVALID);
    assert_non_null(strstr(err.text, "wants a value"));
    assert_int_equal(PARSE("--dry-run"), E_INVALID);
    assert_non_null(strstr(err.text, "ZONE"));
    assert_int_equal(PARSE("a", "b", "c", "d"), E_INVALID);
    assert_non_null(strstr(err.text, "'d'"));
    assert_int_equal(PARSE("z", "--force", ""), E_INVALID);
    assert_non_null(strstr(err.text, "reason"));
}

static void test_help_wants_no_arguments(void **state) {
    struct args a;
    struct err err;
    (void)state;
    assert_int_equal(PARSE("--help"), 0);
    assert_true(a.help);
    assert_int_equal(PARSE("-h"), 0);
    assert_true(a.help);
}

static void test_what_follows_two_dashes_is_no_option(void **state) {
    struct args a;
    struct err err;
    (void)state;
    assert_int_equal(PARSE("--", "--dry-run"), 0);
    assert_false(a.dry_run);
    assert_string_equal(a.at[0], "--dry-run");
}

static void test_config_path_from_the_environment(void **state) {
    struct args a = {0};
    (void)state;
    assert_int_equal(setenv("CANDOR_CONFIG", "/etc/other.yaml", 1), 0);
    assert_string_equal(args_config_path(&a), "/etc/other.yaml");
    a.config = "given.yaml";
    assert_string_equal(args_config_path(&a), "given.yaml");
    assert_int_equal(unsetenv("CANDOR_CONFIG"), 0);
    assert_string_equal(args_config_path(&a), "given.yaml");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_may_stand_anywhere),
        cmocka_unit_test(test_parsing_begins_anew_each_time),
        cmocka_unit_test(test_config_in_both_forms),
        cmocka_unit_test(test_what_is_wrong_is_named),
        cmocka_unit_test(test_help_wants_no_arguments),
        cmocka_unit_test(test_what_follows_two_dashes_is_no_option),
        cmocka_unit_test(test_config_path_from_the_environment),
    };
    return cmocka_run_group_tests_name("command_args", tests, NULL, NULL);
}
