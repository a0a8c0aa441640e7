/* Walks a received answer from the question along its chain and writes what belongs there into a fresh message. */
#include "resolver/iterate/scrub.h"

#include <stdlib.h>

#include "resolver/dns/rdata.h"
#include "resolver/dns/writer.h"

/* One RR of the received message: enough to find it and read it again. */
struct seen_rr {
    struct dns_reader before; /* the reader as it stood in front of it */
    uint64_t owner_hash;
    uint16_t type;
    uint8_t section;
    bool used;
};

struct scrub {
    struct seen_rr rr[LIMIT_RRS_PER_MESSAGE];
    unsigned count;
    const struct resolve_question *q;
    struct bytes raw;
    struct dns_writer w;
    bool invalid;
    uint8_t rdata[LIMIT_MESSAGE];
};

struct scrub *scrub_new(void) {
    return calloc(1, sizeof(struct scrub));
}
void scrub_free(struct scrub *s) { free(s); }

static bool is_denial(uint16_t type) { return type == TYPE_NSEC || type == TYPE_NSEC3; }

/* Pass one: every RR is read once; OPT is taken apart. */
static int survey(struct scrub *s, struct dns_reader *reader, struct scrub_result *result) {
    struct dns_rr rr;
    s->count = 0;
    for (;;) {
        struct dns_reader before = *reader;
        int e = dns_reader_next(reader, &rr);
        if (e == E_NOTFOUND)
            return 0;
        if (e != 0)
            return e;
        if (rr.type == TYPE_OPT && rr.section == SECTION_ADDITIONAL) {
            struct dns_edns edns;
            if (dns_edns_read(&edns, &rr, s->raw.at, s->raw.size) != 0)
                return E_INVALID;
            result->rcode |= (unsigned)edns.rcode_high << 4;
            result->ede = edns.ede;
            continue;
        }
        if (rr.section == SECTION_ADDITIONAL || rr.klass != s->q->qclass)
            continue;
        if (s->count == LIMIT_RRS_PER_MESSAGE)
            return E_INVALID;
        s->rr[s->count++] = (struct seen_rr){
            .before = before, .owner_hash = name_hash(&rr.owner, 0), .type = rr.type, .section = rr.section};
    }
}

static bool reread(const struct scrub *s, unsigned i, struct dns_rr *rr) {
    struct dns_reader reader = s->rr[i].before;
    (void)s;
    return dns_reader_next(&reader, rr) == 0;
}

/* The type whose RRset an RRSIG covers. */
static uint16_t covered(const struct scrub *s, const struct dns_rr *rr) {
    return rr->rdata_size >= 2 ? get_u16(s->raw.at + rr->rdata) : 0;
}

static void copy_rr(struct scrub *s, unsigned i, const struct dns_rr *rr) {
    struct bytes rdata;
    if (s->rr[i].used)
        return;
    s->rr[i].used = true;
    if (rdata_plain(rr, s->raw, s->rdata, sizeof s->rdata, &rdata) != 0)
        s->invalid = true;
    else
        dns_writer_rr(&s->w, rr->section, &rr->owner, rr->type, rr->klass, rr->ttl, rdata);
}

/* DNAMEs above `name`, with their signatures: the CNAME made of one is followed like any other. */
static void copy_dnames(struct scrub *s, const struct name *name) {
    struct dns_rr rr;
    for (unsigned i = 0; i < s->count; i++) {
        bool may_be = s->rr[i].type == TYPE_DNAME || (s->rr[i].type == TYPE_RRSIG && s->q->dnssec_ok);
        if (s->rr[i].section != SECTION_ANSWER || !may_be || s->rr[i].used || !reread(s, i, &rr))
            continue;
        if (rr.type == TYPE_RRSIG && covered(s, &rr) != TYPE_DNAME)
            continue;
        if (rr.owner.labels < name->labels && name_under(name, &rr.owner))
            copy_rr(s, i, &rr);
    }
}

/* One name of the chain: copies its RRs. True when a CNAME leads on, to *next. */
static bool copy_name(struct scrub *s, const struct name *name, struct name *next, bool *answered) {
    uint64_t hash = name_hash(name, 0);
    uint16_t qtype = s->q->qtype;
    bool leads_on = false;
    struct dns_rr rr;
    for (unsigned i = 0; i < s->count; i++) {
        if (s->rr[i].section != SECTION_ANSWER || s->rr[i].owner_hash != hash || s->rr[i].used || !reread(s, i, &rr) ||
            !name_equal(&rr.owner, name))
            continue;
        if (rr.type == qtype || qtype == TYPE_ANY) {
            *answered = true;
            copy_rr(s, i, &rr);
        } else if (rr.type == TYPE_CNAME && !leads_on) {
            size_t end;
            if (name_read(next, s->raw.at, s->raw.size, rr.rdata, &end) != 0 || end != rr.rdata + rr.rdata_size) {
                s->invalid = true;
                return false;
            }
            leads_on = true;
            copy_rr(s, i, &rr);
        } else if (rr.type == TYPE_RRSIG && s->q->dnssec_ok &&
                   (covered(s, &rr) == qtype || covered(s, &rr) == TYPE_CNAME)) {
            copy_rr(s, i, &rr);
        }
    }
    return leads_on && !*answered;
}

/* The SOA that proves a negative answer for `last`, and with DO what proves it cryptographically. */
static bool copy_authority(struct scrub *s, const struct name *last, bool negative) {
    struct dns_rr rr;
    bool soa = false;
    for (unsigned i = 0; i < s->count; i++) {
        uint16_t type = s->rr[i].type;
        if (s->rr[i].section != SECTION_AUTHORITY || !reread(s, i, &rr))
            continue;
        if (type == TYPE_SOA) {
            if (negative && !soa && name_under(last, &rr.owner)) {
                soa = true;
                copy_rr(s, i, &rr);
            }
        } else if (s->q->dnssec_ok) {
            uint16_t of = type == TYPE_RRSIG ? covered(s, &rr) : type;
            if (is_denial(of) || (type == TYPE_RRSIG && of == TYPE_SOA && negative))
                copy_rr(s, i, &rr);
        }
    }
    return soa;
}

static bool has_type(const struct scrub *s, uint8_t section, uint16_t type) {
    for (unsigned i = 0; i < s->count; i++)
        if (s->rr[i].section == section && s->rr[i].type == type)
            return true;
    return false;
}

static enum scrub_kind write_message(struct scrub *s, const struct dns_header *header, uint8_t *to, size_t cap,
                                     struct scrub_result *result) {
    struct name name = s->q->qname, next;
    bool answered = false;
    s->invalid = false;
    dns_writer_open(&s->w, to, cap, 0, FLAG_QR, OPCODE_QUERY);
    dns_writer_question(&s->w, &s->q->qname, s->q->qtype, s->q->qclass);
    for (unsigned hop = 0; hop < SCRUB_CHAIN_MAX; hop++) {
        if (has_type(s, SECTION_ANSWER, TYPE_DNAME))
            copy_dnames(s, &name);
        if (!copy_name(s, &name, &next, &answered))
            break;
        name = next;
    }
    bool soa = copy_authority(s, &name, !answered);
    if (s->invalid)
        return SCRUB_INVALID;
    /* NS without SOA or answer is a referral (RFC 2308 section 2.2): whom we asked does not resolve for us. */
    if (!answered && !soa && result->rcode == RCODE_NOERROR && !(header->flags & FLAG_AA) &&
        has_type(s, SECTION_AUTHORITY, TYPE_NS))
        return SCRUB_ERROR;
    int size = dns_writer_end(&s->w, FLAG_QR, result->rcode);
    if (size < 0)
        return SCRUB_INVALID;
    result->size = (size_t)size;
    return SCRUB_ANSWER;
}

void scrub_answer(struct scrub *s, const struct resolve_question *q, struct bytes raw, uint8_t *to, size_t cap,
                  struct scrub_result *result) {
    struct dns_reader reader;
    struct name qname;
    uint16_t qtype = 0, qclass = 0;
    *result = (struct scrub_result){.kind = SCRUB_INVALID, .ede = EDE_NONE};
    s->q = q;
    s->raw = raw;
    if (dns_reader_open(&reader, raw.at, raw.size, &qname, &qtype, &qclass) != 0 || !(reader.header.flags & FLAG_QR) ||
        reader.header.opcode != OPCODE_QUERY)
        return;
    result->rcode = reader.header.rcode;
    if (reader.header.qd == 0) { /* some servers refuse so: nothing but a header */
        if (result->rcode != RCODE_NOERROR && result->rcode != RCODE_NXDOMAIN)
            result->kind = SCRUB_ERROR;
        return;
    }
    if (qtype != q->qtype || qclass != q->qclass || !name_equal(&qname, &q->qname))
        return;
    struct dns_header header = reader.header;
    if (header.flags & FLAG_TC) {
        result->kind = SCRUB_TRUNCATED;
        return;
    }
    if (survey(s, &reader, result) != 0)
        return;
    if (result->rcode != RCODE_NOERROR && result->rcode != RCODE_NXDOMAIN) {
        result->kind = SCRUB_ERROR;
        return;
    }
    result->kind = write_message(s, &header, to, cap, result);
}
