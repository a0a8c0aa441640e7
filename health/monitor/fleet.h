/* What a monitor knows of all its nodes, on the loop that judges: each node's own word beside what is seen of it
 * (watched.h), its newest detail and events, and what the nodes come to together.
 *
 *   intake (kept by now) -> fleet_take -> pages (newest detail and events of a node; immutable, counted by reference),
 *   the newest events of all, facts -> fleet_judge: who sees whom, zones that lag or differ
 *
 * Owner: one thread; pages may be read by any that holds a reference. Bounds: LIMIT_NODES, FLEET_*. */
#ifndef CANDOR_MONITOR_FLEET_H
#define CANDOR_MONITOR_FLEET_H

#include "health/monitor/https_in.h"
#include "health/monitor/index.h"
#include "health/monitor/intake.h"
#include "health/monitor/watched.h"

enum {
    FLEET_EVENTS = 100,      /* of all nodes */
    FLEET_PAGE_EVENTS = 16,  /* of one node */
    FLEET_ZONES = 4096,      /* names of zones that are compared */
    FLEET_SERIALS = 8,       /* of one zone that are told apart */
    FLEET_NAMED = 16,        /* nodes of one zone that are named */
    FLEET_LAG_INTERVALS = 4, /* push intervals behind the newest serial: it lags */
    FLEET_FRESH_INTERVALS = 4
};

struct fleet_event {
    unsigned refs; /* atomic */
    char node[REPORT_NODE];
    struct event event;
};
/* Never changed once made. */
struct fleet_page {
    unsigned refs; /* atomic */
    struct detail *detail;
    int64_t detail_ms; /* wall clock; 0: none */
    size_t events;
    struct fleet_event *event[FLEET_PAGE_EVENTS]; /* the newest first */
};
struct fleet_page *fleet_page_ref(struct fleet_page *p); /* NULL is allowed */
void fleet_page_unref(struct fleet_page *p);

struct fleet_node {
    struct fleet_page *page; /* NULL: nothing came */
    struct facts *facts;     /* of its newest detail */
    int64_t facts_ms;        /* mono, when that came */
    struct facts *sights;    /* whom it sees, by its health port; used when no details come */
    int64_t sights_ms;
    uint64_t event; /* the newest one's number and time */
    int64_t event_ms;
    uint64_t events;
    enum verdict_state state; /* as shown, and since when (wall clock) */
    int64_t since_ms;
};

struct fleet_zone {
    char *zone;
    size_t nodes; /* that have it, by fresh details */
    uint32_t newest;
    int64_t newest_ms; /* mono, when that was seen first */
    uint64_t digest;   /* of most of those that have the newest */
    size_t serials;    /* told apart */
    uint32_t serial[FLEET_SERIALS];
    size_t have[FLEET_SERIALS]; /* nodes with it */
    size_t lag, differ;         /* nodes; the first of them: */
    uint16_t lagging[FLEET_NAMED], differing[FLEET_NAMED];
    enum verdict_state state;
};

struct fleet {
    const struct conf *conf;
    struct node_index *index;
    size_t count;
    struct watched *watched; /* as health.monitor.nodes */
    struct fleet_node *node;
    struct fleet_event *event[FLEET_EVENTS]; /* ring; `events` came so far */
    uint64_t events;
    struct fleet_zone *zone;
    size_t zones, zones_lost; /* lost: more than FLEET_ZONES */
    bool cut_off;             /* this monitor is: `lost` nodes are gone at once */
    size_t lost;
    struct taker_state store;            /* and what was refused, for whoever shows it */
    uint64_t refused[HTTPS_IN_REFUSALS]; /* over HTTPS */
    bool changed;                        /* facts came since zones were compared */
};

int fleet_open(struct fleet **out, const struct conf *conf, int64_t mono_ms, struct err *err) MUST_USE;
void fleet_close(struct fleet *f); /* NULL is allowed */
/* Takes `i` over; i->node is its place, SIZE_MAX: to be found by its name. The report in it is taken in, too. */
void fleet_take(struct fleet *f, struct intake *i, int64_t mono_ms, int64_t wall_ms);
/* Whom a node sees, by its health port; takes `sights` over. */
void fleet_see(struct fleet *f, size_t node, struct facts *sights, int64_t mono_ms);
/* Who sees whom, into watched.peers_*. Cheap: once a second. */
void fleet_sights(struct fleet *f, int64_t mono_ms);
/* Compares zones: once in a push interval, when something changed or may have aged. */
void fleet_compare(struct fleet *f, int64_t mono_ms);
/* In words, for the check fleet:zones. VERDICT_UNKNOWN: no details come, nothing can be said. */
enum verdict_state fleet_zones_judge(const struct fleet *f, char *to, size_t size);
/* One node as /fleet shows it: words of whatever decides. `cut_off`: this monitor is. */
enum verdict_state fleet_node_judge(const struct fleet *f, size_t node, bool cut_off, int64_t mono_ms, char *to,
                                    size_t size);
/* Newest first; NULL beyond. */
const struct fleet_event *fleet_event_at(const struct fleet *f, size_t back);

#endif
