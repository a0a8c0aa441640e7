/* RRs of the message. */
#include "rbl/update/impl.h"

static int soa_expand(const struct update_run *u, const struct dns_rr *rr, uint8_t *to, size_t cap) {
    struct name n;
    size_t end = rr->rdata + rr->rdata_size, at = rr->rdata, used = 0;
    for (int i = 0; i < 2; i++) {
        if (name_read(&n, u->msg, end, at, &at) != 0 || used + n.size > cap)
            return E_INVALID;
        memcpy(to + used, n.wire, n.size);
        used += n.size;
    }
    if (end - at != 20 || used + 20 > cap)
        return E_INVALID;
    memcpy(to + used, u->msg + at, 20);
    return (int)used + 20;
}

/* RDATA without compression: its size, or E_INVALID when it has not the shape of its type. */
static int rdata_expand(const struct update_run *u, const struct dns_rr *rr, uint8_t *to, size_t cap) {
    struct bytes raw = {u->msg + rr->rdata, rr->rdata_size};
    size_t end = rr->rdata + rr->rdata_size, next;
    int from = records_name_in(rr->type);
    struct name n;
    if (rr->type == TYPE_SOA)
        return soa_expand(u, rr, to, cap);
    if (from >= 0) {
        if (raw.size < (size_t)from || name_read(&n, u->msg, end, rr->rdata + (size_t)from, &next) != 0 ||
            next != end || (size_t)from + n.size > cap)
            return E_INVALID;
        memcpy(to, raw.at, (size_t)from);
        memcpy(to + from, n.wire, n.size);
        return from + n.size;
    }
    if ((rr->type == TYPE_A && raw.size != 4) || (rr->type == TYPE_AAAA && raw.size != 16) ||
        (rr->type == TYPE_TXT && !records_strings_right(raw)) || raw.size > cap)
        return E_INVALID;
    if (raw.size > 0)
        memcpy(to, raw.at, raw.size);
    return (int)raw.size;
}

static int rr_take(struct update_run *u, struct update_rr *to, const struct dns_rr *rr) {
    to->type = rr->type;
    to->klass = rr->klass;
    to->ttl = get_u32(u->msg + rr->rdata - 6); /* as it stands there: dns_rr has read a great one as 0 */
    to->rdata_size = rr->rdata_size;
    to->rdata_bad = false;
    to->rdata = (struct bytes){NULL, 0};
    to->outside = !records_relative(&rr->owner, &u->zone->apex, &to->name);
    if (rr->klass == CLASS_ANY || rr->rdata_size == 0)
        return 0;
    size_t cap = (size_t)rr->rdata_size + 2 * LIMIT_NAME_WIRE; /* names grow when pointers go */
    uint8_t *rdata = arena_alloc(&u->arena, cap);
    if (rdata == NULL)
        return err_set(u->err, E_NOMEM, "no memory for an update");
    int size = rdata_expand(u, rr, rdata, cap);
    to->rdata_bad = size < 0;
    to->rdata = (struct bytes){rdata, size < 0 ? 0 : (size_t)size};
    return 0;
}

int update_read(struct update_run *u) {
    struct dns_reader r;
    struct dns_rr rr;
    int rc = dns_reader_open(&r, u->msg, u->size, NULL, NULL, NULL);
    if (rc < 0)
        return update_refuse(u, RCODE_FORMERR, "no DNS message");
    unsigned all = (unsigned)r.header.an + r.header.ns;
    if (all > UPDATE_RRS)
        return update_refuse(u, RCODE_REFUSED, "too many RRs in one message");
    u->prerequisites = r.header.an;
    u->rr = arena_alloc(&u->arena, (all + 1) * sizeof *u->rr);
    if (u->rr == NULL)
        return err_set(u->err, E_NOMEM, "no memory for an update");
    for (; u->count < all; u->count++) {
        if (dns_reader_next(&r, &rr) != 0)
            return update_refuse(u, RCODE_FORMERR, "no DNS message");
        rc = rr_take(u, &u->rr[u->count], &rr);
        if (rc < 0)
            return rc;
    }
    return 0;
}
