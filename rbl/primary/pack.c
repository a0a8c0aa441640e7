#include "rbl/primary/pack.h"

enum { POINTER = 0xC000, REACH = 0x4000, RR_FIXED = 10, NOWHERE = 0 };

void pack_open(struct pack *p, const struct name *apex) {
    p->apex = *apex;
    p->size = 0;
    p->count = 0;
    p->owner_known = false;
}

/* The name at `at` of the message is the last owner from now on. */
static void owner_stands(struct pack *p, const struct name *owner, size_t at) {
    p->owner = *owner;
    p->owner_known = true;
    for (unsigned i = 0; i < owner->labels; i++) {
        p->at[i] = at < REACH ? (uint16_t)at : NOWHERE;
        at += 1 + (size_t)owner->wire[name_label_at(owner, i)];
    }
}

void pack_begin(struct pack *p, bool question) {
    memset(p->msg, 0, DNS_HEADER);
    p->size = DNS_HEADER;
    p->count = 0;
    p->question = question;
    p->owner_known = false;
    if (!question)
        return;
    memcpy(p->msg + p->size, p->apex.wire, p->apex.size);
    owner_stands(p, &p->apex, p->size);
    p->size += p->apex.size;
    put_u16(p->msg + p->size, TYPE_AXFR);
    put_u16(p->msg + p->size + 2, CLASS_IN);
    p->size += 4;
}

/* How many labels, counted from the right, two names share, octet for octet. */
static unsigned shared_labels(const struct name *a, const struct name *b) {
    unsigned most = a->labels < b->labels ? a->labels : b->labels, n = 0;
    size_t at_a[LIMIT_LABELS], at_b[LIMIT_LABELS], at = 0;
    for (unsigned i = 0; i < a->labels; i++, at += 1 + (size_t)a->wire[at])
        at_a[i] = at;
    at = 0;
    for (unsigned i = 0; i < b->labels; i++, at += 1 + (size_t)b->wire[at])
        at_b[i] = at;
    while (n < most) {
        const uint8_t *x = a->wire + at_a[a->labels - 1 - n], *y = b->wire + at_b[b->labels - 1 - n];
        if (x[0] != y[0] || memcmp(x + 1, y + 1, x[0]) != 0)
            break;
        n++;
    }
    return n;
}

/* Writes the owner; remembers where its labels stand. The caller has looked for room. */
static void put_owner(struct pack *p, const struct name *owner) {
    struct name before = p->owner;
    uint16_t at[LIMIT_LABELS];
    unsigned shared = p->owner_known ? shared_labels(owner, &before) : 0;
    memcpy(at, p->at, sizeof at);
    while (shared > 0 && at[before.labels - shared] == NOWHERE)
        shared--;
    unsigned own = owner->labels - shared;
    size_t octets = name_label_at(owner, own);
    size_t here = p->size;
    memcpy(p->msg + p->size, owner->wire, octets);
    p->size += octets;
    if (shared > 0) {
        put_u16(p->msg + p->size, (uint16_t)(POINTER | at[before.labels - shared]));
        p->size += 2;
    } else {
        p->msg[p->size++] = 0;
    }
    owner_stands(p, owner, here);
    for (unsigned i = 0; i < shared; i++)
        p->at[own + i] = at[before.labels - shared + i];
}

int pack_add(struct pack *p, const struct name *owner, uint16_t type, uint32_t ttl, struct bytes rdata) {
    size_t most = (size_t)owner->size + RR_FIXED + rdata.size;
    if (p->size == 0)
        return E_FULL;
    if (p->count > 0 && (p->size + most > PACK_SIZE || p->count >= LIMIT_RRS_PER_MESSAGE - 2))
        return E_FULL;
    if (p->size + most > PACK_MOST)
        return E_RANGE;
    put_owner(p, owner);
    uint8_t *to = p->msg + p->size;
    put_u16(to, type);
    put_u16(to + 2, CLASS_IN);
    put_u32(to + 4, ttl);
    put_u16(to + 8, (uint16_t)rdata.size);
    memcpy(to + RR_FIXED, rdata.at, rdata.size);
    p->size += RR_FIXED + rdata.size;
    p->count++;
    return 0;
}

struct bytes pack_end(struct pack *p) {
    struct bytes msg = {p->msg, p->size};
    if (p->size == 0 || (p->count == 0 && !p->question))
        return (struct bytes){p->msg, 0};
    put_u16(p->msg + 4, p->question ? 1 : 0);
    put_u16(p->msg + 6, (uint16_t)p->count);
    p->size = 0;
    return msg;
}

void pack_aim(uint8_t *msg, size_t size, uint16_t id, uint16_t flags, const struct name *qname, uint16_t qtype) {
    put_u16(msg, id);
    put_u16(msg + 2, flags);
    if (get_u16(msg + 4) != 1 || size < DNS_HEADER + (size_t)qname->size + 4)
        return;
    memcpy(msg + DNS_HEADER, qname->wire, qname->size);
    put_u16(msg + DNS_HEADER + qname->size, qtype);
}
