/* The command line's side: blocking, but never for longer than it was told. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "resolver/base/clock.h"
#include "resolver/base/limits.h"
#include "resolver/net/buffer.h"
#include "resolver/net/control.h"
#include "resolver/net/control_path.h"

enum { ASK_READ = 4096, ASK_PAUSE_MS = 10 };

struct ask {
    const char *path;
    int fd;
    int64_t until_ms;
    struct buffer in, out;
    struct err *err;
};

static int64_t real_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / NS_PER_MS;
}

static int too_late(const struct ask *a, const char *what) {
    return err_set(a->err, E_TIMEOUT, "%s: somebody listens there but does not %s: it hangs", a->path, what);
}

/* 0: ready; E_TIMEOUT. A signal does not end the wait. */
static int wait_for(const struct ask *a, short events, const char *what) {
    for (;;) {
        struct pollfd p = {.fd = a->fd, .events = events};
        int64_t left = a->until_ms - real_ms();
        if (left <= 0)
            return too_late(a, what);
        int n = poll(&p, 1, (int)left);
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return err_errno(a->err, "%s: poll", a->path);
    }
}

static int connect_name(struct ask *a, const struct sockaddr_un *name) {
    struct timespec pause = {.tv_nsec = ASK_PAUSE_MS * NS_PER_MS};
    a->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (a->fd < 0)
        return err_errno(a->err, "%s: socket", a->path);
    while (connect(a->fd, (const struct sockaddr *)name, sizeof *name) != 0) {
        if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR)
            return err_set(a->err, E_NOTFOUND, "%s: nobody listens there", a->path);
        if (errno != EAGAIN && errno != EINTR)
            return err_errno(a->err, "%s: connect", a->path);
        if (real_ms() >= a->until_ms) /* its backlog is full; poll() cannot wait for that */
            return too_late(a, "accept");
        (void)nanosleep(&pause, NULL);
    }
    return 0;
}

static int connect_to(struct ask *a) {
    struct control_path path;
    int rc = control_path_open(&path, a->path, a->err);
    if (rc == 0)
        rc = connect_name(a, &path.name);
    control_path_close(&path);
    return rc;
}

static int say(struct ask *a, const char *line) {
    size_t size = strlen(line);
    if (memchr(line, '\n', size) != NULL || size >= LIMIT_CONTROL_LINE)
        return err_set(a->err, E_INVALID, "a request is one line of less than %d bytes", LIMIT_CONTROL_LINE);
    if (!buffer_add(&a->out, line, size) || !buffer_add(&a->out, "\n", 1))
        return err_set(a->err, E_NOMEM, "no memory for a request");
    while (a->out.size > 0) {
        if (buffer_send(&a->out, a->fd) != 0)
            return err_set(a->err, E_CLOSED, "%s: closed before it had read the request", a->path);
        int rc = a->out.size > 0 ? wait_for(a, POLLOUT, "read") : 0;
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int hear(struct ask *a, char **answer) {
    const uint8_t *end = NULL;
    size_t scanned = 0;
    while (end == NULL) {
        int rc = wait_for(a, POLLIN, "answer");
        if (rc != 0)
            return rc;
        rc = buffer_receive(&a->in, a->fd, ASK_READ);
        if (rc == E_NOMEM)
            return err_set(a->err, E_NOMEM, "no memory for an answer");
        if (rc == E_CLOSED || rc == E_SYSTEM)
            return err_set(a->err, E_CLOSED, "%s: closed without an answer", a->path);
        if (a->in.size > scanned)
            end = memchr(buffer_at(&a->in) + scanned, '\n', a->in.size - scanned);
        scanned = a->in.size;
        if (end == NULL && a->in.size > LIMIT_CONTROL_LINE)
            return err_set(a->err, E_FULL, "%s: an answer of more than %d bytes", a->path, LIMIT_CONTROL_LINE);
    }
    size_t size = (size_t)(end - buffer_at(&a->in));
    if ((*answer = malloc(size + 1)) == NULL)
        return err_set(a->err, E_NOMEM, "no memory for an answer");
    memcpy(*answer, buffer_at(&a->in), size);
    (*answer)[size] = '\0';
    return 0;
}

int control_ask(const char *path, const char *line, unsigned timeout_ms, char **answer, struct err *err) {
    struct ask a = {.path = path, .fd = -1, .until_ms = real_ms() + timeout_ms, .err = err};
    *answer = NULL;
    int rc = connect_to(&a);
    if (rc == 0)
        rc = say(&a, line);
    if (rc == 0)
        rc = hear(&a, answer);
    if (a.fd >= 0)
        (void)close(a.fd);
    buffer_free(&a.in);
    buffer_free(&a.out);
    return rc;
}
