/* The operator's command, `candor`: a table of sub-commands, each a file of this room with one entry of it.
 *
 * Exit codes: 0 well, 1 and 2 as each sub-command says, 3 (EXIT_USAGE) for a command line that is wrong; `status`,
 * `health` and `check` follow the Nagios plug-in convention (0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN), `rbldnsd` what
 * rbldnsd does. Results
 * go to stdout, what went wrong to stderr. */
#ifndef CANDOR_COMMAND_COMMAND_H
#define CANDOR_COMMAND_COMMAND_H

#include <stdbool.h>
#include <stdio.h>

#include "resolver/base/conf.h"

enum { EXIT_WELL = 0, EXIT_NOT_LISTED = 1, EXIT_DIFFERS = 1, EXIT_TROUBLE = 2, EXIT_USAGE = 3 };

/* Options a sub-command may take besides --help; args.c has a line for each. */
enum command_option {
    OPTION_CONFIG = 1,
    OPTION_JSON = 2,
    OPTION_DRY_RUN = 4,
    OPTION_FORCE = 8,
    OPTION_TTL_OF_ENTRY = 16,
    OPTION_FORMAT = 32,
    OPTION_WHOLE = 64,
    OPTION_NOW = 128,
    OPTION_WARNING = 256,
    OPTION_CRITICAL = 512,
    OPTION_TIMEOUT = 1024,
    OPTION_COUNT = 2048,
    OPTION_BATCH = 4096,
    OPTION_ZONE = 8192,
};

/* A command line taken apart; texts are argv's own. An option that was not given is false or NULL. */
struct args {
    bool json, dry_run, help, whole, now, batch, zone;
    const char *config, *force, *ttl_of_entry, *format, *warning, *critical, *timeout, *times;
    int count; /* arguments that are no options, in order */
    char *const *at;
};

struct command {
    const char *name;
    const char *synopsis; /* "ZONE [TYPE:FILE...]" */
    const char *summary;  /* one line for `candor help` */
    const char *manual;   /* for `candor NAME --help` and candor(1): paragraphs apart by an empty line */
    unsigned options;     /* of enum command_option */
    int min_args, max_args;
    int (*run)(const struct args *a); /* exit code */
    /* Instead of all that: takes its command line apart itself. argv[0] is the sub-command's name. */
    int (*run_raw)(int argc, char **argv);
};

extern const struct command command_run, command_check, command_status, command_publish, command_add, command_del,
    command_lookup, command_why, command_history, command_diff, command_export, command_compact, command_verify,
    command_rbldnsd, command_refresh, command_sync_status, command_promote, command_demote, command_zone_add,
    command_zone_del, command_catalog, command_plugin, command_health, command_top, command_drain, command_cache,
    command_flush, command_dump_cache, command_load_cache, command_config;

/* argv[0] is the sub-command's own name. 0, or E_INVALID with a text for the user. Reorders argv: options first. */
int args_parse(struct args *a, const struct command *c, int argc, char **argv, struct err *err) MUST_USE;

/* Calls `each` for every option of the set: "--force REASON" and what it means. */
void args_each(unsigned options, void (*each)(void *ctx, const char *usage, const char *help), void *ctx);

/* The file that the options name; else $CANDOR_CONFIG; else /etc/candor/candor.yaml when it is there; else NULL, which
 * means the defaults. */
const char *args_config_path(const struct args *a);

/* Reads it; on failure says why on stderr as conf_read does, and returns its code. */
int args_config(const struct args *a, struct conf **conf) MUST_USE;

/* The manuals: of all commands, of one, and candor(1) for man. */
void manual_overview(FILE *to, const struct command *const *commands, int count);
void manual_command(FILE *to, const struct command *c);
void manual_roff(FILE *to, const struct command *const *commands, int count);

#endif
