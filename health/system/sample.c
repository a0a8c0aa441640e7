#include "health/system/sample.h"

#include <stdio.h>
#include <unistd.h>

const char *sys_role_name(enum board_role r) {
    static const char *const names[ROLE_COUNT] = {"candor", "candor-resolver", "candor-sync", "candor-health"};
    return names[r];
}

void sys_one_follow(struct sys_one *one, uint64_t pid, const struct sys_process *now, int64_t ms, long ticks_per_s) {
    const struct sys_process *then = &one->now;
    bool same = one->pid == pid && then->state != '\0' && then->start_ticks == now->start_ticks;
    uint64_t ticks = now->cpu_ticks - (same && now->cpu_ticks >= then->cpu_ticks ? then->cpu_ticks : 0);
    uint64_t faults = now->major_faults - (same && now->major_faults >= then->major_faults ? then->major_faults : 0);
    one->has_rates = same && ms > 0 && ticks_per_s > 0;
    one->cpu = one->has_rates ? (double)ticks * 1000 / (double)ticks_per_s / (double)ms : 0;
    one->major_per_s = one->has_rates ? (double)faults * 1000 / (double)ms : 0;
    one->cpu_ticks += ticks;
    one->major_faults += faults;
    one->pid = pid;
    one->now = *now;
}

static void look(struct sys_one *one, uint64_t pid, int64_t ms) {
    struct sys_process now;
    if (sys_process_read(pid, &now) < 0) {
        one->pid = pid;
        one->now = now;
        one->has_rates = false;
        return;
    }
    sys_one_follow(one, pid, &now, ms, sysconf(_SC_CLK_TCK));
}

static void look_pressure(struct sys_sample *s, enum sys_resource r, int64_t ms) {
    struct sys_pressure then = s->pressure[r], *now = &s->pressure[r];
    bool had = s->has_pressure[r];
    s->has_pressure[r] = sys_pressure_read(r, now) == 0;
    for (int k = 0; k < SYS_STALLS; k++) {
        bool delta = had && ms > 0 && now->total_us[k] >= then.total_us[k];
        double part = delta ? (double)(now->total_us[k] - then.total_us[k]) / 1000 / (double)ms : now->avg10[k];
        s->stall[r][k] = part < 1 ? part : 1;
    }
}

void sys_sample_take(struct sys_sample *s, const struct board *b, int64_t mono_ms) {
    uint64_t workers = board_get(&b->worker_count);
    int64_t ms = s->mono_ms > 0 ? mono_ms - s->mono_ms : 0;
    workers = workers < LIMIT_WORKERS ? workers : LIMIT_WORKERS;
    for (int r = 0; r < ROLE_COUNT; r++) {
        snprintf(s->at[r].name, sizeof(s->at[r].name), "%s", sys_role_name((enum board_role)r));
        look(&s->at[r], board_get(&b->process[r].pid), ms);
    }
    for (unsigned w = 0; w < workers; w++) {
        struct sys_one *one = &s->at[ROLE_COUNT + w];
        snprintf(one->name, sizeof(one->name), "worker %u", w);
        look(one, board_get(&b->worker[w].pid), ms);
    }
    s->count = ROLE_COUNT + workers;
    for (int r = 0; r < SYS_RESOURCES; r++)
        look_pressure(s, (enum sys_resource)r, ms);
    if (sys_conntrack_read(&s->conntrack, &s->conntrack_max) < 0)
        s->conntrack = s->conntrack_max = 0;
    s->mono_ms = mono_ms;
}

const struct sys_one *sys_sample_worker(const struct sys_sample *s, unsigned worker) {
    return ROLE_COUNT + (size_t)worker < s->count ? &s->at[ROLE_COUNT + worker] : NULL;
}
