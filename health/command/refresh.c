/* candor refresh: asks a zone's primaries now. */
#include <stdio.h>

#include "health/command/ask.h"
#include "health/command/command.h"

static int refresh(const struct args *a) {
    struct conf *conf;
    struct err err = {0};
    json_t *answer = NULL;
    if (args_config(a, &conf) < 0)
        return EXIT_TROUBLE;
    json_t *ask = json_pack("{s:s,s:s,s:b}", "command", "refresh", "zone", a->at[0], "whole", (int)a->whole);
    int rc = ask != NULL ? ask_sync(conf, ask, ASK_QUICK_MS, &answer, &err)
                         : err_set(&err, E_INVALID, "the zone is not UTF-8");
    conf_free(conf);
    if (rc < 0) {
        fprintf(stderr, "candor refresh: %s\n", err.text);
        return EXIT_TROUBLE;
    }
    unsigned long long count = ask_number(answer, "primaries");
    printf("%s: asking %llu primar%s%s\n", a->at[0], count, count == 1 ? "y" : "ies",
           a->whole ? ", taking the whole zone" : "");
    json_decref(answer);
    return EXIT_WELL;
}

const struct command command_refresh = {
    .name = "refresh",
    .synopsis = "ZONE",
    .summary = "asks a zone's primaries now",
    .manual =
        "Every primary of the zone is asked for its serial at once, also those that did not answer and would be\n"
        "asked later, and what the limits refused is tried once more. With --whole the zone is taken from the\n"
        "primary with the newest serial as it is there, all of it, even when that is older than what is here: the\n"
        "way out when a primary was set back. Limits and test points count as always. What comes of it is told by\n"
        "`candor sync-status` and the zone's verdict. Exit code 0: asked; 2: the zone has no primaries, or\n"
        "candor-sync does not answer.",
    .options = OPTION_CONFIG | OPTION_WHOLE,
    .min_args = 1,
    .max_args = 1,
    .run = refresh,
};
