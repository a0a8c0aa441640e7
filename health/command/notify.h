/* What systemd is told of the node (sd_notify(3)); without NOTIFY_SOCKET nothing is said. One owner, the supervisor.
 *
 * READY=1 once, when candor-health first says that /readyz passes: every worker answered. WATCHDOG=1 while the daemons
 * are well by themselves: candor-health judges, and the loops of all three turn. What is wrong outside (an upstream, a
 * peer, a full disk, a zone that expired) withholds nothing, so that systemd never ends a node for it. Neither does a
 * daemon that stays down because the ration of restarts is used up, or healing that is switched off: that would be the
 * restart which the configuration forbids. */
#ifndef CANDOR_COMMAND_NOTIFY_H
#define CANDOR_COMMAND_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "resolver/base/board.h"

enum { NOTIFY_EVIDENCE_MS = 15000, NOTIFY_STATUS_MAX = 256 };

struct notify {
    int64_t every_ms; /* WATCHDOG_USEC / 3; 0: nobody waits for it */
    int64_t next_ms;
    bool ready;
    char status[NOTIFY_STATUS_MAX];
};

void notify_open(struct notify *n);
/* To be called at each turn. `lenient`: a hang that is not to be healed now (see above). */
void notify_turn(struct notify *n, const struct board *b, bool lenient, int64_t now_ms);
void notify_reloading(int64_t now_ms); /* and READY=1 again: a reload is over at once for the supervisor */
void notify_stopping(void);

/* Whether the daemons are well by themselves: NULL, or what is not. Pure. */
const char *notify_unwell(const struct board *b, int64_t now_ms);
/* One line: the node's verdict and the scope that decides, or what is not known. Pure. */
const char *notify_status(const struct board *b, int64_t now_ms, char *to, size_t size);

#endif
