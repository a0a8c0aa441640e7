#include "rbl/keep/group.h"
#include "rbl/keep/stream_wire.h"

/* Buckets: keys and numbers of groups; heads of groups; lower, upper octets of the gaps between suffixes; what stands
 * as it is. Names: how they begin and how many values they have; octets; values. */
enum { COLUMN_KEYS, COLUMN_HEADS, COLUMN_LOW, COLUMN_HIGH, COLUMN_RAW };
enum { COLUMN_NAMES, COLUMN_TEXT, COLUMN_ITEMS, NAME_COLUMNS };

void stream_put_about(struct buf *to, const struct stream_about *a) {
    buf_u32(to, STREAM_MAGIC);
    buf_u8(to, STREAM_VERSION);
    buf_u8(to, a->h.snapshot);
    buf_u32(to, a->h.from_serial);
    buf_u32(to, a->h.to_serial);
    buf_u64(to, a->h.from.hi);
    buf_u64(to, a->h.from.lo);
    buf_u64(to, a->h.to.hi);
    buf_u64(to, a->h.to.lo);
    buf_u64(to, a->h.commits);
    buf_u64(to, a->h.entries);
    buf_u64(to, (uint64_t)a->h.committed_wall_s);
    buf_u64(to, (uint64_t)a->timestamp_wall_s);
    buf_u64(to, (uint64_t)a->expires_wall_s);
}

int stream_take_about(struct scan *s, struct stream_about *a) {
    memset(a, 0, sizeof *a);
    uint32_t magic = scan_u32(s);
    uint8_t version = scan_u8(s), kind = scan_u8(s);
    a->h.snapshot = kind == 1;
    a->h.from_serial = scan_u32(s);
    a->h.to_serial = scan_u32(s);
    a->h.from.hi = scan_u64(s);
    a->h.from.lo = scan_u64(s);
    a->h.to.hi = scan_u64(s);
    a->h.to.lo = scan_u64(s);
    a->h.commits = scan_u64(s);
    a->h.entries = scan_u64(s);
    a->h.committed_wall_s = (int64_t)scan_u64(s);
    a->timestamp_wall_s = (int64_t)scan_u64(s);
    a->expires_wall_s = (int64_t)scan_u64(s);
    if (s->failed || magic != STREAM_MAGIC || kind > 1)
        return E_INVALID;
    return version == STREAM_VERSION ? 0 : E_UNSUPPORTED;
}

void stream_frame_begin(struct buf *to, enum stream_frame what, size_t *at) {
    *at = to->size;
    buf_u8(to, what);
    buf_u32(to, 0);
}

void stream_frame_end(struct buf *to, size_t at) {
    if (!to->failed)
        put_u32(to->at + at + 1, (uint32_t)(to->size - at - STREAM_FRAME_HEAD));
}

void stream_block_free(struct stream_block *b) {
    for (unsigned i = 0; i < STREAM_COLUMNS; i++)
        buf_free(&b->column[i]);
}

void stream_block_reset(struct stream_block *b) {
    for (unsigned i = 0; i < STREAM_COLUMNS; i++)
        b->column[i].size = 0;
    b->records = 0;
    b->last_key = 0;
    b->last_size = 0;
}

size_t stream_block_size(const struct stream_block *b) {
    size_t size = 0;
    for (unsigned i = 0; i < STREAM_COLUMNS; i++)
        size += b->column[i].size;
    return size;
}

static void pack_suffixes(struct stream_block *b, const struct level *lv, const struct group *g) {
    if (lv->width != 2) {
        for (uint64_t i = 0, last = 0; i < g->count; i++) {
            uint64_t suffix = group_suffix(g, lv->width, (uint32_t)i);
            buf_varint(&b->column[COLUMN_RAW], suffix - last);
            last = suffix;
        }
        return;
    }
    uint8_t *low = buf_take(&b->column[COLUMN_LOW], g->count), *high = buf_take(&b->column[COLUMN_HIGH], g->count);
    unsigned last = 0;
    for (uint32_t i = 0; i < g->count && low != NULL && high != NULL; i++) {
        unsigned suffix = get_u16(g->suffixes + 2 * (size_t)i), gap = suffix - last;
        low[i] = (uint8_t)gap;
        high[i] = (uint8_t)(gap >> 8);
        last = suffix;
    }
}

static int pack_bucket(struct stream_block *b, const struct level *lv, struct bytes bucket) {
    struct buf *heads = &b->column[COLUMN_HEADS], *raw = &b->column[COLUMN_RAW];
    struct scan s = scan_of(bucket);
    struct group g;
    uint64_t groups = 0;
    int rc;
    while ((rc = group_next(&s, lv, &g)) > 0) {
        groups++;
        buf_u8(heads, g.bits);
        buf_varint(heads, (uint64_t)(g.count - 1) << 2 | g.form);
        if (g.form == GROUP_MIXED)
            buf_u8(heads, g.value_width);
        else
            buf_varint(heads, g.value);
        if (g.form == GROUP_BITMAP)
            buf_put(raw, g.suffixes, GROUP_BITMAP_BYTES);
        else
            pack_suffixes(b, lv, &g);
        if (g.form == GROUP_MIXED)
            buf_put(raw, g.values, (size_t)g.count * g.value_width);
    }
    buf_varint(&b->column[COLUMN_KEYS], groups);
    return rc < 0 || groups == 0 ? E_CORRUPT : 0;
}

static uint64_t key_number(const uint8_t *at, size_t size) {
    uint64_t n = 0;
    for (size_t i = 0; i < size; i++)
        n = n << 8 | at[i];
    return n;
}

static int pack_prefixes(struct stream_block *b, enum bucket_kind kind, struct bytes key, struct bytes record) {
    const struct levels *levels = &bucket_levels[kind];
    unsigned level = 0;
    while (level < levels->count && (key.size < 2 || levels->at[level].level != key.at[1]))
        level++;
    if (level == levels->count || key.size != 2u + levels->at[level].level / 8u || key.at[0] >= LIMIT_DATASETS)
        return E_CORRUPT;
    if (b->records > 0 && (b->kind != kind || b->dataset != key.at[0] || b->level != level))
        return 0;
    b->kind = (uint8_t)kind;
    b->dataset = key.at[0];
    b->level = (uint8_t)level;
    uint64_t number = key_number(key.at + 2, key.size - 2);
    if (b->records > 0 && number <= b->last_key)
        return E_CORRUPT;
    buf_varint(&b->column[COLUMN_KEYS], number - b->last_key);
    b->last_key = number;
    b->records++;
    int rc = pack_bucket(b, &levels->at[level], record);
    return rc < 0 ? rc : 1;
}

static int pack_name(struct stream_block *b, struct bytes key, struct bytes record) {
    struct scan s = scan_of(record);
    struct name_item item;
    uint64_t items = 0;
    size_t stay = 0;
    int more;
    if (key.size == 0 || key.size > sizeof b->last || key.at[0] >= LIMIT_DATASETS)
        return E_CORRUPT;
    if (b->records > 0 && b->dataset != key.at[0])
        return 0;
    b->dataset = key.at[0];
    b->kind = FEED_NAMES;
    while (stay < key.size - 1 && stay < b->last_size && key.at[1 + stay] == b->last[stay])
        stay++;
    while ((more = name_item_next(&s, &item)) > 0)
        items++;
    if (more < 0 || items == 0)
        return E_CORRUPT;
    size_t rest = key.size - 1 - stay;
    buf_u8(&b->column[COLUMN_NAMES], (unsigned)stay);
    buf_u8(&b->column[COLUMN_NAMES], (unsigned)rest);
    buf_varint(&b->column[COLUMN_NAMES], items);
    buf_put(&b->column[COLUMN_TEXT], key.at + 1 + stay, rest);
    buf_put(&b->column[COLUMN_ITEMS], record.at, record.size);
    memcpy(b->last, key.at + 1, key.size - 1);
    b->last_size = key.size - 1;
    b->records++;
    return 1;
}

int stream_pack(struct stream_block *b, unsigned table, struct bytes key, struct bytes record) {
    int rc = table == TABLE_NAMES ? pack_name(b, key, record)
                                  : pack_prefixes(b, (enum bucket_kind)(table - TABLE_4), key, record);
    for (unsigned i = 0; i < STREAM_COLUMNS && rc >= 0; i++)
        if (b->column[i].failed)
            rc = E_NOMEM;
    return rc;
}
_Static_assert(TABLE_6 == TABLE_4 + KIND6 && FEED_KEY_MAX - 1 <= 255, "one table per kind; sizes of names are octets");

void stream_block_put(struct buf *to, const struct stream_block *b) {
    bool names = b->kind == FEED_NAMES;
    size_t at;
    stream_frame_begin(to, names ? FRAME_NAMES : FRAME_BUCKETS, &at);
    buf_u8(to, b->dataset);
    if (!names) {
        buf_u8(to, b->kind);
        buf_u8(to, b->level);
    }
    buf_varint(to, b->records);
    for (unsigned i = 0; i < (names ? NAME_COLUMNS : STREAM_COLUMNS); i++) {
        buf_varint(to, b->column[i].size);
        buf_put(to, b->column[i].at, b->column[i].size);
    }
    stream_frame_end(to, at);
}

int stream_unblock_open(struct stream_unblock *u, bool names, struct bytes frame) {
    struct scan s = scan_of(frame);
    memset(u, 0, sizeof *u);
    u->names = names;
    u->dataset = scan_u8(&s);
    u->kind = names ? FEED_NAMES : scan_u8(&s);
    uint8_t level = names ? 0 : scan_u8(&s);
    u->left = scan_varint(&s);
    for (unsigned i = 0; i < (names ? NAME_COLUMNS : STREAM_COLUMNS); i++) {
        uint64_t size = scan_varint(&s);
        const uint8_t *at = scan_take(&s, size);
        u->column[i] = (struct scan){.at = at, .left = at != NULL ? size : 0};
    }
    if (s.failed || s.left != 0 || u->dataset >= LIMIT_DATASETS || u->left == 0 || u->left > frame.size)
        return E_CORRUPT;
    if (names)
        return 0;
    if (u->kind > KIND6 || level >= bucket_levels[u->kind].count)
        return E_CORRUPT;
    u->lv = &bucket_levels[u->kind].at[level];
    return 0;
}

void stream_unblock_close(struct stream_unblock *u) { buf_free(&u->record); }

static int unpack_suffixes(struct stream_unblock *u, uint64_t count) {
    unsigned width = u->lv->width;
    if (width != 2) {
        uint64_t suffix = 0;
        for (uint64_t i = 0; i < count && !u->column[COLUMN_RAW].failed; i++) {
            suffix += scan_varint(&u->column[COLUMN_RAW]);
            buf_u64(&u->record, suffix);
        }
        return u->column[COLUMN_RAW].failed ? E_CORRUPT : 0;
    }
    const uint8_t *low = scan_take(&u->column[COLUMN_LOW], count), *high = scan_take(&u->column[COLUMN_HIGH], count);
    uint8_t *to = low != NULL && high != NULL ? buf_take(&u->record, count * 2) : NULL;
    if (low == NULL || high == NULL)
        return E_CORRUPT;
    unsigned suffix = 0;
    for (uint64_t i = 0; i < count && to != NULL; i++) {
        suffix += (unsigned)high[i] << 8 | low[i];
        put_u16(to + 2 * i, (uint16_t)suffix);
    }
    return 0;
}

static int unpack_group(struct stream_unblock *u) {
    struct scan *heads = &u->column[COLUMN_HEADS], *raw = &u->column[COLUMN_RAW];
    uint8_t bits = scan_u8(heads);
    uint64_t head = scan_varint(heads), count = (head >> 2) + 1;
    unsigned form = head & 3;
    uint64_t value = form == GROUP_MIXED ? scan_u8(heads) : scan_varint(heads);
    if (heads->failed || form > GROUP_MIXED || count > STREAM_FRAME_MAX || (form == GROUP_MIXED && value > 4))
        return E_CORRUPT;
    buf_u8(&u->record, bits);
    buf_varint(&u->record, head);
    buf_varint(&u->record, value);
    u->members += count;
    int rc = 0;
    if (form != GROUP_BITMAP)
        rc = unpack_suffixes(u, count);
    size_t as_is = form == GROUP_BITMAP ? GROUP_BITMAP_BYTES : form == GROUP_MIXED ? (size_t)(count * value) : 0;
    const uint8_t *at = rc == 0 ? scan_take(raw, as_is) : NULL;
    if (rc == 0 && at == NULL && as_is > 0)
        rc = E_CORRUPT;
    if (rc == 0)
        buf_put(&u->record, at, as_is);
    return rc;
}

static int unpack_bucket(struct stream_unblock *u) {
    struct scan *keys = &u->column[COLUMN_KEYS];
    uint8_t addr[16] = {0};
    size_t size = u->lv->level / 8u;
    uint64_t gap = scan_varint(keys), groups = scan_varint(keys), number = u->last_key + gap;
    if (keys->failed || number < u->last_key || (size < 8 && number >> 8 * size != 0) || groups == 0)
        return E_CORRUPT;
    u->last_key = number;
    for (size_t i = 0; i < size; i++)
        addr[i] = (uint8_t)(number >> 8 * (size - 1 - i));
    u->key_size = bucket_key(u->key, u->dataset, u->lv, addr);
    int rc = 0;
    for (uint64_t i = 0; i < groups && rc == 0; i++)
        rc = unpack_group(u);
    return rc;
}

static int unpack_name(struct stream_unblock *u) {
    struct scan *names = &u->column[COLUMN_NAMES], *items = &u->column[COLUMN_ITEMS];
    size_t stay = scan_u8(names), rest = scan_u8(names), had = u->key_size > 0 ? u->key_size - 1 : 0;
    uint64_t count = scan_varint(names);
    const uint8_t *text = scan_take(&u->column[COLUMN_TEXT], rest), *from = items->at;
    struct name_item item;
    if (names->failed || text == NULL || stay > had || 1 + stay + rest > sizeof u->key || count == 0)
        return E_CORRUPT;
    u->key[0] = u->dataset;
    memcpy(u->key + 1 + stay, text, rest);
    u->key_size = 1 + stay + rest;
    for (uint64_t i = 0; i < count; i++)
        if (name_item_next(items, &item) <= 0)
            return E_CORRUPT;
    buf_put(&u->record, from, (size_t)(items->at - from));
    u->members += count;
    return 0;
}

int stream_unpack(struct stream_unblock *u) {
    u->record.size = 0;
    if (u->left == 0) {
        for (unsigned i = 0; i < STREAM_COLUMNS; i++)
            if (u->column[i].left != 0)
                return E_CORRUPT;
        return 0;
    }
    u->left--;
    int rc = u->names ? unpack_name(u) : unpack_bucket(u);
    if (rc == 0 && u->record.failed)
        rc = E_NOMEM;
    return rc < 0 ? rc : 1;
}
