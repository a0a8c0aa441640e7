/* The sockets of one worker: one UDP and one TCP socket for each address of resolver.listen, only the latter for TLS.
 */
#ifndef CANDOR_RESOLVER_SOCKETS_H
#define CANDOR_RESOLVER_SOCKETS_H

#include "resolver/base/conf.h"
#include "resolver/net/server.h"

/* `first`: says once what is left out or small. On failure nothing stays open. */
int sockets_open(struct server_sockets *s, const struct conf *conf, bool first, struct err *err) MUST_USE;
void sockets_close(struct server_sockets *s);

#endif
