/* What changed between two serials: the changesets between them, netted.
 *
 * Two readings of the journal: the first adds up for every entry how often it came and went, the second tells those
 * whose sum is not zero. Entries are known by their digest, so that memory is bounded whatever their number: of many
 * changes only a part of the digests is added up at a time, and the journal is read again for the next part. */
#include "rbl/keep/journal.h"
#include "rbl/keep/walk_impl.h"
#include "resolver/base/clock.h"

enum {
    NET_CHANGES = 1 << 19, /* changes added up at a time */
    NET_SLOTS_MIN = 64,    /* a power of two */
};

struct net {
    struct digest of;
    int32_t sum;
    bool used;
};

struct delta {
    struct store_txn *t;
    struct meta *meta;
    uint64_t first, last; /* commits, both included */
    bool backward;        /* told the other way round */
    uint64_t changes;
    uint64_t seed, parts, part;
    struct net *net; /* [slots] */
    size_t slots, nets;
    struct buf changeset;
    bool telling;
    struct keep_entry e;
    int (*each)(void *ctx, bool removed, const struct keep_entry *e);
    void *ctx;
    bool stopped; /* by `each` */
    bool apex;    /* changed, too */
};

/* How far back changes are known: the oldest serial that a difference can begin at. */
static uint32_t reach(struct delta *x) {
    struct journal_header h;
    uint32_t serial = x->meta->serial;
    for (uint64_t n = x->meta->commits; n > 0 && journal_header_of(x->t, n, &h) == 0 && h.chunks > 0; n--)
        serial = h.from_serial;
    return serial;
}

static int unknown(struct delta *x, uint32_t serial, struct err *err) {
    return err_set(err, E_NOTFOUND, "the changes since serial %u are not in the journal: it reaches back to serial %u",
                   serial, reach(x));
}

/* The last commit whose outcome is `serial`, from the newest back. */
static int find_commit(struct delta *x, uint32_t serial, uint64_t *commit, struct err *err) {
    struct journal_header h;
    if (serial == x->meta->serial) {
        *commit = x->meta->commits;
        return 0;
    }
    for (uint64_t n = x->meta->commits; n > 0; n--) {
        int rc = journal_header_of(x->t, n, &h);
        if (rc == E_NOTFOUND)
            break;
        if (rc < 0)
            return store_failed(x->t, rc, err, "journal");
        if (h.from_serial == serial && !(h.flags & JOURNAL_FROM_EMPTY)) {
            *commit = n - 1;
            return 0;
        }
    }
    return unknown(x, serial, err);
}

/* Every changeset between must be there before anything is told. */
static int count_changes(struct delta *x, uint32_t from, struct err *err) {
    struct journal_header h;
    for (uint64_t n = x->first; n <= x->last; n++) {
        int rc = journal_header_of(x->t, n, &h);
        if (rc == E_NOTFOUND || (rc == 0 && h.chunks == 0))
            return unknown(x, from, err);
        if (rc < 0)
            return store_failed(x->t, rc, err, "journal");
        if (h.bytes > KEEP_CHANGESET_MAX || h.added > h.bytes || h.removed > h.bytes) /* an octet each, at the least */
            return err_set(err, E_CORRUPT, "journal: the header of serial %u is damaged", h.to_serial);
        x->changes += h.added + h.removed;
        x->apex |= (h.flags & JOURNAL_APEX) != 0;
    }
    return 0;
}

static uint64_t mixed(const struct delta *x, struct digest of) {
    uint64_t m = (of.lo ^ x->seed) * 0x9e3779b97f4a7c15ULL;
    return m ^ m >> 29 ^ of.hi;
}

/* The slot of an entry; NULL: not there, and with `make` no room. */
static struct net *find_net(struct delta *x, struct digest of, bool make) {
    size_t at = mixed(x, of) / x->parts & (x->slots - 1);
    while (x->net[at].used && (x->net[at].of.lo != of.lo || x->net[at].of.hi != of.hi))
        at = (at + 1) & (x->slots - 1);
    if (x->net[at].used)
        return &x->net[at];
    if (!make || x->nets >= x->slots - x->slots / 8)
        return NULL;
    x->nets++;
    x->net[at] = (struct net){.of = of, .used = true};
    return &x->net[at];
}

static int tell(struct delta *x, const struct change *c) {
    struct keep_entry *e = &x->e;
    int rc = 0;
    e->kind = c->kind == FEED_4 ? KEEP_4 : c->kind == FEED_6 ? KEEP_6 : KEEP_NAME;
    e->bits = c->bits;
    e->dataset = c->dataset;
    e->excluded = c->excluded;
    if (!c->excluded)
        value_copy(&e->value, &c->value);
    if (c->kind == FEED_NAMES)
        rc = name_of_reversed(&e->name, c->name.at, c->name.size);
    else
        memcpy(e->addr, c->addr, sizeof e->addr);
    if (rc < 0)
        return rc;
    rc = x->each(x->ctx, c->removed != x->backward, e);
    x->stopped = rc != 0;
    return rc;
}

static int on_change(struct delta *x, const struct change *c) {
    struct digest of = change_digest(c);
    if (mixed(x, of) % x->parts != x->part)
        return 0;
    struct net *n = find_net(x, of, !x->telling);
    if (n == NULL)
        return x->telling ? 0 : E_CORRUPT; /* more than the headers say */
    if (!x->telling) {
        n->sum += c->removed ? -1 : 1;
        return 0;
    }
    if (n->sum == 0 || (n->sum < 0) != c->removed)
        return 0;
    n->sum = 0;
    return tell(x, c);
}

static int read_commit(struct delta *x, uint64_t commit) {
    struct journal_header h;
    struct changeset_reader r;
    struct change c;
    int rc = journal_header_of(x->t, commit, &h);
    if (rc == 0)
        rc = journal_changeset(x->t, commit, &h, &x->changeset);
    if (rc < 0)
        return rc;
    rc = changeset_read_open(&r, buf_bytes(&x->changeset));
    while (rc == 0 && (rc = changeset_next(&r, &c)) > 0)
        rc = c.stays ? 0 : on_change(x, &c);
    changeset_read_close(&r);
    return rc;
}

static int read_part(struct delta *x) {
    int rc = 0;
    memset(x->net, 0, x->slots * sizeof *x->net);
    x->nets = 0;
    for (unsigned turn = 0; turn < 2 && rc == 0; turn++) {
        x->telling = turn == 1;
        for (uint64_t n = x->first; n <= x->last && rc == 0; n++)
            rc = read_commit(x, n);
    }
    return rc;
}

static int find_range(struct delta *x, uint32_t from, uint32_t to, struct err *err) {
    uint64_t a = 0, b = 0;
    int rc = find_commit(x, from, &a, err);
    if (rc == 0)
        rc = find_commit(x, to, &b, err);
    if (rc < 0)
        return rc;
    x->backward = a > b;
    x->first = (x->backward ? b : a) + 1;
    x->last = x->backward ? a : b;
    return count_changes(x, x->backward ? to : from, err);
}

static int diff(struct delta *x, uint32_t from, uint32_t to, struct err *err) {
    int rc = keep_read_meta(x->t, x->meta, err);
    if (rc == 0)
        rc = find_range(x, from, to, err);
    if (rc < 0 || x->first > x->last || x->each == NULL)
        return rc;
    x->slots = NET_SLOTS_MIN;
    while (x->slots < 2 * (x->changes < NET_CHANGES ? x->changes : NET_CHANGES))
        x->slots *= 2;
    x->net = malloc(x->slots * sizeof *x->net);
    if (x->net == NULL)
        return err_set(err, E_NOMEM, "no memory for the difference");
    x->seed = (uint64_t)clock_ns(CLOCK_KIND_MONO); /* whoever makes entries cannot make them all fall together */
    x->parts = x->changes / NET_CHANGES + 1;
    for (; x->part < x->parts && rc == 0; x->part++)
        rc = read_part(x);
    return rc < 0 && !x->stopped ? err_set(err, rc, "journal: %s", err_name(rc)) : rc;
}

static int diff_guarded(struct keep *k, uint32_t from_serial, uint32_t to_serial,
                        int (*each)(void *ctx, bool removed, const struct keep_entry *e), void *ctx, bool *apex,
                        struct err *err) {
    struct delta x = {.each = each, .ctx = ctx};
    int rc = keep_ready(k, err);
    if (rc == 0 && k->store == NULL)
        rc = err_set(err, E_NOTFOUND, "nothing was ever committed");
    x.meta = calloc(1, sizeof *x.meta);
    if (rc == 0)
        rc = x.meta == NULL ? err_set(err, E_NOMEM, "no memory for meta") : store_read_begin(k->store, &x.t, err);
    if (rc == 0 && x.meta != NULL)
        rc = diff(&x, from_serial, to_serial, err);
    store_read_end(x.t);
    *apex = x.apex;
    buf_free(&x.changeset);
    free(x.net);
    free(x.meta);
    if (rc < 0 && !x.stopped)
        err_prefix(err, "zone %s", k->zone->name);
    return rc;
}

int keep_diff(struct keep *k, uint32_t from_serial, uint32_t to_serial,
              int (*each)(void *ctx, bool removed, const struct keep_entry *e), void *ctx, struct err *err) {
    bool apex;
    KEEP_GUARDED(k, err, diff_guarded(k, from_serial, to_serial, each, ctx, &apex, err));
}

int keep_diff_apex(struct keep *k, uint32_t from_serial, uint32_t to_serial, bool *changed, struct err *err) {
    *changed = false;
    KEEP_GUARDED(k, err, diff_guarded(k, from_serial, to_serial, NULL, NULL, changed, err));
}
