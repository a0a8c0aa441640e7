/* The sync port (rbl.listen, rbl.tls.listen): standard DNS between nodes and from publishers, over UDP, TCP and TLS.
 *
 *   SOA, AXFR, IXFR   rbl/primary, from the committed state, apart from what the resolver serves
 *   NOTIFY            rbl/secondary
 *   UPDATE            rbl/update
 *
 * A signed message (TSIG, keys from rbl.keys) gets a signed answer; one whose TSIG is wrong gets what RFC 8945 section
 * 5.2 says, and nothing else happens. Until port_attach has said whom to give messages to, SERVFAIL. */
#ifndef CANDOR_RBL_PORT_H
#define CANDOR_RBL_PORT_H

#include "rbl/pair/pair.h"
#include "rbl/primary/primary.h"
#include "rbl/secondary/secondary.h"
#include "rbl/update/update.h"
#include "resolver/base/board.h"
#include "resolver/base/conf.h"
#include "resolver/net/loop.h"

struct port;

/* Opens the sockets and reads the keys and certificates, before privileges go. */
int port_open(struct port **out, struct loop *l, const struct conf *conf, struct board *board,
              struct err *err) MUST_USE;
const struct tsig_keys *port_keys(const struct port *p);
struct server *port_server(struct port *p);
/* Who answers what; all but the keeper may be NULL, and outlive the port's last turn. */
struct port_rooms {
    struct keeper *keeper;
    struct primary *primary;
    struct secondary *secondary;
    struct pair *pair;
};
int port_attach(struct port *p, const struct port_rooms *rooms, struct err *err) MUST_USE;
/* A zone came, changed or went (keeper_on_zone). */
void port_zone_changed(struct port *p, int zone);
/* The zone at this place came, changed or went at run time (keeper_on_zone). */
void port_zone_changed(struct port *p, int zone);
void port_close(struct port *p);

#endif
