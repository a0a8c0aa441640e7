#include "tests/unit/resolver/cache/messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "resolver/base/clock.h"

int64_t test_now_s = 1000000;

static int64_t hands(enum clock_kind kind) {
    (void)kind;
    return test_now_s * NS_PER_S;
}

void test_clock_on(void) { clock_set_source(hands); }

struct name test_name(const char *text) {
    struct name n;
    assert_int_equal(name_from_text(&n, text, NULL), 0);
    return n;
}

struct cache_key test_key(const struct name *qname, uint16_t qtype) {
    return (struct cache_key){.qname = qname, .qtype = qtype, .qclass = CLASS_IN};
}

size_t test_positive(uint8_t *msg, size_t cap, const struct name *qname, const uint32_t *ttls, unsigned count) {
    struct dns_writer w;
    dns_writer_open(&w, msg, cap, 0, FLAG_QR, OPCODE_QUERY);
    dns_writer_question(&w, qname, TYPE_A, CLASS_IN);
    for (unsigned i = 0; i < count; i++)
        dns_writer_a(&w, SECTION_ANSWER, qname, ttls[i], (const uint8_t[]){192, 0, 2, (uint8_t)i});
    int size = dns_writer_end(&w, FLAG_QR, RCODE_NOERROR);
    assert_true(size > 0);
    return (size_t)size;
}

size_t test_negative(uint8_t *msg, size_t cap, const struct name *qname, unsigned rcode, uint32_t ttl,
                     uint32_t minimum) {
    struct dns_writer w;
    struct name zone = test_name("example.");
    struct dns_soa soa = {.primary = test_name("ns.example."),
                          .contact = test_name("hostmaster.example."),
                          .serial = 7,
                          .minimum = minimum};
    dns_writer_open(&w, msg, cap, 0, FLAG_QR, OPCODE_QUERY);
    dns_writer_question(&w, qname, TYPE_A, CLASS_IN);
    dns_writer_soa(&w, SECTION_AUTHORITY, &zone, ttl, &soa);
    int size = dns_writer_end(&w, FLAG_QR, rcode);
    assert_true(size > 0);
    return (size_t)size;
}

uint32_t test_ttl(const uint8_t *msg, size_t size, unsigned index) {
    struct dns_reader r;
    struct dns_rr rr;
    assert_int_equal(dns_reader_open(&r, msg, size, NULL, NULL, NULL), 0);
    for (unsigned i = 0; i <= index; i++)
        assert_int_equal(dns_reader_next(&r, &rr), 0);
    return rr.ttl;
}

struct cache *test_cache(const char *path, uint64_t size) {
    struct cache *c;
    struct cache_config config = {
        .path = path, .size = size, .persist = true, .max_ttl_s = 86400, .max_negative_ttl_s = 3600};
    assert_int_equal(cache_open(&c, &config, NULL), 0);
    return c;
}
