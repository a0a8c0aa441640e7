/* What the nodes of health.peers see of each other, and what that says of this one.
 *
 *   ask a peer's DNS addresses with real questions, and its health port for its own view -> peer, phi, score -> matrix
 *   (who sees whom, by direction, family and transport) -> summary: am I seen, am I cut off, may I leave
 *
 * Accusations carry the accuser's own lag and are worth as much as it is in time (Lifeguard, Dadgar et al. 2018): a
 * slow node doubts itself before it doubts its peers. Suspicion is published as phi (Hayashibara et al. 2004) and
 * judged beside the plain count of failures. When most peers are gone at once the fault is held to be here (quorum). */
#ifndef CANDOR_PEERS_H
#define CANDOR_PEERS_H

#include <stdbool.h>
#include <stdint.h>

#include "resolver/base/limits.h"

/* As of the last round. All is false and 0 without peers in the configuration. */
struct peers_summary {
    unsigned configured;
    unsigned heard; /* answered on their DNS or health port lately */
    unsigned ready; /* of those, say that /readyz passes there, freshly */
    bool cut_off;   /* less than half of at least two is heard, and none of the others misses us for itself: it is us */
    unsigned see_us;  /* peers whose view of this node is fresh, ... */
    unsigned miss_us; /* ... and of those, get no right answer from one of its DNS addresses */
    unsigned score;   /* local health: 0 in time, up to PEERS_SCORE_MAX; timeouts of accusations grow by 1 + score */
};
enum { PEERS_SCORE_MAX = 8 };

#endif
