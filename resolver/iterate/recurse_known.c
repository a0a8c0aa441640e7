/* What the cache knows already, and what goes into it. */
#include <string.h>

#include "resolver/iterate/recurse_impl.h"

static int get(struct recurse *x, const struct name *name, uint16_t type, struct rrset *set) {
    struct recursions *a = x->all;
    if (a->config.cache == NULL)
        return E_NOTFOUND;
    int e = cache_rrset_get(a->config.cache, name, type, x->q.qclass, 0, set, a->buf);
    /* Glue is for asking, not for answering; without DO nobody asked for signatures. */
    if (e == 0 && (set->trust < TRUST_ANSWER || (x->q.dnssec_ok && !set->with_dnssec)))
        return E_NOTFOUND;
    return e;
}

/* RFC 8020: below a name that does not exist there is nothing. */
static bool is_cut(struct recurse *x, struct rrset *set) {
    struct name name;
    for (unsigned i = 0; i + 1 <= x->name.labels; i++) {
        name_strip(&name, &x->name, i);
        if (get(x, &name, RRSET_NAME, set) == 0 && set->kind == RRSET_NXDOMAIN && set->trust >= TRUST_ANSWER)
            return true;
    }
    return false;
}

static bool follow(struct recurse *x, const struct rrset *cname) {
    struct bytes rdata;
    size_t at = 0, next;
    struct name target;
    if (rrset_next(cname, &at, &rdata) != 0 || name_read(&target, rdata.at, rdata.size, 0, &next) != 0)
        return false;
    name_lower(&target);
    x->name = target;
    return true;
}

enum known recurse_look_up(struct recurse *x) {
    struct rrset set;
    if (x->q.qtype == TYPE_ANY)
        return KNOWN_NOTHING;
    if (get(x, &x->name, x->q.qtype, &set) == 0 || is_cut(x, &set))
        return parts_add(&x->parts, &set) == 0 ? KNOWN_ANSWER : KNOWN_TOO_MUCH;
    if (x->q.qtype == TYPE_CNAME || get(x, &x->name, TYPE_CNAME, &set) != 0 || set.kind != RRSET_DATA)
        return KNOWN_NOTHING;
    if (x->chain == BOUND_CHAIN || parts_add(&x->parts, &set) != 0)
        return KNOWN_TOO_MUCH;
    x->chain++;
    return follow(x, &set) ? KNOWN_ALIAS : KNOWN_TOO_MUCH;
}

int recurse_known(struct recursions *a, const struct resolve_question *q, uint8_t *to, size_t cap) {
    struct recurse *x = recurse_new(a, NULL, q);
    enum known known = KNOWN_ALIAS;
    if (x == NULL)
        return E_NOMEM;
    while (known == KNOWN_ALIAS)
        known = recurse_look_up(x);
    int size = known == KNOWN_ANSWER ? parts_write(&x->parts, q, to, cap) : E_NOTFOUND;
    recurse_cancel(x);
    return size;
}

static bool set_of(struct recursions *a, unsigned index, struct rrset *set) {
    return sift_rrset(a->sift, index, set, a->buf) == 0 && set->ttl_s > 0 && set->type != TYPE_SOA;
}

void recurse_keep(struct recurse *x, const struct sift_result *r, bool whole) {
    struct recursions *a = x->all;
    struct rrset set;
    if (a->config.cache == NULL)
        return;
    for (unsigned i = 0; i < r->count; i++)
        if (name_under(&r->rrset[i].owner, &x->d.zone) && set_of(a, i, &set))
            (void)cache_rrset_put(a->config.cache, &set);
    /* A server that denies a part of a name may have the whole name all the same: nothing is concluded from parts. */
    if ((r->kind == SIFT_NXDOMAIN || r->kind == SIFT_NODATA) && whole && sift_denial(a->sift, &set, a->buf) == 0)
        (void)cache_rrset_put(a->config.cache, &set);
}

int recurse_take(struct recurse *x, const struct sift_result *r) {
    struct recursions *a = x->all;
    struct rrset set;
    int e;
    for (unsigned i = 0; i < r->count; i++)
        if (r->rrset[i].section == SECTION_ANSWER &&
            ((e = sift_rrset(a->sift, i, &set, a->buf)) != 0 || (e = parts_add(&x->parts, &set)) != 0))
            return e;
    if (r->kind != SIFT_NXDOMAIN && r->kind != SIFT_NODATA)
        return 0;
    e = sift_denial(a->sift, &set, a->buf);
    if (e == E_NOTFOUND)
        set.ttl_s = 0; /* nobody said for how long */
    return e == 0 || e == E_NOTFOUND ? parts_add(&x->parts, &set) : e;
}
