#include "health/probe/large.h"

#include <stdio.h>
#include <stdlib.h>

#include "health/probe/impl.h"
#include "resolver/base/clock.h"

enum { LARGE_TRIES = 2 };

static const struct {
    uint16_t size, edns;
    bool tcp;
    const char *words;
} steps[LARGE_STEPS] = {{512, 512, false, "512 octets over UDP"},
                        {1232, 1232, false, "1232 octets over UDP"},
                        {4096, 4096, false, "4096 octets over UDP"},
                        {4096, 512, false, "the TC bit where 512 octets are all that may come"},
                        {4096, 4096, true, "4096 octets over TCP"}};

static size_t append(char *to, size_t size, size_t at, const char *words) {
    return at < size ? at + text_copy(to + at, size - at, words) : at;
}

/* "512 octets over UDP, 1232 octets over UDP" */
static size_t list(const enum large_came step[LARGE_STEPS], enum large_came what, char *came, size_t size, size_t at) {
    bool any = false;
    for (int i = 0; i < LARGE_STEPS; i++) {
        if (step[i] != what)
            continue;
        at = append(came, size, at, any ? ", " : "");
        at = append(came, size, at, steps[i].words);
        any = true;
    }
    return append(came, size, at, any ? "" : "nothing");
}

static unsigned count(const enum large_came step[LARGE_STEPS], enum large_came what) {
    unsigned n = 0;
    for (int i = 0; i < LARGE_STEPS; i++)
        n += step[i] == what;
    return n;
}

enum verdict_state large_judge(const enum large_came step[LARGE_STEPS], char *came, size_t size) {
    size_t at;
    if (count(step, LARGE_VOID) > 0) {
        text_copy(came, size, "not asked to the end");
        return VERDICT_UNKNOWN;
    }
    if (count(step, LARGE_RIGHT) == LARGE_STEPS) {
        text_copy(came, size, "512, 1232 and 4096 octets came over UDP, 4096 over TCP, and TC where they do not fit");
        return VERDICT_PASS;
    }
    if (count(step, LARGE_STRANGE) > 0) {
        text_copy(came, size,
                  "it does not answer in sizes that are asked for: whether large answers come is not known");
        return VERDICT_WARN;
    }
    if (count(step, LARGE_SILENT) == LARGE_STEPS) {
        text_copy(came, size, "no answer of any size, over UDP or TCP");
        return VERDICT_FAIL;
    }
    bool lost = step[LARGE_512] == LARGE_RIGHT && step[LARGE_4096] == LARGE_SILENT;
    at = list(step, LARGE_RIGHT, came, size, 0);
    at = append(came, size, at, count(step, LARGE_SILENT) > 0 ? " came; no answer: " : " came; wrong: ");
    at = list(step, count(step, LARGE_SILENT) > 0 ? LARGE_SILENT : LARGE_WRONG, came, size, at);
    (void)append(came, size, at, lost ? ": large datagrams or their fragments are lost on the way" : "");
    return VERDICT_FAIL;
}

static enum large_came step_judge(enum large_step at, const struct ask_result *r) {
    bool cut = r->code == 0 && (r->answer.header.flags & FLAG_TC) != 0;
    if (r->code == E_AGAIN)
        return LARGE_VOID;
    if (r->code == E_INVALID)
        return LARGE_WRONG;
    if (r->code != 0)
        return LARGE_SILENT;
    if (r->answer.rcode != RCODE_NOERROR)
        return LARGE_STRANGE;
    if (at == LARGE_CUT)
        return cut && r->answer.size <= steps[at].edns ? LARGE_RIGHT : LARGE_WRONG;
    return !cut && r->answer.size == steps[at].size ? LARGE_RIGHT : LARGE_WRONG;
}

static int large_ask(struct large_run *run);

static void large_end(struct large_run *run) {
    enum verdict_state s = large_judge(run->step, run->evidence.came, sizeof(run->evidence.came));
    snprintf(run->evidence.asked, sizeof(run->evidence.asked),
             "512, 1232 and 4096.size.server. CH TXT: answers of so many octets");
    run->done(run->ctx, s, &run->evidence);
}

static void large_answer(void *ctx, const struct ask_result *r) {
    struct large_run *run = ctx;
    enum large_came came = step_judge(run->at, r);
    run->step[run->at] = came;
    if (!run->spoiled)
        ask_evidence(&run->evidence, &run->plan, r);
    run->spoiled |= came != LARGE_RIGHT;
    ask_tally(run->p, TALLY_LARGE, &run->plan, r, came == LARGE_RIGHT);
    run->at++;
    if (came == LARGE_VOID || run->at == LARGE_STEPS || large_ask(run) != 0)
        large_end(run);
}

static int large_ask(struct large_run *run) {
    char name[32];
    snprintf(name, sizeof(name), "%u.size.server.", steps[run->at].size);
    run->plan.edns_size = steps[run->at].edns;
    run->plan.tcp = steps[run->at].tcp;
    int rc = name_from_text(&run->plan.qname, name, NULL);
    return rc < 0 ? rc : ask_start(run->p, &run->plan, large_answer, run);
}

int large_start(struct large_run *run, struct prober *p, const struct addr *server, uint32_t timeout_ms,
                large_done done, void *ctx) {
    *run = (struct large_run){.p = p, .done = done, .ctx = ctx};
    run->plan = (struct ask_plan){.server = *server,
                                  .nsid = true,
                                  .far = true,
                                  .qtype = TYPE_TXT,
                                  .qclass = CLASS_CH,
                                  .tries = LARGE_TRIES,
                                  .hedge_ms = timeout_ms / 2,
                                  .timeout_ms = timeout_ms};
    return large_ask(run);
}

/* --- this node's own addresses */

struct large_probe {
    struct task task;
    struct prober *p;
    size_t target, check;
    struct large_run run;
};

static void own_done(void *ctx, enum verdict_state s, const struct evidence *e) {
    struct large_probe *l = ctx;
    bool undecided = true; /* after a void round nothing is known: once more */
    if (s != VERDICT_UNKNOWN)
        undecided = prober_result(l->p, l->check, s, e);
    task_done(&l->task, undecided ? (int64_t)probe_hurry_ms(l->task.interval_ms) : -1);
}

static void own_start(struct task *task) {
    struct large_probe *l = CONTAINER_OF(task, struct large_probe, task);
    uint32_t timeout = probe_timeout_ms(l->p->conf->health.interval.local_ms);
    if (large_start(&l->run, l->p, &l->p->targets[l->target].addr, timeout, own_done, l) != 0)
        task_done(task, -1);
}

int large_open(struct prober *p) {
    p->large = calloc(p->target_count > 0 ? p->target_count : 1, sizeof(*p->large));
    int rc = p->large == NULL ? E_NOMEM : 0;
    for (size_t i = 0; rc == 0 && i < p->target_count; i++) {
        struct large_probe *l = &p->large[i];
        const struct target *t = &p->targets[i];
        uint32_t interval = p->conf->health.interval.zones_ms;
        int family = addr_family(&t->addr) == AF_INET6 ? FAMILY_V6 : FAMILY_V4;
        int check = verdict_add(&p->book, SCOPE_RESOLUTION, "listen", "large", t->text, interval, false);
        if (check < 0)
            return check;
        l->p = p;
        l->target = i;
        l->check = (size_t)check;
        for (int tcp = 0; tcp <= 1; tcp++)
            p->tally.probe[TALLY_LARGE][tcp][family].planned = true;
        rc = prober_add(p, &l->task, own_start, interval, false);
    }
    return rc;
}

void large_close(struct prober *p) { free(p->large); }
