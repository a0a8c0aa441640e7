/* Data files as rbldnsd reads them: what each line becomes. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/rbl/load/loaded.h"

/* "1.2.3.0/24 :127.0.0.2:text" */
static const char *entry4(size_t i) {
    static char to[1024];
    char value[VALUE_TEXT_MAX] = "!";
    assert_true(i < d->n4);
    const struct entry4 *e = &d->e4[i];
    if (e->value != VALUE_EXCLUDED)
        value_text(&d->value[e->value], value);
    snprintf(to, sizeof to, "%u.%u.%u.%u/%u %s", e->addr >> 24, e->addr >> 16 & 255, e->addr >> 8 & 255, e->addr & 255,
             e->bits, value);
    return to;
}

static const char *value_of(uint32_t id) {
    static char to[VALUE_TEXT_MAX];
    assert_true(id < d->value_count);
    return value_text(&d->value[id], to);
}

static void forms_of_addresses(void **state) {
    (void)state;
    static const struct {
        const char *line, *entry;
    } good[] = {
        {"127.0.0.0/24", "127.0.0.0/24 :127.0.0.2:"},
        {"127.0.0", "127.0.0.0/24 :127.0.0.2:"},
        {"127/24", "127.0.0.0/24 :127.0.0.2:"},
        {"127-127.0.0", NULL},
        {"127.0.0.0-127.0.0.255", "127.0.0.0/24 :127.0.0.2:"},
        {"127.16-31", "127.16.0.0/12 :127.0.0.2:"},
        {"127.16.0-31", "127.16.0.0/19 :127.0.0.2:"},
        {"127.16-127.31", "127.16.0.0/12 :127.0.0.2:"},
        {"127.16.0.0-127.31.255.255", "127.16.0.0/12 :127.0.0.2:"},
        {"127.16/12", "127.16.0.0/12 :127.0.0.2:"},
        {"0-255", "0.0.0.0/0 :127.0.0.2:"},
        {"1.2.3.4", "1.2.3.4/32 :127.0.0.2:"},
        {" \t01.002.3.4 \t", "1.2.3.4/32 :127.0.0.2:"},
        {"1.2.3.4#note", "1.2.3.4/32 :127.0.0.2:"},
        {"1.2.3.4 ; note", "1.2.3.4/32 :127.0.0.2:"},
        {"1.2.3.4:7", "1.2.3.4/32 :127.0.0.7:"},
        {"1.2.3.4 :7", "1.2.3.4/32 :127.0.0.7:"},
        {"1.2.3.4 :1.2:x", "1.2.3.4/32 :1.0.0.2:x"},
        {"1.2.3.4 :1.2.3:x", "1.2.3.4/32 :1.2.0.3:x"},
        {"1.2.3.4 : 5", NULL},
        {"1.2.3.4 :5 : a: b # c", "1.2.3.4/32 :127.0.0.5:a: b # c"},
        {"1.2.3.4 plain text", "1.2.3.4/32 :127.0.0.2:plain text"},
        {"! 1.2.3.4 :bad", "1.2.3.4/32 !"},
        {"!1.2.3.4", "1.2.3.4/32 !"},
        {"0/0", NULL},
        {"127", NULL},
        {"1.2.3.4/24", NULL},
        {"1.2.3.4/33", NULL},
        {"1.2.3.4/", NULL},
        {"1.2.3.256", NULL},
        {"1.2.3.4.5", NULL},
        {"1.2.3.", NULL},
        {"1.2.3.4-1.2.3.3", NULL},
        {"1.2-1.2.3.4", NULL},
        {"1.2.3.4\r", NULL},
        {"1.2.3.4 :0:", NULL},
        {"1.2.3.4 :256:", NULL},
        {"1.2.3.4 :5 x", NULL},
        {"1.2.3.4x", NULL},
        {"-1.2.3.4", NULL},
        {"1.2.3.4294967298", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        load(DATASET_IP4SET, good[i].line);
        if (good[i].entry == NULL) {
            if (d->n4 != 0 || report.bad_lines != 1)
                fail_msg("%s: %s", good[i].line, d->n4 ? entry4(0) : "not noted");
        } else {
            assert_int_equal(d->n4, 1);
            assert_string_equal(entry4(0), good[i].entry);
            assert_int_equal(report.bad_lines, 0);
        }
        teardown(NULL);
        setup(NULL);
    }
}

static void a_range_is_the_fewest_prefixes(void **state) {
    (void)state;
    load(DATASET_IP4SET, "10.0.0.1-10.0.0.10\n");
    static const char *const wanted[] = {
        "10.0.0.1/32 :127.0.0.2:", "10.0.0.2/31 :127.0.0.2:", "10.0.0.4/30 :127.0.0.2:", "10.0.0.8/31 :127.0.0.2:",
        "10.0.0.10/32 :127.0.0.2:"};
    assert_int_equal(d->n4, ARRAY_SIZE(wanted));
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
        assert_string_equal(entry4(i), wanted[i]);
}

static void a_trie_takes_no_range_but_takes_all(void **state) {
    (void)state;
    load(DATASET_IP4TRIE, "0/0 :9:all\n1.2.3.4-1.2.3.5\n!1.2.3\n1.2.3.0/24 :5:late\n");
    assert_int_equal(report.bad_lines, 1);
    assert_int_equal(report.note[0].line, 2);
    assert_int_equal(d->n4, 2);
    assert_string_equal(entry4(0), "0.0.0.0/0 :127.0.0.9:all");
    assert_string_equal(entry4(1), "1.2.3.0/24 !"); /* the first of the same prefix */
}

static void defaults_hold_from_their_line_on(void **state) {
    (void)state;
    load(DATASET_IP4SET, "1.0.0.1\n"
                         ":127.0.0.4:IP address $ is listed\n"
                         "1.0.0.2\n"
                         "1.0.0.3 :5\n"
                         "1.0.0.4 :6:\n"
                         "1.0.0.5 own\n"
                         ":8\n"
                         "1.0.0.6\n");
    assert_string_equal(entry4(0), "1.0.0.1/32 :127.0.0.2:");
    assert_string_equal(entry4(1), "1.0.0.2/32 :127.0.0.4:IP address $ is listed");
    assert_string_equal(entry4(2), "1.0.0.3/32 :127.0.0.5:IP address $ is listed");
    assert_string_equal(entry4(3), "1.0.0.4/32 :127.0.0.6:");
    assert_string_equal(entry4(4), "1.0.0.5/32 :127.0.0.4:own");
    assert_string_equal(entry4(5), "1.0.0.6/32 :127.0.0.8:");
    assert_false(d->value[d->e4[3].value].has_txt);
}

static void duplicates_of_a_set_add_up(void **state) {
    (void)state;
    load(DATASET_IP4SET, "1.0.0.1 :2:a\n1.0.0.1 :3:b\n1.0.0.1 :2:a\n1.0.0.2\n!1.0.0.2\n1.0.0.2 :4\n");
    assert_int_equal(d->n4, 3);
    assert_string_equal(entry4(0), "1.0.0.1/32 :127.0.0.2:a");
    assert_string_equal(entry4(1), "1.0.0.1/32 :127.0.0.3:b");
    assert_string_equal(entry4(2), "1.0.0.2/32 !");
}

static void variables_may_be_set_below_their_use(void **state) {
    (void)state;
    load(DATASET_IP4SET, "1.0.0.1 $1/$/$2$$5 $9\n"
                         "$1 see http://x/?$&\n"
                         "#$1 second is ignored\n"
                         ":$2 for details\n"
                         ";$3\n");
    assert_string_equal(entry4(0), "1.0.0.1/32 :127.0.0.2:see http://x/?$$&/$/for details$$5 $$9");
    assert_int_equal(report.bad_lines, 1);
}

static void base_template(void **state) {
    (void)state;
    load(DATASET_IP4SET, "$= See ?$= ($) $1\n$1 $\n1.0.0.1 r$3\n1.0.0.2\n1.0.0.3 =other about $ $=\n1.0.0.4 =\n");
    assert_string_equal(entry4(0), "1.0.0.1/32 :127.0.0.2:See ?r$$3 ($) $$");
    assert_string_equal(entry4(1), "1.0.0.2/32 :127.0.0.2:See ?$ ($) $$");
    assert_string_equal(entry4(2), "1.0.0.3/32 :127.0.0.2:other about $ other about $$ $$=");
    assert_string_equal(entry4(3), "1.0.0.4/32 :127.0.0.2:");
}

static void long_text_is_cut(void **state) {
    (void)state;
    char line[600] = "1.0.0.1 ";
    memset(line + 8, 'x', 500);
    load(DATASET_IP4SET, line);
    assert_int_equal(d->value[d->e4[0].value].txt_size, 254);
}

static void ip6_forms(void **state) {
    (void)state;
    static const struct {
        const char *line;
        uint8_t addr[16];
        int bits; /* -1: bad */
    } lines[] = {
        {"2001:21ab:c000/36", {0x20, 1, 0x21, 0xab, 0xc0}, 36},
        {"2001:21ab:def7:4242 :3:x", {0x20, 1, 0x21, 0xab, 0xde, 0xf7, 0x42, 0x42}, 64},
        {"2605:6001:42::/52", {0x26, 5, 0x60, 1, 0, 0x42}, 52},
        {"::1", {[15] = 1}, 128},
        {"::", {0}, 128},
        {"::/0", {0}, 0},
        {"0/0", {0}, 0},
        {"::1:", {[15] = 1}, 128},
        {"1::2::5:x", {0, 1, [15] = 2}, 128},
        {"1:2:3:4:5:6:7:8:5:x", {0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8}, 128},
        {"0000001::", {0, 1}, 128},
        {"!::FFFF:0:0", {[10] = 0xff, [11] = 0xff}, 128},
        {"1", {0}, -1},
        {"1:2:", {0}, -1},
        {"12345::", {0}, -1},
        {"::12345", {0}, -1},
        {"1:2:3:4:5:6:7:8::", {0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8}, -1},
        {"1::2:3:4:5:6:7:8", {0}, -1},
        {"2001:db8::1/64", {0}, -1},
        {"1::/129", {0}, -1},
        {"1::/", {0}, -1},
        {":::", {0}, -1},
        {"::192.0.2.1", {0}, -1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        load(DATASET_IP6TRIE, lines[i].line);
        if (lines[i].bits < 0 ? d->n6 != 0 : d->n6 != 1)
            fail_msg("%s: %zu entries", lines[i].line, d->n6);
        if (lines[i].bits >= 0) {
            assert_memory_equal(d->e6[0].addr, lines[i].addr, 16);
            assert_int_equal(d->e6[0].bits, lines[i].bits);
        }
        teardown(NULL);
        setup(NULL);
    }
}

static void name_forms(void **state) {
    (void)state;
    load(DATASET_DNSET, "Example.COM :3:it\n*.wild.org\n.both.net. list\n!ex..cluded.org\n"
                        "with\\046dot\\.and\\009tab\n.\n*.\n\\256.x\n#x\n..\n");
    static const struct {
        const char *name;
        size_t size;
        bool wildcard;
        const char *value;
    } wanted[] = {
        {"\3com\7example", 12, false, ":127.0.0.3:it"}, {"\3net\4both", 9, false, ":127.0.0.2:list"},
        {"\3net\4both", 9, true, ":127.0.0.2:list"},    {"\3org\4wild", 9, true, ":127.0.0.2:"},
        {"\3org\6cluded\2ex", 14, false, NULL},         {"\x10with.dot.and\ttab", 17, false, ":127.0.0.2:"},
    };
    assert_int_equal(report.bad_lines, 4);
    assert_int_equal(d->nn, ARRAY_SIZE(wanted));
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        const struct entry_name *e = &d->en[i];
        assert_int_equal(e->size, wanted[i].size);
        assert_memory_equal(e->name, wanted[i].name, e->size);
        assert_int_equal(e->wildcard, wanted[i].wildcard);
        if (wanted[i].value == NULL)
            assert_int_equal(e->value, VALUE_EXCLUDED);
        else
            assert_string_equal(value_of(e->value), wanted[i].value);
    }
}

static void longest_names(void **state) {
    (void)state;
    char line[400];
    struct name n;
    /* 3 x 63 + 61: 255 octets on the wire */
    for (int last = 61; last <= 62; last++) {
        char label[64];
        memset(label, 'a', 63);
        label[63] = '\0';
        int size = snprintf(line, sizeof line, "%s.%s.%s.%.*s", label, label, label, last, label);
        assert_true(size > 0);
        size_t before = d->nn;
        assert_int_equal(load_more(DATASET_DNSET, line), 0);
        assert_int_equal(d->nn - before, last == 61);
    }
    assert_int_equal(d->en[0].size, 254);
    memset(line, 'a', 64);
    line[64] = '\0';
    assert_int_equal(load_more(DATASET_DNSET, line), 0);
    assert_int_equal(d->nn, 1);
    assert_int_equal(name_from_text(&n, "x.", NULL), 0);
}

static void directives(void **state) {
    (void)state;
    load(DATASET_IP4SET, "$SOA 1h ns1.Example. host.example 7 2h 30m 1w 5\n"
                         "#$soa 1 a b 1 1 1 1 1\n"
                         ";$ns 0 -off.example ns1.example ns2.example NS1.example\n"
                         ":$Nameserver 1 ns9.example\n"
                         "$TTL 2m\n"
                         "$MAXRANGE4 /24\n"
                         "$MAXRANGE4 100000\n"
                         "1.0.0.0/23\n"
                         "2.0.0.0/24\n"
                         "$TIMESTAMP 2020:01:02:03 2026-01-01\n"
                         "$timestamp 20210203040506 +1d\n"
                         "$SOA\n$MAXRANGE4 /33\n$TTL x\n$TTL 99999w\n$nonsense 1\n$TIMESTAMP 2021:13:01\n#$Id: x $\n");
    char text[NAME_TEXT_MAX];
    assert_true(d->has_soa);
    assert_false(d->soa_by_time);
    assert_string_equal(name_text(&d->soa.primary, text), "ns1.Example.");
    assert_string_equal(name_text(&d->soa.contact, text), "host.example.");
    assert_int_equal(d->soa.serial, 7);
    assert_int_equal(d->soa.refresh, 7200);
    assert_int_equal(d->soa.retry, 1800);
    assert_int_equal(d->soa.expire, 604800);
    assert_int_equal(d->soa.minimum, 5);
    assert_int_equal(d->soa_ttl, 3600);
    assert_int_equal(d->ns_count, 2);
    assert_string_equal(name_text(&d->ns[1], text), "ns2.example.");
    assert_int_equal(d->ns_ttl, 2100);
    assert_int_equal(d->dataset[0].ttl, 120);
    assert_int_equal(d->n4, 1);
    assert_string_equal(entry4(0), "2.0.0.0/24 :127.0.0.2:");
    assert_int_equal(d->timestamp, 1612325106);
    assert_int_equal(d->expires_wall_s, 1612325106 + 86400 < 1767225600 ? 1612325106 + 86400 : 1767225600);
    assert_int_equal(report.bad_lines, 8);
}

static void a_stamp_in_the_future_refuses_the_load(void **state) {
    (void)state;
    assert_int_equal(load_more(DATASET_IP4SET, "1.2.3.4\n$TIMESTAMP 2027:01:15:08:00:01\n"), E_REFUSED);
    assert_non_null(strstr(err.text, "made:2"));
    assert_int_equal(load_more(DATASET_IP4SET, "1.2.3.4\n$TIMESTAMP 2027:01:15:08:00:00\n"), 0);
}

static void soa_of_the_first_dataset(void **state) {
    (void)state;
    assert_int_equal(load_more(DATASET_IP4SET, "1.2.3.4\n$TTL 60\n"), 0);
    assert_int_equal(load_more(DATASET_DNSET, "x.org\n$TTL 0\n$SOA 0 a b 0 1 1 1 1\n$NS 0 a\n"), 0);
    assert_int_equal(d->dataset[0].ttl, 60);
    assert_int_equal(d->dataset[1].ttl, 2100);
    assert_int_equal(d->soa_ttl, 2100);
    assert_true(d->soa_by_time);
    assert_int_equal(d->ns_count, 1);
    assert_int_equal(load_more(DATASET_DNSET, "$SOA 5 a b 9 1 1 1 1\n$NS 7 b\n"), 0);
    assert_int_equal(d->soa_ttl, 2100);
    assert_int_equal(d->ns_count, 1);
    assert_int_equal(d->ns_ttl, 2100);
}

static void hostile_lines(void **state) {
    (void)state;
    static const char nul[] = "1.2.3.4\0 :5:x\n\0\n1.2.3.5\n";
    assert_int_equal(load_text(d, DATASET_IP4SET, nul, sizeof nul - 1, "made", &report, &err), 0);
    assert_int_equal(d->n4, 2);
    assert_int_equal(report.lines, 3);
    size_t size = 5 << 20;
    char *big = malloc(size);
    memset(big, '1', size);
    memcpy(big, "9.9.9.9\n", 8);
    memcpy(big + size - 9, "\n8.8.8.8\n", 9);
    assert_int_equal(load_text(d, DATASET_IP4SET, big, size, "made", &report, &err), 0);
    assert_int_equal(d->n4, 4);
    assert_int_equal(report.bad_lines, 1);
    assert_int_equal(report.note[0].line, 2);
    /* a line of the greatest length is read whole, of a longer one the front */
    for (int extra = 0; extra < 2; extra++) {
        memset(big, ' ', LIMIT_LOAD_LINE + 1);
        memcpy(big, "1.1.1.1", 7);
        big[LIMIT_LOAD_LINE + extra - 1] = 'x';
        assert_int_equal(
            load_text(d, DATASET_IP4SET, big, (size_t)LIMIT_LOAD_LINE + (size_t)extra, "made", &report, &err), 0);
        assert_string_equal(value_of(d->e4[d->n4 - 1].value), extra == 0 ? ":127.0.0.2:x" : ":127.0.0.2:");
        assert_int_equal(report.bad_lines, 1 + extra);
    }
    free(big);
    for (int i = 0; i < 50; i++)
        assert_int_equal(load_more(DATASET_IP4SET, "\x01\x7f\xff bad\n"), 0);
    assert_int_equal(report.notes, LIMIT_LOAD_ERRORS_SHOWN);
    assert_int_equal(report.bad_lines, 52);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(forms_of_addresses, setup, teardown),
        cmocka_unit_test_setup_teardown(a_range_is_the_fewest_prefixes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_trie_takes_no_range_but_takes_all, setup, teardown),
        cmocka_unit_test_setup_teardown(defaults_hold_from_their_line_on, setup, teardown),
        cmocka_unit_test_setup_teardown(duplicates_of_a_set_add_up, setup, teardown),
        cmocka_unit_test_setup_teardown(variables_may_be_set_below_their_use, setup, teardown),
        cmocka_unit_test_setup_teardown(base_template, setup, teardown),
        cmocka_unit_test_setup_teardown(long_text_is_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(ip6_forms, setup, teardown),
        cmocka_unit_test_setup_teardown(name_forms, setup, teardown),
        cmocka_unit_test_setup_teardown(longest_names, setup, teardown),
        cmocka_unit_test_setup_teardown(directives, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stamp_in_the_future_refuses_the_load, setup, teardown),
        cmocka_unit_test_setup_teardown(soa_of_the_first_dataset, setup, teardown),
        cmocka_unit_test_setup_teardown(hostile_lines, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
