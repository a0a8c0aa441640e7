/* candor history: the last commits of a zone. */
#include <stdio.h>
#include <string.h>

#include "health/command/ask.h"
#include "health/command/command.h"
#include "health/command/out.h"

static void show(const json_t *history) {
    struct out_table *t = out_table_new(8);
    const json_t *h;
    size_t i;
    out_row(t, "serial", "time", "from", "added", "removed", "entries", "digest", "reason");
    json_array_foreach(history, i, h) {
        char serial[24], added[32], removed[32], entries[32];
        (void)snprintf(serial, sizeof serial, "%llu", (unsigned long long)ask_number(h, "serial"));
        out_row(t, serial, ask_text(h, "time"), ask_text(h, "source"), out_count(added, ask_number(h, "added")),
                out_count(removed, ask_number(h, "removed")), out_count(entries, ask_number(h, "entries")),
                ask_text(h, "digest"), ask_text(h, "reason"));
    }
    out_table_print(t, stdout, "");
}

static int history(const struct args *a) {
    struct conf *conf;
    struct err err = {0};
    json_t *answer = NULL;
    if (args_config(a, &conf) < 0)
        return EXIT_TROUBLE;
    int rc =
        ask_sync(conf, json_pack("{s:s,s:s}", "command", "history", "zone", a->at[0]), ASK_QUICK_MS, &answer, &err);
    conf_free(conf);
    if (rc < 0) {
        fprintf(stderr, "candor history: %s\n", err.text);
        return EXIT_TROUBLE;
    }
    show(json_object_get(answer, "history"));
    json_decref(answer);
    return EXIT_WELL;
}

const struct command command_history = {
    .name = "history",
    .synopsis = "ZONE",
    .summary = "the commits of a zone: serial, time, source, how much changed, digest",
    .manual = "Newest first. Exit code 0; 2 when the zone is not on this node or candor-sync does not answer.",
    .options = OPTION_CONFIG,
    .min_args = 1,
    .max_args = 1,
    .run = history,
};
