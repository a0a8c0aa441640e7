/* Names that tell whether resolution works: a cached one, a random one that nobody can have cached, and a random one
 * that does not exist, all through the node; and the random one asked of each forwarder directly, judged one by one. A
 * cached name alone stays green with every upstream dead, and "an answer came" is SERVFAIL as well. */
#include <stdio.h>
#include <stdlib.h>

#include "health/probe/impl.h"
#include "health/probe/loop.h"
#include "resolver/base/clock.h"
#include "resolver/base/rand.h"

enum { LABEL_SIZE = 16, CANARY_TRIES = 2 };

struct canary_kind;

struct canary {
    struct task task;
    struct prober *p;
    const struct canary_kind *kind;
    size_t check;
    size_t loop_check; /* of a forwarder; SIZE_MAX: none */
    struct own_label own;
    struct name base;
    struct ask_plan plan;
};

struct canary_kind {
    enum tally_probe tally;
    const char *measurement, *off;
    bool random;
    /* Judges an answer (code 0) and says what came. */
    enum verdict_state (*judge)(const struct answer *a, char *came, size_t size);
};

static void say(char *came, size_t size, const struct answer *a, const char *words) {
    char rcode[16];
    if (a->a_count > 0)
        snprintf(came, size, "%s, %u.%u.%u.%u%s", dns_rcode_text(a->rcode, rcode), a->a[0], a->a[1], a->a[2], a->a[3],
                 words);
    else
        snprintf(came, size, "%s, no address%s", dns_rcode_text(a->rcode, rcode), words);
}

static enum verdict_state judge_cached(const struct answer *a, char *came, size_t size) {
    if (a->rcode != RCODE_NOERROR && a->rcode != RCODE_NXDOMAIN) {
        say(came, size, a, "");
        return VERDICT_FAIL;
    }
    if (a->stale) {
        say(came, size, a, ": stale, nothing fresh is to be had");
        return VERDICT_WARN;
    }
    bool good = a->rcode == RCODE_NOERROR && a->answers > 0;
    say(came, size, a, good ? "" : ": health.canary.cached should be a name that has an address");
    return good ? VERDICT_PASS : VERDICT_WARN;
}

static enum verdict_state judge_uncached(const struct answer *a, char *came, size_t size) {
    say(came, size, a, "");
    return a->rcode == RCODE_NOERROR || a->rcode == RCODE_NXDOMAIN ? VERDICT_PASS : VERDICT_FAIL;
}

static enum verdict_state judge_nxdomain(const struct answer *a, char *came, size_t size) {
    bool hijack = a->rcode == RCODE_NOERROR;
    say(came, size, a, hijack ? ": a name that does not exist has an answer, somebody rewrites them" : "");
    return a->rcode == RCODE_NXDOMAIN ? VERDICT_PASS : VERDICT_FAIL;
}

static enum verdict_state judge_upstream(const struct answer *a, char *came, size_t size) {
    enum verdict_state s = judge_uncached(a, came, size);
    if (s != VERDICT_PASS || (a->header.flags & FLAG_RA))
        return s;
    say(came, size, a, ", without RA: it does not offer recursion");
    return VERDICT_WARN;
}

static const struct canary_kind kinds[] = {
    {TALLY_CACHED, "cached", "switched off: health.canary.cached is empty", false, judge_cached},
    {TALLY_UNCACHED, "uncached", "switched off: health.canary.uncached-under is empty", true, judge_uncached},
    {TALLY_NXDOMAIN, "nxdomain", "switched off: health.canary.nxdomain-under is empty", true, judge_nxdomain},
};
static const struct canary_kind upstream_kind = {
    TALLY_UPSTREAM, "answers", "no name to ask: health.canary.uncached-under is empty", true, judge_upstream};

static bool kept_out(const struct canary *c, const struct ask_result *r) {
    const struct conf_list_prefix *allow = &c->p->conf->resolver.allow;
    return c->kind != &upstream_kind && r->answer.rcode == RCODE_REFUSED &&
           !prefix_list_has(allow->at, allow->count, &r->local);
}

static void canary_answer(void *ctx, const struct ask_result *r) {
    struct canary *c = ctx;
    enum verdict_state s = VERDICT_FAIL;
    struct evidence e;
    bool undecided = true; /* after a void answer nothing is known: once more */
    ask_evidence(&e, &c->plan, r);
    if (r->code != 0) {
        ask_problem(e.came, sizeof(e.came), r);
    } else if (kept_out(c, r)) {
        text_copy(e.came, sizeof(e.came), "REFUSED: resolver.allow keeps this probe out");
        s = VERDICT_WARN;
    } else {
        s = c->kind->judge(&r->answer, e.came, sizeof(e.came));
    }
    ask_tally(c->p, c->kind->tally, &c->plan, r, s == VERDICT_PASS);
    if (c->loop_check != SIZE_MAX && (r->code != E_AGAIN || own_label_back(c->p, &c->own) > 0))
        loop_judge_upstream(c->p, c->loop_check, &c->own, &e);
    if (r->code != E_AGAIN)
        undecided = prober_result(c->p, c->check, s, &e);
    /* What has failed is asked more often than what is well: the end of an outage should not wait for an interval. */
    bool failed = c->p->book.checks[c->check].settled == VERDICT_FAIL;
    task_done(&c->task, undecided ? (int64_t)probe_hurry_ms(c->task.interval_ms)
                        : failed  ? (int64_t)c->task.interval_ms / 2
                                  : -1);
}

static void canary_start(struct task *task) {
    struct canary *c = CONTAINER_OF(task, struct canary, task);
    char label[LABEL_SIZE + 1];
    c->plan.qname = c->base;
    if (c->kind->random) {
        rand_label(label, LABEL_SIZE);
        if (name_prepend(&c->plan.qname, label) != 0)
            c->plan.qname = c->base;
        else if (c->loop_check != SIZE_MAX)
            own_label_claim(c->p, &c->own, &c->plan.qname);
    }
    if (ask_start(c->p, &c->plan, canary_answer, c) != 0)
        task_done(task, -1);
}

static int plan_canary(struct prober *p, const struct canary_kind *kind, enum verdict_scope scope, const char *id,
                       const struct name *base, const struct addr *server) {
    uint32_t interval = p->conf->health.interval.upstream_ms, timeout = probe_timeout_ms(interval);
    struct canary *c = &p->canaries[p->canary_count++];
    bool upstream = kind == &upstream_kind;
    int check = verdict_add(&p->book, scope, upstream ? "upstream" : "canary", kind->measurement, id, interval, false);
    if (check < 0)
        return check;
    *c = (struct canary){.p = p, .kind = kind, .check = (size_t)check, .base = *base, .loop_check = SIZE_MAX};
    int loop = upstream ? loop_add_upstream(p, id) : -1;
    if (upstream && loop < 0)
        return loop;
    if (upstream)
        c->loop_check = (size_t)loop;
    c->plan = (struct ask_plan){.server = *server,
                                .rd = true,
                                .nsid = !upstream,
                                .far = true,
                                .qtype = TYPE_A,
                                .qclass = CLASS_IN,
                                .tries = CANARY_TRIES,
                                .hedge_ms = timeout / 2,
                                .timeout_ms = timeout};
    if (upstream)
        canary_over_tls(p->conf, &c->plan);
    p->tally
        .probe[kind->tally][c->plan.tls_name != NULL ? TALLY_TLS : TALLY_UDP]
              [addr_family(server) == AF_INET6 ? FAMILY_V6 : FAMILY_V4]
        .planned = true;
    return prober_add(p, &c->task, canary_start, interval, false);
}

static int plan_off(struct prober *p, enum verdict_scope scope, const char *component, const struct canary_kind *kind,
                    const char *id, const char *why) {
    int at = verdict_add_off(&p->book, scope, component, kind->measurement, id, why, clock_wall_ms());
    return at < 0 ? at : 0;
}

bool canary_is_forwarded(const struct conf *conf, const struct name *n, const struct addr *by) {
    struct name zone;
    for (size_t i = 0; i < conf->resolver.forward_count; i++) {
        const struct conf_forward *f = &conf->resolver.forward[i];
        if (name_from_text(&zone, f->zone, NULL) != 0 || !name_under(n, &zone))
            continue;
        for (size_t k = 0; k < f->to.count; k++)
            if (by == NULL || addr_same(&f->to.at[k], by))
                return true;
    }
    return false;
}

static bool is_resolved(const struct conf *conf, const struct name *n) {
    struct name zone;
    bool any = conf->resolver.recursion.enabled || canary_is_forwarded(conf, n, NULL);
    for (size_t i = 0; i < conf->resolver.stub_count && !any; i++)
        any = name_from_text(&zone, conf->resolver.stub[i].zone, NULL) == 0 && name_under(n, &zone);
    return any;
}

static int plan_through_node(struct prober *p, const struct canary_kind *kind, const char *base) {
    struct name name;
    if (p->target_count == 0)
        return plan_off(p, SCOPE_RESOLUTION, "canary", kind, "", "no address to ask: DNS over TLS only");
    if (base == NULL || base[0] == '\0')
        return plan_off(p, SCOPE_RESOLUTION, "canary", kind, "", kind->off);
    if (name_from_text(&name, base, NULL) != 0)
        return E_INVALID;
    if (!is_resolved(p->conf, &name))
        return plan_off(p, SCOPE_RESOLUTION, "canary", kind, base,
                        "recursion is switched off, and no forwarder is configured for this name");
    return plan_canary(p, kind, SCOPE_RESOLUTION, base, &name, &p->targets[0].addr);
}

/* A forwarder is asked for something that it is there for: the canary name, else a name in the zone forwarded to it. */
static const char *base_for(const struct conf *conf, const struct addr *server) {
    const char *under = conf->health.canary.uncached_under;
    struct name name;
    if (under[0] == '\0')
        return NULL;
    if (name_from_text(&name, under, NULL) == 0 && canary_is_forwarded(conf, &name, server))
        return under;
    for (size_t i = 0; i < conf->resolver.forward_count; i++)
        for (size_t k = 0; k < conf->resolver.forward[i].to.count; k++)
            if (addr_same(&conf->resolver.forward[i].to.at[k], server))
                return conf->resolver.forward[i].zone;
    return NULL;
}

void canary_over_tls(const struct conf *conf, struct ask_plan *plan) {
    for (size_t i = 0; i < conf->resolver.forward_count; i++)
        for (size_t k = 0; k < conf->resolver.forward[i].to.count; k++) {
            const struct conf_forward *f = &conf->resolver.forward[i];
            if (!addr_same(&f->to.at[k], &plan->server) || f->tls_name[0] == '\0')
                continue;
            plan->tls_name = f->tls_name;
            plan->tls_ca = f->ca;
        }
}

static int plan_upstream(struct prober *p, const struct addr *server) {
    const char *base = base_for(p->conf, server);
    char text[ADDR_TEXT_MAX];
    struct name name;
    addr_text(server, text);
    if (base == NULL)
        return plan_off(p, SCOPE_UPSTREAM, "upstream", &upstream_kind, text, upstream_kind.off);
    if (name_from_text(&name, base, NULL) != 0)
        return E_INVALID;
    return plan_canary(p, &upstream_kind, SCOPE_UPSTREAM, text, &name, server);
}

int canary_open(struct prober *p) {
    struct addr upstreams[LIMIT_UPSTREAMS];
    size_t count = conf_upstreams(p->conf, upstreams, LIMIT_UPSTREAMS);
    const char *const bases[ARRAY_SIZE(kinds)] = {p->conf->health.canary.cached, p->conf->health.canary.uncached_under,
                                                  p->conf->health.canary.nxdomain_under};
    int rc = 0;
    count = count < LIMIT_UPSTREAMS ? count : LIMIT_UPSTREAMS;
    p->canaries = calloc(ARRAY_SIZE(kinds) + count, sizeof(*p->canaries));
    if (p->canaries == NULL)
        return E_NOMEM;
    for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(kinds); i++)
        rc = plan_through_node(p, &kinds[i], bases[i]);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = plan_upstream(p, &upstreams[i]);
    return rc;
}

void canary_close(struct prober *p) { free(p->canaries); }

const char *canary_base(const struct prober *p) {
    for (size_t i = 0; i < p->canary_count; i++)
        if (p->canaries[i].kind->tally == TALLY_UNCACHED)
            return p->conf->health.canary.uncached_under;
    return NULL;
}

void canary_hurry(struct prober *p, uint32_t within_ms) {
    int64_t soon = clock_mono_ms() + within_ms;
    for (size_t i = 0; i < p->canary_count; i++)
        if (p->canaries[i].kind->random && p->canaries[i].task.due_ms > soon)
            p->canaries[i].task.due_ms = soon;
}

void canary_look_back(struct prober *p) {
    const struct ask_result none = {.code = E_TIMEOUT};
    struct evidence e;
    for (size_t i = 0; i < p->canary_count; i++) {
        struct canary *c = &p->canaries[i];
        if (c->loop_check == SIZE_MAX || !c->task.running || own_label_back(p, &c->own) == 0)
            continue;
        ask_evidence(&e, &c->plan, &none);
        loop_judge_upstream(p, c->loop_check, &c->own, &e);
    }
}
