#include "resolver/net/control_path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* sun_path ends after 107 bytes, folders do not: /proc/self/fd/N/NAME is the same socket (proc(5)). */
static int through_folder(struct control_path *to, const char *path, struct err *err) {
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t size = slash != NULL ? (size_t)(slash - path) : 0;
    if (size == 0 || size >= sizeof folder)
        return err_set(err, E_RANGE, "%s: no path for a socket", path);
    memcpy(folder, path, size);
    folder[size] = '\0';
    to->folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (to->folder < 0)
        return errno == ENOENT || errno == ENOTDIR ? err_set(err, E_NOTFOUND, "%s: nobody listens there", path)
                                                   : err_errno(err, "%s", folder);
    int n = snprintf(to->name.sun_path, sizeof to->name.sun_path, "/proc/self/fd/%d%s", to->folder, slash);
    if (n > 0 && (size_t)n < sizeof to->name.sun_path)
        return 0;
    control_path_close(to);
    return err_set(err, E_RANGE, "%s: the name of a socket is too long", path);
}

int control_path_open(struct control_path *to, const char *path, struct err *err) {
    size_t size = strlen(path);
    *to = (struct control_path){.name.sun_family = AF_UNIX, .folder = -1};
    if (size == 0 || size >= sizeof to->name.sun_path)
        return through_folder(to, path, err);
    memcpy(to->name.sun_path, path, size);
    return 0;
}

void control_path_close(struct control_path *p) {
    if (p->folder >= 0)
        (void)close(p->folder);
    p->folder = -1;
}

/* Whether somebody listens there. A backlog that is full answers EAGAIN: it is alive, or at least there. */
static int ask_if_alive(const struct sockaddr_un *path, struct err *err) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(err, "%s: socket", path->sun_path);
    int rc = connect(fd, (const struct sockaddr *)path, sizeof *path) == 0 ? 0 : errno;
    (void)close(fd);
    if (rc == ECONNREFUSED || rc == ENOENT)
        return E_NOTFOUND;
    return err_set(err, E_EXISTS, "%s: somebody listens there already", path->sun_path);
}

static int remove_dead(const struct sockaddr_un *path, struct err *err) {
    struct stat st;
    if (lstat(path->sun_path, &st) != 0)
        return errno == ENOENT ? 0 : err_errno(err, "%s", path->sun_path);
    if (!S_ISSOCK(st.st_mode))
        return err_set(err, E_EXISTS, "%s: there is something that is no socket", path->sun_path);
    int rc = ask_if_alive(path, err);
    if (rc != E_NOTFOUND)
        return rc;
    if (unlink(path->sun_path) != 0 && errno != ENOENT)
        return err_errno(err, "%s", path->sun_path);
    return 0;
}

int control_listen(const struct control_path *at, int backlog, struct err *err) {
    const struct sockaddr_un *path = &at->name;
    const struct sockaddr *name = (const struct sockaddr *)path;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(err, "%s: socket", path->sun_path);
    /* Before bind: the file is never there with another mode (unix(7)); umask() would change that of other threads. */
    int rc = fchmod(fd, 0600);
    if (rc == 0)
        rc = bind(fd, name, sizeof *path);
    if (rc != 0 && errno == EADDRINUSE) {
        rc = remove_dead(path, err);
        if (rc != 0) {
            (void)close(fd);
            return rc;
        }
        rc = bind(fd, name, sizeof *path);
    }
    if (rc != 0 || listen(fd, backlog) != 0) {
        rc = err_errno(err, "%s: %s", path->sun_path, rc != 0 ? "bind" : "listen");
        (void)close(fd);
        return rc;
    }
    return fd;
}
