#include "tests/unit/resolver/net/talk.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "resolver/net/socket.h"

void stream_message(uint8_t *msg, size_t size, uint32_t number) {
    memset(msg, (int)(number & 0xff), size);
    put_u32(msg, number);
}

static void on_up(void *ctx, struct session *s, const struct addr *local) {
    struct talk *t = ctx;
    assert_false(t->opening);
    assert_int_equal(t->ups++, 0);
    t->local = *local;
    if (t->send_in_up) {
        uint8_t msg[20];
        make_message(msg, sizeof msg, 4711);
        assert_int_equal(session_send(s, msg, sizeof msg), 0);
    }
    if (t->close_in_up) {
        session_close(s);
        t->s = NULL;
    }
}

static void on_message(void *ctx, struct session *s, const uint8_t *msg, size_t size) {
    struct talk *t = ctx;
    assert_true(t->ups == 1 && t->downs == 0 && t->s == s);
    t->messages++;
    t->octets += size;
    memcpy(t->last, msg, size);
    t->last_size = size;
    if (t->counted) {
        assert_int_equal(get_u32(msg), t->next++);
        for (size_t i = 4; i < size; i += 997)
            assert_int_equal(msg[i], get_u32(msg) & 0xff);
    }
    if (t->messages == t->pause_after)
        session_pause(s, true);
    if (t->close_in_message) {
        session_close(s);
        assert_int_equal(session_send(s, msg, size), E_CLOSED);
        t->s = NULL;
    }
}

static void on_down(void *ctx, struct session *s, const struct err *why) {
    struct talk *t = ctx;
    uint8_t msg[12] = {0};
    assert_false(t->opening);
    assert_int_equal(t->downs++, 0);
    assert_int_equal(session_send(s, msg, sizeof msg), E_CLOSED);
    t->why = *why;
    t->s = NULL;
}

void talk_open(struct talk *t, struct loop *l, const struct addr *server, struct session_plan *plan) {
    struct session_plan own = {0};
    struct err err = {0};
    if (plan == NULL)
        plan = &own;
    plan->server = *server;
    if (addr_is_any(server))
        plan->server = address("127.0.0.1", addr_port(server));
    if (plan->connect_ms == 0)
        plan->connect_ms = PATIENCE_MS;
    plan->up = on_up;
    plan->message = on_message;
    plan->down = on_down;
    plan->ctx = t;
    t->opening = true;
    if (session_open(&t->s, l, plan, &err) != 0)
        fail_msg("%s", err.text);
    t->opening = false;
}

int listen_raw(struct addr *at, int backlog) {
    struct addr a = address("127.0.0.1", 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, &a.sa, addr_len(&a)), 0);
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(socket_name(fd, at), 0);
    return fd;
}

int accept_raw(struct loop *l, int fd) {
    int64_t until = 0;
    for (;;) {
        int got = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        if (got >= 0)
            return got;
        assert_true(errno == EAGAIN && turn_again(l, &until));
    }
}
