/* A native question: HEAD PART... END for what is new, BEAT while there is nothing, BYE at the end of the hold. */
#include <stdlib.h>

#include "rbl/secondary/impl.h"
#include "resolver/base/log.h"

enum {
    BEHIND_MOST = 5,      /* beats that speak of a serial which does not come */
    AGAIN_SOON_MS = 1000, /* a BYE that came sooner than this after the question: not again before */
    FAILURES_MOST = 6,    /* runs that ended without anything good, in a row: then it is asked as another make */
    PARKED_MS = 60000     /* a snapshot that was cut off waits so long for its rest */
};

void run_close(struct run *r) {
    struct sec_primary *p = r->primary;
    if (r->receiving != NULL)
        inbound_drop(r->receiving);
    question_close(r->question);
    p->zone->s.primary[p->index].held = false;
    board_set(&p->link->held, 0);
    if (p->run == r)
        p->run = NULL;
    free(r);
}

/* --- parts */

/* A snapshot that goes on where it was cut off. */
static struct inbound *resumed(struct sec_primary *p, const struct native_head *h) {
    struct sec_zone *z = p->zone;
    struct inbound *i = z->parked;
    if (i == NULL)
        return NULL;
    z->parked = NULL;
    if ((h->flags & NATIVE_SNAPSHOT) != 0 && h->at == i->taken && h->at > 0 &&
        memcmp(h->id, i->head.id, sizeof h->id) == 0 && i->head.flags == h->flags) {
        i->primary = p->index;
        i->turn = z->turn;
        inbound_link(i);
        return i;
    }
    inbound_drop(i);
    return NULL;
}

static int take_head(struct run *r, const struct native_head *h, struct err *err) {
    struct sec_primary *p = r->primary;
    struct sec_zone *z = p->zone;
    if (r->receiving != NULL)
        return err_set(err, E_INVALID, "a HEAD before the END of the last");
    struct inbound *i = resumed(p, h);
    if (i == NULL) {
        if (h->at != 0)
            return err_set(err, E_INVALID, "a snapshot that goes on where nothing was");
        i = inbound_new(z, p->index, INBOUND_NATIVE, err);
    }
    if (i == NULL)
        return E_NOMEM;
    int rc = i->keep == NULL ? keeper_keep(z->in->c.keeper, z->index, &i->keep, err) : 0;
    r->receiving = i;
    i->peer = p->peer;
    i->head = *h;
    i->transfer = (h->flags & NATIVE_SNAPSHOT) != 0 ? TRANSFER_SNAPSHOT : TRANSFER_NATIVE;
    if (i->transfer == TRANSFER_SNAPSHOT && !i->full) {
        i->full = true;
        z->in->full++;
    }
    return rc;
}

static int take_end(struct run *r, const struct native_state *st, struct err *err) {
    struct inbound *i = r->receiving;
    struct sec_primary *p = r->primary;
    if (i == NULL)
        return err_set(err, E_INVALID, "an END without a HEAD");
    r->receiving = NULL;
    int rejected = judge_state(p, st);
    schedule_said(&p->zone->s, p->index, st->serial, SECONDARY_BESIDE_MS, loop_now_ms(p->zone->in->c.loop));
    if (rejected != 0) {
        inbound_drop(i);
        return err_set(err, E_REFUSED, "%s", p->link->error);
    }
    i->state = *st;
    i->ended = true;
    r->behind = 0;
    inbound_go(i);
    return 0;
}

static int take_beat(struct run *r, const struct native_state *st, struct err *err) {
    struct sec_primary *p = r->primary;
    struct sec_zone *z = p->zone;
    bool have = (st->flags & NATIVE_HAVE) != 0;
    if (judge_state(p, st) != 0)
        return err_set(err, E_REFUSED, "%s", p->link->error);
    judge_clock(p, st->wall_ms, 0, false);
    board_set(&p->link->last_check_wall_ms, (uint64_t)clock_wall_ms());
    schedule_said(&z->s, p->index, st->serial, SECONDARY_BESIDE_MS, loop_now_ms(z->in->c.loop));
    bool newer = have && z->first == NULL && (!z->s.have || serial_newer(st->serial, z->s.serial)) &&
                 !(z->s.refused && z->s.refused_serial == st->serial);
    r->behind = newer ? r->behind + 1 : 0;
    if (r->behind > BEHIND_MOST)
        return err_set(err, E_TIMEOUT, "it speaks of serial %u and does not send it", st->serial);
    if (have && !newer) {
        p->run_failures = 0;
        p->said[0] = '\0';
        zone_checked(z);
    }
    return 0;
}

static int take_part(struct run *r, const struct native *n, bool is_signed, struct err *err) {
    struct inbound *i = r->receiving;
    bool states = n->kind == NATIVE_END || n->kind == NATIVE_BEAT || n->kind == NATIVE_BYE;
    if (states && !is_signed)
        return err_set(err, E_DENIED, "what ends or begins a wait is not signed");
    switch (n->kind) {
    case NATIVE_HEAD:
        return take_head(r, &n->head, err);
    case NATIVE_PART:
        if (i == NULL)
            return err_set(err, E_INVALID, "a PART without a HEAD");
        return inbound_add(i, n->part, is_signed) < 0 ? err_set(err, E_NOMEM, "no memory for a transfer") : 0;
    case NATIVE_END:
        return take_end(r, &n->state, err);
    case NATIVE_BEAT:
        return take_beat(r, &n->state, err);
    case NATIVE_BYE:
        if (i == NULL)
            return take_beat(r, &n->state, err);
        return err_set(err, i->taken > 0 ? E_CLOSED : E_INVALID, "it said goodbye in the middle");
    case NATIVE_STATUS:
    case NATIVE_ASK:
        break;
    }
    return err_set(err, E_INVALID, "a part that belongs into a question");
}

/* --- messages */

static int check_frame(const struct run *r, struct bytes msg, struct err *err) {
    struct dns_reader d;
    struct name qname;
    uint16_t type, klass;
    char rcode[16];
    if (dns_reader_open(&d, msg.at, msg.size, &qname, &type, &klass) < 0 || (d.header.flags & FLAG_QR) == 0)
        return err_set(err, E_INVALID, "the answer is no DNS message");
    if (d.header.qd != 0 && (type != TYPE_IXFR || klass != CLASS_IN || !name_equal(&qname, &r->primary->zone->apex)))
        return err_set(err, E_INVALID, "an answer to another question");
    if (d.header.rcode != RCODE_NOERROR)
        return err_set(err, d.header.rcode == RCODE_REFUSED || d.header.rcode == RCODE_NOTAUTH ? E_DENIED : E_INVALID,
                       "it answers the native question with %s", dns_rcode_text(d.header.rcode, rcode));
    return 0;
}

static int take_message(struct run *r, struct bytes msg, bool is_signed, bool *bye, struct err *err) {
    struct native n;
    int rc = check_frame(r, msg, err);
    struct bytes rest = rc == 0 ? ask_options(msg) : (struct bytes){NULL, 0}, data;
    bool any = false;
    while (rc == 0 && dns_option_next(&rest, NATIVE_OPTION, &data) == 0) {
        rc = native_read(&n, data);
        if (rc < 0)
            return err_set(err, rc, "a native part that this version cannot read");
        any = true;
        *bye = n.kind == NATIVE_BYE;
        rc = take_part(r, &n, is_signed, err);
    }
    if (rc == 0 && !any)
        return err_set(err, E_UNSUPPORTED, "an answer without the native option");
    if (rc == 0 && is_signed && r->receiving != NULL)
        inbound_proved(r->receiving);
    return rc;
}

/* Cut off in a snapshot: what is proved stays for a while, and is gone on with. */
static void park(struct run *r) {
    struct sec_zone *z = r->primary->zone;
    struct inbound *i = r->receiving;
    if (i == NULL || i->transfer != TRANSFER_SNAPSHOT || i->code < 0 || i->taken == 0)
        return;
    r->receiving = NULL;
    chunks_free(&i->unproved);
    inbound_unlink(i);
    inbound_part(i);
    if (z->parked != NULL)
        inbound_drop(z->parked);
    z->parked = i;
    z->parked_until_ms = loop_now_ms(z->in->c.loop) + PARKED_MS;
    LOG(LEVEL_INFO, "a snapshot was cut off; it will go on", KS("zone", z->conf->name), KS("primary", r->primary->name),
        KU("at", i->taken));
}

static void ended(struct run *r, const struct err *why) {
    struct sec_primary *p = r->primary;
    struct sec_zone *z = p->zone;
    int64_t now = loop_now_ms(z->in->c.loop);
    bool early = now - r->asked_ms < AGAIN_SOON_MS;
    bool fault = why != NULL && why->code != E_CLOSED && why->code != E_TIMEOUT && why->code != E_SYSTEM &&
                 why->code != E_DENIED && why->code != E_REFUSED;
    if (why != NULL)
        park(r);
    run_close(r);
    p->run_failures += why != NULL && p->run_failures < FAILURES_MOST;
    p->run_after_ms = why != NULL ? now + ((int64_t)AGAIN_SOON_MS << (p->run_failures - 1))
                      : early     ? now + AGAIN_SOON_MS
                                  : now;
    if (fault || p->run_failures == FAILURES_MOST) {
        p->native_failed++;
        p->native_serial = z->s.primary[p->index].serial;
    }
    if (why != NULL)
        primary_failed(p, why);
    zone_next_step(z, now);
}

static enum question_end on_message(void *ctx, struct bytes msg, bool is_signed, const struct err *why) {
    struct run *r = ctx;
    struct err err = {0};
    bool bye = false;
    if (msg.at == NULL) {
        ended(r, why);
        return QUESTION_OVER;
    }
    if (take_message(r, msg, is_signed, &bye, &err) < 0) {
        ended(r, &err);
        return QUESTION_OVER;
    }
    bool spoken = r->held && r->receiving == NULL;
    r->question->within_ms = spoken ? SECONDARY_SILENT_MS : SECONDARY_STALL_MS;
    r->question->deadline_ms = loop_now_ms(r->primary->zone->in->c.loop) + r->question->within_ms;
    if (!bye)
        return QUESTION_MORE;
    ended(r, NULL);
    return QUESTION_OVER;
}

int run_start(struct sec_primary *p, bool hold, bool snapshot) {
    struct sec_zone *z = p->zone;
    struct secondary *in = z->in;
    struct err err = {0};
    struct run *r = calloc(1, sizeof *r);
    int size = r != NULL ? ask_native(p, hold, snapshot, in->message, sizeof in->message) : E_NOMEM;
    if (size < 0) {
        free(r);
        return size;
    }
    *r = (struct run){.primary = p, .held = hold, .snapshot = snapshot, .asked_ms = loop_now_ms(in->c.loop)};
    struct question_plan plan = {
        .many = true, .within_ms = SECONDARY_STALL_MS, .answer = on_message, .ctx = r, .link = p->link};
    if (p->peer == NULL)
        p->peer = peer_get(in, &p->rule, false, &err);
    if (p->peer != NULL)
        r->question = peer_ask(p->peer, in->message, (size_t)size, sizeof in->message, &plan, &err);
    if (r->question == NULL) {
        free(r);
        primary_failed(p, &err);
        return err.code;
    }
    p->run = r;
    z->s.primary[p->index].held = hold;
    board_set(&p->link->held, hold);
    return 0;
}
