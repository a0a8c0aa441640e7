/* The native option on the wire (docs/protocol.md): two octets of version and kind, then the kind's fields in order. */
#include "rbl/replicate/native.h"

#include "resolver/base/pack.h"

static void out_digest(struct pack_out *o, const struct digest *d) {
    pack_number(o, d->hi, 8);
    pack_number(o, d->lo, 8);
}

static void out_state(struct pack_out *o, const struct native_state *s) {
    pack_number(o, s->flags, 2);
    pack_number(o, s->serial, 4);
    out_digest(o, &s->digest);
    pack_number(o, s->epoch, 4);
    pack_number(o, s->commit, 8);
    pack_number(o, (uint64_t)s->committed_ms, 8);
    pack_number(o, (uint64_t)s->stamp_ms, 8);
    pack_number(o, (uint64_t)s->wall_ms, 8);
    if (s->path_count > NATIVE_PATH) {
        o->error = E_FULL;
        return;
    }
    pack_number(o, s->path_count, 1);
    for (unsigned i = 0; i < s->path_count; i++)
        pack_text(o, s->path[i], NATIVE_NODE);
}

static void out_ask(struct pack_out *o, const struct native_ask *a) {
    pack_number(o, a->flags, 2);
    pack_number(o, a->serial, 4);
    out_digest(o, &a->digest);
    pack_number(o, a->hold_s, 2);
    pack_number(o, a->resume_at, 8);
    pack_octets(o, a->resume_id, sizeof a->resume_id);
    pack_text(o, a->node, NATIVE_NODE);
}

static void out_head(struct pack_out *o, const struct native_head *h) {
    pack_number(o, h->flags, 2);
    pack_octets(o, h->id, sizeof h->id);
    pack_number(o, h->at, 8);
    pack_number(o, h->from_serial, 4);
    pack_number(o, h->to_serial, 4);
    pack_number(o, h->octets_about, 8);
}

int native_write(const struct native *n, uint8_t *to, size_t cap) {
    struct pack_out o = {.at = to, .cap = cap};
    pack_number(&o, NATIVE_VERSION, 1);
    pack_number(&o, n->kind, 1);
    switch (n->kind) {
    case NATIVE_STATUS:
    case NATIVE_END:
    case NATIVE_BEAT:
    case NATIVE_BYE:
        out_state(&o, &n->state);
        break;
    case NATIVE_ASK:
        out_ask(&o, &n->ask);
        break;
    case NATIVE_HEAD:
        out_head(&o, &n->head);
        break;
    case NATIVE_PART:
        pack_octets(&o, n->part.at, n->part.size);
        break;
    }
    return o.error != 0 ? o.error : (int)o.size;
}

static struct digest in_digest(struct pack_in *i) {
    struct digest d;
    d.hi = unpack_number(i, 8);
    d.lo = unpack_number(i, 8);
    return d;
}

static void in_state(struct pack_in *i, struct native_state *s) {
    memset(s, 0, sizeof *s);
    s->flags = (uint16_t)unpack_number(i, 2);
    s->serial = (uint32_t)unpack_number(i, 4);
    s->digest = in_digest(i);
    s->epoch = (uint32_t)unpack_number(i, 4);
    s->commit = unpack_number(i, 8);
    s->committed_ms = unpack_time_ms(i);
    s->stamp_ms = unpack_time_ms(i);
    s->wall_ms = unpack_time_ms(i);
    unsigned count = (unsigned)unpack_number(i, 1);
    if (count > NATIVE_PATH) {
        i->bad = true;
        return;
    }
    for (unsigned n = 0; n < count; n++)
        unpack_name(i, s->path[n], NATIVE_NODE);
    s->path_count = count;
}

static void in_ask(struct pack_in *i, struct native_ask *a) {
    memset(a, 0, sizeof *a);
    a->flags = (uint16_t)unpack_number(i, 2);
    a->serial = (uint32_t)unpack_number(i, 4);
    a->digest = in_digest(i);
    a->hold_s = (uint16_t)unpack_number(i, 2);
    a->resume_at = unpack_number(i, 8);
    unpack_octets(i, a->resume_id, sizeof a->resume_id);
    unpack_name(i, a->node, NATIVE_NODE);
}

static void in_head(struct pack_in *i, struct native_head *h) {
    h->flags = (uint16_t)unpack_number(i, 2);
    unpack_octets(i, h->id, sizeof h->id);
    h->at = unpack_number(i, 8);
    h->from_serial = (uint32_t)unpack_number(i, 4);
    h->to_serial = (uint32_t)unpack_number(i, 4);
    h->octets_about = unpack_number(i, 8);
}

int native_read(struct native *n, struct bytes option) {
    struct pack_in i = {option.at, option.size, false};
    unsigned version = (unsigned)unpack_number(&i, 1), kind = (unsigned)unpack_number(&i, 1);
    if (i.bad)
        return E_INVALID;
    if (version != NATIVE_VERSION || kind < NATIVE_STATUS || kind > NATIVE_BYE)
        return E_UNSUPPORTED;
    n->kind = (enum native_kind)kind;
    switch (n->kind) {
    case NATIVE_STATUS:
    case NATIVE_END:
    case NATIVE_BEAT:
    case NATIVE_BYE:
        in_state(&i, &n->state);
        break;
    case NATIVE_ASK:
        in_ask(&i, &n->ask);
        break;
    case NATIVE_HEAD:
        in_head(&i, &n->head);
        break;
    case NATIVE_PART:
        n->part = (struct bytes){i.at, i.left};
        i.left = 0;
        break;
    }
    return i.bad || i.left > 0 ? E_INVALID : 0;
}
