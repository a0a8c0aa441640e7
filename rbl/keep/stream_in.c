/* The receiver: frames gathered from octets in any cut, judged one by one, and as a whole by the sum at the end. */
#include "rbl/keep/stream_in.h"

#include "resolver/base/clock.h"

int stream_in_open(struct stream_in **out, struct keep *k, struct err *err) {
    *out = NULL;
    struct stream_in *in = calloc(1, sizeof *in);
    if (in == NULL)
        return err_set(err, E_NOMEM, "zone %s: no memory for a stream", k->zone->name);
    in->k = k;
    in->m = calloc(1, sizeof *in->m);
    in->sum = XXH3_createState();
    if (in->m == NULL || in->sum == NULL) {
        stream_in_close(in);
        return err_set(err, E_NOMEM, "zone %s: no memory for a stream", k->zone->name);
    }
    (void)XXH3_128bits_reset(in->sum);
    *out = in;
    return 0;
}

void stream_in_close(struct stream_in *in) {
    if (in == NULL)
        return;
    stream_fill_drop(in);
    for (size_t i = 0; i < in->commits; i++)
        buf_free(&in->commit[i].changeset);
    free(in->commit);
    net_free(&in->net);
    buf_free(&in->frame);
    buf_free(&in->apex);
    (void)XXH3_freeState(in->sum);
    free(in->m);
    free(in);
}

static int bad(struct err *err, const char *what) { return err_set(err, E_INVALID, "stream: %s", what); }

static int on_head(struct stream_in *in, struct bytes frame, struct err *err) {
    struct scan s = scan_of(frame);
    struct meta *m = in->m;
    const struct stream_head *h = &in->about.h;
    int rc = stream_take_about(&s, &in->about);
    if (rc < 0)
        return err_set(err, rc, "stream: %s", rc == E_UNSUPPORTED ? "of another version" : "the head is damaged");
    buf_put(&in->apex, s.at, s.left);
    if (in->apex.failed)
        return err_set(err, E_NOMEM, "stream: no memory");
    m->format = META_FORMAT;
    m->serial = h->to_serial;
    m->commits = 1;
    m->digest = h->to;
    m->changed_wall_s = h->committed_wall_s;
    m->timestamp_wall_s = in->about.timestamp_wall_s;
    m->expires_wall_s = in->about.expires_wall_s;
    if (meta_read_apex(m, buf_bytes(&in->apex), err) < 0)
        return bad(err, "datasets or apex are damaged");
    if (h->entries > LIMIT_LOAD_ENTRIES)
        return err_set(err, E_FULL, "stream: %llu entries, at most %d", (unsigned long long)h->entries,
                       LIMIT_LOAD_ENTRIES);
    in->headed = true;
    return h->snapshot ? stream_fill_open(in, err) : 0;
}

static int on_commit(struct stream_in *in, struct bytes frame, struct err *err) {
    if (in->commits == in->commit_cap) {
        size_t cap = in->commit_cap == 0 ? 8 : in->commit_cap * 2;
        struct in_commit *p = cap <= STREAM_COMMITS_MAX ? realloc(in->commit, cap * sizeof *p) : NULL;
        if (p == NULL)
            return err_set(err, E_FULL, "stream: more than %zu commits", in->commits);
        in->commit = p;
        in->commit_cap = cap;
    }
    struct in_commit *c = &in->commit[in->commits];
    memset(c, 0, sizeof *c);
    if (journal_read_header(frame, &c->h) < 0)
        return bad(err, "the header of a commit is damaged");
    in->commits++;
    return 0;
}

static int on_changes(struct stream_in *in, struct bytes frame, struct err *err) {
    struct in_commit *c = in->commits > 0 ? &in->commit[in->commits - 1] : NULL;
    if (c == NULL || c->changeset.size + frame.size > c->h.bytes)
        return bad(err, "changes that belong to no commit");
    in->held += frame.size;
    if (in->held > KEEP_CHANGESET_MAX)
        return err_set(err, E_FULL, "stream: more than %d octets of changes", KEEP_CHANGESET_MAX);
    buf_put(&c->changeset, frame.at, frame.size);
    return c->changeset.failed ? err_set(err, E_NOMEM, "stream: no memory for changes") : 0;
}

static int read_commit(struct stream_in *in, struct in_commit *c, struct digest *digest) {
    struct changeset_reader r;
    struct change x;
    uint64_t added = 0, removed = 0;
    int rc = changeset_read_open(&r, buf_bytes(&c->changeset));
    while (rc == 0 && (rc = changeset_next(&r, &x)) > 0) {
        rc = net_add(&in->net, &x);
        if (x.stays)
            continue;
        if (x.removed)
            digest_minus(digest, change_digest(&x));
        else
            digest_plus(digest, change_digest(&x));
        removed += x.removed;
        added += !x.removed;
    }
    changeset_read_close(&r);
    return rc == 0 && (added != c->h.added || removed != c->h.removed) ? E_INVALID : rc;
}

static bool same(struct digest a, struct digest b) { return a.lo == b.lo && a.hi == b.hi; }

/* Each commit goes on from where the one before ended, and comes out as it says. */
static int check_changes(struct stream_in *in, struct err *err) {
    const struct stream_head *h = &in->about.h;
    struct digest digest = h->from;
    uint32_t serial = h->from_serial;
    int rc = in->commits == 0 || in->commits != h->commits ? E_INVALID : 0;
    for (size_t i = 0; i < in->commits && rc == 0; i++) {
        struct in_commit *c = &in->commit[i];
        if (c->h.from_serial != serial || !same(c->h.before, digest) || c->changeset.size != c->h.bytes)
            return bad(err, "a commit does not go on from the one before");
        rc = read_commit(in, c, &digest);
        if (rc == 0 && !same(c->h.after, digest))
            return err_set(err, E_CORRUPT, "stream: serial %u comes out with another digest", c->h.to_serial);
        serial = c->h.to_serial;
    }
    if (rc == 0 && (serial != h->to_serial || !same(digest, h->to)))
        return bad(err, "the commits do not lead where it says");
    if (rc == 0)
        rc = net_settle(&in->net);
    return rc < 0 ? err_set(err, rc == E_NOMEM ? rc : E_INVALID, "stream: changes: %s", err_name(rc)) : 0;
}

static int on_end(struct stream_in *in, struct bytes frame, struct err *err) {
    XXH128_hash_t sum = XXH3_128bits_digest(in->sum);
    if (frame.size != STREAM_SUM || get_u64(frame.at) != sum.high64 || get_u64(frame.at + 8) != sum.low64)
        return err_set(err, E_CORRUPT, "stream: it was altered on its way");
    int rc = in->about.h.snapshot ? stream_fill_check(in, err) : check_changes(in, err);
    in->whole = rc == 0;
    return rc;
}

static int on_frame(struct stream_in *in, enum stream_frame what, struct bytes frame, struct err *err) {
    if (in->headed == (what == FRAME_HEAD) || in->whole)
        return bad(err, "it does not begin with a head, or goes on behind its end");
    if (what == FRAME_HEAD)
        return on_head(in, frame, err);
    if (what == FRAME_END)
        return on_end(in, frame, err);
    if (in->about.h.snapshot)
        return stream_fill_frame(in, what, frame, err);
    if (what == FRAME_COMMIT)
        return on_commit(in, frame, err);
    return what == FRAME_CHANGES ? on_changes(in, frame, err) : bad(err, "a frame of no known kind");
}

/* As many of `part` as the frame still lacks. */
static size_t take(struct stream_in *in, struct bytes part, size_t wanted) {
    size_t n = wanted - in->frame.size < part.size ? wanted - in->frame.size : part.size;
    buf_put(&in->frame, part.at, n);
    return n;
}

static int write_in(struct stream_in *in, struct bytes part, struct err *err) {
    while (part.size > 0) {
        size_t wanted = STREAM_FRAME_HEAD, n;
        if (in->frame.size >= STREAM_FRAME_HEAD) {
            if (get_u32(in->frame.at + 1) > STREAM_FRAME_MAX)
                return bad(err, "a frame too large");
            wanted += get_u32(in->frame.at + 1);
        }
        n = take(in, part, wanted);
        part = (struct bytes){part.at + n, part.size - n};
        if (in->frame.failed)
            return err_set(err, E_NOMEM, "stream: no memory");
        if (in->frame.size < STREAM_FRAME_HEAD ||
            in->frame.size < STREAM_FRAME_HEAD + (size_t)get_u32(in->frame.at + 1))
            continue;
        struct bytes frame = {in->frame.at + STREAM_FRAME_HEAD, in->frame.size - STREAM_FRAME_HEAD};
        int rc = on_frame(in, (enum stream_frame)in->frame.at[0], frame, err);
        if (rc < 0)
            return rc;
        (void)XXH3_128bits_update(in->sum, in->frame.at, in->frame.size);
        in->frame.size = 0;
    }
    return 0;
}

int stream_in_write(struct stream_in *in, struct bytes part, struct err *err) {
    if (in->failed != 0)
        return err_set(err, in->failed, "stream: it failed before");
    int rc = write_in(in, part, err);
    if (rc < 0) {
        in->failed = rc;
        stream_fill_drop(in);
        (void)err_prefix(err, "zone %s", in->k->zone->name);
    }
    return rc;
}

int stream_in_commit(struct stream_in *in, const struct keep_commit *c, struct keep_result *r, struct err *err) {
    int64_t begun = clock_ns(CLOCK_KIND_MONO);
    struct keep *k = in->k;
    memset(r, 0, sizeof *r);
    int rc = in->failed;
    if (rc < 0 || !in->whole || in->frame.size > 0)
        return err_set(err, rc < 0 ? rc : E_INVALID, "zone %s: the stream is not whole", k->zone->name);
    rc = k->reading ? err_set(err, E_DENIED, "opened for reading alone") : keep_ready(k, err);
    if (rc == 0)
        rc = in->about.h.snapshot ? stream_fill_commit(in, c, r, err) : stream_apply_commit(in, c, r, err);
    if (rc < 0) {
        r->changed = false;
        (void)err_prefix(err, "zone %s", k->zone->name);
    } else if (!c->dry_run) {
        in->failed = E_INVALID; /* once */
    }
    r->micros = (uint64_t)(clock_ns(CLOCK_KIND_MONO) - begun) / 1000;
    return rc;
}
