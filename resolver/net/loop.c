#include "resolver/net/loop.h"

#include <errno.h>
#include <stdlib.h>

#include "resolver/base/log.h"
#include "resolver/net/loop_impl.h"

struct loop_job {
    uv_work_t req;
    struct loop *loop;
    void (*work)(void *ctx);
    void (*done)(void *ctx);
    void *ctx;
};

static void run_posts(struct loop *l) {
    /* One round: what is posted from inside a post waits for the next turn. */
    struct loop_post p;
    (void)pthread_mutex_lock(&l->lock);
    for (unsigned left = l->count; left > 0; left--) {
        p = l->posts[l->first];
        l->first = (l->first + 1) % LOOP_POSTS;
        l->count--;
        (void)pthread_mutex_unlock(&l->lock);
        p.fn(p.ctx);
        (void)pthread_mutex_lock(&l->lock);
    }
    (void)pthread_mutex_unlock(&l->lock);
}

static void on_wake(uv_async_t *h) { run_posts(h->data); }

static int open_handles(struct loop *l) {
    int rc = uv_async_init(&l->uv, &l->wake, on_wake);
    if (rc != 0)
        return rc;
    l->wake.data = l;
    return uv_timer_init(&l->uv, &l->turn);
}

int loop_open(struct loop **out, struct err *err) {
    *out = NULL;
    struct loop *l = calloc(1, sizeof *l);
    if (l == NULL)
        return err_set(err, E_NOMEM, "no memory for an event loop");
    int rc = uv_loop_init(&l->uv);
    if (rc != 0) {
        free(l);
        errno = -rc;
        return err_errno(err, "event loop");
    }
    /* A loop that cannot measure its idle time still works. */
    (void)uv_loop_configure(&l->uv, UV_METRICS_IDLE_TIME);
    (void)pthread_mutex_init(&l->lock, NULL);
    if ((rc = open_handles(l)) != 0) {
        loop_close(l);
        errno = -rc;
        return err_errno(err, "event loop");
    }
    *out = l;
    return 0;
}

int loop_run(struct loop *l) {
    (void)uv_run(&l->uv, UV_RUN_DEFAULT);
    return 0;
}

static void on_turn(uv_timer_t *h) { (void)h; }

void loop_turn(struct loop *l, unsigned ms) {
    if (ms == 0) {
        (void)uv_run(&l->uv, UV_RUN_NOWAIT);
        return;
    }
    uv_update_time(&l->uv);
    /* Again and again: libuv runs timers before it waits, so one that is due by then (this thread was held up just now)
     * would have gone off, and nothing would end the wait. */
    (void)uv_timer_start(&l->turn, on_turn, ms, ms);
    (void)uv_run(&l->uv, UV_RUN_ONCE);
    (void)uv_timer_stop(&l->turn);
}

void loop_stop(struct loop *l) { uv_stop(&l->uv); }

int64_t loop_now_ms(const struct loop *l) { return (int64_t)uv_now(&l->uv); }

int loop_post(struct loop *l, void (*fn)(void *ctx), void *ctx) {
    int rc = 0;
    (void)pthread_mutex_lock(&l->lock);
    if (l->closing) {
        rc = E_CLOSED;
    } else if (l->count == LOOP_POSTS) {
        rc = E_FULL;
    } else {
        l->posts[(l->first + l->count) % LOOP_POSTS] = (struct loop_post){fn, ctx};
        l->count++;
        /* Under the lock: loop_close cannot free the handle in between. */
        (void)uv_async_send(&l->wake);
    }
    (void)pthread_mutex_unlock(&l->lock);
    return rc;
}

static void on_job(uv_work_t *req) {
    struct loop_job *j = req->data;
    j->work(j->ctx);
}

static void after_job(uv_work_t *req, int status) {
    struct loop_job *j = req->data;
    (void)status; /* never cancelled */
    j->loop->works--;
    loop_pool_moved(j->loop);
    if (j->done != NULL)
        j->done(j->ctx);
    free(j);
}

int loop_work(struct loop *l, void (*work)(void *ctx), void (*done)(void *ctx), void *ctx) {
    if (loop_closing(l))
        return E_CLOSED;
    struct loop_job *j = calloc(1, sizeof *j);
    if (j == NULL)
        return E_NOMEM;
    *j = (struct loop_job){.loop = l, .work = work, .done = done, .ctx = ctx};
    j->req.data = j;
    if (uv_queue_work(&l->uv, &j->req, on_job, after_job) != 0) {
        free(j);
        return E_SYSTEM;
    }
    l->works++;
    l->pool.used = true;
    return 0;
}

void loop_own(struct loop *l, struct loop_owned *o, enum loop_owned_kind kind, void (*close)(struct loop_owned *o)) {
    o->kind = kind;
    o->close = close;
    o->prev = NULL;
    o->next = l->owned[kind];
    if (o->next != NULL)
        o->next->prev = o;
    l->owned[kind] = o;
}

void loop_disown(struct loop *l, struct loop_owned *o) {
    if (o->prev != NULL)
        o->prev->next = o->next;
    else
        l->owned[o->kind] = o->next;
    if (o->next != NULL)
        o->next->prev = o->prev;
}

/* Only this thread writes it, so that it needs no lock here. */
bool loop_closing(struct loop *l) { return l->closing; }

uint8_t *loop_scratch(struct loop *l) {
    if (l->scratch == NULL)
        l->scratch = malloc(LOOP_SCRATCH);
    return l->scratch;
}

static void close_handles(struct loop *l) {
    loop_beat_stop(l);
    for (unsigned i = 0; i < LOOP_OWNED_KINDS; i++)
        while (l->owned[i] != NULL)
            l->owned[i]->close(l->owned[i]);
    if (l->wake.data != NULL)
        uv_close((uv_handle_t *)&l->wake, NULL);
    if (l->turn.type == UV_TIMER)
        uv_close((uv_handle_t *)&l->turn, NULL);
}

static void free_loop(struct loop *l) {
    int rc = uv_loop_close(&l->uv);
    if (rc != 0) {
        LOG(LEVEL_ERROR, "event loop still busy, memory left", KS("why", uv_strerror(rc)));
        return;
    }
    (void)pthread_mutex_destroy(&l->lock);
    free(l->scratch);
    free(l);
}

void loop_close(struct loop *l) {
    if (l == NULL)
        return;
    (void)pthread_mutex_lock(&l->lock);
    l->closing = true;
    (void)pthread_mutex_unlock(&l->lock);
    run_posts(l);
    close_handles(l);
    /* Returns 0 only when nothing is active; a loop_stop() from a `done` makes it return before that. */
    while (uv_run(&l->uv, UV_RUN_DEFAULT) != 0)
        ;
    free_loop(l);
}
