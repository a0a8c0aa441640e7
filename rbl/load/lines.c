#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "rbl/load/impl.h"

enum { BLOCK = 1 << 20 };

/* Lines out of blocks: what is left of a block without a newline moves to the front of the next. */
struct lines {
    struct load *l;
    load_line line;
    char *buf; /* cap + 1: room for a closing NUL */
    size_t cap;
    size_t size;   /* bytes in buf */
    bool skipping; /* inside a line that is too long */
};

static int give(struct lines *r, char *text, size_t size) {
    struct load *l = r->l;
    l->line++;
    l->report->lines++;
    if (size > LIMIT_LOAD_LINE) { /* rbldnsd's buffer ends thereabouts */
        size = LIMIT_LOAD_LINE;
        load_note(l, "the line is too long and was cut", "");
    }
    while (size > 0 && load_space(text[0])) {
        text++;
        size--;
    }
    while (size > 0 && load_space(text[size - 1]))
        size--;
    text[size] = '\0';
    return r->line(l, text);
}

/* The complete lines of the buffer. */
static int give_all(struct lines *r) {
    char *at = r->buf, *end = r->buf + r->size, *newline;
    int rc = 0;
    while (rc == 0 && at < end && (newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        if (r->skipping)
            r->skipping = false;
        else
            rc = give(r, at, (size_t)(newline - at));
        at = newline + 1;
    }
    r->size = (size_t)(end - at);
    memmove(r->buf, at, r->size);
    /* Of a line longer than anything allowed the front is read now, and the rest passed over when its end comes. */
    if (rc == 0 && r->size > LIMIT_LOAD_LINE) {
        if (!r->skipping)
            rc = give(r, r->buf, r->size);
        r->skipping = true;
        r->size = 0;
    }
    return rc;
}

/* What stands behind the last newline is a line too. */
static int give_last(struct lines *r) {
    int rc = r->size > 0 && !r->skipping ? give(r, r->buf, r->size) : 0;
    r->size = 0;
    return rc;
}

static int lines_open(struct lines *r, struct load *l, load_line line, size_t size) {
    size_t cap = size < BLOCK ? size + 1 : BLOCK;
    *r = (struct lines){.l = l, .line = line, .buf = malloc(cap + 1), .cap = cap};
    return r->buf != NULL ? 0 : err_set(l->err, E_NOMEM, "%s: no memory to read it", l->file);
}

int load_lines_text(struct load *l, const char *text, size_t size, load_line line) {
    struct lines r;
    int rc = lines_open(&r, l, line, size);
    while (rc == 0 && size > 0) {
        size_t part = r.cap - r.size < size ? r.cap - r.size : size;
        memcpy(r.buf + r.size, text, part);
        r.size += part;
        text += part;
        size -= part;
        l->report->bytes += part;
        rc = give_all(&r);
    }
    if (rc == 0)
        rc = give_last(&r);
    free(r.buf);
    return rc;
}

static int read_plain(struct lines *r, int fd) {
    for (;;) {
        ssize_t n = read(fd, r->buf + r->size, r->cap - r->size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(r->l->err, "%s: reading", r->l->file);
        if (n == 0)
            return 0;
        r->size += (size_t)n;
        r->l->report->bytes += (uint64_t)n;
        int rc = give_all(r);
        if (rc != 0)
            return rc;
    }
}

static int read_gzip(struct lines *r, int fd) {
    struct load *l = r->l;
    int own = dup(fd), rc = 0;
    gzFile gz = own >= 0 ? gzdopen(own, "rb") : NULL;
    if (gz == NULL) {
        if (own >= 0)
            close(own);
        return err_set(l->err, E_NOMEM, "%s: no memory to decompress it", l->file);
    }
    gzbuffer(gz, 1 << 17);
    int n;
    while (rc == 0 && (n = gzread(gz, r->buf + r->size, (unsigned)(r->cap - r->size))) > 0) {
        r->size += (size_t)n;
        l->report->bytes += (uint64_t)n;
        rc = give_all(r);
    }
    int code;
    const char *why = gzerror(gz, &code);
    if (rc == 0 && code != Z_OK && code != Z_STREAM_END)
        rc = err_set(l->err, E_CORRUPT, "%s: broken gzip data: %s", l->file, why);
    gzclose(gz);
    return rc;
}

static int read_any(struct lines *r, int fd) {
    unsigned char magic[2];
    ssize_t n = pread(fd, magic, sizeof magic, 0);
    bool gzip = n == 2 && magic[0] == 0x1f && magic[1] == 0x8b;
    int rc = gzip ? read_gzip(r, fd) : read_plain(r, fd);
    return rc == 0 ? give_last(r) : rc;
}

/* A file that is written in place while it is read gives half of each; one that is renamed over is read whole. */
static int unchanged(struct load *l, int fd, const struct stat *before) {
    struct stat now;
    if (fstat(fd, &now) < 0)
        return err_errno(l->err, "%s", l->file);
    if (now.st_size != before->st_size || now.st_mtim.tv_sec != before->st_mtim.tv_sec ||
        now.st_mtim.tv_nsec != before->st_mtim.tv_nsec)
        return err_set(l->err, E_AGAIN, "%s: changed while it was read; write a new file and rename it", l->file);
    return 0;
}

int load_lines_file(struct load *l, const char *path, load_line line) {
    struct stat st;
    struct lines r = {0};
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return err_errno(l->err, "%s", path);
    int rc = fstat(fd, &st) < 0 ? err_errno(l->err, "%s", path) : 0;
    if (rc == 0 && !S_ISREG(st.st_mode))
        rc = err_set(l->err, E_INVALID, "%s: not a regular file", path);
    if (rc == 0)
        rc = lines_open(&r, l, line, BLOCK);
    if (rc == 0)
        rc = read_any(&r, fd);
    if (rc == 0)
        rc = unchanged(l, fd, &st);
    if (rc == 0 && st.st_mtime > l->report->newest_file_wall_s)
        l->report->newest_file_wall_s = st.st_mtime;
    free(r.buf);
    close(fd);
    return rc;
}
