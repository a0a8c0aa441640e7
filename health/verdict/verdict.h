/* What is known about this node, and how well: a state machine without a clock and without I/O.
 *
 *   a result (with its time) -> check: fall after `fall` worse results, rise after `rise` better ones -> scope: the
 * worst of its checks, with the cause -> transition: counted, and kept in a ring with its cause
 *
 * A check is one question that is asked again and again ("does worker 2 answer on 127.0.0.1@53"). Its evidence ages:
 * older than three intervals it is worth nothing, the check is `unknown`, and `unknown` counts as fail. The first
 * result after that decides alone, unless the check had failed before: then the way up takes `rise` good results as
 * ever. What configuration switched off or pointed elsewhere is `warn` for good and says so: never pass. Nothing here
 * is green that was not seen to be. A check that changes too often is held in its worse state (flap.h); each change is
 * counted and kept, and so is each doubt: bad results that were taken back before they made it fall.
 *
 * Owner: the thread that judges (the prober's). Times are given by the caller: `mono_ms` for ageing, `wall_ms` to show.
 */
#ifndef CANDOR_VERDICT_H
#define CANDOR_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "health/verdict/evidence.h"
#include "health/verdict/flap.h"
#include "health/verdict/history.h"
#include "resolver/base/addr.h"
#include "resolver/base/err.h"

enum verdict_state { VERDICT_PASS, VERDICT_WARN, VERDICT_FAIL, VERDICT_UNKNOWN, VERDICT_STATES };
enum verdict_scope {
    SCOPE_PROCESS,
    SCOPE_WORKER,
    SCOPE_RESOLUTION,
    SCOPE_ZONES,
    SCOPE_REPLICATION,
    SCOPE_UPSTREAM,
    SCOPE_STORAGE,
    SCOPE_PEERS,
    SCOPE_REPORTING,
    SCOPE_MONITOR,
    SCOPE_COUNT
};

const char *verdict_state_name(enum verdict_state s); /* "pass" */
const char *verdict_scope_name(enum verdict_scope s); /* "worker" */
int verdict_scope_find(const char *name);             /* -1: there is none */
/* The worse of two: pass, warn, unknown, fail. */
enum verdict_state verdict_worse(enum verdict_state a, enum verdict_state b);

enum { CHECK_ID_MAX = 272, DOUBT_MAX = 128, VERDICT_AGE_INTERVALS = 3 };

struct verdict_result {
    enum verdict_state state; /* pass, warn or fail */
    int64_t mono_ms;
    struct evidence evidence;
};

struct verdict_check {
    /* fixed when it is added */
    enum verdict_scope scope;            /* SCOPE_COUNT: dropped, counts for nothing */
    const char *component, *measurement; /* static text: "zone", "serial" */
    char id[CHECK_ID_MAX];               /* which of them: "bl.example." */
    uint32_t interval_ms;
    bool readiness; /* /readyz hangs on it */
    bool fixed;     /* configured off: always warn */
    /* the machine */
    enum verdict_state settled; /* by fall and rise; unknown: no result yet, or all too old */
    enum verdict_state before;  /* what it was before it became unknown by age */
    enum verdict_state told;    /* settled, as it was last judged: each change is counted and kept */
    enum verdict_state shown;   /* settled, aged and damped: the state that counts */
    unsigned worse, better;     /* results in a row against `settled` */
    enum verdict_state worse_least, better_most;
    struct flap flap;
    int64_t streak_wall_ms; /* of the first of the results in a row against `settled` */
    int64_t seen_wall_ms;   /* when what made it what it is was seen first; it was judged at changed_wall_ms */
    int64_t last_mono_ms;   /* of the newest result */
    int64_t changed_wall_ms, failing_since_wall_ms;
    uint64_t transitions[VERDICT_STATES];
    uint64_t doubts, doubts_told; /* worse results in a row that were too few to count; of those, in the history */
    int64_t doubt_wall_ms;
    char doubt[DOUBT_MAX];    /* what came then */
    struct evidence evidence; /* of the newest result */
};

struct verdict_scope_state {
    bool present; /* it has checks */
    enum verdict_state state;
    size_t cause; /* index of the check that decides; book->count: none */
    size_t counts[VERDICT_STATES];
    int64_t evaluated_wall_ms; /* its newest evidence */
    int64_t changed_wall_ms, failing_since_wall_ms;
    uint64_t transitions[VERDICT_STATES];
    uint64_t check_changes, doubts; /* of all its checks, also of those that are damped */
};

struct verdict_book {
    struct verdict_check *checks;
    size_t count, cap, dropped;
    unsigned fall, rise;
    int64_t grace_until_ms; /* until then (mono) a check that was never anything stays unknown instead of failing: a
                               node that starts is no alarm, and no green either. 0: no grace */
    struct verdict_scope_state scope[SCOPE_COUNT];
    enum verdict_state overall;
    struct history scopes, details; /* transitions of scopes, and of single checks */
    uint64_t revision;              /* grows with every transition */
};

/* `cap` checks at most; fall and rise of 0 are taken as 1. */
int verdict_open(struct verdict_book *b, size_t cap, unsigned fall, unsigned rise) MUST_USE;
void verdict_close(struct verdict_book *b);

/* A new check, unknown until its first result. Its index; E_FULL. */
int verdict_add(struct verdict_book *b, enum verdict_scope scope, const char *component, const char *measurement,
                const char *id, uint32_t interval_ms, bool readiness) MUST_USE;
/* A check that is not made, and why: warn, for as long as the configuration says so. */
int verdict_add_off(struct verdict_book *b, enum verdict_scope scope, const char *component, const char *measurement,
                    const char *id, const char *why, int64_t wall_ms) MUST_USE;

/* What it was about has gone (a zone of a catalog): the check counts no more, its index is given to the next one. */
void verdict_drop(struct verdict_book *b, size_t check);
/* Takes in one result. Returns whether the check is on its way to another state (a result against it was counted):
 * worth asking again soon. */
bool verdict_result(struct verdict_book *b, size_t check, const struct verdict_result *r);
/* Lets evidence age and judges the scopes anew; to be called after results and at least once a second. */
void verdict_judge(struct verdict_book *b, int64_t mono_ms, int64_t wall_ms);

/* Whether all checks that readiness hangs on pass or warn; *cause is the first that does not (count: there is none). */
bool verdict_ready(const struct verdict_book *b, size_t *cause);
/* When the first evidence that something green hangs on will be too old, in mono_ms; INT64_MAX: never. */
int64_t verdict_valid_until(const struct verdict_book *b);
/* "worker:answers (worker 2)", cut to fit. */
const char *verdict_label(const struct verdict_check *c, char *to, size_t size);
/* Why it is shown as it is: what came, behind "flapping: ..." or "no fresh evidence ...", cut to fit. */
const char *verdict_words(const struct verdict_check *c, char *to, size_t size);

#endif
