/* Who else holds a port: the sockets of /proc/net/{udp,udp6,tcp,tcp6}, by inode, and the processes that have them. */
#ifndef CANDOR_SYSTEM_SOCKETS_H
#define CANDOR_SYSTEM_SOCKETS_H

#include "health/system/process.h"
#include "resolver/base/addr.h"

enum {
    SYS_SOCKETS_MAX = 512,            /* on one address */
    SYS_SOCKET_LINES_MAX = 1 << 15,   /* looked at, of one file */
    SYS_OWNER_PROCESSES_MAX = 1 << 15 /* looked at for an owner */
};

struct sys_socket {
    struct addr local;
    uint64_t inode, uid;
    bool waits; /* for whoever comes: unconnected (UDP), listening (TCP) */
};
/* One line of such a file; v6: of those with a 6. E_INVALID: it is none. */
int sys_socket_parse(const char *line, bool v6, struct sys_socket *s) MUST_USE;

/* Whether a socket at `held` gets what is sent to one bound at `ours`: the same address, or ours is the any-address and
 * the other one is more special. */
bool sys_socket_meets(const struct addr *held, const struct addr *ours);

/* Those that wait on `ours` into `to`, at most `cap`. *whole false: there were more lines or sockets than are looked
 * at. How many; E_NOTFOUND: the file cannot be read. */
int sys_sockets_on(bool tcp, const struct addr *ours, struct sys_socket *to, size_t cap, bool *whole) MUST_USE;

/* Inodes of the sockets that a process has open, ascending. E_DENIED: that is not for us to see. */
int sys_sockets_of(uint64_t pid, uint64_t *inodes, size_t cap) MUST_USE;
/* A process that has this socket; E_NOTFOUND: none, or none that we may look into. */
int sys_socket_owner(uint64_t inode, uint64_t *pid, struct sys_process *p) MUST_USE;

#endif
