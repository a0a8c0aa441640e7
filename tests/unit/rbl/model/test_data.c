/* The shape of a zone's data: ranges, order, duplicates, values, digests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "rbl/model/data.h"
#include "resolver/dns/const.h"

static struct data *d;
static struct err err;

static int setup(void **state) {
    (void)state;
    d = calloc(1, sizeof *d);
    assert_int_equal(data_open(d), 0);
    d->dataset_count = 4;
    d->dataset[0].type = DATASET_IP4SET;
    d->dataset[1].type = DATASET_IP4TRIE;
    d->dataset[2].type = DATASET_IP6TRIE;
    d->dataset[3].type = DATASET_DNSET;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    data_free(d);
    free(d);
    return 0;
}

static uint32_t value(unsigned a, const char *txt) {
    struct value v = {.a = {127, 0, 0, (uint8_t)a}};
    uint32_t id;
    v.txt_size = (uint8_t)strlen(txt);
    v.has_txt = v.txt_size > 0;
    memcpy(v.txt, txt, v.txt_size);
    assert_int_equal(data_value(d, &v, &id), 0);
    return id;
}

static uint64_t seed = 88172645463325252u;
static uint64_t any(void) { /* xorshift: the same numbers in each run */
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static void equal_values_have_one_id(void **state) {
    (void)state;
    assert_int_equal(value(2, "x"), VALUE_FIRST);
    assert_int_equal(value(2, "x"), VALUE_FIRST);
    assert_int_not_equal(value(2, ""), VALUE_FIRST);
    uint32_t first[3000];
    char text[32];
    for (unsigned i = 0; i < 3000; i++) {
        snprintf(text, sizeof text, "text %u", i);
        first[i] = value(i & 255, text);
    }
    for (unsigned i = 0; i < 3000; i++) {
        snprintf(text, sizeof text, "text %u", i);
        assert_int_equal(value(i & 255, text), first[i]);
        assert_memory_equal(d->value[first[i]].txt, text, strlen(text));
    }
    struct value bad = {.txt_size = 1};
    uint32_t id;
    assert_int_equal(data_value(d, &bad, &id), E_RANGE);
}

static void value_as_text(void **state) {
    (void)state;
    struct value v = {.a = {127, 0, 0, 2}, .has_txt = true, .txt_size = 6, .txt = "$ or\0c"};
    char text[VALUE_TEXT_MAX];
    assert_string_equal(value_text(&v, text), ":127.0.0.2:$ or$$c");
    v.txt_size = LIMIT_TXT;
    memset(v.txt, 0, LIMIT_TXT);
    assert_int_equal(strlen(value_text(&v, text)), 11 + 2 * LIMIT_TXT);
    v = (struct value){.a = {255, 255, 255, 255}};
    assert_string_equal(value_text(&v, text), ":255.255.255.255:");
}

/* The prefixes of a range must cover it without overlap, each as wide as alignment and rest allow. */
static void check_range(uint32_t first, uint32_t last) {
    d->n4 = 0;
    assert_int_equal(data_add4(d, 0, first, last, 0), 0);
    uint64_t at = first;
    for (size_t i = 0; i < d->n4; i++) {
        uint64_t size = 1ULL << (32 - d->e4[i].bits);
        assert_int_equal(d->e4[i].addr, at);
        assert_int_equal(at % size, 0);
        assert_true(at + size - 1 <= last);
        bool wider = d->e4[i].bits > 0 && at % (2 * size) == 0 && at + 2 * size - 1 <= last;
        assert_false(wider);
        at += size;
    }
    assert_true(at == (uint64_t)last + 1);
}

static void ranges(void **state) {
    (void)state;
    check_range(0, UINT32_MAX);
    assert_int_equal(d->n4, 1);
    check_range(UINT32_MAX, UINT32_MAX);
    check_range(0, 0);
    check_range(1, UINT32_MAX - 1);
    assert_int_equal(d->n4, 62); /* the most a range can need */
    for (int i = 0; i < 2000; i++) {
        uint32_t a = (uint32_t)any(), b = any() % 3 ? (uint32_t)any() : a + (uint32_t)(any() % 1000);
        check_range(a < b ? a : b, a < b ? b : a);
    }
    assert_int_equal(data_add4(d, 0, 5, 4, 0), E_RANGE);
    assert_int_equal(data_add4(d, LIMIT_DATASETS, 5, 5, 0), E_RANGE);
}

static int order4(const void *x, const void *y) {
    const struct entry4 *a = x, *b = y;
    uint64_t ka = (uint64_t)a->dataset << 40 | (uint64_t)a->addr << 8 | a->bits;
    uint64_t kb = (uint64_t)b->dataset << 40 | (uint64_t)b->addr << 8 | b->bits;
    return ka < kb ? -1 : ka > kb;
}

static void sorting_addresses(void **state) {
    (void)state;
    enum { N = 20000 };
    uint32_t v = value(2, "");
    for (int round = 0; round < 3; round++) {
        d->n4 = 0;
        for (int i = 0; i < N; i++) {
            unsigned bits = round == 0 ? 32 : (unsigned)(any() % 33);
            uint32_t host = bits == 0 ? UINT32_MAX : (uint32_t)((1ULL << (32 - bits)) - 1);
            uint32_t first = (uint32_t)any() & ~host;
            assert_int_equal(data_add4(d, round == 2 ? (unsigned)(any() % 2) : 0, first, first | host, v), 0);
        }
        struct entry4 *wanted = malloc(d->n4 * sizeof *wanted);
        memcpy(wanted, d->e4, d->n4 * sizeof *wanted);
        qsort(wanted, d->n4, sizeof *wanted, order4);
        size_t n = 0;
        for (size_t i = 0; i < d->n4; i++)
            if (i == 0 || order4(&wanted[i], &wanted[n - 1]) != 0)
                wanted[n++] = wanted[i];
        assert_int_equal(data_settle(d, &err), 0);
        assert_int_equal(d->n4, n);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(order4(&wanted[i], &d->e4[i]), 0);
        free(wanted);
    }
}

static int order_name(const struct entry_name *a, const struct entry_name *b) {
    int c = memcmp(a->name, b->name, a->size < b->size ? a->size : b->size);
    c = c != 0 ? c : (int)a->size - (int)b->size;
    return c != 0 ? c : (int)a->wildcard - (int)b->wildcard;
}

static void sorting_names(void **state) {
    (void)state;
    uint32_t v = value(2, "");
    for (int round = 0; round < 4; round++) {
        int count = round == 0 ? 20 : 30000;
        d->nn = 0;
        for (int i = 0; i < count; i++) {
            char text[260];
            struct name n;
            int at = 0;
            /* few different labels: long common ends, parents, equal names */
            for (unsigned labels = 1 + (unsigned)(any() % (round == 3 ? 30 : 4)); labels > 0; labels--)
                at += snprintf(text + at, sizeof text - (size_t)at, "%c%llu.", 'a' + (char)(any() % 3),
                               (unsigned long long)(any() % (round == 2 ? 100 : 5000)));
            snprintf(text + at, sizeof text - (size_t)at, "example.com");
            assert_int_equal(name_from_text(&n, text, &err), 0);
            assert_int_equal(data_add_name(d, 3, &n, any() % 2, v), 0);
        }
        assert_int_equal(data_settle(d, &err), 0);
        assert_true(d->nn > 10);
        for (size_t i = 1; i < d->nn; i++)
            assert_true(order_name(&d->en[i - 1], &d->en[i]) < 0);
    }
}

static void names_are_folded_and_reversed(void **state) {
    (void)state;
    struct name n;
    assert_int_equal(name_from_text(&n, "WWW.Example.Com.", &err), 0);
    assert_int_equal(data_add_name(d, 3, &n, false, 0), 0);
    assert_int_equal(d->en[0].size, 16);
    assert_memory_equal(d->en[0].name, "\3com\7example\3www", 16);
    /* a name whose labels lie about their size is cut, not followed */
    n = (struct name){.size = 4, .labels = 1, .wire = {60, 'a', 'b', 0}};
    assert_int_equal(data_add_name(d, 3, &n, false, 0), 0);
    assert_int_equal(d->en[1].size, 0);
}

static void a_set_keeps_different_values(void **state) {
    (void)state;
    uint32_t a = value(2, "a"), b = value(3, "b");
    const uint32_t given[] = {b, a, b, a, a};
    for (size_t i = 0; i < ARRAY_SIZE(given); i++)
        assert_int_equal(data_add4(d, 0, 7, 7, given[i]), 0);
    assert_int_equal(data_add4(d, 0, 8, 8, a), 0);
    assert_int_equal(data_add4(d, 0, 8, 8, VALUE_EXCLUDED), 0);
    assert_int_equal(data_settle(d, &err), 0);
    assert_int_equal(d->n4, 3);
    assert_int_equal(d->e4[0].value, b);
    assert_int_equal(d->e4[1].value, a);
    assert_int_equal(d->e4[2].value, VALUE_EXCLUDED);
}

static void many_values_of_one_address(void **state) {
    (void)state;
    enum { N = 50000 };
    for (unsigned i = 0; i < N; i++) {
        char text[16];
        snprintf(text, sizeof text, "%u", i % 20000);
        assert_int_equal(data_add4(d, 0, 7, 7, value(2, text)), 0);
    }
    assert_int_equal(data_settle(d, &err), 0);
    assert_int_equal(d->n4, 20000);
}

static void a_trie_keeps_the_first(void **state) {
    (void)state;
    uint32_t a = value(2, "a"), b = value(3, "b");
    uint8_t addr[16] = {0x20, 1, 0xd, 0xb8, 0xff};
    assert_int_equal(data_add4(d, 1, 256, 511, b), 0);
    assert_int_equal(data_add4(d, 1, 256, 511, VALUE_EXCLUDED), 0);
    assert_int_equal(data_add4(d, 1, 0, 255, VALUE_EXCLUDED), 0);
    assert_int_equal(data_add4(d, 1, 0, 255, a), 0);
    assert_int_equal(data_add6(d, 2, addr, 33, b), 0);
    assert_int_equal(data_add6(d, 2, addr, 32, a), 0);
    addr[4] = 0x80;
    assert_int_equal(data_add6(d, 2, addr, 33, a), 0);
    assert_int_equal(data_add6(d, 2, addr, 129, a), E_RANGE);
    assert_int_equal(data_settle(d, &err), 0);
    assert_int_equal(d->n4, 2);
    assert_int_equal(d->e4[0].value, VALUE_EXCLUDED);
    assert_int_equal(d->e4[1].value, b);
    assert_int_equal(d->n6, 2);
    assert_int_equal(d->e6[0].bits, 32);
    assert_int_equal(d->e6[0].addr[4], 0);
    assert_int_equal(d->e6[1].value, b);
    assert_int_equal(d->e6[1].addr[4], 0x80);
}

static void a_value_that_is_none(void **state) {
    (void)state;
    assert_int_equal(data_add4(d, 0, 7, 7, 12345), 0);
    assert_int_equal(data_settle(d, &err), E_RANGE);
}

static bool same(struct digest a, struct digest b) { return a.lo == b.lo && a.hi == b.hi; }

static void digests(void **state) {
    (void)state;
    uint32_t a = value(2, "a"), b = value(2, "b"), none = value(2, "");
    struct digest seen[16];
    unsigned n = 0;
    const struct entry4 four[] = {{7, a, 0, 32}, {7, b, 0, 32}, {7, none, 0, 32}, {7, VALUE_EXCLUDED, 0, 32},
                                  {7, a, 1, 32}, {8, a, 0, 32}, {8, a, 0, 31}};
    for (size_t i = 0; i < ARRAY_SIZE(four); i++)
        seen[n++] = digest_entry4(d, &four[i]);
    struct entry6 six = {.addr = {[15] = 7}, .value = a, .bits = 128};
    seen[n++] = digest_entry6(d, &six);
    struct entry_name name = {.name = (const uint8_t *)"\1a", .size = 2, .value = a};
    seen[n++] = digest_entry_name(d, &name);
    name.wildcard = true;
    seen[n++] = digest_entry_name(d, &name);
    for (unsigned i = 0; i < n; i++)
        for (unsigned j = 0; j < i; j++)
            assert_false(same(seen[i], seen[j]));
    struct digest sum = {0}, back = {0};
    for (unsigned i = 0; i < n; i++)
        digest_plus(&sum, seen[i]);
    for (unsigned i = n; i-- > 0;)
        digest_plus(&back, seen[i]);
    assert_true(same(sum, back));
    for (unsigned i = 0; i < n; i++)
        digest_minus(&sum, seen[i]);
    assert_true(same(sum, (struct digest){0}));
    /* the same entry by another value id */
    struct data *other = calloc(1, sizeof *other);
    assert_int_equal(data_open(other), 0);
    struct value v = {.a = {9}};
    uint32_t id;
    assert_int_equal(data_value(other, &v, &id), 0);
    v = d->value[a];
    assert_int_equal(data_value(other, &v, &id), 0);
    assert_int_not_equal(id, a);
    assert_true(same(digest_entry4(other, &(struct entry4){7, id, 0, 32}), seen[0]));
    data_free(other);
    free(other);
}

static uint32_t made(const struct value *v) {
    uint32_t id;
    assert_int_equal(data_value(d, v, &id), 0);
    return id;
}

/* All that a kind uses makes a value another one; what it does not use does not. */
static void kinds_of_values(void **state) {
    (void)state;
    const struct value all[] = {
        {.a = {1, 2, 3, 4}, .has_txt = true, .txt_size = 1, .txt = "x"},
        {.a = {1, 2, 3, 4}, .has_txt = true, .txt_size = 1, .txt = "x", .ttl = 60},
        {.a = {1, 2, 3, 4}, .has_txt = true, .txt_size = 1, .txt = "x", .ttl = 61},
        {.kind = VALUE_RR, .type = TYPE_TXT, .txt_size = 2, .txt = "\1x"},
        {.kind = VALUE_RR, .type = TYPE_TXT, .txt_size = 2, .txt = "\1y"},
        {.kind = VALUE_RR, .type = TYPE_TXT, .txt_size = 2, .txt = "\1x", .ttl = 60},
        {.kind = VALUE_RR, .type = 10, .txt_size = 2, .txt = "\1x"},
        {.kind = VALUE_RR, .type = 10},
        {.kind = VALUE_ACL, .act = ACL_IGNORE},
        {.kind = VALUE_ACL, .act = ACL_PASS},
        {.kind = VALUE_ACL, .act = ACL_LISTED, .a = {1, 2, 3, 4}, .has_txt = true, .txt_size = 1, .txt = "x"},
        {.kind = VALUE_ACL, .act = ACL_LISTED, .a = {1, 2, 3, 5}, .has_txt = true, .txt_size = 1, .txt = "x"},
    };
    struct digest seen[ARRAY_SIZE(all)];
    for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
        uint32_t id = made(&all[i]);
        assert_int_equal(id, VALUE_FIRST + i);
        assert_int_equal(made(&all[i]), id);
        seen[i] = digest_entry4(d, &(struct entry4){7, id, 0, 32});
        for (unsigned j = 0; j < i; j++)
            assert_false(same(seen[i], seen[j]));
    }
    struct value v = all[3]; /* RDATA has no A, an action neither */
    v.a[0] = 9;
    v.has_txt = true;
    assert_int_equal(made(&v), VALUE_FIRST + 3);
    v = all[8];
    v.ttl = 9;
    v.txt_size = 3;
    v.type = 7;
    assert_int_equal(made(&v), VALUE_FIRST + 8);
    v = all[0];
    v.act = ACL_EMPTY;
    v.type = 7;
    assert_int_equal(made(&v), VALUE_FIRST);
    struct value big = {.kind = VALUE_RR, .type = 10, .txt_size = VALUE_BYTES};
    uint32_t id = made(&big);
    big.txt[VALUE_BYTES - 1] = 1;
    assert_int_not_equal(made(&big), id);
}

static void values_that_are_none(void **state) {
    (void)state;
    const struct value none[] = {
        {.kind = 3},
        {.kind = VALUE_ACL, .act = ACL_PASS + 1},
        {.kind = VALUE_RR, .txt_size = VALUE_BYTES + 1},
        {.has_txt = true, .txt_size = LIMIT_TXT + 1},
        {.kind = VALUE_ACL, .act = ACL_LISTED, .txt_size = 1},
    };
    uint32_t id;
    for (unsigned i = 0; i < ARRAY_SIZE(none); i++)
        assert_int_equal(data_value(d, &none[i], &id), E_RANGE);
}

static const char *rr_text(uint32_t ttl, uint16_t type, const char *rdata, unsigned size) {
    static char text[VALUE_TEXT_MAX];
    struct value v = {.kind = VALUE_RR, .ttl = ttl, .type = type, .txt_size = (uint16_t)size};
    memcpy(v.txt, rdata, size);
    return value_text(&v, text);
}

static void rrs_as_text(void **state) {
    (void)state;
    char text[VALUE_TEXT_MAX];
    assert_string_equal(rr_text(0, TYPE_A, "\300\0\2\1", 4), "A 192.0.2.1");
    assert_string_equal(rr_text(7, TYPE_AAAA, "\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1", 16),
                        "7 AAAA 2001:db8:0:0:0:0:0:1");
    assert_string_equal(rr_text(300, TYPE_MX, "\0\12\2mx\7example", 14), "300 MX 10 mx.example.");
    assert_string_equal(rr_text(0, TYPE_NS, "\2ns\0", 4), "NS ns.");
    assert_string_equal(rr_text(0, TYPE_CNAME, "\0", 1), "CNAME .");
    assert_string_equal(rr_text(0, TYPE_TXT, "\5a\"b\\\1\0", 7), "TXT \"a\\\"b\\\\\\001\" \"\"");
    assert_string_equal(rr_text(0, 65280, "\1\377", 2), "TYPE65280 \\# 2 01ff");
    /* RDATA that is none of its type */
    assert_string_equal(rr_text(0, TYPE_A, "\1\2\3", 3), "A \\# 3 010203");
    assert_string_equal(rr_text(0, TYPE_TXT, "\2x", 2), "TXT \\# 2 0278");
    assert_string_equal(rr_text(0, TYPE_TXT, "", 0), "TXT \\# 0");
    assert_string_equal(rr_text(0, TYPE_MX, "\0\12", 2), "MX \\# 2 000a");
    assert_string_equal(rr_text(0, TYPE_NS, "\2ns\300", 4), "NS \\# 4 026e73c0");
    assert_string_equal(rr_text(0, TYPE_NS, "\1n\0\0", 4), "NS \\# 4 016e0000");
    struct value big = {.kind = VALUE_RR, .ttl = UINT32_MAX, .type = TYPE_TXT, .txt_size = VALUE_BYTES};
    memset(big.txt, 1, VALUE_BYTES); /* the most text: one octet a string */
    assert_true(strlen(value_text(&big, text)) < VALUE_TEXT_MAX);
    memset(big.txt, 2, 510);
    big.txt[0] = (char)255;
    big.txt[256] = (char)255;
    assert_true(strlen(value_text(&big, text)) < VALUE_TEXT_MAX);
    assert_string_equal(value_text(&(struct value){.kind = VALUE_ACL, .act = ACL_REFUSE}, text), ":refuse");
    assert_string_equal(value_text(&(struct value){.kind = VALUE_ACL, .act = ACL_LISTED, .a = {127, 0, 0, 2}}, text),
                        ":127.0.0.2:");
}

/* "*" alone: all names beneath the zone. */
static void the_root_wildcard_may_come_first(void **state) {
    (void)state;
    struct name root = {.size = 1};
    assert_int_equal(data_add_name(d, 3, &root, true, VALUE_EXCLUDED), 0);
    assert_int_equal(data_add_name(d, 3, &root, false, VALUE_EXCLUDED), 0);
    assert_int_equal(data_settle(d, &err), 0);
    assert_int_equal(d->nn, 2);
    assert_int_equal(d->en[0].size, 0);
    assert_false(d->en[0].wildcard);
    assert_true(d->en[1].wildcard);
}

/* The canonical form is on disk: a digest that changes makes every stored zone look damaged. */
static void the_digest_is_a_format(void **state) {
    (void)state;
    uint32_t a = value(2, "listed $");
    struct digest g = digest_entry4(d, &(struct entry4){0x7f000002, a, 0, 32});
    assert_true(g.lo == 0x0ce55d95fbd2693du && g.hi == 0x352bde09cdefc2c0u);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(equal_values_have_one_id, setup, teardown),
        cmocka_unit_test_setup_teardown(value_as_text, setup, teardown),
        cmocka_unit_test_setup_teardown(ranges, setup, teardown),
        cmocka_unit_test_setup_teardown(sorting_addresses, setup, teardown),
        cmocka_unit_test_setup_teardown(sorting_names, setup, teardown),
        cmocka_unit_test_setup_teardown(names_are_folded_and_reversed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_set_keeps_different_values, setup, teardown),
        cmocka_unit_test_setup_teardown(many_values_of_one_address, setup, teardown),
        cmocka_unit_test_setup_teardown(a_trie_keeps_the_first, setup, teardown),
        cmocka_unit_test_setup_teardown(a_value_that_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(digests, setup, teardown),
        cmocka_unit_test_setup_teardown(kinds_of_values, setup, teardown),
        cmocka_unit_test_setup_teardown(values_that_are_none, setup, teardown),
        cmocka_unit_test_setup_teardown(rrs_as_text, setup, teardown),
        cmocka_unit_test_setup_teardown(the_root_wildcard_may_come_first, setup, teardown),
        cmocka_unit_test_setup_teardown(the_digest_is_a_format, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
