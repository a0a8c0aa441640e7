/* Which of a pair of primaries this node is, zone by zone: written by rbl/pair alone, read by whoever says or asks what
 * this node is. Zeroed it says that there are no pairs. On the loop's thread. */
#ifndef CANDOR_RBL_REPLICATE_ROLES_H
#define CANDOR_RBL_REPLICATE_ROLES_H

#include "resolver/base/board.h"
#include "resolver/base/limits.h"

struct roles {
    struct role {
        uint8_t is;     /* ROLE_SOLE: of no pair; ROLE_ACTIVE, ROLE_STANDBY */
        uint32_t epoch; /* how often another one was promoted, the first being 1; 0: of no pair */
    } at[LIMIT_ZONES];
};

#endif
