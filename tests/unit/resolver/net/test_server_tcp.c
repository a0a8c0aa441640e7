/* TCP: frames in any cut, pipelining out of order, every bound, clients that stall, drip, leave, or come too many. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "resolver/base/clock.h"
#include "resolver/net/socket.h"
#include "tests/unit/resolver/net/help.h"

static struct rig rig;
static uint8_t got[LIMIT_MESSAGE];

static int set_up(void **state) {
    rig_open(&rig, "0.0.0.0");
    *state = &rig;
    return 0;
}

static int tear_down(void **state) {
    rig_close(*state);
    return 0;
}

static void limit(struct rig *r, unsigned connections, unsigned per_client, unsigned pipeline, uint32_t idle_ms) {
    struct server_limits l = {connections, per_client, pipeline, idle_ms, SERVER_TCP_QUEUE, 0};
    server_set_limits(r->server, &l);
}

static uint64_t open_now(struct rig *r) { return board_get(&r->worker.tcp_connections); }

static void ask(int fd, uint16_t id, size_t size) {
    uint8_t frame[2 + 512];
    send_all_of(fd, frame, make_frame(frame, size, id));
}

static void expect_echo(struct rig *r, int fd, uint16_t id, size_t size) {
    size_t n = read_frame_of(r, fd, got);
    assert_echo(got, n, id, size);
}

/* Three messages of different lengths, cut in two at every place. */
static void test_every_cut(void **state) {
    struct rig *r = *state;
    uint8_t frames[128];
    size_t size = make_frame(frames, 17, 1);
    size += make_frame(frames + size, 1, 2);
    size += make_frame(frames + size, 40, 3);
    for (size_t cut = 0; cut <= size; cut++) {
        int fd = ask_tcp("127.0.0.1", &r->tcp, NULL);
        if (cut > 0)
            send_all_of(fd, frames, cut);
        for (unsigned i = 0; i < 3; i++)
            loop_turn(r->loop, 1);
        if (cut < size)
            send_all_of(fd, frames + cut, size - cut);
        expect_echo(r, fd, 1, 17);
        assert_int_equal(read_frame_of(r, fd, got), 1);
        expect_echo(r, fd, 3, 40);
        close(fd);
        TURN_UNTIL(r->loop, open_now(r) == 0);
    }
    assert_int_equal(board_get(&r->worker.queries[PROTO_TCP][FAMILY_V4]), 3 * (size + 1));
}

static void test_octet_by_octet(void **state) {
    struct rig *r = *state;
    uint8_t frame[64];
    size_t size = make_frame(frame, 30, 77);
    int fd = ask_tcp("127.0.0.3", &r->tcp, NULL);
    struct addr asked = address("127.0.0.3", addr_port(&r->tcp));
    for (size_t i = 0; i < size; i++) {
        send_all_of(fd, frame + i, 1);
        loop_turn(r->loop, 1);
    }
    expect_echo(r, fd, 77, 30);
    assert_true(addr_same(&r->last.local, &asked));
    assert_int_equal(r->last.proto, PROTO_TCP);
    close(fd);
}

static void test_longest_and_shortest(void **state) {
    struct rig *r = *state;
    uint8_t *frame = malloc(2 + LIMIT_MESSAGE);
    size_t size = make_frame(frame, LIMIT_MESSAGE, 300);
    int fd = ask_tcp("127.0.0.1", &r->tcp, NULL);
    for (size_t at = 0; at < size; at += 10000) {
        send_all_of(fd, frame + at, size - at < 10000 ? size - at : 10000);
        loop_turn(r->loop, 1);
    }
    expect_echo(r, fd, 300, LIMIT_MESSAGE);
    /* A length of zero is handed on as well, and what follows it. */
    send_all_of(fd, "\0\0", 2);
    ask(fd, 5, 12);
    expect_echo(r, fd, 5, 12);
    assert_int_equal(r->seen, 3);
    free(frame);
    close(fd);
}

static void test_many_in_one_segment(void **state) {
    struct rig *r = *state;
    enum { COUNT = 1500 };
    static uint8_t frames[COUNT * 4];
    int fd = ask_tcp("127.0.0.1", &r->tcp, NULL);
    for (unsigned i = 0; i < COUNT; i++)
        (void)make_frame(frames + (size_t)4 * i, 2, (uint16_t)i);
    send_all_of(fd, frames, sizeof frames);
    for (unsigned i = 0; i < COUNT; i++)
        expect_echo(r, fd, (uint16_t)i, 2);
    assert_true(r->most_in_batch <= 256);
    close(fd);
}

static void test_out_of_order(void **state) {
    struct rig *r = *state;
    enum { COUNT = 40 };
    int fd = ask_tcp("127.0.0.1", &r->tcp, NULL);
    r->mode = MODE_KEEP;
    for (uint16_t i = 0; i < COUNT; i++)
        ask(fd, i, 20);
    TURN_UNTIL(r->loop, r->kept_count == COUNT);
    for (unsigned i = COUNT; i-- > 0;)
        rig_reply(r, i);
    for (unsigned i = COUNT; i-- > 0;) {
        assert_int_equal(read_frame_of(r, fd, got), 20);
        assert_int_equal(get_u16(got), i);
    }
    close(fd);
}

static void test_reply_from_inside_handler(void **state) {
    struct rig *r = *state;
    int fd = ask_tcp("127.0.0.1", &r->tcp, NULL);
    r->mode = MODE_INSIDE;
    for (uint16_t i = 0; i < 200; i++)
        ask(fd, i, 20);
    for (uint16_t i = 0; i < 200; i++) {
        assert_int_equal(read_frame_of(r, fd, got), 20);
        assert_int_equal(get_u16(got), i);
    }
    close(fd);
}

static void test_pipeline_limit(void **state) {
    struct rig *r = *state;
    int fd = ask_tcp("127.0.0.1", &r->tcp, NULL);
    limit(r, 10, 10, 4, 10000);
    r->mode = MODE_KEEP;
    for (uint16_t i = 0; i < 10; i++)
        ask(fd, i, 20);
    TURN_UNTIL(r->loop, r->kept_count == 4);
    expect_quiet(r, fd);
    assert_int_equal(r->kept_count, 4);
    for (unsigned i = 0; i < 10; i++) {
        TURN_UNTIL(r->loop, r->kept_count > i);
        assert_true(r->kept_count <= i + 4);
        rig_reply(r, i);
        assert_int_equal(read_frame_of(r, fd, got), 20);
        assert_int_equal(get_u16(got), i);
    }
    rig_reply(r, 0); /* one too many: none is open any more */
    expect_quiet(r, fd);
    close(fd);
}

static void test_no_answer_frees_its_place(void **state) {
    struct rig *r = *state;
    int fd = ask_tcp("127.0.0.1", &r->tcp, NULL);
    limit(r, 10, 10, 2, 10000);
    r->mode = MODE_KEEP;
    for (uint16_t i = 0; i < 4; i++)
        ask(fd, i, 20);
    TURN_UNTIL(r->loop, r->kept_count == 2);
    server_reply(r->server, &r->kept[0].client, NULL, 0);
    TURN_UNTIL(r->loop, r->kept_count == 3);
    expect_quiet(r, fd);
    close(fd);
}

static void test_connections_limit_closes_longest_idle(void **state) {
    struct rig *r = *state;
    int fds[4];
    limit(r, 3, 10, 10, 60000);
    for (unsigned i = 0; i < 3; i++) {
        fds[i] = ask_tcp("127.0.0.1", &r->tcp, NULL);
        TURN_UNTIL(r->loop, open_now(r) == i + 1);
    }
    ask(fds[0], 1, 20); /* now the second is idle for longest */
    expect_echo(r, fds[0], 1, 20);
    fds[3] = ask_tcp("127.0.0.1", &r->tcp, NULL);
    expect_end(r, fds[1]);
    assert_int_equal(open_now(r), 3);
    ask(fds[0], 2, 20);
    expect_echo(r, fds[0], 2, 20);
    ask(fds[2], 3, 20);
    expect_echo(r, fds[2], 3, 20);
    ask(fds[3], 4, 20);
    expect_echo(r, fds[3], 4, 20);
    for (unsigned i = 0; i < 4; i++)
        close(fds[i]);
    TURN_UNTIL(r->loop, open_now(r) == 0);
}

static void test_per_client_limit(void **state) {
    struct rig *r = *state;
    limit(r, 10, 2, 10, 60000);
    int a = ask_tcp("127.0.0.1", &r->tcp, "127.0.0.8"), b = ask_tcp("127.0.0.1", &r->tcp, "127.0.0.8");
    TURN_UNTIL(r->loop, open_now(r) == 2);
    int c = ask_tcp("127.0.0.1", &r->tcp, "127.0.0.8"), d = ask_tcp("127.0.0.1", &r->tcp, "127.0.0.9");
    expect_end(r, c);
    ask(d, 1, 20);
    expect_echo(r, d, 1, 20);
    ask(a, 2, 20);
    expect_echo(r, a, 2, 20);
    assert_int_equal(open_now(r), 3);
    close(a);
    TURN_UNTIL(r->loop, open_now(r) == 2);
    int e = ask_tcp("127.0.0.1", &r->tcp, "127.0.0.8"); /* its place is free again */
    ask(e, 3, 20);
    expect_echo(r, e, 3, 20);
    close(b);
    close(c);
    close(d);
    close(e);
}

/* A question makes a connection young even before it is answered. */
static void test_unanswered_question_counts_as_life(void **state) {
    struct rig *r = *state;
    limit(r, 2, 10, 10, 60000);
    r->mode = MODE_KEEP;
    int a = ask_tcp("127.0.0.1", &r->tcp, NULL);
    TURN_UNTIL(r->loop, open_now(r) == 1);
    int b = ask_tcp("127.0.0.1", &r->tcp, NULL);
    TURN_UNTIL(r->loop, open_now(r) == 2);
    ask(a, 1, 20);
    TURN_UNTIL(r->loop, r->kept_count == 1);
    int c = ask_tcp("127.0.0.1", &r->tcp, NULL);
    expect_end(r, b);
    rig_reply(r, 0);
    assert_int_equal(read_frame_of(r, a, got), 20);
    close(a);
    close(b);
    close(c);
}

/* More clients than the real limits, in a storm of connections. */
static void test_real_limits_hold_in_a_storm(void **state) {
    struct rig *r = *state;
    enum { COUNT = 800 };
    static int fds[COUNT];
    char source[32];
    struct rlimit files;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    assert_true(files.rlim_cur > COUNT + LIMIT_TCP_CONNECTIONS + 64);
    for (unsigned i = 0; i < COUNT; i++) {
        (void)snprintf(source, sizeof source, "127.0.1.%u", i % 40 + 1);
        fds[i] = ask_tcp("127.0.0.1", &r->tcp, source);
        if (i % 10 == 9) /* the accept queue holds 511 */
            loop_turn(r->loop, 1);
        assert_true(open_now(r) <= LIMIT_TCP_CONNECTIONS);
    }
    TURN_UNTIL(r->loop, open_now(r) == LIMIT_TCP_CONNECTIONS);
    ask(fds[COUNT - 1], 1, 20);
    expect_echo(r, fds[COUNT - 1], 1, 20);
    for (unsigned i = 0; i < COUNT; i++)
        close(fds[i]);
    TURN_UNTIL(r->loop, open_now(r) == 0);
}

static void test_idle_connection_is_closed(void **state) {
    struct rig *r = *state;
    limit(r, 10, 10, 10, 100);
    int fd = ask_tcp("127.0.0.1", &r->tcp, NULL);
    ask(fd, 1, 20);
    expect_echo(r, fd, 1, 20);
    expect_end(r, fd);
    assert_int_equal(open_now(r), 0);
    close(fd);
}

/* An octet now and then is no message: the timer is not moved by it. */
static void test_drip_sender_is_closed(void **state) {
    struct rig *r = *state;
    uint8_t byte = 0;
    limit(r, 10, 10, 10, 150);
    int fd = ask_tcp("127.0.0.1", &r->tcp, NULL);
    int64_t until = clock_mono_ms() + 20000;
    send_all_of(fd, "\xff\xff", 2);
    TURN_UNTIL(r->loop, open_now(r) == 1);
    while (open_now(r) == 1 && clock_mono_ms() < until) {
        (void)send(fd, &byte, 1, MSG_NOSIGNAL);
        loop_turn(r->loop, TURN_MS);
        (void)usleep(1000);
    }
    assert_int_equal(open_now(r), 0);
    assert_int_equal(r->seen, 0);
    close(fd);
}

static void test_never_answered_is_closed(void **state) {
    struct rig *r = *state;
    limit(r, 10, 10, 10, 100);
    r->mode = MODE_SILENT;
    int fd = ask_tcp("127.0.0.1", &r->tcp, NULL);
    ask(fd, 1, 20);
    expect_end(r, fd);
    assert_int_equal(r->seen, 1);
    close(fd);
}

/* A client that asks and does not read: no more questions are taken long before the queue is full, then it is closed.
 */
static void test_stalled_reader(void **state) {
    struct rig *r = *state;
    uint8_t frame[64];
    size_t size = make_frame(frame, 20, 1);
    unsigned sent = 0;
    limit(r, 10, 10, 64, 300);
    r->mode = MODE_LONG;
    int fd = ask_tcp("127.0.0.1", &r->tcp, NULL);
    TURN_UNTIL(r->loop, open_now(r) == 1);
    int64_t until = 0;
    while (open_now(r) == 1 && turn_again(r->loop, &until)) {
        if (send(fd, frame, size, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size)
            sent++;
    }
    assert_int_equal(open_now(r), 0);
    assert_true(r->seen < sent); /* the rest was left in the socket */
    assert_int_equal(board_get(&r->worker.drops[DROP_SEND]), 0);
    close(fd);
}

static void test_answers_beyond_the_queue_close(void **state) {
    struct rig *r = *state;
    uint8_t *big = calloc(1, 60000);
    struct server_limits l = {10, 10, 64, 60000, 100000, 0};
    int small = 4096;
    server_set_limits(r->server, &l);
    assert_int_equal(setsockopt(r->sockets.at[0].tcp, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    int fd = ask_tcp("127.0.0.1", &r->tcp, NULL);
    r->mode = MODE_KEEP;
    for (uint16_t i = 0; i < 64; i++)
        ask(fd, i, 20);
    TURN_UNTIL(r->loop, r->kept_count == 64);
    unsigned i = 0;
    while (i < 64 && open_now(r) == 1)
        server_reply(r->server, &r->kept[i++].client, big, 60000);
    assert_int_equal(open_now(r), 0);
    assert_int_equal(board_get(&r->worker.drops[DROP_SEND]), 1);
    for (; i < 64; i++) /* its connection is gone */
        server_reply(r->server, &r->kept[i].client, big, 60000);
    free(big);
    close(fd);
}

static void test_slow_reader_gets_everything(void **state) {
    struct rig *r = *state;
    enum { COUNT = 50 };
    int small = 65536;
    r->mode = MODE_LONG;
    assert_int_equal(setsockopt(r->sockets.at[0].tcp, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    int fd = ask_tcp("127.0.0.1", &r->tcp, NULL);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    for (uint16_t i = 0; i < COUNT; i++)
        ask(fd, i, 20);
    for (unsigned i = 0; i < 20; i++)
        loop_turn(r->loop, 1);
    assert_true(r->seen < COUNT);
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(read_frame_of(r, fd, got), 60000);
    assert_int_equal(r->seen, COUNT);
    close(fd);
}

static void test_late_reply_after_close(void **state) {
    struct rig *r = *state;
    r->mode = MODE_KEEP;
    int fd = ask_tcp("127.0.0.1", &r->tcp, NULL);
    ask(fd, 1, 20);
    TURN_UNTIL(r->loop, r->kept_count == 1);
    struct linger now = {.l_onoff = 1};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    close(fd); /* a reset */
    TURN_UNTIL(r->loop, open_now(r) == 0);
    /* Another client in the same slot must not get it. */
    fd = ask_tcp("127.0.0.1", &r->tcp, NULL);
    ask(fd, 2, 20);
    TURN_UNTIL(r->loop, r->kept_count == 2);
    assert_int_equal((uint32_t)r->kept[0].client.token, (uint32_t)r->kept[1].client.token);
    rig_reply(r, 0);
    expect_quiet(r, fd);
    rig_reply(r, 1);
    assert_int_equal(read_frame_of(r, fd, got), 20);
    assert_int_equal(get_u16(got), 2);
    struct client wild = r->kept[1].client;
    wild.token = UINT64_MAX;
    server_reply(r->server, &wild, got, 20);
    wild.token = LIMIT_TCP_CONNECTIONS;
    server_reply(r->server, &wild, got, 20);
    expect_quiet(r, fd);
    close(fd);
}

static void test_half_closed_client_gets_its_answers(void **state) {
    struct rig *r = *state;
    r->mode = MODE_KEEP;
    int fd = ask_tcp("127.0.0.1", &r->tcp, NULL);
    ask(fd, 1, 20);
    ask(fd, 2, 20);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    TURN_UNTIL(r->loop, r->kept_count == 2);
    expect_quiet(r, fd);
    assert_int_equal(open_now(r), 1);
    rig_reply(r, 1);
    rig_reply(r, 0);
    assert_int_equal(read_frame_of(r, fd, got), 20);
    assert_int_equal(read_frame_of(r, fd, got), 20);
    expect_end(r, fd);
    close(fd);
    /* All in one turn: question, end of stream, answer at once. */
    r->mode = MODE_ECHO;
    fd = ask_tcp("127.0.0.1", &r->tcp, NULL);
    ask(fd, 3, 20);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    expect_echo(r, fd, 3, 20);
    expect_end(r, fd);
    close(fd);
}

/* What is still to be sent, or still to be taken up, when the client's side has ended. */
static void test_half_closed_client_with_much_to_come(void **state) {
    struct rig *r = *state;
    int small = 16384;
    r->mode = MODE_LONG;
    assert_int_equal(setsockopt(r->sockets.at[0].tcp, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    int fd = ask_tcp("127.0.0.1", &r->tcp, NULL);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    for (uint16_t i = 0; i < 10; i++)
        ask(fd, i, 20);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    for (unsigned i = 0; i < 10; i++)
        loop_turn(r->loop, 1);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(read_frame_of(r, fd, got), 60000);
    expect_end(r, fd);
    close(fd);
    limit(r, 10, 10, 1, 10000);
    r->mode = MODE_KEEP;
    fd = ask_tcp("127.0.0.1", &r->tcp, NULL);
    for (uint16_t i = 0; i < 3; i++)
        ask(fd, i, 20);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    for (unsigned i = 0; i < 3; i++) {
        TURN_UNTIL(r->loop, r->kept_count == i + 1);
        rig_reply(r, i);
        assert_int_equal(read_frame_of(r, fd, got), 20);
    }
    expect_end(r, fd);
    close(fd);
}

static void test_end_inside_a_frame(void **state) {
    struct rig *r = *state;
    int fd = ask_tcp("127.0.0.1", &r->tcp, NULL);
    send_all_of(fd, "\0\x20half", 6);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    expect_end(r, fd);
    assert_int_equal(r->seen, 0);
    close(fd);
}

static void test_reset_with_answers_on_the_way(void **state) {
    struct rig *r = *state;
    struct linger now = {.l_onoff = 1};
    r->mode = MODE_LONG;
    for (unsigned i = 0; i < 20; i++) {
        int fd = ask_tcp("127.0.0.1", &r->tcp, NULL);
        for (uint16_t n = 0; n < 20; n++)
            ask(fd, n, 20);
        TURN_UNTIL(r->loop, open_now(r) == 1);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
        close(fd);
        TURN_UNTIL(r->loop, open_now(r) == 0);
    }
}

/* Waits with its question in the accept queue until there are descriptors again; UDP does not suffer meanwhile. */
static void out_of_descriptors(struct rig *r, int udp) {
    struct rlimit before, none;
    uint8_t msg[20];
    unsigned seen = r->seen;
    int waiting = ask_tcp("127.0.0.1", &r->tcp, NULL);
    ask(waiting, 1, 20);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3; /* no number is left below it */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    for (unsigned i = 0; i < 5; i++)
        loop_turn(r->loop, TURN_MS);
    assert_int_equal(open_now(r), 0);
    make_message(msg, sizeof msg, 9);
    send_all_of(udp, msg, sizeof msg);
    TURN_UNTIL(r->loop, r->seen == seen + 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    expect_echo(r, waiting, 1, 20);
    close(waiting);
    TURN_UNTIL(r->loop, open_now(r) == 0);
}

static void test_out_of_descriptors(void **state) {
    struct rig *r = *state;
    int udp = ask_udp("127.0.0.1", &r->udp);
    for (unsigned i = 0; i < 3; i++)
        out_of_descriptors(r, udp);
    close(udp);
}

static void test_successor_takes_the_accept_queue(void **state) {
    struct rig *r = *state;
    int fds[20], old = ask_tcp("127.0.0.1", &r->tcp, NULL);
    TURN_UNTIL(r->loop, open_now(r) == 1);
    server_close(r->server);
    loop_close(r->loop);
    for (uint16_t i = 0; i < 20; i++) {
        fds[i] = ask_tcp("127.0.0.1", &r->tcp, NULL);
        ask(fds[i], i, 20);
    }
    assert_int_equal(loop_open(&r->loop, NULL), 0);
    rig_serve(r);
    assert_int_equal(open_now(r), 0);
    expect_end(r, old);
    for (uint16_t i = 0; i < 20; i++) {
        expect_echo(r, fds[i], i, 20);
        close(fds[i]);
    }
    close(old);
}

static void test_loop_closes_a_server_with_connections(void **state) {
    static struct rig own;
    (void)state;
    if (!have_ipv6())
        skip();
    rig_open(&own, "::1");
    own.mode = MODE_KEEP;
    int fd = ask_tcp("::1", &own.tcp, NULL);
    ask(fd, 1, 20);
    TURN_UNTIL(own.loop, own.kept_count == 1);
    assert_int_equal(board_get(&own.worker.queries[PROTO_TCP][FAMILY_V6]), 1);
    loop_close(own.loop);
    uint8_t byte;
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    close(fd);
    close(own.sockets.at[0].udp);
    close(own.sockets.at[0].tcp);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_every_cut),
        T(test_octet_by_octet),
        T(test_longest_and_shortest),
        T(test_many_in_one_segment),
        T(test_out_of_order),
        T(test_reply_from_inside_handler),
        T(test_pipeline_limit),
        T(test_no_answer_frees_its_place),
        T(test_connections_limit_closes_longest_idle),
        T(test_per_client_limit),
        T(test_unanswered_question_counts_as_life),
        T(test_real_limits_hold_in_a_storm),
        T(test_idle_connection_is_closed),
        T(test_drip_sender_is_closed),
        T(test_never_answered_is_closed),
        T(test_stalled_reader),
        T(test_answers_beyond_the_queue_close),
        T(test_slow_reader_gets_everything),
        T(test_late_reply_after_close),
        T(test_half_closed_client_gets_its_answers),
        T(test_half_closed_client_with_much_to_come),
        T(test_end_inside_a_frame),
        T(test_reset_with_answers_on_the_way),
        T(test_out_of_descriptors),
        T(test_successor_takes_the_accept_queue),
        cmocka_unit_test(test_loop_closes_a_server_with_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
