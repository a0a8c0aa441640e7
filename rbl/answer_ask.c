/* One question to a zone. */
#include "rbl/answer_impl.h"

static void fail(struct source_answer *a, unsigned rcode, int ede, const char *text) {
    *a = (struct source_answer){.rcode = (uint8_t)rcode, .ede = ede, .ede_text = text};
}

/* One question on its way. */
struct asking {
    struct answer *s;
    struct answer_zone *z;
    const struct dns_query *q;
    const struct addr *client;
    struct dns_writer *w;
    int act;             /* enum acl_act */
    uint32_t listed_ttl; /* of s->listed, when that is ACL_LISTED */
};

static bool has_answers(const struct dns_writer *w) { return w->counts[SECTION_ANSWER + 1] > 0; }

/* RRs of generic datasets and UPDATE at the apex. A list that has the empty name is none that lists the zone itself. */
static int apex_rrs(struct asking *k) {
    struct answer_place p[ANSWER_PLACES];
    bool within, below = false;
    if (!k->z->has_names || k->act != ACL_PASS)
        return 0;
    unsigned places = answer_places(k->z, &k->q->qname, p, &within);
    for (unsigned i = 0; i < places; i++) {
        int rc = answer_look(k->s, k->z, &k->q->qname, &p[i], &below);
        if (rc > 0)
            rc = answer_collect(k->s, k->z, k->q->qtype);
        if (rc < 0)
            return rc;
    }
    (void)answer_put_rrs(k->s, k->q, k->w);
    return 0;
}

static int answer_apex(struct asking *k) {
    bool any = k->q->qtype == TYPE_ANY;
    int rc = 0;
    if (any && k->s->refuse_any) {
        answer_put_hinfo(k->z, k->q, k->w);
        return RCODE_NOERROR;
    }
    if (any || k->q->qtype == TYPE_SOA)
        answer_put_soa(k->z, SECTION_ANSWER, k->q, k->w);
    if (any || k->q->qtype == TYPE_NS)
        answer_put_ns(k->z, SECTION_ANSWER, k->w);
    if (k->q->qtype != TYPE_SOA && (k->q->qtype != TYPE_NS || !has_answers(k->w)))
        rc = apex_rrs(k);
    if (rc == 0 && !has_answers(k->w) && k->w->error == 0)
        answer_put_soa(k->z, SECTION_AUTHORITY, k->q, k->w);
    return rc < 0 ? rc : RCODE_NOERROR;
}

/* The asker's address, for '$'. */
static struct bytes client_text(const struct addr *client, char to[ADDR_TEXT_MAX]) {
    const char *text = addr_host_text(client, to);
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

/* Looks at one place; 1: the name is listed there. With an act of an access list, names of generic datasets exist and
 * have no RRs, and everything else is as that says. */
static int look(struct asking *k, struct answer_place *p, bool *below) {
    char text[ADDR_TEXT_MAX];
    bool fits = k->act == ACL_LISTED && answer_acl_fits(k->z, &k->q->qname, p);
    if (k->act != ACL_PASS)
        p->which &= k->z->type_others;
    int rc = answer_look(k->s, k->z, &k->q->qname, p, below);
    if (fits)
        answer_add_listed(k->s, &k->s->listed, k->q->qtype, k->listed_ttl, client_text(k->client, text));
    if (rc > 0 && k->act == ACL_PASS && !(k->q->qtype == TYPE_ANY && k->s->refuse_any))
        rc = answer_collect(k->s, k->z, k->q->qtype) < 0 ? E_CORRUPT : 1;
    return rc < 0 ? rc : rc > 0 || fits;
}

/* A name below the apex: what is listed, or SOA. Returns the RCODE or E_CORRUPT. */
static int answer_below(struct asking *k) {
    struct answer_place p[ANSWER_PLACES];
    struct answer_zone *z = k->z;
    bool below = false, listed = false;
    unsigned places = answer_places(z, &k->q->qname, p, &below), rrs = 0;
    struct answer_place last = p[places - 1];
    for (unsigned i = 0; i < places; i++) {
        int rc = look(k, &p[i], &below);
        if (rc < 0)
            return rc;
        listed |= rc > 0;
    }
    if (listed && k->q->qtype == TYPE_ANY && k->s->refuse_any) {
        answer_put_hinfo(z, k->q, k->w);
        rrs = 1;
    } else if (listed) {
        rrs = answer_put_rrs(k->s, k->q, k->w);
    }
    if (rrs == 0 && k->w->error == 0)
        answer_put_soa(z, SECTION_AUTHORITY, k->q, k->w);
    z->listed += listed;
    z->unlisted += !listed;
    if (!listed && !below)
        answer_wrong(k->s, z, &k->q->qname, &last);
    return listed || below ? RCODE_NOERROR : RCODE_NXDOMAIN;
}

static bool may_ask(const struct answer_zone *z, const struct addr *client) {
    return z->everybody || prefix_list_has(z->conf->allow.at, z->conf->allow.count, client);
}

/* Whether the access lists, the configuration's and those that are data, let the question pass. */
static bool passes(struct asking *k, struct source_answer *a) {
    struct answer *s = k->s;
    k->act = ACL_PASS;
    if (!may_ask(k->z, k->client)) {
        fail(a, RCODE_REFUSED, EDE_PROHIBITED, "not in the zone's allow list");
        return false;
    }
    if (s->global == NULL && !k->z->has_acl)
        return true;
    if (s->global != NULL && !s->global->begun)
        answer_zone_begin(s, s->global);
    k->act = answer_acl(s, k->z, k->client, &s->listed, &k->listed_ttl);
    if (k->act == E_AGAIN) {
        fail(a, RCODE_SERVFAIL, EDE_NOT_READY, "the access list of all zones cannot be read");
    } else if (k->act < 0) {
        answer_zone_broken(k->z, NULL);
        fail(a, RCODE_SERVFAIL, k->z->ede, k->z->ede_text);
    } else if (k->act == ACL_IGNORE) {
        *a = (struct source_answer){.ede = EDE_NONE, .drop = true};
    } else if (k->act == ACL_REFUSE) {
        fail(a, RCODE_REFUSED, EDE_PROHIBITED, "refused by an access list");
    } else {
        return true;
    }
    return false;
}

/* The zone's servers beside an answer, when they are wanted and there is room. */
static void add_servers(struct asking *k) {
    bool are_answer = k->q->qname.labels == k->z->apex.labels && (k->q->qtype == TYPE_NS || k->q->qtype == TYPE_ANY);
    if (k->s->minimal || are_answer || !has_answers(k->w) || k->w->error != 0)
        return;
    struct dns_mark mark = dns_writer_mark(k->w);
    answer_put_ns(k->z, SECTION_AUTHORITY, k->w);
    if (k->w->error != 0)
        dns_writer_rewind(k->w, &mark);
}

static void answer_ready(struct asking *k, struct source_answer *a) {
    struct answer_zone *z = k->z;
    struct dns_mark mark = dns_writer_mark(k->w);
    k->s->rrs = 0;
    k->s->too_many = false;
    int rcode = k->q->qname.labels == z->apex.labels ? answer_apex(k) : answer_below(k);
    if (rcode < 0) {
        dns_writer_rewind(k->w, &mark);
        answer_zone_broken(z, NULL);
        fail(a, RCODE_SERVFAIL, z->ede, z->ede_text);
        return;
    }
    if (k->s->too_many) { /* some of them would be as good as forged */
        dns_writer_rewind(k->w, &mark);
        fail(a, RCODE_SERVFAIL, EDE_OTHER, "more RRs at this name than an answer may have");
        return;
    }
    add_servers(k);
    *a = (struct source_answer){.rcode = (uint8_t)rcode, .ede = z->ede, .ede_text = z->ede_text};
    if (a->ede == EDE_STALE_ANSWER && rcode == RCODE_NXDOMAIN)
        a->ede = EDE_STALE_NXDOMAIN;
}

void answer_ask(void *self, int index, const struct dns_query *q, const struct addr *client, struct dns_writer *w,
                struct source_answer *a) {
    struct answer *s = self;
    if (index < 0 || (size_t)index >= s->zones) {
        fail(a, RCODE_REFUSED, EDE_NOT_AUTHORITATIVE, NULL);
        return;
    }
    struct asking k = {.s = s, .z = &s->zone[index], .q = q, .client = client, .w = w};
    if (!k.z->begun)
        answer_zone_begin(s, k.z);
    if (!passes(&k, a))
        return;
    if (q->qclass != CLASS_IN || q->qtype == TYPE_AXFR || q->qtype == TYPE_IXFR)
        fail(a, RCODE_REFUSED, EDE_NOT_SUPPORTED, NULL);
    else if (!k.z->ready)
        fail(a, RCODE_SERVFAIL, k.z->ede, k.z->ede_text);
    else
        answer_ready(&k, a);
}
