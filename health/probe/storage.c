/* Can this node still write, and how full is it? A small file is written and synced in `state` by a thread of its own,
 * because a hung disk hangs whoever asks it: at most one such job is under way, and one that does not come back is the
 * evidence. The maps of the zones are judged by what candor-sync writes on the board. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "health/probe/zone.h"
#include "resolver/base/clock.h"

enum {
    CANARY_BYTES = 4096,
    CANARY_DEADLINE_MS = 5000,
    FULL_PERCENT = 80,     /* of a map, of its reader slots */
    FREE_MIN_PERCENT = 5,  /* of the disk's bytes and inodes */
    ERRORS_INTERVALS = 3,  /* that a write error stays in sight: one alone must outlast `fall` */
    READER_LAG_TXNS = 100, /* an old reader keeps this many commits' pages from being used again */
};

/* Belongs to the thread while `busy`, and is left to it when the prober goes first. */
struct canary_job {
    struct storage *owner; /* NULL: the prober has gone */
    char path[512], fresh[512], folder[512], run[512];
    int64_t began_ms;
    bool busy;
    char problem[224];
    struct statvfs space, run_space;
    bool has_space, has_run;
};

struct storage {
    struct task task;
    struct prober *p;
    size_t write_check, space_check, map_check, readers_check, lag_check, errors_check;
    struct canary_job *job;
    bool hurry;
    uint64_t write_errors_seen;
    int64_t write_error_ms; /* when there were more of them than before; 0: never */
    bool errors_known;
};

/* "fsync: Input/output error (EIO); 5 bytes and 7 inodes are free": the file is in what was asked. */
static void problem(struct canary_job *j, const char *what) {
    int number = errno;
    const char *name = strerrorname_np(number);
    int n = snprintf(j->problem, sizeof(j->problem), "%s: %s (%s)", what, strerror(number), name != NULL ? name : "?");
    if (j->has_space && n > 0 && (size_t)n < sizeof(j->problem))
        snprintf(j->problem + n, sizeof(j->problem) - (size_t)n,
                 "; %" PRIu64 " bytes and %" PRIu64 " inodes are free%s",
                 (uint64_t)j->space.f_bavail * j->space.f_frsize, (uint64_t)j->space.f_favail,
                 (j->space.f_flag & ST_RDONLY) != 0 ? ", the file system is read-only" : "");
}

static int write_block(struct canary_job *j, int fd) {
    char block[CANARY_BYTES];
    memset(block, 'c', sizeof(block));
    ssize_t n = write(fd, block, sizeof(block));
    if (n < 0)
        problem(j, "write");
    else if (n != sizeof(block))
        snprintf(j->problem, sizeof(j->problem), "write: %zd of %d bytes", n, CANARY_BYTES);
    else if (fsync(fd) != 0)
        problem(j, "fsync");
    else
        return 0;
    return -1;
}

/* A new file beside the last one: to write that one anew would only take back its own room on a full disk. */
static void canary_work(void *ctx) {
    struct canary_job *j = ctx;
    j->problem[0] = '\0';
    j->has_space = statvfs(j->folder, &j->space) == 0;
    j->has_run = statvfs(j->run, &j->run_space) == 0;
    int fd = open(j->fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0) {
        problem(j, "open");
        return;
    }
    int rc = write_block(j, fd);
    if (close(fd) != 0 && rc == 0) {
        problem(j, "close");
        rc = -1;
    }
    if (rc != 0)
        unlink(j->fresh);
    else if (rename(j->fresh, j->path) != 0)
        problem(j, "rename");
}

static void judge(struct storage *s, size_t check, enum verdict_state state, const struct evidence *e) {
    s->hurry |= prober_result(s->p, check, state, e);
}

static struct evidence about(const char *asked, double value, const char *unit) {
    struct evidence e = {.wall_ms = clock_wall_ms(), .value = value, .unit = unit};
    text_copy(e.asked, sizeof(e.asked), asked);
    return e;
}

struct room {
    double bytes, inodes; /* percent free */
};

/* File systems without a number of inodes tell 0. */
static struct room room_of(const struct statvfs *v) {
    return (struct room){v->f_blocks > 0 ? 100.0 * (double)v->f_bavail / (double)v->f_blocks : 100,
                         v->f_files > 0 ? 100.0 * (double)v->f_favail / (double)v->f_files : 100};
}

static bool is_short(struct room r) { return r.bytes < FREE_MIN_PERCENT || r.inodes < FREE_MIN_PERCENT; }

static void judge_space(struct storage *s, const struct canary_job *j) {
    const struct statvfs *v = &j->space, *w = j->has_run ? &j->run_space : v;
    struct room state = room_of(v), run = room_of(w);
    struct tally_set *t = &s->p->tally;
    struct evidence e = about(j->folder, (double)v->f_bavail * (double)v->f_frsize, "bytes");
    int n = snprintf(e.came, sizeof(e.came), "%.1f%% of the bytes and %.1f%% of the inodes are free", state.bytes,
                     state.inodes);
    if (is_short(run) && n > 0 && (size_t)n < sizeof(e.came))
        snprintf(e.came + n, sizeof(e.came) - (size_t)n, "; where node.run is, %.1f%% and %.1f%%", run.bytes,
                 run.inodes);
    judge(s, s->space_check, is_short(state) || is_short(run) ? VERDICT_WARN : VERDICT_PASS, &e);
    t->disk_free_bytes = (uint64_t)v->f_bavail * v->f_frsize;
    t->disk_free_inodes = (uint64_t)v->f_favail;
    t->run_free_bytes = (uint64_t)w->f_bavail * w->f_frsize;
    t->run_free_inodes = (uint64_t)w->f_favail;
    t->disk_known = true;
}

static void judge_write(struct storage *s, const struct canary_job *j, const char *trouble, int64_t took_ms) {
    struct evidence e = about(j->path, (double)took_ms, "ms");
    bool good = trouble[0] == '\0';
    e.took_us = took_ms * 1000;
    snprintf(e.came, sizeof(e.came), "%s", good ? "written and synced" : trouble);
    tally_add(&s->p->tally.probe[TALLY_CANARY_WRITE][0][0], good ? TALLY_PASS : TALLY_FAIL, e.took_us, e.wall_ms);
    judge(s, s->write_check, good ? VERDICT_PASS : VERDICT_FAIL, &e);
}

static void storage_end(struct storage *s) {
    task_done(&s->task, s->hurry ? (int64_t)probe_hurry_ms(s->task.interval_ms) : -1);
}

static void canary_done(void *ctx) {
    struct canary_job *j = ctx;
    struct storage *s = j->owner;
    j->busy = false;
    if (s == NULL) {
        free(j);
        return;
    }
    if (j->has_space)
        judge_space(s, j);
    judge_write(s, j, j->problem, clock_mono_ms() - j->began_ms);
    if (s->hurry && s->task.due_ms > clock_mono_ms() + probe_hurry_ms(s->task.interval_ms))
        s->task.due_ms = clock_mono_ms() + probe_hurry_ms(s->task.interval_ms);
}

/* One job at a time: a new one begins when the last came back, else its absence is judged. */
static void write_start(struct storage *s) {
    struct canary_job *j = s->job;
    int64_t now = clock_mono_ms();
    if (j->busy && now - j->began_ms > CANARY_DEADLINE_MS) {
        char text[64];
        snprintf(text, sizeof(text), "still not written after %" PRId64 " s", (now - j->began_ms) / 1000);
        judge_write(s, j, text, now - j->began_ms);
    }
    if (j->busy)
        return;
    j->busy = true;
    j->began_ms = now;
    if (loop_work(s->p->loop, canary_work, canary_done, j) != 0) {
        j->busy = false;
        judge_write(s, j, "no thread to write with", 0);
    }
}

/* The worst zone of a kind, and what else is to be said. */
struct fill {
    double worst;
    char zone[BOARD_NAME_MAX], more[96];
    bool fails;
};

static bool fill_look(struct fill *f, double value, const char *zone) {
    if (f->fails || (f->zone[0] != '\0' && value <= f->worst))
        return false;
    f->worst = value;
    text_copy(f->zone, sizeof(f->zone), zone);
    return true;
}

static void judge_fill(struct storage *s, size_t check, const char *asked, const struct fill *f, double limit,
                       const char *unit) {
    struct evidence e = about(asked, f->worst, unit);
    if (f->zone[0] == '\0')
        text_copy(e.came, sizeof(e.came), "no zone has data");
    else
        snprintf(e.came, sizeof(e.came), "at most %.0f %s (zone %.100s)%s", f->worst, unit, f->zone, f->more);
    judge(s, check, f->fails ? VERDICT_FAIL : f->worst >= limit ? VERDICT_WARN : VERDICT_PASS, &e);
}

static double percent(uint64_t part, uint64_t whole) { return whole > 0 ? 100.0 * (double)part / (double)whole : 0; }

struct fills {
    struct fill map, readers, lag;
    uint64_t errors, cleared, ended;
    char failed[BOARD_NAME_MAX], why[BOARD_TEXT_MAX]; /* of the first zone whose newest commit failed */
};

/* In the words of resolver/store: a map that is full, or did not get the room to grow. */
static bool is_of_map(const char *why) {
    return strstr(why, "MAP_FULL") != NULL || strstr(why, "the map ") != NULL || strstr(why, "growing the map") != NULL;
}

/* A map grows by itself, so that one which is full could not: the zone says so for as long as it is so. */
static void look_errors(struct fills *f, const struct board_zone *z) {
    f->errors += z->write_errors;
    if (z->state != ZONE_ERROR || z->write_errors == 0)
        return;
    if (is_of_map(z->error) && fill_look(&f->map, 100, z->name)) {
        f->map.fails = true;
        text_copy(f->map.more, sizeof(f->map.more), ": it is full and could not grow, nothing can be written");
    }
    if (f->failed[0] != '\0')
        return;
    text_copy(f->failed, sizeof(f->failed), z->name);
    text_copy(f->why, sizeof(f->why), z->error);
}

static void look_lag(struct fills *f, const struct board_zone *z) {
    struct sys_process reader;
    if (!fill_look(&f->lag, (double)z->oldest_reader_txns, z->name))
        return;
    f->lag.more[0] = '\0';
    if (z->oldest_reader_txns > 0 && z->oldest_reader_pid > 0)
        snprintf(f->lag.more, sizeof(f->lag.more), ", held by pid %" PRIu64 " (%s, %s)", z->oldest_reader_pid,
                 sys_process_look(z->oldest_reader_pid, &reader) == 0 ? reader.name : "-",
                 sys_state_text(reader.state));
}

static void look_zones(struct storage *s, struct fills *f) {
    const struct conf *c = s->p->conf;
    struct board_zone z;
    for (size_t i = 0; i < c->rbl.zone_count && i < LIMIT_ZONES; i++) {
        if (!zone_data_read(s->p->board, i, c->rbl.zones[i].name, &z))
            continue;
        look_errors(f, &z);
        f->cleared += z.stale_readers_cleared;
        f->ended += z.readers_ended;
        if (!zone_data_there(&z))
            continue;
        fill_look(&f->map, percent(z.used_bytes, z.map_bytes), z.name);
        fill_look(&f->readers, percent(z.readers, z.readers_max), z.name);
        look_lag(f, &z);
    }
}

static void judge_errors(struct storage *s, const struct fills *f) {
    struct evidence e = about("write errors of candor-sync, on the board", (double)f->errors, "errors");
    int64_t now = clock_mono_ms();
    if (f->errors > s->write_errors_seen && s->errors_known)
        s->write_error_ms = now;
    bool lately = s->write_error_ms != 0 && now - s->write_error_ms < ERRORS_INTERVALS * (int64_t)s->task.interval_ms;
    if (f->failed[0] != '\0')
        snprintf(e.came, sizeof(e.came), "%" PRIu64 " so far; the newest write of zone %.60s failed: %.140s", f->errors,
                 f->failed, f->why);
    else
        snprintf(e.came, sizeof(e.came), "%" PRIu64 " so far%s", f->errors,
                 lately ? ", the last of them just now" : "");
    s->write_errors_seen = f->errors;
    s->errors_known = true;
    judge(s, s->errors_check, f->failed[0] != '\0' ? VERDICT_FAIL : lately ? VERDICT_WARN : VERDICT_PASS, &e);
}

static void judge_maps(struct storage *s) {
    struct fills f = {.errors = 0};
    look_zones(s, &f);
    if (f.cleared + f.ended > 0)
        snprintf(f.readers.more, sizeof(f.readers.more),
                 "; so far %" PRIu64 " slots of dead processes freed, %" PRIu64 " readers ended", f.cleared, f.ended);
    judge_fill(s, s->map_check, "used part of the zones' maps, on the board", &f.map, FULL_PERCENT, "percent");
    judge_fill(s, s->readers_check, "used part of the zones' reader slots, on the board", &f.readers, FULL_PERCENT,
               "percent");
    judge_fill(s, s->lag_check, "commits since the oldest reader's, on the board", &f.lag, READER_LAG_TXNS,
               "transactions");
    judge_errors(s, &f);
}

static void storage_start(struct task *task) {
    struct storage *s = CONTAINER_OF(task, struct storage, task);
    s->hurry = false;
    judge_maps(s);
    write_start(s);
    storage_end(s);
}

static int add_check(struct storage *s, const char *component, const char *measurement, size_t *at) {
    int check = verdict_add(&s->p->book, SCOPE_STORAGE, component, measurement, "",
                            s->p->conf->health.interval.zones_ms, false);
    if (check >= 0)
        *at = (size_t)check;
    return check < 0 ? check : 0;
}

int storage_open(struct prober *p) {
    struct storage *s = p->storage = calloc(1, sizeof(*s));
    int rc = s == NULL ? E_NOMEM : 0;
    if (rc < 0 || (s->job = calloc(1, sizeof(*s->job))) == NULL)
        return E_NOMEM;
    s->p = p;
    s->job->owner = s;
    text_copy(s->job->folder, sizeof(s->job->folder), p->conf->node.state);
    text_copy(s->job->run, sizeof(s->job->run), p->conf->node.run);
    snprintf(s->job->path, sizeof(s->job->path), "%.480s/health.canary", p->conf->node.state);
    snprintf(s->job->fresh, sizeof(s->job->fresh), "%.480s/health.canary.new", p->conf->node.state);
    const struct {
        const char *component, *measurement;
        size_t *at;
    } checks[] = {{"canary", "write", &s->write_check},  {"disk", "free", &s->space_check},
                  {"lmdb", "map_used", &s->map_check},   {"lmdb", "readers", &s->readers_check},
                  {"lmdb", "reader_lag", &s->lag_check}, {"lmdb", "write_errors", &s->errors_check}};
    for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(checks); i++)
        rc = add_check(s, checks[i].component, checks[i].measurement, checks[i].at);
    p->tally.probe[TALLY_CANARY_WRITE][0][0].planned = true;
    return rc < 0 ? rc : prober_add(p, &s->task, storage_start, p->conf->health.interval.zones_ms / 2, false);
}

void storage_close(struct prober *p) {
    if (p->storage == NULL)
        return;
    if (p->storage->job != NULL && p->storage->job->busy)
        p->storage->job->owner = NULL;
    else
        free(p->storage->job);
    free(p->storage);
}
