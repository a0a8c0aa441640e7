/* Who keeps old pages is ended after half a minute of it, no more often than restarts are allowed, and nobody else is.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "rbl/publish/keeper_impl.h"

enum { LAG = 100, LIFE_MS = 30000, START_MS = 1000000, WITHIN_S = 600, MOST = 3 };

struct stage {
    struct conf conf;
    struct conf_zone zone_conf;
    struct board_zone slot;
    struct keeper keeper;
    struct keeper_zone zone;
    pid_t victim;
};

static pid_t sleeper(void) {
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            (void)pause();
    assert_true(pid > 1);
    return pid;
}

static int setup(void **state) {
    struct stage *g = calloc(1, sizeof(*g));
    if (g == NULL)
        return -1;
    g->conf.health.heal.end_readers = true;
    g->conf.health.heal.max_restarts = MOST;
    g->conf.health.heal.within_s = WITHIN_S;
    g->zone_conf.name = "bl.test.";
    g->keeper.conf = &g->conf;
    g->zone = (struct keeper_zone){.keeper = &g->keeper, .conf = &g->zone_conf, .slot = &g->slot};
    g->victim = sleeper();
    *state = g;
    return 0;
}

static int teardown(void **state) {
    struct stage *g = *state;
    if (g->victim > 1) {
        (void)kill(g->victim, SIGKILL);
        (void)waitpid(g->victim, NULL, 0);
    }
    free(g);
    return 0;
}

static void look(struct stage *g, pid_t pid, uint64_t txns, int64_t ms) {
    const struct store_stat st = {.oldest_reader_pid = pid, .oldest_reader_txns = txns};
    zone_end_reader(&g->zone, &st, START_MS + ms);
}

/* SIGKILL reaches a child at once: what is not there right behind the look is not on its way. */
static bool was_ended(struct stage *g) {
    if (board_get(&g->slot.readers_ended) == 0)
        return waitpid(g->victim, NULL, WNOHANG) != 0;
    int status;
    assert_int_equal(waitpid(g->victim, &status, 0), g->victim);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    g->victim = 0;
    return true;
}

static void test_ended_after_its_time(void **state) {
    struct stage *g = *state;
    for (int ms = 0; ms < LIFE_MS; ms += 1000)
        look(g, g->victim, LAG + (uint64_t)ms, ms);
    assert_false(was_ended(g));
    look(g, g->victim, LAG, LIFE_MS);
    assert_true(was_ended(g));
    assert_int_equal(board_get(&g->slot.readers_ended), 1);
}

/* One commit less far behind, now and then, and its time begins anew. */
static void test_who_moves_stays(void **state) {
    struct stage *g = *state;
    for (int ms = 0; ms < 10 * LIFE_MS; ms += 1000)
        look(g, g->victim, ms % LIFE_MS == 0 ? LAG - 1 : LAG, ms);
    assert_false(was_ended(g));
}

/* Time behind belongs to one process: others that come between begin for themselves. */
static void test_another_begins_anew(void **state) {
    struct stage *g = *state;
    pid_t other = sleeper();
    look(g, other, LAG, 0);
    look(g, other, LAG, LIFE_MS - 1);
    look(g, g->victim, LAG, LIFE_MS);
    look(g, g->victim, LAG, 2 * LIFE_MS - 1);
    assert_int_equal(board_get(&g->slot.readers_ended), 0);
    look(g, other, LAG, 2 * LIFE_MS);
    assert_int_equal(waitpid(other, NULL, WNOHANG), 0);
    look(g, 0, LAG, 2 * LIFE_MS + 1);
    look(g, other, LAG, 3 * LIFE_MS);
    assert_int_equal(waitpid(other, NULL, WNOHANG), 0);
    assert_false(was_ended(g));
    assert_int_equal(kill(other, SIGKILL), 0);
    assert_int_equal(waitpid(other, NULL, 0), other);
}

/* Nobody, init and this process itself: a slot may hold any number. */
static void test_never_these(void **state) {
    struct stage *g = *state;
    const pid_t never[] = {0, 1, getpid()};
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
        for (int ms = 0; ms <= 3 * LIFE_MS; ms += LIFE_MS)
            look(g, never[i], 10 * LAG, ms);
    assert_int_equal(board_get(&g->slot.readers_ended), 0);
    assert_false(was_ended(g));
}

static void test_not_when_switched_off(void **state) {
    struct stage *g = *state;
    g->conf.health.heal.end_readers = false;
    for (int ms = 0; ms <= 5 * LIFE_MS; ms += 1000)
        look(g, g->victim, LAG, ms);
    assert_false(was_ended(g));
    g->conf.health.heal.end_readers = true;
    g->conf.health.heal.max_restarts = 0;
    look(g, g->victim, LAG, 6 * LIFE_MS);
    assert_false(was_ended(g));
}

/* One in `within` by `max-restarts`, over all zones; after that its time has passed already. */
static void test_no_more_often_than_allowed(void **state) {
    struct stage *g = *state;
    enum { PAUSE_MS = WITHIN_S * 1000 / MOST };
    struct keeper_zone other = g->zone;
    struct store_stat st = {.oldest_reader_pid = sleeper(), .oldest_reader_txns = LAG};
    zone_end_reader(&other, &st, START_MS);
    zone_end_reader(&other, &st, START_MS + LIFE_MS);
    assert_int_equal(waitpid(st.oldest_reader_pid, NULL, 0), st.oldest_reader_pid);
    assert_int_equal(board_get(&g->slot.readers_ended), 1);
    board_set(&g->slot.readers_ended, 0);
    for (int ms = LIFE_MS; ms < LIFE_MS + PAUSE_MS; ms += 1000)
        look(g, g->victim, LAG, ms);
    assert_false(was_ended(g));
    look(g, g->victim, LAG, LIFE_MS + PAUSE_MS);
    assert_true(was_ended(g));
}

/* It is gone already: nothing is counted, and one without a place on the board is ended all the same. */
static void test_gone_already_and_no_board(void **state) {
    struct stage *g = *state;
    pid_t gone = sleeper();
    assert_int_equal(kill(gone, SIGKILL), 0);
    assert_int_equal(waitpid(gone, NULL, 0), gone);
    look(g, gone, LAG, 0);
    look(g, gone, LAG, LIFE_MS);
    assert_int_equal(board_get(&g->slot.readers_ended), 0);
    g->zone.slot = NULL;
    g->keeper.reader_ended_ms = 0;
    look(g, g->victim, LAG, 0);
    look(g, g->victim, LAG, LIFE_MS);
    int status;
    assert_int_equal(waitpid(g->victim, &status, 0), g->victim);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    g->victim = 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ended_after_its_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_moves_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_begins_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(test_never_these, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_when_switched_off, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_more_often_than_allowed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gone_already_and_no_board, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
