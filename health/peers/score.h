/* How far this node believes itself (Lifeguard, Dadgar et al. 2018): 0 in time, up to PEERS_SCORE_MAX. Whoever is late
 * finds that others do not answer; so with each sign of own lateness the others are given more time and more tries. */
#ifndef CANDOR_PEERS_SCORE_H
#define CANDOR_PEERS_SCORE_H

#include "health/peers/peers.h"

enum {
    SCORE_FALL = 2,   /* failures in a row that make an accusation of a node that is in time */
    SCORE_DOUBTED = 3 /* who is as late as that is not believed by others when it accuses */
};

/* What happened in one round. */
struct score_round {
    bool late;            /* its own loop was late, or a question came to nothing for its own doing */
    unsigned unconfirmed; /* accusations of its own that another node in time contradicts */
    bool well;            /* somebody answered in time */
};

/* The score behind such a round: up by one for each kind of doubt, down by one when there was none and all was well. */
unsigned score_next(unsigned score, const struct score_round *r);
/* Failures in a row that make an accusation. */
unsigned score_needed(unsigned score);
/* The time that others are given, at most `most_ms`. */
uint32_t score_patience_ms(unsigned score, uint32_t ms, uint32_t most_ms);

#endif
