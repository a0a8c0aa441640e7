/* A client's question in one pass: what is taken, what is answered with which RCODE, what gets no answer. */
#include "tests/unit/resolver/dns/wire.h"

#include "resolver/dns/message.h"

static struct wire w;
static struct dns_query q;

/* Reads from a copy without an octet to spare; the copy lives until the next call, for the views in q. */
static int query(void) {
    static uint8_t *copy;
    free(copy);
    copy = wire_exact(w.at, w.size);
    memset(&q, 0xEE, sizeof q);
    return dns_query_read(&q, copy, w.size);
}

static void plain(void **state) {
    (void)state;
    wire_header(&w, 0x0120, 1, 0, 0, 0);
    wire_question(&w, "4.3.2.1.Zen.Example.ORG", 1);
    assert_int_equal(query(), 0);
    assert_int_equal(q.header.id, 0x1234);
    assert_int_equal(q.header.flags, FLAG_RD | FLAG_AD);
    assert_int_equal(q.header.opcode, OPCODE_QUERY);
    assert_int_equal(q.header.qd, 1);
    assert_int_equal(q.qtype, TYPE_A);
    assert_int_equal(q.qclass, CLASS_IN);
    assert_int_equal(q.qname.labels, 7);
    assert_memory_equal(q.qname.wire + 8, "\3Zen\7Example\3ORG", 17);
    assert_int_equal(q.question_end, w.size);
    assert_false(q.edns.present);
    assert_int_equal(q.edns.udp_size, 512);
    assert_int_equal(q.edns.ede, EDE_NONE);
    assert_int_equal(q.edns.cookie.size, 0);
    assert_false(q.tsig);
}

static void with_opt(void **state) {
    (void)state;
    wire_header(&w, 0x0100, 1, 0, 0, 1);
    wire_question(&w, "example.org", 16);
    size_t end = w.size;
    wire_opt(&w, "0003 0000");
    assert_int_equal(query(), 0);
    assert_int_equal(q.question_end, end);
    assert_true(q.edns.present);
    assert_true(q.edns.nsid_present);
    assert_int_equal(q.edns.udp_size, 1232);
    assert_false(q.edns.dnssec_ok);
    w.at[end + 7] = 0x80;
    assert_int_equal(query(), 0);
    assert_true(q.edns.dnssec_ok);
}

static void no_answer(void **state) {
    (void)state;
    wire_header(&w, 0x8180, 1, 0, 0, 0);
    wire_question(&w, "example.org", 1);
    assert_int_equal(query(), E_INVALID);
    assert_int_equal(q.header.id, 0x1234);
    for (w.size = 0; w.size < 12; w.size++)
        assert_int_equal(query(), E_INVALID);
}

static void opcodes(void **state) {
    (void)state;
    for (unsigned opcode = 0; opcode < 16; opcode++) {
        bool known = opcode == OPCODE_QUERY || opcode == OPCODE_NOTIFY || opcode == OPCODE_UPDATE;
        wire_header(&w, opcode << 11, 1, 0, 0, 0);
        wire_question(&w, "example.org", 6);
        assert_int_equal(query(), known ? 0 : RCODE_NOTIMP);
        assert_int_equal(q.header.opcode, opcode);
        w.at[2] |= 0x80;
        assert_int_equal(query(), E_INVALID);
    }
}

static void notify_and_update_carry_rrs(void **state) {
    (void)state;
    static const char soa[] = "\0\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5";
    wire_header(&w, OPCODE_NOTIFY << 11 | FLAG_AA, 1, 1, 0, 0);
    wire_question(&w, "example.org", 6);
    wire_rr(&w, "example.org", 6, soa, 22);
    assert_int_equal(query(), 0);
    wire_header(&w, OPCODE_UPDATE << 11, 1, 1, 2, 1);
    wire_question(&w, "example.org", 6);
    wire_rr(&w, "a.example.org", 255, "", 0);
    wire_rr(&w, "b.example.org", 1, "\1\2\3\4", 4);
    wire_rr(&w, "c.example.org", 1, "\1\2\3\4", 4);
    wire_rr(&w, "key", 250, "xyz", 3);
    assert_int_equal(query(), 0);
    assert_true(q.tsig);
    assert_false(q.edns.present);
}

static void questions_not_one(void **state) {
    (void)state;
    wire_header(&w, 0, 0, 0, 0, 0);
    assert_int_equal(query(), RCODE_FORMERR);
    assert_int_equal(q.question_end, 0);
    assert_int_equal(q.qname.size, 1);
    assert_int_equal(q.qname.labels, 0);
    wire_question(&w, "a", 1); /* that no count knows */
    assert_int_equal(query(), RCODE_FORMERR);
    assert_int_equal(q.question_end, 0);
    wire_header(&w, 0, 2, 0, 0, 0);
    wire_question(&w, "a", 1);
    wire_question(&w, "b", 1);
    assert_int_equal(query(), RCODE_FORMERR);
    wire_header(&w, 0, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF);
    assert_int_equal(query(), RCODE_FORMERR);
}

/* A name that cannot be read leaves the root, never half of it. */
static void bad_question(void **state) {
    (void)state;
    wire_header(&w, 0, 1, 0, 0, 0);
    wire_raw(&w, "\3abc\300\014\0\1\0\1", 10);
    assert_int_equal(query(), RCODE_FORMERR);
    assert_int_equal(q.qname.size, 1);
    assert_int_equal(q.question_end, 0);
    wire_header(&w, 0, 1, 0, 0, 0);
    wire_label(&w, 63, 'a');
    wire_label(&w, 63, 'a');
    wire_label(&w, 63, 'a');
    wire_label(&w, 62, 'a');
    wire_raw(&w, "\0\0\1\0\1", 5);
    assert_int_equal(query(), RCODE_FORMERR);
    assert_int_equal(q.question_end, 0);
}

static void counts_that_lie(void **state) {
    (void)state;
    for (unsigned section = 1; section <= 3; section++) {
        static const unsigned counts[] = {1, 2, 255, 0xFFFF};
        for (size_t i = 0; i < 4; i++) {
            wire_header(&w, 0, 1, 0, 0, 0);
            wire_question(&w, "example.org", 1);
            w.at[4 + 2 * section] = (uint8_t)(counts[i] >> 8);
            w.at[5 + 2 * section] = (uint8_t)counts[i];
            assert_int_equal(query(), RCODE_FORMERR);
            assert_true(q.question_end > 0);
            if (section == 3 && counts[i] == 1)
                continue;
            wire_opt(&w, "");
            assert_int_equal(query(), RCODE_FORMERR);
        }
    }
    /* The other way round: an OPT that no count knows. */
    wire_header(&w, 0, 1, 0, 0, 0);
    wire_question(&w, "example.org", 1);
    wire_opt(&w, "");
    assert_int_equal(query(), RCODE_FORMERR);
    assert_false(q.edns.present);
}

static void trailing_octets(void **state) {
    (void)state;
    wire_header(&w, 0, 1, 0, 0, 0);
    wire_question(&w, "example.org", 1);
    wire_u8(&w, 0);
    assert_int_equal(query(), RCODE_FORMERR);
    wire_header(&w, 0, 1, 0, 0, 1);
    wire_question(&w, "example.org", 1);
    wire_opt(&w, "");
    wire_u8(&w, 0);
    assert_int_equal(query(), RCODE_FORMERR);
    wire_header(&w, 0, 1, 0, 0, 1); /* an NSID option behind the RDATA is none */
    wire_question(&w, "example.org", 1);
    wire_opt(&w, "");
    wire_hex(&w, "0003 0000");
    assert_int_equal(query(), RCODE_FORMERR);
    assert_false(q.edns.nsid_present);
}

static void opt_rules(void **state) {
    (void)state;
    wire_header(&w, 0, 1, 0, 0, 2); /* two */
    wire_question(&w, "example.org", 1);
    wire_opt(&w, "");
    wire_opt(&w, "");
    assert_int_equal(query(), RCODE_FORMERR);
    for (unsigned section = 0; section < 2; section++) { /* elsewhere */
        wire_header(&w, 0, 1, section == 0, section == 1, 0);
        wire_question(&w, "example.org", 1);
        wire_opt(&w, "");
        assert_int_equal(query(), RCODE_FORMERR);
    }
    wire_header(&w, 0, 1, 0, 0, 1); /* owned by another than the root */
    wire_question(&w, "example.org", 1);
    wire_rr(&w, "a", 41, "", 0);
    assert_int_equal(query(), RCODE_FORMERR);
    wire_header(&w, 0, 1, 0, 0, 1); /* the root by way of a pointer is still the root */
    wire_question(&w, "example.org", 1);
    wire_hex(&w, "C018 0029 04D0 00000000 0000");
    assert_int_equal(query(), 0);
    assert_true(q.edns.present);
    wire_header(&w, 0, 1, 0, 0, 3); /* among others */
    wire_question(&w, "example.org", 1);
    wire_rr(&w, "a", 1, "\1\2\3\4", 4);
    wire_opt(&w, "0003 0000");
    wire_rr(&w, "b", 1, "\1\2\3\4", 4);
    assert_int_equal(query(), 0);
    assert_true(q.edns.present && q.edns.nsid_present);
}

static void tsig_is_last(void **state) {
    (void)state;
    wire_header(&w, 0, 1, 0, 0, 2);
    wire_question(&w, "example.org", 1);
    wire_opt(&w, "");
    wire_rr(&w, "key", 250, "xyz", 3);
    assert_int_equal(query(), 0);
    assert_true(q.tsig);
    assert_true(q.edns.present);
    wire_header(&w, 0, 1, 0, 0, 2);
    wire_question(&w, "example.org", 1);
    wire_rr(&w, "key", 250, "xyz", 3);
    wire_opt(&w, "");
    assert_int_equal(query(), RCODE_FORMERR);
    wire_header(&w, 0, 1, 0, 0, 2);
    wire_question(&w, "example.org", 1);
    wire_rr(&w, "key", 250, "xyz", 3);
    wire_rr(&w, "key", 250, "xyz", 3);
    assert_int_equal(query(), RCODE_FORMERR);
    wire_header(&w, 0, 1, 1, 0, 0);
    wire_question(&w, "example.org", 1);
    wire_rr(&w, "key", 250, "xyz", 3);
    assert_int_equal(query(), RCODE_FORMERR);
}

static void badvers(void **state) {
    (void)state;
    for (unsigned version = 1; version < 256; version += 127) {
        wire_header(&w, 0, 1, 0, 0, 1);
        wire_question(&w, "example.org", 1);
        size_t opt = w.size;
        wire_opt(&w, "000A 0001 00"); /* what a later version's options mean is not for us to say */
        w.at[opt + 6] = (uint8_t)version;
        assert_int_equal(query(), RCODE_BADVERS);
        assert_int_equal(q.edns.version, version);
        assert_true(q.edns.present);
    }
}

/* Every beginning of a good message is refused; only the whole is taken. */
static void every_cut(void **state) {
    (void)state;
    wire_header(&w, OPCODE_UPDATE << 11, 1, 1, 1, 3);
    wire_question(&w, "example.org", 6);
    wire_rr(&w, "a.example.org", 255, "", 0);
    wire_rr(&w, "b.example.org", 1, "\1\2\3\4", 4);
    wire_rr(&w, "c.example.org", 1, "\1\2\3\4", 4);
    wire_opt(&w, "000A 0008 0102030405060708 0003 0000 000C 0003 000000");
    wire_rr(&w, "key", 250, "xyz", 3);
    size_t whole = w.size;
    assert_int_equal(query(), 0);
    for (w.size = 0; w.size < whole; w.size++)
        assert_int_equal(query(), w.size < 12 ? E_INVALID : RCODE_FORMERR);
    /* The plain one too, which goes the short way. */
    wire_header(&w, 0, 1, 0, 0, 1);
    wire_question(&w, "example.org", 1);
    wire_opt(&w, "000A 0008 0102030405060708");
    whole = w.size;
    assert_int_equal(query(), 0);
    for (w.size = 0; w.size < whole; w.size++)
        assert_int_equal(query(), w.size < 12 ? E_INVALID : RCODE_FORMERR);
}

static void rrs_are_limited(void **state) {
    (void)state;
    for (unsigned rrs = LIMIT_RRS_PER_MESSAGE; rrs <= LIMIT_RRS_PER_MESSAGE + 1; rrs++) {
        /* No datagram holds so many; a longer buffer than a message shows the bound. */
        size_t size = 12 + 5 + (size_t)rrs * 11;
        uint8_t *msg = calloc(1, size);
        assert_non_null(msg);
        msg[5] = 1;
        msg[6] = (uint8_t)(rrs >> 8);
        msg[7] = (uint8_t)rrs;
        assert_int_equal(dns_query_read(&q, msg, size), rrs <= LIMIT_RRS_PER_MESSAGE ? 0 : RCODE_FORMERR);
        free(msg);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain),
        cmocka_unit_test(with_opt),
        cmocka_unit_test(no_answer),
        cmocka_unit_test(opcodes),
        cmocka_unit_test(notify_and_update_carry_rrs),
        cmocka_unit_test(questions_not_one),
        cmocka_unit_test(bad_question),
        cmocka_unit_test(counts_that_lie),
        cmocka_unit_test(trailing_octets),
        cmocka_unit_test(opt_rules),
        cmocka_unit_test(tsig_is_last),
        cmocka_unit_test(badvers),
        cmocka_unit_test(every_cut),
        cmocka_unit_test(rrs_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
