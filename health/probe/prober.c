/* The plan of tasks and the clock that starts them. */
#include "health/probe/prober.h"

#include <stdlib.h>
#include <string.h>

#include "health/probe/impl.h"
#include "health/probe/secure.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"
#include "resolver/base/rand.h"

enum {
    JUDGE_CHECKS_PER_MS = 16,
    REPLICA_CHECKS = 4 * LIMIT_ZONES /* members of catalogs come later; pages that are not written take no room */
};

uint32_t probe_timeout_ms(uint32_t interval_ms) {
    uint32_t ms = interval_ms / 10 * 3;
    if (ms < PROBE_TIMEOUT_MIN_MS)
        ms = PROBE_TIMEOUT_MIN_MS;
    return ms < PROBE_TIMEOUT_MS ? ms : PROBE_TIMEOUT_MS;
}

uint32_t probe_hedge_ms(uint32_t interval_ms) { return probe_timeout_ms(interval_ms) / 10; }

uint32_t probe_hurry_ms(uint32_t interval_ms) {
    uint32_t ms = interval_ms / 8;
    return ms < PROBE_TIMEOUT_MS ? ms : PROBE_TIMEOUT_MS;
}

unsigned prober_workers(const struct prober *p) {
    uint64_t n = board_get(&p->board->worker_count);
    if (n == 0 || n > LIMIT_WORKERS)
        n = p->conf->resolver.workers;
    return n > LIMIT_WORKERS ? LIMIT_WORKERS : (unsigned)n;
}

int64_t prober_lateness(const struct prober *p) {
    int64_t now_late = clock_mono_ms() - p->tick_due_ms;
    return p->lateness_ms + (now_late > 0 ? now_late : 0);
}

bool prober_starved(const struct prober *p, int64_t since_ms, int64_t lateness_then_ms, uint32_t timeout_ms) {
    int64_t elapsed_ms = clock_mono_ms() - since_ms;
    return elapsed_ms - (prober_lateness(p) - lateness_then_ms) < (int64_t)timeout_ms / 2;
}

bool prober_late(const struct prober *p, int64_t since_ms) {
    return p->late_at_ms >= since_ms || clock_mono_ms() - p->tick_due_ms > p->late_ms;
}

bool prober_result(struct prober *p, size_t check, enum verdict_state s, const struct evidence *e) {
    struct verdict_result r = {.state = s, .mono_ms = clock_mono_ms(), .evidence = *e};
    return verdict_result(&p->book, check, &r);
}

void prober_proof(struct prober *p, size_t check, enum verdict_state s, const struct evidence *e) {
    int64_t grace_ms = p->book.grace_until_ms;
    p->book.grace_until_ms = 0; /* that a node just starts speaks against suspicions, not against proof */
    for (unsigned i = 0; i < p->book.fall || i == 0; i++)
        (void)prober_result(p, check, s, e);
    p->book.grace_until_ms = grace_ms;
}

int prober_add(struct prober *p, struct task *t, void (*start)(struct task *), uint32_t interval_ms, bool starting) {
    if (p->task_count == p->task_cap) {
        size_t cap = p->task_cap > 0 ? 2 * p->task_cap : 64;
        struct task **more = realloc(p->tasks, cap * sizeof(struct task *));
        if (more == NULL)
            return E_NOMEM;
        p->tasks = more;
        p->task_cap = cap;
    }
    /* At first all come soon, because nothing is known before; the jitter of task_done() spreads them then. */
    uint32_t spread = starting ? PROBE_TICK_MS : PROBE_START_TICK_MS;
    *t = (struct task){.p = p,
                       .start = start,
                       .interval_ms = interval_ms,
                       .starting = starting,
                       .due_ms = clock_mono_ms() + rand_below(spread)};
    p->tasks[p->task_count++] = t;
    return 0;
}

static bool still_starting(const struct prober *p, int64_t now) {
    return !p->was_ready && now - p->started_ms < PROBE_START_MS;
}

void task_done(struct task *t, int64_t hurry_ms) {
    int64_t now = clock_mono_ms();
    int64_t wait = (int64_t)t->interval_ms - rand_below(t->interval_ms / 10 + 1);
    if (hurry_ms >= 0 && hurry_ms < wait)
        wait = hurry_ms;
    if (t->starting && still_starting(t->p, now) && wait > PROBE_START_TICK_MS)
        wait = PROBE_START_TICK_MS;
    if (t->run != t->p->runs)
        wait = 0; /* it was under way when all were to be made anew */
    t->running = false;
    t->ended = t->run;
    t->due_ms = now + wait;
}

static void note_own_lag(struct prober *p, int64_t now) {
    int64_t late = now - p->tick_due_ms;
    p->lateness_ms += late > 0 ? late : 0;
    if (late > p->late_ms) {
        p->late_at_ms = now;
        p->tally.late++;
        LOG(LEVEL_WARN, "this process was late itself: its results of that time count against nobody", KI("ms", late));
    }
    p->tick_due_ms = now + PROBE_TICK_MS;
}

static void member_changed(void *ctx, size_t place) { zone_changed(ctx, place); }

/* Zones come and go while the node runs. */
static void follow_members(struct prober *p) {
    struct err err = {.text = ""};
    if (p->members == NULL || board_get(&p->board->members_epoch) == p->members_epoch)
        return;
    p->members_epoch = board_get(&p->board->members_epoch);
    int rc = conf_members_read(p->members, member_changed, p, &err);
    if (rc < 0 && rc != E_NOTFOUND)
        LOG(LEVEL_ERROR, "the list of members cannot be read, the last one stays", KS("why", err.text));
    conf_members_sweep(p->members, clock_mono_ms(), NULL, NULL);
}

static void start_due(struct prober *p, int64_t now) {
    for (size_t i = 0; i < p->task_count; i++) {
        struct task *t = p->tasks[i];
        if (t->running || t->due_ms > now)
            continue;
        t->running = true;
        t->run = p->runs;
        t->start(t);
    }
}

static void tick(void *ctx) {
    struct prober *p = ctx;
    int64_t now = clock_mono_ms();
    size_t cause;
    note_own_lag(p, now);
    follow_members(p);
    start_due(p, now);
    /* All checks are looked through, so with very many of them not at every tick. */
    if (now - p->judged_ms < (int64_t)p->book.count / JUDGE_CHECKS_PER_MS)
        return;
    p->judged_ms = now;
    verdict_judge(&p->book, now, clock_wall_ms());
    if (!p->was_ready && verdict_ready(&p->book, &cause))
        p->was_ready = true;
    p->judged(p->ctx);
}

static void target_add(struct prober *p, const struct addr *listen) {
    struct target t = {.addr = target_address(listen)};
    for (size_t i = 0; i < p->target_count; i++)
        if (addr_same(&p->targets[i].addr, &t.addr))
            return;
    if (p->target_count >= PROBE_TARGETS_MAX)
        return;
    addr_text(&t.addr, t.text);
    p->targets[p->target_count++] = t;
}

/* One for the root servers, one for each server of a stub zone. */
static size_t authority_checks(const struct conf *c) {
    size_t n = 1;
    for (size_t i = 0; i < c->resolver.stub_count; i++)
        n += c->resolver.stub[i].to.count;
    return n;
}

static size_t checks_wanted(const struct conf *c) {
    size_t zones = c->rbl.zone_places > c->rbl.zone_count ? c->rbl.zone_places : c->rbl.zone_count;
    size_t peer_checks = 4;
    for (size_t i = 0; i < c->health.peer_count; i++)
        peer_checks += 3 + 5 * (1 + c->health.peers[i].service.count);
    return 64 + 10 * (size_t)LIMIT_WORKERS + 8 * (size_t)PROBE_TARGETS_MAX + 4 * zones + 4 * c->resolver.guard_count +
           6 * (size_t)LIMIT_UPSTREAMS + authority_checks(c) + peer_checks + c->health.datagram_count +
           c->health.snmp.traps.count + 3 * c->health.https_count + c->health.datagram_count +
           (c->health.monitor.enabled ? 8 + 5 * c->health.monitor.node_count : 0) + alert_checks(c) + REPLICA_CHECKS;
}

static int plan(struct prober *p) {
    static int (*const parts[])(struct prober *) = {
        process_open, machine_open, pool_open,        stray_open,     worker_open,  tcp_probe_open,  dot_open,
        zone_open,    guard_open,   canary_open,      authority_open, clock_open,   loop_probe_open, large_open,
        signed_open,  stuck_open,   lived_open_probe, storage_open,   replica_open, far_open,        catalog_open,
        config_open,  report_open,  monitor_open,     alert_open,     peer_open};
    for (size_t i = 0; i < p->conf->resolver.listen_count; i++)
        if (!p->conf->resolver.listen[i].tls)
            target_add(p, &p->conf->resolver.listen[i].address);
    for (size_t i = 0; i < p->conf->health.service_addresses.count; i++)
        target_add(p, &p->conf->health.service_addresses.at[i]);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        int rc = parts[i](p);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Those that there are belong to the plan. */
static int members_open(struct prober *p, struct err *err) {
    struct err words = {.text = ""};
    int rc = conf_members_open(&p->members, p->conf, err);
    if (rc < 0)
        return rc;
    p->members_epoch = board_get(&p->board->members_epoch);
    rc = conf_members_read(p->members, NULL, NULL, &words);
    if (rc < 0 && rc != E_NOTFOUND)
        LOG(LEVEL_ERROR, "the list of members cannot be read", KS("why", words.text));
    return 0;
}

int prober_open(struct prober **out, struct loop *l, const struct conf *conf, struct board *board, prober_judged judged,
                void *ctx, struct err *err) {
    struct prober *p = calloc(1, sizeof(*p));
    *out = NULL;
    if (p == NULL)
        return err_set(err, E_NOMEM, "no memory for the prober");
    p->loop = l;
    p->conf = conf;
    p->board = board;
    p->judged = judged;
    p->ctx = ctx;
    p->started_ms = clock_mono_ms();
    p->tick_due_ms = p->started_ms + PROBE_TICK_MS;
    p->late_at_ms = INT64_MIN;
    p->late_ms = probe_timeout_ms(conf->health.interval.local_ms);
    p->late_ms = p->late_ms < PROBE_LATE_MS ? p->late_ms : PROBE_LATE_MS;
    int rc = verdict_open(&p->book, checks_wanted(conf), conf->health.fall, conf->health.rise);
    int64_t grace_ms = 2 * (int64_t)conf->health.interval.local_ms;
    p->book.grace_until_ms = p->started_ms + (grace_ms < PROBE_GRACE_MS ? grace_ms : PROBE_GRACE_MS);
    if (rc == 0 && conf->rbl.zone_places > 0)
        rc = members_open(p, err);
    if (rc == 0)
        rc = plan(p);
    if (rc == 0 && (p->timer = loop_timer_start(l, PROBE_TICK_MS, PROBE_TICK_MS, tick, p)) == NULL)
        rc = E_NOMEM;
    if (rc < 0) {
        prober_close(p);
        return err_set(err, rc, "the plan of probes: %s", err_name(rc));
    }
    *out = p;
    return 0;
}

void prober_close(struct prober *p) {
    if (p == NULL)
        return;
    if (p->timer != NULL)
        loop_timer_cancel(p->timer);
    ask_close_all(p);
    process_close(p);
    pool_close(p);
    stray_close(p);
    machine_close(p);
    worker_close(p);
    tcp_probe_close(p);
    dot_close(p);
    secure_close(p);
    zone_close(p);
    guard_close(p);
    canary_close(p);
    authority_close(p);
    clock_close(p);
    loop_probe_close(p);
    large_close(p);
    signed_close(p);
    stuck_close(p);
    lived_close_probe(p);
    storage_close(p);
    replica_close(p);
    far_close(p);
    catalog_close(p);
    config_close(p);
    report_close(p);
    alert_close(p);
    monitor_close(p);
    peer_close(p);
    verdict_close(&p->book);
    conf_members_close(p->members);
    free(p->tasks);
    free(p);
}

const struct verdict_book *prober_book(const struct prober *p) { return &p->book; }
const struct tally_set *prober_tallies(const struct prober *p) { return &p->tally; }

void prober_run_now(struct prober *p) {
    p->runs++;
    for (size_t i = 0; i < p->task_count; i++)
        p->tasks[i]->due_ms = 0;
}

size_t prober_run_waiting(const struct prober *p) {
    size_t n = 0;
    for (size_t i = 0; i < p->task_count; i++)
        n += p->tasks[i]->ended != p->runs;
    return n;
}
