/* Inside of rbl/publish: a zone and its queue, shared by keeper.c (queue, board) and work.c (what a job does). */
#ifndef CANDOR_RBL_PUBLISH_KEEPER_IMPL_H
#define CANDOR_RBL_PUBLISH_KEEPER_IMPL_H

#include "rbl/publish/files.h"
#include "rbl/publish/keeper.h"

struct keeper_zone {
    struct keeper *keeper;
    const struct conf_zone *conf;
    struct board_zone *slot; /* NULL without a board */
    struct keep *keep;       /* NULL until opened */
    struct files_watch files;
    struct job *first, *last; /* waiting; the running one is not in the list */
    struct job *running;
    unsigned waiting;
    int64_t retry_at_ms; /* opening or reading failed for a passing reason: try again then; 0: nothing to try */
    int64_t last_stat_ms;
    uint64_t refused, bad_lines;
};

/* Runs on the thread pool: everything that may touch the disk. Fills j->code and the results. */
void work_run(struct job *j, const char *state_dir);

/* Board slot of the zone, on the loop. */
void show_zone_start(struct board_zone *slot, const struct conf_zone *zone);
void show_job(struct keeper_zone *z, const struct job *j);
void show_checked(struct keeper_zone *z);

#endif
