/* How available this node was: windowed user-uptime after Hauer et al., Meaningful Availability (NSDI 2020).
 *
 *   judged states, with how long they held -> the minute that runs -> ring of 30 days of minutes -> of each window:
 * what share of it was good, what share was measured at all, and the worst window of that length in 30 days
 *
 * Series: the node (its readiness), each scope, and the clients (a prefix that asked within a minute is a user of that
 * minute, and was served for the share of its questions that was answered without SERVFAIL). Time of which nothing is
 * known (unknown, or candor-health was down) counts against us and is told apart by the measured share. A minute in
 * which a series was not there (a scope without checks, no client asked; the first one ever, when it began half-way)
 * counts for nothing.
 *
 * Pure: no clock, no I/O; time is given. Memory is bounded: about 1.6 MB. Sums run along with the minutes. */
#ifndef CANDOR_VERDICT_AVAILABILITY_H
#define CANDOR_VERDICT_AVAILABILITY_H

#include "health/verdict/verdict.h"

enum {
    AVAILABILITY_NODE = SCOPE_COUNT, /* series: scopes, then the node, then the clients */
    AVAILABILITY_JUDGED,             /* series from judged states end here */
    AVAILABILITY_CLIENTS = AVAILABILITY_JUDGED,
    AVAILABILITY_SERIES,
    AVAILABILITY_WINDOWS = 8,
    AVAILABILITY_MINUTES = 30 * 24 * 60,
    AVAILABILITY_PARTS = 240, /* of a minute: a quarter of a second each */
    AVAILABILITY_ABSENT = 255,
    AVAILABILITY_GAP_MS = 2000, /* a state that was not looked at for longer is not known to have held */
    AVAILABILITY_SHARE = 256,   /* of a client's minute */
    AVAILABILITY_USERS_MAX = 255
};

/* A minute as it is kept, on disk too (docs/formats/health.md). */
struct availability_minute {
    uint32_t minute;                   /* since 1970, by the wall clock; 0: none */
    uint8_t good[AVAILABILITY_JUDGED]; /* in parts; AVAILABILITY_ABSENT: the series was not there */
    uint8_t bad[AVAILABILITY_JUDGED];
    uint8_t users;
    uint16_t users_up; /* sum of the shares of all users; their minutes times AVAILABILITY_SHARE at most */
};

struct availability_sum {
    uint32_t good, bad, total; /* in parts; of clients in shares */
};
struct availability_worst {
    uint32_t minute; /* that the window ended with; 0: none was ever full */
    struct availability_sum sum;
};

struct availability {
    struct availability_minute *at; /* AVAILABILITY_MINUTES of them, by minute */
    uint32_t first, last;           /* minutes that were closed: first is the oldest ever, within 30 days; 0: none */
    struct availability_sum sum[AVAILABILITY_WINDOWS][AVAILABILITY_SERIES];
    struct availability_worst worst[AVAILABILITY_WINDOWS][AVAILABILITY_SERIES];
    /* the minute that runs */
    uint32_t minute;
    uint32_t good_ms[AVAILABILITY_JUDGED], bad_ms[AVAILABILITY_JUDGED], passed_ms;
    bool there[AVAILABILITY_JUDGED];
    uint8_t users;
    uint16_t users_up;
};

int availability_open(struct availability *a) MUST_USE;
void availability_close(struct availability *a);

/* Minutes of an earlier life, in any order; then availability_begin once, which makes the sums up to `wall_ms`: what
 * lies between is time of which nothing is known. Both may be left out. */
void availability_put(struct availability *a, const struct availability_minute *m);
void availability_begin(struct availability *a, int64_t wall_ms);

/* The states held for the last `ms` up to now; state[i] VERDICT_STATES: that series is not there. Returns whether a
 * minute was closed, which is then in *closed. */
bool availability_note(struct availability *a, int64_t wall_ms, int64_t ms,
                       const enum verdict_state state[AVAILABILITY_JUDGED], struct availability_minute *closed);
/* A client's questions of this minute so far: call once a client and minute, before the note that closes it. */
void availability_user(struct availability *a, uint64_t queries, uint64_t answered);
/* The minute that runs, as far as it has come. */
void availability_running(const struct availability *a, struct availability_minute *m);

/* What a window comes to: the last minutes and the one that runs. False: nothing of it is there yet. */
struct availability_share {
    double ratio, measured;    /* 0..1: good; good or bad, of all time */
    double worst;              /* of full windows of this length in 30 days; below 0: there was none yet */
    int64_t worst_end_wall_ms; /* when that one ended */
};
bool availability_share(const struct availability *a, int series, int window, struct availability_share *s);

const char *availability_series_name(int series); /* "worker", "node", "clients" */
const char *availability_window_name(int window); /* "1m", "5m", "15m", "1h", "6h", "1d", "7d", "30d" */
/* From the book: pass and warn are good; the node's is its readiness. */
void availability_states(const struct verdict_book *b, enum verdict_state state[AVAILABILITY_JUDGED]);

#endif
