/* DNS over TLS (RFC 7858): does each listener answer a question over a session of its own, and which certificate does
 * every worker hold. A node is no less ready without it: who asks in the clear is answered. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "health/probe/impl.h"
#include "resolver/base/clock.h"

enum { CERTIFICATE_DAYS = 21, DAY_S = 86400 };

struct listener {
    struct task task;
    struct prober *p;
    size_t check;
    struct ask_plan plan;
};

struct dot_probe {
    struct task task; /* of the certificates */
    struct prober *p;
    size_t certificate;
    struct listener listener[LIMIT_LISTEN];
    size_t count;
};

/* --- listeners */

static void answered(void *ctx, const struct ask_result *r) {
    struct listener *l = ctx;
    struct prober *p = l->p;
    struct evidence e;
    struct err err = {0};
    unsigned worker;
    bool undecided = true; /* after a void answer nothing is known: once more */
    bool good = r->code == 0 && r->answer.rcode == RCODE_NOERROR && r->answer.answers > 0;
    ask_evidence(&e, &l->plan, r);
    if (!good)
        ask_problem(e.came, sizeof(e.came), r);
    else if (nsid_judge(r->answer.nsid, p->conf->node.name, p->board, prober_workers(p), &worker, &err) != 0)
        text_copy(e.came, sizeof(e.came), err.text);
    else
        snprintf(e.came, sizeof(e.came), "worker %u answered over TLS", worker);
    good = good && err.code == 0;
    ask_tally(p, TALLY_WORKER, &l->plan, r, good);
    if (r->code != E_AGAIN)
        undecided = prober_result(p, l->check, good ? VERDICT_PASS : VERDICT_FAIL, &e);
    task_done(&l->task, undecided ? 0 : -1);
}

static void listener_start(struct task *task) {
    struct listener *l = CONTAINER_OF(task, struct listener, task);
    if (ask_start(l->p, &l->plan, answered, l) != 0)
        task_done(task, -1);
}

static int listener_plan(struct prober *p, struct listener *l, const struct addr *listen) {
    uint32_t interval = p->conf->health.interval.local_ms;
    struct addr server = target_address(listen);
    char text[ADDR_TEXT_MAX];
    int check = verdict_add(&p->book, SCOPE_WORKER, "listen", "tls", addr_text(&server, text), interval, false);
    if (check < 0)
        return check;
    l->p = p;
    l->check = (size_t)check;
    /* Whoever answers: NSID says whether that is a worker of ours, and the certificate is judged where it is held. */
    l->plan = (struct ask_plan){.server = server,
                                .tls_name = "",
                                .tls_ca = "",
                                .nsid = true,
                                .qtype = TYPE_TXT,
                                .qclass = CLASS_CH,
                                .tries = 2,
                                .hedge_ms = probe_hedge_ms(interval),
                                .timeout_ms = probe_timeout_ms(interval)};
    p->tally.probe[TALLY_WORKER][TALLY_TLS][addr_family(&server) == AF_INET6 ? FAMILY_V6 : FAMILY_V4].planned = true;
    int rc = name_from_text(&l->plan.qname, "id.server.", NULL);
    return rc < 0 ? rc : prober_add(p, &l->task, listener_start, interval, false);
}

/* --- certificates */

static enum verdict_state certificates(const struct prober *p, int64_t wall_s, char *came, size_t size, double *days) {
    uint64_t first = UINT64_MAX, last = 0;
    unsigned workers = prober_workers(p), without = workers;
    for (unsigned w = 0; w < workers; w++) {
        uint64_t until = board_get(&p->board->worker[w].certificate_until_wall_s);
        if (until == 0 && without == workers)
            without = w;
        first = until < first ? until : first;
        last = until > last ? until : last;
    }
    *days = 0;
    if (without < workers) {
        snprintf(came, size, "worker %u has none: it cannot be read, and DNS over TLS is not served", without);
        return VERDICT_FAIL;
    }
    int64_t left_s = (int64_t)first - wall_s;
    *days = (double)left_s / DAY_S;
    if (left_s <= 0) {
        snprintf(came, size, "it ended %" PRId64 " days ago", -left_s / DAY_S);
        return VERDICT_FAIL;
    }
    snprintf(came, size, "it ends in %" PRId64 " days%s", left_s / DAY_S,
             first != last ? "; workers hold different ones" : "");
    return left_s < CERTIFICATE_DAYS * DAY_S || first != last ? VERDICT_WARN : VERDICT_PASS;
}

static void certificates_start(struct task *task) {
    struct dot_probe *d = CONTAINER_OF(task, struct dot_probe, task);
    struct evidence e = {.wall_ms = clock_wall_ms(), .unit = "d"};
    text_copy(e.asked, sizeof(e.asked), "notAfter of resolver.tls.certificate, as each worker holds it");
    enum verdict_state s = certificates(d->p, e.wall_ms / 1000, e.came, sizeof(e.came), &e.value);
    bool undecided = prober_result(d->p, d->certificate, s, &e);
    task_done(task, undecided ? 0 : -1);
}

int dot_open(struct prober *p) {
    const struct conf_resolver *c = &p->conf->resolver;
    uint32_t interval = p->conf->health.interval.local_ms;
    struct dot_probe *d = p->dot = calloc(1, sizeof(*d));
    int rc = d == NULL ? E_NOMEM : 0;
    for (size_t i = 0; rc == 0 && i < c->listen_count; i++)
        if (c->listen[i].tls)
            rc = listener_plan(p, &d->listener[d->count++], &c->listen[i].address);
    if (rc < 0 || d->count == 0)
        return rc;
    int check = verdict_add(&p->book, SCOPE_WORKER, "listen", "certificate", "resolver.tls", interval, false);
    if (check < 0)
        return check;
    d->p = p;
    d->certificate = (size_t)check;
    return prober_add(p, &d->task, certificates_start, interval, false);
}

void dot_close(struct prober *p) { free(p->dot); }
