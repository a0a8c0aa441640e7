/* Servers that are asked without recursion: the root servers, of which any one is enough, and each server of a stub
 * zone. Asked by address, so that "nothing resolves" can be told from "nothing out there answers". */
#include <stdio.h>
#include <stdlib.h>

#include "health/probe/impl.h"
#include "resolver/base/clock.h"
#include "resolver/base/rand.h"
#include "resolver/dns/hints.h"

enum { ROOT_TRIES = 4, STUB_TRIES = 2 };

struct authority {
    struct task task;
    struct prober *p;
    size_t check;
    struct ask_plan plan;
    const struct hints *roots; /* NULL: a stub zone's server, always the same */
    unsigned next, asked;      /* of the roots: where in the list; how many in this round */
};

struct authorities {
    struct hints roots;
    struct authority *at;
    size_t count;
};

static enum verdict_state judge(const struct answer *a, char *came, size_t size) {
    char rcode[16];
    bool aa = a->header.flags & FLAG_AA;
    snprintf(came, size, "%s%s%s", dns_rcode_text(a->rcode, rcode),
             aa ? "" : ", without AA: it does not serve this zone", a->answers > 0 ? "" : ", no RRs");
    return a->rcode == RCODE_NOERROR && aa && a->answers > 0 ? VERDICT_PASS : VERDICT_FAIL;
}

/* Families take turns: a machine that has only one of them is no reason to call the root servers dead. */
static void choose_root(struct authority *a) {
    const struct hints *h = a->roots;
    bool v6 = a->asked % 2 == 1;
    for (unsigned i = 0; i < h->count; i++) {
        unsigned at = (a->next + i) % h->count;
        if ((addr_family(&h->at[at].address) == AF_INET6) == v6 || i + 1 == h->count) {
            a->plan.server = h->at[at].address;
            a->next = at + 1;
            return;
        }
    }
}

static void authority_ask(struct authority *a);

static void authority_answer(void *ctx, const struct ask_result *r) {
    struct authority *a = ctx;
    struct evidence e;
    enum verdict_state s = VERDICT_FAIL;
    ask_evidence(&e, &a->plan, r);
    if (r->code != 0)
        ask_problem(e.came, sizeof e.came, r);
    else
        s = judge(&r->answer, e.came, sizeof e.came);
    ask_tally(a->p, TALLY_AUTHORITY, &a->plan, r, s == VERDICT_PASS);
    a->asked++;
    if (s != VERDICT_PASS && r->code != E_AGAIN && a->roots != NULL && a->asked < ROOT_TRIES) {
        authority_ask(a);
        return;
    }
    bool undecided = r->code == E_AGAIN || prober_result(a->p, a->check, s, &e);
    task_done(&a->task, undecided ? (int64_t)probe_hurry_ms(a->task.interval_ms) : -1);
}

static void authority_ask(struct authority *a) {
    if (a->roots != NULL)
        choose_root(a);
    if (ask_start(a->p, &a->plan, authority_answer, a) != 0)
        task_done(&a->task, -1);
}

static void authority_start(struct task *task) {
    struct authority *a = CONTAINER_OF(task, struct authority, task);
    a->asked = 0;
    authority_ask(a);
}

static int plan(struct prober *p, const char *component, const char *id, const struct name *zone, uint16_t qtype,
                const struct addr *server) {
    uint32_t interval = p->conf->health.interval.upstream_ms;
    struct authority *a = &p->authorities->at[p->authorities->count];
    int check = verdict_add(&p->book, SCOPE_UPSTREAM, component, "answers", id, interval, false);
    if (check < 0)
        return check;
    p->authorities->count++;
    *a = (struct authority){.p = p, .check = (size_t)check};
    a->plan = (struct ask_plan){.server = *server,
                                .far = true,
                                .qname = *zone,
                                .qtype = qtype,
                                .qclass = CLASS_IN,
                                .tries = STUB_TRIES,
                                .timeout_ms = probe_timeout_ms(interval)};
    a->plan.hedge_ms = a->plan.timeout_ms / 2;
    if (component[0] == 'r') { /* one try each, all of them within the time of two */
        a->roots = &p->authorities->roots;
        a->next = rand_below(a->roots->count);
        a->plan.tries = 1;
        a->plan.timeout_ms /= 2;
    }
    p->tally.probe[TALLY_AUTHORITY][0][addr_family(server) == AF_INET6 ? FAMILY_V6 : FAMILY_V4].planned = true;
    return prober_add(p, &a->task, authority_start, interval, false);
}

static bool root_is_asked(const struct conf *conf) {
    struct name root = {.wire = {0}, .size = 1};
    return conf->resolver.recursion.enabled && !canary_is_forwarded(conf, &root, NULL);
}

static size_t stub_servers(const struct conf *conf) {
    size_t n = 0;
    for (size_t i = 0; i < conf->resolver.stub_count; i++)
        n += conf->resolver.stub[i].to.count;
    return n;
}

static int plan_stub(struct prober *p, const struct conf_stub *stub) {
    struct name zone;
    char id[NAME_TEXT_MAX + ADDR_TEXT_MAX + 2], server[ADDR_TEXT_MAX];
    int rc = name_from_text(&zone, stub->zone, NULL) == 0 ? 0 : E_INVALID;
    for (size_t i = 0; rc == 0 && i < stub->to.count; i++) {
        snprintf(id, sizeof id, "%s %s", stub->zone, addr_text(&stub->to.at[i], server));
        rc = plan(p, "stub", id, &zone, TYPE_SOA, &stub->to.at[i]);
    }
    return rc;
}

int authority_open(struct prober *p) {
    struct authorities *all = p->authorities = calloc(1, sizeof *all);
    struct name root = {.wire = {0}, .size = 1};
    struct err err;
    int rc = 0;
    if (all == NULL || (all->at = calloc(1 + stub_servers(p->conf), sizeof *all->at)) == NULL)
        return E_NOMEM;
    if (root_is_asked(p->conf) && hints_open(&all->roots, p->conf, &err) == 0 && all->roots.count > 0)
        rc = plan(p, "root", "", &root, TYPE_NS, &all->roots.at[0].address);
    for (size_t i = 0; rc == 0 && i < p->conf->resolver.stub_count; i++)
        rc = plan_stub(p, &p->conf->resolver.stub[i]);
    return rc;
}

void authority_close(struct prober *p) {
    if (p->authorities != NULL)
        free(p->authorities->at);
    free(p->authorities);
}
