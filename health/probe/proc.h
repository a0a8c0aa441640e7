/* What the kernel says of a process: /proc/PID/stat. */
#ifndef CANDOR_PROBE_PROC_H
#define CANDOR_PROBE_PROC_H

#include <stddef.h>
#include <stdint.h>

#include "resolver/base/err.h"

/* State letter of a process ('R', 'S', 'D', 'T', 't', 'Z', ...); '\0': there is no such process, or it cannot be
 * read. */
char proc_state(uint64_t pid);
/* The letter out of the text of a stat file, whose second field may hold any byte; '\0' when it is none. */
char proc_state_read(const char *stat, size_t size);
/* "stopped", "zombie", ... for messages. */
const char *proc_state_text(char state);

#endif
