/* What the kernel says of one process: /proc/PID/{stat,statm,limits,status,fd,wchan,cgroup}. Most of it anybody may
 * read; what only the owner may (descriptors, on kernels before 6.2; wchan) is replaced by a bound, or left out. */
#ifndef CANDOR_SYSTEM_PROCESS_H
#define CANDOR_SYSTEM_PROCESS_H

#include "health/system/file.h"

enum { SYS_NAME_MAX = 32, SYS_FDS_MAX = 1 << 16 };

struct sys_process {
    char state;               /* 'R', 'S', 'D', 'T', 't', 'Z', ...; '\0': gone */
    char name[SYS_NAME_MAX];  /* as the kernel has it, at most 15 octets; unprintable ones stand as '?' */
    uint64_t parent, threads; /* parent: its pid */
    uint64_t major_faults;    /* that waited for the disk */
    uint64_t cpu_ticks;       /* user and system, of sysconf(_SC_CLK_TCK) */
    uint64_t start_ticks;     /* since boot: with the pid it names a process for good */
    uint64_t resident_bytes;
    uint64_t fds, fds_max; /* open, and how many may be; max 0: no limit, or not known */
    bool fds_bound;        /* they could not be counted: `fds` is as many as there can be */
};

/* The texts of stat, statm and limits into *p. E_INVALID: it is none; *p is then as before. */
int sys_stat_parse(const char *text, struct sys_process *p) MUST_USE;
int sys_limits_parse(const char *text, struct sys_process *p) MUST_USE;

/* Of stat alone: cheap. E_NOTFOUND: there is no such process. */
int sys_process_look(uint64_t pid, struct sys_process *p) MUST_USE;
/* All of it. */
int sys_process_read(uint64_t pid, struct sys_process *p) MUST_USE;

/* "stopped", "dead", ... */
const char *sys_state_text(char state);
/* Why a process that is there does not run, in words: ", frozen by its cgroup /x", ", traced by gdb (pid 7)", ", in
 * futex_wait_queue". "" when there is nothing to say. Returns `to`. */
const char *sys_halt_text(uint64_t pid, char *to, size_t size);

/* The path of a process in the hierarchy of `controller` ("": that of version 2) out of the text of its cgroup file;
 * false when it is in none. */
bool sys_cgroup_path(const char *text, const char *controller, char *to, size_t size);

#endif
