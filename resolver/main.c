/* candor-resolver: answers DNS from zones, from the cache, and by asking others. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "resolver/base/log.h"
#include "resolver/base/process.h"
#include "resolver/parent.h"
#include "resolver/serve/local_zones.h"

static const char PROGRAM[] = "candor-resolver";

/* Takes `--check` out of the arguments. */
static bool take_check(int *argc, char **argv) {
    bool found = false;
    int kept = 0;
    for (int i = 0; i < *argc; i++) {
        if (i > 0 && strcmp(argv[i], "--check") == 0)
            found = true;
        else
            argv[kept++] = argv[i];
    }
    argv[kept] = NULL;
    *argc = kept;
    return found;
}

/* Under `candor run` the supervisor has said so for all daemons. */
static void tell_later(const struct conf *conf) {
    if (getenv("CANDOR_SUPERVISED") != NULL)
        return;
    for (size_t i = 0; i < conf->later.count; i++)
        if (strncmp(conf->later.at[i], "resolver.", 9) == 0)
            LOG(LEVEL_WARN, "configuration", KS("key", conf->later.at[i]));
}

int main(int argc, char **argv) {
    struct conf *conf = NULL;
    bool check = take_check(&argc, argv);
    int status = process_start(PROGRAM, argc, argv, &conf);
    if (status != 0)
        return status;
    if (check) {
        struct local_zones *locals;
        struct err err = {0};
        if (local_zones_open(&locals, conf, &err) != 0) {
            (void)fprintf(stderr, "%s: %s: %s\n", PROGRAM, conf->path, err.text);
            conf_free(conf);
            return 2;
        }
        local_zones_close(locals);
        printf("%s: %s is good\n", PROGRAM, conf->path[0] != '\0' ? conf->path : "the default configuration");
    } else {
        tell_later(conf);
        status = parent_run(conf);
    }
    conf_free(conf);
    return status;
}
