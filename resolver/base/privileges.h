/* From root to the user of the configuration (node.user), once, after whatever wants root was opened. */
#ifndef CANDOR_BASE_PRIVILEGES_H
#define CANDOR_BASE_PRIVILEGES_H

#include "resolver/base/err.h"

/* Makes the folder when it is missing (its parent must be there), mode 0755, and when this process is root gives it to
 * `user` ("": leaves its owner alone). */
int privileges_folder(const char *path, const char *user, struct err *err) MUST_USE;

/* Becomes `user` with its groups of /etc/passwd and /etc/group, for good; nothing to do for "". The files are read
 * directly: a name service could ask the network. E_DENIED when not root, E_NOTFOUND when there is no such user. The
 * kernel forgets with it that this process is to end with its supervisor, so that is asked for again. */
int privileges_drop(const char *user, struct err *err) MUST_USE;

#endif
