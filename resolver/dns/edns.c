/* EDNS: the OPT RR and its options (RFC 6891). A table says which options are read and by whom; the rest is skipped. */
#include "resolver/dns/message.h"

enum { COOKIE_CLIENT = 8, COOKIE_WHOLE_LEAST = 16, COOKIE_WHOLE_MOST = 40, ECS_FIXED = 4 };

static int nsid_read(struct dns_edns *e, struct bytes value) {
    if (e->nsid_present)
        return 0;
    e->nsid_present = true;
    e->nsid = value;
    return 0;
}

/* RFC 7871 section 6: family, source and scope prefix length, as many octets as the source prefix has, spare bits 0. */
static int ecs_read(struct dns_edns *e, struct bytes value) {
    if (value.size < ECS_FIXED)
        return E_INVALID;
    uint16_t family = get_u16(value.at);
    unsigned source = value.at[2], scope = value.at[3], most = family == 1 ? 32 : family == 2 ? 128 : 255;
    size_t octets = (source + 7) / 8;
    if (source > most || scope > most || value.size != ECS_FIXED + octets)
        return E_INVALID;
    if (source % 8 != 0 && (value.at[value.size - 1] & (0xFF >> source % 8)) != 0)
        return E_INVALID;
    if (e->ecs.size == 0)
        e->ecs = value;
    return 0;
}

/* RFC 7873 section 4: the client's 8 octets, or those and the server's 8 to 32. */
static int cookie_read(struct dns_edns *e, struct bytes value) {
    if (value.size != COOKIE_CLIENT && (value.size < COOKIE_WHOLE_LEAST || value.size > COOKIE_WHOLE_MOST))
        return E_INVALID;
    if (e->cookie.size == 0)
        e->cookie = value;
    return 0;
}

/* RFC 7828 section 3.1: empty from a client, a timeout from a server. */
static int keepalive_read(struct dns_edns *e, struct bytes value) {
    if (value.size != 0 && value.size != 2)
        return E_INVALID;
    e->keepalive = true;
    return 0;
}

static int padding_read(struct dns_edns *e, struct bytes value) {
    (void)value;
    e->padding = true;
    return 0;
}

/* RFC 8914 section 2: a code, then text. */
static int ede_read(struct dns_edns *e, struct bytes value) {
    if (value.size < 2)
        return E_INVALID;
    if (e->ede != EDE_NONE)
        return 0;
    e->ede = get_u16(value.at);
    e->ede_text = (struct bytes){value.at + 2, value.size - 2};
    return 0;
}

typedef int option_reader(struct dns_edns *e, struct bytes value);

static option_reader *const options[] = {
    [OPTION_NSID] = nsid_read,           [OPTION_ECS] = ecs_read,         [OPTION_COOKIE] = cookie_read,
    [OPTION_KEEPALIVE] = keepalive_read, [OPTION_PADDING] = padding_read, [OPTION_EDE] = ede_read,
};

static int options_read(struct dns_edns *e, const uint8_t *p, size_t left) {
    for (unsigned i = 0; left > 0; i++) {
        if (left < 4 || i == LIMIT_EDNS_OPTIONS)
            return E_INVALID;
        uint16_t code = get_u16(p), size = get_u16(p + 2);
        if (size > left - 4)
            return E_INVALID;
        if (code < ARRAY_SIZE(options) && options[code] != NULL && options[code](e, (struct bytes){p + 4, size}) != 0)
            return E_INVALID;
        p += 4 + (size_t)size;
        left -= 4 + (size_t)size;
    }
    return 0;
}

int dns_option_next(struct bytes *rest, uint16_t code, struct bytes *data) {
    while (rest->size >= 4) {
        uint16_t is = get_u16(rest->at), size = get_u16(rest->at + 2);
        if (size > rest->size - 4)
            break;
        *data = (struct bytes){rest->at + 4, size};
        rest->at += 4 + (size_t)size;
        rest->size -= 4 + (size_t)size;
        if (is == code)
            return 0;
    }
    rest->size = 0;
    return E_NOTFOUND;
}

int dns_edns_read(struct dns_edns *e, const struct dns_rr *opt, const uint8_t *msg, size_t size) {
    *e = (struct dns_edns){.present = true, .ede = EDE_NONE};
    e->udp_size = opt->klass < 512 ? 512 : opt->klass;
    e->rcode_high = (uint8_t)(opt->ttl >> 24);
    e->version = (uint8_t)(opt->ttl >> 16);
    e->dnssec_ok = (opt->ttl & 0x8000) != 0;
    if (opt->rdata > size || opt->rdata_size > size - opt->rdata)
        return E_INVALID;
    if (e->version > 0)
        return 0;
    e->options = (struct bytes){msg + opt->rdata, opt->rdata_size};
    return options_read(e, msg + opt->rdata, opt->rdata_size);
}

int dns_edns_find(struct dns_edns *e, const uint8_t *msg, size_t size) {
    struct dns_reader r;
    struct dns_rr rr;
    int rc = dns_reader_open(&r, msg, size, NULL, NULL, NULL);
    while (rc == 0 && (rc = dns_reader_next(&r, &rr)) == 0)
        if (rr.type == TYPE_OPT)
            return dns_edns_read(e, &rr, msg, size);
    return rc;
}
