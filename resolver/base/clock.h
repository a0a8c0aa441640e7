/* Time, through one door so that a test can turn the hands (design.md: injected clock).
 *
 * Three clocks with three uses. MONO: how long something takes, deadlines, heartbeats (CLOCK_MONOTONIC; the same in
 * every process of a machine). BOOT: as MONO but runs on while the machine sleeps (CLOCK_BOOTTIME). WALL: what
 * people and other machines call the time (CLOCK_REALTIME); it may jump, so no deadline hangs on it. */
#ifndef CANDOR_BASE_CLOCK_H
#define CANDOR_BASE_CLOCK_H

#include <stdint.h>

enum clock_kind { CLOCK_KIND_MONO, CLOCK_KIND_BOOT, CLOCK_KIND_WALL };

#define NS_PER_S 1000000000LL
#define NS_PER_MS 1000000LL

/* Nanoseconds of the given clock. */
int64_t clock_ns(enum clock_kind kind);

static inline int64_t clock_mono_ms(void) { return clock_ns(CLOCK_KIND_MONO) / NS_PER_MS; }
static inline int64_t clock_wall_ms(void) { return clock_ns(CLOCK_KIND_WALL) / NS_PER_MS; }
static inline int64_t clock_wall_s(void) { return clock_ns(CLOCK_KIND_WALL) / NS_PER_S; }

/* Replaces the source of all three clocks; NULL puts the kernel's back. Tests only; not thread-safe. */
typedef int64_t (*clock_source)(enum clock_kind kind);
void clock_set_source(clock_source source);

#endif
