/* What outlives candor-health: its events and its minutes of availability, in `state`/health/ (docs/formats/health.md).
 *
 *   thread of its own: reads the files -> struct ledger_past, once -> writes what it is given
 *   judging thread: ledger_note() takes what is new in the book -> events, availability -> box for the thread
 *
 * A disk that hangs hangs that thread and nothing else: box and past are handed over without locks, a box that is full
 * drops what is given to it and counts it. A disk that fails, or is full, is tried again for ever; what it did not take
 * waits in the box. Until the past has been read nothing is numbered; what happens meanwhile waits in the rings of the
 * book. Files are read as if an enemy had written them: what is damaged is left out and said.
 *
 * Owner of all but the thread's own parts: the thread that judges. */
#ifndef CANDOR_VERDICT_LEDGER_H
#define CANDOR_VERDICT_LEDGER_H

#include "health/verdict/availability.h"
#include "health/verdict/events.h"
#include "resolver/base/board.h"

enum {
    LEDGER_FILE_BYTES = 1 << 20,    /* of events; then it becomes the old one, which is forgotten */
    LEDGER_DOUBT_BYTES = 128 << 10, /* of doubts, likewise */
    LEDGER_BOX = 512,               /* records that wait for the disk */
    LEDGER_BOX_SPARE = 256,         /* of them for what is more than a doubt or a minute that still runs */
    LEDGER_RETRY_MS = 1000,         /* after a disk that failed; then twice that, and so on... */
    LEDGER_RETRY_MAX_MS = 10000,    /* ...up to this */
    LEDGER_READ_TRIES = 12,         /* then a file in which the disk fails is set aside */
    LEDGER_RUNNING_MS = 10000       /* the minute that runs is written this often */
};

struct ledger;
struct ledger_state {
    bool loaded;       /* the past has been read */
    uint64_t damaged;  /* octets of files that were not believed */
    uint64_t dropped;  /* records that the box had no room for */
    uint64_t waiting;  /* records in the box */
    char problem[160]; /* of the disk, now; "": none */
};

/* Starts the thread; `folder` is made when it is missing, by the thread. boot: of this process. */
int ledger_open(struct ledger **out, const char *folder, uint64_t boot, int64_t wall_ms) MUST_USE;
/* Gives the thread a moment to write what waits, and leaves it behind when it hangs. */
void ledger_close(struct ledger *l);

/* Takes in what is new: transitions of the book, that its states held for `ms` until now, and at the end of each minute
 * what its clients lived through. */
void ledger_note(struct ledger *l, const struct verdict_book *b, const struct board *board, int64_t wall_ms,
                 int64_t ms);
struct availability *ledger_availability(const struct ledger *l);
/* NULL: not read yet, or nothing happened. A reference is taken by whoever keeps it. */
struct event_list *ledger_events(const struct ledger *l);
void ledger_state(const struct ledger *l, struct ledger_state *s);

#endif
