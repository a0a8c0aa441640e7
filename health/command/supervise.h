/* The supervisor: a plain poll loop that starts the three daemons, starts again what ended, ends what hangs, and stops
 * all in order. No libuv, no threads, no memory from the heap once it runs: it must outlive everything it watches.
 *
 *              start                      died                            delay over (policy.h)
 *     DOWN ------------> RUNNING ------------------------> DOWN, waiting ----------------------> RUNNING
 *                          |  hung: SIGKILL to the group, then as died, but rationed
 *                          |  stop: SIGTERM, STOP_MS, SIGKILL to the group
 *                          v
 *                        gone (stopping)
 *
 * A process hangs when candor-health says so (board: heal_boot is its present boot id), or when its own heartbeat stood
 * still for HANG_MS: the backstop, which watches candor-health itself, too. As PID 1 it also buries children it never
 * started. */
#ifndef CANDOR_COMMAND_SUPERVISE_H
#define CANDOR_COMMAND_SUPERVISE_H

#include "health/command/policy.h"
#include "resolver/base/board.h"
#include "resolver/base/conf.h"

enum {
    SUPERVISE_HANG_MS = 10000,  /* a heartbeat older than this */
    SUPERVISE_CLAIM_MS = 30000, /* a process that never claimed its slot on the board */
    SUPERVISE_LATE_MS = 2000,   /* own loop this late: nobody is judged by heartbeats for SUPERVISE_HANG_MS */
    SUPERVISE_AGAIN_MS = 1000,  /* a process that ends with PROCESS_AGAIN must have lived so long to be no death */
    SUPERVISE_STOP_MS = 5000,   /* between SIGTERM and SIGKILL, for each daemon */
};

struct supervise_plan {
    const char *config; /* given to the daemons as -c; NULL: none */
    int lock_fd;        /* inherited by the daemons; -1: none */
    int signal_fd;      /* signalfd of SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, all of them blocked */
    int ready_fd;       /* "candor: ready" goes there, once */
    struct board *board;
    struct policy policy;             /* for what hangs */
    const struct conf_health *health; /* whose drain hooks are run when nobody else is left to; NULL: none */
    bool restart_hung;                /* false: what hangs is said, not ended */
};

/* Runs until SIGTERM or SIGINT and everything is stopped. 0, or an error when a daemon's file is not to be found. */
int supervise(const struct supervise_plan *plan, struct err *err) MUST_USE;

/* Why the process in this slot counts as hung, or NULL. `started_ms`: when the supervisor started it. */
const char *supervise_hung(const struct board_process *p, int64_t started_ms, int64_t now_ms);

#endif
