/* From the message into the cache's form: RDATA one behind the other, without compression. */
#include "resolver/dns/rdata.h"
#include "resolver/iterate/sift_impl.h"

/* Appends the RDATA of RR `i`. */
static int pack_rr(struct sift *s, unsigned i, uint8_t *buf, size_t *size) {
    struct dns_rr rr;
    struct bytes rdata;
    if (!sift_reread(s, i, &rr) || rdata_plain(&rr, s->raw, s->rdata, sizeof s->rdata, &rdata) != 0)
        return E_INVALID;
    if (*size + 2 + rdata.size > RRSET_MAX)
        return E_FULL;
    uint16_t n = (uint16_t)rdata.size;
    memcpy(buf + *size, &n, 2);
    if (n > 0)
        memcpy(buf + *size + 2, rdata.at, n);
    *size += 2 + (size_t)n;
    return 0;
}

/* Of the set: its data, or its signatures. */
static int pack_part(struct sift *s, const struct sift_rrset *set, uint16_t type, uint16_t covers, unsigned count,
                     uint8_t *buf, size_t *size) {
    uint64_t hash = s->rr[set->first].owner_hash;
    struct dns_rr rr;
    for (unsigned i = set->first, done = 0; i < s->rrs && done < count; i++) {
        const struct sift_rr *r = &s->rr[i];
        if (r->owner_hash != hash || r->type != type || r->covers != covers || r->section != set->section ||
            !r->taken || !sift_reread(s, i, &rr) || !name_equal(&rr.owner, &set->owner))
            continue;
        int e = pack_rr(s, i, buf, size);
        if (e != 0)
            return e;
        done++;
    }
    return 0;
}

static int pack_made(const struct sift *s, const struct sift_rrset *set, uint8_t *buf, size_t *size) {
    const struct name *to = &s->made_target[set->first];
    uint16_t n = to->size;
    memcpy(buf, &n, 2);
    memcpy(buf + 2, to->wire, n);
    *size = 2 + (size_t)n;
    return 0;
}

int sift_rrset(struct sift *s, unsigned index, struct rrset *out, uint8_t *buf) {
    const struct sift_rrset *set = &s->result.rrset[index];
    size_t size = 0;
    *out = (struct rrset){.owner = set->owner,
                          .type = set->type,
                          .klass = s->q->qclass,
                          .kind = RRSET_DATA,
                          .trust = set->trust,
                          .with_dnssec = s->q->dnssec_ok,
                          .ttl_s = set->ttl_s,
                          .count = set->count,
                          .sigs = set->sigs};
    int e = set->made ? pack_made(s, set, buf, &size)
                      : pack_part(s, set, set->type, s->rr[set->first].covers, set->count, buf, &size);
    if (e == 0 && set->sigs > 0)
        e = pack_part(s, set, TYPE_RRSIG, set->type, set->sigs, buf, &size);
    out->data = (struct bytes){buf, size};
    return e;
}

/* One RR in wire form: owner, type, class, TTL, size, RDATA. */
static int pack_wire(struct sift *s, unsigned i, uint8_t *buf, size_t *size) {
    struct dns_rr rr;
    struct bytes rdata;
    if (!sift_reread(s, i, &rr) || rdata_plain(&rr, s->raw, s->rdata, sizeof s->rdata, &rdata) != 0)
        return E_INVALID;
    name_lower(&rr.owner);
    if (*size + rr.owner.size + 10 + rdata.size > RRSET_MAX)
        return E_FULL;
    uint8_t *p = buf + *size;
    memcpy(p, rr.owner.wire, rr.owner.size);
    p += rr.owner.size;
    put_u16(p, rr.type);
    put_u16(p + 2, rr.klass);
    put_u32(p + 4, rr.ttl);
    put_u16(p + 8, (uint16_t)rdata.size);
    if (rdata.size > 0)
        memcpy(p + 10, rdata.at, rdata.size);
    *size += rr.owner.size + 10u + rdata.size;
    return 0;
}

static uint32_t smaller(uint32_t a, uint32_t b) { return a < b ? a : b; }

int sift_denial(struct sift *s, struct rrset *out, uint8_t *buf) {
    const struct sift_result *r = &s->result;
    struct dns_rr rr;
    size_t size = 0;
    uint32_t serial, minimum;
    bool soa = false;
    *out = (struct rrset){.owner = r->target,
                          .type = r->kind == SIFT_NXDOMAIN ? RRSET_NAME : s->q->qtype,
                          .klass = s->q->qclass,
                          .kind = r->kind == SIFT_NXDOMAIN ? RRSET_NXDOMAIN : RRSET_NODATA,
                          .trust = r->aa ? TRUST_AUTHORITY : TRUST_ANSWER,
                          .with_dnssec = s->q->dnssec_ok,
                          .ttl_s = UINT32_MAX};
    for (unsigned i = 0; i < s->rrs; i++) {
        const struct sift_rr *one = &s->rr[i];
        uint16_t of = one->type == TYPE_RRSIG ? one->covers : one->type;
        if (!one->taken || one->section != SECTION_AUTHORITY ||
            (of != TYPE_SOA && of != TYPE_NSEC && of != TYPE_NSEC3) || !sift_reread(s, i, &rr))
            continue;
        out->ttl_s = smaller(out->ttl_s, rr.ttl);
        if (one->type == TYPE_SOA) {
            if (dns_soa_read(&rr, s->raw.at, s->raw.size, &serial, &minimum) != 0)
                return E_INVALID;
            out->ttl_s = smaller(out->ttl_s, minimum);
            soa = true;
        }
        int e = pack_wire(s, i, buf, &size);
        if (e != 0)
            return e;
        out->count++;
    }
    out->data = (struct bytes){buf, size};
    return soa ? 0 : E_NOTFOUND;
}
