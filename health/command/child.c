#include "health/command/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "resolver/base/process.h"

int child_find(char *path, size_t cap, const char *name, struct err *err) {
    char own[4096];
    ssize_t n = readlink("/proc/self/exe", own, sizeof own - 1);
    if (n <= 0)
        return err_errno(err, "/proc/self/exe");
    own[n] = '\0';
    char *slash = strrchr(own, '/');
    if (slash == NULL)
        return err_set(err, E_INVALID, "%s: expected an absolute path", own);
    *slash = '\0';
    for (int i = 0; i < 2; i++) {
        int size = snprintf(path, cap, "%s/%s%s", own, i == 0 ? "" : "../libexec/candor/", name);
        if (size > 0 && (size_t)size < cap && access(path, X_OK) == 0)
            return 0;
    }
    return err_set(err, E_NOTFOUND, "%s is neither in %s nor in %s/../libexec/candor", name, own, own);
}

/* Between fork and exec: only calls that are safe there. */
static void become(const char *path, char *const argv[], int lock_fd, pid_t supervisor) {
    sigset_t none;
    sigemptyset(&none);
    (void)setpgid(0, 0);
    for (int s = 1; s < NSIG; s++)
        if (s != SIGKILL && s != SIGSTOP)
            (void)signal(s, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    process_die_with(supervisor);
    int null = open("/dev/null", O_RDONLY);
    if (null > 0)
        (void)dup2(null, STDIN_FILENO);
    if (null > STDERR_FILENO)
        (void)close(null);
    /* Without FD_CLOEXEC: the copy keeps the lock while the daemon and its workers live. */
    if (lock_fd >= 0)
        (void)fcntl(lock_fd, F_SETFD, 0);
    execv(path, argv);
    _exit(127);
}

pid_t child_start(const char *path, const char *name, const char *config, int lock_fd, struct err *err) {
    char argv0[32], c[] = "-c", file[4096], supervised[16];
    (void)snprintf(argv0, sizeof argv0, "%s", name);
    (void)snprintf(file, sizeof file, "%s", config != NULL ? config : "");
    char *argv[] = {argv0, config != NULL ? c : NULL, file, NULL};
    pid_t supervisor = getpid();
    (void)snprintf(supervised, sizeof supervised, "%d", (int)supervisor);
    /* The daemon arms PR_SET_PDEATHSIG again when it gives up privileges, which clears it: this tells it for whom. */
    if (setenv("CANDOR_SUPERVISED", supervised, 1) != 0)
        return err_errno(err, "setenv");
    pid_t pid = fork();
    if (pid < 0)
        return err_errno(err, "fork");
    if (pid == 0)
        become(path, argv, lock_fd, supervisor);
    (void)setpgid(pid, pid); /* here, too: whoever is first */
    return pid;
}

void child_signal_group(pid_t pid, int signum) {
    if (pid > 1 && kill(-pid, signum) != 0 && errno == ESRCH)
        (void)kill(pid, signum); /* its setpgid has not happened yet */
}
