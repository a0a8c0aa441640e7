/* What must be true of a zone before it is committed (RFC 5782 section 5, and the limits of the configuration). The
 * test points are looked up in the new data by the rules that will answer (look.h). */
#include <stdio.h>

#include "rbl/keep/guard.h"

/* The zone as it will be: the files' datasets from the new data, the local one as it is stored. */
static int on_bucket(void *ctx, enum bucket_kind kind, unsigned dataset, unsigned level, const uint8_t *addr,
                     struct bytes *bucket) {
    struct work *w = ctx;
    uint8_t key[BUCKET_KEY_MAX];
    if (dataset != DATASET_LOCAL || w->c->whole)
        return feed_bucket(w->feed, kind, dataset, level, addr, bucket);
    size_t size = bucket_key(key, dataset, &bucket_levels[kind].at[level], addr);
    return w->t != NULL ? store_get(w->t, TABLE_4 + (unsigned)kind, (struct bytes){key, size}, bucket) : E_NOTFOUND;
}

static int on_name(void *ctx, unsigned dataset, const struct look_name *n, unsigned labels, struct bytes *record) {
    struct work *w = ctx;
    uint8_t key[FEED_KEY_MAX] = {(uint8_t)dataset};
    if (dataset != DATASET_LOCAL || w->c->whole)
        return feed_name(w->feed, dataset, n, labels, record);
    memcpy(key + 1, n->wire, n->end[labels]);
    return w->t != NULL ? store_get(w->t, TABLE_NAMES, (struct bytes){key, 1u + n->end[labels]}, record) : E_NOTFOUND;
}

/* 1: listed, 0: not, or an error. */
static int listed(struct work *w, enum conf_test test, bool second) {
    const struct look_source s = {.ctx = w, .bucket = on_bucket, .name = on_name};
    const uint8_t four[4] = {127, 0, 0, second ? 1 : 2};
    const uint8_t six[16] = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = second ? 1 : 2};
    if (test == TEST_RFC5782_DOMAIN) {
        struct name n;
        int rc = name_from_text(&n, second ? "invalid" : "test", NULL);
        return rc < 0 ? rc : look_listed_name(&s, w->next, &n);
    }
    if (test == TEST_RFC5782_IP4)
        return look_listed_prefix(&s, w->next, KIND4, four);
    int rc = look_listed_prefix(&s, w->next, KIND6, six);
    return rc != 0 ? rc : look_listed_prefix(&s, w->next, KIND4, four);
}

static int refuse(const struct work *w, struct err *err, const char *why) {
    if (w->k->meta == NULL)
        return err_set(err, E_REFUSED, "%s: refused, nothing was committed before", why);
    return err_set(err, E_REFUSED, "%s: refused, kept serial %u", why, w->k->meta->serial);
}

static int check_points(struct work *w, struct err *err) {
    static const char *const points[][2] = {[TEST_RFC5782_IP4] = {"127.0.0.2", "127.0.0.1"},
                                            [TEST_RFC5782_IP6] = {"::FFFF:7F00:2", "::FFFF:7F00:1"},
                                            [TEST_RFC5782_DOMAIN] = {"TEST", "INVALID"}};
    char why[96];
    enum conf_test test = w->k->zone->test;
    if (test == TEST_UNSET || test == TEST_NONE)
        return 0;
    for (unsigned i = 0; i < 2; i++) {
        int rc = listed(w, test, i == 1);
        if (rc < 0)
            return err_set(err, rc, "test point %s: %s", points[test][i], err_name(rc));
        if (rc == (i == 0))
            continue;
        snprintf(why, sizeof why, "test point %s is %s (RFC 5782)", points[test][i],
                 i == 0 ? "not listed" : "listed and must not be");
        return refuse(w, err, why);
    }
    return 0;
}

static uint64_t counts_sum(const struct counts *c) {
    uint64_t sum = 0;
    for (unsigned kind = 0; kind < COUNT_KINDS; kind++)
        for (unsigned length = 0; length < COUNT_LENGTHS; length++)
            sum += c->n[kind][length];
    return sum;
}

const char *guard_percent(double share, char to[GUARD_PERCENT]) {
    snprintf(to, GUARD_PERCENT, share >= 10 ? "%.0f%%" : "%.3g%%", share * 100);
    return to;
}

static int check_limits(struct work *w, struct err *err) {
    const struct conf_zone *z = w->k->zone;
    uint64_t before = w->k->meta != NULL ? meta_entries(w->k->meta) : 0, after = meta_entries(w->next);
    char why[160];
    if (z->limits.entries > 0 && after > z->limits.entries) {
        snprintf(why, sizeof why, "would have %llu entries (limit %llu)", (unsigned long long)after,
                 (unsigned long long)z->limits.entries);
        return refuse(w, err, why);
    }
    if (before < KEEP_LIMITS_FROM)
        return 0;
    bool less = after < before;
    double share = (double)(less ? before - after : after - before) / (double)before;
    double limit = less ? z->limits.shrink : z->limits.grow;
    if (share <= limit)
        return 0;
    char percent[GUARD_PERCENT], most[GUARD_PERCENT];
    snprintf(why, sizeof why, "would %s %s %s %llu entries (limit %s)", less ? "remove" : "add",
             guard_percent(share, percent), less ? "of" : "to", (unsigned long long)before, guard_percent(limit, most));
    return refuse(w, err, why);
}

/* Files that have nothing any more, whatever they had. */
static int check_emptied(struct work *w, struct err *err) {
    const struct meta *m = w->k->meta;
    uint64_t before = 0;
    char why[96];
    for (unsigned i = 0; m != NULL && i < m->dataset_count; i++)
        before += counts_sum(&m->counts[i]);
    if (m != NULL && w->c->whole)
        before = meta_entries(m);
    if (before == 0 || data_entries(w->d) > 0 || w->k->zone->limits.shrink >= 1)
        return 0;
    snprintf(why, sizeof why, "would remove all %llu entries, %s", (unsigned long long)before,
             w->c->whole ? "nothing came in their place" : "the files are empty");
    return refuse(w, err, why);
}

static int check_world(struct work *w, struct err *err) {
    const struct conf_zone *z = w->k->zone;
    const struct meta *m = w->k->meta;
    char why[GUARD_WHY] = "";
    const struct guard_world world = {.z = z, .before = m, .next = w->next, .d = w->d};
    int rc = guard_space(&world, why);
    if (rc == 0)
        rc = guard_names(&world, why);
    if (rc == 0)
        rc = guard_values(z, &w->ids, why);
    if (rc == 0 && w->c->whole)
        rc = guard_local(z, m, w->next, why);
    if (rc == 0)
        return 0;
    return rc == E_REFUSED ? refuse(w, err, why) : err_set(err, rc, "guards: %s", err_name(rc));
}

/* Test points are part of the format; all else is skipped by force. */
int guard_check(struct work *w, struct err *err) {
    int rc = check_points(w, err);
    if (rc < 0 || w->c->force)
        return rc;
    rc = check_emptied(w, err);
    if (rc == 0)
        rc = check_limits(w, err);
    return rc == 0 ? check_world(w, err) : rc;
}
