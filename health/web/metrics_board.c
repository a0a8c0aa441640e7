/* What processes and workers write on the board. */
#include <stdio.h>

#include "health/web/metrics.h"

static const char *const role_names[ROLE_COUNT] = {"candor", "candor-resolver", "candor-sync", "candor-health"};

static double mono_to_wall_s(const struct metrics *m, uint64_t mono_ms) {
    if (mono_ms == 0)
        return 0;
    return (double)(m->wall_ms - (m->mono_ms - (int64_t)mono_ms)) / 1000;
}

static unsigned worker_count(const struct metrics *m) {
    uint64_t n = board_get(&m->from->board->worker_count);
    if (n == 0)
        n = m->from->conf->resolver.workers;
    return n > LIMIT_WORKERS ? LIMIT_WORKERS : (unsigned)n;
}

typedef double (*role_value)(const struct metrics *m, const struct board_process *p);

static void each_role(struct metrics *m, role_value value) {
    for (int i = 0; i < ROLE_COUNT; i++)
        metric_one(m, "process", role_names[i], value(m, &m->from->board->process[i]));
}

static double role_started(const struct metrics *m, const struct board_process *p) {
    (void)m;
    return (double)board_get(&p->started_wall_s);
}
static double role_heartbeat(const struct metrics *m, const struct board_process *p) {
    return mono_to_wall_s(m, board_get(&p->heartbeat_ms));
}
static double role_lag(const struct metrics *m, const struct board_process *p) {
    (void)m;
    return (double)board_get(&p->loop_lag_us) / 1e6;
}
static double role_lag_max(const struct metrics *m, const struct board_process *p) {
    (void)m;
    return (double)board_get(&p->loop_lag_max_us) / 1e6;
}

static void restarts(struct metrics *m, const char *key, const char *label, const board_word *died,
                     const board_word *hung) {
    const struct {
        const char *reason;
        const board_word *count;
    } reasons[] = {{"died", died}, {"hung", hung}};
    for (int i = 0; i < 2; i++) {
        metric_begin(m);
        metric_label(m, key, label);
        metric_label(m, "reason", reasons[i].reason);
        metric_value(m, (double)board_get(reasons[i].count));
    }
}

void metrics_processes(struct metrics *m) {
    metric_family(m, METRIC_GAUGE, "process_start_time_seconds", "When a process was started; 0: never.");
    each_role(m, role_started);
    metric_family(m, METRIC_GAUGE, "process_heartbeat_timestamp_seconds", "When a process's event loop last turned.");
    each_role(m, role_heartbeat);
    metric_family(m, METRIC_GAUGE, "supervisor_heartbeat_timestamp_seconds",
                  "When candor run last looked after the others; 0: they run without it.");
    metric_plain(m, role_heartbeat(m, &m->from->board->process[ROLE_SUPERVISOR]));
    metric_family(m, METRIC_GAUGE, "process_loop_lag_seconds", "How late the last tick of a process's loop came.");
    each_role(m, role_lag);
    metric_family(m, METRIC_GAUGE, "process_loop_lag_max_seconds", "The latest that a tick ever came.");
    each_role(m, role_lag_max);
    metric_family(m, METRIC_COUNTER, "process_restarts", "Times that the supervisor replaced a process.");
    for (int i = 0; i < ROLE_COUNT; i++)
        if (i != ROLE_SUPERVISOR)
            restarts(m, "process", role_names[i], &m->from->board->process[i].restarts_died,
                     &m->from->board->process[i].restarts_hung);
}

typedef void (*worker_fn)(struct metrics *m, const char *index, unsigned w, const struct board_worker *worker);

static void each_worker(struct metrics *m, worker_fn fn) {
    for (unsigned w = 0; w < worker_count(m); w++) {
        char index[16];
        snprintf(index, sizeof(index), "%u", w);
        fn(m, index, w, &m->from->board->worker[w]);
    }
}

static void worker_heartbeat(struct metrics *m, const char *i, unsigned w, const struct board_worker *b) {
    (void)w;
    metric_one(m, "worker", i, mono_to_wall_s(m, board_get(&b->heartbeat_ms)));
}
static void worker_lag(struct metrics *m, const char *i, unsigned w, const struct board_worker *b) {
    (void)w;
    metric_histogram(m, &(struct metric_pair){"worker", i}, 1, b->loop_lag, -1);
}
static void worker_idle(struct metrics *m, const char *i, unsigned w, const struct board_worker *b) {
    double idle = (double)board_get(&b->loop_idle_ns), busy = (double)board_get(&b->loop_busy_ns);
    (void)w;
    metric_one(m, "worker", i, idle + busy > 0 ? idle / (idle + busy) : 0);
}
static void worker_observed(struct metrics *m, const char *i, unsigned w, const struct board_worker *b) {
    (void)b;
    metric_one(m, "worker", i, (double)m->from->tally->worker_answer_wall_ms[w] / 1000);
}
static void worker_restarts(struct metrics *m, const char *i, unsigned w, const struct board_worker *b) {
    (void)w;
    restarts(m, "worker", i, &b->restarts_died, &b->restarts_hung);
}
static void worker_queue(struct metrics *m, const char *i, unsigned w, const struct board_worker *b) {
    (void)w;
    metric_one(m, "worker", i, (double)board_get(&b->receive_queue_bytes));
}
static void worker_drops(struct metrics *m, const char *i, unsigned w, const struct board_worker *b) {
    (void)w;
    metric_one(m, "worker", i, (double)board_get(&b->socket_drops));
}

void metrics_workers(struct metrics *m) {
    metric_family(m, METRIC_GAUGE, "workers", "Workers of the resolver.");
    metric_plain(m, worker_count(m));
    metric_family(m, METRIC_GAUGE, "worker_heartbeat_timestamp_seconds", "When a worker's event loop last turned.");
    each_worker(m, worker_heartbeat);
    metric_family(m, METRIC_HISTOGRAM, "worker_loop_lag_seconds", "How late a worker's ticks came.");
    each_worker(m, worker_lag);
    metric_family(m, METRIC_GAUGE, "worker_loop_idle_ratio", "Part of its time that a worker's loop slept.");
    each_worker(m, worker_idle);
    metric_family(m, METRIC_GAUGE, "worker_last_observed_answer_timestamp_seconds",
                  "When a probe last had an answer from a worker; 0: never.");
    each_worker(m, worker_observed);
    metric_family(m, METRIC_COUNTER, "worker_restarts", "Times that a worker was replaced.");
    each_worker(m, worker_restarts);
    metric_family(m, METRIC_GAUGE, "worker_receive_queue_bytes", "Bytes waiting in a worker's UDP sockets.");
    each_worker(m, worker_queue);
    metric_family(m, METRIC_COUNTER, "worker_socket_drops", "Datagrams that the kernel dropped for want of room.");
    each_worker(m, worker_drops);
}
