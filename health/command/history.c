/* candor history: the last commits of a zone, read from the zone itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health/command/out.h"
#include "health/command/zone.h"

static void show(const struct keep_history *list, unsigned count) {
    struct out_table *t = out_table_new(8);
    out_row(t, "serial", "time", "from", "added", "removed", "entries", "digest", "reason");
    for (unsigned i = 0; i < count; i++) {
        const struct keep_history *h = &list[i];
        char serial[24], time[ZONE_TIME_MAX], added[32], removed[32], entries[32], digest[33];
        (void)snprintf(serial, sizeof serial, "%u", h->serial);
        out_row(t, serial, zone_time(h->wall_s, time), h->source, out_count(added, h->added),
                out_count(removed, h->removed), out_count(entries, h->entries), zone_digest(h->digest, digest),
                h->reason);
    }
    out_table_print(t, stdout, "");
}

static void show_json(const struct keep_history *list, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        const struct keep_history *h = &list[i];
        char time[ZONE_TIME_MAX], digest[33];
        printf("{\"serial\":%u,\"time\":\"%s\",\"source\":", h->serial, zone_time(h->wall_s, time));
        zone_json_text(stdout, h->source, strlen(h->source));
        printf(",\"added\":%llu,\"removed\":%llu,\"entries\":%llu,\"digest\":\"%s\",\"reason\":",
               (unsigned long long)h->added, (unsigned long long)h->removed, (unsigned long long)h->entries,
               zone_digest(h->digest, digest));
        zone_json_text(stdout, h->reason, strlen(h->reason));
        printf("}\n");
    }
}

static int history(const struct args *a) {
    struct zone z;
    struct err err = {0};
    unsigned count = 0;
    int code = zone_open(&z, a, "history", a->at[0]);
    struct keep_history *list = calloc(LIMIT_HISTORY, sizeof *list);
    if (code == 0) {
        int rc = list != NULL ? keep_history(z.keep, list, LIMIT_HISTORY, &count, &err)
                              : err_set(&err, E_NOMEM, "no memory");
        if (rc == 0)
            (a->json ? show_json : show)(list, count);
        else
            fprintf(stderr, "candor history: %s\n", err.text);
        code = rc == 0 ? EXIT_WELL : EXIT_TROUBLE;
    }
    free(list);
    zone_close(&z);
    return code;
}

const struct command command_history = {
    .name = "history",
    .synopsis = "ZONE",
    .summary = "the commits of a zone: serial, time, source, how much changed, digest",
    .manual = "Newest first, the last 1024 at most, read from the zone itself: candor-sync need not run. --json: one\n"
              "object a line. Exit code 0; 2 when the zone is not on this node or can not be read.",
    .options = OPTION_CONFIG | OPTION_JSON,
    .min_args = 1,
    .max_args = 1,
    .run = history,
};
