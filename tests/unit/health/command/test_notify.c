#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "health/command/notify.h"
#include "health/verdict/verdict.h"

enum { NOW = 1000000 };

struct listener {
    struct board *board;
    int fd;
    char path[64];
};

static struct board *well(void) {
    struct board *b = calloc(1, sizeof *b);
    assert_non_null(b);
    for (int r = 0; r < ROLE_COUNT; r++) {
        b->process[r].boot = 7;
        b->process[r].heartbeat_ms = NOW - 100;
    }
    b->verdict_at_ms = NOW - 1000;
    b->process[ROLE_HEALTH].ready = 1;
    return b;
}

static int setup(void **state) {
    struct listener *l = calloc(1, sizeof *l);
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char number[16];
    assert_non_null(l);
    l->board = well();
    snprintf(l->path, sizeof l->path, "/tmp/candor-notify-%d", (int)getpid());
    memcpy(a.sun_path, l->path, sizeof l->path);
    (void)unlink(l->path);
    l->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(l->fd, (struct sockaddr *)&a, sizeof a), 0);
    snprintf(number, sizeof number, "%d", (int)getpid());
    setenv("NOTIFY_SOCKET", l->path, 1);
    setenv("WATCHDOG_USEC", "9000000", 1);
    setenv("WATCHDOG_PID", number, 1);
    *state = l;
    return 0;
}

static int teardown(void **state) {
    struct listener *l = *state;
    (void)close(l->fd);
    (void)unlink(l->path);
    free(l->board);
    free(l);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    return 0;
}

/* All that was said since the last call, a line each. */
static const char *heard(const struct listener *l) {
    static char all[2048];
    size_t size = 0;
    ssize_t n;
    while (size < sizeof all - 512 && (n = recv(l->fd, all + size, 510, 0)) > 0) {
        size += (size_t)n;
        all[size++] = '\n';
    }
    all[size] = '\0';
    return all;
}

static void test_ready_is_said_once_and_only_on_the_word_of_health(void **state) {
    struct listener *l = *state;
    struct notify n;
    notify_open(&n);
    assert_int_equal(n.every_ms, 3000);
    l->board->process[ROLE_HEALTH].ready = 0;
    notify_turn(&n, l->board, false, NOW);
    const char *said = heard(l);
    assert_null(strstr(said, "READY=1"));
    assert_non_null(strstr(said, "STATUS=pass: not ready\n"));
    assert_non_null(strstr(said, "WATCHDOG=1"));
    l->board->process[ROLE_HEALTH].ready = 1;
    notify_turn(&n, l->board, false, NOW + 10);
    said = heard(l);
    assert_non_null(strstr(said, "READY=1\n"));
    assert_non_null(strstr(said, "STATUS=pass: ready\n"));
    assert_null(strstr(said, "WATCHDOG"));
    notify_turn(&n, l->board, false, NOW + 20);
    assert_string_equal(heard(l), "");
}

static void test_readiness_that_stands_on_an_old_board_is_not_said(void **state) {
    struct listener *l = *state;
    struct notify n;
    notify_open(&n);
    l->board->verdict_at_ms = NOW - NOTIFY_EVIDENCE_MS - 1;
    notify_turn(&n, l->board, false, NOW);
    const char *said = heard(l);
    assert_string_equal(said, "STATUS=unknown: candor-health does not judge\n");
}

static void test_the_watchdog_hears_of_the_daemons_alone(void **state) {
    struct listener *l = *state;
    struct notify n;
    notify_open(&n);
    l->board->process[ROLE_HEALTH].ready = 0; /* a zone expired, say, and the upstream is dead */
    l->board->verdict_state = VERDICT_FAIL;
    l->board->verdict_scope = SCOPE_UPSTREAM;
    notify_turn(&n, l->board, false, NOW);
    const char *said = heard(l);
    assert_non_null(strstr(said, "WATCHDOG=1"));
    assert_non_null(strstr(said, "STATUS=fail: not ready, scope upstream"));
    for (int r = ROLE_RESOLVER; r < ROLE_COUNT; r++) {
        l->board->process[r].heartbeat_ms = NOW - NOTIFY_EVIDENCE_MS - 1;
        n.next_ms = 0;
        notify_turn(&n, l->board, false, NOW);
        assert_null(strstr(heard(l), "WATCHDOG"));
        notify_turn(&n, l->board, true, NOW); /* what may not be healed is not healed by systemd either */
        assert_non_null(strstr(heard(l), "WATCHDOG=1"));
        l->board->process[r].heartbeat_ms = NOW;
    }
    l->board->process[ROLE_SYNC].boot = 0;
    assert_non_null(notify_unwell(l->board, NOW));
}

static void test_without_systemd_nothing_is_said(void **state) {
    struct listener *l = *state;
    struct notify n;
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    notify_open(&n);
    assert_int_equal(n.every_ms, 0);
    notify_turn(&n, l->board, false, NOW);
    notify_stopping();
    notify_reloading(NOW);
    assert_string_equal(heard(l), "");
}

static void test_a_socket_that_is_gone_harms_nobody(void **state) {
    struct listener *l = *state;
    struct notify n;
    (void)unlink(l->path);
    notify_open(&n);
    notify_turn(&n, l->board, false, NOW);
    assert_true(n.ready);
}

static void test_a_queue_that_nobody_reads_stops_nobody(void **state) {
    struct listener *l = *state;
    struct notify n;
    notify_open(&n);
    for (int i = 0; i < 2000; i++)
        notify_stopping();
    notify_turn(&n, l->board, false, NOW);
    assert_false(n.ready); /* not said yet ... */
    for (int i = 0; i < 2000 && *heard(l) != '\0'; i++)
        ;
    notify_turn(&n, l->board, false, NOW);
    assert_true(n.ready);
    assert_non_null(strstr(heard(l), "READY=1"));
}

static void test_numbers_that_no_process_would_write(void **state) {
    struct listener *l = *state;
    char text[NOTIFY_STATUS_MAX], small[8];
    l->board->verdict_state = 99;
    l->board->verdict_scope = UINT64_MAX;
    assert_string_equal(notify_status(l->board, NOW, text, sizeof text), "unknown: ready");
    l->board->verdict_state = VERDICT_FAIL;
    assert_string_equal(notify_status(l->board, NOW, text, sizeof text), "fail: ready");
    assert_int_equal(strlen(notify_status(l->board, NOW, small, sizeof small)), 7);
}

static void test_reload_and_stop_are_said(void **state) {
    struct listener *l = *state;
    notify_reloading(NOW);
    notify_stopping();
    assert_string_equal(heard(l), "RELOADING=1\nMONOTONIC_USEC=1000000000\nREADY=1\nSTOPPING=1\nSTATUS=stopping\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ready_is_said_once_and_only_on_the_word_of_health, setup, teardown),
        cmocka_unit_test_setup_teardown(test_readiness_that_stands_on_an_old_board_is_not_said, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_watchdog_hears_of_the_daemons_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_systemd_nothing_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_socket_that_is_gone_harms_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_queue_that_nobody_reads_stops_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(test_numbers_that_no_process_would_write, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reload_and_stop_are_said, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
