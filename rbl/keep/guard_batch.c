/* The guards on a batch: the test points in the zone as it will be, and how much of it the batch may change. */
#include <stdio.h>

#include "rbl/keep/guard.h"

/* 1: listed, 0: not. */
static int listed_prefix(const struct guard_batch *g, enum bucket_kind kind, const uint8_t *addr) {
    return look_listed_prefix(g->after, g->next, kind, addr);
}

static int listed(const struct guard_batch *g, enum conf_test test, bool second) {
    const uint8_t four[4] = {127, 0, 0, second ? 1 : 2};
    const uint8_t six[16] = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = second ? 1 : 2};
    struct name n;
    if (test == TEST_RFC5782_DOMAIN) {
        int rc = name_from_text(&n, second ? "invalid" : "test", NULL);
        return rc < 0 ? rc : look_listed_name(g->after, g->next, &n);
    }
    if (test == TEST_RFC5782_IP4)
        return listed_prefix(g, KIND4, four);
    int rc = listed_prefix(g, KIND6, six);
    return rc != 0 ? rc : listed_prefix(g, KIND4, four);
}

static int check_points(const struct guard_batch *g, struct err *err) {
    enum conf_test test = g->k->zone->test;
    if (test == TEST_UNSET || test == TEST_NONE)
        return 0;
    for (unsigned i = 0; i < 2; i++) {
        int rc = listed(g, test, i == 1);
        if (rc < 0)
            return err_set(err, rc, "test points: %s", err_name(rc));
        if (rc != (i == 0))
            return err_set(err, E_REFUSED, "the test point that must%s be listed would%s be (RFC 5782): refused",
                           i == 0 ? "" : " not", i == 0 ? " not" : "");
    }
    return 0;
}

static int check_limits(const struct guard_batch *g, struct err *err) {
    const struct conf_zone *z = g->k->zone;
    const struct meta *m = g->k->meta;
    uint64_t before = m != NULL ? meta_entries(m) : 0, after = meta_entries(g->next);
    bool less = g->less > g->more;
    uint64_t n = less ? g->less - g->more : g->more - g->less;
    double limit = less ? z->limits.shrink : z->limits.grow;
    if (z->limits.entries > 0 && after > z->limits.entries && after > before)
        return err_set(err, E_REFUSED, "would have %llu entries (limit %llu): refused, kept serial %u",
                       (unsigned long long)after, (unsigned long long)z->limits.entries, m != NULL ? m->serial : 0);
    if (before < KEEP_LIMITS_FROM || (double)n <= limit * (double)before)
        return 0;
    char percent[GUARD_PERCENT], most[GUARD_PERCENT];
    return err_set(err, E_REFUSED, "would %s %s %s %llu entries (limit %s): refused, kept serial %u",
                   less ? "remove" : "add", guard_percent((double)n / (double)before, percent), less ? "of" : "to",
                   (unsigned long long)before, guard_percent(limit, most), g->k->meta->serial);
}

static int refused(const struct guard_batch *g, const char *why, struct err *err) {
    return err_set(err, E_REFUSED, "%s: refused, kept serial %u", why, g->k->meta != NULL ? g->k->meta->serial : 0);
}

static int check_world(const struct guard_batch *g, struct err *err) {
    char why[GUARD_WHY] = "";
    int rc = guard_local(g->k->zone, g->k->meta, g->next, why);
    return rc < 0 ? refused(g, why, err) : 0;
}

int guard_check_batch(const struct guard_batch *g, struct err *err) {
    int rc = check_points(g, err);
    if (rc < 0 || g->force)
        return rc;
    rc = check_limits(g, err);
    return rc == 0 ? check_world(g, err) : rc;
}
