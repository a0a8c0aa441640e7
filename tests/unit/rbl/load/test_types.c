/* The types whose lines are not those of a set or a trie: ip4tset, ip6tset, generic, combined, acl. What is asserted
 * was found by asking rbldnsd 1.0. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/rbl/load/loaded.h"

static void load_fresh(enum conf_dataset_type type, const char *text) {
    again();
    load(type, text);
}

static const char *value_of(uint32_t id) {
    static char to[VALUE_TEXT_MAX];
    assert_true(id < d->value_count);
    return id == VALUE_EXCLUDED ? "!" : value_text(&d->value[id], to);
}

/* The entry of the dataset at the address or name as "bits value"; "" when there is none. */
static const char *at4(unsigned dataset, uint32_t addr) {
    static char to[VALUE_TEXT_MAX + 8];
    for (size_t i = 0; i < d->n4; i++)
        if (d->e4[i].addr == addr && d->e4[i].dataset == dataset) {
            snprintf(to, sizeof to, "%u %s", d->e4[i].bits, value_of(d->e4[i].value));
            return to;
        }
    return "";
}

/* "name value" of the names in order, in one line each. */
static const char *names(void) {
    static char to[1 << 16];
    size_t at = 0;
    to[0] = '\0';
    for (size_t i = 0; i < d->nn; i++) {
        const struct entry_name *e = &d->en[i];
        at += (size_t)snprintf(to + at, sizeof to - at, "%u ", e->dataset);
        for (unsigned j = 0; j < e->size; j += 1u + e->name[j])
            at += (size_t)snprintf(to + at, sizeof to - at, "/%.*s", e->name[j], (const char *)&e->name[j + 1]);
        at += (size_t)snprintf(to + at, sizeof to - at, "%s %s\n", e->wildcard ? "/*" : "", value_of(e->value));
    }
    return to;
}

static void ip4tset(void **state) {
    (void)state;
    load_fresh(
        DATASET_IP4TSET,
        "1.0.0.1\n:x\n:3:first $ $1\n:4:second\n1.0.0.2 :9:own\n1.0.0.1\n0.0.0.0\n1.0.0.3:5\n1.0.0.4#\n$1 one\n");
    assert_int_equal(d->n4, 5);
    assert_int_equal(report.bad_lines, 1);
    for (size_t i = 0; i < d->n4; i++) {
        assert_int_equal(d->e4[i].bits, 32);
        assert_string_equal(value_of(d->e4[i].value), ":127.0.0.3:first $ one");
    }
    load_fresh(DATASET_IP4TSET,
               "!1.0.0.1\n1.0.0\n1.0.0.0/24\n1.0.0.1/32\n1.0.0.1-2\n1.0.0.1,\n1.0.0.1.\n1.0.0.256\n1\n");
    assert_int_equal(d->n4, 0);
    assert_int_equal(report.bad_lines, 9);
    load_fresh(DATASET_IP4TSET, "1.0.0.1\n");
    assert_string_equal(at4(0, 0x01000001), "32 :127.0.0.2:");
}

static void ip6tset(void **state) {
    (void)state;
    load_fresh(DATASET_IP6TSET,
               "1:2:3:4\n:3:first\n:4:\n!1:2:3:4:5:6:7:8\n! 1:2:3:4::9 text\n1:2:3:5 text\n1:2:3:6;\n");
    assert_int_equal(d->n6, 5);
    assert_int_equal(report.bad_lines, 0);
    unsigned excluded = 0;
    for (size_t i = 0; i < d->n6; i++) {
        bool out = d->e6[i].value == VALUE_EXCLUDED;
        excluded += out;
        assert_int_equal(d->e6[i].bits, out ? 128 : 64);
        assert_string_equal(value_of(d->e6[i].value), out ? "!" : ":127.0.0.3:first");
    }
    assert_int_equal(excluded, 2);
    load_fresh(DATASET_IP6TSET,
               "1:2:3:4/64\n1:2:3:4::\n1:2:3:4::/64\n1:2:3\n1:2:3:4:5\n!1:2:3:4\n!1:2:3:4::/128\n!1:2:3:4::/"
               "64\n::1\n1:2:3:4:\n");
    assert_int_equal(d->n6, 0);
    assert_int_equal(report.bad_lines, 10);
}

static const char *rr(const char *line) {
    static char text[VALUE_TEXT_MAX + 16];
    char whole[2000];
    snprintf(whole, sizeof whole, "%s\n", line);
    load_fresh(DATASET_GENERIC, whole);
    if (d->nn == 0) {
        assert_int_equal(report.bad_lines, 1);
        return "";
    }
    assert_int_equal(report.bad_lines, 0);
    assert_false(d->en[0].wildcard);
    return strcpy(text, value_of(d->en[0].value));
}

static void rrs(void **state) {
    (void)state;
    static const struct {
        const char *line, *rr;
    } rows[] = {
        {"www 3000 A 127.0.0.1", "3000 A 127.0.0.1"},
        {"www IN A 1.2.3.4", "2100 A 1.2.3.4"},
        {"www 300 in\ttXt x", "300 TXT \"x\""},
        {"www IN 300 A 1.2.3.4", ""},
        {"www 0 A 1.2.3.4", "2100 A 1.2.3.4"},
        {"www 1h A 1.2.3.4", "3600 A 1.2.3.4"},
        {"www 1D A 1.2.3.4", "86400 A 1.2.3.4"},
        {"www 4294967295 A 1.2.3.4", "4294967295 A 1.2.3.4"},
        {"www A 5", "2100 A 0.0.0.5"},
        {"www A 1.2", "2100 A 1.0.0.2"},
        {"www A 1.2.3/24", "2100 A 1.2.0.3"},
        {"www A 1.2.3.4. what ever", "2100 A 1.2.3.4"},
        {"www A 1.2.3.4:x#y", "2100 A 1.2.3.4"},
        {"www A 0", "2100 A 0.0.0.0"},
        {"www A 1.2.3.", ""},
        {"www A 256", ""},
        {"www A x", ""},
        {"www A", ""},
        {"www", ""},
        {"www 300", ""},
        {"www 5 5 A 1.2.3.4", ""},
        {"www -5 A 1.2.3.4", ""},
        {"www CH A 1.2.3.4", ""},
        {"www SOA x", ""},
        {"www TXT", ""},
        {"www TXT \"\"", "2100 TXT \"\""},
        {"www TXT \"", "2100 TXT \"\\\"\""},
        {"www TXT \"a", "2100 TXT \"\\\"a\""},
        {"www TXT \"a\" \"b\"", "2100 TXT \"a\\\" \\\"b\""},
        {"www TXT \"x\" y", "2100 TXT \"\\\"x\\\" y\""},
        {"www TXT  $ $$ $1 # ;", "2100 TXT \"$ $$ $1 # ;\""},
        {"www MX 10 mx.x.", "2100 MX 10 mx.x."},
        {"www MX 65535\ta..b", "2100 MX 65535 a.b."},
        {"www MX 10 .", "2100 MX 10 ."},
        {"www MX 65536 a", ""},
        {"www MX a", ""},
        {"www MX 10mx.x", ""},
        {".dot A 1.2.3.4", "2100 A 1.2.3.4"},
        {". A 1.2.3.4", ""},
        /* rbldnsd gives the whole file up */
        {"www 5x A 1.2.3.4", ""},
        {"www 4294967296 A 1.2.3.4", ""},
        {"www 300A 1.2.3.4", ""},
        {"www MX 10", ""},
        {"www MX 10 a b", ""},
        /* rbldnsd does not know them */
        {"www AAAA 2001:db8::1", "2100 AAAA 2001:db8:0:0:0:0:0:1"},
        {"www AAAA 1.2.3.4", ""},
        {"www AAAA ::1 x", ""},
        {"www CNAME a.b", "2100 CNAME a.b."},
        {"www NS a.b.", "2100 NS a.b."},
        {"www NS a b", ""},
        {"www NS", ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_string_equal(rr(rows[i].line), rows[i].rr);
    char line[400] = "www TXT \"";
    memset(line + 9, 'x', 300);
    strcpy(line + 309, "\"");
    rr(line);
    const struct value *v = &d->value[d->en[0].value];
    assert_int_equal(v->txt_size, 256);
    assert_int_equal((uint8_t)v->txt[0], 255);
}

static void names_of_rrs(void **state) {
    (void)state;
    load_fresh(
        DATASET_GENERIC,
        "@ A 1.2.3.4\n@ MX 10 mX\nA.b TXT x\na.B TXT y\na.b. TXT x\n*.w A 1.2.3.4\n!e A 1.2.3.4\n:5:x A 1.2.3.4\n"
        "4.3.2.1 A 1.2.3.4\n@ 9 A 1.2.3.4\n");
    assert_int_equal(report.bad_lines, 0);
    assert_string_equal(names(), "0  2100 A 1.2.3.4\n0  2100 MX 10 mX.\n0  9 A 1.2.3.4\n0 /1/2/3/4 2100 A 1.2.3.4\n"
                                 "0 /b/a 2100 TXT \"x\"\n0 /b/a 2100 TXT \"y\"\n0 /w/* 2100 A 1.2.3.4\n"
                                 "0 /!e 2100 A 1.2.3.4\n0 /:5:x 2100 A 1.2.3.4\n");
    for (size_t i = 0; i < d->nn; i++)
        assert_false(d->en[i].wildcard);
}

/* A TTL that is not given is the one that holds at the line. */
static void ttls_of_rrs(void **state) {
    (void)state;
    d->ttl = 300;
    d->ttl_min = 100;
    d->ttl_max = 1000;
    assert_int_equal(load_more(DATASET_GENERIC, "a A 1\nb 10 A 1\nc 2h A 1\nd 500 A 1\n$TTL 5\ne A 1\n$TTL 0\nf 0 A 1\n"
                                                "$SOA 5 a b 1 2h 3 4 9999\n$NS 9999 a\n"),
                     0);
    assert_int_equal(data_settle(d, &err), 0);
    assert_string_equal(names(), "0 /a 300 A 0.0.0.1\n0 /b 100 A 0.0.0.1\n0 /c 1000 A 0.0.0.1\n0 /d 500 A 0.0.0.1\n"
                                 "0 /e 100 A 0.0.0.1\n0 /f 300 A 0.0.0.1\n");
    assert_int_equal(d->soa_ttl, 100);
    assert_int_equal(d->soa.refresh, 7200); /* no TTL of an RR */
    assert_int_equal(d->soa.minimum, 9999);
    assert_int_equal(d->ns_ttl, 1000);
    assert_int_equal(load_more(DATASET_IP4SET, "$TTL 5000\n"), 0);
    assert_int_equal(d->dataset[1].ttl, 1000);
}

static void acl(void **state) {
    (void)state;
    static const struct {
        const char *value, *said;
    } rows[] = {
        {"", ":ignore"},
        {":ignore", ":ignore"},
        {":i", ":ignore"},
        {":blackhole", ":ignore"},
        {"=b", ":ignore"},
        {":refuse", ":refuse"},
        {":REFUSE", ":refuse"},
        {":rEf", ":refuse"},
        {":refuse:x", ":refuse"},
        {":refuse x", ":refuse"},
        {"=refuse", ":refuse"},
        {":empty", ":empty"},
        {":e", ":empty"},
        {":pass#c", ":pass"},
        {":p;", ":pass"},
        {"# c", ":ignore"},
        {":5", ":127.0.0.5:"},
        {":5:", ":127.0.0.5:"},
        {":5:x $ $1", ":127.0.0.5:x $ one"},
        {"text # x", ":127.0.0.2:text # x"},
        {":refused", ""},
        {":ignored", ""},
        {": ignore", ""},
        {":nosuch", ""},
        {"=5", ""},
        {"= refuse", ""},
        {"=", ""},
        {":", ""},
        {"::5", ""},
        {":0", ""},
    };
    char text[200];
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        snprintf(text, sizeof text, "127/8 %s\n$1 one\n", rows[i].value);
        load_fresh(DATASET_ACL, text);
        assert_int_equal(d->n4, rows[i].said[0] != '\0');
        assert_int_equal(report.bad_lines, d->n4 == 0);
        if (d->n4 > 0)
            assert_string_equal(value_of(d->e4[0].value), rows[i].said);
    }
    load_fresh(
        DATASET_ACL,
        ":refuse\n1.0.0.1\n1.0.0.2 text\n1.0.0.3 :5\n:6:six $\n1.0.0.4\n1.0.0.5 :7\n1.0.0.6 :pass\n=empty\n1.0.0.7\n");
    assert_string_equal(at4(0, 0x01000001), "32 :refuse");
    assert_string_equal(at4(0, 0x01000002), "32 :127.0.0.2:text"); /* rbldnsd falls over */
    assert_string_equal(at4(0, 0x01000003), "32 :127.0.0.5:");
    assert_string_equal(at4(0, 0x01000004), "32 :127.0.0.6:six $");
    assert_string_equal(at4(0, 0x01000005), "32 :127.0.0.7:six $");
    assert_string_equal(at4(0, 0x01000006), "32 :pass");
    assert_string_equal(at4(0, 0x01000007), "32 :empty");
    assert_int_equal(report.bad_lines, 0);
}

static void keys_of_an_acl(void **state) {
    (void)state;
    load_fresh(DATASET_ACL,
               "0/0 :pass\n1.2\n1.2.3.4/32\n1.2.3.4 :pass\n::/0\n1/40\n400/16\n10:20::/32:pass\n::1\n1:2\n");
    assert_int_equal(d->n4, 3);
    assert_int_equal(d->n6, 6);
    assert_string_equal(at4(0, 0x01020304), "32 :ignore"); /* the first */
    assert_int_equal(report.bad_lines, 0);
    load_fresh(DATASET_ACL,
               "!1.2.3.4\n!::1\n1\n300\n1.2.3.4-5\n1.2.3.4/24\n::ffff:1.2.3.4\n$SOA 0 a b 1 1 1 1 1\n$NS 0 "
               "a\n$DATASET ip4set a\n");
    assert_int_equal(d->n4 + d->n6, 0);
    assert_int_equal(report.bad_lines, 10);
    assert_false(d->has_soa);
    assert_int_equal(d->ns_count, 0);
    load_fresh(DATASET_ACL, "$TTL 60\n$MAXRANGE4 256\n1.2/16\n1.2.3\n::/0\n$TIMESTAMP 2020:01:01 2021:01:01\n");
    assert_int_equal(d->n4, 1);
    assert_int_equal(d->n6, 1);
    assert_int_equal(d->dataset[0].ttl, 60);
    assert_int_equal(d->timestamp + d->expires_wall_s, 0); /* the zone's are others' */
    assert_int_equal(load_more(DATASET_ACL, "$TIMESTAMP 2027:01:16\n"), E_REFUSED);
}

static const char *subs(unsigned dataset) {
    static char to[2000];
    char text[NAME_TEXT_MAX];
    size_t at = 0;
    to[0] = '\0';
    for (unsigned i = 0; i < d->dataset[dataset].sub_count; i++)
        at += (size_t)snprintf(to + at, sizeof to - at, "%s ", name_text(&d->dataset[dataset].sub[i], text));
    return to;
}

static void parts(void **state) {
    (void)state;
    load_fresh(DATASET_COMBINED,
               "$SOA 0 a b 1 1 1 1 1\n$1 ONE\n$2 TWO\n$= base $=\n$TTL 111\n"
               "$DATASET ip4set:proxy proxies @\n:2:p $1 $2 $3\n$2 own\n$3 three\n$TTL 222\n1.0.0.1\n1.0.0.2 =x $3\n"
               "$dataset ip4trie Sub.Relays. @ sub.relays\n1.0.0.1\n1.0.0.2 =x $3\n"
               ";$DATASET ip4tset: t\n1.0.0.3\n:7:seven\n"
               "$DATASET generic:a:b @ g\n@ A 1\n"
               "$DATASET dnset *.b .\n*.x\n");
    assert_int_equal(report.bad_lines, 0);
    assert_int_equal(d->dataset_count, 5);
    static const enum conf_dataset_type types[] = {DATASET_IP4SET, DATASET_IP4TRIE, DATASET_IP4TSET, DATASET_GENERIC,
                                                   DATASET_DNSET};
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(d->dataset[i].type, types[i]);
        assert_int_equal(d->dataset[i].ttl, i == 0 ? 222 : 111);
        assert_int_equal(d->dataset[i].source, 0);
    }
    assert_int_equal(d->soa_ttl, 2100); /* $TTL stands below it */
    assert_string_equal(subs(0), "proxies. . ");
    assert_string_equal(subs(1), "sub.relays. . ");
    assert_string_equal(subs(2), "t. ");
    assert_string_equal(subs(3), ". g. ");
    assert_string_equal(subs(4), "*.b. . ");
    assert_string_equal(at4(0, 0x01000001), "32 :127.0.0.2:base p $$1 $$2 $$3");
    assert_string_equal(at4(0, 0x01000002), "32 :127.0.0.2:x three");
    assert_string_equal(at4(1, 0x01000001), "32 :127.0.0.2:base $");
    assert_string_equal(at4(1, 0x01000002), "32 :127.0.0.2:x $$3"); /* another part's */
    assert_string_equal(at4(2, 0x01000003), "32 :127.0.0.7:base seven");
    assert_string_equal(names(), "3  111 A 0.0.0.1\n4 /x/* :127.0.0.2:base $\n");
}

/* $SOA and $NS belong to the zone, with the TTL of the common section; $MAXRANGE4 is never widened again. */
static void what_parts_share(void **state) {
    (void)state;
    load_fresh(DATASET_COMBINED,
               "$TTL 50\n$MAXRANGE4 1000\n$DATASET ip4set a\n$MAXRANGE4 2\n$TTL 60\n$SOA 0 a b 1 1 1 1 "
               "1\n$NS 0 a\n1.0.0.0/31\n"
               "$DATASET ip4set b\n1.0.0.0/31\n1.0.1.0/30\n$TTL 0\n");
    assert_int_equal(d->soa_ttl, 50);
    assert_int_equal(d->ns_ttl, 50);
    assert_int_equal(d->dataset[1].ttl, 2100);
    assert_int_equal(d->n4, 2);
    assert_int_equal(report.bad_lines, 1);
    /* without subzones nobody asks it: it is none */
    load_fresh(DATASET_COMBINED,
               "$DATASET ip4set\n1.0.0.1\nbad\n$DATASET ip4set b\n1.0.0.1\n$DATASET dnset \n$TTL 5\n");
    assert_int_equal(d->dataset_count, 1);
    assert_int_equal(d->n4, 1);
    assert_int_equal(d->e4[0].dataset, 0);
    assert_int_equal(d->dataset[0].sub_count, 1);
    assert_int_equal(report.bad_lines, 3);
    load_fresh(DATASET_COMBINED, "# nothing\n$TTL 1\n\n");
    assert_int_equal(d->dataset_count, 0);
    char text[200] = "$DATASET ip4set ";
    memset(text + 16, 'x', 64);
    strcpy(text + 80, " b\n1.0.0.1\n");
    load_fresh(DATASET_COMBINED, text);
    assert_string_equal(subs(0), "b. ");
    assert_int_equal(report.bad_lines, 1);
}

static void what_no_part_can_be(void **state) {
    (void)state;
    static const char *const bad[] = {
        "1.0.0.1\n",
        ":3:x\n$DATASET ip4set a\n",
        "!x\n",
        "\n$DATASET combined a\n",
        "\n$DATASET acl a\n",
        "\n$DATASET nosuch a\n",
        "\n$DATASET IP4SET a\n",
        "\n$DATASET :x a\n",
        "\n$DATASET \n\n$DATASET  a\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        again();
        assert_int_equal(load_more(DATASET_COMBINED, bad[i]), E_INVALID);
        assert_non_null(strstr(err.text, "made:"));
    }
    load_fresh(DATASET_IP4SET, "1.0.0.1\n$DATASET ip4set a\n1.0.0.2\n"); /* no directive here */
    assert_int_equal(d->n4, 2);
    assert_int_equal(report.bad_lines, 1);
}

static void bounds(void **state) {
    (void)state;
    char text[64 * 40] = "";
    for (int i = 0; i < 17; i++)
        snprintf(text + strlen(text), 40, "%s s%d", i == 0 ? "$DATASET ip4set" : "", i);
    assert_int_equal(load_more(DATASET_COMBINED, text), E_FULL);
    assert_non_null(strstr(err.text, "16 subzones"));
    text[0] = '\0';
    for (int i = 0; i < DATASET_LOCAL; i++)
        snprintf(text + strlen(text), 40, "$DATASET ip4set s%d\n1.2.3.4\n", i);
    load_fresh(DATASET_COMBINED, text);
    assert_int_equal(d->dataset_count, DATASET_LOCAL);
    assert_int_equal(load_more(DATASET_IP4SET, ""), E_FULL);
    again();
    assert_int_equal(load_more(DATASET_IP4SET, ""), 0);
    assert_int_equal(load_more(DATASET_COMBINED, text), E_FULL);
    assert_non_null(strstr(err.text, "63 datasets"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ip4tset, setup, teardown),
        cmocka_unit_test_setup_teardown(ip6tset, setup, teardown),
        cmocka_unit_test_setup_teardown(rrs, setup, teardown),
        cmocka_unit_test_setup_teardown(names_of_rrs, setup, teardown),
        cmocka_unit_test_setup_teardown(ttls_of_rrs, setup, teardown),
        cmocka_unit_test_setup_teardown(acl, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_of_an_acl, setup, teardown),
        cmocka_unit_test_setup_teardown(parts, setup, teardown),
        cmocka_unit_test_setup_teardown(what_parts_share, setup, teardown),
        cmocka_unit_test_setup_teardown(what_no_part_can_be, setup, teardown),
        cmocka_unit_test_setup_teardown(bounds, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
