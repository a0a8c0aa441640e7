/* Which kind of answer it is, and what of it is kept. */
#include "resolver/iterate/sift.h"

#include <stdlib.h>

#include "resolver/base/rand.h"
#include "resolver/iterate/sift_impl.h"

struct sift *sift_new(void) {
    struct sift *s = calloc(1, sizeof *s);
    if (s != NULL)
        s->key = rand_u64();
    return s;
}

void sift_free(struct sift *s) { free(s); }

void sift_refuse(struct sift *s, const char *why) {
    if (s->result.kind != SIFT_INVALID || s->result.why == NULL)
        s->result.why = why;
    s->result.kind = SIFT_INVALID;
}

bool sift_reread(const struct sift *s, unsigned index, struct dns_rr *rr) {
    struct dns_reader reader = s->rr[index].before;
    return dns_reader_next(&reader, rr) == 0;
}

int sift_find(const struct sift *s, const struct name *owner, uint16_t type, uint8_t section) {
    uint64_t hash = name_hash(owner, s->key);
    struct dns_rr rr;
    for (unsigned i = 0; i < s->rrs; i++)
        if (s->rr[i].owner_hash == hash && s->rr[i].type == type && s->rr[i].section == section && !s->rr[i].taken &&
            sift_reread(s, i, &rr) && name_equal(&rr.owner, owner))
            return (int)i;
    return -1;
}

/* --- pass one: every RR is read once; OPT is taken apart */

static int note_opt(struct sift *s, const struct dns_rr *rr) {
    struct dns_edns edns;
    if (dns_edns_read(&edns, rr, s->raw.at, s->raw.size) != 0)
        return E_INVALID;
    s->result.rcode |= (unsigned)edns.rcode_high << 4;
    return 0;
}

static int survey(struct sift *s, struct dns_reader *reader) {
    struct dns_rr rr;
    int e;
    s->rrs = 0;
    for (;;) {
        struct dns_reader before = *reader;
        if ((e = dns_reader_next(reader, &rr)) != 0)
            return e == E_NOTFOUND ? 0 : e;
        if (rr.type == TYPE_OPT) {
            if ((e = note_opt(s, &rr)) != 0)
                return e;
            continue;
        }
        if (rr.klass != s->q->qclass || rr.type == TYPE_TSIG)
            continue;
        if (s->rrs == BOUND_RRS) /* what nobody asked for may be passed over */
            return rr.section == SECTION_ADDITIONAL ? 0 : E_FULL;
        s->rr[s->rrs++] = (struct sift_rr){
            .before = before,
            .owner_hash = name_hash(&rr.owner, s->key),
            .ttl_s = rr.ttl,
            .type = rr.type,
            .covers = rr.type == TYPE_RRSIG && rr.rdata_size >= 2 ? get_u16(s->raw.at + rr.rdata) : 0,
            .section = rr.section,
        };
    }
}

/* --- RRsets */

static bool same_set(const struct sift *s, unsigned i, const struct sift_rrset *set, uint64_t hash, uint16_t type,
                     uint16_t covers) {
    struct dns_rr rr;
    const struct sift_rr *r = &s->rr[i];
    return r->owner_hash == hash && r->type == type && r->covers == covers && r->section == set->section && !r->taken &&
           sift_reread(s, i, &rr) && name_equal(&rr.owner, &set->owner);
}

int sift_keep(struct sift *s, unsigned first, uint8_t trust) {
    struct sift_result *to = &s->result;
    struct dns_rr rr;
    if (to->count == SIFT_RRSETS || !sift_reread(s, first, &rr)) {
        sift_refuse(s, "more RRsets than are believed");
        return -1;
    }
    struct sift_rrset *set = &to->rrset[to->count];
    *set = (struct sift_rrset){.owner = rr.owner,
                               .type = rr.type,
                               .section = rr.section,
                               .trust = trust,
                               .ttl_s = UINT32_MAX,
                               .first = (uint16_t)first};
    name_lower(&set->owner);
    uint64_t hash = s->rr[first].owner_hash;
    unsigned most = rr.type == TYPE_CNAME || rr.type == TYPE_DNAME || rr.type == TYPE_SOA ? 1 : BOUND_RRSET_RRS;
    for (unsigned i = first; i < s->rrs; i++) {
        bool data = same_set(s, i, set, hash, set->type, s->rr[first].covers);
        bool sig =
            !data && s->q->dnssec_ok && set->type != TYPE_RRSIG && same_set(s, i, set, hash, TYPE_RRSIG, set->type);
        if ((!data && !sig) || (data && set->count == most && most == 1)) /* a second CNAME is passed over */
            continue;
        if (set->count + set->sigs == BOUND_RRSET_RRS) {
            sift_refuse(s, "an RRset of more RRs than are believed");
            return -1;
        }
        s->rr[i].taken = true;
        set->count += data;
        set->sigs += sig;
        if (s->rr[i].ttl_s < set->ttl_s)
            set->ttl_s = s->rr[i].ttl_s;
    }
    return (int)to->count++;
}

/* --- the sections behind the answer */

/* The names of the servers of RRset `index`, as far as anybody may ask for them (NXNSAttack). */
static void note_targets(struct sift *s, unsigned index) {
    const struct sift_rrset *set = &s->result.rrset[index];
    struct dns_rr rr;
    struct name host;
    s->targets = 0;
    for (unsigned i = set->first; i < s->rrs && s->targets < BOUND_NS_NAMES; i++)
        if (s->rr[i].type == TYPE_NS && s->rr[i].taken && s->rr[i].section == set->section && sift_reread(s, i, &rr) &&
            dns_name_rdata_read(&host, &rr, s->raw.at, s->raw.size) == 0)
            s->target[s->targets++] = name_hash(&host, s->key);
}

static bool is_target(const struct sift *s, uint64_t hash) {
    for (unsigned i = 0; i < s->targets; i++)
        if (s->target[i] == hash)
            return true;
    return false;
}

static void keep_glue(struct sift *s) {
    struct dns_rr rr;
    for (unsigned i = 0; i < s->rrs && s->result.kind != SIFT_INVALID; i++) {
        bool address = s->rr[i].type == TYPE_A || s->rr[i].type == TYPE_AAAA;
        if (s->rr[i].section != SECTION_ADDITIONAL || !address || s->rr[i].taken ||
            !is_target(s, s->rr[i].owner_hash) || !sift_reread(s, i, &rr))
            continue;
        if ((s->q->any_glue || name_under(&rr.owner, &s->q->zone)) && s->result.count < SIFT_RRSETS)
            (void)sift_keep(s, i, TRUST_ADDITIONAL);
    }
}

/* NS of a cut, the one SOA, and with DO what proves a denial. */
static void keep_authority(struct sift *s, const struct name *last, uint8_t trust) {
    struct dns_rr rr;
    bool ns = false, soa = false;
    for (unsigned i = 0; i < s->rrs && s->result.kind != SIFT_INVALID; i++) {
        uint16_t type = s->rr[i].type;
        if (s->rr[i].section != SECTION_AUTHORITY || s->rr[i].taken || !sift_reread(s, i, &rr) ||
            !name_under(&rr.owner, &s->q->zone))
            continue;
        bool above = name_under(last, &rr.owner);
        bool wanted = (type == TYPE_NS && above && !ns && s->result.kind == SIFT_REFERRAL) ||
                      (type == TYPE_SOA && above && !soa) || (type == TYPE_DS && ns) ||
                      ((type == TYPE_NSEC || type == TYPE_NSEC3 || type == TYPE_DS) && s->q->dnssec_ok);
        if (!wanted || s->result.count == SIFT_RRSETS)
            continue;
        soa |= type == TYPE_SOA;
        int at = sift_keep(s, i, trust);
        if (type == TYPE_NS && at >= 0) {
            ns = true;
            note_targets(s, (unsigned)at);
        }
    }
    if (s->result.kind != SIFT_INVALID)
        keep_glue(s);
}

static bool has_soa(const struct sift *s, const struct name *last) {
    struct dns_rr rr;
    for (unsigned i = 0; i < s->rrs; i++)
        if (s->rr[i].section == SECTION_AUTHORITY && s->rr[i].type == TYPE_SOA && sift_reread(s, i, &rr) &&
            name_under(last, &rr.owner) && name_under(&rr.owner, &s->q->zone))
            return true;
    return false;
}

/* --- which kind */

/* NOERROR without the data: the first SOA or NS of the authority section that means something decides, as it does for
 * other resolvers; servers in the field set AA on referrals and forget it on denials. */
static enum sift_kind without_data(struct sift *s) {
    const struct sift_question *q = s->q;
    struct sift_result *to = &s->result;
    struct dns_rr rr;
    bool recursor = to->ra && !to->aa && !q->forwarded && !q->resolvers_too;
    for (unsigned i = 0; i < s->rrs; i++) {
        if (s->rr[i].section != SECTION_AUTHORITY || !sift_reread(s, i, &rr))
            continue;
        if (rr.type == TYPE_SOA && name_under(&q->qname, &rr.owner))
            break;
        if (rr.type != TYPE_NS || q->forwarded)
            continue;
        if (name_equal(&rr.owner, &q->zone)) {
            to->why = "a referral to the zone that was asked";
            return to->aa ? SIFT_NODATA : SIFT_LAME;
        }
        if (name_under(&q->zone, &rr.owner)) {
            to->why = "an upward referral";
            return SIFT_LAME;
        }
        if (name_under(&rr.owner, &q->zone) && name_under(&q->qname, &rr.owner)) {
            to->cut = rr.owner;
            name_lower(&to->cut);
            return SIFT_REFERRAL;
        }
    }
    to->why = "a resolver that has nothing in its cache";
    return recursor ? SIFT_LAME : SIFT_NODATA;
}

static void judge(struct sift *s) {
    const struct sift_question *q = s->q;
    struct sift_result *to = &s->result;
    uint8_t data = to->aa && !q->forwarded ? TRUST_DATA : TRUST_ANSWER;
    bool recursor = to->ra && !to->aa && !q->forwarded && !q->resolvers_too;
    bool nxdomain = to->rcode == RCODE_NXDOMAIN;
    to->kind = SIFT_ANSWER;
    bool answered = sift_chain(s, data);
    if (to->kind != SIFT_ANSWER)
        return;
    if (recursor && (answered || to->chain > 0 || nxdomain)) {
        to->kind = SIFT_LAME;
        to->why = "a resolver's answer, not an authoritative one";
        return;
    }
    bool denied = has_soa(s, &to->target) && name_under(&to->target, &q->zone);
    if (answered)
        to->kind = SIFT_ANSWER;
    else if (to->chain > 0 && !denied)
        to->kind = nxdomain && q->forwarded ? SIFT_NXDOMAIN : q->forwarded && !nxdomain ? SIFT_NODATA : SIFT_CNAME;
    else if (nxdomain)
        to->kind = SIFT_NXDOMAIN;
    else
        to->kind = to->chain > 0 ? SIFT_NODATA : without_data(s);
    if (to->kind == SIFT_LAME)
        return;
    bool referral = to->kind == SIFT_REFERRAL;
    keep_authority(s, &to->target, referral ? TRUST_REFERRAL : to->aa ? TRUST_AUTHORITY : TRUST_ANSWER);
}

const struct sift_result *sift_read(struct sift *s, const struct sift_question *q, struct bytes raw) {
    struct dns_reader reader;
    struct name qname;
    uint16_t qtype = 0, qclass = 0;
    struct sift_result *to = &s->result;
    s->q = q;
    s->raw = raw;
    s->rrs = s->made_targets = s->targets = 0;
    to->kind = SIFT_INVALID;
    to->why = "it is not well-formed";
    to->rcode = to->count = to->chain = 0;
    to->aa = to->ra = false;
    to->target = q->qname;
    if (dns_reader_open(&reader, raw.at, raw.size, &qname, &qtype, &qclass) != 0 || !(reader.header.flags & FLAG_QR) ||
        reader.header.opcode != OPCODE_QUERY)
        return to;
    to->rcode = reader.header.rcode;
    to->aa = reader.header.flags & FLAG_AA;
    to->ra = reader.header.flags & FLAG_RA;
    bool error = to->rcode != RCODE_NOERROR && to->rcode != RCODE_NXDOMAIN;
    if (reader.header.qd == 0) { /* some servers refuse so: nothing but a header */
        to->kind = error ? SIFT_RCODE : SIFT_INVALID;
        return to;
    }
    to->why = "it answers another question";
    if (qtype != q->qtype || qclass != q->qclass || !name_equal(&qname, &q->qname))
        return to;
    if (reader.header.flags & FLAG_TC) {
        to->kind = SIFT_TRUNCATED;
        return to;
    }
    to->why = "its RRs are not well-formed, or too many";
    if (survey(s, &reader) != 0)
        return to;
    to->why = NULL;
    if (to->rcode != RCODE_NOERROR && to->rcode != RCODE_NXDOMAIN && to->rcode != RCODE_YXDOMAIN)
        to->kind = SIFT_RCODE;
    else
        judge(s);
    if (to->rcode == RCODE_YXDOMAIN && to->kind != SIFT_YXDOMAIN)
        to->kind = SIFT_RCODE;
    return to;
}
