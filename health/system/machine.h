/* What the kernel says of the machine: pressure (PSI) and tracked connections. */
#ifndef CANDOR_SYSTEM_MACHINE_H
#define CANDOR_SYSTEM_MACHINE_H

#include "health/system/file.h"

enum sys_resource { SYS_CPU, SYS_MEMORY, SYS_IO, SYS_RESOURCES };
enum sys_stall { SYS_SOME, SYS_FULL, SYS_STALLS }; /* some tasks waited; all that could have run did */
const char *sys_resource_name(enum sys_resource r);
const char *sys_stall_name(enum sys_stall s);

struct sys_pressure {
    bool known[SYS_STALLS];
    double avg10[SYS_STALLS]; /* part of the last ten seconds, 0 to 1 */
    uint64_t total_us[SYS_STALLS];
};
/* The text of a file of /proc/pressure. E_INVALID: it tells nothing. */
int sys_pressure_parse(const char *text, struct sys_pressure *p) MUST_USE;
/* E_NOTFOUND: this kernel does not tell. */
int sys_pressure_read(enum sys_resource r, struct sys_pressure *p) MUST_USE;

/* Connections that the firewall of this network namespace tracks, and how many it can. E_NOTFOUND: it tracks none. */
int sys_conntrack_read(uint64_t *count, uint64_t *max) MUST_USE;

#endif
