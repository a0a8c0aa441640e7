/* Descriptors, tracked connections and memory: one look at /proc each local interval, shared with the pages. Looks at
 * workers' loops and at starts go along with it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "health/probe/impl.h"
#include "health/probe/machine.h"
#include "resolver/base/clock.h"

struct machine_probe {
    struct task task;
    struct prober *p;
    size_t fds_check[SYS_ONES_MAX], checks, conntrack_check, pressure_check;
    bool has_conntrack;
    uint64_t fd_errors[SYS_ONES_MAX]; /* as last seen */
};

static struct evidence asked(const char *what) {
    struct evidence e = {.wall_ms = clock_wall_ms()};
    text_copy(e.asked, sizeof(e.asked), what);
    return e;
}

static uint64_t fd_errors_of(const struct board *b, size_t i) {
    return board_get(i < ROLE_COUNT ? &b->process[i].fd_errors : &b->worker[i - ROLE_COUNT].fd_errors);
}

/* This process tries for itself, too: NULL, or why it could have no socket. */
static const char *own_socket(void) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return strerror(errno);
    (void)close(fd);
    return NULL;
}

static bool fds_look(struct machine_probe *m, size_t i, bool first) {
    struct prober *p = m->p;
    const struct sys_one *one = &p->sample->at[i];
    uint64_t errors = fd_errors_of(p->board, i),
             more = first || errors < m->fd_errors[i] ? 0 : errors - m->fd_errors[i];
    struct evidence e = asked("");
    enum verdict_state s = VERDICT_PASS;
    snprintf(e.asked, sizeof(e.asked), "/proc/%llu/fd and limits, the counter on the board%s",
             (unsigned long long)one->pid, i == ROLE_HEALTH ? ", and a socket of its own" : "");
    m->fd_errors[i] = errors;
    if (i == ROLE_SUPERVISOR && board_get(&p->board->process[i].boot) == 0)
        text_copy(e.came, sizeof(e.came), "there is no supervisor");
    else if (one->now.state == '\0')
        return false; /* gone: its heartbeat says so */
    else
        s = fds_judge(&one->now, more, &e);
    const char *why = i == ROLE_HEALTH ? own_socket() : NULL;
    if (why != NULL) {
        s = VERDICT_FAIL;
        snprintf(e.came, sizeof(e.came), "a socket of its own: %s (%llu of %llu descriptors)", why,
                 (unsigned long long)one->now.fds, (unsigned long long)one->now.fds_max);
    }
    return prober_result(p, m->fds_check[i], s, &e);
}

/* Where nothing is tracked there is no such check; it may begin while this runs. */
static bool conntrack_look(struct machine_probe *m) {
    const struct sys_sample *s = m->p->sample;
    struct evidence e = asked("/proc/sys/net/netfilter/nf_conntrack_count and _max");
    if (s->conntrack_max == 0 && !m->has_conntrack)
        return false;
    if (!m->has_conntrack) {
        int at = verdict_add(&m->p->book, SCOPE_PROCESS, "machine", "conntrack", "", m->task.interval_ms, false);
        if (at < 0)
            return false;
        m->conntrack_check = (size_t)at;
        m->has_conntrack = true;
    }
    if (s->conntrack_max == 0) {
        text_copy(e.came, sizeof(e.came), "nothing is tracked any more");
        return prober_result(m->p, m->conntrack_check, VERDICT_PASS, &e);
    }
    enum verdict_state state = conntrack_judge(s->conntrack, s->conntrack_max, &e);
    return prober_result(m->p, m->conntrack_check, state, &e);
}

static bool pressure_look(struct machine_probe *m, bool late) {
    const struct sys_sample *s = m->p->sample;
    struct pressure_look l = {.known = s->has_pressure[SYS_MEMORY],
                              .some = s->stall[SYS_MEMORY][SYS_SOME],
                              .full = s->stall[SYS_MEMORY][SYS_FULL],
                              .faults_of = "",
                              .late = late};
    double most = 0;
    for (size_t i = 0; i < s->count; i++) {
        l.faults_per_s += s->at[i].major_per_s;
        if (s->at[i].major_per_s > most) {
            most = s->at[i].major_per_s;
            l.faults_of = s->at[i].name;
        }
    }
    struct evidence e = asked("/proc/pressure/memory, major faults in /proc/PID/stat, lag of the workers' loops");
    enum verdict_state state = pressure_judge(&l, &e);
    return prober_result(m->p, m->pressure_check, state, &e);
}

static void machine_start(struct task *task) {
    struct machine_probe *m = CONTAINER_OF(task, struct machine_probe, task);
    struct prober *p = m->p;
    bool first = p->sample->mono_ms == 0, late = false, hurry = false;
    sys_sample_take(p->sample, p->board, clock_mono_ms());
    for (size_t i = 0; i < m->checks; i++)
        hurry |= fds_look(m, i, first);
    hurry |= conntrack_look(m);
    hurry |= load_look(p, &late);
    hurry |= pressure_look(m, late);
    hurry |= starts_look(p);
    task_done(task, hurry ? (int64_t)task->interval_ms / 2 : -1);
}

int machine_add_check(struct prober *p, enum verdict_scope scope, const char *component, const char *measurement,
                      const char *id, size_t *at) {
    int check = verdict_add(&p->book, scope, component, measurement, id, p->conf->health.interval.local_ms, false);
    if (check >= 0)
        *at = (size_t)check;
    return check < 0 ? check : 0;
}

int machine_open(struct prober *p) {
    struct machine_probe *m = p->machine = calloc(1, sizeof(*m));
    p->sample = calloc(1, sizeof(*p->sample));
    if (m == NULL || p->sample == NULL)
        return E_NOMEM;
    m->p = p;
    m->checks = ROLE_COUNT + prober_workers(p);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < m->checks; i++) {
        char id[SYS_NAME_MAX];
        if (i < ROLE_COUNT)
            text_copy(id, sizeof(id), sys_role_name((enum board_role)i));
        else
            snprintf(id, sizeof(id), "worker %zu", i - ROLE_COUNT);
        rc = machine_add_check(p, SCOPE_PROCESS, "process", "fds", id, &m->fds_check[i]);
    }
    if (rc == 0)
        rc = machine_add_check(p, SCOPE_PROCESS, "process", "pressure", "", &m->pressure_check);
    if (rc == 0 && (rc = load_open(p)) == 0)
        rc = starts_open(p);
    return rc < 0 ? rc : prober_add(p, &m->task, machine_start, p->conf->health.interval.local_ms, false);
}

void machine_close(struct prober *p) {
    load_close(p);
    starts_close(p);
    free(p->sample);
    free(p->machine);
}

const struct sys_sample *prober_sample(const struct prober *p) { return p->sample; }
