/* Watching source files: which of a set changed, and are they whole?
 *
 * Truth is the signature (device, inode, size, times) of every file, looked at each FILES_POLL_MS; inotify on the
 * folders only makes the look come sooner (folders.h). A set whose signature differs from the one last taken is handed
 * on when
 *
 *   - it has stood still, for FILES_QUIET_MS when files came by rename, for FILES_INPLACE_MS when one of them was
 *     changed in place or nobody can tell whether it is still being written, and
 *   - nobody has one of the files open for writing (a read lease tells, fcntl(2); where it may not be taken, the events
 *     of inotify do). A writer that keeps a file open and does nothing is waited for FILES_HELD_MS.
 *
 * Who reads the files makes sure that they did not change meanwhile. */
#ifndef CANDOR_RBL_PUBLISH_FILES_H
#define CANDOR_RBL_PUBLISH_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "rbl/publish/folders.h"
#include "resolver/base/conf.h"

enum {
    FILES_POLL_MS = 2000,
    FILES_QUIET_MS = 300,
    FILES_INPLACE_MS = 2000,
    FILES_HELD_MS = 600000,
    FILES_HELD_FRESH_MS = 10000 /* as long as there is nothing to serve instead */
};

/* Hash over the identity, size and times of all files of all datasets; a file that is not there counts as such. */
uint64_t files_signature(const struct conf_dataset *data, size_t count);
/* The first file, gzip apart, whose last line has no end; NULL: none. */
const char *files_midline(const struct conf_dataset *data, size_t count);
/* 1: somebody has the file open for writing, 0: nobody, E_UNSUPPORTED: the system will not tell. */
int files_writer(const char *path);

/* What is known of one zone's files. */
struct files_watch {
    const struct conf_dataset *data;
    size_t count;
    const struct files_folders *folders; /* may be NULL */
    bool fresh;                          /* nothing to serve yet: less patience */
    uint64_t taken, taken_identity;      /* signature of the set last handed on, and which files it was */
    uint64_t seen, identity;             /* last seen */
    int64_t seen_since_ms;               /* since when it has looked so */
    bool looked, any, again;             /* `seen`, `taken` mean something; take it even if it is the same */
    bool moved;                          /* other files than at the last look: their folders may be others too */
    const char *held;                    /* open for writing, so not taken; NULL: none */
};

/* One look at `now_ms`: true when the set is new, still and to be read now; it then counts as taken. */
bool files_look(struct files_watch *w, int64_t now_ms);
/* Takes the set at the next look that finds it still, whatever was taken before. */
void files_forget(struct files_watch *w);
/* Whether what is there differs from what was taken, or is to be taken again. */
bool files_pending(const struct files_watch *w);

#endif
