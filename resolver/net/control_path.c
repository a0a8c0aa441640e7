#include "resolver/net/control_path.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int control_path(struct sockaddr_un *to, const char *path, struct err *err) {
    size_t size = strlen(path);
    *to = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (size == 0 || size >= sizeof to->sun_path)
        return err_set(err, E_RANGE, "%s: the path of a socket has at most %zu bytes", path, sizeof to->sun_path - 1);
    memcpy(to->sun_path, path, size);
    return 0;
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

int control_listen(const struct sockaddr_un *path, int backlog, struct err *err) {
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
