/* Folders, lock, limits, privileges, cache. */
#include "resolver/start.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include "resolver/base/log.h"
#include "resolver/base/privileges.h"

enum { PATH_BYTES = 4096, DESCRIPTORS_WANTED = 65536 };

static int path_make(char to[PATH_BYTES], const char *folder, const char *name, struct err *err) {
    int n = snprintf(to, PATH_BYTES, "%s/%s", folder, name);
    return n < PATH_BYTES ? 0 : err_set(err, E_RANGE, "%s: path too long", folder);
}

int start_folders(const struct conf *conf, struct err *err) {
    int e = privileges_folder(conf->node.state, conf->node.user, err);
    return e != 0 ? e : privileges_folder(conf->node.run, conf->node.user, err);
}

int start_lock(const struct conf *conf, int *fd, struct err *err) {
    char path[PATH_BYTES];
    int e = path_make(path, conf->node.run, "candor-resolver.lock", err);
    if (e != 0)
        return e;
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (*fd < 0)
        return err_errno(err, "%s", path);
    if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    e = errno == EWOULDBLOCK ? err_set(err, E_EXISTS, "%s: another candor-resolver of this node runs", path)
                             : err_errno(err, "%s", path);
    close(*fd);
    *fd = -1;
    return e;
}

void start_descriptors(void) {
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) != 0)
        return;
    struct rlimit more = {DESCRIPTORS_WANTED, DESCRIPTORS_WANTED};
    if (r.rlim_max < DESCRIPTORS_WANTED && setrlimit(RLIMIT_NOFILE, &more) == 0)
        return;
    r.rlim_cur = r.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &r) != 0)
        LOG(LEVEL_WARN, "descriptor limit stays as it is", KI("errno", errno));
}

int start_cache(const struct conf *conf, struct cache **cache, struct err *err) {
    const struct conf_cache *from = &conf->resolver.cache;
    char path[PATH_BYTES];
    int e = path_make(path, conf->node.state, "cache", err);
    if (e != 0)
        return e;
    struct cache_config config = {.path = path,
                                  .size = from->size,
                                  .persist = from->persist,
                                  .monotonic = from->clock_monotonic,
                                  .min_ttl_s = from->min_ttl_s,
                                  .max_ttl_s = from->max_ttl_s,
                                  .max_negative_ttl_s = from->max_negative_ttl_s};
    return cache_open(cache, &config, err);
}
