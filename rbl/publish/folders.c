#include "rbl/publish/folders.h"

#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "resolver/base/bytes.h"
#include "resolver/base/log.h"

enum { FOLDERS_READS_PER_WAKE = 16, FOLDERS_PATH = 4096 };

static const uint32_t interesting =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_MODIFY | IN_MOVED_FROM | IN_MOVE_SELF | IN_DELETE_SELF;

struct folder {
    char *path;
    int wd; /* -1: not watched */
};
struct watched {
    unsigned folder;
    char *name;
    bool writing;
};

struct files_folders {
    struct loop *loop;
    struct loop_watch *watch;
    struct loop_timer *settle;
    void (*poke)(void *ctx);
    void *ctx;
    int fd;
    struct folder folder[FOLDERS_MAX];
    unsigned folders;
    struct watched file[FOLDERS_FILES_MAX];
    unsigned files;
    bool said;
};

static void folders_settled(void *ctx) {
    struct files_folders *f = ctx;
    loop_timer_cancel(f->settle);
    f->settle = NULL;
    f->poke(f->ctx);
}

/* Who writes and has not closed yet. An event for the name says what its file is like from now on. */
static void note_event(struct files_folders *f, const struct inotify_event *e) {
    bool overflow = (e->mask & IN_Q_OVERFLOW) != 0;
    for (unsigned i = 0; i < f->files; i++) {
        struct watched *w = &f->file[i];
        if (overflow)
            w->writing = false; /* not known any more: the signature and its quiet time remain */
        else if (e->len > 0 && f->folder[w->folder].wd == e->wd && strcmp(w->name, e->name) == 0)
            w->writing = (e->mask & IN_MODIFY) != 0;
    }
}

static void note_events(struct files_folders *f, const uint8_t *at, size_t size) {
    struct inotify_event e;
    while (size >= sizeof e) {
        memcpy(&e, at, sizeof e);
        if (e.len > size - sizeof e)
            return;
        note_event(f, (const struct inotify_event *)(const void *)at);
        at += sizeof e + e.len;
        size -= sizeof e + e.len;
    }
}

static void folders_readable(void *ctx, int events) {
    struct files_folders *f = ctx;
    (void)events;
    uint8_t buf[8192] __attribute__((aligned(8)));
    ssize_t n;
    for (int i = 0; i < FOLDERS_READS_PER_WAKE && (n = read(f->fd, buf, sizeof buf)) > 0; i++)
        note_events(f, buf, (size_t)n);
    if (f->settle == NULL)
        f->settle = loop_timer_start(f->loop, FOLDERS_SETTLE_MS, 0, folders_settled, f);
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

/* "/a/b" and "c" of "/a/b/c"; false when it is too long. */
static bool split(const char *file, char folder[FOLDERS_PATH], const char **name) {
    if (text_copy(folder, FOLDERS_PATH, file) + 1 >= FOLDERS_PATH)
        return false;
    char *slash = strrchr(folder, '/');
    *name = slash == NULL ? file : file + (slash - folder) + 1;
    if (slash == NULL)
        text_copy(folder, FOLDERS_PATH, ".");
    else
        slash[slash == folder ? 1 : 0] = '\0';
    return true;
}

static unsigned find_folder(const struct files_folders *f, const char *path) {
    unsigned i = 0;
    while (i < f->folders && strcmp(f->folder[i].path, path) != 0)
        i++;
    return i;
}

static unsigned find_file(const struct files_folders *f, unsigned folder, const char *name) {
    unsigned i = 0;
    while (i < f->files && (f->file[i].folder != folder || strcmp(f->file[i].name, name) != 0))
        i++;
    return i;
}

static unsigned make_folder(struct files_folders *f, const char *path) {
    unsigned i = find_folder(f, path);
    if (i < f->folders || i == FOLDERS_MAX)
        return i;
    f->folder[i] = (struct folder){.path = strdup(path), .wd = -1};
    if (f->folder[i].path == NULL)
        return FOLDERS_MAX;
    f->folders++;
    return i;
}

static void make_file(struct files_folders *f, unsigned folder, const char *name) {
    unsigned i = find_file(f, folder, name);
    if (i < f->files || i == FOLDERS_FILES_MAX)
        return;
    f->file[i] = (struct watched){.folder = folder, .name = strdup(name)};
    f->files += f->file[i].name != NULL;
}

/* The name may stand for another folder by now: the watch goes with it. */
static bool watch_folder(struct files_folders *f, unsigned i) {
    struct folder *d = &f->folder[i];
    int wd = inotify_add_watch(f->fd, d->path, interesting);
    if (d->wd >= 0 && d->wd != wd)
        (void)inotify_rm_watch(f->fd, d->wd);
    d->wd = wd;
    return wd >= 0;
}

void files_folders_add(struct files_folders *f, const char *file) {
    char path[FOLDERS_PATH];
    const char *name;
    if (!split(file, path, &name))
        return;
    unsigned folder = make_folder(f, path);
    if (folder < FOLDERS_MAX && watch_folder(f, folder)) {
        make_file(f, folder, name);
        return;
    }
    if (!f->said)
        LOG(LEVEL_INFO, "folder is not watched, its files are looked at by the clock", KS("folder", path));
    f->said = true;
}

int files_folders_writing(const struct files_folders *f, const char *file) {
    char path[FOLDERS_PATH];
    const char *name;
    struct stat st;
    if (lstat(file, &st) == 0 && S_ISLNK(st.st_mode))
        return E_NOTFOUND; /* what is written to has its place elsewhere */
    if (!split(file, path, &name))
        return E_NOTFOUND;
    unsigned folder = find_folder(f, path);
    if (folder == f->folders || f->folder[folder].wd < 0)
        return E_NOTFOUND;
    unsigned i = find_file(f, folder, name);
    return i < f->files ? f->file[i].writing : E_NOTFOUND;
}

void files_folders_close(struct files_folders *f) {
    if (f == NULL)
        return;
    if (f->settle != NULL)
        loop_timer_cancel(f->settle);
    loop_watch_stop(f->watch);
    close(f->fd);
    for (unsigned i = 0; i < f->folders; i++)
        free(f->folder[i].path);
    for (unsigned i = 0; i < f->files; i++)
        free(f->file[i].name);
    free(f);
}
