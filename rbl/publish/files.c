#include "rbl/publish/files.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "resolver/base/bytes.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"

uint64_t files_signature(const struct conf_dataset *data, size_t count) {
    uint64_t h = count;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < data[i].files.count; k++) {
            struct stat st;
            uint64_t id[8] = {i, k};
            if (stat(data[i].files.at[k], &st) == 0) {
                id[2] = (uint64_t)st.st_dev;
                id[3] = (uint64_t)st.st_ino;
                id[4] = (uint64_t)st.st_size;
                id[5] = (uint64_t)st.st_mtim.tv_sec;
                id[6] = (uint64_t)st.st_mtim.tv_nsec;
                id[7] = (uint64_t)st.st_ctim.tv_sec * (uint64_t)NS_PER_S + (uint64_t)st.st_ctim.tv_nsec;
            } else {
                id[7] = (uint64_t)errno;
            }
            h = XXH3_64bits_withSeed(id, sizeof id, h);
        }
    return h;
}

bool files_look(struct files_watch *w, int64_t now_ms) {
    uint64_t sig = files_signature(w->data, w->count);
    if (sig != w->seen || w->seen_since_ms == 0) {
        w->seen = sig;
        w->seen_since_ms = now_ms;
        /* The first look ever takes what is there: loading refuses a file that changes under its hands. */
        if (w->any)
            return false;
    }
    if (w->any && sig == w->taken)
        return false;
    if (w->any && now_ms - w->seen_since_ms < FILES_QUIET_MS)
        return false;
    w->taken = sig;
    w->any = true;
    return true;
}

void files_forget(struct files_watch *w) { w->any = false; }

enum { FOLDERS_MAX = LIMIT_ZONES, FOLDERS_READS_PER_WAKE = 16 };

struct files_folders {
    struct loop *loop;
    struct loop_watch *watch;
    struct loop_timer *settle;
    void (*poke)(void *ctx);
    void *ctx;
    int fd;
    unsigned count;
    bool full_said;
};

static void folders_settled(void *ctx) {
    struct files_folders *f = ctx;
    loop_timer_cancel(f->settle);
    f->settle = NULL;
    f->poke(f->ctx);
}

static void folders_readable(void *ctx, int events) {
    struct files_folders *f = ctx;
    (void)events;
    uint8_t buf[8192] __attribute__((aligned(8)));
    for (int i = 0; i < FOLDERS_READS_PER_WAKE && read(f->fd, buf, sizeof buf) > 0; i++) {
        /* Which file it was does not matter: the signatures tell. */
    }
    if (f->settle == NULL)
        f->settle = loop_timer_start(f->loop, FILES_SETTLE_MS, 0, folders_settled, f);
}

int files_folders_open(struct files_folders **out, struct loop *l, void (*poke)(void *ctx), void *ctx,
                       struct err *err) {
    *out = NULL;
    struct files_folders *f = calloc(1, sizeof *f);
    if (f == NULL)
        return err_set(err, E_NOMEM, "no memory to watch files");
    f->loop = l;
    f->poke = poke;
    f->ctx = ctx;
    f->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (f->fd < 0) {
        int rc = err_errno(err, "inotify_init1");
        free(f);
        return rc;
    }
    f->watch = loop_watch_start(l, f->fd, LOOP_READ, folders_readable, f);
    if (f->watch == NULL) {
        close(f->fd);
        free(f);
        return err_set(err, E_NOMEM, "no memory to watch files");
    }
    *out = f;
    return 0;
}

void files_folders_add(struct files_folders *f, const char *file) {
    char folder[4096];
    if (text_copy(folder, sizeof folder, file) + 1 >= sizeof folder)
        return;
    char *slash = strrchr(folder, '/');
    if (slash == NULL)
        text_copy(folder, sizeof folder, ".");
    else
        slash[slash == folder ? 1 : 0] = '\0';
    uint32_t mask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_MODIFY | IN_MOVED_FROM;
    if (f->count >= FOLDERS_MAX || inotify_add_watch(f->fd, folder, mask | IN_MASK_ADD) < 0) {
        if (!f->full_said)
            LOG(LEVEL_INFO, "folder is not watched, its files are looked at by the clock", KS("folder", folder),
                KU("poll_ms", FILES_POLL_MS));
        f->full_said = true;
        return;
    }
    f->count++;
}

void files_folders_close(struct files_folders *f) {
    if (f == NULL)
        return;
    if (f->settle != NULL)
        loop_timer_cancel(f->settle);
    loop_watch_stop(f->watch);
    close(f->fd);
    free(f);
}
