/* Native runs: a question that stays open (rbl/replicate/native.h).
 *
 *   ASK -> what is missing, HEAD PART... END -> held: BEAT each second, HEAD PART END at each commit -> BYE
 *
 * At most one stream is under way in a run; what is committed meanwhile goes out together, behind it. */
#include "rbl/primary/out.h"

#define MS_PER_S 1000

enum { FRAME = 2 };

static bool serial_newer(uint32_t a, uint32_t b) { return a != b && a - b < UINT32_C(1) << 31; }

static bool same_digest(const struct digest *a, const struct digest *b) { return a->lo == b->lo && a->hi == b->hi; }

/* Whether the other side lacks something. One that is ahead of us lacks nothing that we have. */
static bool is_behind(const struct out *o, const struct keep_state *st) {
    if (!o->have || serial_newer(st->serial, o->serial))
        return true;
    return st->serial == o->serial && !same_digest(&st->digest, &o->digest);
}

static bool send_now(struct out *o, int size) {
    struct primary *p = o->p;
    int rc = size < 0 ? E_CLOSED : server_more(p->c.server, &o->client, p->scratch + FRAME, (size_t)size - FRAME);
    o->blocked = rc == E_AGAIN;
    if (rc == 0 || rc == E_AGAIN)
        return true;
    if (rc == E_FULL)
        server_reply(p->c.server, &o->client, NULL, 0);
    out_free(o);
    return false;
}

static int write_state(struct out *o, enum native_kind kind) {
    struct primary *p = o->p;
    struct native n = {.kind = kind};
    primary_state(p, o->zone, &n.state);
    return fill_native(o, &n, 1, true, p->scratch, sizeof p->scratch);
}

static void beat(struct out *o) {
    o->beat_ms = loop_now_ms(o->p->c.loop);
    (void)send_now(o, write_state(o, NATIVE_BEAT));
}

static void bye(struct out *o) {
    struct primary *p = o->p;
    int size = write_state(o, NATIVE_BYE);
    server_reply(p->c.server, &o->client, p->scratch + FRAME, size > 0 ? (size_t)size - FRAME : 0);
    out_free(o);
}

static void mark_link(const struct out *o, bool held) {
    if (o->peer == NULL)
        return;
    board_set(&o->peer->link->native, 1);
    board_set(&o->peer->link->held, held);
}

void run_ended(const struct out *o) {
    for (const struct out *x = o->p->first; x != NULL; x = x->next)
        if (x != o && x->native && x->peer == o->peer && x->state != OUT_DEAD)
            return;
    mark_link(o, false);
}

static void push(struct out *o) {
    o->want = (struct cast_want){
        .kind = CAST_NATIVE, .zone = o->zone, .have = o->have, .from_serial = o->serial, .digest = o->digest};
    o->began_ns = 0;
    o->octets = 0;
    o->at = o->resumed_at = 0;
    o->head_sent = o->whole = false;
}

void run_look(struct out *o) {
    struct keep_state st;
    if (o->blocked || o->busy || keeper_state(o->p->c.keeper, o->zone, &st, NULL) < 0 || !is_behind(o, &st))
        return;
    push(o);
    out_start(o);
}

void run_take(struct out *o, const struct native_ask *ask) {
    struct primary *p = o->p;
    struct keep_state st;
    unsigned hold_s = ask->hold_s < PRIMARY_HOLD_MAX_S ? ask->hold_s : PRIMARY_HOLD_MAX_S;
    o->native = true;
    o->have = (ask->flags & NATIVE_HAVE) != 0;
    o->serial = ask->serial;
    o->digest = ask->digest;
    o->resume_at = ask->resume_at;
    memcpy(o->resume_id, ask->resume_id, sizeof o->resume_id);
    o->hold_until_ms = loop_now_ms(p->c.loop) + (int64_t)hold_s * MS_PER_S;
    mark_link(o, true);
    if (o->have && o->peer != NULL)
        follow_has(p, o->peer, o->serial);
    if (keeper_state(p->c.keeper, o->zone, &st, NULL) < 0) {
        out_refuse(o, RCODE_SERVFAIL, EDE_NOT_READY, "nothing was committed yet");
    } else if (is_behind(o, &st)) {
        push(o);
        o->counts = true;
        out_begin(o);
    } else if (hold_s == 0) {
        bye(o);
    } else {
        o->state = OUT_HELD;
        beat(o);
    }
}

void run_sent(struct out *o) {
    bool nothing = o->cast->code != 0;
    if (!nothing) {
        o->have = true;
        o->serial = o->cast->to_serial;
        o->digest = o->cast->to_digest;
    }
    out_drop_cast(o);
    o->resume_at = 0;
    o->counts = false;
    o->state = OUT_HELD;
    o->beat_ms = loop_now_ms(o->p->c.loop);
    if (o->hold_until_ms <= loop_now_ms(o->p->c.loop))
        bye(o);
    else if (!nothing)
        run_look(o);
    else if (!o->answered)
        beat(o);
}

void run_tick(struct out *o, int64_t now_ms) {
    if (o->blocked || o->busy)
        return;
    if (primary_expired(o->p, o->zone))
        out_refuse(o, RCODE_SERVFAIL, EDE_INVALID_DATA, "zone expired");
    else if (now_ms >= o->hold_until_ms)
        bye(o);
    else if (now_ms - o->beat_ms >= NATIVE_BEAT_MS)
        beat(o);
}

unsigned runs_at(const struct primary *p, int zone, const struct addr *host) {
    unsigned n = 0;
    for (const struct out *o = p->first; o != NULL; o = o->next)
        n += o->native && o->state != OUT_DEAD && o->zone == zone && addr_same_host(&o->client.peer, host);
    return n;
}
