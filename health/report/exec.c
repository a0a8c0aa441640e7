#include "health/report/exec.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "health/report/body.h"
#include "resolver/base/log.h"
#include "resolver/base/runner.h"

struct exec {
    const char *command, *node; /* of the configuration */
    uint64_t failing;           /* number of the event that could not be told; 0: none */
    unsigned tries;             /* for it, so far */
    char given_up[160];         /* why the last event was not told; "": it was */
};

/* The event is JSON already. */
static char *input_of(const struct exec *x, const struct event *e, uint64_t lost) {
    char *event = body_event(e), *text = NULL;
    json_t *node = json_string(x->node);
    char *name = node != NULL ? json_dumps(node, JSON_ENCODE_ANY) : NULL;
    json_decref(node);
    if (event != NULL && asprintf(&text, "{\"node\":%s,\"event\":%s,\"eventsLost\":%llu}\n",
                                  name != NULL ? name : "\"\"", event, (unsigned long long)lost) < 0)
        text = NULL;
    free(event);
    free(name);
    return text;
}

static int run(const struct exec *x, const struct event *e, uint64_t lost, struct sink_news *news) {
    struct err err = {.text = ""};
    char said[RUNNER_SAID];
    char *input = input_of(x, e, lost);
    if (input == NULL) {
        text_copy(news->trouble, sizeof news->trouble, "no memory");
        return E_NOMEM;
    }
    struct runner r = {.command = x->command,
                       .input = input,
                       .input_size = strlen(input),
                       .timeout_ms = EXEC_TIMEOUT_MS,
                       .with_us = true};
    int rc = runner_run(&r, said, &err);
    free(input);
    if (rc == 0)
        return 0;
    said[strcspn(said, "\n")] = '\0';
    size_t path = strlen(x->command); /* who reads this knows it */
    const char *why =
        strncmp(err.text, x->command, path) == 0 && strlen(err.text) > path + 2 ? err.text + path + 2 : err.text;
    (void)snprintf(news->trouble, sizeof news->trouble, "event %llu: %.70s%s%.50s", (unsigned long long)e->sequence,
                   why, said[0] != '\0' ? ": " : "", said);
    for (char *c = news->trouble; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || (unsigned char)*c >= 0x7f)
            *c = '?';
    return rc;
}

static int tell(struct exec *x, const struct event *e, uint64_t lost, struct sink_news *news) {
    int rc = run(x, e, lost, news);
    if (x->failing != e->sequence)
        x->tries = 0;
    x->failing = rc == 0 ? 0 : e->sequence;
    if (rc == 0)
        x->given_up[0] = '\0';
    if (rc == 0 || ++x->tries < EXEC_TRIES)
        return rc;
    text_copy(x->given_up, sizeof x->given_up, news->trouble);
    LOG(LEVEL_ERROR, "a command could not be told of an event and is not told again", KS("command", x->command),
        KU("event", e->sequence), KU("tries", x->tries), KS("why", news->trouble));
    news->events_dropped++;
    x->failing = 0;
    return 0;
}

/* Without an event: could it be run? */
static int ready(const struct exec *x, struct sink_news *news) {
    if (access(x->command, X_OK) == 0)
        return 0;
    struct err err;
    int rc = err_errno(&err, "%.100s", x->command);
    text_copy(news->trouble, sizeof news->trouble, err.text);
    return rc;
}

static int deliver(void *ctx, const struct notice *n, struct sink_news *news) {
    struct exec *x = ctx;
    int rc = n->events == 0 ? ready(x, news) : 0;
    for (size_t i = 0; i < n->events && rc == 0; i++) {
        const struct event *e = n->event[i];
        if (e->kind == EVENT_SCOPE || e->kind == EVENT_START)
            rc = tell(x, e, i == 0 ? n->events_lost : 0, news);
    }
    if (rc == 0)
        text_copy(news->trouble, sizeof news->trouble, x->given_up);
    return rc;
}

int exec_open(struct sink **out, const struct conf *conf, const char *folder, uint32_t retry_ms, struct err *err) {
    struct exec *x = calloc(1, sizeof *x);
    if (x == NULL)
        return err_set(err, E_NOMEM, "no memory for a command");
    x->command = conf->health.exec;
    x->node = conf->node.name;
    struct sink_plan plan = {.keep = 1,
                             .retry_ms = retry_ms,
                             .events = true,
                             .events_anew = true,
                             .no_reports = true,
                             .events_most = 1, /* so that the mark is moved behind each */
                             .folder = folder,
                             .name = "exec"};
    return sink_open(out, &plan, deliver, free, x, err);
}
