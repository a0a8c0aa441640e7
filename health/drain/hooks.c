#include "health/drain/hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "resolver/base/clock.h"
#include "resolver/base/log.h"
#include "resolver/base/runner.h"

enum { ROUTE_TEXT = 96, FIXED_TEXT = 512, FILE_MODE = 0644 };

struct text_out {
    char *at;
    size_t size, cap;
};

__attribute__((format(printf, 2, 3))) static void put(struct text_out *o, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(o->at + o->size, o->cap - o->size, fmt, args);
    va_end(args);
    if (n > 0)
        o->size += (size_t)n < o->cap - o->size ? (size_t)n : o->cap - o->size - 1;
}

static void put_bird(struct text_out *o, const struct conf_list_prefix *routes, bool serve, int family) {
    char text[PREFIX_TEXT_MAX];
    put(o, "protocol static candor%d {\n    ipv%d;\n", family == AF_INET ? 4 : 6, family == AF_INET ? 4 : 6);
    for (size_t i = 0; i < routes->count && serve; i++)
        if (routes->at[i].family == family)
            put(o, "    route %s unreachable;\n", prefix_text(&routes->at[i], text));
    put(o, "}\n");
}

char *hook_routes(const struct conf_health *conf, bool serve) {
    const struct conf_list_prefix *routes = &conf->drain.routes;
    struct text_out o = {.cap = routes->count * ROUTE_TEXT + FIXED_TEXT};
    char text[PREFIX_TEXT_MAX];
    o.at = malloc(o.cap);
    if (o.at == NULL)
        return NULL;
    if (conf->drain.format == DRAIN_EXABGP) {
        for (size_t i = 0; i < routes->count; i++)
            put(&o, "%s route %s next-hop self\n", serve ? "announce" : "withdraw", prefix_text(&routes->at[i], text));
        return o.at;
    }
    put(&o, "# Written by Candor at %lld: this node %s.\n", (long long)clock_wall_s(),
        serve ? "serves" : "does not serve");
    put_bird(&o, routes, serve, AF_INET);
    put_bird(&o, routes, serve, AF_INET6);
    return o.at;
}

static int write_all(int fd, const char *text, size_t size) {
    while (size > 0) {
        ssize_t n = write(fd, text, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        text += n;
        size -= (size_t)n;
    }
    return 0;
}

int hook_write(const struct conf_health *conf, bool serve, struct err *err) {
    char fresh[4096 + 8];
    const char *path = conf->drain.route_file;
    char *text = hook_routes(conf, serve);
    if (text == NULL)
        return err_set(err, E_NOMEM, "no memory for routes");
    if (snprintf(fresh, sizeof fresh, "%s.new", path) >= (int)sizeof fresh) {
        free(text);
        return err_set(err, E_RANGE, "%.100s...: path too long", path);
    }
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    int rc = fd < 0 ? err_errno(err, "%s", fresh) : 0;
    if (rc == 0 && write_all(fd, text, strlen(text)) != 0)
        rc = err_errno(err, "%s", fresh);
    if (fd >= 0 && close(fd) != 0 && rc == 0)
        rc = err_errno(err, "%s", fresh);
    if (rc == 0 && rename(fresh, path) != 0)
        rc = err_errno(err, "%s", path);
    free(text);
    return rc;
}

int hook_run(const struct conf_health *conf, bool serve, struct err *err) {
    const char *command = conf->drain.command;
    char said[RUNNER_SAID];
    int rc = runner_run(
        &(struct runner){.command = command, .word = {serve ? "serve" : "drain"}, .timeout_ms = HOOK_COMMAND_MS}, said,
        err);
    if (said[0] != '\0')
        LOG(LEVEL_INFO, "the drain command says", KS("command", command), KS("text", said));
    return rc;
}

void hooks(const struct conf_health *conf, bool serve) {
    struct err err = {.text = ""};
    if (conf->drain.route_file[0] != '\0' && hook_write(conf, serve, &err) < 0)
        LOG(LEVEL_ERROR, "routes cannot be written", KS("why", err.text));
    if (conf->drain.command[0] != '\0' && hook_run(conf, serve, &err) < 0)
        LOG(LEVEL_ERROR, "the drain command failed", KS("why", err.text));
}
