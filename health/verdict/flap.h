/* A check that changes too often is no longer believed when it says that all is well.
 *
 * FLAP_CHANGES changes of state within FLAP_WINDOW of its intervals, and it is held in the worst state of those, until
 * it has been steady for FLAP_STEADY intervals. Every change is counted and kept as ever: damping keeps a verdict from
 * turning green, it hides nothing. A counted window and no decaying penalty (RFC 2439): docs/decisions/0023.
 *
 * Pure: no clock, no I/O. Times are monotonic and the caller's. */
#ifndef CANDOR_VERDICT_FLAP_H
#define CANDOR_VERDICT_FLAP_H

#include <stdbool.h>
#include <stdint.h>

enum {
    FLAP_CHANGES = 6, /* three outages: one that comes back, and one more, are no flapping yet */
    FLAP_WINDOW = 20, /* intervals: 100 s of a local check */
    FLAP_STEADY = 5   /* intervals: longer than evidence may be old */
};

struct flap {
    int64_t at_ms[FLAP_CHANGES]; /* of the last changes, a ring */
    uint8_t state[FLAP_CHANGES]; /* enum verdict_state: what they left */
    uint64_t changes;            /* ever */
    bool held;
    uint8_t worst;    /* while held */
    unsigned counted; /* changes since it has been flapping, with those that made it so */
    int64_t began_ms; /* the first of those */
};

/* The state changed from `from` to `to`. */
void flap_change(struct flap *f, uint8_t from, uint8_t to, uint32_t interval_ms, int64_t mono_ms);
/* Whether it is (still) held at `mono_ms`. */
bool flap_held(struct flap *f, uint32_t interval_ms, int64_t mono_ms);
/* "flapping: 7 changes in 95 s". Returns `to`. */
const char *flap_words(const struct flap *f, char *to, unsigned size);

#endif
