/* What the kernel says of the node's processes and of the machine, as the prober last looked at it. */
#include <unistd.h>

#include "health/system/sample.h"
#include "health/web/metrics.h"

typedef double (*one_value)(const struct sys_one *one);

static double fds(const struct sys_one *o) { return (double)o->now.fds; }
static double fds_max(const struct sys_one *o) { return (double)o->now.fds_max; }
static double resident(const struct sys_one *o) { return (double)o->now.resident_bytes; }
static double faults(const struct sys_one *o) { return (double)o->major_faults; }
static double cpu(const struct sys_one *o) { return (double)o->cpu_ticks / (double)sysconf(_SC_CLK_TCK); }
static double threads(const struct sys_one *o) { return (double)o->now.threads; }

static void each_one(struct metrics *m, enum metric_type type, const char *name, const char *help, one_value value) {
    const struct sys_sample *s = m->from->system;
    metric_family(m, type, name, help);
    for (size_t i = 0; i < s->count; i++)
        if (s->at[i].now.state != '\0')
            metric_one(m, "process", s->at[i].name, value(&s->at[i]));
}

/* Counted on the board by the programs that have a loop. */
static void put_fd_errors(struct metrics *m) {
    const struct sys_sample *s = m->from->system;
    const struct board *b = m->from->board;
    metric_family(m, METRIC_COUNTER, "fd_errors", "Times that a process could have no descriptor (EMFILE, ENFILE).");
    for (size_t i = 0; i < s->count; i++)
        metric_one(m, "process", s->at[i].name,
                   (double)board_get(i < ROLE_COUNT ? &b->process[i].fd_errors : &b->worker[i - ROLE_COUNT].fd_errors));
}

/* Of the programs that have one; while its canary waits, how long it has been waiting. */
static void put_pool(struct metrics *m) {
    static const enum board_role roles[] = {ROLE_SYNC, ROLE_HEALTH};
    metric_family(m, METRIC_GAUGE, "pool_lag_seconds", "How long a canary in a program's thread pool takes, or waits.");
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        const struct board_process *b = &m->from->board->process[roles[i]];
        int64_t asked_ms = (int64_t)board_get(&b->pool_asked_ms), waits_ms = asked_ms > 0 ? m->mono_ms - asked_ms : 0;
        double took = (double)board_get(&b->pool_lag_us) / 1e6, waits = (double)waits_ms / 1000;
        metric_one(m, "process", sys_role_name(roles[i]), took > waits ? took : waits);
    }
}

static void put_pressure(struct metrics *m) {
    const struct sys_sample *s = m->from->system;
    metric_family(m, METRIC_GAUGE, "pressure_stall_ratio",
                  "Part of the last ten seconds that tasks of this machine waited for a resource.");
    for (int r = 0; r < SYS_RESOURCES; r++) {
        for (int k = 0; k < SYS_STALLS; k++) {
            if (!s->has_pressure[r] || !s->pressure[r].known[k])
                continue;
            metric_begin(m);
            metric_label(m, "resource", sys_resource_name((enum sys_resource)r));
            metric_label(m, "kind", sys_stall_name((enum sys_stall)k));
            metric_value(m, s->pressure[r].avg10[k]);
        }
    }
}

static void put_machine(struct metrics *m) {
    const struct sys_sample *s = m->from->system;
    put_pressure(m);
    if (s->conntrack_max > 0) {
        metric_family(m, METRIC_GAUGE, "conntrack_entries", "Connections that the firewall tracks.");
        metric_plain(m, (double)s->conntrack);
        metric_family(m, METRIC_GAUGE, "conntrack_limit", "Connections that it can track.");
        metric_plain(m, (double)s->conntrack_max);
    }
}

void metrics_system(struct metrics *m) {
    if (m->from->system != NULL && m->from->system->mono_ms > 0) {
        each_one(m, METRIC_GAUGE, "open_fds", "Open descriptors of a process.", fds);
        each_one(m, METRIC_GAUGE, "max_fds", "Descriptors that a process may have open.", fds_max);
        each_one(m, METRIC_GAUGE, "resident_memory_bytes", "Memory of a process that is in RAM, shared parts included.",
                 resident);
        each_one(m, METRIC_GAUGE, "threads", "Threads of a process.", threads);
        each_one(m, METRIC_COUNTER, "major_page_faults", "Faults of a process that had to wait for the disk.", faults);
        each_one(m, METRIC_COUNTER, "process_cpu_seconds", "CPU time of a process, since it was first looked at.", cpu);
        put_fd_errors(m);
        put_pool(m);
        put_machine(m);
    }
    if (!m->from->tally->disk_known)
        return;
    metric_family(m, METRIC_GAUGE, "disk_free_bytes", "Bytes free where a folder is.");
    metric_one(m, "path", "state", (double)m->from->tally->disk_free_bytes);
    metric_one(m, "path", "run", (double)m->from->tally->run_free_bytes);
    metric_family(m, METRIC_GAUGE, "disk_free_inodes", "Files that can still be made where a folder is.");
    metric_one(m, "path", "state", (double)m->from->tally->disk_free_inodes);
    metric_one(m, "path", "run", (double)m->from->tally->run_free_inodes);
}
