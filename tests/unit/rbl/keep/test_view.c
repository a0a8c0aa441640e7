/* What a view answers, against a model that asks every entry. */
#include "tests/unit/rbl/keep/zone.h"

#include <sys/stat.h>

static bool covers4(const struct entry4 *e, uint32_t a) { return e->bits == 0 || (e->addr ^ a) >> (32 - e->bits) == 0; }

static bool covers(const uint8_t *net, unsigned bits, const uint8_t *a) {
    if (memcmp(net, a, bits / 8) != 0)
        return false;
    return bits % 8 == 0 || (net[bits / 8] ^ a[bits / 8]) >> (8 - bits % 8) == 0;
}

struct answer {
    unsigned count;
    struct value value[256];
};

static void put_answer(struct answer *all, const struct data *d, const uint32_t *values, unsigned n) {
    for (unsigned i = 0; i < n; i++)
        if (values[i] == VALUE_EXCLUDED)
            return;
    for (unsigned i = 0; i < n; i++)
        value_copy(&all->value[all->count++], &d->value[values[i]]);
}

static void model4(const struct data *d, unsigned ds, uint32_t a, struct answer *all) {
    bool set = d->dataset[ds].type == DATASET_IP4SET || d->dataset[ds].type == DATASET_IP4TSET;
    uint32_t values[256];
    unsigned best = 0, n = 0;
    for (size_t i = 0; i < d->n4; i++) {
        const struct entry4 *e = &d->e4[i];
        if (e->dataset != ds || !covers4(e, a))
            continue;
        unsigned rank = 1 + (set ? entry_class4(e->bits) : e->bits);
        if (rank > best)
            n = 0;
        best = rank > best ? rank : best;
        if (rank == best)
            values[n++] = e->value;
    }
    put_answer(all, d, values, n);
}

static void model6(const struct data *d, unsigned ds, const uint8_t *a, struct answer *all) {
    uint32_t values[256];
    unsigned best = 0, n = 0;
    for (size_t i = 0; i < d->n6; i++) {
        const struct entry6 *e = &d->e6[i];
        if (e->dataset != ds || !covers(e->addr, e->bits, a))
            continue;
        if (e->bits + 1u > best)
            n = 0;
        best = e->bits + 1u > best ? e->bits + 1u : best;
        if (e->bits + 1u == best)
            values[n++] = e->value;
    }
    put_answer(all, d, values, n);
}

/* Labels of a reversed name as the model sees it: is `parent` the name itself (0), above it (1) or neither (-1)? */
static int relation(const struct entry_name *e, const uint8_t *name, size_t size) {
    if (e->size > size || memcmp(e->name, name, e->size) != 0)
        return -1;
    return e->size < size;
}

static void model_name(const struct data *d, unsigned ds, const uint8_t *name, size_t size, struct answer *all) {
    uint32_t values[256];
    unsigned best = 0, n = 0;
    for (size_t i = 0; i < d->nn; i++) {
        const struct entry_name *e = &d->en[i];
        int r = relation(e, name, size);
        if (e->dataset != ds || r < 0 || (r == 0) == e->wildcard)
            continue;
        unsigned rank = e->wildcard ? 1u + e->size : 1000;
        if (rank > best)
            n = 0;
        best = rank > best ? rank : best;
        if (rank == best)
            values[n++] = e->value;
    }
    put_answer(all, d, values, n);
}

static int compare_values(const void *a, const void *b) { return memcmp(a, b, sizeof(struct value)); }

static void same_answer(struct view *v, struct answer *want, const struct view_hit *hit, unsigned hits,
                        const char *what) {
    struct answer got = {.count = hits};
    if (hits != want->count && want->count <= LIMIT_ANSWER_RRS)
        fail_msg("%s: %u hits, the model says %u", what, hits, want->count);
    for (unsigned i = 0; i < hits; i++) {
        memset(&got.value[i], 0, sizeof got.value[i]);
        assert_int_equal(view_value(v, hit[i].value, &got.value[i]), 0);
        memset(got.value[i].txt + got.value[i].txt_size, 0, sizeof got.value[i].txt - got.value[i].txt_size);
    }
    qsort(got.value, hits, sizeof got.value[0], compare_values);
    qsort(want->value, want->count, sizeof want->value[0], compare_values);
    for (unsigned i = 0; i < hits && want->count <= LIMIT_ANSWER_RRS; i++)
        if (memcmp(&got.value[i], &want->value[i], sizeof got.value[i]) != 0)
            fail_msg("%s: another value", what);
}

static void ask4(struct view *v, const struct data *d, uint32_t a) {
    struct answer want = {0};
    struct view_hit hit[LIMIT_ANSWER_RRS];
    unsigned hits;
    char what[32];
    for (unsigned ds = 0; ds < d->dataset_count; ds++)
        model4(d, ds, a, &want);
    assert_int_equal(view_find4(v, VIEW_ALL, a, hit, &hits), 0);
    snprintf(what, sizeof what, "%u.%u.%u.%u", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
    same_answer(v, &want, hit, hits, what);
    for (unsigned bits = 0; bits <= 32; bits += 8) {
        bool below, expect = false;
        for (size_t i = 0; i < d->n4; i++) {
            unsigned common = d->e4[i].bits < bits ? d->e4[i].bits : bits;
            expect |= common == 0 || (d->e4[i].addr ^ a) >> (32 - common) == 0;
        }
        assert_int_equal(view_below4(v, VIEW_ALL, a, bits, &below), 0);
        if (below != expect)
            fail_msg("%s/%u: below %d, the model says %d", what, bits, below, expect);
    }
}

static void ask6(struct view *v, const struct data *d, const uint8_t *a) {
    struct answer want = {0};
    struct view_hit hit[LIMIT_ANSWER_RRS];
    unsigned hits;
    char what[64];
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    bool embedded = memcmp(a, mapped, 12) == 0 || (a[0] == 0x20 && a[1] == 2);
    for (unsigned ds = 0; ds < d->dataset_count; ds++) {
        model6(d, ds, a, &want);
        if (embedded)
            model4(d, ds, get_u32(a[0] == 0x20 ? a + 2 : a + 12), &want);
    }
    inet_ntop(AF_INET6, a, what, sizeof what);
    assert_int_equal(view_find6(v, VIEW_ALL, a, hit, &hits), 0);
    same_answer(v, &want, hit, hits, what);
    for (unsigned bits = 0; bits <= 128; bits += 4) {
        bool below, expect = false;
        for (size_t i = 0; i < d->n6; i++) {
            const struct entry6 *e = &d->e6[i];
            expect |= covers(e->addr, e->bits < bits ? e->bits : bits, a);
        }
        assert_int_equal(view_below6(v, VIEW_ALL, a, bits, &below), 0);
        if (below != expect)
            fail_msg("%s/%u: below %d, the model says %d", what, bits, below, expect);
    }
}

static void ask_name(struct view *v, const struct data *d, const char *text) {
    struct answer want = {0};
    struct view_hit hit[LIMIT_ANSWER_RRS];
    unsigned hits;
    struct name n;
    struct data one;
    bool below, expect = false;
    assert_int_equal(name_from_text(&n, text, NULL), 0);
    data_new(&one, 1, DATASET_DNSET);
    assert_int_equal(data_add_name(&one, 0, &n, false, 0), 0);
    const uint8_t *rev = one.en[0].name;
    size_t size = one.en[0].size;
    for (unsigned ds = 0; ds < d->dataset_count; ds++)
        model_name(d, ds, rev, size, &want);
    for (size_t i = 0; i < d->nn; i++)
        if (d->en[i].size >= size && memcmp(d->en[i].name, rev, size) == 0)
            expect |= d->en[i].size > size || d->en[i].wildcard;
    assert_int_equal(view_find_name(v, VIEW_ALL, &n, hit, &hits, &below), 0);
    same_answer(v, &want, hit, hits, text);
    if (hits == 0 && below != expect)
        fail_msg("%s: below %d, the model says %d", text, below, expect);
    for (unsigned i = 0; i < hits; i++)
        assert_true(hit[i].listed.size > 0 || size == 0);
    data_free(&one);
}

static uint32_t any_value(struct data *d, unsigned kinds) {
    char txt[32];
    unsigned n = any(kinds);
    snprintf(txt, sizeof txt, "text %u of $", n);
    return any(10) == 0 ? VALUE_EXCLUDED : value_of(d, n & 255, n % 3 != 0 ? txt : NULL);
}

/* Addresses crowd in a few networks, so that entries meet. */
static uint32_t any_addr4(void) {
    uint32_t a = any(0);
    if (any(4) != 0)
        a = (a & 0x0003ffff) | 0x0a000000;
    if (any(3) == 0)
        a &= 0xffff00ff;
    return a;
}

static void any_addr6(uint8_t a[16]) {
    static const uint8_t nets[4][16] = {
        {0x20, 1, 0xd, 0xb8}, {0x20, 1, 0xd, 0xb8, 0, 1}, {[10] = 0xff, [11] = 0xff}, {0x20, 2, 10, 0, 0, 1}};
    memcpy(a, nets[any(4)], 16);
    for (unsigned i = 0; i < 4; i++) {
        unsigned at = any(128);
        a[at / 8] ^= (uint8_t)(any(2) << at % 8);
    }
}

static void any_name(char *to, size_t cap) {
    static const char *const labels[] = {"a", "b", "aa", "ab", "com", "x-1", "zz"};
    size_t n = 0;
    for (unsigned i = 1 + any(4); i > 0; i--)
        n += (size_t)snprintf(to + n, cap - n, "%s.", labels[any(ARRAY_SIZE(labels))]);
}

static void fill(struct data *d, unsigned entries, unsigned kinds) {
    for (unsigned i = 0; i < entries; i++) {
        unsigned ds = any(d->dataset_count);
        uint32_t value = any_value(d, kinds);
        enum conf_dataset_type type = d->dataset[ds].type;
        if (type == DATASET_IP4SET || type == DATASET_IP4TRIE || type == DATASET_IP4TSET) {
            unsigned bits = any(3) != 0 ? 24 + any(9) : any(33);
            if (type == DATASET_IP4TSET)
                bits = 32;
            uint32_t mask = bits == 0 ? 0 : ~0u << (32 - bits), a = any_addr4() & mask;
            assert_int_equal(data_add4(d, ds, a, a | ~mask, value), 0);
        } else if (type == DATASET_IP6TRIE || type == DATASET_IP6TSET) {
            uint8_t a[16];
            any_addr6(a);
            assert_int_equal(data_add6(d, ds, a, any(2) ? 16 * (1 + any(8)) : any(129), value), 0);
        } else {
            char text[128];
            struct name n;
            any_name(text, sizeof text);
            assert_int_equal(name_from_text(&n, text, NULL), 0);
            assert_int_equal(data_add_name(d, ds, &n, any(2), value), 0);
        }
    }
    settle(d);
}

static void questions(struct view *v, const struct data *d, unsigned n) {
    struct err err = {0};
    if (view_begin(v, any(0), &err) != 0)
        fail_msg("view_begin: %s", err.text);
    assert_int_equal(view_apex(v)->entries, data_entries(d));
    for (unsigned i = 0; i < n; i++) {
        uint8_t a[16];
        char text[128];
        ask4(v, d, any_addr4());
        if (d->n4 > 0)
            ask4(v, d, d->e4[any((uint32_t)d->n4)].addr | any(256));
        any_addr6(a);
        ask6(v, d, a);
        any_name(text, sizeof text);
        ask_name(v, d, text);
    }
    view_end(v);
}

/* Every type alone and mixed, few values and many, a first load and changes to it. */
static void equals_the_model(void **state) {
    (void)state;
    static const int mixes[][3] = {
        {DATASET_IP4SET, -1, -1},
        {DATASET_IP4TRIE, -1, -1},
        {DATASET_IP4TSET, -1, -1},
        {DATASET_IP6TRIE, -1, -1},
        {DATASET_DNSET, -1, -1},
        {DATASET_IP6TSET, DATASET_IP4SET, -1},
        {DATASET_IP4SET, DATASET_IP4TRIE, DATASET_DNSET},
        {DATASET_DNSET, DATASET_DNSET, DATASET_IP6TRIE},
    };
    static const unsigned sizes[] = {1, 10, 100, 1000};
    static const unsigned kinds[] = {1, 3, 12, 400};
    for (unsigned mix = 0; mix < ARRAY_SIZE(mixes); mix++)
        for (unsigned size = 0; size < ARRAY_SIZE(sizes); size++) {
            struct conf_zone z = zone_new();
            struct keep *k = keep_of(&z);
            struct view *v = NULL;
            for (unsigned round = 0; round < 4; round++) {
                struct data d;
                unsigned count = mixes[mix][1] < 0 ? 1 : mixes[mix][2] < 0 ? 2 : 3;
                data_new(&d, count, mixes[mix][0], mixes[mix][1], mixes[mix][2]);
                fill(&d, sizes[size], kinds[(round + mix) % ARRAY_SIZE(kinds)]);
                commit(k, &d);
                verified(k);
                struct keep_state st;
                keep_state(k, &st);
                struct digest sum = digest_of_data(&d);
                assert_memory_equal(&sum, &st.digest, sizeof sum);
                if (v == NULL)
                    v = view_of(&z);
                questions(v, &d, 300);
                data_free(&d);
            }
            view_close(v);
            keep_close(k);
        }
}

/* Enough entries for bitmaps and for the index of buckets. */
static void large_buckets(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z);
    struct view *v = NULL;
    for (unsigned round = 0; round < 3; round++) {
        struct data d;
        data_new(&d, 1, DATASET_IP4SET);
        uint32_t one = value_of(&d, 2, "one"), two = value_of(&d, 3, "two");
        for (unsigned i = 0; i < 40000; i++) {
            uint32_t a = 0x0a000000 | any(1 << 16);
            assert_int_equal(data_add4(&d, 0, a, a, any(5) ? one : two), 0);
            a = 0x0b000000 | any(1 << 18);
            assert_int_equal(data_add4(&d, 0, a, a, one), 0);
        }
        settle(&d);
        commit(k, &d);
        verified(k);
        if (v == NULL)
            v = view_of(&z);
        for (unsigned again = 0; again < 2; again++) {
            assert_int_equal(view_begin(v, round + 1, NULL), 0);
            for (unsigned i = 0; i < 100; i++) {
                ask4(v, &d, 0x0a000000 | any(1 << 16));
                ask4(v, &d, 0x0b000000 | any(1 << 18));
                ask4(v, &d, any(0));
            }
            view_end(v);
        }
        data_free(&d);
    }
    view_close(v);
    keep_close(k);
}

/* What rbldnsd 1.0~20210120 answered for these, one by one. */
static void rules_of_rbldnsd(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z);
    struct data d;
    data_new(&d, 1, DATASET_IP4SET);
    uint32_t v3 = value_of(&d, 3, NULL), v4 = value_of(&d, 4, NULL), v5 = value_of(&d, 5, NULL);
    add(&d, 0, "10.1.2.3", v3);
    add(&d, 0, "!10.1.2.3", 0);
    add(&d, 0, "10.2.2.3", v3);
    add(&d, 0, "10.2.2.3", v4);
    add(&d, 0, "10.2.2.0/24", v5);
    add(&d, 0, "!10.3.3.0/30", 0);
    add(&d, 0, "10.3.3.1", v3);
    add(&d, 0, "10.3.0.0/16", v4);
    add(&d, 0, "10.3.0.0/17", v5);
    add(&d, 0, "10.0.0.0/8", v3);
    settle(&d);
    commit(k, &d);
    struct view *v = view_of(&z);
    static const struct {
        const char *addr;
        unsigned hits, last;
    } expect[] = {{"10.1.2.3", 0, 0}, {"10.2.2.3", 2, 0},   {"10.2.2.4", 1, 5}, {"10.3.3.1", 0, 0},
                  {"10.3.9.9", 1, 5}, {"10.3.200.9", 1, 4}, {"10.9.9.9", 1, 3}, {"11.9.9.9", 0, 0}};
    assert_int_equal(view_begin(v, 1, NULL), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(expect); i++) {
        struct view_hit hit[LIMIT_ANSWER_RRS];
        struct value value;
        unsigned hits;
        uint8_t a[4];
        assert_int_equal(inet_pton(AF_INET, expect[i].addr, a), 1);
        assert_int_equal(view_find4(v, VIEW_ALL, get_u32(a), hit, &hits), 0);
        if (hits != expect[i].hits)
            fail_msg("%s: %u hits", expect[i].addr, hits);
        if (expect[i].last == 0)
            continue;
        assert_int_equal(view_value(v, hit[0].value, &value), 0);
        assert_int_equal(value.a[3], expect[i].last);
        assert_int_equal(hit[0].ttl, 2100);
    }
    view_end(v);
    view_close(v);
    data_free(&d);
    keep_close(k);
}

static void names_like_rbldnsd(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z);
    struct data d;
    data_new(&d, 1, DATASET_DNSET);
    d.dataset[0].ttl = 60;
    uint32_t v2 = value_of(&d, 2, "$"), v3 = value_of(&d, 3, "$");
    add(&d, 0, "*.wild.com", v2);
    add(&d, 0, "*.sub.wild.com", v3);
    add(&d, 0, "!*.no.wild.com", 0);
    add(&d, 0, "both.com", v2);
    add(&d, 0, "*.both.com", v2);
    add(&d, 0, "!ex.both.com", 0);
    add(&d, 0, "dup.com", v2);
    add(&d, 0, "dup.com", v3);
    add(&d, 0, "sp\\032ce.com", v3);
    settle(&d);
    commit(k, &d);
    struct view *v = view_of(&z);
    static const struct {
        const char *name, *listed;
        unsigned hits;
        bool below;
    } expect[] = {{"wild.com", NULL, 0, true},
                  {"a.wild.com", "wild.com", 1, false},
                  {"a.b.sub.wild.com", "sub.wild.com", 1, false},
                  {"sub.wild.com", "wild.com", 1, false},
                  {"no.wild.com", "wild.com", 1, false},
                  {"x.no.wild.com", NULL, 0, false},
                  {"both.com", "both.com", 1, false},
                  {"a.both.com", "both.com", 1, false},
                  {"ex.both.com", NULL, 0, false},
                  {"a.ex.both.com", "both.com", 1, false},
                  {"dup.com", "dup.com", 2, false},
                  {"com", NULL, 0, true},
                  {"org", NULL, 0, false},
                  {".", NULL, 0, true},
                  {"sp\\032ce.com", "sp\\032ce.com", 1, false}};
    assert_int_equal(view_begin(v, 1, NULL), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(expect); i++) {
        struct view_hit hit[LIMIT_ANSWER_RRS];
        struct name n;
        unsigned hits;
        bool below;
        assert_int_equal(name_from_text(&n, expect[i].name, NULL), 0);
        assert_int_equal(view_find_name(v, VIEW_ALL, &n, hit, &hits, &below), 0);
        if (hits != expect[i].hits || (hits == 0 && below != expect[i].below))
            fail_msg("%s: %u hits, below %d", expect[i].name, hits, below);
        if (hits == 0)
            continue;
        assert_int_equal(hit[0].listed.size, strlen(expect[i].listed));
        assert_memory_equal(hit[0].listed.at, expect[i].listed, hit[0].listed.size);
        assert_int_equal(hit[0].ttl, 60);
    }
    view_end(v);
    view_close(v);
    data_free(&d);
    keep_close(k);
}

static void one_entry(struct keep *k, const char *entry) {
    struct data d;
    data_new(&d, 1, DATASET_IP4TRIE);
    add(&d, 0, entry, value_of(&d, 2, NULL));
    settle(&d);
    commit(k, &d);
    data_free(&d);
}

static unsigned hits_of(struct view *v, uint32_t a) {
    struct view_hit hit[LIMIT_ANSWER_RRS];
    unsigned hits;
    assert_int_equal(view_find4(v, VIEW_ALL, a, hit, &hits), 0);
    return hits;
}

/* No generation, a first one, changes, a broken pointer, a broken generation, and good again. */
static void follows_and_recovers(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct view *v;
    struct err err = {0};
    assert_int_equal(view_open(&v, state_dir, z.name, &err), E_NOTFOUND);
    struct keep *k = keep_of(&z);
    assert_int_equal(view_open(&v, state_dir, z.name, &err), E_NOTFOUND);
    one_entry(k, "10.0.0.1");
    v = view_of(&z);
    assert_int_equal(view_begin(v, 1, NULL), 0);
    assert_int_equal(hits_of(v, 0x0a000001), 1);
    one_entry(k, "10.0.0.2");
    assert_int_equal(hits_of(v, 0x0a000001), 1); /* until the end, what was seen at the beginning */
    view_end(v);
    assert_int_equal(view_begin(v, 1, NULL), 0);
    assert_int_equal(hits_of(v, 0x0a000001), 0);
    assert_int_equal(hits_of(v, 0x0a000002), 1);
    view_end(v);
    char current[160], aside[170], data[160];
    snprintf(current, sizeof current, "%s/zones/%s/current", state_dir, z.name);
    snprintf(aside, sizeof aside, "%s.aside", current);
    snprintf(data, sizeof data, "%s/zones/%s/g77", state_dir, z.name);
    assert_int_equal(rename(current, aside), 0);
    assert_int_equal(view_begin(v, 2, &err), E_NOTFOUND);
    assert_int_equal(view_begin(v, 2, &err), E_NOTFOUND); /* remembered, not tried again at once */
    FILE *f = fopen(current, "w");
    fputs("../../etc\n", f);
    fclose(f);
    assert_int_equal(view_begin(v, 3, &err), E_CORRUPT);
    f = fopen(current, "w");
    fputs("g77\n", f);
    fclose(f);
    assert_int_equal(view_begin(v, 4, &err), E_CORRUPT);
    assert_int_equal(mkdir(data, 0700), 0);
    strcat(data, "/data.mdb");
    f = fopen(data, "w");
    for (int i = 0; i < 10000; i++)
        fputc(i, f);
    fclose(f);
    assert_int_equal(view_begin(v, 5, &err), E_CORRUPT);
    assert_int_equal(rename(aside, current), 0);
    assert_int_equal(view_begin(v, 6, &err), 0);
    assert_int_equal(hits_of(v, 0x0a000002), 1);
    view_end(v);
    view_close(v);
    keep_close(k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_model),     cmocka_unit_test(large_buckets),
        cmocka_unit_test(rules_of_rbldnsd),     cmocka_unit_test(names_like_rbldnsd),
        cmocka_unit_test(follows_and_recovers),
    };
    return cmocka_run_group_tests(tests, make_state, drop_state);
}
