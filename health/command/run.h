/* A node in this process: what `candor run` and `candor rbldnsd` have in common. */
#ifndef CANDOR_COMMAND_RUN_H
#define CANDOR_COMMAND_RUN_H

#include "resolver/base/conf.h"

struct run_how {
    int ready_fd;         /* gets the line "candor: ready" */
    const char *pid_file; /* written once the node's folder is locked, removed at the end; NULL: none */
};

/* Makes what the daemons need (folders, lock, board), then supervises them until SIGTERM or SIGINT. The configuration
 * must have been read from a file, or be the defaults: the daemons read it again. */
int run_node(const struct conf *conf, const struct run_how *how, struct err *err) MUST_USE;

/* Makes a folder and those above it; the last one is given to `user` ("": stays who we are). */
int run_folder(const char *path, const char *user, struct err *err) MUST_USE;

#endif
