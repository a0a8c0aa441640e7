/* This node as a primary: SOA, AXFR (RFC 5936), IXFR (RFC 1995), native runs (rbl/replicate/native.h), NOTIFY (RFC
 * 1996). The door of this room; used by the sync port (rbl/port.h) and candor-sync's main, on the loop's thread. */
#ifndef CANDOR_RBL_PRIMARY_H
#define CANDOR_RBL_PRIMARY_H

#include "rbl/replicate/replicate.h"

struct primary;
/* What a zone that comes from elsewhere was last told about itself (secondary_fresh); false: this node is the source.
 */
typedef bool (*primary_fresh_fn)(void *ctx, int zone, struct native_state *st);
int primary_open(struct primary **out, const struct replicate_config *c, primary_fresh_fn fresh, void *fresh_ctx,
                 struct err *err) MUST_USE;
/* A SOA, IXFR or AXFR question of one of our zones (`zone`: its index) by somebody whose TSIG was looked at and who may
 * ask. Size of a reply written at once, or 0: it comes later, through the server. */
size_t primary_take(struct primary *o, int zone, const struct client *c, const struct dns_query *q,
                    const struct tsig *t, const uint8_t *msg, size_t size, uint8_t *reply, size_t cap);
/* A message about a zone that was signed wrongly: told on the links to that address. */
void primary_wrong_tsig(struct primary *o, int zone, const struct client *c, const struct tsig *t);
/* What keeper_on_commit tells: NOTIFY leaves, held questions are answered. */
void primary_committed(struct primary *o, int zone, const struct keep_state *st);
void primary_event(struct primary *o, uint64_t token, enum server_event e);
/* What this node says of a zone: its own state when it is the source, else what its primary told, path and all. */
void primary_state(struct primary *o, int zone, struct native_state *st);
/* A zone came, changed, or is about to go (keeper_on_zone): transfers of one that goes end, who is to be notified is
 * looked up again. */
void primary_zone_changed(struct primary *o, int zone);
/* Ends everything; true when no thread of the pool is at work for this room any more. Before keeper_close. */
bool primary_quiet(struct primary *o);
/* After primary_quiet said true. NULL is none. */
void primary_close(struct primary *o);

#endif
