/* Addresses and networks: never a name, no port out of range, IPv4 in IPv6 is IPv4. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "resolver/base/addr.h"
#include "resolver/base/bytes.h"

static void reads_and_writes(void **state) {
    static const struct {
        const char *text;
        uint16_t port;
        const char *shown;
    } rows[] = {
        {"192.0.2.1@53", 0, "192.0.2.1@53"},
        {"192.0.2.1", 5353, "192.0.2.1@5353"},
        {"192.0.2.1@65535", 53, "192.0.2.1@65535"},
        {"2001:DB8::1@53", 0, "2001:db8::1@53"},
        {"[2001:db8::1]@53", 0, "2001:db8::1@53"},
        {"::1", 53, "::1@53"},
        {"::@53", 0, "::@53"},
        {"::ffff:192.0.2.1@53", 0, "192.0.2.1@53"},
        {"fe80::1%lo@53", 0, "fe80::1%lo@53"},
        {"fe80::1%1@53", 0, "fe80::1%lo@53"},
        {"fe80:1111:2222:3333:4444:5555:6666:7777%4294967295@65535", 0,
         "fe80:1111:2222:3333:4444:5555:6666:7777%4294967295@65535"},
    };
    char shown[ADDR_TEXT_MAX];
    struct err err = {0};
    struct addr a;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (addr_parse(&a, rows[i].text, rows[i].port, &err) != E_OK)
            fail_msg("%s: %s", rows[i].text, err.text);
        assert_string_equal(addr_text(&a, shown), rows[i].shown);
    }
}

static void refuses(void **state) {
    static const char *const rows[] = {
        "",
        "@",
        "@53",
        "192.0.2.1",
        "192.0.2.1@",
        "192.0.2.1@0",
        "192.0.2.1@65536",
        "192.0.2.1@99999999999999999999",
        "192.0.2.1@53x",
        "192.0.2.1@-1",
        "192.0.2.1@ 53",
        " 192.0.2.1@53",
        "192.0.2.1@53@53",
        "192.0.2.1:53",
        "192.0.2@53",
        "192.0.2.256@53",
        "192.0.2.01@53",
        "0x7f.1@53",
        "2130706433@53",
        "[192.0.2.1]@53",
        "[2001:db8::1@53",
        "2001:db8::1]@53",
        "[]@53",
        "[@53",
        "2001:db8:::1@53",
        "fe80::1%@53",
        "fe80::1%no-such-interface@53",
        "fe80::1%0@53",
        "fe80::1%4294967296@53",
        "localhost@53",
        "ns.example.com@53",
        "192.0.2.1\n@53",
        "2001:db8::1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc@53",
    };
    struct addr a, zero;
    struct err err;
    (void)state;
    memset(&zero, 0, sizeof(zero));
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        memset(&err, 0, sizeof(err));
        memset(&a, 0xff, sizeof(a));
        if (addr_parse(&a, rows[i], 0, &err) != E_INVALID)
            fail_msg("took \"%s\"", rows[i]);
        assert_memory_equal(&a, &zero, sizeof(a));
        assert_non_null(strstr(err.text, "expected ADDRESS@PORT"));
        assert_null(strchr(err.text, '\n'));
        assert_int_equal(addr_parse(&a, rows[i], 0, NULL), E_INVALID);
    }
}

static void says_why_no_names(void **state) {
    struct err err = {0};
    struct addr a;
    (void)state;
    assert_int_equal(addr_parse(&a, "ns.example.com@53", 53, &err), E_INVALID);
    assert_non_null(strstr(err.text, "ns.example.com"));
    assert_non_null(strstr(err.text, "DNS"));
}

static struct addr parsed(const char *text) {
    struct addr a;
    assert_int_equal(addr_parse(&a, text, 53, NULL), E_OK);
    return a;
}

static void tells_apart(void **state) {
    struct addr a = parsed("192.0.2.1@53"), b = parsed("192.0.2.1@54"), c = parsed("192.0.2.2@53"),
                d = parsed("2001:db8::1"), e = parsed("fe80::1%1"), f = parsed("fe80::1%2"), none;
    (void)state;
    memset(&none, 0, sizeof(none));
    assert_true(addr_same_host(&a, &b));
    assert_false(addr_same(&a, &b));
    assert_true(addr_same(&a, &a));
    assert_false(addr_same_host(&a, &c));
    assert_false(addr_same_host(&a, &d));
    assert_false(addr_same_host(&e, &f));
    assert_false(addr_same_host(&none, &none));
    assert_int_equal(addr_len(&none), 0);
    assert_int_equal(addr_port(&none), 0);
    addr_set_port(&none, 5);
    assert_int_equal(addr_family(&none), 0);
    addr_set_port(&d, 99);
    assert_int_equal(addr_port(&d), 99);
    assert_int_equal(addr_len(&d), sizeof(struct sockaddr_in6));
}

static void knows_special_ones(void **state) {
    struct addr a;
    (void)state;
    a = parsed("127.1.2.3");
    assert_true(addr_is_loopback(&a));
    a = parsed("128.0.0.1");
    assert_false(addr_is_loopback(&a));
    a = parsed("::1");
    assert_true(addr_is_loopback(&a));
    assert_false(addr_is_any(&a));
    a = parsed("0.0.0.0");
    assert_true(addr_is_any(&a));
    a = parsed("::");
    assert_true(addr_is_any(&a));
}

static void takes_from_the_kernel(void **state) {
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(7), .sin6_flowinfo = 5};
    struct sockaddr other = {.sa_family = AF_UNIX};
    char shown[ADDR_TEXT_MAX];
    struct addr a;
    (void)state;
    assert_int_equal(inet_pton(AF_INET6, "::ffff:203.0.113.9", &in6.sin6_addr), 1);
    addr_from_sockaddr(&a, (const struct sockaddr *)&in6);
    assert_string_equal(addr_text(&a, shown), "203.0.113.9@7");
    assert_string_equal(addr_host_text(&a, shown), "203.0.113.9");
    assert_int_equal(inet_pton(AF_INET6, "2001:db8::9", &in6.sin6_addr), 1);
    addr_from_sockaddr(&a, (const struct sockaddr *)&in6);
    assert_int_equal(a.in6.sin6_flowinfo, 0);
    addr_from_sockaddr(&a, &other);
    assert_int_equal(addr_family(&a), 0);
    assert_string_equal(addr_text(&a, shown), "none");
}

static void networks(void **state) {
    static const struct {
        const char *network, *address;
        bool inside;
    } rows[] = {
        {"10.0.0.0/8", "10.255.255.255", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"0.0.0.0/0", "203.0.113.1", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"::/0", "2001:db8::1", true},
        {"::/0", "203.0.113.1", false},
        {"192.0.2.128/25", "192.0.2.127", false},
        {"192.0.2.128/25", "192.0.2.128", true},
        {"192.0.2.7", "192.0.2.7", true},
        {"192.0.2.7", "192.0.2.6", false},
        {"192.0.2.6/31", "192.0.2.7", true},
        {"2001:db8::/33", "2001:db8:7fff::1", true},
        {"2001:db8::/33", "2001:db8:8000::1", false},
        {"2001:db8::1/128", "2001:db8::1", true},
        {"2001:db8::1", "2001:db8::2", false},
        {"::ffff:192.0.2.0/120", "192.0.2.99", true},
        {"::ffff:0:0/96", "203.0.113.1", true},
    };
    struct err err = {0};
    struct prefix p;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct addr a = parsed(rows[i].address);
        if (prefix_parse(&p, rows[i].network, &err) != E_OK)
            fail_msg("%s: %s", rows[i].network, err.text);
        if (prefix_has(&p, &a) != rows[i].inside)
            fail_msg("%s in %s", rows[i].address, rows[i].network);
    }
}

static void refuses_networks(void **state) {
    static const char *const rows[] = {"",
                                       "/",
                                       "/8",
                                       "10.0.0.0/",
                                       "10.0.0.0/33",
                                       "10.0.0.1/8",
                                       "10.0.0.0/8 ",
                                       "10.0.0.0/-1",
                                       "10.0.0.0/08x",
                                       "::/129",
                                       "::1/0",
                                       "10/8",
                                       "example.com",
                                       "10.0.0.0/9999999999",
                                       "2001:db8::/32/32",
                                       "10.0.0.0@53",
                                       "128.0.0.0/0",
                                       "::/"};
    struct prefix p;
    struct err err;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        memset(&err, 0, sizeof(err));
        if (prefix_parse(&p, rows[i], &err) != E_INVALID)
            fail_msg("took \"%s\"", rows[i]);
        assert_int_equal(p.family, 0);
        assert_non_null(strstr(err.text, "expected a network"));
    }
}

static void lists_of_networks(void **state) {
    struct prefix list[2];
    struct addr a = parsed("10.1.1.1"), b = parsed("::1"), c = parsed("192.0.2.1"), none;
    (void)state;
    memset(&none, 0, sizeof(none));
    assert_int_equal(prefix_parse(&list[0], "10.0.0.0/8", NULL), E_OK);
    assert_int_equal(prefix_parse(&list[1], "::1", NULL), E_OK);
    assert_true(prefix_list_has(list, 2, &a));
    assert_true(prefix_list_has(list, 2, &b));
    assert_false(prefix_list_has(list, 2, &c));
    assert_false(prefix_list_has(list, 1, &b));
    assert_false(prefix_list_has(NULL, 0, &a));
    assert_false(prefix_list_has(list, 2, &none));
    memset(&list[0], 0, sizeof(list[0])); /* no family: nothing is inside, not even nothing */
    assert_false(prefix_list_has(list, 1, &none));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_writes),   cmocka_unit_test(refuses),
        cmocka_unit_test(says_why_no_names),  cmocka_unit_test(tells_apart),
        cmocka_unit_test(knows_special_ones), cmocka_unit_test(takes_from_the_kernel),
        cmocka_unit_test(networks),           cmocka_unit_test(refuses_networks),
        cmocka_unit_test(lists_of_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
