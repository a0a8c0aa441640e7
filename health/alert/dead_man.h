/* A dead man's switch: a service outside that raises the alarm when it is not asked any more. It is asked (HTTPS, GET)
 * each `interval` by a thread of its own, and only while the loop vouches, with evidence, that this monitor does its
 * work: dead_man_say() gives leave for a time, and what is not renewed ends. So a loop that hangs, a process that is
 * frozen or a monitor that is cut off feeds no switch, though the thread and the network may be well. */
#ifndef CANDOR_ALERT_DEAD_MAN_H
#define CANDOR_ALERT_DEAD_MAN_H

#include "health/report/pinned.h"
#include "resolver/base/conf_health.h"

struct dead_man_news {
    uint64_t fed, failed, withheld;
    int64_t fed_mono_ms, fed_wall_ms, busy_since_mono_ms, not_after_wall_s;
    char trouble[PINNED_TROUBLE]; /* of the last try; "": it went well */
};

struct dead_man;
int dead_man_open(struct dead_man **out, const struct conf_sink *to, struct err *err) MUST_USE;
/* It may be fed until then (mono). In the past: not now. */
void dead_man_say(struct dead_man *d, int64_t until_mono_ms);
/* The newest; valid until the next call. */
const struct dead_man_news *dead_man_news(struct dead_man *d);
/* NULL is allowed. */
void dead_man_close(struct dead_man *d);

#endif
