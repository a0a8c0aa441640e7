/* Questions to blocklist zones, from a data file's text through load, keep and view to RRs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "resolver/base/clock.h"
#include "tests/unit/rbl/zones.h"

static void an_address_list(void **state) {
    (void)state;
    configure("rbl: { zones: [ { name: bl.test., test: none, data: [ { type: ip4trie, files: [x] } ] } ] }");
    commit(0,
           "$SOA 1h ns.test host.bl.test 77 1h 1h 1h 10m\n$TTL 5m\n:4:listed $\n127.0.0.2\n10.0.0.0/8 :5:\n!10.1/16\n",
           NULL);
    open_source();
    static const char none[] = "NXDOMAIN | ns bl.test. 600 SOA 77 600",
                      empty[] = "NOERROR | ns bl.test. 600 SOA 77 600";
    assert_string_equal(answer("2.0.0.127.bl.test", TYPE_A), "NOERROR | an 2.0.0.127.bl.test. 300 A 127.0.0.4");
    assert_string_equal(answer("2.0.0.127.bL.teST", TYPE_A), "NOERROR | an 2.0.0.127.bL.teST. 300 A 127.0.0.4");
    assert_string_equal(answer("02.000.0.127.bl.test", TYPE_TXT),
                        "NOERROR | an 02.000.0.127.bl.test. 300 TXT listed 127.0.0.2");
    assert_string_equal(answer("9.9.9.10.bl.test", TYPE_A), "NOERROR | an 9.9.9.10.bl.test. 300 A 127.0.0.5");
    assert_string_equal(answer("9.9.9.10.bl.test", TYPE_TXT), empty);
    assert_string_equal(answer("2.0.0.127.bl.test", TYPE_MX), empty);
    assert_string_equal(answer("9.9.1.10.bl.test", TYPE_A), none);
    assert_string_equal(answer("1.0.0.127.bl.test", TYPE_A), none);
    static const char *const wrong[] = {"256.0.0.127", "x.2.0.0.127",   "-2.0.0.127", "2.0.0.0127", "2.0.0.12a",
                                        "+2.0.0.127",  "\\032.0.0.127", "a",          "*.0.0.127"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.bl.test", wrong[i]);
        assert_string_equal(answer(name, TYPE_A), none);
    }
    /* parts of reversed addresses exist when something is beneath */
    assert_string_equal(answer("127.bl.test", TYPE_A), empty);
    assert_string_equal(answer("0.0.127.bl.test", TYPE_TXT), empty);
    assert_string_equal(answer("5.10.bl.test", TYPE_A), empty);
    assert_string_equal(answer("11.bl.test", TYPE_A), none);
    assert_string_equal(answer("1.127.bl.test", TYPE_A), none);
}

static void ip6_names(void **state) {
    (void)state;
    configure(
        "rbl: { zones: [ { name: six.test., test: none, ttl: 60s, data: [ { type: ip6trie, files: [x] } ] },"
        " { name: four.test., test: none, data: [ { type: ip4set, files: [x] } ] },"
        " { name: mix.test., test: none, data: [ { type: ip4set, files: [x] }, { type: ip6trie, files: [x] } ] } ] }");
    commit(0, "2001:db8:0:0:1::/80 six $\n::ffff:0:0/96 :6:mapped\n", NULL);
    commit(1, "192.0.2.1 four $\n", NULL);
    commit(2, "192.0.2.1 four $\n", "2002:c000:0201::/48 :3:six $\n::ffff:0:0/96 :6:never\n");
    open_source();
#define TAIL48 "8.b.d.0.1.0.0.2."
    assert_string_equal(answer("0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.0.0.0.0.0.0.0.0." TAIL48 "six.test", TYPE_TXT),
                        "NOERROR | an 0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.0.0.0.0.0.0.0.0." TAIL48
                        "six.test. 60 TXT six 2001:db8:0:0:1::");
    assert_string_equal(answer("0.0.0.0.0.0.0.0.0.0.0.0.2.0.0.0.0.0.0.0.0.0.0.0." TAIL48 "six.test", TYPE_A),
                        "NXDOMAIN | ns six.test. 300 SOA 1800000000 300");
    static const char mapped[] = "1.0.2.0.0.0.0.c.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.";
    static const char sixto4[] = "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.2.0.0.0.0.C.2.0.0.2.";
    char name[128], wanted[512];
    snprintf(name, sizeof name, "%ssix.test", mapped);
    snprintf(wanted, sizeof wanted, "NOERROR | an %s. 60 TXT mapped", name);
    assert_string_equal(answer(name, TYPE_TXT), wanted);
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%sfour.test", i ? mapped : sixto4);
        snprintf(wanted, sizeof wanted, "NOERROR | an %s. 2100 TXT four 192.0.2.1", name);
        assert_string_equal(answer(name, TYPE_TXT), wanted);
    }
    snprintf(name, sizeof name, "%smix.test", mapped);
    snprintf(wanted, sizeof wanted, "NOERROR | an %s. 2100 TXT four 192.0.2.1", name);
    assert_string_equal(answer(name, TYPE_TXT), wanted);
    snprintf(name, sizeof name, "%smix.test", sixto4);
    snprintf(wanted, sizeof wanted,
             "NOERROR | an %s. 2100 TXT four 192.0.2.1 | an %s. 2100 TXT six 2002:c000:201::", name, name);
    assert_string_equal(answer(name, TYPE_TXT), wanted);
    /* nibbles that lead there */
    static const char *const there[] = {"2",
                                        "0.0.2",
                                        "2.0.0.2",
                                        "0.0.0.c.2.0.0.2",
                                        "f.0.1.0.2.0.0.0.0.c.2.0.0.2",
                                        "0.0.0",
                                        "f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0",
                                        "2.0.0.0.0.c.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0"};
    for (size_t i = 0; i < ARRAY_SIZE(there); i++) {
        snprintf(name, sizeof name, "%s.four.test", there[i]);
        answer(name, TYPE_A);
        if (last.rcode != RCODE_NOERROR)
            fail_msg("%s: %s", name, said);
    }
    static const char *const nowhere[] = {"3",
                                          "1.2.0.0.2",
                                          "f.f.f.e.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0",
                                          "2.0.0.0.1.c.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0",
                                          "g",
                                          "10"};
    for (size_t i = 0; i < ARRAY_SIZE(nowhere); i++) {
        snprintf(name, sizeof name, "%s.four.test", nowhere[i]);
        answer(name, TYPE_A);
        if (last.rcode != RCODE_NXDOMAIN)
            fail_msg("%s: %s", name, said);
    }
}

static void a_name_list(void **state) {
    (void)state;
    configure("rbl: { zones: [ { name: dbl.test., test: none, data: [ { type: dnset, files: [x] }, { type: dnset, "
              "files: [y] } ] } ] }");
    commit(0, ":2:listed: $$ $\n.wild.org\nexact.com :4:it is $\n!good.wild.org\na.b.deep.net\n*.x(y).org :7:$\n",
           "$TTL 60\nwild.org :3:second\nwild.org :2:listed: $$ $\n");
    open_source();
    assert_string_equal(answer("Exact.com.dbl.test", TYPE_TXT),
                        "NOERROR | an Exact.com.dbl.test. 2100 TXT it is exact.com");
    assert_string_equal(answer("sub.WILD.org.dbl.test", TYPE_TXT),
                        "NOERROR | an sub.WILD.org.dbl.test. 2100 TXT listed: $ wild.org");
    assert_string_equal(answer("wild.org.dbl.test", TYPE_A),
                        "NOERROR | an wild.org.dbl.test. 60 A 127.0.0.2 | an wild.org.dbl.test. 60 A 127.0.0.3");
    assert_string_equal(answer("z.x(y).org.dbl.test", TYPE_TXT),
                        "NOERROR | an z.x\\(y\\).org.dbl.test. 2100 TXT x(y).org");
    answer("good.wild.org.dbl.test", TYPE_A);
    assert_int_equal(last.rcode, RCODE_NXDOMAIN);
    answer("www.exact.com.dbl.test", TYPE_A);
    assert_int_equal(last.rcode, RCODE_NXDOMAIN);
    answer("deep.net.dbl.test", TYPE_A);
    assert_int_equal(last.rcode, RCODE_NOERROR);
    answer("net.dbl.test", TYPE_A);
    assert_int_equal(last.rcode, RCODE_NOERROR);
    answer("et.dbl.test", TYPE_A);
    assert_int_equal(last.rcode, RCODE_NXDOMAIN);
}

static void the_apex(void **state) {
    (void)state;
    configure("resolver: { refuse-any: true }\n"
              "rbl:\n"
              "  zones:\n"
              "    - { name: own.test., test: none, data: [ { type: ip4set, files: [x] } ] }\n"
              "    - { name: made.test., test: none, ns: [ns1.made.test., ns.other.], ttl: 100s,\n"
              "        soa: { contact: me.test., minimum: 50s }, data: [ { type: ip4set, files: [x] } ] }\n"
              "    - { name: sub.own.test., test: none, data: [ { type: ip4set, files: [x] } ] }\n");
    commit(0, "$SOA 30 ns.own.test a.test 5 1 1 1 60\n$NS 40 n1.test n2.own.test\n1.2.3.4 :2:x\n", NULL);
    commit(1, "1.2.3.4 :2:x\n", NULL);
    commit(2, "1.2.3.4 :2:x\n", NULL);
    open_source();
    assert_string_equal(answer("own.test", TYPE_SOA), "NOERROR | an own.test. 30 SOA 5 60");
    assert_string_equal(answer("OWN.test", TYPE_NS),
                        "NOERROR | an OWN.test. 40 NS n1.test. | an OWN.test. 40 NS n2.OWN.test.");
    assert_string_equal(answer("own.test", TYPE_A), "NOERROR | ns own.test. 30 SOA 5 60");
    assert_string_equal(answer("own.test", TYPE_ANY), "NOERROR | an own.test. 2100 HINFO RFC8482");
    assert_string_equal(answer("4.3.2.1.own.test", TYPE_ANY), "NOERROR | an 4.3.2.1.own.test. 2100 HINFO RFC8482");
    assert_string_equal(answer("5.3.2.1.own.test", TYPE_ANY), "NXDOMAIN | ns own.test. 30 SOA 5 60");
    assert_string_equal(answer("made.test", TYPE_SOA), "NOERROR | an made.test. 50 SOA 1800000000 50");
    assert_string_equal(answer("made.test", TYPE_NS),
                        "NOERROR | an made.test. 100 NS ns1.made.test. | an made.test. 100 NS ns.other.");
    assert_string_equal(answer("x.made.test", TYPE_A), "NXDOMAIN | ns made.test. 50 SOA 1800000000 50");
    /* the longest zone that matches answers */
    assert_string_equal(answer("4.3.2.1.sub.own.test", TYPE_A), "NOERROR | an 4.3.2.1.sub.own.test. 2100 A 127.0.0.2");
    struct name n;
    assert_int_equal(name_from_text(&n, "a.b.sub.own.test", NULL), 0);
    assert_int_equal(source.ops->zone(source.self, &n), 2);
    assert_int_equal(name_from_text(&n, "xsub.Own.test", NULL), 0);
    assert_int_equal(source.ops->zone(source.self, &n), 0);
    assert_int_equal(name_from_text(&n, "test", NULL), 0);
    assert_int_equal(source.ops->zone(source.self, &n), -1);
    assert_int_equal(name_from_text(&n, ".", NULL), 0);
    assert_int_equal(source.ops->zone(source.self, &n), -1);
}

/* SOA names point into the question: they must be right wherever the apex stands there. */
static void soa_names_are_whole(void **state) {
    (void)state;
    struct dns_reader r;
    struct dns_rr rr;
    configure("rbl: { zones: [ { name: bl.test., test: none, data: [ { type: ip4set, files: [x] } ] } ] }");
    commit(0, "$SOA 1 Ns.Bl.Test bl.test 5 1 1 1 1\n", NULL);
    open_source();
    static const char *const asked[] = {"bl.test", "x.bl.test", "a.very.much.longer.name.BL.tesT"};
    for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
        struct name n, want;
        size_t next;
        assert_true(ask(asked[i], TYPE_A, &r) > 0);
        assert_int_equal(dns_reader_next(&r, &rr), 0);
        assert_int_equal(rr.type, TYPE_SOA);
        assert_int_equal(name_from_text(&want, "ns.bl.test", NULL), 0);
        assert_int_equal(name_read(&n, message, sizeof message, rr.rdata, &next), 0);
        assert_true(name_equal(&n, &want));
        assert_int_equal(name_from_text(&want, "bl.test", NULL), 0);
        assert_int_equal(name_read(&n, message, sizeof message, next, &next), 0);
        assert_true(name_equal(&n, &want));
        assert_int_equal(next + 20, rr.rdata + rr.rdata_size);
        assert_true(name_equal(&rr.owner, &want));
    }
}

static void who_may_ask(void **state) {
    (void)state;
    struct dns_reader r;
    configure("rbl: { zones: [ { name: bl.test., test: none, allow: [192.0.2.0/24], data: [ { type: ip4set, files: [x] "
              "} ] } ] }");
    commit(0, "1.2.3.4\n", NULL);
    open_source();
    client = "192.0.2.9@5";
    assert_true(ask("4.3.2.1.bl.test", TYPE_A, &r) > 0);
    assert_int_equal(last.rcode, RCODE_NOERROR);
    class = CLASS_CH;
    assert_true(ask("4.3.2.1.bl.test", TYPE_A, &r) > 0);
    assert_int_equal(last.rcode, RCODE_REFUSED);
    class = CLASS_IN;
    assert_true(ask("bl.test", TYPE_AXFR, &r) > 0);
    assert_int_equal(last.rcode, RCODE_REFUSED);
    client = "192.0.3.9@5";
    assert_true(ask("4.3.2.1.bl.test", TYPE_A, &r) > 0);
    assert_int_equal(last.rcode, RCODE_REFUSED);
    assert_int_equal(last.ede, EDE_PROHIBITED);
    client = "127.0.0.1@53";
}

static void a_zone_that_is_not_there_yet(void **state) {
    (void)state;
    configure("rbl: { zones: [ { name: bl.test., test: none, data: [ { type: ip4set, files: [x] } ] } ] }");
    open_source();
    for (int i = 0; i < 3; i++) {
        assert_string_equal(answer("4.3.2.1.bl.test", TYPE_A), "SERVFAIL");
        assert_int_equal(last.ede, EDE_NOT_READY);
    }
    commit(0, "1.2.3.4\n", NULL);
    now_s += 2;
    assert_string_equal(answer("4.3.2.1.bl.test", TYPE_A), "NOERROR | an 4.3.2.1.bl.test. 2100 A 127.0.0.2");
    commit(0, "1.2.3.5\n", NULL);
    now_s += 2;
    answer("4.3.2.1.bl.test", TYPE_A);
    assert_int_equal(last.rcode, RCODE_NXDOMAIN);
}

/* With a board nobody waits for the second to pass. */
static void a_commit_on_the_board_is_seen_at_once(void **state) {
    (void)state;
    struct board *board = calloc(1, sizeof *board);
    struct err err;
    configure("rbl: { zones: [ { name: bl.test., test: none, data: [ { type: ip4set, files: [x] } ] } ] }");
    assert_int_equal(answer_open(&source, conf, board, &err), 0);
    assert_string_equal(answer("4.3.2.1.bl.test", TYPE_A), "SERVFAIL");
    for (unsigned i = 1; i <= 3; i++) {
        char text[32];
        snprintf(text, sizeof text, "1.2.3.4 :%u\n", i + 1);
        commit(0, text, NULL);
        board_set(&board->zone[0].commits, i);
        snprintf(text, sizeof text, "A 127.0.0.%u", i + 1);
        assert_non_null(strstr(answer("4.3.2.1.bl.test", TYPE_A), text));
    }
    answer_close(&source);
    free(board);
}

static void expiry(void **state) {
    (void)state;
    configure("rbl: { zones: [ { name: a.test., test: none, data: [ { type: ip4set, files: [x] } ] },"
              " { name: b.test., test: none, on-expire: serve-stale, data: [ { type: ip4set, files: [x] } ] } ] }");
    now_s = 1800000000; /* 2027-01-15 08:00 */
    commit(0, "$TIMESTAMP 2027:01:15 2027:01:15:08:00:10\n1.2.3.4\n", NULL);
    commit(1, "$TIMESTAMP 2027:01:15 2027:01:15:08:00:10\n1.2.3.4\n", NULL);
    open_source();
    now_s += 9;
    answer("4.3.2.1.a.test", TYPE_A);
    assert_int_equal(last.rcode, RCODE_NOERROR);
    assert_int_equal(last.ede, EDE_NONE);
    now_s += 1;
    assert_string_equal(answer("4.3.2.1.a.test", TYPE_A), "SERVFAIL");
    assert_string_equal(last.ede_text, "zone expired");
    assert_int_equal(last.ede, EDE_INVALID_DATA);
    answer("4.3.2.1.b.test", TYPE_A);
    assert_int_equal(last.rcode, RCODE_NOERROR);
    assert_int_equal(last.ede, EDE_STALE_ANSWER);
    answer("5.3.2.1.b.test", TYPE_A);
    assert_int_equal(last.rcode, RCODE_NXDOMAIN);
    assert_int_equal(last.ede, EDE_STALE_NXDOMAIN);
    commit(0, "$TIMESTAMP 2027:01:15 2027:01:15:09:00:00\n1.2.3.4\n", NULL); /* new data: as if nothing had been */
    now_s += 1;
    assert_string_equal(answer("4.3.2.1.a.test", TYPE_A), "NOERROR | an 4.3.2.1.a.test. 2100 A 127.0.0.2");
    now_s = 1800000000;
}

static void one_damaged_zone(void **state) {
    (void)state;
    char path[256];
    configure("rbl: { zones: [ { name: a.test., test: none, data: [ { type: ip4set, files: [x] } ] },"
              " { name: b.test., test: none, data: [ { type: ip4set, files: [x] } ] } ] }");
    commit(0, "1.2.3.4\n", NULL);
    commit(1, "1.2.3.4\n", NULL);
    snprintf(path, sizeof path, "%s/zones/a.test./current", dir);
    struct stat st;
    if (stat(path, &st) != 0)
        snprintf(path, sizeof path, "%s/zones/a.test/current", dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("g99999\n", f);
    fclose(f);
    open_source();
    assert_string_equal(answer("4.3.2.1.a.test", TYPE_A), "SERVFAIL");
    assert_int_equal(last.ede, EDE_INVALID_DATA);
    assert_string_equal(answer("4.3.2.1.b.test", TYPE_A), "NOERROR | an 4.3.2.1.b.test. 2100 A 127.0.0.2");
}

static void room_that_runs_out(void **state) {
    (void)state;
    struct dns_reader r;
    char text[4096];
    int at = 0;
    configure("rbl: { zones: [ { name: bl.test., test: none, data: [ { type: ip4set, files: [x] } ] } ] }");
    for (int i = 1; i <= 70; i++)
        at += snprintf(text + at, sizeof text - (size_t)at, "1.2.3.4 :%d:text %d\n", i, i);
    commit(0, text, NULL);
    open_source();
    for (cap = 40; cap < 600; cap += 7)
        assert_int_equal(ask("4.3.2.1.bl.test", TYPE_A, &r), E_FULL);
    cap = sizeof message;
    assert_true(ask("4.3.2.1.bl.test", TYPE_A, &r) > 0);
    assert_int_equal(get_u16(message + 6), 70);
    assert_true(ask("4.3.2.1.bl.test", TYPE_TXT, &r) > 0);
    assert_int_equal(get_u16(message + 6), 70);
}

static void long_text_is_cut_at_254(void **state) {
    (void)state;
    struct dns_reader r;
    struct dns_rr rr;
    char text[600] = "1.2.3.4 ";
    configure("rbl: { zones: [ { name: bl.test., test: none, data: [ { type: ip4set, files: [x] } ] } ] }");
    memset(text + 8, '$', 250);
    text[8 + 250] = '\0';
    for (int i = 8; i < 258; i += 2)
        text[i + 1] = 'a';
    commit(0, text, NULL);
    open_source();
    assert_true(ask("4.3.2.1.bl.test", TYPE_TXT, &r) > 0);
    assert_int_equal(dns_reader_next(&r, &rr), 0);
    assert_int_equal(rr.rdata_size, 255);
    assert_int_equal(message[rr.rdata], 254);
    for (int i = 0; i < 254; i++)
        assert_int_equal(message[rr.rdata + 1 + (size_t)i], "1.2.3.4a"[i % 8]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_address_list, setup, teardown),
        cmocka_unit_test_setup_teardown(ip6_names, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_list, setup, teardown),
        cmocka_unit_test_setup_teardown(the_apex, setup, teardown),
        cmocka_unit_test_setup_teardown(soa_names_are_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(who_may_ask, setup, teardown),
        cmocka_unit_test_setup_teardown(a_zone_that_is_not_there_yet, setup, teardown),
        cmocka_unit_test_setup_teardown(a_commit_on_the_board_is_seen_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(expiry, setup, teardown),
        cmocka_unit_test_setup_teardown(one_damaged_zone, setup, teardown),
        cmocka_unit_test_setup_teardown(room_that_runs_out, setup, teardown),
        cmocka_unit_test_setup_teardown(long_text_is_cut_at_254, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
