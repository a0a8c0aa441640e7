#include "health/snmp/tale.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "health/snmp/impl.h"
#include "resolver/base/bytes.h"

/* All but the events is under the box's lock. */
struct tale {
    unsigned refs;
    bool over;
    int rc;
    char why[120];
    size_t count, told; /* `told` is written by the speaking thread alone */
    struct event event[];
};

int tale_box_open(struct tale_box *b, struct err *err) {
    pthread_condattr_t how;
    b->waiting = NULL;
    int rc = pthread_condattr_init(&how);
    if (rc == 0) {
        (void)pthread_condattr_setclock(&how, CLOCK_MONOTONIC);
        rc = pthread_cond_init(&b->over, &how);
        (void)pthread_condattr_destroy(&how);
    }
    if (rc == 0)
        rc = pthread_mutex_init(&b->lock, NULL);
    return rc == 0 ? 0 : err_set(err, E_NOMEM, "no memory for the SNMP agent's notifications");
}

void tale_box_close(struct tale_box *b) {
    tale_drop(b, b->waiting);
    (void)pthread_cond_destroy(&b->over);
    (void)pthread_mutex_destroy(&b->lock);
}

int tale_make(struct tale **out, const struct notice *n, uint64_t taken) {
    struct tale *t = calloc(1, sizeof *t + n->events * sizeof t->event[0]);
    *out = NULL;
    if (t == NULL)
        return E_NOMEM;
    t->refs = 1;
    for (size_t i = 0; i < n->events; i++)
        if (n->event[i]->sequence > taken && snmp_is_told(n->event[i]))
            t->event[t->count++] = *n->event[i];
    if (t->count > 0)
        *out = t;
    else
        free(t);
    return 0;
}

void tale_drop(struct tale_box *b, struct tale *t) {
    if (t == NULL)
        return;
    (void)pthread_mutex_lock(&b->lock);
    bool last = --t->refs == 0;
    (void)pthread_mutex_unlock(&b->lock);
    if (last)
        free(t);
}

void tale_give(struct tale_box *b, struct tale *t) {
    (void)pthread_mutex_lock(&b->lock);
    struct tale *old = b->waiting;
    b->waiting = t;
    t->refs++;
    (void)pthread_mutex_unlock(&b->lock);
    tale_drop(b, old);
}

int tale_wait(struct tale_box *b, struct tale *t, uint32_t ms, uint64_t *taken, char *why, size_t size) {
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    long ns = until.tv_nsec + (long)(ms % 1000) * 1000000;
    until.tv_sec += ms / 1000 + ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    (void)pthread_mutex_lock(&b->lock);
    int waited = 0;
    while (!t->over && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&b->over, &b->lock, &until);
    int rc = t->over ? t->rc : E_AGAIN;
    if (t->told > 0)
        *taken = t->event[t->told - 1].sequence;
    text_copy(why, size, t->over ? t->why : "the master agent has not taken a notification yet");
    (void)pthread_mutex_unlock(&b->lock);
    return rc;
}

struct tale *tale_take(struct tale_box *b) {
    (void)pthread_mutex_lock(&b->lock);
    struct tale *t = b->waiting;
    b->waiting = NULL;
    (void)pthread_mutex_unlock(&b->lock);
    return t;
}

const struct event *tale_next(const struct tale *t) { return t->told < t->count ? &t->event[t->told] : NULL; }

void tale_told(struct tale_box *b, struct tale *t) {
    (void)pthread_mutex_lock(&b->lock);
    t->told++;
    (void)pthread_mutex_unlock(&b->lock);
}

void tale_end(struct tale_box *b, struct tale *t, int rc, const char *why) {
    (void)pthread_mutex_lock(&b->lock);
    t->over = true;
    t->rc = rc;
    text_copy(t->why, sizeof t->why, why);
    (void)pthread_cond_broadcast(&b->over);
    (void)pthread_mutex_unlock(&b->lock);
    tale_drop(b, t);
}
