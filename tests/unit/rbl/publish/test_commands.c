/* The keeper and its commands over a real control socket: what a publisher sends, what comes back, what the board says.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "rbl/publish/commands.h"
#include "resolver/base/log.h"

enum { ASK_MS = 20000 };

static struct {
    char folder[64], socket[96], list[96], other[96];
    struct conf *conf;
    struct board *board;
    struct loop *loop;
    struct keeper *keeper;
    struct control *control;
} t;

static void write_file(const char *path, const char *text) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static int set_up(void **state) {
    struct err err = {0};
    (void)state;
    memset(&t, 0, sizeof t);
    log_open("test", LEVEL_ERROR, LOG_FORMAT_LOGFMT, LOG_TARGET_STDERR);
    text_copy(t.folder, sizeof t.folder, "/tmp/candor-publish-XXXXXX");
    assert_non_null(mkdtemp(t.folder));
    (void)snprintf(t.socket, sizeof t.socket, "%s/sync.sock", t.folder);
    (void)snprintf(t.list, sizeof t.list, "%s/list", t.folder);
    (void)snprintf(t.other, sizeof t.other, "%s/other", t.folder);
    write_file(t.list, "127.0.0.2\n192.0.2.0/24 :5:bad $$ $\nnot an address\n");
    static const char text[] = "node: { name: test, state: state, run: . }\n"
                               "rbl:\n  zones:\n"
                               "    - { name: files.test., data: [{ type: ip4trie, files: [list] }] }\n"
                               "    - { name: pushed.test. }\n";
    if (conf_read_text(&t.conf, text, sizeof text - 1, t.folder, "test", &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(board_attach(&t.board, t.folder, &err), 0);
    assert_int_equal(loop_open(&t.loop, &err), 0);
    assert_int_equal(keeper_open(&t.keeper, t.loop, t.conf, t.board, &err), 0);
    assert_int_equal(control_open(&t.control, t.loop, t.socket, commands_handle, t.keeper, &err), 0);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    while (!keeper_quiet(t.keeper))
        loop_turn(t.loop, 10);
    control_close(t.control);
    keeper_close(t.keeper);
    loop_close(t.loop);
    board_detach(t.board);
    conf_free(t.conf);
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", t.folder);
    return system(command); /* NOLINT(cert-env33-c): the folder is the test's own */
}

struct asked {
    const char *line;
    char *answer;
    int code;
    int done;
};

static void *asking(void *ctx) {
    struct asked *a = ctx;
    a->code = control_ask(t.socket, a->line, ASK_MS, &a->answer, NULL);
    __atomic_store_n(&a->done, 1, __ATOMIC_RELEASE);
    return NULL;
}

/* Asks from another thread while this one turns the loop. The caller frees. */
static json_t *ask(const char *line) {
    struct asked a = {.line = line};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, asking, &a), 0);
    while (!__atomic_load_n(&a.done, __ATOMIC_ACQUIRE))
        loop_turn(t.loop, 10);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(a.code, 0);
    json_t *doc = json_loads(a.answer, 0, NULL);
    assert_non_null(doc);
    free(a.answer);
    return doc;
}

static bool is_ok(const json_t *doc) { return json_is_true(json_object_get(doc, "ok")); }

static json_int_t number(const json_t *doc, const char *key) {
    const json_t *n = json_object_get(doc, key);
    assert_true(json_is_integer(n));
    return json_integer_value(n);
}

static const char *text_of(const json_t *doc, const char *key) {
    const char *s = json_string_value(json_object_get(doc, key));
    assert_non_null(s);
    return s;
}

static json_t *publish(const char *type, const char *path, const char *more) {
    char line[512];
    (void)snprintf(
        line, sizeof line,
        "{\"command\":\"publish\",\"zone\":\"pushed.test.\",\"files\":[{\"type\":\"%s\",\"path\":\"%s\"}]%s}", type,
        path, more);
    return ask(line);
}

static void test_files_are_read_at_start_and_shown(void **state) {
    (void)state;
    json_t *r = ask("{\"command\":\"publish\",\"zone\":\"FILES.test\"}");
    assert_true(is_ok(r));
    assert_int_equal(number(r, "entries"), 2);
    assert_int_equal(number(r, "bad_lines"), 1);
    assert_int_equal(json_array_size(json_object_get(r, "notes")), 1);
    json_decref(r);
    struct board_zone z;
    assert_true(board_zone_read(&t.board->zone[0], &z));
    assert_string_equal(z.name, "files.test.");
    assert_int_equal(z.state, ZONE_OK);
    assert_int_equal(z.entries, 2);
    assert_int_equal(z.bad_lines, 1);
    assert_true(z.serial > 0 && z.commits > 0 && z.last_change_wall_s > 0);
}

static void test_why_names_entry_file_and_line(void **state) {
    (void)state;
    json_decref(ask("{\"command\":\"publish\",\"zone\":\"files.test.\"}"));
    json_t *r = ask("{\"command\":\"why\",\"zone\":\"files.test.\",\"what\":\"192.0.2.77\"}");
    assert_true(is_ok(r) && json_is_true(json_object_get(r, "listed")));
    const json_t *m = json_array_get(json_object_get(r, "matches"), 0);
    assert_string_equal(text_of(m, "entry"), "192.0.2.0/24");
    assert_string_equal(text_of(m, "a"), "127.0.0.5");
    assert_string_equal(text_of(m, "txt"), "bad $$ $");
    assert_string_equal(text_of(m, "file"), t.list);
    assert_int_equal(number(m, "line"), 2);
    json_decref(r);
    r = ask("{\"command\":\"why\",\"zone\":\"files.test.\",\"what\":\"198.51.100.1\"}");
    assert_true(is_ok(r) && json_is_false(json_object_get(r, "listed")));
    assert_int_equal(json_array_size(json_object_get(r, "matches")), 0);
    json_decref(r);
}

static void test_publish_commits_the_difference_and_tells_it(void **state) {
    (void)state;
    write_file(t.other, "one.example\ntwo.example\n*.three.example :7\n");
    json_t *r = publish("dnset", t.other, "");
    assert_true(is_ok(r) && json_is_true(json_object_get(r, "changed")));
    assert_int_equal(number(r, "added"), 3);
    json_int_t serial = number(r, "serial");
    json_decref(r);
    write_file(t.other, "one.example\n*.three.example :8\nfour.example\n");
    r = publish("dnset", t.other, ",\"dry_run\":true");
    assert_true(is_ok(r));
    assert_int_equal(number(r, "added"), 2);
    assert_int_equal(number(r, "removed"), 2);
    assert_int_equal(number(r, "serial"), serial);
    json_decref(r);
    r = publish("dnset", t.other, "");
    assert_int_equal(number(r, "added"), 2);
    assert_int_equal(number(r, "entries"), 3);
    assert_true(number(r, "serial") > serial);
    assert_true(json_array_size(json_object_get(r, "first")) > 0);
    json_decref(r);
    r = publish("dnset", t.other, "");
    assert_true(is_ok(r) && json_is_false(json_object_get(r, "changed")));
    json_decref(r);
    r = ask("{\"command\":\"history\",\"zone\":\"pushed.test.\"}");
    assert_int_equal(json_array_size(json_object_get(r, "history")), 2);
    json_decref(r);
    r = ask("{\"command\":\"verify\",\"zone\":\"pushed.test.\"}");
    assert_true(is_ok(r));
    json_decref(r);
    r = ask("{\"command\":\"why\",\"zone\":\"pushed.test.\",\"what\":\"x.three.example.pushed.test\"}");
    assert_true(is_ok(r) && json_is_true(json_object_get(r, "listed")));
    json_decref(r);
}

static void test_a_missing_file_changes_nothing_and_is_told(void **state) {
    (void)state;
    write_file(t.other, "one.example\n");
    json_decref(publish("dnset", t.other, ""));
    json_t *r = publish("dnset", "/no/such/file", "");
    assert_false(is_ok(r));
    assert_non_null(strstr(text_of(r, "error"), "/no/such/file"));
    json_decref(r);
    struct board_zone z;
    assert_true(board_zone_read(&t.board->zone[1], &z));
    assert_int_equal(z.state, ZONE_BAD_SOURCE);
    assert_int_equal(z.entries, 1);
    assert_non_null(strstr(z.error, "/no/such/file"));
}

static void test_requests_that_make_no_sense_are_refused_with_the_reason(void **state) {
    static const struct {
        const char *line, *says;
    } bad[] = {
        {" ", "JSON"},
        {"[]", "JSON"},
        {"{\"command\":\"publish\"", "JSON"},
        {"{\"command\":\"reboot\"}", "expected publish"},
        {"{\"command\":7}", "expected publish"},
        {"{\"command\":\"publish\"}", "zone"},
        {"{\"command\":\"publish\",\"zone\":\"none.test.\"}", "none.test."},
        {"{\"command\":\"publish\",\"zone\":\"pushed.test.\"}", "TYPE:FILE"},
        {"{\"command\":\"publish\",\"zone\":\"pushed.test.\",\"files\":[7]}", "files[0]"},
        {"{\"command\":\"publish\",\"zone\":\"pushed.test.\",\"files\":[{\"type\":\"x\",\"path\":\"/a\"}]}", "'x'"},
        {"{\"command\":\"publish\",\"zone\":\"pushed.test.\",\"files\":[{\"type\":\"dnset\",\"path\":\"a\"}]}",
         "absolute"},
        {"{\"command\":\"publish\",\"zone\":\"files.test.\",\"files\":[{\"type\":\"dnset\",\"path\":\"/a\"}]}", "data"},
        {"{\"command\":\"why\",\"zone\":\"files.test.\"}", "what"},
        {"{\"command\":\"why\",\"zone\":\"files.test.\",\"what\":\"a..b\"}", "a..b"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        json_t *r = ask(bad[i].line);
        assert_false(is_ok(r));
        if (strstr(text_of(r, "error"), bad[i].says) == NULL)
            fail_msg("%s -> %s", bad[i].line, text_of(r, "error"));
        json_decref(r);
    }
}

static void test_a_stopping_keeper_takes_no_more(void **state) {
    struct err err = {0};
    (void)state;
    while (!keeper_quiet(t.keeper))
        loop_turn(t.loop, 10);
    struct job *j = job_new(JOB_STAT);
    assert_non_null(j);
    assert_int_equal(keeper_submit(t.keeper, 0, j, &err), E_CLOSED);
    job_free(j);
}

static void test_the_queue_of_a_zone_is_bounded(void **state) {
    (void)state;
    int rc = 0;
    unsigned taken = 0;
    while (rc == 0 && taken <= 2 * KEEPER_QUEUE) {
        struct job *j = job_new(JOB_STAT);
        assert_non_null(j);
        rc = keeper_submit(t.keeper, 1, j, NULL);
        if (rc == 0)
            taken++;
        else
            job_free(j);
    }
    assert_int_equal(rc, E_FULL);
    assert_in_range(taken, KEEPER_QUEUE - 1, KEEPER_QUEUE + 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_files_are_read_at_start_and_shown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_why_names_entry_file_and_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_publish_commits_the_difference_and_tells_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_missing_file_changes_nothing_and_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_requests_that_make_no_sense_are_refused_with_the_reason, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_stopping_keeper_takes_no_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_queue_of_a_zone_is_bounded, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
