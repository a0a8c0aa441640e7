#include "health/verdict/ledger_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "resolver/base/bytes.h"

const struct ledger_log_name ledger_logs[LEDGER_LOGS] = {
    [LEDGER_EVENTS] = {"events", "events.old", LEDGER_FILE_BYTES},
    [LEDGER_DOUBTS] = {"doubts", "doubts.old", LEDGER_DOUBT_BYTES},
};
const char ledger_minutes_name[] = "availability";

bool ledger_file_path(const struct ledger_file *f, const char *name, char path[LEDGER_PATH_MAX]) {
    return (size_t)snprintf(path, LEDGER_PATH_MAX, "%s/%s", f->folder, name) < LEDGER_PATH_MAX;
}

int ledger_file_open_one(const struct ledger_file *f, const char *name, int flags) {
    char path[LEDGER_PATH_MAX];
    (void)mkdir(f->folder, 0750);
    errno = ENAMETOOLONG;
    if (!ledger_file_path(f, name, path))
        return -1;
    return open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
}

void ledger_file_open(struct ledger_file *f, const char *folder) {
    *f = (struct ledger_file){.minutes = -1};
    for (int i = 0; i < LEDGER_LOGS; i++)
        f->log[i].fd = -1;
    text_copy(f->folder, sizeof(f->folder), folder);
}

static void shut(int *fd) {
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void ledger_file_close(struct ledger_file *f) {
    for (int i = 0; i < LEDGER_LOGS; i++)
        shut(&f->log[i].fd);
    shut(&f->minutes);
}

static bool failed(char *words, const char *name, const char *what) {
    snprintf(words, LEDGER_WORDS, "%s: %s: %s", name, what, strerror(errno));
    return false;
}

static void turn_over(const struct ledger_file *f, const struct ledger_log_name *n, struct ledger_log *log) {
    char path[LEDGER_PATH_MAX], old[LEDGER_PATH_MAX];
    shut(&log->fd);
    if (ledger_file_path(f, n->name, path) && ledger_file_path(f, n->old, old))
        (void)rename(path, old);
}

static bool open_log(const struct ledger_file *f, const struct ledger_log_name *n, struct ledger_log *log) {
    struct stat st;
    if (log->fd >= 0)
        return true;
    log->fd = ledger_file_open_one(f, n->name, O_WRONLY | O_CREAT | O_APPEND);
    if (log->fd < 0 || fstat(log->fd, &st) != 0) {
        int why = errno;
        shut(&log->fd);
        errno = why;
        return false;
    }
    log->size = (size_t)st.st_size;
    return true;
}

/* One write: a death in its midst leaves a cut record, which the reader skips. A disk that takes only a part of it has
 * that part taken back, as far as it can be. */
bool ledger_file_event(struct ledger_file *f, const struct event *e, char *words) {
    uint8_t record[EVENT_RECORD_MAX];
    size_t size = events_write(record, e);
    enum ledger_log_kind kind = e->kind == EVENT_DOUBT ? LEDGER_DOUBTS : LEDGER_EVENTS;
    const struct ledger_log_name *n = &ledger_logs[kind];
    struct ledger_log *log = &f->log[kind];
    if (!open_log(f, n, log))
        return failed(words, n->name, "open");
    if (log->size > 0 && log->size + size > n->bytes) {
        turn_over(f, n, log);
        if (!open_log(f, n, log))
            return failed(words, n->name, "open");
    }
    ssize_t w = write(log->fd, record, size);
    if (w == (ssize_t)size) {
        log->size += size;
        return true;
    }
    (void)failed(words, n->name, "write");
    if (w >= 0)
        snprintf(words, LEDGER_WORDS, "%s: %zd of %zu octets written", n->name, w, size);
    if (w > 0 && ftruncate(log->fd, (off_t)log->size) != 0)
        log->size += (size_t)w;
    shut(&log->fd);
    return false;
}

static void put(uint8_t *at, uint32_t n, unsigned octets) {
    for (unsigned i = 0; i < octets; i++)
        at[i] = (uint8_t)(n >> 8 * i);
}

bool ledger_file_minute(struct ledger_file *f, const struct availability_minute *m, char *words) {
    uint8_t r[LEDGER_MINUTE_BYTES], *body = r + 4;
    put(r, m->minute, 4);
    memcpy(body, m->good, AVAILABILITY_JUDGED);
    memcpy(body + AVAILABILITY_JUDGED, m->bad, AVAILABILITY_JUDGED);
    body[2 * AVAILABILITY_JUDGED] = m->users;
    put(body + 2 * AVAILABILITY_JUDGED + 1, m->users_up, 2);
    put(r + LEDGER_MINUTE_BYTES - 4, events_check(r, LEDGER_MINUTE_BYTES - 4), 4);
    if (f->minutes < 0)
        f->minutes = ledger_file_open_one(f, ledger_minutes_name, O_WRONLY | O_CREAT);
    if (f->minutes < 0)
        return failed(words, ledger_minutes_name, "open");
    if (pwrite(f->minutes, r, sizeof(r), (off_t)(m->minute % AVAILABILITY_MINUTES) * LEDGER_MINUTE_BYTES) ==
        (ssize_t)sizeof(r))
        return true;
    (void)failed(words, ledger_minutes_name, "write");
    shut(&f->minutes);
    return false;
}
