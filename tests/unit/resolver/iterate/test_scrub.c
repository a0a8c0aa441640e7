/* Only what belongs to the question comes through, and nothing hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "resolver/base/rand.h"
#include "resolver/dns/rdata.h"
#include "resolver/iterate/scrub.h"
#include "tests/unit/resolver/iterate/script.h"

static struct scrub *scrub;
static struct resolve_question q;
static uint8_t raw[LIMIT_MESSAGE], out[LIMIT_MESSAGE];
static struct dns_writer w;

static int start(void **state) {
    (void)state;
    scrub = scrub_new();
    q = (struct resolve_question){.qname = script_name("www.example."), .qtype = TYPE_A, .qclass = CLASS_IN};
    dns_writer_open(&w, raw, sizeof raw, 0, FLAG_QR, OPCODE_QUERY);
    dns_writer_question(&w, &q.qname, q.qtype, q.qclass);
    return scrub == NULL;
}

static int finish(void **state) {
    (void)state;
    scrub_free(scrub);
    return 0;
}

static void rr(enum dns_section section, const char *owner, uint16_t type, const void *rdata, size_t size) {
    struct name n = script_name(owner);
    dns_writer_rr(&w, section, &n, type, CLASS_IN, 300, (struct bytes){rdata, size});
}

static void a(const char *owner, uint8_t last) { rr(SECTION_ANSWER, owner, TYPE_A, (uint8_t[]){192, 0, 2, last}, 4); }

static void cname(const char *owner, const char *target) {
    struct name n = script_name(target);
    rr(SECTION_ANSWER, owner, TYPE_CNAME, n.wire, n.size);
}

static void soa(const char *owner) {
    struct name n = script_name(owner);
    struct dns_soa s = {.primary = n, .contact = n, .serial = 1, .minimum = 60};
    dns_writer_soa(&w, SECTION_AUTHORITY, &n, 300, &s);
}

static struct scrub_result run(uint16_t flags, unsigned rcode) {
    struct scrub_result r;
    int size = dns_writer_end(&w, (uint16_t)(FLAG_QR | flags), rcode);
    assert_true(size > 0);
    scrub_answer(scrub, &q, (struct bytes){raw, (size_t)size}, out, sizeof out, &r);
    return r;
}

/* What came through as text: "owner TYPE" a line; whole and well-formed. */
static const char *shown(const struct scrub_result *r) {
    static char text[4096];
    struct dns_reader reader;
    struct dns_rr got;
    char owner[NAME_TEXT_MAX], type[16];
    size_t at = 0;
    int e;
    assert_int_equal(r->kind, SCRUB_ANSWER);
    assert_int_equal(dns_reader_open(&reader, out, r->size, NULL, NULL, NULL), 0);
    text[0] = '\0';
    while ((e = dns_reader_next(&reader, &got)) == 0 && at < sizeof text - 100)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s %s%s;", name_text(&got.owner, owner),
                               dns_type_text(got.type, type), got.section == SECTION_AUTHORITY ? "!" : "");
    assert_int_equal(e, E_NOTFOUND);
    return text;
}

static void test_the_plain_case(void **state) {
    (void)state;
    a("www.example.", 1);
    a("www.example.", 2);
    struct scrub_result r = run(FLAG_RA, RCODE_NOERROR);
    assert_string_equal(shown(&r), "www.example. A;www.example. A;");
}

static void test_what_was_not_asked_is_dropped(void **state) {
    (void)state;
    a("www.example.", 1);
    a("bank.example.", 66);
    a("www.example.org.", 66);
    rr(SECTION_ANSWER, "www.example.", TYPE_TXT, "\1x", 2);
    rr(SECTION_AUTHORITY, "example.", TYPE_NS, "\4evil\0", 6);
    rr(SECTION_AUTHORITY, "www.example.", TYPE_A, (uint8_t[]){6, 6, 6, 6}, 4);
    soa("example.");
    rr(SECTION_ADDITIONAL, "evil.", TYPE_A, (uint8_t[]){6, 6, 6, 6}, 4);
    struct scrub_result r = run(FLAG_RA, RCODE_NOERROR);
    assert_string_equal(shown(&r), "www.example. A;");
}

static void test_a_chain_in_any_order(void **state) {
    (void)state;
    a("c.example.", 1);
    cname("b.example.", "c.example.");
    cname("other.example.", "evil.example.");
    cname("www.EXAMPLE.", "B.example.");
    a("b.example.", 66); /* data beside a CNAME on the way: taken, as it answers, and the chain ends there */
    struct scrub_result r = run(FLAG_RA, RCODE_NOERROR);
    assert_string_equal(shown(&r), "www.example. CNAME;b.example. CNAME;b.example. A;");
}

static void test_a_chain_without_end_ends(void **state) {
    (void)state;
    cname("www.example.", "b.example.");
    cname("b.example.", "www.example.");
    struct scrub_result r = run(FLAG_RA, RCODE_NOERROR);
    assert_string_equal(shown(&r), "www.example. CNAME;b.example. CNAME;");
}

static void test_a_long_chain_is_cut(void **state) {
    char from[32] = "www.example.", to[32];
    (void)state;
    for (unsigned i = 0; i < 40; i++) {
        snprintf(to, sizeof to, "n%u.example.", i);
        cname(from, to);
        memcpy(from, to, sizeof from);
    }
    struct scrub_result r = run(FLAG_RA, RCODE_NOERROR);
    assert_int_equal(r.kind, SCRUB_ANSWER);
    assert_int_equal(get_u16(out + 6), SCRUB_CHAIN_MAX);
}

static void test_a_dname_and_its_cname(void **state) {
    (void)state;
    struct name target = script_name("example.net.");
    cname("www.example.", "www.example.net.");
    rr(SECTION_ANSWER, "example.", TYPE_DNAME, target.wire, target.size);
    rr(SECTION_ANSWER, "elsewhere.", TYPE_DNAME, target.wire, target.size);
    a("www.example.net.", 1);
    struct scrub_result r = run(FLAG_RA, RCODE_NOERROR);
    assert_string_equal(shown(&r), "example. DNAME;www.example. CNAME;www.example.net. A;");
}

static void test_a_negative_answer_keeps_its_soa(void **state) {
    (void)state;
    soa("elsewhere.");
    soa("example.");
    soa(".");
    struct scrub_result r = run(FLAG_RA, RCODE_NXDOMAIN);
    assert_string_equal(shown(&r), "example. SOA!;");
    assert_int_equal(out[3] & 15, RCODE_NXDOMAIN);
}

static void test_a_chain_that_ends_in_nothing(void **state) {
    (void)state;
    cname("www.example.", "gone.example.net.");
    soa("example."); /* not that of the last name */
    soa("example.net.");
    struct scrub_result r = run(FLAG_RA, RCODE_NXDOMAIN);
    assert_string_equal(shown(&r), "www.example. CNAME;example.net. SOA!;");
}

static void test_proofs_come_with_do_only(void **state) {
    static uint8_t sig[64], nsec[16];
    for (unsigned i = 0; i < 2; i++) {
        start(state);
        q.dnssec_ok = i == 1;
        a("www.example.", 1);
        memset(sig, 0, sizeof sig);
        put_u16(sig, TYPE_A);
        rr(SECTION_ANSWER, "www.example.", TYPE_RRSIG, sig, sizeof sig);
        put_u16(sig, TYPE_MX);
        rr(SECTION_ANSWER, "www.example.", TYPE_RRSIG, sig, sizeof sig);
        put_u16(sig, TYPE_NSEC);
        rr(SECTION_AUTHORITY, "example.", TYPE_NSEC, nsec, sizeof nsec);
        rr(SECTION_AUTHORITY, "example.", TYPE_RRSIG, sig, sizeof sig);
        struct scrub_result r = run(FLAG_RA, RCODE_NOERROR);
        assert_string_equal(shown(&r), i == 0 ? "www.example. A;"
                                              : "www.example. A;www.example. RRSIG;example. NSEC!;example. RRSIG!;");
        if (i == 0)
            finish(state);
    }
}

static void test_kinds(void **state) {
    (void)state;
    struct scrub_result r = run(FLAG_TC, RCODE_NOERROR);
    assert_int_equal(r.kind, SCRUB_TRUNCATED);
    finish(state);
    start(state);
    r = run(0, RCODE_REFUSED);
    assert_int_equal(r.kind, SCRUB_ERROR);
    assert_int_equal(r.rcode, RCODE_REFUSED);
    finish(state);
    start(state);
    rr(SECTION_AUTHORITY, "example.", TYPE_NS, "\2ns\0", 4);
    r = run(0, RCODE_NOERROR); /* a referral */
    assert_int_equal(r.kind, SCRUB_ERROR);
    finish(state);
    start(state);
    rr(SECTION_AUTHORITY, "example.", TYPE_NS, "\2ns\0", 4);
    r = run(FLAG_RA, RCODE_NOERROR); /* of a resolver, too (RFC 2308 section 2.2) */
    assert_int_equal(r.kind, SCRUB_ERROR);
    finish(state);
    start(state);
    scrub_answer(scrub, &q, (struct bytes){(const uint8_t *)"\0\0\x80\5\0\0\0\0\0\0\0", 12}, out, sizeof out, &r);
    assert_int_equal(r.kind, SCRUB_ERROR); /* a header alone that refuses */
    scrub_answer(scrub, &q, (struct bytes){(const uint8_t *)"\0\0\x80\0\0\0\0\0\0\0\0", 12}, out, sizeof out, &r);
    assert_int_equal(r.kind, SCRUB_INVALID);
}

static void test_another_question_is_invalid(void **state) {
    (void)state;
    a("www.example.", 1);
    struct scrub_result r = run(FLAG_RA, RCODE_NOERROR);
    assert_int_equal(r.kind, SCRUB_ANSWER);
    q.qtype = TYPE_AAAA;
    r = run(FLAG_RA, RCODE_NOERROR);
    assert_int_equal(r.kind, SCRUB_INVALID);
    q.qtype = TYPE_A;
    q.qname = script_name("www.example.org.");
    r = run(FLAG_RA, RCODE_NOERROR);
    assert_int_equal(r.kind, SCRUB_INVALID);
}

static void test_the_upstreams_ede_and_extended_rcode(void **state) {
    (void)state;
    struct dns_opt o = {.udp_size = 1232, .rcode = RCODE_BADVERS, .ede = EDE_BLOCKED, .keepalive = -1};
    dns_writer_opt(&w, &o);
    struct scrub_result r = run(FLAG_RA, RCODE_BADVERS);
    assert_int_equal(r.kind, SCRUB_ERROR);
    assert_int_equal(r.rcode, RCODE_BADVERS);
    assert_int_equal(r.ede, EDE_BLOCKED);
}

static void test_rdata_is_checked_and_expanded(void **state) {
    static const struct {
        uint16_t type;
        const char *rdata;
        size_t size, plain; /* plain 0: invalid */
    } cases[] = {
        {TYPE_A, "\1\2\3", 3, 0},
        {TYPE_A, "\1\2\3\4\5", 5, 0},
        {TYPE_A, "\1\2\3\4", 4, 4},
        {TYPE_AAAA, "0123456789abcdef", 16, 16},
        {TYPE_AAAA, "0123456789abcde", 15, 0},
        {TYPE_MX, "\0\5\300\14", 4, 2 + 13}, /* a pointer to the question */
        {TYPE_MX, "\0\5", 2, 0},
        {TYPE_MX, "\0\5\300\14x", 5, 0},
        {TYPE_MX, "\0\5\1a\0", 5, 5},
        {TYPE_MX, "\0\5\1a", 4, 0}, /* runs out of its RDATA */
        {TYPE_SRV, "\0\0\0\0\0\65\300\14", 8, 6 + 13},
        {TYPE_SOA, "\300\14\300\14aaaabbbbccccddddeeee", 24, 26 + 20},
        {TYPE_SOA, "\300\14\300\14aaaabbbbccccddddeee", 23, 0},
        {35, "\0\1\0\1\1u\3sip\0\300\14", 13, 11 + 13},
        {35, "\0\1\0\1\77u", 6, 0},
        {TYPE_NSEC, "\300\14\0\1\2", 5, 13 + 3},
        {TYPE_TXT, "\7anythin", 8, 8},
        {TYPE_TXT, "anything", 8, 0},
        {65280, "", 0, 0},
    };
    uint8_t to[600];
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct dns_rr got = {.type = cases[i].type, .rdata = w.size, .rdata_size = (uint16_t)cases[i].size};
        struct bytes plain = {NULL, 0};
        memcpy(raw + w.size, cases[i].rdata, cases[i].size);
        int e = rdata_plain(&got, (struct bytes){raw, w.size + cases[i].size}, to, sizeof to, &plain);
        assert_int_equal(e, cases[i].plain > 0 || cases[i].type == 65280 ? 0 : E_INVALID);
        assert_int_equal(plain.size, cases[i].plain);
    }
}

static void test_wrong_rdata_spoils_the_answer(void **state) {
    (void)state;
    a("www.example.", 1);
    rr(SECTION_ANSWER, "www.example.", TYPE_A, "\1\2\3", 3);
    struct scrub_result r = run(FLAG_RA, RCODE_NOERROR);
    assert_int_equal(r.kind, SCRUB_INVALID);
}

/* Whatever comes: an end, and what is written is well-formed. */
static void test_noise(void **state) {
    static uint8_t good[LIMIT_MESSAGE];
    unsigned answers = 0;
    (void)state;
    q.dnssec_ok = true;
    a("www.example.", 1);
    cname("www.example.", "b.example.");
    a("b.example.", 2);
    soa("example.");
    int size = dns_writer_end(&w, FLAG_QR | FLAG_RA, RCODE_NOERROR);
    assert_true(size > 0);
    memcpy(good, raw, (size_t)size);
    for (unsigned i = 0; i < 200000; i++) {
        struct scrub_result r;
        size_t n = rand_below(4) == 0 ? rand_below((uint32_t)size + 1) : (size_t)size;
        memcpy(raw, good, (size_t)size);
        for (unsigned k = rand_below(6); k > 0; k--)
            raw[rand_below(8) == 0 ? rand_below((uint32_t)size) : 25 + rand_below((uint32_t)size - 25)] =
                (uint8_t)rand_u32();
        scrub_answer(scrub, &q, (struct bytes){raw, n}, out, sizeof out, &r);
        if (r.kind == SCRUB_ANSWER) {
            (void)shown(&r);
            answers++;
        }
    }
    assert_true(answers > 1000);
}

/* The most RRs a message can have, all of the same name: bounded work. */
static void test_as_many_as_fit(void **state) {
    (void)state;
    q.qtype = 65280;
    dns_writer_open(&w, raw, sizeof raw, 0, FLAG_QR, OPCODE_QUERY);
    dns_writer_question(&w, &q.qname, q.qtype, q.qclass);
    unsigned n = 0;
    for (struct dns_mark mark; w.error == 0; n++) {
        mark = dns_writer_mark(&w);
        dns_writer_rr(&w, SECTION_ANSWER, &q.qname, q.qtype, CLASS_IN, 1, (struct bytes){NULL, 0});
        if (w.error != 0) {
            dns_writer_rewind(&w, &mark);
            break;
        }
    }
    struct scrub_result r = run(FLAG_RA, RCODE_NOERROR);
    assert_true(n > 5000);
    assert_int_equal(r.kind, n <= LIMIT_RRS_PER_MESSAGE ? SCRUB_ANSWER : SCRUB_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_plain_case, start, finish),
        cmocka_unit_test_setup_teardown(test_what_was_not_asked_is_dropped, start, finish),
        cmocka_unit_test_setup_teardown(test_a_chain_in_any_order, start, finish),
        cmocka_unit_test_setup_teardown(test_a_chain_without_end_ends, start, finish),
        cmocka_unit_test_setup_teardown(test_a_long_chain_is_cut, start, finish),
        cmocka_unit_test_setup_teardown(test_a_dname_and_its_cname, start, finish),
        cmocka_unit_test_setup_teardown(test_a_negative_answer_keeps_its_soa, start, finish),
        cmocka_unit_test_setup_teardown(test_a_chain_that_ends_in_nothing, start, finish),
        cmocka_unit_test_setup_teardown(test_proofs_come_with_do_only, NULL, finish),
        cmocka_unit_test_setup_teardown(test_kinds, start, finish),
        cmocka_unit_test_setup_teardown(test_another_question_is_invalid, start, finish),
        cmocka_unit_test_setup_teardown(test_the_upstreams_ede_and_extended_rcode, start, finish),
        cmocka_unit_test_setup_teardown(test_rdata_is_checked_and_expanded, start, finish),
        cmocka_unit_test_setup_teardown(test_wrong_rdata_spoils_the_answer, start, finish),
        cmocka_unit_test_setup_teardown(test_noise, start, finish),
        cmocka_unit_test_setup_teardown(test_as_many_as_fit, start, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
