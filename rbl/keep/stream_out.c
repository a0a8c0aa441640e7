/* The sender: frames made one at a time from one read transaction, whole again at each call of stream_out_read. */
#include "rbl/keep/stream_out.h"

#include "resolver/base/log.h"

enum { ABOUT_COMMIT = 200, ABOUT_ZONE = 4096, ABOUT_4 = 2, ABOUT_6 = 9, ABOUT_NAME = 16, ABOUT_VALUE = 40 };

static uint64_t about_snapshot(struct stream_out *o) {
    const struct meta *m = o->m;
    return ABOUT_ZONE + ABOUT_4 * m->entries[0] + ABOUT_6 * m->entries[1] + ABOUT_NAME * m->entries[2] +
           ABOUT_VALUE * store_count(o->t, TABLE_VALUES);
}

static void about_now(struct stream_out *o) {
    const struct meta *m = o->m;
    o->about = (struct stream_about){.h = {.to_serial = m->serial,
                                           .to = m->digest,
                                           .entries = meta_entries(m),
                                           .committed_wall_s = m->changed_wall_s},
                                     .timestamp_wall_s = m->timestamp_wall_s,
                                     .expires_wall_s = m->expires_wall_s};
}

/* Changesets before version 3 do not tell times. */
static int tells_times(struct stream_out *o, uint64_t commit) {
    uint8_t key[JOURNAL_KEY];
    struct bytes record;
    if (store_count(o->t, TABLE_UNTIL) == 0)
        return 0;
    journal_key(key, commit, 1);
    int rc = store_get(o->t, TABLE_JOURNAL, (struct bytes){key, sizeof key}, &record);
    if (rc < 0)
        return rc == E_NOTFOUND ? E_CORRUPT : rc;
    return record.size > 0 && record.at[0] >= CHANGESET_TIMES ? 0 : E_NOTFOUND;
}

static bool is_state(const struct journal_header *h, uint32_t serial, const struct digest *digest) {
    return h->from_serial == serial && !(h->flags & JOURNAL_FROM_EMPTY) &&
           (digest == NULL || (digest->lo == h->before.lo && digest->hi == h->before.hi));
}

/* From the newest commit back to the one whose outset is what the other side has. */
static int find_commits(struct stream_out *o, uint32_t serial, const struct digest *digest) {
    uint64_t weight = 0, most = about_snapshot(o);
    struct journal_header h;
    for (uint64_t n = o->m->commits; n > 0; n--) {
        int rc = journal_header_of(o->t, n, &h);
        if (rc == 0 && h.chunks == 0)
            return E_NOTFOUND;
        if (rc == 0)
            rc = tells_times(o, n);
        if (rc < 0)
            return rc;
        weight += h.bytes + ABOUT_COMMIT;
        if (weight > most || o->about.h.commits >= STREAM_COMMITS_MAX)
            return E_NOTFOUND;
        o->about.h.commits++;
        o->commit = n;
        if (is_state(&h, serial, digest)) {
            o->about.h.from = h.before;
            o->about.h.octets_about = weight;
            return 0;
        }
    }
    return E_NOTFOUND;
}

static int open_changes(struct stream_out *o, uint32_t serial, const struct digest *digest, struct err *err) {
    const struct meta *m = o->m;
    about_now(o);
    o->about.h.from_serial = serial;
    if (serial == m->serial && (digest == NULL || (digest->lo == m->digest.lo && digest->hi == m->digest.hi)))
        return err_set(err, E_EXISTS, "serial %u is all there is", serial);
    int rc = find_commits(o, serial, digest);
    if (rc == E_NOTFOUND)
        return err_set(err, rc, "the changes since serial %u%s are not in the journal, or weigh more than the zone",
                       serial, digest != NULL ? " with that digest" : "");
    return rc < 0 ? store_failed(o->t, rc, err, "journal") : 0;
}

static int open_snapshot(struct stream_out *o, struct err *err) {
    about_now(o);
    o->about.h.snapshot = true;
    o->about.h.octets_about = about_snapshot(o);
    o->verify = verify_open(o->t, o->m);
    return o->verify == NULL ? err_set(err, E_NOMEM, "no memory for a stream") : 0;
}

static int begin(struct stream_out *o, struct err *err) {
    int rc = keep_ready(o->k, err);
    if (rc == 0 && o->k->store == NULL)
        rc = err_set(err, E_NOTFOUND, "zone %s: nothing was ever committed", o->k->zone->name);
    if (rc == 0)
        rc = store_read_begin(o->k->store, &o->t, err);
    return rc == 0 ? keep_read_meta(o->t, o->m, err) : rc;
}

struct opening {
    struct stream_out *o;
    bool snapshot;
    uint32_t serial;
    const struct digest *digest;
};
static int open_body(void *ctx, struct err *err) {
    const struct opening *x = ctx;
    int rc = begin(x->o, err);
    if (rc < 0)
        return rc;
    return x->snapshot ? open_snapshot(x->o, err) : open_changes(x->o, x->serial, x->digest, err);
}

static int open_stream(struct stream_out **out, struct keep *reading, struct opening *x, struct stream_head *head,
                       struct err *err) {
    *out = NULL;
    struct stream_out *o = calloc(1, sizeof *o);
    if (o == NULL)
        return err_set(err, E_NOMEM, "no memory for a stream");
    o->k = reading;
    o->m = calloc(1, sizeof *o->m);
    o->sum = XXH3_createState();
    x->o = o;
    int rc = o->m == NULL || o->sum == NULL ? err_set(err, E_NOMEM, "no memory for a stream")
                                            : keep_guarded(reading, open_body, x, err);
    if (rc < 0) {
        stream_out_close(o);
        return rc;
    }
    (void)XXH3_128bits_reset(o->sum);
    *head = o->about.h;
    *out = o;
    return 0;
}

int stream_out_open(struct stream_out **out, struct keep *reading, uint32_t have_serial, const struct digest *have,
                    struct stream_head *head, struct err *err) {
    struct opening x = {.serial = have_serial, .digest = have};
    return open_stream(out, reading, &x, head, err);
}

int stream_out_snapshot(struct stream_out **out, struct keep *reading, struct stream_head *head, struct err *err) {
    struct opening x = {.snapshot = true};
    return open_stream(out, reading, &x, head, err);
}

void stream_out_close(struct stream_out *o) {
    if (o == NULL)
        return;
    store_cursor_close(o->cursor);
    verify_close(o->verify);
    stream_block_free(&o->block);
    store_read_end(o->t);
    buf_free(&o->frame);
    (void)XXH3_freeState(o->sum);
    free(o->m);
    free(o);
}

static int put_head(struct stream_out *o) {
    size_t at;
    stream_frame_begin(&o->frame, FRAME_HEAD, &at);
    stream_put_about(&o->frame, &o->about);
    meta_write_apex(&o->frame, o->m);
    stream_frame_end(&o->frame, at);
    o->stage = o->about.h.snapshot ? OUT_COUNTS : OUT_COMMIT;
    return 0;
}

static int put_commit(struct stream_out *o) {
    size_t at;
    int rc = journal_header_of(o->t, o->commit, &o->header);
    if (rc < 0)
        return rc == E_NOTFOUND ? E_CORRUPT : rc;
    stream_frame_begin(&o->frame, FRAME_COMMIT, &at);
    journal_write_header(&o->frame, &o->header);
    stream_frame_end(&o->frame, at);
    o->piece = 1;
    o->stage = OUT_CHANGES;
    return 0;
}

static int put_changes(struct stream_out *o) {
    uint8_t key[JOURNAL_KEY];
    struct bytes record;
    size_t at;
    journal_key(key, o->commit, o->piece);
    int rc = store_get(o->t, TABLE_JOURNAL, (struct bytes){key, sizeof key}, &record);
    if (rc < 0)
        return rc == E_NOTFOUND ? E_CORRUPT : rc;
    stream_frame_begin(&o->frame, FRAME_CHANGES, &at);
    buf_put(&o->frame, record.at, record.size);
    stream_frame_end(&o->frame, at);
    if (o->piece++ < o->header.chunks)
        return 0;
    o->stage = o->commit++ < o->m->commits ? OUT_COMMIT : OUT_END;
    return 0;
}

static int put_end(struct stream_out *o) {
    XXH128_hash_t sum = XXH3_128bits_digest(o->sum);
    size_t at;
    stream_frame_begin(&o->frame, FRAME_END, &at);
    buf_u64(&o->frame, sum.high64);
    buf_u64(&o->frame, sum.low64);
    stream_frame_end(&o->frame, at);
    o->stage = OUT_ENDED;
    return 0;
}

/* The frame that follows. */
static int next_frame(struct stream_out *o, struct err *err) {
    static int (*const put[])(struct stream_out * o) = {
        [OUT_HEAD] = put_head,
        [OUT_COMMIT] = put_commit,
        [OUT_CHANGES] = put_changes,
        [OUT_END] = put_end,
    };
    o->frame.size = o->told = 0;
    enum out_stage stage = o->stage;
    bool plain = stage == OUT_HEAD || stage == OUT_COMMIT || stage == OUT_CHANGES || stage == OUT_END;
    int rc = plain ? put[stage](o) : stream_out_records(o, err);
    if (rc == 0 && (o->frame.failed || o->frame.size > STREAM_FRAME_MAX))
        rc = o->frame.failed ? E_NOMEM : E_RANGE;
    if (rc < 0 && plain)
        return err_set(err, rc, "stream: %s", err_name(rc));
    if (rc == 0 && o->stage != OUT_ENDED)
        (void)XXH3_128bits_update(o->sum, o->frame.at, o->frame.size);
    return rc;
}

struct reading_out {
    struct stream_out *o;
    uint8_t *to;
    size_t cap, size;
};
static int read_body(void *ctx, struct err *err) {
    struct reading_out *x = ctx;
    struct stream_out *o = x->o;
    while (x->size < x->cap) {
        size_t left = o->frame.size - o->told, n = x->cap - x->size < left ? x->cap - x->size : left;
        if (left == 0 && o->stage == OUT_ENDED)
            return 0;
        if (left == 0) {
            int rc = next_frame(o, err);
            if (rc < 0)
                return rc;
            continue;
        }
        memcpy(x->to + x->size, o->frame.at + o->told, n);
        x->size += n;
        o->told += n;
    }
    return 0;
}

int stream_out_read(struct stream_out *o, uint8_t *to, size_t cap, size_t *size, struct err *err) {
    struct reading_out x = {.o = o, .to = to, .cap = cap};
    *size = 0;
    if (o->failed != 0)
        return err_set(err, o->failed, "the stream failed before");
    int rc = keep_guarded(o->k, read_body, &x, err);
    if (rc < 0) {
        o->failed = rc;
        (void)err_prefix(err, "zone %s", o->k->zone->name);
        return rc;
    }
    *size = x.size;
    return 0;
}
