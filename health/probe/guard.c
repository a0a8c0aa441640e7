/* Remote blocklists asked through this node (resolver.guard): their test points, and whether they refuse us. */
#include <stdio.h>
#include <stdlib.h>

#include "health/probe/zone.h"
#include "resolver/base/clock.h"

enum { GUARD_TRIES = 2 };

struct guard_probe {
    struct task task;
    struct prober *p;
    const struct conf_guard *conf;
    size_t check[POINTS];
    struct name apex;
    struct ask_plan plan;
    int point;
    bool hurry;
};

static void guard_ask(struct guard_probe *g);

static void guard_answer(void *ctx, const struct ask_result *r) {
    struct guard_probe *g = ctx;
    enum verdict_state s = VERDICT_FAIL;
    struct evidence e;
    ask_evidence(&e, &g->plan, r);
    if (r->code != 0)
        ask_problem(e.came, sizeof(e.came), r);
    else if (r->answer.stale)
        text_copy(e.came, sizeof(e.came), "a stale answer: the list itself gives none");
    else
        s = point_judge(g->point, &r->answer, &g->conf->refuse, e.came, sizeof(e.came));
    ask_tally(g->p, TALLY_POINT, &g->plan, r, s == VERDICT_PASS);
    g->hurry |= r->code == E_AGAIN || prober_result(g->p, g->check[g->point], s, &e);
    g->point++;
    guard_ask(g);
}

static void guard_ask(struct guard_probe *g) {
    bool more = g->point < POINTS && point_name(&g->plan.qname, g->conf->test, g->point, &g->apex) == 0;
    if (!more || ask_start(g->p, &g->plan, guard_answer, g) != 0)
        task_done(&g->task, g->hurry ? (int64_t)probe_hurry_ms(g->task.interval_ms) : -1);
}

static void guard_start(struct task *task) {
    struct guard_probe *g = CONTAINER_OF(task, struct guard_probe, task);
    g->point = 0;
    g->hurry = false;
    guard_ask(g);
}

static int plan_guard(struct prober *p, struct guard_probe *g, const struct conf_guard *conf) {
    uint32_t interval = p->conf->health.interval.upstream_ms, timeout = probe_timeout_ms(interval);
    static const char *const names[POINTS] = {"point_listed", "point_unlisted"};
    if (conf->test <= TEST_NONE)
        return verdict_add_off(&p->book, SCOPE_ZONES, "guard", "point", conf->zone,
                               "no test point configured: whether the list still answers us is not known",
                               clock_wall_ms());
    for (int i = 0; i < POINTS; i++) {
        int check = verdict_add(&p->book, SCOPE_ZONES, "guard", names[i], conf->zone, interval, false);
        if (check < 0)
            return check;
        g->check[i] = (size_t)check;
    }
    g->p = p;
    g->conf = conf;
    g->plan = (struct ask_plan){.server = p->targets[0].addr,
                                .rd = true,
                                .nsid = true,
                                .far = true,
                                .qtype = TYPE_A,
                                .qclass = CLASS_IN,
                                .tries = GUARD_TRIES,
                                .hedge_ms = timeout,
                                .timeout_ms = timeout};
    p->tally.probe[TALLY_POINT][0][addr_family(&g->plan.server) == AF_INET6 ? FAMILY_V6 : FAMILY_V4].planned = true;
    int rc = name_from_text(&g->apex, conf->zone, NULL);
    return rc < 0 ? rc : prober_add(p, &g->task, guard_start, interval, false);
}

int guard_open(struct prober *p) {
    size_t count = p->target_count > 0 ? p->conf->resolver.guard_count : 0;
    p->guards = calloc(count > 0 ? count : 1, sizeof(*p->guards));
    int rc = p->guards == NULL ? E_NOMEM : 0;
    for (size_t i = 0; rc >= 0 && i < count; i++)
        rc = plan_guard(p, &p->guards[i], &p->conf->resolver.guard[i]);
    return rc < 0 ? rc : 0;
}

void guard_close(struct prober *p) { free(p->guards); }
