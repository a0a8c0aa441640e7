/* What all workers answered so far, for SIGUSR1 and SIGUSR2: the counters of the board, which never run backwards. */
#ifndef CANDOR_COMMAND_TRAFFIC_H
#define CANDOR_COMMAND_TRAFFIC_H

#include "resolver/base/board.h"

struct traffic {
    uint64_t queries, answers, nxdomain, refused, servfail, other, dropped;
};

/* Counts of all workers since the board was made. A number that a dying worker left behind is bounded by nothing: it is
 * a sum of counters, used for nothing but showing. */
void traffic_read(struct traffic *t, const struct board *b);

/* Writes what came since *since into the log; `anew`: *since becomes now. */
void traffic_log(struct traffic *since, const struct board *b, bool anew);

#endif
