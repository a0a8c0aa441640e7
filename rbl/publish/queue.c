/* What waits on a zone, and what runs next. */
#include "rbl/publish/keeper_impl.h"

#include <stdlib.h>

#include "resolver/base/log.h"

struct job *job_new(enum job_kind kind) {
    struct job *j = calloc(1, sizeof *j);
    if (j == NULL)
        return NULL;
    j->kind = kind;
    bool loads = kind == JOB_FILES || kind == JOB_PUBLISH;
    if (loads)
        j->load = calloc(1, sizeof *j->load);
    if (kind == JOB_WHY)
        j->why = calloc(1, sizeof *j->why);
    if ((loads && j->load == NULL) || (kind == JOB_WHY && j->why == NULL)) {
        free(j);
        return NULL;
    }
    return j;
}

void job_free(struct job *j) {
    if (j == NULL)
        return;
    source_free(j->load);
    arena_free(&j->arena);
    free(j->load);
    free(j->why);
    free(j->apex);
    free(j);
}

static void job_work(void *ctx) {
    struct job *j = ctx;
    work_run(j, j->zone->keeper->conf->node.state);
}

/* A source that could not be read now may be whole a moment later; a refused one waits for its next change. */
static bool passing(int code) { return code != 0 && code != E_REFUSED && code != E_UNSUPPORTED; }

static void note_source(struct keeper_zone *z, const struct job *j, int64_t now) {
    if (j->code == 0)
        show_checked(z);
    z->retry_at_ms = passing(j->code) ? now + KEEPER_RETRY_MS : 0;
}

/* What this job found out about work that is to come. */
static void note_later(struct keeper_zone *z, const struct job *j, int64_t now) {
    if (j->stat_known) {
        z->last_stat_ms = now;
        zone_end_reader(z, &j->stat, now);
    }
    if (j->result.changed)
        z->last_commit_ms = now;
    if (j->kind == JOB_OPEN || j->kind == JOB_CHANGE || j->kind == JOB_EXPIRE) {
        bool stuck = j->expire_wall_s != 0 && j->kind == JOB_EXPIRE && j->code != 0;
        z->expire_wall_s = j->expire_wall_s;
        z->expire_not_before_ms = stuck ? now + KEEPER_EXPIRE_RETRY_MS : now;
        keeper_arm_expiry(z->keeper);
    }
    if (j->kind == JOB_COMPACT) {
        z->compact_since_ms = 0;
        z->compact_not_before_ms = now + KEEPER_COMPACT_AGAIN_MS;
    } else if (j->compaction_wanted && z->compact_since_ms == 0) {
        z->compact_since_ms = now;
    }
}

static void list_add(struct job **first, struct job **last, struct job *j) {
    j->next = NULL;
    if (*last != NULL)
        (*last)->next = j;
    else
        *first = j;
    *last = j;
}

static void list_cut(struct job **first, struct job **last, struct job *tail) {
    *first = tail->next;
    if (*first == NULL)
        *last = NULL;
    tail->next = NULL;
}

static void list_put_back(struct job **first, struct job **last, struct job *j, struct job *tail) {
    tail->next = *first;
    *first = j;
    if (*last == NULL)
        *last = tail;
}

/* Tells and frees a job, with JOB_CHANGE all of its group. */
static void give_back(struct job *j) {
    while (j != NULL) {
        struct job *next = j->next;
        if (j->done != NULL)
            j->done(j->ctx, j);
        job_free(j);
        j = next;
    }
}

static void places_work(void *ctx) { work_places(ctx); }

static void places_found(void *ctx) {
    struct job *j = ctx;
    struct keeper_zone *z = j->zone;
    z->keeper->running--;
    z->places--;
    give_back(j);
    if (!z->keeper->stopping)
        zone_next(z);
}

static void read_work(void *ctx) { source_read(ctx); }

/* Read: its turn for the commit comes before that of others. */
static void read_finished(void *ctx) {
    struct job *j = ctx;
    struct keeper_zone *z = j->zone;
    z->reading = NULL;
    z->keeper->running--;
    list_put_back(&z->first, &z->last, j, j);
    z->waiting++;
    if (z->keeper->stopping)
        zone_drop_waiting(z);
    else
        zone_next(z);
}

static void job_finished(void *ctx) {
    struct job *j = ctx;
    struct keeper_zone *z = j->zone;
    struct keeper *k = z->keeper;
    int64_t now = loop_now_ms(k->loop);
    bool opened = j->kind == JOB_OPEN;
    z->running = NULL;
    k->running--;
    if (j->kind == JOB_FILES || opened)
        note_source(z, j, now);
    else if (j->code == E_CORRUPT && z->retry_at_ms == 0) /* the files, read again, are what heals it */
        z->retry_at_ms = now + KEEPER_RETRY_MS;
    note_later(z, j, now);
    show_job(z, j);
    zone_tell(z, j);
    /* The next group goes to the disk before this one's callers are told. */
    if (!k->stopping)
        zone_next(z);
    bool places = j->kind == JOB_WHY && j->code == 0 && z->conf->data_count > 0;
    if (places && loop_work(k->loop, places_work, places_found, j) == 0) {
        k->running++;
        z->places++;
    } else {
        give_back(j);
    }
    if (opened && !k->stopping)
        zone_look(z, now); /* its files are read now, not at the next look */
}

static bool wants_reading(const struct job *j) { return j->load != NULL && !j->load->was_read; }

/* Who has its turn; *tail: the last of the group. */
static struct job *choose(const struct keeper_zone *z, struct job **tail, unsigned *count) {
    struct job *first = z->first != NULL && wants_reading(z->first) ? NULL : z->first;
    bool changes = z->change_first != NULL && (first == NULL || z->changes_next);
    struct job *j = changes ? z->change_first : first;
    *tail = j;
    *count = j != NULL;
    if (changes)
        for (; *count < KEEPER_GROUP && (*tail)->next != NULL; ++*count)
            *tail = (*tail)->next;
    return j;
}

/* Files are read while something else has the keep; one set at a time. */
static void zone_read(struct keeper_zone *z) {
    struct job *j = z->first;
    if (j == NULL || z->reading != NULL || !wants_reading(j))
        return;
    list_cut(&z->first, &z->last, j);
    if (loop_work(z->keeper->loop, read_work, read_finished, j) < 0) {
        LOG(LEVEL_ERROR, "no thread to read a zone's files, trying again", KS("zone", z->conf->name));
        list_put_back(&z->first, &z->last, j, j);
        return;
    }
    z->waiting--;
    z->reading = j;
    z->keeper->running++;
}

/* The group is cut off before its thread begins: from then on it is the thread's. */
void zone_next(struct keeper_zone *z) {
    struct keeper *k = z->keeper;
    struct job *tail = NULL;
    unsigned count = 0;
    if (!zone_settle(z))
        return;
    zone_read(z);
    struct job *j = z->running == NULL ? choose(z, &tail, &count) : NULL;
    if (j == NULL)
        return;
    bool change = j->kind == JOB_CHANGE;
    struct job **first = change ? &z->change_first : &z->first, **last = change ? &z->change_last : &z->last;
    list_cut(first, last, tail);
    j->at_source = z->conf->primaries.count == 0 && !z->follows;
    j->stat_wanted = !change || loop_now_ms(k->loop) - z->last_stat_ms >= KEEPER_STAT_MS;
    if (loop_work(k->loop, job_work, job_finished, j) < 0) {
        LOG(LEVEL_ERROR, "no thread for a zone's work, trying again", KS("zone", z->conf->name));
        list_put_back(first, last, j, tail);
        return;
    }
    *(change ? &z->changes_waiting : &z->waiting) -= count;
    z->changes_next = !change;
    z->running = j;
    k->running++;
}

static int zone_queue(struct keeper_zone *z, struct job *j, struct err *err) {
    bool change = j->kind == JOB_CHANGE;
    if (z->keeper->stopping)
        return err_set(err, E_CLOSED, "candor-sync is stopping");
    if (z->conf->name[0] == '\0' || z->leaving != STAYS)
        return err_set(err, E_CLOSED, "the zone is not there any more");
    if (change && z->changes_waiting >= KEEPER_CHANGES)
        return err_set(err, E_FULL, "zone %s: %u changes wait already", z->conf->name, z->changes_waiting);
    if (!change && z->waiting >= KEEPER_QUEUE)
        return err_set(err, E_FULL, "zone %s: %u jobs wait already", z->conf->name, z->waiting);
    j->zone = z;
    if (change)
        list_add(&z->change_first, &z->change_last, j);
    else
        list_add(&z->first, &z->last, j);
    z->changes_waiting += change;
    z->waiting += !change;
    zone_next(z);
    return 0;
}

int keeper_submit(struct keeper *k, int zone, struct job *j, struct err *err) {
    return zone_queue(&k->zone[zone], j, err);
}

void zone_submit(struct keeper_zone *z, enum job_kind kind) {
    struct job *j = job_new(kind);
    if (j == NULL)
        return;
    if (zone_queue(z, j, NULL) < 0)
        job_free(j);
} /* NOLINT(clang-analyzer-unix.Malloc): the queue owns it now; the analyser loses sight of z->last->next */

bool zone_busy(const struct keeper_zone *z) {
    return z->running != NULL || z->reading != NULL || z->first != NULL || z->change_first != NULL;
}

static void drop_all(const struct keeper_zone *z, struct job *first) {
    for (struct job *j = first; j != NULL; j = j->next)
        j->code = err_set(&j->err, E_CLOSED,
                          z->leaving != STAYS ? "the zone is not there any more" : "candor-sync is stopping");
    give_back(first);
}

void zone_drop_waiting(struct keeper_zone *z) {
    struct job *jobs = z->first, *changes = z->change_first;
    z->first = z->last = z->change_first = z->change_last = NULL;
    z->waiting = z->changes_waiting = 0;
    drop_all(z, jobs);
    drop_all(z, changes);
}
