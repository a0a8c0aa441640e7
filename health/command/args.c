#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "health/command/command.h"

static const char default_path[] = "/etc/candor/candor.yaml";

static const struct {
    char letter;
    unsigned option;
    const char *name;
} letters[] = {
    {'c', OPTION_CONFIG, "--config"},
    {'j', OPTION_JSON, "--json"},
    {'n', OPTION_DRY_RUN, "--dry-run"},
    {'f', OPTION_FORCE, "--force"},
};

static const struct option options[] = {
    {"config", required_argument, NULL, 'c'}, {"json", no_argument, NULL, 'j'}, {"dry-run", no_argument, NULL, 'n'},
    {"force", required_argument, NULL, 'f'},  {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0},
};

static bool allowed(const struct command *c, int letter) {
    if (letter == 'h')
        return true;
    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++)
        if (letters[i].letter == letter)
            return (c->options & letters[i].option) != 0;
    return false;
}

static void take(struct args *a, int letter, const char *value) {
    switch (letter) {
    case 'c':
        a->config = value;
        break;
    case 'j':
        a->json = true;
        break;
    case 'n':
        a->dry_run = true;
        break;
    case 'f':
        a->force = value;
        break;
    default:
        a->help = true;
    }
}

int args_parse(struct args *a, const struct command *c, int argc, char **argv, struct err *err) {
    int letter;
    memset(a, 0, sizeof *a);
    optind = 0; /* begins anew, also when this was called before */
    opterr = 0;
    while ((letter = getopt_long(argc, argv, ":c:h", options, NULL)) != -1) {
        const char *shown = optind > 0 && optind <= argc ? argv[optind - 1] : "";
        if (letter == ':')
            return err_set(err, E_INVALID, "%s wants a value", shown);
        if (letter == '?' || !allowed(c, letter))
            return err_set(err, E_INVALID, "`candor %s` has no option %s", c->name, shown);
        take(a, letter, optarg);
    }
    a->count = argc - optind;
    a->at = argv + optind;
    if (a->help)
        return 0;
    if (a->count < c->min_args)
        return err_set(err, E_INVALID, "missing: %s", c->synopsis);
    if (a->count > c->max_args)
        return err_set(err, E_INVALID, "unexpected argument '%s'", a->at[c->max_args]);
    if (a->force != NULL && a->force[0] == '\0')
        return err_set(err, E_INVALID, "--force wants a reason, which goes into the history of the zone");
    return 0;
}

const char *args_config_path(const struct args *a) {
    const char *path = a->config != NULL ? a->config : getenv("CANDOR_CONFIG");
    if (path != NULL)
        return path;
    return access(default_path, F_OK) == 0 ? default_path : NULL;
}

int args_config(const struct args *a, struct conf **conf) {
    struct err err = {0};
    int rc = conf_read(conf, args_config_path(a), &err);
    if (rc < 0)
        fprintf(stderr, "candor: %s\n", err.text);
    return rc;
}
