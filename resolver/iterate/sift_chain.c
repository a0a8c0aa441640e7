/* The answer section: a chain of CNAMEs and DNAMEs, and what stands at its end. */
#include "resolver/iterate/sift_impl.h"

/* `name` with the suffix `from` replaced by `to` (RFC 6672 section 2.2). */
static int renamed(struct name *out, const struct name *name, const struct name *from, const struct name *to) {
    size_t front = (size_t)name->size - from->size;
    if (front + to->size > LIMIT_NAME_WIRE)
        return E_RANGE;
    memcpy(out->wire, name->wire, front);
    memcpy(out->wire + front, to->wire, to->size);
    out->size = (uint8_t)(front + to->size);
    out->labels = (uint8_t)(name->labels - from->labels + to->labels);
    return 0;
}

/* A DNAME above `name`, inside the zone; -1. */
static int dname_above(const struct sift *s, const struct name *name, struct name *owner) {
    struct dns_rr rr;
    for (unsigned i = 0; i < s->rrs; i++) {
        if (s->rr[i].section != SECTION_ANSWER || s->rr[i].type != TYPE_DNAME || !sift_reread(s, i, &rr))
            continue;
        if (rr.owner.labels < name->labels && name_under(name, &rr.owner) && name_under(&rr.owner, &s->q->zone)) {
            *owner = rr.owner;
            return (int)i;
        }
    }
    return -1;
}

static bool target_of(struct sift *s, unsigned i, struct name *to) {
    struct dns_rr rr;
    if (sift_reread(s, i, &rr) && dns_name_rdata_read(to, &rr, s->raw.at, s->raw.size) == 0) {
        name_lower(to);
        return true;
    }
    sift_refuse(s, "the target of an alias is no name");
    return false;
}

static void take_away(struct sift *s, const struct name *owner, uint16_t type) {
    for (int at; (at = sift_find(s, owner, type, SECTION_ANSWER)) >= 0;)
        s->rr[at].taken = true;
}

/* The CNAME that the DNAME calls for, made here: one of the server's that says otherwise is not believed. */
static bool follow_dname(struct sift *s, unsigned at, const struct name *from, const struct name *name,
                         struct name *next, uint8_t trust) {
    struct name to;
    struct sift_result *out = &s->result;
    if (!target_of(s, at, &to))
        return false;
    uint32_t ttl_s = s->rr[at].ttl_s;
    if (!s->rr[at].taken && sift_keep(s, at, trust) < 0)
        return false;
    if (renamed(next, name, from, &to) != 0) {
        out->kind = SIFT_YXDOMAIN;
        out->target = *name;
        return false;
    }
    take_away(s, name, TYPE_CNAME);
    if (out->count == SIFT_RRSETS) {
        sift_refuse(s, "more RRsets than are believed");
        return false;
    }
    out->rrset[out->count++] = (struct sift_rrset){.owner = *name,
                                                   .type = TYPE_CNAME,
                                                   .section = SECTION_ANSWER,
                                                   .trust = trust,
                                                   .count = 1,
                                                   .ttl_s = ttl_s,
                                                   .first = (uint16_t)s->made_targets,
                                                   .made = true};
    s->made_target[s->made_targets++] = *next;
    return true;
}

/* ANY: every RRset of the name. */
static bool keep_all(struct sift *s, const struct name *name, uint8_t trust) {
    uint64_t hash = name_hash(name, s->key);
    struct dns_rr rr;
    bool found = false;
    for (unsigned i = 0; i < s->rrs; i++)
        if (s->rr[i].section == SECTION_ANSWER && s->rr[i].owner_hash == hash && !s->rr[i].taken &&
            s->rr[i].type != TYPE_RRSIG && sift_reread(s, i, &rr) && name_equal(&rr.owner, name)) {
            if (sift_keep(s, i, trust) < 0)
                return false;
            found = true;
        }
    return found;
}

static bool keep_asked(struct sift *s, const struct name *name, uint8_t trust) {
    if (s->q->qtype == TYPE_ANY)
        return keep_all(s, name, trust);
    int at = sift_find(s, name, s->q->qtype, SECTION_ANSWER);
    return at >= 0 && sift_keep(s, (unsigned)at, trust) >= 0;
}

static bool seen_before(const struct sift *s, const struct name *name) {
    for (unsigned i = 0; i < s->result.count; i++)
        if (s->result.rrset[i].type == TYPE_CNAME && s->result.rrset[i].section == SECTION_ANSWER &&
            name_equal(&s->result.rrset[i].owner, name))
            return true;
    return false;
}

bool sift_chain(struct sift *s, uint8_t trust) {
    struct sift_result *to = &s->result;
    struct name name = s->q->qname, next, from = {0};
    while (to->kind == SIFT_ANSWER && name_under(&name, &s->q->zone)) {
        if (keep_asked(s, &name, trust))
            break;
        if (seen_before(s, &name)) {
            sift_refuse(s, "aliases in a circle");
            return false;
        }
        int dname = dname_above(s, &name, &from), cname = -1;
        if (dname < 0 && (cname = sift_find(s, &name, TYPE_CNAME, SECTION_ANSWER)) < 0) {
            to->target = name;
            return false;
        }
        if (to->chain == BOUND_CHAIN) {
            sift_refuse(s, "a chain of aliases without end");
            return false;
        }
        if (dname >= 0 ? !follow_dname(s, (unsigned)dname, &from, &name, &next, trust)
                       : !target_of(s, (unsigned)cname, &next) || sift_keep(s, (unsigned)cname, trust) < 0)
            return false;
        to->chain++;
        name = next;
    }
    to->target = name;
    return to->kind == SIFT_ANSWER && name_under(&name, &s->q->zone);
}
