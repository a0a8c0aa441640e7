/* Answers of a size that was asked for, so that a path that loses large datagrams can be told from one that does not:
 * `1232.size.server. CH TXT` is answered with a message of 1,232 octets, OPT included, however small udp-size is. Only
 * for those who may know who answers: nobody else can make this node send more than he sent. */
#include "resolver/serve/impl.h"

/* "\4size\6server\0", behind one label of digits. */
static const uint8_t suffix[] = "\4size\6server";

unsigned large_size(const struct name *n) {
    struct name lower = *n;
    unsigned size = 0, digits = lower.wire[0];
    name_lower(&lower);
    if (digits == 0 || digits > 4 || lower.size != 1 + digits + sizeof suffix ||
        memcmp(lower.wire + 1 + digits, suffix, sizeof suffix) != 0)
        return 0;
    for (unsigned i = 1; i <= digits; i++) {
        if (lower.wire[i] < '0' || lower.wire[i] > '9')
            return 0;
        size = size * 10 + (lower.wire[i] - '0');
    }
    return size >= LARGE_LEAST && size <= LARGE_MOST ? size : 0;
}

/* Character-strings that fill `size` octets to the last one. */
static void fill(uint8_t *rdata, size_t size) {
    for (size_t at = 0; at < size;) {
        size_t n = size - at - 1 < 255 ? size - at - 1 : 255;
        rdata[at] = (uint8_t)n;
        memset(rdata + at + 1, '.', n);
        at += 1 + n;
    }
}

size_t large_answer(const struct ask *a, unsigned size) {
    enum { RR_FIXED = 12 }; /* a pointer to the question's name, type, class, TTL, length */
    const struct dns_query *q = a->q;
    struct dns_writer w;
    uint8_t rdata[LARGE_MOST];
    uint16_t flags = (uint16_t)(reply_flags(a) | FLAG_AA);
    size_t around = DNS_HEADER + q->qname.size + 4 + RR_FIXED + reply_opt_whole(a);
    size_t room = LIMIT_MESSAGE;
    if (a->client->proto == PROTO_UDP)
        room = q->edns.present ? q->edns.udp_size : LARGE_LEAST;
    if (size > room || size > a->cap || around >= size)
        return reply_truncated(a, RCODE_NOERROR);
    fill(rdata, size - around);
    dns_writer_open(&w, a->reply, size, q->header.id, flags, q->header.opcode);
    dns_writer_question(&w, &q->qname, q->qtype, q->qclass);
    dns_writer_rr_at(&w, SECTION_ANSWER, DNS_HEADER, TYPE_TXT, CLASS_CH, 0, (struct bytes){rdata, size - around});
    return reply_finish(a, &w, flags, RCODE_NOERROR, EDE_NONE, NULL);
}
