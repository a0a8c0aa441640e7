#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "health/command/dropin.h"
#include "resolver/base/bytes.h"

enum { HEALTH_PORT = 5380, HEALTH_PORTS = 20 };

/* Could it be made, or written in when it is there? */
static bool writable(const char *path) {
    char part[DROPIN_PATH];
    struct stat st;
    if (text_copy(part, sizeof part, path) != strlen(path) || path[0] != '/')
        return false;
    while (stat(part, &st) != 0) {
        char *slash = strrchr(part, '/');
        if (errno != ENOENT || slash == NULL)
            return false;
        *(slash == part ? slash + 1 : slash) = '\0';
    }
    return S_ISDIR(st.st_mode) && access(part, W_OK | X_OK) == 0;
}

/* A folder in a place where everybody may write must be ours alone. */
static bool ours(const char *path) {
    struct stat st;
    if (lstat(path, &st) != 0)
        return errno == ENOENT;
    return S_ISDIR(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static bool try(char to[DROPIN_PATH], const char *base, const char *middle, const char *own) {
    if (base == NULL || base[0] != '/')
        return false;
    int size = snprintf(to, DROPIN_PATH, "%s%s%s", base, middle, own);
    return size > 0 && size < DROPIN_PATH - 64 && writable(to);
}

/* systemd gives a list, apart by colons. */
static bool try_given(char to[DROPIN_PATH], const char *list) {
    if (list == NULL || list[0] != '/')
        return false;
    size_t size = strcspn(list, ":");
    if (size >= DROPIN_PATH - 64)
        return false;
    memcpy(to, list, size);
    to[size] = '\0';
    return writable(to);
}

static bool try_shared(char to[DROPIN_PATH], const char *own) {
    char folder[64];
    (void)snprintf(folder, sizeof folder, "/tmp/candor-rbldnsd-%u", (unsigned)geteuid());
    if (!ours(folder) || !try(to, folder, "", own))
        return false;
    return (mkdir(folder, 0700) == 0 || errno == EEXIST) && ours(folder);
}

static int choose_folder(struct dropin *d, const char *own, struct err *err) {
    if (try_given(d->folder, getenv("STATE_DIRECTORY")) || try(d->folder, "/var/lib", "/candor-rbldnsd", own) ||
        try(d->folder, getenv("XDG_STATE_HOME"), "/candor-rbldnsd", own) ||
        try(d->folder, getenv("HOME"), "/.local/state/candor-rbldnsd", own) || try_shared(d->folder, own))
        return 0;
    return err_set(err, E_DENIED,
                   "no folder for the zones can be made in /var/lib, $HOME or /tmp: give --state FOLDER");
}

static char *under(struct dropin *d, const char *name) {
    char path[DROPIN_PATH];
    int size = snprintf(path, sizeof path, "%s/%s", d->folder, name);
    return size < (int)sizeof path ? arena_text(&d->arena, path, (size_t)size) : NULL;
}

static int choose_run(struct dropin *d, const char *own, struct err *err) {
    char path[DROPIN_PATH];
    if (d->run == NULL && (try_given(path, getenv("RUNTIME_DIRECTORY")) || try(path, "/run", "/candor-rbldnsd", own) ||
                           try(path, getenv("XDG_RUNTIME_DIR"), "/candor-rbldnsd", own)))
        d->run = arena_text(&d->arena, path, strlen(path));
    if (d->run == NULL)
        d->run = under(d, "run");
    return d->run != NULL ? 0 : err_set(err, E_NOMEM, "no memory");
}

/* Nobody listens there now. */
static bool port_free(const struct addr *a) {
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_free =
        fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 && bind(fd, &a->sa, addr_len(a)) == 0;
    if (fd >= 0)
        (void)close(fd);
    return is_free;
}

/* Two that start at once must not choose the same port: an abstract name, which like ports is there once in a network
 * namespace and goes with the process, says who has it. */
static bool port_claimed(struct dropin *d, unsigned port) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int size = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "candor-rbldnsd-health-%u", port);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    if (bind(fd, (const struct sockaddr *)&name,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)size)) != 0) {
        (void)close(fd);
        return false;
    }
    d->health_claim = fd;
    return true;
}

/* The first port from 5380 on that is free and nobody else has chosen. */
static int choose_health(struct dropin *d, struct err *err) {
    for (unsigned i = 0; i < HEALTH_PORTS && addr_len(&d->health) == 0; i++) {
        struct addr a;
        if (addr_parse(&a, "127.0.0.1", (uint16_t)(HEALTH_PORT + i), err) < 0 || !port_claimed(d, HEALTH_PORT + i))
            continue;
        if (port_free(&a)) {
            d->health = a;
            return 0;
        }
        (void)close(d->health_claim);
        d->health_claim = -1;
    }
    return addr_len(&d->health) > 0
               ? 0
               : err_set(err, E_EXISTS, "ports %d to %d of 127.0.0.1 are taken: give --health ADDRESS@PORT",
                         HEALTH_PORT, HEALTH_PORT + HEALTH_PORTS - 1);
}

int dropin_place(struct dropin *d, struct err *err) {
    char own[ADDR_TEXT_MAX + 16], host[ADDR_TEXT_MAX];
    /* By the first address: the same command line finds its zones again, and two of them do not meet. */
    (void)snprintf(own, sizeof own, "/%s-%u", addr_host_text(&d->listen[0], host), addr_port(&d->listen[0]));
    int rc = 0;
    if (d->state != NULL) {
        if (text_copy(d->folder, sizeof d->folder, d->state) >= DROPIN_PATH - 64)
            return err_set(err, E_RANGE, "%s: path too long", d->state);
    } else {
        rc = choose_folder(d, own, err);
    }
    if (rc < 0 || (rc = choose_run(d, own, err)) < 0)
        return rc;
    d->state = under(d, "state");
    return d->state != NULL ? choose_health(d, err) : err_set(err, E_NOMEM, "no memory");
}
