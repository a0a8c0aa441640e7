/* Does validation work? health.canary.signed is a name whose signatures are right, health.canary.bogus one whose are
 * wrong on purpose. A trust anchor that was not rolled, a clock that is wrong or signatures that ran out break the
 * first; a server that does not validate at all answers the second. Each forwarder is asked directly, because a cache
 * hides both; and the node, for what its clients get. */
#include <stdio.h>
#include <stdlib.h>

#include "health/probe/impl.h"

enum { SIGNED_TRIES = 2, SIGNED_ASKS = 2 * (LIMIT_UPSTREAMS + 1) };

struct signed_ask {
    struct task task;
    struct prober *p;
    size_t check;
    bool bogus, direct;
    struct ask_plan plan;
};

struct signed_probe {
    struct signed_ask ask[SIGNED_ASKS];
    size_t count;
};

enum verdict_state signed_judge(bool bogus, bool direct, const struct answer *a, char *came, size_t size) {
    char rcode[16];
    bool ad = (a->header.flags & FLAG_AD) != 0, answered = a->rcode == RCODE_NOERROR && a->answers > 0;
    /* A stale answer stands for the failure that it hides. */
    const char *text = a->stale ? "a stale answer instead of SERVFAIL" : dns_rcode_text(a->rcode, rcode), *words;
    bool refused = a->rcode == RCODE_SERVFAIL || a->stale;
    enum verdict_state s = VERDICT_FAIL;
    if (bogus && refused) {
        words = ": wrong signatures are refused, as they must be";
        s = VERDICT_PASS;
    } else if (bogus) {
        words =
            answered ? ": answered in spite of wrong signatures, nobody validates" : ": wrong signatures want SERVFAIL";
    } else if (answered && !refused && (ad || !direct)) {
        words = ad ? " with AD: it validated" : ": answered; that it validated the forwarders say";
        s = VERDICT_PASS;
    } else if (answered && !refused) {
        words = " without AD: it does not validate";
    } else if (refused) {
        words = ": right signatures are refused: a trust anchor, a clock or signatures that ran out";
    } else {
        words = ": no answer to a name that has one";
    }
    snprintf(came, size, "%s%s", text, words);
    return s;
}

static void signed_answer(void *ctx, const struct ask_result *r) {
    struct signed_ask *q = ctx;
    enum verdict_state s = VERDICT_FAIL;
    struct evidence e;
    bool undecided = true; /* after a void answer nothing is known: once more */
    ask_evidence(&e, &q->plan, r);
    if (r->code != 0)
        ask_problem(e.came, sizeof(e.came), r);
    else
        s = signed_judge(q->bogus, q->direct, &r->answer, e.came, sizeof(e.came));
    ask_tally(q->p, q->bogus ? TALLY_BOGUS : TALLY_SIGNED, &q->plan, r, s == VERDICT_PASS);
    if (r->code != E_AGAIN)
        undecided = prober_result(q->p, q->check, s, &e);
    task_done(&q->task, undecided ? (int64_t)probe_hurry_ms(q->task.interval_ms) : -1);
}

static void signed_start(struct task *task) {
    struct signed_ask *q = CONTAINER_OF(task, struct signed_ask, task);
    if (ask_start(q->p, &q->plan, signed_answer, q) != 0)
        task_done(task, -1);
}

static int plan_one(struct prober *p, bool bogus, const struct name *name, const struct addr *server, bool direct,
                    const char *id) {
    uint32_t interval = p->conf->health.interval.upstream_ms, timeout = probe_timeout_ms(interval);
    struct signed_probe *all = p->signed_probe;
    if (all->count == SIGNED_ASKS)
        return 0;
    struct signed_ask *q = &all->ask[all->count++];
    int check = verdict_add(&p->book, direct ? SCOPE_UPSTREAM : SCOPE_RESOLUTION, direct ? "upstream" : "canary",
                            bogus ? "bogus" : "signed", id, interval, false);
    if (check < 0)
        return check;
    *q = (struct signed_ask){.p = p, .check = (size_t)check, .bogus = bogus, .direct = direct};
    q->plan = (struct ask_plan){.server = *server,
                                .rd = true,
                                .ad = true,
                                .nsid = !direct,
                                .far = true,
                                .qname = *name,
                                .qtype = TYPE_A,
                                .qclass = CLASS_IN,
                                .tries = SIGNED_TRIES,
                                .hedge_ms = timeout,
                                .timeout_ms = timeout};
    int family = addr_family(server) == AF_INET6 ? FAMILY_V6 : FAMILY_V4;
    if (direct)
        canary_over_tls(p->conf, &q->plan);
    p->tally.probe[bogus ? TALLY_BOGUS : TALLY_SIGNED][q->plan.tls_name != NULL ? TALLY_TLS : TALLY_UDP][family]
        .planned = true;
    return prober_add(p, &q->task, signed_start, interval, false);
}

static int plan_name(struct prober *p, bool bogus, const char *text) {
    struct addr upstreams[LIMIT_UPSTREAMS];
    char id[ADDR_TEXT_MAX];
    struct name name;
    if (text[0] == '\0' || p->target_count == 0)
        return 0; /* asked for by nobody: there is no name that all the world could use */
    if (name_from_text(&name, text, NULL) != 0)
        return E_INVALID;
    size_t count = conf_upstreams(p->conf, upstreams, LIMIT_UPSTREAMS);
    int rc = plan_one(p, bogus, &name, &p->targets[0].addr, false, text);
    for (size_t i = 0; rc == 0 && i < count && i < LIMIT_UPSTREAMS; i++)
        if (canary_is_forwarded(p->conf, &name, &upstreams[i]))
            rc = plan_one(p, bogus, &name, &upstreams[i], true, addr_text(&upstreams[i], id));
    return rc;
}

int signed_open(struct prober *p) {
    p->signed_probe = calloc(1, sizeof(*p->signed_probe));
    int rc = p->signed_probe == NULL ? E_NOMEM : plan_name(p, false, p->conf->health.canary.signed_name);
    return rc == 0 ? plan_name(p, true, p->conf->health.canary.bogus) : rc;
}

void signed_close(struct prober *p) { free(p->signed_probe); }
