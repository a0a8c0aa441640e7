/* The native stream (rbl/keep/stream.h): changes when the journal reaches back, else a snapshot; compressed when that
 * pays. The same commit gives the same octets, so that a snapshot can be gone on with. */
#include <stdlib.h>
#include <zstd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "rbl/keep/stream.h"
#include "rbl/primary/cast.h"

enum { CHUNK = 128 << 10, LEVEL = 1, LEVEL_CHANGES = 3 };

struct encoder {
    struct stream_out *stream;
    ZSTD_CCtx *zstd;
    uint8_t in[CHUNK], out[CHUNK];
};

/* Whatever makes the octets differ is in it. */
static void make_id(struct cast *c, const struct keep_state *st) {
    uint8_t what[sizeof st->generation + 40];
    memset(what, 0, sizeof what);
    memcpy(what, st->generation, sizeof st->generation);
    uint8_t *p = what + sizeof st->generation;
    put_u64(p, st->commits);
    put_u64(p + 8, st->digest.lo);
    put_u64(p + 16, st->digest.hi);
    put_u32(p + 24, (uint32_t)ZSTD_versionNumber());
    put_u32(p + 28, CHUNK);
    put_u32(p + 32, LEVEL);
    put_u32(p + 36, CAST_SLICE);
    XXH128_hash_t h = XXH3_128bits(what, sizeof what);
    put_u64(c->id, h.high64);
    put_u64(c->id + 8, h.low64);
}

static int open_zstd(struct encoder *e, bool snapshot, struct err *err) {
    e->zstd = ZSTD_createCCtx();
    if (e->zstd == NULL)
        return err_set(err, E_NOMEM, "no memory for compression");
    size_t rc = ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_compressionLevel, snapshot ? LEVEL : LEVEL_CHANGES);
    return ZSTD_isError(rc) ? err_set(err, E_SYSTEM, "zstd: %s", ZSTD_getErrorName(rc)) : 0;
}

static int native_open(struct cast *c, struct keep *reading, struct err *err) {
    struct stream_head head;
    struct keep_state st;
    struct encoder *e = c->encoder = calloc(1, sizeof *e);
    if (e == NULL)
        return err_set(err, E_NOMEM, "no memory for a transfer");
    int rc = E_NOTFOUND;
    if (c->want.have)
        rc = stream_out_open(&e->stream, reading, c->want.from_serial, &c->want.digest, &head, err);
    if (rc == E_NOTFOUND)
        rc = stream_out_snapshot(&e->stream, reading, &head, err);
    if (rc < 0)
        return rc;
    keep_state(reading, &st);
    c->snapshot = head.snapshot;
    c->from_serial = head.snapshot ? 0 : head.from_serial;
    c->octets_about = head.octets_about;
    c->zstd = head.snapshot || head.octets_about >= CAST_ZSTD_LEAST;
    if (c->snapshot)
        make_id(c, &st);
    return c->zstd ? open_zstd(e, c->snapshot, err) : 0;
}

/* Puts what was read through zstd; `end`: out with everything, by ZSTD_e_flush or ZSTD_e_end. */
static int squeeze(struct cast *c, size_t size, ZSTD_EndDirective end, struct err *err) {
    struct encoder *e = c->encoder;
    ZSTD_inBuffer in = {e->in, size, 0};
    for (;;) {
        ZSTD_outBuffer out = {e->out, sizeof e->out, 0};
        size_t left = ZSTD_compressStream2(e->zstd, &out, &in, end);
        if (ZSTD_isError(left))
            return err_set(err, E_SYSTEM, "zstd: %s", ZSTD_getErrorName(left));
        int rc = out.pos > 0 ? spool_add(&c->spool, e->out, out.pos, err) : 0;
        if (rc < 0)
            return rc;
        if (end == ZSTD_e_continue ? in.pos == in.size : left == 0)
            return 0;
    }
}

static int native_slice(struct cast *c, struct err *err) {
    struct encoder *e = c->encoder;
    bool whole;
    uint64_t until = spool_size(&c->spool, &whole) + CAST_SLICE;
    while (spool_size(&c->spool, &whole) < until) {
        size_t size = 0;
        int rc = stream_out_read(e->stream, e->in, sizeof e->in, &size, err);
        if (rc < 0)
            return rc;
        if (size == 0)
            return c->zstd ? squeeze(c, 0, ZSTD_e_end, err) : 0;
        rc = c->zstd ? squeeze(c, size, ZSTD_e_continue, err) : spool_add(&c->spool, e->in, size, err);
        if (rc < 0)
            return rc;
    }
    int rc = c->zstd ? squeeze(c, 0, ZSTD_e_flush, err) : 0;
    return rc < 0 ? rc : 1;
}

static void native_close(struct cast *c) {
    struct encoder *e = c->encoder;
    if (e == NULL)
        return;
    if (e->stream != NULL)
        stream_out_close(e->stream);
    ZSTD_freeCCtx(e->zstd);
    free(e);
    c->encoder = NULL;
}

const struct encoder_ops encoder_native = {native_open, native_slice, native_close};
