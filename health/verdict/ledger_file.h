/* The files of the ledger, for its thread alone: all of it may hang with the disk. */
#ifndef CANDOR_VERDICT_LEDGER_FILE_H
#define CANDOR_VERDICT_LEDGER_FILE_H

#include "health/verdict/ledger.h"

enum { LEDGER_PATH_MAX = 4096, LEDGER_MINUTE_BYTES = 4 + 2 * AVAILABILITY_JUDGED + 1 + 2 + 4 };

struct ledger_file {
    char folder[LEDGER_PATH_MAX];
    int events, minutes; /* -1: not open now; tried again at the next write */
    size_t events_size;
};

struct ledger_past {
    struct event *events; /* by their numbers */
    size_t event_count;
    struct availability_minute *minutes;
    size_t minute_count;
    int64_t written_wall_ms; /* when either file was written last; 0: there is none */
    uint64_t damaged;
};

void ledger_file_open(struct ledger_file *f, const char *folder);
void ledger_file_close(struct ledger_file *f);
/* What they hold. NULL: no memory; the past is then unknown for good. */
struct ledger_past *ledger_file_past(struct ledger_file *f);
/* False: not written, and why (words[160]). */
bool ledger_file_event(struct ledger_file *f, const struct event *e, char *words);
bool ledger_file_minute(struct ledger_file *f, const struct availability_minute *m, char *words);

#endif
