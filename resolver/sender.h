/* The sender of resolver/iterate on real sockets: each sending is one exchange of resolver/net. */
#ifndef CANDOR_RESOLVER_SENDER_H
#define CANDOR_RESOLVER_SENDER_H

#include "resolver/base/conf.h"
#include "resolver/iterate/sender.h"
#include "resolver/net/loop.h"

/* Sends through `loop`, from the configured outgoing addresses when there are some. Both must outlive it. */
int net_sender_open(struct sender *s, struct loop *loop, const struct conf *conf, struct err *err) MUST_USE;
/* After the last sending has ended or was cancelled. */
void net_sender_close(struct sender *s);

#endif
