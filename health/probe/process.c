/* Do the processes' loops turn? Heartbeats on the board and the kernel's word about the process. A heartbeat never
 * makes up for a probe without answer: that is judged apart, in scope worker. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health/probe/impl.h"
#include "resolver/base/clock.h"

struct process_probe {
    struct task task;
    struct prober *p;
    uint32_t old_ms; /* a heartbeat older than this is bad */
    size_t role_check[ROLE_COUNT], worker_check[LIMIT_WORKERS], lag_check;
    unsigned workers;
    uint64_t late_seen;
    bool late; /* this process itself: only what is good counts now */
    int64_t healed_ms[ROLE_COUNT];
};

static struct vital vital_read(const board_word *boot, const board_word *pid, const board_word *heartbeat) {
    struct vital v = {.boot = board_get(boot), .pid = board_get(pid), .heartbeat_ms = board_get(heartbeat)};
    v.age_ms = clock_mono_ms() - (int64_t)v.heartbeat_ms;
    struct sys_process now;
    v.state = sys_process_look(v.pid, &now) == 0 ? now.state : '\0';
    return v;
}

static enum verdict_state vital_judge(const struct vital *v, uint32_t old_ms, struct evidence *e) {
    *e = (struct evidence){.wall_ms = clock_wall_ms()};
    e->value = (double)v->age_ms / 1000;
    e->unit = v->boot != 0 ? "s" : NULL;
    snprintf(e->asked, sizeof(e->asked), "heartbeat on the board, /proc/%llu/stat", (unsigned long long)v->pid);
    char halt[160];
    bool up = v->state == 'R' || v->state == 'S' || v->state == 'D' || v->state == 'I';
    bool good = v->boot != 0 && up && v->age_ms <= (int64_t)old_ms;
    if (v->boot == 0)
        snprintf(e->came, sizeof(e->came), "never started");
    else
        snprintf(e->came, sizeof(e->came), "pid %llu is %s (state %c), heartbeat %.1f s old%s",
                 (unsigned long long)v->pid, sys_state_text(v->state), v->state != '\0' ? v->state : '-',
                 (double)v->age_ms / 1000, good || v->state == '\0' ? "" : sys_halt_text(v->pid, halt, sizeof(halt)));
    return good ? VERDICT_PASS : VERDICT_FAIL;
}

static bool role_look(struct process_probe *pp, enum board_role role) {
    struct prober *p = pp->p;
    struct board_process *slot = &p->board->process[role];
    struct vital v = vital_read(&slot->boot, &slot->pid, &slot->heartbeat_ms);
    struct evidence e;
    enum verdict_state s = vital_judge(&v, pp->old_ms, &e);
    if (role == ROLE_SUPERVISOR && v.boot == 0) {
        s = VERDICT_WARN;
        snprintf(e.came, sizeof(e.came), "there is no supervisor: the programs were started one by one");
    }
    if (s == VERDICT_FAIL && pp->late)
        return false;
    bool undecided = prober_result(p, pp->role_check[role], s, &e);
    if (role == ROLE_RESOLVER || role == ROLE_SYNC)
        heal_role(p, role, &p->book.checks[pp->role_check[role]], &v, &pp->healed_ms[role]);
    return undecided;
}

static bool worker_look(struct process_probe *pp, unsigned w) {
    struct board_worker *slot = &pp->p->board->worker[w];
    struct vital v = vital_read(&slot->boot, &slot->pid, &slot->heartbeat_ms);
    struct evidence e;
    enum verdict_state s = vital_judge(&v, pp->old_ms, &e);
    heal_worker(pp->p, w, &v);
    return (s == VERDICT_PASS || !pp->late) && prober_result(pp->p, pp->worker_check[w], s, &e);
}

/* A slow judge doubts itself (as Lifeguard does), and says so. */
static bool own_lag_look(struct process_probe *pp) {
    struct prober *p = pp->p;
    bool late = p->tally.late != pp->late_seen;
    struct evidence e = {.wall_ms = clock_wall_ms(),
                         .value = (double)board_get(&p->board->process[ROLE_HEALTH].loop_lag_us) / 1e6,
                         .unit = "s"};
    text_copy(e.asked, sizeof(e.asked), "lag of this process's own loop");
    snprintf(e.came, sizeof(e.came),
             late ? "late by more than %u ms: silence in that time counts against nobody" : "in time, within %u ms",
             p->late_ms);
    pp->late_seen = p->tally.late;
    return prober_result(p, pp->lag_check, late ? VERDICT_WARN : VERDICT_PASS, &e);
}

static void process_start(struct task *task) {
    struct process_probe *pp = CONTAINER_OF(task, struct process_probe, task);
    bool hurry = own_lag_look(pp);
    pp->late = prober_late(pp->p, clock_mono_ms() - PROBE_SAMPLE_MS);
    for (int r = 0; r < ROLE_COUNT; r++)
        if (r != ROLE_HEALTH)
            hurry |= role_look(pp, (enum board_role)r);
    for (unsigned w = 0; w < pp->workers; w++)
        hurry |= worker_look(pp, w);
    task_done(task, hurry ? (int64_t)task->interval_ms / 2 : -1);
}

static int add_check(struct prober *p, const char *measurement, const char *id, size_t *check) {
    int at = verdict_add(&p->book, SCOPE_PROCESS, "process", measurement, id, p->conf->health.interval.local_ms, false);
    if (at >= 0)
        *check = (size_t)at;
    return at < 0 ? at : 0;
}

int process_open(struct prober *p) {
    struct process_probe *pp = p->process = calloc(1, sizeof(*pp));
    uint32_t local = p->conf->health.interval.local_ms, old = local / 5 * 3;
    int rc = pp == NULL ? E_NOMEM : 0;
    if (rc < 0)
        return rc;
    pp->p = p;
    old = old < PROBE_HEARTBEAT_MIN_MS ? PROBE_HEARTBEAT_MIN_MS : old;
    pp->old_ms = old < PROBE_HEARTBEAT_MS ? old : PROBE_HEARTBEAT_MS;
    pp->workers = prober_workers(p);
    for (int r = 0; rc == 0 && r < ROLE_COUNT; r++)
        if (r != ROLE_HEALTH)
            rc = add_check(p, "heartbeat", sys_role_name((enum board_role)r), &pp->role_check[r]);
    for (unsigned w = 0; rc == 0 && w < pp->workers; w++) {
        char id[32];
        snprintf(id, sizeof(id), "worker %u", w);
        rc = add_check(p, "heartbeat", id, &pp->worker_check[w]);
    }
    if (rc == 0)
        rc = add_check(p, "lag", sys_role_name(ROLE_HEALTH), &pp->lag_check);
    if (rc == 0)
        rc = prober_add(p, &pp->task, process_start, local < PROBE_SAMPLE_MS ? local : PROBE_SAMPLE_MS, true);
    return rc;
}

void process_close(struct prober *p) { free(p->process); }
