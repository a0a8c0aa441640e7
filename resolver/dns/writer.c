/* The writer: header, names and their compression, RRs with opaque RDATA, marks. RRs with a shape are in writer_rr.c.
 */
#include "resolver/dns/writer.h"

#include "resolver/dns/fold.h"
#include "resolver/dns/writer_impl.h"

enum { POINTER = 0xC000, POINTER_REACH = 0x4000 };

bool writer_fits(struct dns_writer *w, size_t octets) {
    if (w->error != 0)
        return false;
    if (octets <= w->cap - w->size)
        return true;
    w->error = E_FULL;
    return false;
}

void dns_writer_open(struct dns_writer *w, uint8_t *buf, size_t cap, uint16_t id, uint16_t flags, uint8_t opcode) {
    w->buf = buf;
    w->room = w->cap = cap < LIMIT_MESSAGE ? cap : LIMIT_MESSAGE;
    w->size = 0;
    w->error = 0;
    w->question = 0;
    w->names = 0;
    memset(w->counts, 0, sizeof w->counts);
    if (!writer_fits(w, DNS_HEADER))
        return;
    put_u16(buf, id);
    put_u16(buf + 2, (uint16_t)(flags | (opcode & 15) << 11));
    memset(buf + 4, 0, DNS_HEADER - 4);
    w->size = DNS_HEADER;
}

/* Tells most suffixes apart before their octets are compared: size, and the ends of the leftmost label. */
static uint16_t suffix_hash(const uint8_t *suffix, size_t size) {
    uint8_t first = fold1(suffix[1]), last = fold1(suffix[suffix[0]]);
    return (uint16_t)(size << 8 | (uint8_t)(first * 31 + last));
}

/* Whether the name at `at` of the message is `suffix`. What stands there was written here: pointers go backward. */
static bool suffix_at(const struct dns_writer *w, size_t at, const uint8_t *suffix, size_t size) {
    const uint8_t *buf = w->buf;
    if (size <= w->size - at && memcmp(buf + at, suffix, size) == 0)
        return true;
    for (;;) {
        if (buf[at] >= POINTER >> 8) {
            at = get_u16(buf + at) & (POINTER_REACH - 1);
            continue;
        }
        if (buf[at] != suffix[0])
            return false;
        if (suffix[0] == 0)
            return true;
        size_t step = (size_t)suffix[0] + 1;
        if (!fold_equal(buf + at + 1, suffix + 1, step - 1))
            return false;
        at += step;
        suffix += step;
    }
}

/* Offset of a name that is this suffix, 0 when none is remembered. */
static size_t suffix_find(const struct dns_writer *w, uint16_t hash, const uint8_t *suffix, size_t size) {
    for (unsigned i = 0; i < w->names; i++)
        if (w->name[i].hash == hash && suffix_at(w, w->name[i].at, suffix, size))
            return w->name[i].at;
    return 0;
}

/* The suffixes of the question's name, which was written without a look at what it consists of. */
static void remember_question(struct dns_writer *w) {
    const uint8_t *name = w->buf + DNS_HEADER;
    for (size_t at = 0; name[at] != 0 && w->names < WRITER_NAMES; at += (size_t)name[at] + 1) {
        w->name[w->names].at = (uint16_t)(DNS_HEADER + at);
        w->name[w->names++].hash = suffix_hash(name + at, w->question - at);
    }
}

void writer_name(struct dns_writer *w, const struct name *n) {
    size_t at = 0, target = 0;
    if (w->error != 0)
        return;
    if (w->names == 0 && w->question > 1 && n->size > 1)
        remember_question(w);
    unsigned names = w->names;
    while (n->wire[at] != 0) {
        const uint8_t *suffix = n->wire + at;
        uint16_t hash = suffix_hash(suffix, n->size - at);
        target = suffix_find(w, hash, suffix, n->size - at);
        if (target != 0)
            break;
        if (names < WRITER_NAMES && w->size + at < POINTER_REACH) {
            w->name[names].at = (uint16_t)(w->size + at);
            w->name[names++].hash = hash;
        }
        at += (size_t)suffix[0] + 1;
    }
    if (!writer_fits(w, at + (target != 0 ? 2 : 1)))
        return;
    memcpy(w->buf + w->size, n->wire, at);
    w->size += at;
    w->names = names;
    if (target != 0) {
        put_u16(w->buf + w->size, (uint16_t)(POINTER | target));
        w->size += 2;
    } else {
        w->buf[w->size++] = 0;
    }
}

void dns_writer_question(struct dns_writer *w, const struct name *qname, uint16_t type, uint16_t klass) {
    if (w->size != DNS_HEADER)
        w->error = w->error != 0 ? w->error : E_INVALID;
    if (!writer_fits(w, (size_t)qname->size + 4))
        return;
    memcpy(w->buf + w->size, qname->wire, qname->size);
    w->question = qname->size;
    w->size += qname->size;
    put_u16(w->buf + w->size, type);
    put_u16(w->buf + w->size + 2, klass);
    w->size += 4;
    w->counts[0]++;
}

static void section_check(struct dns_writer *w, enum dns_section s) {
    for (unsigned later = (unsigned)s + 2; later < ARRAY_SIZE(w->counts); later++)
        if (w->counts[later] != 0)
            w->error = E_INVALID;
}

size_t writer_rr_begin(struct dns_writer *w, enum dns_section s, const struct name *owner, uint16_t type,
                       uint16_t klass, uint32_t ttl) {
    if (w->error != 0)
        return 0;
    section_check(w, s);
    writer_name(w, owner);
    if (!writer_fits(w, 10))
        return 0;
    uint8_t *p = w->buf + w->size;
    put_u16(p, type);
    put_u16(p + 2, klass);
    put_u32(p + 4, ttl);
    w->size += 10;
    return w->size;
}

void writer_rr_end(struct dns_writer *w, enum dns_section s, size_t rdata) {
    if (w->error != 0)
        return;
    put_u16(w->buf + rdata - 2, (uint16_t)(w->size - rdata));
    w->counts[s + 1]++;
}

void writer_put(struct dns_writer *w, const void *octets, size_t size) {
    if (!writer_fits(w, size))
        return;
    if (size > 0)
        memcpy(w->buf + w->size, octets, size);
    w->size += size;
}

void dns_writer_rr(struct dns_writer *w, enum dns_section s, const struct name *owner, uint16_t type, uint16_t klass,
                   uint32_t ttl, struct bytes rdata) {
    size_t at = writer_rr_begin(w, s, owner, type, klass, ttl);
    writer_put(w, rdata.at, rdata.size);
    writer_rr_end(w, s, at);
}

void dns_writer_rr_at(struct dns_writer *w, enum dns_section s, uint16_t owner_at, uint16_t type, uint16_t klass,
                      uint32_t ttl, struct bytes rdata) {
    if (w->error != 0)
        return;
    section_check(w, s);
    if (!writer_fits(w, 12 + rdata.size)) /* a message is at most as long as RDATA may be */
        return;
    uint8_t *p = w->buf + w->size;
    put_u16(p, (uint16_t)(POINTER | owner_at));
    put_u16(p + 2, type);
    put_u16(p + 4, klass);
    put_u32(p + 6, ttl);
    put_u16(p + 10, (uint16_t)rdata.size);
    memcpy(p + 12, rdata.at, rdata.size);
    w->size += 12 + rdata.size;
    w->counts[s + 1]++;
}

void dns_writer_reserve(struct dns_writer *w, size_t octets) {
    if (writer_fits(w, octets))
        w->cap -= octets;
}

void dns_writer_release(struct dns_writer *w, size_t octets) {
    w->cap = octets < w->room - w->cap ? w->cap + octets : w->room;
}

struct dns_mark dns_writer_mark(const struct dns_writer *w) {
    struct dns_mark m = {.size = w->size, .names = w->names, .error = w->error};
    memcpy(m.counts, w->counts, sizeof m.counts);
    return m;
}

void dns_writer_rewind(struct dns_writer *w, const struct dns_mark *m) {
    w->size = m->size;
    w->names = m->names;
    w->error = m->error;
    memcpy(w->counts, m->counts, sizeof w->counts);
}

int dns_writer_end(struct dns_writer *w, uint16_t flags, unsigned rcode) {
    if (w->error != 0)
        return w->error;
    uint16_t word = (uint16_t)((get_u16(w->buf + 2) | flags) & ~15u);
    put_u16(w->buf + 2, (uint16_t)(word | (rcode & 15)));
    for (size_t i = 0; i < ARRAY_SIZE(w->counts); i++)
        put_u16(w->buf + 4 + 2 * i, w->counts[i]);
    return (int)w->size;
}
