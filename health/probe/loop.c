#include "health/probe/loop.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health/probe/impl.h"
#include "resolver/base/clock.h"
#include "resolver/base/own_label.h"
#include "resolver/base/rand.h"

enum { LOOP_LABEL = 16, LOOP_SHARE = 2 /* of the upstream interval: seen within it, and the answer's time */ };

struct loop_probe {
    struct task task, look;
    struct prober *p;
    size_t check;
    struct name base;
    struct ask_plan plan;
    struct own_label own;
};

void own_label_claim(struct prober *p, struct own_label *o, const struct name *qname) {
    o->slot = p->own_label_next++ % BOARD_OWN_LABELS;
    o->hash = own_label_hash(qname->wire, board_get(&p->board->node_boot));
    /* Nothing is counted for the old label any more when the counts begin anew. */
    board_set(&p->board->own_label[o->slot].hash, 0);
    board_set(&p->board->own_label[o->slot].asked, 0);
    board_set(&p->board->own_label[o->slot].seen, 0);
    board_set(&p->board->own_label[o->slot].hash, o->hash);
}

board_word *own_label_asked(struct prober *p, const struct own_label *o) {
    return &p->board->own_label[o->slot % BOARD_OWN_LABELS].asked;
}

uint64_t own_label_back(const struct prober *p, const struct own_label *o) {
    unsigned slot = o->slot % BOARD_OWN_LABELS;
    uint64_t asked = board_get(&p->board->own_label[slot].asked), seen = board_get(&p->board->own_label[slot].seen);
    if (o->hash == 0 || board_get(&p->board->own_label[slot].hash) != o->hash)
        return 0;
    return seen > asked ? seen - asked : 0;
}

int loop_add_upstream(struct prober *p, const char *address) {
    return verdict_add(&p->book, SCOPE_UPSTREAM, "upstream", "loop", address, p->conf->health.interval.upstream_ms,
                       false);
}

void loop_judge_upstream(struct prober *p, size_t check, const struct own_label *o, const struct evidence *asked) {
    struct evidence e = *asked;
    uint64_t back = own_label_back(p, o);
    e.value = (double)back;
    e.unit = "questions";
    if (back == 0) {
        snprintf(e.came, sizeof(e.came), "did not come back to this node as a question");
        (void)prober_result(p, check, VERDICT_PASS, &e);
        return;
    }
    snprintf(e.came, sizeof(e.came),
             "came back to this node as a question, %" PRIu64
             " times: %.64s forwards to us what we forward to it, a loop",
             back, e.server);
    prober_proof(p, check, VERDICT_FAIL, &e);
}

/* The forwarder that is known to send our questions back; NULL: none, or more than one. */
static const char *culprit(const struct prober *p) {
    const char *who = NULL;
    for (size_t i = 0; i < p->book.count; i++) {
        const struct verdict_check *c = &p->book.checks[i];
        if (c->scope != SCOPE_UPSTREAM || strcmp(c->measurement, "loop") != 0)
            continue;
        if (c->settled == VERDICT_FAIL && who != NULL)
            return NULL;
        if (c->settled == VERDICT_FAIL)
            who = c->id;
    }
    return who;
}

static void loop_answer(void *ctx, const struct ask_result *r) {
    struct loop_probe *l = ctx;
    struct prober *p = l->p;
    struct evidence e;
    uint64_t back = own_label_back(p, &l->own);
    ask_evidence(&e, &l->plan, r);
    e.value = (double)back;
    e.unit = "questions";
    if (back > 0) {
        const char *who = culprit(p);
        snprintf(e.came, sizeof(e.came),
                 "came back to this node as a question, %" PRIu64 " times: a forwarding loop, %s%.150s", back,
                 who != NULL ? "by " : "which forwarder sends it back is not known yet", who != NULL ? who : "");
        prober_proof(p, l->check, VERDICT_FAIL, &e);
        if (who == NULL)
            canary_hurry(p, 0);
    } else if (r->code != E_AGAIN) {
        snprintf(e.came, sizeof(e.came), "did not come back to this node as a question");
        (void)prober_result(p, l->check, VERDICT_PASS, &e);
    }
    /* It went through this node like canary:uncached: what it had to wait for in vain, that one should see at once. */
    if (r->code != E_AGAIN && (r->code != 0 || r->answer.rcode == RCODE_SERVFAIL))
        canary_hurry(p, 0);
    task_done(&l->task, back > 0 || r->code == E_AGAIN ? (int64_t)probe_hurry_ms(l->task.interval_ms) : -1);
}

static void loop_start(struct task *task) {
    struct loop_probe *l = CONTAINER_OF(task, struct loop_probe, task);
    char label[LOOP_LABEL + 1];
    rand_label(label, LOOP_LABEL);
    l->plan.qname = l->base;
    if (name_prepend(&l->plan.qname, label) == 0) {
        own_label_claim(l->p, &l->own, &l->plan.qname);
        l->plan.counted = own_label_asked(l->p, &l->own);
        if (ask_start(l->p, &l->plan, loop_answer, l) == 0)
            return;
    }
    task_done(task, -1);
}

/* A question that goes round is back in no time, and its answer never comes: that is not waited for. */
static void loop_look(struct task *task) {
    canary_look_back(task->p);
    task_done(task, -1);
}

/* Planned where canary:uncached is: without a name of its own to ask there is no label that could come back. */
int loop_probe_open(struct prober *p) {
    struct loop_probe *l = p->loop_probe = calloc(1, sizeof(*l));
    uint32_t interval = p->conf->health.interval.upstream_ms, timeout = probe_timeout_ms(interval);
    if (l == NULL)
        return E_NOMEM;
    const char *base = canary_base(p);
    if (base == NULL)
        return 0;
    int check = verdict_add(&p->book, SCOPE_RESOLUTION, "canary", "loop", base, interval, false);
    if (check < 0)
        return check;
    l->p = p;
    l->check = (size_t)check;
    l->plan = (struct ask_plan){.server = p->targets[0].addr,
                                .rd = true,
                                .nsid = true,
                                .far = true,
                                .qtype = TYPE_A,
                                .qclass = CLASS_IN,
                                .tries = 1,
                                .timeout_ms = timeout};
    int rc = name_from_text(&l->base, base, NULL);
    if (rc == 0)
        rc = prober_add(p, &l->task, loop_start, interval / LOOP_SHARE, false);
    uint32_t local = p->conf->health.interval.local_ms;
    return rc < 0 ? rc : prober_add(p, &l->look, loop_look, local < PROBE_SAMPLE_MS ? local : PROBE_SAMPLE_MS, false);
}

void loop_probe_close(struct prober *p) { free(p->loop_probe); }
