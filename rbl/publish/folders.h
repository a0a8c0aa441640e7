/* inotify on the folders of many files: something happened there, look soon; and which of the files are being written.
 *
 * Only a help: what it misses (network file systems, targets of symbolic links, too many folders) the clock finds. */
#ifndef CANDOR_RBL_PUBLISH_FOLDERS_H
#define CANDOR_RBL_PUBLISH_FOLDERS_H

#include "resolver/base/err.h"
#include "resolver/net/loop.h"

enum { FOLDERS_SETTLE_MS = 100, FOLDERS_MAX = 1024, FOLDERS_FILES_MAX = 4096 };

struct files_folders;
/* Calls `poke` FOLDERS_SETTLE_MS after the first of several events. */
int files_folders_open(struct files_folders **out, struct loop *l, void (*poke)(void *ctx), void *ctx,
                       struct err *err) MUST_USE;
/* Watches the file's folder, and the one that has that name now when it is another than before. */
void files_folders_add(struct files_folders *f, const char *file);
/* 1: written to and not closed since, 0: not, E_NOTFOUND: not watched. */
int files_folders_writing(const struct files_folders *f, const char *file);
void files_folders_close(struct files_folders *f);

#endif
