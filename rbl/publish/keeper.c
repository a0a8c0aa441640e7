#include "rbl/publish/keeper_impl.h"

#include <stdlib.h>
#include <strings.h>

#include "resolver/base/clock.h"
#include "resolver/base/log.h"

int keeper_find(const struct keeper *k, const char *zone) {
    size_t n = strlen(zone);
    for (size_t i = 0; i < k->zone_count; i++) {
        const char *have = k->zone[i].leaving == STAYS ? k->zone[i].conf->name : "";
        size_t m = strlen(have);
        bool dot = n > 0 && zone[n - 1] == '.';
        if ((dot ? m == n : m == n + 1) && strncasecmp(have, zone, n) == 0)
            return (int)i;
    }
    return E_NOTFOUND;
}

size_t keeper_zones(const struct keeper *k) { return k->zone_count; }

const struct conf_zone *keeper_zone_conf(const struct keeper *k, int zone) { return k->zone[zone].conf; }

void zone_watch(struct keeper_zone *z) {
    const struct conf_zone *c = z->conf;
    for (size_t d = 0; d < c->data_count; d++)
        for (size_t f = 0; f < c->data[d].files.count; f++)
            files_folders_add(z->keeper->folders, c->data[d].files.at[f]);
}

/* One look at a zone's files: a job when they are to be read. */
static void look_at_files(struct keeper_zone *z, int64_t now) {
    bool retry = z->retry_at_ms != 0 && now >= z->retry_at_ms;
    if (retry)
        files_forget(&z->files);
    z->files.fresh = z->slot != NULL && z->slot->generation[0] == '\0';
    bool take = files_look(&z->files, now);
    if (z->files.moved)
        zone_watch(z);
    show_waiting(z, z->files.held);
    if (take)
        zone_submit(z, JOB_FILES);
    else if (z->retry_at_ms == 0 && !files_pending(&z->files))
        show_checked(z); /* looked, and what is served is what the files say or the verdict says why not */
}

/* A zone that is always busy is compacted all the same, later. */
static bool compaction_is_due(const struct keeper_zone *z, int64_t now) {
    if (z->compact_since_ms == 0 || now < z->compact_not_before_ms)
        return false;
    bool calm = !zone_busy(z) && now - z->last_commit_ms >= KEEPER_CALM_MS && !files_pending(&z->files);
    return calm || now - z->compact_since_ms >= KEEPER_COMPACT_WITHIN_MS;
}

static bool queued(const struct keeper_zone *z, enum job_kind kind) {
    for (const struct job *j = z->first; j != NULL; j = j->next)
        if (j->kind == kind)
            return true;
    return (z->running != NULL && z->running->kind == kind) || (z->reading != NULL && z->reading->kind == kind);
}

void zone_look(struct keeper_zone *z, int64_t now) {
    if (z->conf->name[0] == '\0' || !zone_settle(z))
        return;
    zone_next(z);
    bool reading = queued(z, JOB_FILES) || queued(z, JOB_OPEN);
    if (!reading && z->conf->data_count > 0 && !z->follows)
        look_at_files(z, now);
    else if (!reading && z->retry_at_ms != 0 && now >= z->retry_at_ms)
        zone_submit(z, JOB_OPEN);
    else if (!reading && z->retry_at_ms == 0 && z->conf->primaries.count == 0 && !z->follows)
        show_checked(z); /* it is its own source */
    if (!queued(z, JOB_COMPACT) && compaction_is_due(z, now))
        zone_submit(z, JOB_COMPACT);
    if (!zone_busy(z) && now - z->last_stat_ms >= KEEPER_STAT_MS)
        zone_submit(z, JOB_STAT);
}

static int64_t look_again_ms(const struct keeper_zone *z) {
    if (z->conf->data_count > 0 && files_pending(&z->files))
        return FILES_QUIET_MS + 1; /* waiting for it to stand still */
    return z->retry_at_ms != 0 ? KEEPER_RETRY_MS : FILES_POLL_MS;
}

static void keeper_look(void *ctx) {
    struct keeper *k = ctx;
    if (k->stopping)
        return;
    int64_t now = loop_now_ms(k->loop), next = FILES_POLL_MS;
    for (size_t i = 0; i < k->zone_count; i++) {
        struct keeper_zone *z = &k->zone[i];
        zone_look(z, now);
        int64_t ms = look_again_ms(z);
        if (ms < next)
            next = ms;
    }
    keeper_arm_expiry(k);
    loop_timer_again(k->timer, (uint64_t)next);
}

/* Entries are due by the wall clock: it is asked each time, so that a clock that is set moves them too. */
static bool expiry_is_due(const struct keeper_zone *z, int64_t now_ms) {
    return z->expire_wall_s != 0 && z->expire_wall_s <= clock_wall_s() && now_ms >= z->expire_not_before_ms;
}

static void keeper_expire(void *ctx) {
    struct keeper *k = ctx;
    if (k->stopping)
        return;
    int64_t now = loop_now_ms(k->loop);
    for (size_t i = 0; i < k->zone_count; i++)
        if (k->zone[i].leaving == STAYS && expiry_is_due(&k->zone[i], now) && !queued(&k->zone[i], JOB_EXPIRE))
            zone_submit(&k->zone[i], JOB_EXPIRE);
}

enum { MS_PER_S = 1000, EXPIRE_SOONEST_MS = 10 };

/* Looked at with the files as well, so a timer that is off for a clock that was set does no harm. */
void keeper_arm_expiry(struct keeper *k) {
    int64_t wall_ms = clock_wall_ms(), next = FILES_POLL_MS;
    for (size_t i = 0; i < k->zone_count; i++) {
        const struct keeper_zone *z = &k->zone[i];
        int64_t in_ms = z->expire_wall_s * MS_PER_S - wall_ms, held_ms = z->expire_not_before_ms - loop_now_ms(k->loop);
        if (z->expire_wall_s == 0 || z->leaving != STAYS)
            continue;
        if (in_ms < held_ms)
            in_ms = held_ms;
        if (in_ms < next)
            next = in_ms;
    }
    loop_timer_again(k->expire_timer, (uint64_t)(next < EXPIRE_SOONEST_MS ? EXPIRE_SOONEST_MS : next));
}

void keeper_reread(struct keeper *k) {
    for (size_t i = 0; i < k->zone_count; i++)
        files_forget(&k->zone[i].files);
    keeper_look(k);
}

void keeper_zone_open(struct keeper *k, size_t i, const struct conf_zone *conf) {
    struct keeper_zone *z = &k->zone[i];
    *z = (struct keeper_zone){.keeper = k, .conf = conf};
    z->follows = conf->pair.count > 0; /* until its role is known */
    z->files.data = z->conf->data;
    z->files.count = z->conf->data_count;
    z->files.folders = k->folders;
    if (k->board != NULL && conf->name[0] != '\0') {
        z->slot = &k->board->zone[i];
        show_zone_start(z->slot, z->conf);
    }
    zone_watch(z);
}

static int keeper_start(struct keeper *k, struct board *board, struct err *err) {
    int rc = files_folders_open(&k->folders, k->loop, keeper_look, k, err);
    if (rc < 0)
        return rc;
    k->board = board;
    k->zone = calloc(LIMIT_ZONES, sizeof *k->zone);
    if (k->zone == NULL || k->zone_count > LIMIT_ZONES)
        return err_set(err, E_NOMEM, "no room for %zu zones", k->zone_count);
    for (size_t i = 0; i < LIMIT_ZONES; i++)
        keeper_zone_open(k, i, i < k->zone_count ? &k->conf->rbl.zones[i] : &keeper_no_zone);
    if (board != NULL)
        board_set(&board->zone_count, k->zone_count);
    k->timer = loop_timer_start(k->loop, FILES_POLL_MS, FILES_POLL_MS, keeper_look, k);
    k->expire_timer = loop_timer_start(k->loop, FILES_POLL_MS, FILES_POLL_MS, keeper_expire, k);
    if (k->timer == NULL || k->expire_timer == NULL)
        return err_set(err, E_NOMEM, "no memory for a timer");
    for (size_t i = 0; i < k->zone_count; i++)
        if (k->zone[i].conf->name[0] != '\0')
            zone_submit(&k->zone[i], JOB_OPEN);
    return 0;
}

int keeper_open(struct keeper **out, struct loop *l, const struct conf *conf, struct board *board, struct err *err) {
    *out = NULL;
    struct keeper *k = calloc(1, sizeof *k);
    if (k == NULL)
        return err_set(err, E_NOMEM, "no memory for the zones");
    k->loop = l;
    k->conf = conf;
    k->zone_count = conf->rbl.zone_count;
    int rc = keeper_start(k, board, err);
    if (rc < 0) {
        k->zone_count = 0;
        keeper_close(k);
        return rc;
    }
    *out = k;
    return 0;
}

bool keeper_quiet(struct keeper *k) {
    k->stopping = true;
    for (size_t i = 0; i < k->zone_count; i++)
        zone_drop_waiting(&k->zone[i]);
    return k->running == 0;
}

void keeper_close(struct keeper *k) {
    if (k == NULL)
        return;
    if (k->timer != NULL)
        loop_timer_cancel(k->timer);
    if (k->expire_timer != NULL)
        loop_timer_cancel(k->expire_timer);
    if (k->delete_timer != NULL)
        loop_timer_cancel(k->delete_timer);
    files_folders_close(k->folders);
    for (size_t i = 0; i < k->zone_count; i++) {
        keep_close(k->zone[i].keep);
        free(k->zone[i].apex);
    }
    free(k->zone);
    free(k);
}
