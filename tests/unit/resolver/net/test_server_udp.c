/* Datagrams: batches, the address asked, hostile sizes, errors that must not stop it, a successor on the same socket.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "resolver/net/socket.h"
#include "tests/unit/resolver/net/help.h"

static struct rig rig;

static int set_up(void **state) {
    rig_open(&rig, "0.0.0.0");
    *state = &rig;
    return 0;
}

static int tear_down(void **state) {
    rig_close(*state);
    return 0;
}

static void send_message(int fd, uint16_t id, size_t size) {
    uint8_t msg[5000];
    make_message(msg, size, id);
    send_all_of(fd, msg, size);
}

static size_t receive(struct rig *r, int fd, uint8_t *to, size_t cap) {
    int64_t until = 0;
    ssize_t n;
    while ((n = recv(fd, to, cap, MSG_DONTWAIT)) < 0)
        assert_true(turn_again(r->loop, &until));
    return (size_t)n;
}

static void expect_echo(struct rig *r, int fd, uint16_t id, size_t size) {
    uint8_t got[5000];
    size_t n = receive(r, fd, got, sizeof got);
    assert_echo(got, n, id, size);
}

static void test_thousands_each_once(void **state) {
    struct rig *r = *state;
    enum { COUNT = 4000, BURST = 400 };
    static uint8_t seen[COUNT];
    uint8_t got[64];
    int fd = ask_udp("127.0.0.1", &r->udp);
    memset(seen, 0, sizeof seen);
    for (unsigned at = 0; at < COUNT; at += BURST) {
        for (unsigned i = at; i < at + BURST; i++)
            send_message(fd, (uint16_t)i, 20 + i % 20);
        for (unsigned i = 0; i < BURST; i++) {
            size_t n = receive(r, fd, got, sizeof got);
            uint16_t id = get_u16(got);
            assert_true(id < COUNT);
            assert_echo(got, n, id, 20 + (size_t)id % 20);
            seen[id]++;
        }
    }
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(seen[i], 1);
    expect_quiet(r, fd);
    assert_int_equal(board_get(&r->worker.queries[PROTO_UDP][FAMILY_V4]), COUNT);
    close(fd);
}

static void test_one_wake_is_bounded(void **state) {
    struct rig *r = *state;
    enum { COUNT = 400 }; /* fits into a receive buffer without privilege, too */
    int fd = ask_udp("127.0.0.1", &r->udp);
    for (unsigned i = 0; i < COUNT; i++)
        send_message(fd, (uint16_t)i, 12);
    r->mode = MODE_SILENT;
    TURN_UNTIL(r->loop, r->seen == COUNT);
    assert_int_equal(r->most_in_batch, LIMIT_UDP_BATCH * LIMIT_UDP_BATCHES_PER_WAKE);
    assert_int_equal(r->batches, 2);
    close(fd);
}

/* A connected client hears only the address that it asked. */
static void test_answer_leaves_from_address_asked(void **state) {
    struct rig *r = *state;
    static const char *const hosts[] = {"127.0.0.1", "127.0.0.2", "127.1.2.3"};
    for (unsigned i = 0; i < 3; i++) {
        struct addr asked = address(hosts[i], addr_port(&r->udp)), from;
        int fd = ask_udp(hosts[i], &r->udp);
        send_message(fd, (uint16_t)i, 30);
        expect_echo(r, fd, (uint16_t)i, 30);
        assert_true(addr_same(&r->last.local, &asked));
        assert_int_equal(socket_name(fd, &from), 0);
        assert_true(addr_same(&r->last.peer, &from));
        assert_int_equal(r->last.proto, PROTO_UDP);
        assert_true(r->last.ifindex > 0);
        close(fd);
    }
}

static void test_late_answer_leaves_from_address_asked(void **state) {
    struct rig *r = *state;
    uint8_t got[64];
    int a = ask_udp("127.0.0.2", &r->udp), b = ask_udp("127.0.0.3", &r->udp);
    r->mode = MODE_KEEP;
    send_message(a, 1, 20);
    TURN_UNTIL(r->loop, r->kept_count == 1);
    send_message(b, 2, 20);
    TURN_UNTIL(r->loop, r->kept_count == 2);
    rig_reply(r, 1);
    rig_reply(r, 0);
    assert_int_equal(receive(r, a, got, sizeof got), 20);
    assert_int_equal(get_u16(got), 1);
    assert_int_equal(receive(r, b, got, sizeof got), 20);
    assert_int_equal(get_u16(got), 2);
    close(a);
    close(b);
}

static void test_reply_from_inside_handler(void **state) {
    struct rig *r = *state;
    uint8_t got[64];
    int fd = ask_udp("127.0.0.1", &r->udp);
    r->mode = MODE_INSIDE;
    send_message(fd, 9, 20);
    assert_int_equal(receive(r, fd, got, sizeof got), 20);
    close(fd);
}

static void test_sizes(void **state) {
    struct rig *r = *state;
    int fd = ask_udp("127.0.0.1", &r->udp);
    send_message(fd, 1, LIMIT_UDP_QUERY);
    expect_echo(r, fd, 1, LIMIT_UDP_QUERY);
    assert_int_equal(board_get(&r->worker.drops[DROP_MALFORMED]), 0);
    send_message(fd, 2, LIMIT_UDP_QUERY + 1);
    send_message(fd, 3, 40);
    expect_echo(r, fd, 3, 40);
    assert_int_equal(board_get(&r->worker.drops[DROP_MALFORMED]), 1);
    assert_int_equal(r->seen, 2);
    send_message(fd, 0, 0);
    TURN_UNTIL(r->loop, r->seen == 3);
    assert_int_equal(r->last_size, 0);
    assert_int_equal(board_get(&r->worker.queries[PROTO_UDP][FAMILY_V4]), 3);
    close(fd);
}

static void test_handler_that_claims_too_much_sends_nothing(void **state) {
    struct rig *r = *state;
    int fd = ask_udp("127.0.0.1", &r->udp);
    r->mode = MODE_TOO_LONG;
    send_message(fd, 1, 20);
    TURN_UNTIL(r->loop, r->seen == 1);
    expect_quiet(r, fd);
    close(fd);
}

/* One message in the middle of a batch cannot be sent: those behind it still are. */
static void spoil_third(struct rig *r, const struct client *c, const uint8_t *msg, size_t size) {
    (void)r, (void)size;
    if (get_u16(msg) == 3)
        ((struct client *)(uintptr_t)c)->local = address("192.0.2.77", 53);
}

static void test_one_bad_send_does_not_hold_others(void **state) {
    struct rig *r = *state;
    int fd = ask_udp("127.0.0.1", &r->udp);
    r->meddle = spoil_third;
    for (uint16_t i = 0; i < 8; i++)
        send_message(fd, i, 20);
    for (uint16_t i = 0; i < 8; i++)
        if (i != 3)
            expect_echo(r, fd, i, 20);
    assert_int_equal(board_get(&r->worker.drops[DROP_SEND]), 1);
    assert_int_equal(r->batches, 1);
    close(fd);
}

static void test_every_send_fails(void **state) {
    struct rig *r = *state;
    int fd = ask_udp("127.0.0.1", &r->udp);
    (void)shutdown(r->sockets.at[0].udp, SHUT_WR); /* EPIPE from now on */
    for (uint16_t i = 0; i < 40; i++)
        send_message(fd, i, 20);
    TURN_UNTIL(r->loop, r->seen == 40);
    assert_int_equal(board_get(&r->worker.drops[DROP_SEND]), 40);
    server_reply(r->server, &r->last, (const uint8_t *)"late", 4);
    assert_int_equal(board_get(&r->worker.drops[DROP_SEND]), 41);
    close(fd);
}

static void test_late_answer_that_no_datagram_holds(void **state) {
    struct rig *r = *state;
    uint8_t *big = calloc(1, LIMIT_MESSAGE);
    int fd = ask_udp("127.0.0.1", &r->udp);
    send_message(fd, 1, 20);
    expect_echo(r, fd, 1, 20);
    server_reply(r->server, &r->last, big, LIMIT_MESSAGE);
    assert_int_equal(board_get(&r->worker.drops[DROP_SEND]), 1);
    struct client wrong = r->last;
    wrong.socket = 7;
    server_reply(r->server, &wrong, big, 20);
    server_reply(r->server, &r->last, big, 0);
    expect_quiet(r, fd);
    free(big);
    close(fd);
}

/* Clients that are gone when the answer comes: ICMP errors, here even asked for, must not stop the socket. */
static void test_icmp_errors(void **state) {
    struct rig *r = *state;
    int on = 1, fd = ask_udp("127.0.0.1", &r->udp);
    assert_int_equal(setsockopt(r->sockets.at[0].udp, IPPROTO_IP, IP_RECVERR, &on, sizeof on), 0);
    for (unsigned round = 0; round < 5; round++) {
        for (unsigned i = 0; i < 50; i++) {
            int gone = ask_udp("127.0.0.1", &r->udp);
            send_message(gone, 1, 20);
            close(gone);
        }
        TURN_UNTIL(r->loop, r->seen == 51 * round + 50);
        send_message(fd, (uint16_t)round, 20);
        expect_echo(r, fd, (uint16_t)round, 20);
    }
    close(fd);
}

static void test_successor_answers_what_was_queued(void **state) {
    struct rig *r = *state;
    enum { COUNT = 300 };
    int fd = ask_udp("127.0.0.2", &r->udp);
    server_close(r->server);
    loop_close(r->loop);
    for (uint16_t i = 0; i < COUNT; i++)
        send_message(fd, i, 25);
    assert_true(socket_receive_queue(r->sockets.at[0].udp) >= COUNT * 25);
    assert_int_equal(loop_open(&r->loop, NULL), 0);
    rig_serve(r);
    for (uint16_t i = 0; i < COUNT; i++)
        expect_echo(r, fd, i, 25);
    assert_int_equal(socket_receive_queue(r->sockets.at[0].udp), 0);
    close(fd);
}

static void flood(int fd, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        send_message(fd, (uint16_t)i, 20);
}

static void test_drops_are_counted(void **state) {
    struct rig *r = *state;
    enum { COUNT = 3000 };
    int small = 4096, fd = ask_udp("127.0.0.1", &r->udp);
    assert_int_equal(setsockopt(r->sockets.at[0].udp, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    r->mode = MODE_SILENT;
    flood(fd, COUNT);
    TURN_UNTIL(r->loop, socket_receive_queue(r->sockets.at[0].udp) == 0);
    send_message(fd, 1, 20); /* carries the count */
    unsigned seen = r->seen;
    TURN_UNTIL(r->loop, r->seen == seen + 1);
    assert_true(r->seen < COUNT);
    assert_int_equal(r->seen + board_get(&r->worker.socket_drops), COUNT + 1);

    /* What was lost while nobody read is counted by the successor, and nothing twice. */
    server_close(r->server);
    flood(fd, COUNT);
    rig_serve(r);
    TURN_UNTIL(r->loop, socket_receive_queue(r->sockets.at[0].udp) == 0);
    assert_int_equal(r->seen + board_get(&r->worker.socket_drops), 2 * COUNT + 1);
    server_close(r->server);
    rig_serve(r);
    assert_int_equal(r->seen + board_get(&r->worker.socket_drops), 2 * COUNT + 1);
    close(fd);
}

static void test_ipv6(void **state) {
    static struct rig six;
    (void)state;
    if (!have_ipv6())
        skip();
    rig_open(&six, "::");
    struct addr asked = address("::1", addr_port(&six.udp));
    int fd = ask_udp("::1", &six.udp);
    send_message(fd, 5, 30);
    expect_echo(&six, fd, 5, 30);
    assert_true(addr_same(&six.last.local, &asked));
    assert_int_equal(board_get(&six.worker.queries[PROTO_UDP][FAMILY_V6]), 1);
    six.mode = MODE_KEEP;
    send_message(fd, 6, 30);
    TURN_UNTIL(six.loop, six.kept_count == 1);
    rig_reply(&six, 0);
    uint8_t got[64];
    assert_int_equal(receive(&six, fd, got, sizeof got), 30);
    close(fd);
    rig_close(&six);
}

static void test_socket_bound_to_one_address(void **state) {
    static struct rig one;
    (void)state;
    rig_open(&one, "127.0.0.4");
    struct addr asked = address("127.0.0.4", addr_port(&one.udp));
    int fd = ask_udp("127.0.0.4", &one.udp);
    send_message(fd, 5, 30);
    expect_echo(&one, fd, 5, 30);
    assert_true(addr_same(&one.last.local, &asked));
    close(fd);
    rig_close(&one);
}

static size_t never(void *ctx, const struct client *c, const uint8_t *msg, size_t size, uint8_t *reply, size_t cap) {
    (void)ctx, (void)c, (void)msg, (void)size, (void)reply, (void)cap;
    return 0;
}

static void test_sockets_that_cannot_be_served(void **state) {
    struct rig *r = *state;
    struct server *s = NULL;
    struct err err = {0};
    struct server_sockets bad = {.count = 1};
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    bad.at[0].udp = pipes[0];
    bad.at[0].tcp = -1;
    assert_int_equal(server_open(&s, r->loop, &bad, never, NULL, NULL, NULL, &err), E_INVALID);
    assert_null(s);
    bad.at[0].udp = 9999;
    assert_int_equal(server_open(&s, r->loop, &bad, never, NULL, NULL, NULL, &err), E_INVALID);
    bad.at[0] = r->sockets.at[0];
    bad.count = LIMIT_LISTEN + 1;
    assert_int_equal(server_open(&s, r->loop, &bad, never, NULL, NULL, NULL, &err), E_FULL);
    bad.count = 1;
    /* Watched by the rig's server already. */
    assert_int_equal(server_open(&s, r->loop, &bad, never, NULL, NULL, NULL, &err), E_SYSTEM);
    bad.at[0].udp = bad.at[0].tcp = -1;
    assert_int_equal(server_open(&s, r->loop, &bad, never, NULL, NULL, NULL, &err), 0);
    close(pipes[0]);
    close(pipes[1]);
    /* `s` is left to loop_close. */
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_thousands_each_once),
        T(test_one_wake_is_bounded),
        T(test_answer_leaves_from_address_asked),
        T(test_late_answer_leaves_from_address_asked),
        T(test_reply_from_inside_handler),
        T(test_sizes),
        T(test_handler_that_claims_too_much_sends_nothing),
        T(test_one_bad_send_does_not_hold_others),
        T(test_every_send_fails),
        T(test_late_answer_that_no_datagram_holds),
        T(test_icmp_errors),
        T(test_successor_answers_what_was_queued),
        T(test_drops_are_counted),
        T(test_sockets_that_cannot_be_served),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_socket_bound_to_one_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
