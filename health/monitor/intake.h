/* One delivery of one node, on its way from where it came in (https_in.h, receiver.h) to the archive, and from there to
 * the loop that judges.
 *
 *   body of POST /report (docs/formats/report.md) -> intake_read -> struct intake -> archive -> acknowledged, judged
 *
 * What comes from outside is read with hard bounds; a document that is wrong anywhere is refused as a whole. Texts are
 * made ASCII on the way. Pure. */
#ifndef CANDOR_MONITOR_INTAKE_H
#define CANDOR_MONITOR_INTAKE_H

#include "health/report/notice.h"

enum {
    INTAKE_BYTES = 4 << 20, /* of a body */
    INTAKE_DEPTH = 8,       /* lists and objects inside each other */
    INTAKE_ZONES = 1024,    /* of one detail */
    INTAKE_PEERS = 2048
};

/* What a detail says that is judged across nodes. All in one piece of memory. */
struct facts_zone {
    const char *zone;
    uint64_t digest; /* of the text; 0: none is told */
    uint32_t serial;
};
enum facts_sight { FACTS_WELL, FACTS_GONE, FACTS_UNSURE };
struct facts_peer {
    const char *peer;
    enum facts_sight sight;
};
struct facts {
    int64_t wall_ms, config_version; /* config_version -1: not told */
    size_t zones, peers;
    struct facts_zone *zone;
    struct facts_peer *peer;
};

struct intake {
    struct intake *next;
    size_t node;     /* of health.monitor.nodes; set by who takes it in */
    int64_t came_ms; /* wall clock */
    bool kept;       /* it is in the archive */
    bool taken;      /* its report was taken in by the loop already */
    bool past;       /* read from the archive at start: old news */
    char name[REPORT_NODE];
    bool has_report;
    struct report report;
    struct event *event; /* oldest first */
    size_t events;
    uint64_t events_lost;
    struct detail *detail; /* NULL: none came */
    struct facts *facts;   /* with the detail */
    /* called on the archive's thread when it is kept (0) or cannot be (an error); may be NULL */
    void (*done)(void *ctx, int code);
    void *ctx;
};

/* A new one in *out; E_INVALID with a text, E_NOMEM. `name` is that of the node by the report or the detail; "" when
 * there is neither. */
int intake_read(struct intake **out, const char *body, size_t size, struct err *err) MUST_USE;
/* One with nothing but this report. NULL without memory. */
struct intake *intake_of(const struct report *r);
void intake_free(struct intake *i); /* NULL is allowed */
void facts_free(struct facts *f);   /* NULL is allowed */
/* Whom a node sees, without the rest: names are copied. NULL without memory. */
struct facts *facts_of_sights(const char *const *peer, const enum facts_sight *sight, size_t count);

#endif
