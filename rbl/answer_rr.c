#include "rbl/answer_impl.h"

/* A name of SOA RDATA: what is under the apex ends in a pointer to the apex in the question. */
static uint8_t *soa_name(struct answer_soa *s, uint8_t *to, const struct name *n, const struct name *apex) {
    if (!name_under(n, apex) || apex->labels == 0) {
        memcpy(to, n->wire, n->size);
        return to + n->size;
    }
    size_t own = (size_t)n->size - apex->size;
    memcpy(to, n->wire, own);
    s->pointer[s->pointers++] = (uint16_t)(to + own - s->rdata);
    return to + own + 2;
}

static bool same_soa(const struct dns_soa *a, const struct dns_soa *b) {
    return a->serial == b->serial && a->refresh == b->refresh && a->retry == b->retry && a->expire == b->expire &&
           a->minimum == b->minimum && name_equal(&a->primary, &b->primary) && name_equal(&a->contact, &b->contact);
}

/* Once per commit: names and numbers as they go out. */
void answer_soa_make(struct answer_zone *z) {
    const struct view_apex *d = z->data;
    struct answer_soa *s = &z->soa;
    struct dns_soa soa = d->soa;
    soa.serial = d->serial;
    if (s->size != 0 && d->soa_ttl == s->ttl && same_soa(&soa, &s->soa))
        return;
    s->soa = soa;
    s->ttl = d->soa_ttl;
    s->negative_ttl = s->ttl < soa.minimum ? s->ttl : soa.minimum;
    s->pointers = 0;
    uint8_t *at = soa_name(s, s->rdata, &soa.primary, &z->apex);
    at = soa_name(s, at, &soa.contact, &z->apex);
    const uint32_t numbers[] = {soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++, at += 4)
        put_u32(at, numbers[i]);
    s->size = (uint16_t)(at - s->rdata);
}

void answer_put_soa(struct answer_zone *z, enum dns_section section, const struct dns_query *q, struct dns_writer *w) {
    struct answer_soa *s = &z->soa;
    uint32_t ttl = section == SECTION_ANSWER ? s->ttl : s->negative_ttl;
    uint16_t apex_at = (uint16_t)(DNS_HEADER + q->qname.size - z->apex.size);
    if (z->apex.labels == 0 || w->question != q->qname.size) { /* nothing that pointers could point at */
        dns_writer_soa(w, section, &z->apex, ttl, &s->soa);
        return;
    }
    for (unsigned i = 0; i < s->pointers; i++)
        put_u16(s->rdata + s->pointer[i], 0xC000 | apex_at);
    dns_writer_rr_at(w, section, apex_at, TYPE_SOA, CLASS_IN, ttl, (struct bytes){s->rdata, s->size});
}

void answer_put_ns(struct answer_zone *z, enum dns_section section, struct dns_writer *w) {
    const struct view_apex *d = z->data;
    for (unsigned i = 0; i < d->ns_count && i < ARRAY_SIZE(d->ns); i++)
        dns_writer_ns(w, section, &z->apex, d->ns_ttl, &d->ns[i]);
}

void answer_put_hinfo(struct answer_zone *z, const struct dns_query *q, struct dns_writer *w) {
    static const uint8_t rdata[] = "\7RFC8482"; /* and an empty string: the closing NUL */
    dns_writer_rr(w, SECTION_ANSWER, &q->qname, TYPE_HINFO, CLASS_IN, z->data->ttl,
                  (struct bytes){rdata, sizeof rdata});
}
