/* Telling routers and load balancers: the route file and the command of health.drain. Blocks for as long as the disk
 * and the command take (the latter at most HOOK_COMMAND_MS): for a thread of its own, or the supervisor's child. */
#ifndef CANDOR_DRAIN_HOOKS_H
#define CANDOR_DRAIN_HOOKS_H

#include "health/drain/drain.h"

enum { HOOK_COMMAND_MS = 10000 };

/* The whole text of the file, as the format wants it; to be freed, NULL without memory.
 *   bird:   protocols `candor4` and `candor6` with the routes in them, to be included at the top of bird.conf
 *   exabgp: a line of its API for each route, announce or withdraw */
char *hook_routes(const struct conf_health *conf, bool serve);
/* Writes it beside and renames: whoever reads sees the old one or the new one. */
int hook_write(const struct conf_health *conf, bool serve, struct err *err) MUST_USE;
/* Runs the command with "serve" or "drain"; its output goes to the log. 0, or why it did not end well. */
int hook_run(const struct conf_health *conf, bool serve, struct err *err) MUST_USE;
/* Both, file first; what is not configured is nothing. Trouble is logged. */
void hooks(const struct conf_health *conf, bool serve);

#endif
