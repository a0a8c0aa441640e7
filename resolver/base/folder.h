/* Folders on disk. */
#ifndef CANDOR_BASE_FOLDER_H
#define CANDOR_BASE_FOLDER_H

#include "resolver/base/err.h"

/* Makes the names in it durable (fsync(2) of the folder): a file made, renamed or taken away there is only then so
 * behind a power cut. */
int folder_sync(const char *path, struct err *err) MUST_USE;

#endif
