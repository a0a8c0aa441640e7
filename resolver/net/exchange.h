/* One question to one server and its answer: the client side of DNS, for forwarding and for probes.
 *
 * UDP: a socket of its own per exchange, bound to a random port (1024..65535, getrandom) and connected, so that only
 * the server's own packets arrive; an answer counts only with the id, QR, question (case included) that was sent.
 * Packets that do not match are counted and the wait goes on, until the deadline or `mismatches_max` of them. TCP: one
 * connection per exchange, length-framed. No names, no configuration files, no retries: that is for the caller. Ends
 * with exactly one call of `done`. */
#ifndef CANDOR_NET_EXCHANGE_H
#define CANDOR_NET_EXCHANGE_H

#include "resolver/base/addr.h"
#include "resolver/base/bytes.h"
#include "resolver/net/loop.h"

struct exchange;

struct exchange_result {
    int code; /* 0: an answer; E_TIMEOUT: nothing came; E_INVALID: only mismatches came, or TCP was cut off in a frame;
                 E_SYSTEM: refused, unreachable, reset: sys_errno says which */
    struct bytes answer; /* valid during the call only */
    struct addr local;   /* source address and port used */
    uint32_t mismatches; /* packets that did not fit */
    uint32_t case_lost;  /* of these: would have, had the case of the name been kept */
    int64_t took_ns;
    int sys_errno;
};

typedef void (*exchange_done)(void *ctx, const struct exchange_result *r);

struct exchange_plan {
    struct addr server;
    bool tcp;
    const struct addr *source; /* NULL: the kernel picks; port 0 */
    const uint8_t *query;      /* copied; its id is sent as it stands */
    size_t size;
    uint32_t timeout_ms;
    uint32_t mismatches_max; /* UDP: after so many it ends with E_INVALID; 0: it waits on */
    exchange_done done;
    void *ctx;
};

/* NULL when no socket or memory is to be had, or the query has no readable question section (*err says so; done is not
 * called then). `done` is never called from inside exchange_start; the exchange is gone when it is called. */
struct exchange *exchange_start(struct loop *l, const struct exchange_plan *plan, struct err *err);
/* Ends it without calling done; not from inside its own done. loop_close() does this to all that are left. */
void exchange_cancel(struct exchange *x);

#endif
