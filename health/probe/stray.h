/* Sockets on a port of ours, counted and judged: pure. */
#ifndef CANDOR_PROBE_STRAY_H
#define CANDOR_PROBE_STRAY_H

#include "health/system/sockets.h"
#include "health/verdict/verdict.h"

struct stray_seen {
    uint64_t inode, pid; /* pid 0: not to be found */
    char name[SYS_NAME_MAX];
};

struct stray_look {
    unsigned expected;  /* sockets that the workers have here, UDP and TCP together */
    bool owners_known;  /* whether it can be told by inode which are ours */
    bool whole, unread; /* all lines were looked at; a file could not be read */
    unsigned all, foreign, foreign_tcp;
    uint64_t inode, uid;            /* of the first foreign one */
    const struct stray_seen *owner; /* of that one; NULL: not known */
};

/* One socket that waits there. `ours`: inodes, ascending. Without owners the surplus counts as foreign. */
void stray_count(struct stray_look *l, const struct sys_socket *s, bool tcp, const uint64_t *ours, int count);
enum verdict_state stray_judge(const struct stray_look *l, struct evidence *e);

#endif
