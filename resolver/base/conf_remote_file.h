/* Files of state/remote. Private to conf_remote*.c. */
#ifndef CANDOR_BASE_CONF_REMOTE_FILE_H
#define CANDOR_BASE_CONF_REMOTE_FILE_H

#include <stddef.h>

#include "resolver/base/err.h"

/* All of a regular file, NUL-terminated, to be freed. E_NOTFOUND; E_FULL: more than `most`. */
int remote_slurp(char **text, size_t *size, const char *path, size_t most, struct err *err) MUST_USE;

#endif
