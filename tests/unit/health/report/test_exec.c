/* A command for each transition: what it is told, in which order, what becomes of one that fails, and where it goes on
 * after a restart. */
#include "health/report/exec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "resolver/base/bytes.h"

enum { PATIENCE_MS = 20000, SAID_MAX = 4096 };

#define UNTIL(condition)                                                                                               \
    do {                                                                                                               \
        int left = PATIENCE_MS;                                                                                        \
        while (!(condition) && left-- > 0)                                                                             \
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);                                                   \
        assert_true(condition);                                                                                        \
    } while (0)

static char folder[] = "/tmp/test_exec.XXXXXX", command[64], told[64];
static struct conf conf;
static struct events ledger;

static void script(const char *text) {
    char fresh[80];
    (void)snprintf(fresh, sizeof fresh, "%s.new", command);
    FILE *f = fopen(fresh, "we");
    assert_non_null(f);
    fprintf(f, "#!/bin/sh\nt=%s\n%s\n", told, text);
    fclose(f);
    assert_int_equal(chmod(fresh, 0755), 0);
    assert_int_equal(rename(fresh, command), 0);
}

/* Line `n` (from 0) of what the command wrote down; NULL: not there yet. */
static json_t *line(int n) {
    char text[SAID_MAX];
    FILE *f = fopen(told, "re");
    json_t *j = NULL;
    for (int i = 0; f != NULL && fgets(text, sizeof text, f) != NULL; i++)
        if (i == n)
            j = json_loads(text, 0, NULL);
    if (f != NULL)
        fclose(f);
    return j;
}

static int64_t number_at(int n) {
    json_t *j = line(n);
    int64_t number = json_integer_value(json_object_get(json_object_get(j, "event"), "sequence"));
    json_decref(j);
    return number;
}

static void happen(struct sink *s, uint8_t kind, const char *cause) {
    struct event e = {.sequence = ledger.sequence + 1,
                      .boot = 7,
                      .wall_ms = 1764000000123,
                      .kind = kind,
                      .scope = SCOPE_WORKER,
                      .to = VERDICT_FAIL};
    text_copy(e.cause, sizeof e.cause, cause);
    assert_true(events_add(&ledger, &e));
    struct report r = {.sequence = 1};
    sink_offer(s, &r, ledger.list, NULL);
}

static struct sink *start(void) {
    struct sink *s;
    struct err err;
    assert_int_equal(exec_open(&s, &conf, folder, 5, &err), 0);
    return s;
}

static int setup(void **state) {
    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(command, sizeof command, "%s/command", folder);
    (void)snprintf(told, sizeof told, "%s/told", folder);
    conf.node.name = "scan\"1";
    conf.health.exec = command;
    return events_open(&ledger);
}

static int teardown(void **state) {
    (void)state;
    char path[128];
    (void)unlink(command);
    (void)unlink(told);
    (void)snprintf(path, sizeof path, "%s/sink-exec.mark", folder);
    (void)unlink(path);
    (void)rmdir(folder);
    events_close(&ledger);
    return 0;
}

/* It is not there at first; then it is told, in order, what is its business. */
static void told_in_order(void **state) {
    (void)state;
    struct sink *s = start();
    happen(s, EVENT_SCOPE, "before it was configured");
    UNTIL(strstr(sink_news(s)->trouble, "No such file") != NULL);
    script("cat >>$t");
    UNTIL(sink_news(s)->trouble[0] == '\0');
    happen(s, EVENT_SCOPE, "\"quoted\"\n\xff $(reboot) `x` \\");
    happen(s, EVENT_CHECK, "not its business");
    happen(s, EVENT_DOUBT, "nor this");
    happen(s, EVENT_START, "");
    UNTIL(sink_news(s)->event_sequence == 5);
    assert_int_equal(number_at(0), 2);
    assert_int_equal(number_at(1), 5);
    assert_null(line(2));
    json_t *j = line(0), *e = json_object_get(j, "event");
    assert_string_equal(json_string_value(json_object_get(j, "node")), "scan\"1");
    assert_string_equal(json_string_value(json_object_get(e, "kind")), "scope");
    assert_string_equal(json_string_value(json_object_get(e, "scope")), "worker");
    assert_string_equal(json_string_value(json_object_get(e, "from")), "pass");
    assert_string_equal(json_string_value(json_object_get(e, "to")), "fail");
    assert_string_equal(json_string_value(json_object_get(e, "cause")), "\"quoted\"\n? $(reboot) `x` \\");
    json_decref(j);
    sink_close(s);
}

static void again_and_given_up(void **state) {
    (void)state;
    struct sink *s = start();
    uint64_t failed = sink_news(s)->results[SINK_FAILED];
    script("cat >>$t; echo broken; exit 3");
    happen(s, EVENT_SCOPE, "");
    UNTIL(sink_news(s)->events_dropped == 1);
    UNTIL(sink_news(s)->event_sequence == 6);
    assert_int_equal(sink_news(s)->results[SINK_FAILED], failed + EXEC_TRIES - 1);
    for (int i = 2; i < 2 + EXEC_TRIES; i++)
        assert_int_equal(number_at(i), 6);
    assert_null(line(2 + EXEC_TRIES));
    assert_non_null(strstr(sink_news(s)->trouble, "event 6: "));
    assert_non_null(strstr(sink_news(s)->trouble, "exit code 3: broken"));
    happen(s, EVENT_CHECK, ""); /* the last one that it had to hear of was not told: that stands */
    UNTIL(sink_news(s)->event_sequence == 7);
    assert_non_null(strstr(sink_news(s)->trouble, "event 6: "));
    script("cat >>$t");
    happen(s, EVENT_SCOPE, "");
    UNTIL(sink_news(s)->event_sequence == 8 && sink_news(s)->trouble[0] == '\0');
    assert_int_equal(number_at(2 + EXEC_TRIES), 8);
    sink_close(s);
}

static void after_a_restart(void **state) {
    (void)state;
    struct sink *s = start();
    script("exit 1");
    happen(s, EVENT_SCOPE, "");
    UNTIL(sink_news(s)->results[SINK_FAILED] > 0);
    sink_close(s);
    script("cat >>$t");
    s = start();
    happen(s, EVENT_SCOPE, "");
    UNTIL(sink_news(s)->event_sequence == 10);
    assert_int_equal(number_at(3 + EXEC_TRIES), 9);
    assert_int_equal(number_at(4 + EXEC_TRIES), 10);
    sink_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(told_in_order),
        cmocka_unit_test(again_and_given_up),
        cmocka_unit_test(after_a_restart),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
