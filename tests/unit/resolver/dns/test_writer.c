/* The writer: compression, room, marks, sticky errors; what it writes is compared octet by octet or read again. */
#include "tests/unit/resolver/dns/wire.h"

#include "resolver/dns/writer.h"

static struct wire want;
static uint8_t buf[70000];
static struct dns_writer w;

static struct name name(const char *text) {
    struct name n;
    assert_int_equal(name_from_text(&n, text, NULL), 0);
    return n;
}

static void written(int size) {
    assert_int_equal(size, want.size);
    assert_memory_equal(buf, want.at, want.size);
}

static void open(size_t cap) { dns_writer_open(&w, buf, cap, 0x1234, FLAG_QR | FLAG_RD, OPCODE_QUERY); }

static void answer_with_everything(void **state) {
    (void)state;
    struct name qname = name("4.3.2.1.zen.example.org"), zone = name("zen.example.org"), ns = name("ns1.example.org");
    struct dns_soa soa = {.primary = ns, .contact = name("host.example.org"), 1, 2, 3, 4, 5};
    struct dns_opt opt = DNS_OPT_INIT(1232);
    open(512);
    dns_writer_question(&w, &qname, TYPE_A, CLASS_IN);
    dns_writer_a(&w, SECTION_ANSWER, &qname, 60, (const uint8_t[]){127, 0, 0, 2});
    dns_writer_txt(&w, SECTION_ANSWER, &qname, 60, (struct bytes){(const uint8_t *)"hi", 2});
    dns_writer_ns(&w, SECTION_AUTHORITY, &zone, 61, &ns);
    dns_writer_soa(&w, SECTION_AUTHORITY, &zone, 62, &soa);
    opt.nsid = true;
    opt.nsid_text = (struct bytes){(const uint8_t *)"n/1", 3};
    opt.ede = EDE_BLOCKED;
    opt.ede_text = "why";
    opt.cookie = (struct bytes){(const uint8_t *)"0123456789abcdef", 16};
    opt.keepalive = 100;
    opt.dnssec_ok = true;
    opt.rcode = RCODE_BADCOOKIE;
    size_t before = w.size;
    dns_writer_opt(&w, &opt);
    assert_int_equal(w.size - before, dns_opt_size(&opt));
    wire_header(&want, FLAG_QR | FLAG_AA | FLAG_RD | 7, 1, 2, 2, 1);
    wire_question(&want, "4.3.2.1.zen.example.org", 1);
    wire_hex(&want, "C00C 0001 0001 0000003C 0004 7F000002");
    wire_hex(&want, "C00C 0010 0001 0000003C 0003 02 6869");
    wire_hex(&want, "C014 0002 0001 0000003D 0006 03 6E7331 C018");
    wire_hex(&want, "C014 0006 0001 0000003E 001D C054 04 686F7374 C018 00000001 00000002 00000003 00000004 00000005");
    wire_hex(&want, "00 0029 04D0 01008000 002A 0003 0003 6E2F31 000A 0010 30313233343536373839616263646566");
    wire_hex(&want, "000B 0002 0064 000F 0005 000F 776879");
    written(dns_writer_end(&w, FLAG_AA, RCODE_BADCOOKIE));
}

static void opt_sizes(void **state) {
    (void)state;
    char longest[300];
    memset(longest, 'x', sizeof longest);
    longest[299] = '\0';
    struct dns_opt table[] = {
        DNS_OPT_INIT(512),
        {.ede = EDE_OTHER, .keepalive = -1},
        {.ede = EDE_OTHER, .keepalive = -1, .ede_text = ""},
        {.ede = EDE_OTHER, .keepalive = 0, .ede_text = longest},
        {.ede = EDE_NONE, .keepalive = DNS_KEEPALIVE_ASK, .ede_text = longest},
        {.ede = EDE_NONE, .keepalive = 1 << 20, .nsid = true},
    };
    static const size_t sizes[] = {11, 17, 17, 11 + 6 + 255 + 6, 15, 11 + 4 + 6};
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct dns_edns e;
        struct dns_rr rr = {.type = TYPE_OPT, .rdata = 23};
        open(512);
        dns_writer_opt(&w, &table[i]);
        int size = dns_writer_end(&w, 0, 0);
        assert_int_equal(dns_opt_size(&table[i]), sizes[i]);
        assert_int_equal(size, 12 + sizes[i]);
        rr.rdata_size = (uint16_t)(size - 23);
        assert_int_equal(dns_edns_read(&e, &rr, buf, (size_t)size), 0);
        assert_int_equal(e.ede, table[i].ede);
        assert_int_equal(e.nsid_present, table[i].nsid);
        assert_int_equal(e.keepalive, table[i].keepalive != -1);
    }
    assert_memory_equal(buf + 12 + 11, "\0\3\0\0\0\13\0\2\377\377", 10); /* a longer time than the field holds */
}

static void compression_folds_case(void **state) {
    (void)state;
    struct name q = name("WWW.Example.ORG"), lower = name("mail.example.org");
    open(512);
    dns_writer_question(&w, &q, TYPE_A, CLASS_IN);
    dns_writer_ns(&w, SECTION_ANSWER, &lower, 1, &lower);
    wire_header(&want, FLAG_QR | FLAG_RD, 1, 1, 0, 0);
    wire_question(&want, "WWW.Example.ORG", 1);
    wire_hex(&want, "04 6D61696C C010 0002 0001 00000001 0002 C021");
    written(dns_writer_end(&w, 0, 0));
}

/* Names alike in size and in the ends of their first label are still told apart; so are boundaries of labels. */
static void compression_is_not_fooled(void **state) {
    (void)state;
    static const char *const names[] = {"abcd.org",    "axyd.org", "abcd.orh", "a\\003org.org", "a.org.org",
                                        "a\\.org.org", "org",      ".",        "abcd.org"};
    struct dns_reader r;
    struct dns_rr rr;
    struct name n;
    open(2000);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        n = name(names[i]);
        dns_writer_ns(&w, SECTION_ANSWER, &n, 1, &n);
    }
    int size = dns_writer_end(&w, 0, 0);
    assert_true(size > 0);
    assert_int_equal(dns_reader_open(&r, buf, (size_t)size, NULL, NULL, NULL), 0);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct name host, original = name(names[i]);
        assert_int_equal(dns_reader_next(&r, &rr), 0);
        assert_true(name_equal(&rr.owner, &original));
        assert_int_equal(dns_name_rdata_read(&host, &rr, buf, (size_t)size), 0);
        assert_true(name_equal(&host, &original));
    }
}

/* More names than are remembered, and names beyond the reach of pointers, are written in full, not wrong. */
static void many_names_far_away(void **state) {
    (void)state;
    struct dns_reader r;
    struct dns_rr rr;
    char text[64];
    unsigned count = 0, read = 0;
    open(65535);
    for (; w.error == 0; count++) {
        snprintf(text, sizeof text, "host%u.net%u.example.org", count, count % 7);
        struct name n = name(text);
        struct dns_mark m = dns_writer_mark(&w);
        dns_writer_ns(&w, SECTION_ANSWER, &n, 1, &n);
        if (w.error != 0) {
            dns_writer_rewind(&w, &m);
            break;
        }
    }
    int size = dns_writer_end(&w, 0, 0);
    assert_true(size > 65000);
    assert_int_equal(dns_reader_open(&r, buf, (size_t)size, NULL, NULL, NULL), 0);
    while (dns_reader_next(&r, &rr) == 0) {
        struct name host;
        snprintf(text, sizeof text, "host%u.net%u.example.org", read, read % 7);
        struct name n = name(text);
        assert_true(name_equal(&rr.owner, &n));
        assert_int_equal(dns_name_rdata_read(&host, &rr, buf, (size_t)size), 0);
        assert_true(name_equal(&host, &n));
        read++;
    }
    assert_int_equal(read, count);
}

/* A pointer has fourteen bits: names that begin further back are not pointed at. */
static void names_beyond_reach(void **state) {
    (void)state;
    static const uint8_t filler[0x4100];
    struct name root = name("."), n = name("a.example.org"), host;
    struct dns_reader r;
    struct dns_rr rr;
    for (size_t size = 0x4000 - 60; size < 0x4000 + 10; size++) {
        open(sizeof buf);
        dns_writer_rr(&w, SECTION_ANSWER, &root, 99, CLASS_IN, 1, (struct bytes){filler, size});
        dns_writer_ns(&w, SECTION_ANSWER, &n, 1, &n);
        dns_writer_ns(&w, SECTION_ANSWER, &n, 1, &n);
        int whole = dns_writer_end(&w, 0, 0);
        assert_true(whole > 0);
        assert_int_equal(dns_reader_open(&r, buf, (size_t)whole, NULL, NULL, NULL), 0);
        assert_int_equal(dns_reader_next(&r, &rr), 0);
        while (dns_reader_next(&r, &rr) == 0) {
            assert_true(name_equal(&rr.owner, &n));
            assert_int_equal(dns_name_rdata_read(&host, &rr, buf, (size_t)whole), 0);
            assert_true(name_equal(&host, &n));
        }
        assert_int_equal(r.seen, 3);
    }
}

static void everything(size_t cap) {
    struct name q = name("a.example.org"), host = name("ns.example.net");
    struct dns_soa soa = {.primary = host, .contact = q};
    struct dns_opt opt = {.udp_size = 1232, .ede = 1, .ede_text = "text", .keepalive = 1, .nsid = true};
    uint8_t text[600] = {0};
    open(cap);
    dns_writer_question(&w, &q, TYPE_A, CLASS_IN);
    dns_writer_a(&w, SECTION_ANSWER, &q, 60, text);
    dns_writer_txt(&w, SECTION_ANSWER, &host, 60, (struct bytes){text, sizeof text});
    dns_writer_ns(&w, SECTION_AUTHORITY, &q, 61, &host);
    dns_writer_soa(&w, SECTION_AUTHORITY, &q, 62, &soa);
    dns_writer_opt(&w, &opt);
}

/* At every capacity the message is there whole or not at all, and nothing is written beyond. */
static void every_capacity(void **state) {
    (void)state;
    everything(sizeof buf);
    int whole = dns_writer_end(&w, 0, 0);
    assert_true(whole > 600);
    for (int cap = 0; cap <= whole + 1; cap++) {
        memset(buf, 0xEE, 2000);
        everything((size_t)cap);
        assert_int_equal(dns_writer_end(&w, 0, 0), cap >= whole ? whole : E_FULL);
        for (size_t i = (size_t)cap; i < 2000; i++)
            assert_int_equal(buf[i], 0xEE);
    }
}

static void never_longer_than_a_message(void **state) {
    (void)state;
    static const uint8_t rdata[65535];
    struct name root = name(".");
    open(sizeof buf);
    assert_int_equal(w.cap, LIMIT_MESSAGE);
    dns_writer_rr(&w, SECTION_ANSWER, &root, 99, CLASS_IN, 1, (struct bytes){rdata, 65535 - 12 - 11});
    assert_int_equal(dns_writer_end(&w, 0, 0), 65535);
    open(sizeof buf);
    dns_writer_rr(&w, SECTION_ANSWER, &root, 99, CLASS_IN, 1, (struct bytes){rdata, 65535 - 12 - 10});
    assert_int_equal(dns_writer_end(&w, 0, 0), E_FULL);
}

static void txt_in_strings(void **state) {
    (void)state;
    static const struct {
        size_t text, rdata;
    } table[] = {{0, 1}, {1, 2}, {255, 256}, {256, 258}, {510, 512}, {511, 514}, {65000, 65255}};
    static uint8_t text[65000];
    struct name root = name(".");
    memset(text, 't', sizeof text);
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct dns_reader r;
        struct dns_rr rr;
        size_t left = table[i].text;
        open(sizeof buf);
        dns_writer_txt(&w, SECTION_ANSWER, &root, 1, (struct bytes){text, table[i].text});
        int size = dns_writer_end(&w, 0, 0);
        assert_true(size > 0);
        assert_int_equal(dns_reader_open(&r, buf, (size_t)size, NULL, NULL, NULL), 0);
        assert_int_equal(dns_reader_next(&r, &rr), 0);
        assert_int_equal(rr.rdata_size, table[i].rdata);
        for (size_t at = rr.rdata; at < (size_t)size; at += 1 + (size_t)buf[at]) {
            assert_int_equal(buf[at], left < 255 ? left : 255);
            left -= buf[at];
        }
        assert_int_equal(left, 0);
    }
}

static void rewind_takes_back(void **state) {
    (void)state;
    struct name q = name("a.example.org"), other = name("b.example.net");
    open(100);
    dns_writer_question(&w, &q, TYPE_A, CLASS_IN);
    struct dns_mark m = dns_writer_mark(&w);
    dns_writer_ns(&w, SECTION_ANSWER, &other, 1, &other); /* remembers names that go away again */
    dns_writer_txt(&w, SECTION_ANSWER, &q, 1, (struct bytes){buf, 200});
    assert_int_equal(w.error, E_FULL);
    assert_int_equal(dns_writer_end(&w, 0, 0), E_FULL);
    dns_writer_rewind(&w, &m);
    dns_writer_ns(&w, SECTION_AUTHORITY, &other, 1, &other);
    wire_header(&want, FLAG_QR | FLAG_TC | FLAG_RD, 1, 0, 1, 0);
    wire_question(&want, "a.example.org", 1);
    wire_name(&want, "b.example.net");
    wire_hex(&want, "0002 0001 00000001 0002 C01F");
    written(dns_writer_end(&w, FLAG_TC, 0));
}

static void errors_stick(void **state) {
    (void)state;
    struct name root = name(".");
    struct dns_opt opt = DNS_OPT_INIT(512);
    open(30);
    dns_writer_rr(&w, SECTION_ANSWER, &root, 99, CLASS_IN, 1, (struct bytes){buf, 20});
    assert_int_equal(w.error, E_FULL);
    size_t size = w.size;
    dns_writer_a(&w, SECTION_ANSWER, &root, 1, buf);
    dns_writer_opt(&w, &opt);
    dns_writer_question(&w, &root, 1, 1);
    dns_writer_reserve(&w, 0);
    assert_int_equal(w.size, size);
    assert_int_equal(dns_writer_end(&w, 0, 0), E_FULL);
    open(11);
    dns_writer_question(&w, &root, 1, 1);
    assert_int_equal(dns_writer_end(&w, 0, 0), E_FULL);
}

static void sections_do_not_go_back(void **state) {
    (void)state;
    struct name root = name(".");
    for (int first = SECTION_ANSWER; first <= SECTION_ADDITIONAL; first++)
        for (int then = SECTION_ANSWER; then <= SECTION_ADDITIONAL; then++) {
            open(512);
            dns_writer_a(&w, (enum dns_section)first, &root, 1, (const uint8_t[]){1, 2, 3, 4});
            dns_writer_a(&w, (enum dns_section)then, &root, 1, (const uint8_t[]){1, 2, 3, 4});
            int size = dns_writer_end(&w, 0, 0);
            if (then < first)
                assert_int_equal(size, E_INVALID);
            else
                assert_int_equal(size, 12 + 30);
        }
}

/* What is reserved for the OPT is there when it is written, whatever came before. */
static void reserve_and_release(void **state) {
    (void)state;
    struct name root = name(".");
    struct dns_opt opt = DNS_OPT_INIT(512);
    size_t octets = dns_opt_size(&opt);
    open(12 + 5 + 15 + octets);
    dns_writer_question(&w, &root, 1, 1);
    dns_writer_reserve(&w, octets);
    dns_writer_a(&w, SECTION_ANSWER, &root, 1, buf);
    struct dns_mark m = dns_writer_mark(&w);
    dns_writer_a(&w, SECTION_ANSWER, &root, 1, buf);
    assert_int_equal(w.error, E_FULL);
    dns_writer_rewind(&w, &m);
    dns_writer_release(&w, octets);
    dns_writer_opt(&w, &opt);
    assert_int_equal(dns_writer_end(&w, 0, 0), 12 + 5 + 15 + octets);
    /* More than there is; and what is released never goes beyond the buffer. */
    open(20);
    dns_writer_reserve(&w, 9);
    assert_int_equal(w.error, E_FULL);
    dns_writer_release(&w, 9);
    assert_int_equal(w.cap, 20);
    open(20);
    dns_writer_reserve(&w, 8);
    assert_int_equal(w.cap, 12);
    dns_writer_release(&w, SIZE_MAX);
    assert_int_equal(w.cap, 20);
}

static void queries(void **state) {
    (void)state;
    struct name q = name("Example.org");
    struct dns_opt opt = DNS_OPT_INIT(1232);
    struct dns_query read;
    assert_int_equal(dns_query_write(buf, 512, 7, FLAG_RD, &q, TYPE_TXT, CLASS_CH, NULL), 12 + 13 + 4);
    assert_int_equal(dns_query_read(&read, buf, 29), 0);
    assert_int_equal(read.header.id, 7);
    assert_int_equal(read.header.flags, FLAG_RD);
    assert_int_equal(read.qclass, CLASS_CH);
    assert_memory_equal(read.qname.wire, "\7Example\3org", 13);
    assert_false(read.edns.present);
    opt.nsid = opt.dnssec_ok = true;
    int size = dns_query_write(buf, 512, 7, FLAG_CD, &q, TYPE_A, CLASS_IN, &opt);
    assert_int_equal(size, 12 + 13 + 4 + 15);
    assert_int_equal(dns_query_read(&read, buf, (size_t)size), 0);
    assert_true(read.edns.present && read.edns.nsid_present && read.edns.dnssec_ok);
    for (size_t cap = 0; cap < (size_t)size; cap++)
        assert_int_equal(dns_query_write(buf, cap, 7, 0, &q, TYPE_A, CLASS_IN, &opt), E_FULL);
}

/* Whatever came before and whatever the bound: a whole message, a multiple of the block when that fits. */
static void padding(void **state) {
    (void)state;
    uint8_t out[1024];
    struct name q = name("example.org");
    for (uint16_t block = 1; block <= 512; block = (uint16_t)(block * 2 - 1 + (block < 3)))
        for (size_t cap = 12 + 13 + 4 + 11; cap <= sizeof out; cap++) {
            struct dns_opt opt = DNS_OPT_INIT(1232);
            struct dns_query read;
            opt.pad = block;
            memset(out, 0xA5, sizeof out);
            int size = dns_query_write(out, cap, 7, FLAG_RD, &q, TYPE_A, CLASS_IN, &opt);
            assert_true(size > 0 && (size_t)size <= cap);
            assert_int_equal(dns_query_read(&read, out, (size_t)size), 0);
            size_t least = 12 + 13 + 4 + 11 + 4, to = (least + block - 1) / block * block;
            assert_int_equal(size, cap < least ? least - 4 : to < cap ? to : cap);
            assert_int_equal(read.edns.padding, cap >= least);
            for (size_t i = least; i < (size_t)size; i++)
                assert_int_equal(out[i], 0);
            if ((size_t)size < sizeof out)
                assert_int_equal(out[size], 0xA5);
        }
}

/* Behind all other options, and not counted by dns_opt_size. */
static void padding_comes_last(void **state) {
    (void)state;
    uint8_t out[1024];
    struct name q = name("example.org");
    struct dns_opt opt = DNS_OPT_INIT(1232);
    struct dns_query read;
    struct bytes rest, data;
    size_t without = dns_opt_size(&opt);
    opt.pad = DNS_PAD_QUERY;
    assert_int_equal(dns_opt_size(&opt), without);
    opt.keepalive = DNS_KEEPALIVE_ASK;
    opt.cookie = (struct bytes){(const uint8_t *)"01234567", 8};
    assert_int_equal(dns_query_write(out, sizeof out, 7, 0, &q, TYPE_A, CLASS_IN, &opt), DNS_PAD_QUERY);
    assert_int_equal(dns_query_read(&read, out, DNS_PAD_QUERY), 0);
    assert_true(read.edns.padding && read.edns.keepalive && read.edns.cookie.size == 8);
    rest = read.edns.options;
    assert_int_equal(dns_option_next(&rest, OPTION_PADDING, &data), 0);
    assert_int_equal(rest.size, 0);
    opt.pad = DNS_PAD_ANSWER;
    assert_int_equal(dns_query_write(out, sizeof out, 7, 0, &q, TYPE_A, CLASS_IN, &opt), DNS_PAD_ANSWER);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer_with_everything),
        cmocka_unit_test(opt_sizes),
        cmocka_unit_test(compression_folds_case),
        cmocka_unit_test(compression_is_not_fooled),
        cmocka_unit_test(many_names_far_away),
        cmocka_unit_test(names_beyond_reach),
        cmocka_unit_test(every_capacity),
        cmocka_unit_test(never_longer_than_a_message),
        cmocka_unit_test(txt_in_strings),
        cmocka_unit_test(rewind_takes_back),
        cmocka_unit_test(errors_stick),
        cmocka_unit_test(sections_do_not_go_back),
        cmocka_unit_test(reserve_and_release),
        cmocka_unit_test(queries),
        cmocka_unit_test(padding),
        cmocka_unit_test(padding_comes_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
