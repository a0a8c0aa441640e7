#include "rbl/keep/changeset.h"

enum { OP_VALUE, OP_HEADING, OP_SELECT, OP_SOURCE = OP_SELECT + CHANGESET_HEADINGS, OP_UNTIL };
enum { HEADING_REMOVED = 1, HEADING_KIND = 1, HEADING_STAYS = 8 };

int changeset_open(struct changeset_writer *w, uint32_t ids_end) {
    memset(w, 0, sizeof *w);
    w->index_of = calloc(ids_end, sizeof *w->index_of);
    w->ids_end = ids_end;
    w->selected = CHANGESET_HEADINGS;
    buf_u8(&w->out, CHANGESET_VERSION);
    return w->index_of == NULL || w->out.failed ? E_NOMEM : 0;
}

void changeset_close(struct changeset_writer *w) {
    free(w->index_of);
    buf_free(&w->out);
    memset(w, 0, sizeof *w);
}

/* Bytes of an address that the prefix length needs. */
static size_t addr_size(unsigned bits) { return (bits + 7) / 8; }

static void put_value(struct changeset_writer *w, const struct value *v) {
    struct buf stored = {0};
    value_put(&stored, v);
    buf_varint(&w->out, OP_VALUE << 1);
    buf_varint(&w->out, stored.size);
    buf_put(&w->out, stored.at, stored.size);
    w->out.failed |= stored.failed;
    buf_free(&stored);
}

void changeset_source(struct changeset_writer *w, const char *source) {
    buf_varint(&w->out, OP_SOURCE << 1);
    buf_text(&w->out, source);
}

static uint32_t value_index(struct changeset_writer *w, const struct change *c, uint32_t id) {
    if (c->excluded || id >= w->ids_end)
        return 0;
    if (w->index_of[id] == 0) {
        put_value(w, &c->value);
        w->index_of[id] = ++w->values;
    }
    return w->index_of[id];
}

static bool matches(const struct changeset_heading *h, const struct change *c, uint32_t id) {
    return h->used && h->removed == c->removed && h->stays == c->stays && h->kind == c->kind &&
           h->dataset == c->dataset && h->bits == c->bits && h->value == id;
}

static void select_heading(struct changeset_writer *w, const struct change *c, uint32_t id) {
    if (w->selected < CHANGESET_HEADINGS && matches(&w->heading[w->selected], c, id))
        return;
    for (unsigned i = 0; i < CHANGESET_HEADINGS; i++)
        if (matches(&w->heading[i], c, id)) {
            buf_varint(&w->out, (uint64_t)(OP_SELECT + i) << 1);
            w->selected = i;
            return;
        }
    uint32_t index = value_index(w, c, id);
    w->selected = w->next++ % CHANGESET_HEADINGS;
    w->heading[w->selected] = (struct changeset_heading){.used = true,
                                                         .removed = c->removed,
                                                         .stays = c->stays,
                                                         .kind = (uint8_t)c->kind,
                                                         .dataset = c->dataset,
                                                         .bits = c->bits,
                                                         .value = id};
    buf_varint(&w->out, OP_HEADING << 1);
    buf_u8(&w->out, w->selected);
    buf_u8(&w->out,
           (unsigned)c->kind << HEADING_KIND | (c->removed ? HEADING_REMOVED : 0) | (c->stays ? HEADING_STAYS : 0));
    buf_u8(&w->out, c->dataset);
    buf_u8(&w->out, c->bits);
    buf_varint(&w->out, index);
}

/* IPv4: the difference from the last address, zigzag. IPv6 and names: how many leading bytes stay, then the others. */
void changeset_add(struct changeset_writer *w, const struct change *c, uint32_t id) {
    if (!c->removed && c->until_wall_s != w->until_wall_s) {
        buf_varint(&w->out, OP_UNTIL << 1);
        buf_varint(&w->out, (uint64_t)c->until_wall_s);
        w->until_wall_s = c->until_wall_s;
    }
    select_heading(w, c, c->excluded ? 0 : id);
    struct changeset_heading *h = &w->heading[w->selected];
    if (c->kind == FEED_4) {
        int64_t step = (int64_t)get_u32(c->addr) - (int64_t)get_u32(h->last);
        uint64_t zigzag = (uint64_t)step << 1 ^ (uint64_t)(step >> 63);
        buf_varint(&w->out, zigzag << 1 | 1);
        memcpy(h->last, c->addr, 4);
        return;
    }
    const uint8_t *at = c->kind == FEED_6 ? c->addr : c->name.at;
    size_t size = c->kind == FEED_6 ? addr_size(c->bits) : c->name.size, stay = 0;
    while (stay < size && stay < h->last_size && at[stay] == h->last[stay])
        stay++;
    buf_varint(&w->out, (uint64_t)stay << 1 | 1);
    if (c->kind == FEED_NAMES)
        buf_u8(&w->out, (unsigned)(size - stay));
    buf_put(&w->out, at + stay, size - stay);
    memcpy(h->last, at, size);
    h->last_size = (uint8_t)size;
}

int changeset_read_open(struct changeset_reader *r, struct bytes all) {
    memset(r, 0, sizeof *r);
    r->all = all;
    r->s = scan_of(all);
    r->selected = CHANGESET_HEADINGS;
    r->version = scan_u8(&r->s);
    return r->version >= 1 && r->version <= CHANGESET_VERSION && all.size < UINT32_MAX ? 0 : E_CORRUPT;
}

void changeset_read_close(struct changeset_reader *r) {
    free(r->value_at);
    r->value_at = NULL;
}

/* Version 1: A, whether there is a TXT, its size, TXT. */
static int take_value_1(struct scan *s, struct value *v) {
    memset(v, 0, offsetof(struct value, txt));
    const uint8_t *a = scan_take(s, sizeof v->a);
    uint8_t has = scan_u8(s), size = scan_u8(s);
    const uint8_t *txt = scan_take(s, size);
    if (txt == NULL || has > 1 || (!has && size > 0))
        return E_CORRUPT;
    memcpy(v->a, a, sizeof v->a);
    v->has_txt = has != 0;
    v->txt_size = size;
    memcpy(v->txt, txt, size);
    v->txt[size] = '\0';
    return 0;
}

static int take_value(const struct changeset_reader *r, struct scan *s, struct value *v) {
    if (r->version == 1)
        return take_value_1(s, v);
    size_t size = scan_varint(s);
    const uint8_t *at = scan_take(s, size);
    return at == NULL ? E_CORRUPT : value_take((struct bytes){at, size}, v);
}

static int define_value(struct changeset_reader *r) {
    struct value v;
    uint32_t at = (uint32_t)(r->all.size - r->s.left);
    if (take_value(r, &r->s, &v) < 0)
        return E_CORRUPT;
    if (r->values == r->values_cap) {
        uint32_t cap = r->values_cap == 0 ? 64 : r->values_cap * 2;
        uint32_t *p = realloc(r->value_at, cap * sizeof *p);
        if (p == NULL)
            return E_NOMEM;
        r->value_at = p;
        r->values_cap = cap;
    }
    r->value_at[r->values++] = at;
    return 0;
}

static int define_heading(struct changeset_reader *r) {
    unsigned slot = scan_u8(&r->s);
    struct changeset_heading h = {.used = true};
    uint8_t kind = scan_u8(&r->s);
    h.removed = kind & HEADING_REMOVED;
    h.stays = r->version >= CHANGESET_TIMES && kind & HEADING_STAYS;
    h.kind = (uint8_t)((h.stays ? kind & ~HEADING_STAYS : kind) >> HEADING_KIND);
    h.dataset = scan_u8(&r->s);
    h.bits = scan_u8(&r->s);
    h.value = scan_varint32(&r->s);
    unsigned most = h.kind == FEED_4 ? 32 : h.kind == FEED_6 ? 128 : 1;
    if (r->s.failed || slot >= CHANGESET_HEADINGS || h.kind >= FEED_KINDS || h.bits > most || h.value > r->values ||
        h.dataset >= LIMIT_DATASETS || (h.stays && (h.removed || h.dataset != DATASET_LOCAL)))
        return E_CORRUPT;
    r->heading[slot] = h;
    r->selected = slot;
    return 0;
}

static int read_rest(struct changeset_reader *r, struct changeset_heading *h, uint64_t rest) {
    if (h->kind == FEED_4) {
        int64_t step = (int64_t)(rest >> 1) ^ -(int64_t)(rest & 1);
        int64_t addr = (int64_t)get_u32(h->last) + step;
        if (step > (int64_t)UINT32_MAX || step < -(int64_t)UINT32_MAX || addr < 0 || addr > (int64_t)UINT32_MAX)
            return E_CORRUPT;
        put_u32(h->last, (uint32_t)addr);
        return 0;
    }
    size_t size = h->kind == FEED_6 ? addr_size(h->bits) : rest > 255 ? 256 : rest + scan_u8(&r->s);
    if (rest > h->last_size || rest > size || size >= LIMIT_NAME_WIRE)
        return E_CORRUPT;
    const uint8_t *fresh = scan_take(&r->s, size - rest);
    if (fresh == NULL)
        return E_CORRUPT;
    memcpy(h->last + rest, fresh, size - rest);
    h->last_size = (uint8_t)size;
    return 0;
}

static int fill(struct changeset_reader *r, const struct changeset_heading *h, struct change *c) {
    memset(c, 0, offsetof(struct change, value));
    c->removed = h->removed;
    c->kind = (enum feed_kind)h->kind;
    c->dataset = h->dataset;
    c->bits = h->bits;
    c->excluded = h->value == 0;
    c->stays = h->stays;
    c->until_wall_s = h->removed || h->dataset != DATASET_LOCAL ? 0 : r->until_wall_s;
    if (h->kind == FEED_NAMES) {
        unsigned labels;
        if (meta_labels(h->last, h->last_size, &labels) < 0)
            return E_CORRUPT;
        memcpy(r->name, h->last, h->last_size);
        c->name = (struct bytes){r->name, h->last_size};
    } else {
        memcpy(c->addr, h->last, h->kind == FEED_4 ? 4 : addr_size(h->bits));
    }
    if (c->excluded)
        return 1;
    uint32_t at = r->value_at[h->value - 1];
    struct scan s = {.at = r->all.at + at, .left = r->all.size - at};
    return take_value(r, &s, &c->value) < 0 ? E_CORRUPT : 1;
}

static int take_until(struct changeset_reader *r) {
    uint64_t until = scan_varint(&r->s);
    r->until_wall_s = (int64_t)until;
    return r->s.failed || until > INT64_MAX ? E_CORRUPT : 0;
}

int changeset_next(struct changeset_reader *r, struct change *c) {
    while (r->s.left > 0) {
        uint64_t op = scan_varint(&r->s);
        int rc = r->s.failed ? E_CORRUPT : 0;
        if (rc == 0 && op & 1) {
            struct changeset_heading *h = &r->heading[r->selected];
            if (r->selected >= CHANGESET_HEADINGS || !h->used)
                return E_CORRUPT;
            rc = read_rest(r, h, op >> 1);
            return rc < 0 ? rc : fill(r, h, c);
        }
        if (rc == 0 && op >> 1 == OP_VALUE)
            rc = define_value(r);
        else if (rc == 0 && op >> 1 == OP_HEADING)
            rc = define_heading(r);
        else if (rc == 0 && (op >> 1) - OP_SELECT < CHANGESET_HEADINGS)
            r->selected = (unsigned)((op >> 1) - OP_SELECT);
        else if (rc == 0 && op >> 1 == OP_SOURCE && r->version > 1)
            scan_text(&r->s, r->source, sizeof r->source);
        else if (rc == 0 && op >> 1 == OP_UNTIL && r->version >= CHANGESET_TIMES)
            rc = take_until(r);
        else
            rc = E_CORRUPT;
        if (rc == 0 && r->s.failed)
            rc = E_CORRUPT;
        if (rc < 0)
            return rc;
    }
    return 0;
}
