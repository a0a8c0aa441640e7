/* RDATA by its form: what is kept of it, and what is not believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "resolver/base/bytes.h"
#include "resolver/dns/rdata.h"

/* RDATA of a type, alone in a message of its own size: whoever reads past it is seen by the sanitizers. */
static int plain(uint16_t type, const char *octets, size_t size) {
    uint8_t *raw = malloc(DNS_HEADER + size), to[512];
    assert_non_null(raw);
    memset(raw, 0, DNS_HEADER);
    memcpy(raw + DNS_HEADER, octets, size);
    struct dns_rr rr = {.type = type, .rdata = DNS_HEADER, .rdata_size = (uint16_t)size};
    struct bytes rdata;
    int e = rdata_plain(&rr, (struct bytes){raw, DNS_HEADER + size}, to, sizeof to, &rdata);
    if (e == 0)
        assert_int_equal(rdata.size, size);
    free(raw);
    return e;
}

#define PLAIN(type, text) plain((type), (text), sizeof(text) - 1)

static void test_forms(void **state) {
    (void)state;
    assert_int_equal(PLAIN(TYPE_A, "\1\2\3\4"), 0);
    assert_int_equal(PLAIN(TYPE_A, "\1\2\3"), E_INVALID);
    assert_int_equal(PLAIN(TYPE_A, "\1\2\3\4\5"), E_INVALID);
    assert_int_equal(PLAIN(TYPE_MX, "\0\12\2mx\0"), 0);
    assert_int_equal(PLAIN(TYPE_MX, "\0\12\2mx"), E_INVALID);
    assert_int_equal(PLAIN(13, "\3cpu\2os"), 0);
    assert_int_equal(PLAIN(13, "\3cpu"), E_INVALID);
    assert_int_equal(PLAIN(TYPE_DS, "\0\1\2\3"), 0);
    assert_int_equal(PLAIN(TYPE_DS, "\0\1\2"), E_INVALID);
    assert_int_equal(PLAIN(TYPE_NSEC3, "\1\0\0\12\2ab\1c\0\1\x40"), 0);
    assert_int_equal(PLAIN(TYPE_NSEC3, "\1\0\0\12\2ab\7c"), E_INVALID);
    assert_int_equal(PLAIN(65280, ""), 0); /* RFC 3597: nobody knows its form */
    assert_int_equal(PLAIN(65280, "\xff\xff"), 0);
}

/* One string at least, and the last ends where the RDATA does. */
static void test_strings(void **state) {
    (void)state;
    assert_int_equal(PLAIN(TYPE_TXT, "\0"), 0);
    assert_int_equal(PLAIN(TYPE_TXT, "\4list\0\2ed"), 0);
    assert_int_equal(PLAIN(TYPE_TXT, ""), E_INVALID);
    assert_int_equal(PLAIN(TYPE_TXT, "\4lis"), E_INVALID);
    assert_int_equal(PLAIN(TYPE_TXT, "\4list\1"), E_INVALID);
    assert_int_equal(PLAIN(99, "\377x"), E_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_forms), cmocka_unit_test(test_strings)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
