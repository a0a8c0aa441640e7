/* This node as a secondary: when to ask whom, receiving, checking, committing (RFC 1034 section 4.3.5, 1995, 1996,
 * 5936, 9103). The door of this room; used by the sync port (rbl/port.h) and candor-sync's main, on the loop's thread.
 */
#ifndef CANDOR_RBL_SECONDARY_H
#define CANDOR_RBL_SECONDARY_H

#include "rbl/replicate/replicate.h"
#include "resolver/net/control.h"

struct secondary;
int secondary_open(struct secondary **in, const struct replicate_config *c, struct err *err) MUST_USE;
/* A NOTIFY (RFC 1996), TSIG looked at. Believed as a hint only, from the zone's primaries. Size of the reply. */
size_t secondary_notify(struct secondary *in, int zone, const struct client *c, const struct dns_query *q,
                        const struct tsig *t, const uint8_t *msg, size_t size, uint8_t *reply, size_t cap);
/* Freshness of a zone that comes from elsewhere, for primary_state: false: this node is the source. */
bool secondary_fresh(const struct secondary *in, int zone, struct native_state *st);
/* `candor refresh ZONE`: ask all primaries now; with `whole` the whole zone, even when it is older than ours. How many
 * primaries there are; E_NOTFOUND: none. */
int secondary_refresh(struct secondary *in, int zone, bool whole, struct err *err) MUST_USE;
/* The zone's primaries are these from now on (catalogs, promotion); NULL: it is the source itself. */
int secondary_set_primaries(struct secondary *in, int zone, const struct conf_rules *primaries,
                            struct err *err) MUST_USE;
/* A zone came, changed, or is about to go (keeper_on_zone): its primaries are those of its configuration now. */
void secondary_zone(struct secondary *in, int zone);
/* {"command":"refresh","zone":Z,"whole":B}; the answer: {"ok":true,"primaries":N}, at once. False: the line is for
 * somebody else. */
bool secondary_control(struct secondary *in, struct control_call *call, const char *line, size_t size);
/* Waits for what the thread pool has in hand. Before keeper_close; not from inside a callback of the loop. NULL is
 * none. */
void secondary_close(struct secondary *in);

#endif
