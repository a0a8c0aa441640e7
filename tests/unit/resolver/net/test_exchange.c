/* One question to one server: a thread plays the server after a script, honest or not. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "resolver/base/clock.h"
#include "resolver/dns/const.h"
#include "resolver/net/exchange.h"
#include "resolver/net/socket.h"
#include "tests/unit/resolver/net/help.h"

/* "tEst. A IN", id 0x1234 */
static const uint8_t question[] = {0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 4, 't', 'E', 's', 't', 0, 0, 1, 0, 1};

enum step {
    STEP_END,
    STEP_GOOD,
    STEP_WRONG_ID,
    STEP_NO_QR,
    STEP_WRONG_CASE,
    STEP_WRONG_TYPE,
    STEP_SHORT,
    STEP_EMPTY,
    STEP_HALF_QUESTION,
    STEP_TWO_QUESTIONS,
    STEP_BARE_NOERROR, /* no question section */
    STEP_BARE_REFUSED,
    STEP_FROM_ELSEWHERE, /* a right answer from another port */
    STEP_BIG,
    /* TCP */
    STEP_CUT,    /* half a frame, then the end */
    STEP_PIECES, /* the frame octet by octet */
    STEP_CLOSE,  /* the end without a word */
    STEP_RESET,
    STEP_SILENT
};

struct peer {
    int fd, stop[2];
    bool tcp;
    struct addr at;
    pthread_t thread;
    enum step steps[8];
};

struct outcome {
    unsigned calls;
    struct exchange_result result;
    uint8_t answer[LIMIT_MESSAGE];
};

static struct loop *loop;
static uint32_t mismatches_max; /* of what is started next */
static struct outcome outcome;

static int set_up(void **state) {
    (void)state;
    memset(&outcome, 0, sizeof outcome);
    return loop_open(&loop, NULL);
}

static int tear_down(void **state) {
    (void)state;
    loop_close(loop);
    return 0;
}

static void done(void *ctx, const struct exchange_result *r) {
    struct outcome *o = ctx;
    o->calls++;
    o->result = *r;
    if (r->answer.size > 0)
        memcpy(o->answer, r->answer.at, r->answer.size);
}

static size_t compose(enum step s, uint8_t *to) {
    size_t size = sizeof question;
    memcpy(to, question, size);
    to[2] |= 0x80;
    switch (s) {
    case STEP_WRONG_ID:
        to[0] ^= 1;
        break;
    case STEP_NO_QR:
        to[2] &= 0x7f;
        break;
    case STEP_WRONG_CASE:
        to[13] = 'T';
        break;
    case STEP_WRONG_TYPE:
        to[size - 3] = 28;
        break;
    case STEP_SHORT:
        return DNS_HEADER - 1;
    case STEP_EMPTY:
        return 0;
    case STEP_HALF_QUESTION:
        return size - 2;
    case STEP_TWO_QUESTIONS:
        to[5] = 2;
        break;
    case STEP_BARE_REFUSED:
        to[3] = RCODE_REFUSED;
        to[5] = 0;
        return DNS_HEADER;
    case STEP_BARE_NOERROR:
        to[5] = 0;
        return DNS_HEADER;
    case STEP_BIG:
        memset(to + size, 1, 60000 - size);
        return 60000;
    default:
        break;
    }
    return size;
}

static bool wait_readable(struct peer *p, int fd) {
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = p->stop[0], .events = POLLIN}};
    return poll(fds, 2, 20000) > 0 && fds[0].revents != 0;
}

static void *play_udp(void *ctx) {
    struct peer *p = ctx;
    static uint8_t msg[LIMIT_MESSAGE];
    struct addr from;
    socklen_t size = sizeof from;
    int elsewhere = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (wait_readable(p, p->fd) && recvfrom(p->fd, msg, sizeof msg, 0, &from.sa, &size) == (ssize_t)sizeof question) {
        for (const enum step *s = p->steps; *s != STEP_END; s++) {
            size_t n = compose(*s, msg);
            (void)sendto(*s == STEP_FROM_ELSEWHERE ? elsewhere : p->fd, msg, n, 0, &from.sa, size);
        }
    }
    close(elsewhere);
    return NULL;
}

static void answer_tcp(struct peer *p, int fd, enum step s) {
    static uint8_t frame[2 + LIMIT_MESSAGE];
    struct linger now = {.l_onoff = 1};
    size_t n = compose(s, frame + 2) + 2;
    frame[0] = (uint8_t)((n - 2) >> 8);
    frame[1] = (uint8_t)(n - 2);
    if (s == STEP_CUT) {
        (void)send(fd, frame, n / 2, MSG_NOSIGNAL);
    } else if (s == STEP_PIECES) {
        for (size_t i = 0; i < n; i++) {
            (void)send(fd, frame + i, 1, MSG_NOSIGNAL);
            (void)usleep(500);
        }
    } else if (s == STEP_RESET) {
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    } else if (s == STEP_SILENT) {
        (void)wait_readable(p, p->stop[0]);
    } else if (s != STEP_CLOSE) {
        for (size_t at = 0; at < n;) {
            ssize_t sent = send(fd, frame + at, n - at, MSG_NOSIGNAL);
            if (sent < 0)
                break;
            at += (size_t)sent;
        }
    }
}

static void *play_tcp(void *ctx) {
    struct peer *p = ctx;
    uint8_t frame[2 + sizeof question];
    if (!wait_readable(p, p->fd))
        return NULL;
    int fd = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return NULL;
    if (recv(fd, frame, sizeof frame, MSG_WAITALL) == (ssize_t)sizeof frame && frame[1] == sizeof question &&
        memcmp(frame + 2, question, sizeof question) == 0)
        for (const enum step *s = p->steps; *s != STEP_END; s++)
            answer_tcp(p, fd, *s);
    close(fd);
    return NULL;
}

static void peer_start(struct peer *p, const char *host, bool tcp) {
    struct addr a = address(host, 0);
    struct err err = {0};
    p->tcp = tcp;
    p->fd = tcp ? socket_tcp(&a, false, &err) : socket_udp(&a, false, NULL, &err);
    assert_true(p->fd >= 0);
    assert_int_equal(socket_name(p->fd, &p->at), 0);
    assert_int_equal(pipe(p->stop), 0);
    assert_int_equal(pthread_create(&p->thread, NULL, tcp ? play_tcp : play_udp, p), 0);
}

static void peer_end(struct peer *p) {
    assert_int_equal(write(p->stop[1], "x", 1), 1);
    pthread_join(p->thread, NULL);
    close(p->fd);
    close(p->stop[0]);
    close(p->stop[1]);
}

static struct exchange *start(const struct addr *server, bool tcp, uint32_t timeout_ms) {
    struct err err = {0};
    struct exchange_plan plan = {.server = *server,
                                 .tcp = tcp,
                                 .query = question,
                                 .size = sizeof question,
                                 .timeout_ms = timeout_ms,
                                 .mismatches_max = mismatches_max,
                                 .done = done,
                                 .ctx = &outcome};
    struct exchange *x = exchange_start(loop, &plan, &err);
    if (x == NULL)
        fail_msg("%s", err.text);
    assert_int_equal(outcome.calls, 0); /* never from inside */
    return x;
}

/* Runs one exchange against a server that plays `steps`. */
static void run(const char *host, bool tcp, uint32_t timeout_ms, const enum step *steps) {
    struct peer p = {0};
    for (unsigned i = 0; steps[i] != STEP_END; i++)
        p.steps[i] = steps[i];
    memset(&outcome, 0, sizeof outcome);
    peer_start(&p, host, tcp);
    (void)start(&p.at, tcp, timeout_ms);
    TURN_UNTIL(loop, outcome.calls > 0);
    loop_turn(loop, 1);
    assert_int_equal(outcome.calls, 1);
    peer_end(&p);
}

#define RUN(host, tcp, timeout_ms, ...) run(host, tcp, timeout_ms, (const enum step[]){__VA_ARGS__, STEP_END})

static void expect(int code, unsigned mismatches) {
    assert_int_equal(outcome.result.code, code);
    assert_int_equal(outcome.result.mismatches, mismatches);
    if (code == 0) {
        assert_true(outcome.result.answer.size >= DNS_HEADER);
        assert_int_equal(get_u16(outcome.answer), 0x1234);
        assert_true(outcome.answer[2] & 0x80);
    } else {
        assert_int_equal(outcome.result.answer.size, 0);
    }
}

static void test_good_answers(void **state) {
    static const char *const hosts[] = {"127.0.0.1", "::1"};
    (void)state;
    for (unsigned i = 0; i < (have_ipv6() ? 2 : 1); i++) {
        for (int tcp = 0; tcp <= 1; tcp++) {
            RUN(hosts[i], tcp, 10000, STEP_GOOD);
            expect(0, 0);
            assert_int_equal(outcome.result.answer.size, sizeof question);
            assert_true(addr_is_loopback(&outcome.result.local));
            assert_true(addr_port(&outcome.result.local) >= 1024);
            assert_true(outcome.result.took_ns > 0);
            RUN(hosts[i], tcp, 10000, STEP_BARE_REFUSED);
            expect(0, 0);
            RUN(hosts[i], tcp, 10000, STEP_BIG);
            expect(0, 0);
            assert_int_equal(outcome.result.answer.size, 60000);
        }
    }
}

static void test_forgeries_are_passed_over(void **state) {
    (void)state;
    RUN("127.0.0.1", false, 10000, STEP_WRONG_ID, STEP_NO_QR, STEP_WRONG_CASE, STEP_WRONG_TYPE, STEP_GOOD);
    expect(0, 4);
    assert_int_equal(outcome.result.case_lost, 1); /* no other could have been the server's own */
    RUN("127.0.0.1", false, 10000, STEP_SHORT, STEP_EMPTY, STEP_HALF_QUESTION, STEP_TWO_QUESTIONS, STEP_BARE_NOERROR,
        STEP_GOOD);
    expect(0, 5);
    RUN("127.0.0.1", false, 10000, STEP_FROM_ELSEWHERE, STEP_GOOD);
    expect(0, 0);
}

static void test_only_forgeries(void **state) {
    (void)state;
    RUN("127.0.0.1", false, 300, STEP_WRONG_ID, STEP_WRONG_CASE);
    expect(E_INVALID, 2);
    RUN("127.0.0.1", false, 200, STEP_FROM_ELSEWHERE);
    expect(E_TIMEOUT, 0);
}

static void test_so_many_and_no_more(void **state) {
    (void)state;
    mismatches_max = 3;
    RUN("127.0.0.1", false, 10000, STEP_WRONG_ID, STEP_WRONG_TYPE, STEP_GOOD);
    expect(0, 2);
    RUN("127.0.0.1", false, 60000, STEP_WRONG_ID, STEP_WRONG_TYPE, STEP_WRONG_CASE, STEP_GOOD);
    expect(E_INVALID, 3); /* at once, and the right one comes too late */
    assert_true(outcome.result.took_ns < 50000 * NS_PER_MS);
    mismatches_max = 0;
}

static void test_silence(void **state) {
    struct peer udp = {0}, tcp = {0};
    (void)state;
    udp.steps[0] = STEP_END;
    peer_start(&udp, "127.0.0.1", false);
    (void)start(&udp.at, false, 50);
    TURN_UNTIL(loop, outcome.calls == 1);
    expect(E_TIMEOUT, 0);
    assert_true(outcome.result.took_ns >= 49 * NS_PER_MS);
    peer_end(&udp);
    memset(&outcome, 0, sizeof outcome);
    tcp.steps[0] = STEP_SILENT;
    peer_start(&tcp, "127.0.0.1", true);
    (void)start(&tcp.at, true, 100);
    TURN_UNTIL(loop, outcome.calls == 1);
    expect(E_TIMEOUT, 0);
    peer_end(&tcp);
}

static void test_refused(void **state) {
    static const char *const hosts[] = {"127.0.0.1", "::1"};
    (void)state;
    for (unsigned i = 0; i < (have_ipv6() ? 2 : 1); i++) {
        for (int tcp = 0; tcp <= 1; tcp++) {
            struct addr a = address(hosts[i], 0);
            int fd = tcp ? socket_tcp(&a, false, NULL) : socket_udp(&a, false, NULL, NULL);
            assert_int_equal(socket_name(fd, &a), 0);
            close(fd); /* nobody is there any more */
            memset(&outcome, 0, sizeof outcome);
            (void)start(&a, tcp, 60000);
            TURN_UNTIL(loop, outcome.calls == 1);
            expect(E_SYSTEM, 0);
            assert_int_equal(outcome.result.sys_errno, ECONNREFUSED);
            assert_true(outcome.result.took_ns < 50000 * NS_PER_MS);
        }
    }
}

/* What connect() or send() says at once is told like all else: on the next turn. */
static void test_no_way_there(void **state) {
    struct addr broadcast = address("255.255.255.255", 53);
    (void)state;
    (void)start(&broadcast, false, 60000);
    TURN_UNTIL(loop, outcome.calls == 1);
    expect(E_SYSTEM, 0);
    assert_true(outcome.result.sys_errno == EACCES || outcome.result.sys_errno == ENETUNREACH);
}

static void test_tcp_frames(void **state) {
    (void)state;
    RUN("127.0.0.1", true, 10000, STEP_PIECES);
    expect(0, 0);
    RUN("127.0.0.1", true, 10000, STEP_CUT);
    expect(E_INVALID, 0);
    assert_int_equal(outcome.result.sys_errno, 0);
    RUN("127.0.0.1", true, 10000, STEP_CLOSE);
    expect(E_INVALID, 0);
    RUN("127.0.0.1", true, 10000, STEP_RESET);
    expect(E_SYSTEM, 0);
    assert_int_equal(outcome.result.sys_errno, ECONNRESET);
    RUN("127.0.0.1", true, 10000, STEP_WRONG_ID);
    expect(E_INVALID, 1);
    RUN("127.0.0.1", true, 10000, STEP_EMPTY);
    expect(E_INVALID, 1);
}

static void test_source_address(void **state) {
    struct addr server = address("127.0.0.1", 1), source = address("127.0.0.77", 0), wrong = address("192.0.2.1", 0);
    struct exchange_plan plan = {.server = server, .source = &source, .query = question, .size = sizeof question};
    struct err err = {0};
    (void)state;
    plan.timeout_ms = 10000;
    plan.done = done;
    plan.ctx = &outcome;
    for (int tcp = 0; tcp <= 1; tcp++) {
        plan.tcp = tcp;
        plan.source = &source;
        outcome.calls = 0;
        assert_non_null(exchange_start(loop, &plan, &err));
        TURN_UNTIL(loop, outcome.calls == 1);
        assert_true(addr_same_host(&outcome.result.local, &source));
        plan.source = &wrong;
        assert_null(exchange_start(loop, &plan, &err));
        assert_non_null(strstr(err.text, "192.0.2.1"));
    }
}

static void test_questions_that_are_none(void **state) {
    uint8_t query[sizeof question];
    struct exchange_plan plan = {.server = address("127.0.0.1", 1), .query = query, .timeout_ms = 100, .done = done};
    struct err err = {0};
    (void)state;
    plan.ctx = &outcome;
    memcpy(query, question, sizeof query);
    for (plan.size = 0; plan.size < sizeof query; plan.size++)
        assert_null(exchange_start(loop, &plan, &err));
    query[DNS_HEADER] = 0xc0; /* our own question is not compressed */
    assert_null(exchange_start(loop, &plan, &err));
    memcpy(query, question, sizeof query);
    query[5] = 2;
    assert_null(exchange_start(loop, &plan, &err));
    assert_int_equal(err.code, E_INVALID);
    plan.server = (struct addr){.sa.sa_family = AF_UNSPEC};
    query[5] = 1;
    assert_null(exchange_start(loop, &plan, &err));
    loop_turn(loop, 1);
    assert_int_equal(outcome.calls, 0);
}

static void test_no_descriptor_left(void **state) {
    struct rlimit before, none;
    struct exchange_plan plan = {.server = address("127.0.0.1", 1), .query = question, .size = sizeof question};
    struct err err = {0};
    (void)state;
    plan.timeout_ms = 100;
    plan.done = done;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_null(exchange_start(loop, &plan, &err));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(err.code, E_FULL);
}

static void test_ports_are_spread(void **state) {
    enum { COUNT = 64 };
    uint16_t ports[COUNT];
    unsigned same = 0, low = 0;
    struct addr nobody = address("127.0.0.1", 1);
    (void)state;
    for (unsigned i = 0; i < COUNT; i++) {
        outcome.calls = 0;
        (void)start(&nobody, false, 10000);
        TURN_UNTIL(loop, outcome.calls == 1);
        ports[i] = addr_port(&outcome.result.local);
        assert_true(ports[i] >= 1024);
        low += ports[i] < 32768; /* where the kernel itself would not go */
        for (unsigned k = 0; k < i; k++)
            same += ports[k] == ports[i];
    }
    assert_true(same <= 2);
    assert_true(low > 8 && low < COUNT - 8);
}

static void test_cancel_in_any_state(void **state) {
    struct peer p = {0};
    struct addr unreachable = address("255.255.255.255", 53);
    (void)state;
    p.steps[0] = STEP_GOOD;
    peer_start(&p, "127.0.0.1", false);
    exchange_cancel(start(&p.at, false, 10000)); /* at once */
    struct exchange *x = start(&p.at, false, 10000);
    loop_turn(loop, 0);
    exchange_cancel(x);
    exchange_cancel(start(&unreachable, false, 10000)); /* failed, not told yet */
    peer_end(&p);
    struct peer t = {0};
    t.steps[0] = STEP_PIECES;
    peer_start(&t, "127.0.0.1", true);
    x = start(&t.at, true, 10000);
    for (unsigned i = 0; i < 4; i++)
        loop_turn(loop, 2);
    if (outcome.calls == 0) /* the pieces take longer than that, but who knows */
        exchange_cancel(x);
    outcome.calls = 0;
    for (unsigned i = 0; i < 10; i++)
        loop_turn(loop, 2);
    assert_int_equal(outcome.calls, 0);
    peer_end(&t);
    exchange_cancel(NULL);
}

/* The next question is asked from inside the answer of the last, as a forwarder does. */
static struct addr chain_to;
static void chain(void *ctx, const struct exchange_result *r) {
    struct outcome *o = ctx;
    o->result = *r;
    if (++o->calls == 10)
        return;
    struct exchange_plan plan = {.server = chain_to, .tcp = o->calls % 2, .query = question, .size = sizeof question};
    plan.timeout_ms = 10000;
    plan.done = chain;
    plan.ctx = o;
    assert_non_null(exchange_start(loop, &plan, NULL));
}

static void test_next_from_inside_done(void **state) {
    struct exchange_result none = {.code = 0};
    (void)state;
    chain_to = address("127.0.0.1", 1);
    chain(&outcome, &none);
    TURN_UNTIL(loop, outcome.calls == 10);
    assert_int_equal(outcome.result.code, E_SYSTEM);
}

static void test_many_left_to_loop_close(void **state) {
    struct peer p = {0};
    (void)state;
    p.steps[0] = STEP_END;
    peer_start(&p, "127.0.0.1", true);
    for (unsigned i = 0; i < 50; i++) {
        (void)start(&p.at, true, 60000);
        (void)start(&p.at, false, 60000);
    }
    loop_turn(loop, 0);
    peer_end(&p);
    outcome.calls = 0; /* the UDP ones were refused, perhaps */
    loop_close(loop);
    assert_int_equal(outcome.calls, 0);
    assert_int_equal(loop_open(&loop, NULL), 0);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_good_answers),
        T(test_forgeries_are_passed_over),
        T(test_only_forgeries),
        T(test_so_many_and_no_more),
        T(test_silence),
        T(test_refused),
        T(test_no_way_there),
        T(test_tcp_frames),
        T(test_source_address),
        T(test_questions_that_are_none),
        T(test_no_descriptor_left),
        T(test_ports_are_spread),
        T(test_cancel_in_any_state),
        T(test_next_from_inside_done),
        T(test_many_left_to_loop_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
