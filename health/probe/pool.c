/* Does the thread pool of each program that has one still do what it is given? Its loop gives it a canary each second
 * (loop.h); how long that waits stands on the board. */
#include <stdio.h>
#include <stdlib.h>

#include "health/probe/impl.h"
#include "health/probe/machine.h"
#include "resolver/base/clock.h"

static const enum board_role pool_roles[] = {ROLE_SYNC, ROLE_HEALTH}; /* the resolver's workers use none */

struct pool_probe {
    struct task task;
    struct prober *p;
    uint32_t deadline_ms;
    size_t check[ARRAY_SIZE(pool_roles)];
};

static bool pool_look(struct pool_probe *pp, size_t i) {
    struct prober *p = pp->p;
    const struct board_process *b = &p->board->process[pool_roles[i]];
    struct pool_look l = {.now_ms = clock_mono_ms(),
                          .asked_ms = (int64_t)board_get(&b->pool_asked_ms),
                          .beat_ms = (int64_t)board_get(&b->pool_beat_ms),
                          .lag_us = board_get(&b->pool_lag_us),
                          .cpu = p->sample->at[pool_roles[i]].cpu,
                          .deadline_ms = pp->deadline_ms};
    struct evidence e = {.wall_ms = clock_wall_ms()};
    if (board_get(&b->boot) == 0)
        return false; /* not started: its heartbeat says so */
    snprintf(e.asked, sizeof(e.asked), "a canary in the thread pool of %s, on the board", sys_role_name(pool_roles[i]));
    enum verdict_state s = pool_judge(&l, &e);
    if (s == VERDICT_FAIL && prober_late(p, l.now_ms - PROBE_SAMPLE_MS))
        return false;
    return prober_result(p, pp->check[i], s, &e);
}

static void pool_start(struct task *task) {
    struct pool_probe *pp = CONTAINER_OF(task, struct pool_probe, task);
    bool hurry = false;
    for (size_t i = 0; i < ARRAY_SIZE(pool_roles); i++)
        hurry |= pool_look(pp, i);
    task_done(task, hurry ? (int64_t)task->interval_ms / 2 : -1);
}

int pool_open(struct prober *p) {
    struct pool_probe *pp = p->pool = calloc(1, sizeof(*pp));
    uint32_t local = p->conf->health.interval.local_ms;
    int rc = pp == NULL ? E_NOMEM : 0;
    if (rc < 0)
        return rc;
    pp->p = p;
    pp->deadline_ms = local / 5 * 3 < POOL_DEADLINE_MIN_MS ? POOL_DEADLINE_MIN_MS : local / 5 * 3;
    pp->deadline_ms = pp->deadline_ms < POOL_DEADLINE_MS ? pp->deadline_ms : POOL_DEADLINE_MS;
    for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(pool_roles); i++)
        rc = machine_add_check(p, SCOPE_PROCESS, "process", "pool", sys_role_name(pool_roles[i]), &pp->check[i]);
    return rc < 0 ? rc : prober_add(p, &pp->task, pool_start, local < PROBE_SAMPLE_MS ? local : PROBE_SAMPLE_MS, false);
}

void pool_close(struct prober *p) { free(p->pool); }
