/* RRs collected from values: different data once, all of one type with the smallest TTL (RFC 2181 section 5.2). */
#include "rbl/answer_impl.h"

#include "resolver/base/text.h"

/* The template with '$' and NUL replaced, cut as rbldnsd cuts it, behind its length octet. */
static uint16_t expand(uint8_t to[1 + ANSWER_TXT_MAX], const struct value *v, struct bytes asked) {
    size_t size = 0;
    for (unsigned i = 0; i < v->txt_size && size < ANSWER_TXT_MAX; i++) {
        char c = v->txt[i];
        if (c != '$') {
            to[1 + size++] = c != '\0' ? (uint8_t)c : '$';
            continue;
        }
        size_t n = asked.size < ANSWER_TXT_MAX - size ? asked.size : ANSWER_TXT_MAX - size;
        if (n > 0)
            memcpy(to + 1 + size, asked.at, n);
        size += n;
    }
    to[0] = (uint8_t)size;
    return (uint16_t)(1 + size);
}

/* Where the next RR is to be made; NULL: there are enough. */
static struct answer_rr *next_rr(struct answer *s) {
    if (s->rrs < LIMIT_ANSWER_RRS)
        return &s->rr[s->rrs];
    s->too_many = true;
    return NULL;
}

/* Takes the RR that stands at next_rr(), unless it is there. */
static void take(struct answer *s, uint16_t type, uint16_t size, uint32_t ttl) {
    struct answer_rr *rr = &s->rr[s->rrs];
    bool there = false;
    for (unsigned i = 0; i < s->rrs; i++) {
        struct answer_rr *other = &s->rr[i];
        if (other->type != type)
            continue;
        if (other->ttl > ttl)
            other->ttl = ttl;
        else
            ttl = other->ttl;
        there |= other->size == size && memcmp(other->rdata, rr->rdata, size) == 0;
    }
    rr->type = type;
    rr->size = size;
    rr->ttl = ttl;
    s->rrs += !there;
}

void answer_add_listed(struct answer *s, const struct value *v, uint16_t qtype, uint32_t ttl, struct bytes asked) {
    bool a = qtype == TYPE_A || qtype == TYPE_ANY, txt = v->has_txt && (qtype == TYPE_TXT || qtype == TYPE_ANY);
    struct answer_rr *rr = a ? next_rr(s) : NULL;
    if (rr != NULL) {
        memcpy(rr->rdata, v->a, 4);
        take(s, TYPE_A, 4, ttl);
    }
    rr = txt ? next_rr(s) : NULL;
    if (rr != NULL)
        take(s, TYPE_TXT, expand(rr->rdata, v, asked), ttl);
}

/* A CNAME answers for every type; the SOA is the zone's own. */
static void add_rr(struct answer *s, const struct value *v, uint16_t qtype, uint32_t ttl) {
    bool wanted = v->type == qtype || v->type == TYPE_CNAME || qtype == TYPE_ANY;
    struct answer_rr *rr = wanted && v->type != TYPE_SOA ? next_rr(s) : NULL;
    if (rr == NULL || v->txt_size > sizeof rr->rdata)
        return;
    memcpy(rr->rdata, v->txt, v->txt_size);
    take(s, v->type, v->txt_size, ttl);
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
    size_t size = f->addr_bits == 32 ? text_addr4(to, f->addr4) : text_addr6(to, f->addr6);
    return (struct bytes){(const uint8_t *)to, size};
}

static int collect(struct answer *s, struct answer_zone *z, const struct answer_hits *f, const struct view_hit *hit,
                   uint16_t qtype) {
    struct value v;
    char text[NAME_TEXT_MAX];
    int rc = view_value(z->view, hit->value, &v);
    if (rc < 0)
        return rc;
    uint32_t ttl = v.ttl != 0 ? v.ttl : hit->ttl;
    if (v.kind == VALUE_RR)
        add_rr(s, &v, qtype, ttl);
    else if (v.kind == VALUE_LISTED)
        answer_add_listed(s, &v, qtype, ttl, qtype != TYPE_A ? asked(f, hit, text) : (struct bytes){0});
    return 0;
}

int answer_collect(struct answer *s, struct answer_zone *z, uint16_t qtype) {
    for (unsigned f = 0; f < s->founds; f++) {
        s->too_many |= s->found[f].count >= LIMIT_ANSWER_RRS; /* perhaps there were more */
        for (unsigned i = 0; i < s->found[f].count; i++) {
            int rc = collect(s, z, &s->found[f], &s->found[f].hit[i], qtype);
            if (rc < 0)
                return rc;
        }
    }
    return 0;
}

static void put(const struct answer_rr *rr, const struct dns_query *q, struct dns_writer *w) {
    struct bytes rdata = {rr->rdata, rr->size};
    if (q->qname.labels > 0 && w->question == q->qname.size)
        dns_writer_rr_at(w, SECTION_ANSWER, DNS_HEADER, rr->type, CLASS_IN, rr->ttl, rdata);
    else
        dns_writer_rr(w, SECTION_ANSWER, &q->qname, rr->type, CLASS_IN, rr->ttl, rdata);
}

/* RRs of one type stand together; whether there are some. */
static unsigned put_type(const struct answer *s, uint16_t type, const struct dns_query *q, struct dns_writer *w) {
    unsigned count = 0;
    for (unsigned i = 0; i < s->rrs; i++) {
        if (s->rr[i].type != type)
            continue;
        put(&s->rr[i], q, w);
        count++;
    }
    return count;
}

static bool first_of_type(const struct answer *s, unsigned index) {
    for (unsigned i = 0; i < index; i++)
        if (s->rr[i].type == s->rr[index].type)
            return false;
    return true;
}

unsigned answer_put_rrs(struct answer *s, const struct dns_query *q, struct dns_writer *w) {
    unsigned count = 0;
    if (q->qtype != TYPE_ANY)
        count = put_type(s, q->qtype, q, w);
    for (unsigned i = 0; i < s->rrs && q->qtype == TYPE_ANY; i++)
        if (first_of_type(s, i))
            count += put_type(s, s->rr[i].type, q, w);
    for (unsigned i = 0; i < s->rrs && count == 0; i++)
        if (s->rr[i].type == TYPE_CNAME) { /* one: two would be none (RFC 2181 section 10.1) */
            put(&s->rr[i], q, w);
            count++;
        }
    return count;
}
