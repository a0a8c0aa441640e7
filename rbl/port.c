#include "rbl/port.h"

#include <stdlib.h>
#include <unistd.h>

#include "rbl/replicate/reply.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"
#include "resolver/net/server.h"
#include "resolver/net/socket.h"
#include "resolver/net/tls.h"

enum { PORT_LOG_MS = 1000 /* at most one line about wrong signatures in */ };

struct port {
    struct loop *loop;
    const struct conf *conf;
    struct board *board; /* may be NULL */
    struct server_sockets sockets;
    struct server *server;
    struct tls_context *tls; /* NULL: no TLS */
    struct tsig_keys *keys;
    struct port_rooms rooms;
    struct updates *updates;
    struct name *apex[LIMIT_ZONES]; /* as they were last asked for; NULL: not yet */
    int64_t logged_ms;
    uint64_t wrong[BOARD_TSIG_COUNT]; /* since then */
};

static void forget_apex(struct port *p, int zone) {
    free(p->apex[zone]);
    p->apex[zone] = NULL;
}

/* What is asked for, of the zone at this place; NULL: it is none that can be. */
static const struct name *apex_of(struct port *p, int zone) {
    const struct conf_zone *conf = keeper_zone_conf(p->rooms.keeper, zone);
    struct name **apex = &p->apex[zone];
    if (*apex != NULL || conf->name[0] == '\0' || conf_zone_is_global_acl(conf))
        return *apex;
    *apex = malloc(sizeof **apex);
    if (*apex != NULL && name_from_text(*apex, conf->name, NULL) < 0)
        forget_apex(p, zone);
    return *apex;
}

/* The zone that holds this name: the longest. */
static int zone_of(struct port *p, const struct name *qname) {
    int found = -1;
    unsigned labels = 0;
    for (int i = 0; i < (int)keeper_zones(p->rooms.keeper); i++) {
        const struct name *apex = apex_of(p, i);
        if (apex == NULL || (found >= 0 && apex->labels <= labels) || !name_under(qname, apex))
            continue;
        found = i;
        labels = apex->labels;
    }
    return found;
}

/* A message as it came, its TSIG looked at. */
struct message {
    const struct client *c;
    const struct dns_query *q;
    const struct tsig *t;
    const uint8_t *msg;
    size_t size;
};

static size_t not_ready(const struct message *m, uint8_t *reply, size_t limit) {
    return reply_bare(m->q, m->t, RCODE_SERVFAIL, EDE_NOT_READY, "candor-sync is starting", reply, limit);
}

static size_t take_query(struct port *p, const struct message *m, uint8_t *reply, size_t cap) {
    int zone = zone_of(p, &m->q->qname);
    size_t limit = reply_limit(m->c, m->q, cap);
    if (zone < 0)
        return reply_bare(m->q, m->t, RCODE_REFUSED, EDE_NOT_AUTHORITATIVE, "no zone of this node", reply, limit);
    if (p->rooms.pair != NULL && pair_is_asked(m->q))
        return pair_answer(p->rooms.pair, zone, m->c, m->q, m->t, reply, cap);
    if (p->rooms.primary == NULL)
        return not_ready(m, reply, limit);
    return primary_take(p->rooms.primary, zone, m->c, m->q, m->t, m->msg, m->size, reply, cap);
}

static size_t take_notify(struct port *p, const struct message *m, uint8_t *reply, size_t cap) {
    int zone = zone_of(p, &m->q->qname);
    size_t limit = reply_limit(m->c, m->q, cap);
    if (zone < 0)
        return reply_bare(m->q, m->t, RCODE_NOTAUTH, EDE_NOT_AUTHORITATIVE, "no zone of this node", reply, limit);
    if (p->rooms.secondary == NULL)
        return not_ready(m, reply, limit);
    return secondary_notify(p->rooms.secondary, zone, m->c, m->q, m->t, m->msg, m->size, reply, cap);
}

/* Which kinds there were, and by how much a clock is off: a clock and a secret that is guessed at are two things. */
static void log_wrong_tsig(struct port *p, const struct tsig *t) {
    int64_t now = loop_now_ms(p->loop);
    unsigned kind = t->error >= TSIG_BADSIG && t->error <= TSIG_BADTIME ? t->error - TSIG_BADSIG : BOARD_BADTRUNC;
    p->wrong[kind]++;
    if (p->board != NULL)
        board_add(&p->board->sync.tsig_failures[kind], 1);
    if (p->logged_ms != 0 && now - p->logged_ms < PORT_LOG_MS)
        return;
    if (t->error == TSIG_BADTIME)
        LOG(LEVEL_WARN, "a message signed at another time", KS("key", tsig_key_text(t->key)),
            KU("its_clock", t->time_s), KI("ahead_s", (int64_t)t->time_s - clock_wall_s()), KU("fudge_s", t->fudge));
    LOG(LEVEL_WARN, "messages with a wrong TSIG", KS("last_key", t->key != NULL ? tsig_key_text(t->key) : ""),
        KU("BADSIG", p->wrong[BOARD_BADSIG]), KU("BADKEY", p->wrong[BOARD_BADKEY]),
        KU("BADTIME", p->wrong[BOARD_BADTIME]), KU("BADTRUNC", p->wrong[BOARD_BADTRUNC]));
    p->logged_ms = now;
    memset(p->wrong, 0, sizeof p->wrong);
}

static void wrong_tsig(struct port *p, const struct message *m) {
    log_wrong_tsig(p, m->t);
    int zone = p->rooms.primary != NULL ? zone_of(p, &m->q->qname) : -1;
    if (zone >= 0)
        primary_wrong_tsig(p->rooms.primary, zone, m->c, m->t);
}

static size_t handle(void *ctx, const struct client *c, const uint8_t *msg, size_t size, uint8_t *reply, size_t cap) {
    struct port *p = ctx;
    struct dns_query q;
    struct tsig t = {.present = false};
    struct message m = {c, &q, &t, msg, size};
    int rc = dns_query_read(&q, msg, size);
    if (rc < 0)
        return 0;
    size_t limit = reply_limit(c, &q, cap);
    if (rc == 0 && q.tsig)
        rc = tsig_check(&t, p->keys, msg, size, clock_wall_s());
    if (p->rooms.keeper == NULL)
        return reply_bare(&q, &t, RCODE_SERVFAIL, EDE_NOT_READY, "candor-sync is starting", reply, limit);
    if (rc == RCODE_NOTAUTH)
        wrong_tsig(p, &m);
    if (rc > 0)
        return reply_bare(&q, &t, (unsigned)rc, EDE_NONE, NULL, reply, limit);
    switch (q.header.opcode) {
    case OPCODE_QUERY:
        return take_query(p, &m, reply, cap);
    case OPCODE_NOTIFY:
        return take_notify(p, &m, reply, cap);
    default: /* dns_query_read lets three pass */
        return updates_take(p->updates, zone_of(p, &q.qname), c, &q, &t, msg, size, reply, cap);
    }
}

static void event(void *ctx, uint64_t token, enum server_event e) {
    struct port *p = ctx;
    if (p->rooms.primary != NULL)
        primary_event(p->rooms.primary, token, e);
}

static int open_socket(struct port *p, const struct addr *at, bool tls, struct err *err) {
    size_t i = p->sockets.count;
    if (i >= LIMIT_LISTEN)
        return err_set(err, E_FULL, "more than %d addresses to listen on", LIMIT_LISTEN);
    p->sockets.at[i].tls = tls;
    p->sockets.at[i].udp = p->sockets.at[i].tcp = -1;
    p->sockets.count = i + 1;
    int rc = tls ? 0 : (p->sockets.at[i].udp = socket_udp(at, false, NULL, err));
    return rc < 0 ? rc : (p->sockets.at[i].tcp = socket_tcp(at, false, err));
}

static int open_tls(struct port *p, struct err *err) {
    const struct conf_tls *tls = &p->conf->rbl.tls;
    struct tls_config c = {.server = true, .certificate = tls->certificate, .key = tls->key, .ca = tls->ca};
    int rc = tls->listen.count > 0 ? tls_open(&p->tls, &c, err) : 0;
    if (p->board != NULL)
        board_set(&p->board->sync.certificate_until_wall_s, p->tls != NULL ? (uint64_t)tls_not_after(p->tls) : 0);
    for (size_t i = 0; rc >= 0 && i < tls->listen.count; i++)
        rc = open_socket(p, &tls->listen.at[i], true, err);
    if (rc < 0)
        err_prefix(err, "rbl.tls");
    return rc < 0 ? rc : 0;
}

static int open_sockets(struct port *p, struct err *err) {
    const struct conf_list_addr *listen = &p->conf->rbl.listen;
    for (size_t i = 0; i < listen->count; i++) {
        int rc = open_socket(p, &listen->at[i], false, err);
        if (rc < 0) {
            err_prefix(err, "rbl.listen");
            return rc;
        }
    }
    return open_tls(p, err);
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
    if (rc < 0)
        err_prefix(err, "rbl.keys");
    else
        rc = open_sockets(p, err);
    if (rc == 0)
        rc = server_open(&p->server, l, &p->sockets, handle, NULL, p, NULL, err);
    if (rc < 0) {
        port_close(p);
        return rc;
    }
    server_on_event(p->server, event);
    if (p->tls != NULL)
        server_use_tls(p->server, p->tls);
    *out = p;
    return 0;
}

const struct tsig_keys *port_keys(const struct port *p) { return p->keys; }

struct server *port_server(struct port *p) {
    return p->server;
}

static void late_reply(void *ctx, const struct client *c, const uint8_t *msg, size_t size) {
    struct port *p = ctx;
    server_reply(p->server, c, msg, size);
}

int port_attach(struct port *p, const struct port_rooms *rooms, struct err *err) {
    struct updates_config c = {.conf = p->conf,
                               .keeper = rooms->keeper,
                               .keys = p->keys,
                               .reply = late_reply,
                               .reply_ctx = p,
                               .server = p->server};
    if (rooms->pair != NULL) {
        c.elsewhere = pair_update;
        c.elsewhere_ctx = rooms->pair;
    }
    int rc = updates_open(&p->updates, &c, err);
    if (rc == 0)
        p->rooms = *rooms;
    return rc;
}

void port_zone_changed(struct port *p, int zone) {
    forget_apex(p, zone);
    if (p->updates != NULL)
        updates_zone_changed(p->updates, zone);
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
    for (int i = 0; i < LIMIT_ZONES; i++)
        forget_apex(p, i);
    tls_close(p->tls);
    tsig_keys_close(p->keys);
    free(p);
}
