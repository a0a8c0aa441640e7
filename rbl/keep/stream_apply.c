/* Changes from another node in one transaction on the live generation: the records they touch, values, times, counts,
 * digest, and the journal of the commits as they were made. The cost goes with the changes. */
#include "rbl/keep/guard.h"
#include "rbl/keep/merge.h"
#include "rbl/keep/stream_in.h"
#include "rbl/keep/until.h"
#include "rbl/keep/values.h"

struct applying {
    struct stream_in *in;
    struct keep *k;
    const struct keep_commit *c;
    struct keep_result *r;
    struct store_txn *t;
    struct meta *next;
    struct diff diff; /* writes, first lines, what came and went */
    struct merge merge;
    uint64_t less, more;
};

static bool is_from(const struct keep *k, const struct stream_head *h) {
    const struct meta *m = k->meta;
    return m != NULL && k->store != NULL && m->serial == h->from_serial && m->digest.lo == h->from.lo &&
           m->digest.hi == h->from.hi;
}

/* What is the zone's alone as it will be; counts and sums follow the entries. */
static int begin_meta(struct applying *a, struct err *err) {
    const struct stream_about *about = &a->in->about;
    struct meta *n = calloc(1, sizeof *n);
    a->next = n;
    if (n == NULL)
        return err_set(err, E_NOMEM, "no memory for meta");
    meta_copy(n, a->k->meta);
    n->format = META_FORMAT;
    n->serial = about->h.to_serial;
    n->commits += a->in->commits;
    n->changed_wall_s = about->h.committed_wall_s;
    n->timestamp_wall_s = about->timestamp_wall_s;
    n->expires_wall_s = about->expires_wall_s;
    n->digest = about->h.to;
    return meta_read_apex(n, buf_bytes(&a->in->apex), err);
}

static void count_use(struct commit_use *use, const struct net_change *x) {
    int64_t more = (int64_t)x->is - (int64_t)x->was;
    if (x->dataset == DATASET_LOCAL)
        use->local += more;
    else
        use->files += more;
}

static int give_ids(struct applying *a, struct err *err) {
    struct net *net = &a->in->net;
    uint32_t from = 0;
    int rc = values_ready(a->k, a->t, err);
    if (rc < 0)
        return rc;
    for (uint32_t n = 1; n < net->values; n++)
        net->value[n].use = (struct commit_use){.v = net->value[n].v};
    for (size_t i = 0; i < net->count && rc == 0; i++) {
        if (net->at[i].value == 0)
            continue;
        struct commit_use *use = &net->value[net->at[i].value].use;
        count_use(use, &net->at[i]);
        if (use->id != 0)
            continue;
        rc = values_find(a->k->values, a->t, use->v, &use->id);
        if (rc == E_NOTFOUND && !net->at[i].was) {
            rc = values_new_id(a->k->values, &from, &use->id);
            use->fresh = rc == 0;
        } else if (rc == E_NOTFOUND) {
            rc = E_CORRUPT; /* what goes is not there */
        }
    }
    return rc < 0 ? err_set(err, rc, "values: %s", err_name(rc)) : 0;
}

static uint32_t id_of(const struct applying *a, const struct net_change *x) {
    return x->value != 0 ? a->in->net.value[x->value].use.id : VALUE_EXCLUDED;
}

/* The one record of at[from..to). */
static int write_record(struct applying *a, size_t from, size_t to, struct buf *record) {
    const struct net_change *at = a->in->net.at;
    const struct level *lv = at[from].kind != FEED_NAMES ? &bucket_levels[at[from].kind].at[at[from].level] : NULL;
    uint8_t key[FEED_KEY_MAX];
    struct bytes k = {key, net_record_key(&at[from], key)};
    int rc = 0;
    a->merge.changed.count = 0;
    a->merge.more = 0;
    for (size_t i = from; i < to && rc == 0; i++) {
        struct item one = merge_item(lv, at[i].addr, at[i].bits, id_of(a, &at[i]));
        if (at[i].was == at[i].is)
            continue;
        a->merge.more += at[i].is ? 1 : -1;
        rc = items_add(&a->merge.changed, &one);
    }
    if (rc < 0 || a->merge.changed.count == 0)
        return rc;
    return merge_record(&a->merge, a->t, TABLE_4 + at[from].kind, k, lv, record, &a->diff.writes);
}

static bool same_record(const struct net_change *x, const struct net_change *y) {
    uint8_t kx[FEED_KEY_MAX], ky[FEED_KEY_MAX];
    size_t nx = net_record_key(x, kx), ny = net_record_key(y, ky);
    return x->kind == y->kind && nx == ny && memcmp(kx, ky, nx) == 0;
}

static int write_records(struct applying *a, struct err *err) {
    const struct net *net = &a->in->net;
    struct buf record = {0};
    int rc = 0;
    for (size_t from = 0, to; from < net->count && rc == 0; from = to) {
        for (to = from + 1; to < net->count && same_record(&net->at[from], &net->at[to]);)
            to++;
        rc = write_record(a, from, to, &record);
    }
    buf_free(&record);
    return rc < 0 ? err_set(err, rc, "entries: %s", err_name(rc)) : 0;
}

static int write_values(struct applying *a, struct err *err) {
    struct net *net = &a->in->net;
    int rc = 0;
    for (uint32_t n = 1; n < net->values && rc == 0; n++)
        rc = commit_use(a->t, &net->value[n].use, &a->diff.writes, err);
    return rc;
}

static int write_time(struct applying *a, const struct net_change *x) {
    struct until_entry e = {.kind = (enum feed_kind)x->kind, .bits = x->bits, .id = id_of(a, x)};
    int64_t before = 0, after = x->is ? x->until_wall_s : 0;
    e.place =
        x->kind == FEED_NAMES ? (struct bytes){x->name, x->size} : (struct bytes){x->addr, x->kind == FEED_4 ? 4 : 16};
    if (x->dataset != DATASET_LOCAL)
        return 0;
    int rc = x->was && a->k->meta->format >= META_FORMAT ? until_get(a->t, &e, &before) : 0;
    if (rc == 0)
        until_put(&a->diff.writes, &e, before, after);
    return rc;
}

static int count(struct applying *a, const struct net_change *x) {
    struct change c;
    if (x->was == x->is)
        return 0;
    net_change(&a->in->net, x, &c);
    a->diff.added += x->is;
    a->diff.removed += x->was;
    a->more += c.removed == c.excluded;
    a->less += c.removed != c.excluded;
    diff_note_first(&a->diff, &c);
    return commit_count(a->next, &c);
}

/* Datasets that are no more have no entries left. */
static int check_counts(const struct applying *a) {
    const struct meta *n = a->next;
    for (unsigned d = n->dataset_count; d < DATASET_LOCAL; d++)
        for (unsigned kind = 0; kind < COUNT_KINDS; kind++)
            for (unsigned length = 0; length < COUNT_LENGTHS; length++)
                if (n->counts[d].n[kind][length] != 0)
                    return E_CORRUPT;
    return meta_entries(n) == a->in->about.h.entries ? 0 : E_CORRUPT;
}

static int prepare(struct applying *a, struct err *err) {
    const struct net *net = &a->in->net;
    int rc = begin_meta(a, err);
    if (rc == 0)
        rc = give_ids(a, err);
    if (rc == 0)
        rc = write_records(a, err);
    if (rc == 0)
        rc = write_values(a, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < net->count && rc == 0; i++) {
        rc = write_time(a, &net->at[i]);
        if (rc == 0)
            rc = count(a, &net->at[i]);
    }
    if (rc == 0)
        rc = check_counts(a);
    a->next->apex.entries = meta_entries(a->next);
    if (rc == 0 && a->diff.writes.failed)
        rc = E_NOMEM;
    return rc < 0 ? err_set(err, rc, "counts: %s", err_name(rc)) : 0;
}

static int guards(struct applying *a, struct err *err) {
    struct commit_after after = {.writes = &a->diff.writes, .t = a->t};
    const struct look_source source = commit_after_source(&after);
    const struct net *net = &a->in->net;
    char why[GUARD_WHY];
    for (uint32_t n = 1; n < net->values && !a->c->force; n++)
        if (net->value[n].use.fresh && guard_value(a->k->zone, net->value[n].v, why) < 0)
            return err_set(err, E_REFUSED, "%s: refused, kept serial %u", why, a->k->meta->serial);
    const struct guard_batch g = {
        .k = a->k, .next = a->next, .after = &source, .less = a->less, .more = a->more, .force = a->c->force};
    int rc = guard_check_batch(&g, err);
    if (rc < 0 || a->c->force)
        return rc;
    const struct guard_world w = {.z = a->k->zone, .before = a->k->meta, .next = a->next, .t = a->t};
    rc = guard_grown(&w, why);
    return rc == E_NOTFOUND ? err_set(err, rc, "%s, perhaps: all of it will tell", why)
           : rc < 0         ? err_set(err, rc, "guards: %s", err_name(rc))
                            : 0;
}

/* The newest commits, as many as the journal may hold; of one that is too long the header. */
static int write_journal(struct applying *a, struct err *err) {
    struct stream_in *in = a->in;
    uint64_t limit = commit_journal_limit(a->k, a->next), fresh = 0, first = a->next->commits - in->commits + 1;
    size_t from = in->commits;
    if (meta_apex_changed(a->k->meta, a->next)) /* it came with the stream, as it is behind the last one */
        in->commit[in->commits - 1].h.flags |= JOURNAL_APEX;
    while (from > 0 && (from == in->commits || fresh + in->commit[from - 1].changeset.size <= limit))
        fresh += in->commit[--from].changeset.size;
    fresh = 0;
    for (size_t i = from; i < in->commits; i++) {
        struct in_commit *c = &in->commit[i];
        bool kept = c->changeset.size <= a->k->zone->journal;
        fresh += commit_journal(&c->h, first + i, kept, buf_bytes(&c->changeset), &a->diff.writes);
    }
    return commit_trim(a->k, a->t, fresh, a->next, &a->diff.writes, err);
}

static int write_it(struct applying *a, struct err *err) {
    struct keep *k = a->k;
    const struct net *net = &a->in->net;
    int rc = write_journal(a, err);
    if (rc < 0)
        return rc;
    commit_meta(&a->diff.writes, a->next);
    store_read_end(a->t);
    a->t = NULL;
    rc = commit_write(k, &a->diff.writes, err);
    if (rc < 0)
        return rc;
    a->r->bytes = store_last_commit_bytes(k->store);
    struct meta *m = k->meta;
    k->meta = a->next;
    a->next = m;
    int kept = commit_used(k, NULL);
    for (uint32_t n = 1; n < net->values && kept == 0; n++)
        kept = commit_used(k, &net->value[n].use);
    return 0;
}

static int apply_body(void *ctx, struct err *err) {
    struct applying *a = ctx;
    int rc = damage_refuses(a->k, err);
    if (rc < 0)
        return rc;
    if (!is_from(a->k, &a->in->about.h))
        return err_set(err, E_NOTFOUND, "the changes go on from serial %u with another digest than ours",
                       a->in->about.h.from_serial);
    rc = store_read_begin(a->k->store, &a->t, err);
    if (rc == 0)
        rc = prepare(a, err);
    if (rc == 0)
        rc = guards(a, err);
    if (rc < 0)
        return rc;
    a->r->added = a->diff.added;
    a->r->removed = a->diff.removed;
    a->r->changed = true;
    a->r->first_count = a->diff.first_count;
    memcpy(a->r->first, a->diff.first, sizeof a->r->first);
    return a->c->dry_run ? 0 : write_it(a, err);
}

int stream_apply_commit(struct stream_in *in, const struct keep_commit *c, struct keep_result *r, struct err *err) {
    struct applying a = {.in = in, .k = in->k, .c = c, .r = r};
    int rc = keep_guarded(in->k, apply_body, &a, err);
    store_read_end(a.t);
    diff_close(&a.diff);
    merge_free(&a.merge);
    free(a.next);
    return rc;
}
