/* The outage is over and the resolver has not noticed: a forwarder answers this process directly, and the node gets
 * nothing from it, for longer than it may take to recover. Nobody outside is to blame then, and a new resolver may
 * help: what restarts resolvers (rate limited, when health.heal.restart-hung is on) asks stuck_resolver(). */
#ifndef CANDOR_PROBE_STUCK_H
#define CANDOR_PROBE_STUCK_H

#include <stdbool.h>
#include <stdint.h>

struct prober;

/* What is seen of the two ways at one moment. */
struct stuck_view {
    bool direct;     /* a forwarder answers this process, freshly */
    bool through;    /* the node answers a name that it has to ask for */
    uint64_t failed; /* questions through the node that failed so far, counted up */
};
enum stuck_state { STUCK_NOT, STUCK_MAYBE, STUCK_BLIND /* nobody answers: cannot be told */, STUCK_YES };
struct stuck_watch {
    int64_t since_ms; /* since when only the node fails; 0: it does not */
    uint64_t failed;  /* as of then */
};
enum { STUCK_FAILS = 1 }; /* more questions than this must have failed since: the first may have begun before */
enum stuck_state stuck_look(struct stuck_watch *w, const struct stuck_view *v, int64_t now_ms, int64_t deadline_ms);

/* Whether the resolver is judged stuck, and for as long again as the deadline: ending it may help. */
bool stuck_resolver(const struct prober *p);

#endif
