#include "rbl/secondary/plain.h"

#include "resolver/dns/rdata.h"

enum { SOA_NUMBERS = 20, CLASS_WANTED = CLASS_IN };

struct taking {
    struct plain *p;
    plain_fn each;
    void *ctx;
    struct err *err;
};

void plain_open(struct plain *p, const struct name *apex, uint16_t id, uint16_t type, uint32_t have) {
    memset(p, 0, sizeof *p);
    p->apex = *apex;
    name_lower(&p->apex);
    p->id = id;
    p->type = type;
    p->have = have;
}

/* --- the frame of a message */

static int refused(const struct plain *p, unsigned rcode, struct err *err) {
    char room[16];
    bool first = p->messages == 0, unknown = rcode == RCODE_NOTIMP || rcode == RCODE_FORMERR || rcode == RCODE_REFUSED;
    const char *what = p->type == TYPE_IXFR ? "IXFR" : "AXFR";
    const char *text = dns_rcode_text(rcode, room);
    if (first && p->type == TYPE_IXFR && unknown)
        return err_set(err, E_UNSUPPORTED, "the server answers IXFR with %s", text);
    if (first)
        return err_set(err, E_DENIED, "the server answers %s with %s", what, text);
    return err_set(err, E_INVALID, "%s ended with %s in the middle", what, text);
}

static int open_message(struct plain *p, struct dns_reader *r, const uint8_t *msg, size_t size, struct err *err) {
    struct name qname;
    uint16_t type, klass;
    int rc = dns_reader_open(r, msg, size, &qname, &type, &klass);
    if (rc < 0)
        return err_set(err, E_INVALID, "no DNS message");
    if (r->header.id != p->id || (r->header.flags & FLAG_QR) == 0 || r->header.opcode != OPCODE_QUERY)
        return err_set(err, E_INVALID, "an answer to another question (id, QR or opcode)");
    if (r->header.rcode != RCODE_NOERROR)
        return refused(p, r->header.rcode, err);
    if ((r->header.flags & FLAG_TC) != 0)
        return err_set(err, E_INVALID, "a message of a transfer that says it is cut");
    if (r->header.qd != 0 && (type != p->type || klass != CLASS_WANTED || !name_equal(&qname, &p->apex)))
        return err_set(err, E_INVALID, "an answer to another question (name, type or class)");
    return 0;
}

/* --- SOA, which says where what begins and ends */

static uint32_t soa_number(struct bytes soa, unsigned at) { return get_u32(soa.at + soa.size - SOA_NUMBERS + at * 4); }

static void first_soa(struct plain *p, struct bytes soa) {
    memcpy(p->soa, soa.at, soa.size);
    p->soa_size = (uint16_t)soa.size;
    p->serial = soa_number(soa, 0);
    p->refresh_s = soa_number(soa, 1);
    p->retry_s = soa_number(soa, 2);
    p->expire_s = soa_number(soa, 3);
    p->at = PLAIN_SECOND;
}

static bool is_first_soa(const struct plain *p, struct bytes soa) {
    if (soa.size != p->soa_size || memcmp(soa.at + soa.size - SOA_NUMBERS, p->soa + soa.size - SOA_NUMBERS, 20) != 0)
        return false;
    for (size_t i = 0; i + SOA_NUMBERS < soa.size; i++) {
        uint8_t a = soa.at[i], b = p->soa[i]; /* names, the same in any case; length octets are below 'A' */
        if (a != b && ((a | 0x20) != (b | 0x20) || (a | 0x20) < 'a' || (a | 0x20) > 'z'))
            return false;
    }
    return true;
}

static int at_end(struct plain *p, struct bytes soa, struct err *err) {
    if (!is_first_soa(p, soa))
        return err_set(err, E_INVALID, "the SOA at the end (serial %u) is not that of the beginning (serial %u)",
                       soa_number(soa, 0), p->serial);
    p->at = PLAIN_END;
    return 0;
}

/* The second SOA of an IXFR begins a difference, unless it is the first again: a zone with nothing else. */
static int second_soa(struct plain *p, struct bytes soa, struct err *err) {
    if (p->type == TYPE_AXFR || soa_number(soa, 0) == p->serial)
        return at_end(p, soa, err);
    if (soa_number(soa, 0) != p->have)
        return err_set(err, E_INVALID, "differences from serial %u, asked for was %u", soa_number(soa, 0), p->have);
    p->differences = true;
    p->at = PLAIN_LESS;
    return 0;
}

static int next_sequence(struct plain *p, struct bytes soa, struct err *err) {
    uint32_t serial = soa_number(soa, 0);
    if (serial == p->serial && p->sequence == p->serial)
        return at_end(p, soa, err);
    if (serial != p->sequence)
        return err_set(err, E_INVALID, "a difference from serial %u behind one to %u", serial, p->sequence);
    if (++p->sequences > PLAIN_SEQUENCES)
        return err_set(err, E_FULL, "more than %d differences", PLAIN_SEQUENCES);
    p->at = PLAIN_LESS;
    return 0;
}

static int take_soa(struct taking *t, const struct records_rr *rr) {
    struct plain *p = t->p;
    int rc = 0;
    switch (p->at) {
    case PLAIN_FIRST:
        first_soa(p, rr->rdata);
        return 0;
    case PLAIN_SECOND:
        rc = second_soa(p, rr->rdata, t->err);
        break;
    case PLAIN_ALL:
        return at_end(p, rr->rdata, t->err);
    case PLAIN_LESS:
        p->sequence = soa_number(rr->rdata, 0);
        p->at = PLAIN_MORE;
        return t->each(t->ctx, PLAIN_ADD, rr, t->err);
    case PLAIN_MORE:
        return next_sequence(p, rr->rdata, t->err);
    case PLAIN_END:
        return err_set(t->err, E_INVALID, "RRs behind the end of the transfer");
    }
    /* Nothing but an SOA at both ends: the zone is that. */
    if (rc == 0 && p->at == PLAIN_END)
        return t->each(t->ctx, PLAIN_WHOLE, rr, t->err);
    return rc;
}

/* --- RRs */

/* The first SOA is told when it is known that everything follows. */
static int tell_first(struct taking *t, uint32_t ttl) {
    struct records_rr soa = {.owner = t->p->apex, .type = TYPE_SOA, .ttl = ttl, .rdata = {t->p->soa, t->p->soa_size}};
    t->p->at = PLAIN_ALL;
    return t->each(t->ctx, PLAIN_WHOLE, &soa, t->err);
}

static int take_data(struct taking *t, const struct records_rr *rr) {
    int rc = 0;
    switch (t->p->at) {
    case PLAIN_FIRST:
        return err_set(t->err, E_INVALID, "a transfer that does not begin with an SOA");
    case PLAIN_SECOND:
        rc = tell_first(t, t->p->soa_ttl);
        return rc == 0 ? t->each(t->ctx, PLAIN_WHOLE, rr, t->err) : rc;
    case PLAIN_ALL:
        return t->each(t->ctx, PLAIN_WHOLE, rr, t->err);
    case PLAIN_LESS:
        return t->each(t->ctx, PLAIN_REMOVE, rr, t->err);
    case PLAIN_MORE:
        return t->each(t->ctx, PLAIN_ADD, rr, t->err);
    case PLAIN_END:
        break;
    }
    return err_set(t->err, E_INVALID, "RRs behind the end of the transfer");
}

static int take_rr(struct taking *t, const struct dns_rr *in, struct bytes msg) {
    uint8_t room[LIMIT_MESSAGE];
    struct records_rr rr = {.owner = in->owner, .type = in->type, .ttl = in->ttl};
    if (++t->p->rrs > PLAIN_RRS)
        return err_set(t->err, E_FULL, "more than %d RRs", PLAIN_RRS);
    if (in->klass != CLASS_WANTED)
        return err_set(t->err, E_INVALID, "an RR of class %u", in->klass);
    if (rdata_plain(in, msg, room, sizeof room, &rr.rdata) != 0)
        return err_set(t->err, E_INVALID, "RDATA that type %u cannot have", in->type);
    name_lower(&rr.owner);
    bool soa = rr.type == TYPE_SOA && name_equal(&rr.owner, &t->p->apex);
    if (soa && t->p->at == PLAIN_FIRST)
        t->p->soa_ttl = rr.ttl;
    return soa ? take_soa(t, &rr) : take_data(t, &rr);
}

/* One SOA, and it is not newer: we have what there is. On TCP a newer one alone is the first of several messages. */
static bool up_to_date(const struct plain *p) {
    return p->type == TYPE_IXFR && p->at == PLAIN_SECOND && p->messages == 0 && (int32_t)(p->serial - p->have) <= 0;
}

int plain_take(struct plain *p, const uint8_t *msg, size_t size, plain_fn each, void *ctx, struct err *err) {
    struct taking t = {.p = p, .each = each, .ctx = ctx, .err = err};
    struct dns_reader r;
    struct dns_rr rr;
    int rc = open_message(p, &r, msg, size, err);
    for (unsigned i = 0; rc == 0 && i < r.header.an; i++) {
        rc = dns_reader_next(&r, &rr);
        if (rc != 0)
            return err_set(err, E_INVALID, "a message that breaks off or is none");
        rc = take_rr(&t, &rr, (struct bytes){msg, size});
    }
    if (rc != 0)
        return rc;
    if (up_to_date(p))
        p->at = PLAIN_END;
    p->messages++;
    return p->at == PLAIN_END;
}
