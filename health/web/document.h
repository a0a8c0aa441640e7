/* Documents of the health port, put together per request: a head with status and age as they are now, and bodies that
 * the snapshot rendered ahead. A stale snapshot, or none yet (NULL), gives a document in which all is unknown and the
 * bodies are left out. */
#ifndef CANDOR_WEB_DOCUMENT_H
#define CANDOR_WEB_DOCUMENT_H

#include "health/web/snapshot.h"
#include "resolver/base/bytes.h"

enum {
    DOCUMENT_BODIES = 2 * SCOPE_COUNT + 14,
    LIVE_MAX_MS = 5000 /* a loop that has not turned for longer is not alive */
};

struct document {
    struct text head, tail;
    struct bytes body[DOCUMENT_BODIES]; /* into the snapshot */
    size_t bodies;
    enum verdict_state state; /* decides the status code: pass and warn 200, fail and unknown 503 */
};

/* `scope` SCOPE_COUNT: all; one without checks is unknown, and says so. application/health+json
 * (draft-inadarei-api-health-check). */
void document_health(struct document *d, const struct snapshot *s, const char *node, int scope, int64_t mono_ms,
                     int64_t wall_ms);
void document_ready(struct document *d, const struct snapshot *s, const char *node, int64_t mono_ms, int64_t wall_ms);
/* From the board's heartbeats, without any snapshot: whether every loop turned within LIVE_MAX_MS. */
void document_live(struct document *d, const struct board *b, const char *node, int64_t mono_ms, int64_t wall_ms);
/* A run of all probes: pending until each probe has ended once since it was asked for. */
void document_run(struct document *d, const struct snapshot *s, uint64_t number, int64_t mono_ms);
/* /history: events, newest first. */
struct history_query {
    uint64_t since, before; /* numbers: above the one, below the other; 0: all */
    size_t limit;           /* 0: HISTORY_LIMIT */
    int scope;              /* SCOPE_COUNT: all */
    bool given;             /* something was asked for: the lists `scopes` and `checks` are left out then */
};
enum { HISTORY_LIMIT = 256 };
void document_history(struct document *d, const struct snapshot *s, const struct history_query *q);
/* Prometheus text 0.0.4, or OpenMetrics 1.0. */
void document_metrics(struct document *d, const struct snapshot *s, bool open, int64_t mono_ms);
void document_page(struct document *d, const struct snapshot *s, const char *node, int64_t mono_ms, int64_t wall_ms);
/* This node's view of its peers (health/peers/view.h), of all or `about` one of them; `boot` is candor-health's. */
struct peers_asked {
    const char *nonce, *about; /* about NULL: all */
};
void document_peers(struct document *d, const struct snapshot *s, const struct conf *conf, uint64_t boot,
                    const struct peers_asked *asked, int64_t mono_ms, int64_t wall_ms);
void document_free(struct document *d);

#endif
