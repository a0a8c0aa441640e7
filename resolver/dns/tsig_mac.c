/* What a MAC covers (RFC 8945 section 4.3), and the RR that carries it. */
#include "resolver/dns/tsig_impl.h"

#include <openssl/crypto.h>

enum { RDATA_FIXED = 16, RR_FIXED = 10 };

static void put_u48(uint8_t *p, uint64_t v) {
    put_u16(p, (uint16_t)(v >> 32));
    put_u32(p + 2, (uint32_t)v);
}

static int rdata_read(struct tsig_rr *t, const struct dns_rr *rr, const uint8_t *msg) {
    size_t end = rr->rdata + rr->rdata_size, at;
    if (name_read(&t->algorithm, msg, end, rr->rdata, &at) != 0 || end - at < RDATA_FIXED)
        return E_INVALID;
    t->time_s = (uint64_t)get_u16(msg + at) << 32 | get_u32(msg + at + 2);
    t->fudge = get_u16(msg + at + 6);
    t->mac = (struct bytes){msg + at + 10, get_u16(msg + at + 8)};
    if (t->mac.size > end - at - RDATA_FIXED)
        return E_INVALID;
    at += 10 + t->mac.size;
    t->id = get_u16(msg + at);
    t->error = get_u16(msg + at + 2);
    t->other = (struct bytes){msg + at + 6, get_u16(msg + at + 4)};
    return t->other.size == end - at - 6 ? 0 : E_INVALID;
}

int tsig_rr_read(struct tsig_rr *t, const uint8_t *msg, size_t size) {
    struct dns_reader r;
    struct dns_rr rr, last = {.type = 0};
    int rc = dns_reader_open(&r, msg, size, NULL, NULL, NULL);
    while (rc == 0) {
        size_t at = r.at;
        rc = dns_reader_next(&r, &rr);
        if (rc == 0 && rr.type == TYPE_TSIG) { /* the last: the reader takes nothing behind it */
            last = rr;
            t->at = at;
        }
    }
    if (rc != E_NOTFOUND || r.at != size)
        return E_INVALID;
    if (last.type != TYPE_TSIG)
        return E_NOTFOUND;
    /* dns_rr reads a TTL above 2^31 as 0, so the octets are looked at. */
    if (last.klass != CLASS_ANY || get_u32(msg + last.rdata - 6) != 0)
        return E_INVALID;
    t->name = last.owner;
    return rdata_read(t, &last, msg);
}

size_t tsig_rr_size(const struct name *name, const struct name *algorithm, size_t mac, size_t other) {
    return (size_t)name->size + RR_FIXED + algorithm->size + RDATA_FIXED + mac + other;
}

int tsig_rr_write(const struct tsig_rr *t, uint8_t *msg, size_t size, size_t cap) {
    size_t whole = size + tsig_rr_size(&t->name, &t->algorithm, t->mac.size, t->other.size);
    unsigned count = get_u16(msg + 10);
    if (cap > LIMIT_MESSAGE)
        cap = LIMIT_MESSAGE;
    if (whole > cap || count == UINT16_MAX)
        return E_FULL;
    uint8_t *p = msg + size;
    memcpy(p, t->name.wire, t->name.size);
    p += t->name.size;
    put_u16(p, TYPE_TSIG);
    put_u16(p + 2, CLASS_ANY);
    put_u32(p + 4, 0);
    put_u16(p + 8, (uint16_t)(msg + whole - p - RR_FIXED));
    p += RR_FIXED;
    memcpy(p, t->algorithm.wire, t->algorithm.size);
    p += t->algorithm.size;
    put_u48(p, t->time_s);
    put_u16(p + 6, t->fudge);
    put_u16(p + 8, (uint16_t)t->mac.size);
    p += 10;
    if (t->mac.size > 0)
        memcpy(p, t->mac.at, t->mac.size);
    p += t->mac.size;
    put_u16(p, t->id);
    put_u16(p + 2, t->error);
    put_u16(p + 4, (uint16_t)t->other.size);
    if (t->other.size > 0)
        memcpy(p + 6, t->other.at, t->other.size);
    put_u16(msg + 10, (uint16_t)(count + 1));
    return (int)whole;
}

static int add(EVP_MAC_CTX *c, const void *at, size_t size) {
    return size == 0 || EVP_MAC_update(c, at, size) == 1 ? 0 : E_SYSTEM;
}

int tsig_mac_begin(EVP_MAC_CTX *c, struct bytes prior) {
    uint8_t size[2];
    put_u16(size, (uint16_t)prior.size);
    if (EVP_MAC_init(c, NULL, 0, NULL) != 1) /* the key stays */
        return E_SYSTEM;
    if (prior.size == 0)
        return 0;
    return add(c, size, sizeof size) == 0 && add(c, prior.at, prior.size) == 0 ? 0 : E_SYSTEM;
}

int tsig_mac_message(EVP_MAC_CTX *c, const uint8_t *msg, size_t end, uint16_t id, bool has_tsig) {
    uint8_t header[DNS_HEADER];
    memcpy(header, msg, DNS_HEADER);
    put_u16(header, id);
    if (has_tsig)
        put_u16(header + 10, (uint16_t)(get_u16(header + 10) - 1));
    return add(c, header, DNS_HEADER) == 0 && add(c, msg + DNS_HEADER, end - DNS_HEADER) == 0 ? 0 : E_SYSTEM;
}

int tsig_mac_end(EVP_MAC_CTX *c, const struct tsig_rr *t, bool timers_only, uint8_t mac[TSIG_MAC_MAX]) {
    uint8_t buf[2 * LIMIT_NAME_WIRE + 32];
    size_t n = 0, size = 0;
    if (!timers_only) {
        struct name name = t->name, algorithm = t->algorithm;
        name_lower(&name);
        name_lower(&algorithm);
        memcpy(buf, name.wire, name.size);
        n = name.size;
        put_u16(buf + n, CLASS_ANY);
        put_u32(buf + n + 2, 0);
        memcpy(buf + n + 6, algorithm.wire, algorithm.size);
        n += 6 + (size_t)algorithm.size;
    }
    put_u48(buf + n, t->time_s);
    put_u16(buf + n + 6, t->fudge);
    n += 8;
    if (!timers_only) {
        put_u16(buf + n, t->error);
        put_u16(buf + n + 2, (uint16_t)t->other.size);
        n += 4;
    }
    if (add(c, buf, n) != 0 || (!timers_only && add(c, t->other.at, t->other.size) != 0))
        return E_SYSTEM;
    return EVP_MAC_final(c, mac, &size, TSIG_MAC_MAX) == 1 ? 0 : E_SYSTEM;
}

bool tsig_mac_equal(const struct tsig_rr *t, const uint8_t mac[TSIG_MAC_MAX]) {
    return t->mac.size <= TSIG_MAC_MAX && CRYPTO_memcmp(t->mac.at, mac, t->mac.size) == 0;
}

bool tsig_mac_size_wrong(const struct tsig_rr *t, const struct tsig_key *key) {
    size_t least = key->mac_size / 2 > 10 ? key->mac_size / 2 : 10;
    return t->mac.size > key->mac_size || t->mac.size < least;
}

bool tsig_time_right(const struct tsig_rr *t, int64_t now_s) {
    uint64_t now = now_s > 0 ? (uint64_t)now_s : 0;
    uint64_t off = now > t->time_s ? now - t->time_s : t->time_s - now;
    return off <= (t->fudge < TSIG_FUDGE_MOST ? t->fudge : TSIG_FUDGE_MOST);
}
