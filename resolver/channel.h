/* Questions to other resolvers over TLS (RFC 7858): one session for each server and name of its certificate, kept while
 * it is used and pipelined (RFC 7766 section 6.2.1.1), answers in any order. Ids on the wire are this room's own, so
 * that two flights never share one. A session that the other side ended while it was idle is opened anew without a
 * word; a question that was under way is sent once more. Nothing here falls back to plain text. */
#ifndef CANDOR_RESOLVER_CHANNEL_H
#define CANDOR_RESOLVER_CHANNEL_H

#include "resolver/base/conf.h"
#include "resolver/iterate/sender.h"
#include "resolver/net/loop.h"

enum {
    CHANNELS_MAX = 64,         /* servers: LIMIT_UPSTREAMS of them, each under two names */
    CHANNEL_IN_FLIGHT = 512,   /* questions on one session */
    CHANNEL_IDLE_MS = 20000,   /* a session without questions is closed after so long */
    CHANNEL_CONNECT_MS = 3000, /* TCP and TLS together */
};

struct channels;
int channels_open(struct channels **out, struct loop *l, const struct conf *conf, struct err *err) MUST_USE;
void channels_close(struct channels *c); /* what is under way ends without done */

/* As sender_ops.send and cancel, of a query with a tls_name. Sessions are opened when they are first needed. */
void *channels_send(struct channels *c, const struct sender_query *q);
void channels_cancel(struct channels *c, void *token);

#endif
