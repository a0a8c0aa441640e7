/* The control socket: who may have it, lines in any cut, answers now and later, callers that leave, a daemon that
 * hangs. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "resolver/base/clock.h"
#include "resolver/net/control.h"
#include "tests/unit/resolver/net/help.h"

enum { CALLS_MAX = LIMIT_CONTROL_CLIENTS + 8 };

static struct {
    struct loop *loop;
    struct control *control;
    char folder[64], path[96];
    bool late;
    unsigned lines, waiting;
    struct control_call *calls[CALLS_MAX];
    char last[256];
    size_t last_size;
    const char *answer;
} t;

static void on_line(void *ctx, struct control_call *call, const char *line, size_t size) {
    assert_ptr_equal(ctx, &t);
    assert_int_equal(strlen(line), size);
    t.lines++;
    t.last_size = size;
    text_copy(t.last, sizeof t.last, line);
    if (t.late)
        t.calls[t.waiting++] = call;
    else
        control_answer(call, t.answer != NULL ? t.answer : line);
}

static int open_control(struct err *err) { return control_open(&t.control, t.loop, t.path, on_line, &t, err); }

static int set_up(void **state) {
    struct err err = {0};
    (void)state;
    memset(&t, 0, sizeof t);
    text_copy(t.folder, sizeof t.folder, "/tmp/candor-control-XXXXXX");
    assert_non_null(mkdtemp(t.folder));
    (void)snprintf(t.path, sizeof t.path, "%s/x.sock", t.folder);
    assert_int_equal(loop_open(&t.loop, &err), 0);
    assert_int_equal(open_control(&err), 0);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    control_close(t.control);
    loop_close(t.loop);
    assert_int_equal(access(t.path, F_OK), -1); /* it cleaned up */
    assert_int_equal(rmdir(t.folder), 0);
    return 0;
}

static int call_up(void) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    text_copy(a.sun_path, sizeof a.sun_path, t.path);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

/* Reads one line; false at the end of the stream. */
static bool hear(int fd, char *to, size_t cap) {
    size_t n = 0;
    int64_t until = 0;
    while (n + 1 < cap) {
        ssize_t got = recv(fd, to + n, 1, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno == ECONNRESET))
            return false;
        if (got < 0) {
            assert_true(turn_again(t.loop, &until));
        } else if (to[n++] == '\n') {
            to[n - 1] = '\0';
            return true;
        }
    }
    fail_msg("no line");
    return false;
}

static void expect_line(int fd, const char *want) {
    char line[256];
    assert_true(hear(fd, line, sizeof line));
    assert_string_equal(line, want);
}

static void expect_closed(int fd) {
    char line[256];
    assert_false(hear(fd, line, sizeof line));
    close(fd);
}

static void test_lines_and_answers(void **state) {
    (void)state;
    int fd = call_up();
    send_all_of(fd, "{\"do\":1}\n", 9);
    expect_line(fd, "{\"do\":1}");
    send_all_of(fd, "one\ntwo\n\nthr", 12);
    expect_line(fd, "one");
    expect_line(fd, "two");
    expect_line(fd, "");
    for (const char *p = "ee\n"; *p != '\0'; p++) {
        send_all_of(fd, p, 1);
        loop_turn(t.loop, 1);
    }
    expect_line(fd, "three");
    assert_int_equal(t.lines, 5);
    close(fd);
}

static void test_owner_only(void **state) {
    struct stat st;
    (void)state;
    assert_int_equal(stat(t.path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0600);
}

/* The mode can be changed by accident; the credentials of the caller count besides. */
static void test_other_users_are_turned_away(void **state) {
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(chmod(t.path, 0666), 0);
    assert_int_equal(chmod(t.folder, 0755), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char *answer = NULL;
        if (setgid(65534) != 0 || setuid(65534) != 0)
            _exit(99);
        _exit(-control_ask(t.path, "x", 5000, &answer, NULL));
    }
    int status = 0;
    int64_t until = 0;
    while (waitpid(pid, &status, WNOHANG) == 0)
        assert_true(turn_again(t.loop, &until));
    assert_int_equal(WEXITSTATUS(status), -E_CLOSED);
    assert_int_equal(t.lines, 0);
}

static void test_answers_later(void **state) {
    (void)state;
    t.late = true;
    int a = call_up(), b = call_up();
    send_all_of(a, "a1\na2\n", 6);
    send_all_of(b, "b1\n", 3);
    TURN_UNTIL(t.loop, t.waiting == 2); /* a2 waits for the answer to a1 */
    control_answer(t.calls[1], "second");
    control_answer(t.calls[0], "first\nin two lines");
    expect_line(t.last[0] == 'b' ? b : a, "second");
    TURN_UNTIL(t.loop, t.waiting == 3);
    control_answer(t.calls[2], "third");
    char line[256];
    assert_true(hear(a, line, sizeof line));
    assert_true(hear(a, line, sizeof line));
    assert_string_equal(line, "third");
    close(a);
    close(b);
}

static void test_newline_in_an_answer(void **state) {
    (void)state;
    t.answer = "two\nlines";
    int fd = call_up();
    send_all_of(fd, "x\n", 2);
    expect_line(fd, "two lines");
    close(fd);
}

static void test_caller_leaves_first(void **state) {
    (void)state;
    t.late = true;
    int fd = call_up();
    send_all_of(fd, "x\ny\n", 4);
    TURN_UNTIL(t.loop, t.waiting == 1);
    close(fd);
    for (unsigned i = 0; i < 5; i++)
        loop_turn(t.loop, 1);
    control_answer(t.calls[0], "nobody hears");
    for (unsigned i = 0; i < 5; i++)
        loop_turn(t.loop, 1);
    assert_int_equal(t.waiting, 1); /* its second line died with it */
    t.late = false;
    fd = call_up();
    send_all_of(fd, "z\n", 2);
    expect_line(fd, "z");
    close(fd);
}

static void test_half_closed_caller_is_answered(void **state) {
    (void)state;
    int fd = call_up();
    send_all_of(fd, "one\ntwo\nrest", 12);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    expect_line(fd, "one");
    expect_line(fd, "two");
    expect_closed(fd);
    assert_int_equal(t.lines, 2);
}

static void test_line_too_long(void **state) {
    (void)state;
    char *line = malloc(LIMIT_CONTROL_LINE);
    int fd = call_up();
    memset(line, 'x', LIMIT_CONTROL_LINE);
    size_t sent = 0;
    bool open = true;
    for (unsigned i = 0; i < 100000 && open; i++) {
        ssize_t n = send(fd, line, 4096, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0)
            sent += (size_t)n;
        open = n > 0 || errno == EAGAIN;
        loop_turn(t.loop, 1);
    }
    assert_false(open);
    assert_true(sent > LIMIT_CONTROL_LINE);
    assert_int_equal(t.lines, 0);
    close(fd);
    free(line);
}

static void test_longest_line_and_answer(void **state) {
    (void)state;
    size_t size = LIMIT_CONTROL_LINE - 1;
    char *line = malloc(size + 1);
    memset(line, 'y', size);
    line[size] = '\0';
    pid_t pid = fork();
    if (pid == 0) {
        char *answer = NULL;
        int rc = control_ask(t.path, line, 20000, &answer, NULL);
        _exit(rc == 0 && strcmp(answer, line) == 0 ? 0 : 1);
    }
    int status = -1;
    int64_t until = 0;
    while (waitpid(pid, &status, WNOHANG) == 0)
        assert_true(turn_again(t.loop, &until));
    assert_int_equal(status, 0);
    assert_int_equal(t.last_size, size);
    free(line);
}

static void test_callers_are_bounded(void **state) {
    (void)state;
    int fds[LIMIT_CONTROL_CLIENTS], extra;
    t.late = true;
    for (unsigned i = 0; i < LIMIT_CONTROL_CLIENTS; i++) {
        fds[i] = call_up();
        if (i != 5)
            send_all_of(fds[i], "x\n", 2);
        loop_turn(t.loop, 1);
    }
    TURN_UNTIL(t.loop, t.waiting == LIMIT_CONTROL_CLIENTS - 1);
    /* The sixth asks nothing and gives way; then all wait for answers, and the next must go. */
    extra = call_up();
    send_all_of(extra, "extra\n", 6);
    expect_closed(fds[5]);
    TURN_UNTIL(t.loop, t.waiting == LIMIT_CONTROL_CLIENTS);
    assert_string_equal(t.last, "extra");
    expect_closed(call_up());
    for (unsigned i = 0; i < t.waiting; i++)
        control_answer(t.calls[i], "done");
    expect_line(extra, "done");
    close(extra);
    for (unsigned i = 0; i < LIMIT_CONTROL_CLIENTS; i++)
        if (i != 5) {
            expect_line(fds[i], "done");
            close(fds[i]);
        }
}

static void test_closed_with_calls_open(void **state) {
    struct err err = {0};
    (void)state;
    t.late = true;
    int fd = call_up();
    send_all_of(fd, "x\n", 2);
    TURN_UNTIL(t.loop, t.waiting == 1);
    control_close(t.control);
    assert_int_equal(access(t.path, F_OK), -1);
    control_answer(t.calls[0], "too late");
    expect_closed(fd);
    assert_int_equal(open_control(&err), 0);
}

static void test_socket_of_the_dead_is_replaced(void **state) {
    struct err err = {0};
    (void)state;
    struct control *second = NULL;
    assert_int_equal(control_open(&second, t.loop, t.path, on_line, &t, &err), E_EXISTS);
    assert_null(second);
    assert_int_equal(access(t.path, F_OK), 0); /* the living one's file is still there */
    control_close(t.control);
    pid_t pid = fork();
    if (pid == 0) {
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        text_copy(a.sun_path, sizeof a.sun_path, t.path);
        _exit(bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 1) == 0 ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(access(t.path, F_OK), 0); /* left behind */
    assert_int_equal(open_control(&err), 0);
    int fd = call_up();
    send_all_of(fd, "x\n", 2);
    expect_line(fd, "x");
    close(fd);
}

static void test_paths_that_will_not_do(void **state) {
    struct err err = {0};
    struct control *c = NULL;
    char path[200];
    (void)state;
    (void)snprintf(path, sizeof path, "%s/file", t.folder);
    FILE *f = fopen(path, "w");
    fclose(f);
    assert_int_equal(control_open(&c, t.loop, path, on_line, &t, &err), E_EXISTS);
    assert_int_equal(access(path, F_OK), 0); /* not ours to remove */
    assert_int_equal(unlink(path), 0);
    (void)snprintf(path, sizeof path, "%s/nowhere/x.sock", t.folder);
    assert_int_equal(control_open(&c, t.loop, path, on_line, &t, &err), E_NOTFOUND);
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_int_equal(control_open(&c, t.loop, path, on_line, &t, &err), E_RANGE);
    assert_int_equal(control_open(&c, t.loop, "", on_line, &t, &err), E_RANGE);
    char *answer = NULL;
    assert_int_equal(control_ask(path, "x", 100, &answer, &err), E_RANGE);
    assert_int_equal(control_ask(t.path, "two\nlines", 100, &answer, &err), E_INVALID);
    assert_null(answer);
}

/* sun_path has 108 bytes; folders of build machines and of long host names have more. */
static void test_a_path_longer_than_a_socket_name(void **state) {
    struct err err = {0};
    struct control *c = NULL;
    char deep[256], path[300], *answer = NULL;
    (void)state;
    (void)snprintf(deep, sizeof deep, "%s/%0150d", t.folder, 0);
    (void)snprintf(path, sizeof path, "%s/x.sock", deep);
    assert_int_equal(control_ask(path, "x", 100, &answer, &err), E_NOTFOUND);
    assert_int_equal(mkdir(deep, 0700), 0);
    assert_int_equal(control_ask(path, "x", 100, &answer, &err), E_NOTFOUND);
    assert_int_equal(control_open(&c, t.loop, path, on_line, &t, &err), 0);
    struct control *second = NULL;
    assert_int_equal(control_open(&second, t.loop, path, on_line, &t, &err), E_EXISTS);
    assert_int_equal(control_ask(path, "x", 50, &answer, &err), E_TIMEOUT); /* connected; the loop does not turn */
    control_close(c);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(rmdir(deep), 0);
}

/* --- control_ask against daemons of all kinds, each a process of its own */

static pid_t daemon_start(void) {
    int ready[2];
    char byte;
    control_close(t.control);
    t.control = NULL;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct loop *l;
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* not left behind by a test that fails */
        if (loop_open(&l, NULL) != 0 || control_open(&t.control, l, t.path, on_line, &t, NULL) != 0)
            _exit(1);
        if (write(ready[1], "x", 1) != 1)
            _exit(1);
        _exit(loop_run(l));
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

static void daemon_end(pid_t pid) {
    int status;
    (void)kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    (void)unlink(t.path);
}

static void test_ask(void **state) {
    char *answer = NULL;
    struct err err = {0};
    (void)state;
    pid_t pid = daemon_start();
    assert_int_equal(control_ask(t.path, "hello", 20000, &answer, &err), 0);
    assert_string_equal(answer, "hello");
    free(answer);
    daemon_end(pid);
    assert_int_equal(control_ask(t.path, "hello", 20000, &answer, &err), E_NOTFOUND);
    assert_null(answer);
}

static void test_ask_a_daemon_that_is_stopped(void **state) {
    char *answer = NULL;
    struct err err = {0};
    int status, fds[64];
    (void)state;
    pid_t pid = daemon_start();
    assert_int_equal(kill(pid, SIGSTOP), 0);
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    int64_t before = clock_mono_ms();
    assert_int_equal(control_ask(t.path, "hello", 100, &answer, &err), E_TIMEOUT);
    assert_non_null(strstr(err.text, "hangs"));
    assert_true(clock_mono_ms() - before >= 99);
    /* Until its backlog is full: connect() itself would wait then. */
    unsigned open = 0;
    for (; open < 64; open++) {
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        fds[open] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        text_copy(a.sun_path, sizeof a.sun_path, t.path);
        if (connect(fds[open], (struct sockaddr *)&a, sizeof a) != 0)
            break;
    }
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(control_ask(t.path, "hello", 100, &answer, &err), E_TIMEOUT);
    for (unsigned i = 0; i <= open; i++)
        close(fds[i]);
    /* One that hangs is alive: its socket is not taken away. */
    assert_int_equal(open_control(&err), E_EXISTS);
    assert_int_equal(kill(pid, SIGCONT), 0);
    assert_int_equal(control_ask(t.path, "again", 20000, &answer, &err), 0);
    free(answer);
    daemon_end(pid);
}

static void test_ask_a_daemon_that_never_answers_or_dies(void **state) {
    char *answer = NULL;
    struct err err = {0};
    (void)state;
    t.late = true;
    pid_t pid = daemon_start();
    assert_int_equal(control_ask(t.path, "hello", 100, &answer, &err), E_TIMEOUT);
    pid_t killer = fork();
    if (killer == 0) {
        (void)usleep(50000);
        _exit(kill(pid, SIGKILL));
    }
    assert_int_equal(control_ask(t.path, "hello", 20000, &answer, &err), E_CLOSED);
    int status;
    assert_int_equal(waitpid(killer, &status, 0), killer);
    daemon_end(pid);
}

static void test_ask_and_get_too_much(void **state) {
    char *answer = NULL, *huge = malloc(LIMIT_CONTROL_LINE + 10000);
    struct err err = {0};
    (void)state;
    memset(huge, 'h', LIMIT_CONTROL_LINE + 9999);
    huge[LIMIT_CONTROL_LINE + 9999] = '\0';
    t.answer = huge;
    pid_t pid = daemon_start();
    assert_int_equal(control_ask(t.path, "hello", 20000, &answer, &err), E_FULL);
    assert_int_equal(control_ask(t.path, huge, 20000, &answer, &err), E_INVALID);
    daemon_end(pid);
    free(huge);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_lines_and_answers),
        T(test_owner_only),
        T(test_other_users_are_turned_away),
        T(test_answers_later),
        T(test_newline_in_an_answer),
        T(test_caller_leaves_first),
        T(test_half_closed_caller_is_answered),
        T(test_line_too_long),
        T(test_longest_line_and_answer),
        T(test_callers_are_bounded),
        T(test_closed_with_calls_open),
        T(test_socket_of_the_dead_is_replaced),
        T(test_paths_that_will_not_do),
        T(test_a_path_longer_than_a_socket_name),
        T(test_ask),
        T(test_ask_a_daemon_that_is_stopped),
        T(test_ask_a_daemon_that_never_answers_or_dies),
        T(test_ask_and_get_too_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
