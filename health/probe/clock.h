/* Is the wall clock what it should be? A jump: CLOCK_REALTIME has moved against CLOCK_BOOTTIME by more than two seconds
 * from one look to the next; what ntpd and chronyd slew (at most a tenth of the time that passed) is none. A wrong
 * time: earlier than this program was built, or more than a minute from what other nodes say (their messages carry
 * their times). Deadlines of the node hang on the monotonic clock; signatures, TSIG and certificates on the wall's. */
#ifndef CANDOR_PROBE_CLOCK_H
#define CANDOR_PROBE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "resolver/base/board.h"

enum {
    CLOCK_LOOK_MS = 250,
    CLOCK_JUMP_MS = 2000,         /* health.md, fault 36 */
    CLOCK_SLEW_SHARE = 10,        /* the kernel slews by a tenth at most (adjtimex(2), tick) */
    CLOCK_READ_MS = 100,          /* two clocks read further apart than this are read again at the next look */
    CLOCK_SHOW_INTERVALS = 12,    /* so many local intervals a jump is told of: a minute */
    CLOCK_OFFSET_WARN_MS = 2000,  /* from other nodes; ntp keeps within milliseconds */
    CLOCK_OFFSET_FAIL_MS = 60000, /* health.md, fault 20; TSIG ends at 300 s */
    CLOCK_BUILD_SLACK_S = 86400,  /* the clock that the program was built by may have been ahead */
};

struct clock_watch {
    bool known;
    int64_t apart_ms; /* wall less boot time, at the last look */
    int64_t boot_ms;
};
/* By how much the wall clock has jumped since the last look; 0: it has not. */
int64_t clock_look(struct clock_watch *w, int64_t wall_ms, int64_t boot_ms);

/* The middle one of what other nodes' clocks are off, each as in board_link.h; false: nobody told lately. */
bool clock_offset(const struct board *b, int64_t now_wall_ms, int64_t within_ms, int64_t *offset_ms, size_t *nodes);

#endif
