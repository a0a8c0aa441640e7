/* What this worker knows of each server it forwards to: how fast it answered, and whether it is in trouble.
 *
 * Smoothed round-trip time as in RFC 6298 without the variance; servers passed over age towards zero, so that each is
 * tried again sooner or later. Only answers are measured. Trouble is counted in points, cleared by an answer; at
 * TROUBLE_FAILING a server comes
 * last, and is probed with a copy of a real question beside the one that is being served, so that no client waits to
 * find out whether it is back. */
#ifndef CANDOR_ITERATE_UPSTREAM_H
#define CANDOR_ITERATE_UPSTREAM_H

#include "resolver/base/addr.h"
#include "resolver/base/board.h"

enum {
    TROUBLE_TIMEOUT = 8,
    TROUBLE_NETWORK = 8,
    TROUBLE_REFUSED = 4, /* REFUSED, NOTIMP: it will not serve us */
    TROUBLE_SERVFAIL = 1,
    TROUBLE_FAILING = 8, /* one silence; a few refusals; several SERVFAILs in a row */
    TROUBLE_MAX = 64,
    UPSTREAM_PROBE_FIRST_MS = 1000, /* doubled after each probe in vain */
    UPSTREAM_PROBE_MAX_MS = 8000,
    UPSTREAM_TLS_FIRST_MS = 30000, /* until a server without TLS is tried with it again, doubled each time */
    UPSTREAM_TLS_MAX_MS = 3600000,
    UPSTREAM_RTT_MAX_US = 10000000,
};

struct upstream {
    struct addr address;
    uint32_t srtt_us; /* 0: not measured yet */
    unsigned trouble;
    int64_t probe_at_ms;
    uint32_t probe_every_ms;
    struct probe *probe; /* under way; forward.c's */
    /* opportunistic TLS: it works; the probe that finds out, when the next is due, how long after the one before */
    bool tls_works;
    struct probe *tls_probe;
    int64_t tls_probe_at_ms;
    uint32_t tls_probe_every_ms;
};

static inline bool upstream_failing(const struct upstream *u) { return u->trouble >= TROUBLE_FAILING; }

/* It answered a question (NOERROR or NXDOMAIN). */
void upstream_answered(struct upstream *u, int64_t took_us);
/* It did not, or not usefully. */
void upstream_troubled(struct upstream *u, unsigned points, int64_t now_ms);
/* The best of `count` servers (indices into `all`) whose bit is not in `tried`; -1: none. Ages the others. */
int upstream_pick(struct upstream *all, const uint8_t *among, unsigned count, uint32_t tried);
/* Whether it is time to probe a failing server; if so the next probe is put off. */
bool upstream_wants_probe(struct upstream *u, int64_t now_ms);
/* Whether to find out if a server speaks TLS, and what came of it or of a question over it. */
bool upstream_wants_tls(const struct upstream *u, int64_t now_ms);
void upstream_tls(struct upstream *u, bool works, int64_t now_ms);

/* Counts one sending on the board (stats may be NULL). */
void upstream_count(struct board_worker *stats, unsigned index, bool tcp, enum board_upstream_result result,
                    uint32_t mismatches, int64_t took_us);

#endif
