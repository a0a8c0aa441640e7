/* A native run on the thread pool: decompressed, handed to rbl/keep's stream, committed. */
#include <stdlib.h>
#include <zstd.h>

#include "rbl/keep/stream.h"
#include "rbl/secondary/impl.h"

enum { OUT = 128 << 10 };

static int write_plain(struct inbound *i, struct bytes part) { return stream_in_write(i->stream, part, &i->err); }

static int write_zstd(struct inbound *i, struct bytes part) {
    uint8_t *room = malloc(OUT);
    ZSTD_inBuffer in = {part.at, part.size, 0};
    int rc = room != NULL ? 0 : err_set(&i->err, E_NOMEM, "no memory for a transfer");
    bool full = true; /* the last output filled its room: there may be more of it */
    while (rc == 0 && (in.pos < in.size || full)) {
        ZSTD_outBuffer out = {room, OUT, 0};
        size_t left = ZSTD_decompressStream(i->zstd, &out, &in);
        if (ZSTD_isError(left)) {
            rc = err_set(&i->err, E_INVALID, "the stream is not what zstd makes: %s", ZSTD_getErrorName(left));
            break;
        }
        full = out.pos == out.size;
        if (out.pos > 0)
            rc = write_plain(i, (struct bytes){room, out.pos});
    }
    free(room);
    return rc;
}

static int begin(struct inbound *i) {
    if (i->stream != NULL)
        return 0;
    if ((i->head.flags & NATIVE_ZSTD) != 0 && (i->zstd = ZSTD_createDCtx()) == NULL)
        return err_set(&i->err, E_NOMEM, "no memory for a transfer");
    return stream_in_open(&i->stream, i->keep, &i->err);
}

static void free_worked(struct inbound *i) {
    struct chunks *c = &i->working_on;
    struct chunk *first = c->first;
    c->first = first->next;
    c->octets -= first->size;
    free(first);
    if (c->first == NULL)
        c->last = NULL;
}

void inbound_native_take(struct inbound *i) {
    int rc = begin(i);
    while (rc == 0 && i->working_on.first != NULL && inbound_goes_on(i)) {
        struct bytes part = {i->working_on.first->octets, i->working_on.first->size};
        rc = i->zstd != NULL ? write_zstd(i, part) : write_plain(i, part);
        free_worked(i);
    }
    i->code = rc;
}

int inbound_native_commit(struct inbound *i, struct keep *k, struct keep_result *r, struct err *err) {
    struct keep_commit c = {.source = i->source, .exact_serial = true, .serial_hint = i->state.serial, .whole = true};
    (void)k;
    inbound_native_take(i);
    if (i->code < 0)
        return err_set(err, i->code, "%s", i->err.text);
    if (i->working_on.first != NULL)
        return err_set(err, E_CLOSED, "candor-sync is stopping");
    return stream_in_commit(i->stream, &c, r, err);
}

void inbound_native_close(struct inbound *i) {
    stream_in_close(i->stream);
    ZSTD_freeDCtx(i->zstd);
    i->stream = NULL;
    i->zstd = NULL;
}
