/* candor status: what candor-health says of the node, and what the board shows, on one screen with a plug-in's exit
 * code. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "health/command/ask.h"
#include "health/command/command.h"
#include "health/command/fetch.h"
#include "health/command/glance.h"
#include "health/command/health_port.h"
#include "health/command/judge.h"
#include "health/command/out.h"
#include "health/command/shown.h"
#include "resolver/base/clock.h"

static const char *colour(enum judge_state s) {
    static const char *const codes[JUDGE_STATES] = {"\033[32m", "\033[33m", "\033[31m", "\033[35m"};
    return isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL ? codes[s] : "";
}

static void first_line(enum judge_state s, const char *sentence, const char *figures) {
    const char *c = colour(s);
    printf("%sCANDOR %s%s - %s%s%s\n", c, judge_name(s), c[0] != '\0' ? "\033[0m" : "", sentence,
           figures[0] != '\0' ? " | " : "", figures);
}

static void figures(char *to, size_t cap, const struct judgement *j, const struct board *b, const struct conf *conf) {
    uint64_t entries = 0, queries = 0;
    for (size_t i = 0; b != NULL && i < conf->rbl.zone_count && i < LIMIT_ZONES; i++)
        entries += board_get(&b->zone[i].entries);
    for (uint64_t i = 0; b != NULL && i < board_get(&b->worker_count) && i < LIMIT_WORKERS; i++)
        for (int p = 0; p < PROTO_COUNT; p++)
            for (int f = 0; f < FAMILY_COUNT; f++)
                queries += board_get(&b->worker[i].queries[p][f]);
    (void)snprintf(to, cap, "checks=%zu pass=%zu warn=%zu fail=%zu unknown=%zu entries=%llu queries=%lluc", j->checks,
                   j->counts[JUDGE_OK], j->counts[JUDGE_WARNING], j->counts[JUDGE_CRITICAL], j->counts[JUDGE_UNKNOWN],
                   (unsigned long long)entries, (unsigned long long)queries);
}

static void tables(const struct board *b, const struct conf *conf) {
    int64_t now_ms = clock_mono_ms(), now_wall_s = clock_wall_s();
    shown_zones(b, conf, now_wall_s, stdout);
    sync_status_line(conf, b, stdout);
    config_status_line(conf, stdout);
    shown_workers(b, now_ms, stdout);
    shown_upstreams(b, conf, now_wall_s, stdout);
    shown_processes(b, now_ms, stdout);
}

/* The health port said nothing: what is known without it. */
static enum judge_state absent(const struct board *b, const char *why, char *sentence, size_t cap) {
    int64_t now_ms = clock_mono_ms();
    bool any = false;
    for (int r = 0; b != NULL && r < ROLE_COUNT; r++)
        any |= shown_life(&b->process[r], now_ms) >= SHOWN_BEATING;
    if (!any) {
        (void)snprintf(sentence, cap, "nothing runs here (%s%s)", why, b == NULL ? "; no board" : "");
        return JUDGE_UNKNOWN;
    }
    const struct board_process *health = &b->process[ROLE_HEALTH];
    enum shown_life life = shown_life(health, now_ms);
    char age[32];
    if (life == SHOWN_STILL)
        (void)snprintf(sentence, cap, "candor-health hangs: its heartbeat is %s old (%s)",
                       out_age(age, shown_age_s(board_get(&health->heartbeat_ms), now_ms)), why);
    else
        (void)snprintf(sentence, cap, "%s (%s)",
                       life == SHOWN_BEATING ? "candor-health runs, but its port gives no answer"
                                             : "the node runs without candor-health",
                       why);
    return JUDGE_CRITICAL;
}

static void print_json(json_t *doc, enum judge_state s, const char *sentence) {
    json_t *own = NULL;
    if (doc == NULL)
        own = doc = json_pack("{s:s,s:s}", "status", s == JUDGE_CRITICAL ? "fail" : "unknown", "output", sentence);
    (void)json_dumpf(doc, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(own);
}

static enum judge_state report(const struct args *a, const struct conf *conf, const struct board *b) {
    struct judgement j = {0};
    struct err err = {0};
    char line[256] = "";
    json_t *doc = NULL;
    int rc = health_port_get(conf, "/health", FETCH_TIMEOUT_MS, &doc, &err);
    if (rc == 0 || rc == E_INVALID) {
        judge(&j, doc);
        figures(line, sizeof line, &j, b, conf);
    } else {
        j.state = absent(b, err.text, j.sentence, sizeof j.sentence);
    }
    if (a->json) {
        print_json(doc, j.state, j.sentence);
    } else {
        first_line(j.state, j.sentence, line);
        glance_scopes(doc, stdout);
        judge_print_checks(doc, stdout);
        glance_availability(doc, stdout);
        glance_peers(doc, stdout);
        if (b != NULL)
            tables(b, conf);
    }
    json_decref(doc);
    return j.state;
}

static int status(const struct args *a) {
    struct conf *conf;
    const struct board *b = NULL;
    struct err err = {0};
    if (args_config(a, &conf) < 0)
        return JUDGE_UNKNOWN;
    if (!health_port_there(conf, "status")) {
        conf_free(conf);
        return JUDGE_UNKNOWN;
    }
    if (board_watch(&b, conf->node.run, &err) < 0)
        b = NULL;
    enum judge_state s = report(a, conf, b);
    board_detach(b);
    conf_free(conf);
    return (int)s;
}

const struct command command_status = {
    .name = "status",
    .synopsis = "",
    .summary = "how the node is, with the exit code of a Nagios plug-in",
    .manual =
        "Asks the health port of this node (/health) and looks at the board in the run folder. First line: CANDOR\n"
        "OK|WARNING|CRITICAL|UNKNOWN - why | figures; then the scopes and since when they are so, each check that "
        "does\n"
        "not pass, availability, peers, zones (those that need attention first), workers, upstreams, processes. Exit "
        "code 0 OK, 1 WARNING, 2 CRITICAL (also when the node runs but its health port is silent),\n"
        "3 UNKNOWN (nothing runs here, or the configuration is wrong). --json prints the document as it came.",
    .options = OPTION_CONFIG | OPTION_JSON,
    .run = status,
};
