/* The sync port (rbl.listen): standard DNS between nodes. This version answers SOA questions for the zones from their
 * committed state, so that what is committed can be asked apart from what the resolver serves; transfers, NOTIFY and
 * UPDATE are refused by name. */
#ifndef CANDOR_RBL_PORT_H
#define CANDOR_RBL_PORT_H

#include "resolver/base/board.h"
#include "resolver/base/conf.h"
#include "resolver/net/loop.h"

struct port;

int port_open(struct port **out, struct loop *l, const struct conf *conf, const struct board *board,
              struct err *err) MUST_USE;
void port_close(struct port *p);

#endif
