/* Forgetting a name, or a zone. */
#include "resolver/cache/inside.h"
#include "resolver/cache/layout.h"
#include "resolver/dns/message.h"

struct flush {
    const struct name *name;
    bool below;
};

static bool meant(const struct flush *f, const struct name *n) {
    return f->below ? name_under(n, f->name) : name_equal(n, f->name);
}

/* Whether an answer to another question has anything of what is meant: an RR, or a CNAME that leads there. Of the
 * authority section what is below a zone; for one name that would be every denial of its zone. */
static bool answer_meant(const struct flush *f, const struct cache_item *item) {
    struct dns_reader reader;
    struct dns_rr rr;
    struct name target;
    if (dns_reader_open(&reader, item->msg, item->msg_size, NULL, NULL, NULL) != 0)
        return true;
    while (dns_reader_next(&reader, &rr) == 0) {
        if ((rr.section == SECTION_ANSWER || f->below) && meant(f, &rr.owner))
            return true;
        if (rr.section == SECTION_ANSWER && rr.type == TYPE_CNAME &&
            dns_name_rdata_read(&target, &rr, item->msg, item->msg_size) == 0 && meant(f, &target))
            return true;
    }
    return false;
}

static bool see(void *ctx, const struct cache_item *item) {
    const struct flush *f = ctx;
    if (meant(f, &item->name))
        return true;
    if (item->kind == CACHE_RRSET) /* that a name above is not there says that this one is not */
        return item->rrset.kind == RRSET_NXDOMAIN && name_under(f->name, &item->name);
    return item->kind == CACHE_ANSWER && answer_meant(f, item);
}

int cache_flush(struct cache *c, const struct name *name, bool below, uint64_t *forgotten) {
    struct flush f = {.name = name, .below = below};
    uint64_t moved = 0;
    int e = cache_walk(c, see, &f, forgotten);
    /* A word that another process raised past us (evict.c) is where we have been; it is raised but once. */
    cache_tick(c);
    if (e == 0 && c->least < c->extent)
        e = cache_walk(c, see, &f, &moved);
    if (e == 0 && forgotten != NULL)
        *forgotten += moved;
    return e;
}
