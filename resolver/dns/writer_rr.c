/* RRs whose RDATA has a shape, the OPT RR, and whole queries. */
#include "resolver/dns/writer.h"
#include "resolver/dns/writer_impl.h"

enum { STRING_MOST = 255, OPT_DO = 0x8000 };

void dns_writer_a(struct dns_writer *w, enum dns_section s, const struct name *owner, uint32_t ttl,
                  const uint8_t addr[4]) {
    dns_writer_rr(w, s, owner, TYPE_A, CLASS_IN, ttl, (struct bytes){addr, 4});
}

void dns_writer_txt(struct dns_writer *w, enum dns_section s, const struct name *owner, uint32_t ttl,
                    struct bytes text) {
    size_t at = writer_rr_begin(w, s, owner, TYPE_TXT, CLASS_IN, ttl);
    do {
        size_t part = text.size < STRING_MOST ? text.size : STRING_MOST;
        uint8_t len = (uint8_t)part;
        writer_put(w, &len, 1);
        writer_put(w, text.at, part);
        text.at += part;
        text.size -= part;
    } while (text.size > 0 && w->error == 0);
    writer_rr_end(w, s, at);
}

void dns_writer_ns(struct dns_writer *w, enum dns_section s, const struct name *owner, uint32_t ttl,
                   const struct name *host) {
    size_t at = writer_rr_begin(w, s, owner, TYPE_NS, CLASS_IN, ttl);
    writer_name(w, host);
    writer_rr_end(w, s, at);
}

void dns_writer_soa(struct dns_writer *w, enum dns_section s, const struct name *owner, uint32_t ttl,
                    const struct dns_soa *soa) {
    uint8_t numbers[20];
    size_t at = writer_rr_begin(w, s, owner, TYPE_SOA, CLASS_IN, ttl);
    writer_name(w, &soa->primary);
    writer_name(w, &soa->contact);
    put_u32(numbers, soa->serial);
    put_u32(numbers + 4, soa->refresh);
    put_u32(numbers + 8, soa->retry);
    put_u32(numbers + 12, soa->expire);
    put_u32(numbers + 16, soa->minimum);
    writer_put(w, numbers, sizeof numbers);
    writer_rr_end(w, s, at);
}

static size_t ede_text_size(const struct dns_opt *o) {
    return o->ede_text != NULL ? strnlen(o->ede_text, DNS_OPT_TEXT) : 0;
}

static bool keepalive_given(const struct dns_opt *o) { return o->keepalive >= 0 || o->keepalive == DNS_KEEPALIVE_ASK; }

size_t dns_opt_size(const struct dns_opt *o) {
    size_t size = DNS_OPT_FIXED;
    if (o->nsid)
        size += DNS_OPTION_FIXED + o->nsid_text.size;
    if (o->ede != EDE_NONE)
        size += DNS_OPTION_FIXED + 2 + ede_text_size(o);
    if (o->cookie.size > 0)
        size += DNS_OPTION_FIXED + o->cookie.size;
    if (keepalive_given(o))
        size += DNS_OPTION_FIXED + (o->keepalive >= 0 ? 2 : 0);
    return size + o->options.size;
}

int dns_option_put(uint8_t *to, size_t size, size_t cap, uint16_t code, struct bytes data) {
    if (size > cap || data.size > UINT16_MAX || DNS_OPTION_FIXED + data.size > cap - size)
        return E_FULL;
    put_u16(to + size, code);
    put_u16(to + size + 2, (uint16_t)data.size);
    if (data.size > 0)
        memcpy(to + size + DNS_OPTION_FIXED, data.at, data.size);
    return (int)(size + DNS_OPTION_FIXED + data.size);
}

static void option_put(struct dns_writer *w, uint16_t code, const void *octets, size_t size) {
    uint8_t head[DNS_OPTION_FIXED];
    put_u16(head, code);
    put_u16(head + 2, (uint16_t)size);
    writer_put(w, head, sizeof head);
    writer_put(w, octets, size);
}

static void options_put(struct dns_writer *w, const struct dns_opt *o) {
    uint8_t code[2];
    if (o->nsid)
        option_put(w, OPTION_NSID, o->nsid_text.at, o->nsid_text.size);
    if (o->cookie.size > 0)
        option_put(w, OPTION_COOKIE, o->cookie.at, o->cookie.size);
    if (keepalive_given(o)) {
        put_u16(code, (uint16_t)(o->keepalive < UINT16_MAX ? o->keepalive : UINT16_MAX));
        option_put(w, OPTION_KEEPALIVE, code, o->keepalive >= 0 ? 2 : 0);
    }
    if (o->ede != EDE_NONE) {
        size_t text = ede_text_size(o);
        put_u16(code, (uint16_t)o->ede);
        option_put(w, OPTION_EDE, code, 2);
        writer_put(w, o->ede_text, text);
        if (w->error == 0)
            put_u16(w->buf + w->size - text - 4, (uint16_t)(2 + text));
    }
    writer_put(w, o->options.at, o->options.size);
}

/* The last option: whatever fits between the message and its bound. Zeros, as RFC 7830 section 3 wants them. */
static void pad(struct dns_writer *w, size_t block) {
    uint8_t head[DNS_OPTION_FIXED];
    size_t least = w->size + DNS_OPTION_FIXED;
    if (block == 0 || w->error != 0 || least > w->cap)
        return;
    size_t to = (least + block - 1) / block * block;
    size_t zeros = (to < w->cap ? to : w->cap) - least;
    put_u16(head, OPTION_PADDING);
    put_u16(head + 2, (uint16_t)zeros);
    writer_put(w, head, sizeof head);
    memset(w->buf + w->size, 0, zeros);
    w->size += zeros;
}

void dns_writer_opt(struct dns_writer *w, const struct dns_opt *o) {
    uint32_t ttl = (uint32_t)(o->rcode >> 4 & 0xFF) << 24 | (o->dnssec_ok ? OPT_DO : 0);
    if (!writer_fits(w, DNS_OPT_FIXED))
        return;
    uint8_t *p = w->buf + w->size;
    p[0] = 0; /* owned by the root */
    put_u16(p + 1, TYPE_OPT);
    put_u16(p + 3, o->udp_size);
    put_u32(p + 5, ttl);
    w->size += DNS_OPT_FIXED;
    size_t rdata = w->size;
    options_put(w, o);
    pad(w, o->pad);
    writer_rr_end(w, SECTION_ADDITIONAL, rdata);
}

int dns_query_write(uint8_t *buf, size_t cap, uint16_t id, uint16_t flags, const struct name *qname, uint16_t qtype,
                    uint16_t qclass, const struct dns_opt *o) {
    struct dns_writer w;
    dns_writer_open(&w, buf, cap, id, flags, OPCODE_QUERY);
    dns_writer_question(&w, qname, qtype, qclass);
    if (o != NULL)
        dns_writer_opt(&w, o);
    return dns_writer_end(&w, 0, RCODE_NOERROR);
}
