#include "rbl/port.h"

#include <stdlib.h>
#include <unistd.h>

#include "rbl/answer.h"
#include "resolver/net/server.h"
#include "resolver/net/socket.h"

struct port {
    const struct conf *conf;
    struct source source;
    bool source_open;
    struct server_sockets sockets;
    struct server *server;
};

/* SOA for everybody on loopback and for whom the zone's transfer rules name by address. */
static bool may_ask(const struct conf_zone *zone, const struct addr *peer) {
    if (addr_is_loopback(peer))
        return true;
    for (size_t i = 0; i < zone->transfer.count; i++) {
        const struct conf_peer_rule *r = &zone->transfer.at[i];
        if (r->has_address && prefix_has(&r->network, peer))
            return true;
    }
    return false;
}

static bool is_apex(const struct conf_zone *zone, const struct name *qname) {
    struct name apex;
    return name_from_text(&apex, zone->name, NULL) == 0 && name_equal(&apex, qname);
}

static size_t finish(struct dns_writer *w, const struct dns_query *q, uint16_t flags, unsigned rcode, int ede,
                     const char *text, size_t opt_size) {
    if (q->edns.present) {
        struct dns_opt opt = {
            .udp_size = 1232, .rcode = (uint16_t)rcode, .ede = ede, .ede_text = text, .keepalive = -1};
        dns_writer_release(w, opt_size);
        dns_writer_opt(w, &opt);
    }
    int size = dns_writer_end(w, (uint16_t)(FLAG_QR | (q->header.flags & FLAG_RD) | flags), rcode);
    return size > 0 ? (size_t)size : 0;
}

static size_t answer(struct port *p, const struct client *c, const struct dns_query *q, struct dns_writer *w,
                     size_t opt_size) {
    int zone = p->source.ops->zone(p->source.self, &q->qname);
    if (zone < 0 || (size_t)zone >= p->conf->rbl.zone_count)
        return finish(w, q, 0, RCODE_REFUSED, EDE_NOT_AUTHORITATIVE, "no zone of this node", opt_size);
    const struct conf_zone *z = &p->conf->rbl.zones[zone];
    if (!may_ask(z, &c->peer))
        return finish(w, q, 0, RCODE_REFUSED, EDE_PROHIBITED, "not in the zone's transfer list", opt_size);
    if (q->qtype != TYPE_SOA || !is_apex(z, &q->qname))
        return finish(w, q, 0, RCODE_REFUSED, EDE_NOT_SUPPORTED, "this port answers SOA of its zones only", opt_size);
    struct source_answer a = {.rcode = RCODE_SERVFAIL, .ede = EDE_NONE};
    p->source.ops->answer(p->source.self, zone, q, &c->peer, w, &a);
    return finish(w, q, a.rcode == RCODE_NOERROR ? FLAG_AA : 0, a.rcode, a.ede, a.ede_text, opt_size);
}

static size_t handle(void *ctx, const struct client *c, const uint8_t *msg, size_t size, uint8_t *reply, size_t cap) {
    struct port *p = ctx;
    struct dns_query q;
    int rc = dns_query_read(&q, msg, size);
    if (rc < 0)
        return 0;
    size_t limit = c->proto == PROTO_UDP ? (q.edns.present && q.edns.udp_size >= 1232 ? 1232 : 512) : cap;
    struct dns_writer w;
    dns_writer_open(&w, reply, limit < cap ? limit : cap, q.header.id, 0, q.header.opcode);
    if (rc > 0)
        return finish(&w, &q, 0, (unsigned)rc, EDE_NONE, NULL, 0);
    dns_writer_question(&w, &q.qname, q.qtype, q.qclass);
    if (q.header.opcode != OPCODE_QUERY)
        return finish(&w, &q, 0, RCODE_NOTIMP, EDE_NOT_SUPPORTED, "NOTIFY and UPDATE are not in this version", 0);
    struct dns_opt room = {.ede = EDE_OTHER, .ede_text = "this port answers SOA of its zones only", .keepalive = -1};
    size_t opt_size = q.edns.present ? dns_opt_size(&room) : 0;
    dns_writer_reserve(&w, opt_size);
    return answer(p, c, &q, &w, opt_size);
}

static void batch(void *ctx, bool begin) {
    struct port *p = ctx;
    if (begin)
        p->source.ops->begin(p->source.self);
    else
        p->source.ops->end(p->source.self);
}

int port_open(struct port **out, struct loop *l, const struct conf *conf, const struct board *board, struct err *err) {
    *out = NULL;
    struct port *p = calloc(1, sizeof *p);
    if (p == NULL)
        return err_set(err, E_NOMEM, "no memory for the sync port");
    p->conf = conf;
    int rc = answer_open(&p->source, conf, board, err);
    if (rc < 0)
        goto fail;
    p->source_open = true;
    for (size_t i = 0; i < conf->rbl.listen.count && i < LIMIT_LISTEN; i++) {
        const struct addr *a = &conf->rbl.listen.at[i];
        rc = p->sockets.at[i].udp = socket_udp(a, false, NULL, err);
        p->sockets.at[i].tcp = -1;
        p->sockets.count = i + 1;
        if (rc >= 0)
            rc = p->sockets.at[i].tcp = socket_tcp(a, false, err);
        if (rc < 0) {
            err_prefix(err, "rbl.listen");
            goto fail;
        }
    }
    rc = server_open(&p->server, l, &p->sockets, handle, batch, p, NULL, err);
    if (rc < 0)
        goto fail;
    *out = p;
    return 0;
fail:
    port_close(p);
    return rc;
}

void port_close(struct port *p) {
    if (p == NULL)
        return;
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
    free(p);
}
