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
    if (w->names == 0 || w->name[0].at != DNS_HEADER) { /* the question is not where pointers would point */
        dns_writer_soa(w, section, &z->apex, ttl, &s->soa);
        return;
    }
    uint16_t apex_at = (uint16_t)(DNS_HEADER + q->qname.size - z->apex.size);
    for (unsigned i = 0; i < s->pointers; i++)
        put_u16(s->rdata + s->pointer[i], 0xC000 | apex_at);
    dns_writer_rr(w, section, &z->apex, TYPE_SOA, CLASS_IN, ttl, (struct bytes){s->rdata, s->size});
}

void answer_put_ns(struct answer_zone *z, const struct dns_query *q, struct dns_writer *w) {
    const struct view_apex *d = z->data;
    for (unsigned i = 0; i < d->ns_count && i < ARRAY_SIZE(d->ns); i++)
        dns_writer_ns(w, SECTION_ANSWER, &q->qname, d->ns_ttl, &d->ns[i]);
}

void answer_put_hinfo(struct answer_zone *z, const struct dns_query *q, struct dns_writer *w) {
    static const uint8_t rdata[] = "\7RFC8482"; /* and an empty string: the closing NUL */
    dns_writer_rr(w, SECTION_ANSWER, &q->qname, TYPE_HINFO, CLASS_IN, z->data->ttl,
                  (struct bytes){rdata, sizeof rdata});
}

/* The template with '$' and NUL replaced, cut as rbldnsd cuts it. */
static void expand(struct answer_txt *to, const struct value *v, struct bytes asked) {
    size_t size = 0;
    for (unsigned i = 0; i < v->txt_size && size < ANSWER_TXT_MAX; i++) {
        char c = v->txt[i];
        if (c != '$') {
            to->text[size++] = c != '\0' ? c : '$';
            continue;
        }
        size_t n = asked.size < ANSWER_TXT_MAX - size ? asked.size : ANSWER_TXT_MAX - size;
        if (n > 0)
            memcpy(to->text + size, asked.at, n);
        size += n;
    }
    to->size = (uint8_t)size;
}

/* RRs being collected: different data once, all of one type with the smallest TTL (RFC 2181 section 5.2). */
struct rrset {
    unsigned count;
    uint32_t ttl;
};

static void lower_ttl(struct rrset *r, uint32_t ttl) {
    if (r->count == 0 || ttl < r->ttl)
        r->ttl = ttl;
}

static void add_a(struct answer *s, struct rrset *r, const struct value *v, uint32_t ttl) {
    lower_ttl(r, ttl);
    for (unsigned i = 0; i < r->count; i++)
        if (memcmp(s->a[i], v->a, 4) == 0)
            return;
    if (r->count < LIMIT_ANSWER_RRS)
        memcpy(s->a[r->count++], v->a, 4);
}

static void add_txt(struct answer *s, struct rrset *r, const struct value *v, struct bytes asked, uint32_t ttl) {
    if (!v->has_txt || r->count >= LIMIT_ANSWER_RRS)
        return;
    struct answer_txt *t = &s->txt[r->count];
    expand(t, v, asked);
    lower_ttl(r, ttl);
    for (unsigned i = 0; i < r->count; i++)
        if (s->txt[i].size == t->size && memcmp(s->txt[i].text, t->text, t->size) == 0)
            return;
    r->count++;
}

/* rbldnsd writes names with brackets as they are; everything else that a zone file minds is escaped as here. */
static struct bytes plain_brackets(struct bytes text, char to[NAME_TEXT_MAX]) {
    size_t size = 0;
    if (memchr(text.at, '(', text.size) == NULL && memchr(text.at, ')', text.size) == NULL)
        return text;
    for (size_t i = 0; i < text.size && size < NAME_TEXT_MAX; i++) {
        bool bracket = i + 1 < text.size && (text.at[i + 1] == '(' || text.at[i + 1] == ')');
        if (text.at[i] != '\\' || !bracket)
            to[size++] = (char)text.at[i];
        else
            to[size++] = (char)text.at[++i];
    }
    return (struct bytes){(const uint8_t *)to, size};
}

/* What '$' stands for in a hit's TXT; may be written to `to`. */
static struct bytes asked(const struct answer_hits *f, const struct view_hit *hit, char to[NAME_TEXT_MAX]) {
    if (f->addr_bits == 0)
        return plain_brackets(hit->listed, to);
    size_t size = f->addr_bits == 32 ? answer_text4(to, f->addr4) : answer_text6(to, f->addr6);
    return (struct bytes){(const uint8_t *)to, size};
}

static int collect(struct answer *s, struct answer_zone *z, bool want_a, bool want_txt, struct rrset *a,
                   struct rrset *txt) {
    struct value v;
    char text[NAME_TEXT_MAX];
    for (unsigned f = 0; f < s->founds; f++) {
        const struct answer_hits *found = &s->found[f];
        for (unsigned i = 0; i < found->count; i++) {
            const struct view_hit *hit = &found->hit[i];
            int rc = view_value(z->view, hit->value, &v);
            if (rc < 0)
                return rc;
            if (want_a)
                add_a(s, a, &v, hit->ttl);
            if (want_txt)
                add_txt(s, txt, &v, asked(found, hit, text), hit->ttl);
        }
    }
    return 0;
}

int answer_rrs(struct answer *s, struct answer_zone *z, const struct dns_query *q, struct dns_writer *w) {
    bool any = q->qtype == TYPE_ANY;
    struct rrset a = {0}, txt = {0};
    if (!any && q->qtype != TYPE_A && q->qtype != TYPE_TXT)
        return 0;
    int rc = collect(s, z, any || q->qtype == TYPE_A, any || q->qtype == TYPE_TXT, &a, &txt);
    if (rc < 0)
        return rc;
    for (unsigned i = 0; i < a.count; i++)
        dns_writer_a(w, SECTION_ANSWER, &q->qname, a.ttl, s->a[i]);
    for (unsigned i = 0; i < txt.count; i++)
        dns_writer_txt(w, SECTION_ANSWER, &q->qname, txt.ttl,
                       (struct bytes){(const uint8_t *)s->txt[i].text, s->txt[i].size});
    return (int)(a.count + txt.count);
}
