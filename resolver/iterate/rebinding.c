#include "resolver/iterate/rebinding.h"

#include <stdlib.h>
#include <string.h>

#include "resolver/base/bytes.h"
#include "resolver/dns/writer.h"

enum { SVCB_IPV4HINT = 4, SVCB_IPV6HINT = 6 }; /* RFC 9460 section 14.3.2 */

struct rebinding {
    const struct conf_list_prefix *networks;
    struct name *may; /* names that may have private addresses, and all below them */
    size_t count;
    uint8_t buf[LIMIT_MESSAGE];
};

static int may_add(struct rebinding *r, const char *zone, struct err *err) {
    int e = name_from_text(&r->may[r->count], zone, err);
    if (e == 0 && r->may[r->count].labels > 0)
        r->count++;
    return e;
}

int rebinding_open(struct rebinding **out, const struct conf *conf, struct err *err) {
    const struct conf_resolver *c = &conf->resolver;
    const struct conf_list_text *domains = &c->recursion.private_domains;
    int e = 0;
    *out = NULL;
    if (c->recursion.private_addresses.count == 0)
        return 0;
    struct rebinding *r = calloc(1, sizeof *r);
    size_t names = domains->count + c->forward_count + c->stub_count + c->guard_count;
    if (r == NULL || (r->may = calloc(names + 1, sizeof *r->may)) == NULL) {
        free(r);
        return err_set(err, E_NOMEM, "resolver.recursion.private-addresses: no memory");
    }
    r->networks = &c->recursion.private_addresses;
    for (size_t i = 0; i < domains->count && e == 0; i++)
        e = may_add(r, domains->at[i], err);
    for (size_t i = 0; i < c->forward_count && e == 0; i++)
        e = may_add(r, c->forward[i].zone, err);
    for (size_t i = 0; i < c->stub_count && e == 0; i++)
        e = may_add(r, c->stub[i].zone, err);
    for (size_t i = 0; i < c->guard_count && e == 0; i++)
        e = may_add(r, c->guard[i].zone, err);
    if (e != 0)
        rebinding_close(r);
    else
        *out = r;
    return e;
}

void rebinding_close(struct rebinding *r) {
    if (r == NULL)
        return;
    free(r->may);
    free(r);
}

static bool may_have(const struct rebinding *r, const struct name *n) {
    for (size_t i = 0; i < r->count; i++)
        if (name_under(n, &r->may[i]))
            return true;
    return false;
}

static bool is_private(const struct rebinding *r, const uint8_t *octets, size_t size) {
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    struct addr a = {.in = {.sin_family = AF_INET}};
    if (size == sizeof a.in.sin_addr) {
        memcpy(&a.in.sin_addr, octets, size);
    } else if (size == sizeof in6.sin6_addr) {
        memcpy(&in6.sin6_addr, octets, size);
        addr_from_sockaddr(&a, (const struct sockaddr *)&in6);
    } else {
        return false;
    }
    return prefix_list_has(r->networks->at, r->networks->count, &a);
}

/* Whether one of the hints in SVCB RDATA is private: priority, target, then key, length, value (RFC 9460 section 2.2).
 */
static bool hints_private(const struct rebinding *r, const uint8_t *rdata, size_t size) {
    struct name target;
    size_t at = 2;
    if (size < 3 || name_read(&target, rdata, size, 2, &at) != 0)
        return false;
    while (size - at >= 4) {
        uint16_t key = get_u16(rdata + at), length = get_u16(rdata + at + 2);
        size_t each = key == SVCB_IPV4HINT ? 4 : key == SVCB_IPV6HINT ? 16 : 0;
        at += 4;
        if (length > size - at)
            return false;
        for (size_t i = 0; each > 0 && i + each <= length; i += each)
            if (is_private(r, rdata + at + i, each))
                return true;
        at += length;
    }
    return false;
}

static bool must_go(const struct rebinding *r, const struct dns_rr *rr, const uint8_t *msg, bool asked_may) {
    const uint8_t *rdata = msg + rr->rdata;
    bool bad = false;
    if (rr->section != SECTION_ANSWER)
        return false;
    if ((rr->type == TYPE_A && rr->rdata_size == 4) || (rr->type == TYPE_AAAA && rr->rdata_size == 16))
        bad = is_private(r, rdata, rr->rdata_size);
    else if (rr->type == TYPE_SVCB || rr->type == TYPE_HTTPS)
        bad = hints_private(r, rdata, rr->rdata_size);
    return bad && !(asked_may && may_have(r, &rr->owner));
}

/* What the first look found. */
struct found {
    unsigned count;
    uint16_t types[4]; /* of which something goes: their signatures go, too */
    struct name owner; /* of the first that goes */
    uint32_t ttl;
    bool some_left; /* an RR of the type asked for stays */
};

static bool is_gone_type(const struct found *f, uint16_t type) {
    for (size_t i = 0; i < ARRAY_SIZE(f->types); i++)
        if (f->types[i] == type && type != 0)
            return true;
    return false;
}

static void note(struct found *f, const struct dns_rr *rr) {
    if (f->count++ == 0) {
        f->owner = rr->owner;
        f->ttl = rr->ttl < REBINDING_TTL_S ? rr->ttl : REBINDING_TTL_S;
    }
    for (size_t i = 0; i < ARRAY_SIZE(f->types) && !is_gone_type(f, rr->type); i++)
        if (f->types[i] == 0)
            f->types[i] = rr->type;
}

static bool look(const struct rebinding *r, const struct resolve_question *q, const uint8_t *msg, size_t size,
                 bool asked_may, struct found *f) {
    struct dns_reader reader;
    struct dns_rr rr;
    *f = (struct found){.count = 0};
    if (dns_reader_open(&reader, msg, size, NULL, NULL, NULL) != 0)
        return false;
    while (dns_reader_next(&reader, &rr) == 0) {
        if (must_go(r, &rr, msg, asked_may))
            note(f, &rr);
        else if (rr.section == SECTION_ANSWER && (rr.type == q->qtype || q->qtype == TYPE_ANY))
            f->some_left = true;
    }
    return f->count > 0;
}

static void write_soa(struct dns_writer *w, const struct found *f) {
    struct dns_soa soa = {.primary = f->owner, .serial = 1, .refresh = 3600, .retry = 1200, .expire = 604800};
    soa.minimum = f->ttl;
    if (name_from_text(&soa.contact, "nobody.invalid.", NULL) == 0)
        dns_writer_soa(w, SECTION_AUTHORITY, &f->owner, f->ttl, &soa);
}

size_t rebinding_strip(struct rebinding *r, const struct resolve_question *q, uint8_t *msg, size_t size,
                       unsigned *dropped) {
    bool asked_may = r != NULL && may_have(r, &q->qname);
    struct dns_reader reader;
    struct dns_writer w;
    struct found f;
    struct dns_rr rr;
    *dropped = 0;
    if (r == NULL || !look(r, q, msg, size, asked_may, &f) ||
        dns_reader_open(&reader, msg, size, NULL, NULL, NULL) != 0)
        return size;
    dns_writer_open(&w, r->buf, sizeof r->buf, reader.header.id, reader.header.flags, reader.header.opcode);
    dns_writer_question(&w, &q->qname, q->qtype, q->qclass);
    while (dns_reader_next(&reader, &rr) == 0) {
        struct bytes rdata = {msg + rr.rdata, rr.rdata_size};
        bool signs = rr.section == SECTION_ANSWER && rr.type == TYPE_RRSIG && rdata.size >= 2 &&
                     is_gone_type(&f, get_u16(rdata.at));
        if (!signs && !must_go(r, &rr, msg, asked_may))
            dns_writer_rr(&w, rr.section, &rr.owner, rr.type, rr.klass, rr.ttl, rdata);
    }
    if (!f.some_left)
        write_soa(&w, &f);
    int written = dns_writer_end(&w, 0, reader.header.rcode);
    *dropped = f.count;
    if (written < 0)
        return 0;
    memcpy(msg, r->buf, (size_t)written);
    return (size_t)written;
}
