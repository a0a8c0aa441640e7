/* Walking the RRs of an answer, and the text of types and RCODEs. */
#include "tests/unit/resolver/dns/wire.h"

#include "resolver/dns/message.h"

static struct wire w;

/* Walks all RRs from a copy without an octet to spare: how many there were, or the error. */
static int walk(size_t size) {
    struct dns_reader r;
    struct dns_rr rr;
    uint8_t *copy = wire_exact(w.at, size);
    int count = 0, e = dns_reader_open(&r, copy, size, NULL, NULL, NULL);
    while (e == 0 && (e = dns_reader_next(&r, &rr)) == 0) {
        assert_true(rr.rdata + rr.rdata_size <= size);
        count++;
    }
    free(copy);
    return e == E_NOTFOUND ? count : e;
}

static void sections_in_order(void **state) {
    (void)state;
    static const struct {
        uint16_t type, section;
        const char *owner;
    } want[] = {{1, 0, "\1a"}, {16, 0, "\1b"}, {2, 1, "\1c"}, {41, 2, ""}, {1, 2, "\1d"}};
    struct dns_reader r;
    struct dns_rr rr;
    struct name qname;
    uint16_t qtype, qclass;
    wire_header(&w, 0x8580, 1, 2, 1, 2);
    wire_question(&w, "example.org", 255);
    wire_rr(&w, "a", 1, "\1\2\3\4", 4);
    wire_rr(&w, "b", 16, "\3txt", 4);
    wire_rr(&w, "c", 2, "\300\014", 2);
    wire_opt(&w, "");
    wire_rr(&w, "d", 1, "\5\6\7\10", 4);
    assert_int_equal(dns_reader_open(&r, w.at, w.size, &qname, &qtype, &qclass), 0);
    assert_int_equal(r.header.flags, FLAG_QR | FLAG_AA | FLAG_RD | FLAG_RA);
    assert_memory_equal(qname.wire, "\7example\3org", 13);
    assert_int_equal(qtype, 255);
    assert_int_equal(qclass, 1);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(dns_reader_next(&r, &rr), 0);
        assert_int_equal(rr.type, want[i].type);
        assert_int_equal(rr.section, want[i].section);
        assert_memory_equal(rr.owner.wire, want[i].owner, strlen(want[i].owner) + 1);
        assert_int_equal(rr.ttl, rr.type == TYPE_OPT ? 0 : 300);
        assert_int_equal(rr.klass, rr.type == TYPE_OPT ? 1232 : 1);
    }
    assert_memory_equal(w.at + rr.rdata, "\5\6\7\10", 4);
    assert_int_equal(dns_reader_next(&r, &rr), E_NOTFOUND);
    assert_int_equal(dns_reader_next(&r, &rr), E_NOTFOUND);
    assert_int_equal(r.seen, 5);
    for (size_t size = 0; size < w.size; size++)
        assert_int_equal(walk(size), E_INVALID);
    wire_raw(&w, "behind", 6); /* is not looked at */
    assert_int_equal(walk(w.size), 5);
}

static void no_question(void **state) {
    (void)state;
    struct dns_reader r;
    struct name qname = {.size = 9};
    uint16_t qtype = 9, qclass = 9;
    wire_header(&w, 0x8400, 0, 1, 0, 0);
    wire_rr(&w, "a", 1, "\1\2\3\4", 4);
    assert_int_equal(dns_reader_open(&r, w.at, w.size, &qname, &qtype, &qclass), 0);
    assert_int_equal(qname.size, 1);
    assert_int_equal(qname.labels, 0);
    assert_int_equal(qtype, 0);
    assert_int_equal(qclass, 0);
    assert_int_equal(walk(w.size), 1);
    wire_header(&w, 0x8400, 2, 0, 0, 0);
    wire_question(&w, "a", 1);
    wire_question(&w, "a", 1);
    assert_int_equal(walk(w.size), E_INVALID);
}

static void counts_that_lie(void **state) {
    (void)state;
    for (unsigned at = 6; at <= 10; at += 2) {
        for (unsigned more = 2; more < 0x10000; more = more * 3) {
            wire_header(&w, 0x8400, 1, 0, 0, 0);
            wire_question(&w, "example.org", 1);
            wire_rr(&w, "a", 1, "\1\2\3\4", 4);
            w.at[at] = (uint8_t)(more >> 8);
            w.at[at + 1] = (uint8_t)more;
            assert_int_equal(walk(w.size), E_INVALID);
        }
    }
}

static void rdata_that_runs_out(void **state) {
    (void)state;
    for (unsigned size = 0; size < 300; size++) {
        wire_header(&w, 0x8400, 1, 2, 0, 0);
        wire_question(&w, "example.org", 1);
        wire_rr(&w, "a", 1, "\1\2\3\4", 4);
        size_t length = w.size + 11;
        wire_rr(&w, "b", 1, "\1\2\3\4", 4);
        w.at[length] = (uint8_t)(size >> 8);
        w.at[length + 1] = (uint8_t)size;
        assert_int_equal(walk(w.size), size <= 4 ? 2 : E_INVALID);
    }
}

static void opt_and_tsig_rules(void **state) {
    (void)state;
    wire_header(&w, 0x8400, 1, 0, 0, 2);
    wire_question(&w, "a", 1);
    wire_opt(&w, "");
    wire_opt(&w, "");
    assert_int_equal(walk(w.size), E_INVALID);
    wire_header(&w, 0x8400, 1, 1, 0, 0);
    wire_question(&w, "a", 1);
    wire_opt(&w, "");
    assert_int_equal(walk(w.size), E_INVALID);
    wire_header(&w, 0x8400, 1, 0, 1, 0);
    wire_question(&w, "a", 1);
    wire_opt(&w, "");
    assert_int_equal(walk(w.size), E_INVALID);
    wire_header(&w, 0x8400, 1, 0, 0, 1);
    wire_question(&w, "a", 1);
    wire_rr(&w, "a", 41, "", 0);
    assert_int_equal(walk(w.size), E_INVALID);
    wire_header(&w, 0x8400, 1, 0, 0, 2);
    wire_question(&w, "a", 1);
    wire_rr(&w, "key", 250, "", 0);
    wire_opt(&w, "");
    assert_int_equal(walk(w.size), E_INVALID);
    wire_header(&w, 0x8400, 1, 0, 0, 2);
    wire_question(&w, "a", 1);
    wire_opt(&w, "");
    wire_rr(&w, "key", 250, "", 0);
    assert_int_equal(walk(w.size), 2);
}

static void ttl_with_the_top_bit(void **state) {
    (void)state;
    static const struct {
        uint32_t wire, read;
    } table[] = {{0, 0}, {0x7FFFFFFF, 0x7FFFFFFF}, {0x80000000, 0}, {0xFFFFFFFF, 0}};
    for (size_t i = 0; i < 4; i++) {
        struct dns_reader r;
        struct dns_rr rr;
        wire_header(&w, 0x8400, 1, 1, 0, 0);
        wire_question(&w, "a", 1);
        wire_raw(&w, "\0\0\1\0\1", 5);
        wire_u32(&w, table[i].wire);
        wire_u16(&w, 0);
        assert_int_equal(dns_reader_open(&r, w.at, w.size, NULL, NULL, NULL), 0);
        assert_int_equal(dns_reader_next(&r, &rr), 0);
        assert_int_equal(rr.ttl, table[i].read);
    }
}

/* The first RR of a message whose only RR has this RDATA. */
static struct dns_rr only_rr(unsigned type, const void *rdata, size_t size) {
    struct dns_reader r;
    struct dns_rr rr;
    wire_header(&w, 0x8400, 1, 1, 0, 0);
    wire_question(&w, "example.org", 6); /* example at 12, org at 20 */
    wire_rr(&w, "a", type, rdata, size);
    assert_int_equal(dns_reader_open(&r, w.at, w.size, NULL, NULL, NULL), 0);
    assert_int_equal(dns_reader_next(&r, &rr), 0);
    return rr;
}

static void soa(void **state) {
    (void)state;
    static const char good[] = "\2ns\300\014\4host\300\014\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\1\2\3\4trailing";
    const size_t size = 12 + 20;
    uint32_t serial = 0, minimum = 0;
    struct dns_rr rr = only_rr(6, good, size);
    assert_int_equal(dns_soa_read(&rr, w.at, w.size, &serial, &minimum), 0);
    assert_int_equal(serial, 1);
    assert_int_equal(minimum, 0x01020304);
    for (size_t cut = 0; cut < size; cut++) {
        rr = only_rr(6, good, cut);
        assert_int_equal(dns_soa_read(&rr, w.at, w.size, &serial, &minimum), E_INVALID);
    }
    rr = only_rr(6, good, size + 1);
    assert_int_equal(dns_soa_read(&rr, w.at, w.size, &serial, &minimum), E_INVALID);
    rr = only_rr(6, good, size);
    assert_int_equal(dns_soa_read(&rr, w.at, w.size - 1, &serial, &minimum), E_INVALID);
}

static void rdata_of_one_name(void **state) {
    (void)state;
    static const struct {
        const char *rdata;
        size_t size;
        int result;
    } table[] = {
        {"\300\014", 2, 0},      {"\1x\300\024", 4, 0},        {"", 1, 0},         {"\1x\300\024z", 5, E_INVALID},
        {"\300", 1, E_INVALID},  {"\1x", 2, E_INVALID},        {"", 0, E_INVALID}, {"\300\052", 2, E_INVALID},
        {"\4abc", 4, E_INVALID}, {"\300\014\0", 3, E_INVALID},
    };
    struct name n;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct dns_rr rr = only_rr(2, table[i].rdata, table[i].size);
        wire_raw(&w, "\0\0\0\0", 4); /* what stands behind the RDATA is no part of the name */
        assert_int_equal(dns_name_rdata_read(&n, &rr, w.at, w.size), table[i].result);
    }
}

static void type_text(void **state) {
    (void)state;
    char text[16];
    assert_string_equal(dns_type_text(1, text), "A");
    assert_string_equal(dns_type_text(TYPE_AAAA, text), "AAAA");
    assert_string_equal(dns_type_text(257, text), "CAA");
    assert_string_equal(dns_type_text(65280, text), "TYPE65280");
    assert_string_equal(dns_type_text(0, text), "TYPE0");
    for (unsigned type = 0; type < 65536; type++)
        assert_int_equal(dns_type_from_text(dns_type_text((uint16_t)type, text)), type);
    assert_int_equal(dns_type_from_text("aaaa"), TYPE_AAAA);
    assert_int_equal(dns_type_from_text("type1"), 1);
    assert_int_equal(dns_type_from_text("TYPE65535"), 65535);
    static const char *const none[] = {"",       "TYPE", "TYPE65536", "TYPE99999999999999999999", "TYPE-1", "TYPE1x",
                                       "TYPE 1", "AA",   "1"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_int_equal(dns_type_from_text(none[i]), -1);
}

static void rcode_text(void **state) {
    (void)state;
    char text[16];
    assert_string_equal(dns_rcode_text(RCODE_NOERROR, text), "NOERROR");
    assert_string_equal(dns_rcode_text(RCODE_NXDOMAIN, text), "NXDOMAIN");
    assert_string_equal(dns_rcode_text(RCODE_BADVERS, text), "BADVERS");
    assert_string_equal(dns_rcode_text(RCODE_BADCOOKIE, text), "BADCOOKIE");
    assert_string_equal(dns_rcode_text(77, text), "RCODE77");
    assert_string_equal(dns_rcode_text(4095, text), "RCODE4095");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections_in_order),
        cmocka_unit_test(no_question),
        cmocka_unit_test(counts_that_lie),
        cmocka_unit_test(rdata_that_runs_out),
        cmocka_unit_test(opt_and_tsig_rules),
        cmocka_unit_test(ttl_with_the_top_bit),
        cmocka_unit_test(soa),
        cmocka_unit_test(rdata_of_one_name),
        cmocka_unit_test(type_text),
        cmocka_unit_test(rcode_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
