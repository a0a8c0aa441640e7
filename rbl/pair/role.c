/* What a pair is at this node, kept over restarts. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rbl/pair/impl.h"
#include "resolver/base/folder.h"

enum { ROLE_TEXT = 1024 };

static bool plain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

int role_path(char to[PAIR_PATH], const char *state, const char *zone, const char *what, struct err *err) {
    char name[3 * NAME_TEXT_MAX + 1];
    size_t at = 0;
    for (const char *c = zone; *c != '\0' && at + 4 < sizeof name; c++) {
        if (plain(*c) && (c != zone || *c != '.'))
            name[at++] = *c;
        else
            at += (size_t)snprintf(name + at, 4, "%%%02X", (unsigned char)*c);
    }
    if (at > 1 && name[at - 1] == '.')
        at--;
    name[at] = '\0';
    if (snprintf(to, PAIR_PATH, "%s/pairs/%s%s", state, name, what) >= PAIR_PATH - 8 || at + strlen(what) > 250)
        return err_set(err, E_RANGE, "zone %.60s: no name for a file", zone);
    return 0;
}

static int parse(struct role_file *r, char *text) {
    char word[16], *rest = NULL;
    int used = 0;
    *r = (struct role_file){0};
    char *line = strtok_r(text, "\n", &rest);
    if (line == NULL || sscanf(line, "%15s %" SCNu32 "%n", word, &r->epoch, &used) != 2 || line[used] != '\0')
        return E_CORRUPT;
    r->active = strcmp(word, "active") == 0;
    if ((!r->active && strcmp(word, "standby") != 0) || r->epoch == 0)
        return E_CORRUPT;
    while (r->forks < PAIR_FORKS && (line = strtok_r(NULL, "\n", &rest)) != NULL) {
        struct fork *f = &r->fork[r->forks++];
        used = 0;
        if (sscanf(line, "from %" SCNu32 " %" SCNu32 "%n", &f->epoch, &f->serial, &used) != 2 || line[used] != '\0')
            return E_CORRUPT;
    }
    return 0;
}

int role_read(struct role_file *r, const char *path, struct err *err) {
    char text[ROLE_TEXT];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? E_NOTFOUND : err_errno(err, "%.300s", path);
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n < 0)
        return err_errno(err, "%.300s", path);
    text[n] = '\0';
    return parse(r, text) == 0 ? 0 : err_set(err, E_CORRUPT, "%.300s: expected a line such as \"active 3\"", path);
}

static int put(int fd, const struct role_file *r, const char *path, struct err *err) {
    char text[ROLE_TEXT];
    size_t n = (size_t)snprintf(text, sizeof text, "%s %" PRIu32 "\n", r->active ? "active" : "standby", r->epoch);
    for (unsigned i = 0; i < r->forks; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "from %" PRIu32 " %" PRIu32 "\n", r->fork[i].epoch,
                              r->fork[i].serial);
    if (write(fd, text, n) != (ssize_t)n || fsync(fd) != 0)
        return err_errno(err, "%.300s", path);
    return 0;
}

static int sync_folder_of(const char *path, struct err *err) {
    char folder[PAIR_PATH];
    text_copy(folder, sizeof folder, path);
    char *slash = strrchr(folder, '/');
    if (slash != NULL)
        *slash = '\0';
    return folder_sync(folder, err);
}

int role_write(const struct role_file *r, const char *path, struct err *err) {
    char beside[PAIR_PATH + 8];
    (void)snprintf(beside, sizeof beside, "%s.new", path);
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0)
        return err_errno(err, "%.300s", beside);
    int rc = put(fd, r, beside, err);
    if (close(fd) != 0 && rc == 0)
        rc = err_errno(err, "%.300s", beside);
    if (rc == 0 && rename(beside, path) != 0)
        rc = err_errno(err, "%.300s", path);
    return rc == 0 ? sync_folder_of(path, err) : rc;
}
