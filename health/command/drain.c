/* candor drain: whether clients may come here, from the board alone: no port is asked, so a node that hangs is answered
 * for, too. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health/command/command.h"
#include "health/drain/hooks.h"
#include "resolver/base/board.h"
#include "resolver/base/clock.h"

enum { WATCH_MS = 250 };

static volatile sig_atomic_t ended;
static void on_end(int signum) {
    (void)signum;
    ended = 1;
}

struct offer {
    bool known, serve; /* known: fresh enough to be believed */
    enum drain_state state;
    int64_t since_ms;
};

/* The board is looked up anew each time: a node that was started again has another one. */
static struct offer look(const struct conf *conf) {
    const struct board *b;
    struct err err = {.text = ""};
    struct offer o = {.known = false};
    if (board_watch(&b, conf->node.run, &err) < 0)
        return o;
    int64_t now = clock_mono_ms();
    uint64_t state = board_get(&b->drain_state);
    o.known = (int64_t)board_get(&b->drain_until_ms) >= now && state < DRAIN_STATES;
    o.state = o.known ? (enum drain_state)state : DRAIN_STARTING;
    o.serve = o.known && o.state == DRAIN_SERVE;
    o.since_ms = now - (int64_t)board_get(&b->drain_since_ms);
    board_detach(b);
    return o;
}

static int status(const struct conf *conf) {
    struct offer o = look(conf);
    if (!o.known)
        printf("drain: nobody vouches for this node: candor-health does not run, or hangs\n");
    else
        printf("%s: for %lld s; `candor status` says why\n", drain_state_name(o.state), (long long)o.since_ms / 1000);
    return !o.known ? EXIT_TROUBLE : o.serve ? EXIT_WELL : EXIT_DIFFERS;
}

static bool say(const struct conf_health *health, bool serve) {
    char *text = hook_routes(health, serve);
    bool well = text != NULL && fputs(text, stdout) >= 0 && fflush(stdout) == 0;
    free(text);
    return well;
}

/* As a process of ExaBGP: its lines are commands. */
static int watch(const struct conf *conf) {
    struct conf_health health = conf->health;
    struct sigaction end = {.sa_handler = on_end};
    bool serve = false, well;
    health.drain.format = DRAIN_EXABGP;
    (void)sigaction(SIGTERM, &end, NULL);
    (void)sigaction(SIGINT, &end, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    for (well = say(&health, false); well && !ended; (void)poll(NULL, 0, WATCH_MS)) {
        bool now = look(conf).serve;
        if (now != serve)
            well = say(&health, now);
        serve = now;
    }
    if (well)
        (void)say(&health, false);
    return EXIT_WELL;
}

static int drain(const struct args *a) {
    struct conf *conf;
    const char *what = a->count > 0 ? a->at[0] : "status";
    bool watches = strcmp(what, "watch") == 0;
    if (!watches && strcmp(what, "status") != 0) {
        fprintf(stderr, "candor drain: status or watch, not %s\n", what);
        return EXIT_USAGE;
    }
    if (args_config(a, &conf) < 0)
        return EXIT_TROUBLE;
    int code = EXIT_TROUBLE;
    if (watches && conf->health.drain.routes.count == 0)
        fprintf(stderr, "candor drain: health.drain.routes is empty: there is nothing to announce\n");
    else
        code = watches ? watch(conf) : status(conf);
    conf_free(conf);
    return code;
}

const struct command command_drain = {
    .name = "drain",
    .synopsis = "[status|watch]",
    .summary = "whether clients may come to this node, for routers and load balancers",
    .manual =
        "From the board alone: no port is asked. `status`, for scripts such as keepalived's: exit code 0 when clients\n"
        "may come, 1 when they are sent elsewhere, 2 when nobody vouches for the node (candor-health does not run, or\n"
        "hangs). `watch` runs as a process of ExaBGP and prints a line of its API at each change: it announces\n"
        "health.drain.routes while the node serves and withdraws them when it does not, when nobody vouches for it,\n"
        "and when it is ended itself.\n"
        "\n"
        "When a node leaves: health.drain in candor.yaml, and \"Draining\" in docs/health.md.",
    .options = OPTION_CONFIG,
    .min_args = 0,
    .max_args = 1,
    .run = drain,
};
