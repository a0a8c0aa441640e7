/* What goes to a sink at once: a report, what happened since the sink last took something in, and how the node is in
 * detail.
 *
 * The detail is one JSON document (docs/formats/detail.md), made by the loop at most once each push interval; the
 * events are those of the ledger (health/verdict/events.h), which keeps them on disk. Both are immutable and counted
 * by reference, so that each sink reads them on its own thread, for as long as it likes. */
#ifndef CANDOR_REPORT_NOTICE_H
#define CANDOR_REPORT_NOTICE_H

#include "health/report/report.h"
#include "health/verdict/events.h"

struct detail {
    unsigned refs; /* atomic */
    size_t size;
    char json[]; /* `size` octets and a NUL */
};

/* A copy of `json` with one reference; NULL without memory. */
struct detail *detail_make(const char *json, size_t size);
struct detail *detail_ref(struct detail *d); /* NULL is allowed */
void detail_unref(struct detail *d);         /* NULL is allowed */

enum { NOTICE_EVENTS = 128 };
/* All of it is valid during the call that it is given to. */
struct notice {
    const struct report *report; /* NULL: there is none that has not been delivered, only events */
    const struct event *const *event;
    size_t events;               /* oldest first, consecutive numbers; at most NOTICE_EVENTS */
    uint64_t events_lost;        /* before the first of them: too old for the ledger when they could have been sent */
    const struct detail *detail; /* NULL: not made yet */
};

#endif
