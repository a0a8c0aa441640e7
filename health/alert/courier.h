/* Brings alerts to one receiver, on a thread of its own that may hang alone.
 *
 *   loop: courier_offer(list) -> box, the newest list alone -> thread: deliver(what this receiver has not heard yet)
 *
 * A list holds all that there is (alert.h), so nothing is queued: the thread keeps the number of the last change that
 * was delivered, on disk too, and brings what has changed since, at once, however long the receiver was away. What
 * failed is tried again after a pause that doubles, up to COURIER_PAUSE_MS. A receiver that is new is told what holds,
 * not what was. */
#ifndef CANDOR_ALERT_COURIER_H
#define CANDOR_ALERT_COURIER_H

#include "health/alert/alert.h"
#include "health/report/pinned.h"

enum { COURIER_RETRY_MS = 2000, COURIER_PAUSE_MS = 60000, COURIER_CLOSE_MS = 500 };

/* What is to be brought: the whole list, and in it what this receiver does not know; valid during the call. */
struct errand {
    const struct alert_list *list;
    const struct alert *news[ALERT_MAX]; /* by change, oldest first */
    size_t count;                        /* 0: it is only time to come again, if only to knock */
};

struct courier_news {
    uint64_t delivered, alerts;                                     /* deliveries of news; and the alerts in them */
    uint64_t failed;                                                /* tries, also such without news */
    int64_t delivered_wall_ms, reached_mono_ms, busy_since_mono_ms; /* 0: never; reached: also without news */
    size_t waiting;                                                 /* alerts with news that has not arrived */
    int64_t not_after_wall_s;
    char trouble[PINNED_TROUBLE]; /* why the last try came to nothing; "": it went well, or there was none */
};
/* 0, or < 0 with the reason in news->trouble. May set news->not_after_wall_s. */
typedef int (*courier_deliver)(void *ctx, const struct errand *e, struct courier_news *news);

struct courier_plan {
    uint32_t every_ms; /* comes again after so long without news, while something holds or ended lately; 0: never */
    bool every_list;   /* is to have each list, news or not */
    void (*begin)(void *ctx); /* on the thread, first of all; NULL: nothing */
    const char *folder;       /* of the mark; "": none is kept */
    const char *name;         /* of its file */
};

struct courier;
/* `end` frees ctx; it is called in any case, also when this fails. */
int courier_open(struct courier **out, const struct courier_plan *plan, courier_deliver deliver, void (*end)(void *ctx),
                 void *ctx, struct err *err) MUST_USE;
/* A reference is taken. */
void courier_offer(struct courier *c, struct alert_list *l);
/* The newest; valid until the next call. */
const struct courier_news *courier_news(struct courier *c);
/* NULL is allowed. */
void courier_close(struct courier *c);

#endif
