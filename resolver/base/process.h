/* How each of Candor's daemons begins: command line, configuration, log, and dying with its supervisor. */
#ifndef CANDOR_BASE_PROCESS_H
#define CANDOR_BASE_PROCESS_H

#include "resolver/base/conf.h"

/* Reads `-c FILE` or `--config FILE` (none: the defaults), opens the log as configured, ignores SIGPIPE, and when
 * started by `candor run` (CANDOR_SUPERVISED in the environment) asks the kernel to end this process with its parent.
 * Prints what is wrong on stderr. 0, or the exit status for main: 2. `program` is kept by pointer. */
int process_start(const char *program, int argc, char **argv, struct conf **conf) MUST_USE;

/* Exit status of a daemon that wants to be started anew, for another configuration: no death, nobody counts it. Only
 * when process_is_supervised(). */
enum { PROCESS_AGAIN = 64 };
bool process_is_supervised(void);

/* This process ends with SIGKILL when its parent does. `parent` is who the parent should be: gone already means exit
 * now. */
void process_die_with(int parent_pid);

#endif
