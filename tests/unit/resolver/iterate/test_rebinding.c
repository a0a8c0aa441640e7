/* Private addresses from the outside: what goes, what stays, whose may come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "resolver/base/rand.h"
#include "resolver/iterate/rebinding.h"
#include "tests/unit/resolver/iterate/script.h"

static struct conf *conf;
static struct rebinding *rebinding;
static struct resolve_question q;
static uint8_t msg[LIMIT_MESSAGE];
static struct dns_writer w;
static size_t size;
static unsigned dropped;

#define PRIVATE "private-addresses: [10.0.0.0/8, 127.0.0.0/8, \"fc00::/7\"], private-domains: [corp.example., lan.]"

static void open_of(const char *text) {
    rebinding_close(rebinding);
    conf_free(conf);
    conf = script_conf(text);
    assert_int_equal(rebinding_open(&rebinding, conf, NULL), 0);
}

static void ask(const char *name, uint16_t qtype) {
    q = (struct resolve_question){.qname = script_name(name), .qtype = qtype, .qclass = CLASS_IN};
    dns_writer_open(&w, msg, sizeof msg, 0, FLAG_QR, OPCODE_QUERY);
    dns_writer_question(&w, &q.qname, qtype, CLASS_IN);
}

static void rr(const char *owner, uint16_t type, const void *rdata, size_t octets) {
    struct name n = script_name(owner);
    dns_writer_rr(&w, SECTION_ANSWER, &n, type, CLASS_IN, 3600, (struct bytes){rdata, octets});
}

static void a(const char *owner, uint8_t first, uint8_t last) {
    rr(owner, TYPE_A, (const uint8_t[]){first, 0, 0, last}, 4);
}

static void alias(const char *owner, const char *target) {
    struct name n = script_name(target);
    rr(owner, TYPE_CNAME, n.wire, n.size);
}

/* What is left of the answer section; -1: nothing was touched. */
static int strip(void) {
    static uint8_t before[LIMIT_MESSAGE];
    size = (size_t)dns_writer_end(&w, 0, RCODE_NOERROR);
    memcpy(before, msg, size);
    size_t was = size;
    size = rebinding_strip(rebinding, &q, msg, size, &dropped);
    if (dropped == 0) {
        assert_int_equal(size, was);
        assert_memory_equal(msg, before, size);
        return -1;
    }
    assert_true(size > 0);
    return get_u16(msg + 6);
}

static unsigned authority(void) { return get_u16(msg + 8); }

static void test_off(void **state) {
    (void)state;
    open_of("");
    assert_null(rebinding);
    ask("a.example.", TYPE_A);
    a("a.example.", 10, 1);
    assert_int_equal(strip(), -1);
}

static void test_some_go(void **state) {
    (void)state;
    open_of("resolver: {recursion: {" PRIVATE "}}");
    ask("a.example.", TYPE_A);
    a("a.example.", 10, 1);
    a("a.example.", 192, 2);
    a("a.example.", 127, 3);
    rr("a.example.", TYPE_RRSIG, (const uint8_t[20]){0, TYPE_A}, 20);
    rr("a.example.", TYPE_RRSIG, (const uint8_t[20]){0, TYPE_CNAME}, 20);
    assert_int_equal(strip(), 2); /* one address, and the signature of something else */
    assert_int_equal(dropped, 2);
    assert_int_equal(authority(), 0);
    ask("a.example.", TYPE_A);
    a("a.example.", 192, 1);
    assert_int_equal(strip(), -1);
}

static void test_all_go(void **state) {
    (void)state;
    struct dns_reader r;
    struct dns_rr soa;
    uint32_t serial, minimum;
    open_of("resolver: {recursion: {" PRIVATE "}}");
    ask("www.evil.example.", TYPE_A);
    a("www.evil.example.", 10, 1);
    assert_int_equal(strip(), 0);
    assert_int_equal(authority(), 1);
    assert_int_equal(dns_reader_open(&r, msg, size, NULL, NULL, NULL), 0);
    assert_int_equal(dns_reader_next(&r, &soa), 0);
    assert_int_equal(soa.type, TYPE_SOA);
    assert_true(name_equal(&soa.owner, &q.qname));
    assert_int_equal(soa.ttl, REBINDING_TTL_S);
    assert_int_equal(dns_soa_read(&soa, msg, size, &serial, &minimum), 0);
    assert_int_equal(minimum, REBINDING_TTL_S);
}

static void test_other_forms(void **state) {
    (void)state;
    static const uint8_t ula[16] = {0xfd}, mapped[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1};
    static const uint8_t global[16] = {0x20, 1},
                         hint4[] = {0, 1, 0, 0, 1, 0, 2, 1, 'x', 0, 4, 0, 8, 192, 0, 2, 1, 10, 0, 0, 1};
    static const uint8_t hint4_good[] = {0, 1, 0, 0, 4, 0, 4, 192, 0, 2, 1};
    uint8_t hint6[7 + 16] = {0, 1, 0, 0, 6, 0, 16, 0xfd};
    open_of("resolver: {recursion: {" PRIVATE "}}");
    ask("a.example.", TYPE_AAAA);
    rr("a.example.", TYPE_AAAA, ula, 16);
    rr("a.example.", TYPE_AAAA, mapped, 16);
    rr("a.example.", TYPE_AAAA, global, 16);
    assert_int_equal(strip(), 1);
    ask("a.example.", TYPE_HTTPS);
    rr("a.example.", TYPE_HTTPS, hint4, sizeof hint4);
    rr("a.example.", TYPE_HTTPS, hint4_good, sizeof hint4_good);
    rr("a.example.", TYPE_HTTPS, hint6, sizeof hint6);
    assert_int_equal(strip(), 1);
    ask("a.example.", TYPE_TXT); /* only looks like an address */
    rr("a.example.", TYPE_TXT, (const uint8_t[]){3, 10, 0, 1}, 4);
    assert_int_equal(strip(), -1);
    for (size_t cut = 0; cut < sizeof hint4; cut++) { /* whatever stands there */
        ask("a.example.", TYPE_SVCB);
        rr("a.example.", TYPE_SVCB, hint4, cut);
        (void)strip();
    }
}

static void test_who_may(void **state) {
    (void)state;
    open_of("resolver: {forward: [{zone: ., to: [192.0.2.1]}, {zone: fwd., to: [192.0.2.1]}],"
            " stub: [{zone: stub., to: [192.0.2.1]}], guard: [{zone: zen.example.}], recursion: {" PRIVATE "}}");
    static const char *const may[] = {"corp.example.", "a.corp.example.", "x.lan.",
                                      "a.fwd.",        "stub.",           "2.0.0.127.zen.example."};
    for (size_t i = 0; i < sizeof may / sizeof *may; i++) {
        ask(may[i], TYPE_A);
        a(may[i], 127, 2);
        assert_int_equal(strip(), -1);
    }
    static const char *const may_not[] = {"example.", "xcorp.example.", "lan.example.", "."};
    for (size_t i = 0; i < sizeof may_not / sizeof *may_not; i++) {
        ask(may_not[i], TYPE_A);
        a(may_not[i], 127, 2);
        assert_int_equal(strip(), 0);
    }
}

static void test_aliases(void **state) {
    (void)state;
    open_of("resolver: {recursion: {" PRIVATE "}}");
    ask("evil.example.", TYPE_A); /* the way in */
    alias("evil.example.", "host.corp.example.");
    a("host.corp.example.", 10, 1);
    assert_int_equal(strip(), 1);
    assert_int_equal(authority(), 1);
    ask("www.corp.example.", TYPE_A);
    alias("www.corp.example.", "host.lan.");
    a("host.lan.", 10, 1);
    assert_int_equal(strip(), -1);
    ask("www.corp.example.", TYPE_A); /* and the way out */
    alias("www.corp.example.", "cdn.example.");
    a("cdn.example.", 10, 1);
    assert_int_equal(strip(), 1);
}

static void test_large_and_broken(void **state) {
    (void)state;
    open_of("resolver: {recursion: {" PRIVATE "}}");
    ask("a.example.", TYPE_A);
    for (unsigned i = 0; i < 4000; i++)
        a("a.example.", i % 2 ? 10 : 192, (uint8_t)i);
    assert_int_equal(strip(), 2000);
    for (int i = 0; i < 5000; i++) {
        ask("a.example.", TYPE_A);
        a("a.example.", 10, 1);
        alias("a.example.", "b.example.");
        size = (size_t)dns_writer_end(&w, 0, RCODE_NOERROR);
        for (int k = 0; k < 3; k++)
            msg[rand_below((uint32_t)size)] = (uint8_t)rand_u32();
        (void)rebinding_strip(rebinding, &q, msg, size, &dropped);
    }
}

static int end(void **state) {
    (void)state;
    rebinding_close(rebinding);
    conf_free(conf);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_some_go),
        cmocka_unit_test(test_all_go),
        cmocka_unit_test(test_other_forms),
        cmocka_unit_test(test_who_may),
        cmocka_unit_test(test_aliases),
        cmocka_unit_test(test_large_and_broken),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
