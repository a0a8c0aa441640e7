/* Plain RRs for any secondary: the whole zone (RFC 5936), or a difference (RFC 1995) when the journal reaches back. */
#include <stdlib.h>

#include "rbl/primary/cast.h"
#include "rbl/primary/pack.h"
#include "rbl/records/records.h"

enum { SOA_MOST = 2 * LIMIT_NAME_WIRE + 20 };

/* What comes next. A whole zone: SOA, RRs, SOA. A difference: SOA, old SOA, what goes, SOA, what comes, SOA. */
enum step { FIRST_SOA, OLD_SOA, REMOVED, NEW_SOA, ADDED, WHOLE, LAST_SOA, END };

struct encoder {
    struct pack pack;
    struct records_walk *walk;
    struct records_diff *diff;
    enum step step;
    struct dns_soa soa;
    uint32_t soa_ttl;
    struct records_rr rr; /* one that was read and not yet taken */
    bool rr_waits, rr_removed, over;
    uint8_t rdata[SOA_MOST];
};

static struct bytes soa_rdata(struct encoder *e, uint32_t serial) {
    const struct dns_soa *s = &e->soa;
    uint8_t *p = e->rdata;
    memcpy(p, s->primary.wire, s->primary.size);
    p += s->primary.size;
    memcpy(p, s->contact.wire, s->contact.size);
    p += s->contact.size;
    put_u32(p, serial);
    put_u32(p + 4, s->refresh);
    put_u32(p + 8, s->retry);
    put_u32(p + 12, s->expire);
    put_u32(p + 16, s->minimum);
    return (struct bytes){e->rdata, (size_t)(p + 20 - e->rdata)};
}

static int plain_open(struct cast *c, struct keep *reading, struct err *err) {
    struct encoder *e = c->encoder = calloc(1, sizeof *e);
    if (e == NULL)
        return err_set(err, E_NOMEM, "no memory for a transfer");
    int rc = records_soa(reading, &e->soa, &e->soa_ttl, err);
    if (rc == 0 && c->want.kind == CAST_IXFR) {
        rc = records_diff_open(&e->diff, reading, c->want.from_serial, err);
        c->incremental = rc == 0;
        if (rc == E_NOTFOUND && c->want.most == 0)
            rc = 0;
    }
    if (rc == 0 && !c->incremental)
        rc = records_walk_open(&e->walk, reading, err);
    pack_open(&e->pack, &c->apex);
    c->snapshot = !c->incremental;
    c->from_serial = c->incremental ? c->want.from_serial : 0;
    pack_begin(&e->pack, true);
    return rc;
}

/* The message that is full goes into the spool, with its length before it as on a stream. */
static int flush(struct cast *c, struct err *err) {
    uint8_t length[2];
    struct bytes msg = pack_end(&c->encoder->pack);
    if (msg.size == 0)
        return 0;
    put_u16(length, (uint16_t)msg.size);
    bool whole;
    if (c->want.most > 0 && spool_size(&c->spool, &whole) + sizeof length + msg.size > c->want.most)
        return err_set(err, E_FULL, "more than a datagram holds");
    int rc = spool_add(&c->spool, length, sizeof length, err);
    return rc == 0 ? spool_add(&c->spool, msg.at, msg.size, err) : rc;
}

static int put(struct cast *c, const struct name *owner, uint16_t type, uint32_t ttl, struct bytes rdata,
               struct err *err) {
    struct pack *p = &c->encoder->pack;
    int rc = pack_add(p, owner, type, ttl, rdata);
    if (rc == E_FULL) {
        rc = flush(c, err);
        pack_begin(p, false);
        if (rc == 0)
            rc = pack_add(p, owner, type, ttl, rdata);
    }
    return rc == E_RANGE ? err_set(err, rc, "an RR of %zu octets fits into no message", rdata.size) : rc;
}

static int put_soa(struct cast *c, uint32_t serial, enum step next, struct err *err) {
    struct encoder *e = c->encoder;
    e->step = next;
    return put(c, &c->apex, TYPE_SOA, e->soa_ttl, soa_rdata(e, serial), err);
}

/* RRs of a difference: those that go come first. */
static int put_changed(struct cast *c, bool removed, enum step next, struct err *err) {
    struct encoder *e = c->encoder;
    if (!e->rr_waits && !e->over) {
        int rc = records_diff_next(e->diff, &e->rr_removed, &e->rr, err);
        if (rc < 0)
            return rc;
        e->rr_waits = rc > 0;
        e->over = rc == 0;
    }
    if (!e->rr_waits || e->rr_removed != removed) {
        if (e->rr_waits && !removed)
            return err_set(err, E_CORRUPT, "a difference out of order");
        e->step = next;
        return 0;
    }
    e->rr_waits = false;
    return put(c, &e->rr.owner, e->rr.type, e->rr.ttl, e->rr.rdata, err);
}

static int put_whole(struct cast *c, struct err *err) {
    struct encoder *e = c->encoder;
    int rc = records_walk_next(e->walk, &e->rr, err);
    if (rc > 0)
        return put(c, &e->rr.owner, e->rr.type, e->rr.ttl, e->rr.rdata, err);
    e->step = LAST_SOA;
    return rc;
}

static int step(struct cast *c, struct err *err) {
    switch (c->encoder->step) {
    case FIRST_SOA:
        return put_soa(c, c->to_serial, c->incremental ? OLD_SOA : WHOLE, err);
    case OLD_SOA:
        return put_soa(c, c->from_serial, REMOVED, err);
    case REMOVED:
        return put_changed(c, true, NEW_SOA, err);
    case NEW_SOA:
        return put_soa(c, c->to_serial, ADDED, err);
    case ADDED:
        return put_changed(c, false, LAST_SOA, err);
    case WHOLE:
        return put_whole(c, err);
    case LAST_SOA:
        return put_soa(c, c->to_serial, END, err);
    case END:
        break;
    }
    return flush(c, err);
}

static int plain_slice(struct cast *c, struct err *err) {
    bool whole;
    uint64_t until = spool_size(&c->spool, &whole) + CAST_SLICE;
    while (spool_size(&c->spool, &whole) < until) {
        bool end = c->encoder->step == END;
        int rc = step(c, err);
        if (rc < 0 || end)
            return rc;
    }
    return 1;
}

static void plain_close(struct cast *c) {
    if (c->encoder == NULL)
        return;
    if (c->encoder->walk != NULL)
        records_walk_close(c->encoder->walk);
    if (c->encoder->diff != NULL)
        records_diff_close(c->encoder->diff);
    free(c->encoder);
    c->encoder = NULL;
}

const struct encoder_ops encoder_plain = {plain_open, plain_slice, plain_close};
