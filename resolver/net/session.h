/* A session with one server: length-framed DNS messages both ways over one TCP or TLS connection for as long as both
 * like (RFC 7766, 7858, 9103). The client side of transfers: many messages may answer one question, and a question may
 * be held by the server until there is something to say.
 *
 * No names, no retries, no matching of ids: that is for the caller. TCP_NODELAY; keep-alive and a user time-out, so
 * that a path that died without a word is noticed within `dead_ms` even when nothing is under way. */
#ifndef CANDOR_NET_SESSION_H
#define CANDOR_NET_SESSION_H

#include "resolver/base/addr.h"
#include "resolver/net/loop.h"
#include "resolver/net/tls.h"

struct session;

enum {
    SESSION_QUEUE = 1 << 20 /* octets that wait to be sent; beyond: E_FULL */
};

struct session_plan {
    struct addr server;
    const struct addr *source; /* NULL: the kernel picks */
    struct tls_context *tls;   /* NULL: plain TCP; outlives the session */
    const char *tls_name;      /* what its certificate must say (DNS name or IP address); "": with a context for
                                  anybody; copied */
    uint32_t connect_ms;       /* for TCP and TLS together */
    uint32_t dead_ms;          /* 0: the kernel's ways */
    /* All on the loop, never from inside session_open; NULL: nobody wants to know. */
    void (*up)(void *ctx, struct session *s, const struct addr *local);
    void (*message)(void *ctx, struct session *s, const uint8_t *msg, size_t size); /* may close the session */
    /* Once, unless session_close came first: E_TIMEOUT, E_CLOSED (the other side ended it), E_SYSTEM (refused, reset,
     * unreachable), E_DENIED (certificate: the text says what was wrong), E_INVALID. The session is gone behind it. */
    void (*down)(void *ctx, struct session *s, const struct err *why);
    void *ctx;
};

int session_open(struct session **out, struct loop *l, const struct session_plan *plan, struct err *err) MUST_USE;
/* Copied; sent when the connection is up. E_FULL, E_CLOSED, E_NOMEM. */
int session_send(struct session *s, const uint8_t *msg, size_t size) MUST_USE;
/* No message is read until it goes on: the receiver has its hands full. */
void session_pause(struct session *s, bool pause);
/* Octets of messages received and sent so far, framing included, TLS not. */
void session_traffic(const struct session *s, uint64_t *in, uint64_t *out);
/* Ends it without calling `down`. loop_close() does this to all that are left. */
void session_close(struct session *s);

#endif
