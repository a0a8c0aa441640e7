/* What stands in an OPT RR: each option's shape, and lengths that lie. */
#include "tests/unit/resolver/dns/wire.h"

#include "resolver/dns/message.h"
#include "resolver/dns/writer.h"

static struct wire w;
static struct dns_edns e;

/* Reads OPT RDATA given in hexadecimal, without an octet to spare behind it. */
static int options(const char *hex) {
    static uint8_t *copy;
    w.size = 0;
    wire_hex(&w, hex);
    free(copy);
    copy = wire_exact(w.at, w.size);
    struct dns_rr opt = {.type = TYPE_OPT, .klass = 1232, .rdata_size = (uint16_t)w.size};
    memset(&e, 0xEE, sizeof e);
    return dns_edns_read(&e, &opt, copy, w.size);
}

static void nothing(void **state) {
    (void)state;
    assert_int_equal(options(""), 0);
    assert_true(e.present);
    assert_false(e.nsid_present || e.keepalive || e.padding || e.dnssec_ok);
    assert_int_equal(e.cookie.size + e.ecs.size + e.nsid.size + e.ede_text.size, 0);
    assert_int_equal(e.ede, EDE_NONE);
}

static void fixed_part(void **state) {
    (void)state;
    static const struct {
        uint16_t klass, size;
    } sizes[] = {{0, 512}, {511, 512}, {512, 512}, {1232, 1232}, {65535, 65535}};
    for (size_t i = 0; i < 5; i++) {
        struct dns_rr opt = {.type = TYPE_OPT, .klass = sizes[i].klass, .ttl = 0x5A007FFF};
        assert_int_equal(dns_edns_read(&e, &opt, w.at, 0), 0);
        assert_int_equal(e.udp_size, sizes[i].size);
        assert_int_equal(e.rcode_high, 0x5A);
        assert_int_equal(e.version, 0);
        assert_false(e.dnssec_ok);
    }
    struct dns_rr opt = {.type = TYPE_OPT, .ttl = 0xFF038000};
    assert_int_equal(dns_edns_read(&e, &opt, w.at, 0), 0);
    assert_int_equal(e.rcode_high, 0xFF);
    assert_int_equal(e.version, 3);
    assert_true(e.dnssec_ok);
}

static void all_at_once(void **state) {
    (void)state;
    assert_int_equal(options("0003 0004 6E6F6465"
                             "0008 0007 0001 18 00 C0A801"
                             "000A 0010 0102030405060708 1112131415161718"
                             "000B 0002 0064"
                             "000C 0003 000000"
                             "000F 0006 0012 74657874"
                             "FDE9 0002 BEEF"),
                     0);
    assert_true(e.nsid_present);
    assert_int_equal(e.nsid.size, 4);
    assert_memory_equal(e.nsid.at, "node", 4);
    assert_int_equal(e.ecs.size, 7);
    assert_int_equal(e.cookie.size, 16);
    assert_int_equal(e.cookie.at[8], 0x11);
    assert_true(e.keepalive && e.padding);
    assert_int_equal(e.ede, EDE_PROHIBITED);
    assert_int_equal(e.ede_text.size, 4);
    assert_memory_equal(e.ede_text.at, "text", 4);
}

static void the_first_of_two_counts(void **state) {
    (void)state;
    assert_int_equal(options("000F 0002 0003 000F 0004 0016 7878"
                             "000A 0008 0102030405060708 000A 0008 FF02030405060708"
                             "0003 0001 61 0003 0001 62"
                             "0008 0004 0001 0000 0008 0005 0001 0800 0A"),
                     0);
    assert_int_equal(e.ede, EDE_STALE_ANSWER);
    assert_int_equal(e.ede_text.size, 0);
    assert_int_equal(e.cookie.at[0], 1);
    assert_int_equal(e.nsid.at[0], 'a');
    assert_int_equal(e.ecs.size, 4);
}

static void shapes_refused(void **state) {
    (void)state;
    static const char *const table[] = {
        "00",                           /* half a code */
        "0003 00",                      /* half a length */
        "0003 0001",                    /* a length beyond the RDATA */
        "0003 FFFF 00",                 /* far beyond */
        "FDE9 0003 0000",               /* of an option unknown to us too */
        "0003 0000 0003 0001",          /* behind a good one */
        "000A 0000",                    /* cookies of no such size */
        "000A 0007 01020304050607",     /**/
        "000A 0009 010203040506070809", /**/
        "000A 000F 010203040506070801020304050607",
        "000A 0029 0102030405060708 010203040506070801020304050607080102030405060708 0102030405060708 01",
        "000B 0001 00", /* keepalive */
        "000B 0003 000000",
        "000F 0000", /* EDE without a code */
        "000F 0001 00",
        "0008 0003 000100",               /* client subnets: too short */
        "0008 0004 0001 1800",            /* octets missing */
        "0008 0008 0001 1800 0A000000",   /* octets too many */
        "0008 0009 0001 2100 0A00000000", /* /33 */
        "0008 0005 0001 0821 0A",         /* scope /33 */
        "0008 0006 0001 0900 0A01",       /* spare bits set */
        "0008 0015 0002 8100 00000000000000000000000000000000 00",
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (options(table[i]) != E_INVALID)
            fail_msg("taken: %s", table[i]);
}

static void shapes_taken(void **state) {
    (void)state;
    static const char *const table[] = {
        "000A 0008 0102030405060708",
        "000A 0010 01020304050607080102030405060708",
        "000A 0028 0102030405060708 010203040506070801020304050607080102030405060708 0102030405060708",
        "000B 0000",
        "000C 0000",
        "000F 0002 FFFF",
        "0008 0004 0000 0000",
        "0008 0006 0001 0900 0A80",
        "0008 0008 0001 2020 0A000001",
        "0008 0014 0002 8000 20010db8000000000000000000000001",
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (options(table[i]) != 0)
            fail_msg("refused: %s", table[i]);
}

static void options_are_limited(void **state) {
    (void)state;
    char hex[(LIMIT_EDNS_OPTIONS + 1) * 8 + 1] = "";
    for (unsigned i = 0; i < LIMIT_EDNS_OPTIONS; i++)
        memcpy(hex + 8 * i, "FDE90000", 9);
    assert_int_equal(options(hex), 0);
    memcpy(hex + 8 * LIMIT_EDNS_OPTIONS, "FDE90000", 9);
    assert_int_equal(options(hex), E_INVALID);
}

/* An RR that says more than the message holds. */
/* Several of one code, put in and taken out in their order; others in between are passed over. */
static void several_of_one_code(void **state) {
    (void)state;
    static const char *const texts[] = {"one", "", "three"};
    uint8_t options[64], msg[256];
    int size = 0;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        size = dns_option_put(options, (size_t)size, sizeof options, 65313,
                              (struct bytes){(const uint8_t *)texts[i], strlen(texts[i])});
        size = dns_option_put(options, (size_t)size, sizeof options, 65000, (struct bytes){(const uint8_t *)"x", 1});
    }
    assert_int_equal(size, 3 * (4 + 5) + strlen("one") + strlen("three"));
    assert_int_equal(dns_option_put(options, (size_t)size, (size_t)size + 3, 1, (struct bytes){NULL, 0}), E_FULL);
    assert_int_equal(dns_option_put(options, 65, 64, 1, (struct bytes){NULL, 0}), E_FULL);
    struct name root;
    struct dns_query q;
    struct dns_opt opt = DNS_OPT_INIT(1232);
    opt.options = (struct bytes){options, (size_t)size};
    assert_int_equal(name_from_text(&root, ".", NULL), 0);
    int n = dns_query_write(msg, sizeof msg, 1, 0, &root, TYPE_SOA, CLASS_IN, &opt);
    assert_int_equal(n, DNS_HEADER + 5 + dns_opt_size(&opt));
    assert_int_equal(dns_query_read(&q, msg, (size_t)n), 0);
    struct bytes rest = q.edns.options, data;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        assert_int_equal(dns_option_next(&rest, 65313, &data), 0);
        assert_int_equal(data.size, strlen(texts[i]));
        assert_memory_equal(data.at, texts[i], data.size);
    }
    assert_int_equal(dns_option_next(&rest, 65313, &data), E_NOTFOUND);
    assert_int_equal(dns_option_next(&rest, 65313, &data), E_NOTFOUND);
    static const uint8_t cut[] = {0xFF, 0x21, 0, 9, 1};
    for (size_t i = 0; i <= sizeof cut; i++) {
        rest = (struct bytes){cut, i};
        assert_int_equal(dns_option_next(&rest, 0xFF21, &data), E_NOTFOUND);
    }
}

static void rdata_outside(void **state) {
    (void)state;
    static const uint8_t msg[8] = {0};
    struct dns_rr opt = {.type = TYPE_OPT, .rdata = 4, .rdata_size = 5};
    assert_int_equal(dns_edns_read(&e, &opt, msg, sizeof msg), E_INVALID);
    opt.rdata = 9;
    opt.rdata_size = 0;
    assert_int_equal(dns_edns_read(&e, &opt, msg, sizeof msg), E_INVALID);
    opt.rdata = 8;
    assert_int_equal(dns_edns_read(&e, &opt, msg, sizeof msg), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing),
        cmocka_unit_test(fixed_part),
        cmocka_unit_test(all_at_once),
        cmocka_unit_test(the_first_of_two_counts),
        cmocka_unit_test(shapes_refused),
        cmocka_unit_test(shapes_taken),
        cmocka_unit_test(options_are_limited),
        cmocka_unit_test(rdata_outside),
        cmocka_unit_test(several_of_one_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
