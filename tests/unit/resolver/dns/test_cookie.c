/* SipHash against its reference vectors, cookies against those of RFC 9018 appendix A. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "resolver/dns/cookie.h"
#include "resolver/dns/siphash.h"

static size_t from_hex(uint8_t *to, const char *hex) {
    size_t n = strlen(hex) / 2;
    for (size_t i = 0; i < n; i++) {
        unsigned octet;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &octet), 1);
        to[i] = (uint8_t)octet;
    }
    return n;
}

/* Input 00 01 02 ... of 0 to 63 octets under the key 00..0f: from the authors' paper and reference code. */
static void the_reference_vectors_hold(void **state) {
    (void)state;
    static const struct {
        size_t size;
        uint64_t hash;
    } known[] = {{0, 0x726fdb47dd0e0e31}, {1, 0x74f839c593dc67fd}, {2, 0x0d6c8009d9a94f5a}, {3, 0x85676696d7fb7e2d},
                 {7, 0xab0200f58b01d137}, {8, 0x93f5f5799a932462}, {15, 0xa129ca6149be45e5}};
    uint8_t key[SIPHASH_KEY], input[64];
    for (unsigned i = 0; i < sizeof input; i++)
        input[i] = (uint8_t)i;
    memcpy(key, input, sizeof key);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        assert_int_equal(siphash24(key, input, known[i].size), known[i].hash);
}

static struct cookie_secrets secrets_of(const char *first, const char *second) {
    struct cookie_secrets s = {.count = 1};
    assert_int_equal(from_hex(s.at[0], first), COOKIE_SECRET);
    if (second != NULL) {
        assert_int_equal(from_hex(s.at[1], second), COOKIE_SECRET);
        s.count = 2;
    }
    return s;
}

static const char *judged(const char *asked, const char *client, const struct cookie_secrets *s, uint32_t now_s,
                          enum cookie_verdict *verdict) {
    static char text[2 * COOKIE_WHOLE + 1];
    uint8_t octets[40], answer[COOKIE_WHOLE];
    struct addr from;
    size_t size = from_hex(octets, asked);
    assert_int_equal(addr_parse(&from, client, 53, NULL), 0);
    *verdict = cookie_judge((struct bytes){octets, size}, &from, s, now_s, answer);
    for (unsigned i = 0; i < COOKIE_WHOLE; i++)
        snprintf(text + 2 * i, 3, "%02x", answer[i]);
    return text;
}

static const char secret_a[] = "e5e973e5a6b2a43f48e7dc849e37bfcf";

static void rfc9018_appendix_a1_a_new_cookie(void **state) {
    (void)state;
    struct cookie_secrets s = secrets_of(secret_a, NULL);
    enum cookie_verdict v;
    assert_string_equal(judged("2464c4abcf10c957", "198.51.100.100", &s, 1559731985, &v),
                        "2464c4abcf10c957010000005cf79f111f8130c3eee29480");
    assert_int_equal(v, COOKIE_FIRST);
}

static void rfc9018_appendix_a2_a_renewed_cookie(void **state) {
    (void)state;
    struct cookie_secrets s = secrets_of(secret_a, NULL);
    enum cookie_verdict v;
    assert_string_equal(
        judged("2464c4abcf10c957010000005cf79f111f8130c3eee29480", "198.51.100.100", &s, 1559734385, &v),
        "2464c4abcf10c957010000005cf7a871d4a564a1442aca77");
    assert_int_equal(v, COOKIE_GOOD);
}

/* The reserved octets of another server's cookie count in its hash, and are zero in ours. */
static void rfc9018_appendix_a3_another_client(void **state) {
    (void)state;
    struct cookie_secrets s = secrets_of(secret_a, NULL);
    enum cookie_verdict v;
    assert_string_equal(judged("fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", "203.0.113.203", &s, 1559734700, &v),
                        "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e");
    assert_int_equal(v, COOKIE_BAD); /* 6587 seconds old */
    (void)judged("fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", "203.0.113.203", &s, 1559728100, &v);
    assert_int_equal(v, COOKIE_GOOD);
}

static void rfc9018_appendix_a4_ipv6_and_a_rolled_secret(void **state) {
    (void)state;
    struct cookie_secrets s = secrets_of("445536bcd2513298075a5d379663c962", "dd3bdf9344b678b185a6f5cb60fca715");
    enum cookie_verdict v;
    assert_string_equal(judged("22681ab97d52c298010000005cf7c57926556bd0934c72f8", "2001:db8:220:1:59de:d0f4:8769:82b8",
                               &s, 1559741961, &v),
                        "22681ab97d52c298010000005cf7c609a6bb79d16625507a");
    assert_int_equal(v, COOKIE_GOOD); /* of the old secret: believed, and replaced */
}

static void a_young_cookie_stays(void **state) {
    (void)state;
    struct cookie_secrets s = secrets_of(secret_a, NULL);
    enum cookie_verdict v;
    static const char ours[] = "2464c4abcf10c957010000005cf79f111f8130c3eee29480";
    static const struct {
        int32_t age_s;
        bool good, same;
    } at[] = {{0, true, true},      {1800, true, true}, {1801, true, false}, {3600, true, false},
              {3601, false, false}, {-300, true, true}, {-301, false, false}};
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        const char *answer = judged(ours, "198.51.100.100", &s, (uint32_t)(1559731985 + at[i].age_s), &v);
        assert_int_equal(v, at[i].good ? COOKIE_GOOD : COOKIE_BAD);
        assert_int_equal(strcmp(answer, ours) == 0, at[i].same);
    }
}

static void foreign_cookies_are_bad(void **state) {
    (void)state;
    struct cookie_secrets s = secrets_of(secret_a, NULL);
    enum cookie_verdict v;
    static const struct {
        const char *asked, *client;
    } bad[] = {
        {"2464c4abcf10c957010000005cf79f111f8130c3eee29480", "198.51.100.101"}, /* another's */
        {"2464c4abcf10c957010000005cf79f111f8130c3eee29481", "198.51.100.100"}, /* one bit */
        {"2464c4abcf10c956010000005cf79f111f8130c3eee29480", "198.51.100.100"},
        {"2464c4abcf10c957020000005cf79f111f8130c3eee29480", "198.51.100.100"}, /* a version to come */
        {"2464c4abcf10c9570000000000000000", "198.51.100.100"},                 /* another length */
        {"2464c4abcf10c957010000005cf79f111f8130c3eee2948000", "198.51.100.100"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *answer = judged(bad[i].asked, bad[i].client, &s, 1559731985, &v);
        assert_int_equal(v, COOKIE_BAD);
        assert_int_equal(strncmp(answer, bad[i].asked, 16), 0); /* the client's own half comes back */
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_vectors_hold),
        cmocka_unit_test(rfc9018_appendix_a1_a_new_cookie),
        cmocka_unit_test(rfc9018_appendix_a2_a_renewed_cookie),
        cmocka_unit_test(rfc9018_appendix_a3_another_client),
        cmocka_unit_test(rfc9018_appendix_a4_ipv6_and_a_rolled_secret),
        cmocka_unit_test(a_young_cookie_stays),
        cmocka_unit_test(foreign_cookies_are_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
