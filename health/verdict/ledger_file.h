/* The files of the ledger, for its thread alone: all of it may hang with the disk. */
#ifndef CANDOR_VERDICT_LEDGER_FILE_H
#define CANDOR_VERDICT_LEDGER_FILE_H

#include "health/verdict/ledger.h"

enum { LEDGER_PATH_MAX = 4096, LEDGER_WORDS = 160, LEDGER_MINUTE_BYTES = 4 + 2 * AVAILABILITY_JUDGED + 1 + 2 + 4 };
enum ledger_log_kind { LEDGER_EVENTS, LEDGER_DOUBTS, LEDGER_LOGS };

struct ledger_log_name {
    const char *name, *old;
    size_t bytes; /* then it becomes the old one, which is forgotten */
};
extern const struct ledger_log_name ledger_logs[LEDGER_LOGS];
extern const char ledger_minutes_name[];

struct ledger_log {
    int fd; /* -1: not open now; tried again at the next write */
    size_t size;
};
struct ledger_file {
    char folder[LEDGER_PATH_MAX];
    struct ledger_log log[LEDGER_LOGS];
    int minutes; /* as log.fd */
};

struct ledger_past {
    struct event *events; /* by their numbers, doubts among them */
    size_t event_count;
    struct availability_minute *minutes;
    size_t minute_count;
    int64_t written_wall_ms; /* when any file was written last; 0: there is none */
    uint64_t damaged;
};

void ledger_file_open(struct ledger_file *f, const char *folder);
void ledger_file_close(struct ledger_file *f);
/* What they hold (ledger_read.c). NULL: they cannot be read now, and why (words[LEDGER_WORDS]); ask again. set_aside: a
 * file in which the disk itself fails is renamed to NAME.unreadable, so that a new one can begin. */
struct ledger_past *ledger_file_past(struct ledger_file *f, bool set_aside, char *words);
void ledger_past_free(struct ledger_past *p); /* NULL is allowed */

/* False: not written, and why (words[LEDGER_WORDS]); it may be given again. */
bool ledger_file_event(struct ledger_file *f, const struct event *e, char *words);
bool ledger_file_minute(struct ledger_file *f, const struct availability_minute *m, char *words);

/* Of `folder`/`name`; the folder is made when it is missing. -1 and errno. */
int ledger_file_open_one(const struct ledger_file *f, const char *name, int flags);
bool ledger_file_path(const struct ledger_file *f, const char *name, char path[LEDGER_PATH_MAX]);

#endif
