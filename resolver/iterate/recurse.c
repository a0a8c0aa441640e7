/* The state machine of one name. */
#include "resolver/iterate/minimise.h"
#include "resolver/iterate/recurse_impl.h"

/* --- the end */

static void end(struct recurse *x, const struct recurse_result *r) {
    recurse_drop_children(x);
    if (x->done != NULL)
        x->done(x->ctx, r);
    recurse_cancel(x);
}

static void answered(struct recurse *x) {
    struct recurse_result r = {.answered = true, .parts = &x->parts, .ede = EDE_NONE};
    end(x, &r);
}

static void failed(struct recurse *x) {
    static const int ede[] = {EDE_NO_REACHABLE_AUTHORITY,
                              EDE_NETWORK_ERROR,
                              EDE_NO_REACHABLE_AUTHORITY,
                              EDE_NO_REACHABLE_AUTHORITY,
                              EDE_INVALID_DATA,
                              EDE_NO_REACHABLE_AUTHORITY,
                              EDE_OTHER};
    static const char *const words[] = {"no server of the zone is known",
                                        "no server of the zone can be reached",
                                        "no server of the zone answered in time",
                                        "no server of the zone is authoritative for it",
                                        "what the zone's servers answer is not well-formed",
                                        "every server of the zone refused or failed",
                                        "answering would take more than is allowed"};
    struct recurse_result r = {.ede = ede[x->why], .text = x->text != NULL ? x->text : words[x->why], .remember = true};
    end(x, &r);
}

static void note(struct recurse *x, enum trouble why, const char *text) {
    if (why < x->why)
        return;
    x->why = why;
    x->text = text;
}

/* --- delegations */

static void use_delegation(struct recurse *x) {
    recurse_drop_children(x);
    x->has_delegation = true;
    x->tries = x->glueless = x->steps = 0;
    x->shown = x->d.zone.labels;
    x->met_resolver = x->resolvers_too = false;
    recurse_note_glue(x);
}

static void choose_delegation(struct recurse *x) {
    struct recursions *a = x->all;
    struct delegations from = {a->config.conf, a->config.cache, &a->hints, a->work, x->fell_back};
    delegation_find(&x->d, &from, &x->name, x->q.qtype, x->below);
    use_delegation(x);
    if (x->d.origin == FROM_HINTS && x != a->priming)
        recurse_prime(a);
}

/* Who has failed is not asked once more because the parent names it again. */
static void pass_over_failed(struct recurse *x) {
    if (!x->stepped_up || !name_equal(&x->d.zone, &x->failed_zone))
        return;
    for (unsigned i = 0; i < x->d.addresses; i++)
        for (unsigned k = 0; k < x->failed_count; k++)
            x->d.at[i].given_up |= addr_same(&x->d.at[i].address, &x->failed[k]);
}

/* The cache may have kept what is no longer so: whoever is further up is asked anew, once for each name. */
static bool step_up(struct recurse *x) {
    if (x->stepped_up || x->d.origin != FROM_CACHE)
        return false;
    x->stepped_up = true;
    x->failed_zone = x->d.zone;
    for (x->failed_count = 0; x->failed_count < x->d.addresses; x->failed_count++)
        x->failed[x->failed_count] = x->d.at[x->failed_count].address;
    x->below = x->d.zone.labels;
    x->has_delegation = false;
    return true;
}

/* --- asking */

static void asked_done(void *ctx, const struct asking_reply *r);

static bool is_whole(const struct recurse *x) { return x->asked.labels == x->name.labels; }

static void choose_question(struct recurse *x) {
    unsigned total = x->name.labels;
    unsigned labels = !x->minimise || x->d.origin == FROM_FORWARD || x->shown + 1 >= total
                          ? total
                          : minimise_next(x->shown, total, x->steps);
    name_strip(&x->asked, &x->name, total - labels);
    x->asked_type = labels == total ? x->q.qtype : TYPE_A;
}

static bool ask(struct recurse *x, int at) {
    struct recursions *a = x->all;
    const struct conf_recursion *conf = &a->config.conf->resolver.recursion;
    x->server = (unsigned)at;
    choose_question(x);
    struct asking_plan plan = {.server = &x->d.at[at].address,
                               .qname = &x->asked,
                               .qtype = x->asked_type,
                               .qclass = x->q.qclass,
                               .recursion_desired = x->d.origin == FROM_FORWARD || x->resolvers_too,
                               .dnssec_ok = x->q.dnssec_ok,
                               .checking_disabled = x->q.checking_disabled,
                               .sends_max = conf->max_queries - x->budget->sends,
                               .deadline_ms = x->budget->deadline_ms,
                               .done = asked_done,
                               .ctx = x};
    x->d.at[at].tries++;
    x->tries++;
    x->asking = asking_start(a->askings, &plan);
    if (x->asking != NULL)
        return true;
    note(x, UNREACHABLE, NULL);
    x->d.at[at].given_up = true;
    return false;
}

/* --- what came */

static void refuse_server(struct recurse *x, enum trouble why, const char *text) {
    note(x, why, text);
    x->d.at[x->server].given_up = true;
}

/* Below the name that was shown; servers that stumble over a part of a name are asked for the whole (relaxed). */
static bool show_more(struct recurse *x, bool all) {
    if (is_whole(x))
        return false;
    x->shown = x->asked.labels;
    x->steps++;
    if (all)
        x->minimise = false;
    return true;
}

static void referred(struct recurse *x, const struct sift_result *r) {
    struct recursions *a = x->all;
    struct delegations from = {a->config.conf, a->config.cache, &a->hints, a->work, x->fell_back};
    if (x->q.qtype == TYPE_DS && name_equal(&r->cut, &x->name)) { /* the parent has the answer, not the child */
        refuse_server(x, LAME, NULL);
        return;
    }
    recurse_keep(x, r, false);
    if (++x->referrals > BOUND_REFERRALS) {
        note(x, BOUNDED, "more referrals than are followed");
        x->has_delegation = false;
        return;
    }
    delegation_refer(&x->d, &from, a->sift, r);
    pass_over_failed(x);
    x->below = UINT32_MAX;
    use_delegation(x);
}

static void led_on(struct recurse *x, const struct sift_result *r) {
    x->name = r->target;
    x->chain += r->chain;
    x->refresh = x->has_delegation = x->stepped_up = false;
    x->below = UINT32_MAX;
    x->minimise = x->all->config.conf->resolver.recursion.qname_minimisation;
    if (x->chain > BOUND_CHAIN)
        note(x, BOUNDED, "a chain of aliases that is too long");
}

static void refuse_lame(struct recurse *x, const struct sift_result *r) {
    struct recursions *a = x->all;
    struct server *v = servers_get(a->servers, &x->d.at[x->server].address, recurse_now(a));
    bool resolver = r->ra && !r->aa;
    x->met_resolver |= resolver;
    if (v != NULL && !resolver)
        server_is_lame(v, &x->d.zone, recurse_now(a));
    refuse_server(x, LAME, NULL);
}

/* All of them have failed, but some would have answered, as resolvers do: asked as such. */
static bool take_resolvers(struct recurse *x) {
    if (!x->met_resolver || x->resolvers_too)
        return false;
    x->resolvers_too = true;
    for (unsigned i = 0; i < x->d.addresses; i++)
        x->d.at[i].given_up = false;
    return true;
}

enum next { GO_ON, ENDED };

static enum next take_answer(struct recurse *x, const struct sift_result *r) {
    recurse_keep(x, r, true);
    if (recurse_take(x, r) != 0) {
        note(x, BOUNDED, "an answer of more than is kept");
        failed(x);
        return ENDED;
    }
    if (r->kind == SIFT_CNAME) {
        led_on(x, r);
        return GO_ON;
    }
    x->parts.rcode = r->kind == SIFT_YXDOMAIN ? RCODE_YXDOMAIN : RCODE_NOERROR;
    recurse_fetch(x);
    answered(x);
    return ENDED;
}

/* Whether the name that was shown is there or not is of no interest, only that nobody else is responsible. */
static bool take_part(struct recurse *x, const struct sift_result *r) {
    if (r->kind == SIFT_ANSWER || r->kind == SIFT_NODATA || r->kind == SIFT_CNAME) {
        recurse_keep(x, r, false);
        return show_more(x, false);
    }
    return r->kind != SIFT_REFERRAL && show_more(x, true);
}

static enum next take(struct recurse *x, const struct asking_reply *reply) {
    struct recursions *a = x->all;
    struct name root = {.size = 1};
    bool forwarded = x->d.origin == FROM_FORWARD;
    struct sift_question q = {.qname = x->asked,
                              .zone = forwarded ? root : x->d.zone,
                              .qtype = x->asked_type,
                              .qclass = x->q.qclass,
                              .dnssec_ok = x->q.dnssec_ok,
                              .any_glue = !a->config.conf->resolver.recursion.harden_glue,
                              .resolvers_too = x->resolvers_too,
                              .forwarded = forwarded};
    const struct sift_result *r = sift_read(a->sift, &q, reply->answer);
    if (!is_whole(x) && take_part(x, r))
        return GO_ON;
    switch (r->kind) {
    case SIFT_ANSWER:
    case SIFT_CNAME:
    case SIFT_NODATA:
    case SIFT_NXDOMAIN:
    case SIFT_YXDOMAIN:
        return take_answer(x, r);
    case SIFT_REFERRAL:
        referred(x, r);
        break;
    case SIFT_LAME:
        refuse_lame(x, r);
        break;
    case SIFT_TRUNCATED:
    case SIFT_INVALID:
        refuse_server(x, MALFORMED, r->why);
        break;
    case SIFT_RCODE:
        refuse_server(x, REFUSING, NULL);
        break;
    }
    return GO_ON;
}

static void asked_done(void *ctx, const struct asking_reply *reply) {
    struct recurse *x = ctx;
    struct recursions *a = x->all;
    x->asking = NULL;
    x->budget->sends += reply->sends;
    enum next next = GO_ON;
    if (reply->code == 0)
        next = take(x, reply);
    else if (reply->code == E_TIMEOUT && !reply->stream)
        note(x, SILENT, NULL);
    else if (reply->code == E_TIMEOUT) /* it had its time: another try would be as slow */
        refuse_server(x, SILENT, NULL);
    else
        refuse_server(x, UNREACHABLE, NULL);
    if (next == GO_ON)
        recurse_ready(x);
    recurse_run_all(a);
}

/* --- one name */

static bool is_over(struct recurse *x) {
    if (x->why == BOUNDED)
        return true;
    if (x->budget->sends >= x->all->config.conf->resolver.recursion.max_queries) {
        note(x, BOUNDED, "more queries than recursion.max-queries allows");
        return true;
    }
    if (recurse_now(x->all) < x->budget->deadline_ms)
        return false;
    note(x, SILENT, NULL);
    return true;
}

/* True: it has ended. */
static bool look_up(struct recurse *x) {
    enum known known = KNOWN_ALIAS;
    while (known == KNOWN_ALIAS && !x->refresh) {
        known = recurse_look_up(x);
        if (known == KNOWN_ALIAS)
            x->minimise = x->all->config.conf->resolver.recursion.qname_minimisation;
    }
    if (known == KNOWN_TOO_MUCH) {
        note(x, BOUNDED, "a chain of aliases that is too long");
        failed(x);
    } else if (known == KNOWN_ANSWER) {
        answered(x);
    }
    return known == KNOWN_TOO_MUCH || known == KNOWN_ANSWER;
}

void recurse_run(struct recurse *x) {
    while (!is_over(x)) {
        if (!x->has_delegation) {
            if (!x->stepped_up && look_up(x))
                return;
            choose_delegation(x);
        }
        int at = x->tries < BOUND_TRIES
                     ? servers_pick(x->all->servers, x->d.at, x->d.addresses, &x->d.zone, recurse_now(x->all))
                     : -1;
        if (at >= 0) {
            if (ask(x, at))
                return;
        } else if (x->tries < BOUND_TRIES && recurse_look_for_servers(x)) {
            return;
        } else if (!take_resolvers(x) && !step_up(x)) {
            if (x->tries < BOUND_TRIES && recurse_look_again(x))
                return;
            break;
        }
    }
    failed(x);
}

int recurse_start(struct recurse **out, struct recursions *a, const struct recurse_plan *plan) {
    struct recurse *x = *out = recurse_new(a, NULL, plan->q);
    if (x == NULL)
        return E_NOMEM;
    x->fell_back = plan->fell_back;
    x->own.deadline_ms = plan->deadline_ms;
    x->done = plan->done;
    x->ctx = plan->ctx;
    recurse_ready(x);
    recurse_run_all(a);
    return 0;
}
