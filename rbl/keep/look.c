#include "rbl/keep/look.h"

void look_dataset_of(struct look_dataset *ld, enum conf_dataset_type type, const struct counts *c) {
    memset(ld, 0, sizeof *ld);
    ld->nearest_class = type == DATASET_IP4SET || type == DATASET_IP4TSET;
    for (unsigned kind = KIND4; kind <= KIND6; kind++)
        for (unsigned i = 0; i < bucket_levels[kind].count; i++)
            for (unsigned b = bucket_levels[kind].at[i].low; b <= bucket_levels[kind].at[i].high; b++)
                if (c->n[kind == KIND4 ? COUNT_4 : COUNT_6][b] != 0)
                    ld->levels[kind] |= (uint8_t)(1u << i);
    for (unsigned n = 0; n <= LIMIT_LABELS; n++) {
        uint64_t bit = 1ULL << (n & 63);
        if (c->n[COUNT_EXACT][n] != 0)
            ld->exact[n >> 6] |= bit;
        if (c->n[COUNT_WILDCARD][n] != 0)
            ld->wildcard[n >> 6] |= bit;
        if (c->n[COUNT_EXACT][n] != 0 || c->n[COUNT_WILDCARD][n] != 0) {
            ld->has_names = true;
            ld->deepest = (uint8_t)n;
        }
    }
}
_Static_assert(LIMIT_LABELS < 128, "two words of label counts");

void look_name_of(struct look_name *to, const struct name *n) {
    unsigned end = n->size > 0 ? n->size - 1u : 0, at = 0;
    to->labels = n->labels <= LIMIT_LABELS ? n->labels : LIMIT_LABELS;
    to->size = (uint8_t)end;
    to->end[0] = 0;
    to->end[to->labels] = (uint8_t)end;
    for (unsigned i = to->labels; i > 0 && at < end; i--) {
        unsigned label = n->wire[at] + 1u;
        if (at + label > end)
            break;
        memcpy(to->wire + end - at - label, n->wire + at, label);
        at += label;
        to->end[i - 1] = (uint8_t)(end - at);
    }
}

int look_prefix(const struct look_source *s, const struct look_dataset *ld, unsigned dataset, enum bucket_kind kind,
                const uint8_t *addr, struct match *m, unsigned cap, unsigned *count) {
    const struct levels *levels = &bucket_levels[kind];
    enum bucket_find how = ld->nearest_class ? FIND_CLASS : FIND_LONGEST;
    *count = 0;
    for (unsigned i = levels->count; i-- > 0;) {
        struct bytes bucket;
        if (!(ld->levels[kind] >> i & 1))
            continue;
        int rc = s->bucket(s->ctx, kind, dataset, i, addr, &bucket);
        if (rc == E_NOTFOUND)
            continue;
        const struct level *lv = &levels->at[i];
        if (rc == 0)
            rc = bucket_find(bucket, lv, bucket_suffix(lv, addr, lv->level + lv->width * 8u), how, m, cap, count);
        if (rc < 0 || *count > 0)
            return rc;
    }
    return 0;
}

static bool has_bit(const uint64_t set[2], unsigned n) { return set[n >> 6] >> (n & 63) & 1; }

static int take_name(struct bytes record, bool wildcard, struct match *m, unsigned cap, unsigned *count) {
    struct scan s = scan_of(record);
    struct name_item i;
    int rc;
    while ((rc = name_item_next(&s, &i)) > 0)
        if (i.wildcard == wildcard && *count < cap)
            m[(*count)++] = (struct match){i.value, wildcard};
    return rc;
}

int look_name(const struct look_source *s, const struct look_dataset *ld, unsigned dataset, const struct look_name *n,
              struct match *m, unsigned cap, unsigned *count, unsigned *labels) {
    *count = 0;
    *labels = n->labels;
    for (unsigned k = n->labels + 1; k-- > 0;) {
        bool exact = k == n->labels;
        struct bytes record;
        if (!has_bit(exact ? ld->exact : ld->wildcard, k))
            continue;
        int rc = s->name(s->ctx, dataset, n, k, &record);
        if (rc == E_NOTFOUND)
            continue;
        if (rc == 0)
            rc = take_name(record, !exact, m, cap, count);
        *labels = k;
        if (rc < 0 || *count > 0)
            return rc;
    }
    return 0;
}

int look_local_prefix(const struct look_source *s, const struct look_dataset *ld, enum bucket_kind kind,
                      const uint8_t *addr, struct match *m, unsigned cap, unsigned *count, int *silenced) {
    const struct levels *levels = &bucket_levels[kind];
    struct local_find f = {.silenced = LOOK_NOT, .bits = -1, .m = m, .cap = cap};
    for (unsigned i = levels->count; i-- > 0 && f.silenced < 0;) {
        const struct level *lv = &levels->at[i];
        struct bytes bucket;
        if (!(ld->levels[kind] >> i & 1))
            continue;
        int rc = s->bucket(s->ctx, kind, DATASET_LOCAL, i, addr, &bucket);
        if (rc == E_NOTFOUND)
            continue;
        if (rc == 0)
            rc = bucket_find_local(bucket, lv, bucket_suffix(lv, addr, lv->level + lv->width * 8u), &f);
        if (rc < 0)
            return rc;
    }
    *count = f.count;
    *silenced = f.silenced;
    return 0;
}

/* Exact, then the wildcards from the longest on, until an exclusion ends the search. */
int look_local_name(const struct look_source *s, const struct look_dataset *ld, const struct look_name *n,
                    struct match *m, unsigned cap, unsigned *count, unsigned *labels, int *silenced) {
    *count = 0;
    *labels = n->labels;
    *silenced = LOOK_NOT;
    for (unsigned k = n->labels + 1; k-- > 0 && *silenced < 0;) {
        bool exact = k == n->labels;
        struct match one[LIMIT_ANSWER_RRS];
        unsigned found = 0;
        struct bytes record;
        if (!has_bit(exact ? ld->exact : ld->wildcard, k))
            continue;
        int rc = s->name(s->ctx, DATASET_LOCAL, n, k, &record);
        if (rc == E_NOTFOUND)
            continue;
        if (rc == 0)
            rc = take_name(record, !exact, one, ARRAY_SIZE(one), &found);
        if (rc < 0)
            return rc;
        bool takes = *count == 0;
        for (unsigned i = 0; i < found; i++) {
            if (one[i].value == VALUE_EXCLUDED) {
                *silenced = look_specific_name(!exact, k);
            } else if (takes && *count < cap) {
                m[(*count)++] = one[i];
                *labels = k;
            }
        }
    }
    return 0;
}

void look_silence_prefix(int silenced, struct match *m, unsigned *count) {
    unsigned kept = 0;
    if (*count > 0 && m[0].value == VALUE_EXCLUDED)
        *count = 0;
    for (unsigned i = 0; i < *count; i++)
        if (m[i].bits > silenced)
            m[kept++] = m[i];
    *count = kept;
}

void look_silence_name(int silenced, unsigned labels, struct match *m, unsigned *count) {
    if (*count > 0 && (m[0].value == VALUE_EXCLUDED || look_specific_name(m[0].bits != 0, labels) <= silenced))
        *count = 0;
}

int look_listed_prefix(const struct look_source *s, const struct meta *m, enum bucket_kind kind, const uint8_t *addr) {
    struct match match[LIMIT_ANSWER_RRS];
    struct look_dataset ld;
    unsigned count;
    int silenced;
    look_dataset_of(&ld, DATASET_IP4TRIE, &m->counts[DATASET_LOCAL]);
    int rc = look_local_prefix(s, &ld, kind, addr, match, ARRAY_SIZE(match), &count, &silenced);
    for (unsigned i = 0; i < m->dataset_count && rc == 0 && count == 0; i++) {
        if (m->dataset[i].type == DATASET_ACL)
            continue;
        look_dataset_of(&ld, m->dataset[i].type, &m->counts[i]);
        rc = look_prefix(s, &ld, i, kind, addr, match, ARRAY_SIZE(match), &count);
        if (rc == 0)
            look_silence_prefix(silenced, match, &count);
    }
    return rc < 0 ? rc : count > 0;
}

int look_listed_name(const struct look_source *s, const struct meta *m, const struct name *name) {
    struct match match[LIMIT_ANSWER_RRS];
    struct look_dataset ld;
    struct look_name n;
    struct name lower = *name;
    unsigned count, labels;
    int silenced;
    name_lower(&lower);
    look_name_of(&n, &lower);
    look_dataset_of(&ld, DATASET_DNSET, &m->counts[DATASET_LOCAL]);
    int rc = look_local_name(s, &ld, &n, match, ARRAY_SIZE(match), &count, &labels, &silenced);
    for (unsigned i = 0; i < m->dataset_count && rc == 0 && count == 0; i++) {
        if (m->dataset[i].type == DATASET_ACL)
            continue;
        look_dataset_of(&ld, m->dataset[i].type, &m->counts[i]);
        rc = look_name(s, &ld, i, &n, match, ARRAY_SIZE(match), &count, &labels);
        if (rc == 0)
            look_silence_name(silenced, labels, match, &count);
    }
    return rc < 0 ? rc : count > 0;
}

bool look_mapped4(const uint8_t addr[16], uint8_t to[4]) {
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    memcpy(to, addr + 12, 4);
    return memcmp(addr, mapped, sizeof mapped) == 0;
}

bool look_embedded4(const uint8_t addr[16], uint8_t to[4]) {
    if (look_mapped4(addr, to))
        return true;
    if (addr[0] == 0x20 && addr[1] == 0x02) {
        memcpy(to, addr + 2, 4);
        return true;
    }
    return false;
}

int name_item_next(struct scan *s, struct name_item *i) {
    if (s->left == 0)
        return 0;
    uint64_t v = scan_varint(s);
    if (s->failed || v >> 1 > UINT32_MAX)
        return E_CORRUPT;
    i->value = (uint32_t)(v >> 1);
    i->wildcard = v & 1;
    return 1;
}

void name_item_put(struct buf *to, struct name_item i) { buf_varint(to, (uint64_t)i.value << 1 | i.wildcard); }
