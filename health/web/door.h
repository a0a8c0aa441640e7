/* Between the files of this room: one address of the health port and its thread. */
#ifndef CANDOR_WEB_DOOR_H
#define CANDOR_WEB_DOOR_H

#include <microhttpd.h>

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
    struct door doors[LIMIT_LISTEN];
    size_t door_count;
    int64_t last_run_ms; /* atomic */
    bool run_wanted;     /* atomic */
};

/* The newest snapshot, NULL when there is none yet; valid until the door's next call. */
struct snapshot *door_snapshot(struct door *d);
/* Whether a run may start now; else how long to wait. */
bool web_run_ask(struct web *w, int64_t now_ms, int64_t *wait_ms);

/* MHD_AccessHandlerCallback; cls is the door. */
enum MHD_Result door_request(void *cls, struct MHD_Connection *c, const char *url, const char *method,
                             const char *version, const char *upload_data, size_t *upload_data_size, void **con_cls);

#endif
