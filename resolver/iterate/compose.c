#include "resolver/iterate/compose.h"

#include <stdlib.h>
#include <string.h>

#include "resolver/dns/writer.h"
#include "resolver/iterate/bounds.h"

int parts_add(struct parts *p, const struct rrset *r) {
    size_t size = sizeof *r + r->data.size;
    if (p->count == BOUND_PARTS || p->octets + size > BOUND_KEPT_OCTETS)
        return E_FULL;
    struct rrset *copy = malloc(size);
    if (copy == NULL)
        return E_NOMEM;
    *copy = *r;
    if (r->data.size > 0)
        memcpy(copy + 1, r->data.at, r->data.size);
    copy->data.at = (uint8_t *)(copy + 1);
    p->at[p->count++] = copy;
    p->octets += size;
    return 0;
}

void parts_clear(struct parts *p) {
    while (p->count > 0)
        free(p->at[--p->count]);
    p->octets = 0;
}

static void write_data(struct dns_writer *w, const struct rrset *r, bool dnssec_ok) {
    struct bytes rdata;
    size_t at = 0;
    for (unsigned i = 0; i < (unsigned)r->count + r->sigs && rrset_next(r, &at, &rdata) == 0; i++) {
        bool sig = i >= r->count;
        if (!sig || dnssec_ok)
            dns_writer_rr(w, SECTION_ANSWER, &r->owner, sig ? TYPE_RRSIG : r->type, r->klass, r->ttl_s, rdata);
    }
}

/* RRs in wire form, each no longer than what is left of the denial (RFC 2308 section 5). */
static int write_denial(struct dns_writer *w, const struct rrset *r, bool dnssec_ok) {
    struct name owner;
    size_t at = 0;
    for (unsigned i = 0; i < r->count; i++) {
        if (name_read(&owner, r->data.at, r->data.size, at, &at) != 0 || at + 10 > r->data.size)
            return E_INVALID;
        const uint8_t *p = r->data.at + at;
        uint16_t type = get_u16(p), size = get_u16(p + 8);
        uint32_t ttl = get_u32(p + 4) < r->ttl_s ? get_u32(p + 4) : r->ttl_s;
        at += 10;
        if (size > r->data.size - at)
            return E_INVALID;
        if (type == TYPE_SOA || dnssec_ok)
            dns_writer_rr(w, SECTION_AUTHORITY, &owner, type, get_u16(p + 2), ttl,
                          (struct bytes){r->data.at + at, size});
        at += size;
    }
    return 0;
}

int parts_write(const struct parts *p, const struct resolve_question *q, uint8_t *to, size_t cap) {
    struct dns_writer w;
    unsigned rcode = p->rcode;
    int e = 0;
    dns_writer_open(&w, to, cap, 0, FLAG_QR, OPCODE_QUERY);
    dns_writer_question(&w, &q->qname, q->qtype, q->qclass);
    for (unsigned i = 0; i < p->count && e == 0; i++) {
        const struct rrset *r = p->at[i];
        if (r->kind == RRSET_DATA)
            write_data(&w, r, q->dnssec_ok);
        else
            e = write_denial(&w, r, q->dnssec_ok);
        if (r->kind == RRSET_NXDOMAIN)
            rcode = RCODE_NXDOMAIN;
    }
    return e != 0 ? e : dns_writer_end(&w, 0, rcode);
}
