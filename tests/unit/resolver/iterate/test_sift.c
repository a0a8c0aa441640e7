/* What is believed of an authoritative server's answer, and what the answer is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "resolver/base/rand.h"
#include "resolver/iterate/bounds.h"
#include "resolver/iterate/sift.h"
#include "tests/unit/resolver/iterate/script.h"

static struct sift *sift;
static struct sift_question q;
static uint8_t raw[LIMIT_MESSAGE], buf[RRSET_MAX];
static struct dns_writer w;

static void ask(const char *zone, const char *qname, uint16_t qtype) {
    q = (struct sift_question){
        .qname = script_name(qname), .zone = script_name(zone), .qtype = qtype, .qclass = CLASS_IN};
    dns_writer_open(&w, raw, sizeof raw, 0, FLAG_QR, OPCODE_QUERY);
    dns_writer_question(&w, &q.qname, q.qtype, q.qclass);
}

static int start(void **state) {
    (void)state;
    sift = sift_new();
    ask("example.", "www.example.", TYPE_A);
    return sift == NULL;
}

static int finish(void **state) {
    (void)state;
    sift_free(sift);
    return 0;
}

static void rr(enum dns_section section, const char *owner, uint16_t type, const void *rdata, size_t size) {
    struct name n = script_name(owner);
    dns_writer_rr(&w, section, &n, type, CLASS_IN, 300, (struct bytes){rdata, size});
}

static void address(enum dns_section section, const char *owner, uint8_t last) {
    rr(section, owner, TYPE_A, (uint8_t[]){192, 0, 2, last}, 4);
}

static void points(enum dns_section section, const char *owner, uint16_t type, const char *target) {
    struct name n = script_name(target);
    rr(section, owner, type, n.wire, n.size);
}

static void soa(const char *owner) {
    struct name n = script_name(owner);
    struct dns_soa s = {.primary = n, .contact = n, .serial = 1, .minimum = 60};
    dns_writer_soa(&w, SECTION_AUTHORITY, &n, 300, &s);
}

static void signature(enum dns_section section, const char *owner, uint16_t covers) {
    uint8_t rdata[18 + 1 + 4] = {(uint8_t)(covers >> 8), (uint8_t)covers};
    rr(section, owner, TYPE_RRSIG, rdata, sizeof rdata);
}

static const struct sift_result *run(uint16_t flags, unsigned rcode) {
    raw[2] = raw[3] = 0; /* flags of an earlier run of the same message */
    int size = dns_writer_end(&w, (uint16_t)(FLAG_QR | flags), rcode);
    assert_true(size > 0);
    return sift_read(sift, &q, (struct bytes){raw, (size_t)size});
}

/* What was kept, in order: "owner TYPE trust count[+sigs];". Each can be brought into the cache's form. */
static const char *shown(const struct sift_result *r) {
    static char text[8192];
    size_t at = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < r->count && at < sizeof text - 200; i++) {
        char owner[NAME_TEXT_MAX], type[16], sigs[16] = "";
        struct rrset set;
        assert_int_equal(sift_rrset(sift, i, &set, buf), 0);
        assert_int_equal(set.count, r->rrset[i].count);
        size_t from = 0;
        struct bytes rdata;
        unsigned n = 0;
        while (rrset_next(&set, &from, &rdata) == 0)
            n++;
        assert_int_equal(n, set.count + set.sigs);
        if (set.sigs > 0)
            snprintf(sigs, sizeof sigs, "+%u", set.sigs);
        at += (size_t)snprintf(text + at, sizeof text - at, "%s %s %u %u%s;", name_text(&set.owner, owner),
                               dns_type_text(set.type, type), set.trust, set.count, sigs);
    }
    return text;
}

static void expect(const struct sift_result *r, enum sift_kind kind, const char *kept) {
    if (r->kind != kind)
        print_error("kind %d, why %s\n", r->kind, r->why == NULL ? "-" : r->why);
    assert_int_equal(r->kind, kind);
    assert_string_equal(shown(r), kept);
}

static const char *target(const struct sift_result *r) {
    static char text[NAME_TEXT_MAX];
    return name_text(&r->target, text);
}

static void test_an_answer(void **state) {
    (void)state;
    address(SECTION_ANSWER, "www.example.", 1);
    address(SECTION_ANSWER, "WWW.Example.", 2);
    address(SECTION_ANSWER, "other.example.", 3);
    points(SECTION_AUTHORITY, "example.", TYPE_NS, "ns.example.");
    points(SECTION_AUTHORITY, "example.", TYPE_NS, "ns.elsewhere.");
    address(SECTION_ADDITIONAL, "ns.example.", 4);
    address(SECTION_ADDITIONAL, "ns.elsewhere.", 5);
    address(SECTION_ADDITIONAL, "www.example.", 6);
    expect(run(FLAG_AA, RCODE_NOERROR), SIFT_ANSWER, "www.example. A 5 2;");
}

static void test_without_aa_it_weighs_less_and_a_resolver_is_lame(void **state) {
    (void)state;
    address(SECTION_ANSWER, "www.example.", 1);
    expect(run(0, RCODE_NOERROR), SIFT_ANSWER, "www.example. A 3 1;");
    const struct sift_result *r = run(FLAG_RA, RCODE_NOERROR);
    assert_int_equal(r->kind, SIFT_LAME);
    q.forwarded = true;
    q.zone = script_name(".");
    expect(run(FLAG_RA, RCODE_NOERROR), SIFT_ANSWER, "www.example. A 3 1;");
}

static void test_a_referral(void **state) {
    (void)state;
    ask("example.", "a.b.sub.example.", TYPE_A);
    points(SECTION_AUTHORITY, "sub.example.", TYPE_NS, "ns.sub.example.");
    points(SECTION_AUTHORITY, "sub.example.", TYPE_NS, "ns.elsewhere.");
    points(SECTION_AUTHORITY, "unrelated.example.", TYPE_NS, "ns.evil.example.");
    rr(SECTION_AUTHORITY, "sub.example.", 43, "\1\2\3\4\5", 5);
    address(SECTION_ADDITIONAL, "ns.sub.example.", 1);
    address(SECTION_ADDITIONAL, "ns.elsewhere.", 2);
    address(SECTION_ADDITIONAL, "ns.evil.example.", 3);
    const struct sift_result *r = run(0, RCODE_NOERROR);
    expect(r, SIFT_REFERRAL, "sub.example. NS 2 2;sub.example. DS 2 1;ns.sub.example. A 1 1;");
    char text[NAME_TEXT_MAX];
    assert_string_equal(name_text(&r->cut, text), "sub.example.");
    assert_int_equal(run(FLAG_AA, RCODE_NOERROR)->kind, SIFT_REFERRAL); /* servers in the field do that */
}

static void test_lame_referrals(void **state) {
    static const char *const owner[] = {".", "example.", "a.b.sub.example.x.", "com."};
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        ask("example.", "www.example.", TYPE_A);
        points(SECTION_AUTHORITY, owner[i], TYPE_NS, "ns.example.");
        const struct sift_result *r = run(0, RCODE_NOERROR);
        assert_int_equal(r->kind, SIFT_LAME);
        assert_non_null(r->why);
    }
    for (unsigned i = 2; i < 4; i++) { /* beside the zone: says nothing */
        ask("example.", "www.example.", TYPE_A);
        points(SECTION_AUTHORITY, owner[i], TYPE_NS, "ns.example.");
        expect(run(0, RCODE_NOERROR), SIFT_NODATA, "");
        expect(run(FLAG_RA, RCODE_NOERROR), SIFT_LAME, "");
    }
}

static void test_denials(void **state) {
    struct rrset denial;
    (void)state;
    soa("example.");
    soa("other.");
    expect(run(FLAG_AA, RCODE_NXDOMAIN), SIFT_NXDOMAIN, "example. SOA 4 1;");
    assert_int_equal(sift_denial(sift, &denial, buf), 0);
    assert_true(denial.kind == RRSET_NXDOMAIN && denial.type == RRSET_NAME && denial.count == 1);
    assert_int_equal(denial.ttl_s, 60);
    expect(run(FLAG_AA, RCODE_NOERROR), SIFT_NODATA, "example. SOA 4 1;");
    assert_int_equal(sift_denial(sift, &denial, buf), 0);
    assert_true(denial.kind == RRSET_NODATA && denial.type == TYPE_A);
    assert_int_equal(run(FLAG_RA, RCODE_NXDOMAIN)->kind, SIFT_LAME);
    ask("example.", "www.example.", TYPE_A); /* nobody says how long: told, not kept */
    assert_int_equal(run(FLAG_AA, RCODE_NXDOMAIN)->kind, SIFT_NXDOMAIN);
    assert_int_equal(sift_denial(sift, &denial, buf), E_NOTFOUND);
}

static void test_a_chain(void **state) {
    (void)state;
    points(SECTION_ANSWER, "b.example.", TYPE_CNAME, "c.example.");
    points(SECTION_ANSWER, "www.example.", TYPE_CNAME, "B.example.");
    address(SECTION_ANSWER, "c.example.", 1);
    const struct sift_result *r = run(FLAG_AA, RCODE_NOERROR);
    expect(r, SIFT_ANSWER, "www.example. CNAME 5 1;b.example. CNAME 5 1;c.example. A 5 1;");
    assert_string_equal(target(r), "c.example.");
    assert_int_equal(r->chain, 2);
}

static void test_a_chain_that_leaves_the_zone(void **state) {
    (void)state;
    points(SECTION_ANSWER, "www.example.", TYPE_CNAME, "www.bank.");
    address(SECTION_ANSWER, "www.bank.", 66);
    soa("bank.");
    const struct sift_result *r = run(FLAG_AA, RCODE_NOERROR);
    expect(r, SIFT_CNAME, "www.example. CNAME 5 1;");
    assert_string_equal(target(r), "www.bank.");
    assert_int_equal(run(FLAG_AA, RCODE_NXDOMAIN)->kind, SIFT_CNAME); /* the other zone's servers will say */
}

static void test_a_chain_that_ends_in_a_denial(void **state) {
    (void)state;
    points(SECTION_ANSWER, "www.example.", TYPE_CNAME, "none.example.");
    soa("example.");
    const struct sift_result *r = run(FLAG_AA, RCODE_NXDOMAIN);
    expect(r, SIFT_NXDOMAIN, "www.example. CNAME 5 1;example. SOA 4 1;");
    assert_string_equal(target(r), "none.example.");
    assert_int_equal(run(FLAG_AA, RCODE_NOERROR)->kind, SIFT_NODATA);
}

static void test_a_chain_without_end(void **state) {
    (void)state;
    points(SECTION_ANSWER, "www.example.", TYPE_CNAME, "b.example.");
    points(SECTION_ANSWER, "b.example.", TYPE_CNAME, "www.example.");
    assert_int_equal(run(FLAG_AA, RCODE_NOERROR)->kind, SIFT_INVALID);
    char from[32] = "www.example.", to[32];
    ask("example.", from, TYPE_A);
    for (unsigned i = 0; i <= BOUND_CHAIN; i++) {
        snprintf(to, sizeof to, "c%u.example.", i);
        points(SECTION_ANSWER, from, TYPE_CNAME, to);
        memcpy(from, to, sizeof from);
    }
    assert_int_equal(run(FLAG_AA, RCODE_NOERROR)->kind, SIFT_INVALID);
}

static void test_two_aliases_of_one_name_count_once(void **state) {
    (void)state;
    points(SECTION_ANSWER, "www.example.", TYPE_CNAME, "a.example.");
    points(SECTION_ANSWER, "www.example.", TYPE_CNAME, "b.example.");
    address(SECTION_ANSWER, "a.example.", 1);
    expect(run(FLAG_AA, RCODE_NOERROR), SIFT_ANSWER, "www.example. CNAME 5 1;a.example. A 5 1;");
}

static void test_a_dname(void **state) {
    (void)state;
    for (unsigned lies = 0; lies < 3; lies++) { /* no CNAME, the right one, a wrong one */
        ask("example.", "x.y.old.example.", TYPE_A);
        points(SECTION_ANSWER, "old.example.", TYPE_DNAME, "new.example.");
        if (lies > 0)
            points(SECTION_ANSWER, "x.y.old.example.", TYPE_CNAME, lies == 1 ? "x.y.new.example." : "evil.example.");
        address(SECTION_ANSWER, "x.y.new.example.", 1);
        address(SECTION_ANSWER, "evil.example.", 2);
        const struct sift_result *r = run(FLAG_AA, RCODE_NOERROR);
        expect(r, SIFT_ANSWER, "old.example. DNAME 5 1;x.y.old.example. CNAME 5 1;x.y.new.example. A 5 1;");
        assert_true(r->rrset[1].made);
        assert_string_equal(target(r), "x.y.new.example.");
    }
}

static void test_a_dname_that_makes_names_too_long(void **state) {
    char label[64], longer[256], text[300];
    (void)state;
    memset(label, 'a', 63);
    label[63] = '\0';
    snprintf(text, sizeof text, "%s.%s.%s.o.", label, label, label);
    snprintf(longer, sizeof longer, "%s.example.", label);
    ask(".", text, TYPE_A);
    points(SECTION_ANSWER, "o.", TYPE_DNAME, longer);
    const struct sift_result *r = run(FLAG_AA, RCODE_NOERROR);
    expect(r, SIFT_YXDOMAIN, "o. DNAME 5 1;");
    assert_int_equal(run(FLAG_AA, RCODE_YXDOMAIN)->kind, SIFT_YXDOMAIN);
}

static void test_signatures_stay_with_what_they_cover(void **state) {
    struct rrset denial;
    (void)state;
    address(SECTION_ANSWER, "www.example.", 1);
    signature(SECTION_ANSWER, "www.example.", TYPE_A);
    signature(SECTION_ANSWER, "www.example.", TYPE_MX);
    expect(run(FLAG_AA, RCODE_NOERROR), SIFT_ANSWER, "www.example. A 5 1;");
    q.dnssec_ok = true;
    expect(run(FLAG_AA, RCODE_NOERROR), SIFT_ANSWER, "www.example. A 5 1+1;");
    ask("example.", "www.example.", TYPE_A);
    q.dnssec_ok = true;
    soa("example.");
    signature(SECTION_AUTHORITY, "example.", TYPE_SOA);
    rr(SECTION_AUTHORITY, "wxw.example.", 47, "\1a\0\0\1\1", 6);
    signature(SECTION_AUTHORITY, "wxw.example.", 47);
    expect(run(FLAG_AA, RCODE_NXDOMAIN), SIFT_NXDOMAIN, "example. SOA 4 1+1;wxw.example. NSEC 4 1+1;");
    assert_int_equal(sift_denial(sift, &denial, buf), 0);
    assert_int_equal(denial.count, 4);
}

static void test_other_rcodes_and_tc(void **state) {
    (void)state;
    address(SECTION_ANSWER, "www.example.", 1);
    assert_int_equal(run(FLAG_AA, RCODE_REFUSED)->kind, SIFT_RCODE);
    assert_int_equal(run(FLAG_AA | FLAG_TC, RCODE_NOERROR)->kind, SIFT_TRUNCATED);
    uint8_t bare[DNS_HEADER] = {0, 1, 0x80, RCODE_FORMERR};
    const struct sift_result *r = sift_read(sift, &q, (struct bytes){bare, sizeof bare});
    assert_true(r->kind == SIFT_RCODE && r->rcode == RCODE_FORMERR);
    bare[3] = 0;
    assert_int_equal(sift_read(sift, &q, (struct bytes){bare, sizeof bare})->kind, SIFT_INVALID);
}

static void test_another_question(void **state) {
    (void)state;
    address(SECTION_ANSWER, "www.example.", 1);
    q.qtype = TYPE_AAAA;
    assert_int_equal(run(FLAG_AA, RCODE_NOERROR)->kind, SIFT_INVALID);
    q.qtype = TYPE_A;
    q.qname = script_name("ww.example.");
    assert_int_equal(run(FLAG_AA, RCODE_NOERROR)->kind, SIFT_INVALID);
}

static void test_any(void **state) {
    (void)state;
    ask("example.", "www.example.", TYPE_ANY);
    address(SECTION_ANSWER, "www.example.", 1);
    rr(SECTION_ANSWER, "www.example.", TYPE_TXT, "\1x", 2);
    address(SECTION_ANSWER, "no.example.", 2);
    expect(run(FLAG_AA, RCODE_NOERROR), SIFT_ANSWER, "www.example. A 5 1;www.example. TXT 5 1;");
}

static void test_bounds_of_one_message(void **state) {
    (void)state;
    for (unsigned i = 0; i <= BOUND_RRSET_RRS; i++)
        rr(SECTION_ANSWER, "www.example.", TYPE_A, (uint8_t[]){10, 0, (uint8_t)(i >> 8), (uint8_t)i}, 4);
    assert_int_equal(run(FLAG_AA, RCODE_NOERROR)->kind, SIFT_INVALID);
    for (unsigned section = SECTION_ANSWER; section <= SECTION_ADDITIONAL; section++) {
        ask("example.", "www.example.", TYPE_A);
        if (section > SECTION_ANSWER)
            address(SECTION_ANSWER, "www.example.", 1);
        for (unsigned i = 0; i <= BOUND_RRS; i++)
            rr(section, "x.example.", TYPE_A, (uint8_t[]){10, 0, (uint8_t)(i >> 8), (uint8_t)i}, 4);
        assert_int_equal(run(FLAG_AA, RCODE_NOERROR)->kind, section == SECTION_ADDITIONAL ? SIFT_ANSWER : SIFT_INVALID);
    }
}

/* The names of more servers than anybody asks bring no glue: what one message costs is bounded. */
static void test_glue_for_as_many_servers_as_are_asked(void **state) {
    char host[32];
    (void)state;
    ask("example.", "www.sub.example.", TYPE_A);
    for (unsigned i = 0; i < 3 * BOUND_NS_NAMES; i++) {
        snprintf(host, sizeof host, "ns%u.example.", i);
        points(SECTION_AUTHORITY, "sub.example.", TYPE_NS, host);
    }
    for (unsigned i = 0; i < 3 * BOUND_NS_NAMES; i++) {
        snprintf(host, sizeof host, "ns%u.example.", i);
        address(SECTION_ADDITIONAL, host, (uint8_t)i);
    }
    const struct sift_result *r = run(0, RCODE_NOERROR);
    assert_int_equal(r->kind, SIFT_REFERRAL);
    assert_int_equal(r->count, 1 + BOUND_NS_NAMES);
}

/* Whatever octets are changed: a kind is said, and what is kept can be packed and lies inside the zone. */
static void test_damage(void **state) {
    (void)state;
    address(SECTION_ANSWER, "www.example.", 1);
    points(SECTION_AUTHORITY, "example.", TYPE_NS, "ns.example.");
    soa("example.");
    address(SECTION_ADDITIONAL, "ns.example.", 4);
    int size = dns_writer_end(&w, FLAG_QR | FLAG_AA, 0);
    uint8_t damaged[512];
    for (unsigned i = 0; i < 200000; i++) {
        memcpy(damaged, raw, (size_t)size);
        for (unsigned k = 0; k <= i % 4; k++)
            damaged[rand_below((uint32_t)size)] = (uint8_t)rand_u16();
        const struct sift_result *r = sift_read(sift, &q, (struct bytes){damaged, (size_t)size - rand_below(3)});
        assert_true(r->kind <= SIFT_INVALID);
        struct rrset set;
        for (unsigned k = 0; r->kind != SIFT_INVALID && k < r->count; k++)
            if (sift_rrset(sift, k, &set, buf) == 0)
                assert_true(name_under(&set.owner, &q.zone));
        assert_true(sift_denial(sift, &set, buf) <= 0);
    }
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, start, finish)
    const struct CMUnitTest tests[] = {
        T(test_an_answer),
        T(test_without_aa_it_weighs_less_and_a_resolver_is_lame),
        T(test_a_referral),
        T(test_lame_referrals),
        T(test_denials),
        T(test_a_chain),
        T(test_a_chain_that_leaves_the_zone),
        T(test_a_chain_that_ends_in_a_denial),
        T(test_a_chain_without_end),
        T(test_two_aliases_of_one_name_count_once),
        T(test_a_dname),
        T(test_a_dname_that_makes_names_too_long),
        T(test_signatures_stay_with_what_they_cover),
        T(test_other_rcodes_and_tc),
        T(test_another_question),
        T(test_any),
        T(test_bounds_of_one_message),
        T(test_glue_for_as_many_servers_as_are_asked),
        T(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
