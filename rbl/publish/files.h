/* Watching source files: which of a set changed, and are they whole?
 *
 * Truth is the signature (device, inode, size, times) of every file, looked at each FILES_POLL_MS; inotify on the
 * folders only makes the look come sooner. A set whose signature differs from the one last taken is handed on when it
 * has stood still for FILES_QUIET_MS, so that a file that is being written in place is left alone until its writer is
 * done. */
#ifndef CANDOR_RBL_PUBLISH_FILES_H
#define CANDOR_RBL_PUBLISH_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "resolver/base/conf.h"
#include "resolver/net/loop.h"

enum { FILES_POLL_MS = 2000, FILES_QUIET_MS = 300, FILES_SETTLE_MS = 100 };

/* Hash over the identity, size and times of all files of all datasets; a file that is not there counts as such. */
uint64_t files_signature(const struct conf_dataset *data, size_t count);

/* What is known of one zone's files. */
struct files_watch {
    const struct conf_dataset *data;
    size_t count;
    uint64_t taken;        /* signature of the set last handed on */
    uint64_t seen;         /* last seen */
    int64_t seen_since_ms; /* since when it has looked so */
    bool any;              /* `taken` means something */
};

/* One look at `now_ms`: true when the set is new, still and to be read now; it then counts as taken. */
bool files_look(struct files_watch *w, int64_t now_ms);
/* Takes the next look for a change, whatever was taken before. */
void files_forget(struct files_watch *w);

/* inotify on the folders of many files; calls `poke` soon (FILES_SETTLE_MS) after something happened in one of them. */
struct files_folders;
int files_folders_open(struct files_folders **out, struct loop *l, void (*poke)(void *ctx), void *ctx,
                       struct err *err) MUST_USE;
void files_folders_add(struct files_folders *f, const char *file);
void files_folders_close(struct files_folders *f);

#endif
