#include <stdio.h>

#include "rbl/keep/guard.h"

/* From here on a jump is judged: a /8, or a /11 of 2000::/3. */
#define JUMP_FROM (1.0 / 256)
/* A zone that is beyond the limit already may grow by so much. */
#define DRIFT 1.1
enum { TLD_LARGE = 100 };

static bool watched(const struct conf_zone *z) { return z->limits.space > 0 && z->limits.space < 1; }

static double weight(unsigned bits) {
    double w = 1;
    while (bits-- > 0)
        w /= 2;
    return w;
}

/* Never less than the share that is listed: overlaps count twice, exclusions as if they listed. */
static double most(const struct counts *c, enum count_kind kind) {
    double sum = 0;
    for (unsigned bits = 0; bits <= (kind == COUNT_4 ? 32 : 64); bits++)
        sum += (double)c->n[kind][bits] * weight(kind == COUNT_6 && bits > 3 ? bits - 3 : kind == COUNT_6 ? 0 : bits);
    return sum;
}

static double most_of(const struct meta *m, enum count_kind kind) {
    double sum = 0;
    for (unsigned i = 0; m != NULL && i < m->dataset_count; i++)
        if (m->dataset[i].type <= DATASET_IP6TRIE)
            sum += most(&m->counts[i], kind);
    return sum < 1 ? sum : 1;
}

static int judge(const struct conf_zone *z, const char *space, double share, double before, bool known,
                 char why[GUARD_WHY]) {
    double limit = z->limits.space;
    if (share > limit && (!known || share > before * DRIFT)) {
        snprintf(why, GUARD_WHY, "would list %.3g%% of %s (limits.space %.3g%%)", share * 100, space, limit * 100);
        return E_REFUSED;
    }
    if (known && share >= JUMP_FROM && share > before * (1 + z->limits.grow)) {
        snprintf(why, GUARD_WHY, "would list %.3g%% of %s, before it was at most %.3g%% (limits.grow %.3g%%)",
                 share * 100, space, before * 100, z->limits.grow * 100);
        return E_REFUSED;
    }
    return 0;
}

static double share_of(const struct guard_world *w, enum bucket_kind kind) {
    return w->d != NULL ? guard_share_data(w->d, kind) : guard_share_stored(w->t, w->next, kind);
}

int guard_space(const struct guard_world *w, char why[GUARD_WHY]) {
    static const struct {
        enum bucket_kind kind;
        enum count_kind count;
        const char *space;
    } spaces[] = {{KIND4, COUNT_4, "IPv4"}, {KIND6, COUNT_6, "IPv6 (2000::/3)"}};
    bool known = w->before != NULL && meta_entries(w->before) >= KEEP_LIMITS_FROM;
    if (!watched(w->z))
        return 0;
    for (unsigned i = 0; i < ARRAY_SIZE(spaces); i++) {
        if (most_of(w->next, spaces[i].count) < JUMP_FROM)
            continue;
        double share = share_of(w, spaces[i].kind);
        if (share < 0)
            return (int)share;
        int rc = judge(w->z, spaces[i].space, share, most_of(w->before, spaces[i].count), known, why);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static uint64_t wildcards(const struct meta *m, unsigned labels) {
    uint64_t n = 0;
    for (unsigned i = 0; m != NULL && i < m->dataset_count; i++)
        if (m->dataset[i].type == DATASET_DNSET)
            n += m->counts[i].n[COUNT_WILDCARD][labels];
    return n;
}

/* Whole top-level domains. */
struct tlds {
    uint64_t all, weight, listed;
    uint8_t last[LIMIT_NAME_WIRE];
    size_t last_size;
};

static uint64_t tld_weight(struct bytes name) {
    static const char *const large[] = {"\3com", "\3net", "\3org"};
    for (unsigned i = 0; i < ARRAY_SIZE(large); i++)
        if (name.size == 4 && memcmp(name.at, large[i], 4) == 0)
            return TLD_LARGE;
    return 1;
}

static int take_name(void *ctx, struct bytes name, bool wildcard, bool excluded) {
    struct tlds *t = ctx;
    if (!wildcard || excluded)
        return 0;
    if (name.size == 0) {
        t->all++;
    } else if (name.size == name.at[0] + 1u) {
        t->weight += tld_weight(name);
        t->listed++;
        memcpy(t->last, name.at, name.size);
        t->last_size = name.size;
    }
    return 0;
}

static int take_names(const struct guard_world *w, struct tlds *t) {
    int rc = 0;
    for (size_t i = 0; w->d != NULL && i < w->d->nn && rc == 0; i++) {
        const struct entry_name *e = &w->d->en[i];
        if (e->dataset < w->d->dataset_count && w->d->dataset[e->dataset].type == DATASET_DNSET)
            rc = take_name(t, (struct bytes){e->name, e->size}, e->wildcard, e->value == VALUE_EXCLUDED);
    }
    for (unsigned i = 0; w->d == NULL && w->next != NULL && i < w->next->dataset_count && rc == 0; i++)
        if (w->next->dataset[i].type == DATASET_DNSET)
            rc = guard_each_name(w->t, i, take_name, t);
    return rc;
}

int guard_names(const struct guard_world *w, char why[GUARD_WHY]) {
    const struct meta *before = w->before;
    uint64_t count = wildcards(w->next, 1);
    struct tlds t = {0};
    if (!watched(w->z) || wildcards(w->next, 0) + count == 0)
        return 0;
    int rc = take_names(w, &t);
    if (rc < 0)
        return rc;
    if (t.all > 0 && (before == NULL || wildcards(before, 0) == 0)) {
        snprintf(why, GUARD_WHY, "would list every name (\"*\"; limits.space %.3g%%)", w->z->limits.space * 100);
        return E_REFUSED;
    }
    if (t.weight > w->z->limits.tlds && (before == NULL || count > wildcards(before, 1))) {
        char name[80];
        text_name(name, sizeof name, t.last, t.last_size, true);
        snprintf(why, GUARD_WHY,
                 "would list %llu whole top-level domains, %s among them, which count %llu (limits.tlds %llu)",
                 (unsigned long long)t.listed, name, (unsigned long long)t.weight,
                 (unsigned long long)w->z->limits.tlds);
        return E_REFUSED;
    }
    return 0;
}

/* By counts alone, which are never less; and when they say too much, from what is stored exactly and the rest by
 * counts. */
static int space_grown(const struct guard_world *w, char why[GUARD_WHY]) {
    bool known = meta_entries(w->before) >= KEEP_LIMITS_FROM;
    for (unsigned kind = KIND4; kind <= KIND6; kind++) {
        enum count_kind count = kind == KIND4 ? COUNT_4 : COUNT_6;
        const char *space = kind == KIND4 ? "IPv4" : "IPv6 (2000::/3)";
        double now = most_of(w->next, count), was = most_of(w->before, count);
        if (now <= was || now < JUMP_FROM || judge(w->z, space, now, was, known, why) == 0)
            continue;
        double share = guard_share_stored(w->t, w->before, (enum bucket_kind)kind);
        if (share < 0)
            return (int)share;
        if (judge(w->z, space, share + now - was, was, known, why) < 0)
            return E_NOTFOUND;
    }
    return 0;
}

/* Each wildcard that comes counted as the dearest. */
static int names_grown(const struct guard_world *w, char why[GUARD_WHY]) {
    uint64_t now = wildcards(w->next, 1), was = wildcards(w->before, 1);
    const struct guard_world stored = {.z = w->z, .next = w->before, .t = w->t};
    struct tlds t = {0};
    if (wildcards(w->next, 0) > 0 && wildcards(w->before, 0) == 0) {
        snprintf(why, GUARD_WHY, "would list every name (\"*\")");
        return E_NOTFOUND;
    }
    if (now <= was || now * TLD_LARGE <= w->z->limits.tlds)
        return 0;
    int rc = take_names(&stored, &t);
    if (rc < 0 || t.weight + (now - was) * TLD_LARGE <= w->z->limits.tlds)
        return rc;
    snprintf(why, GUARD_WHY, "would list more whole top-level domains than %llu (limits.tlds)",
             (unsigned long long)w->z->limits.tlds);
    return E_NOTFOUND;
}

int guard_grown(const struct guard_world *w, char why[GUARD_WHY]) {
    if (!watched(w->z))
        return 0;
    int rc = space_grown(w, why);
    return rc == 0 ? names_grown(w, why) : rc;
}

int guard_value(const struct conf_zone *z, const struct value *v, char why[GUARD_WHY]) {
    if (!z->limits.loopback || v->kind != VALUE_LISTED || v->a[0] == 127)
        return 0;
    snprintf(why, GUARD_WHY, "would answer %u.%u.%u.%u, outside of 127.0.0.0/8 (limits.values)", v->a[0], v->a[1],
             v->a[2], v->a[3]);
    return E_REFUSED;
}

/* Values that are live already were let in once. */
int guard_values(const struct conf_zone *z, const struct ids *ids, char why[GUARD_WHY]) {
    if (!z->limits.loopback)
        return 0;
    for (uint32_t id = 1; id < ids->end; id++) {
        if (ids->data_of[id] == 0 || !uses_none(ids->old[id]))
            continue;
        int rc = guard_value(z, &ids->d->value[ids->data_of[id]], why);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Exclusions by hand count like entries: taking half of the world off a list is no lesser mistake. */
int guard_local(const struct conf_zone *z, const struct meta *before, const struct meta *next, char why[GUARD_WHY]) {
    static const struct {
        enum count_kind kind;
        const char *space;
    } spaces[] = {{COUNT_4, "IPv4"}, {COUNT_6, "IPv6 (2000::/3)"}};
    const struct counts *now = &next->counts[DATASET_LOCAL];
    const struct counts *old = before != NULL ? &before->counts[DATASET_LOCAL] : NULL;
    if (!watched(z))
        return 0;
    for (unsigned i = 0; i < ARRAY_SIZE(spaces); i++) {
        double share = most(now, spaces[i].kind), was = old != NULL ? most(old, spaces[i].kind) : 0;
        if (share > z->limits.space && share > was * DRIFT) {
            snprintf(why, GUARD_WHY, "changes by hand would cover %.3g%% of %s (limits.space %.3g%%)",
                     share < 1 ? share * 100 : 100, spaces[i].space, z->limits.space * 100);
            return E_REFUSED;
        }
    }
    uint64_t all = now->n[COUNT_WILDCARD][0], tlds = now->n[COUNT_WILDCARD][1];
    if (all > 0 && (old == NULL || old->n[COUNT_WILDCARD][0] == 0)) {
        snprintf(why, GUARD_WHY, "changes by hand would cover every name (\"*\"; limits.space %.3g%%)",
                 z->limits.space * 100);
        return E_REFUSED;
    }
    if (tlds > z->limits.tlds && (old == NULL || tlds > old->n[COUNT_WILDCARD][1])) {
        snprintf(why, GUARD_WHY, "changes by hand would cover %llu whole top-level domains (limits.tlds %llu)",
                 (unsigned long long)tlds, (unsigned long long)z->limits.tlds);
        return E_REFUSED;
    }
    return 0;
}
