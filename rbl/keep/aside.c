/* Zones that are gone: their folder is renamed to one that no zone can have, and deleted after that. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "rbl/keep/impl.h"
#include "resolver/base/clock.h"
#include "resolver/base/folder.h"
#include "resolver/base/log.h"

/* keep_dir never makes a name that begins with a dot. */
#define ASIDE ".gone-"
enum { ASIDE_MOST = 4096, DEPTH_MOST = 4 };

void keep_set_zone(struct keep *k, const struct conf_zone *zone) { k->zone = zone; }

int keep_set_aside(const char *state, const char *zone, struct err *err) {
    char dir[KEEP_PATH_MAX], aside[KEEP_PATH_MAX + 64], zones[KEEP_PATH_MAX];
    int rc = keep_dir(dir, state, zone, err);
    if (rc < 0)
        return rc;
    (void)snprintf(zones, sizeof zones, "%s/zones", state);
    (void)snprintf(aside, sizeof aside, "%s/" ASIDE "%lld", zones, (long long)clock_ns(CLOCK_KIND_WALL));
    if (rename(dir, aside) < 0)
        return errno == ENOENT ? 0 : err_errno(err, "%s", dir);
    return folder_sync(zones, err);
}

/* Folders of zones hold generations, and those hold files: nothing is deeper. */
static void delete_tree(const char *path, unsigned depth) {
    DIR *d = depth < DEPTH_MOST ? opendir(path) : NULL;
    const struct dirent *e;
    unsigned count = 0;
    while (d != NULL && count++ < ASIDE_MOST && (e = readdir(d)) != NULL) {
        char below[KEEP_PATH_MAX + 320];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        int n = snprintf(below, sizeof below, "%s/%s", path, e->d_name);
        if (n > 0 && (size_t)n < KEEP_PATH_MAX && unlink(below) < 0)
            delete_tree(below, depth + 1);
    }
    if (d != NULL)
        (void)closedir(d);
    if (rmdir(path) < 0 && errno != ENOENT && errno != ENOTDIR)
        LOG(LEVEL_WARN, "what is left of a zone that is gone cannot be deleted", KS("path", path));
}

void keep_delete_aside(const char *state) {
    char path[KEEP_PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/zones", state);
    DIR *d = opendir(path);
    const struct dirent *e;
    unsigned count = 0;
    while (d != NULL && count++ < ASIDE_MOST && (e = readdir(d)) != NULL) {
        char below[KEEP_PATH_MAX + 320];
        int n = strncmp(e->d_name, ASIDE, sizeof ASIDE - 1) == 0
                    ? snprintf(below, sizeof below, "%s/%s", path, e->d_name)
                    : 0;
        if (n > 0 && (size_t)n < KEEP_PATH_MAX)
            delete_tree(below, 0);
    }
    if (d != NULL)
        (void)closedir(d);
}
