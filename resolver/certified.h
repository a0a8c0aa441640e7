/* The certificate of a worker's DNS over TLS: read at start, and again when one of its files has changed. */
#ifndef CANDOR_RESOLVER_CERTIFIED_H
#define CANDOR_RESOLVER_CERTIFIED_H

#include <sys/stat.h>

#include "resolver/base/board.h"
#include "resolver/base/conf.h"
#include "resolver/net/server.h"
#include "resolver/net/tls.h"

struct certified {
    const struct conf_tls *conf;
    struct server *server;
    struct loop_timer *timer;
    struct tls_context *tls; /* NULL: none that can be used yet; connections are closed */
    struct stat certificate, key;
    struct board_worker *stats;
    unsigned worker;
};

enum { CERTIFIED_LOOK_MS = 5000 };

/* The end of the certificate goes to stats->certificate_until_wall_s. Does nothing where no socket is TLS. Files that
 * cannot be used are logged and looked at again when they change: whoever asks without TLS is answered meanwhile.
 * E_NOMEM. */
int certified_open(struct certified *c, struct loop *l, struct server *server, const struct conf *conf,
                   const struct server_sockets *sockets, struct board_worker *stats, unsigned worker,
                   struct err *err) MUST_USE;
/* After the server. */
void certified_close(struct certified *c);

#endif
