#include "health/report/sink.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>

#include "resolver/base/bytes.h"
#include "resolver/base/clock.h"

struct letter {
    struct report report;
    struct letter *next;
};

enum { SINK_IDLE_MS = 60000 };

struct sink {
    unsigned refs; /* atomic: the loop and the thread */
    sink_deliver deliver;
    void (*end)(void *ctx);
    void *ctx;
    struct sink_plan plan;
    pthread_t thread;
    sem_t wake;
    bool closing;          /* atomic */
    struct letter *box;    /* atomic: for the thread, the newest first */
    struct sink_news *out; /* atomic: for the loop */
    uint64_t box_dropped;  /* atomic: letters that the loop took out again, because the thread fetched none */
    size_t box_count;      /* the loop's own, at most what is in the box */
    /* the thread's own */
    struct letter *first, *last; /* fetched and not delivered yet, the oldest first */
    struct sink_news said;
    /* the loop's own */
    struct sink_news taken, shown;
};

static void free_letters(struct letter *l) {
    while (l != NULL) {
        struct letter *next = l->next;
        free(l);
        l = next;
    }
}

/* Who lets go last frees it: a thread that hung may come back when the loop has long gone. */
static void let_go(struct sink *s) {
    if (__atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    free_letters(s->box);
    free_letters(s->first);
    free(s->out);
    (void)sem_destroy(&s->wake);
    free(s);
}

const char *sink_result_name(enum sink_result r) { return r == SINK_DELIVERED ? "delivered" : "failed"; }

static void tell(struct sink *s) {
    struct sink_news *letter = malloc(sizeof *letter);
    if (letter == NULL)
        return; /* the next one will do */
    *letter = s->said;
    free(__atomic_exchange_n(&s->out, letter, __ATOMIC_ACQ_REL));
}

static bool is_closing(const struct sink *s) { return __atomic_load_n(&s->closing, __ATOMIC_ACQUIRE); }

/* Until something is offered, or `ms` are over. */
static void nap(struct sink *s, uint32_t ms) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    while (sem_clockwait(&s->wake, CLOCK_MONOTONIC, &until) != 0 && errno == EINTR)
        ;
    while (sem_trywait(&s->wake) == 0)
        ; /* however many came, they are fetched at once */
}

static void drop_first(struct sink *s) {
    struct letter *gone = s->first;
    if (gone == NULL)
        return;
    s->first = gone->next;
    if (s->first == NULL)
        s->last = NULL;
    s->said.waiting--;
    free(gone);
}

static struct letter *reversed(struct letter *l) {
    struct letter *out = NULL;
    while (l != NULL) {
        struct letter *next = l->next;
        l->next = out;
        out = l;
        l = next;
    }
    return out;
}

/* What came joins the queue; the oldest go when it becomes too long. */
static void fetch(struct sink *s) {
    struct letter *l = reversed(__atomic_exchange_n(&s->box, NULL, __ATOMIC_ACQ_REL));
    while (l != NULL) {
        struct letter *next = l->next;
        l->next = NULL;
        if (s->last != NULL)
            s->last->next = l;
        else
            s->first = l;
        s->last = l;
        s->said.waiting++;
        l = next;
    }
    while (s->said.waiting > s->plan.keep) {
        drop_first(s);
        s->said.dropped++;
    }
    s->said.oldest_wall_ms = s->first != NULL ? s->first->report.wall_ms : 0;
}

/* The oldest; true when it went. */
static bool deliver_first(struct sink *s) {
    struct sink_news *n = &s->said;
    n->busy_since_mono_ms = clock_mono_ms();
    tell(s);
    n->trouble[0] = '\0';
    bool well = s->deliver(s->ctx, &s->first->report, n) == 0;
    n->results[well ? SINK_DELIVERED : SINK_FAILED]++;
    n->busy_since_mono_ms = 0;
    if (well) {
        n->delivered_mono_ms = clock_mono_ms();
        n->delivered_wall_ms = clock_wall_ms();
        n->sequence = s->first->report.sequence;
        n->trouble[0] = '\0';
        drop_first(s);
    } else if (n->trouble[0] == '\0') {
        text_copy(n->trouble, sizeof n->trouble, "it failed");
    }
    fetch(s);
    tell(s);
    return well;
}

static void *work(void *arg) {
    struct sink *s = arg;
    while (!is_closing(s)) {
        fetch(s);
        bool well = s->first == NULL || deliver_first(s);
        if (s->first == NULL || !well)
            nap(s, well ? SINK_IDLE_MS : s->plan.retry_ms);
    }
    s->end(s->ctx);
    let_go(s);
    return NULL;
}

int sink_open(struct sink **out, const struct sink_plan *plan, sink_deliver deliver_fn, void (*end)(void *ctx),
              void *ctx, struct err *err) {
    struct sink *s = calloc(1, sizeof *s);
    *out = NULL;
    if (s == NULL) {
        end(ctx);
        return err_set(err, E_NOMEM, "no memory for a sink of reports");
    }
    s->deliver = deliver_fn;
    s->end = end;
    s->ctx = ctx;
    s->refs = 2;
    s->plan = *plan;
    (void)sem_init(&s->wake, 0, 0);
    int rc = pthread_create(&s->thread, NULL, work, s);
    if (rc != 0) {
        end(ctx);
        free(s);
        errno = rc;
        return err_errno(err, "a thread for reports");
    }
    *out = s;
    return 0;
}

/* The thread has fetched nothing for so long that the box is full: the oldest half of it goes. */
static void thin(struct sink *s) {
    struct letter *all = __atomic_exchange_n(&s->box, NULL, __ATOMIC_ACQ_REL), *l = all;
    size_t keep = s->plan.keep / 2, count = 0;
    for (; l != NULL && count + 1 < keep; l = l->next)
        count++;
    struct letter *rest = l != NULL && keep > 0 ? l->next : all;
    if (l != NULL && keep > 0) {
        l->next = NULL;
        count++;
    } else if (keep > 0) {
        rest = NULL;
    }
    for (struct letter *r = rest; r != NULL; r = r->next)
        __atomic_fetch_add(&s->box_dropped, 1, __ATOMIC_RELAXED);
    free_letters(rest);
    s->box_count = count;
    if (keep > 0)
        __atomic_store_n(&s->box, all, __ATOMIC_RELEASE); /* nobody else puts anything in */
}

void sink_offer(struct sink *s, const struct report *r) {
    struct letter *letter = malloc(sizeof *letter);
    if (letter == NULL)
        return;
    letter->report = *r;
    if (__atomic_load_n(&s->box, __ATOMIC_ACQUIRE) == NULL)
        s->box_count = 0;
    if (s->box_count >= s->plan.keep)
        thin(s);
    letter->next = __atomic_load_n(&s->box, __ATOMIC_ACQUIRE);
    /* The thread alone takes letters away, all at once. */
    while (!__atomic_compare_exchange_n(&s->box, &letter->next, letter, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        ;
    s->box_count++;
    (void)sem_post(&s->wake);
}

const struct sink_news *sink_news(struct sink *s) {
    struct sink_news *letter = __atomic_exchange_n(&s->out, NULL, __ATOMIC_ACQ_REL);
    if (letter != NULL)
        s->taken = *letter;
    free(letter);
    s->shown = s->taken;
    s->shown.dropped += __atomic_load_n(&s->box_dropped, __ATOMIC_RELAXED);
    if (__atomic_load_n(&s->box, __ATOMIC_ACQUIRE) != NULL)
        s->shown.waiting += s->box_count;
    return &s->shown;
}

void sink_close(struct sink *s) {
    struct timespec until;
    if (s == NULL)
        return;
    __atomic_store_n(&s->closing, true, __ATOMIC_RELEASE);
    (void)sem_post(&s->wake);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += SINK_CLOSE_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    if (pthread_timedjoin_np(s->thread, NULL, &until) != 0)
        (void)pthread_detach(s->thread);
    let_go(s);
}
