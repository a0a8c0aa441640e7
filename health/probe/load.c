/* Workers' loops and sockets, between two looks at their counters on the board: late, or losing what comes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health/probe/impl.h"
#include "health/probe/machine.h"
#include "resolver/base/clock.h"

enum { DROPS_LOOKS = 8, DROPS_INTERVALS = 3 /* a burst stays in sight until it was judged twice */ };

struct drops_look {
    int64_t ms; /* 0: none */
    uint64_t drops, queries;
};

struct load_worker {
    size_t lag_check, drops_check;
    uint64_t boot, ticks[BOARD_LATENCY_BUCKETS], busy_ns, idle_ns;
    int64_t looked_ms; /* 0: never */
    struct drops_look drops[DROPS_LOOKS];
    unsigned next;
};

struct load_probe {
    unsigned workers;
    int64_t lateness_ms;
    struct load_worker at[LIMIT_WORKERS];
};

static uint64_t more(const board_word *word, uint64_t *seen) {
    uint64_t now = board_get(word), delta = now >= *seen ? now - *seen : 0;
    *seen = now;
    return delta;
}

static struct evidence asked(const char *format, unsigned worker) {
    struct evidence e = {.wall_ms = clock_wall_ms()};
    snprintf(e.asked, sizeof(e.asked), "%s of worker %u, on the board", format, worker);
    return e;
}

/* A worker that was replaced meanwhile begins anew. */
static bool lag_look(struct prober *p, unsigned w, double own_late, bool *late) {
    struct load_worker *at = &p->load->at[w];
    const struct board_worker *b = &p->board->worker[w];
    const struct sys_one *one = sys_sample_worker(p->sample, w);
    int64_t now = clock_mono_ms();
    bool known = at->looked_ms > 0 && at->boot == board_get(&b->boot);
    struct lag_look l = {.elapsed_ms = known ? now - at->looked_ms : 0, .own_late = own_late, .cpu = -1};
    for (int i = 0; i < BOARD_LATENCY_BUCKETS; i++)
        l.ticks[i] = more(&b->loop_lag[i], &at->ticks[i]);
    uint64_t busy = more(&b->loop_busy_ns, &at->busy_ns), idle = more(&b->loop_idle_ns, &at->idle_ns);
    l.busy = busy + idle > 0 ? (double)busy / (double)(busy + idle) : 0;
    l.slowest_us = p->worker_slowest_us[w];
    p->worker_slowest_us[w] = 0;
    at->looked_ms = now;
    at->boot = board_get(&b->boot);
    if (!known)
        memset(l.ticks, 0, sizeof(l.ticks));
    if (one != NULL && one->has_rates)
        l.cpu = one->cpu;
    struct evidence e = asked("lag of the loop's ticks", w);
    enum verdict_state s = lag_judge(&l, &e);
    *late |= lag_late_share(&l) * 100 >= LATE_WARN_PERCENT;
    return prober_result(p, at->lag_check, s, &e);
}

static uint64_t queries_of(const struct board_worker *b) {
    uint64_t n = 0;
    for (int f = 0; f < FAMILY_COUNT; f++)
        n += board_get(&b->queries[PROTO_UDP][f]);
    return n;
}

static bool drops_look(struct prober *p, unsigned w) {
    struct load_worker *at = &p->load->at[w];
    const struct board_worker *b = &p->board->worker[w];
    struct drops_look now = {clock_mono_ms(), board_get(&b->socket_drops), queries_of(b)}, then = now;
    int64_t from = now.ms - DROPS_INTERVALS * (int64_t)p->conf->health.interval.local_ms;
    for (unsigned i = 0; i < DROPS_LOOKS; i++)
        if (at->drops[i].ms >= from && at->drops[i].ms > 0 && at->drops[i].ms < then.ms &&
            at->drops[i].drops <= now.drops && at->drops[i].queries <= now.queries)
            then = at->drops[i];
    at->drops[at->next++ % DROPS_LOOKS] = now;
    struct evidence e = asked("drops and receive queue of the sockets", w);
    enum verdict_state s = drops_judge(now.drops - then.drops, now.queries - then.queries,
                                       board_get(&b->receive_queue_bytes), (double)(now.ms - then.ms) / 1000, &e);
    return prober_result(p, at->drops_check, s, &e);
}

bool load_look(struct prober *p, bool *late) {
    struct load_probe *l = p->load;
    int64_t lateness = prober_lateness(p), now = clock_mono_ms(), then = l->at[0].looked_ms;
    double own_late = then > 0 && now > then ? (double)(lateness - l->lateness_ms) / (double)(now - then) : 0;
    bool hurry = false;
    l->lateness_ms = lateness;
    for (unsigned w = 0; w < l->workers; w++) {
        hurry |= lag_look(p, w, own_late, late);
        hurry |= drops_look(p, w);
    }
    return hurry;
}

int load_open(struct prober *p) {
    struct load_probe *l = p->load = calloc(1, sizeof(*l));
    int rc = l == NULL ? E_NOMEM : 0;
    if (rc == 0)
        l->workers = prober_workers(p);
    for (unsigned w = 0; rc == 0 && w < l->workers; w++) {
        char id[32];
        snprintf(id, sizeof(id), "worker %u", w);
        rc = machine_add_check(p, SCOPE_WORKER, "worker", "lag", id, &l->at[w].lag_check);
        if (rc == 0)
            rc = machine_add_check(p, SCOPE_WORKER, "worker", "drops", id, &l->at[w].drops_check);
    }
    return rc;
}

void load_close(struct prober *p) { free(p->load); }
