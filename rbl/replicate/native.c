/* The native option on the wire (docs/protocol.md): two octets of version and kind, then the kind's fields in order. */
#include "rbl/replicate/native.h"

/* Writing: the first thing that does not fit sticks. */
struct out {
    uint8_t *at;
    size_t size, cap;
    int error;
};

static uint8_t *room(struct out *o, size_t octets) {
    if (o->error != 0 || octets > o->cap - o->size) {
        o->error = E_FULL;
        return NULL;
    }
    o->size += octets;
    return o->at + o->size - octets;
}

static void out_octets(struct out *o, const void *from, size_t size) {
    uint8_t *p = room(o, size);
    if (p != NULL && size > 0)
        memcpy(p, from, size);
}

static void out_number(struct out *o, uint64_t v, unsigned octets) {
    uint8_t be[8];
    put_u64(be, v);
    out_octets(o, be + sizeof be - octets, octets);
}

static void out_name(struct out *o, const char *name) {
    size_t size = strnlen(name, NATIVE_NODE);
    if (size == NATIVE_NODE)
        o->error = E_FULL;
    out_number(o, size, 1);
    out_octets(o, name, size);
}

static void out_digest(struct out *o, const struct digest *d) {
    out_number(o, d->hi, 8);
    out_number(o, d->lo, 8);
}

static void out_state(struct out *o, const struct native_state *s) {
    out_number(o, s->flags, 2);
    out_number(o, s->serial, 4);
    out_digest(o, &s->digest);
    out_number(o, s->epoch, 4);
    out_number(o, s->commit, 8);
    out_number(o, (uint64_t)s->committed_ms, 8);
    out_number(o, (uint64_t)s->stamp_ms, 8);
    out_number(o, (uint64_t)s->wall_ms, 8);
    if (s->path_count > NATIVE_PATH) {
        o->error = E_FULL;
        return;
    }
    out_number(o, s->path_count, 1);
    for (unsigned i = 0; i < s->path_count; i++)
        out_name(o, s->path[i]);
}

static void out_ask(struct out *o, const struct native_ask *a) {
    out_number(o, a->flags, 2);
    out_number(o, a->serial, 4);
    out_digest(o, &a->digest);
    out_number(o, a->hold_s, 2);
    out_number(o, a->resume_at, 8);
    out_octets(o, a->resume_id, sizeof a->resume_id);
    out_name(o, a->node);
}

static void out_head(struct out *o, const struct native_head *h) {
    out_number(o, h->flags, 2);
    out_octets(o, h->id, sizeof h->id);
    out_number(o, h->at, 8);
    out_number(o, h->from_serial, 4);
    out_number(o, h->to_serial, 4);
    out_number(o, h->octets_about, 8);
}

int native_write(const struct native *n, uint8_t *to, size_t cap) {
    struct out o = {.at = to, .cap = cap};
    out_number(&o, NATIVE_VERSION, 1);
    out_number(&o, n->kind, 1);
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
        out_octets(&o, n->part.at, n->part.size);
        break;
    }
    return o.error != 0 ? o.error : (int)o.size;
}

/* Reading: what runs out sticks, and reads as zero. */
struct in {
    const uint8_t *at;
    size_t left;
    bool bad;
};

static void in_octets(struct in *i, void *to, size_t size) {
    if (i->bad || size > i->left) {
        i->bad = true;
        memset(to, 0, size);
        return;
    }
    memcpy(to, i->at, size);
    i->at += size;
    i->left -= size;
}

static uint64_t in_number(struct in *i, unsigned octets) {
    uint8_t be[8] = {0};
    in_octets(i, be + sizeof be - octets, octets);
    return get_u64(be);
}

/* Names go into logs, the board and labels of metrics: printable, no space. */
static void in_name(struct in *i, char name[NATIVE_NODE]) {
    size_t size = (size_t)in_number(i, 1);
    memset(name, 0, NATIVE_NODE);
    if (size >= NATIVE_NODE) {
        i->bad = true;
        return;
    }
    in_octets(i, name, size);
    for (size_t c = 0; c < size; c++)
        i->bad |= name[c] <= ' ' || name[c] > '~' || name[c] == '"' || name[c] == '\\';
}

static struct digest in_digest(struct in *i) {
    struct digest d;
    d.hi = in_number(i, 8);
    d.lo = in_number(i, 8);
    return d;
}

static void in_state(struct in *i, struct native_state *s) {
    memset(s, 0, sizeof *s);
    s->flags = (uint16_t)in_number(i, 2);
    s->serial = (uint32_t)in_number(i, 4);
    s->digest = in_digest(i);
    s->epoch = (uint32_t)in_number(i, 4);
    s->commit = in_number(i, 8);
    s->committed_ms = (int64_t)in_number(i, 8);
    s->stamp_ms = (int64_t)in_number(i, 8);
    s->wall_ms = (int64_t)in_number(i, 8);
    unsigned count = (unsigned)in_number(i, 1);
    if (count > NATIVE_PATH) {
        i->bad = true;
        return;
    }
    for (unsigned n = 0; n < count; n++)
        in_name(i, s->path[n]);
    s->path_count = count;
}

static void in_ask(struct in *i, struct native_ask *a) {
    memset(a, 0, sizeof *a);
    a->flags = (uint16_t)in_number(i, 2);
    a->serial = (uint32_t)in_number(i, 4);
    a->digest = in_digest(i);
    a->hold_s = (uint16_t)in_number(i, 2);
    a->resume_at = in_number(i, 8);
    in_octets(i, a->resume_id, sizeof a->resume_id);
    in_name(i, a->node);
}

static void in_head(struct in *i, struct native_head *h) {
    h->flags = (uint16_t)in_number(i, 2);
    in_octets(i, h->id, sizeof h->id);
    h->at = in_number(i, 8);
    h->from_serial = (uint32_t)in_number(i, 4);
    h->to_serial = (uint32_t)in_number(i, 4);
    h->octets_about = in_number(i, 8);
}

/* Clocks that are no time at all would run over in whoever takes differences of them. */
static bool sane_time(int64_t ms) { return ms >= 0 && ms <= INT64_C(1) << 53; }

static bool state_sane(const struct native_state *s) {
    return sane_time(s->committed_ms) && sane_time(s->stamp_ms) && sane_time(s->wall_ms);
}

int native_read(struct native *n, struct bytes option) {
    struct in i = {option.at, option.size, false};
    unsigned version = (unsigned)in_number(&i, 1), kind = (unsigned)in_number(&i, 1);
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
        i.bad |= !state_sane(&n->state);
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
