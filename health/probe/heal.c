/* Marks on the board whom the supervisor, or the parent of the workers, is to end and replace (heal.h). */
#include "health/probe/heal.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "health/probe/impl.h"
#include "health/probe/stuck.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"

enum { THREADS_MAX = 256 };

const char *heal_judge(const struct heal_look *l) {
    if (l->boot == 0 || l->state == '\0' || l->state == 'Z' || l->state == 'X' || l->disk)
        return NULL;
    if (l->judged_fail && l->heartbeat_ms > l->hung_ms)
        return "its loop stands still";
    if (l->stuck)
        return "forwarders answer directly, and through it nothing comes";
    if (l->pool_fail && l->pool_still_ms > l->pool_ms)
        return "its loop turns, and nothing comes back from its thread pool";
    return l->silent ? "its loop turns, and it answers nothing where other workers do" : NULL;
}

int64_t heal_pool_ms(uint32_t local_ms) {
    int64_t ms = (int64_t)local_ms * HEAL_POOL_SHARE;
    ms = ms < HEAL_POOL_MS ? ms : HEAL_POOL_MS;
    return ms > HEAL_POOL_MIN_MS ? ms : HEAL_POOL_MIN_MS;
}

/* A pool's thread that waits for a disk shows in its own state, not in the process's. */
static bool waits_for_disk(uint64_t pid, char state) {
    char path[64];
    bool waits = state == 'D';
    snprintf(path, sizeof path, "/proc/%llu/task", (unsigned long long)pid);
    DIR *d = waits ? NULL : opendir(path);
    if (d == NULL)
        return waits;
    struct dirent *e;
    for (int i = 0; !waits && i < THREADS_MAX && (e = readdir(d)) != NULL; i++) {
        char stat[sizeof path + sizeof e->d_name + 8], line[512];
        struct sys_process thread;
        snprintf(stat, sizeof stat, "%s/%s/stat", path, e->d_name);
        FILE *f = e->d_name[0] != '.' ? fopen(stat, "re") : NULL;
        if (f == NULL)
            continue;
        waits = fgets(line, sizeof line, f) != NULL && sys_stat_parse(line, &thread) == 0 && thread.state == 'D';
        (void)fclose(f);
    }
    (void)closedir(d);
    return waits;
}

static int64_t hung_after_ms(const struct prober *p) {
    int64_t ms = 2 * (int64_t)p->conf->health.interval.local_ms;
    return ms > HEAL_AGE_MIN_MS ? ms : HEAL_AGE_MIN_MS;
}

static const struct verdict_check *find(const struct prober *p, const char *component, const char *measurement,
                                        const char *id) {
    for (size_t i = 0; i < p->book.count; i++) {
        const struct verdict_check *c = &p->book.checks[i];
        if (c->scope != SCOPE_COUNT && strcmp(c->component, component) == 0 &&
            strcmp(c->measurement, measurement) == 0 && strcmp(c->id, id) == 0)
            return c;
    }
    return NULL;
}

static void look_at_pool(const struct prober *p, enum board_role role, struct heal_look *l) {
    const struct verdict_check *c = find(p, "process", "pool", sys_role_name(role));
    const struct board_process *b = &p->board->process[role];
    int64_t asked = (int64_t)board_get(&b->pool_asked_ms), beat = (int64_t)board_get(&b->pool_beat_ms);
    if (c == NULL || asked == 0)
        return;
    l->pool_fail = c->settled == VERDICT_FAIL;
    l->pool_still_ms = clock_mono_ms() - (beat > asked ? beat : asked);
    l->pool_ms = heal_pool_ms(p->conf->health.interval.local_ms);
}

static bool may_mark(const struct prober *p, const board_word *mark, uint64_t boot, int64_t last_ms) {
    return p->conf->health.heal.restart_hung && (board_get(mark) != boot || clock_mono_ms() - last_ms >= HEAL_AGAIN_MS);
}

void heal_role(struct prober *p, enum board_role role, const struct verdict_check *c, const struct vital *v,
               int64_t *healed_ms) {
    struct board_process *slot = &p->board->process[role];
    struct heal_look l = {.boot = v->boot,
                          .state = v->state,
                          .judged_fail = c->settled == VERDICT_FAIL,
                          .heartbeat_ms = v->age_ms,
                          .hung_ms = hung_after_ms(p),
                          .stuck = role == ROLE_RESOLVER && stuck_resolver(p)};
    look_at_pool(p, role, &l);
    const char *why = heal_judge(&l);
    if (why == NULL || !may_mark(p, &slot->heal_boot, v->boot, *healed_ms))
        return;
    l.disk = waits_for_disk(v->pid, v->state);
    if (heal_judge(&l) == NULL)
        return;
    *healed_ms = clock_mono_ms();
    board_set(&slot->heal_at_ms, (uint64_t)*healed_ms);
    board_set(&slot->heal_boot, v->boot);
    p->tally.heals++;
    LOG(LEVEL_WARN, "a process hangs: asked the supervisor to end it", KS("process", sys_role_name(role)),
        KU("victim", v->pid), KS("why", why), KS("evidence", c->evidence.came));
}

/* At most max-restarts of all workers within the window: beyond it they are left, and seen. */
static bool ration_left(struct prober *p, int64_t now) {
    struct heal_ration *r = &p->heal_ration;
    int64_t from = now - (int64_t)p->conf->health.heal.within_s * 1000;
    unsigned kept = 0;
    for (unsigned i = 0; i < r->count; i++)
        if (r->at_ms[i] > from)
            r->at_ms[kept++] = r->at_ms[i];
    r->count = kept;
    return kept < p->conf->health.heal.max_restarts && kept < HEAL_RATION;
}

void heal_worker(struct prober *p, unsigned w, const struct vital *v) {
    struct board_worker *slot = &p->board->worker[w];
    char id[32];
    snprintf(id, sizeof id, "worker %u", w);
    const struct verdict_check *c = find(p, "worker", "answers", id);
    int64_t now = clock_mono_ms();
    struct heal_look l = {.boot = v->boot, .state = v->state};
    /* One whose loop stands still is seen by its parent, sooner. */
    l.silent = c != NULL && c->settled == VERDICT_FAIL && (p->worker_silent >> w & 1) && v->state != 'T' &&
               v->state != 't' && v->age_ms < HEAL_AGE_MIN_MS &&
               !prober_late(p, now - p->conf->health.interval.local_ms);
    if (heal_judge(&l) == NULL || !p->conf->health.heal.restart_hung || board_get(&slot->heal_boot) == v->boot ||
        waits_for_disk(v->pid, v->state))
        return;
    if (!ration_left(p, now)) {
        if (!p->heal_ration.told)
            LOG(LEVEL_ERROR, "a worker answers nothing, and the ration of restarts is used up: left alone",
                KU("worker", w));
        p->heal_ration.told = true;
        return;
    }
    p->heal_ration.told = false;
    p->heal_ration.at_ms[p->heal_ration.count++] = now;
    board_set(&slot->heal_boot, v->boot);
    p->tally.heals++;
    LOG(LEVEL_WARN, "a worker answers nothing: asked its parent to end it", KU("worker", w), KU("victim", v->pid),
        KS("evidence", c->evidence.came));
}
