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

static void child_done(void *ctx, const struct recurse_result *r) {
    struct recurse *child = ctx, *x = child->parent;
    for (unsigned i = 0; i < BOUND_GLUELESS_AT_ONCE; i++) {
        if (x->child[i] != child)
            continue;
        x->child[i] = NULL;
        for (unsigned k = 0; r->answered && k < r->parts->count; k++)
            if (r->parts->at[k]->kind == RRSET_DATA)
                (void)delegation_take(&x->d, x->all->config.conf, x->host[i], r->parts->at[k]);
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
        /* Its parent has just said what it knows of a name inside the zone. */
        bool in_vain = x->d.origin == FROM_REFERRAL && name_under(&x->d.host[i].name, &x->d.zone);
        if (!x->d.host[i].looked_up && x->d.host[i].addresses == 0 && !in_vain)
            start_host(x, i);
    }
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
