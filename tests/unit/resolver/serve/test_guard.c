/* Remote lists from their clients' side: codes, marks, and the end of patience. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "resolver/base/clock.h"
#include "resolver/iterate/guard.h"
#include "resolver/serve/impl.h"
#include "tests/unit/resolver/iterate/script.h"

#define CONFIG                                                                                                         \
    "resolver:\n"                                                                                                      \
    "  allow: [192.0.2.0/24]\n"                                                                                        \
    "  guard: [{zone: zen.example., test: rfc5782-ip4}]\n"                                                             \
    "  forward: [{zone: ., to: [198.51.100.1@53]}]\n"

static struct world {
    struct script script;
    struct conf *conf;
    struct cache *cache;
    struct board_worker stats;
    struct board board;
    struct resolve *resolve;
    struct serve *serve;
    struct client client;
    uint8_t query[512], reply[LIMIT_MESSAGE], late[LIMIT_MESSAGE];
    size_t size, late_size;
    unsigned lates, wake_after_ms;
} * w;

static int64_t now_ms;
static int64_t hands(enum clock_kind kind) {
    (void)kind;
    return now_ms * NS_PER_MS;
}

static void late(void *ctx, const struct client *c, const uint8_t *msg, size_t size) {
    (void)ctx;
    (void)c;
    memcpy(w->late, msg, size);
    w->late_size = size;
    w->lates++;
}

static void wake(void *ctx, unsigned after_ms) {
    (void)ctx;
    w->wake_after_ms = after_ms;
}

static int start(void **state) {
    struct cache_config cache = {.max_ttl_s = 86400, .max_negative_ttl_s = 3600};
    (void)state;
    w = calloc(1, sizeof *w);
    assert_non_null(w);
    now_ms = 1000000000;
    clock_set_source(hands);
    w->conf = script_conf(CONFIG);
    assert_int_equal(cache_open(&w->cache, &cache, NULL), 0);
    struct resolve_config resolve = {
        .conf = w->conf, .cache = w->cache, .sender = script_sender(&w->script), .stats = &w->stats};
    assert_int_equal(resolve_open(&w->resolve, &resolve, NULL), 0);
    struct serve_config serve = {.conf = w->conf,
                                 .cache = w->cache,
                                 .resolve = w->resolve,
                                 .stats = &w->stats,
                                 .board = &w->board,
                                 .identity = "node/0123456789abcdef/0",
                                 .reply = late,
                                 .reply_ctx = w,
                                 .wake = wake};
    assert_int_equal(serve_open(&w->serve, &serve, NULL), 0);
    assert_int_equal(addr_parse(&w->client.peer, "192.0.2.9@4000", 53, NULL), 0);
    assert_int_equal(addr_parse(&w->client.local, "192.0.2.1@53", 53, NULL), 0);
    return 0;
}

static int finish(void **state) {
    (void)state;
    resolve_close(w->resolve);
    assert_int_equal(w->serve->pending, 0);
    assert_null(w->serve->patient[PATIENCE_LIST].first);
    assert_null(w->serve->patient[PATIENCE_STALE].first);
    serve_close(w->serve);
    cache_close(w->cache);
    conf_free(w->conf);
    free(w);
    return 0;
}

static void ask(const char *name) {
    struct name n = script_name(name);
    struct dns_opt o = DNS_OPT_INIT(1232);
    int size = dns_query_write(w->query, sizeof w->query, 0x1234, FLAG_RD, &n, TYPE_A, CLASS_IN, &o);
    assert_true(size > 0);
    w->client.arrived_ns = now_ms * NS_PER_MS;
    serve_batch(w->serve, true);
    w->size = serve_handle(w->serve, &w->client, w->query, (size_t)size, w->reply, LIMIT_UDP_QUERY);
    serve_batch(w->serve, false);
}

/* What the list says to the question that is under way. */
static void list_says(uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
    struct sent *x = script_last(&w->script);
    struct dns_writer writer;
    struct name n;
    uint8_t buf[512];
    size_t end;
    script_begin(&writer, x, buf, sizeof buf);
    assert_int_equal(name_read(&n, x->msg, x->size, DNS_HEADER, &end), 0);
    dns_writer_a(&writer, SECTION_ANSWER, &n, 60, (const uint8_t[]){a, b, c, d});
    script_end(&w->script, x, &writer, FLAG_QR | FLAG_RA, RCODE_NOERROR, 20);
}

static void check(const uint8_t *msg, size_t size, unsigned rcode, int ede) {
    struct dns_edns edns;
    assert_true(size > 0);
    assert_int_equal(msg[3] & 15, rcode);
    assert_int_equal(get_u16(msg + 6), rcode == RCODE_NOERROR ? 1 : 0);
    assert_int_equal(dns_edns_find(&edns, msg, size), 0);
    assert_int_equal(edns.ede, ede);
}

static void replied(unsigned rcode, int ede) { check(w->reply, w->size, rcode, ede); }

static void replied_late(unsigned rcode, int ede) {
    assert_int_equal(w->size, 0);
    check(w->late, w->late_size, rcode, ede);
}

static void mark(enum board_guard_mark m) {
    board_set(&w->board.guard[0].mark, m);
    board_set(&w->board.guard[0].until_ms, (uint64_t)now_ms + 60000);
}

static uint64_t count(enum board_withheld why) { return board_get(&w->stats.guard[0][why]); }

static void test_codes_are_failures(void **state) {
    (void)state;
    ask("1.2.0.192.zen.example.");
    list_says(127, 255, 255, 254);
    replied_late(RCODE_SERVFAIL, EDE_INVALID_DATA);
    unsigned sent = w->script.count;
    ask("1.2.0.192.zen.example."); /* remembered as a failure, never as a listing */
    replied(RCODE_SERVFAIL, EDE_INVALID_DATA);
    assert_int_equal(w->script.count, sent);
    ask("2.2.0.192.zen.example.");
    list_says(192, 0, 2, 1);
    replied_late(RCODE_SERVFAIL, EDE_INVALID_DATA);
    ask("3.2.0.192.zen.example.");
    list_says(127, 0, 0, 4);
    replied_late(RCODE_NOERROR, EDE_NONE);
    assert_int_equal(count(WITHHELD_REFUSED), 1);
    assert_int_equal(count(WITHHELD_OUTSIDE), 1);
    ask("zen.example.");
    list_says(192, 0, 2, 1);
    replied_late(RCODE_NOERROR, EDE_NONE);
    ask("www.example."); /* of no list */
    list_says(127, 255, 255, 254);
    replied_late(RCODE_NOERROR, EDE_NONE);
}

static void test_points_are_asked_anew(void **state) {
    (void)state;
    for (unsigned i = 1; i <= 3; i++) {
        ask("2.0.0.127.zen.example.");
        assert_int_equal(w->script.count, i);
        if (i == 2)
            list_says(127, 255, 255, 254);
        else
            list_says(127, 0, 0, 2);
        replied_late(i == 2 ? RCODE_SERVFAIL : RCODE_NOERROR, i == 2 ? EDE_INVALID_DATA : EDE_NONE);
    }
}

static void test_who_lists_the_world(void **state) {
    (void)state;
    ask("1.2.0.192.zen.example.");
    list_says(127, 0, 0, 4);
    mark(GUARD_MARK_WORLD);
    unsigned sent = w->script.count;
    ask("1.2.0.192.zen.example."); /* the cache has it */
    replied(RCODE_SERVFAIL, EDE_BLOCKED);
    ask("2.2.0.192.ZEN.example.");
    replied(RCODE_SERVFAIL, EDE_BLOCKED);
    assert_int_equal(w->script.count, sent);
    assert_int_equal(count(WITHHELD_WORLD), 2);
    ask("1.0.0.127.zen.example."); /* who tests it is to see it */
    list_says(127, 0, 0, 2);
    replied_late(RCODE_NOERROR, EDE_NONE);
    now_ms += 59999; /* the listing in the cache ends, and so does the mark: nobody vouches for it */
    now_ms += 2;
    ask("1.2.0.192.zen.example.");
    list_says(127, 0, 0, 4);
    replied_late(RCODE_NOERROR, EDE_NONE);
}

static void test_who_is_silent(void **state) {
    (void)state;
    ask("1.2.0.192.zen.example.");
    list_says(127, 0, 0, 4);
    mark(GUARD_MARK_SILENT);
    unsigned sent = w->script.count;
    ask("1.2.0.192.zen.example.");
    replied(RCODE_NOERROR, EDE_NONE); /* of the cache */
    ask("2.2.0.192.zen.example.");
    replied(RCODE_SERVFAIL, EDE_NO_REACHABLE_AUTHORITY);
    now_ms += 61000;
    mark(GUARD_MARK_SILENT);
    ask("1.2.0.192.zen.example.");
    replied(RCODE_NOERROR, EDE_STALE_ANSWER);
    assert_int_equal(w->script.count, sent);
    assert_int_equal(count(WITHHELD_SILENT), 1);
    mark(GUARD_MARK_GOOD);
    ask("2.2.0.192.zen.example.");
    list_says(127, 0, 0, 2);
    replied_late(RCODE_NOERROR, EDE_NONE);
}

static void test_nobody_waits_long(void **state) {
    (void)state;
    ask("www.example."); /* waits for something stale, longer */
    ask("1.2.0.192.zen.example.");
    assert_int_equal(w->wake_after_ms, GUARD_ANSWER_MS);
    now_ms += GUARD_ANSWER_MS - 1;
    serve_wake(w->serve);
    assert_int_equal(w->lates, 0);
    assert_int_equal(w->wake_after_ms, 1);
    now_ms += 1;
    serve_wake(w->serve);
    assert_int_equal(w->lates, 1);
    replied_late(RCODE_SERVFAIL, EDE_NO_REACHABLE_AUTHORITY);
    assert_int_equal(count(WITHHELD_LATE), 1);
    assert_int_equal(w->wake_after_ms, 1800 - GUARD_ANSWER_MS);
    list_says(127, 0, 0, 4); /* nobody is answered twice; the cache has it */
    assert_int_equal(w->lates, 1);
    ask("1.2.0.192.zen.example.");
    replied(RCODE_NOERROR, EDE_NONE);
    ask("1.0.0.127.zen.example."); /* points, too */
    now_ms += GUARD_ANSWER_MS;
    serve_wake(w->serve);
    assert_int_equal(w->lates, 2);
    now_ms += 5000;
    serve_wake(w->serve);
    assert_int_equal(w->lates, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_codes_are_failures, start, finish),
        cmocka_unit_test_setup_teardown(test_points_are_asked_anew, start, finish),
        cmocka_unit_test_setup_teardown(test_who_lists_the_world, start, finish),
        cmocka_unit_test_setup_teardown(test_who_is_silent, start, finish),
        cmocka_unit_test_setup_teardown(test_nobody_waits_long, start, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
