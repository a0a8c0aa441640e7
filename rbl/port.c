#include "rbl/port.h"

#include <stdlib.h>
#include <unistd.h>

#include "rbl/answer.h"
#include "rbl/update/update.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"
#include "resolver/net/server.h"
#include "resolver/net/socket.h"

enum { PORT_LOG_MS = 1000 /* at most one line about wrong signatures in */ };

struct port {
    struct loop *loop;
    const struct conf *conf;
    struct board *board; /* may be NULL */
    struct source source;
    bool source_open;
    struct server_sockets sockets;
    struct server *server;
    struct tsig_keys *keys;
    struct updates *updates;
    int64_t logged_ms;
    uint64_t wrong[BOARD_TSIG_COUNT]; /* since then */
};

/* SOA for everybody on loopback and for whom the zone's transfer and update rules name. */
static bool may_ask(const struct conf_zone *zone, const struct addr *peer, const struct tsig_key *key) {
    return addr_is_loopback(peer) || update_allowed(&zone->transfer, peer, key) ||
           update_allowed(&zone->update, peer, key);
}

static int zone_of(struct port *p, const struct name *qname) {
    int zone = p->source.ops->zone(p->source.self, qname);
    return zone >= 0 && (size_t)zone < p->conf->rbl.zone_count ? zone : -1;
}

/* A zone that lives from updates alone and has had none yet is there for who wants to send the first: SOA of the
 * configuration with serial 0, which no commit ever has. The resolver answers SERVFAIL until there is something. */
static bool unborn(const struct conf_zone *zone, const struct source_answer *a) {
    return a->rcode == RCODE_SERVFAIL && a->ede == EDE_NOT_READY && zone->data_count == 0 &&
           zone->primaries.count == 0 && zone->update.count > 0;
}

static void answer_unborn(const struct conf_zone *zone, const struct dns_query *q, struct dns_writer *w,
                          struct source_answer *a) {
    struct name apex;
    struct dns_soa soa = {.refresh = zone->soa.refresh_s,
                          .retry = zone->soa.retry_s,
                          .expire = zone->soa.expire_s,
                          .minimum = zone->soa.minimum_s};
    if (name_from_text(&apex, zone->name, NULL) < 0 || name_from_text(&soa.primary, zone->soa.primary, NULL) < 0 ||
        name_from_text(&soa.contact, zone->soa.contact, NULL) < 0)
        return;
    bool own = name_equal(&apex, &q->qname);
    dns_writer_soa(w, own ? SECTION_ANSWER : SECTION_AUTHORITY, &apex, 0, &soa);
    *a = (struct source_answer){.rcode = own ? RCODE_NOERROR : RCODE_NXDOMAIN, .ede = EDE_NONE};
}

/* The source's own answer, with EDNS and TSIG behind it. */
static size_t answer_soa(struct port *p, const struct client *c, const struct dns_query *q, const struct tsig *t,
                         int zone, uint8_t *reply, size_t limit) {
    struct source_answer a = {.rcode = RCODE_SERVFAIL, .ede = EDE_NONE};
    struct dns_opt room = {
        .ede = EDE_OTHER, .ede_text = "the zone's state, in at most so many octets", .keepalive = -1};
    size_t tsig = tsig_size(t), opt_size = q->edns.present ? dns_opt_size(&room) : 0;
    struct dns_writer w;
    if (tsig >= limit)
        return 0;
    dns_writer_open(&w, reply, limit - tsig, q->header.id, 0, q->header.opcode);
    dns_writer_question(&w, &q->qname, q->qtype, q->qclass);
    dns_writer_reserve(&w, opt_size);
    struct dns_mark mark = dns_writer_mark(&w);
    p->source.ops->answer(p->source.self, zone, q, &c->peer, &w, &a);
    if (unborn(&p->conf->rbl.zones[zone], &a)) {
        dns_writer_rewind(&w, &mark);
        answer_unborn(&p->conf->rbl.zones[zone], q, &w, &a);
    }
    dns_writer_release(&w, opt_size);
    if (q->edns.present) {
        struct dns_opt opt = {
            .udp_size = UPDATES_REPLY, .rcode = a.rcode, .ede = a.ede, .ede_text = a.ede_text, .keepalive = -1};
        dns_writer_opt(&w, &opt);
    }
    bool authoritative = a.rcode == RCODE_NOERROR || a.rcode == RCODE_NXDOMAIN;
    uint16_t flags = FLAG_QR | (q->header.flags & FLAG_RD);
    int size = dns_writer_end(&w, (uint16_t)(flags | (authoritative ? FLAG_AA : 0)), a.rcode);
    if (size > 0)
        size = tsig_reply(t, reply, (size_t)size, limit, clock_wall_s());
    return size > 0 ? (size_t)size : update_reply_cut(q, t, reply, limit);
}

static size_t answer(struct port *p, const struct client *c, const struct dns_query *q, const struct tsig *t,
                     uint8_t *reply, size_t limit) {
    int zone = zone_of(p, &q->qname);
    if (zone < 0)
        return update_reply(q, t, RCODE_REFUSED, EDE_NOT_AUTHORITATIVE, "no zone of this node", reply, limit);
    if (!may_ask(&p->conf->rbl.zones[zone], &c->peer, t->key))
        return update_reply(q, t, RCODE_REFUSED, EDE_PROHIBITED, "not in the zone's transfer or update list", reply,
                            limit);
    if (q->qtype != TYPE_SOA)
        return update_reply(q, t, RCODE_REFUSED, EDE_NOT_SUPPORTED, "this port answers SOA of its zones only", reply,
                            limit);
    return answer_soa(p, c, q, t, zone, reply, limit);
}

static size_t take_update(struct port *p, const struct client *c, const struct dns_query *q, const struct tsig *t,
                          struct bytes msg, uint8_t *reply, size_t cap) {
    if (p->updates == NULL)
        return update_reply(q, t, RCODE_SERVFAIL, EDE_NOT_READY, "candor-sync is starting", reply,
                            update_limit(c, q, cap));
    return updates_take(p->updates, zone_of(p, &q->qname), c, q, t, msg.at, msg.size, reply, cap);
}

/* Which kinds there were: a clock that is off and a secret that is guessed at are two things. */
static void log_wrong_tsig(struct port *p, const struct tsig *t) {
    int64_t now = loop_now_ms(p->loop);
    unsigned kind = t->error >= TSIG_BADSIG && t->error <= TSIG_BADTIME ? t->error - TSIG_BADSIG : BOARD_BADTRUNC;
    p->wrong[kind]++;
    if (p->board != NULL)
        board_add(&p->board->sync.tsig_failures[kind], 1);
    if (p->logged_ms != 0 && now - p->logged_ms < PORT_LOG_MS)
        return;
    LOG(LEVEL_WARN, "messages with a wrong TSIG", KS("last_key", t->key != NULL ? tsig_key_text(t->key) : ""),
        KU("BADSIG", p->wrong[BOARD_BADSIG]), KU("BADKEY", p->wrong[BOARD_BADKEY]),
        KU("BADTIME", p->wrong[BOARD_BADTIME]), KU("BADTRUNC", p->wrong[BOARD_BADTRUNC]));
    p->logged_ms = now;
    memset(p->wrong, 0, sizeof p->wrong);
}

static size_t handle(void *ctx, const struct client *c, const uint8_t *msg, size_t size, uint8_t *reply, size_t cap) {
    struct port *p = ctx;
    struct dns_query q;
    struct tsig t = {.present = false};
    int rc = dns_query_read(&q, msg, size);
    if (rc < 0)
        return 0;
    size_t limit = update_limit(c, &q, cap);
    if (rc == 0 && q.tsig)
        rc = tsig_check(&t, p->keys, msg, size, clock_wall_s());
    if (rc == RCODE_NOTAUTH)
        log_wrong_tsig(p, &t);
    if (rc > 0)
        return update_reply(&q, &t, (unsigned)rc, EDE_NONE, NULL, reply, limit);
    switch (q.header.opcode) {
    case OPCODE_QUERY:
        return answer(p, c, &q, &t, reply, limit);
    case OPCODE_UPDATE:
        return take_update(p, c, &q, &t, (struct bytes){msg, size}, reply, cap);
    default:
        return update_reply(&q, &t, RCODE_NOTIMP, EDE_NOT_SUPPORTED, "NOTIFY is not in this version", reply, limit);
    }
}

static void batch(void *ctx, bool begin) {
    struct port *p = ctx;
    if (begin)
        p->source.ops->begin(p->source.self);
    else
        p->source.ops->end(p->source.self);
}

static int open_sockets(struct port *p, struct err *err) {
    const struct conf_list_addr *listen = &p->conf->rbl.listen;
    for (size_t i = 0; i < listen->count && i < LIMIT_LISTEN; i++) {
        int rc = p->sockets.at[i].udp = socket_udp(&listen->at[i], false, NULL, err);
        p->sockets.at[i].tcp = -1;
        p->sockets.count = i + 1;
        if (rc >= 0)
            rc = p->sockets.at[i].tcp = socket_tcp(&listen->at[i], false, err);
        if (rc < 0) {
            err_prefix(err, "rbl.listen");
            return rc;
        }
    }
    return 0;
}

int port_open(struct port **out, struct loop *l, const struct conf *conf, struct board *board, struct err *err) {
    *out = NULL;
    struct port *p = calloc(1, sizeof *p);
    if (p == NULL)
        return err_set(err, E_NOMEM, "no memory for the sync port");
    p->loop = l;
    p->conf = conf;
    p->board = board;
    int rc = tsig_keys_open(&p->keys, conf->rbl.keys, conf->rbl.key_count, err);
    if (rc < 0) {
        err_prefix(err, "rbl.keys");
        goto fail;
    }
    rc = answer_open(&p->source, conf, board, err);
    if (rc < 0)
        goto fail;
    p->source_open = true;
    rc = open_sockets(p, err);
    if (rc == 0)
        rc = server_open(&p->server, l, &p->sockets, handle, batch, p, NULL, err);
    if (rc < 0)
        goto fail;
    *out = p;
    return 0;
fail:
    port_close(p);
    return rc;
}

static void late_reply(void *ctx, const struct client *c, const uint8_t *msg, size_t size) {
    struct port *p = ctx;
    server_reply(p->server, c, msg, size);
}

int port_attach(struct port *p, struct keeper *keeper, struct err *err) {
    struct updates_config c = {.conf = p->conf, .keeper = keeper, .keys = p->keys, .reply = late_reply, .reply_ctx = p};
    return updates_open(&p->updates, &c, err);
}

void port_close(struct port *p) {
    if (p == NULL)
        return;
    updates_close(p->updates);
    if (p->server != NULL)
        server_close(p->server);
    for (size_t i = 0; i < p->sockets.count; i++) {
        if (p->sockets.at[i].udp >= 0)
            close(p->sockets.at[i].udp);
        if (p->sockets.at[i].tcp >= 0)
            close(p->sockets.at[i].tcp);
    }
    if (p->source_open)
        answer_close(&p->source);
    tsig_keys_close(p->keys);
    free(p);
}
