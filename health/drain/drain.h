/* Should clients come here? A machine without a clock and without I/O, told each second how the node is.
 *
 * A node leaves only when a scope that readiness hangs on has failed here, AND (drain.confirm) a peer says that it gets
 * no right answer from here either, AND at least drain.min-ready others are ready: one broken node must not take the
 * last one away, and a judge that errs must not take away a good one. Without peers in the configuration its own word
 * decides. It comes back when it has been well for drain.hold-down without a break; at its start, as soon as it is
 * ready first. A dead upstream, a full disk or a peer's trouble are no reasons to leave: readiness does not hang on
 * them (docs/health.md). */
#ifndef CANDOR_DRAIN_H
#define CANDOR_DRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "health/peers/peers.h"
#include "resolver/base/conf.h"

/* On the board as drain_state. */
enum drain_state { DRAIN_STARTING, DRAIN_SERVE, DRAIN_LEFT, DRAIN_STATES };
const char *drain_state_name(enum drain_state s); /* "starting", "serve", "drain" */

enum { DRAIN_WORDS = 192 };

struct drain_look {
    int64_t mono_ms;
    bool ready;        /* /readyz passes, on fresh evidence */
    const char *cause; /* of not being ready */
    struct peers_summary peers;
};

struct drain {
    uint32_t hold_down_ms, min_ready;
    bool confirm;
    enum drain_state state;
    int64_t since_ms;      /* of the state */
    int64_t well_since_ms; /* ready without a break; -1: it is not */
    uint64_t changes;
    char reason[DRAIN_WORDS]; /* why it is so; of a node that should leave and does not: what is missing */
};

void drain_open(struct drain *d, const struct conf_health *conf, int64_t mono_ms);
/* True when the state has changed. */
bool drain_look(struct drain *d, const struct drain_look *now);

#endif
