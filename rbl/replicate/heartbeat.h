/* The heartbeat record: a TXT at _candor-heartbeat.<zone> with the source's wall clock in milliseconds, written again
 * every `heartbeat` of the zone, so that the age of the data is known behind servers of any make. Between Candor nodes
 * the same is said by native_state.stamp_ms, without a change of the zone.
 *
 * An entry by hand (DATASET_LOCAL) which takes the place of the one before. At the source only. A zone whose
 * configuration has no heartbeat any more loses the record. On the loop's thread. */
#ifndef CANDOR_RBL_REPLICATE_HEARTBEAT_H
#define CANDOR_RBL_REPLICATE_HEARTBEAT_H

#include "rbl/publish/keeper.h"

#define HEARTBEAT_LABEL "_candor-heartbeat"
enum { HEARTBEAT_TICK_MS = 250, HEARTBEAT_TEXT = 20 /* digits at most */ };

struct heartbeat;
/* Whether this node is the zone's source now. */
typedef bool (*heartbeat_source_fn)(void *ctx, int zone);
int heartbeat_open(struct heartbeat **out, struct loop *l, struct keeper *k, heartbeat_source_fn is_source, void *ctx,
                   struct err *err) MUST_USE;
/* When the keeper is quiet. NULL is none. */
void heartbeat_close(struct heartbeat *h);
/* The TXT's RDATA -> milliseconds; 0: it is none. */
int64_t heartbeat_read(struct bytes rdata);

#endif
