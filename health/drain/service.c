#include "health/drain/service.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>

#include "health/drain/agent.h"
#include "health/drain/hooks.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"

enum {
    CLOSE_MS = 1500,
    AGAIN_MS = 30000, /* the file is written anew this often: its time says that it is kept */
    INHERITED_MS = 10000
};

/* Of the loop and the thread; who lets go last frees it. */
struct drain_service {
    unsigned refs; /* atomic */
    const struct conf_health *conf;
    struct board *board;
    struct agent *agent;
    struct drain drain;
    bool has_thread, inherited; /* inherited: one before us that ended badly had said that clients may come */
    pthread_t thread;
    sem_t wake;
    bool serve, closing; /* atomic: what is to be told */
};

static void let_go(struct drain_service *s) {
    if (__atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    (void)sem_destroy(&s->wake);
    free(s);
}

static void nap(struct drain_service *s, int ms) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    (void)sem_clockwait(&s->wake, CLOCK_MONOTONIC, &until);
    while (sem_trywait(&s->wake) == 0)
        ;
}

static void *work(void *arg) {
    struct drain_service *s = arg;
    struct err err = {.text = ""};
    bool told = s->inherited, closing = false;
    if (!s->inherited)
        hooks(s->conf, false);
    while (!closing) {
        /* Routes that a predecessor left are no reason to come and go: they get a moment to be confirmed. */
        nap(s, s->inherited ? INHERITED_MS : AGAIN_MS);
        s->inherited = false;
        closing = __atomic_load_n(&s->closing, __ATOMIC_ACQUIRE);
        bool serve = __atomic_load_n(&s->serve, __ATOMIC_ACQUIRE) && !closing;
        if (serve != told)
            hooks(s->conf, serve);
        else if (s->conf->drain.route_file[0] != '\0' && hook_write(s->conf, serve, &err) < 0)
            LOG(LEVEL_ERROR, "routes cannot be written", KS("why", err.text));
        told = serve;
    }
    let_go(s);
    return NULL;
}

static void show(struct drain_service *s, int64_t valid_until_ms) {
    const struct drain *d = &s->drain;
    board_set(&s->board->drain_until_ms, (uint64_t)(valid_until_ms > 0 ? valid_until_ms : 0));
    board_set(&s->board->drain_since_ms, (uint64_t)d->since_ms);
    board_set(&s->board->drain_changes, d->changes);
    board_set(&s->board->drain_state, d->state);
    agent_say(s->agent, d->state, d->reason, valid_until_ms);
}

int drain_service_open(struct drain_service **out, const struct conf_health *conf, struct board *board,
                       struct err *err) {
    struct drain_service *s = calloc(1, sizeof *s);
    *out = NULL;
    if (s == NULL)
        return err_set(err, E_NOMEM, "no memory for draining");
    s->refs = 1;
    s->conf = conf;
    s->board = board;
    (void)sem_init(&s->wake, 0, 0);
    drain_open(&s->drain, conf, clock_mono_ms());
    s->inherited = board_get(&board->drain_state) == DRAIN_SERVE;
    show(s, 0);
    int rc = agent_open(&s->agent, conf, err);
    if (rc < 0) {
        let_go(s);
        return rc;
    }
    *out = s;
    return 0;
}

/* Not before privileges were given up: the command is run as whom the node runs as. */
static void start_thread(struct drain_service *s) {
    if (s->has_thread || (s->conf->drain.route_file[0] == '\0' && s->conf->drain.command[0] == '\0'))
        return;
    (void)__atomic_add_fetch(&s->refs, 1, __ATOMIC_ACQ_REL);
    s->has_thread = pthread_create(&s->thread, NULL, work, s) == 0;
    if (!s->has_thread) {
        LOG(LEVEL_ERROR, "no thread for the drain hooks");
        (void)__atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL); /* not the last one: this side holds one, too */
    }
}

void drain_service_look(struct drain_service *s, const struct drain_look *now, int64_t valid_until_ms) {
    start_thread(s);
    bool changed = drain_look(&s->drain, now);
    show(s, valid_until_ms);
    if (!changed)
        return;
    LOG(s->drain.state == DRAIN_SERVE ? LEVEL_INFO : LEVEL_WARN,
        s->drain.state == DRAIN_SERVE ? "clients may come" : "clients are sent elsewhere", KS("why", s->drain.reason));
    __atomic_store_n(&s->serve, s->drain.state == DRAIN_SERVE, __ATOMIC_RELEASE);
    (void)sem_post(&s->wake);
}

const struct drain *drain_service_state(const struct drain_service *s) { return &s->drain; }

void drain_service_close(struct drain_service *s) {
    struct timespec until;
    if (s == NULL)
        return;
    board_set(&s->board->drain_state, DRAIN_STARTING);
    board_set(&s->board->drain_until_ms, 0);
    agent_close(s->agent);
    s->agent = NULL;
    __atomic_store_n(&s->closing, true, __ATOMIC_RELEASE);
    (void)sem_post(&s->wake);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += CLOSE_MS / 1000;
    until.tv_nsec += CLOSE_MS % 1000 * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    if (s->has_thread && pthread_timedjoin_np(s->thread, NULL, &until) != 0)
        (void)pthread_detach(s->thread);
    let_go(s);
}
