/* Composes net, serve, iterate, cache and the zones into one worker. */
#include "resolver/worker.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "rbl/answer.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"
#include "resolver/base/rand.h"
#include "resolver/cache/inside.h"
#include "resolver/certified.h"
#include "resolver/iterate/resolve.h"
#include "resolver/net/loop.h"
#include "resolver/sender.h"
#include "resolver/serve/serve.h"
#include "resolver/tapped.h"

enum { IDENTITY_MAX = 256 + 64, CACHE_STEP_MS = 100 };

struct worker {
    const struct worker_plan *plan;
    struct board_worker *slot;
    struct loop *loop;
    struct source source;
    bool source_open;
    struct sender sender;
    struct tapped tapped; /* without a tap: dnstap is off */
    struct resolve *resolve;
    struct serve *serve;
    struct server *server;
    struct certified certified;
    struct loop_timer *wake;
    struct cache_survey survey;
    char identity[IDENTITY_MAX];
};

/* The slot goes on counting where the predecessor was killed; what is a state and not a count begins anew. */
static void slot_claim(struct worker *w) {
    struct board_worker *slot = &w->plan->board->worker[w->plan->index];
    uint64_t boot;
    do
        boot = rand_u64();
    while (boot == 0);
    w->slot = slot;
    board_set(&slot->pid, (uint64_t)getpid());
    board_set(&slot->boot, boot);
    board_set(&slot->in_flight, 0);
    board_set(&slot->tcp_connections, 0);
    board_set(&slot->receive_queue_bytes, 0);
    snprintf(w->identity, sizeof w->identity, "%s/%016llx/%u", w->plan->conf->node.name, (unsigned long long)boot,
             w->plan->index);
}

static void reply_late(void *ctx, const struct client *c, const uint8_t *msg, size_t size) {
    struct worker *w = ctx;
    if (w->tapped.tap != NULL)
        tapped_reply(&w->tapped, c, msg, size);
    server_reply(w->server, c, msg, size);
}

static size_t waiting(void *ctx, uint16_t socket) { return server_waiting(((struct worker *)ctx)->server, socket); }

static void on_wake(void *ctx) { serve_wake(((struct worker *)ctx)->serve); }

/* Without memory for the timer nobody gets a stale answer early; the fresh one, or the end of its time, comes anyway.
 */
static void wake_later(void *ctx, unsigned after_ms) {
    struct worker *w = ctx;
    if (w->wake != NULL)
        loop_timer_again(w->wake, after_ms);
    else
        w->wake = loop_timer_start(w->loop, after_ms, 0, on_wake, w);
}

/* The first worker says for all how full the cache is. */
static void on_survey(void *ctx) {
    struct worker *w = ctx;
    struct board *b = w->plan->board;
    struct cache_figures f;
    if (!cache_measure(w->plan->cache, &w->survey, &f))
        return;
    board_set(&b->cache.answers, f.records[CACHE_ANSWER]);
    board_set(&b->cache.failures, f.records[CACHE_FAILURE]);
    board_set(&b->cache.rrsets, f.records[CACHE_RRSET]);
    board_set(&b->cache.ended, f.ended);
    board_set(&b->cache.octets, f.octets);
}

static int survey_open(struct worker *w) {
    struct board *b = w->plan->board;
    if (w->plan->index != 0 || w->plan->cache == NULL)
        return 0;
    board_set(&b->cache.identity, cache_identity(w->plan->cache));
    board_set(&b->cache.size, cache_size(w->plan->cache));
    return loop_timer_start(w->loop, 0, CACHE_STEP_MS, on_survey, w) != NULL ? 0 : E_NOMEM;
}

static int tap_begin(struct worker *w, struct err *err) {
    const struct conf_dnstap *conf = &w->plan->conf->resolver.dnstap;
    struct tap_config tap = {.conf = conf, .identity = w->identity, .worker = w->plan->index, .stats = w->slot};
    w->tapped = (struct tapped){.clients = conf->clients, .below = w->sender};
    return tap_open(&w->tapped.tap, &tap, err);
}

static int server_begin(struct worker *w, struct err *err) {
    bool told = w->tapped.tap != NULL;
    w->tapped.serve = w->serve;
    int e = server_open(&w->server, w->loop, w->plan->sockets, told ? tapped_handle : serve_handle,
                        told ? tapped_batch : serve_batch, told ? (void *)&w->tapped : w->serve, w->slot, err);
    if (e != 0)
        return e;
    struct server_limits limits = server_default_limits();
    limits.idle_ms = w->plan->conf->resolver.tcp_idle_ms;
    server_set_limits(w->server, &limits);
    return 0;
}

static void on_stop(void *ctx, int signum) {
    struct worker *w = ctx;
    (void)signum;
    loop_stop(w->loop);
}

static int worker_open(struct worker *w, struct err *err) {
    const struct worker_plan *plan = w->plan;
    int e = loop_open(&w->loop, err);
    if (e != 0 || (e = loop_signal(w->loop, SIGTERM, on_stop, w, err)) != 0)
        return e;
    if ((e = answer_open(&w->source, plan->conf, plan->board, err)) != 0)
        return e;
    w->source_open = true;
    answer_count_on(&w->source, plan->board);
    if ((e = net_sender_open(&w->sender, w->loop, plan->conf, err)) != 0 || (e = tap_begin(w, err)) != 0)
        return e;
    bool told = w->tapped.tap != NULL && plan->conf->resolver.dnstap.upstream;
    struct resolve_config resolve = {.conf = plan->conf,
                                     .cache = plan->cache,
                                     .sender = told ? tapped_sender(&w->tapped) : w->sender,
                                     .stats = w->slot};
    if ((e = resolve_open(&w->resolve, &resolve, err)) != 0)
        return e;
    struct serve_config serve = {.conf = plan->conf,
                                 .source = &w->source,
                                 .cache = plan->cache,
                                 .resolve = w->resolve,
                                 .locals = plan->locals,
                                 .cookies = plan->cookies,
                                 .stats = w->slot,
                                 .board = plan->board,
                                 .identity = w->identity,
                                 .reply = reply_late,
                                 .waiting = waiting,
                                 .reply_ctx = w,
                                 .wake = wake_later};
    if ((e = serve_open(&w->serve, &serve, err)) != 0)
        return e;
    e = server_begin(w, err);
    if (e == 0)
        e = certified_open(&w->certified, w->loop, w->server, plan->conf, plan->sockets, w->slot, plan->index, err);
    if (e == 0)
        e = survey_open(w);
    return e != 0 ? e : loop_beat(w->loop, NULL, w->slot);
}

static void worker_close(struct worker *w) {
    resolve_close(w->resolve);
    if (w->server != NULL)
        server_close(w->server);
    certified_close(&w->certified);
    serve_close(w->serve);
    if (w->source_open)
        answer_close(&w->source);
    if (w->sender.ops != NULL)
        net_sender_close(&w->sender);
    if (w->loop != NULL)
        loop_close(w->loop);
    tap_close(w->tapped.tap);
}

int worker_run(const struct worker_plan *plan) {
    struct worker w = {.plan = plan};
    struct err err = {0};
    signal(SIGINT, SIG_IGN); /* a terminal's Ctrl-C reaches everyone: the parent decides */
    signal(SIGHUP, SIG_IGN);
    slot_claim(&w);
    int e = worker_open(&w, &err);
    if (e == 0)
        e = loop_run(w.loop);
    else
        LOG(LEVEL_ERROR, "worker cannot start", KU("worker", plan->index), KS("why", err.text));
    worker_close(&w);
    return e == 0 ? 0 : 1;
}
