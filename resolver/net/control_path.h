/* Where a control socket lies, and listening there. For control*.c only. */
#ifndef CANDOR_NET_CONTROL_PATH_H
#define CANDOR_NET_CONTROL_PATH_H

#include <sys/socket.h>
#include <sys/un.h>

#include "resolver/base/err.h"

/* A name that fits into sun_path for a socket anywhere: a long path is named through its open folder. */
struct control_path {
    struct sockaddr_un name;
    int folder; /* -1: the path is short enough as it is */
};
int control_path_open(struct control_path *to, const char *path, struct err *err) MUST_USE;
void control_path_close(struct control_path *p);
/* fd or error; replaces what a dead daemon left. */
int control_listen(const struct control_path *path, int backlog, struct err *err) MUST_USE;

#endif
