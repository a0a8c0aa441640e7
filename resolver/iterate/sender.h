/* How iterate reaches servers without knowing sockets: a table of functions, filled in by resolver/sender.c with real
 * exchanges and by tests with scripted ones. One loop, one thread. */
#ifndef CANDOR_ITERATE_SENDER_H
#define CANDOR_ITERATE_SENDER_H

#include "resolver/base/addr.h"
#include "resolver/base/bytes.h"

/* How one sending ended. */
struct sender_reply {
    int code; /* 0: an answer whose id (with TLS: the session's) and question are those sent; E_TIMEOUT; else the
                 network's refusal */
    struct bytes answer; /* during the call only */
    int64_t took_us;
    uint32_t mismatches; /* packets that came from the server and did not fit the question */
    uint32_t case_lost;  /* of these: those that differ in the case of the name alone */
};
typedef void (*sender_done)(void *ctx, const struct sender_reply *r);

struct sender_query {
    struct addr server;
    bool tcp;
    const char *tls_name; /* over TLS alone, to whose certificate says this; "": to whoever answers; NULL: plain. It and
                             tls_ca outlive it */
    const char *tls_ca;   /* whose certificates are believed: a file; "": those that the system believes */
    const uint8_t *msg;   /* copied */
    size_t size;
    uint32_t timeout_ms;
    uint32_t mismatches_max; /* over UDP: E_TIMEOUT at once when so many have come; 0: only when time is up */
    sender_done done;        /* exactly once, later, never from inside send */
    void *ctx;
};

struct sender_ops {
    /* Sends one query to one address from a fresh random port, or over TLS on a session that is kept; a token for
     * cancel. NULL: no socket or memory is to be had now, done will not be called. */
    void *(*send)(void *self, const struct sender_query *q);
    /* Ends it without done; not from inside its own done. */
    void (*cancel)(void *self, void *token);
    int64_t (*now_ms)(void *self); /* monotonic */
};

struct sender {
    const struct sender_ops *ops;
    void *self;
};

#endif
