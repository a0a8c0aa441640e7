/* When to ask which primary, and from whom to take the zone: one zone, its primaries, no I/O (RFC 1034 section 4.3.5,
 * RFC 1996, RFC 1982). Times are milliseconds of a clock that never jumps, handed in by who asks.
 *
 *   schedule_ask      -> ask this primary for its SOA     -> schedule_said, or schedule_failed
 *   schedule_transfer -> take the zone from this primary  -> schedule_ended
 *
 * All primaries are asked; the newest serial wins; among equals the one that failed least, then the first. A primary
 * that is silent is left out and asked on, at growing distances: 1 s, 2 s, 4 s ... up to its retry time or
 * SCHEDULE_BACKOFF_MS, whichever is shorter. Every distance varies by a tenth. */
#ifndef CANDOR_SECONDARY_SCHEDULE_H
#define CANDOR_SECONDARY_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "resolver/base/err.h"

enum {
    SCHEDULE_PRIMARIES = 16,
    SCHEDULE_BACKOFF_MS = 60000, /* a clock that is right again, a server that is back, is found within this */
    SCHEDULE_FIRST_MS = 1000,
    SCHEDULE_HINT_MS = 200, /* between two questions to one primary because of NOTIFY */
    SCHEDULE_SECONDS_MOST = 30 * 86400
};

struct schedule_primary {
    bool asking, hinted;
    bool told; /* `serial` is what it said last */
    bool held; /* a question is held there: whoever holds it knows when it is silent */
    uint32_t serial;
    unsigned failures; /* questions without an answer, in a row */
    unsigned broken;   /* transfers that failed, in a row */
    int64_t ask_ms;    /* when it is asked next */
    int64_t asked_ms;
    int64_t transfer_ms; /* no transfer from it before */
};

struct schedule {
    uint32_t refresh_s, retry_s, expire_s;
    unsigned count;
    struct schedule_primary primary[SCHEDULE_PRIMARIES];
    bool have; /* something is committed: */
    uint32_t serial;
    bool refused; /* by the guards: this serial is not taken again */
    uint32_t refused_serial;
    bool whole; /* by hand, or to heal: everything, from whoever is chosen, even when it is older */
    int whole_from;
    int transfer; /* from this one; -1: none */
    uint32_t (*random)(uint32_t bound);
};

/* RFC 1982: whether a is newer than b; never both ways. */
static inline bool serial_newer(uint32_t a, uint32_t b) { return (int32_t)(a - b) > 0; }

/* All are asked at once. */
void schedule_open(struct schedule *s, unsigned count, int64_t now_ms);
/* From the zone's SOA; 0 and what would stop a secondary altogether is brought into bounds. */
void schedule_times(struct schedule *s, uint32_t refresh_s, uint32_t retry_s, uint32_t expire_s);
/* What is committed. */
void schedule_have(struct schedule *s, uint32_t serial);

/* The next primary that is due, which from now on counts as asked; -1: none. */
int schedule_ask(struct schedule *s, int64_t now_ms);
/* NOTIFY from it. A serial that we have needs no question. */
void schedule_hint(struct schedule *s, unsigned primary, const uint32_t *serial, int64_t now_ms);
/* It has this serial. `within_ms`: asked again then at the latest, 0: after the refresh time. */
void schedule_said(struct schedule *s, unsigned primary, uint32_t serial, int64_t within_ms, int64_t now_ms);
void schedule_failed(struct schedule *s, unsigned primary, int64_t now_ms);

/* Whom to take the zone from now; it then counts as under way. -1: nobody, or one is under way. */
int schedule_transfer(struct schedule *s, int64_t now_ms);
enum schedule_end { SCHEDULE_DONE, SCHEDULE_BROKEN, SCHEDULE_REFUSED };
/* `serial`: of what came; SCHEDULE_REFUSED: by the guards. */
void schedule_ended(struct schedule *s, unsigned primary, enum schedule_end end, uint32_t serial, int64_t now_ms);
/* Everything anew from it, -1: from whoever has the newest. */
void schedule_whole(struct schedule *s, int primary, int64_t now_ms);

#endif
