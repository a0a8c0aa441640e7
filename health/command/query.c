#include "health/command/query.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "health/command/out.h"
#include "resolver/base/rand.h"
#include "resolver/dns/writer.h"
#include "resolver/net/exchange.h"

enum { QUERY_UDP_SIZE = 1232, QUERY_MESSAGE = 512, TURN_MS = 100 };

struct asker {
    struct loop *loop;
    struct addr server;
    size_t running;
};
struct flight {
    struct asker *asker;
    struct query *query;
};

static void take_rr(struct query *q, const struct dns_rr *rr, const uint8_t *msg, size_t size) {
    const uint8_t *data = msg + rr->rdata;
    char *to = q->rr[q->rrs].text;
    size_t next;
    struct name n;
    if (rr->type == TYPE_A && rr->rdata_size == 4) {
        (void)inet_ntop(AF_INET, data, to, QUERY_TEXT_MAX);
    } else if (rr->type == TYPE_AAAA && rr->rdata_size == 16) {
        (void)inet_ntop(AF_INET6, data, to, QUERY_TEXT_MAX);
    } else if (rr->type == TYPE_CNAME && name_read(&n, msg, size, rr->rdata, &next) == 0) {
        char text[NAME_TEXT_MAX];
        name_text(&n, text);
        out_clean(to, QUERY_TEXT_MAX, text, strlen(text));
    } else if (rr->type == TYPE_TXT) {
        /* Character-strings joined, as mail programs read them. */
        char joined[QUERY_TEXT_MAX];
        size_t at = 0;
        for (size_t i = 0; i < rr->rdata_size; i += 1 + (size_t)data[i])
            for (size_t k = 1; k <= data[i] && i + k < rr->rdata_size && at < sizeof joined; k++)
                joined[at++] = (char)data[i + k];
        out_clean(to, QUERY_TEXT_MAX, joined, at);
    } else {
        return;
    }
    q->rr[q->rrs].type = rr->type;
    q->rr[q->rrs].ttl = rr->ttl;
    q->rrs++;
}

static void take_edns(struct query *q, const struct dns_rr *rr, const uint8_t *msg, size_t size) {
    struct dns_edns e;
    if (dns_edns_read(&e, rr, msg, size) != 0)
        return;
    q->rcode |= (unsigned)e.rcode_high << 4;
    out_clean(q->nsid, sizeof q->nsid, (const char *)e.nsid.at, e.nsid.size);
    q->ede = e.ede;
    out_clean(q->ede_text, sizeof q->ede_text, (const char *)e.ede_text.at, e.ede_text.size);
}

int query_take(struct query *q, const uint8_t *msg, size_t size) {
    struct dns_reader r;
    struct dns_rr rr;
    struct name qname;
    uint16_t qtype, qclass;
    int rc = dns_reader_open(&r, msg, size, &qname, &qtype, &qclass);
    q->rrs = 0;
    q->ede = EDE_NONE;
    if (rc < 0)
        return rc;
    q->rcode = r.header.rcode;
    q->flags = r.header.flags;
    while ((rc = dns_reader_next(&r, &rr)) == 0) {
        if (rr.type == TYPE_OPT)
            take_edns(q, &rr, msg, size);
        else if (rr.section == SECTION_ANSWER && (rr.type == q->qtype || rr.type == TYPE_CNAME) && q->rrs < QUERY_RRS)
            take_rr(q, &rr, msg, size);
    }
    return rc == E_NOTFOUND ? 0 : rc;
}

static void begin(struct flight *f);

static void answered(void *ctx, const struct exchange_result *r) {
    struct flight *f = ctx;
    struct query *q = f->query;
    q->took_ns += r->took_ns;
    q->code = r->code;
    q->sys_errno = r->sys_errno;
    if (r->code == 0) {
        q->code = query_take(q, r->answer.at, r->answer.size);
        if (q->code == 0 && (q->flags & FLAG_TC) != 0 && !q->tcp) {
            q->tcp = true;
            begin(f);
            return;
        }
    } else if (r->code == E_TIMEOUT && q->tries < QUERY_TRIES) {
        begin(f);
        return;
    }
    f->asker->running--;
    f->query = NULL;
}

static void begin(struct flight *f) {
    uint8_t message[QUERY_MESSAGE];
    struct query *q = f->query;
    const struct dns_opt opt = {.udp_size = QUERY_UDP_SIZE, .nsid = true, .ede = EDE_NONE, .keepalive = -1};
    int size = dns_query_write(message, sizeof message, rand_u16(), FLAG_RD, &q->qname, q->qtype, CLASS_IN, &opt);
    struct exchange_plan plan = {.server = f->asker->server,
                                 .tcp = q->tcp,
                                 .query = message,
                                 .size = size > 0 ? (size_t)size : 0,
                                 .timeout_ms = QUERY_TIMEOUT_MS,
                                 .done = answered,
                                 .ctx = f};
    struct err err = {0};
    q->tries++;
    if (size > 0 && exchange_start(f->asker->loop, &plan, &err) != NULL)
        return;
    q->code = size > 0 ? err.code : size;
    f->asker->running--;
    f->query = NULL;
}

int query_all(const struct addr *server, struct query *list, size_t count, struct err *err) {
    struct asker asker = {.server = *server};
    struct flight flight[QUERY_WINDOW] = {{0}};
    size_t next = 0;
    int rc = loop_open(&asker.loop, err);
    if (rc < 0)
        return rc;
    while (next < count || asker.running > 0) {
        for (size_t i = 0; i < QUERY_WINDOW && next < count; i++) {
            if (flight[i].query != NULL)
                continue;
            flight[i] = (struct flight){&asker, &list[next++]};
            flight[i].query->ede = EDE_NONE;
            asker.running++;
            begin(&flight[i]);
        }
        if (asker.running > 0)
            loop_turn(asker.loop, TURN_MS);
    }
    loop_close(asker.loop);
    return 0;
}
