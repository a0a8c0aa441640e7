/* A kept zone, read beside the process that keeps it, also when that one is gone (decision 0013). */
#ifndef CANDOR_COMMAND_ZONE_H
#define CANDOR_COMMAND_ZONE_H

#include <stdio.h>

#include "health/command/command.h"
#include "rbl/keep/walk.h"

struct zone {
    struct conf *conf;
    const struct conf_zone *zone;
    struct keep *keep;
};

/* The zone of that name (any case, final dot or not); NULL: not in the configuration. */
const struct conf_zone *zone_find(const struct conf *conf, const char *name);

/* Reads the configuration and opens the zone's live generation. What is wrong is said on stderr, "candor COMMAND: ...";
 * then the exit code, else 0. Closed with zone_close, in either case. */
int zone_open(struct zone *z, const struct args *a, const char *command, const char *name) MUST_USE;
void zone_close(struct zone *z);

/* "2026-11-22T10:00:00Z" into `to`; "" for 0. Returns `to`. */
enum { ZONE_TIME_MAX = 32 };
const char *zone_time(int64_t wall_s, char to[ZONE_TIME_MAX]);
/* 32 hexadecimal digits. */
const char *zone_digest(struct digest d, char to[33]);

/* An entry as a data file has it, without its exclamation mark: "192.0.2.0/24", "2001:db8::1", "*.example", "@" for the
 * zone's own name. Returns its length. */
enum { ZONE_ENTRY_MAX = NAME_TEXT_MAX + 4 };
size_t zone_entry_text(const struct keep_entry *e, char to[ZONE_ENTRY_MAX]);

/* One entry as an object of JSON on a line; `change`: NULL, or what became of it. `type`: of its dataset. */
void zone_entry_json(FILE *to, const struct keep_entry *e, const char *change, const char *type);
/* A JSON string with its quotes; what is no UTF-8 becomes U+FFFD. */
void zone_json_text(FILE *to, const char *text, size_t size);

#endif
