/* What the node says of itself: identity to those who may know it, and the refusals that are answers. */
#include <stdlib.h>

#include "resolver/serve/impl.h"

enum { ANY_TTL_S = 3600 }; /* RFC 8482 section 4.2 leaves it open */

#ifndef CANDOR_VERSION
#define CANDOR_VERSION "0"
#endif

static void confide(struct serve *s, const struct addr *a) {
    if (addr_family(a) == AF_INET || addr_family(a) == AF_INET6)
        s->confidants[s->confidant_count++] = *a;
}

/* Peers probe this node's workers, and so do monitors; both are named in the configuration by address. */
int local_open(struct serve *s, struct err *err) {
    const struct conf_health *h = &s->config.conf->health;
    size_t most = 2 * h->peer_count + 2 * h->monitor.node_count + h->datagram_count + h->https_count;
    s->confidants = calloc(most + 1, sizeof *s->confidants);
    if (s->confidants == NULL)
        return err_set(err, E_NOMEM, "serving: no memory");
    for (size_t i = 0; i < h->peer_count; i++) {
        confide(s, &h->peers[i].resolver);
        confide(s, &h->peers[i].health);
    }
    for (size_t i = 0; i < h->monitor.node_count; i++) {
        confide(s, &h->monitor.nodes[i].resolver);
        confide(s, &h->monitor.nodes[i].health);
    }
    for (size_t i = 0; i < h->datagram_count; i++)
        confide(s, &h->datagram[i].address);
    for (size_t i = 0; i < h->https_count; i++)
        confide(s, &h->https[i].address);
    return 0;
}

bool local_may_know(const struct serve *s, const struct client *c) {
    if (addr_is_loopback(&c->peer) || addr_same_host(&c->peer, &c->local))
        return true;
    for (size_t i = 0; i < s->confidant_count; i++)
        if (addr_same_host(&s->confidants[i], &c->peer))
            return true;
    return false;
}

static bool is_name(const struct name *n, const char *wire, size_t size) {
    struct name lower = *n;
    name_lower(&lower);
    return lower.size == size && memcmp(lower.wire, wire, size) == 0;
}

#define IS_NAME(n, wire) is_name((n), (wire), sizeof(wire))

size_t local_chaos(const struct ask *a) {
    const struct dns_query *q = a->q;
    const char *text = NULL;
    unsigned size = large_size(&q->qname);
    if (size > 0 && q->qtype == TYPE_TXT && local_may_know(a->s, a->client))
        return large_answer(a, size);
    if (IS_NAME(&q->qname, "\2id\6server") || IS_NAME(&q->qname, "\10hostname\4bind"))
        text = a->s->config.identity;
    else if (IS_NAME(&q->qname, "\7version\4bind") || IS_NAME(&q->qname, "\7version\6server"))
        text = "candor " CANDOR_VERSION;
    if (text == NULL || (q->qtype != TYPE_TXT && q->qtype != TYPE_ANY) || !local_may_know(a->s, a->client))
        return reply_error(a, RCODE_REFUSED, local_may_know(a->s, a->client) ? EDE_NOT_SUPPORTED : EDE_PROHIBITED,
                           NULL);
    struct dns_writer w;
    uint8_t rdata[256];
    size_t n = text_copy((char *)rdata + 1, sizeof rdata - 1, text);
    rdata[0] = (uint8_t)n;
    uint16_t flags = (uint16_t)(reply_flags(a) | FLAG_AA);
    dns_writer_open(&w, a->reply, a->limit, q->header.id, flags, q->header.opcode);
    dns_writer_question(&w, &q->qname, q->qtype, q->qclass);
    dns_writer_rr(&w, SECTION_ANSWER, &q->qname, TYPE_TXT, CLASS_CH, 0, (struct bytes){rdata, n + 1});
    return reply_finish(a, &w, flags, RCODE_NOERROR, EDE_NONE, NULL);
}

size_t local_any(const struct ask *a) {
    static const uint8_t hinfo[] = "\7RFC8482"; /* its NUL is the second, empty string */
    struct dns_writer w;
    uint16_t flags = reply_flags(a);
    dns_writer_open(&w, a->reply, a->limit, a->q->header.id, flags, a->q->header.opcode);
    dns_writer_question(&w, &a->q->qname, a->q->qtype, a->q->qclass);
    dns_writer_rr(&w, SECTION_ANSWER, &a->q->qname, TYPE_HINFO, CLASS_IN, ANY_TTL_S,
                  (struct bytes){hinfo, sizeof hinfo});
    return reply_finish(a, &w, flags, RCODE_NOERROR, EDE_NONE, NULL);
}
