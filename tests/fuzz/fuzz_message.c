/* An answer from the network: RRs that are read, written again and read again are the same.
 * Input: two octets for the capacity of the second message, then the first. */
#include <stdlib.h>

#include "resolver/dns/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t buf[LIMIT_MESSAGE];

static void must(bool holds) {
    if (!holds)
        abort();
}

static bool one_name(uint16_t type) { return type == TYPE_NS; }

/* Writes one RR as it was read; names in RDATA of unknown shape stay as they are, so they are not looked into again. */
static void copy(struct dns_writer *w, const struct dns_rr *rr, const uint8_t *msg, size_t size) {
    struct name host;
    struct bytes rdata = {msg + rr->rdata, rr->rdata_size};
    if (one_name(rr->type) && rr->klass == CLASS_IN && dns_name_rdata_read(&host, rr, msg, size) == 0)
        dns_writer_ns(w, rr->section, &rr->owner, rr->ttl, &host);
    else
        dns_writer_rr(w, rr->section, &rr->owner, rr->type, rr->klass, rr->ttl, rdata);
}

static void look(const struct dns_rr *rr, const uint8_t *msg, size_t size) {
    struct dns_edns edns;
    uint32_t serial, minimum;
    must(rr->rdata >= DNS_HEADER && rr->rdata <= size && rr->rdata_size <= size - rr->rdata);
    must(rr->section <= SECTION_ADDITIONAL && (rr->type == TYPE_OPT || rr->ttl <= INT32_MAX));
    must(rr->type != TYPE_OPT || (rr->section == SECTION_ADDITIONAL && rr->owner.labels == 0));
    if (rr->type == TYPE_OPT && dns_edns_read(&edns, rr, msg, size) == 0)
        must(edns.present && edns.udp_size >= 512);
    if (rr->type == TYPE_SOA && dns_soa_read(rr, msg, size, &serial, &minimum) == 0)
        must(rr->rdata_size >= 22);
}

/* Reads all, writes what fits; how many RRs those were. *at is where reading stopped. */
static unsigned first_pass(struct dns_reader *r, struct dns_writer *w) {
    struct dns_rr rr;
    unsigned kept = 0;
    int e;
    while ((e = dns_reader_next(r, &rr)) == 0) {
        struct dns_mark m = dns_writer_mark(w);
        look(&rr, r->msg, r->size);
        copy(w, &rr, r->msg, r->size);
        if (w->error != 0) {
            must(w->error == E_FULL);
            dns_writer_rewind(w, &m);
            return kept;
        }
        kept++;
    }
    must(e == E_NOTFOUND || e == E_INVALID);
    return kept;
}

static void same_rr(const struct dns_rr *a, const uint8_t *msg_a, size_t size_a, const struct dns_rr *b,
                    size_t size_b) {
    struct name host_a, host_b;
    must(name_equal(&a->owner, &b->owner) && a->type == b->type && a->klass == b->klass);
    must(a->ttl == b->ttl && a->section == b->section);
    if (one_name(a->type) && a->klass == CLASS_IN && dns_name_rdata_read(&host_a, a, msg_a, size_a) == 0) {
        must(dns_name_rdata_read(&host_b, b, buf, size_b) == 0 && name_equal(&host_a, &host_b));
        return;
    }
    must(a->rdata_size == b->rdata_size && memcmp(msg_a + a->rdata, buf + b->rdata, a->rdata_size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct dns_reader r, twin;
    struct dns_writer w;
    struct dns_rr a, b;
    struct name qname, again;
    uint16_t qtype, qclass;
    if (size < 2)
        return 0;
    size_t cap = get_u16(data);
    data += 2;
    size -= 2;
    if (dns_reader_open(&r, data, size, &qname, &qtype, &qclass) != 0)
        return 0;
    dns_writer_open(&w, buf, cap, r.header.id, r.header.flags, r.header.opcode);
    if (r.header.qd == 1)
        dns_writer_question(&w, &qname, qtype, qclass);
    if (w.error != 0) {
        must(dns_writer_end(&w, 0, 0) == E_FULL);
        return 0;
    }
    unsigned kept = first_pass(&r, &w);
    int written = dns_writer_end(&w, 0, r.header.rcode);
    must(written >= DNS_HEADER && (size_t)written <= cap);
    must(dns_reader_open(&r, data, size, NULL, NULL, NULL) == 0);
    must(dns_reader_open(&twin, buf, (size_t)written, &again, NULL, NULL) == 0);
    must(again.size == qname.size && memcmp(again.wire, qname.wire, qname.size) == 0);
    must(twin.header.id == r.header.id && twin.header.flags == r.header.flags && twin.header.rcode == r.header.rcode);
    for (; kept > 0; kept--) {
        must(dns_reader_next(&r, &a) == 0 && dns_reader_next(&twin, &b) == 0);
        same_rr(&a, data, size, &b, (size_t)written);
    }
    must(dns_reader_next(&twin, &b) == E_NOTFOUND && twin.at == (size_t)written);
    return 0;
}
