/* UPDATEs that belong to another node (RFC 2136 section 6).
 *
 * With a key for the other node the message is signed anew, and marked with how often it was handed on, so that servers
 * which hand on to each other are noticed. Without one it goes as it is, the publisher's own signature on it; then the
 * same message that comes again while it is under way is what gives a loop away. The answer's RCODE goes back under the
 * publisher's id and signature. */
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "rbl/pair/impl.h"
#include "resolver/base/log.h"

enum { OPT_FIXED = 11, HOPS_OPT = OPT_FIXED + 5 };

struct forward {
    struct forward *next;
    struct pair *p;
    struct client client;
    struct dns_query q; /* its views point nowhere any more */
    struct tsig tsig;
    int zone;
    XXH64_hash_t mark; /* of the message but its id */
};

/* --- one more hop */

struct parts {
    size_t end;    /* of the message without OPT and TSIG */
    unsigned gone; /* RRs behind it */
    unsigned hops;
};

static int find_parts(const uint8_t *msg, size_t size, struct parts *at) {
    struct dns_reader r;
    struct dns_rr rr;
    struct dns_edns e;
    struct name qname;
    uint16_t type, klass;
    int rc = dns_reader_open(&r, msg, size, &qname, &type, &klass);
    *at = (struct parts){.end = r.at};
    while (rc == 0 && (rc = dns_reader_next(&r, &rr)) == 0) {
        struct bytes rest, option;
        if (rr.type == TYPE_OPT && rr.section == SECTION_ADDITIONAL) {
            at->gone++;
            rest = dns_edns_read(&e, &rr, msg, size) == 0 ? e.options : (struct bytes){NULL, 0};
            if (dns_option_next(&rest, PAIR_HOPS_OPTION, &option) == 0 && option.size == 1)
                at->hops = option.at[0];
        } else if (rr.type == TYPE_TSIG) {
            at->gone++;
        } else if (at->gone > 0) {
            return E_UNSUPPORTED; /* something behind OPT: names may point over it */
        } else {
            at->end = r.at;
        }
    }
    return rc == E_NOTFOUND ? 0 : E_INVALID;
}

int forward_mark(uint8_t *msg, size_t size, struct err *err) {
    struct parts at;
    int rc = find_parts(msg, size, &at);
    if (rc < 0)
        return err_set(err, rc, "EDNS before the end of the message: send it to the primary itself");
    if (at.hops >= PAIR_HOPS)
        return err_set(err, E_REFUSED, "handed on %u times: a loop of servers that hand on to each other", at.hops);
    if (at.end + HOPS_OPT > LIMIT_MESSAGE)
        return err_set(err, E_FULL, "too long to be handed on");
    uint8_t *o = msg + at.end;
    memset(o, 0, HOPS_OPT);
    put_u16(o + 1, TYPE_OPT);
    put_u16(o + 3, REPLY_UDP);
    put_u16(o + 9, 5);
    put_u16(o + 11, PAIR_HOPS_OPTION);
    put_u16(o + 13, 1);
    o[15] = (uint8_t)(at.hops + 1);
    put_u16(msg + 10, (uint16_t)(get_u16(msg + 10) - at.gone + 1));
    return (int)(at.end + HOPS_OPT);
}

/* --- under way */

static void count(struct pair *p, int zone, bool well) {
    struct board_zone *slot = pair_slot(p, zone);
    if (slot != NULL)
        board_add(well ? &slot->forwarded : &slot->forward_failed, 1);
}

static void take_off(struct forward *f) {
    struct forward **at = &f->p->forwards;
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    f->p->forward_count--;
}

static void reply(struct forward *f, unsigned rcode, int ede, const char *text) {
    uint8_t late[REPLY_UDP];
    size_t size = reply_bare(&f->q, &f->tsig, rcode, ede, text, late, reply_limit(&f->client, &f->q, sizeof late));
    server_reply(f->p->c.server, &f->client, late, size);
}

/* Why, in the other one's words. */
static void read_why(struct bytes msg, char *text, size_t cap) {
    struct dns_reader r;
    struct dns_rr rr;
    struct dns_edns e;
    struct name qname;
    uint16_t type, klass;
    text[0] = '\0';
    if (dns_reader_open(&r, msg.at, msg.size, &qname, &type, &klass) != 0)
        return;
    while (dns_reader_next(&r, &rr) == 0)
        if (rr.type == TYPE_OPT && dns_edns_read(&e, &rr, msg.at, msg.size) == 0 && e.ede != EDE_NONE) {
            size_t n = e.ede_text.size < cap ? e.ede_text.size : cap - 1;
            memcpy(text, e.ede_text.at, n);
            text[n] = '\0';
        }
}

static void answered(void *ctx, struct bytes msg, const struct err *why) {
    struct forward *f = ctx;
    char text[160] = "";
    unsigned rcode = RCODE_SERVFAIL;
    take_off(f);
    if (msg.at != NULL) {
        rcode = msg.at[3] & 0x0f;
        read_why(msg, text, sizeof text);
        reply(f, rcode, text[0] != '\0' ? EDE_OTHER : EDE_NONE, text);
    } else {
        /* It may have been carried out: who asks must look. */
        reply(f, rcode, why->code == E_TIMEOUT ? EDE_NO_REACHABLE_AUTHORITY : EDE_NETWORK_ERROR,
              "handed on to the primary, which did not answer");
        LOG(LEVEL_WARN, "an update was handed on and not answered",
            KS("zone", keeper_zone_conf(f->p->c.keeper, f->zone)->name), KS("why", why->text));
    }
    count(f->p, f->zone, msg.at != NULL && rcode != RCODE_SERVFAIL);
    free(f);
}

/* The same message is under way: 1 from the same client, 2 from another. */
static int is_under_way(const struct pair *p, const struct client *c, uint16_t id, XXH64_hash_t mark) {
    for (const struct forward *f = p->forwards; f != NULL; f = f->next)
        if (f->mark == mark)
            return f->q.header.id == id && addr_same(&f->client.peer, &c->peer) && c->proto == PROTO_UDP ? 1 : 2;
    return 0;
}

static size_t refuse(struct pair *p, int zone, const struct dns_query *q, const struct tsig *t, const char *why,
                     uint8_t *to, size_t limit) {
    count(p, zone, false);
    return reply_bare(q, t, RCODE_SERVFAIL, EDE_OTHER, why, to, limit);
}

size_t forward_take(struct pair *p, struct mate *m, int zone, const struct client *c, const struct dns_query *q,
                    const struct tsig *t, const uint8_t *msg, size_t size, uint8_t *to, size_t cap) {
    struct err err = {0};
    size_t limit = reply_limit(c, q, cap);
    XXH64_hash_t hash = XXH3_64bits(msg + 2, size - 2);
    int known = is_under_way(p, c, q->header.id, hash);
    if (known == 1)
        return 0; /* the datagram again: its answer is on the way */
    if (known == 2 && mate_key(m) == NULL)
        return refuse(p, zone, q, t, "the same update is under way already: a loop of servers?", to, limit);
    struct forward *f = p->forward_count < PAIR_IN_FLIGHT ? calloc(1, sizeof *f) : NULL;
    if (f == NULL)
        return refuse(p, zone, q, t, "too many updates are under way to the primary", to, limit);
    *f = (struct forward){.p = p, .client = *c, .q = *q, .tsig = *t, .zone = zone, .mark = hash};
    memcpy(p->message, msg, size);
    int rc = mate_key(m) != NULL ? forward_mark(p->message, size, &err) : (int)size;
    if (rc > 0)
        rc = mate_ask(m, p->message, (size_t)rc, mate_key(m) == NULL && t->key != NULL ? t : NULL, answered, f, &err);
    if (rc < 0) {
        free(f);
        return refuse(p, zone, q, t, err.text, to, limit);
    }
    f->next = p->forwards;
    p->forwards = f;
    p->forward_count++;
    return 0;
}

void forwards_close(struct pair *p) {
    while (p->forwards != NULL) {
        struct forward *f = p->forwards;
        p->forwards = f->next;
        free(f);
    }
}
