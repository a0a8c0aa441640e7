/* Between a worker's rooms, where all messages pass: each is told in dnstap (tap/tap.h) and handed on. Nothing of it
 * is in the way when dnstap is off. */
#ifndef CANDOR_RESOLVER_TAPPED_H
#define CANDOR_RESOLVER_TAPPED_H

#include "resolver/iterate/sender.h"
#include "resolver/serve/serve.h"
#include "resolver/tap/tap.h"

struct tapped {
    struct tap *tap;
    bool clients;        /* tell questions of clients and answers to them */
    struct serve *serve; /* set before the first question comes */
    struct sender below; /* the sender that really sends */
};

/* As serve_handle and serve_batch, with a struct tapped as ctx. */
size_t tapped_handle(void *ctx, const struct client *c, const uint8_t *msg, size_t size, uint8_t *reply, size_t cap);
void tapped_batch(void *ctx, bool begin);
/* A late answer to a client, before it is sent. Size 0: there is none. */
void tapped_reply(const struct tapped *t, const struct client *c, const uint8_t *msg, size_t size);
/* A sender that tells what `t->below` sends and gets: FORWARDER_* with RD, RESOLVER_* without. `t` must outlive it. */
struct sender tapped_sender(struct tapped *t);

#endif
