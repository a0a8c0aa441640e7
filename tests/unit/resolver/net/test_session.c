/* The client's side of long connections: framing in any cut, hostile lengths, ends at every moment, pauses, bounds. */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "resolver/net/socket.h"
#include "tests/unit/resolver/net/talk.h"

static struct rig rig;
static struct talk talk;

static int set_up(void **state) {
    rig_open(&rig, "127.0.0.1");
    memset(&talk, 0, sizeof talk);
    *state = &rig;
    return 0;
}

static int tear_down(void **state) {
    rig_close(*state);
    return 0;
}

static void send_message(struct talk *t, size_t size, uint16_t id) {
    static uint8_t msg[LIMIT_MESSAGE];
    make_message(msg, size, id);
    assert_int_equal(session_send(t->s, msg, size), 0);
}

/* A session that is connected to the test itself: its other end. */
static int raw_session(struct rig *r, struct talk *t, struct session_plan *plan) {
    struct addr at;
    int listening = listen_raw(&at, 8);
    talk_open(t, r->loop, &at, plan);
    int fd = accept_raw(r->loop, listening);
    close(listening);
    TURN_UNTIL(r->loop, t->ups == 1 || t->s == NULL);
    return fd;
}

static void test_asks_and_hears(void **state) {
    struct rig *r = *state;
    struct addr home = address("127.0.0.1", 0);
    uint64_t in = 0, out = 0;
    talk.send_in_up = true;
    talk_open(&talk, r->loop, &r->tcp, NULL);
    send_message(&talk, 30, 1); /* before it is up: waits */
    TURN_UNTIL(r->loop, talk.messages == 2);
    assert_echo(talk.last, talk.last_size, 4711, 20); /* behind what waited */
    assert_true(addr_same_host(&talk.local, &home));
    assert_true(addr_same(&talk.local, &r->last.peer));
    send_message(&talk, LIMIT_MESSAGE, 2);
    TURN_UNTIL(r->loop, talk.messages == 3);
    assert_echo(talk.last, talk.last_size, 2, LIMIT_MESSAGE);
    session_traffic(talk.s, &in, &out);
    assert_int_equal(in, 3 * 2 + 20 + 30 + LIMIT_MESSAGE);
    assert_int_equal(out, in);
    session_close(talk.s);
    TURN_UNTIL(r->loop, board_get(&r->worker.tcp_connections) == 0);
    assert_int_equal(talk.downs, 0);
}

static void test_options(void **state) {
    struct rig *r = *state;
    struct session_plan plan = {.dead_ms = 4000};
    struct addr from = address("127.0.0.7", 0);
    plan.source = &from;
    int fd = raw_session(r, &talk, &plan);
    assert_true(addr_same_host(&talk.local, &from));
    int other = -1, value = 0;
    socklen_t size = sizeof value;
    struct addr name;
    for (int i = 3; i < 64 && other < 0; i++) /* the session's own descriptor */
        if (socket_name(i, &name) == 0 && addr_same(&name, &talk.local))
            other = i;
    assert_true(other >= 0);
    assert_int_equal(getsockopt(other, IPPROTO_TCP, TCP_NODELAY, &value, &size), 0);
    assert_true(value != 0);
    assert_int_equal(getsockopt(other, SOL_SOCKET, SO_KEEPALIVE, &value, &size), 0);
    assert_true(value != 0);
    assert_int_equal(getsockopt(other, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &size), 0);
    assert_int_equal(value, 4000);
    assert_int_equal(getsockopt(other, IPPROTO_TCP, TCP_KEEPIDLE, &value, &size), 0);
    assert_int_equal(value, 1);
    close(fd);
    TURN_UNTIL(r->loop, talk.downs == 1);
}

/* Three messages of different lengths, cut in two at every place. */
static void test_every_cut(void **state) {
    struct rig *r = *state;
    uint8_t frames[128];
    size_t size = make_frame(frames, 17, 1);
    size += make_frame(frames + size, 12, 2);
    size += make_frame(frames + size, 40, 3);
    for (size_t cut = 0; cut <= size; cut++) {
        memset(&talk, 0, sizeof talk);
        int fd = raw_session(r, &talk, NULL);
        if (cut > 0)
            send_all_of(fd, frames, cut);
        for (unsigned i = 0; i < 3; i++)
            loop_turn(r->loop, 1);
        assert_int_equal(talk.messages, (cut >= 19) + (cut >= 33) + (cut >= 75));
        if (cut < size)
            send_all_of(fd, frames + cut, size - cut);
        TURN_UNTIL(r->loop, talk.messages == 3);
        assert_int_equal(talk.octets, 17 + 12 + 40);
        assert_int_equal(talk.last_size, 40);
        close(fd);
        TURN_UNTIL(r->loop, talk.downs == 1);
        assert_int_equal(talk.why.code, E_CLOSED);
    }
}

static void test_octet_by_octet(void **state) {
    struct rig *r = *state;
    uint8_t frame[64];
    size_t size = make_frame(frame, 30, 77);
    int fd = raw_session(r, &talk, NULL);
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(talk.messages, 0);
        send_all_of(fd, frame + i, 1);
        loop_turn(r->loop, 1);
    }
    TURN_UNTIL(r->loop, talk.messages == 1);
    assert_int_equal(talk.last_size, 30);
    session_close(talk.s);
    close(fd);
}

/* Shorter than a header is no message: whoever sends that has lost its framing. */
static void test_hostile_lengths(void **state) {
    struct rig *r = *state;
    for (size_t size = 0; size < 12; size++) {
        uint8_t frames[64];
        memset(&talk, 0, sizeof talk);
        int fd = raw_session(r, &talk, NULL);
        size_t n = make_frame(frames, 12, 1);
        n += make_frame(frames + n, size, 2);
        n += make_frame(frames + n, 12, 3);
        send_all_of(fd, frames, n);
        TURN_UNTIL(r->loop, talk.downs == 1);
        assert_int_equal(talk.messages, 1);
        assert_int_equal(talk.why.code, E_INVALID);
        close(fd);
    }
}

static void test_ends(void **state) {
    struct rig *r = *state;
    uint8_t frames[64];
    size_t n = make_frame(frames, 12, 1);
    n += make_frame(frames + n, 30, 2);
    for (size_t cut = 0; cut <= n; cut++) {
        memset(&talk, 0, sizeof talk);
        int fd = raw_session(r, &talk, NULL);
        if (cut > 0)
            send_all_of(fd, frames, cut);
        close(fd);
        TURN_UNTIL(r->loop, talk.downs == 1);
        assert_int_equal(talk.messages, (cut >= 14) + (cut == n));
        assert_int_equal(talk.why.code, E_CLOSED);
        bool middle = cut != 0 && cut != 14 && cut != n;
        assert_int_equal(strstr(talk.why.text, "middle") != NULL, middle);
        assert_non_null(strstr(talk.why.text, "127.0.0.1@"));
    }
}

static void test_reset(void **state) {
    struct rig *r = *state;
    int fd = raw_session(r, &talk, NULL);
    struct linger now = {.l_onoff = 1};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    close(fd);
    TURN_UNTIL(r->loop, talk.downs == 1);
    assert_int_equal(talk.why.code, E_SYSTEM);
    assert_non_null(strstr(talk.why.text, "reset"));
}

/* What the other side said before it went is handed on although our own words reach nobody. */
static void test_last_words(void **state) {
    struct rig *r = *state;
    uint8_t frame[64];
    int fd = raw_session(r, &talk, NULL);
    send_all_of(fd, frame, make_frame(frame, 30, 9));
    close(fd);
    send_message(&talk, 20, 1);
    send_message(&talk, 20, 2);
    TURN_UNTIL(r->loop, talk.downs == 1);
    assert_int_equal(talk.messages, 1);
}

static void test_refused(void **state) {
    struct rig *r = *state;
    struct addr at;
    close(listen_raw(&at, 1)); /* a port where nobody listens */
    talk_open(&talk, r->loop, &at, NULL);
    assert_int_equal(session_send(talk.s, (const uint8_t *)"123456789012", 12), 0);
    TURN_UNTIL(r->loop, talk.downs == 1);
    assert_int_equal(talk.why.code, E_SYSTEM);
    assert_non_null(strstr(talk.why.text, "refused"));
}

static void test_unreachable_at_once(void **state) {
    struct rig *r = *state;
    struct addr at = address("255.255.255.255", 53);
    talk_open(&talk, r->loop, &at, NULL);
    TURN_UNTIL(r->loop, talk.downs == 1);
    assert_int_equal(talk.why.code, E_SYSTEM);
}

static void test_plans_that_cannot_be(void **state) {
    struct rig *r = *state;
    struct err err = {0};
    struct session *s = NULL;
    struct session_plan plan = {.connect_ms = 1000};
    assert_int_equal(session_open(&s, r->loop, &plan, &err), E_INVALID);
    assert_null(s);
    struct addr stranger = address("192.0.2.1", 0);
    plan.server = r->tcp;
    plan.source = &stranger;
    assert_true(session_open(&s, r->loop, &plan, &err) < 0);
    assert_null(s);
    assert_non_null(strstr(err.text, "192.0.2.1"));
}

/* A listener whose queue is full answers no SYN: nothing comes back. */
static void test_connect_timeout(void **state) {
    struct rig *r = *state;
    struct session_plan plan = {.connect_ms = 200};
    struct addr at;
    int listening = listen_raw(&at, 0), fill[4];
    for (unsigned i = 0; i < 4; i++) {
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(fill[i], &at.sa, addr_len(&at));
    }
    talk_open(&talk, r->loop, &at, &plan);
    TURN_UNTIL(r->loop, talk.downs == 1);
    assert_int_equal(talk.why.code, E_TIMEOUT);
    assert_int_equal(talk.ups, 0);
    for (unsigned i = 0; i < 4; i++)
        close(fill[i]);
    close(listening);
}

static void test_close_inside(void **state) {
    struct rig *r = *state;
    talk.close_in_up = talk.send_in_up = true;
    talk_open(&talk, r->loop, &r->tcp, NULL);
    TURN_UNTIL(r->loop, talk.ups == 1);
    assert_null(talk.s);
    uint8_t frames[64];
    memset(&talk, 0, sizeof talk);
    talk.close_in_message = true;
    int fd = raw_session(r, &talk, NULL);
    size_t n = make_frame(frames, 12, 1);
    n += make_frame(frames + n, 12, 2);
    send_all_of(fd, frames, n);
    TURN_UNTIL(r->loop, talk.messages == 1);
    for (unsigned i = 0; i < 5; i++)
        loop_turn(r->loop, 1);
    assert_int_equal(talk.messages, 1);
    assert_int_equal(talk.downs, 0);
    close(fd);
}

static void test_pause(void **state) {
    struct rig *r = *state;
    enum { COUNT = 100 };
    static uint8_t frames[COUNT * 1002];
    size_t n = 0;
    talk.pause_after = 3;
    int fd = raw_session(r, &talk, NULL);
    for (uint16_t i = 0; i < COUNT; i++)
        n += make_frame(frames + n, 1000, i);
    send_all_of(fd, frames, n);
    close(fd);
    TURN_UNTIL(r->loop, talk.messages == 3);
    for (unsigned i = 0; i < 10; i++)
        loop_turn(r->loop, 1);
    assert_int_equal(talk.messages, 3);
    assert_int_equal(talk.downs, 0); /* the end waits behind what came before it */
    talk.pause_after = 50;
    session_pause(talk.s, false);
    assert_int_equal(talk.messages, 3); /* not from inside session_pause */
    TURN_UNTIL(r->loop, talk.messages == 50);
    talk.pause_after = 0;
    session_pause(talk.s, false);
    session_pause(talk.s, true);
    session_pause(talk.s, false);
    TURN_UNTIL(r->loop, talk.downs == 1);
    assert_int_equal(talk.messages, COUNT);
    assert_int_equal(talk.octets, COUNT * 1000);
}

static void test_queue_is_bounded(void **state) {
    struct rig *r = *state;
    static uint8_t msg[60000];
    int fd = raw_session(r, &talk, NULL), rc = 0;
    unsigned sent = 0;
    for (; sent < 1000 && (rc = session_send(talk.s, msg, sizeof msg)) == 0; sent++)
        ;
    assert_int_equal(rc, E_FULL);
    size_t want = sent * (sizeof msg + 2), got = 0;
    static uint8_t junk[65536];
    int64_t until = 0;
    while (got < want) {
        ssize_t k = recv(fd, junk, sizeof junk, MSG_DONTWAIT);
        if (k > 0)
            got += (size_t)k;
        else
            assert_true(turn_again(r->loop, &until));
    }
    assert_int_equal(got, want);
    assert_int_equal(session_send(talk.s, msg, sizeof msg), 0);
    session_close(talk.s);
    close(fd);
}

/* However much waits in the socket, one turn takes a bounded part. */
static void test_others_get_their_turn(void **state) {
    struct rig *r = *state;
    enum { COUNT = 20000 };
    static uint8_t frames[COUNT * 14];
    struct talk *second = calloc(1, sizeof *second);
    int fd = raw_session(r, &talk, NULL), other = raw_session(r, second, NULL);
    for (unsigned i = 0; i < COUNT; i++)
        (void)make_frame(frames + (size_t)14 * i, 12, (uint16_t)i);
    size_t sent = 0, most = 0;
    int64_t until = 0;
    send_all_of(other, frames, 14);
    while (talk.messages < COUNT) {
        unsigned before = talk.messages;
        ssize_t n = send(fd, frames + sent, sizeof frames - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        assert_true(turn_again(r->loop, &until));
        if (talk.messages - before > most)
            most = talk.messages - before;
    }
    assert_true(most <= (65536 + 65537) / 14);
    assert_int_equal(second->messages, 1);
    session_close(talk.s);
    session_close(second->s);
    free(second);
    close(fd);
    close(other);
}

static void test_loop_close_ends_all(void **state) {
    struct rig *r = *state;
    struct talk *more = calloc(20, sizeof *more);
    for (unsigned i = 0; i < 20; i++)
        talk_open(&more[i], r->loop, &r->tcp, NULL);
    TURN_UNTIL(r->loop, more[7].ups == 1);
    rig_close(r);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(more[i].downs, 0);
    free(more);
    rig_open(r, "127.0.0.1");
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_asks_and_hears),
        T(test_options),
        T(test_every_cut),
        T(test_octet_by_octet),
        T(test_hostile_lengths),
        T(test_ends),
        T(test_reset),
        T(test_last_words),
        T(test_refused),
        T(test_unreachable_at_once),
        T(test_plans_that_cannot_be),
        T(test_connect_timeout),
        T(test_close_inside),
        T(test_pause),
        T(test_queue_is_bounded),
        T(test_others_get_their_turn),
        T(test_loop_close_ends_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
