/* A snapshot becomes a generation in the making while it comes, in a folder that nothing else knows; when it is whole
 * it is read back, and the commit gives it a number. */
#include <stdatomic.h>
#include <stdio.h>

#include "rbl/keep/guard.h"
#include "rbl/keep/stream_in.h"
#include "rbl/keep/until.h"
#include "rbl/keep/values.h"

#define FILL_MAP_LEAST ((uint64_t)4 << 20)
enum { FILL_MAP_ENTRY = 6 };

struct filling {
    struct stream_in *in;
    struct bytes frame;
    uint64_t values, members, times; /* of the frame */
};

int stream_fill_open(struct stream_in *in, struct err *err) {
    static _Atomic unsigned numbers;
    snprintf(in->folder, sizeof in->folder, KEEP_ARRIVING "%u" KEEP_MAKING, atomic_fetch_add(&numbers, 1));
    keep_remove_generation(in->k->dir, in->folder);
    return keep_open_generation(&in->making, in->k->dir, in->folder, GENERATION_WRITE | GENERATION_BULK,
                                FILL_MAP_LEAST + FILL_MAP_ENTRY * in->about.h.entries, err);
}

void stream_fill_drop(struct stream_in *in) {
    store_close(in->making);
    in->making = NULL;
    if (in->folder[0] != '\0')
        keep_remove_generation(in->k->dir, in->folder);
    in->folder[0] = '\0';
}

static int append(struct store_txn *t, unsigned table, struct bytes key, struct bytes record, struct err *err) {
    int rc = store_append(t, table, key, record);
    if (rc == E_EXISTS || (rc == E_INVALID && (key.size == 0 || key.size > STORE_KEY_MAX)))
        return err_set(err, E_INVALID, "stream: table %s: out of order", keep_tables[table]);
    return rc < 0 ? store_failed(t, rc, err, "append") : 0;
}

static int damaged(struct err *err, const char *what) { return err_set(err, E_INVALID, "stream: %s", what); }

static int on_values(struct store_txn *t, void *ctx, struct err *err) {
    struct filling *f = ctx;
    struct scan s = scan_of(f->frame);
    uint64_t id = 0;
    int rc = 0;
    f->values = 0;
    while (s.left > 0 && rc == 0) {
        uint8_t key[4], record[8 + VALUE_STORED_MAX];
        id += scan_varint(&s);
        uint32_t local = scan_varint32(&s), files = scan_varint32(&s);
        uint64_t size = scan_varint(&s);
        const uint8_t *value = size <= VALUE_STORED_MAX ? scan_take(&s, size) : NULL;
        if (value == NULL || s.failed || id > 2u * LIMIT_VALUES || ++f->values > f->in->about.h.entries)
            return damaged(err, "values are damaged");
        put_u32(key, (uint32_t)id);
        put_u32(record, local);
        put_u32(record + 4, files);
        memcpy(record + 8, value, size);
        rc = append(t, TABLE_VALUES, (struct bytes){key, sizeof key}, (struct bytes){record, 8 + size}, err);
    }
    return rc;
}

static int on_block(struct store_txn *t, struct filling *f, struct stream_unblock *u, struct err *err) {
    uint64_t room = f->in->about.h.entries - f->in->members;
    int more, rc = 0;
    while (rc == 0 && (more = stream_unpack(u)) != 0) {
        if (more < 0 || u->members > room)
            return more == E_NOMEM ? err_set(err, more, "stream: no memory") : damaged(err, "entries are damaged");
        rc = append(t, TABLE_4 + u->kind, (struct bytes){u->key, u->key_size}, buf_bytes(&u->record), err);
    }
    f->members = u->members;
    return rc;
}

static int on_entries(struct store_txn *t, struct filling *f, bool names, struct err *err) {
    struct stream_unblock u;
    int rc = stream_unblock_open(&u, names, f->frame);
    rc = rc == 0 ? on_block(t, f, &u, err) : damaged(err, "entries are damaged");
    stream_unblock_close(&u);
    return rc;
}

static int on_buckets(struct store_txn *t, void *ctx, struct err *err) { return on_entries(t, ctx, false, err); }
static int on_names(struct store_txn *t, void *ctx, struct err *err) { return on_entries(t, ctx, true, err); }

/* `due` stands in another order: put, not appended. */
static int put_time(struct store_txn *t, struct bytes key, uint64_t until, struct err *err) {
    static const uint8_t nothing[1] = {0};
    uint8_t time[UNTIL_TIME], due[DUE_KEY_MAX];
    put_u64(time, until);
    put_u64(due, until);
    memcpy(due + UNTIL_TIME, key.at, key.size);
    int rc = append(t, TABLE_UNTIL, key, (struct bytes){time, sizeof time}, err);
    if (rc < 0)
        return rc;
    rc = store_put(t, TABLE_DUE, (struct bytes){due, UNTIL_TIME + key.size}, (struct bytes){nothing, sizeof nothing});
    return rc < 0 ? store_failed(t, rc, err, "due") : 0;
}

static int on_times(struct store_txn *t, void *ctx, struct err *err) {
    struct filling *f = ctx;
    struct scan s = scan_of(f->frame);
    uint8_t key[UNTIL_KEY_MAX];
    size_t had = 0;
    int rc = 0;
    f->times = 0;
    while (s.left > 0 && rc == 0) {
        uint64_t stay = scan_varint(&s), rest = scan_varint(&s);
        const uint8_t *at = stay <= had && rest <= sizeof key - stay ? scan_take(&s, rest) : NULL;
        uint64_t until = scan_varint(&s);
        if (at == NULL || s.failed || until > INT64_MAX || ++f->times > f->in->about.h.entries)
            return damaged(err, "times are damaged");
        memcpy(key + stay, at, rest);
        had = stay + rest;
        rc = put_time(t, (struct bytes){key, had}, until, err);
    }
    return rc;
}

static int on_counts(struct stream_in *in, struct bytes frame, struct err *err) {
    struct meta *m = in->m;
    if (in->counted || meta_read_counts(m, frame, NULL) < 0)
        return damaged(err, "counts are damaged");
    memset(m->entries, 0, sizeof m->entries);
    for (unsigned d = 0; d < LIMIT_DATASETS; d++)
        for (unsigned kind = 0; kind < COUNT_KINDS && meta_has(m, d); kind++)
            for (unsigned length = 0; length < COUNT_LENGTHS; length++)
                m->entries[kind < COUNT_EXACT ? kind : 2] += m->counts[d].n[kind][length];
    if (meta_entries(m) != in->about.h.entries)
        return damaged(err, "counts are not those of the head");
    m->apex.entries = meta_entries(m);
    in->counted = true;
    return 0;
}

int stream_fill_frame(struct stream_in *in, enum stream_frame what, struct bytes frame, struct err *err) {
    struct filling f = {.in = in, .frame = frame};
    if (what == FRAME_COUNTS)
        return on_counts(in, frame, err);
    store_body body = what == FRAME_VALUES    ? on_values
                      : what == FRAME_BUCKETS ? on_buckets
                      : what == FRAME_NAMES   ? on_names
                      : what == FRAME_TIMES   ? on_times
                                              : NULL;
    if (body == NULL || !in->counted)
        return damaged(err, "a frame of no known kind, or out of order");
    int rc = store_write(in->making, body, &f, err);
    in->values += f.values;
    in->members += f.members;
    in->times += f.times;
    if (rc == 0 && (in->values > in->about.h.entries || in->times > in->about.h.entries))
        rc = damaged(err, "more than it says");
    return rc;
}

static int check(struct stream_in *in, struct err *err) {
    struct store_txn *t = NULL;
    int rc = copy_check(in->making, in->m, err);
    if (rc == 0)
        rc = store_read_begin(in->making, &t, err);
    if (rc < 0 || t == NULL)
        return rc;
    rc = values_once(t);
    store_read_end(t);
    return rc < 0 ? err_set(err, rc, "values: %s", err_name(rc)) : 0;
}

/* No guard of the keep's: it may be at something else on another thread. */
int stream_fill_check(struct stream_in *in, struct err *err) {
    struct store_fault f;
    if (!in->counted)
        return damaged(err, "it has no counts");
    if (sigsetjmp(f.back, 0) != 0)
        return store_faulted(&f, err);
    store_fault_arm(&f);
    int rc = check(in, err);
    store_fault_disarm(&f);
    return rc == 0 ? store_sync(in->making, err) : rc;
}

static int guard_rest(struct stream_in *in, struct store_txn *t, struct err *err) {
    const struct meta *was = in->k->meta;
    const struct guard_world w = {.z = in->k->zone, .before = was, .next = in->m, .t = t};
    char why[GUARD_WHY] = "";
    int rc = guard_space(&w, why);
    if (rc == 0)
        rc = guard_names(&w, why);
    if (rc == E_REFUSED)
        return err_set(err, rc, "%s: refused, kept serial %u", why, was != NULL ? was->serial : 0);
    return rc < 0 ? err_set(err, rc, "guards: %s", err_name(rc)) : 0;
}

static int guards(struct stream_in *in, const struct keep_commit *c, struct err *err) {
    struct keep *k = in->k;
    struct buf none = {0};
    struct commit_after after = {.writes = &none};
    uint64_t before = k->meta != NULL ? meta_entries(k->meta) : 0, now = meta_entries(in->m);
    int rc = store_read_begin(in->making, &after.t, err);
    if (rc < 0)
        return rc;
    const struct look_source source = commit_after_source(&after);
    const struct guard_batch g = {.k = k,
                                  .next = in->m,
                                  .after = &source,
                                  .less = before > now ? before - now : 0,
                                  .more = now > before ? now - before : 0,
                                  .force = c->force};
    rc = guard_check_batch(&g, err);
    if (rc == 0 && !c->force)
        rc = guard_rest(in, after.t, err);
    store_read_end(after.t);
    return rc;
}

static int apply(struct store_txn *t, void *ctx, struct err *err) { return writes_apply(ctx, t, err); }

/* The journal begins here. */
static int write_meta(struct stream_in *in, const struct keep_commit *c, struct err *err) {
    const struct meta *was = in->k->meta;
    struct meta *m = in->m;
    struct buf writes = {0};
    struct journal_header h = {.flags = JOURNAL_BULK | (was == NULL ? JOURNAL_FROM_EMPTY : 0) |
                                        (c->force ? JOURNAL_FORCED : 0),
                               .from_serial = was != NULL ? was->serial : 0,
                               .to_serial = m->serial,
                               .wall_s = m->changed_wall_s,
                               .added = meta_entries(m),
                               .removed = was != NULL ? meta_entries(was) : 0,
                               .entries = meta_entries(m),
                               .after = m->digest};
    if (was != NULL)
        h.before = was->digest;
    text_copy(h.source, sizeof h.source, c->source);
    text_copy(h.reason, sizeof h.reason, c->reason);
    m->commits = was != NULL ? was->commits + 1 : 1;
    m->journal_bytes = commit_journal(&h, m->commits, false, (struct bytes){NULL, 0}, &writes);
    commit_meta(&writes, m);
    int rc = writes.failed ? err_set(err, E_NOMEM, "no memory for the journal")
                           : store_write(in->making, apply, &writes, err);
    buf_free(&writes);
    return rc == 0 ? store_sync(in->making, err) : rc;
}

static int finish(struct stream_in *in, struct keep_result *r, struct err *err) {
    char from[KEEP_PATH_MAX + 64], to[KEEP_PATH_MAX + 64];
    struct making m;
    making_name(&m, in->k);
    store_close(in->making);
    in->making = NULL;
    snprintf(from, sizeof from, "%s/%s", in->k->dir, in->folder);
    snprintf(to, sizeof to, "%s/%s", in->k->dir, m.folder);
    int rc = rename(from, to) < 0 ? err_errno(err, "%s", from) : 0;
    rc = making_finish(&m, in->k, rc, &r->bytes, err);
    in->failed = E_INVALID; /* whatever came of it: it is in its folder no more */
    return rc;
}

struct committing {
    struct stream_in *in;
    const struct keep_commit *c;
    struct keep_result *r;
};
static int commit_body(void *ctx, struct err *err) {
    const struct committing *x = ctx;
    const struct meta *was = x->in->k->meta;
    x->r->added = meta_entries(x->in->m);
    x->r->removed = was != NULL ? meta_entries(was) : 0;
    x->r->changed = x->r->bulk = true;
    int rc = guards(x->in, x->c, err);
    if (rc < 0 || x->c->dry_run)
        return rc;
    rc = write_meta(x->in, x->c, err);
    return rc == 0 ? finish(x->in, x->r, err) : rc;
}

int stream_fill_commit(struct stream_in *in, const struct keep_commit *c, struct keep_result *r, struct err *err) {
    struct committing x = {in, c, r};
    return keep_guarded(in->k, commit_body, &x, err);
}
