/* The traffic of the last minutes, for the page: the board's counters at steps of PULSE_STEP_MS, so that there are
 * rates and percentiles of a window instead of sums since the start. Belongs to the loop that probes; no clock, no I/O.
 */
#ifndef CANDOR_WEB_PULSE_H
#define CANDOR_WEB_PULSE_H

#include <stdbool.h>

#include "resolver/base/board.h"

enum { PULSE_STEP_MS = 5000, PULSE_SAMPLES = 61 /* five minutes */, PULSE_WINDOW = 12 /* steps: a minute */ };

/* Counters as they stand, or what came between two samples. */
struct pulse_sample {
    int64_t mono_ms; /* when, or how long */
    uint64_t queries, answers[SOURCE_COUNT], servfail, dropped;
    uint64_t latency[SOURCE_COUNT][BOARD_LATENCY_BUCKETS];
};
struct pulse {
    struct pulse_sample at[PULSE_SAMPLES];
    unsigned count, next;
};

/* Takes a sample when the last one is a step old. */
void pulse_note(struct pulse *p, const struct board *b, int64_t mono_ms);
/* What came within the last `steps` steps; false: there is no step yet. Counters that ran backwards give 0. */
bool pulse_window(const struct pulse *p, unsigned steps, struct pulse_sample *to);
/* What came within step `back` (0: the newest); false beyond what is kept. */
bool pulse_step(const struct pulse *p, unsigned back, struct pulse_sample *to);

/* When that step ended (mono); 0 beyond what is kept. */
int64_t pulse_ended_ms(const struct pulse *p, unsigned back);

double pulse_rate(const struct pulse_sample *s, uint64_t count); /* per second */
/* The duration in microseconds that `part` (0 to 1) of the answers stayed below, laid between the bounds of its bucket;
 * of all sources with SOURCE_COUNT; < 0: there were none. */
double pulse_percentile_us(const struct pulse_sample *s, unsigned source, double part);

#endif
