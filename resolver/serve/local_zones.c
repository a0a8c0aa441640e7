/* Looking up a name among the local zones, and what is answered. */
#include "resolver/serve/local_zones_impl.h"

#include <string.h>

#include "resolver/base/bytes.h"

/* FNV-1a. Nobody outside chooses what is in the table, so it needs no key. */
static uint32_t label_hash(uint32_t parent, const uint8_t *label) {
    uint64_t h = 0xcbf29ce484222325 ^ parent;
    for (unsigned i = 0; i <= label[0]; i++)
        h = (h ^ label[i]) * 0x100000001b3;
    return (uint32_t)(h ^ h >> 32);
}

uint32_t local_slot(const struct local_zones *z, uint32_t parent, const uint8_t *label) {
    uint32_t at = label_hash(parent, label) & (z->slots - 1);
    for (; z->slot[at] != 0; at = (at + 1) & (z->slots - 1)) {
        const struct local_node *n = &z->node[z->slot[at] - 1];
        if (n->parent == parent && memcmp(z->octets + n->label, label, label[0] + 1U) == 0)
            break;
    }
    return at;
}

uint32_t local_child(const struct local_zones *z, uint32_t parent, const uint8_t *label) {
    uint32_t slot = z->slot[local_slot(z, parent, label)];
    return slot != 0 ? slot - 1 : LOCAL_NOT_FOUND;
}

static bool decides(const struct local_zones *z, uint32_t node) {
    return z->node[node].kind != LOCAL_NONE && z->node[node].kind != LOCAL_TRANSPARENT;
}

uint32_t local_find(const struct local_zones *z, const struct name *n, uint32_t *zone, unsigned *zone_labels) {
    uint8_t starts[LIMIT_LABELS], label[64];
    uint32_t at = 0;
    unsigned labels = 0;
    for (unsigned i = 0; n->wire[i] != 0; i += n->wire[i] + 1U)
        starts[labels++] = (uint8_t)i;
    if (zone != NULL) {
        *zone = decides(z, 0) ? 0 : LOCAL_NOT_FOUND;
        *zone_labels = 0;
    }
    for (unsigned i = labels; i > 0; i--) {
        const uint8_t *from = n->wire + starts[i - 1];
        label[0] = from[0];
        for (unsigned k = 1; k <= from[0]; k++)
            label[k] = from[k] >= 'A' && from[k] <= 'Z' ? from[k] | 0x20 : from[k];
        at = local_child(z, at, label);
        if (at == LOCAL_NOT_FOUND)
            return at;
        if (zone != NULL && z->node[at].kind != LOCAL_NONE) {
            *zone = decides(z, at) ? at : LOCAL_NOT_FOUND;
            *zone_labels = labels - i + 1;
        }
    }
    return at;
}

/* --- answers */

struct local_ask {
    const struct local_zones *z;
    const struct name *qname;
    uint16_t qtype;
    struct dns_writer *w;
    struct local_answer *a;
};

static struct bytes rdata_of(const struct local_zones *z, const struct local_rr *rr) {
    return (struct bytes){z->octets + rr->at, rr->size};
}

/* Writes the RRset asked for; the node's only CNAME, or with ANY its first RRset, counts as that. NULL: there is none;
 * else its first RR. */
static const struct local_rr *write_rrset(const struct local_ask *k, uint32_t node, const struct name *owner) {
    const struct local_node *n = &k->z->node[node];
    const struct local_rr *found = NULL;
    for (uint32_t i = n->first; i < n->first + n->count; i++) {
        const struct local_rr *rr = &k->z->rr[i];
        if (found != NULL ? rr->type != found->type
                          : rr->type != k->qtype && rr->type != TYPE_CNAME && k->qtype != TYPE_ANY)
            continue;
        if (found == NULL)
            found = rr;
        if (owner == k->qname)
            dns_writer_rr_at(k->w, SECTION_ANSWER, DNS_HEADER, rr->type, CLASS_IN, rr->ttl, rdata_of(k->z, rr));
        else
            dns_writer_rr(k->w, SECTION_ANSWER, owner, rr->type, CLASS_IN, rr->ttl, rdata_of(k->z, rr));
    }
    return found;
}

/* `zone` is that of `n`, `labels` its own. */
static void write_soa(const struct local_ask *k, uint32_t zone, const struct name *n, unsigned labels) {
    const struct local_node *z = &k->z->node[zone];
    struct bytes soa = {k->z->octets + z->soa, z->soa_size};
    size_t at = name_label_at(n, n->labels - labels);
    struct name owner;
    if (n == k->qname) {
        dns_writer_rr_at(k->w, SECTION_AUTHORITY, (uint16_t)(DNS_HEADER + at), TYPE_SOA, CLASS_IN, z->negative_ttl,
                         soa);
        return;
    }
    name_strip(&owner, n, n->labels - labels);
    dns_writer_rr(k->w, SECTION_AUTHORITY, &owner, TYPE_SOA, CLASS_IN, z->negative_ttl, soa);
}

/* A name with data: what it has of the type, through its CNAMEs (local_zones_open has seen to it that they lead to
 * data), or NODATA. */
static void answer_data(const struct local_ask *k, uint32_t data, uint32_t zone, unsigned zone_labels) {
    struct name target;
    const struct name *n = k->qname;
    for (unsigned hop = 0; hop <= LOCAL_CHAIN_MAX; hop++) {
        const struct local_rr *rr = write_rrset(k, data, n);
        size_t end;
        if (rr == NULL && zone == LOCAL_NOT_FOUND)
            write_soa(k, data, n, n->labels);
        else if (rr == NULL)
            write_soa(k, zone, n, zone_labels);
        if (rr == NULL || rr->type != TYPE_CNAME || k->qtype == TYPE_CNAME || k->qtype == TYPE_ANY)
            return;
        struct bytes to = rdata_of(k->z, rr);
        if (name_read(&target, to.at, to.size, 0, &end) != 0)
            return;
        n = &target;
        data = local_find(k->z, n, &zone, &zone_labels);
        if (data == LOCAL_NOT_FOUND)
            return;
    }
}

struct kind {
    const char *word, *ede_text;
    uint8_t rcode;
    int ede;
};

static const struct kind kinds[] = {
    [LOCAL_TRANSPARENT] = {"transparent", NULL, RCODE_NOERROR, EDE_NONE},
    [LOCAL_STATIC] = {"static", NULL, RCODE_NXDOMAIN, EDE_NONE},
    [LOCAL_REDIRECT] = {"redirect", NULL, RCODE_NOERROR, EDE_NONE},
    [LOCAL_NXDOMAIN] = {"nxdomain", "an override of this node", RCODE_NXDOMAIN, EDE_BLOCKED},
    [LOCAL_NODATA] = {"nodata", "an override of this node", RCODE_NOERROR, EDE_BLOCKED},
    [LOCAL_REFUSE] = {"refuse", "an override of this node", RCODE_REFUSED, EDE_BLOCKED},
    [LOCAL_DROP] = {"drop", NULL, RCODE_REFUSED, EDE_NONE},
};

const char *local_zones_kind(enum conf_local kind) {
    return kind < ARRAY_SIZE(kinds) && kinds[kind].word != NULL ? kinds[kind].word : "none";
}

/* The name has no data of its own: its zone decides. */
static void answer_zone(const struct local_ask *k, uint32_t node, uint32_t zone, unsigned zone_labels) {
    const struct local_node *z = &k->z->node[zone];
    const struct kind *kind = &kinds[z->kind];
    *k->a = (struct local_answer){
        .rcode = kind->rcode, .ede = kind->ede, .ede_text = kind->ede_text, .drop = z->kind == LOCAL_DROP};
    if (z->kind == LOCAL_STATIC && node != LOCAL_NOT_FOUND)
        k->a->rcode = RCODE_NOERROR; /* an empty non-terminal */
    if (z->kind == LOCAL_REDIRECT && z->count > 0) {
        if (!z->built_in) {
            k->a->ede = EDE_FORGED_ANSWER;
            k->a->ede_text = kinds[LOCAL_NXDOMAIN].ede_text;
        }
        answer_data(k, zone, zone, zone_labels);
    } else if (k->a->rcode == RCODE_NOERROR || k->a->rcode == RCODE_NXDOMAIN) {
        write_soa(k, zone, k->qname, zone_labels);
    }
}

bool local_zones_answer(const struct local_zones *z, const struct name *qname, uint16_t qtype, struct dns_writer *w,
                        struct local_answer *a) {
    const struct local_ask k = {z, qname, qtype, w, a};
    uint32_t zone;
    unsigned zone_labels;
    uint32_t node = local_find(z, qname, &zone, &zone_labels);
    *a = (struct local_answer){.rcode = RCODE_NOERROR, .ede = EDE_NONE};
    if (node != LOCAL_NOT_FOUND && z->node[node].count > 0)
        answer_data(&k, node, zone, zone_labels);
    else if (zone != LOCAL_NOT_FOUND)
        answer_zone(&k, node, zone, zone_labels);
    else
        return false;
    return true;
}
