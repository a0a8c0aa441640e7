/* The resolver's parent: opens the sockets, forks the workers, and replaces one that died or hangs on the same sockets,
 * so that what is queued there is answered by the successor. It answers nothing itself and has no event loop.
 *
 *   start -> running -> died  ------------------> start (at once; later and later when it dies within a second)
 *               |--> heartbeat stands still for WORKER_HUNG_MS -> SIGKILL -> died
 *
 * A parent that was itself held up (stopped, starved) does not take that for the workers' fault: all get a fresh term.
 */
#ifndef CANDOR_RESOLVER_PARENT_H
#define CANDOR_RESOLVER_PARENT_H

#include "resolver/base/conf.h"

enum {
    WORKER_HUNG_MS = 4000,
    PARENT_LATE_MS = 1000,        /* a tick later than this: the parent was held up */
    WORKER_QUICK_DEATH_MS = 1000, /* a life shorter than this */
    WORKER_DELAY_FIRST_MS = 100,  /* from the second quick death in a row, doubled at each */
    WORKER_DELAY_MAX_MS = 1000,
    WORKER_STOP_MS = 2000, /* from SIGTERM to SIGKILL */
};

/* Runs until SIGTERM or SIGINT. The exit status. */
int parent_run(const struct conf *conf);

#endif
