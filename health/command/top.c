/* candor top: the node as it is this second, from the board and the health port alone. */
#include "health/command/top.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "health/command/ask.h"
#include "health/command/command.h"
#include "health/command/health_port.h"
#include "resolver/base/clock.h"

enum { TOP_REFRESH_MS = 1000, TOP_PATIENCE_MS = 400, TOP_SCROLL = 1 };

/* How often a scope's verdict has changed so far. */
static uint64_t changes(const json_t *health) {
    json_t *scopes = json_object_get(health, "scopes"), *scope, *count;
    const char *name, *state;
    uint64_t sum = 0;
    json_object_foreach(scopes, name, scope) json_object_foreach(json_object_get(scope, "transitions"), state, count)
        sum += json_is_integer(count) ? (uint64_t)json_integer_value(count) : 0;
    return sum;
}

/* The history is asked for when something has changed: it is long. */
static void ask_health(struct top *t) {
    uint64_t before = t->health != NULL ? changes(t->health) : UINT64_MAX;
    struct err err = {0};
    json_decref(t->health);
    if (health_port_get(t->conf, "/health", TOP_PATIENCE_MS, &t->health, &t->silence) < 0) {
        t->health = NULL;
        return;
    }
    if (t->history != NULL && changes(t->health) == before)
        return;
    json_decref(t->history);
    if (health_port_get(t->conf, "/history", TOP_PATIENCE_MS, &t->history, &err) < 0)
        t->history = NULL;
}

static void look(struct top *t, bool first) {
    struct top_figures *spare = t->then;
    t->then = t->now;
    t->now = spare;
    top_read(t->now, t->board, clock_mono_ms());
    if (first)
        memset(t->between, 0, sizeof *t->between);
    else
        top_between(t->between, t->then, t->now);
    ask_health(t);
}

static void obey(struct top *t, enum screen_key key) {
    switch (key) {
    case KEY_LEFT:
        t->order = (enum top_order)((t->order + TOP_ORDERS - 1) % TOP_ORDERS);
        break;
    case KEY_RIGHT:
        t->order = (enum top_order)((t->order + 1) % TOP_ORDERS);
        break;
    case KEY_UP:
        t->first_zone -= t->first_zone > 0 ? TOP_SCROLL : 0;
        break;
    case KEY_DOWN:
        t->first_zone += TOP_SCROLL;
        break;
    default:
        break;
    }
}

/* A pipe gets only pages that have rates. */
static int run(struct top *t, struct screen *s, uint64_t times) {
    int64_t due_ms = clock_mono_ms();
    bool first = true;
    for (uint64_t shown = 0; times == 0 || shown < times;) {
        int64_t now = clock_mono_ms();
        if (now >= due_ms) {
            look(t, first);
            due_ms = now + TOP_REFRESH_MS;
            shown += s->live || !first;
        }
        if (s->live || (now >= due_ms - TOP_REFRESH_MS && !first)) {
            top_draw(s, t, clock_mono_ms(), clock_wall_ms());
            if (!screen_end(s))
                return EXIT_WELL;
        }
        first = false;
        if (times > 0 && shown >= times)
            break;
        int64_t wait_ms = due_ms - clock_mono_ms();
        enum screen_key key = screen_wait(s, wait_ms > 0 ? (int)wait_ms : 0);
        if (key == KEY_QUIT)
            break;
        obey(t, key);
    }
    return EXIT_WELL;
}

static int with_memory(struct top *t, bool plain, uint64_t times) {
    struct screen *s = calloc(1, sizeof *s);
    struct err err = {0};
    int code = EXIT_TROUBLE;
    t->then = calloc(1, sizeof *t->then);
    t->now = calloc(1, sizeof *t->now);
    t->between = calloc(1, sizeof *t->between);
    if (s == NULL || t->then == NULL || t->now == NULL || t->between == NULL)
        fprintf(stderr, "candor top: no memory\n");
    else if (screen_open(s, plain, &err) < 0)
        fprintf(stderr, "candor top: %s\n", err.text);
    else {
        code = run(t, s, times);
        screen_close(s);
    }
    json_decref(t->health);
    json_decref(t->history);
    free(t->then);
    free(t->now);
    free(t->between);
    free(s);
    return code;
}

static int read_times(const char *text, uint64_t *times) {
    char *end;
    *times = 0;
    if (text == NULL)
        return 0;
    errno = 0;
    *times = strtoull(text, &end, 10);
    if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *times > 0)
        return 0;
    fprintf(stderr, "candor top: --count wants a number from 1, not '%s'\n", text);
    return E_INVALID;
}

static int top(const struct args *a) {
    struct conf *conf;
    struct err err = {0};
    uint64_t times;
    int code = EXIT_TROUBLE;
    if (read_times(a->times, &times) < 0)
        return EXIT_USAGE;
    if (args_config(a, &conf) < 0)
        return EXIT_USAGE;
    struct top t = {.conf = conf};
    if (!health_port_there(conf, "top"))
        code = EXIT_USAGE;
    else if (board_watch(&t.board, conf->node.run, &err) < 0)
        fprintf(stderr, "candor top: nothing runs here: %s\n", err.text);
    else
        code = with_memory(&t, a->batch, times);
    board_detach(t.board);
    conf_free(conf);
    return code;
}

const struct command command_top = {
    .name = "top",
    .synopsis = "",
    .summary = "the node as it is this second, on a terminal",
    .manual =
        "Verdict and what does not pass; questions per second, answers by source, median and 99th percentile of the\n"
        "time to an answer, share of SERVFAIL; programs and workers with the lag of their loops; upstreams; zones;\n"
        "the last transitions as they come. Rates are of the last second. It reads the board in the run folder and\n"
        "asks the health port; when that one is silent it says so and shows no verdict.\n"
        "\n"
        "q ends; left and right sort the zones by questions, name, entries or last change; up and down scroll them.\n"
        "\n"
        "With --batch, and when stdout or stdin is no terminal, each page is plain text, behind the first second;\n"
        "-n ends it after so many. Exit code 2: nothing runs here.",
    .options = OPTION_CONFIG | OPTION_COUNT | OPTION_BATCH,
    .run = top,
};
