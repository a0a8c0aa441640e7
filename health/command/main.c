/* candor: dispatches over the table of sub-commands. */
#include <stdio.h>
#include <string.h>

#include "health/command/command.h"

static const struct command *const commands[] = {
    &command_run,     &command_rbldnsd,  &command_check,    &command_status,      &command_health,
    &command_top,     &command_plugin,   &command_lookup,   &command_why,         &command_publish,
    &command_add,     &command_del,      &command_history,  &command_diff,        &command_export,
    &command_compact, &command_verify,   &command_refresh,  &command_sync_status, &command_promote,
    &command_demote,  &command_zone_add, &command_zone_del, &command_catalog,     &command_config,
    &command_drain,   &command_cache,    &command_flush,    &command_dump_cache,  &command_load_cache,
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static const struct command *find(const char *name) {
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static int help(const char *topic) {
    const struct command *c = topic != NULL ? find(topic) : NULL;
    if (c != NULL) {
        manual_command(stdout, c);
        return EXIT_WELL;
    }
    if (topic != NULL && strcmp(topic, "--man") == 0) {
        manual_roff(stdout, commands, COMMANDS);
        return EXIT_WELL;
    }
    manual_overview(topic != NULL ? stderr : stdout, commands, COMMANDS);
    return topic != NULL ? EXIT_USAGE : EXIT_WELL;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        manual_overview(stderr, commands, COMMANDS);
        return EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return help(argc > 2 ? argv[2] : NULL);
    if (strcmp(name, "version") == 0 || strcmp(name, "--version") == 0) {
        printf("candor %s\n", CANDOR_VERSION);
        return EXIT_WELL;
    }
    const struct command *c = find(name);
    if (c == NULL) {
        fprintf(stderr, "candor: unknown command '%s'\n\n", name);
        manual_overview(stderr, commands, COMMANDS);
        return EXIT_USAGE;
    }
    if (c->run_raw != NULL)
        return c->run_raw(argc - 1, argv + 1);
    struct args a;
    struct err err = {0};
    if (args_parse(&a, c, argc - 1, argv + 1, &err) < 0) {
        fprintf(stderr, "candor %s: %s\n", name, err.text);
        manual_command(stderr, c);
        return EXIT_USAGE;
    }
    if (a.help) {
        manual_command(stdout, c);
        return EXIT_WELL;
    }
    return c->run(&a);
}
