/* One worker: a loop, its own sockets, and everything that answers on them. A process of its own. */
#ifndef CANDOR_RESOLVER_WORKER_H
#define CANDOR_RESOLVER_WORKER_H

#include "resolver/base/board.h"
#include "resolver/base/conf.h"
#include "resolver/cache/cache.h"
#include "resolver/net/server.h"
#include "resolver/serve/cookies.h"
#include "resolver/serve/local_zones.h"

struct worker_plan {
    const struct conf *conf;
    struct board *board;
    struct cache *cache;
    const struct local_zones *locals;
    const struct cookies *cookies;
    const struct server_sockets *sockets;
    unsigned index; /* of its slot on the board, and the last part of its NSID */
};

/* In the child, after fork: serves until SIGTERM. The exit status. */
int worker_run(const struct worker_plan *plan);

#endif
