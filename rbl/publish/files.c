#include "rbl/publish/files.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "resolver/base/bytes.h"
#include "resolver/base/clock.h"

enum { MS_PER_S = 1000 };

struct seen {
    uint64_t signature, identity;
    int64_t newest_ms; /* the latest of all times of change, by the wall clock */
};

static void see_file(struct seen *s, const char *path, const uint64_t place[2]) {
    struct stat st;
    uint64_t id[8] = {place[0], place[1]};
    if (stat(path, &st) == 0) {
        id[2] = (uint64_t)st.st_dev;
        id[3] = (uint64_t)st.st_ino;
        s->identity = XXH3_64bits_withSeed(id, sizeof id, s->identity);
        id[4] = (uint64_t)st.st_size;
        id[5] = (uint64_t)st.st_mtim.tv_sec;
        id[6] = (uint64_t)st.st_mtim.tv_nsec;
        id[7] = (uint64_t)st.st_ctim.tv_sec * (uint64_t)NS_PER_S + (uint64_t)st.st_ctim.tv_nsec;
        int64_t changed_ms = st.st_ctim.tv_sec * MS_PER_S + st.st_ctim.tv_nsec / (NS_PER_S / MS_PER_S);
        if (changed_ms > s->newest_ms)
            s->newest_ms = changed_ms;
    } else {
        id[7] = (uint64_t)errno;
        s->identity = XXH3_64bits_withSeed(id, sizeof id, s->identity);
    }
    s->signature = XXH3_64bits_withSeed(id, sizeof id, s->signature);
}

static struct seen see(const struct conf_dataset *data, size_t count) {
    struct seen s = {.signature = count};
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < data[i].files.count; k++)
            see_file(&s, data[i].files.at[k], (const uint64_t[2]){i, k});
    return s;
}

uint64_t files_signature(const struct conf_dataset *data, size_t count) { return see(data, count).signature; }

static bool ends_midline(const char *path) {
    struct stat st;
    uint8_t magic[2] = {0}, last = '\n';
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool known = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && pread(fd, magic, 2, 0) >= 0 &&
                 pread(fd, &last, 1, st.st_size - 1) == 1;
    (void)close(fd);
    bool gzip = magic[0] == 0x1f && magic[1] == 0x8b;
    return known && !gzip && last != '\n';
}

const char *files_midline(const struct conf_dataset *data, size_t count) {
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < data[i].files.count; k++)
            if (ends_midline(data[i].files.at[k]))
                return data[i].files.at[k];
    return NULL;
}

/* A writer that comes while the lease is held, a few microseconds, waits for its end and makes the kernel send SIGIO,
 * which would end the process. */
static void ignore_lease_breaks(void) {
    struct sigaction now;
    if (sigaction(SIGIO, NULL, &now) == 0 && now.sa_handler == SIG_DFL) {
        struct sigaction ignore = {.sa_handler = SIG_IGN};
        (void)sigaction(SIGIO, &ignore, NULL);
    }
}

int files_writer(const char *path) {
    struct stat st;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), result = 0;
    if (fd < 0)
        return 0; /* not there: the look that follows says so */
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        ignore_lease_breaks();
        if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0)
            (void)fcntl(fd, F_SETLEASE, F_UNLCK);
        else
            result = errno == EAGAIN ? 1 : E_UNSUPPORTED;
    }
    (void)close(fd);
    return result;
}

static int writer(const struct files_watch *w, const char *path) {
    int rc = files_writer(path);
    if (rc == E_UNSUPPORTED && w->folders != NULL)
        rc = files_folders_writing(w->folders, path);
    return rc;
}

/* 1 with w->held: somebody writes, 0: nobody, negative: it cannot be told of all of them. */
static int any_writer(struct files_watch *w) {
    int result = 0;
    w->held = NULL;
    for (size_t i = 0; i < w->count; i++)
        for (size_t k = 0; k < w->data[i].files.count; k++) {
            int rc = writer(w, w->data[i].files.at[k]);
            if (rc > 0) {
                w->held = w->data[i].files.at[k];
                return 1;
            }
            if (rc < 0)
                result = rc;
        }
    return result;
}

static void note_look(struct files_watch *w, const struct seen *s, int64_t now_ms) {
    w->moved = !w->looked || s->identity != w->identity;
    if (!w->looked) {
        /* How long it has stood still before the first look ever, the files say themselves. */
        int64_t age_ms = clock_wall_ms() - s->newest_ms;
        w->seen_since_ms = age_ms > 0 ? now_ms - age_ms : now_ms;
    } else if (s->signature != w->seen) {
        w->seen_since_ms = now_ms;
    }
    w->looked = true;
    w->seen = s->signature;
    w->identity = s->identity;
}

bool files_pending(const struct files_watch *w) { return !w->any || w->again || w->seen != w->taken; }

bool files_look(struct files_watch *w, int64_t now_ms) {
    struct seen s = see(w->data, w->count);
    note_look(w, &s, now_ms);
    w->held = NULL;
    if (!files_pending(w))
        return false;
    int64_t still_ms = now_ms - w->seen_since_ms;
    if (still_ms < FILES_QUIET_MS)
        return false;
    bool inplace = w->any && w->seen != w->taken && w->identity == w->taken_identity;
    int held = any_writer(w);
    if (held > 0 && still_ms < (w->fresh ? FILES_HELD_FRESH_MS : FILES_HELD_MS))
        return false;
    if ((inplace || held < 0) && still_ms < FILES_INPLACE_MS)
        return false;
    w->held = NULL;
    w->taken = w->seen;
    w->taken_identity = w->identity;
    w->any = true;
    w->again = false;
    return true;
}

void files_forget(struct files_watch *w) { w->again = true; }
