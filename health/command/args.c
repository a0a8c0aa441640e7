#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "health/command/command.h"
#include "resolver/base/bytes.h"
#include "resolver/base/conf_members.h"

static const char default_path[] = "/etc/candor/candor.yaml";

/* Every option of every command. `value` NULL: a flag, a bool at `at` of struct args; else a text there. */
static const struct {
    unsigned option;
    int letter; /* as getopt returns it; below 256 also the short form */
    const char *name, *value;
    size_t at;
    const char *help;
} table[] = {
    {OPTION_CONFIG, 'c', "config", "FILE", offsetof(struct args, config), "the configuration of the node"},
    {OPTION_JSON, 256, "json", NULL, offsetof(struct args, json), "answer in JSON, for programs"},
    {OPTION_DRY_RUN, 257, "dry-run", NULL, offsetof(struct args, dry_run), "say what would change, change nothing"},
    {OPTION_FORCE, 258, "force", "REASON", offsetof(struct args, force),
     "skip the limits of the zone; the reason goes into its history"},
    {OPTION_TTL_OF_ENTRY, 259, "ttl-of-entry", "TIME", offsetof(struct args, ttl_of_entry),
     "the entries go by themselves after this time: 90s, 30m, 1h, 7d"},
    {OPTION_WHOLE, 261, "whole", NULL, offsetof(struct args, whole), "the whole zone, even when it is older than ours"},
    {OPTION_NOW, 262, "now", NULL, offsetof(struct args, now), "without grace"},
    {OPTION_WARNING, 'w', "warning", "NUMBER", offsetof(struct args, warning), "WARNING above this"},
    {OPTION_CRITICAL, 'C', "critical", "NUMBER", offsetof(struct args, critical), "CRITICAL above this"},
    {OPTION_TIMEOUT, 't', "timeout", "SECONDS", offsetof(struct args, timeout),
     "no answer for so long is CRITICAL (3)"},
    {OPTION_COUNT, 'n', "count", "TIMES", offsetof(struct args, times), "ends by itself after so many refreshes"},
    {OPTION_BATCH, 'b', "batch", NULL, offsetof(struct args, batch), "plain text, for a pipe or a file"},
    {OPTION_ZONE, 263, "zone", NULL, offsetof(struct args, zone), "all names below it, too"},
    {OPTION_FORMAT, 260, "format", "FORMAT", offsetof(struct args, format), "rbldnsd (the default), bind, plain, json"},
};

static void short_form(char *letters, size_t cap, int letter, bool value) {
    size_t n = strlen(letters);
    if (letter < 256 && n + 3 <= cap)
        (void)snprintf(letters + n, cap - n, "%c%s", letter, value ? ":" : "");
}

int args_parse(struct args *a, const struct command *c, int argc, char **argv, struct err *err) {
    struct option options[ARRAY_SIZE(table) + 2];
    char letters[2 * ARRAY_SIZE(table) + 4] = ":h";
    size_t n = 0;
    int letter;
    /* Options of other commands are not in the list at all: getopt then names them as unknown. */
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        if ((c->options & table[i].option) != 0) {
            options[n++] = (struct option){table[i].name, table[i].value != NULL, NULL, table[i].letter};
            short_form(letters, sizeof letters, table[i].letter, table[i].value != NULL);
        }
    options[n++] = (struct option){"help", no_argument, NULL, 'h'};
    options[n] = (struct option){NULL, 0, NULL, 0};
    memset(a, 0, sizeof *a);
    optind = 0; /* begins anew, also when this was called before */
    opterr = 0;
    while ((letter = getopt_long(argc, argv, letters, options, NULL)) != -1) {
        const char *shown = optind > 0 && optind <= argc ? argv[optind - 1] : "";
        if (letter == ':')
            return err_set(err, E_INVALID, "%s wants a value", shown);
        if (letter == '?')
            return err_set(err, E_INVALID, "`candor %s` has no option %s", c->name, shown);
        a->help |= letter == 'h';
        for (size_t i = 0; i < ARRAY_SIZE(table); i++)
            if (table[i].letter == letter && table[i].value != NULL)
                *(const char **)((char *)a + table[i].at) = optarg;
            else if (table[i].letter == letter)
                *(bool *)((char *)a + table[i].at) = true;
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

void args_each(unsigned options, void (*each)(void *ctx, const char *usage, const char *help), void *ctx) {
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        char usage[64];
        if ((options & table[i].option) == 0)
            continue;
        char letter[8] = "";
        if (table[i].letter < 256)
            (void)snprintf(letter, sizeof letter, "-%c, ", table[i].letter);
        (void)snprintf(usage, sizeof usage, "%s--%s%s%s", letter, table[i].name, table[i].value != NULL ? " " : "",
                       table[i].value != NULL ? table[i].value : "");
        each(ctx, usage, table[i].help);
    }
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
    if (rc < 0) {
        fprintf(stderr, "candor: %s\n", err.text);
        return rc;
    }
    /* Zones that came at run time count as those of the file; without their list there are those of the file. */
    rc = conf_read_members(*conf, &err);
    if (rc < 0 && rc != E_NOTFOUND && rc != E_DENIED)
        fprintf(stderr, "candor: zones that were added at run time are not known: %s\n", err.text);
    return 0;
}
