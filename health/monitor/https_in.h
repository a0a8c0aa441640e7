/* Where reports come in over HTTPS: health.monitor.listen[].https, POST /report (docs/formats/report.md), with a
 * certificate of the monitor's own (health.monitor.tls, certificate.h).
 *
 *   headers: key known? time right? size bounded? -> body -> MAC -> intake -> taker: on the disk -> acknowledged
 *
 * A thread of its own per address. Nothing of a body is believed, and no JSON read, before its MAC was right. A request
 * waits for its commit without holding up others. Bounds: HTTPS_IN_CONNECTIONS, HTTPS_IN_PER_ADDRESS, bodies of
 * INTAKE_BYTES, HTTPS_IN_BYTES of them at a time; who has not sent all of it after two push intervals is cut off. */
#ifndef CANDOR_MONITOR_HTTPS_IN_H
#define CANDOR_MONITOR_HTTPS_IN_H

#include "health/monitor/certificate.h"
#include "health/monitor/taker.h"
#include "resolver/base/conf.h"

enum {
    HTTPS_IN_CONNECTIONS = 512, /* of one address of ours */
    HTTPS_IN_PER_ADDRESS = 256, /* many nodes may stand behind one */
    HTTPS_IN_BYTES = 64 << 20,  /* of bodies under way */
    HTTPS_IN_WINDOW_MS = 300000 /* that a sender's clock may be off */
};
enum https_in_refusal {
    HTTPS_IN_KEY,  /* unknown, or its MAC was wrong */
    HTTPS_IN_TIME, /* the sender's clock, or an old request */
    HTTPS_IN_NODE, /* not that node's key, or no such node */
    HTTPS_IN_FORM,
    HTTPS_IN_BUSY, /* nothing can be kept now */
    HTTPS_IN_SLOW,
    HTTPS_IN_REFUSALS
};
const char *https_in_refusal_name(enum https_in_refusal r);

/* What the loop knows of a node, for acknowledgements; each field by itself. */
struct https_in_word {
    uint64_t missed;  /* atomic */
    int64_t asked_ms; /* atomic, mono: when this monitor asked it last; 0: never */
};

struct https_in;
/* NULL in *out and 0 when no address is configured. conf and taker outlive it. */
int https_in_open(struct https_in **out, const struct conf *conf, struct taker *taker, struct err *err) MUST_USE;
/* From the loop, as the next one. NULL is allowed. */
void https_in_tell(struct https_in *h, size_t node, uint64_t missed, int64_t asked_ms);
/* Ends connections that take too long; once a second will do. NULL is allowed. */
void https_in_tick(struct https_in *h);
/* As certificate_until_s(). */
int64_t https_in_until_s(const struct https_in *h, char trouble[CERTIFICATE_TROUBLE]);
uint64_t https_in_refused(const struct https_in *h, enum https_in_refusal r);
/* Behind taker_close, whose result is `ended`: when false, requests wait for ever, and the threads are left behind. */
void https_in_close(struct https_in *h, bool ended);

#endif
