/* What is known now, rendered: immutable once made, counted by reference, swapped atomically.
 *
 * The loop that probes makes one after each change and at least each second (less often when it is expensive: at most a
 * four-hundredth of its time), and drops it into each door's letter box with one atomic exchange. The thread of a door
 * takes what lies there. Neither ever waits for the other, and no request causes a probe or a rendering of the whole.
 *
 * Bodies are rendered ahead; the head of each document (status, age) is made per request with the time as it is then.
 * Past `valid_until_ms` (three local intervals, or sooner the first evidence that something green hangs on) nothing is
 * known any more: a prober that hangs leaves no green page behind. */
#ifndef CANDOR_WEB_SNAPSHOT_H
#define CANDOR_WEB_SNAPSHOT_H

#include "health/alert/receivers.h"
#include "health/monitor/watched.h"
#include "health/peers/known.h"
#include "health/report/sender.h"
#include "health/report/sink.h"
#include "health/system/sample.h"
#include "health/verdict/ledger.h"
#include "health/verdict/lived.h"
#include "health/verdict/replica.h"
#include "health/verdict/tally.h"
#include "health/verdict/verdict.h"
#include "health/web/fleet.h"
#include "health/web/text.h"
#include "resolver/base/board.h"
#include "resolver/base/conf.h"
#include "resolver/base/conf_remote.h"

/* The last run of all probes that was asked for. */
struct snapshot_run {
    uint64_t number;                      /* from 1; 0: there was none */
    size_t waiting;                       /* probes that have not ended since */
    int64_t began_wall_ms, ended_wall_ms; /* 0: not yet */
};

struct pulse;
/* What a snapshot is made from; all of it belongs to the loop that probes. */
struct snapshot_source {
    const struct conf *conf;
    const struct board *board;
    const struct verdict_book *book;
    const struct tally_set *tally;
    const struct lived *lived;             /* what clients live through; NULL: not known */
    const struct sender *sender;           /* whom this node reports to; NULL: nobody */
    const struct sink_list *sinks;         /* and by what else; NULL: nothing */
    const struct receiver_list *receivers; /* who is told of alerts; NULL: this is no monitor */
    const struct watched *watched;         /* the nodes that it is a monitor of */
    size_t watched_count;
    const struct fleet *fleet;       /* NULL: it is no monitor */
    const struct peers_known *peers; /* NULL: none are configured */
    struct snapshot_run run;
    const struct remote_view *config;  /* options that come from a catalog, NULL: none may; read again each time */
    const struct ledger *ledger;       /* NULL: what happened is not kept */
    const struct pulse *pulse;         /* traffic of the last minutes; NULL: not known */
    const struct sys_sample *system;   /* of /proc; NULL: nobody looked */
    struct detail *detail;             /* the newest */
    const struct replica_links *links; /* snapshot_make reads them; NULL: there was no memory */
};
/* Zone `i` as it is on the board now, with its links; `r` points into both. False: the board does not speak of it. */
bool snapshot_replica(const struct snapshot_source *s, size_t i, int64_t wall_ms, struct board_zone *z,
                      struct replica *r);

enum { SNAPSHOT_CAUSE_MAX = 512 };

struct snapshot_scope {
    bool present;
    enum verdict_state state;
    char cause[SNAPSHOT_CAUSE_MAX]; /* of a state other than pass: the check and what came */
    int64_t evaluated_wall_ms, changed_wall_ms, failing_since_wall_ms;
    uint64_t transitions[VERDICT_STATES];
    size_t counts[VERDICT_STATES];
};

/* What peers fetch: "field":...,... and "peer":[...],... of all, with where each of them stands. */
struct snapshot_view {
    struct text head, seen;
    size_t count;
    struct {
        size_t at, size;
    } of[LIMIT_PEERS];
};

struct snapshot {
    unsigned refs; /* atomic */
    uint64_t sequence;
    int64_t mono_ms, wall_ms, valid_until_ms;
    char node[256];
    enum verdict_state overall;
    struct snapshot_scope scope[SCOPE_COUNT];
    struct snapshot_run run;
    uint32_t local_ms; /* health.interval.local: three of them later all of this is past */
    bool ready;
    char ready_cause[SNAPSHOT_CAUSE_MAX];
    struct text checks[SCOPE_COUNT];  /* JSON: "key":[...],... of each scope, no braces */
    struct text asked, kept, replica; /* JSON: "zone":{...},... */
    struct text peers, matrix;        /* JSON: "peer":{...},... and "field":...,... */
    struct snapshot_view view;
    struct text lived;         /* JSON: "window":{...},... */
    struct text availability;  /* JSON: "series":{...},... */
    struct event_list *events; /* NULL: not read yet */
    struct detail *detail;     /* GET /detail; NULL: not made yet */
    struct ledger_state ledger;
    struct text metrics[2]; /* without the verdicts, which are made per request; [1] OpenMetrics */
    struct text page;       /* HTML below the banner */
    struct fleet_shot fleet;
};

/* A snapshot with one reference, or NULL when memory is out. `sequence` counts them. */
struct snapshot *snapshot_make(const struct snapshot_source *from, uint64_t sequence, int64_t mono_ms, int64_t wall_ms);
void snapshot_ref(struct snapshot *s);
void snapshot_unref(struct snapshot *s); /* NULL is allowed */

static inline bool snapshot_is_stale(const struct snapshot *s, int64_t mono_ms) { return mono_ms > s->valid_until_ms; }

#endif
