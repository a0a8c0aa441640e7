/* A plain transfer, on a session of its own: IXFR when there is something to begin from, else AXFR. */
#include <stdio.h>

#include "rbl/secondary/impl.h"

static enum question_end on_message(void *ctx, struct bytes msg, bool is_signed, const struct err *why) {
    struct inbound *i = ctx;
    if (msg.at == NULL) {
        i->question = NULL;
        i->over = true;
        i->over_err = *why;
        if (i->working || fetch_look(i))
            inbound_go(i);
        return QUESTION_OVER;
    }
    if (inbound_add(i, msg, is_signed) < 0) {
        zone_failed(i->zone, i, E_NOMEM, "no memory for a transfer");
        return QUESTION_OVER;
    }
    return QUESTION_MORE;
}

static const char *what(const struct inbound *i) { return i->plain.type == TYPE_IXFR ? "IXFR" : "AXFR"; }

/* Complete, cut off, or still coming. */
bool fetch_look(struct inbound *i) {
    char text[ERR_TEXT_MAX + 64];
    bool waits = i->fresh.first != NULL || i->working;
    if (i->ended || i->dropped)
        return !i->dropped;
    if (i->complete && (i->unproved.first != NULL || waits)) {
        zone_failed(i->zone, i, E_INVALID, "messages behind the end of the transfer");
        return false;
    }
    if (i->complete) {
        question_close(i->question);
        i->question = NULL;
        if (zone_nothing_new(i->zone, i))
            return false;
        i->ended = true;
        return true;
    }
    if (!i->over || waits)
        return true;
    (void)snprintf(text, sizeof text, "%s cut off after %llu RRs: %s", what(i), (unsigned long long)i->plain.rrs,
                   i->unproved.first != NULL ? "its end is not signed" : i->over_err.text);
    zone_failed(i->zone, i, i->over_err.code, text);
    return false;
}

static uint16_t type_for(const struct sec_primary *p) {
    const struct sec_zone *z = p->zone;
    bool unknown = p->no_ixfr && p->no_ixfr_serial == z->s.primary[p->index].serial;
    return z->s.have && !z->s.whole && !z->snapshot_wanted && !unknown ? TYPE_IXFR : TYPE_AXFR;
}

static int ask(struct sec_primary *p, struct inbound *i, struct err *err) {
    struct sec_zone *z = p->zone;
    struct secondary *in = z->in;
    uint16_t type = type_for(p);
    struct question_plan plan = {
        .many = true, .within_ms = SECONDARY_STALL_MS, .answer = on_message, .ctx = i, .link = p->link};
    i->peer = peer_get(in, &p->rule, true, err);
    if (i->peer == NULL)
        return err->code;
    int size = ask_plain(p, type, in->message, sizeof in->message);
    if (size < 0)
        return err_set(err, size, "the question cannot be written");
    i->question = peer_ask(i->peer, in->message, (size_t)size, sizeof in->message, &plan, err);
    if (i->question == NULL)
        return err->code;
    i->collects = p->collects;
    plain_open(&i->plain, &z->apex, i->question->id, type, z->s.serial);
    i->transfer = type == TYPE_IXFR ? TRANSFER_IXFR : TRANSFER_AXFR;
    i->full = true;
    in->full++;
    return 0;
}

bool fetch_start(struct sec_primary *p) {
    struct sec_zone *z = p->zone;
    struct err err = {0};
    struct inbound *i = inbound_new(z, p->index, INBOUND_PLAIN, &err);
    int rc = i != NULL ? ask(p, i, &err) : E_NOMEM;
    if (rc == 0)
        return true;
    if (i != NULL)
        inbound_drop(i);
    schedule_ended(&z->s, p->index, SCHEDULE_BROKEN, 0, loop_now_ms(z->in->c.loop));
    link_tried(p->link, rc, err.text);
    primary_log(p, "a transfer cannot begin", err.text);
    return false;
}
