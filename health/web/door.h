/* Between the files of this room: one address of the health port and its thread. */
#ifndef CANDOR_WEB_DOOR_H
#define CANDOR_WEB_DOOR_H

#include <microhttpd.h>

#include "health/peers/mac.h"
#include "health/web/web.h"

struct door {
    struct web *web;
    struct MHD_Daemon *daemon;
    struct snapshot *mail; /* atomic: put there by the prober's thread, taken out by the door's */
    struct snapshot *now;  /* the door's thread alone */
};

struct web {
    const struct conf *conf;
    const struct board *board;
    struct peers_keys *keys, *report_keys; /* what views for peers, and for monitors, are proved by */
    struct door doors[LIMIT_LISTEN];
    size_t door_count;
    int64_t last_run_ms; /* atomic */
    uint64_t runs;       /* atomic: asked for so far */
    uint64_t runs_taken; /* the prober's thread alone */
};

/* The newest snapshot, NULL when there is none yet; valid until the door's next call. */
struct snapshot *door_snapshot(struct door *d);
/* The number of a new run; 0: none may start now, and how long to wait. One at a time, WEB_RUN_APART_MS apart; one that
 * has not ended after WEB_RUN_OVERDUE_MS keeps nobody waiting any longer. `s`, which may be NULL, knows of the last. */
uint64_t web_run_ask(struct web *w, const struct snapshot *s, int64_t now_ms, int64_t *wait_ms);
/* Runs asked for so far. */
uint64_t web_runs(const struct web *w);

/* MHD_AccessHandlerCallback; cls is the door. */
enum MHD_Result door_request(void *cls, struct MHD_Connection *c, const char *url, const char *method,
                             const char *version, const char *upload_data, size_t *upload_data_size, void **con_cls);

#endif
