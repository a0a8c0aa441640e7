/* candor health: every check, or those of a scope, with its evidence. */
#include <string.h>

#include "health/command/ask.h"
#include "health/command/command.h"
#include "health/command/fetch.h"
#include "health/command/health_port.h"
#include "health/command/judge.h"
#include "health/command/out.h"
#include "health/verdict/verdict.h"

/* "of 127.0.0.1@53/udp from port 40000, 1.2 ms" */
static void how(const json_t *check, char *to, size_t cap) {
    const json_t *e = json_object_get(check, "evidence"), *took = json_object_get(e, "tookMs");
    const char *server = ask_text(e, "server");
    size_t at = 0;
    to[0] = '\0';
    if (server[0] != '\0')
        at = (size_t)snprintf(to, cap, "%.80s/%.8s from port %u, ", server, ask_text(e, "proto"),
                              (unsigned)ask_number(e, "sourcePort"));
    if (json_is_number(took) && (server[0] != '\0' || json_number_value(took) > 0))
        (void)snprintf(to + at, cap - at, "%.1f ms", json_number_value(took));
}

static void print_check(void *ctx, const char *name, const json_t *check) {
    struct out_table *t = ctx;
    const json_t *value = json_object_get(check, "observedValue");
    const char *status = ask_text(check, "status"), *time_text = ask_text(check, "time");
    char figure[64] = "", asked[200], clock[16] = "";
    if (json_is_number(value))
        (void)snprintf(figure, sizeof figure, "%.6g %.24s", json_number_value(value), ask_text(check, "observedUnit"));
    if (strlen(time_text) >= 19)
        (void)snprintf(clock, sizeof clock, "%.8s", time_text + 11);
    how(check, asked, sizeof asked);
    out_row(t, status[0] != '\0' ? status : "unknown", name, ask_text(check, "componentId"), clock, figure,
            ask_text(json_object_get(check, "evidence"), "asked"), asked, ask_text(check, "output"));
}

static void print_all(const json_t *doc, const struct judgement *j) {
    struct out_table *t = out_table_new(8);
    printf("%s: %s\n", judge_name(j->state), j->sentence);
    judge_print_scopes(doc, stdout);
    if (j->checks == 0) {
        out_table_free(t);
        return;
    }
    out_row(t, "state", "check", "of", "at (UTC)", "value", "asked", "how", "came back");
    judge_each(doc, print_check, t);
    out_table_print(t, stdout, "  ");
}

static enum judge_state report(const struct args *a, const struct conf *conf) {
    struct judgement j;
    struct err err = {0};
    char path[64] = "/health";
    json_t *doc;
    if (a->count > 0)
        (void)snprintf(path, sizeof path, "/health/%s", a->at[0]);
    int rc = health_port_get(conf, path, FETCH_TIMEOUT_MS, &doc, &err);
    if (rc < 0) {
        fprintf(stderr, "candor health: %s\n", err.text);
        return rc == E_INVALID ? JUDGE_UNKNOWN : JUDGE_CRITICAL;
    }
    judge(&j, doc);
    if (a->json) {
        (void)json_dumpf(doc, stdout, JSON_INDENT(2));
        printf("\n");
    } else {
        print_all(doc, &j);
    }
    json_decref(doc);
    return j.state;
}

static int health(const struct args *a) {
    struct conf *conf;
    if (a->count > 0 && verdict_scope_find(a->at[0]) < 0) {
        fprintf(stderr,
                "candor health: '%s' is no scope: process, worker, resolution, zones, replication, upstream,\n"
                "storage, peers, reporting, monitor\n",
                a->at[0]);
        return JUDGE_UNKNOWN;
    }
    if (args_config(a, &conf) < 0)
        return JUDGE_UNKNOWN;
    enum judge_state s = health_port_there(conf, "health") ? report(a, conf) : JUDGE_UNKNOWN;
    conf_free(conf);
    return (int)s;
}

const struct command command_health = {
    .name = "health",
    .synopsis = "[SCOPE]",
    .summary = "every check with its evidence: what was asked, of whom, what came back",
    .manual =
        "Asks the health port of this node for its verdicts and shows all of them: state, what it is about, when it\n"
        "was seen (UTC), the value, what was asked and how, what came back. Exit code 0 all pass, 1 something warns,\n"
        "2 something fails or the health port is silent, 3 the evidence is too old or the scope has no checks.\n"
        "--json prints the document as it came (application/health+json).",
    .options = OPTION_CONFIG | OPTION_JSON,
    .max_args = 1,
    .run = health,
};
