/* candor promote, candor demote: which of a zone's two primaries is the active one. */
#include <stdio.h>
#include <string.h>

#include "health/command/ask.h"
#include "health/command/command.h"
#include "health/command/out.h"

static int turn(const struct args *a, const char *command) {
    struct conf *conf;
    struct err err = {0};
    json_t *answer = NULL;
    char zone[OUT_CELL_MAX];
    if (args_config(a, &conf) < 0)
        return EXIT_TROUBLE;
    json_t *ask = json_pack("{s:s,s:s,s:s?}", "command", command, "zone", a->at[0], "force", a->force);
    int rc = ask != NULL ? ask_sync(conf, ask, ASK_COMMIT_MS, &answer, &err)
                         : err_set(&err, E_INVALID, "the zone or the reason is not UTF-8");
    conf_free(conf);
    if (rc < 0) {
        fprintf(stderr, "candor %s: %s\n", command, err.text);
        return EXIT_TROUBLE;
    }
    out_clean(zone, sizeof zone, a->at[0], strlen(a->at[0]));
    if (a->json)
        (void)json_dumpf(answer, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
    else
        printf("%s: this node is %s now, epoch %llu, serial %llu", zone,
               strcmp(ask_text(answer, "role"), "active") == 0 ? "the active one" : "the standby",
               (unsigned long long)ask_number(answer, "epoch"), (unsigned long long)ask_number(answer, "serial"));
    printf("\n");
    json_decref(answer);
    return EXIT_WELL;
}

static int promote(const struct args *a) { return turn(a, "promote"); }

static int demote(const struct args *a) { return turn(a, "demote"); }

const struct command command_promote = {
    .name = "promote",
    .synopsis = "ZONE",
    .summary = "makes this node the active one of a zone's two primaries",
    .manual =
        "For zones with `pair`. The node takes updates, files and changes by hand from now on; the other one, and all\n"
        "secondaries, follow it. A new epoch begins and the serial jumps forward by a million, so that whatever the\n"
        "former active one commits later is older. When that one comes back it steps down by itself; what it had\n"
        "acknowledged and this node never got is written to a file there, STATE/pairs/ZONE.rescue-EPOCH-SERIAL, and "
        "its\n"
        "health page names it.\n"
        "\n"
        "Refused while the other one answers and is active: `candor demote ZONE` there first, so that nothing is "
        "lost.\n"
        "--force REASON promotes all the same; the other one steps down as soon as it hears of it. Exit code 0: done,\n"
        "durably; 2: not.",
    .options = OPTION_CONFIG | OPTION_JSON | OPTION_FORCE,
    .min_args = 1,
    .max_args = 1,
    .run = promote,
};

const struct command command_demote = {
    .name = "demote",
    .synopsis = "ZONE",
    .summary = "makes this node the standby of a zone's two primaries",
    .manual =
        "For zones with `pair`. The node refuses changes from now on, hands updates on to the other one and follows\n"
        "it. Until `candor promote ZONE` there neither takes any: publishers get SERVFAIL and try again. Exit code 0:\n"
        "done, durably; 2: not.",
    .options = OPTION_CONFIG | OPTION_JSON,
    .min_args = 1,
    .max_args = 1,
    .run = demote,
};
