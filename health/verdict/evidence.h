/* What a verdict rests on. */
#ifndef CANDOR_VERDICT_EVIDENCE_H
#define CANDOR_VERDICT_EVIDENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "resolver/base/addr.h"

enum { EVIDENCE_ASKED_MAX = 320, EVIDENCE_CAME_MAX = 256 };

/* What was asked, of whom, from where, what came back, when, how long it took. Texts may hold any byte. */
struct evidence {
    char asked[EVIDENCE_ASKED_MAX];
    char came[EVIDENCE_CAME_MAX];
    char server[ADDR_TEXT_MAX]; /* "": nobody was asked over the network */
    uint16_t source_port;       /* 0: none */
    bool tcp, tls;
    int64_t wall_ms;
    int64_t took_us;
    double value; /* observed value, in `unit`; NULL: none */
    const char *unit;
};

#endif
