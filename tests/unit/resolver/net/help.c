#include "tests/unit/resolver/net/help.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "resolver/net/socket.h"

bool turn_again(struct loop *l, int64_t *until) {
    int64_t now = clock_mono_ms();
    if (*until == 0)
        *until = now + PATIENCE_MS;
    loop_turn(l, TURN_MS);
    return now < *until;
}

struct addr address(const char *text, uint16_t port) {
    struct addr a;
    assert_int_equal(addr_parse(&a, text, 53, NULL), 0);
    addr_set_port(&a, port);
    return a;
}

bool have_ipv6(void) {
    struct addr a = address("::1", 0);
    int fd = socket_udp(&a, false, NULL, NULL);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static size_t answer(struct rig *r, const struct client *c, const uint8_t *msg, size_t size, uint8_t *reply,
                     size_t cap) {
    switch (r->mode) {
    case MODE_ECHO:
        assert_true(size <= cap);
        memcpy(reply, msg, size);
        if (size > 2)
            reply[2] |= 0x80;
        return size;
    case MODE_KEEP:
        assert_true(r->kept_count < KEPT_MAX && size <= sizeof r->kept[0].msg);
        r->kept[r->kept_count].client = *c;
        r->kept[r->kept_count].size = size;
        memcpy(r->kept[r->kept_count].msg, msg, size);
        r->kept_count++;
        return 0;
    case MODE_INSIDE:
        server_reply(r->server, c, msg, size);
        return 0;
    case MODE_LONG:
        memset(reply, 7, 60000);
        return 60000;
    case MODE_TOO_LONG:
        return cap + 1;
    case MODE_SILENT:
        break;
    }
    return 0;
}

static size_t handle(void *ctx, const struct client *c, const uint8_t *msg, size_t size, uint8_t *reply, size_t cap) {
    struct rig *r = ctx;
    assert_true(r->in_batch);
    r->seen++;
    r->last = *c;
    r->last_size = size;
    if (++r->in_this_batch > r->most_in_batch)
        r->most_in_batch = r->in_this_batch;
    if (r->meddle != NULL)
        r->meddle(r, c, msg, size);
    return answer(r, c, msg, size, reply, cap);
}

static void batch(void *ctx, bool begin) {
    struct rig *r = ctx;
    assert_int_not_equal(r->in_batch, begin);
    r->in_batch = begin;
    r->batches += begin;
    r->in_this_batch = 0;
}

void rig_serve(struct rig *r) {
    struct err err = {0};
    int rc = server_open(&r->server, r->loop, &r->sockets, handle, batch, r, &r->worker, &err);
    if (rc != 0)
        fail_msg("%s", err.text);
}

void rig_open(struct rig *r, const char *listen) {
    struct addr a = address(listen, 0);
    struct err err = {0};
    memset(r, 0, sizeof *r);
    assert_int_equal(loop_open(&r->loop, &err), 0);
    r->sockets.count = 1;
    r->sockets.at[0].udp = socket_udp(&a, true, NULL, &err);
    r->sockets.at[0].tcp = socket_tcp(&a, true, &err);
    assert_true(r->sockets.at[0].udp >= 0 && r->sockets.at[0].tcp >= 0);
    assert_int_equal(socket_name(r->sockets.at[0].udp, &r->udp), 0);
    assert_int_equal(socket_name(r->sockets.at[0].tcp, &r->tcp), 0);
    rig_serve(r);
}

void rig_close(struct rig *r) {
    server_close(r->server);
    loop_close(r->loop);
    assert_false(r->in_batch);
    close(r->sockets.at[0].udp);
    close(r->sockets.at[0].tcp);
}

void rig_reply(struct rig *r, unsigned kept) {
    struct kept *k = &r->kept[kept];
    server_reply(r->server, &k->client, k->msg, k->size);
}

int ask_udp(const char *host, const struct addr *port_of) {
    struct addr a = address(host, addr_port(port_of));
    int fd = socket(addr_family(&a), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, &a.sa, addr_len(&a)), 0);
    return fd;
}

int ask_tcp(const char *host, const struct addr *port_of, const char *source) {
    struct addr a = address(host, addr_port(port_of));
    int fd = socket(addr_family(&a), SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (source != NULL) {
        struct addr from = address(source, 0);
        assert_int_equal(bind(fd, &from.sa, addr_len(&from)), 0);
    }
    assert_int_equal(connect(fd, &a.sa, addr_len(&a)), 0);
    return fd;
}

void make_message(uint8_t *msg, size_t size, uint16_t id) {
    for (size_t i = 0; i < size; i++)
        msg[i] = (uint8_t)((i * 7 + id) & 0x7f);
    if (size >= 2) {
        msg[0] = (uint8_t)(id >> 8);
        msg[1] = (uint8_t)id;
    }
}

void assert_echo(const uint8_t *got, size_t got_size, uint16_t id, size_t size) {
    static uint8_t want[LIMIT_MESSAGE];
    make_message(want, size, id);
    if (size > 2)
        want[2] |= 0x80;
    assert_int_equal(got_size, size);
    assert_memory_equal(got, want, size);
}

size_t make_frame(uint8_t *to, size_t size, uint16_t id) {
    to[0] = (uint8_t)(size >> 8);
    to[1] = (uint8_t)size;
    make_message(to + 2, size, id);
    return size + 2;
}

void send_all_of(int fd, const void *from, size_t size) {
    assert_int_equal(send(fd, from, size, MSG_NOSIGNAL), (ssize_t)size);
}

void read_exactly(struct rig *r, int fd, uint8_t *to, size_t size) {
    size_t got = 0;
    int64_t until = 0;
    while (got < size) {
        ssize_t n = recv(fd, to + got, size - got, MSG_DONTWAIT);
        if (n > 0)
            got += (size_t)n;
        else if (n == 0 || (errno != EAGAIN && errno != EINTR))
            fail_msg("connection ended after %zu of %zu octets", got, size);
        else
            assert_true(turn_again(r->loop, &until));
    }
}

size_t read_frame_of(struct rig *r, int fd, uint8_t *to) {
    uint8_t head[2];
    read_exactly(r, fd, head, 2);
    size_t size = get_u16(head);
    read_exactly(r, fd, to, size);
    return size;
}

void expect_end(struct rig *r, int fd) {
    uint8_t junk[4096];
    int64_t until = 0;
    for (;;) {
        ssize_t n = recv(fd, junk, sizeof junk, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno == ECONNRESET))
            return;
        if (n < 0)
            assert_true(turn_again(r->loop, &until));
    }
}

void expect_quiet(struct rig *r, int fd) {
    uint8_t byte;
    for (unsigned i = 0; i < 5; i++)
        loop_turn(r->loop, 1);
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
}
