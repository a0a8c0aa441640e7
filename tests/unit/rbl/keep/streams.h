/* Shared by the tests of streams: a zone told into memory, and taken from there. */
#ifndef TEST_KEEP_STREAMS_H
#define TEST_KEEP_STREAMS_H

#include "rbl/keep/stream.h"
#include "zone.h"

static UNUSED struct keep_state state_of(const struct keep *k) {
    struct keep_state st;
    keep_state(k, &st);
    return st;
}

static UNUSED bool same_digest(struct digest a, struct digest b) { return a.lo == b.lo && a.hi == b.hi; }

struct told {
    uint8_t *at;
    size_t size, cap;
    struct stream_head head;
};

/* All octets of a stream, read in pieces of `piece`. */
static UNUSED void read_all(struct stream_out *o, struct told *t, size_t piece) {
    struct err err = {0};
    size_t n;
    t->size = 0;
    do {
        if (t->cap - t->size < piece) {
            t->cap = t->cap * 2 + piece;
            t->at = realloc(t->at, t->cap);
            assert_non_null(t->at);
        }
        if (stream_out_read(o, t->at + t->size, piece, &n, &err) != 0)
            fail_msg("stream_out_read: %s", err.text);
        t->size += n;
    } while (n > 0);
}

static UNUSED int told_since(struct keep *k, uint32_t serial, const struct digest *have, struct told *t) {
    struct stream_out *o;
    struct keep *r;
    struct err err = {0};
    assert_int_equal(keep_share(k, &r, &err), 0);
    int rc = stream_out_open(&o, r, serial, have, &t->head, &err);
    if (rc == 0)
        read_all(o, t, 1000);
    stream_out_close(rc == 0 ? o : NULL);
    keep_close(r);
    return rc;
}

static UNUSED void told_whole(struct keep *k, struct told *t) {
    struct stream_out *o;
    struct keep *r;
    struct err err = {0};
    assert_int_equal(keep_share(k, &r, &err), 0);
    assert_int_equal(stream_out_snapshot(&o, r, &t->head, &err), 0);
    read_all(o, t, 1 << 16);
    stream_out_close(o);
    keep_close(r);
}

static UNUSED int taken(struct keep *k, const uint8_t *at, size_t size, size_t piece, struct keep_result *r,
                        struct err *err) {
    struct keep_commit c = {.source = "transfer"};
    struct stream_in *in;
    int rc = stream_in_open(&in, k, err);
    for (size_t i = 0; i < size && rc == 0; i += piece)
        rc = stream_in_write(in, (struct bytes){at + i, size - i < piece ? size - i : piece}, err);
    if (rc == 0)
        rc = stream_in_commit(in, &c, r, err);
    stream_in_close(in);
    return rc;
}

static UNUSED void take(struct keep *k, const struct told *t, size_t piece) {
    struct keep_result r;
    struct err err = {0};
    if (taken(k, t->at, t->size, piece, &r, &err) != 0)
        fail_msg("stream: %s", err.text);
    assert_true(r.changed);
}

#endif
