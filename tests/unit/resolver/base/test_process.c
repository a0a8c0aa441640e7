/* How a daemon begins: its command line, its configuration, dying with its supervisor, and leaving root. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "resolver/base/bytes.h"
#include "resolver/base/privileges.h"
#include "resolver/base/process.h"

/* process_start in a process of its own: its status, and what it said on stderr. */
static int start(const char *const *args, char *said, size_t cap) {
    int file = memfd_create("stderr", MFD_CLOEXEC), status, argc = 0;
    char *argv[8] = {NULL};
    assert_true(file >= 0);
    for (; args[argc] != NULL; argc++)
        argv[argc] = (char *)(uintptr_t)args[argc];
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct conf *conf;
        (void)dup2(file, STDERR_FILENO);
        optind = 0;
        int rc = process_start("candor-test", argc, argv, &conf);
        bool good = rc != 0 || (conf != NULL && signal(SIGPIPE, SIG_IGN) == SIG_IGN);
        conf_free(conf);
        _exit(good ? rc : 99);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    ssize_t n = pread(file, said, cap - 1, 0);
    assert_true(n >= 0);
    said[n] = '\0';
    close(file);
    return WEXITSTATUS(status);
}

static void command_lines(void **state) {
    static const struct {
        const char *args[5];
        int status;
        const char *said;
    } rows[] = {
        {{"x", NULL}, 0, ""},
        {{"x", "-c", "/dev/null", NULL}, 0, ""},
        {{"x", "--config", "/dev/null", NULL}, 0, ""},
        {{"x", "--config=/dev/null", NULL}, 0, ""},
        {{"x", "-c", "/nonexistent.yaml", NULL}, 2, "candor-test: /nonexistent.yaml: "},
        {{"x", "-c", NULL}, 2, "usage: candor-test [-c FILE]"},
        {{"x", "--no-such-thing", NULL}, 2, "usage: candor-test [-c FILE]"},
        {{"x", "stray", NULL}, 2, "candor-test: unexpected argument 'stray'"},
    };
    char said[1024];
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int status = start(rows[i].args, said, sizeof(said));
        if (status != rows[i].status || strstr(said, rows[i].said) == NULL)
            fail_msg("row %zu: status %d, said %s", i, status, said);
    }
}

static void wrong_configuration(void **state) {
    char path[] = "/tmp/candor-test-XXXXXX", said[1024];
    int fd = mkstemp(path);
    (void)state;
    assert_int_equal(write(fd, "node:\n  nam: x\n", 15), 15);
    close(fd);
    const char *args[] = {"x", "-c", path, NULL};
    assert_int_equal(start(args, said, sizeof(said)), 2);
    assert_non_null(strstr(said, ":2: node.nam: expected one of the keys"));
    unlink(path);
}

/* A grandchild that would sleep for ever ends when its parent does; seen by the end of a pipe that both hold. */
static void dies_with_its_parent(void **state) {
    int ends[2], ready[2], status;
    char byte;
    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(pipe(ready), 0);
    pid_t parent = fork();
    assert_true(parent >= 0);
    if (parent == 0) {
        pid_t me = getpid();
        if (fork() == 0) {
            process_die_with(me);
            (void)!write(ready[1], "x", 1);
            for (;;)
                pause();
        }
        (void)!read(ready[0], &byte, 1);
        _exit(0);
    }
    close(ends[1]);
    assert_int_equal(waitpid(parent, &status, 0), parent);
    assert_int_equal(read(ends[0], &byte, 1), 0); /* ends only when the grandchild has */
    close(ends[0]);
    close(ready[0]);
    close(ready[1]);
}

static void orphan_ends_at_once(void **state) {
    int status;
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        process_die_with(getppid() + 1);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 1);
}

static void folders(void **state) {
    char folder[] = "/tmp/candor-test-XXXXXX", path[64];
    struct err err = {0};
    struct stat st;
    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/new", folder);
    assert_int_equal(privileges_folder(path, "", &err), E_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(privileges_folder(path, "", &err), E_OK); /* there already */
    (void)snprintf(path, sizeof(path), "%s/no/parent", folder);
    assert_int_equal(privileges_folder(path, "", &err), E_NOTFOUND);
    (void)snprintf(path, sizeof(path), "%s/new", folder);
    if (geteuid() == 0) {
        assert_int_equal(privileges_folder(path, "no-such-user-here", &err), E_NOTFOUND);
        assert_non_null(strstr(err.text, "node.user"));
        assert_int_equal(privileges_folder(path, "nobody", &err), E_OK);
        assert_int_equal(stat(path, &st), 0);
        assert_true(st.st_uid != 0);
    }
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void leaves_root(void **state) {
    struct err err = {0};
    int status;
    (void)state;
    assert_int_equal(privileges_drop("", &err), E_OK);
    assert_int_equal(privileges_drop("no-such-user-here", &err), E_NOTFOUND);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        bool root = geteuid() == 0;
        int rc = privileges_drop("nobody", &err);
        gid_t groups[64];
        int n = getgroups(64, groups);
        bool zero = getgid() == 0;
        for (int i = 0; i < n; i++)
            zero |= groups[i] == 0;
        if (root)
            _exit(rc == E_OK && getuid() != 0 && geteuid() != 0 && !zero && setuid(0) != 0 ? 0 : 1);
        _exit(rc == E_DENIED ? 0 : 2);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_lines),
        cmocka_unit_test(wrong_configuration),
        cmocka_unit_test(dies_with_its_parent),
        cmocka_unit_test(orphan_ends_at_once),
        cmocka_unit_test(folders),
        cmocka_unit_test(leaves_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
