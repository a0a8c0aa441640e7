#include "rbl/primary/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int spool_open(struct spool *s, const char *folder, struct err *err) {
    *s = (struct spool){.folder = folder, .file = -1, .spare = -1};
    atomic_init(&s->turn, UINT64_MAX);
    s->memory = malloc(SPOOL_MEMORY);
    return s->memory != NULL ? 0 : err_set(err, E_NOMEM, "no memory for a transfer");
}

static int file_open(struct spool *s, struct err *err) {
    char path[4096];
    s->file = open(s->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (s->file >= 0)
        return 0;
    int n = snprintf(path, sizeof path, "%s/.transfer-XXXXXX", s->folder);
    if (n < 0 || (size_t)n >= sizeof path)
        return err_set(err, E_RANGE, "%s: the path is too long", s->folder);
    s->file = mkostemp(path, O_CLOEXEC);
    if (s->file < 0)
        return err_errno(err, "%s: no file for a transfer", s->folder);
    (void)unlink(path);
    return 0;
}

static int put(int fd, const uint8_t *at, size_t size, uint64_t offset) {
    while (size > 0) {
        ssize_t n = pwrite(fd, at, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return E_IO;
        at += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

static int add_spare(struct spool *s, const uint8_t *at, size_t size, uint64_t offset, struct err *err) {
    uint64_t turn = atomic_load_explicit(&s->turn, memory_order_relaxed);
    if (s->spare < 0 && (s->spare = memfd_create("candor-transfer", MFD_CLOEXEC)) < 0)
        return err_errno(err, "no memory for a transfer");
    if (turn == UINT64_MAX)
        atomic_store_explicit(&s->turn, turn = offset, memory_order_relaxed);
    if (offset - turn + size > SPOOL_SPARE)
        return err_set(err, E_FULL, "%s has no room for a transfer, and %d MiB of memory do not hold it", s->folder,
                       SPOOL_SPARE >> 20);
    return put(s->spare, at, size, offset - turn) == 0 ? 0 : err_errno(err, "no memory for a transfer");
}

static int add_file(struct spool *s, const uint8_t *at, size_t size, uint64_t offset, struct err *err) {
    bool turned = atomic_load_explicit(&s->turn, memory_order_relaxed) != UINT64_MAX;
    if (!turned && (s->file >= 0 || file_open(s, NULL) == 0) && put(s->file, at, size, offset - SPOOL_MEMORY) == 0)
        return 0;
    return add_spare(s, at, size, offset, err);
}

int spool_add(struct spool *s, const void *octets, size_t size, struct err *err) {
    const uint8_t *at = octets;
    uint64_t have = atomic_load_explicit(&s->size, memory_order_relaxed), now = have;
    size_t part = now < SPOOL_MEMORY ? SPOOL_MEMORY - (size_t)now : 0;
    if (part > size)
        part = size;
    if (part > 0)
        memcpy(s->memory + now, at, part);
    now += part;
    int rc = part < size ? add_file(s, at + part, size - part, now, err) : 0;
    if (rc == 0) /* all of it, or none */
        atomic_store_explicit(&s->size, have + size, memory_order_release);
    return rc;
}

void spool_end(struct spool *s) { atomic_store_explicit(&s->whole, true, memory_order_release); }

uint64_t spool_size(const struct spool *s, bool *whole) {
    *whole = atomic_load_explicit(&s->whole, memory_order_acquire);
    return atomic_load_explicit(&s->size, memory_order_acquire);
}

static int get(int fd, uint8_t *to, size_t size, uint64_t offset) {
    while (size > 0) {
        ssize_t n = pread(fd, to, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return E_IO;
        to += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

int spool_read(const struct spool *s, uint64_t at, uint8_t *to, size_t size) {
    uint64_t turn = atomic_load_explicit(&s->turn, memory_order_relaxed);
    while (size > 0) {
        uint64_t end = at < SPOOL_MEMORY ? SPOOL_MEMORY : at < turn ? turn : UINT64_MAX;
        size_t part = end - at < size ? (size_t)(end - at) : size;
        int rc = 0;
        if (at < SPOOL_MEMORY)
            memcpy(to, s->memory + at, part);
        else
            rc = at < turn ? get(s->file, to, part, at - SPOOL_MEMORY) : get(s->spare, to, part, at - turn);
        if (rc < 0)
            return rc;
        at += part;
        to += part;
        size -= part;
    }
    return 0;
}

void spool_close(struct spool *s) {
    free(s->memory);
    if (s->file >= 0)
        close(s->file);
    if (s->spare >= 0)
        close(s->spare);
    *s = (struct spool){.file = -1, .spare = -1};
}
