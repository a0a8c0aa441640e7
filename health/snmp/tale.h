/* Transitions on their way from the sink's thread to the one that speaks to the master agent, and word back of how many
 * the master has taken. One tale at a time; both threads hold it, and neither waits for the other while it does more
 * than look. */
#ifndef CANDOR_SNMP_TALE_H
#define CANDOR_SNMP_TALE_H

#include <pthread.h>

#include "health/report/notice.h"

struct tale;
struct tale_box {
    pthread_mutex_t lock;
    pthread_cond_t over;
    struct tale *waiting; /* given, and not taken yet */
};
int tale_box_open(struct tale_box *b, struct err *err) MUST_USE;
void tale_box_close(struct tale_box *b);

/* Those of the notice that are told (snmp_is_told) and come behind number `taken`. 0: *out has one reference, and is
 * NULL when there are none; E_NOMEM. */
int tale_make(struct tale **out, const struct notice *n, uint64_t taken) MUST_USE;
/* The sink's side: what was given before and not taken is forgotten. */
void tale_give(struct tale_box *b, struct tale *t);
/* Until it is over, at most `ms`. 0: all were taken; E_AGAIN: it is not over; or what tale_end() said, with its `why`.
 * *taken: the number of the last one that was taken, if any was. */
int tale_wait(struct tale_box *b, struct tale *t, uint32_t ms, uint64_t *taken, char *why, size_t size) MUST_USE;
/* NULL is allowed. */
void tale_drop(struct tale_box *b, struct tale *t);

/* The speaking thread's side: what waits, with a reference, or NULL; the first one that was not taken, or NULL; that
 * it was; and that no more come of it, which drops the reference. */
struct tale *tale_take(struct tale_box *b);
const struct event *tale_next(const struct tale *t);
void tale_told(struct tale_box *b, struct tale *t);
void tale_end(struct tale_box *b, struct tale *t, int rc, const char *why);

#endif
