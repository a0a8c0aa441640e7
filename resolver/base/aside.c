#include "resolver/base/aside.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>

struct aside {
    unsigned refs; /* atomic: the loop and the thread */
    bool closing;  /* atomic */
    sem_t wake;
    pthread_t thread;
    aside_work work;
    void (*end)(void *ctx);
    void *ctx;
};

/* Who lets go last frees it: a thread that hung may come back when the loop has long gone. */
static void let_go(struct aside *a) {
    if (__atomic_sub_fetch(&a->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    a->end(a->ctx);
    (void)sem_destroy(&a->wake);
    free(a);
}

static void *run(void *arg) {
    struct aside *a = arg;
    a->work(a, a->ctx);
    let_go(a);
    return NULL;
}

int aside_open(struct aside **out, aside_work work, void (*end)(void *ctx), void *ctx, struct err *err) {
    struct aside *a = *out = calloc(1, sizeof *a);
    if (a == NULL) {
        end(ctx);
        return err_set(err, E_NOMEM, "no memory for a thread");
    }
    *a = (struct aside){.refs = 2, .work = work, .end = end, .ctx = ctx};
    (void)sem_init(&a->wake, 0, 0);
    int rc = pthread_create(&a->thread, NULL, run, a);
    if (rc == 0)
        return 0;
    a->refs = 1;
    let_go(a);
    *out = NULL;
    errno = rc;
    return err_errno(err, "a thread");
}

void aside_wake(struct aside *a) { (void)sem_post(&a->wake); }

static struct timespec after(clockid_t clock, uint32_t ms) {
    struct timespec t;
    clock_gettime(clock, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

void aside_nap(struct aside *a, uint32_t ms) {
    struct timespec until = after(CLOCK_MONOTONIC, ms);
    while (sem_clockwait(&a->wake, CLOCK_MONOTONIC, &until) != 0 && errno == EINTR)
        ;
    while (sem_trywait(&a->wake) == 0)
        ; /* however often it was woken, it looks once */
}

bool aside_is_closing(const struct aside *a) { return __atomic_load_n(&a->closing, __ATOMIC_ACQUIRE); }

void aside_close(struct aside *a, uint32_t wait_ms) {
    if (a == NULL)
        return;
    struct timespec until = after(CLOCK_REALTIME, wait_ms);
    __atomic_store_n(&a->closing, true, __ATOMIC_RELEASE);
    aside_wake(a);
    if (pthread_timedjoin_np(a->thread, NULL, &until) != 0)
        (void)pthread_detach(a->thread);
    let_go(a);
}
