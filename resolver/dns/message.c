/* Reading messages: header, question, RRs. What OPT holds is read in edns.c. */
#include "resolver/dns/message.h"

enum { RR_FIXED = 10, RR_LEAST = 11, QUESTION_FIXED = 4 };

/* Where an RR stands, before its owner is taken out. */
struct place {
    size_t fixed; /* type, class, TTL, RDLENGTH */
    size_t rdata, end;
    uint16_t type;
};

static void header_read(struct dns_header *h, const uint8_t *msg) {
    uint16_t word = get_u16(msg + 2);
    h->id = get_u16(msg);
    h->flags = word & (FLAG_QR | FLAG_AA | FLAG_TC | FLAG_RD | FLAG_RA | FLAG_AD | FLAG_CD);
    h->opcode = word >> 11 & 15;
    h->rcode = word & 15;
    h->qd = get_u16(msg + 4);
    h->an = get_u16(msg + 6);
    h->ns = get_u16(msg + 8);
    h->ar = get_u16(msg + 10);
}

/* Counts that the octets there are could not hold. */
static bool counts_lie(const struct dns_header *h, size_t left) {
    unsigned rrs = (unsigned)h->an + h->ns + h->ar;
    return rrs > LIMIT_RRS_PER_MESSAGE || rrs * (size_t)RR_LEAST > left;
}

static void name_root(struct name *n) {
    n->size = 1;
    n->labels = 0;
    n->wire[0] = 0;
}

static int question_read(struct name *qname, uint16_t *qtype, uint16_t *qclass, const uint8_t *msg, size_t size,
                         size_t *at) {
    size_t next;
    if (name_read(qname, msg, size, *at, &next) != 0 || size - next < QUESTION_FIXED)
        return E_INVALID;
    *qtype = get_u16(msg + next);
    *qclass = get_u16(msg + next + 2);
    *at = next + QUESTION_FIXED;
    return 0;
}

/* Takes the RR at `at` apart, its owner into `owner`. */
static int place_read(struct place *p, struct name *owner, const uint8_t *msg, size_t size, size_t at) {
    if (name_read(owner, msg, size, at, &p->fixed) != 0 || size - p->fixed < RR_FIXED)
        return E_INVALID;
    p->rdata = p->fixed + RR_FIXED;
    size_t rdata_size = get_u16(msg + p->rdata - 2);
    if (rdata_size > size - p->rdata)
        return E_INVALID;
    p->end = p->rdata + rdata_size;
    p->type = get_u16(msg + p->fixed);
    return 0;
}

static void rr_fill(struct dns_rr *rr, const struct place *p, const uint8_t *msg, uint8_t section) {
    rr->type = p->type;
    rr->klass = get_u16(msg + p->fixed + 2);
    uint32_t ttl = get_u32(msg + p->fixed + 4);
    /* In OPT the field is no TTL (RFC 6891 section 6.1.3). */
    rr->ttl = ttl > INT32_MAX && p->type != TYPE_OPT ? 0 : ttl;
    rr->section = section;
    rr->rdata = p->rdata;
    rr->rdata_size = (uint16_t)(p->end - p->rdata);
}

int dns_reader_open(struct dns_reader *r, const uint8_t *msg, size_t size, struct name *qname, uint16_t *qtype,
                    uint16_t *qclass) {
    struct name name;
    uint16_t type = 0, klass = 0;
    name_root(&name);
    if (size < DNS_HEADER)
        return E_INVALID;
    *r = (struct dns_reader){.msg = msg, .size = size, .at = DNS_HEADER};
    header_read(&r->header, msg);
    if (r->header.qd > 1)
        return E_INVALID;
    if (r->header.qd == 1 && question_read(&name, &type, &klass, msg, size, &r->at) != 0)
        return E_INVALID;
    if (counts_lie(&r->header, size - r->at))
        return E_INVALID;
    r->left[SECTION_ANSWER] = r->header.an;
    r->left[SECTION_AUTHORITY] = r->header.ns;
    r->left[SECTION_ADDITIONAL] = r->header.ar;
    if (qname != NULL)
        *qname = name;
    if (qtype != NULL)
        *qtype = type;
    if (qclass != NULL)
        *qclass = klass;
    return 0;
}

/* One OPT, in the additional section, owned by the root; a TSIG is the last RR of all. */
static int reader_rules(struct dns_reader *r, const struct dns_rr *rr) {
    if (r->tsig_seen)
        return E_INVALID;
    if (rr->type == TYPE_OPT) {
        if (r->opt_seen || rr->section != SECTION_ADDITIONAL || rr->owner.labels != 0)
            return E_INVALID;
        r->opt_seen = true;
    } else if (rr->type == TYPE_TSIG) {
        if (rr->section != SECTION_ADDITIONAL)
            return E_INVALID;
        r->tsig_seen = true;
    }
    return 0;
}

int dns_reader_next(struct dns_reader *r, struct dns_rr *rr) {
    struct place p;
    unsigned section = SECTION_ANSWER;
    while (section <= SECTION_ADDITIONAL && r->left[section] == 0)
        section++;
    if (section > SECTION_ADDITIONAL)
        return E_NOTFOUND;
    if (place_read(&p, &rr->owner, r->msg, r->size, r->at) != 0)
        return E_INVALID;
    rr_fill(rr, &p, r->msg, (uint8_t)section);
    if (reader_rules(r, rr) != 0)
        return E_INVALID;
    r->left[section]--;
    r->seen++;
    r->at = p.end;
    return 0;
}

/* The RRs of a question that has more than nothing or an OPT: 0, FORMERR or what the OPT says. */
static int query_rrs(struct dns_query *q, const uint8_t *msg, size_t size) {
    struct dns_reader r = {.msg = msg, .size = size, .at = q->question_end, .header = q->header};
    struct dns_rr rr;
    int e;
    r.left[SECTION_ANSWER] = q->header.an;
    r.left[SECTION_AUTHORITY] = q->header.ns;
    r.left[SECTION_ADDITIONAL] = q->header.ar;
    while ((e = dns_reader_next(&r, &rr)) == 0)
        if (rr.type == TYPE_OPT && dns_edns_read(&q->edns, &rr, msg, size) != 0)
            return RCODE_FORMERR;
    q->tsig = r.tsig_seen;
    return e == E_NOTFOUND && r.at == size ? 0 : RCODE_FORMERR;
}

/* An OPT as the only RR, which nearly every question has: owner and fixed part in eleven octets. */
static bool opt_alone(const struct dns_header *h, const uint8_t *msg, size_t size, size_t at) {
    return h->an == 0 && h->ns == 0 && h->ar == 1 && size - at >= RR_LEAST && msg[at] == 0 &&
           get_u16(msg + at + 1) == TYPE_OPT && get_u16(msg + at + 9) == size - at - RR_LEAST;
}

static int query_opt(struct dns_query *q, const uint8_t *msg, size_t size) {
    struct place p = {.fixed = q->question_end + 1, .rdata = q->question_end + RR_LEAST, .end = size, .type = TYPE_OPT};
    struct dns_rr rr; /* its owner stays unset: nobody looks at it */
    rr_fill(&rr, &p, msg, SECTION_ADDITIONAL);
    return dns_edns_read(&q->edns, &rr, msg, size) == 0 ? 0 : RCODE_FORMERR;
}

static int query_rest(struct dns_query *q, const uint8_t *msg, size_t size) {
    const struct dns_header *h = &q->header;
    if (counts_lie(h, size - q->question_end))
        return RCODE_FORMERR;
    int rcode = opt_alone(h, msg, size, q->question_end) ? query_opt(q, msg, size) : query_rrs(q, msg, size);
    if (rcode == 0 && q->edns.version > 0)
        return RCODE_BADVERS;
    return rcode;
}

/* For its COOKIE option, which may stand alone (RFC 7873 section 5.4). */
static int query_without_question(struct dns_query *q, const uint8_t *msg, size_t size) {
    q->question_end = DNS_HEADER;
    int rcode = query_rest(q, msg, size);
    q->question_end = 0;
    if (rcode == RCODE_FORMERR)
        q->edns = (struct dns_edns){.present = q->edns.present, .udp_size = 512, .ede = EDE_NONE};
    return rcode != 0 ? rcode : RCODE_FORMERR;
}

int dns_query_read(struct dns_query *q, const uint8_t *msg, size_t size) {
    if (size < DNS_HEADER)
        return E_INVALID;
    header_read(&q->header, msg);
    name_root(&q->qname);
    q->qtype = q->qclass = 0;
    q->question_end = 0;
    q->edns = (struct dns_edns){.udp_size = 512, .ede = EDE_NONE};
    q->tsig = false;
    if (q->header.flags & FLAG_QR)
        return E_INVALID;
    if (q->header.opcode != OPCODE_QUERY && q->header.opcode != OPCODE_NOTIFY && q->header.opcode != OPCODE_UPDATE)
        return RCODE_NOTIMP;
    size_t at = DNS_HEADER;
    if (q->header.qd == 0 && q->header.opcode == OPCODE_QUERY)
        return query_without_question(q, msg, size);
    if (q->header.qd != 1)
        return RCODE_FORMERR;
    if (question_read(&q->qname, &q->qtype, &q->qclass, msg, size, &at) != 0) {
        name_root(&q->qname);
        return RCODE_FORMERR;
    }
    q->question_end = at;
    return query_rest(q, msg, size);
}

int dns_name_rdata_read(struct name *n, const struct dns_rr *rr, const uint8_t *msg, size_t size) {
    size_t end = rr->rdata + rr->rdata_size, next;
    if (end > size || name_read(n, msg, end, rr->rdata, &next) != 0 || next != end)
        return E_INVALID;
    return 0;
}

int dns_soa_read(const struct dns_rr *rr, const uint8_t *msg, size_t size, uint32_t *serial, uint32_t *minimum) {
    struct name name;
    size_t end = rr->rdata + rr->rdata_size, at;
    if (end > size || name_read(&name, msg, end, rr->rdata, &at) != 0 || name_read(&name, msg, end, at, &at) != 0)
        return E_INVALID;
    if (end - at != 20)
        return E_INVALID;
    *serial = get_u32(msg + at);
    *minimum = get_u32(msg + at + 16);
    return 0;
}

bool dns_soa_serial(const uint8_t *msg, size_t size, enum dns_section section, const struct name *owner,
                    uint32_t *serial) {
    struct dns_reader r;
    struct dns_rr rr;
    uint32_t minimum;
    if (dns_reader_open(&r, msg, size, NULL, NULL, NULL) < 0)
        return false;
    while (dns_reader_next(&r, &rr) == 0)
        if (rr.section == section && rr.type == TYPE_SOA && (owner == NULL || name_equal(&rr.owner, owner)))
            return dns_soa_read(&rr, msg, size, serial, &minimum) == 0;
    return false;
}
