/* From the octets of a cast to a client's messages: aimed at it, signed for it. */
#include "rbl/primary/out.h"
#include "rbl/primary/pack.h"
#include "rbl/replicate/reply.h"
#include "resolver/base/clock.h"

enum { FRAME = 2, COUNT_AT = 10 };

static int sign(struct out *o, uint8_t *msg, size_t size, size_t cap, bool now) {
    return o->run == NULL ? (int)size : tsig_run_sign(o->run, msg, size, cap, now, clock_wall_s());
}

/* An OPT that says nothing but that we know EDNS (RFC 6891 section 7). */
static size_t add_opt(uint8_t *msg, size_t size) {
    static const uint8_t opt[DNS_OPT_FIXED] = {0, 0, TYPE_OPT, REPLY_UDP >> 8, REPLY_UDP & 0xFF};
    memcpy(msg + size, opt, sizeof opt);
    put_u16(msg + COUNT_AT, (uint16_t)(get_u16(msg + COUNT_AT) + 1));
    return size + sizeof opt;
}

/* One message of a plain transfer; `to` has room for the largest. Frame's size or an error. Every message is signed:
 * RFC 8945 section 5.3.1 lets 99 of 100 go without, but BIND takes no such transfer any more since CVE-2026-19033. */
static int fill_message(struct out *o, size_t size, uint8_t *to, size_t cap) {
    uint8_t *msg = to + FRAME;
    if (spool_read(&o->cast->spool, o->at + FRAME, msg, size) < 0)
        return E_IO;
    pack_aim(msg, size, o->id, o->flags, &o->qname, o->qtype);
    if (!o->answered && o->edns)
        size = add_opt(msg, size);
    int signed_size = sign(o, msg, size, cap - FRAME, true);
    if (signed_size < 0)
        return signed_size;
    o->answered = true;
    put_u16(to, (uint16_t)signed_size);
    return FRAME + signed_size;
}

static int fill_plain(struct out *o, uint8_t *to, size_t cap) {
    bool whole;
    uint64_t there = spool_size(&o->cast->spool, &whole);
    while (!o->whole && there - o->at > FRAME) {
        uint8_t length[FRAME];
        if (spool_read(&o->cast->spool, o->at, length, FRAME) < 0)
            return E_IO;
        size_t size = get_u16(length);
        bool last = o->at + FRAME + size == there;
        if ((last && !whole) || FRAME + size + PACK_BEHIND > cap - o->size)
            break;
        int n = fill_message(o, size, to + o->size, cap - o->size);
        if (n < 0)
            return n;
        o->size += (size_t)n;
        o->at += FRAME + size;
        o->whole = last;
    }
    return 0;
}

int fill_native(struct out *o, const struct native *n, unsigned count, bool now, uint8_t *to, size_t cap) {
    uint8_t options[NATIVE_DATA + 2 * NATIVE_STATE_MAX], data[NATIVE_DATA + NATIVE_STATE_MAX];
    struct dns_writer w;
    struct dns_opt opt = DNS_OPT_INIT(REPLY_UDP);
    int size = 0;
    for (unsigned i = 0; i < count; i++) {
        int part = native_write(&n[i], data, sizeof data);
        if (part < 0)
            return part;
        size = dns_option_put(options, (size_t)size, sizeof options, NATIVE_OPTION, (struct bytes){data, (size_t)part});
        if (size < 0)
            return size;
    }
    opt.options = (struct bytes){options, (size_t)size};
    dns_writer_open(&w, to + FRAME, cap - FRAME, o->id, o->flags, OPCODE_QUERY);
    if (!o->answered)
        dns_writer_question(&w, &o->qname, o->qtype, CLASS_IN);
    dns_writer_opt(&w, &opt);
    size = dns_writer_end(&w, 0, RCODE_NOERROR);
    if (size > 0)
        size = sign(o, to + FRAME, (size_t)size, cap - FRAME, now);
    if (size < 0)
        return size;
    o->answered = true;
    put_u16(to, (uint16_t)size);
    return FRAME + size;
}

static struct native head_of(const struct out *o) {
    const struct cast *c = o->cast;
    struct native n = {.kind = NATIVE_HEAD};
    n.head =
        (struct native_head){.flags = (uint16_t)((c->zstd ? NATIVE_ZSTD : 0) | (c->snapshot ? NATIVE_SNAPSHOT : 0)),
                             .at = o->resumed_at,
                             .from_serial = c->from_serial,
                             .to_serial = c->to_serial,
                             .octets_about = c->octets_about};
    memcpy(n.head.id, c->id, sizeof n.head.id);
    return n;
}

/* HEAD before the first part, END behind the last: a small change is one message. */
static int fill_parts(struct out *o, uint8_t *to, size_t cap) {
    uint8_t data[NATIVE_DATA];
    bool whole;
    uint64_t there = spool_size(&o->cast->spool, &whole);
    while (!o->whole && (there > o->at || whole)) {
        struct native n[3];
        unsigned count = 0;
        size_t size = there - o->at < NATIVE_DATA ? (size_t)(there - o->at) : NATIVE_DATA;
        bool last = whole && o->at + size == there;
        if (size + 3 * (size_t)NATIVE_STATE_MAX + PACK_BEHIND > cap - o->size)
            break;
        if (spool_read(&o->cast->spool, o->at, data, size) < 0)
            return E_IO;
        if (!o->head_sent)
            n[count++] = head_of(o);
        if (size > 0)
            n[count++] = (struct native){.kind = NATIVE_PART, .part = {data, size}};
        if (last) {
            n[count] = (struct native){.kind = NATIVE_END, .state = o->end};
            n[count++].state.wall_ms = clock_wall_ms();
        }
        int rc = fill_native(o, n, count, last, to + o->size, cap - o->size);
        if (rc < 0)
            return rc;
        o->head_sent = true;
        o->size += (size_t)rc;
        o->at += size;
        o->whole = last;
    }
    return 0;
}

void out_fill(struct out *o, uint8_t *to, size_t cap) {
    o->size = 0;
    o->code = o->native ? fill_parts(o, to, cap) : fill_plain(o, to, cap);
}

int fill_bare(struct out *o, unsigned rcode, int ede, const char *text, uint8_t *to, size_t cap) {
    struct dns_writer w;
    struct dns_opt opt = DNS_OPT_INIT(REPLY_UDP);
    opt.rcode = (uint16_t)rcode;
    opt.ede = ede;
    opt.ede_text = text;
    dns_writer_open(&w, to + FRAME, cap - FRAME, o->id, o->flags, OPCODE_QUERY);
    if (!o->answered)
        dns_writer_question(&w, &o->qname, o->qtype, CLASS_IN);
    if (o->edns)
        dns_writer_opt(&w, &opt);
    int size = dns_writer_end(&w, 0, rcode);
    if (size > 0)
        size = sign(o, to + FRAME, (size_t)size, cap - FRAME, true);
    if (size < 0)
        return size;
    o->answered = true;
    put_u16(to, (uint16_t)size);
    return FRAME + size;
}
