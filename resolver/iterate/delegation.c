#include "resolver/iterate/delegation.h"

#include <string.h>

#include "resolver/dns/writer.h"

enum { PORT = 53 };

int delegation_host(const struct delegation *d, const struct name *name) {
    for (unsigned i = 0; i < d->hosts; i++)
        if (name_equal(&d->host[i].name, name))
            return (int)i;
    return -1;
}

static int add_host(struct delegation *d, const struct name *name) {
    int at = delegation_host(d, name);
    if (at >= 0 || d->hosts == BOUND_NS_NAMES)
        return at;
    d->host[d->hosts].name = *name;
    d->host[d->hosts].asked = 0;
    d->host[d->hosts].addresses = 0;
    return (int)d->hosts++;
}

static bool has_address(const struct delegation *d, const struct addr *a) {
    for (unsigned i = 0; i < d->addresses; i++)
        if (addr_same(&d->at[i].address, a))
            return true;
    return false;
}

bool delegation_add(struct delegation *d, const struct conf *conf, unsigned index, const struct addr *a) {
    if (!hints_may_ask(conf, a))
        return false;
    if (has_address(d, a)) {
        d->host[index].addresses++;
        return true;
    }
    if (d->addresses == BOUND_NS_ADDRESSES || d->host[index].addresses == BOUND_NS_PER_NAME)
        return false;
    d->host[index].addresses++;
    d->of[d->addresses] = (uint8_t)index;
    d->at[d->addresses++] = (struct server_choice){.address = *a};
    return true;
}

static bool address_of(struct addr *a, uint16_t type, struct bytes rdata) {
    memset(a, 0, sizeof *a);
    if (type == TYPE_A && rdata.size == 4) {
        a->in.sin_family = AF_INET;
        memcpy(&a->in.sin_addr, rdata.at, 4);
    } else if (type == TYPE_AAAA && rdata.size == 16) {
        a->in6.sin6_family = AF_INET6;
        memcpy(&a->in6.sin6_addr, rdata.at, 16);
    } else {
        return false;
    }
    addr_set_port(a, PORT);
    return true;
}

unsigned delegation_take(struct delegation *d, const struct conf *conf, unsigned index, const struct rrset *set) {
    struct bytes rdata;
    struct addr a;
    size_t at = 0;
    unsigned taken = 0;
    for (unsigned i = 0; i < set->count && rrset_next(set, &at, &rdata) == 0; i++)
        if (address_of(&a, set->type, rdata) && delegation_add(d, conf, index, &a))
            taken++;
    return taken;
}

static void clear(struct delegation *d, const struct name *zone, enum delegation_origin origin) {
    d->zone = *zone;
    d->origin = origin;
    d->hosts = d->addresses = 0;
}

static void take_hosts(struct delegation *d, const struct rrset *ns) {
    struct bytes rdata;
    struct name host;
    size_t at = 0, next;
    for (unsigned i = 0; i < ns->count && rrset_next(ns, &at, &rdata) == 0; i++) {
        if (name_read(&host, rdata.at, rdata.size, 0, &next) != 0)
            continue;
        name_lower(&host);
        (void)add_host(d, &host);
    }
}

/* Addresses of the hosts, whatever they are trusted for: a wrong one costs a query, no answer. */
static void cached_addresses(struct delegation *d, const struct delegations *from) {
    static const uint16_t types[] = {TYPE_A, TYPE_AAAA};
    struct rrset set;
    for (unsigned i = 0; from->cache != NULL && i < d->hosts; i++)
        for (unsigned k = 0; k < 2; k++)
            if (cache_rrset_get(from->cache, &d->host[i].name, types[k], CLASS_IN, 0, &set, from->buf) == 0 &&
                set.kind == RRSET_DATA)
                (void)delegation_take(d, from->conf, i, &set);
}

static bool is_usable(const struct delegation *d) {
    if (d->addresses > 0)
        return true;
    for (unsigned i = 0; i < d->hosts; i++)
        if (!name_under(&d->host[i].name, &d->zone))
            return true;
    return false;
}

static bool from_cache(struct delegation *d, const struct delegations *from, const struct name *zone) {
    struct rrset ns;
    if (from->cache == NULL || cache_rrset_get(from->cache, zone, TYPE_NS, CLASS_IN, 0, &ns, from->buf) != 0 ||
        ns.kind != RRSET_DATA || ns.trust < TRUST_REFERRAL)
        return false;
    clear(d, zone, FROM_CACHE);
    take_hosts(d, &ns);
    cached_addresses(d, from);
    return is_usable(d);
}

static void from_hints(struct delegation *d, const struct delegations *from) {
    struct name root = {.size = 1};
    clear(d, &root, FROM_HINTS);
    for (unsigned i = 0; i < from->hints->count; i++) {
        int host = add_host(d, &from->hints->host[from->hints->at[i].host]);
        if (host >= 0)
            (void)delegation_add(d, from->conf, (unsigned)host, &from->hints->at[i].address);
    }
    for (unsigned i = 0; i < d->hosts; i++)
        d->host[i].asked = DELEGATION_BOTH;
}

/* A configured zone stands for a single host without a name. */
static void configured(struct delegation *d, const struct name *zone, enum delegation_origin origin,
                       const struct conf_list_addr *to) {
    clear(d, zone, origin);
    d->hosts = 1;
    d->host[0].name = *zone;
    d->host[0].asked = DELEGATION_BOTH;
    for (size_t i = 0; i < to->count && d->addresses < BOUND_NS_ADDRESSES; i++)
        if (!has_address(d, &to->at[i]))
            d->at[d->addresses++] = (struct server_choice){.address = to->at[i]};
}

/* The deepest stub or forward zone that holds the name; false: none. */
static bool from_configuration(struct delegation *d, const struct delegations *from, const struct name *qname,
                               unsigned below) {
    const struct conf *conf = from->conf;
    static const struct conf_list_addr nobody;
    const struct conf_list_addr *best = NULL;
    struct name zone, best_zone = {.size = 1};
    enum delegation_origin origin = FROM_STUB;
    for (size_t i = 0; i < conf->resolver.stub_count + conf->resolver.forward_count; i++) {
        bool stub = i < conf->resolver.stub_count;
        const struct conf_forward *f = &conf->resolver.forward[stub ? 0 : i - conf->resolver.stub_count];
        if (name_from_text(&zone, stub ? conf->resolver.stub[i].zone : f->zone, NULL) != 0)
            continue;
        name_lower(&zone);
        if (!name_under(qname, &zone) || zone.labels >= below || (best != NULL && zone.labels <= best_zone.labels) ||
            (!stub && from->fell_back && f->fallback))
            continue;
        /* What is to be asked over TLS only is not asked in the clear because an alias led there. */
        best = stub ? &conf->resolver.stub[i].to : f->tls_name[0] == '\0' ? &f->to : &nobody;
        best_zone = zone;
        origin = stub ? FROM_STUB : FROM_FORWARD;
    }
    if (best == NULL)
        return false;
    configured(d, &best_zone, origin, best);
    return true;
}

void delegation_find(struct delegation *d, const struct delegations *from, const struct name *qname, uint16_t qtype,
                     unsigned below) {
    struct name zone;
    bool set = from_configuration(d, from, qname, below);
    unsigned above = qtype == TYPE_DS && qname->labels > 0 ? 1 : 0, floor = set ? d->zone.labels : 0;
    if (set && d->origin == FROM_FORWARD) /* all below it is the forwarder's */
        return;
    for (unsigned i = above; i <= qname->labels; i++) {
        unsigned labels = qname->labels - i;
        if (labels >= below || (set && labels <= floor))
            continue;
        name_strip(&zone, qname, i);
        if (!set && !from->conf->resolver.recursion.enabled)
            break;
        if (from_cache(d, from, &zone))
            return;
    }
    if (set)
        (void)from_configuration(d, from, qname, below);
    else if (from->conf->resolver.recursion.enabled)
        from_hints(d, from);
    else
        clear(d, &(struct name){.size = 1}, FROM_HINTS); /* nobody */
}

void delegation_refer(struct delegation *d, const struct delegations *from, struct sift *sift,
                      const struct sift_result *referral) {
    struct rrset set;
    clear(d, &referral->cut, FROM_REFERRAL);
    for (unsigned i = 0; i < referral->count; i++)
        if (referral->rrset[i].type == TYPE_NS && sift_rrset(sift, i, &set, from->buf) == 0)
            take_hosts(d, &set);
    for (unsigned i = 0; i < referral->count; i++) {
        const struct sift_rrset *r = &referral->rrset[i];
        if (r->type != TYPE_A && r->type != TYPE_AAAA)
            continue;
        int host = delegation_host(d, &r->owner);
        if (host >= 0 && sift_rrset(sift, i, &set, from->buf) == 0)
            (void)delegation_take(d, from->conf, (unsigned)host, &set);
    }
    cached_addresses(d, from);
}
