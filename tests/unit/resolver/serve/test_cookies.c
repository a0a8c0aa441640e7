/* Cookies and silence, from packet to packet: what a client's cookie changes, secrets that change, a zone that drops.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "resolver/base/clock.h"
#include "resolver/serve/impl.h"

static int64_t now_s = 1559731985;
static struct conf *conf;
static struct serve *serve;
static struct cookies *cookies;
static struct board_worker stats;
static struct client client;
static bool drops;
static unsigned late_count;
static uint8_t query[512], reply[LIMIT_MESSAGE];
static size_t query_size, size;

static int64_t hands(enum clock_kind kind) {
    (void)kind;
    return now_s * NS_PER_S;
}

static void nothing(void *self) { (void)self; }
static int every_name(void *self, const struct name *qname) {
    (void)self;
    (void)qname;
    return 0;
}
static void one_rr(void *self, int zone, const struct dns_query *q, const struct addr *from, struct dns_writer *w,
                   struct source_answer *a) {
    (void)self;
    (void)zone;
    (void)from;
    a->drop = drops;
    dns_writer_a(w, SECTION_ANSWER, &q->qname, 60, (const uint8_t[]){127, 0, 0, 2});
}
static const struct source_ops ops = {nothing, nothing, every_name, one_rr};
static const struct source source = {.ops = &ops};

static void late(void *ctx, const struct client *c, const uint8_t *msg, size_t n) {
    (void)ctx;
    (void)c;
    (void)msg;
    assert_int_equal(n, 0);
    late_count++;
}

static void begin(const char *config) {
    struct err err;
    if (conf_read_text(&conf, config, strlen(config), "/tmp", "made", &err) < 0)
        fail_msg("%s", err.text);
    memset(&stats, 0, sizeof stats);
    drops = false;
    late_count = 0;
    clock_set_source(hands);
    assert_int_equal(cookies_open(&cookies, &conf->resolver.cookies, &err), 0);
    struct serve_config c = {
        .conf = conf, .source = &source, .cookies = cookies, .stats = &stats, .identity = "n/0/0", .reply = late};
    assert_int_equal(serve_open(&serve, &c, &err), 0);
    client = (struct client){.proto = PROTO_UDP};
    assert_int_equal(addr_parse(&client.peer, "198.51.100.100@4000", 0, NULL), 0);
    assert_int_equal(addr_parse(&client.local, "192.0.2.1@53", 0, NULL), 0);
}

static int end(void **state) {
    (void)state;
    serve_close(serve);
    cookies_close(cookies);
    conf_free(conf);
    serve = NULL;
    cookies = NULL;
    conf = NULL;
    clock_set_source(NULL);
    return 0;
}

struct read {
    struct dns_header h;
    unsigned rcode;
    struct dns_edns edns;
};

static struct read handle(void) {
    struct read r = {.edns.ede = EDE_NONE};
    struct dns_reader reader;
    struct dns_rr rr;
    serve_batch(serve, true);
    size = serve_handle(serve, &client, query, query_size, reply, sizeof reply);
    serve_batch(serve, false);
    if (size == 0)
        return r;
    assert_int_equal(dns_reader_open(&reader, reply, size, NULL, NULL, NULL), 0);
    r.h = reader.header;
    r.rcode = r.h.rcode;
    while (dns_reader_next(&reader, &rr) == 0)
        if (rr.type == TYPE_OPT) {
            assert_int_equal(dns_edns_read(&r.edns, &rr, reply, size), 0);
            r.rcode |= (unsigned)r.edns.rcode_high << 4;
        }
    return r;
}

static struct read ask(struct bytes cookie) {
    struct name n;
    struct dns_opt o = DNS_OPT_INIT(1232);
    o.cookie = cookie;
    assert_int_equal(name_from_text(&n, "x.bl.test", NULL), 0);
    int n_octets = dns_query_write(query, sizeof query, 7, 0, &n, TYPE_A, CLASS_IN, &o);
    assert_true(n_octets > 0);
    query_size = (size_t)n_octets;
    return handle();
}

static const uint8_t theirs[8] = {0x24, 0x64, 0xc4, 0xab, 0xcf, 0x10, 0xc9, 0x57};
static const struct bytes none, first = {theirs, sizeof theirs};

#define SECRET "resolver: { cookies: { secrets: [e5e973e5a6b2a43f48e7dc849e37bfcf] } }"
#define REQUIRE "resolver: { cookies: { require: true } }"

static void a_cookie_is_answered_with_ours(void **state) {
    (void)state;
    static const uint8_t ours[] = {0x24, 0x64, 0xc4, 0xab, 0xcf, 0x10, 0xc9, 0x57, 1,    0,    0,    0,
                                   0x5c, 0xf7, 0x9f, 0x11, 0x1f, 0x81, 0x30, 0xc3, 0xee, 0xe2, 0x94, 0x80};
    begin(SECRET);
    struct read r = ask(first);
    assert_int_equal(r.rcode, RCODE_NOERROR);
    assert_int_equal(r.h.an, 1);
    assert_int_equal(r.edns.cookie.size, COOKIE_WHOLE);
    assert_memory_equal(r.edns.cookie.at, ours, sizeof ours);
    r = ask(none);
    assert_int_equal(r.edns.cookie.size, 0);
    assert_int_equal(r.h.an, 1);
    uint8_t wrong[COOKIE_WHOLE];
    memcpy(wrong, ours, sizeof wrong);
    wrong[COOKIE_WHOLE - 1] ^= 1;
    r = ask((struct bytes){wrong, sizeof wrong}); /* not required: answered, with a good one */
    assert_int_equal(r.rcode, RCODE_NOERROR);
    assert_int_equal(r.h.an, 1);
    assert_memory_equal(r.edns.cookie.at, ours, sizeof ours);
}

static void a_cookie_may_stand_alone(void **state) {
    (void)state;
    static const uint8_t head[] = {0,  7, 0,   0, 0, 0, 0, 0, 0,  0, 0,  1, 0, 0,
                                   41, 4, 208, 0, 0, 0, 0, 0, 12, 0, 10, 0, 8};
    begin(SECRET);
    memcpy(query, head, sizeof head);
    memcpy(query + sizeof head, theirs, sizeof theirs);
    query_size = sizeof head + sizeof theirs;
    struct read r = handle();
    assert_int_equal(r.rcode, RCODE_NOERROR);
    assert_int_equal(r.h.qd, 0);
    assert_int_equal(r.edns.cookie.size, COOKIE_WHOLE);
    query[query_size++] = 0; /* something behind it */
    r = handle();
    assert_int_equal(r.rcode, RCODE_FORMERR);
    assert_int_equal(r.edns.cookie.size, 0);
    query_size = DNS_HEADER;
    query[11] = 0;
    r = handle();
    assert_int_equal(r.rcode, RCODE_FORMERR);
}

static void required_cookies(void **state) {
    (void)state;
    begin(REQUIRE);
    struct read r = ask(none);
    assert_true(r.h.flags & FLAG_TC);
    assert_int_equal(r.h.an, 0);
    r = ask(first);
    assert_int_equal(r.rcode, RCODE_BADCOOKIE);
    assert_int_equal(r.h.an, 0);
    uint8_t got[COOKIE_WHOLE];
    assert_int_equal(r.edns.cookie.size, sizeof got);
    memcpy(got, r.edns.cookie.at, sizeof got);
    r = ask((struct bytes){got, sizeof got});
    assert_int_equal(r.rcode, RCODE_NOERROR);
    assert_int_equal(r.h.an, 1);
    client.proto = PROTO_TCP;
    assert_int_equal(ask(none).h.an, 1);
    client.proto = PROTO_UDP;
    assert_int_equal(addr_parse(&client.peer, "127.0.0.1@4000", 0, NULL), 0);
    assert_int_equal(ask(none).h.an, 1); /* candor-health asks so */
}

static void secrets_change_and_the_last_is_believed(void **state) {
    (void)state;
    uint8_t old[COOKIE_WHOLE];
    begin(REQUIRE);
    struct read r = ask(first);
    memcpy(old, r.edns.cookie.at, sizeof old);
    cookies_tick(cookies, now_s * 1000 + COOKIES_ROLL_MS - 1);
    r = ask((struct bytes){old, sizeof old});
    assert_memory_equal(r.edns.cookie.at, old, sizeof old);
    cookies_tick(cookies, now_s * 1000 + COOKIES_ROLL_MS);
    r = ask((struct bytes){old, sizeof old});
    assert_int_equal(r.rcode, RCODE_NOERROR);
    assert_memory_not_equal(r.edns.cookie.at, old, sizeof old);
    cookies_tick(cookies, now_s * 1000 + 2LL * COOKIES_ROLL_MS);
    r = ask((struct bytes){old, sizeof old});
    assert_int_equal(r.rcode, RCODE_BADCOOKIE);
}

static void secrets_of_the_configuration_stay(void **state) {
    (void)state;
    uint8_t old[COOKIE_WHOLE];
    begin(SECRET);
    struct read r = ask(first);
    memcpy(old, r.edns.cookie.at, sizeof old);
    cookies_tick(cookies, now_s * 1000 + 3LL * COOKIES_ROLL_MS);
    r = ask((struct bytes){old, sizeof old});
    assert_memory_equal(r.edns.cookie.at, old, sizeof old);
}

static void a_zone_may_say_nothing(void **state) {
    (void)state;
    begin("");
    drops = true;
    (void)ask(none);
    assert_int_equal(size, 0);
    assert_int_equal(late_count, 0);
    assert_int_equal(board_get(&stats.drops[DROP_ACL]), 1);
    client.proto = PROTO_TCP; /* the connection may go on: this question is forgotten */
    (void)ask(none);
    assert_int_equal(size, 0);
    assert_int_equal(late_count, 1);
    assert_int_equal(board_get(&stats.drops[DROP_ACL]), 2);
    for (unsigned i = 0; i < BOARD_RCODES; i++)
        assert_int_equal(board_get(&stats.responses[SOURCE_ZONE][i]), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_cookie_is_answered_with_ours, end),
        cmocka_unit_test_teardown(a_cookie_may_stand_alone, end),
        cmocka_unit_test_teardown(required_cookies, end),
        cmocka_unit_test_teardown(secrets_change_and_the_last_is_believed, end),
        cmocka_unit_test_teardown(secrets_of_the_configuration_stay, end),
        cmocka_unit_test_teardown(a_zone_may_say_nothing, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
