/* Small text files of /proc and /sys, read whole and bounded; the parsers of this room take their texts. Nothing here
 * waits for a disk. */
#ifndef CANDOR_SYSTEM_FILE_H
#define CANDOR_SYSTEM_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "resolver/base/err.h"

enum { SYS_TEXT_MAX = 4096, SYS_PATH_MAX = 512 };

/* At most size - 1 octets of a file into `text`, closed by NUL. How many; 0: empty, not there, or not to be read. */
size_t sys_read(const char *path, char *text, size_t size);
/* The same of /proc/PID/`file`; pid 0: of /proc/`file`. */
size_t sys_read_of(uint64_t pid, const char *file, char *text, size_t size);
/* A file that holds one number; false when it does not. */
bool sys_read_number(const char *path, uint64_t *value);
/* The `index`th word of `text`, by spaces, as a number; 0 when there is none. */
uint64_t sys_word(const char *text, unsigned index);
/* The number behind `key` at the beginning of a line ("FDSize:"); false when there is no such line or no number. */
bool sys_field(const char *text, const char *key, uint64_t *value);

#endif
