#include "rbl/publish/keeper_impl.h"

#include <stdlib.h>
#include <strings.h>

#include "resolver/base/clock.h"
#include "resolver/base/log.h"

struct keeper {
    struct loop *loop;
    const struct conf *conf;
    struct files_folders *folders;
    struct loop_timer *timer;
    struct keeper_zone *zone;
    size_t zone_count;
    unsigned running;
    bool stopping;
};

struct job *job_new(enum job_kind kind) {
    struct job *j = calloc(1, sizeof *j);
    if (j != NULL)
        j->kind = kind;
    return j;
}

void job_free(struct job *j) {
    if (j == NULL)
        return;
    arena_free(&j->arena);
    free(j);
}

int keeper_find(const struct keeper *k, const char *zone) {
    size_t n = strlen(zone);
    for (size_t i = 0; i < k->zone_count; i++) {
        const char *have = k->zone[i].conf->name;
        size_t m = strlen(have);
        bool dot = n > 0 && zone[n - 1] == '.';
        if ((dot ? m == n : m == n + 1) && strncasecmp(have, zone, n) == 0)
            return (int)i;
    }
    return E_NOTFOUND;
}

const struct conf_zone *keeper_zone_conf(const struct keeper *k, int zone) { return k->zone[zone].conf; }

static void zone_next(struct keeper_zone *z);
static void zone_look(struct keeper_zone *z, int64_t now);

static void job_work(void *ctx) {
    struct job *j = ctx;
    work_run(j, j->zone->keeper->conf->node.state);
}

/* A source that could not be read now may be whole a moment later; a refused one waits for its next change. */
static bool passing(int code) { return code != 0 && code != E_REFUSED && code != E_UNSUPPORTED; }

static void job_finished(void *ctx) {
    struct job *j = ctx;
    struct keeper_zone *z = j->zone;
    struct keeper *k = z->keeper;
    z->running = NULL;
    k->running--;
    z->last_stat_ms = loop_now_ms(k->loop);
    show_job(z, j);
    if (j->kind == JOB_FILES || j->kind == JOB_OPEN) {
        if (j->code == 0)
            show_checked(z);
        z->retry_at_ms = passing(j->code) ? loop_now_ms(k->loop) + KEEPER_RETRY_MS : 0;
    }
    if (j->done != NULL)
        j->done(j->ctx, j);
    bool opened = j->kind == JOB_OPEN;
    job_free(j);
    if (k->stopping)
        return;
    zone_next(z);
    if (opened)
        zone_look(z, loop_now_ms(k->loop)); /* its files are read now, not at the next look */
}

static void zone_next(struct keeper_zone *z) {
    struct job *j = z->first;
    if (j == NULL || z->running != NULL)
        return;
    if (loop_work(z->keeper->loop, job_work, job_finished, j) < 0) {
        LOG(LEVEL_ERROR, "no thread for a zone's work, trying again", KS("zone", z->conf->name));
        return;
    }
    z->first = j->next;
    if (z->first == NULL)
        z->last = NULL;
    j->next = NULL;
    z->waiting--;
    z->running = j;
    z->keeper->running++;
}

static int zone_queue(struct keeper_zone *z, struct job *j, struct err *err) {
    if (z->keeper->stopping)
        return err_set(err, E_CLOSED, "candor-sync is stopping");
    if (z->waiting >= KEEPER_QUEUE)
        return err_set(err, E_FULL, "zone %s: %u jobs wait already", z->conf->name, z->waiting);
    j->zone = z;
    j->next = NULL;
    if (z->last != NULL)
        z->last->next = j;
    else
        z->first = j;
    z->last = j;
    z->waiting++;
    zone_next(z);
    return 0;
}

int keeper_submit(struct keeper *k, int zone, struct job *j, struct err *err) {
    return zone_queue(&k->zone[zone], j, err);
}

static void zone_submit(struct keeper_zone *z, enum job_kind kind) {
    struct job *j = job_new(kind);
    if (j == NULL)
        return;
    if (zone_queue(z, j, NULL) < 0)
        job_free(j);
} /* NOLINT(clang-analyzer-unix.Malloc): the queue owns it now; the analyser loses sight of z->last->next */

static bool zone_busy(const struct keeper_zone *z) { return z->running != NULL || z->first != NULL; }

static void zone_look(struct keeper_zone *z, int64_t now) {
    if (zone_busy(z)) {
        zone_next(z);
        return;
    }
    bool retry = z->retry_at_ms != 0 && now >= z->retry_at_ms;
    if (z->conf->data_count > 0) {
        if (retry)
            files_forget(&z->files);
        if (files_look(&z->files, now))
            zone_submit(z, JOB_FILES);
        else if (z->retry_at_ms == 0)
            show_checked(z); /* looked, and what is served is what the files say or the verdict says why not */
    } else if (retry) {
        zone_submit(z, JOB_OPEN);
    }
    if (!zone_busy(z) && now - z->last_stat_ms >= KEEPER_STAT_MS)
        zone_submit(z, JOB_STAT);
}

static void keeper_look(void *ctx) {
    struct keeper *k = ctx;
    if (k->stopping)
        return;
    int64_t now = loop_now_ms(k->loop), next = FILES_POLL_MS;
    for (size_t i = 0; i < k->zone_count; i++) {
        struct keeper_zone *z = &k->zone[i];
        zone_look(z, now);
        if (z->files.any && z->files.seen != z->files.taken)
            next = FILES_QUIET_MS + 1; /* waiting for it to stand still */
        else if (z->retry_at_ms != 0 && next > KEEPER_RETRY_MS)
            next = KEEPER_RETRY_MS;
    }
    loop_timer_again(k->timer, (uint64_t)next);
}

void keeper_reread(struct keeper *k) {
    for (size_t i = 0; i < k->zone_count; i++)
        files_forget(&k->zone[i].files);
    keeper_look(k);
}

static void keeper_watch(struct keeper *k) {
    for (size_t i = 0; i < k->zone_count; i++) {
        const struct conf_zone *c = k->zone[i].conf;
        for (size_t d = 0; d < c->data_count; d++)
            for (size_t f = 0; f < c->data[d].files.count; f++)
                files_folders_add(k->folders, c->data[d].files.at[f]);
    }
}

int keeper_open(struct keeper **out, struct loop *l, const struct conf *conf, struct board *board, struct err *err) {
    *out = NULL;
    int rc = E_NOMEM;
    struct keeper *k = calloc(1, sizeof *k);
    if (k == NULL)
        return err_set(err, E_NOMEM, "no memory for the zones");
    k->loop = l;
    k->conf = conf;
    k->zone_count = conf->rbl.zone_count;
    k->zone = calloc(k->zone_count + 1, sizeof *k->zone);
    if (k->zone == NULL) {
        err_set(err, E_NOMEM, "no memory for %zu zones", k->zone_count);
        goto fail;
    }
    rc = files_folders_open(&k->folders, l, keeper_look, k, err);
    if (rc < 0)
        goto fail;
    for (size_t i = 0; i < k->zone_count; i++) {
        struct keeper_zone *z = &k->zone[i];
        z->keeper = k;
        z->conf = &conf->rbl.zones[i];
        z->files.data = z->conf->data;
        z->files.count = z->conf->data_count;
        if (board != NULL && i < LIMIT_ZONES) {
            z->slot = &board->zone[i];
            show_zone_start(z->slot, z->conf);
        }
    }
    if (board != NULL)
        board_set(&board->zone_count, k->zone_count);
    k->timer = loop_timer_start(l, FILES_POLL_MS, FILES_POLL_MS, keeper_look, k);
    if (k->timer == NULL) {
        rc = err_set(err, E_NOMEM, "no memory for a timer");
        goto fail;
    }
    keeper_watch(k);
    for (size_t i = 0; i < k->zone_count; i++)
        zone_submit(&k->zone[i], JOB_OPEN);
    *out = k;
    return 0;
fail:
    files_folders_close(k->folders);
    free(k->zone);
    free(k);
    return rc;
}

/* Answers a job that will not run. */
static void job_drop(struct job *j) {
    j->code = err_set(&j->err, E_CLOSED, "candor-sync is stopping");
    if (j->done != NULL)
        j->done(j->ctx, j);
    job_free(j);
}

bool keeper_quiet(struct keeper *k) {
    k->stopping = true;
    for (size_t i = 0; i < k->zone_count; i++) {
        struct keeper_zone *z = &k->zone[i];
        while (z->first != NULL) {
            struct job *j = z->first;
            z->first = j->next;
            z->waiting--;
            job_drop(j);
        }
        z->last = NULL;
    }
    return k->running == 0;
}

void keeper_close(struct keeper *k) {
    if (k == NULL)
        return;
    loop_timer_cancel(k->timer);
    files_folders_close(k->folders);
    for (size_t i = 0; i < k->zone_count; i++)
        keep_close(k->zone[i].keep);
    free(k->zone);
    free(k);
}
