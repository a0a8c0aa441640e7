/* The zones of one node and the work on them: opening, reading files, committing, answering questions about them.
 *
 *   files change --+
 *   candor publish-+-> job queue of the zone -> thread pool: load, settle, keep_replace -> loop: board, answer to who
 * asked why, history --+
 *
 * Jobs of one zone run one after the other, jobs of different zones side by side (thread pool), so that the loop and
 * its heartbeat never wait for a disk. Only the loop's thread writes the board; only the running job touches the zone's
 * keep. */
#ifndef CANDOR_RBL_PUBLISH_KEEPER_H
#define CANDOR_RBL_PUBLISH_KEEPER_H

#include "rbl/keep/edit.h"
#include "rbl/load/load.h"
#include "resolver/base/board.h"
#include "resolver/net/loop.h"
#include "resolver/store/env.h"

enum {
    KEEPER_QUEUE = 64,
    KEEPER_WHY_MATCHES = 16,
    KEEPER_HISTORY = 200,
    KEEPER_STAT_MS = 5000,
    KEEPER_RETRY_MS = 1000
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
    JOB_KINDS
};

/* One piece of work on one zone. Filled by who asks, owned by the keeper from keeper_submit on, freed after `done`. */
struct job {
    enum job_kind kind;
    /* JOB_PUBLISH: datasets to read (arena); empty: the configured files. */
    struct arena arena;
    struct conf_dataset data[LIMIT_DATASETS];
    size_t data_count;
    bool dry_run, force;
    const char *reason;
    /* JOB_WHY */
    bool why_is_name;
    struct addr why_addr;
    struct name why_name; /* relative to the zone */
    /* JOB_CHANGE: puts this job's edits into the batch, on a thread of the pool; looks at what is there for
     * prerequisites. A result other than 0 takes this job's edits back, becomes its `code` and leaves the others alone.
     * `done` comes when the commit that holds the edits is durable or failed. */
    int (*change)(void *ctx, struct keep_batch *b, struct err *err);
    const char *change_source; /* who, for why and history; arena or static */
    /* results */
    int code;
    struct err err;
    struct load_report report;
    struct keep_result result;
    struct keep_state state;
    struct keep_match match[KEEPER_WHY_MATCHES];
    struct load_place place[KEEPER_WHY_MATCHES]; /* line 0: not found in a file */
    unsigned matches;
    struct keep_history *history; /* arena */
    unsigned history_count;
    struct store_stat stat;
    void (*done)(void *ctx, struct job *j); /* on the loop; may be NULL */
    void *ctx;
    /* the keeper's */
    struct job *next;
    struct keeper_zone *zone;
    uint64_t signature;
};

/* Starts opening all zones, then reading their files. The board may be NULL. */
int keeper_open(struct keeper **out, struct loop *l, const struct conf *conf, struct board *board,
                struct err *err) MUST_USE;
/* Index of a zone by name (any case, final dot or not); E_NOTFOUND. */
int keeper_find(const struct keeper *k, const char *zone) MUST_USE;
const struct conf_zone *keeper_zone_conf(const struct keeper *k, int zone);
struct job *job_new(enum job_kind kind);
/* E_FULL when KEEPER_QUEUE jobs wait on this zone: the job then stays the caller's (job_free). */
int keeper_submit(struct keeper *k, int zone, struct job *j, struct err *err) MUST_USE;
void job_free(struct job *j);
/* Reads all files again, changed or not. */
void keeper_reread(struct keeper *k);
/* No new jobs from now on; true when none runs any more. */
bool keeper_quiet(struct keeper *k);
/* After keeper_quiet said true. */
void keeper_close(struct keeper *k);

#endif
