/* Keeping zones in step from node to node: what both ends share. The native option (native.h), links on the board
 * (links.h), and what the two rooms above are opened with.
 *
 *   rbl/primary     this node as a primary: SOA, AXFR, IXFR, native runs, NOTIFY to who should ask
 *   rbl/secondary   this node as a secondary: when to ask whom, receiving, checking, committing
 *
 * A zone with `primaries` is a secondary; it may be a primary to others besides (a hub). */
#ifndef CANDOR_RBL_REPLICATE_H
#define CANDOR_RBL_REPLICATE_H

#include "rbl/publish/keeper.h"
#include "rbl/replicate/links.h"
#include "rbl/replicate/roles.h"
#include "resolver/dns/tsig.h"
#include "resolver/net/server.h"

struct replicate_config {
    const struct conf *conf;
    struct loop *loop;
    struct keeper *keeper;
    const struct tsig_keys *keys;
    struct board *board;   /* may be NULL */
    struct server *server; /* of the sync port: transfers go out through it */
    struct links *links;
    const struct roles *roles; /* NULL: no pairs */
};

#endif
