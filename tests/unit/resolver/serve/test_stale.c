/* Answers beyond their time: who gets a stale one, when, and what goes on behind it; and those asked for anew before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "resolver/base/clock.h"
#include "resolver/serve/impl.h"
#include "tests/unit/resolver/iterate/script.h"

#define CONFIG(cache)                                                                                                  \
    "resolver:\n"                                                                                                      \
    "  allow: [192.0.2.0/24]\n"                                                                                        \
    "  cache: {" cache "}\n"                                                                                           \
    "  forward: [{zone: ., to: [198.51.100.1@53]}]\n"

struct world {
    struct script script;
    struct conf *conf;
    struct cache *cache;
    struct board_worker stats;
    struct resolve *resolve;
    struct serve *serve;
    struct client client;
    uint8_t query[512], reply[LIMIT_MESSAGE], late[LIMIT_MESSAGE];
    size_t size, late_size;
    unsigned lates, wakes, wake_after_ms;
};

static int64_t now_ms;
static int64_t hands(enum clock_kind kind) {
    (void)kind;
    return now_ms * NS_PER_MS;
}

static void late(void *ctx, const struct client *c, const uint8_t *msg, size_t size) {
    struct world *w = ctx;
    (void)c;
    memcpy(w->late, msg, size);
    w->late_size = size;
    w->lates++;
}

static void wake(void *ctx, unsigned after_ms) {
    struct world *w = ctx;
    w->wakes++;
    w->wake_after_ms = after_ms;
}

static struct world *world_open(const char *config) {
    struct world *w = calloc(1, sizeof *w);
    struct cache_config cache = {.max_ttl_s = 86400, .max_negative_ttl_s = 3600};
    assert_non_null(w);
    now_ms = 1000000000;
    clock_set_source(hands);
    w->conf = script_conf(config);
    assert_int_equal(cache_open(&w->cache, &cache, NULL), 0);
    struct resolve_config resolve = {
        .conf = w->conf, .cache = w->cache, .sender = script_sender(&w->script), .stats = &w->stats};
    assert_int_equal(resolve_open(&w->resolve, &resolve, NULL), 0);
    struct serve_config serve = {.conf = w->conf,
                                 .cache = w->cache,
                                 .resolve = w->resolve,
                                 .stats = &w->stats,
                                 .identity = "node/0123456789abcdef/0",
                                 .reply = late,
                                 .reply_ctx = w,
                                 .wake = wake};
    assert_int_equal(serve_open(&w->serve, &serve, NULL), 0);
    assert_int_equal(addr_parse(&w->client.peer, "192.0.2.9@4000", 53, NULL), 0);
    assert_int_equal(addr_parse(&w->client.local, "192.0.2.1@53", 53, NULL), 0);
    return w;
}

static int start(void **state) {
    *state = world_open(CONFIG(""));
    return 0;
}

static int finish(void **state) {
    struct world *w = *state;
    resolve_close(w->resolve);
    assert_int_equal(w->serve->pending, 0);
    assert_null(w->serve->patient[PATIENCE_STALE].first);
    serve_close(w->serve);
    cache_close(w->cache);
    conf_free(w->conf);
    free(w);
    return 0;
}

static void ask(struct world *w, const char *name, uint16_t flags) {
    struct name n = script_name(name);
    struct dns_opt o = DNS_OPT_INIT(1232);
    int size = dns_query_write(w->query, sizeof w->query, 0x1234, flags, &n, TYPE_A, CLASS_IN, &o);
    assert_true(size > 0);
    w->client.arrived_ns = now_ms * NS_PER_MS;
    serve_batch(w->serve, true);
    w->size = serve_handle(w->serve, &w->client, w->query, (size_t)size, w->reply, LIMIT_UDP_QUERY);
    serve_batch(w->serve, false);
}

struct read {
    unsigned rcode, answers;
    int ede;
    uint32_t ttl;
};

static struct read read_message(const uint8_t *msg, size_t size) {
    struct dns_reader reader;
    struct dns_edns edns;
    struct dns_rr rr;
    assert_int_equal(dns_reader_open(&reader, msg, size, NULL, NULL, NULL), 0);
    struct read r = {.rcode = reader.header.rcode, .ede = EDE_NONE};
    while (dns_reader_next(&reader, &rr) == 0) {
        if (rr.type != TYPE_OPT)
            r.ttl = rr.ttl;
        r.answers += rr.section == SECTION_ANSWER;
    }
    if (dns_edns_find(&edns, msg, size) == 0)
        r.ede = edns.ede;
    return r;
}

static struct read reply(const struct world *w) {
    assert_true(w->size > 0);
    return read_message(w->reply, w->size);
}

static struct read late_reply(const struct world *w) {
    assert_true(w->late_size > 0);
    return read_message(w->late, w->late_size);
}

/* Has www.example. in the cache with this TTL. */
static void keep(struct world *w, uint32_t ttl) {
    ask(w, "www.example.", FLAG_RD);
    script_answer_a(&w->script, script_last(&w->script), ttl, 20);
    assert_int_equal(w->lates, 1);
    w->lates = 0;
    w->wakes = 0;
}

/* Silence from every server until the flight has ended. */
static void all_fail(struct world *w) {
    while (script_open(&w->script) > 0)
        script_fail(&w->script, script_last(&w->script), E_TIMEOUT);
}

static uint64_t stale_count(const struct world *w) {
    return board_get(&w->stats.responses[SOURCE_STALE][RCODE_NOERROR]) +
           board_get(&w->stats.responses[SOURCE_STALE][RCODE_NXDOMAIN]);
}

static void test_who_has_waited_long_enough_gets_a_stale_answer(void **state) {
    struct world *w = *state;
    keep(w, 60);
    now_ms += 61000;
    ask(w, "www.example.", FLAG_RD);
    assert_int_equal(w->size, 0);
    assert_int_equal(w->wakes, 1);
    assert_int_equal(w->wake_after_ms, 1800);
    now_ms += 1799;
    serve_wake(w->serve);
    assert_int_equal(w->lates, 0);
    assert_int_equal(w->wake_after_ms, 1);
    now_ms += 1;
    serve_wake(w->serve);
    assert_int_equal(w->lates, 1);
    struct read r = late_reply(w);
    assert_int_equal(r.answers, 1);
    assert_int_equal(r.ede, EDE_STALE_ANSWER);
    assert_int_equal(r.ttl, CACHE_STALE_TTL_S);
    assert_int_equal(stale_count(w), 1);

    /* the flight went on: its answer is for the cache, and nobody is answered twice */
    unsigned sent = w->script.count;
    script_answer_a(&w->script, script_last(&w->script), 300, 20);
    assert_int_equal(w->lates, 1);
    assert_int_equal(w->serve->pending, 0);
    ask(w, "www.example.", FLAG_RD);
    r = reply(w);
    assert_int_equal(r.ede, EDE_NONE);
    assert_int_equal(r.ttl, 300);
    assert_int_equal(w->script.count, sent);
}

static void test_a_fresh_answer_in_time_is_no_stale_one(void **state) {
    struct world *w = *state;
    keep(w, 60);
    now_ms += 61000;
    ask(w, "www.example.", FLAG_RD);
    script_answer_a(&w->script, script_last(&w->script), 300, 20);
    assert_int_equal(w->lates, 1);
    assert_int_equal(late_reply(w).ede, EDE_NONE);
    now_ms += 5000;
    serve_wake(w->serve);
    assert_int_equal(w->lates, 1);
    assert_int_equal(stale_count(w), 0);
}

static void test_nothing_stale_is_waited_for_as_ever(void **state) {
    struct world *w = *state;
    ask(w, "www.example.", FLAG_RD);
    now_ms += 2000;
    serve_wake(w->serve);
    assert_int_equal(w->lates, 0);
    assert_int_equal(w->serve->pending, 1);
    script_answer_a(&w->script, script_last(&w->script), 300, 20);
    assert_int_equal(w->lates, 1);
    assert_int_equal(late_reply(w).ede, EDE_NONE);
}

static void test_what_fails_is_answered_stale(void **state) {
    struct world *w = *state;
    keep(w, 60);
    now_ms += 61000;
    ask(w, "www.example.", FLAG_RD);
    all_fail(w);
    assert_int_equal(w->lates, 1);
    assert_int_equal(late_reply(w).ede, EDE_STALE_ANSWER);
    /* while the failure is remembered, at once, and nobody is asked */
    unsigned sent = w->script.count;
    ask(w, "www.example.", FLAG_RD);
    struct read r = reply(w);
    assert_int_equal(r.rcode, RCODE_NOERROR);
    assert_int_equal(r.ede, EDE_STALE_ANSWER);
    assert_int_equal(w->script.count, sent);
    assert_int_equal(stale_count(w), 2);
    ask(w, "other.example.", FLAG_RD); /* what was never there is a failure */
    all_fail(w);
    assert_int_equal(late_reply(w).rcode, RCODE_SERVFAIL);
}

static void test_what_ended_too_long_ago_is_not_given(void **state) {
    struct world *w = *state;
    keep(w, 60);
    now_ms += 60000 + 86400000;
    ask(w, "www.example.", FLAG_RD);
    all_fail(w);
    assert_int_equal(late_reply(w).rcode, RCODE_SERVFAIL);
    assert_int_equal(stale_count(w), 0);
}

static void test_a_name_that_was_not_there(void **state) {
    struct world *w = *state;
    struct name zone = script_name("example.");
    struct dns_soa soa = {.primary = zone, .contact = zone, .minimum = 60};
    struct dns_writer writer;
    uint8_t buf[512];
    ask(w, "nx.example.", FLAG_RD);
    struct sent *x = script_last(&w->script);
    script_begin(&writer, x, buf, sizeof buf);
    dns_writer_soa(&writer, SECTION_AUTHORITY, &zone, 60, &soa);
    script_end(&w->script, x, &writer, FLAG_QR | FLAG_RA, RCODE_NXDOMAIN, 20);
    assert_int_equal(late_reply(w).rcode, RCODE_NXDOMAIN);
    now_ms += 61000;
    ask(w, "nx.example.", FLAG_RD);
    now_ms += 1800;
    serve_wake(w->serve);
    struct read r = late_reply(w);
    assert_int_equal(r.rcode, RCODE_NXDOMAIN);
    assert_int_equal(r.ede, EDE_STALE_NXDOMAIN);
    assert_int_equal(r.ttl, CACHE_STALE_TTL_S);
}

static void test_many_wait_and_the_loop_turns(void **state) {
    struct world *w = *state;
    char name[32];
    enum { MANY = SERVE_STALE_AT_ONCE + 10 };
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "n%u.example.", i);
        ask(w, name, FLAG_RD);
        script_answer_a(&w->script, script_last(&w->script), 60, 0);
        w->script.count = 0; /* its room is used again */
    }
    w->lates = 0;
    now_ms += 61000;
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "n%u.example.", i);
        ask(w, name, FLAG_RD);
        now_ms += 1;
    }
    now_ms += 2000;
    serve_wake(w->serve);
    assert_int_equal(w->lates, SERVE_STALE_AT_ONCE);
    assert_int_equal(w->wake_after_ms, 1);
    serve_wake(w->serve);
    assert_int_equal(w->lates, MANY);
}

static void test_switched_off(void **state) {
    struct world *w = *state = world_open(CONFIG("serve-stale: {max-age: 0s}, prefetch: no"));
    keep(w, 60);
    now_ms += 55000; /* in its last tenth, but nothing is prefetched */
    unsigned sent = w->script.count;
    ask(w, "www.example.", FLAG_RD);
    assert_int_equal(reply(w).ttl, 5);
    assert_int_equal(w->script.count, sent);
    now_ms += 6000;
    ask(w, "www.example.", FLAG_RD);
    assert_int_equal(w->wakes, 0);
    now_ms += 1800;
    serve_wake(w->serve);
    assert_int_equal(w->lates, 0);
    all_fail(w);
    assert_int_equal(late_reply(w).rcode, RCODE_SERVFAIL);
}

static void test_at_once(void **state) {
    struct world *w = *state = world_open(CONFIG("serve-stale: {max-age: 1d, answer-after: 0s}"));
    keep(w, 60);
    now_ms += 61000;
    unsigned sent = w->script.count;
    for (unsigned i = 0; i < 5; i++) {
        ask(w, "www.example.", FLAG_RD);
        assert_int_equal(reply(w).ede, EDE_STALE_ANSWER);
        assert_int_equal(w->script.count, sent + 1); /* one flight behind all of them */
    }
    assert_int_equal(board_get(&w->stats.cache_refreshes), 1);
    script_answer_a(&w->script, script_last(&w->script), 300, 20);
    assert_int_equal(w->lates, 0);
    ask(w, "www.example.", FLAG_RD);
    assert_int_equal(reply(w).ttl, 300);
    assert_int_equal(reply(w).ede, EDE_NONE);
}

static void test_prefetch(void **state) {
    struct world *w = *state;
    keep(w, 60);
    unsigned sent = w->script.count;
    now_ms += 53000;
    ask(w, "www.example.", FLAG_RD);
    assert_int_equal(reply(w).ttl, 7);
    assert_int_equal(w->script.count, sent);
    now_ms += 1000;
    ask(w, "www.example.", 0); /* recursion is not desired */
    assert_int_equal(w->script.count, sent);
    for (unsigned i = 0; i < 5; i++) {
        ask(w, "www.example.", FLAG_RD);
        assert_int_equal(reply(w).ttl, 6);
        assert_int_equal(w->script.count, sent + 1);
    }
    script_answer_a(&w->script, script_last(&w->script), 60, 20);
    ask(w, "www.example.", FLAG_RD);
    assert_int_equal(reply(w).ttl, 60);
    assert_int_equal(board_get(&w->stats.cache_refreshes), 1);
    assert_int_equal(w->lates, 0);
}

/* Of a server that has gone nobody asks again with each hit: not before the failure is forgotten. */
static void test_prefetch_that_fails_waits(void **state) {
    struct world *w = *state;
    keep(w, 600);
    now_ms += 545000;
    ask(w, "www.example.", FLAG_RD);
    all_fail(w);
    unsigned sent = w->script.count;
    for (unsigned i = 0; i < 10; i++) {
        ask(w, "www.example.", FLAG_RD);
        assert_int_equal(reply(w).ttl, 55);
    }
    assert_int_equal(w->script.count, sent);
    now_ms += CACHE_FAILURE_FIRST_S * 1000;
    ask(w, "www.example.", FLAG_RD);
    assert_int_equal(w->script.count, sent + 1);
    all_fail(w);
}

static void test_short_lives_are_not_prefetched(void **state) {
    struct world *w = *state;
    keep(w, SERVE_PREFETCH_TTL_S - 1);
    unsigned sent = w->script.count;
    now_ms += (SERVE_PREFETCH_TTL_S - 2) * 1000;
    ask(w, "www.example.", FLAG_RD);
    assert_int_equal(reply(w).ttl, 1);
    assert_int_equal(w->script.count, sent);
}

/* However many names end at the same time: no more flights than there are places. */
static void test_refreshes_are_bounded(void **state) {
    struct world *w = *state;
    char name[32];
    enum { MANY = 4 * SERVE_REFRESHES };
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "n%u.example.", i);
        ask(w, name, FLAG_RD);
        script_answer_a(&w->script, script_last(&w->script), 60, 0);
        w->script.count = 0;
    }
    now_ms += 55000;
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "n%u.example.", i);
        ask(w, name, FLAG_RD);
        assert_int_equal(reply(w).ttl, 5);
    }
    assert_true(resolve_flights(w->resolve) <= SERVE_REFRESHES);
    assert_true(resolve_flights(w->resolve) > SERVE_REFRESHES / 2);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, start, finish)
#define ALONE(f) cmocka_unit_test_teardown(f, finish)
    const struct CMUnitTest tests[] = {
        TEST(test_who_has_waited_long_enough_gets_a_stale_answer),
        TEST(test_a_fresh_answer_in_time_is_no_stale_one),
        TEST(test_nothing_stale_is_waited_for_as_ever),
        TEST(test_what_fails_is_answered_stale),
        TEST(test_what_ended_too_long_ago_is_not_given),
        TEST(test_a_name_that_was_not_there),
        TEST(test_many_wait_and_the_loop_turns),
        ALONE(test_switched_off),
        ALONE(test_at_once),
        TEST(test_prefetch),
        TEST(test_prefetch_that_fails_waits),
        TEST(test_short_lives_are_not_prefetched),
        TEST(test_refreshes_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
