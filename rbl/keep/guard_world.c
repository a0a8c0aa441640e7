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

int guard_space(const struct conf_zone *z, const struct data *d, const struct meta *before, const struct meta *next,
                char why[GUARD_WHY]) {
    bool known = before != NULL && meta_entries(before) >= KEEP_LIMITS_FROM;
    if (!watched(z))
        return 0;
    if (most_of(next, COUNT_4) >= JUMP_FROM) {
        double share = guard_share4(d);
        if (share < 0)
            return E_NOMEM;
        int rc = judge(z, "IPv4", share, most_of(before, COUNT_4), known, why);
        if (rc < 0)
            return rc;
    }
    if (most_of(next, COUNT_6) < JUMP_FROM)
        return 0;
    return judge(z, "IPv6 (2000::/3)", guard_share6(d), most_of(before, COUNT_6), known, why);
}

static uint64_t wildcards(const struct meta *m, unsigned labels) {
    uint64_t n = 0;
    for (unsigned i = 0; m != NULL && i < m->dataset_count; i++)
        if (m->dataset[i].type == DATASET_DNSET)
            n += m->counts[i].n[COUNT_WILDCARD][labels];
    return n;
}

static uint64_t tld_weight(const struct entry_name *e) {
    static const char *const large[] = {"\3com", "\3net", "\3org"};
    for (unsigned i = 0; i < ARRAY_SIZE(large); i++)
        if (e->size == 4 && memcmp(e->name, large[i], 4) == 0)
            return TLD_LARGE;
    return 1;
}

int guard_names(const struct conf_zone *z, const struct data *d, const struct meta *before, const struct meta *next,
                char why[GUARD_WHY]) {
    uint64_t all = 0, tlds = 0, listed = 0, roots = wildcards(next, 0), count = wildcards(next, 1);
    const struct entry_name *last = NULL;
    if (!watched(z) || roots + count == 0)
        return 0;
    for (size_t i = 0; i < d->nn; i++) {
        const struct entry_name *e = &d->en[i];
        if (!e->wildcard || e->value == VALUE_EXCLUDED || d->dataset[e->dataset].type != DATASET_DNSET)
            continue;
        if (e->size == 0) {
            all++;
        } else if (e->size == e->name[0] + 1u) {
            tlds += tld_weight(e);
            listed++;
            last = e;
        }
    }
    if (all > 0 && (before == NULL || wildcards(before, 0) == 0)) {
        snprintf(why, GUARD_WHY, "would list every name (\"*\"; limits.space %.3g%%)", z->limits.space * 100);
        return E_REFUSED;
    }
    if (tlds > z->limits.tlds && (before == NULL || count > wildcards(before, 1))) {
        char name[80];
        text_name(name, sizeof name, last->name, last->size, true);
        snprintf(why, GUARD_WHY,
                 "would list %llu whole top-level domains, %s among them, which count %llu (limits.tlds %llu)",
                 (unsigned long long)listed, name, (unsigned long long)tlds, (unsigned long long)z->limits.tlds);
        return E_REFUSED;
    }
    return 0;
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
