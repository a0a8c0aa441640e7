/* What a client sees of the rate limit and of shares, from packet to packet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "resolver/base/clock.h"
#include "resolver/serve/impl.h"
#include "tests/unit/resolver/iterate/script.h"

struct world {
    struct script script;
    struct conf *conf;
    struct board_worker stats;
    struct board board;
    struct resolve *resolve;
    struct serve *serve;
    struct client client;
    uint8_t query[LIMIT_UDP_QUERY], reply[LIMIT_MESSAGE];
    size_t query_size, size;
    size_t waiting;
    unsigned whole, cut; /* late answers */
};

static int64_t now_ns;
static int64_t hands(enum clock_kind kind) {
    (void)kind;
    return now_ns;
}

static bool is_cut(const uint8_t *msg) { return (get_u16(msg + 2) & FLAG_TC) && get_u16(msg + 6) == 0; }

static void late(void *ctx, const struct client *c, const uint8_t *msg, size_t size) {
    struct world *w = ctx;
    (void)c;
    assert_true(size >= DNS_HEADER);
    *(is_cut(msg) ? &w->cut : &w->whole) += 1;
}

static size_t waiting(void *ctx, uint16_t socket) {
    assert_int_equal(socket, 3);
    return ((struct world *)ctx)->waiting;
}

static void from(struct world *w, const char *text, enum board_proto proto) {
    w->client = (struct client){.proto = proto, .socket = 3, .arrived_ns = now_ns};
    assert_int_equal(addr_parse(&w->client.peer, text, 4000, NULL), 0);
    assert_int_equal(addr_parse(&w->client.local, "192.0.2.1@53", 53, NULL), 0);
}

static struct world *start(const char *yaml) {
    struct world *w = calloc(1, sizeof *w);
    now_ns = 1000000 * NS_PER_S;
    clock_set_source(hands);
    assert_non_null(w);
    w->conf = script_conf(yaml);
    struct resolve_config resolve = {.conf = w->conf, .sender = script_sender(&w->script), .stats = &w->stats};
    assert_int_equal(resolve_open(&w->resolve, &resolve, NULL), 0);
    struct serve_config serve = {.conf = w->conf,
                                 .resolve = w->resolve,
                                 .stats = &w->stats,
                                 .board = &w->board,
                                 .identity = "node/1/3",
                                 .reply = late,
                                 .waiting = waiting,
                                 .reply_ctx = w};
    assert_int_equal(serve_open(&w->serve, &serve, NULL), 0);
    from(w, "192.0.2.9", PROTO_UDP);
    return w;
}

static void finish(struct world *w) {
    resolve_close(w->resolve);
    serve_close(w->serve);
    conf_free(w->conf);
    free(w);
    clock_set_source(NULL);
}

static void write_query(struct world *w, const char *text, uint16_t type, bool nsid) {
    struct name n = script_name(text);
    struct dns_opt o = {.udp_size = 1232, .nsid = nsid, .ede = EDE_NONE, .keepalive = -1};
    int size = dns_query_write(w->query, sizeof w->query, 0x1234, FLAG_RD, &n, type, CLASS_IN, &o);
    assert_true(size > 0);
    w->query_size = (size_t)size;
}

static void handle(struct world *w) {
    w->size = serve_handle(w->serve, &w->client, w->query, w->query_size, w->reply,
                           w->client.proto == PROTO_UDP ? LIMIT_UDP_QUERY : LIMIT_MESSAGE);
}

/* Asks `count` times for what is answered at once; how many answers were whole. */
static unsigned ask_any(struct world *w, unsigned count) {
    unsigned whole = 0;
    write_query(w, "www.example.", TYPE_ANY, false);
    for (unsigned i = 0; i < count; i++) {
        handle(w);
        whole += w->size > 0 && !is_cut(w->reply);
    }
    return whole;
}

static uint64_t asked(const struct world *w) {
    uint64_t n = 0;
    for (unsigned i = 0; i < BOARD_CLIENTS; i++)
        n += board_get(&w->stats.client[i].queries);
    return n;
}

#define BASE "  allow: [192.0.2.0/24, 198.51.100.0/24, 127.0.0.0/8]\n  forward: [{zone: ., to: [203.0.113.1@53]}]\n"

static void test_beyond_the_rate_answers_are_cut(void **state) {
    struct world *w = start("resolver:\n" BASE "  rate-limit: {responses-per-second: 5, slip: 1}\n");
    (void)state;
    assert_int_equal(ask_any(w, 8), 5);
    assert_true(is_cut(w->reply));
    assert_int_equal(get_u16(w->reply), 0x1234);
    assert_int_equal(board_get(&w->stats.slipped), 3);
    assert_int_equal(asked(w), 5); /* the others were not failed by us */
    from(w, "198.51.100.1", PROTO_UDP);
    assert_int_equal(ask_any(w, 1), 1); /* another network */
    from(w, "192.0.2.9", PROTO_TCP);
    assert_int_equal(ask_any(w, 50), 50);
    from(w, "127.0.0.1", PROTO_UDP); /* exempt unless it is said otherwise */
    assert_int_equal(ask_any(w, 50), 50);
    finish(w);
}

static void test_without_slip_there_is_silence(void **state) {
    struct world *w = start("resolver:\n" BASE "  rate-limit: {responses-per-second: 5, slip: 0, exempt: []}\n");
    (void)state;
    from(w, "127.0.0.1", PROTO_UDP);
    assert_int_equal(ask_any(w, 8), 5);
    assert_int_equal(w->size, 0);
    assert_int_equal(board_get(&w->stats.drops[DROP_RATE]), 3);
    finish(w);
}

static void test_errors_leave_whole_or_not_at_all(void **state) {
    struct world *w = start("resolver:\n" BASE "  rate-limit: {errors-per-second: 2, slip: 1}\n");
    (void)state;
    from(w, "203.0.113.77", PROTO_UDP); /* may not ask: REFUSED */
    assert_int_equal(ask_any(w, 5), 5);
    assert_int_equal(w->reply[3] & 15, RCODE_REFUSED);
    assert_int_equal(board_get(&w->stats.slipped), 3);
    from(w, "192.0.2.9", PROTO_UDP);
    assert_int_equal(ask_any(w, 50), 50); /* no errors */
    finish(w);
}

static void test_late_answers_count_as_well(void **state) {
    struct world *w = start("resolver:\n" BASE "  rate-limit: {responses-per-second: 5, slip: 1}\n");
    uint64_t answered = 0;
    (void)state;
    for (char c = 'a'; c < 'i'; c++) {
        char text[] = "x.example.";
        text[0] = c;
        write_query(w, text, TYPE_A, false);
        handle(w);
        assert_int_equal(w->size, 0);
    }
    for (unsigned i = 0; i < w->script.count; i++)
        script_answer_a(&w->script, &w->script.sent[i], 60, 1);
    assert_int_equal(w->whole, 5);
    assert_int_equal(w->cut, 3);
    for (unsigned i = 0; i < BOARD_CLIENTS; i++)
        answered += board_get(&w->stats.client[i].answered);
    assert_int_equal(asked(w), 8);
    assert_int_equal(answered, 8); /* nobody was failed */
    finish(w);
}

/* A turn of the loop: so many questions of a noisy client, and one of another. */
static void turn(struct world *w, const char *noisy, unsigned count, bool *answered) {
    now_ns += NS_PER_MS;
    serve_batch(w->serve, true);
    from(w, noisy, PROTO_UDP);
    (void)ask_any(w, count);
    from(w, "198.51.100.1", PROTO_UDP);
    *answered = ask_any(w, 1) == 1;
    serve_batch(w->serve, false);
}

static void test_the_noisy_one_waits(void **state) {
    struct world *w = start("resolver:\n" BASE);
    bool answered;
    (void)state;
    for (unsigned i = 0; i < 200; i++) { /* busy, but the queue is empty after each turn */
        turn(w, "127.0.0.1", FAIR_FULL_TURN, &answered);
        assert_true(answered);
    }
    assert_int_equal(board_get(&w->stats.drops[DROP_FAIR]), 0);
    w->waiting = FAIR_WAITING;
    for (unsigned i = 0; i < 200; i++) {
        turn(w, "127.0.0.1", FAIR_FULL_TURN, &answered);
        assert_true(answered);
    }
    assert_true(board_get(&w->stats.drops[DROP_FAIR]) > 0);
    assert_int_equal(board_get(&w->stats.fair_turns), 200);
    from(w, "127.0.0.1", PROTO_UDP); /* a probe of the node itself, from beside the noisy one */
    assert_int_equal(ask_any(w, 1), 0);
    write_query(w, "www.example.", TYPE_ANY, true);
    handle(w);
    assert_true(w->size > 0);
    w->client.proto = PROTO_TCP;
    assert_int_equal(ask_any(w, 1), 1);
    finish(w);
}

static void test_without_fairness_first_come_first_served(void **state) {
    struct world *w = start("resolver:\n" BASE "  fairness: false\n");
    bool answered;
    (void)state;
    w->waiting = FAIR_WAITING;
    for (unsigned i = 0; i < 200; i++)
        turn(w, "192.0.2.9", FAIR_FULL_TURN, &answered);
    assert_int_equal(board_get(&w->stats.drops[DROP_FAIR]), 0);
    finish(w);
}

static void test_places_for_questions_under_way(void **state) {
    struct world *w = start("resolver:\n" BASE);
    static struct fair_place place[LIMIT_FLIGHTS];
    (void)state;
    for (unsigned i = 0; i < LIMIT_FLIGHTS; i++)
        assert_true(fair_take(w->serve->fair, &w->client.peer, SERVE_PENDING_MAX, &place[i]));
    write_query(w, "www.example.", TYPE_A, false);
    handle(w);
    assert_true(w->size > 0);
    assert_int_equal(w->reply[3] & 15, RCODE_SERVFAIL);
    assert_int_equal(board_get(&w->stats.pending_spared), 1);
    assert_int_equal(w->script.count, 0);
    from(w, "198.51.100.1", PROTO_UDP);
    handle(w);
    assert_int_equal(w->size, 0); /* it waits */
    assert_int_equal(w->script.count, 1);
    script_answer_a(&w->script, script_last(&w->script), 60, 1);
    assert_int_equal(w->whole, 1);
    from(w, "192.0.2.9", PROTO_UDP);
    for (unsigned i = 0; i < LIMIT_FLIGHTS; i++)
        fair_give(w->serve->fair, &place[i]);
    write_query(w, "other.example.", TYPE_A, false);
    handle(w);
    assert_int_equal(w->size, 0);
    assert_int_equal(w->script.count, 2);
    finish(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_beyond_the_rate_answers_are_cut),
        cmocka_unit_test(test_without_slip_there_is_silence),
        cmocka_unit_test(test_errors_leave_whole_or_not_at_all),
        cmocka_unit_test(test_late_answers_count_as_well),
        cmocka_unit_test(test_the_noisy_one_waits),
        cmocka_unit_test(test_without_fairness_first_come_first_served),
        cmocka_unit_test(test_places_for_questions_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
