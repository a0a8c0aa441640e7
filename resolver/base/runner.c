#include "resolver/base/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "resolver/base/clock.h"

enum {
    TICK_MS = 20,       /* where the kernel cannot tell by a descriptor that a process ended */
    KILL_MS = 1000,     /* what was killed is waited for so long; what is stuck in the kernel is left behind */
    SIGNALS = 64,       /* of Linux */
    FIRST_OTHER_FD = 3, /* behind the standard ones */
    CANNOT_START = 127  /* as shells say it */
};

static void quit(int code) { _exit(code); }

/* Between fork and exec of a process that has threads: nothing but system calls. */
static void child(char *const *argv, char *const *envp, int in, int out) {
    sigset_t none;
    for (int s = 1; s <= SIGNALS; s++)
        (void)signal(s, SIG_DFL);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)setpgid(0, 0);
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        quit(CANNOT_START - 1);
    (void)close_range(FIRST_OTHER_FD, ~0U, CLOSE_RANGE_CLOEXEC);
    execve(argv[0], argv, envp);
    quit(CANNOT_START);
}

/* A descriptor to read it from, or -1. */
static int input_open(const struct runner *r) {
    if (r->input == NULL)
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    int fd = memfd_create("candor-input", MFD_CLOEXEC);
    const char *at = r->input;
    size_t left = r->input_size;
    while (fd >= 0 && left > 0) {
        ssize_t n = write(fd, at, left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            (void)close(fd);
            return -1;
        }
        at += n;
        left -= (size_t)n;
    }
    if (fd >= 0)
        (void)lseek(fd, 0, SEEK_SET);
    return fd;
}

struct hearing {
    int fd; /* -1: it is at its end */
    size_t size;
    char *said;
};

/* What there is now; further text than has room is read and forgotten, so that the writer does not block. */
static void hear(struct hearing *h) {
    char more[RUNNER_SAID];
    ssize_t n = read(h->fd, more, sizeof more);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        (void)close(h->fd);
        h->fd = -1;
        return;
    }
    size_t room = RUNNER_SAID - 1 - h->size, take = (size_t)n < room ? (size_t)n : room;
    memcpy(h->said + h->size, more, take);
    h->size += take;
}

static bool has_ended(pid_t pid, int *status) {
    pid_t got;
    do
        got = waitpid(pid, status, WNOHANG);
    while (got < 0 && errno == EINTR);
    return got != 0; /* < 0: somebody else waited for it */
}

/* True: it ended by itself, in time. */
static bool attend(pid_t pid, struct hearing *h, int64_t until_ms, int *status) {
    int watch = pidfd_open(pid, 0);
    bool ended = false;
    while (!(ended = has_ended(pid, status))) {
        int64_t left = until_ms - clock_mono_ms();
        struct pollfd p[2] = {{.fd = h->fd, .events = POLLIN}, {.fd = watch, .events = POLLIN}};
        if (left <= 0)
            break;
        (void)poll(p, 2, watch >= 0 ? (int)left : left < TICK_MS ? (int)left : TICK_MS);
        if (h->fd >= 0 && p[0].revents != 0)
            hear(h);
    }
    for (struct pollfd p = {.fd = h->fd, .events = POLLIN}; ended && h->fd >= 0 && h->size < RUNNER_SAID - 1;) {
        if (poll(&p, 1, 0) <= 0) /* its children may hold the pipe open: what is there now is all */
            break;
        hear(h);
    }
    if (watch >= 0)
        (void)close(watch);
    return ended;
}

static void end(pid_t pid, int *status) {
    int64_t until_ms = clock_mono_ms() + KILL_MS;
    (void)kill(-pid, SIGKILL);
    (void)kill(pid, SIGKILL);
    while (!has_ended(pid, status) && clock_mono_ms() < until_ms)
        (void)poll(NULL, 0, TICK_MS);
}

/* The caller may have gone before it was asked for. */
static void stay_with(pid_t caller) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != caller)
        quit(CANNOT_START - 1);
}

static pid_t start(const struct runner *r, int in, int out) {
    char *argv[RUNNER_WORDS + 2] = {(char *)r->command};
    char *envp[RUNNER_ENVIRONMENT + 3] = {(char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", (char *)"LANG=C.UTF-8"};
    for (size_t i = 0; i < RUNNER_WORDS && r->word[i] != NULL; i++)
        argv[i + 1] = (char *)r->word[i];
    for (size_t i = 0; i < RUNNER_ENVIRONMENT && r->environment[i] != NULL; i++)
        envp[i + 2] = (char *)r->environment[i];
    pid_t caller = getpid(), pid = fork();
    if (pid == 0 && r->with_us)
        stay_with(caller);
    if (pid == 0)
        child(argv, envp, in, out);
    if (pid > 0)
        (void)setpgid(pid, pid); /* whoever comes first */
    return pid;
}

int runner_run(const struct runner *r, char said[RUNNER_SAID], struct err *err) {
    int fd[2], status = 0;
    said[0] = '\0';
    int in = input_open(r);
    if (in < 0)
        return err_errno(err, "%s", r->command);
    if (pipe2(fd, O_CLOEXEC) != 0) {
        int rc = err_errno(err, "%s", r->command);
        (void)close(in);
        return rc;
    }
    int64_t until_ms = clock_mono_ms() + r->timeout_ms;
    pid_t pid = start(r, in, fd[1]);
    int rc = pid < 0 ? err_errno(err, "%s", r->command) : 0;
    (void)close(in);
    (void)close(fd[1]);
    struct hearing h = {.fd = fd[0], .said = said};
    if (pid > 0 && !attend(pid, &h, until_ms, &status)) {
        end(pid, &status);
        rc = err_set(err, E_TIMEOUT, "%s: not done after %.1f s, killed", r->command, r->timeout_ms / 1000.0);
    }
    said[h.size] = '\0';
    if (h.fd >= 0)
        (void)close(h.fd);
    if (rc < 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
        return rc;
    return err_set(err, E_SYSTEM, "%s: %s %d", r->command, WIFEXITED(status) ? "exit code" : "signal",
                   WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}
