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

/* A child passes a delegation that names its own host, with addresses: what the parents of the host's zone said. With
 * servers that moved, they or the host's own zone may be right. */
void recurse_note_glue(struct recurse *child) {
    int at = child->parent == NULL ? -1 : delegation_host(&child->d, &child->q.qname);
    for (unsigned i = 0; at >= 0 && i < child->d.addresses && child->glue_count < BOUND_NS_PER_NAME; i++)
        if (child->d.of[i] == at)
            child->glue[child->glue_count++] = child->d.at[i].address;
}

static struct cache_key failure_key(const struct name *name, uint16_t type) {
    return (struct cache_key){.qname = name, .qtype = type, .qclass = CLASS_IN};
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
        for (unsigned k = 0; k < child->glue_count; k++)
            (void)delegation_add(&x->d, x->all->config.conf, x->host[i], &child->glue[k]);
        if (!r->answered && r->remember && x->all->config.cache != NULL) {
            const struct cache_key key = failure_key(&child->q.qname, child->q.qtype);
            (void)cache_put_failure(x->all->config.cache, &key, RCODE_SERVFAIL, r->ede);
        }
    }
    if (x->asking == NULL)
        recurse_ready(x);
}

/* Nobody finds out again and again, for each client anew, that a server has no address (RFC 9520; TsuNAME). */
static bool has_failed(const struct recurse *x, const struct name *name, uint16_t type) {
    const struct cache_key key = failure_key(name, type);
    return x->all->config.cache != NULL && cache_failing(x->all->config.cache, &key);
}

static bool start_child(struct recurse *x, unsigned host, uint16_t type) {
    unsigned place = free_place(x);
    struct resolve_question q = {.qname = x->d.host[host].name, .qtype = type, .qclass = CLASS_IN};
    if (place == BOUND_GLUELESS_AT_ONCE || x->glueless == BOUND_GLUELESS_IN_ALL ||
        x->budget->glueless == BOUND_GLUELESS_TOTAL || is_asked_above(x, &q.qname, type) ||
        has_failed(x, &q.qname, type))
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

static bool is_under_way(const struct recurse *x, unsigned host) {
    for (unsigned i = 0; i < BOUND_GLUELESS_AT_ONCE; i++)
        if (x->child[i] != NULL && x->host[i] == host)
            return true;
    return false;
}

/* IPv4 first; IPv6 of those that have no other: a name that does not exist costs one question then, not two. */
static void start_host(struct recurse *x, unsigned host) {
    const struct conf_recursion *conf = &x->all->config.conf->resolver.recursion;
    for (unsigned bit = DELEGATION_A; bit <= DELEGATION_AAAA && !is_under_way(x, host); bit <<= 1) {
        bool on = bit == DELEGATION_A ? conf->ipv4 : conf->ipv6;
        if (x->d.host[host].asked & bit)
            continue;
        x->d.host[host].asked |= (uint8_t)bit;
        if (on)
            (void)start_child(x, host, bit == DELEGATION_A ? TYPE_A : TYPE_AAAA);
    }
}

static bool is_waiting(const struct recurse *x) {
    for (unsigned i = 0; i < BOUND_GLUELESS_AT_ONCE; i++)
        if (x->child[i] != NULL)
            return true;
    return false;
}

bool recurse_look_for_servers(struct recurse *x) {
    for (unsigned i = 0; i < x->d.hosts && x->depth < BOUND_GLUELESS_DEPTH; i++)
        if (x->d.host[i].addresses == 0 && free_place(x) < BOUND_GLUELESS_AT_ONCE)
            start_host(x, i);
    return is_waiting(x);
}

bool recurse_look_again(struct recurse *x) {
    if (x->looked_again || x->depth > 0 || (x->d.origin != FROM_CACHE && x->d.origin != FROM_REFERRAL))
        return false;
    x->looked_again = true;
    for (unsigned i = 0; i < x->d.hosts && free_place(x) < BOUND_GLUELESS_AT_ONCE; i++)
        if (x->d.host[i].addresses > 0 && !name_under(&x->d.host[i].name, &x->d.zone))
            start_host(x, i);
    return is_waiting(x);
}

void recurse_drop_children(struct recurse *x) {
    for (unsigned i = 0; i < BOUND_GLUELESS_AT_ONCE; i++)
        if (x->child[i] != NULL) {
            recurse_cancel(x->child[i]);
            x->child[i] = NULL;
        }
}
