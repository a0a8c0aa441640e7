#include "health/drain/service.h"

#include <stdlib.h>

#include "health/drain/agent.h"
#include "health/drain/hooks.h"
#include "resolver/base/aside.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"

enum {
    CLOSE_MS = 1500,
    AGAIN_MS = 30000, /* the file is written anew this often: its time says that it is kept */
    INHERITED_MS = 10000
};

/* What routers are told, by a thread of its own. */
struct teller {
    const struct conf_health *conf;
    bool inherited; /* one before us that ended badly had said that clients may come */
    bool serve;     /* atomic: what is to be told */
};

struct drain_service {
    const struct conf_health *conf;
    struct board *board;
    struct agent *agent;
    struct drain drain;
    bool inherited;
    struct aside *aside; /* NULL: not begun */
    struct teller *teller;
};

static void work(struct aside *a, void *ctx) {
    struct teller *t = ctx;
    struct err err = {.text = ""};
    bool told = t->inherited, closing = false;
    if (!t->inherited)
        hooks(t->conf, false);
    while (!closing) {
        /* Routes that a predecessor left are no reason to come and go: they get a moment to be confirmed. */
        aside_nap(a, t->inherited ? INHERITED_MS : AGAIN_MS);
        t->inherited = false;
        closing = aside_is_closing(a);
        bool serve = __atomic_load_n(&t->serve, __ATOMIC_ACQUIRE) && !closing;
        if (serve != told)
            hooks(t->conf, serve);
        else if (t->conf->drain.route_file[0] != '\0' && hook_write(t->conf, serve, &err) < 0)
            LOG(LEVEL_ERROR, "routes cannot be written", KS("why", err.text));
        told = serve;
    }
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
    s->conf = conf;
    s->board = board;
    drain_open(&s->drain, conf, clock_mono_ms());
    s->inherited = board_get(&board->drain_state) == DRAIN_SERVE;
    show(s, 0);
    int rc = agent_open(&s->agent, conf, err);
    if (rc < 0)
        free(s);
    else
        *out = s;
    return rc;
}

/* Not before privileges were given up: the command is run as whom the node runs as. */
static void start_thread(struct drain_service *s) {
    struct err err = {.text = ""};
    if (s->aside != NULL || (s->conf->drain.route_file[0] == '\0' && s->conf->drain.command[0] == '\0'))
        return;
    struct teller *t = calloc(1, sizeof *t);
    if (t == NULL)
        return; /* the next look tries again */
    *t = (struct teller){.conf = s->conf, .inherited = s->inherited, .serve = s->drain.state == DRAIN_SERVE};
    if (aside_open(&s->aside, work, free, t, &err) < 0)
        LOG(LEVEL_ERROR, "no thread for the drain hooks", KS("why", err.text));
    else
        s->teller = t;
}

void drain_service_look(struct drain_service *s, const struct drain_look *now, int64_t valid_until_ms) {
    start_thread(s);
    bool changed = drain_look(&s->drain, now);
    show(s, valid_until_ms);
    if (!changed)
        return;
    LOG(s->drain.state == DRAIN_SERVE ? LEVEL_INFO : LEVEL_WARN,
        s->drain.state == DRAIN_SERVE ? "clients may come" : "clients are sent elsewhere", KS("why", s->drain.reason));
    if (s->teller == NULL)
        return;
    __atomic_store_n(&s->teller->serve, s->drain.state == DRAIN_SERVE, __ATOMIC_RELEASE);
    aside_wake(s->aside);
}

const struct drain *drain_service_state(const struct drain_service *s) { return &s->drain; }

void drain_service_close(struct drain_service *s) {
    if (s == NULL)
        return;
    board_set(&s->board->drain_state, DRAIN_STARTING);
    board_set(&s->board->drain_until_ms, 0);
    agent_close(s->agent);
    aside_close(s->aside, CLOSE_MS); /* clients are sent elsewhere */
    free(s);
}
