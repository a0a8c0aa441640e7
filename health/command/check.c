/* candor check-config: reads the configuration as every program of the node would, and says what came of it. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "health/command/child.h"
#include "health/command/command.h"

extern char **environ;

static void list_addresses(const char *what, const struct conf_list_addr *list) {
    char text[ADDR_TEXT_MAX];
    printf("  %-10s", what);
    for (size_t i = 0; i < list->count; i++)
        printf("%s%s", i > 0 ? ", " : "", addr_text(&list->at[i], text));
    printf("%s\n", list->count == 0 ? "nothing" : "");
}

static void list_dns(const struct conf_resolver *r) {
    char text[ADDR_TEXT_MAX];
    printf("  %-10s", "DNS on");
    for (size_t i = 0; i < r->listen_count; i++)
        printf("%s%s%s", i > 0 ? ", " : "", addr_text(&r->listen[i].address, text), r->listen[i].tls ? " (TLS)" : "");
    printf(", %u worker%s\n", r->workers, r->workers == 1 ? "" : "s");
}

static void list_zone(const struct conf_zone *z) {
    printf("  %-10s%s:", z->catalog != NULL ? "catalog" : z->member ? "member" : "zone", z->name);
    for (size_t i = 0; i < z->data_count; i++)
        printf(" %s (%zu file%s)", conf_dataset_name(z->data[i].type), z->data[i].files.count,
               z->data[i].files.count == 1 ? "" : "s");
    if (z->primaries.count > 0)
        printf(" from %zu primar%s", z->primaries.count, z->primaries.count == 1 ? "y" : "ies");
    if (z->data_count == 0 && z->primaries.count == 0)
        printf(z->catalog != NULL ? " made by this node" : " from updates alone");
    printf("\n");
}

/* What only the resolver can read: local names, which are RRs. It says on stderr what is wrong. Its exit code, or < 0.
 */
static int ask_resolver(const struct conf *conf, struct err *err) {
    char path[4096], name[] = "candor-resolver", option[] = "--check", with[] = "-c", file[4096];
    posix_spawn_file_actions_t quiet;
    pid_t pid;
    int status, rc = child_find(path, sizeof path, name, err);
    if (rc != 0)
        return rc;
    (void)snprintf(file, sizeof file, "%s", conf->path);
    char *argv[] = {name, option, conf->path[0] != '\0' ? with : NULL, file, NULL};
    if (posix_spawn_file_actions_init(&quiet) != 0)
        return err_set(err, E_NOMEM, "no memory");
    rc = posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (rc == 0)
        rc = posix_spawn(&pid, path, &quiet, NULL, argv, environ);
    (void)posix_spawn_file_actions_destroy(&quiet);
    if (rc != 0)
        return err_set(err, E_SYSTEM, "%s: %s", path, strerror(rc));
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_errno(err, "%s", path);
    return WIFEXITED(status) ? WEXITSTATUS(status) : err_set(err, E_SYSTEM, "%s ended by a signal", path);
}

static int check(const struct args *a) {
    struct conf *conf;
    struct err err = {0};
    if (args_config(a, &conf) < 0)
        return EXIT_TROUBLE;
    int rc = ask_resolver(conf, &err);
    if (rc != 0) {
        if (rc < 0)
            (void)fprintf(stderr, "candor: %s\n", err.text);
        conf_free(conf);
        return EXIT_TROUBLE;
    }
    printf("ok: %s\n", conf->path[0] != '\0' ? conf->path : "no file, the defaults");
    printf("  %-10s%s, state %s, run %s\n", "node", conf->node.name, conf->node.state, conf->node.run);
    list_dns(&conf->resolver);
    list_addresses("sync on", &conf->rbl.listen);
    list_addresses("health on", &conf->health.listen);
    for (size_t i = 0; i < conf->rbl.zone_count; i++)
        if (conf->rbl.zones[i].name[0] != '\0')
            list_zone(&conf->rbl.zones[i]);
    for (size_t i = 0; i < conf->resolver.forward_count; i++)
        printf("  forward   %s to %zu server%s\n", conf->resolver.forward[i].zone, conf->resolver.forward[i].to.count,
               conf->resolver.forward[i].to.count == 1 ? "" : "s");
    for (size_t i = 0; i < conf->later.count; i++)
        printf("  later     %s\n", conf->later.at[i]);
    conf_free(conf);
    return EXIT_WELL;
}

const struct command command_check = {
    .name = "check-config",
    .synopsis = "",
    .summary = "reads the configuration and says what is wrong with it",
    .manual =
        "Exit code 0 and a summary when every program of the node would take the file; 2 and the error, with file,\n"
        "line, key and what was expected, when not. Lines that begin with \"later\" name keys that are read and\n"
        "checked, but whose feature this version does not have yet.",
    .options = OPTION_CONFIG,
    .run = check,
};
