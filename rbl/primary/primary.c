#include "rbl/primary/primary.h"

#include <stdlib.h>

#include "rbl/primary/out.h"
#include "rbl/replicate/reply.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"

#define MS_PER_S 1000

static void tick(void *ctx) {
    struct primary *p = ctx;
    outs_tick(p, loop_now_ms(p->c.loop));
    casts_tidy(p->casts);
}

/* A node's name is printable and has an end, whatever the configuration says. */
static void take_node(struct primary *p) {
    text_copy(p->node, sizeof p->node, p->c.conf->node.name);
    for (char *c = p->node; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~' || *c == '"' || *c == '\\')
            *c = '_';
}

int primary_open(struct primary **out, const struct replicate_config *c, primary_fresh_fn fresh, void *fresh_ctx,
                 struct err *err) {
    *out = NULL;
    struct primary *p = calloc(1, sizeof *p);
    if (p == NULL)
        return err_set(err, E_NOMEM, "no memory for transfers");
    p->c = *c;
    p->fresh = fresh;
    p->fresh_ctx = fresh_ctx;
    take_node(p);
    int rc = casts_open(&p->casts, c, outs_moved, p, err);
    if (rc == 0) {
        p->timer = loop_timer_start(c->loop, PRIMARY_TICK_MS, PRIMARY_TICK_MS, tick, p);
        rc = p->timer != NULL ? 0 : err_set(err, E_NOMEM, "no memory for a timer");
    }
    if (rc < 0) {
        primary_close(p);
        return rc;
    }
    *out = p;
    return 0;
}

bool primary_quiet(struct primary *p) {
    if (!p->closed) {
        p->closed = true;
        notify_close(p);
        outs_close(p, -1);
        casts_stop(p->casts);
    }
    return p->at_work == 0 && !casts_busy(p->casts);
}

void primary_close(struct primary *p) {
    if (p == NULL)
        return;
    if (p->timer != NULL)
        loop_timer_cancel(p->timer);
    casts_close(p->casts);
    follow_close(p);
    free(p);
}

/* Links go with their zone; whoever points at them first. */
void primary_zone_changed(struct primary *p, int zone) {
    const struct conf_zone *conf = keeper_zone_conf(p->c.keeper, zone);
    notify_forget(p, zone);
    if (conf->name[0] != '\0')
        return;
    outs_close(p, zone);
    casts_drop(p->casts, zone);
    follow_forget(p, zone);
}

/* --- what this node says of a zone */

static void add_to_path(struct primary *p, struct native_state *st) {
    if (st->path_count < NATIVE_PATH)
        st->path_count++;
    memcpy(st->path[st->path_count - 1], p->node, sizeof p->node);
}

static bool same(const struct native_state *a, const struct native_state *b) {
    return a->serial == b->serial && a->digest.lo == b->digest.lo && a->digest.hi == b->digest.hi;
}

/* Whose evidence it is: of what comes from elsewhere, what its primary last told; ours when we are the source. */
static void take_evidence(struct primary *p, int zone, struct native_state *st) {
    struct native_state told = {.flags = 0};
    if (!p->fresh(p->fresh_ctx, zone, &told)) {
        st->committed_ms = follow_committed_ms(p, zone, st->serial);
        st->stamp_ms = st->wall_ms;
    } else {
        st->epoch = told.epoch;
        st->path_count = told.path_count <= NATIVE_PATH ? told.path_count : 0;
        memcpy(st->path, told.path, sizeof st->path);
        if (same(&told, st)) {
            st->committed_ms = told.committed_ms;
            st->stamp_ms = told.stamp_ms;
        }
    }
    add_to_path(p, st);
}

void primary_state(struct primary *p, int zone, struct native_state *st) {
    struct keep_state have;
    memset(st, 0, sizeof *st);
    st->wall_ms = clock_wall_ms();
    if (keeper_state(p->c.keeper, zone, &have, NULL) == 0) {
        st->flags = NATIVE_HAVE;
        st->serial = have.serial;
        st->digest = have.digest;
        st->commit = have.commits;
    }
    take_evidence(p, zone, st);
    if (p->c.roles != NULL && p->c.roles->at[zone].epoch > 0)
        st->epoch = p->c.roles->at[zone].epoch;
}

/* A commit may have come since the cast was read: then it is no evidence of now, and only its own time is known. */
void primary_state_of(struct primary *p, const struct cast *c, struct native_state *st) {
    struct native_state now;
    primary_state(p, c->want.zone, &now);
    *st = now;
    st->flags = NATIVE_HAVE;
    st->serial = c->to_serial;
    st->digest = c->to_digest;
    st->commit = c->to_commit;
    if (!same(&now, st))
        st->stamp_ms = st->committed_ms = follow_committed_ms(p, c->want.zone, c->to_serial);
}

/* --- SOA */

/* A zone that lives from updates alone and has had none yet is there for who wants to send the first: SOA of the
 * configuration with serial 0, which no commit ever has. The resolver answers SERVFAIL until there is something. */
static bool unborn_soa(const struct conf_zone *zone, struct dns_soa *soa) {
    *soa = (struct dns_soa){.refresh = zone->soa.refresh_s,
                            .retry = zone->soa.retry_s,
                            .expire = zone->soa.expire_s,
                            .minimum = zone->soa.minimum_s};
    return zone->data_count == 0 && zone->primaries.count == 0 && zone->update.count > 0 &&
           name_from_text(&soa->primary, zone->soa.primary, NULL) == 0 &&
           name_from_text(&soa->contact, zone->soa.contact, NULL) == 0;
}

/* A copy that is not good for answers is not good for others. */
bool primary_expired(const struct primary *p, int zone) {
    const struct view_apex *apex;
    struct keep_state st;
    int64_t lapses = p->c.board != NULL ? (int64_t)board_get(&p->c.board->zone[zone].lapses_wall_s) : 0;
    if (keeper_state(p->c.keeper, zone, &st, &apex) < 0 ||
        keeper_zone_conf(p->c.keeper, zone)->on_expire != EXPIRE_SERVFAIL)
        return false;
    int64_t now = clock_wall_s();
    return (apex->expires_wall_s != 0 && now >= apex->expires_wall_s) || (lapses != 0 && now >= lapses);
}

struct soa_now {
    struct dns_soa soa;
    uint32_t ttl;
    bool expired;
};

static bool soa_now(struct primary *p, int zone, struct soa_now *now) {
    const struct conf_zone *conf = keeper_zone_conf(p->c.keeper, zone);
    const struct view_apex *apex;
    struct keep_state st;
    now->ttl = 0;
    now->expired = false;
    if (keeper_state(p->c.keeper, zone, &st, &apex) < 0)
        return unborn_soa(conf, &now->soa);
    now->soa = apex->soa;
    now->soa.serial = st.serial;
    now->ttl = apex->soa_ttl;
    now->expired =
        apex->expires_wall_s != 0 && clock_wall_s() >= apex->expires_wall_s && conf->on_expire == EXPIRE_SERVFAIL;
    return true;
}

/* What the client says of itself, when it is a Candor, and our own state back. Size of the options. */
static int exchange_status(struct primary *p, int zone, const struct client *c, const struct dns_query *q, uint8_t *to,
                           size_t cap) {
    struct bytes rest = q->edns.options, data;
    uint8_t state[NATIVE_STATE_MAX];
    struct native n;
    if (dns_option_next(&rest, NATIVE_OPTION, &data) < 0 || native_read(&n, data) < 0 || n.kind != NATIVE_STATUS)
        return 0;
    const char *node = n.state.path_count > 0 ? n.state.path[n.state.path_count - 1] : "";
    struct follower *f = follow(p, zone, &c->peer, node);
    if (f != NULL) {
        if ((n.state.flags & NATIVE_HAVE) != 0)
            follow_has(p, f, n.state.serial);
        link_heard(f->link, &n.state);
    }
    n.kind = NATIVE_STATUS;
    primary_state(p, zone, &n.state);
    int size = native_write(&n, state, sizeof state);
    return size < 0 ? 0 : dns_option_put(to, 0, cap, NATIVE_OPTION, (struct bytes){state, (size_t)size});
}

/* SOA alone, where it belongs: at the apex the answer, below it in the authority section, as nsupdate asks to find its
 * zone. */
static size_t write_soa(const struct dns_query *q, const struct tsig *t, const struct name *apex,
                        const struct soa_now *now, struct bytes options, uint8_t *reply, size_t limit) {
    struct dns_opt opt = DNS_OPT_INIT(REPLY_UDP);
    struct dns_writer w;
    bool own = name_equal(apex, &q->qname);
    uint32_t ttl = own || now->ttl < now->soa.minimum ? now->ttl : now->soa.minimum;
    size_t tsig = tsig_size(t);
    if (tsig >= limit)
        return 0;
    dns_writer_open(&w, reply, limit - tsig, q->header.id, 0, q->header.opcode);
    dns_writer_question(&w, &q->qname, q->qtype, q->qclass);
    dns_writer_soa(&w, own ? SECTION_ANSWER : SECTION_AUTHORITY, apex, ttl, &now->soa);
    opt.options = options;
    if (q->edns.present)
        dns_writer_opt(&w, &opt);
    int size = dns_writer_end(&w, (uint16_t)(FLAG_QR | FLAG_AA | (q->header.flags & FLAG_RD)), RCODE_NOERROR);
    if (size > 0)
        size = tsig_reply(t, reply, (size_t)size, limit, clock_wall_s());
    return size > 0 ? (size_t)size : reply_cut(q, t, reply, limit);
}

static size_t answer_soa(struct primary *p, int zone, const struct client *c, const struct dns_query *q,
                         const struct tsig *t, uint8_t *reply, size_t limit) {
    uint8_t options[DNS_OPTION_FIXED + NATIVE_STATE_MAX];
    struct soa_now now;
    struct name apex;
    int size = exchange_status(p, zone, c, q, options, sizeof options);
    if (!soa_now(p, zone, &now) || name_from_text(&apex, keeper_zone_conf(p->c.keeper, zone)->name, NULL) < 0)
        return reply_bare(q, t, RCODE_SERVFAIL, EDE_NOT_READY, "nothing was committed yet", reply, limit);
    if (now.expired)
        return reply_bare(q, t, RCODE_SERVFAIL, EDE_INVALID_DATA, "zone expired", reply, limit);
    return write_soa(q, t, &apex, &now, (struct bytes){options, size > 0 ? (size_t)size : 0}, reply, limit);
}

void primary_soa_late(struct out *o) {
    struct primary *p = o->p;
    struct soa_now now;
    struct dns_query q = {.header = {.id = o->id, .flags = (uint16_t)(o->flags & FLAG_RD)},
                          .qname = o->qname,
                          .qtype = o->qtype,
                          .qclass = CLASS_IN,
                          .question_end = DNS_HEADER,
                          .edns = {.present = o->edns, .ede = EDE_NONE}};
    size_t size = 0;
    if (soa_now(p, o->zone, &now))
        size = write_soa(&q, &o->tsig, &o->qname, &now, (struct bytes){NULL, 0}, p->scratch, o->limit);
    server_reply(p->c.server, &o->client, p->scratch, size);
}

/* --- transfers */

static bool native_ask(const struct dns_query *q, struct native_ask *ask) {
    struct bytes rest = q->edns.options, data;
    struct native n;
    while (dns_option_next(&rest, NATIVE_OPTION, &data) == 0)
        if (native_read(&n, data) == 0 && n.kind == NATIVE_ASK) {
            *ask = n.ask;
            return true;
        }
    return false;
}

/* Whether `theirs` needs what `ours` brings (RFC 1982); equal or ahead does not. */
static bool serial_behind(uint32_t theirs, uint32_t ours) {
    return theirs != ours && ours - theirs < UINT32_C(1) << 31;
}

struct ask {
    int zone;
    const struct client *c;
    const struct dns_query *q;
    const struct tsig *t;
    struct bytes msg;
    uint8_t *reply;
    size_t limit;
};

static size_t refuse(const struct ask *a, unsigned rcode, int ede, const char *text) {
    return reply_bare(a->q, a->t, rcode, ede, text, a->reply, a->limit);
}

static unsigned udp_under_way(const struct primary *p) {
    unsigned n = 0;
    for (const struct out *o = p->first; o != NULL; o = o->next)
        n += o->udp && o->state != OUT_DEAD;
    return n;
}

static size_t take_native(struct primary *p, const struct ask *a, const struct native_ask *ask) {
    struct out *o = out_new(p, a->zone, a->c, a->q, a->t);
    if (o == NULL)
        return refuse(a, RCODE_SERVFAIL, EDE_OTHER, "too many held questions");
    o->peer = follow(p, a->zone, &a->c->peer, ask->node);
    run_take(o, ask);
    return 0;
}

static size_t take_plain(struct primary *p, const struct ask *a, bool ixfr, uint32_t serial) {
    struct out *o = out_new(p, a->zone, a->c, a->q, a->t);
    if (o == NULL)
        return refuse(a, RCODE_SERVFAIL, EDE_OTHER, "too many transfers");
    o->want = (struct cast_want){.kind = ixfr ? CAST_IXFR : CAST_AXFR,
                                 .zone = a->zone,
                                 .have = ixfr,
                                 .from_serial = serial,
                                 .most = o->udp ? o->limit : 0};
    o->peer = follow(p, a->zone, &a->c->peer, "");
    if (ixfr && o->peer != NULL)
        follow_has(p, o->peer, serial);
    o->counts = !o->udp;
    out_begin(o);
    return 0;
}

static size_t take_ixfr(struct primary *p, const struct ask *a) {
    struct native_ask ask;
    struct soa_now now;
    struct name apex;
    uint32_t serial;
    bool udp = a->c->proto == PROTO_UDP;
    if (!udp && native_ask(a->q, &ask))
        return take_native(p, a, &ask);
    if (!dns_soa_serial(a->msg.at, a->msg.size, SECTION_AUTHORITY, NULL, &serial))
        return refuse(a, RCODE_FORMERR, EDE_OTHER, "IXFR without the SOA of what there is");
    if (!soa_now(p, a->zone, &now) || name_from_text(&apex, keeper_zone_conf(p->c.keeper, a->zone)->name, NULL) < 0)
        return refuse(a, RCODE_SERVFAIL, EDE_NOT_READY, "nothing was committed yet");
    if (serial_behind(serial, now.soa.serial) && (!udp || udp_under_way(p) < OUT_UDP))
        return take_plain(p, a, true, serial);
    if (!udp || !serial_behind(serial, now.soa.serial)) {
        struct follower *f = follow(p, a->zone, &a->c->peer, "");
        if (f != NULL)
            follow_has(p, f, serial);
    }
    return write_soa(a->q, a->t, &apex, &now, (struct bytes){NULL, 0}, a->reply, a->limit);
}

static size_t take_transfer(struct primary *p, const struct ask *a) {
    struct soa_now now;
    struct name apex;
    const struct conf_zone *zone = keeper_zone_conf(p->c.keeper, a->zone);
    if (name_from_text(&apex, zone->name, NULL) < 0 || !name_equal(&apex, &a->q->qname))
        return refuse(a, RCODE_NOTAUTH, EDE_NOT_AUTHORITATIVE, "no zone of this node");
    if (!reply_allowed(&zone->transfer, &(struct reply_who){a->c, a->t->key, p->c.server}))
        return refuse(a, RCODE_REFUSED, EDE_PROHIBITED, "not in the zone's transfer list");
    if (soa_now(p, a->zone, &now) && now.expired)
        return refuse(a, RCODE_SERVFAIL, EDE_INVALID_DATA, "zone expired");
    if (a->q->qtype == TYPE_IXFR)
        return take_ixfr(p, a);
    if (a->c->proto == PROTO_UDP) /* RFC 5936 section 4.2 */
        return refuse(a, RCODE_FORMERR, EDE_NOT_SUPPORTED, "AXFR goes over TCP");
    return take_plain(p, a, false, 0);
}

/* SOA for everybody on loopback and for whom the zone's transfer and update rules name. */
static bool may_ask_soa(const struct primary *p, const struct ask *a) {
    const struct conf_zone *zone = keeper_zone_conf(p->c.keeper, a->zone);
    struct reply_who who = {a->c, a->t->key, p->c.server};
    return addr_is_loopback(&a->c->peer) || reply_allowed(&zone->transfer, &who) || reply_allowed(&zone->update, &who);
}

size_t primary_take(struct primary *p, int zone, const struct client *c, const struct dns_query *q,
                    const struct tsig *t, const uint8_t *msg, size_t size, uint8_t *reply, size_t cap) {
    if (p->closed)
        return 0;
    struct ask a = {zone, c, q, t, {msg, size}, reply, reply_limit(c, q, cap)};
    if (q->qclass != CLASS_IN)
        return refuse(&a, RCODE_REFUSED, EDE_NOT_AUTHORITATIVE, "no zone of this node");
    if (q->qtype == TYPE_AXFR || q->qtype == TYPE_IXFR)
        return take_transfer(p, &a);
    if (!may_ask_soa(p, &a))
        return refuse(&a, RCODE_REFUSED, EDE_PROHIBITED, "not in the zone's transfer or update list");
    if (q->qtype != TYPE_SOA)
        return refuse(&a, RCODE_REFUSED, EDE_NOT_SUPPORTED, "this port answers SOA, AXFR and IXFR of its zones only");
    return answer_soa(p, zone, c, q, t, reply, a.limit);
}

void primary_wrong_tsig(struct primary *p, int zone, const struct client *c, const struct tsig *t) {
    follow_wrong_tsig(p, zone, &c->peer, t);
}

void primary_committed(struct primary *p, int zone, const struct keep_state *st) {
    if (p->closed)
        return;
    follow_commit(p, zone, st);
    outs_committed(p, zone);
    notify_zone(p, zone);
}

void primary_event(struct primary *p, uint64_t token, enum server_event e) { outs_event(p, token, e); }
