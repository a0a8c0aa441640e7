/* One answer of many messages: from its cast, which others may share, to its client.
 *
 *   WAITING -> turn -> SENDING: cast moved -> fill (on the pool, or here when it is little) -> server_more ...
 *      until E_AGAIN -> SERVER_DRAINED -> fill ...  -> the last message -> over, or HELD (native runs)
 *
 * Nobody frees an answer while a thread of the pool stands inside (busy). */
#include <stdlib.h>

#include "rbl/primary/out.h"
#include "rbl/replicate/reply.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"

enum { FRAME = 2, US = 1000 };

struct out *out_new(struct primary *p, int zone, const struct client *c, const struct dns_query *q,
                    const struct tsig *t) {
    struct out *o = p->outs < PRIMARY_OUTS ? calloc(1, sizeof *o) : NULL;
    if (o == NULL)
        return NULL;
    o->p = p;
    o->client = *c;
    o->zone = zone;
    o->udp = c->proto == PROTO_UDP;
    o->id = q->header.id;
    o->flags = (uint16_t)(FLAG_QR | FLAG_AA | (q->header.flags & FLAG_RD));
    o->qtype = q->qtype;
    o->edns = q->edns.present;
    o->qname = q->qname;
    o->tsig = *t;
    o->limit = reply_limit(c, q, LIMIT_UDP_QUERY);
    if (t->key != NULL && tsig_run_open(&o->run, t) < 0) {
        free(o);
        return NULL;
    }
    o->prev = p->last;
    if (p->last != NULL)
        p->last->next = o;
    else
        p->first = o;
    p->last = o;
    p->outs++;
    return o;
}

void out_drop_cast(struct out *o) {
    struct cast *c = o->cast;
    o->cast = NULL;
    if (c != NULL)
        cast_release(c);
}

static void reclaim(struct out *o) {
    struct primary *p = o->p;
    if (o->prev != NULL)
        o->prev->next = o->next;
    else
        p->first = o->next;
    if (o->next != NULL)
        o->next->prev = o->prev;
    else
        p->last = o->prev;
    p->outs--;
    tsig_run_close(o->run);
    free(o->window);
    free(o);
}

/* Whoever goes through the list may cause others to end: those are taken off it when nobody goes through it. */
static void walk_begin(struct primary *p) { p->walking++; }

static void walk_end(struct primary *p) {
    struct out *next;
    if (--p->walking > 0 || !p->dead)
        return;
    p->dead = false;
    for (struct out *o = p->first; o != NULL; o = next) {
        next = o->next;
        if (o->state == OUT_DEAD)
            reclaim(o);
    }
}

void out_free(struct out *o) {
    struct primary *p = o->p;
    if (o->busy) {
        o->gone = true;
        return;
    }
    out_drop_cast(o);
    if (o->native)
        run_ended(o);
    o->state = OUT_DEAD;
    p->dead = true;
    walk_begin(p);
    walk_end(p);
}

/* --- what came of it */

static enum board_transfer kind_of(const struct out *o) {
    if (!o->native)
        return o->cast != NULL && o->cast->opened && o->cast->incremental ? TRANSFER_IXFR : TRANSFER_AXFR;
    return o->cast != NULL && o->cast->opened && o->cast->snapshot ? TRANSFER_SNAPSHOT : TRANSFER_NATIVE;
}

static const char *const kind_names[TRANSFER_KINDS] = {"AXFR", "IXFR", "changes", "snapshot"};

static void tell(struct out *o, int code, const char *why) {
    struct primary *p = o->p;
    uint64_t us = (uint64_t)(clock_ns(CLOCK_KIND_MONO) - o->began_ns) / US;
    enum board_transfer kind = kind_of(o);
    const char *zone = keeper_zone_conf(p->c.keeper, o->zone)->name;
    char peer[ADDR_TEXT_MAX];
    const char *name = o->peer != NULL ? o->peer->link->peer : addr_host_text(&o->client.peer, peer);
    if (o->peer != NULL) {
        link_transfer(o->peer->link, kind, code == 0 ? TRANSFER_OK : TRANSFER_FAILED, o->octets, us);
        link_tried(o->peer->link, code, why);
    }
    if (code != 0)
        LOG(LEVEL_WARN, "a transfer out was cut off", KS("zone", zone), KS("to", name), KS("kind", kind_names[kind]),
            KU("octets", o->octets), KS("why", why));
    else if (kind != TRANSFER_NATIVE)
        LOG(LEVEL_INFO, "transferred", KS("zone", zone), KS("to", name), KS("kind", kind_names[kind]),
            KU("serial", o->cast->to_serial), KU("octets", o->octets), KF("ms", (double)us / US));
}

void out_gone(struct out *o) {
    if (o->state == OUT_SENDING && o->began_ns != 0 && !o->gone)
        tell(o, E_CLOSED, "the client ended the connection");
    o->gone = true;
    out_free(o);
}

void out_refuse(struct out *o, unsigned rcode, int ede, const char *text) {
    struct primary *p = o->p;
    int n = fill_bare(o, rcode, ede, text, p->scratch, sizeof p->scratch);
    server_reply(p->c.server, &o->client, p->scratch + FRAME, n > 0 ? (size_t)n - FRAME : 0);
    out_free(o);
}

/* --- sending */

/* The frames in `at`, the last of all ending the question unless it is a run's. True: the connection has room. */
static bool send_frames(struct out *o, const uint8_t *at) {
    struct server *s = o->p->c.server;
    size_t size = o->size;
    int rc = 0;
    while (size > 0) {
        size_t n = get_u16(at);
        bool final = o->whole && !o->native && size == FRAME + n;
        if (final)
            server_reply(s, &o->client, at + FRAME, n);
        else
            rc = server_more(s, &o->client, at + FRAME, n);
        if (rc == E_CLOSED || rc == E_FULL)
            break;
        o->octets += n;
        at += FRAME + n;
        size -= FRAME + n;
    }
    o->size = 0;
    o->gone |= rc == E_CLOSED || rc == E_FULL;
    o->blocked = rc == E_AGAIN;
    return rc == 0;
}

static void finished(struct out *o) {
    struct primary *p = o->p;
    if (o->peer != NULL && !o->native) /* it says no more than that it took it */
        follow_has(p, o->peer, o->cast->to_serial);
    tell(o, 0, "");
    if (o->native) {
        run_sent(o);
    } else {
        out_free(o);
    }
    out_next(p);
}

static void failed(struct out *o, int code, const char *why) {
    struct primary *p = o->p;
    tell(o, code, why);
    out_refuse(o, RCODE_SERVFAIL, EDE_OTHER, "the transfer cannot be made now; the server's log says why");
    out_next(p);
}

/* What was filled leaves. True: go on. */
static bool deliver(struct out *o, const uint8_t *at) {
    if (o->gone) {
        out_gone(o);
        return false;
    }
    if (o->code < 0) {
        failed(o, o->code, "what was encoded could not be read again");
        return false;
    }
    bool room = send_frames(o, at);
    if (o->gone) {
        o->gone = false;
        out_gone(o);
        return false;
    }
    if (o->whole) {
        finished(o);
        return false;
    }
    return room;
}

static void fill_work(void *ctx) {
    struct out *o = ctx;
    out_fill(o, o->window, OUT_WINDOW);
}

static void fill_done(void *ctx) {
    struct out *o = ctx;
    struct primary *p = o->p;
    o->busy = false;
    p->at_work--;
    if (p->closed) {
        out_free(o);
    } else if (deliver(o, o->window)) {
        out_continue(o);
    }
}

static bool fill_start(struct out *o) {
    if (o->window == NULL)
        o->window = malloc(OUT_WINDOW);
    if (o->window == NULL || loop_work(o->p->c.loop, fill_work, fill_done, o) < 0)
        return false;
    o->busy = true;
    o->p->at_work++;
    return true;
}

/* A datagram: the difference when it fits, else the SOA that there is now (RFC 1995 section 2). */
static void continue_udp(struct out *o) {
    struct primary *p = o->p;
    bool whole;
    const struct cast *c = o->cast;
    if (!c->ended)
        return;
    uint64_t size = spool_size(&c->spool, &whole);
    if (c->code == 0 && size <= OUT_INLINE) {
        out_fill(o, p->scratch, sizeof p->scratch);
        if (o->code == 0 && o->whole && (size_t)get_u16(p->scratch) + FRAME == o->size && o->size - FRAME <= o->limit) {
            server_reply(p->c.server, &o->client, p->scratch + FRAME, o->size - FRAME);
            out_free(o);
            return;
        }
    }
    primary_soa_late(o);
    out_free(o);
}

/* The cast has ended without giving what was asked for. */
static void cast_failed(struct out *o) {
    if (o->native && o->cast->code == E_EXISTS) {
        run_sent(o);
        return;
    }
    char why[ERR_TEXT_MAX];
    text_copy(why, sizeof why, o->cast->err.text);
    failed(o, o->cast->code, why);
}

void out_continue(struct out *o) {
    struct primary *p = o->p;
    struct cast *c = o->cast;
    bool whole;
    if (c == NULL || !c->opened || o->busy || o->blocked || o->state != OUT_SENDING)
        return;
    if (o->udp) {
        continue_udp(o);
        return;
    }
    if (c->ended && c->code != 0) {
        cast_failed(o);
        return;
    }
    if (!o->head_sent && o->resume_at > 0 && memcmp(o->resume_id, c->id, sizeof c->id) == 0)
        o->at = o->resumed_at = o->resume_at;
    uint64_t there = spool_size(&c->spool, &whole);
    if (whole && o->at > there)
        o->at = o->resumed_at = 0;
    if (there <= o->at && !whole)
        return;
    if (o->began_ns == 0)
        o->began_ns = clock_ns(CLOCK_KIND_MONO);
    if (o->native)
        primary_state_of(p, c, &o->end);
    if (whole && there <= SPOOL_MEMORY && there - o->at <= OUT_INLINE) {
        out_fill(o, p->scratch, sizeof p->scratch);
        (void)deliver(o, p->scratch); /* that was all of it */
    } else if (!fill_start(o)) {
        failed(o, E_NOMEM, "no memory");
    }
}

/* --- turns */

static bool may_start(const struct out *o) {
    const struct primary *p = o->p;
    unsigned all = 0, peer = 0;
    for (const struct out *x = p->first; x != NULL; x = x->next)
        if (x->state == OUT_SENDING && x->counts) {
            all++;
            peer += addr_same_host(&x->client.peer, &o->client.peer);
        }
    return all < p->c.conf->rbl.transfers.out && peer < p->c.conf->rbl.transfers.out_per_peer;
}

void out_start(struct out *o) {
    struct err err = {0};
    o->state = OUT_SENDING;
    o->since_ms = loop_now_ms(o->p->c.loop);
    if (o->resume_at > 0)
        o->cast = casts_resume(o->p->casts, o->zone, o->resume_id);
    int rc = o->cast != NULL ? 0 : casts_get(o->p->casts, &o->want, &o->cast, &err);
    if (rc < 0)
        out_refuse(o, RCODE_SERVFAIL, EDE_NOT_READY, err.text);
    else
        out_continue(o);
}

void out_begin(struct out *o) {
    struct primary *p = o->p;
    unsigned waiting = 0;
    o->since_ms = loop_now_ms(p->c.loop);
    if (!o->counts || may_start(o)) {
        out_start(o);
        return;
    }
    o->state = OUT_WAITING;
    for (const struct out *x = p->first; x != NULL; x = x->next)
        waiting += x->state == OUT_WAITING;
    if (waiting > PRIMARY_WAITING || o->udp)
        out_refuse(o, RCODE_REFUSED, EDE_OTHER, "too many transfers are under way (rbl.transfers.out)");
}

void out_next(struct primary *p) {
    walk_begin(p);
    for (struct out *o = p->first; o != NULL; o = o->next)
        if (o->state == OUT_WAITING && may_start(o))
            out_start(o);
    walk_end(p);
}

/* --- what is told from outside */

void outs_moved(void *ctx, struct cast *c) {
    struct primary *p = ctx;
    walk_begin(p);
    for (struct out *o = p->first; o != NULL; o = o->next)
        if (o->cast == c)
            out_continue(o);
    walk_end(p);
}

void outs_event(struct primary *p, uint64_t token, enum server_event e) {
    walk_begin(p);
    for (struct out *o = p->first; o != NULL; o = o->next) {
        if (o->udp || o->state == OUT_DEAD || o->client.token != token)
            continue;
        if (e == SERVER_GONE) {
            out_gone(o);
        } else if (o->blocked) {
            o->blocked = false;
            if (o->state == OUT_HELD)
                run_look(o);
            else
                out_continue(o);
        }
    }
    walk_end(p);
    if (e == SERVER_GONE)
        out_next(p);
}

void outs_tick(struct primary *p, int64_t now_ms) {
    walk_begin(p);
    for (struct out *o = p->first; o != NULL; o = o->next) {
        if (o->state == OUT_WAITING && now_ms - o->since_ms > PRIMARY_WAIT_MS)
            out_refuse(o, RCODE_SERVFAIL, EDE_OTHER, "too many transfers are under way (rbl.transfers.out)");
        else if (o->native && o->state == OUT_HELD)
            run_tick(o, now_ms);
    }
    walk_end(p);
}

void outs_committed(struct primary *p, int zone) {
    walk_begin(p);
    for (struct out *o = p->first; o != NULL; o = o->next)
        if (o->native && o->state == OUT_HELD && o->zone == zone)
            run_look(o);
    walk_end(p);
}

void outs_close(struct primary *p, int zone) {
    walk_begin(p);
    for (struct out *o = p->first; o != NULL; o = o->next) {
        if (o->state == OUT_DEAD || (zone >= 0 && o->zone != zone))
            continue;
        server_reply(p->c.server, &o->client, NULL, 0);
        o->peer = NULL;
        out_free(o);
    }
    walk_end(p);
}
