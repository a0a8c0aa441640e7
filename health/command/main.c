/* candor: dispatches over the table of sub-commands. */
#include <stdio.h>
#include <string.h>

#include "health/command/command.h"

static const struct command *const commands[] = {
    &command_run, &command_check, &command_status, &command_publish, &command_lookup, &command_why, &command_history,
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static const struct command *find(const char *name) {
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static void overview(FILE *to) {
    fprintf(to, "usage: candor COMMAND [ARGUMENT...] [-c FILE]\n\n");
    for (int i = 0; i < COMMANDS; i++)
        fprintf(to, "  %-13s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(to, "  %-13s %s\n  %-13s %s\n", "help", "this text, or the manual of a command: candor help COMMAND",
            "version", "prints the version");
    fprintf(to, "\nWithout -c FILE the file is $CANDOR_CONFIG, else /etc/candor/candor.yaml, else the defaults.\n");
}

static void manual(FILE *to, const struct command *c) {
    fprintf(to, "usage: candor %s%s%s%s%s%s [-c FILE]\n\n%s\n", c->name, c->synopsis[0] != '\0' ? " " : "", c->synopsis,
            (c->options & OPTION_JSON) != 0 ? " [--json]" : "",
            (c->options & OPTION_DRY_RUN) != 0 ? " [--dry-run]" : "",
            (c->options & OPTION_FORCE) != 0 ? " [--force REASON]" : "", c->manual);
}

static int help(const char *topic) {
    const struct command *c = topic != NULL ? find(topic) : NULL;
    if (c != NULL) {
        manual(stdout, c);
        return EXIT_WELL;
    }
    overview(topic != NULL ? stderr : stdout);
    return topic != NULL ? EXIT_USAGE : EXIT_WELL;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        overview(stderr);
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
        overview(stderr);
        return EXIT_USAGE;
    }
    struct args a;
    struct err err = {0};
    if (args_parse(&a, c, argc - 1, argv + 1, &err) < 0) {
        fprintf(stderr, "candor %s: %s\n", name, err.text);
        manual(stderr, c);
        return EXIT_USAGE;
    }
    if (a.help) {
        manual(stdout, c);
        return EXIT_WELL;
    }
    return c->run(&a);
}
