/* The zones of one node and the work on them: opening, reading files, changes, committing, answering questions.
 *
 *   files change ----+
 *   candor publish --+-> jobs of the zone --+
 *   why, history ----+                      +-> thread pool: load, batch, commit -> loop: board, answer to who asked
 *   candor add, del -+-> changes -> group --+
 *   UPDATE ----------+
 *
 * Jobs of one zone run one after the other, jobs of different zones side by side, so that the loop and its heartbeat
 * never wait for a disk. Only the loop's thread writes the board; only the running job touches the zone's keep. What
 * reads files alone (loading them, finding the line for "why") runs beside the zone's other jobs.
 *
 * Changes are committed in groups: all that wait when the zone becomes free share one durable transaction, and while
 * that is at the disk the next group gathers. One that comes alone is committed at once. Entries whose time is up are
 * removed by the keeper itself, and a store that has grown too large is compacted when the zone is quiet. */
#ifndef CANDOR_RBL_PUBLISH_KEEPER_H
#define CANDOR_RBL_PUBLISH_KEEPER_H

#include "rbl/keep/edit.h"
#include "rbl/load/load.h"
#include "resolver/base/board.h"
#include "resolver/net/loop.h"
#include "resolver/store/env.h"

enum {
    KEEPER_QUEUE = 64,      /* jobs that wait on a zone, changes apart */
    KEEPER_CHANGES = 16384, /* changes that wait on a zone */
    KEEPER_GROUP = 4096,    /* changes that one group takes */
    KEEPER_TRIES = 128,     /* commits tried for one group, to find out whom the guards refuse */
    KEEPER_WHY_MATCHES = 16,
    KEEPER_HISTORY = 200,
    KEEPER_STAT_MS = 5000,
    KEEPER_RETRY_MS = 1000,
    KEEPER_EXPIRE_RETRY_MS = 30000,
    KEEPER_CALM_MS = 2000,             /* quiet for so long: compaction may begin */
    KEEPER_COMPACT_WITHIN_MS = 120000, /* a zone that is never quiet is compacted all the same */
    KEEPER_COMPACT_AGAIN_MS = 600000   /* at most so often */
};

struct keeper;

enum job_kind {
    JOB_OPEN,
    JOB_FILES,
    JOB_PUBLISH,
    JOB_CHANGE, /* edits: several that wait become one commit */
    JOB_EXPIRE,
    JOB_COMPACT,
    JOB_WHY,
    JOB_HISTORY,
    JOB_VERIFY,
    JOB_STAT,
    JOB_WRITE, /* whatever else has the keep to itself: a transfer that is whole */
    JOB_KINDS
};

/* What reading files takes and gives; with JOB_FILES and JOB_PUBLISH. */
struct job_load {
    struct conf_dataset data[LIMIT_DATASETS]; /* arena; none: the configured files */
    size_t data_count;
    bool dry_run, force;
    const char *reason;
    struct load_report report;
    /* the keeper's: what was read, without touching the store; then it is committed */
    struct data *read;
    const char *midline; /* a file that ends in the middle of a line; NULL: none */
    bool was_read;
    int code;
};

/* With JOB_WHY. */
struct job_why {
    bool is_name;
    struct addr addr;
    struct name name; /* relative to the zone */
    struct keep_match match[KEEPER_WHY_MATCHES];
    struct load_place place[KEEPER_WHY_MATCHES]; /* line 0: not found in a file */
    unsigned matches;
};

/* One piece of work on one zone. Filled by who asks, owned by the keeper from keeper_submit on, freed after `done`. */
struct job {
    enum job_kind kind;
    struct arena arena;
    struct job_load *load; /* job_new makes what the kind needs */
    struct job_why *why;
    /* JOB_CHANGE: puts this job's edits into the batch, on a thread of the pool; looks at what is there for
     * prerequisites. A result other than 0 takes this job's edits back, becomes its `code` and leaves the others alone.
     * It may be called again, its earlier edits undone: when the guards refuse a group it is tried in smaller parts.
     * What it notes in `ctx` must be right after the last call. `done` comes when the commit that holds the edits is
     * durable or failed: code 0, E_REFUSED with the guard's words, E_AGAIN (not tried), or the disk's trouble. */
    int (*change)(void *ctx, struct keep_batch *b, struct err *err);
    /* JOB_WRITE: on a thread of the pool, alone with the zone's keep; fills in the result, and its return is `code`. */
    int (*write)(void *ctx, struct keep *k, struct keep_result *r, struct err *err);
    const char *change_source; /* who, for why and history; arena, static, or living until `done` */
    const char *force;         /* why the limits do not count (not the test points); its commit is its own; or NULL */
    uint32_t serial_hint;      /* may be set in `change`: the serial that the commit should take; 0: the next one */
    /* results */
    struct view_apex *apex; /* as committed, when something changed or the zone was opened; the keeper takes it */
    int code;
    bool failed_itself; /* JOB_CHANGE: `code` is what `change` returned, not the commit's */
    struct err err;
    struct keep_result result;    /* JOB_CHANGE: of the commit, with others' edits */
    struct keep_state state;      /* after the job */
    struct keep_history *history; /* arena */
    unsigned history_count;
    struct store_stat stat;
    void (*done)(void *ctx, struct job *j); /* on the loop; may be NULL */
    void *ctx;
    /* the keeper's */
    struct job *next;
    struct keeper_zone *zone;
    bool stat_wanted, stat_known;
    bool at_source; /* this node is: entries whose time is up go here, and are gone at the others with the commit */
    bool edited;    /* its edits are in the batch that is committed now */
    bool compaction_wanted;
    uint64_t local_entries;
    int64_t expire_wall_s; /* when the next entry is due; 0: none */
    uint64_t expired;      /* entries removed because their time was up */
};

/* Starts opening all zones, then reading their files. The board may be NULL. */
int keeper_open(struct keeper **out, struct loop *l, const struct conf *conf, struct board *board,
                struct err *err) MUST_USE;
/* Index of a zone by name (any case, final dot or not); E_NOTFOUND. */
int keeper_find(const struct keeper *k, const char *zone) MUST_USE;
/* Places that may be taken, at most LIMIT_ZONES; it only grows. */
size_t keeper_zones(const struct keeper *k);
/* A free place has a zone of name "" and nothing in it. */
const struct conf_zone *keeper_zone_conf(const struct keeper *k, int zone);
/* NULL: no memory. */
struct job *job_new(enum job_kind kind);
/* E_FULL when KEEPER_QUEUE jobs or KEEPER_CHANGES changes wait on this zone, E_CLOSED when the keeper stops: the job
 * then stays the caller's (job_free). */
int keeper_submit(struct keeper *k, int zone, struct job *j, struct err *err) MUST_USE;
void job_free(struct job *j);
/* Reads all files again, changed or not. */
void keeper_reread(struct keeper *k);
/* No new jobs from now on; true when none runs any more. */
bool keeper_quiet(struct keeper *k);
/* After keeper_quiet said true. */
void keeper_close(struct keeper *k);

#include "rbl/publish/keeper_zones.h"

#endif
