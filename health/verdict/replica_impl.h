/* Between replica.c and replica_judge.c. */
#ifndef CANDOR_VERDICT_REPLICA_IMPL_H
#define CANDOR_VERDICT_REPLICA_IMPL_H

#include "health/verdict/replica.h"

/* Of the SOA that is served, bounded. */
int64_t replica_refresh_ms(const struct replica *r);
/* Cut at its front when it is too long: why something failed stands at the end. Returns `to`. */
const char *replica_clip(char *to, size_t cap, const char *text);

#endif
