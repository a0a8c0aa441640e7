/* candor-health: asks the node from outside, judges, and shows what it knows. Composes the prober (its loop), the
 * verdicts and the health port (threads of its own).
 *
 * It shares the board and nothing else with the node, touches no zone, and resolves no name. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "health/drain/service.h"
#include "health/probe/config.h"
#include "health/probe/prober.h"
#include "health/snmp/agent.h"
#include "health/web/detail.h"
#include "health/web/pulse.h"
#include "health/web/web.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"
#include "resolver/base/privileges.h"
#include "resolver/base/process.h"

enum {
    PUBLISH_MS = 1000,   /* a snapshot at least this often, ... */
    PUBLISH_SHARE = 400, /* ... or as keeps rendering to a four-hundredth of a core, but each local interval at least */
    PUBLISH_CHANGED_MS = 50,   /* after a transition, ... */
    PUBLISH_CHANGED_SHARE = 10 /* ... or as keeps it to a tenth */
};

struct health {
    struct conf *conf;
    struct remote_now remote; /* what of it comes from a catalog */
    struct board *board;
    struct loop *loop;
    struct prober *prober;
    struct web *web;
    struct drain_service *drain;
    int64_t drained_ms; /* when that was last weighed */
    bool was_ready;
    struct snapshot_source source;
    struct pulse pulse;
    struct ledger *ledger;
    int64_t noted_ms;
    int64_t detailed_ms; /* when the detail was made, and of which state of the book */
    uint64_t detailed;
    uint64_t sequence, revision, logged;
    int64_t published_ms, cost_us; /* CPU time of the last rendering */
};

static void on_stop(void *ctx, int signum) {
    struct health *h = ctx;
    LOG(LEVEL_INFO, "stopping", KI("signal", signum));
    loop_stop(h->loop);
}

static void log_transitions(const struct health *h) {
    const struct history_entry *e;
    for (size_t back = (size_t)(h->source.book->scopes.total - h->logged); back-- > 0;)
        if ((e = history_at(&h->source.book->scopes, back)) != NULL)
            LOG(e->to == VERDICT_PASS ? LEVEL_INFO : LEVEL_WARN, "verdict", KS("scope", verdict_scope_name(e->scope)),
                KS("from", verdict_state_name(e->from)), KS("to", verdict_state_name(e->to)), KS("cause", e->cause));
}

/* CPU time, not time on the wall: on a busy machine rendering takes long, and costs no more for that. */
static int64_t cpu_us(void) {
    struct timespec t = {0};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void publish(struct health *h, int64_t now) {
    int64_t began_us = cpu_us();
    h->source.config = prober_config(h->prober);
    pulse_note(&h->pulse, h->board, now);
    struct snapshot *s = snapshot_make(&h->source, h->sequence + 1, now, clock_wall_ms());
    if (s == NULL) {
        LOG(LEVEL_ERROR, "no memory to render the verdicts");
        return;
    }
    h->sequence++;
    h->published_ms = now;
    h->revision = h->source.book->revision;
    board_set(&h->board->process[ROLE_HEALTH].ready, s->ready);
    web_publish(h->web, s);
    h->cost_us = cpu_us() - began_us;
}

/* Once a local interval, and soon after each transition; sinks get it, and the events, with the next report. */
static void refresh_detail(struct health *h, int64_t now) {
    bool changed = h->detailed != h->source.book->revision;
    if (changed || now - h->detailed_ms >= (int64_t)h->conf->health.interval.local_ms) {
        struct detail *d = detail_render(&h->source, h->sequence + 1, now, clock_wall_ms());
        h->detailed_ms = now;
        h->detailed = h->source.book->revision;
        if (d != NULL) {
            detail_unref(h->source.detail);
            h->source.detail = d;
        }
    }
}

static int64_t publish_pause_ms(const struct health *h, bool changed) {
    int64_t most = h->conf->health.interval.local_ms;
    int64_t least = changed ? PUBLISH_CHANGED_MS : most < PUBLISH_MS ? most : PUBLISH_MS;
    int64_t pause = h->cost_us * (changed ? PUBLISH_CHANGED_SHARE : PUBLISH_SHARE) / 1000;
    pause = pause < most ? pause : most;
    return pause > least ? pause : least;
}

/* Whether a run of all probes has just begun or ended: worth telling at once. */
static bool follow_run(struct health *h) {
    struct snapshot_run *run = &h->source.run;
    uint64_t wanted = web_run_wanted(h->web);
    if (wanted != 0) {
        prober_run_now(h->prober);
        *run = (struct snapshot_run){.number = wanted, .began_wall_ms = clock_wall_ms()};
    } else if (run->number == 0 || run->ended_wall_ms != 0) {
        return false;
    }
    run->waiting = prober_run_waiting(h->prober);
    if (run->waiting == 0)
        run->ended_wall_ms = clock_wall_ms();
    return wanted != 0 || run->waiting == 0;
}

/* For who looks without asking: the supervisor, systemd. */
static void tell_board(const struct health *h, int64_t now) {
    const struct verdict_book *book = h->source.book;
    unsigned scope = 0;
    for (unsigned s = 0; s < SCOPE_COUNT && book->overall != VERDICT_PASS; s++)
        if (book->scope[s].present && book->scope[s].state == book->overall) {
            scope = s;
            break;
        }
    board_set(&h->board->verdict_scope, scope);
    board_set(&h->board->verdict_state, book->overall);
    board_set(&h->board->verdict_at_ms, (uint64_t)now);
}

/* Whether clients may come: once a second is enough, and at each change. */
static void weigh_drain(struct health *h, int64_t now) {
    char label[CHECK_ID_MAX + 64], cause[DRAIN_WORDS];
    const struct verdict_book *b = h->source.book;
    size_t first;
    struct drain_look look = {.mono_ms = now, .ready = verdict_ready(b, &first), .cause = cause};
    const struct peers_summary *peers = prober_peers(h->prober);
    if (now - h->drained_ms < PUBLISH_MS && look.ready == h->was_ready)
        return;
    h->drained_ms = now;
    h->was_ready = look.ready;
    (void)snprintf(cause, sizeof cause, "%.100s: %.80s",
                   first < b->count ? verdict_label(&b->checks[first], label, sizeof label) : "not ready",
                   first < b->count ? b->checks[first].evidence.came : "");
    if (peers != NULL)
        look.peers = *peers;
    drain_service_look(h->drain, &look, now + VERDICT_AGE_INTERVALS * (int64_t)h->conf->health.interval.local_ms);
}

static void on_judged(void *ctx) {
    struct health *h = ctx;
    int64_t now = clock_mono_ms();
    if (h->prober == NULL || h->web == NULL)
        return;
    tell_board(h, now);
    weigh_drain(h, now);
    if (h->ledger != NULL)
        ledger_note(h->ledger, h->source.book, h->board, clock_wall_ms(), now - h->noted_ms);
    h->noted_ms = now;
    bool changed = follow_run(h) || h->source.book->revision != h->revision;
    if (now - h->detailed_ms >= publish_pause_ms(h, changed))
        refresh_detail(h, now);
    prober_attach(h->prober, h->ledger != NULL ? ledger_events(h->ledger) : NULL, h->source.detail);
    if (now - h->published_ms >= publish_pause_ms(h, changed))
        publish(h, now);
    if (prober_again(h->prober) && process_is_supervised())
        loop_stop(h->loop);
    log_transitions(h);
    h->logged = h->source.book->scopes.total;
}

/* Without it nothing is forgotten that is judged now: only what happened earlier, or will be asked for later. */
static void open_ledger(struct health *h) {
    char folder[LIMIT_CONF_TEXT + 16];
    snprintf(folder, sizeof(folder), "%s/health", h->conf->node.state);
    h->noted_ms = clock_mono_ms();
    if (ledger_open(&h->ledger, folder, board_get(&h->board->process[ROLE_HEALTH].boot), clock_wall_ms()) < 0)
        LOG(LEVEL_ERROR, "the health history is not kept: no thread or memory for it");
    h->source.ledger = h->ledger;
}

static int health_open(struct health *h, struct err *err) {
    int rc = board_attach(&h->board, h->conf->node.run, err);
    if (rc < 0)
        return rc;
    board_claim(&h->board->process[ROLE_HEALTH]);
    board_set(&h->board->process[ROLE_HEALTH].ready, 0);
    rc = loop_open(&h->loop, err);
    if (rc < 0)
        return rc;
    if (loop_beat(h->loop, &h->board->process[ROLE_HEALTH], NULL) < 0)
        return err_set(err, E_NOMEM, "no memory for the heartbeat");
    if ((rc = loop_signal(h->loop, SIGTERM, on_stop, h, err)) < 0 ||
        (rc = loop_signal(h->loop, SIGINT, on_stop, h, err)) < 0 ||
        (rc = web_open(&h->web, h->conf, h->board, err)) < 0 ||
        (rc = drain_service_open(&h->drain, &h->conf->health, h->board, err)) < 0 ||
        (rc = privileges_drop(h->conf->node.user, err)) < 0 || /* behind the port, before its files */
        (rc = prober_open(&h->prober, h->loop, h->conf, h->board, on_judged, h, err)) < 0)
        return rc;
    h->source = (struct snapshot_source){
        .conf = h->conf, .board = h->board, .book = prober_book(h->prober), .tally = prober_tallies(h->prober)};
    h->source.lived = prober_lived(h->prober);
    h->source.pulse = &h->pulse;
    open_ledger(h);
    h->source.sender = prober_sender(h->prober);
    h->source.system = prober_sample(h->prober);
    h->source.sinks = prober_sinks(h->prober);
    h->source.receivers = prober_receivers(h->prober);
    h->source.watched = prober_watched(h->prober, &h->source.watched_count);
    h->source.peers = prober_peers_known(h->prober);
    h->source.fleet = prober_fleet(h->prober);
    h->published_ms = h->detailed_ms = INT64_MIN / 2;
    return 0;
}

static void health_close(struct health *h) {
    if (h->board != NULL)
        board_set(&h->board->process[ROLE_HEALTH].ready, 0);
    drain_service_close(h->drain);
    web_close(h->web);
    ledger_close(h->ledger); /* behind the doors: they read its events */
    prober_close(h->prober);
    detail_unref(h->source.detail);
    if (h->loop != NULL)
        loop_close(h->loop);
    if (h->board != NULL)
        board_detach(h->board);
    conf_free(h->conf);
}

int main(int argc, char **argv) {
    static struct health h;
    struct err err = {0};
    int rc = process_start("candor-health", argc, argv, &h.conf);
    if (rc != 0)
        return rc;
    conf_remote_load(&h.conf, true, &h.remote);
    snmp_prepare(h.conf);
    rc = health_open(&h, &err);
    if (rc < 0) {
        LOG(LEVEL_ERROR, "cannot start", KS("why", err.text));
        health_close(&h);
        return EXIT_FAILURE;
    }
    LOG(LEVEL_INFO, "started", KS("node", h.conf->node.name), KU("checks", h.source.book->count));
    rc = loop_run(h.loop);
    bool again = prober_again(h.prober) && process_is_supervised();
    if (again)
        h.conf = NULL, h.drain = NULL; /* who waits for routes goes on: the next one is here in a moment */
    health_close(&h);
    if (rc == 0 && again)
        return PROCESS_AGAIN;
    return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
