/* Answers as the network may send them, and who they say they are from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "health/probe/answer.h"
#include "resolver/dns/writer.h"

static struct name name_of(const char *text) {
    struct name n;
    assert_int_equal(name_from_text(&n, text, NULL), 0);
    return n;
}

static size_t build(uint8_t *buf, size_t cap, unsigned rcode, const char *nsid, bool soa, bool a) {
    struct dns_writer w;
    struct name zone = name_of("bl.test.");
    dns_writer_open(&w, buf, cap, 7, FLAG_QR | FLAG_AA, OPCODE_QUERY);
    dns_writer_question(&w, &zone, TYPE_SOA, CLASS_IN);
    if (a)
        dns_writer_a(&w, SECTION_ANSWER, &zone, 60, (const uint8_t[]){127, 0, 0, 2});
    if (soa) {
        struct dns_soa s = {.primary = name_of("ns.bl.test."), .contact = name_of("host.bl.test."), .serial = 4242};
        dns_writer_soa(&w, SECTION_ANSWER, &zone, 60, &s);
    }
    struct dns_opt o = {.udp_size = 1232, .rcode = (uint16_t)rcode, .ede = EDE_NONE, .keepalive = -1};
    o.nsid = nsid != NULL;
    if (nsid != NULL)
        o.nsid_text = (struct bytes){(const uint8_t *)nsid, strlen(nsid)};
    dns_writer_opt(&w, &o);
    int size = dns_writer_end(&w, FLAG_QR | FLAG_AA, rcode);
    assert_true(size > 0);
    return (size_t)size;
}

static void test_reads_what_it_wants(void **state) {
    (void)state;
    uint8_t msg[512];
    struct answer a;
    struct name zone = name_of("BL.test.");
    size_t size = build(msg, sizeof(msg), RCODE_NOERROR, "node/12ab/1", true, true);
    assert_int_equal(answer_read(&a, msg, size, &zone), 0);
    assert_true(a.soa);
    assert_int_equal(a.serial, 4242);
    assert_int_equal(a.answers, 2);
    assert_int_equal(a.a_count, 1);
    assert_int_equal(a.a[3], 2);
    assert_string_equal(a.nsid, "node/12ab/1");
    assert_true(a.header.flags & FLAG_AA);
}

static void test_soa_of_another_name_is_none(void **state) {
    (void)state;
    uint8_t msg[512];
    struct answer a;
    struct name other = name_of("other.test.");
    size_t size = build(msg, sizeof(msg), RCODE_NOERROR, NULL, true, false);
    assert_int_equal(answer_read(&a, msg, size, &other), 0);
    assert_false(a.soa);
    assert_string_equal(a.nsid, "");
}

static void test_extended_rcode(void **state) {
    (void)state;
    uint8_t msg[512];
    struct answer a;
    struct name zone = name_of("bl.test.");
    size_t size = build(msg, sizeof(msg), RCODE_BADVERS, NULL, false, false);
    assert_int_equal(answer_read(&a, msg, size, &zone), 0);
    assert_int_equal(a.rcode, RCODE_BADVERS);
}

static void test_bytes_in_nsid_cannot_forge(void **state) {
    (void)state;
    uint8_t msg[512];
    struct answer a;
    struct name zone = name_of("bl.test.");
    size_t size = build(msg, sizeof(msg), 0, "a\n\"b\xff/1/2 ", false, false);
    assert_int_equal(answer_read(&a, msg, size, &zone), 0);
    assert_string_equal(a.nsid, "a?\"b?/1/2?");
}

/* Every cut and every changed octet of a good answer is read without harm, or refused. */
static void test_hostile(void **state) {
    (void)state;
    uint8_t msg[512];
    struct answer a;
    struct name zone = name_of("bl.test.");
    size_t size = build(msg, sizeof(msg), 0, "node/12ab/1", true, true);
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *copy = malloc(cut > 0 ? cut : 1);
        memcpy(copy, msg, cut);
        assert_int_equal(answer_read(&a, copy, cut, &zone), E_INVALID);
        free(copy);
    }
    for (size_t i = 0; i < size; i++) {
        for (int bit = 0; bit < 8; bit++) {
            uint8_t *copy = malloc(size);
            memcpy(copy, msg, size);
            copy[i] ^= (uint8_t)(1 << bit);
            int rc = answer_read(&a, copy, size, &zone);
            assert_true(rc == 0 || rc == E_INVALID);
            assert_true(memchr(a.nsid, '\0', sizeof(a.nsid)) != NULL);
            free(copy);
        }
    }
}

static void test_nsid_forms(void **state) {
    (void)state;
    struct nsid n;
    assert_int_equal(nsid_read(&n, "scan1/00ff/12"), 0);
    assert_string_equal(n.node, "scan1");
    assert_int_equal(n.boot, 0xff);
    assert_int_equal(n.worker, 12);
    assert_int_equal(nsid_read(&n, "a/b/c/1/2"), 0);
    assert_string_equal(n.node, "a/b/c");
    static const char *const bad[] = {
        "",      "scan1",  "scan1/1", "/1/2",   "scan1//2", "scan1/1/",  "s/1/-2",
        "s/g/2", "s/1/2x", "s/1/ 2",  "s/ 1/2", "s/0x1/2",  "s/1/99999", "s/11112222333344445/1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (nsid_read(&n, bad[i]) == 0)
            fail_msg("taken: \"%s\"", bad[i]);
}

static void test_nsid_judge(void **state) {
    (void)state;
    struct board *b = calloc(1, sizeof(*b));
    struct err err = {0};
    unsigned worker = 99;
    board_set(&b->worker[0].boot, 0xaaaa);
    board_set(&b->worker[1].boot, 0xbbbb);
    assert_int_equal(nsid_judge("scan1/bbbb/1", "scan1", b, 2, &worker, &err), 0);
    assert_int_equal(worker, 1);
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", "no NSID"},
        {"hello", "not of the form"},
        {"scan2/bbbb/1", "node \"scan2\""},
        {"scan1/bbbb/2", "worker 2 answers, of 2"},
        {"scan1/aaaa/1", "old process"}, /* another worker's boot */
        {"scan1/0/1", "old process"},
        {"scan1/cccc/0", "old process"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(nsid_judge(bad[i].text, "scan1", b, 2, &worker, &err), E_NOTFOUND);
        if (strstr(err.text, bad[i].says) == NULL)
            fail_msg("\"%s\" says \"%s\"", bad[i].text, err.text);
    }
    /* A boot id of zero on the board (never started) makes nobody welcome. */
    board_set(&b->worker[0].boot, 0);
    assert_int_equal(nsid_judge("scan1/0/0", "scan1", b, 2, &worker, &err), E_NOTFOUND);
    free(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_what_it_wants),
        cmocka_unit_test(test_soa_of_another_name_is_none),
        cmocka_unit_test(test_extended_rcode),
        cmocka_unit_test(test_bytes_in_nsid_cannot_forge),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_nsid_forms),
        cmocka_unit_test(test_nsid_judge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
