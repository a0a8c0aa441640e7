#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "health/command/judge.h"

/* The judgement on a document as text; NULL text: no document. */
static struct judgement judged(const char *text) {
    struct judgement j;
    json_t *doc = text != NULL ? json_loads(text, 0, NULL) : NULL;
    assert_true(text == NULL || doc != NULL);
    judge(&j, doc);
    json_decref(doc);
    return j;
}

#define CHECK(status, output) "{\"componentId\":\"w1\",\"status\":\"" status "\",\"output\":\"" output "\"}"

static void test_words_of_the_draft(void **state) {
    (void)state;
    assert_int_equal(judge_status("pass"), JUDGE_OK);
    assert_int_equal(judge_status("warn"), JUDGE_WARNING);
    assert_int_equal(judge_status("fail"), JUDGE_CRITICAL);
    assert_int_equal(judge_status("unknown"), JUDGE_UNKNOWN);
    assert_int_equal(judge_status(""), JUDGE_UNKNOWN);
    assert_int_equal(judge_status("PASS!"), JUDGE_UNKNOWN);
}

static void test_all_pass(void **state) {
    struct judgement j =
        judged("{\"status\":\"pass\",\"checks\":{\"worker:answers\":[" CHECK("pass", "") "," CHECK("pass", "") "]}}");
    (void)state;
    assert_int_equal(j.state, JUDGE_OK);
    assert_int_equal(j.checks, 2);
    assert_string_equal(j.sentence, "all 2 checks pass");
}

static void test_the_worst_is_named(void **state) {
    struct judgement j = judged("{\"status\":\"fail\",\"checks\":{\"a:x\":[" CHECK(
        "warn", "so so") "],\"worker:answers\":[" CHECK("pass", "") "," CHECK("fail", "no answer") "]}}");
    (void)state;
    assert_int_equal(j.state, JUDGE_CRITICAL);
    assert_string_equal(j.sentence, "worker:answers w1: no answer, and more");
    assert_int_equal(j.counts[JUDGE_CRITICAL], 1);
    assert_int_equal(j.counts[JUDGE_WARNING], 1);
    assert_int_equal(j.counts[JUDGE_OK], 1);
}

static void test_a_document_that_says_pass_over_a_failing_check_is_not_believed(void **state) {
    struct judgement j = judged("{\"status\":\"pass\",\"checks\":{\"a:x\":[" CHECK("fail", "dead") "]}}");
    (void)state;
    assert_int_equal(j.state, JUDGE_CRITICAL);
    j = judged("{\"status\":\"pass\",\"checks\":{\"a:x\":[" CHECK("warn", "off") "]}}");
    assert_int_equal(j.state, JUDGE_WARNING);
}

static void test_nor_one_that_says_fail_over_good_checks(void **state) {
    struct judgement j = judged("{\"status\":\"fail\",\"checks\":{\"a:x\":[" CHECK("pass", "") "]}}");
    (void)state;
    assert_int_equal(j.state, JUDGE_CRITICAL);
}

static void test_no_checks_is_not_well(void **state) {
    (void)state;
    assert_int_equal(judged("{\"status\":\"pass\",\"checks\":{}}").state, JUDGE_UNKNOWN);
    assert_int_equal(judged("{\"status\":\"pass\"}").state, JUDGE_UNKNOWN);
    assert_int_equal(judged("{\"status\":\"pass\",\"checks\":{\"a:x\":[]}}").state, JUDGE_UNKNOWN);
}

static void test_a_document_gone_stale_says_so_itself(void **state) {
    struct judgement j = judged("{\"status\":\"unknown\",\"output\":\"nothing was judged for 20 s\",\"checks\":{}}");
    (void)state;
    assert_int_equal(j.state, JUDGE_UNKNOWN);
    assert_string_equal(j.sentence, "nothing was judged for 20 s");
}

static void test_scopes_on_one_line(void **state) {
    char to[256];
    json_t *doc =
        json_loads("{\"scopes\":{\"worker\":{\"status\":\"pass\"},\"zo\\u001bnes\":{\"status\":7}}}", 0, NULL);
    FILE *f = tmpfile();
    (void)state;
    assert_true(doc != NULL && f != NULL);
    judge_print_scopes(doc, f);
    judge_print_scopes(NULL, f);
    rewind(f);
    to[fread(to, 1, sizeof to - 1, f)] = '\0';
    fclose(f);
    json_decref(doc);
    assert_string_equal(to, "  worker pass, zo\\027nes \n");
}

static void test_what_is_no_document_is_unknown(void **state) {
    (void)state;
    assert_int_equal(judged(NULL).state, JUDGE_UNKNOWN);
    assert_int_equal(judged("[]").state, JUDGE_UNKNOWN);
    assert_int_equal(judged("{}").state, JUDGE_UNKNOWN);
    assert_int_equal(judged("{\"status\":1}").state, JUDGE_UNKNOWN);
    assert_int_equal(judged("{\"status\":\"pass\",\"checks\":[1,2]}").state, JUDGE_UNKNOWN);
    assert_int_equal(judged("{\"status\":\"pass\",\"checks\":{\"a\":[1,\"x\",null]}}").state, JUDGE_UNKNOWN);
    assert_int_equal(judged("{\"status\":\"pass\",\"checks\":{\"a\":7}}").state, JUDGE_UNKNOWN);
}

static void test_unknown_is_worse_than_warn_and_better_than_fail(void **state) {
    (void)state;
    assert_int_equal(
        judged("{\"status\":\"warn\",\"checks\":{\"a:x\":[" CHECK("warn", "") "," CHECK("unknown", "") "]}}").state,
        JUDGE_UNKNOWN);
    assert_int_equal(
        judged("{\"status\":\"warn\",\"checks\":{\"a:x\":[" CHECK("unknown", "") "," CHECK("fail", "") "]}}").state,
        JUDGE_CRITICAL);
}

static void test_lines_worst_first_and_clean(void **state) {
    char to[2048];
    json_t *doc =
        json_loads("{\"status\":\"fail\",\"checks\":{\"a:x\":[" CHECK("warn", "W") "," CHECK(
                       "pass", "P") "],\"b:y\":[" CHECK("fail", "F\\u001b[1m") "," CHECK("unknown", "U") "]}}",
                   0, NULL);
    FILE *f = tmpfile();
    (void)state;
    assert_non_null(doc);
    assert_non_null(f);
    judge_print_checks(doc, f);
    rewind(f);
    to[fread(to, 1, sizeof to - 1, f)] = '\0';
    fclose(f);
    json_decref(doc);
    const char *fail = strstr(to, "fail"), *unknown = strstr(to, "unknown"), *warn = strstr(to, "warn");
    assert_true(fail != NULL && unknown != NULL && warn != NULL && fail < unknown && unknown < warn);
    assert_null(strstr(to, "pass"));
    assert_null(strchr(to, '\033'));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_of_the_draft),
        cmocka_unit_test(test_all_pass),
        cmocka_unit_test(test_the_worst_is_named),
        cmocka_unit_test(test_a_document_that_says_pass_over_a_failing_check_is_not_believed),
        cmocka_unit_test(test_nor_one_that_says_fail_over_good_checks),
        cmocka_unit_test(test_no_checks_is_not_well),
        cmocka_unit_test(test_a_document_gone_stale_says_so_itself),
        cmocka_unit_test(test_scopes_on_one_line),
        cmocka_unit_test(test_what_is_no_document_is_unknown),
        cmocka_unit_test(test_unknown_is_worse_than_warn_and_better_than_fail),
        cmocka_unit_test(test_lines_worst_first_and_clean),
    };
    return cmocka_run_group_tests_name("command_judge", tests, NULL, NULL);
}
