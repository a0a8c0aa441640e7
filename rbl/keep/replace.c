#include "rbl/keep/work.h"
#include "resolver/base/clock.h"

/* Digest, counts and first lines of a zone that had nothing before: no need to walk anything. */
static void diff_from_nothing(struct work *w) {
    const struct data *d = w->d;
    struct diff *x = &w->diff;
    for (size_t i = 0; i < d->n4; i++)
        digest_plus(&x->digest, digest_entry4(d, &d->e4[i]));
    for (size_t i = 0; i < d->n6; i++)
        digest_plus(&x->digest, digest_entry6(d, &d->e6[i]));
    for (size_t i = 0; i < d->nn; i++)
        digest_plus(&x->digest, digest_entry_name(d, &d->en[i]));
    x->added = data_entries(d);
    for (size_t i = 0; i < d->n4 && i < ARRAY_SIZE(x->first); i++) {
        const struct entry4 *e = &d->e4[i];
        struct change c = {.kind = FEED_4, .bits = e->bits, .excluded = e->value == 0, .value = d->value[e->value]};
        put_u32(c.addr, e->addr);
        diff_note_first(x, &c);
    }
    for (size_t i = 0; i < d->n6 && i < ARRAY_SIZE(x->first); i++) {
        const struct entry6 *e = &d->e6[i];
        struct change c = {.kind = FEED_6, .bits = e->bits, .excluded = e->value == 0, .value = d->value[e->value]};
        memcpy(c.addr, e->addr, sizeof c.addr);
        diff_note_first(x, &c);
    }
    for (size_t i = 0; i < d->nn && i < ARRAY_SIZE(x->first); i++) {
        const struct entry_name *e = &d->en[i];
        struct change c = {.kind = FEED_NAMES,
                           .bits = e->wildcard,
                           .name = {e->name, e->size},
                           .excluded = e->value == 0,
                           .value = d->value[e->value]};
        diff_note_first(x, &c);
    }
}

static int find_difference(struct work *w, struct err *err) {
    struct keep *k = w->k;
    const struct meta *was = w->t != NULL ? k->meta : NULL;
    struct digest none = {0, 0};
    int rc = ids_open(&w->ids, w->d, w->t, w->c->whole, err);
    if (rc < 0)
        return rc;
    for (unsigned kind = 0; kind < FEED_KINDS; kind++)
        feed_open(&w->feed[kind], w->d, w->ids.of_data, (enum feed_kind)kind, w->next);
    rc = diff_open(&w->diff, w->d, &w->ids, w->t, was != NULL ? was->digest : none);
    if (rc < 0)
        return err_set(err, rc, "no memory for the difference");
    if (was == NULL) {
        diff_from_nothing(w);
        return 0;
    }
    w->diff.whole = w->c->whole;
    if (w->c->whole && store_count(w->t, TABLE_UNTIL) > 0) /* they go, and the changeset would not tell */
        w->diff.changeset_kept = false;
    uint64_t share = meta_entries(was) / KEEP_BULK_SHARE;
    w->diff.bulk_from = share > KEEP_BULK_CHANGES ? share : KEEP_BULK_CHANGES;
    w->diff.changeset_max = k->zone->journal < KEEP_CHANGESET_MAX ? k->zone->journal : KEEP_CHANGESET_MAX;
    for (unsigned kind = 0; kind < FEED_KINDS && rc == 0; kind++)
        rc = diff_run(&w->diff, &w->feed[kind], err);
    diff_choose(&w->diff);
    uint64_t expected = meta_entries(was) + w->diff.added - w->diff.removed;
    if (rc == 0 && expected != meta_entries(w->next))
        rc = err_set(err, E_CORRUPT, "meta said %llu entries, the tables hold others", (unsigned long long)expected);
    return rc;
}

static void forget_difference(struct work *w) {
    for (unsigned kind = 0; kind < FEED_KINDS; kind++)
        feed_close(&w->feed[kind]);
    diff_close(&w->diff);
    ids_close(&w->ids);
}

/* Beside local entries that are whole, the files' become a new generation as if nothing had been there before. */
static int anew_with_local(struct work *w, struct err *err) {
    struct digest local;
    int rc = verify_local(w->t, w->k->meta, &local, err);
    if (rc == 0)
        rc = ids_open(&w->ids, w->d, w->t, false, err);
    if (rc < 0)
        return rc;
    for (unsigned kind = 0; kind < FEED_KINDS; kind++)
        feed_open(&w->feed[kind], w->d, w->ids.of_data, (enum feed_kind)kind, w->next);
    rc = diff_open(&w->diff, w->d, &w->ids, NULL, local);
    if (rc < 0)
        return err_set(err, rc, "no memory for the difference");
    diff_from_nothing(w);
    return 0;
}

static int anew_without_local(struct work *w, struct err *err) {
    uint64_t lost = w->c->whole ? 0 : keep_local_entries(w->k);
    if (lost > 0)
        LOG(LEVEL_ERROR, "entries made by hand are damaged and lost", KS("zone", w->k->zone->name), KU("entries", lost),
            KS("why", err != NULL ? err->text : ""));
    work_end_reading(w);
    memset(&w->next->counts[DATASET_LOCAL], 0, sizeof w->next->counts[0]);
    int rc = meta_count(w->next, w->d, err);
    return rc == 0 ? find_difference(w, err) : rc;
}

/* What is stored cannot be read. Its serial and number of commits can, so the new contents become a generation of their
 * own that goes on from there. */
static int start_anew(struct work *w, struct err *err) {
    LOG(LEVEL_ERROR, "the stored zone is damaged, writing a new generation", KS("zone", w->k->zone->name),
        KS("generation", w->k->generation), KS("why", err != NULL ? err->text : ""));
    w->anew = true;
    forget_difference(w);
    int rc = w->t != NULL && meta_has_local(w->next) && !w->c->whole ? anew_with_local(w, err) : E_NOTFOUND;
    if (rc < 0 && rc != E_NOMEM) {
        forget_difference(w);
        rc = anew_without_local(w, err);
    }
    w->diff.removed = meta_entries(w->k->meta) - (w->c->whole ? 0 : keep_local_entries(w->k));
    return rc;
}

static void prepare_commit(struct work *w) {
    struct meta *n = w->next;
    struct journal_header *h = &w->header;
    n->serial = commit_serial(w->k, w->c);
    n->commits = w->k->meta != NULL ? w->k->meta->commits + 1 : 1;
    n->changed_wall_s = clock_wall_s();
    n->digest = w->diff.digest;
    n->format = META_FORMAT;
    bool apex = w->k->meta != NULL && meta_apex_changed(w->k->meta, n);
    h->flags = (w->c->force ? JOURNAL_FORCED : 0) | (apex ? JOURNAL_APEX : 0);
    h->from_serial = w->k->meta != NULL ? w->k->meta->serial : 0;
    h->to_serial = n->serial;
    h->wall_s = n->changed_wall_s;
    h->added = w->diff.added;
    h->removed = w->diff.removed;
    h->entries = meta_entries(n);
    if (w->k->meta != NULL)
        h->before = w->k->meta->digest;
    h->after = n->digest;
    text_copy(h->source, sizeof h->source, w->c->source);
    text_copy(h->reason, sizeof h->reason, w->c->reason);
}

static void fill_result(const struct work *w, struct keep_result *r) {
    r->added = w->diff.added;
    r->removed = w->diff.removed;
    r->changed = true;
    r->bulk = w->diff.bulk;
    r->first_count = w->diff.first_count;
    memcpy(r->first, w->diff.first, sizeof r->first);
}

/* The entries stay. $TIMESTAMP is written without a new serial; the rest is remembered only. */
static int settle_unchanged(struct work *w, struct err *err) {
    struct meta *m = w->k->meta, *n = w->next;
    if (w->c->dry_run || m == NULL)
        return 0;
    if (m->timestamp_wall_s != n->timestamp_wall_s) {
        n->serial = m->serial;
        n->commits = m->commits;
        n->changed_wall_s = m->changed_wall_s;
        n->digest = m->digest;
        n->journal_bytes = m->journal_bytes;
        work_end_reading(w);
        int rc = commit_quiet(w->k, n, err);
        if (rc < 0)
            return rc;
        m->format = META_FORMAT;
    }
    m->bad_lines = n->bad_lines;
    m->timestamp_wall_s = n->timestamp_wall_s;
    return 0;
}

static int write_it(struct work *w, struct keep_result *r, struct err *err) {
    if (w->diff.bulk)
        return bulk_replace(w, &r->bytes, err);
    int rc = commit_live(w, &r->bytes, err);
    if (rc < 0)
        return rc;
    struct meta *m = w->k->meta;
    w->next->apex.serial = w->next->apex.soa.serial = w->next->serial;
    w->k->meta = w->next;
    w->next = m;
    return 0;
}

static int write_anew(struct work *w, struct keep_result *r, struct err *err) {
    int rc = w->k->store != NULL ? store_read_begin(w->k->store, &w->t, err) : E_CORRUPT;
    if (rc == 0)
        rc = start_anew(w, err);
    if (rc < 0)
        return rc;
    fill_result(w, r);
    prepare_commit(w);
    return write_it(w, r, err);
}

static int replace(struct work *w, struct keep_result *r, struct err *err) {
    int rc = meta_count(w->next, w->d, err);
    if (rc == 0)
        rc = meta_take_apex(w->next, w->d, w->k->zone, err);
    if (rc == 0 && w->k->store != NULL)
        rc = store_read_begin(w->k->store, &w->t, err);
    if (rc == 0 && !w->c->whole && meta_has_local(w->next))
        rc = err_set(err, E_INVALID, "entries of the files in the place of local ones");
    if (w->k->meta != NULL && !w->c->whole)
        meta_add_local(w->next, w->k->meta);
    if (rc == 0 && w->k->damage[0] != '\0' && w->t != NULL) /* wherever the damage is */
        rc = err_set(err, E_CORRUPT, "%s", w->k->damage);
    if (rc == 0)
        rc = find_difference(w, err);
    if (rc == E_CORRUPT && w->t != NULL)
        rc = start_anew(w, err);
    if (rc < 0)
        return rc;
    w->next->bad_lines = w->d->bad_lines;
    w->next->timestamp_wall_s = w->d->timestamp;
    w->next->expires_wall_s = w->d->expires_wall_s;
    if (w->t != NULL && w->k->meta != NULL && w->diff.added + w->diff.removed == 0 &&
        !meta_apex_changed(w->k->meta, w->next) && !commit_wants_serial(w->k, w->c) &&
        w->k->meta->expires_wall_s ==
            w->next->expires_wall_s) /* the end of a zone is something other nodes must know */
        return settle_unchanged(w, err);
    fill_result(w, r); /* who is refused is told how much it would have been */
    rc = guard_check(w, err);
    if (rc < 0)
        return rc;
    if (w->c->dry_run)
        return 0;
    prepare_commit(w);
    rc = write_it(w, r, err);
    if (rc == E_CORRUPT && w->diff.bulk && w->k->meta != NULL && !w->anew) /* what was to be taken over is damaged */
        rc = write_anew(w, r, err);
    return rc;
}

struct replacing {
    struct work *w;
    struct keep_result *r;
};
static int replace_body(void *ctx, struct err *err) {
    const struct replacing *x = ctx;
    return replace(x->w, x->r, err);
}

static bool damaged(const struct keep *k, int rc, unsigned turn) {
    return (rc == E_CORRUPT || (turn > 0 && rc == E_IO)) && k->store != NULL &&
           (k->reopen || store_is_broken(k->store));
}

/* What is stored may lead a reader astray in ways that no check foresees. Then only what must be had of it is read; and
 * when that fails as well, nothing of it. */
static int replace_guarded(struct work *w, struct keep_result *r, struct err *err) {
    struct keep *k = w->k;
    struct replacing x = {w, r};
    int rc = keep_guarded(k, replace_body, &x, err);
    for (unsigned i = 0; i < 2 && rc < 0 && damaged(k, rc, i) && !w->c->dry_run; i++) {
        work_end_reading(w);
        forget_difference(w);
        memset(w->next, 0, sizeof *w->next);
        w->anew = false;
        if (i == 0)
            damage_note(k, err);
        else
            damage_set_aside(k, k->generation, err);
        k->reopen = false;
        rc = keep_guarded(k, replace_body, &x, err);
    }
    return rc;
}

int keep_replace(struct keep *k, const struct data *d, const struct keep_commit *c, struct keep_result *r,
                 struct err *err) {
    struct work w = {.k = k, .d = d, .c = c};
    int64_t begun = clock_ns(CLOCK_KIND_MONO);
    memset(r, 0, sizeof *r);
    if (k->reading)
        return err_set(err, E_DENIED, "zone %s: opened for reading alone", k->zone->name);
    if (d->dataset_count > DATASET_LOCAL)
        return err_set(err, E_RANGE, "%u datasets, at most %d", d->dataset_count, DATASET_LOCAL);
    int rc = keep_ready(k, err);
    if (rc < 0)
        return rc;
    w.next = calloc(1, sizeof *w.next);
    if (w.next == NULL)
        return err_set(err, E_NOMEM, "no memory for meta");
    rc = replace_guarded(&w, r, err);
    work_end_reading(&w);
    forget_difference(&w);
    free(w.next);
    if (rc < 0)
        r->changed = false;
    r->micros = (uint64_t)(clock_ns(CLOCK_KIND_MONO) - begun) / 1000;
    return rc;
}
