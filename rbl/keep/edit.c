/* Edits of a batch. What counts at a place is what is listed there in the end: what the files say unless a local
 * exclusion keeps them out, and the local entries. An edit changes that by one value and nothing else; which local
 * entries and exclusion that takes follows from what the files say. */
#include "rbl/keep/edit_impl.h"

enum { BATCH_SOURCES = 4096 };

int keep_batch_open(struct keep_batch **out, struct keep *k, struct err *err) {
    *out = NULL;
    if (k->reading)
        return err_set(err, E_DENIED, "zone %s: opened for reading alone", k->zone->name);
    int rc = keep_ready(k, err);
    if (rc == 0)
        rc = damage_refuses(k, err);
    if (rc < 0)
        return rc;
    if (k->meta == NULL && k->zone->data_count > 0)
        return err_set(err, E_AGAIN, "zone %s: its files were never read, nothing can be changed by hand yet",
                       k->zone->name);
    struct keep_batch *b = calloc(1, sizeof *b);
    if (b == NULL)
        return err_set(err, E_NOMEM, "zone %s: no memory for edits", k->zone->name);
    b->k = k;
    *out = b;
    return 0;
}

void batch_reset(struct keep_batch *b) {
    batch_read_end(b);
    arena_free(&b->arena);
    free(b->place);
    free(b->slot);
    free(b->value);
    free(b->value_slot);
    free(b->undo);
    free(b->source);
    free(b->apex);
    *b = (struct keep_batch){.k = b->k};
}

void keep_batch_close(struct keep_batch *b) {
    if (b == NULL)
        return;
    batch_reset(b);
    free(b);
}

/* Number 0 is the commit's own; without memory for a new one it stays so. */
void keep_batch_source(struct keep_batch *b, const char *source) {
    b->source_now = 0;
    for (uint32_t i = 0; source != NULL && i < b->sources && b->source_now == 0; i++)
        if (strcmp(b->source[i], source) == 0)
            b->source_now = i + 1;
    if (source == NULL || b->source_now != 0 || b->sources >= BATCH_SOURCES)
        return;
    if (b->sources == b->source_cap) {
        uint32_t cap = b->source_cap == 0 ? 8 : b->source_cap * 2;
        const char **p = realloc(b->source, cap * sizeof *p);
        if (p == NULL)
            return;
        b->source = p;
        b->source_cap = cap;
    }
    size_t size = strlen(source);
    char *mine = arena_text(&b->arena, source, size < CHANGESET_SOURCE ? size : CHANGESET_SOURCE - 1);
    if (mine == NULL)
        return;
    b->source[b->sources++] = mine;
    b->source_now = b->sources;
}

int batch_set(struct keep_batch *b, struct place *p, unsigned spot, bool is, int64_t until) {
    struct spot *s = &p->spot[spot];
    until = is ? until : 0;
    if (s->is == is && s->until == until)
        return 0;
    if (b->edits == b->undo_cap) {
        size_t cap = b->undo_cap == 0 ? 64 : b->undo_cap * 2;
        struct undo *u = realloc(b->undo, cap * sizeof *u);
        if (u == NULL)
            return E_NOMEM;
        b->undo = u;
        b->undo_cap = cap;
    }
    b->undo[b->edits++] = (struct undo){(uint32_t)(p - b->place), spot, s->source, s->is, s->until};
    s->is = is;
    s->until = until;
    s->source = b->source_now;
    return 0;
}

size_t keep_batch_mark(const struct keep_batch *b) { return b->edits; }

void keep_batch_rewind(struct keep_batch *b, size_t mark) {
    while (b->edits > mark) {
        const struct undo *u = &b->undo[--b->edits];
        struct spot *s = &b->place[u->place].spot[u->spot];
        s->is = u->is;
        s->until = u->until;
        s->source = u->source;
    }
}

static int place_of(struct keep_batch *b, const struct keep_entry *e, struct place **p, struct err *err) {
    uint8_t addr[16] = {0};
    struct look_name n;
    if (e->kind == KEEP_NAME) {
        struct name lower = e->name;
        if (e->bits > 1 || lower.size == 0)
            return err_set(err, E_INVALID, "not a name");
        name_lower(&lower);
        look_name_of(&n, &lower);
        return batch_place(b, FEED_NAMES, e->bits, n.wire, n.size, p, err);
    }
    unsigned size = e->kind == KEEP_4 ? 4 : 16;
    if (e->kind > KEEP_6 || e->bits > size * 8)
        return err_set(err, E_INVALID, "a prefix of %u bits", e->bits);
    memcpy(addr, e->addr, (e->bits + 7u) / 8);
    if (e->bits % 8 != 0)
        addr[e->bits / 8] &= (uint8_t)(0xff00 >> e->bits % 8);
    return batch_place(b, e->kind == KEEP_4 ? FEED_4 : FEED_6, e->bits, addr, size, p, err);
}

static bool listed(const struct place *p, const struct spot *s) {
    return s->value != 0 && (s->is || (s->file && !p->spot[0].is));
}

static void fill_entry(const struct keep_batch *b, const struct keep_entry *at, const struct spot *s,
                       struct keep_entry *e) {
    *e = *at;
    e->excluded = false;
    value_copy(&e->value, b->value[s->value].v);
    e->until_wall_s = s->is ? s->until : 0;
    e->dataset = s->is ? DATASET_LOCAL : s->file_dataset;
}

static int at_guarded(struct keep_batch *b, const struct keep_entry *at, struct keep_entry *found, unsigned cap,
                      unsigned *count, struct err *err) {
    struct place *p = NULL;
    *count = 0;
    int rc = place_of(b, at, &p, err);
    for (unsigned i = 0; rc == 0 && p != NULL && i < p->count; i++)
        if (listed(p, &p->spot[i])) {
            if (*count < cap)
                fill_entry(b, at, &p->spot[i], &found[*count]);
            ++*count;
        }
    return rc;
}

int keep_batch_at(struct keep_batch *b, const struct keep_entry *at, struct keep_entry *found, unsigned cap,
                  unsigned *count, struct err *err) {
    KEEP_GUARDED(b->k, err, at_guarded(b, at, found, cap, count, err));
}

/* Whether the exclusion may go when `spot` is to be listed for good: all else that the files say here is listed too. */
static bool exclusion_may_go(const struct place *p, unsigned spot) {
    for (unsigned i = 1; i < p->count; i++)
        if (p->spot[i].file && i != spot && !(p->spot[i].is && p->spot[i].until == 0))
            return false;
    return true;
}

static int drop_exclusion(struct keep_batch *b, struct place *p) {
    int rc = batch_set(b, p, 0, false, 0);
    for (unsigned i = 1; i < p->count && rc == 0; i++)
        if (p->spot[i].file)
            rc = batch_set(b, p, i, false, 0);
    return rc;
}

static int add_value(struct keep_batch *b, struct place *p, const struct keep_entry *e) {
    uint32_t number = 0;
    unsigned spot = 0;
    int rc = batch_value_of(b, &e->value, &number);
    if (rc == 0)
        rc = batch_spot(b, p, number, &spot);
    if (rc < 0)
        return rc;
    const struct spot *s = &p->spot[spot];
    bool excluded = p->spot[0].is;
    if (!s->is && s->file && !excluded)
        return 0;
    if (s->file && excluded && e->until_wall_s == 0 && exclusion_may_go(p, spot))
        return drop_exclusion(b, p);
    return batch_set(b, p, spot, true, e->until_wall_s);
}

/* The files' values here give way to an exclusion, until then; those that are to stay become local ones. */
static int exclude(struct keep_batch *b, struct place *p, unsigned gone, int64_t until) {
    bool already = p->spot[0].is;
    int rc = batch_set(b, p, 0, true, until);
    for (unsigned i = 1; i < p->count && rc == 0 && gone > 0 && !already; i++)
        if (i != gone && p->spot[i].file && !p->spot[i].is)
            rc = batch_set(b, p, i, true, until);
    return rc;
}

static int remove_all(struct keep_batch *b, struct place *p, int64_t until) {
    int rc = 0;
    bool file = false;
    for (unsigned i = 1; i < p->count && rc == 0; i++) {
        file |= p->spot[i].file;
        rc = batch_set(b, p, i, false, 0);
    }
    return rc == 0 && file ? exclude(b, p, 0, until) : rc;
}

static int remove_value(struct keep_batch *b, struct place *p, const struct keep_entry *e) {
    uint32_t number;
    unsigned spot;
    int rc = batch_value_of(b, &e->value, &number);
    if (rc == 0)
        rc = batch_spot(b, p, number, &spot);
    if (rc == 0)
        rc = batch_set(b, p, spot, false, 0);
    return rc == 0 && p->spot[spot].file && !p->spot[0].is ? exclude(b, p, spot, e->until_wall_s) : rc;
}

static int edit(struct keep_batch *b, const struct keep_entry *e, bool remove, bool any_value, struct err *err) {
    struct place *p = NULL;
    size_t mark = b->edits;
    if (b->edits >= KEEP_BATCH_EDITS)
        return err_set(err, E_FULL, "more than %d edits in one batch", KEEP_BATCH_EDITS);
    if (e->until_wall_s < 0)
        return err_set(err, E_INVALID, "a time before 1970");
    int rc = place_of(b, e, &p, err);
    if (rc < 0 || p == NULL)
        return rc;
    if (e->excluded)
        rc = batch_set(b, p, 0, !remove, e->until_wall_s);
    else if (!remove)
        rc = add_value(b, p, e);
    else
        rc = any_value ? remove_all(b, p, e->until_wall_s) : remove_value(b, p, e);
    if (rc < 0) {
        keep_batch_rewind(b, mark);
        return err_set(err, rc, "%s", rc == E_INVALID ? "a value that no entry can have" : err_name(rc));
    }
    return 0;
}

int keep_batch_add(struct keep_batch *b, const struct keep_entry *e, struct err *err) {
    KEEP_GUARDED(b->k, err, edit(b, e, false, false, err));
}

int keep_batch_remove(struct keep_batch *b, const struct keep_entry *e, bool any_value, struct err *err) {
    KEEP_GUARDED(b->k, err, edit(b, e, true, any_value, err));
}

/* The spot whose value has the store's id. */
static int expire_one(struct keep_batch *b, const struct until_entry *e, int64_t now_wall_s, struct err *err) {
    struct place *p;
    int rc = batch_place(b, e->kind, e->bits, e->place.at, e->place.size, &p, err);
    for (unsigned i = 0; rc == 0 && i < p->count; i++) {
        const struct spot *s = &p->spot[i];
        uint32_t id = s->value != 0 ? b->value[s->value].id : VALUE_EXCLUDED;
        if (s->was && s->is && id == e->id && s->until != 0 && s->until <= now_wall_s)
            rc = batch_set(b, p, i, false, 0);
    }
    return rc;
}

static int expire_guarded(struct keep_batch *b, int64_t now_wall_s, int64_t *next_wall_s, struct err *err) {
    struct store_cursor *c;
    struct bytes key, record;
    *next_wall_s = 0;
    int rc = batch_read(b, err);
    if (rc < 0 || b->t == NULL || b->k->meta->format < META_FORMAT)
        return rc;
    rc = store_cursor_open(b->t, TABLE_DUE, &c);
    if (rc < 0)
        return store_failed(b->t, rc, err, "due");
    for (rc = store_cursor_seek(c, (struct bytes){NULL, 0}, &key, &record); rc == 0;
         rc = store_cursor_next(c, &key, &record)) {
        struct until_entry e;
        int64_t due;
        rc = until_due(key, &due, &e);
        if (rc < 0)
            break;
        *next_wall_s = due;
        if (due > now_wall_s || b->edits >= KEEP_BATCH_EDITS)
            break;
        rc = expire_one(b, &e, now_wall_s, err);
        if (rc < 0)
            break;
        *next_wall_s = 0;
    }
    store_cursor_close(c);
    return rc == 0 || rc == E_NOTFOUND ? 0 : err_set(err, rc, "due: %s", err_name(rc));
}

int keep_batch_expire(struct keep_batch *b, int64_t now_wall_s, int64_t *next_wall_s, struct err *err) {
    KEEP_GUARDED(b->k, err, expire_guarded(b, now_wall_s, next_wall_s, err));
}
