/* A client's question: no read beyond its end, no RCODE out of nowhere, and what was read, written again, reads the
 * same. Input: a datagram. */
#include <stdlib.h>

#include "resolver/dns/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds) {
    if (!holds)
        abort();
}

static void inside(struct bytes view, const uint8_t *data, size_t size) {
    if (view.size == 0)
        return;
    must(view.at >= data && view.size <= size && (size_t)(view.at - data) <= size - view.size);
}

static void views(const struct dns_edns *e, const uint8_t *data, size_t size) {
    inside(e->nsid, data, size);
    inside(e->cookie, data, size);
    inside(e->ecs, data, size);
    inside(e->ede_text, data, size);
    must(e->udp_size >= 512);
    must(e->present || (!e->nsid_present && !e->dnssec_ok && e->ede == EDE_NONE && e->cookie.size == 0));
}

static bool equal(struct bytes a, struct bytes b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.at, b.at, a.size) == 0);
}

/* The same question written by ourselves. */
static void again(const struct dns_query *q) {
    static uint8_t buf[70000];
    struct dns_opt opt = DNS_OPT_INIT(q->edns.udp_size);
    struct dns_query twin;
    opt.dnssec_ok = q->edns.dnssec_ok;
    opt.nsid = q->edns.nsid_present;
    opt.nsid_text = q->edns.nsid;
    opt.cookie = q->edns.cookie;
    opt.keepalive = q->edns.keepalive ? 1 : -1;
    opt.ede = q->edns.ede;
    int size = dns_query_write(buf, sizeof buf, q->header.id, q->header.flags, &q->qname, q->qtype, q->qclass,
                               q->edns.present ? &opt : NULL);
    if (size == E_FULL) /* the NSID alone may fill a message */
        return;
    must(size > 0 && dns_query_read(&twin, buf, (size_t)size) == 0);
    must(twin.header.id == q->header.id && twin.header.flags == q->header.flags);
    must(twin.qname.size == q->qname.size && memcmp(twin.qname.wire, q->qname.wire, q->qname.size) == 0);
    must(twin.qtype == q->qtype && twin.qclass == q->qclass && twin.edns.present == q->edns.present);
    if (!q->edns.present)
        return;
    must(twin.edns.udp_size == q->edns.udp_size && twin.edns.dnssec_ok == q->edns.dnssec_ok);
    must(twin.edns.nsid_present == q->edns.nsid_present && equal(twin.edns.nsid, q->edns.nsid));
    must(equal(twin.edns.cookie, q->edns.cookie) && twin.edns.keepalive == q->edns.keepalive);
    must(twin.edns.ede == q->edns.ede);
}

/* The reader that walks RRs must agree with the one pass. */
static void walked(const struct dns_query *q, const uint8_t *data, size_t size) {
    struct dns_reader r;
    struct dns_rr rr;
    int e;
    bool opt = false;
    must(dns_reader_open(&r, data, size, NULL, NULL, NULL) == 0 && r.at == q->question_end);
    while ((e = dns_reader_next(&r, &rr)) == 0)
        opt |= rr.type == TYPE_OPT;
    must(e == E_NOTFOUND && r.at == size && opt == q->edns.present && r.tsig_seen == q->tsig);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct dns_query q;
    int rc = dns_query_read(&q, data, size);
    must(rc == 0 || rc == RCODE_FORMERR || rc == RCODE_NOTIMP || rc == RCODE_BADVERS || rc == E_INVALID);
    if (size < DNS_HEADER) {
        must(rc == E_INVALID);
        return 0;
    }
    must(rc != RCODE_BADVERS || (q.edns.present && q.edns.version > 0));
    must(q.question_end <= size && q.qname.size >= 1);
    views(&q.edns, data, size);
    if (rc == 0) {
        again(&q);
        walked(&q, data, size);
    }
    return 0;
}
