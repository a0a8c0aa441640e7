/* Hits as RRs, as rbl/answer_set.c collects them for a question. */
#include <stdio.h>
#include <stdlib.h>

#include "rbl/records/impl.h"
#include "rbl/records/text.h"

enum { TXT_CUT = 254, ASKED_MAX = NAME_TEXT_MAX };

void told_clear(struct told *t) {
    t->rrs = 0;
    t->rdata.size = 0;
}

static int put(struct told *t, uint16_t type, uint32_t ttl, const void *rdata, size_t size) {
    for (unsigned i = 0; i < t->rrs; i++)
        if (t->rr[i].type == type && t->rr[i].size == size && memcmp(t->rdata.at + t->rr[i].at, rdata, size) == 0) {
            t->rr[i].ttl = t->rr[i].ttl < ttl ? t->rr[i].ttl : ttl;
            return 0;
        }
    if (t->rrs == t->cap) {
        unsigned cap = t->cap == 0 ? 16 : 2 * t->cap;
        struct told_rr *more = realloc(t->rr, cap * sizeof *more);
        if (more == NULL)
            return E_NOMEM;
        t->rr = more;
        t->cap = cap;
    }
    t->rr[t->rrs] = (struct told_rr){type, (uint16_t)size, ttl, (uint32_t)t->rdata.size};
    buf_put(&t->rdata, rdata, size);
    if (t->rdata.failed)
        return E_NOMEM;
    t->rrs++;
    return 0;
}

/* --- '$' --- */

/* What '$' is at this place for a hit: the address or name; where all beneath is meant, the entry's network or name. */
static size_t asked(const struct told_place *p, const struct hit *h, char to[ASKED_MAX]) {
    if (p->kind == KEEP_NAME) {
        size_t size = 0;
        for (unsigned i = 0; i < h->specific && size < p->path.size; i++)
            size += p->path.at[size] + 1u;
        return records_text_name(to, (struct bytes){p->path.at, size});
    }
    bool is4 = p->kind == KEEP_4;
    if (p->whole)
        return records_text_addr(to, is4, p->addr);
    size_t size = records_text_addr(to, is4, p->addr & read_mask(h->specific));
    int bits = snprintf(to + size, 8, "/%u", h->specific);
    return size + (bits > 0 ? (size_t)bits : 0);
}

static int put_txt(struct told *t, uint32_t ttl, const struct value *v, const struct told_place *p,
                   const struct hit *h) {
    uint8_t rdata[1 + TXT_CUT];
    char text[ASKED_MAX];
    size_t size = 0, n = 0;
    bool known = false;
    for (unsigned i = 0; i < v->txt_size && size < TXT_CUT; i++) {
        if (v->txt[i] != '$') {
            rdata[1 + size++] = (uint8_t)(v->txt[i] != '\0' ? v->txt[i] : '$');
            continue;
        }
        if (!known)
            n = asked(p, h, text);
        known = true;
        size_t part = n < TXT_CUT - size ? n : TXT_CUT - size;
        memcpy(rdata + 1 + size, text, part);
        size += part;
    }
    rdata[0] = (uint8_t)size;
    return put(t, TYPE_TXT, ttl, rdata, 1 + size);
}

static uint32_t ttl_of(const struct zone_read *z, const struct value *v, unsigned dataset) {
    uint32_t ttl = v->ttl;
    if (ttl == 0 && dataset < z->m->dataset_count)
        ttl = z->m->dataset[dataset].ttl;
    return ttl != 0 ? ttl : z->m->apex.ttl;
}

int told_add(struct told *t, struct zone_read *z, const struct hits *final, const struct told_place *p, bool apex) {
    for (unsigned i = 0; i < final->count; i++) {
        const struct value *v;
        int rc = zone_value(z, final->hit[i].value, &v);
        if (rc < 0)
            return rc;
        uint32_t ttl = ttl_of(z, v, final->hit[i].dataset);
        if (v->kind == VALUE_LISTED) {
            rc = put(t, TYPE_A, ttl, v->a, sizeof v->a);
            if (rc == 0 && v->has_txt)
                rc = put_txt(t, ttl, v, p, &final->hit[i]);
        } else if (v->kind == VALUE_RR && v->type != TYPE_SOA && !(apex && v->type == TYPE_NS)) {
            rc = put(t, v->type, ttl, v->txt, v->txt_size);
        }
        if (rc < 0)
            return rc;
    }
    return 0;
}

int told_excluded(struct told *t, uint32_t ttl) {
    static const uint8_t rdata[] = "\10excluded"; /* and an empty string: the closing NUL */
    return put(t, TYPE_HINFO, ttl, rdata, sizeof rdata);
}

void told_settle(struct told *t) {
    for (unsigned first = 0; first < t->rrs;) {
        unsigned end = first + 1;
        uint32_t ttl = t->rr[first].ttl;
        for (unsigned i = end; i < t->rrs; i++) {
            if (t->rr[i].type != t->rr[first].type)
                continue;
            struct told_rr one = t->rr[i];
            memmove(&t->rr[end + 1], &t->rr[end], (i - end) * sizeof one);
            t->rr[end++] = one;
            ttl = one.ttl < ttl ? one.ttl : ttl;
        }
        for (; first < end; first++)
            t->rr[first].ttl = ttl;
    }
}
