#include <arpa/inet.h>
#include <stdio.h>

#include "rbl/keep/until.h"

enum { WHY_JOURNAL_BYTES = 64 << 20 }; /* of changesets that are read for one question */

/* The store as a source of look-ups. */
static int on_bucket(void *ctx, enum bucket_kind kind, unsigned dataset, unsigned level, const uint8_t *addr,
                     struct bytes *bucket) {
    uint8_t key[BUCKET_KEY_MAX];
    size_t size = bucket_key(key, dataset, &bucket_levels[kind].at[level], addr);
    return store_get(ctx, TABLE_4 + (unsigned)kind, (struct bytes){key, size}, bucket);
}

static int on_name(void *ctx, unsigned dataset, const struct look_name *n, unsigned labels, struct bytes *record) {
    uint8_t key[FEED_KEY_MAX] = {(uint8_t)dataset};
    memcpy(key + 1, n->wire, n->end[labels]);
    return store_get(ctx, TABLE_NAMES, (struct bytes){key, 1u + n->end[labels]}, record);
}

/* What the journal is asked for: the entry behind one match. */
struct wanted {
    enum feed_kind kind;
    uint8_t addr[16];
    uint8_t name[LIMIT_NAME_WIRE];
    size_t name_size;
    bool settled; /* found, or known not to be there */
};

struct why {
    struct keep *k;
    struct store_txn *t;
    struct keep_match *m;
    struct wanted *wanted; /* [cap] */
    unsigned cap, count;
};

static int read_value(struct why *y, uint32_t id, struct value *v) {
    uint8_t key[4];
    struct bytes record;
    struct uses uses;
    put_u32(key, id);
    int rc = store_get(y->t, TABLE_VALUES, (struct bytes){key, sizeof key}, &record);
    if (rc == 0)
        rc = meta_read_value(record, &uses, v);
    return rc == E_NOTFOUND ? E_CORRUPT : rc;
}

static int read_until(struct why *y, const struct match *match, const struct wanted *w, struct keep_match *m) {
    struct until_entry e = {w->kind, match->bits, {w->addr, w->kind == FEED_4 ? 4 : 16}, match->value};
    if (w->kind == FEED_NAMES)
        e.place = (struct bytes){w->name, w->name_size};
    return y->k->meta->format < META_FORMAT ? 0 : until_get(y->t, &e, &m->until_wall_s);
}

static int add_match(struct why *y, unsigned dataset, const struct match *match, bool silenced,
                     const struct wanted *wanted) {
    if (y->count >= y->cap)
        return 0;
    struct keep_match *m = &y->m[y->count];
    int rc = 0;
    memset(m, 0, sizeof *m);
    m->dataset = dataset;
    m->local = dataset == DATASET_LOCAL;
    m->type = m->local ? DATASET_GENERIC : y->k->meta->dataset[dataset].type;
    m->bits = match->bits;
    m->excluded = match->value == VALUE_EXCLUDED;
    m->silenced = silenced && !m->excluded;
    if (!m->excluded)
        rc = read_value(y, match->value, &m->value);
    if (rc == 0 && m->local)
        rc = read_until(y, match, wanted, m);
    if (rc < 0)
        return rc;
    if (wanted->kind == FEED_4)
        text_entry4(m->entry, sizeof m->entry, wanted->addr, match->bits);
    else if (wanted->kind == FEED_6)
        text_entry6(m->entry, sizeof m->entry, wanted->addr, match->bits);
    else
        text_name(m->entry, sizeof m->entry, wanted->name, wanted->name_size, match->bits);
    y->wanted[y->count++] = *wanted;
    return 0;
}

static struct wanted wanted_prefix(enum bucket_kind kind, const uint8_t *addr, unsigned bits) {
    struct wanted w = {.kind = (enum feed_kind)kind};
    memcpy(w.addr, addr, (bits + 7u) / 8);
    if (bits % 8 != 0)
        w.addr[bits / 8] &= (uint8_t)(0xff00 >> bits % 8);
    return w;
}

static int add_prefixes(struct why *y, unsigned dataset, enum bucket_kind kind, const uint8_t *addr,
                        const struct match *m, unsigned count, int silenced) {
    int rc = 0;
    for (unsigned n = 0; n < count && rc == 0; n++) {
        struct wanted w = wanted_prefix(kind, addr, m[n].bits);
        rc = add_match(y, dataset, &m[n], m[n].bits <= silenced, &w);
    }
    return rc;
}

static int why_prefix(struct why *y, enum bucket_kind kind, const uint8_t *addr) {
    const struct look_source s = {.ctx = y->t, .bucket = on_bucket};
    const struct meta *meta = y->k->meta;
    struct match m[LIMIT_ANSWER_RRS];
    struct look_dataset ld;
    unsigned count;
    int silenced;
    look_dataset_of(&ld, DATASET_IP4TRIE, &meta->counts[DATASET_LOCAL]);
    int rc = look_local_prefix(&s, &ld, kind, addr, m, ARRAY_SIZE(m), &count, &silenced);
    if (rc == 0)
        rc = add_prefixes(y, DATASET_LOCAL, kind, addr, m, count, LOOK_NOT);
    if (rc == 0 && silenced >= 0) {
        struct match excluded = {VALUE_EXCLUDED, (uint8_t)silenced};
        rc = add_prefixes(y, DATASET_LOCAL, kind, addr, &excluded, 1, LOOK_NOT);
    }
    for (unsigned i = 0; i < meta->dataset_count && rc == 0; i++) {
        if (meta->dataset[i].type == DATASET_ACL)
            continue;
        look_dataset_of(&ld, meta->dataset[i].type, &meta->counts[i]);
        rc = look_prefix(&s, &ld, i, kind, addr, m, ARRAY_SIZE(m), &count);
        if (rc == 0)
            rc = add_prefixes(y, i, kind, addr, m, count, silenced);
    }
    return rc;
}

static int add_names(struct why *y, unsigned dataset, const struct look_name *n, unsigned labels, const struct match *m,
                     unsigned count, int silenced) {
    struct wanted w = {.kind = FEED_NAMES, .name_size = n->end[labels]};
    int rc = 0;
    memcpy(w.name, n->wire, w.name_size);
    for (unsigned k = 0; k < count && rc == 0; k++)
        rc = add_match(y, dataset, &m[k], look_specific_name(m[k].bits != 0, labels) <= silenced, &w);
    return rc;
}

static int why_name(struct why *y, const struct name *name) {
    const struct look_source s = {.ctx = y->t, .name = on_name};
    const struct meta *meta = y->k->meta;
    struct match m[LIMIT_ANSWER_RRS];
    struct look_dataset ld;
    struct look_name n;
    struct name lower = *name;
    unsigned count, labels;
    int silenced;
    name_lower(&lower);
    look_name_of(&n, &lower);
    look_dataset_of(&ld, DATASET_DNSET, &meta->counts[DATASET_LOCAL]);
    int rc = look_local_name(&s, &ld, &n, m, ARRAY_SIZE(m), &count, &labels, &silenced);
    if (rc == 0)
        rc = add_names(y, DATASET_LOCAL, &n, labels, m, count, LOOK_NOT);
    if (rc == 0 && silenced >= 0) {
        bool exact = silenced == LOOK_EXACT;
        struct match excluded = {VALUE_EXCLUDED, !exact};
        rc = add_names(y, DATASET_LOCAL, &n, exact ? n.labels : (unsigned)silenced, &excluded, 1, LOOK_NOT);
    }
    for (unsigned i = 0; i < meta->dataset_count && rc == 0; i++) {
        if (meta->dataset[i].type == DATASET_ACL)
            continue;
        look_dataset_of(&ld, meta->dataset[i].type, &meta->counts[i]);
        rc = look_name(&s, &ld, i, &n, m, ARRAY_SIZE(m), &count, &labels);
        if (rc == 0)
            rc = add_names(y, i, &n, labels, m, count, silenced);
    }
    return rc;
}

static bool is_wanted(const struct keep_match *m, const struct wanted *w, const struct change *c) {
    if (c->kind != w->kind || c->dataset != m->dataset || c->bits != m->bits || c->excluded != m->excluded)
        return false;
    if (!c->excluded && !value_same(&c->value, &m->value))
        return false;
    if (c->kind == FEED_NAMES)
        return c->name.size == w->name_size && memcmp(c->name.at, w->name, w->name_size) == 0;
    return memcmp(c->addr, w->addr, c->kind == FEED_4 ? 4 : 16) == 0;
}

static void settle(struct keep_match *m, struct wanted *w, const struct journal_header *h, const char *source) {
    w->settled = true;
    m->journal_known = true;
    m->since_serial = h->to_serial;
    m->since_wall_s = h->wall_s;
    text_copy(m->since_source, sizeof m->since_source, source[0] != '\0' ? source : h->source);
}

static int search_changeset(struct why *y, uint64_t commit, const struct journal_header *h, struct buf *all) {
    struct changeset_reader r;
    struct change c;
    int rc = journal_changeset(y->t, commit, h, all);
    if (rc < 0)
        return rc;
    rc = changeset_read_open(&r, buf_bytes(all));
    while (rc == 0 && (rc = changeset_next(&r, &c)) > 0) {
        rc = 0;
        for (unsigned i = 0; i < y->count && !c.removed && !c.stays; i++)
            if (!y->wanted[i].settled && is_wanted(&y->m[i], &y->wanted[i], &c))
                settle(&y->m[i], &y->wanted[i], h, r.source);
    }
    changeset_read_close(&r);
    return rc;
}

static bool all_settled(const struct why *y) {
    for (unsigned i = 0; i < y->count; i++)
        if (!y->wanted[i].settled)
            return false;
    return true;
}

/* From the newest commit back. A commit without a changeset ends the search, unless nothing was there before it. */
static int search_journal(struct why *y) {
    struct buf all = {0};
    uint64_t read = 0;
    int rc = 0;
    for (uint64_t commit = y->k->meta->commits; commit > 0 && rc == 0 && !all_settled(y); commit--) {
        struct journal_header h;
        rc = journal_header_of(y->t, commit, &h);
        if (rc < 0)
            break;
        if (h.flags & JOURNAL_FROM_EMPTY)
            for (unsigned i = 0; i < y->count; i++)
                if (!y->wanted[i].settled)
                    settle(&y->m[i], &y->wanted[i], &h, "");
        if (h.added == 0 && h.removed == 0)
            continue; /* the apex alone */
        read += h.bytes;
        if (h.chunks == 0 || read > WHY_JOURNAL_BYTES)
            break;
        rc = search_changeset(y, commit, &h, &all);
    }
    buf_free(&all);
    return rc == E_NOTFOUND ? 0 : rc;
}

static int ask(struct keep *k, const struct addr *a, const struct name *n, struct keep_match *m, unsigned cap,
               unsigned *count, struct err *err) {
    struct why y = {.k = k, .m = m, .cap = cap};
    *count = 0;
    int rc = keep_ready(k, err);
    if (rc < 0 || k->store == NULL || cap == 0)
        return rc;
    y.wanted = calloc(cap, sizeof *y.wanted);
    if (y.wanted == NULL)
        return err_set(err, E_NOMEM, "no memory for %u matches", cap);
    rc = store_read_begin(k->store, &y.t, err);
    if (rc < 0)
        goto out;
    if (n != NULL) {
        rc = why_name(&y, n);
    } else if (a == NULL) {
        rc = E_INVALID;
    } else if (addr_family(a) == AF_INET) {
        rc = why_prefix(&y, KIND4, (const uint8_t *)&a->in.sin_addr);
    } else {
        uint8_t four[4];
        rc = why_prefix(&y, KIND6, a->in6.sin6_addr.s6_addr);
        if (rc == 0 && look_embedded4(a->in6.sin6_addr.s6_addr, four))
            rc = why_prefix(&y, KIND4, four);
    }
    if (rc == 0)
        rc = search_journal(&y);
    store_read_end(y.t);
    if (rc < 0)
        err_set(err, rc, "zone %s: looking for the reason: %s", k->zone->name, err_name(rc));
    *count = rc == 0 ? y.count : 0;
out:
    free(y.wanted);
    return rc;
}

int keep_why_addr(struct keep *k, const struct addr *a, struct keep_match *m, unsigned cap, unsigned *count,
                  struct err *err) {
    KEEP_GUARDED(k, err, ask(k, a, NULL, m, cap, count, err));
}

int keep_why_name(struct keep *k, const struct name *n, struct keep_match *m, unsigned cap, unsigned *count,
                  struct err *err) {
    KEEP_GUARDED(k, err, ask(k, NULL, n, m, cap, count, err));
}

static int history_guarded(struct keep *k, struct keep_history *h, unsigned cap, unsigned *count, struct err *err) {
    struct store_txn *t;
    *count = 0;
    int rc = keep_ready(k, err);
    if (rc < 0 || k->store == NULL)
        return rc;
    rc = store_read_begin(k->store, &t, err);
    if (rc < 0)
        return rc;
    for (uint64_t commit = k->meta->commits; commit > 0 && *count < cap; commit--) {
        struct journal_header j;
        rc = journal_header_of(t, commit, &j);
        if (rc < 0)
            break;
        struct keep_history *one = &h[(*count)++];
        memset(one, 0, sizeof *one);
        one->serial = j.to_serial;
        one->wall_s = j.wall_s;
        one->added = j.added;
        one->removed = j.removed;
        one->entries = j.entries;
        one->digest = j.after;
        text_copy(one->source, sizeof one->source, j.source);
        text_copy(one->reason, sizeof one->reason, j.reason);
    }
    store_read_end(t);
    return rc == E_NOTFOUND || rc == 0 ? 0 : err_set(err, rc, "zone %s: journal: %s", k->zone->name, err_name(rc));
}

int keep_history(struct keep *k, struct keep_history *h, unsigned cap, unsigned *count, struct err *err) {
    KEEP_GUARDED(k, err, history_guarded(k, h, cap, count, err));
}
