#include "health/report/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "health/verdict/events.h"

enum {
    RECORD_MAGIC = 0x5243,                        /* "CR", as it stands in the file */
    RECORD_HEAD = 8,                              /* magic, size, CRC-32 of what follows */
    RECORD_MAX = RECORD_HEAD + REPORT_OPTION_MAX, /* one report */
    FILE_MAX = 4096 * RECORD_MAX,                 /* what is read back, at most */
    SPOOL_NAME = 128,
    LONG_LEAST = 256
};

static void complain(struct spool *s, const char *what) {
    (void)snprintf(s->problem, sizeof s->problem, "%s: %.64s", what, strerror(errno));
}

/* "https 192.0.2.90@8443" -> "https_192.0.2.90_8443" */
static void file_name(const char *name, char to[SPOOL_NAME]) {
    size_t n = 0;
    for (; name[n] != '\0' && n < SPOOL_NAME - 1; n++) {
        char c = name[n];
        bool fits = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
                    (c == '.' && n > 0);
        to[n] = fits ? c : '_';
    }
    to[n] = '\0';
}

void spool_open(struct spool *s, const char *folder, const char *name) {
    char file[SPOOL_NAME];
    *s = (struct spool){.fd = -1};
    if (folder == NULL || folder[0] == '\0')
        return;
    file_name(name, file);
    int a = snprintf(s->reports, sizeof s->reports, "%s/sink-%s.reports", folder, file);
    int b = snprintf(s->mark, sizeof s->mark, "%s/sink-%s.mark", folder, file);
    if (a < 0 || b < 0 || (size_t)a >= sizeof s->reports || (size_t)b >= sizeof s->mark - 4)
        s->reports[0] = s->mark[0] = '\0';
}

void spool_close(struct spool *s) {
    if (s->fd >= 0)
        (void)close(s->fd);
    s->fd = -1;
}

struct spool_mark spool_mark_read(struct spool *s) {
    struct spool_mark m = {.known = false};
    char text[32] = "", *end;
    int fd = s->mark[0] != '\0' ? open(s->mark, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return m;
    ssize_t n = read(fd, text, sizeof text - 1);
    (void)close(fd);
    if (n <= 0 || text[0] < '0' || text[0] > '9')
        return m;
    text[n] = '\0';
    m.sequence = strtoull(text, &end, 10);
    m.known = *end == '\n';
    return m;
}

/* Whole or not at all: beside it, and renamed. */
void spool_mark_write(struct spool *s, uint64_t sequence) {
    char beside[sizeof s->mark], text[32];
    if (s->mark[0] == '\0')
        return;
    (void)snprintf(beside, sizeof beside, "%.*s.new", (int)sizeof beside - 5, s->mark);
    int size = snprintf(text, sizeof text, "%" PRIu64 "\n", sequence);
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    bool well = fd >= 0 && write(fd, text, (size_t)size) == size;
    if (fd >= 0)
        well = close(fd) == 0 && well;
    if (!well || rename(beside, s->mark) != 0)
        complain(s, "the mark of events");
}

static bool is_open(struct spool *s) {
    if (s->fd < 0 && s->reports[0] != '\0')
        s->fd = open(s->reports, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (s->fd < 0 && s->reports[0] != '\0')
        complain(s, "waiting reports");
    return s->fd >= 0;
}

static uint32_t number(const uint8_t *at, unsigned octets) {
    uint32_t n = 0;
    for (unsigned i = octets; i-- > 0;)
        n = n << 8 | at[i];
    return n;
}

/* The record at `at`: its size, or 0 when there is none. */
static size_t record_at(const uint8_t *from, size_t left, struct report *r) {
    if (left < RECORD_HEAD || number(from, 2) != RECORD_MAGIC)
        return 0;
    size_t size = number(from + 2, 2);
    if (size > REPORT_OPTION_MAX || size > left - RECORD_HEAD ||
        number(from + 4, 4) != events_check(from + RECORD_HEAD, size) ||
        report_read(r, (struct bytes){from + RECORD_HEAD, size}) != 0)
        return 0;
    return RECORD_HEAD + size;
}

/* Octets that are no record are passed over one by one: the next one begins where it says so. */
static size_t take_records(const uint8_t *from, size_t size, struct report *to, size_t cap) {
    size_t count = 0, first = 0;
    for (size_t at = 0; at < size;) {
        struct report r;
        size_t step = record_at(from + at, size - at, &r);
        if (step == 0) {
            at++;
            continue;
        }
        to[(first + count) % cap] = r;
        if (count < cap)
            count++;
        else
            first = (first + 1) % cap;
        at += step;
    }
    for (; first > 0; first--) { /* turn the ring until the oldest is the first */
        struct report r = to[0];
        memmove(to, to + 1, (count - 1) * sizeof *to);
        to[count - 1] = r;
    }
    return count;
}

size_t spool_read(struct spool *s, struct report *to, size_t cap) {
    size_t size = 0, count = 0;
    if (cap == 0 || !is_open(s))
        return 0;
    uint8_t *octets = malloc(FILE_MAX);
    if (octets == NULL)
        return 0;
    while (size < FILE_MAX) {
        ssize_t n = pread(s->fd, octets + size, FILE_MAX - size, (off_t)size);
        if (n < 0)
            complain(s, "waiting reports");
        if (n <= 0)
            break;
        size += (size_t)n;
    }
    count = take_records(octets, size, to, cap);
    free(octets);
    s->written = count;
    return count;
}

void spool_add(struct spool *s, const struct report *r) {
    uint8_t record[RECORD_MAX];
    int size = report_write(r, record + RECORD_HEAD, REPORT_OPTION_MAX);
    if (size < 0 || !is_open(s))
        return;
    uint32_t check = events_check(record + RECORD_HEAD, (size_t)size);
    record[0] = RECORD_MAGIC & 0xFF;
    record[1] = RECORD_MAGIC >> 8;
    record[2] = (uint8_t)size;
    record[3] = (uint8_t)(size >> 8);
    for (unsigned i = 0; i < 4; i++)
        record[4 + i] = (uint8_t)(check >> 8 * i);
    size += RECORD_HEAD;
    if (lseek(s->fd, 0, SEEK_END) < 0 || write(s->fd, record, (size_t)size) != size)
        complain(s, "waiting reports");
    else
        s->problem[0] = '\0';
    s->written++;
}

void spool_empty(struct spool *s) {
    if (s->written == 0 || !is_open(s))
        return;
    if (ftruncate(s->fd, 0) != 0)
        complain(s, "waiting reports");
    s->written = 0;
}

bool spool_is_long(const struct spool *s, size_t waiting) {
    return s->written > LONG_LEAST && s->written > 2 * waiting;
}
