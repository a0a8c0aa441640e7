/* Names of servers whose addresses nobody told: questions of their own, few at a time, never in a circle. */
#include "resolver/iterate/recurse_impl.h"

static unsigned free_place(const struct recurse *x) {
    unsigned i = 0;
    while (i < BOUND_GLUELESS_AT_ONCE && x->child[i] != NULL)
        i++;
    return i;
}

static bool is_asked_above(const struct recurse *x, const struct name *name, uint16_t type) {
    for (const struct recurse *p = x; p != NULL; p = p->parent)
        if (p->q.qtype == type && (name_equal(&p->q.qname, name) || name_equal(&p->name, name)))
            return true;
    return false;
}

/* What the parents of the host's own zone said its addresses were: with servers that moved one of the two is right. */
static void take_glue(struct recurse *x, unsigned host, const struct recurse *child) {
    int at = delegation_host(&child->d, &x->d.host[host].name);
    for (unsigned i = 0; at >= 0 && child->has_delegation && i < child->d.addresses; i++)
        if (child->d.of[i] == at)
            (void)delegation_add(&x->d, x->all->config.conf, host, &child->d.at[i].address);
}

static void child_done(void *ctx, const struct recurse_result *r) {
    struct recurse *child = ctx, *x = child->parent;
    for (unsigned i = 0; i < BOUND_GLUELESS_AT_ONCE; i++) {
        if (x->child[i] != child)
            continue;
        x->child[i] = NULL;
        for (unsigned k = 0; r->answered && k < r->parts->count; k++)
            if (r->parts->at[k]->kind == RRSET_DATA)
                (void)delegation_take(&x->d, x->all->config.conf, x->host[i], r->parts->at[k]);
        take_glue(x, x->host[i], child);
    }
    if (x->asking == NULL)
        recurse_ready(x);
}

static bool start_child(struct recurse *x, unsigned host, uint16_t type) {
    unsigned place = free_place(x);
    struct resolve_question q = {.qname = x->d.host[host].name, .qtype = type, .qclass = CLASS_IN};
    if (place == BOUND_GLUELESS_AT_ONCE || x->glueless == BOUND_GLUELESS_IN_ALL ||
        x->budget->glueless == BOUND_GLUELESS_TOTAL || is_asked_above(x, &q.qname, type))
        return false;
    struct recurse *child = recurse_new(x->all, x, &q);
    if (child == NULL)
        return false;
    x->glueless++;
    x->budget->glueless++;
    x->child[place] = child;
    x->host[place] = host;
    child->refresh = x->looked_again;
    child->done = child_done;
    child->ctx = child;
    recurse_ready(child);
    return true;
}

static void start_host(struct recurse *x, unsigned host) {
    const struct conf_recursion *conf = &x->all->config.conf->resolver.recursion;
    x->d.host[host].looked_up = true;
    if (conf->ipv4)
        (void)start_child(x, host, TYPE_A);
    if (conf->ipv6)
        (void)start_child(x, host, TYPE_AAAA);
}

bool recurse_look_for_servers(struct recurse *x) {
    for (unsigned i = 0; i < x->d.hosts && x->depth < BOUND_GLUELESS_DEPTH && free_place(x) == 0; i++) {
        if (!x->d.host[i].looked_up && x->d.host[i].addresses == 0)
            start_host(x, i);
    }
    for (unsigned i = 0; i < BOUND_GLUELESS_AT_ONCE; i++)
        if (x->child[i] != NULL)
            return true;
    return false;
}

bool recurse_look_again(struct recurse *x) {
    if (x->looked_again || x->depth > 0 || (x->d.origin != FROM_CACHE && x->d.origin != FROM_REFERRAL))
        return false;
    x->looked_again = true;
    for (unsigned i = 0, n = 0; i < x->d.hosts && n < BOUND_GLUELESS_AT_ONCE; i++)
        if (x->d.host[i].addresses > 0 && !name_under(&x->d.host[i].name, &x->d.zone) && ++n > 0)
            start_host(x, i);
    for (unsigned i = 0; i < BOUND_GLUELESS_AT_ONCE; i++)
        if (x->child[i] != NULL)
            return true;
    return false;
}

void recurse_drop_children(struct recurse *x) {
    for (unsigned i = 0; i < BOUND_GLUELESS_AT_ONCE; i++)
        if (x->child[i] != NULL) {
            recurse_cancel(x->child[i]);
            x->child[i] = NULL;
        }
}
