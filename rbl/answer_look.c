/* One question's look-ups. A zone may hold lists of IPv4, IPv6 and names at once; all that answer add up. An IPv6
 * address that has an IPv4 address in it (::ffff:0:0/96, 2002::/16) is looked up in the IPv4 lists too. */
#include "rbl/answer_impl.h"

static struct answer_hits *next_found(struct answer *s) {
    struct answer_hits *f = &s->found[s->founds];
    f->count = 0;
    return f;
}

static int look4(struct answer *s, struct answer_zone *z, uint64_t which, uint32_t addr) {
    struct answer_hits *f = next_found(s);
    int rc = view_find4(z->view, which, addr, f->hit, &f->count);
    if (rc < 0 || f->count == 0)
        return rc;
    f->addr_bits = 32;
    f->addr4 = addr;
    s->founds++;
    return 0;
}

/* view_find6 tells what IPv4 lists say too, where look4 was before it: a list is of one kind. */
static void drop_seen(const struct answer *s, struct answer_hits *f) {
    unsigned kept = 0;
    for (unsigned i = 0; i < f->count; i++) {
        bool seen = false;
        for (unsigned j = 0; s->founds > 0 && j < s->found[0].count; j++)
            seen |= s->found[0].hit[j].dataset == f->hit[i].dataset;
        if (!seen)
            f->hit[kept++] = f->hit[i];
    }
    f->count = kept;
}

static int look6(struct answer *s, struct answer_zone *z, uint64_t which, const uint8_t addr[16]) {
    uint32_t inner;
    unsigned inside = answer_inner4(addr, &inner);
    int rc = inside != 0 && (z->which4 & which) != 0 ? look4(s, z, which, inner) : 0;
    if (rc < 0 || (inside == 96 && (z->type4 & which) != 0) || (z->which6 & which) == 0)
        return rc;
    struct answer_hits *f = next_found(s);
    rc = view_find6(z->view, which, addr, f->hit, &f->count);
    if (rc == 0 && inside != 0)
        drop_seen(s, f);
    if (rc < 0 || f->count == 0)
        return rc;
    f->addr_bits = 128;
    memcpy(f->addr6, addr, sizeof f->addr6);
    s->founds++;
    return 0;
}

static int look_name(struct answer *s, struct answer_zone *z, const struct name *qname, const struct answer_place *p,
                     bool *below) {
    struct name relative;
    bool beneath = false;
    relative.size = (uint8_t)(p->size + 1);
    relative.labels = p->labels;
    memcpy(relative.wire, qname->wire, p->size);
    relative.wire[p->size] = 0;
    name_lower(&relative);
    struct answer_hits *f = next_found(s);
    int rc = view_find_name(z->view, p->which, &relative, f->hit, &f->count, &beneath);
    *below |= beneath;
    if (rc < 0 || f->count == 0)
        return rc;
    f->addr_bits = 0;
    s->founds++;
    return 0;
}

/* Whether the addresses of `bits` leading bits have IPv4 entries through ::ffff:0:0/96 (at 96) or 2002::/16 (at 16). */
static int below_inner(struct answer_zone *z, uint64_t which, const uint8_t addr[16], unsigned bits,
                       const uint8_t *outer, unsigned at, bool *below) {
    unsigned whole = (bits < at ? bits : at) / 8, rest = bits < at ? bits % 8 : 0;
    if (memcmp(addr, outer, whole) != 0 || (rest != 0 && (addr[whole] ^ outer[whole]) >> (8 - rest) != 0))
        return 0;
    unsigned inner_bits = bits <= at ? 0 : bits - at > 32 ? 32 : bits - at;
    uint32_t inner = at == 96 ? get_u32(addr + 12) : get_u32(addr + 2);
    return view_below4(z->view, which, inner_bits == 0 ? 0 : inner, inner_bits, below);
}

static int below6(struct answer_zone *z, uint64_t which, const uint8_t addr[16], unsigned bits, bool *below) {
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}, sixto4[2] = {0x20, 0x02};
    bool has4 = (z->which4 & which) != 0;
    int rc = (z->which6 & which) != 0 ? view_below6(z->view, which, addr, bits, below) : 0;
    if (rc == 0 && !*below && has4)
        rc = below_inner(z, which, addr, bits, mapped, 96, below);
    if (rc == 0 && !*below && has4)
        rc = below_inner(z, which, addr, bits, sixto4, 16, below);
    return rc;
}

/* A part of a reversed address with entries beneath is an empty non-terminal: it exists (RFC 8020). */
static int look_below(struct answer_zone *z, const struct name *qname, const struct answer_place *p, bool *below) {
    uint32_t addr;
    uint8_t addr6[16];
    bool has4 = (z->which4 & p->which) != 0, has6 = (z->which6 & p->which) != 0;
    unsigned bits = has4 ? answer_part4(qname, p->labels, &addr) : 0;
    int rc = bits != 0 ? view_below4(z->view, p->which, addr, bits, below) : 0;
    if (rc < 0 || *below || !(has4 || has6))
        return rc;
    bits = answer_part6(qname, p->labels, addr6);
    return bits != 0 ? below6(z, p->which, addr6, bits, below) : 0;
}

/* The address that the name is, if it is one. */
static void read_address(struct answer *s, const struct name *qname, const struct answer_place *p) {
    s->asked_bits = 0;
    if (p->labels == 4 && answer_name4(qname, &s->asked4))
        s->asked_bits = 32;
    else if (p->labels == 32 && answer_name6(qname, s->asked6))
        s->asked_bits = 128;
}

int answer_look(struct answer *s, struct answer_zone *z, const struct name *qname, const struct answer_place *p,
                bool *below) {
    bool beneath = false;
    int rc = 0;
    s->founds = 0;
    read_address(s, qname, p);
    if (s->asked_bits == 32 && (z->which4 & p->which) != 0)
        rc = look4(s, z, p->which, s->asked4);
    else if (s->asked_bits == 128 && ((z->which4 | z->which6) & p->which) != 0)
        rc = look6(s, z, p->which, s->asked6);
    if (rc == 0 && (z->which_names & p->which) != 0)
        rc = look_name(s, z, qname, p, &beneath);
    if (rc == 0 && s->founds == 0 && !beneath && p->labels > 0 && p->labels < 32)
        rc = look_below(z, qname, p, &beneath);
    *below |= beneath;
    return rc < 0 ? rc : s->founds > 0;
}
