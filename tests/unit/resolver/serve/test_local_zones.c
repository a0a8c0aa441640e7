/* Which names are answered here, and how. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "resolver/base/bytes.h"
#include "resolver/base/rand.h"
#include "resolver/serve/local_zones_impl.h"
#include "tests/unit/resolver/iterate/script.h"

static struct conf *conf;
static struct local_zones *zones;
static struct local_answer answer;
static uint8_t message[LIMIT_MESSAGE];
static struct dns_writer w;
static int size;

static int open_zones(const char *text, struct err *err) {
    local_zones_close(zones);
    conf_free(conf);
    conf = script_conf(text);
    return local_zones_open(&zones, conf, err);
}

static void zones_of(const char *text) {
    struct err err = {0};
    if (open_zones(text, &err) != 0)
        fail_msg("%s", err.text);
}

static bool ask_room(const char *name, uint16_t qtype, size_t cap) {
    struct name qname = script_name(name);
    dns_writer_open(&w, message, cap, 0, FLAG_QR, OPCODE_QUERY);
    dns_writer_question(&w, &qname, qtype, CLASS_IN);
    bool here = local_zones_answer(zones, &qname, qtype, &w, &answer);
    size = dns_writer_end(&w, 0, answer.rcode);
    return here;
}

static bool ask(const char *name, uint16_t qtype) { return ask_room(name, qtype, sizeof message); }

/* The RR number `index` of the reply; fails the test when it is not there. */
static struct dns_rr rr_at(unsigned index) {
    struct dns_reader r;
    struct dns_rr rr;
    assert_true(size > 0);
    assert_int_equal(dns_reader_open(&r, message, (size_t)size, NULL, NULL, NULL), 0);
    for (unsigned i = 0; i <= index; i++)
        assert_int_equal(dns_reader_next(&r, &rr), 0);
    return rr;
}

static void is_rr(unsigned index, enum dns_section section, const char *owner, uint16_t type, uint32_t ttl) {
    struct dns_rr rr = rr_at(index);
    struct name n = script_name(owner);
    assert_int_equal(rr.section, section);
    assert_true(name_equal(&rr.owner, &n));
    assert_int_equal(rr.type, type);
    assert_int_equal(rr.ttl, ttl);
}

static void is_a(unsigned index, const char *owner, uint32_t ttl, uint8_t last) {
    struct dns_rr rr = rr_at(index);
    is_rr(index, SECTION_ANSWER, owner, TYPE_A, ttl);
    assert_int_equal(rr.rdata_size, 4);
    assert_int_equal(message[rr.rdata + 3], last);
}

static void counts(unsigned answers, unsigned authority) {
    assert_int_equal(w.error, 0);
    assert_int_equal(w.counts[1], answers);
    assert_int_equal(w.counts[2], authority);
    assert_int_equal(w.counts[3], 0);
}

static void negative(const char *name, uint16_t qtype, unsigned rcode, const char *soa, uint32_t ttl) {
    assert_true(ask(name, qtype));
    assert_int_equal(answer.rcode, rcode);
    counts(0, 1);
    is_rr(0, SECTION_AUTHORITY, soa, TYPE_SOA, ttl);
}

static void nxdomain(const char *name, const char *soa) {
    negative(name, TYPE_A, RCODE_NXDOMAIN, soa, LOCAL_SOA_TTL_S);
    assert_int_equal(answer.ede, EDE_NONE);
}

/* --- */

static void test_built_in(void **state) {
    (void)state;
    zones_of("");
    nxdomain("www.test.", "test.");
    nxdomain("A.B.TEST.", "test.");
    nxdomain("x.invalid.", "invalid.");
    nxdomain("abc.onion.", "onion.");
    nxdomain("printer.local.", "local.");
    nxdomain("nas.home.arpa.", "home.arpa.");
    nxdomain("1.2.3.10.in-addr.arpa.", "10.in-addr.arpa.");
    nxdomain("1.1.16.172.in-addr.arpa.", "16.172.in-addr.arpa.");
    nxdomain("1.1.31.172.in-addr.arpa.", "31.172.in-addr.arpa.");
    nxdomain("1.1.64.100.in-addr.arpa.", "64.100.in-addr.arpa.");
    nxdomain("1.1.127.100.in-addr.arpa.", "127.100.in-addr.arpa.");
    nxdomain("a.0.8.e.f.ip6.arpa.", "8.e.f.ip6.arpa.");
    nxdomain("2.0.0.127.in-addr.arpa.", "127.in-addr.arpa.");
    negative("test.", TYPE_A, RCODE_NOERROR, "test.", LOCAL_SOA_TTL_S);
    static const char *const others[] = {".",
                                         "example.",
                                         "tests.",
                                         "contest.",
                                         "test.example.",
                                         "arpa.",
                                         "in-addr.arpa.",
                                         "1.1.15.172.in-addr.arpa.",
                                         "1.1.32.172.in-addr.arpa.",
                                         "1.63.100.in-addr.arpa.",
                                         "128.100.in-addr.arpa.",
                                         "8.8.8.8.in-addr.arpa.",
                                         "e.f.ip6.arpa.",
                                         "www.example.com."};
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        assert_false(ask(others[i], TYPE_A));
}

static void test_localhost(void **state) {
    (void)state;
    zones_of("");
    assert_true(ask("localhost.", TYPE_A));
    counts(1, 0);
    is_a(0, "localhost.", 10800, 1);
    assert_true(ask("WWW.LocalHost.", TYPE_AAAA));
    counts(1, 0);
    is_rr(0, SECTION_ANSWER, "www.localhost.", TYPE_AAAA, 10800);
    assert_int_equal(answer.ede, EDE_NONE);
    negative("a.b.localhost.", TYPE_MX, RCODE_NOERROR, "localhost.", LOCAL_SOA_TTL_S);
    assert_true(ask("1.0.0.127.in-addr.arpa.", TYPE_PTR));
    counts(1, 0);
    negative("0.0.127.in-addr.arpa.", TYPE_PTR, RCODE_NOERROR, "127.in-addr.arpa.", LOCAL_SOA_TTL_S); /* between */
}

static void test_zones_are_zones(void **state) {
    (void)state;
    zones_of("");
    assert_true(ask("test.", TYPE_NS));
    counts(1, 0);
    is_rr(0, SECTION_ANSWER, "test.", TYPE_NS, LOCAL_SOA_TTL_S);
    assert_true(ask("test.", TYPE_SOA));
    counts(1, 0);
    is_rr(0, SECTION_ANSWER, "test.", TYPE_SOA, LOCAL_SOA_TTL_S);
    assert_true(ask("test.", TYPE_ANY));
    counts(1, 0);
}

static void test_off(void **state) {
    (void)state;
    zones_of("resolver: {local-zones: false, local-data: [\"a.test. A 192.0.2.1\"]}");
    assert_false(ask("www.test.", TYPE_A));
    assert_false(ask("localhost.", TYPE_A));
    assert_true(ask("a.test.", TYPE_A));
}

static void test_forward_and_stub_take_names_out(void **state) {
    (void)state;
    zones_of("resolver: {forward: [{zone: corp.test., to: [192.0.2.1]}, {zone: local., to: [192.0.2.1]},"
             " {zone: 168.192.in-addr.arpa., to: [192.0.2.1]}], stub: [{zone: 1.10.in-addr.arpa., to: [192.0.2.1]}], "
             "guard: [{zone: zen.test.}]}");
    assert_false(ask("1.0.0.127.zen.test.", TYPE_A));
    assert_false(ask("corp.test.", TYPE_A));
    assert_false(ask("a.corp.test.", TYPE_A));
    nxdomain("a.test.", "test.");
    assert_false(ask("local.", TYPE_A));
    assert_false(ask("a.local.", TYPE_A));
    assert_false(ask("1.2.168.192.in-addr.arpa.", TYPE_A));
    assert_false(ask("1.1.1.10.in-addr.arpa.", TYPE_A));
    nxdomain("1.1.2.10.in-addr.arpa.", "10.in-addr.arpa.");
    zones_of("resolver: {forward: [{zone: in-addr.arpa., to: [192.0.2.1]}]}");
    assert_false(ask("1.1.1.10.in-addr.arpa.", TYPE_A));
    assert_false(ask("1.0.0.127.in-addr.arpa.", TYPE_PTR));
    nxdomain("1.d.f.ip6.arpa.", "d.f.ip6.arpa.");
    zones_of("resolver: {forward: [{zone: ., to: [192.0.2.1]}], stub: [{zone: ., to: [192.0.2.1]}]}");
    nxdomain("a.test.", "test.");
    assert_false(ask("a.example.", TYPE_A));
}

static void test_data(void **state) {
    (void)state;
    zones_of("resolver:\n  local-data:\n"
             "    - host.example. 60 A 192.0.2.1\n"
             "    - HOST.example. 30 IN A 192.0.2.2\n"
             "    - host.example. A 192.0.2.2\n" /* twice */
             "    - host.example. TXT \"a b\" c\n"
             "    - deep.below.host.example. AAAA 2001:db8::1\n"
             "    - 1.1.1.10.in-addr.arpa. PTR host.example.\n"
             "    - a.localhost. A 127.0.0.9\n");
    assert_true(ask("host.example.", TYPE_A));
    counts(2, 0);
    is_a(0, "host.example.", 30, 1);
    is_a(1, "host.example.", 30, 2);
    assert_true(ask("Host.Example.", TYPE_TXT));
    counts(1, 0);
    is_rr(0, SECTION_ANSWER, "host.example.", TYPE_TXT, LOCAL_DATA_TTL_S);
    negative("host.example.", TYPE_AAAA, RCODE_NOERROR, "host.example.", LOCAL_OVERRIDE_TTL_S);
    assert_true(ask("deep.below.host.example.", TYPE_AAAA));
    assert_false(ask("below.host.example.", TYPE_A));
    assert_false(ask("other.example.", TYPE_A));
    assert_true(ask("1.1.1.10.in-addr.arpa.", TYPE_PTR));
    counts(1, 0);
    negative("1.1.1.10.in-addr.arpa.", TYPE_A, RCODE_NOERROR, "10.in-addr.arpa.", LOCAL_SOA_TTL_S);
    negative("1.1.10.in-addr.arpa.", TYPE_PTR, RCODE_NOERROR, "10.in-addr.arpa.", LOCAL_SOA_TTL_S);
    nxdomain("2.1.1.10.in-addr.arpa.", "10.in-addr.arpa.");
    assert_true(ask("a.localhost.", TYPE_A));
    is_a(0, "a.localhost.", LOCAL_DATA_TTL_S, 9);
    negative("a.localhost.", TYPE_AAAA, RCODE_NOERROR, "localhost.", LOCAL_SOA_TTL_S);
    assert_true(ask("b.a.localhost.", TYPE_A));
    is_a(0, "b.a.localhost.", 10800, 1);
}

static void test_cname(void **state) {
    (void)state;
    zones_of("resolver:\n  local-data:\n"
             "    - www.example. CNAME host.other.\n"
             "    - host.other. CNAME real.static.\n"
             "    - real.static. A 192.0.2.7\n"
             "  overrides: [{zone: static., answer: static}]\n");
    assert_true(ask("www.example.", TYPE_A));
    counts(3, 0);
    is_rr(0, SECTION_ANSWER, "www.example.", TYPE_CNAME, LOCAL_DATA_TTL_S);
    is_rr(1, SECTION_ANSWER, "host.other.", TYPE_CNAME, LOCAL_DATA_TTL_S);
    is_a(2, "real.static.", LOCAL_DATA_TTL_S, 7);
    assert_true(ask("www.example.", TYPE_CNAME));
    counts(1, 0);
    assert_true(ask("www.example.", TYPE_MX));
    counts(2, 1);
    is_rr(2, SECTION_AUTHORITY, "static.", TYPE_SOA, LOCAL_SOA_TTL_S);
    zones_of("resolver: {local-data: [a. CNAME b., b. CNAME a.]}"); /* a loop ends */
    assert_true(ask("a.", TYPE_A));
    counts(LOCAL_CHAIN_MAX + 1, 0);
}

static void override(const char *answers) {
    char text[512];
    (void)snprintf(text, sizeof text,
                   "resolver: {overrides: [{zone: example., answer: %s}, {zone: not.example., answer: transparent}],"
                   " local-data: [a.example. 60 A 192.0.2.1]}",
                   answers);
    zones_of(text);
    assert_true(ask("a.example.", TYPE_A)); /* whatever the zone says */
    is_a(0, "a.example.", 60, 1);
    assert_false(ask("not.example.", TYPE_A));
    assert_false(ask("x.not.example.", TYPE_A));
    assert_true(ask("b.example.", TYPE_A));
}

static void test_overrides(void **state) {
    (void)state;
    override("static");
    nxdomain("b.example.", "example.");
    override("nxdomain");
    negative("b.example.", TYPE_A, RCODE_NXDOMAIN, "example.", LOCAL_OVERRIDE_TTL_S);
    assert_int_equal(answer.ede, EDE_BLOCKED);
    negative("example.", TYPE_A, RCODE_NXDOMAIN, "example.", LOCAL_OVERRIDE_TTL_S);
    override("nodata");
    negative("b.c.example.", TYPE_A, RCODE_NOERROR, "example.", LOCAL_OVERRIDE_TTL_S);
    assert_int_equal(answer.ede, EDE_BLOCKED);
    override("refuse");
    assert_int_equal(answer.rcode, RCODE_REFUSED);
    assert_false(answer.drop);
    counts(0, 0);
    override("drop");
    assert_true(answer.drop);
    override("redirect"); /* without data of its own there is nothing to give */
    negative("b.example.", TYPE_A, RCODE_NOERROR, "example.", LOCAL_OVERRIDE_TTL_S);
    zones_of("resolver: {overrides: [{zone: test., answer: transparent}]}");
    assert_false(ask("a.test.", TYPE_A));
    zones_of("resolver: {overrides: [{zone: ., answer: refuse}]}");
    assert_true(ask("a.com.", TYPE_A));
    assert_int_equal(answer.rcode, RCODE_REFUSED);
    nxdomain("a.test.", "test.");
}

static void test_redirect(void **state) {
    (void)state;
    zones_of("resolver: {overrides: [{zone: ads.example., answer: redirect}],"
             " local-data: [ads.example. 60 A 192.0.2.1, own.ads.example. A 192.0.2.2]}");
    assert_true(ask("a.b.ads.example.", TYPE_A));
    is_a(0, "a.b.ads.example.", 60, 1);
    assert_int_equal(answer.ede, EDE_FORGED_ANSWER);
    assert_true(ask("own.ads.example.", TYPE_A));
    is_a(0, "own.ads.example.", LOCAL_DATA_TTL_S, 2);
    negative("a.ads.example.", TYPE_AAAA, RCODE_NOERROR, "ads.example.", LOCAL_OVERRIDE_TTL_S);
}

static void test_refused_configurations(void **state) {
    (void)state;
    struct err err;
    static const char *const bad[] = {"nonsense",
                                      "a.example. A 192.0.2.256",
                                      "a.example. A",
                                      "a.example. CH A 192.0.2.1",
                                      "a.example. ANY \\\\# 0",
                                      "a.example. DNAME b.example.",
                                      "a.example. CNAME b.example.",
                                      "a..example. A 192.0.2.1"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        char text[256];
        (void)snprintf(text, sizeof text, "resolver: {local-data: [\"b. A 192.0.2.1\", \"%s\"]}", bad[i]);
        assert_int_equal(open_zones(text, &err), E_INVALID);
        assert_null(zones);
        assert_non_null(strstr(err.text, "local-data"));
    }
    assert_int_equal(open_zones("resolver: {local-data: [a. CNAME b., a. A 192.0.2.1, b. A 192.0.2.1]}", &err),
                     E_INVALID);
}

static void test_no_room(void **state) {
    (void)state;
    zones_of("resolver: {local-data: [host.example. A 192.0.2.1]}");
    for (size_t cap = DNS_HEADER + 18; cap < 200; cap++) {
        (void)ask_room("host.example.", TYPE_A, cap);
        (void)ask_room("a.test.", TYPE_A, cap);
    }
}

static void test_any_octets(void **state) {
    (void)state;
    zones_of("resolver: {overrides: [{zone: \"x.\", answer: static}]}");
    for (int i = 0; i < 20000; i++) {
        struct name n = {0};
        while (n.size < 200 && rand_below(6) != 0) {
            uint8_t label = (uint8_t)(1 + rand_below(40));
            n.wire[n.size] = label;
            rand_bytes(n.wire + n.size + 1, label);
            n.wire[n.size + 1] = 0xff; /* no x */
            n.size = (uint8_t)(n.size + label + 1);
            n.labels++;
        }
        bool below = rand_below(2) == 0;
        if (below) {
            memcpy(n.wire + n.size, "\1X", 2);
            n.size = (uint8_t)(n.size + 2);
            n.labels++;
        }
        n.wire[n.size++] = 0;
        dns_writer_open(&w, message, sizeof message, 0, FLAG_QR, OPCODE_QUERY);
        dns_writer_question(&w, &n, TYPE_A, CLASS_IN);
        assert_int_equal(local_zones_answer(zones, &n, TYPE_A, &w, &answer), below);
    }
}

static int end(void **state) {
    (void)state;
    local_zones_close(zones);
    conf_free(conf);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_built_in),
        cmocka_unit_test(test_localhost),
        cmocka_unit_test(test_zones_are_zones),
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_forward_and_stub_take_names_out),
        cmocka_unit_test(test_data),
        cmocka_unit_test(test_cname),
        cmocka_unit_test(test_overrides),
        cmocka_unit_test(test_redirect),
        cmocka_unit_test(test_refused_configurations),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_any_octets),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
