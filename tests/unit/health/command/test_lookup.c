#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "health/command/lookup.h"
#include "health/command/query.h"
#include "resolver/dns/writer.h"

/* The question that `what` becomes in `zone`. */
static const char *below(const char *what, const char *zone, char text[NAME_TEXT_MAX]) {
    struct lookup l;
    struct name n;
    struct err err;
    assert_int_equal(lookup_parse(&l, what, &err), 0);
    assert_int_equal(lookup_below(&l, zone, &n), 0);
    return name_text(&n, text);
}

static void test_addresses_are_reversed(void **state) {
    char text[NAME_TEXT_MAX];
    (void)state;
    assert_string_equal(below("192.0.2.1", "bl.example.", text), "1.2.0.192.bl.example.");
    assert_string_equal(below("255.0.0.10", "bl.example.", text), "10.0.0.255.bl.example.");
    assert_string_equal(below("2001:db8::1", "x.", text),
                        "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.x.");
    assert_string_equal(below("mail.Example", "dbl.example.", text), "mail.Example.dbl.example.");
    assert_string_equal(below("mail.example.", "dbl.example.", text), "mail.example.dbl.example.");
}

static void test_what_is_neither_address_nor_name(void **state) {
    struct lookup l;
    struct err err;
    (void)state;
    assert_true(lookup_parse(&l, "192.0.2.1@53", &err) < 0);
    assert_true(lookup_parse(&l, "a..b", &err) < 0);
    assert_true(lookup_parse(&l, "", &err) < 0);
}

static void test_a_name_too_long_for_the_zone(void **state) {
    struct lookup l;
    struct name n;
    struct err err;
    char what[256], zone[128] = "";
    (void)state;
    for (int i = 0; i < 50; i++)
        memcpy(what + 4 * i, "abc.", 4);
    what[200] = '\0';
    for (int i = 0; i < 13; i++)
        strcat(zone, "abc.");
    assert_int_equal(lookup_parse(&l, what, &err), 0);
    assert_int_equal(lookup_below(&l, zone, &n), 0); /* 200 + 52 + 1 */
    strcat(zone, "abc.");
    assert_int_equal(lookup_below(&l, zone, &n), E_RANGE);
    assert_int_equal(lookup_parse(&l, "2001:db8::1", &err), 0);
    for (size_t i = strlen(zone); i < 127; i++)
        zone[i] = 'a';
    zone[127] = '\0';
    assert_true(lookup_below(&l, "not..a.zone.", &n) < 0);
}

static void test_what_a_zone_can_hold(void **state) {
    struct conf_dataset data[2] = {{.type = DATASET_IP4TRIE}, {.type = DATASET_DNSET}};
    struct conf_zone z = {.data = data, .data_count = 1, .test = TEST_UNSET};
    (void)state;
    assert_int_equal(lookup_kinds(&z), LOOKUP_IP4);
    z.data_count = 2;
    assert_int_equal(lookup_kinds(&z), LOOKUP_IP4 | LOOKUP_NAMES);
    data[0].type = DATASET_IP6TRIE;
    z.data_count = 1;
    assert_int_equal(lookup_kinds(&z), LOOKUP_IP6);
    data[0].type = DATASET_COMBINED;
    assert_int_equal(lookup_kinds(&z), LOOKUP_IP4 | LOOKUP_IP6 | LOOKUP_NAMES);
    z.data_count = 0;
    assert_int_equal(lookup_kinds(&z), LOOKUP_IP4 | LOOKUP_IP6 | LOOKUP_NAMES);
    z.test = TEST_RFC5782_DOMAIN;
    assert_int_equal(lookup_kinds(&z), LOOKUP_NAMES);
}

/* An answer as a server would write it. */
static size_t answer(uint8_t *buf, size_t cap, unsigned rcode, bool with_rrs) {
    struct dns_writer w;
    struct name qname;
    const uint8_t a[4] = {127, 0, 0, 2};
    const struct dns_opt opt = {.udp_size = 1232,
                                .rcode = (uint16_t)rcode,
                                .nsid = true,
                                .nsid_text = {(const uint8_t *)"n\033/1", 4},
                                .ede = EDE_NOT_READY,
                                .ede_text = "no zone yet",
                                .keepalive = -1};
    assert_int_equal(name_from_text(&qname, "2.0.0.127.bl.test.", NULL), 0);
    dns_writer_open(&w, buf, cap, 7, FLAG_QR, OPCODE_QUERY);
    dns_writer_question(&w, &qname, TYPE_A, CLASS_IN);
    for (int i = 0; with_rrs && i < QUERY_RRS + 3; i++)
        dns_writer_a(&w, SECTION_ANSWER, &qname, 2100, a);
    dns_writer_opt(&w, &opt);
    int size = dns_writer_end(&w, FLAG_QR | FLAG_AA, rcode);
    assert_true(size > 0);
    return (size_t)size;
}

static void test_an_answer_taken_apart(void **state) {
    uint8_t buf[1500];
    struct query q = {.qtype = TYPE_A};
    size_t size = answer(buf, sizeof buf, RCODE_NOERROR, true);
    (void)state;
    assert_int_equal(query_take(&q, buf, size), 0);
    assert_int_equal(q.rrs, QUERY_RRS);
    assert_string_equal(q.rr[0].text, "127.0.0.2");
    assert_int_equal(q.rr[0].ttl, 2100);
    assert_int_equal(q.flags & FLAG_AA, FLAG_AA);
    assert_string_equal(q.nsid, "n\\027/1");
    assert_int_equal(q.ede, EDE_NOT_READY);
    assert_string_equal(q.ede_text, "no zone yet");
}

static void test_no_edns_no_extended_error(void **state) {
    static const uint8_t bare[] = {0, 7, 0x80, 3, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'x', 0, 0, 1, 0, 1};
    struct query q = {.qtype = TYPE_A};
    (void)state;
    assert_int_equal(query_take(&q, bare, sizeof bare), 0);
    assert_int_equal(q.rcode, RCODE_NXDOMAIN);
    assert_int_equal(q.ede, EDE_NONE);
    assert_string_equal(q.nsid, "");
}

/* TXT RDATA whose character-string says it is longer than the RDATA. */
static void test_text_that_lies_about_its_length(void **state) {
    static const uint8_t message[] = {0, 7, 0x80, 0,  0, 1,  0, 1, 0, 0, 0, 0, 1, 'x', 0,   0,   16,
                                      0, 1, 0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 9, 0, 3,   200, 'a', 'b'};
    struct query q = {.qtype = TYPE_TXT};
    (void)state;
    if (query_take(&q, message, sizeof message) == 0 && q.rrs == 1)
        assert_string_equal(q.rr[0].text, "ab");
}

static void test_every_cut_and_flipped_answer(void **state) {
    uint8_t buf[1500], bad[1500];
    size_t size = answer(buf, sizeof buf, RCODE_SERVFAIL, true);
    (void)state;
    for (size_t n = 0; n < size; n++) {
        struct query q = {.qtype = TYPE_A};
        memcpy(bad, buf, n);
        (void)!query_take(&q, bad, n);
        assert_true(q.rrs <= QUERY_RRS);
    }
    for (size_t i = 0; i < size * 8; i++) {
        struct query q = {.qtype = i % 3 == 0 ? TYPE_TXT : TYPE_A};
        memcpy(bad, buf, size);
        bad[i / 8] ^= (uint8_t)(1 << i % 8);
        (void)!query_take(&q, bad, size);
        assert_true(q.rrs <= QUERY_RRS);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_are_reversed),          cmocka_unit_test(test_what_is_neither_address_nor_name),
        cmocka_unit_test(test_a_name_too_long_for_the_zone),    cmocka_unit_test(test_what_a_zone_can_hold),
        cmocka_unit_test(test_an_answer_taken_apart),           cmocka_unit_test(test_no_edns_no_extended_error),
        cmocka_unit_test(test_text_that_lies_about_its_length), cmocka_unit_test(test_every_cut_and_flipped_answer),
    };
    return cmocka_run_group_tests_name("command_lookup", tests, NULL, NULL);
}
