/* The bucket codec and the changeset: round trips, searches against a plain list, and hostile bytes. */
#include "tests/unit/rbl/keep/zone.h"

#include "rbl/keep/changeset.h"
#include "rbl/keep/group.h"
#include "rbl/keep/journal.h"

static const struct level *any_level(void) {
    const struct levels *l = &bucket_levels[any(2)];
    return &l->at[any(l->count)];
}

static struct item any_item(const struct level *lv, unsigned values, unsigned spread) {
    struct item i = {.bits = (uint8_t)(lv->low + any(lv->high - lv->low + 1u)), .value = any(values)};
    if (any(3) == 0)
        i.bits = lv->high;
    uint64_t x = (uint64_t)any(0) << 32 | any(0);
    i.suffix = (lv->width == 2 ? any(spread) : any(2) ? x : x & 0xff) & bucket_mask(lv, i.bits);
    return i;
}

static void fill(struct items *list, const struct level *lv, unsigned n, unsigned values, unsigned spread) {
    list->count = 0;
    for (unsigned i = 0; i < n; i++) {
        struct item one = any_item(lv, values, spread);
        assert_int_equal(items_add(list, &one), 0);
    }
    items_sort(list);
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++)
        if (i == 0 || item_compare(&list->at[kept - 1], &list->at[i]) != 0)
            list->at[kept++] = list->at[i];
    list->count = kept;
}

static void shuffle(struct items *list) {
    for (size_t i = list->count; i > 1; i--) {
        size_t k = any((uint32_t)i);
        struct item t = list->at[i - 1];
        list->at[i - 1] = list->at[k];
        list->at[k] = t;
    }
}

static const unsigned counts[] = {1, 2, 5, 60, 700, 20000};
static const unsigned values[] = {1, 2, 4, 5, 300, 70000, 20000000};

static void round_trips(void **state) {
    (void)state;
    for (unsigned round = 0; round < 600; round++) {
        const struct level *lv = any_level();
        struct items list = {0}, back = {0};
        struct buf a = {0}, b = {0};
        fill(&list, lv, counts[any(ARRAY_SIZE(counts))], values[any(ARRAY_SIZE(values))], any(2) ? 65536 : 300);
        assert_int_equal(bucket_encode(&a, lv, &list), 0);
        shuffle(&list);
        assert_int_equal(bucket_encode(&b, lv, &list), 0);
        assert_int_equal(a.size, b.size); /* one encoding whatever the order */
        assert_memory_equal(a.at, b.at, a.size);
        assert_int_equal(bucket_decode(buf_bytes(&a), lv, &back), 0);
        items_sort(&back);
        assert_int_equal(back.count, list.count);
        for (size_t i = 0; i < back.count; i++)
            assert_int_equal(item_compare(&back.at[i], &list.at[i]), 0);
        items_free(&list);
        items_free(&back);
        buf_free(&a);
        buf_free(&b);
    }
}

static void encode_refuses(void **state) {
    (void)state;
    const struct level *lv = &bucket_levels[KIND4].at[1];
    const struct item bad[][2] = {
        {{.suffix = 1, .bits = 32, .value = 1}, {.suffix = 1, .bits = 32, .value = 1}},
        {{.suffix = 1, .bits = 31, .value = 1}, {.suffix = 0, .bits = 31, .value = 1}},
        {{.suffix = 0x10000, .bits = 32, .value = 1}, {.suffix = 0, .bits = 31, .value = 1}},
        {{.suffix = 0, .bits = 16, .value = 1}, {.suffix = 0, .bits = 31, .value = 1}},
        {{.suffix = 0, .bits = 33, .value = 1}, {.suffix = 0, .bits = 31, .value = 1}},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        struct items list = {0};
        struct buf to = {0};
        assert_int_equal(items_add(&list, &bad[i][0]), 0);
        assert_int_equal(items_add(&list, &bad[i][1]), 0);
        assert_int_equal(bucket_encode(&to, lv, &list), E_INVALID);
        items_free(&list);
        buf_free(&to);
    }
}

static size_t encoded(const struct level *lv, struct items *list) {
    struct buf to = {0};
    assert_int_equal(bucket_encode(&to, lv, list), 0);
    size_t n = to.size;
    buf_free(&to);
    return n;
}

/* The sizes that the format promises. */
static void is_small(void **state) {
    (void)state;
    const struct level *lv = &bucket_levels[KIND4].at[1];
    struct items list = {0};
    struct item one = {.bits = 32, .value = 1};
    for (unsigned i = 0; i < 1 << 16; i++) {
        one.suffix = i;
        assert_int_equal(items_add(&list, &one), 0);
        if (i == 0)
            assert_true(encoded(lv, &list) <= 5);
        if (i == 151)
            assert_true(encoded(lv, &list) <= 2 * 152 + 5);
    }
    assert_true(encoded(lv, &list) <= GROUP_BITMAP_BYTES + 6);
    list.count = GROUP_ARRAY_MAX;
    assert_int_equal(encoded(lv, &list), 2 * GROUP_ARRAY_MAX + 4);
    items_free(&list);
}

static bool matches(const struct match *m, unsigned n, struct match one) {
    for (unsigned i = 0; i < n; i++)
        if (m[i].value == one.value && m[i].bits == one.bits)
            return true;
    return false;
}

static void check_find(const struct items *list, struct bytes b, const struct level *lv, uint64_t x,
                       enum bucket_find how) {
    struct match want[2048], got[2048];
    unsigned best = 0, n = 0, count = 0;
    bool excluded = false;
    for (size_t i = 0; i < list->count; i++) {
        const struct item *it = &list->at[i];
        if ((x & bucket_mask(lv, it->bits)) != it->suffix)
            continue;
        unsigned rank = 1u + (how == FIND_CLASS ? entry_class4(it->bits) : it->bits);
        if (rank > best) {
            n = 0;
            excluded = false;
        }
        best = rank > best ? rank : best;
        if (rank == best && n < ARRAY_SIZE(want)) {
            want[n++] = (struct match){it->value, it->bits};
            excluded |= it->value == 0;
        }
    }
    assert_int_equal(bucket_find(b, lv, x, how, got, ARRAY_SIZE(got), &count), 0);
    assert_int_equal(count, n);
    for (unsigned i = 0; i < n; i++)
        assert_true(matches(got, n, want[i]));
    if (excluded)
        assert_int_equal(got[0].value, 0);
    for (unsigned cap = 1; cap < 4; cap++) { /* no room for all: as many as fit, an exclusion never lost */
        count = 0;
        assert_int_equal(bucket_find(b, lv, x, how, got, cap, &count), 0);
        assert_int_equal(count, n < cap ? n : cap);
        if (excluded)
            assert_int_equal(got[0].value, 0);
    }
}

static void searches(void **state) {
    (void)state;
    for (unsigned round = 0; round < 300; round++) {
        const struct level *lv = any_level();
        struct items list = {0};
        struct buf b = {0};
        fill(&list, lv, counts[any(5)], values[any(4)], any(2) ? 65536 : 300);
        assert_int_equal(bucket_encode(&b, lv, &list), 0);
        for (unsigned q = 0; q < 50; q++) {
            uint64_t x = q % 2 ? list.at[any((uint32_t)list.count)].suffix | any(4) : any_item(lv, 1, 65536).suffix;
            check_find(&list, buf_bytes(&b), lv, x, q % 4 < 2 && lv->width == 2 ? FIND_CLASS : FIND_LONGEST);
            unsigned bits = lv->level + any(lv->width * 8u + 1u);
            bool touches = false;
            for (size_t i = 0; i < list.count; i++) {
                uint64_t mask = bucket_mask(lv, list.at[i].bits < bits ? list.at[i].bits : bits);
                touches |= ((list.at[i].suffix ^ x) & mask & (lv->width == 2 ? 0xffff : UINT64_MAX)) == 0;
            }
            assert_int_equal(bucket_touches(buf_bytes(&b), lv, x, bits), touches);
        }
        items_free(&list);
        buf_free(&b);
    }
}

static void poke(struct bytes b, const struct level *lv) {
    /* a copy of exactly this size, so that one byte too far is seen by the sanitizer */
    uint8_t *at = malloc(b.size > 0 ? b.size : 1);
    struct items list = {0};
    struct match m[8];
    memcpy(at, b.at, b.size);
    b.at = at;
    int rc = bucket_decode(b, lv, &list);
    assert_true(rc == 0 || rc == E_CORRUPT);
    if (rc == 0) { /* then it is what the encoder writes, but for the choice of groups */
        struct buf to = {0};
        assert_int_equal(bucket_encode(&to, lv, &list), 0);
        buf_free(&to);
    }
    for (unsigned q = 0; q < 4; q++) {
        unsigned count = 0;
        uint64_t x = any_item(lv, 1, 65536).suffix;
        rc = bucket_find(b, lv, x, q % 2 ? FIND_CLASS : FIND_LONGEST, m, ARRAY_SIZE(m), &count);
        assert_true((rc == 0 || rc == E_CORRUPT) && count <= ARRAY_SIZE(m));
        rc = bucket_touches(b, lv, x, lv->level + any(17));
        assert_true(rc == 0 || rc == 1 || rc == E_CORRUPT);
    }
    items_free(&list);
    free(at);
}

static void hostile_bytes(void **state) {
    (void)state;
    for (unsigned round = 0; round < 40; round++) {
        const struct level *lv = any_level();
        struct items list = {0};
        struct buf b = {0};
        fill(&list, lv, round < 2 ? 20000 : 1 + any(60), values[any(ARRAY_SIZE(values))], 65536);
        assert_int_equal(bucket_encode(&b, lv, &list), 0);
        for (size_t cut = 0; cut < b.size && cut < 2000; cut++)
            poke((struct bytes){b.at, cut}, lv);
        for (unsigned flip = 0; flip < 400; flip++) {
            size_t at = any((uint32_t)b.size);
            uint8_t was = b.at[at];
            b.at[at] ^= (uint8_t)(1u << any(8));
            poke(buf_bytes(&b), lv);
            b.at[at] = was;
        }
        for (unsigned i = 0; i < 200; i++) {
            uint8_t noise[64];
            for (unsigned k = 0; k < sizeof noise; k++)
                noise[k] = (uint8_t)any(0);
            noise[0] = lv->high;
            poke((struct bytes){noise, any(sizeof noise)}, any(2) ? lv : any_level());
        }
        items_free(&list);
        buf_free(&b);
    }
}

/* A cut inside a group is always told; between groups the bytes are a smaller bucket. */
static void cuts_are_told(void **state) {
    (void)state;
    const struct level *lv = &bucket_levels[KIND4].at[1];
    struct items list = {0}, back = {0};
    struct buf b = {0};
    struct match m[8];
    fill(&list, lv, 50, 1, 65536);
    list.count = 0;
    struct item one = {.bits = 32, .value = 9};
    for (unsigned i = 0; i < 50; i++) {
        one.suffix = i * 7;
        assert_int_equal(items_add(&list, &one), 0);
    }
    assert_int_equal(bucket_encode(&b, lv, &list), 0);
    for (size_t cut = 1; cut < b.size; cut++) {
        unsigned count = 0;
        assert_int_equal(bucket_decode((struct bytes){b.at, cut}, lv, &back), E_CORRUPT);
        assert_int_equal(bucket_find((struct bytes){b.at, cut}, lv, 7, FIND_LONGEST, m, 8, &count), E_CORRUPT);
    }
    items_free(&list);
    items_free(&back);
    buf_free(&b);
}

/* --- changesets --- */

static struct change any_change(uint32_t *id, uint8_t name[LIMIT_NAME_WIRE]) {
    struct change c = {.removed = any(2), .kind = (enum feed_kind)any(FEED_KINDS), .dataset = (uint8_t)any(3)};
    *id = any(80);
    c.excluded = *id == 0;
    c.value.a[3] = (uint8_t)*id;
    c.value.has_txt = *id % 2;
    c.value.txt_size = c.value.has_txt ? (uint8_t)*id : 0;
    memset(c.value.txt, 'a', c.value.txt_size);
    uint32_t a = any(0);
    if (c.kind == FEED_4) {
        c.bits = (uint8_t)any(33);
        put_u32(c.addr, any(4) == 0 ? UINT32_MAX : any(4) == 0 ? 0 : a);
    } else if (c.kind == FEED_6) {
        c.bits = (uint8_t)any(129);
        for (unsigned i = 0; i < (c.bits + 7u) / 8; i++)
            c.addr[i] = (uint8_t)any(3);
    } else {
        size_t n = 0;
        c.bits = (uint8_t)any(2);
        for (unsigned labels = any(5); labels > 0; labels--) {
            unsigned size = 1 + any(20);
            name[n++] = (uint8_t)size;
            for (unsigned i = 0; i < size; i++)
                name[n++] = (uint8_t)('a' + any(2));
        }
        c.name = (struct bytes){name, n};
    }
    return c;
}

static void same_change(const struct change *a, const struct change *b) {
    assert_int_equal(a->removed, b->removed);
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->dataset, b->dataset);
    assert_int_equal(a->bits, b->bits);
    assert_int_equal(a->excluded, b->excluded);
    assert_memory_equal(a->addr, b->addr, 16);
    assert_int_equal(a->name.size, b->name.size);
    if (a->name.size > 0)
        assert_memory_equal(a->name.at, b->name.at, a->name.size);
    if (a->excluded)
        return;
    assert_memory_equal(a->value.a, b->value.a, 4);
    assert_int_equal(a->value.has_txt, b->value.has_txt);
    assert_int_equal(a->value.txt_size, b->value.txt_size);
    assert_memory_equal(a->value.txt, b->value.txt, a->value.txt_size);
}

static void read_all(struct bytes b) {
    uint8_t *at = malloc(b.size > 0 ? b.size : 1);
    memcpy(at, b.at, b.size);
    b.at = at;
    struct changeset_reader r;
    struct change c;
    int rc = changeset_read_open(&r, b);
    while (rc == 0 && (rc = changeset_next(&r, &c)) > 0)
        rc = 0;
    assert_true(rc == 0 || rc == E_CORRUPT);
    changeset_read_close(&r);
    free(at);
}

static void changesets(void **state) {
    (void)state;
    enum { MANY = 3000 };
    static struct change list[MANY];
    static uint8_t names[MANY][LIMIT_NAME_WIRE];
    for (unsigned round = 0; round < 8; round++) {
        struct changeset_writer w;
        struct changeset_reader r;
        struct change c;
        unsigned n = round == 0 ? 0 : any(MANY);
        assert_int_equal(changeset_open(&w, 100), 0);
        for (unsigned i = 0; i < n; i++) {
            uint32_t id;
            list[i] = any_change(&id, names[i]);
            changeset_add(&w, &list[i], id);
        }
        assert_false(w.out.failed);
        assert_int_equal(changeset_read_open(&r, buf_bytes(&w.out)), 0);
        for (unsigned i = 0; i < n; i++) {
            assert_int_equal(changeset_next(&r, &c), 1);
            same_change(&c, &list[i]);
        }
        assert_int_equal(changeset_next(&r, &c), 0);
        changeset_read_close(&r);
        for (unsigned flip = 0; flip < 500; flip++) {
            size_t at = any((uint32_t)w.out.size);
            uint8_t was = w.out.at[at];
            w.out.at[at] ^= (uint8_t)(1 + any(255));
            read_all(buf_bytes(&w.out));
            w.out.at[at] = was;
            read_all((struct bytes){w.out.at, any((uint32_t)w.out.size)});
        }
        changeset_close(&w);
    }
}

/* A thousand scattered addresses of one value must not cost much more than their addresses. */
static void changesets_are_small(void **state) {
    (void)state;
    struct changeset_writer w;
    uint32_t at = 0;
    assert_int_equal(changeset_open(&w, 2), 0);
    for (unsigned i = 0; i < 1000; i++) {
        struct change c = {.kind = FEED_4, .bits = 32, .removed = any(2)};
        put_u32(c.addr, at += any(1 << 23));
        changeset_add(&w, &c, 1);
    }
    assert_true(w.out.size < 6000);
    changeset_close(&w);
}

static void journal_headers(void **state) {
    (void)state;
    struct journal_header h = {.flags = JOURNAL_BULK,
                               .from_serial = 1,
                               .to_serial = 2,
                               .wall_s = -5,
                               .added = 3,
                               .removed = 4,
                               .entries = 5,
                               .before = {6, 7},
                               .after = {8, 9},
                               .chunks = 10,
                               .bytes = 11,
                               .source = "files",
                               .reason = "because"},
                          back;
    struct buf b = {0};
    memset(&back, 0, sizeof back);
    journal_write_header(&b, &h);
    assert_int_equal(journal_read_header(buf_bytes(&b), &back), 0);
    assert_string_equal(back.source, h.source);
    assert_string_equal(back.reason, h.reason);
    assert_int_equal(back.wall_s, -5);
    assert_memory_equal(&back.after, &h.after, sizeof h.after);
    for (size_t cut = 0; cut < b.size; cut++)
        assert_int_equal(journal_read_header((struct bytes){b.at, cut}, &back), E_CORRUPT);
    b.at[0]++;
    assert_int_equal(journal_read_header(buf_bytes(&b), &back), E_CORRUPT);
    buf_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips), cmocka_unit_test(encode_refuses),       cmocka_unit_test(is_small),
        cmocka_unit_test(searches),    cmocka_unit_test(hostile_bytes),        cmocka_unit_test(cuts_are_told),
        cmocka_unit_test(changesets),  cmocka_unit_test(changesets_are_small), cmocka_unit_test(journal_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
