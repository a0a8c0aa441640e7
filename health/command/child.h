/* A daemon as a child of the supervisor: found, started in a process group of its own, ended with all that it forked.
 *
 * The child dies with the supervisor (PR_SET_PDEATHSIG) and holds the folder's lock for as long as one process of its
 * group lives, so that a new `candor run` never starts beside an old daemon. */
#ifndef CANDOR_COMMAND_CHILD_H
#define CANDOR_COMMAND_CHILD_H

#include <sys/types.h>

#include "resolver/base/err.h"

/* Full path of a daemon: beside this program's own file, else in ../libexec/candor. E_NOTFOUND names both. */
int child_find(char *path, size_t cap, const char *name, struct err *err) MUST_USE;

/* Starts `path -c config` (config NULL: without). Signals are unblocked, stdin is /dev/null, `lock_fd` is inherited.
 * Returns the pid. */
pid_t child_start(const char *path, const char *name, const char *config, int lock_fd, struct err *err) MUST_USE;

/* Sends a signal to the whole group: SIGKILL must reach workers, too. */
void child_signal_group(pid_t pid, int signum);

#endif
