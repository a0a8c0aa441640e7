/* One question over TLS (RFC 7858) on a session of its own, for ask.c: what exchange.h is for UDP and TCP. */
#ifndef CANDOR_PROBE_SECURE_H
#define CANDOR_PROBE_SECURE_H

#include "resolver/net/exchange.h"

struct prober;

/* To whom: `name` as the certificate must say it, "": whoever answers; `ca`: who is believed, "": whom the system
 * believes. Both outlive the prober's plan. */
struct secure_plan {
    struct addr server;
    const char *name, *ca;
    const uint8_t *query; /* copied */
    size_t size;
    uint32_t timeout_ms;
    /* Once, never from inside secure_start; it is gone then. `trouble`: why, when r->code < 0; E_DENIED: the
     * certificate. */
    void (*done)(void *ctx, const struct exchange_result *r, const char *trouble);
    void *ctx;
};

struct secure;
struct secure *secure_start(struct prober *p, const struct secure_plan *plan, struct err *err);
void secure_cancel(struct secure *s); /* without done */

void secure_close(struct prober *p); /* what was kept of files of trust; no question is under way */

#endif
