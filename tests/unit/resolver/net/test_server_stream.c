/* Answers of many messages: backpressure, other questions beside them, held questions, readers that stall or leave. */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/resolver/net/talk.h"

enum { EVENTS_MAX = 64 };

static struct rig rig;
static struct talk talk;
static struct {
    bool inside; /* of server_more or server_reply */
    unsigned drained, gone;
    uint64_t token;
} told;

static void on_event(void *ctx, uint64_t token, enum server_event e) {
    assert_ptr_equal(ctx, &rig);
    assert_false(told.inside);
    told.token = token;
    if (e == SERVER_DRAINED)
        told.drained++;
    else
        told.gone++;
}

static int set_up(void **state) {
    rig_open(&rig, "127.0.0.1");
    memset(&talk, 0, sizeof talk);
    memset(&told, 0, sizeof told);
    server_on_event(rig.server, on_event);
    rig.mode = MODE_KEEP;
    *state = &rig;
    return 0;
}

static int tear_down(void **state) {
    rig_close(*state);
    return 0;
}

static void limit(struct rig *r, unsigned pipeline, uint32_t idle_ms, uint32_t stall_ms) {
    struct server_limits l = {10, 10, pipeline, idle_ms, SERVER_TCP_QUEUE, stall_ms};
    server_set_limits(r->server, &l);
}

static uint64_t open_now(struct rig *r) { return board_get(&r->worker.tcp_connections); }

static void ask(int fd, uint16_t id) {
    uint8_t frame[64];
    send_all_of(fd, frame, make_frame(frame, 20, id));
}

/* A connection with one question that the handler has kept. */
static int asked(struct rig *r, struct client *c) {
    int fd = ask_tcp("127.0.0.1", &r->tcp, NULL);
    unsigned before = r->kept_count;
    ask(fd, 1);
    TURN_UNTIL(r->loop, r->kept_count == before + 1);
    *c = r->kept[before].client;
    return fd;
}

static int more(struct rig *r, const struct client *c, const uint8_t *msg, size_t size) {
    told.inside = true;
    int rc = server_more(r->server, c, msg, size);
    told.inside = false;
    return rc;
}

static void reply(struct rig *r, const struct client *c, const uint8_t *msg, size_t size) {
    told.inside = true;
    server_reply(r->server, c, msg, size);
    told.inside = false;
}

/* Fills until it is told to wait. Returns the octets queued. */
static size_t fill(struct rig *r, const struct client *c) {
    static uint8_t msg[60000];
    size_t queued = 0;
    int rc;
    do {
        rc = more(r, c, msg, sizeof msg);
        queued += sizeof msg + 2;
        assert_true(queued < 64 << 20);
    } while (rc == 0);
    assert_int_equal(rc, E_AGAIN);
    return queued;
}

static void drain(struct rig *r, int fd, size_t octets) {
    static uint8_t junk[65536];
    int64_t until = 0;
    while (octets > 0) {
        ssize_t n = recv(fd, junk, octets < sizeof junk ? octets : sizeof junk, MSG_DONTWAIT);
        if (n > 0)
            octets -= (size_t)n;
        else
            assert_true(turn_again(r->loop, &until));
    }
}

static void test_fifty_megabytes(void **state) {
    struct rig *r = *state;
    enum { COUNT = 1000 };
    static uint8_t msg[52429];
    uint8_t question[20] = {0};
    unsigned sent = 0, waits = 0;
    talk.counted = true;
    talk_open(&talk, r->loop, &r->tcp, NULL);
    assert_int_equal(session_send(talk.s, question, sizeof question), 0);
    TURN_UNTIL(r->loop, r->kept_count == 1);
    size_t before = mallinfo2().uordblks, most = 0;
    int64_t until = 0;
    bool may = true;
    while (talk.messages < COUNT) {
        while (may && sent < COUNT) {
            stream_message(msg, sizeof msg, sent++);
            if (sent == COUNT)
                reply(r, &r->kept[0].client, msg, sizeof msg);
            else
                may = more(r, &r->kept[0].client, msg, sizeof msg) == 0;
            waits += !may;
        }
        size_t now = mallinfo2().uordblks;
        most = now > before + most ? now - before : most;
        assert_true(turn_again(r->loop, &until));
        if (told.drained > 0)
            may = true;
        told.drained = 0;
    }
    assert_int_equal(talk.octets, (uint64_t)COUNT * sizeof msg);
    assert_true(waits > 0);
    assert_true(most < 4 << 20);
    session_close(talk.s);
    TURN_UNTIL(r->loop, open_now(r) == 0);
    assert_int_equal(told.gone, 0); /* its question had been answered */
}

static void test_questions_beside_a_stream(void **state) {
    struct rig *r = *state;
    struct client c;
    static uint8_t got[LIMIT_MESSAGE];
    int fd = asked(r, &c);
    size_t queued = fill(r, &c); /* nobody reads */
    for (uint16_t i = 2; i < 8; i++)
        ask(fd, i);
    TURN_UNTIL(r->loop, r->kept_count == 7);
    for (unsigned i = 1; i < 7; i++) {
        assert_true(r->kept[i].client.token == c.token && r->kept[i].client.question != c.question);
        rig_reply(r, i);
    }
    int rc = more(r, &c, got, 20);
    assert_true(rc == 0 || rc == E_AGAIN);
    drain(r, fd, queued);
    for (uint16_t i = 2; i < 8; i++) {
        assert_int_equal(read_frame_of(r, fd, got), 20);
        assert_int_equal(get_u16(got), i);
    }
    assert_int_equal(read_frame_of(r, fd, got), 20);
    TURN_UNTIL(r->loop, told.drained == 1);
    assert_true(told.token == c.token);
    assert_true(server_has_room(r->server, &c));
    close(fd); /* it may have ended its own side only: who says on learns more */
    TURN_UNTIL(r->loop, told.gone == 1 || (more(r, &c, got, 20) != 0 && told.gone == 1));
}

/* Nothing is said for long, then something, at once and without another question. */
static void test_held_question(void **state) {
    struct rig *r = *state;
    struct client c;
    uint8_t msg[100], got[100];
    limit(r, 4, 100, 30000);
    int fd = asked(r, &c);
    make_message(msg, sizeof msg, 7);
    assert_int_equal(more(r, &c, msg, sizeof msg), 0);
    /* It has left when server_more returns: no turn of the loop is needed. */
    assert_int_equal(recv(fd, got, 2, 0), 2);
    assert_int_equal(recv(fd, got, sizeof got, MSG_WAITALL), sizeof got);
    assert_memory_equal(got, msg, sizeof msg);
    int64_t end = clock_mono_ms() + 500; /* five times what an idle connection has */
    while (clock_mono_ms() < end)
        loop_turn(r->loop, TURN_MS);
    assert_int_equal(open_now(r), 1);
    assert_int_equal(more(r, &c, msg, sizeof msg), 0);
    assert_int_equal(recv(fd, got, 2, 0), 2);
    assert_int_equal(recv(fd, got, sizeof got, MSG_WAITALL), sizeof got);
    reply(r, &c, NULL, 0); /* over: the idle timer counts again */
    expect_end(r, fd);
    assert_int_equal(told.gone, 0);
    assert_int_equal(more(r, &c, msg, sizeof msg), E_CLOSED);
    close(fd);
}

static void test_stalled_reader_is_closed(void **state) {
    struct rig *r = *state;
    struct client c;
    limit(r, 4, 100, 300);
    int fd = asked(r, &c);
    (void)fill(r, &c);
    TURN_UNTIL(r->loop, told.gone == 1);
    assert_true(told.token == c.token);
    assert_int_equal(open_now(r), 0);
    assert_int_equal(more(r, &c, (const uint8_t *)"", 0), E_CLOSED);
    close(fd);
}

/* Slower than the stall, but moving: lives. */
static void test_slow_reader_lives(void **state) {
    struct rig *r = *state;
    struct client c;
    limit(r, 4, 50, 400);
    int fd = asked(r, &c);
    size_t queued = fill(r, &c), step = queued / 8 + 1;
    for (size_t done = 0; done < queued; done += step) {
        int64_t end = clock_mono_ms() + 100;
        while (clock_mono_ms() < end)
            loop_turn(r->loop, TURN_MS);
        drain(r, fd, queued - done < step ? queued - done : step);
    }
    TURN_UNTIL(r->loop, told.drained == 1);
    assert_int_equal(told.gone, 0);
    close(fd);
}

/* Who does not heed E_AGAIN has a bound all the same. */
static void test_hard_bound(void **state) {
    struct rig *r = *state;
    struct client c;
    static uint8_t msg[60000];
    int fd = asked(r, &c), rc = 0;
    size_t queued = fill(r, &c), beyond = 0;
    for (; rc != E_CLOSED && beyond < 64 << 20; beyond += sizeof msg)
        rc = more(r, &c, msg, sizeof msg);
    assert_int_equal(rc, E_CLOSED);
    assert_true(beyond < 32 << 20 && queued > 0); /* the kernel takes some megabytes besides */
    assert_int_equal(told.gone, 0);               /* not from inside */
    TURN_UNTIL(r->loop, told.gone == 1);
    assert_int_equal(open_now(r), 0);
    close(fd);
}

static void test_client_leaves_in_the_middle(void **state) {
    struct rig *r = *state;
    struct client c;
    struct linger now = {.l_onoff = 1};
    int fd = asked(r, &c);
    (void)fill(r, &c);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    close(fd);
    TURN_UNTIL(r->loop, told.gone == 1);
    assert_int_equal(more(r, &c, (const uint8_t *)"x", 1), E_CLOSED);
    reply(r, &c, (const uint8_t *)"x", 1);
    assert_true(server_has_room(r->server, &c));
    /* The next client in its place has nothing to do with it. */
    struct client d;
    fd = asked(r, &d);
    assert_int_equal((uint32_t)d.token, (uint32_t)c.token);
    assert_int_equal(more(r, &c, (const uint8_t *)"x", 1), E_CLOSED);
    expect_quiet(r, fd);
    close(fd);
}

/* A reset that server_more itself is the first to meet. */
static void test_meets_the_end_first(void **state) {
    struct rig *r = *state;
    struct client c;
    struct linger now = {.l_onoff = 1};
    static uint8_t msg[60000];
    int rc = 0;
    int fd = asked(r, &c);
    assert_int_equal(more(r, &c, msg, sizeof msg), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    close(fd);
    for (unsigned i = 0; i < 3 && rc == 0; i++)
        rc = more(r, &c, msg, sizeof msg);
    assert_int_equal(rc, E_CLOSED);
    assert_int_equal(told.gone, 0);
    TURN_UNTIL(r->loop, told.gone == 1);
}

static unsigned begun;
static struct client held;

/* Every question becomes a stream from inside the handler. */
static void begin_stream(struct rig *r, const struct client *c, const uint8_t *msg, size_t size) {
    told.inside = true;
    int rc = server_more(r->server, c, msg, size);
    told.inside = false;
    if (begun < SERVER_STREAMS)
        assert_true(rc == 0 || rc == E_AGAIN);
    else
        assert_int_equal(rc, E_FULL);
    begun += rc != E_FULL;
    if (rc != E_FULL)
        held = *c;
}

static void test_many_held_on_one_connection(void **state) {
    struct rig *r = *state;
    static uint8_t got[LIMIT_MESSAGE];
    int fd = ask_tcp("127.0.0.1", &r->tcp, NULL);
    limit(r, 8, 60000, 30000);
    r->mode = MODE_SILENT;
    r->meddle = begin_stream;
    begun = 0;
    for (unsigned i = 0; i < SERVER_STREAMS; i++) {
        ask(fd, (uint16_t)i);
        assert_int_equal(read_frame_of(r, fd, got), 20); /* all stay open */
    }
    for (unsigned i = 0; i < 20; i++)
        ask(fd, 9);
    TURN_UNTIL(r->loop, r->seen == SERVER_STREAMS + 8); /* those that were refused count as unanswered */
    expect_quiet(r, fd);
    assert_int_equal(r->seen, SERVER_STREAMS + 8);
    close(fd);
    TURN_UNTIL(r->loop, told.gone == 1 || (server_more(r->server, &held, got, 20) != 0 && told.gone == 1));
}

static void test_answer_inside_after_more(void **state) {
    struct rig *r = *state;
    static uint8_t got[LIMIT_MESSAGE];
    int fd = ask_tcp("127.0.0.1", &r->tcp, NULL);
    r->mode = MODE_ECHO;
    r->meddle = begin_stream;
    begun = 0;
    ask(fd, 3);
    assert_int_equal(read_frame_of(r, fd, got), 20);
    size_t n = read_frame_of(r, fd, got);
    assert_echo(got, n, 3, 20);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    expect_end(r, fd); /* nothing is open any more */
    assert_int_equal(told.gone, 0);
    close(fd);
}

static void test_half_closed_client_gets_the_rest(void **state) {
    struct rig *r = *state;
    struct client c;
    uint8_t msg[20] = {0};
    static uint8_t got[LIMIT_MESSAGE];
    int fd = asked(r, &c);
    assert_int_equal(more(r, &c, msg, sizeof msg), 0);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    for (unsigned i = 0; i < 5; i++)
        loop_turn(r->loop, 1);
    assert_int_equal(more(r, &c, msg, sizeof msg), 0);
    reply(r, &c, msg, sizeof msg);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(read_frame_of(r, fd, got), 20);
    expect_end(r, fd);
    close(fd);
}

static void test_wild_calls(void **state) {
    struct rig *r = *state;
    struct client c, wild;
    uint8_t msg[20] = {0};
    int fd = asked(r, &c);
    wild = c;
    wild.token = UINT64_MAX;
    assert_int_equal(more(r, &wild, msg, sizeof msg), E_CLOSED);
    wild = c;
    wild.proto = PROTO_UDP;
    assert_int_equal(more(r, &wild, msg, sizeof msg), E_CLOSED);
    reply(r, &c, msg, sizeof msg);
    assert_int_equal(more(r, &c, msg, sizeof msg), E_CLOSED); /* answered: nothing is open */
    assert_false(server_client_is(r->server, &c, "node-a.test"));
    close(fd);
}

static void test_server_close_tells_nobody(void **state) {
    struct rig *r = *state;
    struct client c;
    int fd = asked(r, &c);
    (void)fill(r, &c);
    server_close(r->server);
    rig_serve(r);
    assert_int_equal(told.gone + told.drained, 0);
    close(fd);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_fifty_megabytes),
        T(test_questions_beside_a_stream),
        T(test_held_question),
        T(test_stalled_reader_is_closed),
        T(test_slow_reader_lives),
        T(test_hard_bound),
        T(test_client_leaves_in_the_middle),
        T(test_meets_the_end_first),
        T(test_many_held_on_one_connection),
        T(test_answer_inside_after_more),
        T(test_half_closed_client_gets_the_rest),
        T(test_wild_calls),
        T(test_server_close_tells_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
