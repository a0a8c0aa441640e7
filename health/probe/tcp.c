/* Does each address answer over TCP? A connect proves nothing, the kernel accepts for a process that hangs: a real
 * question has to be answered. A second connection starts while the first still waits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health/probe/impl.h"

struct tcp_probe {
    struct task task;
    struct prober *p;
    size_t target;
    struct ask_plan plan;
};

static void tcp_done(void *ctx, const struct ask_result *r) {
    struct tcp_probe *t = ctx;
    struct prober *p = t->p;
    struct evidence e;
    struct err err = {0};
    unsigned worker;
    char problem[128];
    ask_evidence(&e, &t->plan, r);
    bool good = r->code == 0 && r->answer.rcode == RCODE_NOERROR && r->answer.answers > 0;
    if (!good)
        ask_problem(e.came, sizeof(e.came), r);
    /* Who it is comes first: what a stranger answers is no worker's doing. */
    if (r->code == 0 &&
        nsid_judge(r->answer.nsid, p->conf->node.name, p->board, prober_workers(p), &worker, &err) != 0) {
        text_copy(problem, sizeof(problem), good ? "an answer" : e.came);
        snprintf(e.came, sizeof(e.came), "%.160s, with %.64s", err.text, problem);
        good = false;
    } else if (good) {
        snprintf(e.came, sizeof(e.came), "worker %u answered over tcp", worker);
    }
    ask_tally(p, TALLY_WORKER, &t->plan, r, good);
    bool undecided = true; /* after a void answer nothing is known: once more */
    if (r->code != E_AGAIN) {
        size_t check = p->targets[t->target].tcp_check;
        enum verdict_state s = good ? VERDICT_PASS : VERDICT_FAIL;
        s = target_settle(p, t->target, check, s, e.came, sizeof(e.came));
        undecided = prober_result(p, check, s, &e);
    }
    task_done(&t->task, undecided ? 0 : -1);
}

static void tcp_start(struct task *task) {
    struct tcp_probe *t = CONTAINER_OF(task, struct tcp_probe, task);
    if (ask_start(t->p, &t->plan, tcp_done, t) != 0)
        task_done(task, -1);
}

static int plan_target(struct prober *p, struct tcp_probe *t, size_t i) {
    uint32_t interval = p->conf->health.interval.local_ms;
    struct target *target = &p->targets[i];
    int check = verdict_add(&p->book, SCOPE_WORKER, "listen", "tcp", target->text, interval, true);
    if (check < 0)
        return check;
    target->tcp_check = (size_t)check;
    t->p = p;
    t->target = i;
    t->plan = (struct ask_plan){.server = target->addr,
                                .tcp = true,
                                .nsid = true,
                                .qtype = TYPE_TXT,
                                .qclass = CLASS_CH,
                                .tries = 2,
                                .hedge_ms = probe_hedge_ms(interval),
                                .timeout_ms = probe_timeout_ms(interval)};
    p->tally.probe[TALLY_WORKER][1][addr_family(&target->addr) == AF_INET6 ? FAMILY_V6 : FAMILY_V4].planned = true;
    int rc = name_from_text(&t->plan.qname, "id.server.", NULL);
    return rc < 0 ? rc : prober_add(p, &t->task, tcp_start, interval, true);
}

int tcp_probe_open(struct prober *p) {
    p->tcp = calloc(p->target_count > 0 ? p->target_count : 1, sizeof(*p->tcp));
    int rc = p->tcp == NULL ? E_NOMEM : 0;
    for (size_t i = 0; rc == 0 && i < p->target_count; i++)
        rc = plan_target(p, &p->tcp[i], i);
    return rc;
}

void tcp_probe_close(struct prober *p) { free(p->tcp); }
