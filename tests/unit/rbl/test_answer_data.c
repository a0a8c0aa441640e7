/* Generic, combined and acl data, entries' own TTLs, questions counted: what rbldnsd answers, with the protocol right.
 * The expected answers were taken from Debian's rbldnsd on the same data, apart from names that exist without RRs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rbl/keep/edit.h"
#include "resolver/base/board.h"
#include "tests/unit/rbl/zones.h"

#define NX(zone) "NXDOMAIN | ns " zone " 300 SOA 1800000000 300"
#define NODATA(zone) "NOERROR | ns " zone " 300 SOA 1800000000 300"

static void generic_data(void **state) {
    (void)state;
    configure("rbl: { zones: [ { name: g.test., test: none, data: [ { type: ip4set, files: [x] }, { type: generic, "
              "files: [x] } ] } ] }");
    commit(0, ":2:listed $\n127.0.0.2\n",
           "@ A 127.0.0.8\n@ MX 10 mx.ex.com\n@ TXT hello\nwww A 127.0.0.8\nwww 60 A 127.0.0.9\nwww TXT text\n"
           "2.0.0.127 A 127.9.9.9\n2.0.0.127 30 TXT gen\nx.y A 127.1.1.1\nal CNAME www.example\nal A 127.0.0.3\n"
           "six AAAA 2001:db8::1\n");
    open_source();
    assert_string_equal(answer("g.test", TYPE_A), "NOERROR | an g.test. 2100 A 127.0.0.8");
    assert_string_equal(answer("g.test", TYPE_TXT), "NOERROR | an g.test. 2100 TXT hello");
    assert_string_equal(answer("g.test", TYPE_MX), "NOERROR | an g.test. 2100 MX mx.ex.com.");
    assert_string_equal(answer("g.test", TYPE_AAAA), NODATA("g.test."));
    assert_string_equal(answer("WWW.g.test", TYPE_A),
                        "NOERROR | an WWW.g.test. 60 A 127.0.0.8 | an WWW.g.test. 60 A 127.0.0.9");
    assert_string_equal(answer("www.g.test", TYPE_TXT), "NOERROR | an www.g.test. 2100 TXT text");
    assert_string_equal(answer("www.g.test", TYPE_MX), NODATA("g.test."));
    /* RRs of a name add up to those of a list */
    assert_string_equal(answer("2.0.0.127.g.test", TYPE_A),
                        "NOERROR | an 2.0.0.127.g.test. 2100 A 127.0.0.2 | an 2.0.0.127.g.test. 2100 A 127.9.9.9");
    assert_string_equal(answer("2.0.0.127.g.test", TYPE_TXT),
                        "NOERROR | an 2.0.0.127.g.test. 30 TXT listed 127.0.0.2 | an 2.0.0.127.g.test. 30 TXT gen");
    assert_string_equal(answer("y.g.test", TYPE_A), NODATA("g.test."));
    assert_string_equal(answer("a.x.y.g.test", TYPE_A), NX("g.test."));
    /* a CNAME answers for every type that the name does not have */
    assert_string_equal(answer("al.g.test", TYPE_MX), "NOERROR | an al.g.test. 2100 CNAME www.example.");
    assert_string_equal(answer("al.g.test", TYPE_CNAME), "NOERROR | an al.g.test. 2100 CNAME www.example.");
    assert_string_equal(answer("al.g.test", TYPE_A), "NOERROR | an al.g.test. 2100 A 127.0.0.3");
    answer("six.g.test", TYPE_AAAA);
    assert_non_null(strstr(said, "NOERROR | an six.g.test. 2100 AAAA "));
    assert_string_equal(answer("www.g.test", TYPE_ANY), "NOERROR | an www.g.test. 2100 HINFO RFC8482");
}

/* Found by the fuzz against rbldnsd: each combined dataset has a longest subzone of its own; subzones of one length do
 * not hide each other, empty or not; and what an IPv4-mapped address is asked of is decided subzone by subzone, the
 * apex's parts being one. */
static void several_combined(void **state) {
    (void)state;
    static const char map4[] = "4.0.3.0.2.0.1.0.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.c.test";
    static const char map9[] = "9.0.3.0.2.0.1.0.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.c.test";
    const char *const texts[] = {
        "$DATASET ip4set s1 s2 s3\n:4:\n1.2.3.4\n$DATASET generic s4\n$DATASET ip6trie @\n:6:\n::/64\n",
        "$DATASET ip4set a.s2 s3\n:5:\n1.2.3.4\n", ":7:\n1.2.3.4\n"};
    configure("rbl: { zones: [ { name: c.test., test: none, data: [ { type: combined, files: [x] }, { type: combined, "
              "files: [x] }, { type: ip4set, files: [x] } ] } ] }");
    commit_all(0, texts);
    open_source();
    static const char *const there[] = {"s1.c.test", "s2.c.test", "s3.c.test", "s4.c.test", "a.s2.c.test"};
    for (size_t i = 0; i < ARRAY_SIZE(there); i++)
        assert_string_equal(answer(there[i], TYPE_A), NODATA("c.test."));
    assert_string_equal(answer("s5.c.test", TYPE_A), NX("c.test."));
    assert_string_equal(answer("4.3.2.1.s2.c.test", TYPE_A), "NOERROR | an 4.3.2.1.s2.c.test. 2100 A 127.0.0.4");
    assert_string_equal(answer("4.3.2.1.a.s2.c.test", TYPE_A), "NOERROR | an 4.3.2.1.a.s2.c.test. 2100 A 127.0.0.5");
    answer("4.3.2.1.s3.c.test", TYPE_A);
    assert_non_null(strstr(said, "127.0.0.4"));
    assert_non_null(strstr(said, "127.0.0.5"));
    answer(map4, TYPE_A);
    assert_non_null(strstr(said, "127.0.0.6"));
    assert_non_null(strstr(said, "127.0.0.7"));
    answer(map9, TYPE_A);
    assert_non_null(strstr(said, "127.0.0.6"));
    assert_null(strstr(said, "127.0.0.7"));
}

static void combined_data(void **state) {
    (void)state;
    configure("rbl: { zones: [ { name: c.test., test: none, data: [ { type: combined, files: [x] }, { type: dnset, "
              "files: [x] } ] } ] }");
    commit(0,
           "$DATASET ip4set:p proxies @\n:4:proxy $\n127.0.0.2\n127.0.0.10\n$DATASET ip4set:r relays\n:5:relay $\n"
           "127.0.0.3\n$DATASET dnset:d proxies deep.er\n:6:dn $\nevil.com\n$DATASET generic:g proxies relays @\n"
           "@ A 127.0.0.8\nwww A 127.0.0.7\n$DATASET ip4set:q a.proxies\n:9:sub\n1.2.3.4\n",
           ":3:name $\n*.bad.test\nfoo.proxies\n");
    open_source();
    static const struct {
        const char *name, *txt; /* NULL: it is not there; "": NODATA */
    } asked[] = {
        {"2.0.0.127", "proxy 127.0.0.2"},
        {"2.0.0.127.proxies", "proxy 127.0.0.2"},
        {"2.0.0.127.PROXIES", "proxy 127.0.0.2"},
        {"10.0.0.127.relays", NULL},
        {"3.0.0.127.relays", "relay 127.0.0.3"},
        {"3.0.0.127", NULL},
        {"evil.com.proxies", "dn evil.com"},
        {"evil.com.deep.er", "dn evil.com"},
        {"evil.com", NULL},
        {"www", ""},
        {"www.deep.er", NULL},
        {"4.3.2.1.a.proxies", "sub"},
        {"4.3.2.1.proxies", NULL},
        {"2.0.0.127.a.proxies", NULL}, /* the longest subzone alone */
        {"foo.proxies", "name foo.proxies"},
        {"x.bad.test", "name bad.test"},
        {"www.a.proxies", NULL},
        {"xproxies", NULL},
        /* on the way to something */
        {"proxies", ""},
        {"relays", ""},
        {"a.proxies", ""},
        {"deep.er", ""},
        {"er", ""},
        {"com.deep.er", ""},
        {"0.127.proxies", ""},
        {"0.127.relays", ""},
        {"0.127.deep.er", NULL},
        {"2.1.a.proxies", ""},
        {"test", ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
        char name[64], wanted[256];
        snprintf(name, sizeof name, "%s.c.test.", asked[i].name);
        if (asked[i].txt == NULL || asked[i].txt[0] == '\0')
            snprintf(wanted, sizeof wanted, "%s", asked[i].txt == NULL ? NX("c.test.") : NODATA("c.test."));
        else
            snprintf(wanted, sizeof wanted, "NOERROR | an %s 2100 TXT %s", name, asked[i].txt);
        if (strcmp(answer(name, TYPE_TXT), wanted) != 0)
            fail_msg("%s: %s", name, said);
        answer(name, TYPE_NS);
        assert_int_equal(last.rcode, asked[i].txt == NULL ? RCODE_NXDOMAIN : RCODE_NOERROR);
    }
    assert_string_equal(answer("c.test", TYPE_A), "NOERROR | an c.test. 2100 A 127.0.0.8");
    assert_string_equal(answer("proxies.c.test", TYPE_A), "NOERROR | an proxies.c.test. 2100 A 127.0.0.8");
    assert_string_equal(answer("deep.er.c.test", TYPE_A), NODATA("c.test."));
    assert_string_equal(answer("www.relays.c.test", TYPE_A), "NOERROR | an www.relays.c.test. 2100 A 127.0.0.7");
}

/* An address that "@" of a combined dataset lists, and one with a TTL of its own. */
static void by_hand(void **state) {
    (void)state;
    struct keep *k;
    struct keep_batch *b;
    struct keep_result result;
    struct err err;
    struct keep_commit how = {.source = "del", .force = true};
    struct keep_entry e = {.kind = KEEP_4, .bits = 32, .addr = {192, 0, 2, 9}};
    configure("rbl: { zones: [ { name: c.test., test: none, data: [ { type: combined, files: [x] } ] } ] }");
    commit(0, "$DATASET ip4set p @\n192.0.2.9\n192.0.2.8\n", NULL);
    assert_int_equal(keep_open(&k, dir, &conf->rbl.zones[0], &err), 0);
    assert_int_equal(keep_batch_open(&b, k, &err), 0);
    assert_int_equal(keep_batch_remove(b, &e, true, &err), 0);
    struct keep_entry more = {.kind = KEEP_4, .bits = 32, .addr = {192, 0, 2, 7}};
    more.value = (struct value){.kind = VALUE_LISTED, .a = {127, 0, 0, 5}, .ttl = 77};
    assert_int_equal(keep_batch_add(b, &more, &err), 0);
    assert_int_equal(keep_batch_commit(b, &how, &result, &err), 0);
    keep_batch_close(b);
    keep_close(k);
    open_source();
    assert_string_equal(answer("8.2.0.192.c.test", TYPE_A), "NOERROR | an 8.2.0.192.c.test. 2100 A 127.0.0.2");
    answer("9.2.0.192.c.test", TYPE_A);
    assert_int_equal(last.rcode, RCODE_NXDOMAIN);
    assert_string_equal(answer("7.2.0.192.c.test", TYPE_A), "NOERROR | an 7.2.0.192.c.test. 77 A 127.0.0.5");
    answer("9.2.0.192.p.c.test", TYPE_A); /* the subzone is not the zone */
    assert_int_equal(last.rcode, RCODE_NOERROR);
}

static const char *from(const char *address, const char *name, uint16_t type) {
    client = address;
    answer(name, type);
    client = "127.0.0.1@53";
    return last.drop ? "dropped" : said;
}

static void access_lists(void **state) {
    (void)state;
    configure(
        "rbl: { zones: [ { name: ., test: none, data: [ { type: acl, files: [x] } ] }, { name: a.test., test: none, "
        "data: [ { type: ip4set, files: [x] }, { type: generic, files: [x] }, { type: acl, files: [x] } ] }, "
        "{ name: n.test., test: none, data: [ { type: dnset, files: [x] } ] } ] }");
    commit(0,
           "127.0.0.6 :refuse\n127.0.0.5 :98:global $\n127.0.0.7 :empty\n127.0.0.4 :pass\n127.0.0.3 :empty\n"
           "2001:db8::/32 :ignore\n",
           NULL);
    commit_all(1, (const char *const[]){":2:listed $\n127.0.0.2\n", "www A 127.0.0.9\n",
                                        "127.0.0.1 :pass\n127.0.0.2 :ignore\n127.0.0.3 :refuse\n127.0.0.4 :empty\n"
                                        "127.0.0.5 :99:acl says $\n127.0.0.7 :97:local $\n127.0.0.8 :96:local $\n"});
    commit(2, "bad.test\n", NULL);
    open_source();
    assert_string_equal(from("127.0.0.1@9", "2.0.0.127.a.test", TYPE_TXT),
                        "NOERROR | an 2.0.0.127.a.test. 2100 TXT listed 127.0.0.2");
    assert_string_equal(from("192.0.2.1@9", "2.0.0.127.a.test", TYPE_TXT),
                        "NOERROR | an 2.0.0.127.a.test. 2100 TXT listed 127.0.0.2"); /* nobody knows him */
    assert_string_equal(from("127.0.0.2@9", "a.test", TYPE_SOA), "dropped");
    assert_string_equal(from("127.0.0.2@9", "bad.test.n.test", TYPE_A),
                        "NOERROR | an bad.test.n.test. 2100 A 127.0.0.2");
    assert_string_equal(from("2001:db8::9@9", "bad.test.n.test", TYPE_A), "dropped");
    assert_string_equal(from("127.0.0.3@9", "a.test", TYPE_SOA), "REFUSED");
    assert_int_equal(last.ede, EDE_PROHIBITED);
    assert_string_equal(from("127.0.0.3@9", "bad.test.n.test", TYPE_A), NX("n.test.")); /* the global :empty */
    assert_string_equal(from("127.0.0.6@9", "2.0.0.127.a.test", TYPE_A), "REFUSED");
    /* empty: SOA stays, names of generic data stay without RRs, as rbldnsd has it */
    assert_string_equal(from("127.0.0.4@9", "2.0.0.127.a.test", TYPE_A), NX("a.test."));
    assert_string_equal(from("127.0.0.4@9", "www.a.test", TYPE_A), NODATA("a.test."));
    assert_string_equal(from("127.0.0.4@9", "a.test", TYPE_SOA), "NOERROR | an a.test. 300 SOA 1800000000 300");
    assert_string_equal(from("127.0.0.7@9", "2.0.0.127.a.test", TYPE_A), NX("a.test."));
    /* a template: every address is listed, with the text of the global list */
    assert_string_equal(from("127.0.0.5@9", "9.9.9.9.a.test", TYPE_TXT),
                        "NOERROR | an 9.9.9.9.a.test. 2100 TXT global 127.0.0.5");
    assert_string_equal(from("127.0.0.5@9", "9.9.9.9.a.test", TYPE_A),
                        "NOERROR | an 9.9.9.9.a.test. 2100 A 127.0.0.98");
    assert_string_equal(from("127.0.0.5@9", "any.thing.n.test", TYPE_A),
                        "NOERROR | an any.thing.n.test. 2100 A 127.0.0.98");
    assert_string_equal(from("127.0.0.5@9", "any.thing.a.test", TYPE_A), NX("a.test."));
    assert_string_equal(from("127.0.0.5@9", "9.9.9.9.a.test", TYPE_MX), NODATA("a.test."));
    assert_string_equal(from("127.0.0.5@9", "a.test", TYPE_A), NODATA("a.test."));
    assert_string_equal(from("127.0.0.8@9", "9.9.9.9.a.test", TYPE_TXT),
                        "NOERROR | an 9.9.9.9.a.test. 2100 TXT local 127.0.0.8");
    /* the list of all zones holds no name */
    struct name other;
    assert_int_equal(name_from_text(&other, "elsewhere", NULL), 0);
    assert_int_equal(source.ops->zone(source.self, &other), -1);
}

static void without_the_access_list_of_all_zones_nobody_is_answered(void **state) {
    (void)state;
    configure("rbl: { zones: [ { name: ., test: none, data: [ { type: acl, files: [x] } ] }, { name: n.test., test: "
              "none, data: [ { type: dnset, files: [x] } ] } ] }");
    commit(1, "bad.test\n", NULL);
    open_source();
    assert_string_equal(answer("bad.test.n.test", TYPE_A), "SERVFAIL");
    assert_int_equal(last.ede, EDE_NOT_READY);
    commit(0, "127.0.0.6 :refuse\n", NULL);
    now_s += 2;
    assert_string_equal(answer("bad.test.n.test", TYPE_A), "NOERROR | an bad.test.n.test. 2100 A 127.0.0.2");
    now_s -= 2;
}

static void single_value_lists(void **state) {
    (void)state;
    configure("rbl: { zones: [ { name: t.test., test: none, data: [ { type: ip4tset, files: [x] }, { type: ip6tset, "
              "files: [x] } ] } ] }");
    commit(0, "192.0.2.1\n:9:one value\n192.0.2.2\n", ":7:six\n2001:db8:1:2\n!2001:db8:1:2::5\n");
    open_source();
    assert_string_equal(answer("1.2.0.192.t.test", TYPE_TXT), "NOERROR | an 1.2.0.192.t.test. 2100 TXT one value");
    assert_string_equal(answer("3.2.0.192.t.test", TYPE_TXT), NX("t.test."));
#define NET "2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.t.test"
    assert_string_equal(answer("4.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0." NET, TYPE_A),
                        "NOERROR | an 4.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0." NET ". 2100 A 127.0.0.7");
    assert_string_equal(answer("5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0." NET, TYPE_A), NX("t.test."));
    assert_string_equal(answer(NET, TYPE_A), NODATA("t.test."));
}

static void never_some_of_the_rrs(void **state) {
    (void)state;
    static char text[16384];
    struct dns_reader r;
    configure("rbl: { zones: [ { name: m.test., test: none, data: [ { type: generic, files: [x] } ] } ] }");
    size_t n = 0;
    for (unsigned i = 0; i < 300; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s A 127.2.%u.%u\n", i < 200 ? "many" : "some", i / 100,
                              i % 100);
    for (unsigned i = 0; i < 100; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "many TXT t%u\n", i);
    commit(0, text, NULL);
    open_source();
    assert_true(ask("some.m.test", TYPE_A, &r) > 0);
    assert_int_equal(r.header.an, 100);
    assert_string_equal(answer("many.m.test", TYPE_A), "SERVFAIL"); /* 300 RRs at the name */
    assert_string_equal(last.ede_text, "more RRs at this name than an answer may have");
    cap = 600;
    assert_int_equal(ask("some.m.test", TYPE_A, &r), E_FULL);
    cap = ZONES_MESSAGE;
}

static struct board *board;

static void wrong(unsigned zone, unsigned forward, unsigned name, unsigned address) {
    const struct board_asked *a = &board->asked[zone];
    assert_int_equal(board_get(&a->wrong[WRONG_FORWARD]), forward);
    assert_int_equal(board_get(&a->wrong[WRONG_NAME]), name);
    assert_int_equal(board_get(&a->wrong[WRONG_ADDRESS]), address);
}

static void wrong_way_questions(void **state) {
    (void)state;
    configure("rbl: { zones: [ { name: ip.test., test: none, data: [ { type: ip4set, files: [x] }, { type: ip6trie, "
              "files: [x] } ] }, { name: dn.test., test: none, data: [ { type: dnset, files: [x] } ] }, { name: "
              "mix.test., test: none, data: [ { type: ip4set, files: [x] }, { type: dnset, files: [x] } ] } ] }");
    commit(0, "127.0.0.2\n224.1.2.3\n", "2001:db8::/32\n");
    commit(1, "bad.test\n1.2.3.4\n", NULL);
    commit(2, "127.0.0.2\n", "bad.test\n");
    open_source();
    board = calloc(1, sizeof *board);
    assert_non_null(board);
    answer_count_on(&source, board);
    static const char *const right[] = {"2.0.0.127", "1.0.0.127",  "1.2.0.192",  "192.0.2.1", "0.127",     "www",
                                        "_a.b.com",  "ab.cd._tcp", "10.0.0.224", "3.2.1.224", "300.1.1.1", "a.b"};
    static const char *const forward[] = {"127.0.0.2", "127.0.0.1", "198.51.100.240", "203.0.113.0"};
    char name[160];
    for (size_t i = 0; i < ARRAY_SIZE(right); i++) {
        snprintf(name, sizeof name, "%s.ip.test", right[i]);
        answer(name, TYPE_A);
        wrong(0, i > 7, 0, 0); /* but for the ninth: 10.0.0.224 is some host, 224.0.0.10 none */
    }
    for (size_t i = 0; i < ARRAY_SIZE(forward); i++) {
        snprintf(name, sizeof name, "%s.ip.test", forward[i]);
        answer(name, TYPE_A);
        wrong(0, (unsigned)i + 2, 0, 0);
    }
    answer("2.0.0.1.0.d.b.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.7.ip.test", TYPE_A);
    wrong(0, 6, 0, 0);
    answer("example.com.ip.test", TYPE_A);
    answer("mail.example.com.ip.test", TYPE_TXT);
    wrong(0, 6, 2, 0);
    assert_int_equal(board_get(&board->asked[0].listed), 2);
    answer("2.0.0.127.dn.test", TYPE_A);
    answer("1.2.3.4.dn.test", TYPE_A); /* it has that name */
    answer("example.com.dn.test", TYPE_A);
    wrong(1, 0, 0, 1);
    answer("2.2.2.2.mix.test", TYPE_A);
    answer("example.com.mix.test", TYPE_A);
    wrong(2, 0, 0, 0);
    assert_int_equal(board_get(&board->asked[2].unlisted), 2);
    free(board);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(generic_data, setup, teardown),
        cmocka_unit_test_setup_teardown(combined_data, setup, teardown),
        cmocka_unit_test_setup_teardown(several_combined, setup, teardown),
        cmocka_unit_test_setup_teardown(by_hand, setup, teardown),
        cmocka_unit_test_setup_teardown(access_lists, setup, teardown),
        cmocka_unit_test_setup_teardown(without_the_access_list_of_all_zones_nobody_is_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(single_value_lists, setup, teardown),
        cmocka_unit_test_setup_teardown(never_some_of_the_rrs, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_way_questions, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
