/* The sync port (rbl.listen), UDP and TCP: standard DNS between nodes and from publishers.
 *
 *   SOA      of the zones, from their committed state, so that what is committed can be asked apart from what the
 *            resolver serves; of a name below as well, as nsupdate asks to find its zone. A zone that lives from
 * updates alone and has had none yet answers serial 0 UPDATE   RFC 2136 (rbl/update), once port_attach has said whom to
 * give it to; SERVFAIL until then
 *
 * Transfers and NOTIFY are refused by name. A signed message (TSIG, keys from rbl.keys) gets a signed answer; one whose
 * TSIG is wrong gets what RFC 8945 section 5.2 says, and nothing else happens. */
#ifndef CANDOR_RBL_PORT_H
#define CANDOR_RBL_PORT_H

#include "rbl/publish/keeper.h"
#include "resolver/base/board.h"
#include "resolver/base/conf.h"
#include "resolver/net/loop.h"

struct port;

/* Opens the sockets and reads the keys, before privileges go. */
int port_open(struct port **out, struct loop *l, const struct conf *conf, struct board *board,
              struct err *err) MUST_USE;
/* `keeper` outlives the port. */
int port_attach(struct port *p, struct keeper *keeper, struct err *err) MUST_USE;
void port_close(struct port *p);

#endif
