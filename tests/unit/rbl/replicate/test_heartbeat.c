/* The heartbeat record: written at the source, one at a time, taken away when the configuration has none any more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "rbl/replicate/heartbeat.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"
#include "resolver/dns/message.h"

enum { BEATS, PLAIN, WAIT_TURNS = 20000 };

static struct {
    char folder[64];
    struct conf *conf;
    struct board *board;
    struct loop *loop;
    struct keeper *keeper;
    struct heartbeat *beat;
} t;

static bool source;
static bool is_source(void *ctx, int zone) {
    (void)ctx;
    (void)zone;
    return source;
}

static void open_all(const char *every) {
    struct err err = {0};
    char text[512];
    int n = snprintf(text, sizeof text,
                     "node: { name: test, state: state, run: . }\n"
                     "rbl:\n  zones:\n"
                     "    - { name: beats.test., test: none, heartbeat: %s }\n"
                     "    - { name: plain.test., test: none }\n",
                     every);
    if (conf_read_text(&t.conf, text, (size_t)n, t.folder, "test", &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(board_attach(&t.board, t.folder, &err), 0);
    assert_int_equal(loop_open(&t.loop, &err), 0);
    if (keeper_open(&t.keeper, t.loop, t.conf, t.board, &err) != 0 ||
        heartbeat_open(&t.beat, t.loop, t.keeper, is_source, NULL, &err) != 0)
        fail_msg("%s", err.text);
}

static void close_all(void) {
    while (!keeper_quiet(t.keeper))
        loop_turn(t.loop, 10);
    heartbeat_close(t.beat);
    keeper_close(t.keeper);
    loop_close(t.loop);
    board_detach(t.board);
    conf_free(t.conf);
}

static int set_up(void **state) {
    (void)state;
    log_open("test", LEVEL_ERROR, LOG_FORMAT_LOGFMT, LOG_TARGET_STDERR);
    memset(&t, 0, sizeof t);
    source = true;
    text_copy(t.folder, sizeof t.folder, "/tmp/candor-beat-XXXXXX");
    return mkdtemp(t.folder) == NULL;
}

static int tear_down(void **state) {
    char command[128];
    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf '%s'", t.folder);
    return system(command); /* NOLINT(cert-env33-c): the folder is the test's own */
}

static int put_one(void *ctx, struct keep_batch *b, struct err *err) {
    struct keep_entry e = {.kind = KEEP_4, .bits = 32, .addr = {192, 0, 2, 7}, .value = {.a = {127, 0, 0, 2}}};
    (void)ctx;
    return keep_batch_add(b, &e, err);
}

/* What stands at the name, as text; "" nothing. */
static char found[64];
static unsigned looked;
static int64_t found_ms;
static void note_why(void *ctx, struct job *j) {
    (void)ctx;
    looked++;
    found[0] = '\0';
    found_ms = 0;
    if (j->kind != JOB_WHY || j->why->matches == 0)
        return;
    const struct value *v = &j->why->match[0].value;
    text_copy(found, sizeof found, j->why->match[0].entry);
    assert_int_equal(j->why->matches, 1); /* each takes the place of the one before */
    assert_int_equal(v->type, TYPE_TXT);
    found_ms = heartbeat_read((struct bytes){(const uint8_t *)v->txt, v->txt_size});
}

static void run(int zone, struct job *j) {
    unsigned before = looked;
    j->done = note_why;
    assert_int_equal(keeper_submit(t.keeper, zone, j, NULL), 0);
    for (int turn = 0; looked == before; turn++) {
        assert_true(turn < WAIT_TURNS);
        loop_turn(t.loop, 10);
    }
}

static void put(int zone) {
    struct job *j = job_new(JOB_CHANGE);
    j->change = put_one;
    run(zone, j);
}

static void look_for(int zone) {
    struct job *j = job_new(JOB_WHY);
    j->why->is_name = true;
    assert_int_equal(name_from_text(&j->why->name, HEARTBEAT_LABEL ".", NULL), 0);
    run(zone, j);
}

static int64_t wait_newer(int64_t than) {
    for (int turn = 0; turn < WAIT_TURNS; turn++) {
        look_for(BEATS);
        if (found_ms > than)
            return found_ms;
        loop_turn(t.loop, 10);
    }
    fail_msg("no heartbeat newer than %lld", (long long)than);
    return 0;
}

static void turn_for(int64_t ms) {
    for (int64_t until = clock_mono_ms() + ms; clock_mono_ms() < until;)
        loop_turn(t.loop, 10);
}

static void beats_and_is_taken_away(void **state) {
    (void)state;
    open_all("1s");
    turn_for((int64_t)3 * HEARTBEAT_TICK_MS);
    assert_int_equal(t.board->zone[BEATS].commits, 0); /* nothing there yet: nothing to be fresh about */
    int64_t before = clock_wall_ms();
    put(BEATS);
    put(PLAIN);
    int64_t first = wait_newer(0);
    assert_true(first >= before && first <= clock_wall_ms());
    assert_true(wait_newer(first) >= first + 900);
    assert_int_equal(t.board->zone[BEATS].entries, 2);
    look_for(PLAIN);
    assert_string_equal(found, "");
    assert_int_equal(t.board->zone[PLAIN].changes_done, 1); /* looking is no change */
    close_all();

    open_all("0s");
    for (int turn = 0;; turn++) {
        assert_true(turn < WAIT_TURNS);
        look_for(BEATS);
        if (found[0] == '\0')
            break;
    }
    assert_int_equal(t.board->zone[BEATS].entries, 1);
    close_all();
}

static void only_the_source_says_so(void **state) {
    (void)state;
    source = false;
    open_all("1s");
    put(BEATS);
    uint64_t commits = t.board->zone[BEATS].commits;
    turn_for(1500);
    assert_int_equal(t.board->zone[BEATS].commits, commits);
    source = true; /* promoted */
    (void)wait_newer(0);
    close_all();
}

static void reading(void **state) {
    static const struct {
        const char *rdata;
        int64_t ms;
    } cases[] = {{"\0031234", 0},
                 {"\0041234", 1234},
                 {"\00412a4", 0},
                 {"\000", 0},
                 {"", 0},
                 {"\0239223372036854775807", 0},
                 {"\0239223372036854775808", 0},
                 {"\022922337203685477580", 922337203685477580},
                 {"\02499999999999999999999", 0},
                 {"\002-1", 0}};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *r = cases[i].rdata;
        struct bytes b = {(const uint8_t *)r, i == 3 ? 1 : strlen(r)};
        assert_int_equal(heartbeat_read(b), cases[i].ms);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(beats_and_is_taken_away, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_the_source_says_so, set_up, tear_down),
        cmocka_unit_test(reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
