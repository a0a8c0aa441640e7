/* Where recursion begins, and whom it may ask. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "resolver/base/rand.h"
#include "resolver/dns/hints.h"

static struct hints hints;
static struct err err;
static char path[] = "/tmp/candor-hints-XXXXXX";

static struct conf *conf_of(const char *text) {
    struct conf *c;
    if (conf_read_text(&c, text, strlen(text), "/base", "t", &err) != 0)
        fail_msg("%s", err.text);
    return c;
}

static int open_from(const char *text, size_t size) {
    struct conf *c = conf_of("{}");
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
    c->resolver.recursion.root_hints = path;
    int e = hints_open(&hints, c, &err);
    conf_free(c);
    return e;
}

static int open_text(const char *text) { return open_from(text, strlen(text)); }

static bool may_ask(const char *text, const char *address) {
    struct addr a;
    struct conf *c = conf_of(text);
    assert_int_equal(addr_parse(&a, address, 53, NULL), 0);
    bool may = hints_may_ask(c, &a);
    conf_free(c);
    return may;
}

static void test_built_in(void **state) {
    (void)state;
    char text[NAME_TEXT_MAX], shown[ADDR_TEXT_MAX];
    struct conf *c = conf_of("");
    assert_int_equal(hints_open(&hints, c, &err), 0);
    assert_int_equal(hints.hosts, 13);
    assert_int_equal(hints.count, 26);
    assert_string_equal(name_text(&hints.host[0], text), "a.root-servers.net.");
    assert_string_equal(name_text(&hints.host[12], text), "m.root-servers.net.");
    assert_string_equal(addr_text(&hints.at[0].address, shown), "198.41.0.4@53");
    assert_string_equal(addr_text(&hints.at[25].address, shown), "2001:dc3::35@53");
    for (unsigned i = 0; i < hints.count; i++) {
        assert_int_equal(hints.at[i].host, i / 2);
        assert_true(hints_may_ask(c, &hints.at[i].address));
        for (unsigned k = 0; k < i; k++)
            assert_false(addr_same(&hints.at[i].address, &hints.at[k].address));
    }
    conf_free(c);
}

static void test_a_file(void **state) {
    (void)state;
    char text[NAME_TEXT_MAX], shown[ADDR_TEXT_MAX];
    assert_int_equal(open_text("; a comment\n$TTL 1h\n"
                               "ns.one. IN A 192.0.2.1\n" /* before the NS that names it */
                               ". 3600 IN NS NS.one.\n"
                               "  3600 IN NS ns.two.\n"
                               "$ORIGIN two.\n"
                               "ns AAAA 2001:db8::2\n\n"
                               "other A 192.0.2.9\n" /* of no root server */
                               "com. IN NS ns.three.\nns.three. IN A 192.0.2.3\n"
                               "ns CH A 192.0.2.4\n"
                               ". SOA a. b. 1 2 3 4 5\n"
                               "ns A 192.0.2.2"),
                     0); /* no end of line */
    assert_int_equal(hints.hosts, 2);
    assert_int_equal(hints.count, 3);
    assert_string_equal(name_text(&hints.host[0], text), "ns.one.");
    assert_string_equal(name_text(&hints.host[1], text), "ns.two.");
    assert_string_equal(addr_text(&hints.at[0].address, shown), "192.0.2.1@53");
    assert_string_equal(addr_text(&hints.at[1].address, shown), "2001:db8::2@53");
    assert_string_equal(addr_text(&hints.at[2].address, shown), "192.0.2.2@53");
    assert_int_equal(hints.at[2].host, 1);
}

static void test_files_that_are_refused(void **state) {
    (void)state;
    assert_int_equal(open_text(""), E_INVALID);
    assert_int_equal(open_text(". IN NS ns.one.\n"), E_INVALID);
    assert_int_equal(open_text("ns.one. IN A 192.0.2.1\n"), E_INVALID);
    assert_int_equal(open_text(". IN NS ns.one.\nns.one. IN A 192.0.2.1\nns.one. IN A nonsense\n"), E_INVALID);
    assert_non_null(strstr(err.text, ":3:"));
    assert_int_equal(open_text("$INCLUDE /etc/passwd\n. IN NS ns.one.\nns.one. IN A 192.0.2.1\n"), E_INVALID);
    struct conf *c = conf_of("resolver: {recursion: {root-hints: nowhere}}");
    assert_int_equal(hints_open(&hints, c, &err), E_NOTFOUND);
    assert_non_null(strstr(err.text, "/base/nowhere"));
    c->resolver.recursion.root_hints = "/dev/zero";
    assert_int_equal(hints_open(&hints, c, &err), E_INVALID);
    conf_free(c);
}

static void test_files_that_are_too_long(void **state) {
    (void)state;
    size_t cap = 2 << 20, n = 0;
    char *text = malloc(cap);
    assert_non_null(text);
    for (int i = 0; i < HINTS_NAMES + 1; i++)
        n += (size_t)snprintf(text + n, cap - n, ". IN NS ns%d.\nns%d. A 192.0.2.%d\n", i, i, i + 1);
    assert_int_equal(open_from(text, n), E_FULL);
    n = (size_t)snprintf(text, cap, ". IN NS ns.\n");
    for (int i = 0; i < HINTS_ADDRESSES + 1; i++)
        n += (size_t)snprintf(text + n, cap - n, "ns. A 192.0.2.%d\n", i + 1);
    assert_int_equal(open_from(text, n), E_FULL);
    for (n = 0; n < cap - 8;)
        n += (size_t)snprintf(text + n, cap - n, "$TTL 1\n");
    assert_int_equal(open_from(text, 1 << 19), E_FULL); /* lines */
    assert_int_equal(open_from(text, n), E_INVALID);    /* octets */
    free(text);
}

static void test_noise_is_no_harm(void **state) {
    (void)state;
    static const char good[] = ". 3600 IN NS a.one.\n(a.one. \"A\" 192.0.2.1)\n$ORIGIN .\na.one. AAAA 2001:db8::1\n";
    char text[512];
    for (int i = 0; i < 2000; i++) {
        size_t n = sizeof good - 1;
        memcpy(text, good, n);
        for (int k = 0; k < 4; k++)
            text[rand_u64() % n] = (char)(rand_u64() % 256);
        if (open_from(text, n) == 0)
            assert_in_range(hints.count, 1, HINTS_ADDRESSES);
    }
}

static void test_who_may_be_asked(void **state) {
    (void)state;
    static const char *const never[] = {"0.0.0.0",   "0.1.2.3", "224.0.0.1", "255.255.255.255",
                                        "240.0.0.1", "::",      "ff02::1",   "::ffff:0.0.0.0"};
    static const char *const unless_told[] = {"10.1.2.3",   "100.64.0.1",     "169.254.1.1",
                                              "172.16.0.1", "172.31.255.255", "192.168.0.1",
                                              "fd00::1",    "fe80::1",        "::ffff:10.1.2.3"};
    static const char *const public[] = {"198.41.0.4",  "9.255.255.255", "11.0.0.0",   "172.32.0.1",
                                         "100.128.0.1", "192.169.0.1",   "2001:7fd::1"};
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        assert_false(may_ask("resolver: {recursion: {do-not-query: [], query-localhost: true}}", never[i]));
    for (size_t i = 0; i < sizeof unless_told / sizeof *unless_told; i++) {
        assert_false(may_ask("", unless_told[i]));
        assert_true(may_ask("resolver: {recursion: {do-not-query: []}}", unless_told[i]));
    }
    for (size_t i = 0; i < sizeof public / sizeof *public; i++)
        assert_true(may_ask("", public[i]));
    assert_false(may_ask("resolver: {recursion: {do-not-query: [198.41.0.0/24]}}", "198.41.0.4"));
}

static void test_loopback_and_ourselves(void **state) {
    (void)state;
    static const char local[] = "resolver: {listen: [{address: 192.0.2.1@53}, {address: 127.0.0.1@53}, {address: "
                                "\"::@53\"}], recursion: {query-localhost: true}}";
    assert_false(may_ask("", "127.0.0.1"));
    assert_false(may_ask("", "::1"));
    assert_false(may_ask("", "::ffff:127.0.0.1"));
    assert_true(may_ask("resolver: {recursion: {query-localhost: true}}", "127.0.0.1"));
    assert_true(may_ask(local, "127.0.0.2@5353"));
    assert_false(may_ask(local, "127.0.0.1@53"));
    assert_false(may_ask(local, "::1@53"));
    assert_false(may_ask(local, "192.0.2.1@53"));
    assert_true(may_ask(local, "192.0.2.1@54"));
}

static void test_families(void **state) {
    (void)state;
    assert_false(may_ask("resolver: {recursion: {ipv6: false}}", "2001:7fd::1"));
    assert_true(may_ask("resolver: {recursion: {ipv6: false}}", "193.0.14.129"));
    assert_false(may_ask("resolver: {recursion: {ipv4: false}}", "193.0.14.129"));
    assert_true(may_ask("resolver: {recursion: {ipv4: false}}", "2001:7fd::1"));
}

static void test_named_ones(void **state) {
    (void)state;
    static const char text[] =
        "resolver: {recursion: {ipv6: false}, forward: [{zone: a., to: [127.0.0.1@5399, \"::1@53\"]}],"
        " stub: [{zone: b., to: [10.0.0.1, 0.0.0.0@53]}], listen: [{address: 127.0.0.9@53}]}";
    assert_true(may_ask(text, "127.0.0.1@5399"));
    assert_false(may_ask(text, "127.0.0.1@53")); /* another server than the one named */
    assert_true(may_ask(text, "::1@53"));
    assert_true(may_ask(text, "10.0.0.1@53"));
    assert_false(may_ask(text, "0.0.0.0@53"));
    assert_false(may_ask(text, "10.0.0.2@53"));
}

static int make_path(void **state) {
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 || close(fd) != 0;
}

static int remove_path(void **state) {
    (void)state;
    return unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_built_in),
        cmocka_unit_test(test_a_file),
        cmocka_unit_test(test_files_that_are_refused),
        cmocka_unit_test(test_files_that_are_too_long),
        cmocka_unit_test(test_noise_is_no_harm),
        cmocka_unit_test(test_who_may_be_asked),
        cmocka_unit_test(test_loopback_and_ourselves),
        cmocka_unit_test(test_families),
        cmocka_unit_test(test_named_ones),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
