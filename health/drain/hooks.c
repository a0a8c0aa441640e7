#include "health/drain/hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "resolver/base/clock.h"
#include "resolver/base/log.h"

enum { ROUTE_TEXT = 96, FIXED_TEXT = 512, OUTPUT_MAX = 512, FILE_MODE = 0644 };

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

static void child(const char *command, const char *word, int out) {
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)setpgid(0, 0);
    int null = open("/dev/null", O_RDONLY);
    if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(126);
    char *const argv[] = {(char *)command, (char *)word, NULL};
    execv(command, argv);
    _exit(127);
}

/* What it says, up to the bound, until it ends its output or the time is up. */
static void listen_to(int fd, int64_t until_ms, char said[OUTPUT_MAX]) {
    size_t size = 0;
    for (;;) {
        int64_t left = until_ms - clock_mono_ms();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        char rest[OUTPUT_MAX];
        if (left <= 0 || poll(&p, 1, (int)left) <= 0)
            break;
        ssize_t n = read(fd, rest, sizeof rest);
        if (n <= 0)
            break;
        size_t take = (size_t)n < OUTPUT_MAX - 1 - size ? (size_t)n : OUTPUT_MAX - 1 - size;
        memcpy(said + size, rest, take);
        size += take;
    }
    said[size] = '\0';
}

/* 0 when it ended; -1 when it had to be ended. */
static int wait_for(pid_t pid, int64_t until_ms, int *status) {
    while (waitpid(pid, status, WNOHANG) == 0) {
        if (clock_mono_ms() >= until_ms) {
            (void)kill(-pid, SIGKILL);
            (void)kill(pid, SIGKILL);
            (void)waitpid(pid, status, 0);
            return -1;
        }
        (void)poll(NULL, 0, 20);
    }
    return 0;
}

int hook_run(const struct conf_health *conf, bool serve, struct err *err) {
    const char *command = conf->drain.command, *word = serve ? "serve" : "drain";
    int fd[2], status = 0;
    char said[OUTPUT_MAX];
    if (pipe2(fd, O_CLOEXEC) != 0)
        return err_errno(err, "%s", command);
    int64_t until_ms = clock_mono_ms() + HOOK_COMMAND_MS;
    pid_t pid = fork();
    if (pid == 0)
        child(command, word, fd[1]);
    (void)close(fd[1]);
    if (pid < 0) {
        (void)close(fd[0]);
        return err_errno(err, "%s", command);
    }
    listen_to(fd[0], until_ms, said);
    (void)close(fd[0]);
    int late = wait_for(pid, until_ms, &status);
    if (said[0] != '\0')
        LOG(LEVEL_INFO, "the drain command says", KS("command", command), KS("text", said));
    if (late != 0)
        return err_set(err, E_TIMEOUT, "%s %s: not done after %d s, ended", command, word, HOOK_COMMAND_MS / 1000);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    return err_set(err, E_SYSTEM, "%s %s: %s %d", command, word, WIFEXITED(status) ? "exit code" : "signal",
                   WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

void hooks(const struct conf_health *conf, bool serve) {
    struct err err = {.text = ""};
    if (conf->drain.route_file[0] != '\0' && hook_write(conf, serve, &err) < 0)
        LOG(LEVEL_ERROR, "routes cannot be written", KS("why", err.text));
    if (conf->drain.command[0] != '\0' && hook_run(conf, serve, &err) < 0)
        LOG(LEVEL_ERROR, "the drain command failed", KS("why", err.text));
}
