/* The operator's command, `candor`: a table of sub-commands, each a file of this room with one entry of it.
 *
 * Exit codes: 0 well, 1 and 2 as each sub-command says, 3 (EXIT_USAGE) for a command line that is wrong; `status`
 * follows the Nagios plug-in convention (0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN). Results go to stdout, what went wrong
 * to stderr. */
#ifndef CANDOR_COMMAND_COMMAND_H
#define CANDOR_COMMAND_COMMAND_H

#include <stdbool.h>

#include "resolver/base/conf.h"

enum { EXIT_WELL = 0, EXIT_NOT_LISTED = 1, EXIT_TROUBLE = 2, EXIT_USAGE = 3 };

/* Options a sub-command may take besides --help. */
enum command_option {
    OPTION_CONFIG = 1,
    OPTION_JSON = 2,
    OPTION_DRY_RUN = 4,
    OPTION_FORCE = 8,
};

/* A command line taken apart; texts are argv's own. */
struct args {
    const char *config; /* NULL: not given */
    bool json, dry_run, help;
    const char *force; /* the reason; NULL: not given */
    int count;         /* arguments that are no options, in order */
    char *const *at;
};

struct command {
    const char *name;
    const char *synopsis; /* "ZONE [TYPE:FILE...]" */
    const char *summary;  /* one line for `candor help` */
    const char *manual;   /* for `candor NAME --help` */
    unsigned options;     /* of enum command_option */
    int min_args, max_args;
    int (*run)(const struct args *a); /* exit code */
};

extern const struct command command_run, command_check, command_status, command_publish, command_lookup, command_why,
    command_history;

/* argv[0] is the sub-command's own name. 0, or E_INVALID with a text for the user. Reorders argv: options first. */
int args_parse(struct args *a, const struct command *c, int argc, char **argv, struct err *err) MUST_USE;

/* The file that the options name; else $CANDOR_CONFIG; else /etc/candor/candor.yaml when it is there; else NULL, which
 * means the defaults. */
const char *args_config_path(const struct args *a);

/* Reads it; on failure says why on stderr as conf_read does, and returns its code. */
int args_config(const struct args *a, struct conf **conf) MUST_USE;

#endif
