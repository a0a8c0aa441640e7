/* candor verify, candor compact: work on the whole of a zone, done by candor-sync. */
#include <stdio.h>

#include "health/command/ask.h"
#include "health/command/command.h"
#include "health/command/out.h"

static int ask(const struct args *a, const char *command, json_t **answer) {
    struct conf *conf;
    struct err err = {0};
    if (args_config(a, &conf) < 0)
        return EXIT_TROUBLE;
    int rc = ask_sync(conf, json_pack("{s:s,s:s}", "command", command, "zone", a->at[0]), ASK_COMMIT_MS, answer, &err);
    conf_free(conf);
    if (rc < 0)
        fprintf(stderr, "candor %s: %s\n", command, err.text);
    return rc < 0 ? EXIT_TROUBLE : EXIT_WELL;
}

static int finish(const struct args *a, json_t *answer) {
    if (a->json && answer != NULL) {
        (void)json_dumpf(answer, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
        printf("\n");
    }
    json_decref(answer);
    return EXIT_WELL;
}

static int verify(const struct args *a) {
    json_t *answer = NULL;
    char entries[32];
    int code = ask(a, "verify", &answer);
    if (code != EXIT_WELL)
        return code;
    if (!a->json)
        printf("%s: serial %llu, %s entries, digest %s: as it should be\n", a->at[0],
               (unsigned long long)ask_number(answer, "serial"), out_count(entries, ask_number(answer, "entries")),
               ask_text(answer, "digest"));
    return finish(a, answer);
}

static int compact(const struct args *a) {
    json_t *answer = NULL;
    char bytes[32], took[32];
    int code = ask(a, "compact", &answer);
    if (code != EXIT_WELL)
        return code;
    if (!a->json)
        printf("%s: serial %llu, written anew: %s in %s\n", a->at[0], (unsigned long long)ask_number(answer, "serial"),
               out_bytes(bytes, ask_number(answer, "bytes")),
               out_age(took, (double)ask_number(answer, "micros") / 1e6));
    return finish(a, answer);
}

const struct command command_verify = {
    .name = "verify",
    .synopsis = "ZONE",
    .summary = "counts a zone's entries and their digest again",
    .manual = "Has candor-sync read every entry of the zone and compare number and digest with what its last commit\n"
              "said. Exit code 0: they agree; 2: they do not, or candor-sync does not answer.",
    .options = OPTION_CONFIG | OPTION_JSON,
    .min_args = 1,
    .max_args = 1,
    .run = verify,
};

const struct command command_compact = {
    .name = "compact",
    .synopsis = "ZONE",
    .summary = "writes a zone's file anew without the holes that changes left",
    .manual =
        "Same entries, serial and history in a new generation, packed; the old one answers meanwhile, and nobody\n"
        "waits. candor-sync does so by itself when a file has grown far beyond what it holds. Exit code 0; 2 when\n"
        "it failed: the old generation stays.",
    .options = OPTION_CONFIG | OPTION_JSON,
    .min_args = 1,
    .max_args = 1,
    .run = compact,
};
