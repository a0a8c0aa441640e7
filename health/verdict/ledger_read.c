/* The past: what the files of the ledger hold, read as if an enemy had written them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "health/verdict/ledger_file.h"

enum {
    MINUTES_BYTES = AVAILABILITY_MINUTES * LEDGER_MINUTE_BYTES,
    EVENTS_MAX = EVENTS_PAGES * EVENTS_PER_PAGE,
    DOUBTS_MAX = EVENTS_MAX / 4 /* the newest; more of them would push out what they led to */
};

struct octets {
    uint8_t *at;
    size_t size;
};
struct part {
    struct event *at;
    size_t count, max;
};

void ledger_past_free(struct ledger_past *p) {
    if (p == NULL)
        return;
    free(p->minutes);
    free(p->events);
    free(p);
}

/* To its end, or to where it holds no more: another may cut it meanwhile. */
static bool read_all(int fd, struct octets *to, size_t wanted) {
    to->at = malloc(wanted);
    while (to->at != NULL && to->size < wanted) {
        ssize_t n = pread(fd, to->at + to->size, wanted - to->size, (off_t)to->size);
        if (n == 0)
            break;
        if (n > 0)
            to->size += (size_t)n;
        else if (errno != EINTR)
            return false;
    }
    return to->at != NULL;
}

/* At most `max` octets of a plain file. True with none of them: there is no such file. */
static bool read_file(const struct ledger_file *f, const char *name, size_t max, struct octets *to, int64_t *written) {
    struct stat st;
    bool done = true;
    int fd = ledger_file_open_one(f, name, O_RDONLY);
    *to = (struct octets){0};
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENAMETOOLONG;
    if (fstat(fd, &st) != 0) {
        done = false;
    } else if (S_ISREG(st.st_mode) && st.st_size > 0) {
        int64_t at = (int64_t)st.st_mtim.tv_sec * 1000;
        *written = at > *written ? at : *written;
        done = read_all(fd, to, (size_t)st.st_size < max ? (size_t)st.st_size : max);
    }
    int why = errno;
    close(fd);
    if (!done) {
        free(to->at);
        *to = (struct octets){0};
    }
    errno = why;
    return done;
}

/* A file that the disk does not give back is out of the way, for whoever can still save something of it. */
static bool put_aside(const struct ledger_file *f, const char *name) {
    char path[LEDGER_PATH_MAX], aside[LEDGER_PATH_MAX], longer[64];
    snprintf(longer, sizeof(longer), "%s.unreadable", name);
    return ledger_file_path(f, name, path) && ledger_file_path(f, longer, aside) && rename(path, aside) == 0;
}

static bool take(const struct ledger_file *f, struct ledger_past *p, const char *name, size_t max, struct octets *to,
                 bool set_aside, char *words) {
    if (read_file(f, name, max, to, &p->written_wall_ms))
        return true;
    int why = errno;
    if (why == EIO && set_aside && put_aside(f, name)) {
        p->damaged++;
        return true;
    }
    snprintf(words, LEDGER_WORDS, "%s: read: %s", name, strerror(why));
    return false;
}

/* A record's number must be above the last one's: one that stands twice, or was put in from elsewhere, is left out. */
static void add_events(struct ledger_past *p, struct part *to, const struct octets *from, bool doubts) {
    struct event e;
    size_t at = 0, damaged = 0;
    while (events_read(from->at, from->size, &at, &e, &damaged)) {
        if ((to->count > 0 && e.sequence <= to->at[to->count - 1].sequence) || (e.kind == EVENT_DOUBT) != doubts) {
            damaged++;
            continue;
        }
        if (to->count == to->max) {
            memmove(to->at, to->at + to->max / 2, (to->max / 2) * sizeof(e));
            to->count = to->max / 2;
        }
        to->at[to->count++] = e;
    }
    p->damaged += damaged;
}

/* Behind the events there is room for the doubts: from the end on, so that nothing is written over. */
static void merge(struct ledger_past *p, const struct part *events, const struct part *doubts) {
    size_t e = events->count, d = doubts->count, to = e + d;
    p->event_count = to;
    while (d > 0)
        if (e > 0 && events->at[e - 1].sequence > doubts->at[d - 1].sequence)
            p->events[--to] = events->at[--e];
        else
            p->events[--to] = doubts->at[--d];
    to = 0;
    for (size_t i = 0; i < p->event_count; i++) /* a number that is in both files */
        if (to == 0 || p->events[i].sequence > p->events[to - 1].sequence)
            p->events[to++] = p->events[i];
        else
            p->damaged++;
    p->event_count = to;
}

static bool past_log(struct ledger_file *f, struct ledger_past *p, enum ledger_log_kind kind, struct part *to,
                     bool set_aside, char *words) {
    const struct ledger_log_name *n = &ledger_logs[kind];
    const char *const names[] = {n->old, n->name};
    struct octets all;
    for (size_t i = 0; i < 2; i++) {
        if (!take(f, p, names[i], n->bytes + EVENT_RECORD_MAX, &all, set_aside, words))
            return false;
        add_events(p, to, &all, kind == LEDGER_DOUBTS);
        free(all.at);
    }
    return true;
}

static uint32_t number(const uint8_t *at, unsigned octets) {
    uint32_t n = 0;
    for (unsigned i = 0; i < octets; i++)
        n |= (uint32_t)at[i] << 8 * i;
    return n;
}

static void add_minutes(struct ledger_past *p, const struct octets *from) {
    static const uint8_t none[LEDGER_MINUTE_BYTES];
    for (size_t at = 0; at + LEDGER_MINUTE_BYTES <= from->size; at += LEDGER_MINUTE_BYTES) {
        const uint8_t *r = from->at + at, *body = r + 4;
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

static bool past_minutes(struct ledger_file *f, struct ledger_past *p, bool set_aside, char *words) {
    struct octets all;
    if (!take(f, p, ledger_minutes_name, MINUTES_BYTES, &all, set_aside, words))
        return false;
    add_minutes(p, &all);
    free(all.at);
    return true;
}

struct ledger_past *ledger_file_past(struct ledger_file *f, bool set_aside, char *words) {
    struct ledger_past *p = calloc(1, sizeof(*p));
    struct part events = {.max = EVENTS_MAX}, doubts = {.max = DOUBTS_MAX};
    bool done = false;
    snprintf(words, LEDGER_WORDS, "no memory for the past");
    if (p == NULL)
        return NULL;
    events.at = p->events = calloc(EVENTS_MAX + DOUBTS_MAX, sizeof(*p->events));
    p->minutes = calloc(AVAILABILITY_MINUTES, sizeof(*p->minutes));
    doubts.at = calloc(DOUBTS_MAX, sizeof(*doubts.at));
    if (p->events != NULL && p->minutes != NULL && doubts.at != NULL)
        done = past_log(f, p, LEDGER_EVENTS, &events, set_aside, words) &&
               past_log(f, p, LEDGER_DOUBTS, &doubts, set_aside, words) && past_minutes(f, p, set_aside, words);
    if (done)
        merge(p, &events, &doubts);
    free(doubts.at);
    if (done)
        return p;
    ledger_past_free(p);
    return NULL;
}
