/* The ports of health.agent-check: whoever connects gets one line in the form of HAProxy's agent-check and is let go.
 *
 *   "up ready\n"          clients may come
 *   "drain #REASON\n"     no new ones (HAProxy lets the old ones finish)
 *   "down #REASON\n"      what is known is too old: nobody vouches for this node any more
 *
 * In a thread of its own with nothing but sockets in it. What it says is put before it by one atomic exchange and is
 * good until the time that stands in it: a prober that hangs leaves no "up" behind. */
#ifndef CANDOR_DRAIN_AGENT_H
#define CANDOR_DRAIN_AGENT_H

#include "health/drain/drain.h"

enum { AGENT_LINE_MAX = 96, AGENT_CLIENTS_PER_TURN = 64 };

struct agent;
/* NULL in *out and 0 when there is no such port. */
int agent_open(struct agent **out, const struct conf_health *conf, struct err *err) MUST_USE;
/* From now on, until `valid_until_ms` (CLOCK_MONOTONIC). */
void agent_say(struct agent *a, enum drain_state state, const char *reason, int64_t valid_until_ms);
void agent_close(struct agent *a);

#endif
