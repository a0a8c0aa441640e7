/* The health port: HTTP/1.1 on loopback and the management network, in threads of its own (one per address).
 *
 *   GET, HEAD /livez /readyz /health /health/{scope} /health/run/{number} /metrics /history /peers /detail /
 *   GET, HEAD /fleet /fleet/{node} (of a monitor)
 *   POST /health/run (Bearer token)
 *
 * Answers are made from the newest snapshot (snapshot.h) alone; /livez from the board. Nothing here takes a lock that
 * the prober waits for. Bounds: LIMIT_HTTP_CONNECTIONS, LIMIT_HTTP_PER_ADDRESS, ten seconds of silence, no request
 * bodies. Who is outside health.allow and without the token gets 403 and nothing else. */
#ifndef CANDOR_WEB_H
#define CANDOR_WEB_H

#include "health/web/snapshot.h"

struct web;

/* Opens all of conf.health.listen; conf and board outlive it. */
int web_open(struct web **out, const struct conf *conf, const struct board *board, struct err *err) MUST_USE;
/* Hands a snapshot to all doors; takes over the caller's reference. From the prober's thread. */
void web_publish(struct web *w, struct snapshot *s);
/* The number of the run of all probes that somebody asked for since the last call; 0: nobody did. */
uint64_t web_run_wanted(struct web *w);
void web_close(struct web *w);

enum { WEB_RUN_APART_MS = 5000, WEB_RUN_OVERDUE_MS = 60000 };

#endif
