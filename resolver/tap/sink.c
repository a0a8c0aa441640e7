#include "resolver/tap/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "resolver/base/bytes.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"

enum { LENGTH = 4, CONTROL_START = 2, CONTROL_HEAD = 12 /* an empty length, a length, a type */ };

static void say(struct sink *s, int number) {
    if (s->told)
        return;
    s->told = true;
    LOG(LEVEL_WARN, "dnstap: nobody takes it", KS("path", s->path), KS("why", strerror(number)));
}

/* --- opening and closing */

static int connect_to(const char *path) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct timeval wait = {.tv_sec = SINK_WAIT_MS / 1000, .tv_usec = SINK_WAIT_MS % 1000 * 1000};
    size_t n = strlen(path);
    if (n >= sizeof a.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(a.sun_path, path, n);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) == 0 &&
        connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
        return fd;
    int number = errno;
    if (fd >= 0)
        (void)close(fd);
    errno = number;
    return -1;
}

/* The one of the last run is kept beside it. */
static int create(const char *path) {
    char old[SINK_PATH + sizeof ".old"];
    (void)snprintf(old, sizeof old, "%s.old", path);
    if (rename(path, old) != 0 && errno != ENOENT)
        return -1;
    return open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
}

static fstrm_res sink_open(void *obj) {
    struct sink *s = obj;
    if (s->file && s->tried)
        return fstrm_res_failure;
    s->tried = true;
    s->fd = s->file ? create(s->path) : connect_to(s->path);
    if (s->fd >= 0)
        return fstrm_res_success;
    say(s, errno);
    return fstrm_res_failure;
}

static fstrm_res sink_close(void *obj) {
    struct sink *s = obj;
    s->up = false;
    if (s->fd >= 0)
        (void)close(s->fd);
    s->fd = -1;
    return fstrm_res_success;
}

static fstrm_res sink_destroy(void *obj) {
    (void)sink_close(obj);
    return fstrm_res_success;
}

/* --- octets */

static fstrm_res sink_read(void *obj, void *data, size_t count) {
    struct sink *s = obj;
    uint8_t *to = data;
    while (count > 0) {
        ssize_t n = recv(s->fd, to, count, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            say(s, n < 0 ? errno : ECONNRESET);
            return fstrm_res_failure;
        }
        to += n;
        count -= (size_t)n;
    }
    return fstrm_res_success;
}

static ssize_t put(const struct sink *s, const uint8_t *at, size_t size) {
    return s->file ? write(s->fd, at, size) : send(s->fd, at, size, MSG_NOSIGNAL);
}

static bool put_all(struct sink *s, const struct iovec *v) {
    const uint8_t *at = v->iov_base;
    for (size_t left = v->iov_len; left > 0;) {
        if (s->end_ms != 0 && clock_mono_ms() >= s->end_ms)
            return false;
        ssize_t n = put(s, at, left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            say(s, n < 0 ? errno : EIO);
            return false;
        }
        at += n;
        left -= (size_t)n;
    }
    return true;
}

/* The control frame that ends the negotiation: from here on frames are taken. */
static bool is_start(const struct iovec *v, int count) {
    uint8_t head[CONTROL_HEAD];
    size_t size = 0;
    for (int i = 0; i < count && size < sizeof head; i++) {
        size_t n = v[i].iov_len < sizeof head - size ? v[i].iov_len : sizeof head - size;
        memcpy(head + size, v[i].iov_base, n);
        size += n;
    }
    return size == sizeof head && get_u32(head) == 0 && get_u32(head + 8) == CONTROL_START;
}

/* Frames come as pairs of length and octets. */
static uint64_t frames(const struct iovec *v, int count) {
    uint64_t n = 0;
    for (int i = 0; i + 1 < count; i += 2)
        n += v[i].iov_len == LENGTH && get_u32(v[i].iov_base) == v[i + 1].iov_len && v[i + 1].iov_len > 0;
    return n;
}

static fstrm_res sink_write(void *obj, const struct iovec *v, int count) {
    struct sink *s = obj;
    uint8_t buffer[1 << 16];
    struct iovec together = {buffer, 0};
    for (int i = 0; i < count; i++) {
        if (together.iov_len + v[i].iov_len > sizeof buffer) {
            if (!put_all(s, &together))
                return fstrm_res_failure;
            together.iov_len = 0;
        }
        if (v[i].iov_len > sizeof buffer) {
            if (!put_all(s, &v[i]))
                return fstrm_res_failure;
            continue;
        }
        memcpy(buffer + together.iov_len, v[i].iov_base, v[i].iov_len);
        together.iov_len += v[i].iov_len;
    }
    if (!put_all(s, &together))
        return fstrm_res_failure;
    if (is_start(v, count)) {
        s->up = true;
        s->told = false;
        LOG(LEVEL_INFO, "dnstap: taken", KS("path", s->path));
    } else {
        s->written += frames(v, count);
    }
    return fstrm_res_success;
}

struct fstrm_rdwr *sink_rdwr(struct sink *s) {
    struct fstrm_rdwr *r = fstrm_rdwr_init(s);
    if (r == NULL)
        return NULL;
    fstrm_rdwr_set_destroy(r, sink_destroy);
    fstrm_rdwr_set_open(r, sink_open);
    fstrm_rdwr_set_close(r, sink_close);
    fstrm_rdwr_set_write(r, sink_write);
    if (!s->file)
        fstrm_rdwr_set_read(r, sink_read);
    return r;
}
