#include "health/command/supervise.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "health/command/child.h"
#include "health/command/notify.h"
#include "health/command/traffic.h"
#include "health/drain/hooks.h"
#include "health/system/process.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"
#include "resolver/base/process.h"

enum { CHILDREN = 3, REAP_MAX = 256, TICK_READY_MS = 50, STARTS_FAIL_MS = 1000 };

struct child {
    enum board_role role;
    const char *name;
    char path[4096];
    pid_t pid; /* 0: down */
    int64_t started_ms;
    int64_t start_at_ms; /* when down */
    int64_t kill_at_ms;  /* when stopping: SIGTERM was sent; 0: not yet */
    bool hung;           /* was ended because it hung */
    bool hung_told;      /* said so, not ended: healing is switched off */
    bool again;          /* it asked to be started anew: that start is not counted */
    bool killed;         /* when stopping: SIGKILL was sent, too */
    struct policy_record record;
};

struct supervisor {
    const struct supervise_plan *plan;
    struct child child[CHILDREN]; /* in order of start */
    int64_t tick_ms;              /* when the next heartbeat is due */
    int64_t fair_ms;              /* before this nobody is judged by heartbeats: we were late ourselves */
    bool ready, stopping;
    struct notify notify;
    struct traffic traffic; /* where SIGUSR2 last began to count */
};

/* What candor-sync and candor-resolver show is there before candor-health looks; stopped the other way round, so that
 * health never reports a stop as a fault, and a resolver never outlives who feeds it for long. */
static const struct {
    enum board_role role;
    const char *name;
} daemons[CHILDREN] = {{ROLE_SYNC, "candor-sync"}, {ROLE_RESOLVER, "candor-resolver"}, {ROLE_HEALTH, "candor-health"}};

static struct board_process *slot(const struct supervisor *s, const struct child *c) {
    return &s->plan->board->process[c->role];
}

const char *supervise_hung(const struct board_process *p, int64_t started_ms, int64_t now_ms) {
    uint64_t boot = board_get(&p->boot);
    if (boot == 0)
        return now_ms - started_ms > SUPERVISE_CLAIM_MS ? "it never showed itself on the board" : NULL;
    if (board_get(&p->heal_boot) == boot)
        return "candor-health judged it hung";
    int64_t since_ms = (int64_t)board_get(&p->heartbeat_ms);
    if (since_ms < started_ms)
        since_ms = started_ms;
    return now_ms - since_ms > SUPERVISE_HANG_MS ? "its heartbeat stood still" : NULL;
}

/* The slot is the process's own; while there is none it is ours, so that it says no more than is true. */
static void clear_slot(struct board_process *p) {
    board_set(&p->ready, 0);
    board_set(&p->boot, 0);
    board_set(&p->pid, 0);
    board_set(&p->heartbeat_ms, 0);
}

static void note_start(struct board_process *p) {
    board_set(&p->start_wall_s[board_get(&p->starts) % BOARD_STARTS], (uint64_t)clock_wall_s());
    board_add(&p->starts, 1);
}

static void start(struct supervisor *s, struct child *c, int64_t now_ms) {
    struct err err = {0};
    clear_slot(slot(s, c));
    pid_t pid = child_start(c->path, c->name, s->plan->config, s->plan->lock_fd, &err);
    if (pid < 0) {
        LOG(LEVEL_ERROR, "cannot start", KS("process", c->name), KS("why", err.text));
        c->start_at_ms = now_ms + STARTS_FAIL_MS;
        return;
    }
    c->pid = pid;
    c->started_ms = now_ms;
    c->hung = c->hung_told = false;
    if (!c->again)
        note_start(slot(s, c));
    c->again = false;
    LOG(LEVEL_INFO, "started", KS("process", c->name), KI("child", pid));
}

static void tell_end(const struct child *c, const siginfo_t *info, int64_t lived_ms, int64_t delay_ms, bool stopping) {
    const char *how = info->si_code == CLD_EXITED ? "code" : "signal";
    if (stopping)
        LOG(LEVEL_INFO, "stopped", KS("process", c->name), KI("child", c->pid), KI(how, info->si_status));
    else if (c->again)
        LOG(LEVEL_INFO, "wants to be started anew", KS("process", c->name), KI("child", c->pid));
    else if (c->hung && delay_ms > 0)
        LOG(LEVEL_ERROR, "hung again and again: left down, the ration of restarts is used up", KS("process", c->name),
            KI("child", c->pid), KI("next_try_ms", delay_ms));
    else
        LOG(LEVEL_ERROR, c->hung ? "ended because it hung" : "died", KS("process", c->name), KI("child", c->pid),
            KI(how, info->si_status), KI("lived_ms", lived_ms), KI("restart_in_ms", delay_ms));
}

/* Without candor-health nobody vouches for the node. One that comes back at once withdraws the routes itself, first of
 * all; while it stays away a child of ours does it. */
static void withdraw(const struct supervisor *s, const struct child *c, int64_t delay_ms) {
    const struct conf_health *h = s->plan->health;
    if (c->role != ROLE_HEALTH || delay_ms == 0 || s->stopping || h == NULL ||
        (h->drain.route_file[0] == '\0' && h->drain.command[0] == '\0'))
        return;
    LOG(LEVEL_WARN, "candor-health stays away for now: clients are sent elsewhere", KI("for_ms", delay_ms));
    pid_t pid = fork();
    if (pid != 0)
        return; /* it is buried as any other child */
    hooks(h, false);
    _exit(0);
}

/* One of ours ended: the rest of its group goes before the successor comes (no stray worker on the sockets). */
static void ended(struct supervisor *s, struct child *c, const siginfo_t *info, int64_t now_ms) {
    int64_t lived_ms = now_ms - c->started_ms, delay_ms = 0;
    struct board_process *p = slot(s, c);
    child_signal_group(c->pid, SIGKILL);
    /* One that asks as soon as it lives is held for dying, so that it cannot ask for ever. */
    c->again = !s->stopping && !c->hung && c->role == ROLE_HEALTH && info->si_code == CLD_EXITED &&
               info->si_status == PROCESS_AGAIN && lived_ms >= SUPERVISE_AGAIN_MS;
    if (!s->stopping && !c->again) {
        delay_ms = c->hung ? policy_hung(&c->record, &s->plan->policy, now_ms) : policy_died(&c->record, lived_ms);
        board_add(c->hung ? &p->restarts_hung : &p->restarts_died, 1);
    }
    tell_end(c, info, lived_ms, delay_ms, s->stopping);
    clear_slot(p);
    withdraw(s, c, delay_ms);
    c->pid = 0;
    c->start_at_ms = now_ms + delay_ms;
}

static void reap(struct supervisor *s, int64_t now_ms) {
    for (int i = 0; i < REAP_MAX; i++) {
        siginfo_t info = {0};
        /* Looked at first and buried afterwards: until then the group's number can not be anybody else's. */
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0)
            return;
        for (int k = 0; k < CHILDREN; k++)
            if (s->child[k].pid == info.si_pid)
                ended(s, &s->child[k], &info, now_ms);
        (void)waitpid(info.si_pid, NULL, WNOHANG);
    }
}

/* Who waits for a disk would wait again after a restart; SIGKILL does not reach him anyway. */
static bool waits_for_disk(const struct child *c) {
    struct sys_process p;
    return sys_process_look((uint64_t)c->pid, &p) == 0 && p.state == 'D';
}

static void watch(struct supervisor *s, struct child *c, int64_t now_ms) {
    const char *why = supervise_hung(slot(s, c), c->started_ms, now_ms);
    if (why == NULL || c->hung || now_ms < s->fair_ms || waits_for_disk(c)) {
        c->hung_told = c->hung_told && why != NULL;
        return;
    }
    int64_t age_ms = now_ms - (int64_t)board_get(&slot(s, c)->heartbeat_ms);
    if (!s->plan->restart_hung) {
        if (!c->hung_told)
            LOG(LEVEL_ERROR, "hangs; heal.restart-hung is off, so it is left alone", KS("process", c->name),
                KS("why", why));
        c->hung_told = true;
        return;
    }
    LOG(LEVEL_ERROR, "hangs: ended", KS("process", c->name), KI("child", c->pid), KS("why", why),
        KI("heartbeat_age_ms", age_ms));
    c->hung = true;
    child_signal_group(c->pid, SIGKILL); /* what hangs, or is stopped, hears nothing less */
}

/* One at a time, health first. True when all are gone. */
static bool stop_next(struct supervisor *s, int64_t now_ms) {
    for (int k = CHILDREN - 1; k >= 0; k--) {
        struct child *c = &s->child[k];
        if (c->pid == 0)
            continue;
        if (c->kill_at_ms == 0) {
            c->kill_at_ms = now_ms + SUPERVISE_STOP_MS;
            (void)kill(c->pid, SIGTERM);
        } else if (now_ms >= c->kill_at_ms && !c->killed) {
            LOG(LEVEL_WARN, "did not stop in time: ended", KS("process", c->name), KI("child", c->pid));
            c->killed = true;
            child_signal_group(c->pid, SIGKILL);
        }
        return false;
    }
    return true;
}

static void on_signal(struct supervisor *s, int signum) {
    if (signum == SIGHUP) {
        notify_reloading(clock_mono_ms());
        for (int k = 0; k < CHILDREN; k++)
            if (s->child[k].role == ROLE_SYNC && s->child[k].pid > 0)
                (void)kill(s->child[k].pid, SIGHUP);
    } else if (signum == SIGUSR1 || signum == SIGUSR2) {
        traffic_log(&s->traffic, s->plan->board, signum == SIGUSR2);
    } else if (signum == SIGTERM || signum == SIGINT) {
        LOG(LEVEL_INFO, s->stopping ? "asked again: ending everything" : "stopping", KI("signal", signum));
        for (int k = 0; s->stopping && k < CHILDREN; k++)
            child_signal_group(s->child[k].pid, SIGKILL);
        if (!s->stopping)
            notify_stopping();
        s->stopping = true;
    }
}

static void read_signals(struct supervisor *s) {
    struct signalfd_siginfo info;
    for (int i = 0; i < REAP_MAX && read(s->plan->signal_fd, &info, sizeof info) == sizeof info; i++)
        on_signal(s, (int)info.ssi_signo);
}

static void beat(struct supervisor *s, int64_t now_ms) {
    if (now_ms < s->tick_ms)
        return;
    if (now_ms - s->tick_ms > SUPERVISE_LATE_MS) {
        /* Stopped, swapped out or starved: what the heartbeats say of the others is as true of us. */
        LOG(LEVEL_WARN, "the supervisor itself was late", KI("ms", now_ms - s->tick_ms));
        s->fair_ms = now_ms + SUPERVISE_HANG_MS;
    }
    board_tick(&s->plan->board->process[ROLE_SUPERVISOR], s->tick_ms);
    s->tick_ms = now_ms + BOARD_TICK_MS;
}

static void turn(struct supervisor *s, int64_t now_ms) {
    beat(s, now_ms);
    for (int k = 0; k < CHILDREN && !s->stopping; k++) {
        struct child *c = &s->child[k];
        if (c->pid > 0)
            watch(s, c, now_ms);
        else if (now_ms >= c->start_at_ms)
            start(s, c, now_ms);
    }
    struct board_process *own = &s->plan->board->process[ROLE_SUPERVISOR];
    bool ready = board_get(&s->plan->board->process[ROLE_HEALTH].ready) == 1;
    board_set(&own->ready, ready);
    if (ready && !s->ready && !s->stopping) {
        s->ready = true;
        static const char line[] = "candor: ready\n";
        (void)!write(s->plan->ready_fd, line, sizeof line - 1);
    }
}

/* A hang that is not healed now because the configuration says so: no reason for systemd to do it instead. */
static bool is_lenient(const struct supervisor *s) {
    bool lenient = !s->plan->restart_hung;
    for (int k = 0; k < CHILDREN; k++)
        lenient |= s->child[k].record.rationed || s->child[k].hung;
    return lenient;
}

/* Until the next thing that is due. */
static int pause_ms(const struct supervisor *s, int64_t now_ms) {
    int64_t until_ms = s->ready ? s->tick_ms : now_ms + TICK_READY_MS;
    if (s->tick_ms < until_ms)
        until_ms = s->tick_ms;
    for (int k = 0; k < CHILDREN; k++)
        if (!s->stopping && s->child[k].pid == 0 && s->child[k].start_at_ms < until_ms)
            until_ms = s->child[k].start_at_ms;
    return until_ms > now_ms ? (int)(until_ms - now_ms) : 0;
}

int supervise(const struct supervise_plan *plan, struct err *err) {
    struct supervisor s = {.plan = plan, .tick_ms = clock_mono_ms()};
    for (int k = 0; k < CHILDREN; k++) {
        struct child *c = &s.child[k];
        c->role = daemons[k].role;
        c->name = daemons[k].name;
        int rc = child_find(c->path, sizeof c->path, c->name, err);
        if (rc < 0)
            return rc;
    }
    board_claim(&plan->board->process[ROLE_SUPERVISOR]);
    note_start(&plan->board->process[ROLE_SUPERVISOR]);
    notify_open(&s.notify);
    for (;;) {
        int64_t now_ms = clock_mono_ms();
        reap(&s, now_ms);
        turn(&s, now_ms);
        if (!s.stopping)
            notify_turn(&s.notify, plan->board, is_lenient(&s), now_ms);
        if (s.stopping && stop_next(&s, now_ms))
            break;
        struct pollfd p = {.fd = plan->signal_fd, .events = POLLIN};
        if (poll(&p, 1, pause_ms(&s, now_ms)) > 0)
            read_signals(&s);
    }
    clear_slot(&plan->board->process[ROLE_SUPERVISOR]);
    return 0;
}
