#include "resolver/net/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "resolver/base/bytes.h"
#include "resolver/base/limits.h"
#include "resolver/net/buffer.h"
#include "resolver/net/control_path.h"
#include "resolver/net/loop_owned.h"

enum { CONTROL_BACKLOG = 16, CONTROL_READ = 4096, CONTROL_ACCEPTS_PER_WAKE = 8, CONTROL_PAUSE_MS = 100 };

/* One caller: reads a line, waits for its answer, sends it, reads on. */
struct caller {
    struct control *control;
    struct loop_watch *watch;
    int fd;
    uint64_t order; /* of the last line or of the connection: the smallest is quiet for longest */
    struct control_call *call;
    struct buffer in, out;
    size_t scanned; /* bytes of `in` known to hold no newline */
    bool busy;      /* somebody stands inside: closed when they leave */
    bool ended, broken;
};

struct control_call {
    struct caller *caller; /* NULL: gone */
};

struct control {
    struct loop_owned owned;
    struct loop *loop;
    struct loop_watch *watch;
    struct loop_timer *pause;
    int fd;
    uint64_t order;
    control_handler handler;
    void *ctx;
    struct control_path path;
    struct caller *callers[LIMIT_CONTROL_CLIENTS];
};

static void caller_close(struct caller *r) {
    struct control *c = r->control;
    if (r->busy) {
        r->broken = true;
        return;
    }
    for (size_t i = 0; i < LIMIT_CONTROL_CLIENTS; i++)
        if (c->callers[i] == r)
            c->callers[i] = NULL;
    if (r->call != NULL)
        r->call->caller = NULL;
    if (r->watch != NULL)
        loop_watch_stop(r->watch);
    (void)close(r->fd);
    buffer_free(&r->in);
    buffer_free(&r->out);
    free(r);
}

/* A long line comes in many reads: what was looked through once is not looked through again. */
static bool has_line(struct caller *r) {
    const uint8_t *from = buffer_at(&r->in);
    const uint8_t *end = r->in.size > r->scanned ? memchr(from + r->scanned, '\n', r->in.size - r->scanned) : NULL;
    r->scanned = end != NULL ? (size_t)(end - from) : r->in.size;
    return end != NULL;
}

/* After has_line(): the newline is where scanning stopped. */
static bool hand_over(struct caller *r) {
    struct control *c = r->control;
    size_t size = r->scanned + 1;
    char *line = malloc(size);
    struct control_call *call = malloc(sizeof *call);
    if (line == NULL || call == NULL) {
        free(line);
        free(call);
        return false;
    }
    memcpy(line, buffer_at(&r->in), size);
    line[size - 1] = '\0';
    buffer_take(&r->in, size);
    r->scanned = 0;
    call->caller = r;
    r->call = call;
    r->order = ++c->order;
    c->handler(c->ctx, call, line, size - 1);
    free(line);
    return true;
}

static bool is_free(const struct caller *r) { return r->call == NULL && r->out.size == 0; }

/* Sends what there is, then closes or says what to wait for. The caller may be gone afterwards. */
static void settle(struct caller *r) {
    int events = 0;
    if (!r->broken && buffer_send(&r->out, r->fd) != 0)
        r->broken = true;
    bool waits = !r->broken && is_free(r) && has_line(r);
    if (r->broken || r->in.size > LIMIT_CONTROL_LINE || (r->ended && is_free(r) && !waits)) {
        caller_close(r);
        return;
    }
    if (r->out.size > 0 || waits) /* its next line is taken on the next turn, when it can be answered */
        events = LOOP_WRITE;
    else if (r->call == NULL && !r->ended)
        events = LOOP_READ;
    loop_watch_change(r->watch, events);
}

static void advance(struct caller *r) {
    r->busy = true;
    if (!r->broken && (buffer_send(&r->out, r->fd) != 0 || (is_free(r) && has_line(r) && !hand_over(r))))
        r->broken = true;
    r->busy = false;
    settle(r);
}

static void on_caller(void *ctx, int events) {
    struct caller *r = ctx;
    if ((events & LOOP_READ) != 0 && !r->ended) {
        int rc = buffer_receive(&r->in, r->fd, CONTROL_READ);
        if (rc == E_CLOSED)
            r->ended = true;
        else if (rc != 0 && rc != E_AGAIN)
            r->broken = true;
    } else if ((events & LOOP_ERROR) != 0) {
        r->broken = true;
    }
    advance(r);
}

void control_answer(struct control_call *call, const char *line) {
    struct caller *r = call->caller;
    size_t size = strlen(line);
    free(call);
    if (r == NULL)
        return;
    r->call = NULL;
    uint8_t *to = buffer_room(&r->out, size + 1);
    if (to == NULL) {
        r->broken = true;
    } else {
        /* An answer is one line, whatever text it carries. */
        for (size_t i = 0; i < size; i++)
            to[i] = line[i] == '\n' ? ' ' : (uint8_t)line[i];
        to[size] = '\n';
        buffer_added(&r->out, size + 1);
    }
    if (!r->busy)
        settle(r); /* no handler is called from here */
}

static bool may_call(int fd) {
    struct ucred who;
    socklen_t size = sizeof who;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 && (who.uid == 0 || who.uid == geteuid());
}

/* A place in the table; when it is full, that of the caller who has been quiet for longest. -1: all wait for answers.
 */
static int find_place(struct control *c) {
    struct caller *quiet = NULL;
    int place = -1;
    for (int i = 0; i < LIMIT_CONTROL_CLIENTS; i++) {
        struct caller *r = c->callers[i];
        if (r == NULL)
            return i;
        if (r->call == NULL && (quiet == NULL || r->order < quiet->order)) {
            quiet = r;
            place = i;
        }
    }
    if (quiet != NULL)
        caller_close(quiet);
    return place;
}

static void welcome(struct control *c, int fd) {
    int place = may_call(fd) ? find_place(c) : -1;
    struct caller *r = place >= 0 ? calloc(1, sizeof *r) : NULL;
    if (r == NULL) {
        (void)close(fd);
        return;
    }
    *r = (struct caller){.control = c, .fd = fd, .order = ++c->order};
    c->callers[place] = r;
    r->watch = loop_watch_start(c->loop, fd, LOOP_READ, on_caller, r);
    if (r->watch == NULL)
        caller_close(r);
}

static void on_pause_over(void *ctx) {
    struct control *c = ctx;
    loop_watch_change(c->watch, LOOP_READ);
}

static void on_callers(void *ctx, int events) {
    struct control *c = ctx;
    (void)events;
    for (unsigned i = 0; i < CONTROL_ACCEPTS_PER_WAKE; i++) {
        int fd = accept4(c->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            welcome(c, fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            err_count(errno);
            /* The caller stays in the queue and the socket readable: without a pause this would spin. */
            loop_watch_change(c->watch, 0);
            loop_timer_again(c->pause, CONTROL_PAUSE_MS);
            return;
        } else {
            return;
        }
    }
}

static void close_owned(struct loop_owned *o) { control_close(CONTAINER_OF(o, struct control, owned)); }

int control_open(struct control **out, struct loop *l, const char *path, control_handler handler, void *ctx,
                 struct err *err) {
    *out = NULL;
    struct control *c = loop_closing(l) ? NULL : calloc(1, sizeof *c);
    if (c == NULL)
        return err_set(err, E_NOMEM, "%s: no memory", path);
    *c = (struct control){.loop = l, .fd = -1, .path.folder = -1, .handler = handler, .ctx = ctx};
    loop_own(l, &c->owned, LOOP_OBJECT, close_owned);
    int rc = control_path_open(&c->path, path, err);
    if (rc == 0)
        rc = c->fd = control_listen(&c->path, CONTROL_BACKLOG, err);
    if (rc >= 0) {
        c->pause = loop_timer_start(l, 0, 0, on_pause_over, c);
        c->watch = loop_watch_start(l, c->fd, LOOP_READ, on_callers, c);
        rc = c->pause != NULL && c->watch != NULL ? 0 : err_set(err, E_NOMEM, "%s: no memory", path);
    }
    if (rc != 0) {
        control_close(c);
        return rc;
    }
    *out = c;
    return 0;
}

void control_close(struct control *c) {
    if (c == NULL)
        return;
    for (size_t i = 0; i < LIMIT_CONTROL_CLIENTS; i++)
        if (c->callers[i] != NULL)
            caller_close(c->callers[i]);
    if (c->watch != NULL)
        loop_watch_stop(c->watch);
    if (c->pause != NULL)
        loop_timer_cancel(c->pause);
    if (c->fd >= 0) {
        (void)unlink(c->path.name.sun_path);
        (void)close(c->fd);
    }
    control_path_close(&c->path);
    loop_disown(c->loop, &c->owned);
    free(c);
}
