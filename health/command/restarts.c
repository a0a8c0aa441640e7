#include "health/command/restarts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MAX = BOARD_STARTS * 24, FILE_MODE = 0644 };

struct starts {
    uint64_t at_s[BOARD_STARTS];
    size_t count;
};

/* False: damaged. Each line is one number, all of them in the past. */
static bool parse(struct starts *s, char *text, int64_t now_s) {
    char *rest = text;
    s->count = 0;
    while (*rest != '\0') {
        char *end;
        errno = 0;
        uint64_t at = strtoull(rest, &end, 10);
        if (*rest < '0' || *rest > '9' || errno != 0 || *end != '\n' || at > (uint64_t)now_s ||
            s->count == BOARD_STARTS)
            return false;
        s->at_s[s->count++] = at;
        rest = end + 1;
    }
    return true;
}

static void read_file(struct starts *s, const char *path, int64_t now_s) {
    char text[FILE_MAX + 1];
    s->count = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return;
    ssize_t n = read(fd, text, FILE_MAX);
    (void)close(fd);
    if (n <= 0)
        return;
    text[n] = '\0';
    if (strlen(text) != (size_t)n || !parse(s, text, now_s))
        s->count = 0;
}

static int write_file(const struct starts *s, const char *path, struct err *err) {
    char temp[4096], text[FILE_MAX];
    size_t size = 0;
    if (snprintf(temp, sizeof temp, "%s.new", path) >= (int)sizeof temp)
        return err_set(err, E_RANGE, "%s: path too long", path);
    for (size_t i = 0; i < s->count; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "%" PRIu64 "\n", s->at_s[i]);
    int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    if (fd < 0)
        return err_errno(err, "%s", temp);
    bool well = write(fd, text, size) == (ssize_t)size && fsync(fd) == 0;
    int rc = well ? 0 : err_errno(err, "%s", temp);
    (void)close(fd);
    if (rc == 0 && rename(temp, path) != 0)
        rc = err_errno(err, "%s", path);
    if (rc < 0)
        (void)unlink(temp);
    return rc;
}

int restarts_note(struct board *b, const char *state, int64_t now_s, struct err *err) {
    struct starts s = {.count = 0};
    char path[4096];
    int rc = 0;
    bool fits = snprintf(path, sizeof path, "%s/starts", state) < (int)sizeof path;
    if (fits)
        read_file(&s, path, now_s);
    if (s.count == BOARD_STARTS)
        memmove(s.at_s, s.at_s + 1, --s.count * sizeof s.at_s[0]);
    s.at_s[s.count++] = (uint64_t)now_s;
    for (size_t i = 0; i < s.count; i++)
        board_set(&b->node_start_wall_s[i], s.at_s[i]);
    board_set(&b->node_starts, s.count);
    rc = fits ? write_file(&s, path, err) : err_set(err, E_RANGE, "%s: path too long", state);
    return rc;
}
