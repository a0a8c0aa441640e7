/* Do all workers answer, on every address? One round asks each UDP address from fresh ports until every worker of the
 * present boot was seen there, or the tries are used up: SO_REUSEPORT picks the worker by a hash of addresses and
 * ports, so with N workers one of 16 N tries meets a given one all but surely (missed once in 10^5 rounds at N = 64).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health/probe/impl.h"
#include "resolver/base/clock.h"

enum {
    TRIES_PER_WORKER = 16,
    WIDTH_PER_WORKER = 4,
    WIDTH_MIN = 8,
    WIDTH_MAX = 24,
    SILENT_LEAST = 2, /* though every worker answers: somebody else takes a share, or answers are lost. One of ... */
    SILENT_WARN_PERCENT = 10 /* ... many may be the network's */
};

struct round_target {
    struct round *round;
    struct ask_plan plan;
    unsigned tried, running, answered, silent, strange, own_fault;
    uint64_t seen; /* bit per worker */
    struct evidence good, bad;
    bool has_good, has_bad;
};

struct round {
    struct task task;
    struct prober *p;
    unsigned workers;
    int64_t began_ms, give_up_ms;
    unsigned running;
    struct round_target at[PROBE_TARGETS_MAX];
    size_t worker_check[LIMIT_WORKERS];
    unsigned worker_checks;
};

static uint64_t all_workers(unsigned n) { return n >= 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1; }

static void target_go_on(struct round_target *t);
static void round_end(struct round *r);

static void keep_bad(struct round_target *t, const struct ask_result *r, const char *came) {
    ask_evidence(&t->bad, &t->plan, r);
    text_copy(t->bad.came, sizeof(t->bad.came), came);
    t->has_bad = true;
}

static bool keep_answer(struct round_target *t, const struct ask_result *r) {
    struct prober *p = t->round->p;
    struct err err = {0};
    unsigned worker;
    char problem[128], both[EVIDENCE_CAME_MAX];
    bool right = r->answer.rcode == RCODE_NOERROR && r->answer.answers > 0;
    if (!right)
        ask_problem(problem, sizeof(problem), r);
    /* Who it is comes first: what a stranger answers is no worker's doing. */
    if (nsid_judge(r->answer.nsid, p->conf->node.name, p->board, t->round->workers, &worker, &err) != 0) {
        snprintf(both, sizeof(both), "%.160s%s%.64s", err.text, right ? "" : ", with ", right ? "" : problem);
        keep_bad(t, r, both);
        return false;
    }
    if (!right) {
        keep_bad(t, r, problem);
        return false;
    }
    t->seen |= UINT64_C(1) << worker;
    if (r->took_us > p->worker_slowest_us[worker])
        p->worker_slowest_us[worker] = r->took_us;
    p->tally.worker_answer_wall_ms[worker] = clock_wall_ms();
    ask_evidence(&t->good, &t->plan, r);
    t->has_good = true;
    return true;
}

static void target_answer(void *ctx, const struct ask_result *r) {
    struct round_target *t = ctx;
    struct round *round = t->round;
    char problem[128];
    bool good = false;
    t->running--;
    round->running--;
    if (r->code == E_AGAIN) {
        t->own_fault++;
    } else if (r->code != 0) {
        t->silent++;
        ask_problem(problem, sizeof(problem), r);
        if (t->strange == 0)
            keep_bad(t, r, problem);
    } else {
        t->answered++;
        good = keep_answer(t, r);
        t->strange += !good;
    }
    ask_tally(round->p, TALLY_WORKER, &t->plan, r, good);
    target_go_on(t);
    if (round->running == 0)
        round_end(round);
}

static bool target_wants_more(const struct round_target *t) {
    const struct round *r = t->round;
    return t->seen != all_workers(r->workers) && t->strange == 0 && t->tried < TRIES_PER_WORKER * r->workers &&
           clock_mono_ms() < r->give_up_ms;
}

static void target_try(struct round_target *t) {
    t->tried++;
    if (ask_start(t->round->p, &t->plan, target_answer, t) != 0) {
        t->own_fault++;
        return;
    }
    t->running++;
    t->round->running++;
}

static void target_go_on(struct round_target *t) {
    if (target_wants_more(t))
        target_try(t);
}

/* The verdict on one address; what came in words. */
static enum verdict_state target_state(const struct round_target *t, char *came, size_t size) {
    const struct round *r = t->round;
    uint64_t missing = all_workers(r->workers) & ~t->seen;
    if (t->strange > 0) {
        snprintf(came, size, "%u of %u tries: %.180s", t->strange, t->tried, t->bad.came);
        return VERDICT_FAIL;
    }
    if (t->answered == 0) {
        snprintf(came, size, "%u tries from fresh ports: %.120s", t->tried,
                 t->has_bad ? t->bad.came : "no socket to ask from");
        return VERDICT_FAIL;
    }
    if (missing != 0) {
        snprintf(came, size, "%d of %u workers answer (first missing: worker %d), %u of %u tries unanswered",
                 __builtin_popcountll(t->seen), r->workers, __builtin_ctzll(missing), t->silent, t->tried);
        return VERDICT_FAIL;
    }
    bool silent = t->silent >= SILENT_LEAST && t->silent * 100 >= t->tried * SILENT_WARN_PERCENT;
    snprintf(came, size, "all %u workers answer, %u of %u tries unanswered%s", r->workers, t->silent, t->tried,
             silent ? ": questions are lost, or somebody else on this port takes them (listen:holders)" : "");
    return silent ? VERDICT_WARN : VERDICT_PASS;
}

static bool judge_target(struct round *r, size_t i) {
    struct round_target *t = &r->at[i];
    char came[EVIDENCE_CAME_MAX];
    enum verdict_state s = target_state(t, came, sizeof(came));
    struct evidence e = s == VERDICT_PASS || !t->has_bad ? t->good : t->bad;
    if (s != VERDICT_PASS && t->own_fault > 0)
        return true; /* nothing learnt: once more */
    if (!t->has_good && !t->has_bad)
        e = (struct evidence){.wall_ms = clock_wall_ms()};
    s = target_settle(r->p, i, r->p->targets[i].udp_check, s, came, sizeof(came));
    text_copy(e.came, sizeof(e.came), came);
    e.value = t->tried > 0 ? (double)t->answered / t->tried : 0;
    e.unit = "ratio";
    return prober_result(r->p, r->p->targets[i].udp_check, s, &e);
}

/* A worker is bad when it was missed where others answered, or when nobody answered anywhere: a broken address is the
 * address's fault and not that of each worker. */
static bool judge_worker(struct round *r, unsigned w) {
    struct evidence e = {.wall_ms = clock_wall_ms()};
    bool seen = false, missed = false, own_fault = false;
    for (size_t i = 0; i < r->p->target_count; i++) {
        const struct round_target *t = &r->at[i];
        bool here = t->seen >> w & 1;
        own_fault |= t->own_fault > 0;
        if (here && !missed)
            e = t->good;
        if (!here && t->answered > 0 && t->strange == 0) {
            e = t->has_bad ? t->bad : t->good;
            missed = true;
        }
        if (!here && !seen && !missed && t->has_bad)
            e = t->bad;
        seen |= here;
    }
    if (missed || !seen) {
        if (own_fault)
            return true;
        if (missed && !seen)
            r->p->worker_silent |= UINT64_C(1) << w;
        snprintf(e.came, sizeof(e.came), "worker %u gave no answer%s", w, missed ? " where others did" : "");
        return prober_result(r->p, r->worker_check[w], VERDICT_FAIL, &e);
    }
    snprintf(e.came, sizeof(e.came), "worker %u answered", w);
    return prober_result(r->p, r->worker_check[w], VERDICT_PASS, &e);
}

static void round_end(struct round *r) {
    bool hurry = false;
    r->p->worker_silent = 0;
    for (size_t i = 0; i < r->p->target_count; i++)
        hurry |= judge_target(r, i);
    for (unsigned w = 0; w < r->worker_checks; w++)
        hurry |= judge_worker(r, w);
    task_done(&r->task, hurry ? 0 : -1);
}

static void round_start(struct task *task) {
    struct round *r = CONTAINER_OF(task, struct round, task);
    unsigned workers = prober_workers(r->p), width = WIDTH_PER_WORKER * workers;
    r->workers = workers;
    width = width < WIDTH_MIN ? WIDTH_MIN : width > WIDTH_MAX ? WIDTH_MAX : width;
    r->began_ms = clock_mono_ms();
    /* A first wave that all fell silent came from enough ports: no second one. */
    r->give_up_ms = r->began_ms + r->at[0].plan.timeout_ms - PROBE_TICK_MS / 2;
    for (size_t i = 0; i < r->p->target_count; i++) {
        struct round_target *t = &r->at[i];
        *t = (struct round_target){.round = r, .plan = t->plan};
        for (unsigned k = 0; k < width; k++)
            target_try(t);
    }
    if (r->running == 0)
        task_done(task, -1);
}

static int plan_target(struct round *r, size_t i) {
    struct prober *p = r->p;
    struct target *t = &p->targets[i];
    uint32_t interval = p->conf->health.interval.local_ms;
    struct ask_plan *plan = &r->at[i].plan;
    int check = verdict_add(&p->book, SCOPE_WORKER, "listen", "udp", t->text, interval, true);
    if (check < 0)
        return check;
    t->udp_check = (size_t)check;
    *plan = (struct ask_plan){.server = t->addr,
                              .nsid = true,
                              .qtype = TYPE_TXT,
                              .qclass = CLASS_CH,
                              .tries = 1,
                              .timeout_ms = probe_timeout_ms(interval)};
    p->tally.probe[TALLY_WORKER][0][addr_family(&t->addr) == AF_INET6 ? FAMILY_V6 : FAMILY_V4].planned = true;
    return name_from_text(&plan->qname, "id.server.", NULL);
}

int worker_open(struct prober *p) {
    struct round *r = p->round = calloc(1, sizeof(*r));
    uint32_t interval = p->conf->health.interval.local_ms;
    int rc = r == NULL ? E_NOMEM : 0;
    if (rc == 0)
        r->p = p;
    for (size_t i = 0; rc == 0 && i < p->target_count; i++)
        rc = plan_target(r, i);
    unsigned workers = rc == 0 && p->target_count > 0 ? prober_workers(p) : 0;
    for (unsigned w = 0; rc == 0 && w < workers; w++) {
        char id[32];
        snprintf(id, sizeof(id), "worker %u", w);
        int check = verdict_add(&p->book, SCOPE_WORKER, "worker", "answers", id, interval, true);
        rc = check < 0 ? check : 0;
        r->worker_check[w] = (size_t)check;
        r->worker_checks++;
    }
    if (rc == 0 && p->target_count > 0)
        rc = prober_add(p, &r->task, round_start, interval, true);
    return rc;
}

void worker_close(struct prober *p) { free(p->round); }
