/* Draining as candor-health does it: the machine of drain.h fed by the prober, its state on the board, said on the
 * agent-check ports, and told to routers by a thread of its own, because files and commands may hang. */
#ifndef CANDOR_DRAIN_SERVICE_H
#define CANDOR_DRAIN_SERVICE_H

#include "health/drain/drain.h"
#include "resolver/base/board.h"

struct drain_service;

/* Opens the ports; conf and board outlive it. */
int drain_service_open(struct drain_service **out, const struct conf_health *conf, struct board *board,
                       struct err *err) MUST_USE;
/* What is known now; `valid_until_ms`: how long it may be believed. From one thread. */
void drain_service_look(struct drain_service *s, const struct drain_look *now, int64_t valid_until_ms);
const struct drain *drain_service_state(const struct drain_service *s);
/* When candor-health goes, nobody vouches for the node: it drains, and waits a moment for the hooks. */
void drain_service_close(struct drain_service *s);

#endif
