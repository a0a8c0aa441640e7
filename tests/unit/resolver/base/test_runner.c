/* Commands of the administrator's: what they are given, what becomes of them, and that none of them holds us up. */
#include "resolver/base/runner.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "resolver/base/bytes.h"
#include "resolver/base/clock.h"

enum { LONG_MS = 30000, SHORT_MS = 300 };

static char said[RUNNER_SAID];
static struct err err;

static int shell(const char *script, uint32_t timeout_ms) {
    return runner_run(&(struct runner){.command = "/bin/sh", .word = {"-c", script}, .timeout_ms = timeout_ms}, said,
                      &err);
}

static void test_what_it_is_given(void **state) {
    (void)state;
    const char input[] = "{\"a\":1}\nand more";
    struct runner r = {.command = "/bin/sh",
                       .word = {"-c", "cat; echo; echo \"$1 $2\"", "me", "one", "two words"},
                       .input = input,
                       .input_size = sizeof input - 1,
                       .timeout_ms = LONG_MS};
    assert_int_equal(runner_run(&r, said, &err), 0);
    assert_string_equal(said, "{\"a\":1}\nand more\none two words\n");
    assert_int_equal(shell("cat; echo none", LONG_MS), 0);
    assert_string_equal(said, "none\n");
}

static void test_its_surroundings_are_clean(void **state) {
    (void)state;
    int fd = open("/dev/null", O_RDONLY); /* without O_CLOEXEC: somebody's mistake */
    assert_true(fd > 2);
    setenv("CANDOR_SECRET", "x", 1);
    (void)signal(SIGPIPE, SIG_IGN);
    struct runner r = {.command = "/usr/bin/env", .environment = {"CANDOR_NODE=scan1"}, .timeout_ms = LONG_MS};
    assert_int_equal(runner_run(&r, said, &err), 0);
    assert_string_equal(said, "PATH=/usr/sbin:/usr/bin:/sbin:/bin\nLANG=C.UTF-8\nCANDOR_NODE=scan1\n");
    char script[96];
    (void)snprintf(script, sizeof script, "[ -e /proc/$$/fd/%d ] && echo open; grep SigIgn /proc/$$/status", fd);
    assert_int_equal(shell(script, LONG_MS), 0);
    assert_true(strncmp(said, "SigIgn:\t", 8) == 0);
    /* But for 32 and 33, which are the C library's own: make, by posix_spawn, leaves them ignored, and nobody may
     * change that. */
    assert_int_equal(strtoull(said + 8, NULL, 16) & ~(UINT64_C(3) << 31), 0);
    (void)close(fd);
}

static void test_how_it_ended(void **state) {
    (void)state;
    assert_int_equal(shell("echo reason >&2; exit 3", LONG_MS), E_SYSTEM);
    assert_string_equal(said, "reason\n");
    assert_non_null(strstr(err.text, "exit code 3"));
    assert_int_equal(shell("kill -9 $$", LONG_MS), E_SYSTEM);
    assert_non_null(strstr(err.text, "signal 9"));
    struct runner r = {.command = "/nowhere/at/all", .timeout_ms = LONG_MS};
    assert_int_equal(runner_run(&r, said, &err), E_SYSTEM);
    assert_non_null(strstr(err.text, "exit code 127"));
    assert_string_equal(said, "");
}

/* It and what it started are killed: the grandchild would else write its file. */
static void test_one_that_hangs(void **state) {
    (void)state;
    char path[] = "/tmp/test_runner.XXXXXX", script[160];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)snprintf(script, sizeof script, "trap '' TERM INT; echo begun; sleep 60 & echo $! > %s; wait", path);
    assert_int_equal(shell(script, SHORT_MS), E_TIMEOUT);
    assert_non_null(strstr(err.text, "killed"));
    char text[16] = "", where[40];
    assert_true(read(fd, text, sizeof text - 1) > 0);
    assert_string_equal(said, "begun\n");
    (void)snprintf(where, sizeof where, "/proc/%d/cmdline", atoi(text));
    char line[8] = "x";
    for (int64_t until = clock_mono_ms() + LONG_MS; line[0] != '\0' && clock_mono_ms() < until; usleep(10000)) {
        int p = open(where, O_RDONLY);
        if (p < 0 || read(p, line, 1) <= 0) /* gone, or nobody has fetched it yet */
            line[0] = '\0';
        if (p >= 0)
            (void)close(p);
    }
    assert_int_equal(line[0], '\0');
    (void)close(fd);
    (void)unlink(path);
}

/* Its output's other end stays open in the background; a flood of it holds up nobody. */
static void test_what_it_leaves_and_what_it_floods(void **state) {
    (void)state;
    int64_t begun = clock_mono_ms();
    assert_int_equal(shell("sleep 20 & echo there", LONG_MS), 0);
    assert_string_equal(said, "there\n");
    assert_true(clock_mono_ms() - begun < 20000);
    assert_int_equal(shell("head -c 3000000 /dev/zero | tr '\\0' x", LONG_MS), 0);
    assert_int_equal(strlen(said), RUNNER_SAID - 1);
    assert_int_equal(shell("exec 1>&- 2>&-; exec /bin/sleep 0.1", LONG_MS), 0); /* silent, and not over */
    assert_string_equal(said, "");
    assert_int_equal(shell("exec 1>&- 2>&-; exec /bin/sleep 60", SHORT_MS), E_TIMEOUT);
}

/* Whoever ran it is killed: it does not stay behind. */
static void test_one_that_goes_with_us(void **state) {
    (void)state;
    int fd[2];
    assert_int_equal(pipe(fd), 0);
    char path[64], script[128], end;
    (void)snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), fd[1]);
    (void)snprintf(script, sizeof script, "exec 9>%s; printf x >&9; exec sleep 120", path);
    pid_t pid = fork();
    if (pid == 0) {
        struct runner r = {.command = "/bin/sh", .word = {"-c", script}, .timeout_ms = LONG_MS, .with_us = true};
        _exit(runner_run(&r, said, &err) == 0);
    }
    assert_true(pid > 0);
    assert_int_equal(read(fd[0], &end, 1), 1); /* it runs, and holds the pipe open */
    (void)close(fd[1]);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    struct pollfd p = {.fd = fd[0], .events = POLLIN};
    assert_int_equal(poll(&p, 1, LONG_MS), 1); /* nobody holds it any more */
    assert_int_equal(read(fd[0], &end, 1), 0);
    (void)close(fd[0]);
}

static void *twenty(void *arg) {
    char mine[RUNNER_SAID];
    struct err e;
    for (int i = 0; i < 20; i++) {
        const char *text = arg;
        struct runner r = {.command = "/bin/cat", .input = text, .input_size = strlen(text), .timeout_ms = LONG_MS};
        if (runner_run(&r, mine, &e) != 0 || strcmp(mine, text) != 0)
            return arg;
    }
    return NULL;
}

static void test_from_several_threads(void **state) {
    (void)state;
    pthread_t t[3];
    static char texts[3][8] = {"one", "two", "three"};
    for (size_t i = 0; i < ARRAY_SIZE(t); i++)
        assert_int_equal(pthread_create(&t[i], NULL, twenty, texts[i]), 0);
    for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
        void *bad = NULL;
        assert_int_equal(pthread_join(t[i], &bad), 0);
        assert_null(bad);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_is_given),
        cmocka_unit_test(test_its_surroundings_are_clean),
        cmocka_unit_test(test_how_it_ended),
        cmocka_unit_test(test_one_that_hangs),
        cmocka_unit_test(test_what_it_leaves_and_what_it_floods),
        cmocka_unit_test(test_one_that_goes_with_us),
        cmocka_unit_test(test_from_several_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
