/* Where a control socket lies, and listening there. For control*.c only. */
#ifndef CANDOR_NET_CONTROL_PATH_H
#define CANDOR_NET_CONTROL_PATH_H

#include <sys/socket.h>
#include <sys/un.h>

#include "resolver/base/err.h"

/* E_RANGE when the path is too long for a socket. */
int control_path(struct sockaddr_un *to, const char *path, struct err *err) MUST_USE;
/* fd or error; replaces what a dead daemon left. */
int control_listen(const struct sockaddr_un *path, int backlog, struct err *err) MUST_USE;

#endif
