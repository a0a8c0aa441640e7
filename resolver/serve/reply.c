/* What a reply looks like, whoever wrote its RRs. */
#include "resolver/serve/impl.h"

enum { UDP_SIZE_LEAST = 512 }; /* RFC 1035 section 4.2.1, RFC 6891 section 6.2.3 */

size_t reply_limit(const struct serve *s, const struct client *c, const struct dns_query *q, size_t cap) {
    size_t limit = LIMIT_MESSAGE;
    if (c->proto == PROTO_UDP) {
        limit = q->edns.present ? q->edns.udp_size : UDP_SIZE_LEAST;
        if (limit > s->config.conf->resolver.udp_size)
            limit = s->config.conf->resolver.udp_size;
        if (limit < UDP_SIZE_LEAST)
            limit = UDP_SIZE_LEAST;
    }
    return limit < cap ? limit : cap;
}

uint16_t reply_flags(const struct ask *a) {
    return (uint16_t)(FLAG_QR | (a->q->header.flags & (FLAG_RD | FLAG_CD)) | (a->allowed ? FLAG_RA : 0));
}

static struct bytes cookie_bytes(const struct ask *a) {
    return (struct bytes){a->cookie.at, a->cookie.given ? sizeof a->cookie.at : 0};
}

/* RFC 7828 section 3.3: how long the connection may be idle, in 100 ms, to who asked for it and never by datagram. */
static int keepalive_of(const struct ask *a) {
    uint32_t idle_ms = a->s->config.conf->resolver.tcp_idle_ms;
    return a->q->edns.keepalive && a->client->proto != PROTO_UDP ? (int)(idle_ms / 100) : -1;
}

/* RFC 7830 section 4: nothing to be hidden where everybody reads along. */
static uint16_t pad_of(const struct ask *a) {
    return a->q->edns.padding && a->client->proto == PROTO_TLS ? DNS_PAD_ANSWER : 0;
}

size_t reply_opt_size(const struct ask *a) {
    size_t cookie = a->cookie.given ? DNS_OPTION_FIXED + sizeof a->cookie.at : 0;
    size_t keepalive = keepalive_of(a) >= 0 ? DNS_OPTION_FIXED + 2 : 0;
    return a->q->edns.present ? DNS_OPT_FIXED + cookie + keepalive : 0;
}

static struct dns_opt opt_of(const struct ask *a, unsigned rcode, int ede, const char *text) {
    struct dns_opt o = {.udp_size = a->s->config.conf->resolver.udp_size,
                        .dnssec_ok = a->q->edns.dnssec_ok,
                        .rcode = (uint16_t)rcode,
                        .ede = ede,
                        .ede_text = text,
                        .cookie = cookie_bytes(a),
                        .keepalive = keepalive_of(a),
                        .pad = pad_of(a)};
    if (a->q->edns.nsid_present && local_may_know(a->s, a->client)) {
        o.nsid = true;
        o.nsid_text = (struct bytes){(const uint8_t *)a->s->config.identity, strlen(a->s->config.identity)};
    }
    return o;
}

size_t reply_opt_whole(const struct ask *a) {
    struct dns_opt o = opt_of(a, RCODE_NOERROR, EDE_NONE, NULL);
    return a->q->edns.present ? dns_opt_size(&o) : 0;
}

/* Writes the OPT RR; a long text is the first to go when there is no room, then the identity. */
static void write_opt(const struct ask *a, struct dns_writer *w, unsigned rcode, int ede, const char *text) {
    struct dns_opt o = opt_of(a, rcode, ede, text);
    if ((o.nsid || ede != EDE_NONE) && w->size + dns_opt_size(&o) > w->cap) {
        o.ede_text = NULL;
        if (w->size + dns_opt_size(&o) > w->cap)
            o.nsid = false;
        if (w->size + dns_opt_size(&o) > w->cap)
            o.ede = EDE_NONE;
    }
    dns_writer_opt(w, &o);
}

size_t reply_finish(const struct ask *a, struct dns_writer *w, uint16_t flags, unsigned rcode, int ede,
                    const char *text) {
    a->s->rcode = rcode;
    if (rcode == RCODE_SERVFAIL && ede == EDE_NONE)
        ede = EDE_OTHER; /* an upstream that failed without a word: it is said that nothing is known */
    if (a->q->edns.present)
        write_opt(a, w, rcode, ede, text);
    int size = dns_writer_end(w, flags, rcode);
    return size > 0 ? (size_t)size : 0;
}

size_t reply_error(const struct ask *a, unsigned rcode, int ede, const char *text) {
    struct dns_writer w;
    dns_writer_open(&w, a->reply, a->limit, a->q->header.id, reply_flags(a), a->q->header.opcode);
    if (a->q->question_end > 0 && a->q->qname.size > 0)
        dns_writer_question(&w, &a->q->qname, a->q->qtype, a->q->qclass);
    return reply_finish(a, &w, reply_flags(a), rcode, ede, text);
}

size_t reply_truncated(const struct ask *a, unsigned rcode) {
    struct dns_writer w;
    dns_writer_open(&w, a->reply, a->limit, a->q->header.id, reply_flags(a), a->q->header.opcode);
    dns_writer_question(&w, &a->q->qname, a->q->qtype, a->q->qclass);
    return reply_finish(a, &w, (uint16_t)(reply_flags(a) | FLAG_TC), rcode, EDE_NONE, NULL);
}

/* Cuts the message in `w` back to the whole RRsets that fit into `room` octets. */
static void cut(struct dns_writer *w, size_t room) {
    struct dns_reader r;
    struct dns_rr rr, last = {.type = 0};
    uint16_t counts[3] = {0}, kept[3] = {0};
    size_t kept_size = 0;
    if (dns_reader_open(&r, w->buf, w->size, NULL, NULL, NULL) == 0) {
        kept_size = r.at;
        for (size_t before = r.at; dns_reader_next(&r, &rr) == 0; before = r.at) {
            bool same_set = last.type == rr.type && last.section == rr.section && name_equal(&last.owner, &rr.owner);
            if (before > room)
                break;
            if (!same_set) {
                kept_size = before;
                memcpy(kept, counts, sizeof kept);
            }
            counts[rr.section]++;
            last = rr;
        }
    }
    w->size = kept_size;
    memcpy(w->counts + 1, kept, sizeof kept);
}

size_t reply_message(const struct ask *a, size_t size, int ede) {
    const struct name *qname = &a->q->qname;
    uint8_t *m = a->reply;
    unsigned rcode = m[3] & 15;
    uint16_t flags = reply_flags(a);
    struct dns_writer w = {.buf = m, .room = a->limit, .cap = a->limit, .size = size};
    put_u16(m, a->q->header.id);
    put_u16(m + 2, 0);
    memcpy(m + DNS_HEADER, qname->wire, qname->size); /* the case it was asked in */
    for (unsigned i = 0; i < 4; i++)
        w.counts[i] = get_u16(m + 4 + 2 * i);
    size_t opt = reply_opt_size(a);
    if (size + opt > a->limit) {
        cut(&w, a->limit - opt);
        flags |= FLAG_TC;
    }
    return reply_finish(a, &w, flags, rcode, ede, NULL);
}
