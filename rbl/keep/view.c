#include "rbl/keep/view.h"

#include "rbl/keep/view_impl.h"
#include "resolver/base/clock.h"
#include "resolver/store/fault.h"

enum {
    VIEW_LOOK_MS = 1000,     /* between two looks at `current`, and between two tries after a failure */
    VIEW_RACES = 3,          /* generations that may vanish between reading `current` and opening them */
    VIEW_INDEX_FROM = 32768, /* entries of a dataset from which on its buckets are remembered */
};

int view_open(struct view **out, const char *state, const char *zone, struct err *err) {
    *out = NULL;
    struct view *v = calloc(1, sizeof *v);
    if (v == NULL)
        return err_set(err, E_NOMEM, "zone %s: no memory for a view", zone);
    int rc = keep_dir(v->dir, state, zone, err);
    if (rc == 0)
        rc = view_begin(v, 0, err);
    if (rc < 0) {
        view_close(v);
        (void)err_prefix(err, "zone %s", zone);
        return rc;
    }
    view_end(v);
    *out = v;
    return 0;
}

static void forget(struct view *v) {
    store_close(v->store);
    v->store = NULL;
    v->txn = NULL;
    v->txn_id = 0;
    v->generation[0] = '\0';
}

void view_close(struct view *v) {
    if (v == NULL)
        return;
    view_end(v);
    forget(v);
    for (unsigned i = 0; i < LIMIT_DATASETS; i++)
        free(v->index[i]);
    free(v->listed);
    free(v->subs);
    free(v);
}

/* Opens what `current` names, when that is not what is open. The first one, or the next after a failure, is checked
 * page by page: a worker that died of a damaged zone must not die of it again. Others come from a keeper that checked
 * them. */
static int follow(struct view *v, struct err *err) {
    char generation[32];
    for (unsigned i = 0; i < VIEW_RACES; i++) {
        int rc = keep_current_read(v->dir, generation, err);
        if (rc < 0 || strcmp(generation, v->generation) == 0)
            return rc;
        struct store *s;
        unsigned how = v->opened ? 0 : GENERATION_CHECK;
        rc = keep_open_generation(&s, v->dir, generation, how, 0, err);
        if (rc == E_NOTFOUND)
            continue;
        if (rc < 0)
            return rc;
        forget(v);
        v->store = s;
        text_copy(v->generation, sizeof v->generation, generation);
        return 0;
    }
    return err_set(err, E_CORRUPT, "%s: `current` names %s, which is not there", v->dir, generation);
}

/* Buckets found are remembered as long as the commit that is seen stays the same; a new one makes all of them stale. */
static void forget_buckets(struct view *v) {
    memset(v->shortest_known, 0, sizeof v->shortest_known);
    for (unsigned i = 0; i < LIMIT_DATASETS; i++)
        if (v->index[i] != NULL)
            memset(v->index[i], 0, VIEW_INDEX_SLOTS * sizeof *v->index[i]);
    if (++v->epoch != 0)
        return;
    v->epoch = 1;
    memset(v->value, 0, sizeof v->value);
}

static uint64_t long_prefixes(const struct counts *c) {
    uint64_t n = 0;
    for (unsigned bits = 17; bits <= 32; bits++)
        n += c->n[COUNT_4][bits];
    return n;
}

/* Their subzones, which live in `m` until now. */
static int take_datasets(struct view *v, const struct meta *m) {
    unsigned subs = 0;
    for (unsigned i = 0; i < m->dataset_count; i++)
        subs += m->dataset[i].sub_count;
    struct name *fresh = calloc(subs + 1, sizeof *fresh), *to = fresh;
    if (fresh == NULL)
        return E_NOMEM;
    for (unsigned i = 0; i < m->dataset_count; i++) {
        v->dataset[i] = m->dataset[i];
        v->dataset[i].sub = to;
        for (unsigned n = 0; n < m->dataset[i].sub_count; n++)
            *to++ = m->dataset[i].sub[n];
    }
    free(v->subs);
    v->subs = fresh;
    v->dataset_count = m->dataset_count;
    return 0;
}

static void take_look(struct view *v, const struct meta *m, unsigned i) {
    struct look_dataset *ld = &v->look[i];
    uint64_t bit = UINT64_C(1) << i;
    bool local = i == DATASET_LOCAL;
    look_dataset_of(ld, local ? DATASET_IP4TRIE : m->dataset[i].type, &m->counts[i]);
    v->ttl[i] = !local && m->dataset[i].ttl != 0 ? m->dataset[i].ttl : m->apex.ttl;
    if (!local && m->dataset[i].type == DATASET_ACL) {
        v->acl |= bit;
        return;
    }
    v->prefixes[KIND4] |= ld->levels[KIND4] != 0 ? bit : 0;
    v->prefixes[KIND6] |= ld->levels[KIND6] != 0 ? bit : 0;
    v->names |= ld->has_names ? bit : 0;
    if (v->index[i] == NULL && long_prefixes(&m->counts[i]) >= VIEW_INDEX_FROM)
        v->index[i] = calloc(VIEW_INDEX_SLOTS, sizeof *v->index[i]); /* NULL: slower, not wrong */
}

static int take_meta(struct view *v, const struct meta *m) {
    if (take_datasets(v, m) < 0)
        return E_NOMEM;
    v->apex = m->apex;
    v->prefixes[KIND4] = v->prefixes[KIND6] = v->names = v->acl = 0;
    for (unsigned i = 0; i < m->dataset_count; i++)
        take_look(v, m, i);
    take_look(v, m, DATASET_LOCAL);
    if (v->names != 0 && v->listed == NULL) {
        v->listed = calloc(LIMIT_DATASETS, sizeof *v->listed);
        if (v->listed == NULL)
            return E_NOMEM;
    }
    return 0;
}

/* After a commit: meta anew. */
static int refresh(struct view *v, struct err *err) {
    struct meta *m = calloc(1, sizeof *m);
    if (m == NULL)
        return err_set(err, E_NOMEM, "no memory for meta");
    int rc = keep_read_meta(v->txn, m, err);
    if (rc == 0 && take_meta(v, m) < 0)
        rc = err_set(err, E_NOMEM, "no memory for names");
    free(m);
    if (rc == 0) {
        forget_buckets(v);
        v->txn_id = store_txn_id(v->txn);
    }
    return rc;
}

static int begin(struct view *v, struct err *err) {
    if (v->looked_ms == v->now_ms || v->store == NULL) { /* due, or never opened */
        int rc = follow(v, err);
        if (rc < 0)
            return rc;
    }
    int rc = store_read_begin(v->store, &v->txn, err);
    if (rc == 0 && (v->txn_id == 0 || v->txn_id != store_txn_id(v->txn)))
        rc = refresh(v, err);
    return rc;
}

static int begin_guarded(struct view *v, struct err *err) {
    struct store_fault f;
    if (v->hurt) {
        v->hurt = v->opened = false;
        forget(v);
    }
    if (sigsetjmp(f.back, 0) != 0)
        return store_faulted(&f, err);
    store_fault_arm(&f);
    int rc = begin(v, err);
    store_fault_disarm(&f);
    return rc;
}

int view_begin(struct view *v, uint64_t hint, struct err *err) {
    v->now_ms = clock_mono_ms();
    bool look = hint != v->hint || v->looked_ms == 0 || v->now_ms - v->looked_ms >= VIEW_LOOK_MS;
    if (v->failed.code != 0 && !look) {
        if (err != NULL)
            *err = v->failed;
        return v->failed.code;
    }
    if (look)
        v->looked_ms = v->now_ms;
    v->hint = hint;
    v->failed.code = 0;
    int rc = begin_guarded(v, &v->failed);
    if (rc == 0) {
        v->opened = true;
        return 0;
    }
    view_end(v);
    forget(v);
    v->opened = false;
    v->failed.code = rc;
    v->looked_ms = v->now_ms;
    if (err != NULL)
        *err = v->failed;
    return rc;
}

void view_end(struct view *v) {
    store_read_end(v->txn);
    v->txn = NULL;
}

const struct view_apex *view_apex(const struct view *v) { return &v->apex; }
const struct dataset *view_datasets(const struct view *v, unsigned *count) {
    *count = v->dataset_count;
    return v->dataset;
}
uint32_t view_epoch(const struct view *v) { return v->epoch; }
bool view_has4(const struct view *v) { return v->prefixes[KIND4] != 0; }
bool view_has6(const struct view *v) { return v->prefixes[KIND6] != 0; }
bool view_has_names(const struct view *v) { return v->names != 0; }
bool view_has_acl(const struct view *v) { return v->acl != 0; }
uint64_t view_which4(const struct view *v) { return v->prefixes[KIND4]; }
uint64_t view_which6(const struct view *v) { return v->prefixes[KIND6]; }
uint64_t view_which_names(const struct view *v) { return v->names; }

int look_into_value(struct view *v, uint32_t id, struct value *value) {
    struct view_value *slot = &v->value[id % VIEW_VALUES];
    uint8_t key[4];
    struct bytes record;
    struct uses uses;
    if (slot->epoch == v->epoch && slot->id == id) {
        value_copy(value, &slot->value);
        return 0;
    }
    put_u32(key, id);
    int rc = store_get(v->txn, TABLE_VALUES, (struct bytes){key, sizeof key}, &record);
    if (rc == 0)
        rc = meta_read_value(record, &uses, value);
    if (rc < 0)
        return rc == E_NOTFOUND ? E_CORRUPT : rc;
    slot->epoch = v->epoch;
    slot->id = id;
    value_copy(&slot->value, value);
    return 0;
}
