/* An UPDATE that goes on to another node: what it says stays, OPT and TSIG go, the hop is counted; hostile messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "rbl/pair/impl.h"
#include "resolver/dns/writer.h"

static uint8_t msg[LIMIT_MESSAGE];

/* Two RRs in the update section; then an OPT when there is one, and a TSIG-like last RR. */
static size_t make(const struct dns_opt *opt, bool tsig) {
    struct dns_writer w;
    struct name zone, owner, key;
    assert_true(name_from_text(&zone, "bl.test.", NULL) >= 0 &&
                name_from_text(&owner, "1.2.0.192.bl.test.", NULL) >= 0 && name_from_text(&key, "key.", NULL) >= 0);
    dns_writer_open(&w, msg, sizeof msg, 77, 0, OPCODE_UPDATE);
    dns_writer_question(&w, &zone, TYPE_SOA, CLASS_IN);
    dns_writer_a(&w, SECTION_AUTHORITY, &owner, 300, (const uint8_t[]){127, 0, 0, 2});
    dns_writer_txt(&w, SECTION_AUTHORITY, &owner, 300, (struct bytes){(const uint8_t *)"why", 3});
    if (opt != NULL)
        dns_writer_opt(&w, opt);
    if (tsig)
        dns_writer_rr(&w, SECTION_ADDITIONAL, &key, TYPE_TSIG, CLASS_ANY, 0,
                      (struct bytes){(const uint8_t *)"rubbish", 7});
    int size = dns_writer_end(&w, 0, 0);
    assert_true(size > 0);
    return (size_t)size;
}

/* How many RRs it has beside an OPT, and the hops that this counts. */
static unsigned count(size_t size, unsigned *hops) {
    struct dns_query q;
    struct bytes option, rest;
    assert_int_equal(dns_query_read(&q, msg, size), 0);
    assert_true(q.edns.present && !q.tsig);
    rest = q.edns.options;
    assert_int_equal(dns_option_next(&rest, PAIR_HOPS_OPTION, &option), 0);
    assert_int_equal(option.size, 1);
    *hops = option.at[0];
    assert_int_equal(q.header.ar, 1);
    return q.header.ns;
}

static void test_hops(void **state) {
    struct dns_opt opt = DNS_OPT_INIT(1232);
    unsigned hops = 0;
    struct err err = {0};
    (void)state;
    for (int i = 0; i < 4; i++) {
        size_t bare = make(NULL, false);
        size_t size = make(i & 1 ? &opt : NULL, (i & 2) != 0);
        for (unsigned hop = 1; hop <= PAIR_HOPS; hop++) {
            int rc = forward_mark(msg, size, &err);
            assert_int_equal(rc, bare + 16);
            size = (size_t)rc;
            assert_int_equal(count(size, &hops), 2);
            assert_int_equal(hops, hop);
        }
        assert_int_equal(forward_mark(msg, size, &err), E_REFUSED);
        assert_non_null(strstr(err.text, "loop"));
    }
}

static void test_longest(void **state) {
    struct err err = {0};
    struct name zone;
    struct dns_writer w;
    static uint8_t text[60000];
    (void)state;
    assert_true(name_from_text(&zone, "bl.test.", NULL) >= 0);
    dns_writer_open(&w, msg, sizeof msg, 77, 0, OPCODE_UPDATE);
    dns_writer_question(&w, &zone, TYPE_SOA, CLASS_IN);
    dns_writer_rr(&w, SECTION_AUTHORITY, &zone, TYPE_TXT, CLASS_IN, 1, (struct bytes){text, sizeof text});
    dns_writer_rr(&w, SECTION_AUTHORITY, &zone, TYPE_TXT, CLASS_IN, 1, (struct bytes){text, 5470});
    int size = dns_writer_end(&w, 0, 0);
    assert_true(size > LIMIT_MESSAGE - 60);
    int room = LIMIT_MESSAGE - size;
    int rc = forward_mark(msg, (size_t)size, &err);
    assert_int_equal(rc, room >= 16 ? size + 16 : E_FULL);
}

/* Cut and changed anywhere: what a question's reader takes is marked, or refused; nothing is read or written beyond. */
static void test_hostile(void **state) {
    struct dns_opt opt = DNS_OPT_INIT(1232);
    struct dns_query q;
    struct err err = {0};
    (void)state;
    size_t size = make(&opt, true);
    uint8_t *copy = malloc(size);
    memcpy(copy, msg, size);
    for (size_t at = 0; at < size; at++)
        for (unsigned v = 0; v < 256; v += 5) {
            memcpy(msg, copy, size);
            msg[at] = (uint8_t)v;
            if (dns_query_read(&q, msg, size) != 0 || q.header.opcode != OPCODE_UPDATE)
                continue;
            int rc = forward_mark(msg, size, &err);
            if (rc > 0)
                assert_int_equal(dns_query_read(&q, msg, (size_t)rc), 0);
        }
    for (size_t cut = 0; cut < size; cut++) {
        memcpy(msg, copy, size);
        if (dns_query_read(&q, msg, cut) == 0)
            assert_true(forward_mark(msg, cut, &err) != 0);
    }
    free(copy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hops),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
