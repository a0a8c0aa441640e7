/* Names: read from hostile messages, as text and back, compared, ordered, cut. */
#include "tests/unit/resolver/dns/wire.h"

#include "resolver/dns/name.h"

static struct wire w;

static struct name name(const char *text) {
    struct name n;
    struct err err;
    if (name_from_text(&n, text, &err) != 0)
        fail_msg("%s", err.text);
    return n;
}

/* Reads from a copy without an octet to spare. */
static int read_at(struct name *n, size_t offset, size_t *next) {
    uint8_t *copy = wire_exact(w.at, w.size);
    int e = name_read(n, copy, w.size, offset, next);
    free(copy);
    return e;
}

static void refused(size_t offset) {
    struct name n;
    size_t next;
    assert_int_equal(read_at(&n, offset, &next), E_INVALID);
}

static void reads_plain_and_compressed(void **state) {
    (void)state;
    struct name n;
    size_t next;
    wire_header(&w, 0, 0, 0, 0, 0);
    wire_name(&w, "www.Example.org");  /* 12 */
    wire_raw(&w, "\4mail\300\020", 7); /* 29: mail + pointer to 16 */
    wire_raw(&w, "\300\035", 2);       /* 36: pointer to 29, two hops */
    wire_u8(&w, 0xAA);
    assert_int_equal(read_at(&n, 12, &next), 0);
    assert_int_equal(next, 29);
    assert_int_equal(n.size, 17);
    assert_int_equal(n.labels, 3);
    assert_memory_equal(n.wire, "\3www\7Example\3org", 17);
    assert_int_equal(read_at(&n, 29, &next), 0);
    assert_int_equal(next, 36);
    assert_memory_equal(n.wire, "\4mail\7Example\3org", 18);
    assert_int_equal(read_at(&n, 36, &next), 0);
    assert_int_equal(next, 38);
    assert_int_equal(n.size, 18);
    assert_int_equal(n.labels, 3);
}

static void reads_the_root(void **state) {
    (void)state;
    struct name n;
    size_t next;
    w.size = 0;
    wire_u8(&w, 0);
    assert_int_equal(read_at(&n, 0, &next), 0);
    assert_int_equal(next, 1);
    assert_int_equal(n.size, 1);
    assert_int_equal(n.labels, 0);
    refused(1);
    refused(2);
}

static void refuses_pointers_that_do_not_go_back(void **state) {
    (void)state;
    static const char *const hostile[] = {
        "C00C",           /* to itself */
        "C00D 00",        /* into itself */
        "C00E 0161 00",   /* forward */
        "C0FF",           /* beyond the end */
        "FFFF",           /* far beyond */
        "C000",           /* the header */
        "C00B",           /* the header's last octet */
        "0161 C00C",      /* to the own label: a loop that grows */
        "0161 0162 C00E", /* into the own labels */
        "0161 C00E",      /* to the pointer itself */
        "C0",             /* half a pointer */
        "0161 C0",        /* half a pointer behind a label */
    };
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        wire_header(&w, 0, 0, 0, 0, 0);
        wire_hex(&w, hostile[i]);
        refused(12);
    }
    /* Two that point at each other, entered from either side. */
    wire_header(&w, 0, 0, 0, 0, 0);
    wire_hex(&w, "C00E C00C");
    refused(12);
    refused(14);
}

static void refuses_other_label_types(void **state) {
    (void)state;
    for (unsigned type = 0x40; type < 0xC0; type++) {
        wire_header(&w, 0, 0, 0, 0, 0);
        wire_u8(&w, type);
        for (int i = 0; i < 200; i++)
            wire_u8(&w, 0);
        refused(12);
    }
}

static void follows_pointer_chains_up_to_the_limit(void **state) {
    (void)state;
    struct name n;
    size_t next;
    wire_header(&w, 0, 0, 0, 0, 0);
    wire_raw(&w, "\1a", 3); /* with the root label */
    for (unsigned hop = 1; hop <= LIMIT_POINTER_HOPS + 1; hop++)
        wire_u16(&w, 0xC000 | (hop == 1 ? 12 : 15 + 2 * (hop - 2)));
    size_t last = w.size - 2;
    assert_int_equal(read_at(&n, last - 2, &next), 0);
    assert_int_equal(n.labels, 1);
    assert_int_equal(next, last);
    refused(last);
}

static void holds_255_octets_and_not_one_more(void **state) {
    (void)state;
    struct name n;
    size_t next;
    for (unsigned last = 60; last <= 63; last++) {
        wire_header(&w, 0, 0, 0, 0, 0);
        for (int i = 0; i < 3; i++)
            wire_label(&w, 63, 'x');
        wire_label(&w, last, 'y');
        wire_u8(&w, 0);
        int e = read_at(&n, 12, &next);
        assert_int_equal(e, last <= 61 ? 0 : E_INVALID);
        if (e == 0)
            assert_int_equal(n.size, 3 * 64 + last + 2);
    }
    /* 127 labels fit; through a pointer too, and there 128 do not. */
    wire_header(&w, 0, 0, 0, 0, 0);
    for (int i = 0; i < 126; i++)
        wire_raw(&w, "\1a", 2);
    wire_u8(&w, 0);
    size_t one = w.size;
    wire_raw(&w, "\1b\300\014", 4);
    size_t two = w.size;
    wire_raw(&w, "\1c\1d\300\014", 6);
    assert_int_equal(read_at(&n, one, &next), 0);
    assert_int_equal(n.labels, 127);
    assert_int_equal(n.size, 255);
    refused(two);
}

static void refuses_every_cut(void **state) {
    (void)state;
    wire_header(&w, 0, 0, 0, 0, 0);
    wire_name(&w, "www.example.org");
    size_t whole = w.size;
    for (w.size = 0; w.size < whole; w.size++)
        refused(12);
}

static void text_round_trip(void **state) {
    (void)state;
    static const struct {
        const char *text, *again;
    } table[] = {
        {".", "."},
        {"org", "org."},
        {"www.Example.org.", "www.Example.org."},
        {"a\\.b.c", "a\\.b.c."},
        {"\\097bc", "abc."},
        {"\\000\\255.x", "\\000\\255.x."},
        {"a b", "a\\032b."},
        {"\\\\.\\\"", "\\\\.\\\"."},
        {"\\@\\$\\;\\(\\)", "\\@\\$\\;\\(\\)."},
        {"_dns._udp.*", "_dns._udp.*."},
        {"\\a\\b", "ab."},
    };
    char text[NAME_TEXT_MAX];
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct name n = name(table[i].text);
        assert_string_equal(name_text(&n, text), table[i].again);
        struct name again = name(text);
        assert_int_equal(again.size, n.size);
        assert_int_equal(again.labels, n.labels);
        assert_memory_equal(again.wire, n.wire, n.size);
    }
}

static void text_of_every_octet(void **state) {
    (void)state;
    char text[NAME_TEXT_MAX];
    for (unsigned c = 0; c < 256; c++) {
        struct name n = {.size = 3, .labels = 1, .wire = {1, (uint8_t)c, 0}}, again;
        assert_int_equal(name_from_text(&again, name_text(&n, text), NULL), 0);
        assert_int_equal(again.size, 3);
        assert_int_equal(again.wire[1], c);
        for (const char *p = text; *p != '\0'; p++)
            assert_true(*p > ' ' && *p < 0x7f);
    }
}

static void text_of_the_longest(void **state) {
    (void)state;
    struct name n, again;
    size_t next;
    char text[NAME_TEXT_MAX];
    w.size = 0;
    for (int i = 0; i < 3; i++)
        wire_label(&w, 63, '\1');
    wire_label(&w, 61, '\377');
    wire_u8(&w, 0);
    assert_int_equal(read_at(&n, 0, &next), 0);
    assert_int_equal(strlen(name_text(&n, text)), 250 * 4 + 4);
    assert_int_equal(name_from_text(&again, text, NULL), 0);
    assert_true(name_equal(&n, &again));
}

static void text_refused(void **state) {
    (void)state;
    static const char *const table[] = {
        "", "..", ".a", "a..b", "a..", "\\", "a\\", "\\2", "\\25", "\\256", "\\999", "\\1a2", "\\12a", "a.\\00", " ..",
    };
    char longer[600];
    struct name n;
    struct err err;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        err.text[0] = '\0';
        if (name_from_text(&n, table[i], &err) != E_INVALID)
            fail_msg("taken: %s", table[i]);
        assert_string_not_equal(err.text, "");
        assert_int_equal(name_from_text(&n, table[i], NULL), E_INVALID);
    }
    memset(longer, 'a', 64);
    longer[64] = '\0';
    assert_int_equal(name_from_text(&n, longer, &err), E_INVALID);
    longer[63] = '\0';
    assert_int_equal(name_from_text(&n, longer, &err), 0);
    /* 127 labels are the most. */
    for (unsigned i = 0; i < 128; i++)
        memcpy(longer + 2 * i, "a.", 2);
    longer[256] = '\0';
    assert_int_equal(name_from_text(&n, longer, &err), E_INVALID);
    longer[254] = '\0';
    assert_int_equal(name_from_text(&n, longer, &err), 0);
    assert_int_equal(n.size, 255);
    assert_int_equal(n.labels, 127);
    for (unsigned i = 0; i < sizeof longer - 1; i++)
        longer[i] = i % 64 == 63 ? '.' : 'a';
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(name_from_text(&n, longer, &err), E_INVALID);
    longer[64 * 3 + 62] = '\0';
    assert_int_equal(name_from_text(&n, longer, &err), E_INVALID);
    longer[64 * 3 + 61] = '\0';
    assert_int_equal(name_from_text(&n, longer, &err), 0);
    assert_int_equal(n.size, 255);
}

static void folding_is_ascii_only(void **state) {
    (void)state;
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            /* Once in the middle of eight octets, once in the rest. */
            struct name x = {.size = 13,
                             .labels = 1,
                             .wire = {11, 'p', 'q', (uint8_t)a, 'r', 's', 't', 'u', 'v', 'w', (uint8_t)a, 'x', 0}};
            struct name y = x;
            y.wire[3] = y.wire[10] = (uint8_t)b;
            int fa = a >= 'A' && a <= 'Z' ? (int)a + 32 : (int)a, fb = b >= 'A' && b <= 'Z' ? (int)b + 32 : (int)b;
            assert_int_equal(name_equal(&x, &y), fa == fb);
            assert_int_equal(name_hash(&x, 7) == name_hash(&y, 7), fa == fb);
            y.wire[3] = (uint8_t)a;
            assert_int_equal(name_equal(&x, &y), fa == fb);
            y.wire[3] = (uint8_t)b;
            y.wire[10] = (uint8_t)a;
            assert_int_equal(name_equal(&x, &y), fa == fb);
        }
        struct name n = {.size = 3, .labels = 1, .wire = {1, (uint8_t)a, 0}};
        name_lower(&n);
        assert_int_equal(n.wire[1], a >= 'A' && a <= 'Z' ? a + 32 : a);
    }
}

/* Every length, so that each rest of eight octets occurs: one octet changed anywhere is seen. */
static void equal_sees_each_octet(void **state) {
    (void)state;
    for (unsigned len = 1; len <= 63; len++) {
        struct name x, y;
        size_t next;
        w.size = 0;
        wire_label(&w, len, 'M');
        wire_u8(&w, 0);
        assert_int_equal(read_at(&x, 0, &next), 0);
        y = x;
        name_lower(&y);
        assert_true(name_equal(&x, &y));
        assert_true(name_hash(&x, 1) == name_hash(&y, 1));
        assert_false(name_hash(&x, 1) == name_hash(&x, 2));
        for (unsigned i = 1; i <= len; i++) {
            y.wire[i] = 'n';
            assert_false(name_equal(&x, &y));
            assert_int_not_equal(name_compare(&x, &y), 0);
            y.wire[i] = 'm';
        }
    }
}

static void under(void **state) {
    (void)state;
    static const struct {
        const char *name, *zone;
        bool under;
    } table[] = {
        {"example.org", "example.org", true},
        {"a.b.EXAMPLE.org", "example.ORG", true},
        {"example.org", ".", true},
        {".", ".", true},
        {".", "org", false},
        {"org", "example.org", false},
        {"badexample.org", "example.org", false},
        {"a.example.net", "example.org", false},
        {"x\\007example.org", "example.org", false}, /* the same octets, another label boundary */
        {"\\003org", "org", false},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct name n = name(table[i].name), zone = name(table[i].zone);
        if (name_under(&n, &zone) != table[i].under)
            fail_msg("%s under %s", table[i].name, table[i].zone);
    }
}

/* The example of RFC 4034 section 6.1, and prefixes of labels. */
static void canonical_order(void **state) {
    (void)state;
    static const char *const sorted[] = {
        ".",         "example",         "a.example",   "yljkjljk.a.example", "Z.a.example", "zABC.a.EXAMPLE",
        "z.example", "\\001.z.example", "*.z.example", "\\200.z.example",    "example0",    "exampleX",
        "\\255",
    };
    size_t count = sizeof sorted / sizeof *sorted;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++) {
            struct name a = name(sorted[i]), b = name(sorted[j]);
            int order = name_compare(&a, &b);
            if ((order > 0) - (order < 0) != (i > j) - (i < j))
                fail_msg("%s and %s: %d", sorted[i], sorted[j], order);
        }
    struct name a = name("A.example"), b = name("a.EXAMPLE");
    assert_int_equal(name_compare(&a, &b), 0);
}

static void cutting(void **state) {
    (void)state;
    struct name n = name("a.bb.ccc"), to;
    char text[NAME_TEXT_MAX];
    assert_int_equal(name_label_at(&n, 0), 0);
    assert_int_equal(name_label_at(&n, 1), 2);
    assert_int_equal(name_label_at(&n, 2), 5);
    assert_int_equal(name_label_at(&n, 3), 9);
    assert_int_equal(name_label_at(&n, 200), 9);
    static const char *const left[] = {"a.bb.ccc.", "bb.ccc.", "ccc.", ".", "."};
    for (unsigned count = 0; count < 5; count++) {
        name_strip(&to, &n, count);
        assert_string_equal(name_text(&to, text), left[count]);
        assert_int_equal(to.labels, count < 3 ? 3 - count : 0);
    }
    name_strip(&n, &n, 1);
    assert_string_equal(name_text(&n, text), "bb.ccc.");
    assert_int_equal(name_prepend(&n, "x.y"), 0); /* one label: a dot in it is an octet like others */
    assert_string_equal(name_text(&n, text), "x\\.y.bb.ccc.");
    assert_int_equal(n.labels, 3);
}

static void prepending(void **state) {
    (void)state;
    struct name n = name(".");
    char label[65];
    memset(label, 'l', 64);
    label[64] = '\0';
    assert_int_equal(name_prepend(&n, label), E_RANGE);
    assert_int_equal(name_prepend(&n, ""), E_INVALID);
    label[63] = '\0';
    for (int i = 0; i < 3; i++)
        assert_int_equal(name_prepend(&n, label), 0);
    assert_int_equal(n.size, 193);
    assert_int_equal(name_prepend(&n, label), E_RANGE);
    label[62] = '\0';
    assert_int_equal(name_prepend(&n, label), E_RANGE);
    label[61] = '\0';
    assert_int_equal(name_prepend(&n, label), 0);
    assert_int_equal(n.size, 255);
    assert_int_equal(n.labels, 4);
    assert_int_equal(name_prepend(&n, "a"), E_RANGE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_plain_and_compressed),
        cmocka_unit_test(reads_the_root),
        cmocka_unit_test(refuses_pointers_that_do_not_go_back),
        cmocka_unit_test(refuses_other_label_types),
        cmocka_unit_test(follows_pointer_chains_up_to_the_limit),
        cmocka_unit_test(holds_255_octets_and_not_one_more),
        cmocka_unit_test(refuses_every_cut),
        cmocka_unit_test(text_round_trip),
        cmocka_unit_test(text_of_every_octet),
        cmocka_unit_test(text_of_the_longest),
        cmocka_unit_test(text_refused),
        cmocka_unit_test(folding_is_ascii_only),
        cmocka_unit_test(equal_sees_each_octet),
        cmocka_unit_test(under),
        cmocka_unit_test(canonical_order),
        cmocka_unit_test(cutting),
        cmocka_unit_test(prepending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
