/* A batch becomes one transaction: the records that changed (edit_record.c), the values' uses, the times, counts,
 * digest and changeset. Nothing else of the zone is read or written. */
#include "rbl/keep/edit_impl.h"
#include "rbl/keep/guard.h"
#include "resolver/base/clock.h"

static bool differs(const struct spot *s) { return s->was != s->is || (s->is && s->was_until != s->until); }

static int collect(struct edits *e) {
    struct keep_batch *b = e->b;
    size_t n = 0;
    for (uint32_t p = 0; p < b->places; p++)
        for (unsigned i = 0; i < b->place[p].count; i++)
            n += differs(&b->place[p].spot[i]);
    e->at = calloc(n + 1, sizeof *e->at);
    if (e->at == NULL)
        return E_NOMEM;
    for (uint32_t p = 0; p < b->places; p++)
        for (unsigned i = 0; i < b->place[p].count; i++)
            if (differs(&b->place[p].spot[i])) {
                e->at[e->count++] = (struct edited){.p = &b->place[p], .s = &b->place[p].spot[i]};
                e->entries |= b->place[p].spot[i].was != b->place[p].spot[i].is;
            }
    return 0;
}

static int give_ids(struct edits *e, struct err *err) {
    struct keep_batch *b = e->b;
    uint32_t from = 0;
    int rc = values_ready(b->k, b->t, err);
    if (rc < 0)
        return rc;
    for (uint32_t n = 1; n < b->values; n++) {
        if (b->value[n].fresh)
            b->value[n].id = 0; /* of a commit that came to nothing */
        b->value[n].fresh = b->value[n].gone = false;
        b->value[n].uses = 0;
    }
    for (size_t i = 0; i < e->count; i++) {
        if (e->at[i].s->value == 0)
            continue;
        struct batch_value *v = &b->value[e->at[i].s->value];
        if (v->id == 0) {
            rc = b->t != NULL ? values_find(b->k->values, b->t, v->v, &v->id) : E_NOTFOUND;
            if (rc == E_NOTFOUND) {
                rc = values_new_id(b->k->values, &from, &v->id);
                v->fresh = rc == 0;
            }
            if (rc < 0)
                return err_set(err, rc, "values: %s", err_name(rc));
        }
        e->at[i].id = v->id;
        v->uses += (int)e->at[i].s->is - (int)e->at[i].s->was;
    }
    return 0;
}

/* Uses of the values; one that has none left goes. */
static int write_values(struct edits *e, struct err *err) {
    struct keep_batch *b = e->b;
    int rc = 0;
    for (uint32_t n = 1; n < b->values && rc == 0; n++) {
        struct batch_value *v = &b->value[n];
        struct commit_use use = {.id = v->id, .v = v->v, .local = v->uses, .fresh = v->fresh};
        rc = commit_use(b->t, &use, &e->diff.writes, err);
        v->gone = use.gone;
    }
    return rc;
}

/* By who made it, so that each is named once; else as they were. */
static int compare_source(const void *a, const void *b) {
    const struct edited *x = *(const struct edited *const *)a, *y = *(const struct edited *const *)b;
    return x->s->source != y->s->source ? (x->s->source < y->s->source ? -1 : 1) : x < y ? -1 : x > y;
}

/* What the journal says of it. */
static void tell(struct edits *e, const struct edited *x, const struct change *c, uint32_t *source) {
    struct changeset_writer *w = &e->diff.changeset;
    if (x->s->source != *source) {
        *source = x->s->source;
        changeset_source(w, *source > 0 ? e->b->source[*source - 1] : "");
    }
    changeset_add(w, c, x->s->value);
}

static int note(struct edits *e, const struct edited *x, uint32_t *source) {
    struct keep_batch *b = e->b;
    struct diff *d = &e->diff;
    struct change c = batch_change(x->p);
    c.removed = !x->s->is;
    c.stays = x->s->was && x->s->is;
    c.until_wall_s = x->s->until;
    c.excluded = x->s->value == 0;
    if (!c.excluded)
        value_copy(&c.value, b->value[x->s->value].v);
    tell(e, x, &c, source);
    if (c.stays)
        return 0;
    if (c.removed)
        digest_minus(&d->digest, change_digest(&c));
    else
        digest_plus(&d->digest, change_digest(&c));
    d->added += !c.removed;
    d->removed += c.removed;
    e->more += c.removed == c.excluded;
    e->less += c.removed != c.excluded;
    diff_note_first(d, &c);
    return commit_count(e->next, &c);
}

static int note_all(struct edits *e, struct err *err) {
    const struct edited **by = calloc(e->count + 1, sizeof(void *));
    uint32_t source = 0;
    int rc = by == NULL ? E_NOMEM : changeset_open(&e->diff.changeset, e->b->values + 1);
    for (size_t i = 0; i < e->count && rc == 0; i++)
        by[i] = &e->at[i];
    if (rc == 0)
        qsort(by, e->count, sizeof(void *), compare_source);
    for (size_t i = 0; i < e->count && rc == 0; i++)
        rc = note(e, by[i], &source);
    free(by);
    return rc < 0 ? err_set(err, rc, "zone %s: counting changes: %s", e->b->k->zone->name, err_name(rc)) : 0;
}

static void write_times(struct edits *e) {
    for (size_t i = 0; i < e->count; i++) {
        const struct edited *x = &e->at[i];
        struct until_entry u = {x->p->kind, x->p->bits, {x->p->key, x->p->size}, x->id};
        until_put(&e->diff.writes, &u, x->s->was ? x->s->was_until : 0, x->s->is ? x->s->until : 0);
    }
}

static int guard(struct edits *e, struct err *err) {
    const struct keep_batch *b = e->b;
    struct commit_after a = {&e->diff.writes, b->t, true};
    const struct look_source after = commit_after_source(&a);
    char why[GUARD_WHY];
    for (uint32_t n = 1; n < b->values && !e->c->force; n++)
        if (b->value[n].fresh && b->value[n].uses > 0 && guard_value(b->k->zone, b->value[n].v, why) < 0)
            return err_set(err, E_REFUSED, "%s: refused, kept serial %u", why, b->k->meta->serial);
    const struct guard_batch g = {
        .k = e->b->k, .next = e->next, .after = &after, .less = e->less, .more = e->more, .force = e->c->force};
    return guard_check_batch(&g, err);
}

static bool apex_differs(const struct keep_batch *b) {
    const struct meta *m = b->k->meta;
    return b->apex != NULL && (m == NULL || !apex_same(&m->apex, b->apex));
}

static void fill_header(struct edits *e) {
    const struct meta *m = e->b->k->meta;
    struct meta *n = e->next;
    struct journal_header *h = &e->header;
    n->format = META_FORMAT;
    n->serial = n->apex.serial = n->apex.soa.serial = commit_serial(e->b->k, e->c);
    n->apex.entries = meta_entries(n);
    n->commits++;
    n->changed_wall_s = clock_wall_s();
    n->digest = e->diff.digest;
    h->flags = (e->c->force ? JOURNAL_FORCED : 0) | (apex_differs(e->b) ? JOURNAL_APEX : 0);
    h->from_serial = m->serial;
    h->to_serial = n->serial;
    h->wall_s = n->changed_wall_s;
    h->added = e->diff.added;
    h->removed = e->diff.removed;
    h->entries = meta_entries(n);
    h->before = m->digest;
    h->after = n->digest;
    text_copy(h->source, sizeof h->source, e->c->source);
    text_copy(h->reason, sizeof h->reason, e->c->reason);
}

static void fill_result(const struct edits *e, struct keep_result *r) {
    r->added = e->diff.added;
    r->removed = e->diff.removed;
    r->changed = true;
    r->first_count = e->diff.first_count;
    memcpy(r->first, e->diff.first, sizeof r->first);
}

/* Everything that will be written, but for journal and meta. */
static int prepare(struct edits *e, struct err *err) {
    int rc;
    edits_sort(e);
    e->next = calloc(1, sizeof *e->next);
    if (e->next == NULL)
        return err_set(err, E_NOMEM, "no memory for meta");
    meta_copy(e->next, e->b->k->meta);
    if (e->b->apex != NULL)
        e->next->apex = *e->b->apex;
    e->diff.digest = e->b->k->meta->digest;
    rc = give_ids(e, err);
    if (rc == 0)
        rc = edits_write_records(e, err);
    if (rc == 0)
        rc = write_values(e, err);
    if (rc == 0)
        rc = note_all(e, err);
    write_times(e);
    return rc == 0 && (e->diff.writes.failed || e->diff.changeset.out.failed)
               ? err_set(err, E_NOMEM, "no memory for the commit")
               : rc;
}

static int write_journal(struct edits *e, struct err *err) {
    struct keep *k = e->b->k;
    struct bytes changeset = buf_bytes(&e->diff.changeset.out);
    bool kept = changeset.size <= k->zone->journal;
    fill_header(e);
    uint64_t fresh = commit_journal(&e->header, e->next->commits, kept, changeset, &e->diff.writes);
    return commit_trim(k, e->b->t, fresh, e->next, &e->diff.writes, err);
}

/* The values at hand go with what was written. */
static void keep_up_values(struct edits *e) {
    struct keep *k = e->b->k;
    int rc = commit_used(k, NULL);
    for (uint32_t n = 1; n < e->b->values && rc == 0; n++) {
        const struct batch_value *v = &e->b->value[n];
        struct commit_use use = {.id = v->id, .v = v->v, .local = v->uses, .fresh = v->fresh, .gone = v->gone};
        rc = commit_used(k, &use);
    }
}

static int write_it(struct edits *e, struct keep_result *r, struct err *err) {
    struct keep *k = e->b->k;
    if (k->meta == NULL)
        return err_set(err, E_CORRUPT, "an empty zone was committed and is not there");
    int rc = write_journal(e, err);
    if (rc < 0)
        return rc;
    commit_meta(&e->diff.writes, e->next);
    batch_read_end(e->b);
    rc = commit_write(k, &e->diff.writes, err);
    if (rc < 0)
        return rc;
    r->bytes = store_last_commit_bytes(k->store);
    struct meta *m = k->meta;
    k->meta = e->next;
    e->next = m;
    keep_up_values(e);
    return 0;
}

/* A zone that has no files begins empty; that it has not its test points yet is no wonder. */
static int make_first(struct keep *k, const struct keep_commit *c, struct err *err) {
    struct conf_zone untested = *k->zone;
    const struct conf_zone *zone = k->zone;
    struct keep_commit first = {.source = c->source, .reason = c->reason, .force = true};
    struct keep_result r;
    struct data d;
    if (data_open(&d) < 0)
        return err_set(err, E_NOMEM, "no memory for an empty zone");
    untested.test = TEST_NONE;
    k->zone = &untested;
    d.ttl = 0; /* the configuration's */
    int rc = keep_replace(k, &d, &first, &r, err);
    k->zone = zone;
    data_free(&d);
    return rc;
}

static int commit(struct edits *e, struct keep_result *r, struct err *err) {
    int rc = collect(e);
    if (rc < 0)
        return err_set(err, rc, "no memory for the commit");
    if (e->count == 0 && !apex_differs(e->b) && !commit_wants_serial(e->b->k, e->c))
        return 0;
    if (e->b->k->meta == NULL && e->c->dry_run) {
        r->changed = true;
        r->added = e->count;
        return 0;
    }
    if (e->b->k->meta == NULL)
        rc = make_first(e->b->k, e->c, err);
    if (rc == 0)
        rc = batch_read(e->b, err);
    if (rc == 0)
        rc = prepare(e, err);
    if (rc == 0 && e->entries)
        rc = guard(e, err);
    if (rc < 0)
        return rc;
    fill_result(e, r);
    return e->c->dry_run ? 0 : write_it(e, r, err);
}

struct committing {
    struct edits *e;
    struct keep_result *r;
};
static int commit_body(void *ctx, struct err *err) {
    const struct committing *x = ctx;
    return commit(x->e, x->r, err);
}

int keep_batch_commit(struct keep_batch *b, const struct keep_commit *c, struct keep_result *r, struct err *err) {
    struct edits e = {.b = b, .c = c};
    int64_t begun = clock_ns(CLOCK_KIND_MONO);
    memset(r, 0, sizeof *r);
    struct committing x = {&e, r};
    int rc = keep_guarded(b->k, commit_body, &x, err);
    diff_close(&e.diff);
    merge_free(&e.merge);
    free(e.at);
    free(e.next);
    batch_read_end(b);
    if (rc < 0)
        r->changed = false;
    else if (!c->dry_run)
        batch_reset(b);
    r->micros = (uint64_t)(clock_ns(CLOCK_KIND_MONO) - begun) / 1000;
    return rc;
}
