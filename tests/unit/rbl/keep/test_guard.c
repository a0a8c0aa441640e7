/* The guards: lists that are as real lists are must pass, lists that list the world must not. */
#include "tests/unit/rbl/keep/zone.h"

#include "rbl/keep/edit.h"
#include "rbl/keep/guard.h"

static struct conf_zone guarded(void) {
    struct conf_zone z = zone_new();
    z.limits.shrink = 0.5;
    z.limits.grow = 1;
    z.limits.space = 0.5;
    z.limits.tlds = 20;
    z.limits.loopback = true;
    return z;
}

static int replace(struct keep *k, const struct data *d, bool force, struct err *err) {
    struct keep_commit c = {.source = "test", .force = force};
    struct keep_result r;
    return keep_replace(k, d, &c, &r, err);
}

/* --- shares, against a bit for every address of a small piece of the space and by arithmetic --- */

static void shares_are_exact(void **state) {
    (void)state;
    static const struct {
        const char *entry[8];
        double share;
    } table[] = {
        {{"0.0.0.0/0"}, 1},
        {{"0.0.0.0/1"}, 0.5},
        {{"0.0.0.0/0", "!0.0.0.0/1"}, 0.5},
        {{"0.0.0.0/0", "!10.0.0.0/8", "10.0.0.0/9"}, 1 - 1.0 / 512},
        {{"10.0.0.0/8", "10.0.0.0/9", "10.1.2.3", "10.128.0.0/9"}, 1.0 / 256},
        {{"!10.0.0.0/8", "!11.0.0.0/8"}, 0},
        {{"!10.0.0.0/8", "10.0.0.0/24"}, 1.0 / (1 << 24)},
        {{"255.255.255.255", "0.0.0.0"}, 2.0 / 4294967296.0},
        {{"10.0.0.128/25", "10.0.1.0/24", "10.0.2.0/25"}, 512.0 / 4294967296.0},
        {{"224.0.0.0/3", "0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8"}, 35.0 / 256},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        struct data d;
        data_new(&d, 1, DATASET_IP4TRIE);
        uint32_t v = value_of(&d, 2, NULL);
        for (unsigned e = 0; e < 8 && table[i].entry[e] != NULL; e++)
            add(&d, 0, table[i].entry[e], v);
        settle(&d);
        double share = guard_share_data(&d, KIND4);
        if (share != table[i].share)
            fail_msg("case %u: %.12f instead of %.12f", i, share, table[i].share);
        data_free(&d);
    }
}

static void shares_of_several_datasets(void **state) {
    (void)state;
    struct data d;
    data_new(&d, 4, DATASET_IP4SET, DATASET_IP4TRIE, DATASET_ACL, DATASET_IP6TRIE);
    uint32_t v = value_of(&d, 2, NULL), w = value_of(&d, 3, NULL);
    add(&d, 0, "10.0.0.0/8", v);
    add(&d, 0, "10.0.0.0/8", w); /* twice the same */
    add(&d, 1, "10.0.0.0/7", v); /* overlaps */
    add(&d, 1, "!10.0.0.0/9", v);
    add(&d, 2, "0.0.0.0/0", v); /* lists nothing */
    add(&d, 3, "2000::/5", v);
    add(&d, 3, "!2000::/6", v);
    add(&d, 3, "8000::/1", v); /* nobody's */
    add(&d, 3, "2001:db8::1", v);
    settle(&d);
    assert_true(guard_share_data(&d, KIND4) == 2.0 / 256);
    assert_true(guard_share_data(&d, KIND6) == 0.125);
    data_free(&d);
}

/* Random nested prefixes in one /16 against a map of it. */
static void shares_against_a_map(void **state) {
    (void)state;
    static uint8_t length[65536], listed[65536];
    for (unsigned round = 0; round < 200; round++) {
        struct data d;
        memset(length, 0, sizeof length), memset(listed, 0, sizeof listed);
        data_new(&d, 1, DATASET_IP4TRIE);
        uint32_t v = value_of(&d, 2, NULL);
        unsigned n = 1 + any(40);
        for (unsigned i = 0; i < n; i++) {
            unsigned bits = 17 + any(16), at = any(65536) & ~((1u << (32 - bits)) - 1);
            uint32_t first = 0x0a0a0000 + at, last = first + (1u << (32 - bits)) - 1;
            bool no = any(3) == 0, taken = false;
            for (unsigned a = at; a <= at + (last - first); a++) /* the first of two equal prefixes counts */
                taken |= length[a] == bits;
            if (taken)
                continue;
            assert_int_equal(data_add4(&d, 0, first, last, no ? VALUE_EXCLUDED : v), 0);
            for (unsigned a = at; a <= at + (last - first); a++)
                if (bits > length[a]) {
                    length[a] = (uint8_t)bits;
                    listed[a] = !no;
                }
        }
        settle(&d);
        unsigned sum = 0;
        for (unsigned a = 0; a < 65536; a++)
            sum += listed[a];
        assert_int_equal((int)(guard_share_data(&d, KIND4) * 4294967296.0), sum);
        data_free(&d);
    }
}

/* What is stored comes to the same share, whatever the levels that the prefixes stand in. */
static void shares_of_what_is_stored(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z);
    for (unsigned round = 0; round < 30; round++) {
        struct store_txn *t;
        struct data d;
        data_new(&d, 3, DATASET_IP4TRIE, DATASET_ACL, DATASET_IP6TRIE);
        uint32_t v = value_of(&d, 2, NULL);
        for (unsigned i = 0; i < 1 + any(60); i++) {
            unsigned bits = 4 + any(29);
            uint32_t first = (any(0) & 0x0fffffff) & ~(uint32_t)((1ULL << (32 - bits)) - 1);
            assert_int_equal(data_add4(&d, any(2), first, first | (uint32_t)((1ULL << (32 - bits)) - 1),
                                       any(3) == 0 ? VALUE_EXCLUDED : v),
                             0);
        }
        for (unsigned i = 0; i < 1 + any(60); i++) {
            uint8_t a[16] = {(uint8_t)(0x20 + any(16)), (uint8_t)any(4), (uint8_t)any(0), 0, (uint8_t)any(2)};
            unsigned bits = 8 * (1 + any(10));
            memset(a + bits / 8, 0, 16 - bits / 8);
            assert_int_equal(data_add6(&d, 2, a, bits, any(3) == 0 ? VALUE_EXCLUDED : v), 0);
        }
        settle(&d);
        (void)commit(k, &d);
        assert_int_equal(store_read_begin(k->store, &t, NULL), 0);
        assert_true(guard_share_stored(t, k->meta, KIND4) == guard_share_data(&d, KIND4));
        assert_true(guard_share_stored(t, k->meta, KIND6) == guard_share_data(&d, KIND6));
        store_read_end(t);
        data_free(&d);
    }
    keep_close(k);
}

/* --- lists --- */

static void addresses(struct data *d, unsigned count) {
    uint32_t v = value_of(d, 2, "listed");
    for (uint32_t i = 0; i < count; i++) {
        uint32_t a = i * 2654435761u;
        assert_int_equal(data_add4(d, 0, a, a, v), 0);
    }
}
static void singles(struct data *d) {
    data_new(d, 1, DATASET_IP4SET);
    addresses(d, 20000);
}
static void bogons(struct data *d) {
    static const char *const nets[] = {"0.0.0.0/8",      "10.0.0.0/8",     "100.64.0.0/10", "127.0.0.0/8",
                                       "169.254.0.0/16", "172.16.0.0/12",  "192.0.2.0/24",  "192.168.0.0/16",
                                       "198.18.0.0/15",  "203.0.113.0/24", "224.0.0.0/3"};
    data_new(d, 2, DATASET_IP4TRIE, DATASET_IP6TRIE);
    uint32_t v = value_of(d, 2, "bogon");
    for (unsigned i = 0; i < ARRAY_SIZE(nets); i++)
        add(d, 0, nets[i], v);
    add(d, 1, "::/3", v); /* all that is given to nobody */
    add(d, 1, "4000::/2", v);
    add(d, 1, "8000::/1", v);
    add(d, 1, "2001:db8::/32", v);
}
/* Dynamic ranges of the whole world: a third of IPv4 in /16s and /20s. */
static void policy(struct data *d) {
    data_new(d, 1, DATASET_IP4TRIE);
    uint32_t v = value_of(d, 10, "dynamic");
    for (uint32_t i = 0; i < 65536; i += 3) {
        uint32_t a = i << 16;
        assert_int_equal(data_add4(d, 0, a, a + 65535, v), 0);
    }
}
static void half_and_more(struct data *d) {
    policy(d);
    for (uint32_t i = 1; i < 65536; i += 4)
        assert_int_equal(data_add4(d, 0, i << 16, (i << 16) + 65535, 1), 0);
}
static void everything(struct data *d) {
    data_new(d, 1, DATASET_IP4TRIE);
    add(d, 0, "0.0.0.0/0", value_of(d, 2, "gone"));
}
static void everything_in_halves(struct data *d) {
    data_new(d, 1, DATASET_IP4SET);
    uint32_t v = value_of(d, 2, "gone");
    add(d, 0, "0.0.0.0/1", v);
    add(d, 0, "128.0.0.0/1", v);
}
static void everything6(struct data *d) {
    data_new(d, 1, DATASET_IP6TRIE);
    add(d, 0, "::/0", value_of(d, 2, "gone"));
}
static void allow_all_but(struct data *d) { /* a trie that excludes what it lists: nothing */
    data_new(d, 1, DATASET_IP4TRIE);
    uint32_t v = value_of(d, 2, "x");
    add(d, 0, "0.0.0.0/0", v);
    add(d, 0, "!0.0.0.0/1", v);
    add(d, 0, "!128.0.0.0/1", v);
    add(d, 0, "192.0.2.1", v);
}
static void access_list(struct data *d) {
    data_new(d, 2, DATASET_IP4SET, DATASET_ACL);
    struct value act = {.kind = VALUE_ACL, .act = ACL_REFUSE};
    uint32_t v = value_of(d, 2, "x"), id;
    assert_int_equal(data_value(d, &act, &id), 0);
    add(d, 0, "192.0.2.1", v);
    add(d, 1, "0.0.0.0/0", id);
}
static void names(struct data *d) {
    static const char *const some[] = {"bad.example", "*.bad.example", "*.tk", "*.zip", "xn--p1ai", "com"};
    data_new(d, 1, DATASET_DNSET);
    uint32_t v = value_of(d, 2, "bad");
    for (unsigned i = 0; i < ARRAY_SIZE(some); i++)
        add(d, 0, some[i], v);
}
static void every_name(struct data *d) {
    data_new(d, 1, DATASET_DNSET);
    add(d, 0, "*.", value_of(d, 2, "gone"));
}
static void no_name(struct data *d) {
    data_new(d, 1, DATASET_DNSET);
    add(d, 0, "!*.", 0);
    add(d, 0, "a.example", value_of(d, 2, "x"));
}
static void dot_com(struct data *d) {
    names(d);
    add(d, 0, "*.com", 1);
}
static void many_tlds(struct data *d) {
    char text[16];
    names(d);
    for (unsigned i = 0; i < 21; i++) {
        snprintf(text, sizeof text, "*.t%u", i);
        add(d, 0, text, 1);
    }
}
static void parked(struct data *d) {
    singles(d);
    struct value v = {.a = {203, 0, 113, 7}};
    uint32_t id;
    assert_int_equal(data_value(d, &v, &id), 0);
    add(d, 0, "192.0.2.9", id);
}
static void records(struct data *d) { /* generic: any address */
    data_new(d, 1, DATASET_GENERIC);
    struct value v = {.kind = VALUE_RR, .type = 1, .ttl = 60, .txt_size = 4, .txt = {(char)203, 0, 113, 7}};
    uint32_t id;
    assert_int_equal(data_value(d, &v, &id), 0);
    add(d, 0, "www.example", id);
}
static void unused_value(struct data *d) {
    singles(d);
    struct value v = {.a = {203, 0, 113, 7}};
    uint32_t id;
    assert_int_equal(data_value(d, &v, &id), 0);
}
static void nothing(struct data *d) { data_new(d, 1, DATASET_IP4SET); }
static void few(struct data *d) {
    data_new(d, 1, DATASET_IP4SET);
    addresses(d, 3);
}
static void singles_and_a_net(struct data *d) {
    singles(d);
    add(d, 0, "1.0.0.0/8", 1); /* "1" in a line of its own */
}
static void singles_more(struct data *d) {
    data_new(d, 1, DATASET_IP4SET);
    addresses(d, 39000);
}
static void singles_double(struct data *d) {
    data_new(d, 1, DATASET_IP4SET);
    addresses(d, 40400);
}
static void singles_less(struct data *d) {
    data_new(d, 1, DATASET_IP4SET);
    addresses(d, 9000);
}

static const struct {
    void (*before)(struct data *d); /* NULL: nothing is there yet */
    void (*after)(struct data *d);
    const char *why; /* in the refusal; NULL: must pass */
} cases[] = {
    {NULL, singles, NULL},
    {NULL, bogons, NULL},
    {NULL, policy, NULL},
    {NULL, allow_all_but, NULL},
    {NULL, access_list, NULL},
    {NULL, names, NULL},
    {NULL, no_name, NULL},
    {NULL, records, NULL},
    {NULL, unused_value, NULL},
    {NULL, nothing, NULL},
    {NULL, everything, "would list 100% of IPv4 (limits.space 50%): refused, nothing was committed before"},
    {NULL, everything_in_halves, "would list 100% of IPv4"},
    {NULL, half_and_more, "would list 5"},
    {NULL, everything6, "of IPv6 (2000::/3) (limits.space 50%)"},
    {NULL, every_name, "would list every name"},
    {NULL, dot_com, "would list 3 whole top-level domains"},
    {NULL, many_tlds, "would list 23 whole top-level domains"},
    {NULL, parked, "would answer 203.0.113.7, outside of 127.0.0.0/8"},
    {singles, singles_more, NULL},
    {singles, unused_value, NULL},
    {singles, singles_and_a_net, "would list 0.391% of IPv4, before it was at most 0.000"},
    {singles, policy, "would list 33.3% of IPv4, before it was at most 0.000"},
    {singles, everything, "would remove 100% of 20000 entries"},
    {singles, singles_double, "would add 102% to 20000 entries (limit 100%): refused, kept serial"},
    {singles, singles_less, "would remove 55% of 20000 entries (limit 50%)"},
    {singles, parked, "would answer 203.0.113.7"},
    {singles, nothing, "would remove all 20000 entries"},
    {few, nothing, "would remove all 3 entries, the files are empty: refused, kept serial"},
    {few, bogons, NULL}, /* too few to tell what is usual */
    {names, many_tlds, "would list 23 whole top-level domains"},
    {policy, half_and_more, "would list 5"},
};

static void every_guard(void **state) {
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct conf_zone z = guarded();
        struct keep *k = keep_of(&z);
        struct keep_state before, after;
        struct data d;
        struct err err = {0};
        if (cases[i].before != NULL) {
            cases[i].before(&d);
            settle(&d);
            assert_int_equal(replace(k, &d, true, &err), 0);
            data_free(&d);
        }
        keep_state(k, &before);
        cases[i].after(&d);
        settle(&d);
        int rc = replace(k, &d, false, &err);
        keep_state(k, &after);
        if (cases[i].why == NULL && rc != 0)
            fail_msg("case %u: %s", i, err.text);
        if (cases[i].why != NULL && (rc != E_REFUSED || strstr(err.text, cases[i].why) == NULL))
            fail_msg("case %u: code %d, \"%s\", expected \"%s\"", i, rc, rc != 0 ? err.text : "", cases[i].why);
        if (rc != 0) {
            assert_memory_equal(&before, &after, sizeof before); /* nothing moved */
            assert_int_equal(replace(k, &d, true, &err), 0);     /* force takes it */
            verified(k);
        }
        data_free(&d);
        keep_close(k);
    }
}

/* What was forced once does not have to be forced every day; but it may not get much worse. */
static void beyond_already(void **state) {
    (void)state;
    struct conf_zone z = guarded();
    struct keep *k = keep_of(&z);
    struct data d;
    struct err err = {0};
    half_and_more(&d); /* 58 % */
    add(&d, 0, "255.255.1.1", 1);
    settle(&d);
    assert_int_equal(replace(k, &d, true, &err), 0);
    data_free(&d);
    half_and_more(&d);
    assert_int_equal(data_add4(&d, 0, 0x02000000, 0x02ffffff, 1), 0);
    settle(&d);
    assert_int_equal(replace(k, &d, false, &err), 0);
    data_free(&d);
    half_and_more(&d);
    assert_int_equal(data_add4(&d, 0, 0x80000000, 0xffffffff, 1), 0);
    settle(&d);
    assert_int_equal(replace(k, &d, false, &err), E_REFUSED);
    data_free(&d);
    parked(&d);
    settle(&d);
    assert_int_equal(replace(k, &d, true, &err), 0);
    add(&d, 0, "192.0.2.10", d.value_count - 1); /* the value is live already */
    settle(&d);
    assert_int_equal(replace(k, &d, false, &err), 0);
    data_free(&d);
    keep_close(k);
}

static void keys_switch_them_off(void **state) {
    (void)state;
    static void (*const lists[])(struct data * d) = {everything, everything6, every_name, many_tlds, parked};
    for (unsigned i = 0; i < ARRAY_SIZE(lists); i++) {
        struct conf_zone z = guarded();
        z.limits.space = 1;
        z.limits.loopback = false;
        struct keep *k = keep_of(&z);
        struct data d;
        struct err err = {0};
        lists[i](&d);
        settle(&d);
        if (replace(k, &d, false, &err) != 0)
            fail_msg("list %u: %s", i, err.text);
        data_free(&d);
        keep_close(k);
    }
}

/* --- by hand --- */

static int edit(struct keep *k, const struct keep_entry *e, bool force, struct err *err) {
    struct keep_batch *b;
    struct keep_commit c = {.source = "update key.example.", .force = force};
    struct keep_result r;
    assert_int_equal(keep_batch_open(&b, k, err), 0);
    int rc = keep_batch_add(b, e, err);
    if (rc == 0)
        rc = keep_batch_commit(b, &c, &r, err);
    keep_batch_close(b);
    return rc;
}

static void changes_by_hand(void **state) {
    (void)state;
    static const struct {
        struct keep_entry e;
        const char *why;
    } table[] = {
        {{.kind = KEEP_4, .bits = 32, .addr = {192, 0, 2, 1}, .value.a = {127, 0, 0, 2}}, NULL},
        {{.kind = KEEP_4, .bits = 8, .addr = {10}, .value.a = {127, 0, 0, 2}}, NULL},
        {{.kind = KEEP_4, .bits = 0, .value.a = {127, 0, 0, 2}},
         "would cover 100% of IPv4 (limits.space 50%): refused, kept"},
        {{.kind = KEEP_4, .bits = 32, .addr = {192, 0, 2, 2}, .value.a = {203, 0, 113, 1}}, "would answer 203.0.113.1"},
        {{.kind = KEEP_6, .bits = 3, .addr = {0x20}, .value.a = {127, 0, 0, 2}}, "would cover 100% of IPv6"},
        {{.kind = KEEP_6, .bits = 32, .addr = {0x20, 1, 0xd, 0xb8}, .value.a = {127, 0, 0, 2}}, NULL},
    };
    struct conf_zone z = guarded();
    struct keep *k = keep_of(&z);
    struct data d;
    struct err err = {0};
    data_new(&d, 3, DATASET_IP4SET, DATASET_IP6TRIE, DATASET_DNSET);
    addresses(&d, 500);
    settle(&d);
    assert_int_equal(replace(k, &d, false, &err), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        int rc = edit(k, &table[i].e, false, &err);
        if (table[i].why == NULL ? rc != 0 : rc != E_REFUSED || strstr(err.text, table[i].why) == NULL)
            fail_msg("edit %u: code %d, %s", i, rc, rc != 0 ? err.text : "");
        if (rc == E_REFUSED)
            assert_int_equal(edit(k, &table[i].e, true, &err), 0);
    }
    struct keep_entry all = {.kind = KEEP_NAME, .bits = 1, .value.a = {127, 0, 0, 2}};
    assert_int_equal(name_from_text(&all.name, ".", NULL), 0);
    assert_int_equal(edit(k, &all, false, &err), E_REFUSED);
    assert_non_null(strstr(err.text, "every name"));
    verified(k);
    data_free(&d);
    keep_close(k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_exact),     cmocka_unit_test(shares_of_several_datasets),
        cmocka_unit_test(shares_against_a_map), cmocka_unit_test(shares_of_what_is_stored),
        cmocka_unit_test(every_guard),          cmocka_unit_test(beyond_already),
        cmocka_unit_test(keys_switch_them_off), cmocka_unit_test(changes_by_hand),
    };
    return cmocka_run_group_tests(tests, make_state, drop_state);
}
