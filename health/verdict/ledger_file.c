#include "health/verdict/ledger_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "resolver/base/bytes.h"

enum {
    WORDS = 160,
    MINUTES_BYTES = AVAILABILITY_MINUTES * LEDGER_MINUTE_BYTES,
    EVENTS_MAX = EVENTS_PAGES * EVENTS_PER_PAGE
};

static const char events_name[] = "events", old_name[] = "events.old", minutes_name[] = "availability";

static bool path_of(const struct ledger_file *f, const char *name, char path[LEDGER_PATH_MAX]) {
    return (size_t)snprintf(path, LEDGER_PATH_MAX, "%s/%s", f->folder, name) < LEDGER_PATH_MAX;
}

static int open_file(const struct ledger_file *f, const char *name, int flags) {
    char path[LEDGER_PATH_MAX];
    (void)mkdir(f->folder, 0750);
    if (!path_of(f, name, path))
        return -1;
    return open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
}

void ledger_file_open(struct ledger_file *f, const char *folder) {
    *f = (struct ledger_file){.events = -1, .minutes = -1};
    text_copy(f->folder, sizeof(f->folder), folder);
}

static void shut(int *fd) {
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void ledger_file_close(struct ledger_file *f) {
    shut(&f->events);
    shut(&f->minutes);
}

/* At most `max` octets of a plain file; NULL: there is none, or it is not one. */
static uint8_t *read_file(const struct ledger_file *f, const char *name, size_t max, size_t *size,
                          int64_t *written_wall_ms) {
    struct stat st;
    uint8_t *all = NULL;
    int fd = open_file(f, name, O_RDONLY);
    *size = 0;
    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
        size_t wanted = (size_t)st.st_size < max ? (size_t)st.st_size : max;
        int64_t at = (int64_t)st.st_mtim.tv_sec * 1000;
        *written_wall_ms = at > *written_wall_ms ? at : *written_wall_ms;
        all = malloc(wanted);
        while (all != NULL && *size < wanted) {
            ssize_t n = pread(fd, all + *size, wanted - *size, (off_t)*size);
            if (n <= 0)
                break;
            *size += (size_t)n;
        }
    }
    close(fd);
    return all;
}

/* A record's number must be above the last one's: one that stands twice, or was put in from elsewhere, is left out. */
static void past_events(struct ledger_past *p, const uint8_t *from, size_t size) {
    struct event e;
    size_t at = 0, damaged = 0;
    while (events_read(from, size, &at, &e, &damaged)) {
        if (p->event_count > 0 && e.sequence <= p->events[p->event_count - 1].sequence) {
            damaged++;
            continue;
        }
        if (p->event_count == EVENTS_MAX) {
            memmove(p->events, p->events + EVENTS_MAX / 2, (EVENTS_MAX / 2) * sizeof(e));
            p->event_count = EVENTS_MAX / 2;
        }
        p->events[p->event_count++] = e;
    }
    p->damaged += damaged;
}

static uint32_t number(const uint8_t *at, unsigned octets) {
    uint32_t n = 0;
    for (unsigned i = 0; i < octets; i++)
        n |= (uint32_t)at[i] << 8 * i;
    return n;
}

static void put(uint8_t *at, uint32_t n, unsigned octets) {
    for (unsigned i = 0; i < octets; i++)
        at[i] = (uint8_t)(n >> 8 * i);
}

static void past_minutes(struct ledger_past *p, const uint8_t *from, size_t size) {
    static const uint8_t none[LEDGER_MINUTE_BYTES];
    for (size_t at = 0; at + LEDGER_MINUTE_BYTES <= size; at += LEDGER_MINUTE_BYTES) {
        const uint8_t *r = from + at, *body = r + 4;
        struct availability_minute m = {.minute = number(r, 4)};
        if (memcmp(r, none, sizeof(none)) == 0)
            continue; /* never written */
        if (number(r + LEDGER_MINUTE_BYTES - 4, 4) != events_check(r, LEDGER_MINUTE_BYTES - 4) ||
            m.minute % AVAILABILITY_MINUTES != at / LEDGER_MINUTE_BYTES) {
            p->damaged += LEDGER_MINUTE_BYTES;
            continue;
        }
        memcpy(m.good, body, AVAILABILITY_JUDGED);
        memcpy(m.bad, body + AVAILABILITY_JUDGED, AVAILABILITY_JUDGED);
        m.users = body[2 * AVAILABILITY_JUDGED];
        m.users_up = (uint16_t)number(body + 2 * AVAILABILITY_JUDGED + 1, 2);
        p->minutes[p->minute_count++] = m;
    }
}

struct ledger_past *ledger_file_past(struct ledger_file *f) {
    struct ledger_past *p = calloc(1, sizeof(*p));
    const char *const names[] = {old_name, events_name};
    size_t size;
    if (p == NULL)
        return NULL;
    p->events = calloc(EVENTS_MAX, sizeof(*p->events));
    p->minutes = calloc(AVAILABILITY_MINUTES, sizeof(*p->minutes));
    for (size_t i = 0; i < 2 && p->events != NULL; i++) {
        uint8_t *all = read_file(f, names[i], LEDGER_FILE_BYTES + EVENT_RECORD_MAX, &size, &p->written_wall_ms);
        if (all != NULL)
            past_events(p, all, size);
        free(all);
    }
    uint8_t *all = read_file(f, minutes_name, MINUTES_BYTES, &size, &p->written_wall_ms);
    if (all != NULL && p->minutes != NULL)
        past_minutes(p, all, size);
    free(all);
    return p;
}

static bool failed(char *words, const char *what) {
    snprintf(words, WORDS, "%s: %s", what, strerror(errno));
    return false;
}

/* The full file becomes the old one; what was the old one is forgotten. */
static void turn_over(struct ledger_file *f) {
    char path[LEDGER_PATH_MAX], old[LEDGER_PATH_MAX];
    shut(&f->events);
    if (path_of(f, events_name, path) && path_of(f, old_name, old))
        (void)rename(path, old);
}

/* One write: a death in its midst leaves a cut record, which the reader skips. */
bool ledger_file_event(struct ledger_file *f, const struct event *e, char *words) {
    uint8_t record[EVENT_RECORD_MAX];
    struct stat st;
    size_t size = events_write(record, e);
    if (f->events >= 0 && f->events_size + size > LEDGER_FILE_BYTES)
        turn_over(f);
    if (f->events < 0) {
        f->events = open_file(f, events_name, O_WRONLY | O_CREAT | O_APPEND);
        if (f->events < 0 || fstat(f->events, &st) != 0)
            return failed(words, "events: open");
        f->events_size = (size_t)st.st_size;
    }
    ssize_t n = write(f->events, record, size);
    if (n == (ssize_t)size) {
        f->events_size += size;
        return true;
    }
    bool short_write = n >= 0;
    (void)failed(words, "events: write");
    if (short_write)
        snprintf(words, WORDS, "events: %zd of %zu octets written", n, size);
    shut(&f->events);
    return false;
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
        f->minutes = open_file(f, minutes_name, O_WRONLY | O_CREAT);
    if (f->minutes < 0)
        return failed(words, "availability: open");
    if (pwrite(f->minutes, r, sizeof(r), (off_t)(m->minute % AVAILABILITY_MINUTES) * LEDGER_MINUTE_BYTES) ==
        (ssize_t)sizeof(r))
        return true;
    (void)failed(words, "availability: write");
    shut(&f->minutes);
    return false;
}
