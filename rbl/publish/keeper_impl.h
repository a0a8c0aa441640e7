/* Inside of rbl/publish: a zone and its queues, shared by keeper.c (zones, timers), queue.c (what runs next), group.c
 * and work.c (what a job does) and show.c (the board). */
#ifndef CANDOR_RBL_PUBLISH_KEEPER_IMPL_H
#define CANDOR_RBL_PUBLISH_KEEPER_IMPL_H

#include "rbl/publish/files.h"
#include "rbl/publish/keeper.h"

struct keeper_zone {
    struct keeper *keeper;
    const struct conf_zone *conf, *next_conf; /* next_conf: as it is once nothing works on it; NULL: no other */
    struct board_zone *slot;                  /* NULL without a board */
    struct keep *keep;                        /* NULL until opened */
    bool opened;                              /* the loop may use it: keep_share */
    bool follows;                             /* another node is its source: its files are not read */
    struct keep_state state;                  /* after the last job */
    struct view_apex *apex;                   /* as committed; NULL: nothing yet */
    struct files_watch files;
    struct job *first, *last; /* waiting; the running one is not in the list */
    struct job *change_first, *change_last;
    struct job *running; /* with JOB_CHANGE the whole group, linked */
    struct job *reading; /* its files are read, beside the running one */
    unsigned waiting, changes_waiting;
    bool changes_next;   /* both wait: a group's turn, then another job's */
    int64_t retry_at_ms; /* opening or reading failed for a passing reason: try again then; 0: nothing to try */
    int64_t last_stat_ms, last_commit_ms;
    pid_t lagging_pid; /* who was the oldest reader, too far behind, when last looked at; 0: nobody was */
    int64_t lagging_since_ms;
    int64_t expire_wall_s, expire_not_before_ms;     /* when the next entry is due; 0: none */
    int64_t compact_since_ms, compact_not_before_ms; /* wanted since; 0: not wanted */
    bool midline;    /* the last contents taken had a file that ends in the middle of a line */
    int source_code; /* of the last reading of the zone's files */
    struct err source_err;
    char said[ERR_TEXT_MAX]; /* the trouble that was logged last, and when */
    int64_t said_ms;
    unsigned lent, places; /* keeps given out, look-ups of places in files under way */
    enum { STAYS, LEAVING, SETTING_ASIDE, ASIDE, DELETING } leaving;
    int aside_code;
    struct err aside_err;
    keeper_gone_fn gone;
    void *gone_ctx;
};

struct keeper {
    struct loop *loop;
    const struct conf *conf;
    struct files_folders *folders;
    struct loop_timer *timer, *expire_timer;
    struct keeper_zone *zone;
    size_t zone_count;
    unsigned running;
    bool stopping;
    keeper_commit_fn on_commit;
    void *on_commit_ctx;
    keeper_zone_fn on_zone;
    void *on_zone_ctx;
    struct board *board;
    struct loop_timer *delete_timer;
    int64_t reader_ended_ms; /* when a reader was ended last; 0: never */
};

/* --- readers.c, on the loop --- */
/* Of a fresh j->stat: ends a reader that has kept so many commits' pages for so long, and has them no other use. */
void zone_end_reader(struct keeper_zone *z, const struct store_stat *st, int64_t now_ms);

/* --- told.c, on the loop: what others are told of a zone --- */
void zone_tell(struct keeper_zone *z, struct job *j);

/* --- keeper.c, on the loop --- */
/* After a job that reads files or opens: what to do next with the zone. */
void zone_look(struct keeper_zone *z, int64_t now_ms);
/* Moves the timer to the first entry that is due. */
void keeper_arm_expiry(struct keeper *k);

/* --- zones.c, on the loop: zones that come and go --- */
extern const struct conf_zone keeper_no_zone;
/* When nothing works on the zone: other options count, or it goes. Whether it may go on working. */
bool zone_settle(struct keeper_zone *z);
/* From keeper.c: a zone at this place begins. */
void keeper_zone_open(struct keeper *k, size_t place, const struct conf_zone *conf);
void zone_watch(struct keeper_zone *z);

/* --- queue.c, on the loop --- */
void zone_next(struct keeper_zone *z);
void zone_submit(struct keeper_zone *z, enum job_kind kind);
bool zone_busy(const struct keeper_zone *z);
/* Answers everything that waits: the keeper stops. */
void zone_drop_waiting(struct keeper_zone *z);

/* --- work.c, group.c: on the thread pool: everything that may touch the disk. Fill j->code and the results. --- */
void work_run(struct job *j, const char *state_dir);
/* JOB_WHY, behind work_run and without the keep: on which lines of the files the matches stand. */
void work_places(struct job *j);
/* Commits a group's changes and gives each job its code. */
void group_run(struct job *first);
/* Removes what is due; j->expire_wall_s: when the next one is. */
int group_expire(struct job *j, struct err *err) MUST_USE;

/* --- source.c: files; on the thread pool. Reading leaves its result in j->load, committing wants the keep. --- */
void source_read(struct job *j);
void source_free(struct job_load *l);
int source_commit(struct job *j) MUST_USE;

/* --- show.c: board slot of the zone, on the loop --- */
void show_zone_start(struct board_zone *slot, const struct conf_zone *zone);
void show_zone_end(struct board_zone *slot);
/* `j`: the job, or the first of a group. */
void show_job(struct keeper_zone *z, const struct job *j);
void show_checked(struct keeper_zone *z);
/* Files that changed but cannot be read yet; NULL: none. */
void show_waiting(struct keeper_zone *z, const char *why);

#endif
