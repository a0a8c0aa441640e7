/* dnstap into a file, to a receiver, to one that hangs, to none: what is written is read back, and tap_put never waits.
 */
#include <arpa/inet.h>
#include <dnstap.pb-c.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "resolver/base/clock.h"
#include "resolver/tap/tap.h"

enum { PATIENCE_MS = 20000, FILE_MAX = 1 << 20 };

struct world {
    char folder[64], path[128], real[160];
    struct conf_dnstap conf;
    struct board_worker stats;
    struct tap *tap;
    struct addr client, server;
};

static int begin(void **state) {
    struct world *w = *state = calloc(1, sizeof *w);
    assert_non_null(w);
    strcpy(w->folder, "/tmp/tap-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    snprintf(w->path, sizeof w->path, "%s/out", w->folder);
    snprintf(w->real, sizeof w->real, "%s.7", w->path);
    w->conf = (struct conf_dnstap){.socket = "", .file = "", .clients = true, .upstream = true};
    assert_int_equal(addr_parse(&w->client, "192.0.2.1@4000", 53, NULL), 0);
    assert_int_equal(addr_parse(&w->server, "2001:db8::1@53", 53, NULL), 0);
    return 0;
}

static int end(void **state) {
    struct world *w = *state;
    char old[sizeof w->real + 4];
    snprintf(old, sizeof old, "%s.old", w->real);
    (void)unlink(w->path);
    (void)unlink(w->real);
    (void)unlink(old);
    assert_int_equal(rmdir(w->folder), 0);
    free(w);
    return 0;
}

static int open_tap(struct world *w) {
    struct tap_config config = {.conf = &w->conf, .identity = "node/1/7", .worker = 7, .stats = &w->stats};
    return tap_open(&w->tap, &config, NULL);
}

static struct tap_message question(const struct world *w, const char *text) {
    return (struct tap_message){.kind = TAP_CLIENT_QUERY,
                                .proto = PROTO_UDP,
                                .asks = &w->client,
                                .asked_ns = clock_ns(CLOCK_KIND_MONO),
                                .msg = {(const uint8_t *)text, strlen(text)}};
}

static void nap(void) { nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); }

/* Frames before the receiver is ready are dropped: told until one is taken. */
static void put_until_taken(struct world *w) {
    struct tap_message m = question(w, "first");
    uint64_t before = board_get(&w->stats.tap_frames);
    for (int64_t until = clock_mono_ms() + PATIENCE_MS; board_get(&w->stats.tap_frames) == before; nap()) {
        assert_true(clock_mono_ms() < until);
        tap_put(w->tap, &m);
    }
}

/* --- reading what was written */

struct frames {
    uint8_t *at;
    size_t size, pos;
};

static struct frames read_file(const char *path) {
    struct frames f = {.at = malloc(FILE_MAX)};
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    assert_non_null(f.at);
    f.size = fread(f.at, 1, FILE_MAX, in);
    fclose(in);
    assert_true(f.size < FILE_MAX);
    return f;
}

/* The next frame of data; NULL at the end. */
static Dnstap__Dnstap *next(struct frames *f) {
    while (f->pos + 4 <= f->size) {
        uint32_t n = get_u32(f->at + f->pos);
        f->pos += 4;
        if (n == 0) { /* a control frame */
            assert_true(f->pos + 4 <= f->size);
            f->pos += 4 + get_u32(f->at + f->pos);
            continue;
        }
        assert_true(f->pos + n <= f->size);
        Dnstap__Dnstap *d = dnstap__dnstap__unpack(NULL, n, f->at + f->pos);
        assert_non_null(d);
        f->pos += n;
        return d;
    }
    assert_int_equal(f->pos, f->size);
    return NULL;
}

static bool says(const ProtobufCBinaryData *d, const char *text) {
    return d->len == strlen(text) && memcmp(d->data, text, d->len) == 0;
}

/* --- tests */

static void test_off_is_nothing(void **state) {
    struct world *w = *state;
    assert_int_equal(open_tap(w), 0);
    assert_null(w->tap);
    tap_close(w->tap);
}

static void test_a_path_too_long(void **state) {
    struct world *w = *state;
    static char path[5000];
    memset(path, 'x', sizeof path - 1);
    w->conf.file = path;
    assert_true(open_tap(w) < 0);
    assert_null(w->tap);
}

static void check_first(const Dnstap__Dnstap *d) {
    const Dnstap__Message *m = d->message;
    int64_t now_s = clock_wall_s();
    assert_true(says(&d->identity, "node/1/7"));
    assert_int_equal(d->type, DNSTAP__DNSTAP__TYPE__MESSAGE);
    assert_int_equal(m->type, DNSTAP__MESSAGE__TYPE__CLIENT_QUERY);
    assert_int_equal(m->socket_protocol, DNSTAP__SOCKET_PROTOCOL__UDP);
    assert_int_equal(m->socket_family, DNSTAP__SOCKET_FAMILY__INET);
    assert_true(m->query_address.len == 4 && memcmp(m->query_address.data, "\xc0\0\x02\x01", 4) == 0);
    assert_int_equal(m->query_port, 4000);
    assert_false(m->has_response_address || m->has_response_message || m->has_response_time_sec);
    assert_true(says(&m->query_message, "first"));
    assert_true((int64_t)m->query_time_sec > now_s - 100 && (int64_t)m->query_time_sec <= now_s + 1);
    assert_true(m->query_time_nsec < 1000000000);
}

static void check_response(const Dnstap__Message *m, size_t size) {
    assert_int_equal(m->type, DNSTAP__MESSAGE__TYPE__RESOLVER_RESPONSE);
    assert_int_equal(m->socket_protocol, DNSTAP__SOCKET_PROTOCOL__DOT);
    assert_int_equal(m->socket_family, DNSTAP__SOCKET_FAMILY__INET6);
    assert_int_equal(m->response_address.len, 16);
    assert_int_equal(m->response_port, 53);
    assert_false(m->has_query_address || m->has_query_message);
    assert_int_equal(m->response_message.len, size);
    assert_int_equal(m->response_time_sec * 1000000000 + m->response_time_nsec -
                         (m->query_time_sec * 1000000000 + m->query_time_nsec),
                     1500000000);
}

static void test_a_file(void **state) {
    struct world *w = *state;
    static const uint8_t large[LIMIT_MESSAGE];
    w->conf.file = w->path;
    assert_int_equal(open_tap(w), 0);
    put_until_taken(w);
    int64_t now_ns = clock_ns(CLOCK_KIND_MONO);
    struct tap_message m = {.kind = TAP_RESOLVER_RESPONSE,
                            .proto = PROTO_TLS,
                            .answers = &w->server,
                            .asked_ns = now_ns,
                            .answered_ns = now_ns + 1500000000,
                            .msg = {large, sizeof large}};
    tap_put(w->tap, &m);
    m = (struct tap_message){.kind = TAP_FORWARDER_QUERY, .proto = PROTO_TCP, .asked_ns = now_ns};
    tap_put(w->tap, &m);
    tap_close(w->tap);
    struct frames f = read_file(w->real);
    Dnstap__Dnstap *d;
    unsigned firsts = 0;
    while ((d = next(&f)) != NULL && d->message->type == DNSTAP__MESSAGE__TYPE__CLIENT_QUERY) {
        check_first(d);
        firsts++;
        dnstap__dnstap__free_unpacked(d, NULL);
    }
    assert_true(firsts > 0 && d != NULL);
    check_response(d->message, sizeof large);
    dnstap__dnstap__free_unpacked(d, NULL);
    assert_non_null(d = next(&f)); /* without addresses, and empty */
    assert_int_equal(d->message->type, DNSTAP__MESSAGE__TYPE__FORWARDER_QUERY);
    assert_false(d->message->has_socket_family);
    assert_true(d->message->has_query_message && d->message->query_message.len == 0);
    dnstap__dnstap__free_unpacked(d, NULL);
    assert_null(next(&f));
    free(f.at);
}

static void test_the_file_before_is_kept(void **state) {
    struct world *w = *state;
    char old[sizeof w->real + 4];
    struct stat s;
    snprintf(old, sizeof old, "%s.old", w->real);
    w->conf.file = w->path;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(open_tap(w), 0);
        put_until_taken(w);
        tap_close(w->tap);
    }
    assert_int_equal(stat(old, &s), 0);
    assert_true(s.st_size > 0);
}

static void test_a_file_that_cannot_be(void **state) {
    struct world *w = *state;
    struct tap_message m = question(w, "x");
    w->conf.file = "/proc/there/is/none";
    assert_int_equal(open_tap(w), 0);
    for (unsigned i = 0; i < 100; i++)
        tap_put(w->tap, &m);
    assert_int_equal(board_get(&w->stats.tap_drops), 100);
    tap_close(w->tap);
}

static int listener(const char *path) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    strcpy(a.sun_path, path);
    assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 1) == 0);
    return fd;
}

/* Its kernel takes the connection; it itself says nothing, or what is no Frame Stream. */
static void test_a_receiver_that_says_nothing_or_nonsense(void **state) {
    struct world *w = *state;
    static const char nonsense[4096] = "\xff\xff\xff\xff\xff\xff\xff\xff HTTP/1.1 400";
    struct tap_message m = question(w, "x");
    int fd = listener(w->path);
    w->conf.socket = w->path;
    assert_int_equal(open_tap(w), 0);
    int peer = accept(fd, NULL, NULL);
    assert_true(peer >= 0);
    for (unsigned i = 0; i < 20000; i++)
        tap_put(w->tap, &m);
    assert_int_equal(board_get(&w->stats.tap_drops), 20000);
    close(peer);
    peer = accept(fd, NULL, NULL); /* it comes again by itself */
    assert_true(peer >= 0);
    assert_true(send(peer, nonsense, sizeof nonsense, MSG_NOSIGNAL) > 0);
    for (unsigned i = 0; i < 100; i++)
        tap_put(w->tap, &m);
    assert_int_equal(board_get(&w->stats.tap_frames), 0);
    tap_close(w->tap);
    close(peer);
    close(fd);
}

static void exactly(int fd, uint8_t *to, size_t size) {
    for (size_t at = 0; at < size;) {
        ssize_t n = recv(fd, to + at, size - at, 0);
        assert_true(n > 0);
        at += (size_t)n;
    }
}

/* READY comes in, ACCEPT goes out, START comes in; then not one octet is read any more. */
static void test_a_receiver_that_stops_reading(void **state) {
    struct world *w = *state;
    struct tap_message m = question(w, "0123456789abcdef0123456789abcdef0123456789abcdef");
    uint8_t frame[512];
    int fd = listener(w->path);
    w->conf.socket = w->path;
    assert_int_equal(open_tap(w), 0);
    int peer = accept(fd, NULL, NULL);
    assert_true(peer >= 0);
    exactly(peer, frame, 8);
    size_t size = get_u32(frame + 4);
    assert_true(get_u32(frame) == 0 && size <= sizeof frame - 8);
    exactly(peer, frame + 8, size);
    assert_int_equal(get_u32(frame + 8), 4); /* READY */
    put_u32(frame + 8, 1);                   /* ACCEPT, the same content types */
    assert_int_equal(send(peer, frame, 8 + size, MSG_NOSIGNAL), 8 + (ssize_t)size);
    put_until_taken(w);
    for (int64_t until = clock_mono_ms() + PATIENCE_MS; board_get(&w->stats.tap_drops) < 100000;) {
        assert_true(clock_mono_ms() < until);
        tap_put(w->tap, &m);
    }
    assert_true(board_get(&w->stats.tap_frames) > 1);
    tap_close(w->tap);
    close(peer);
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_off_is_nothing, begin, end),
        cmocka_unit_test_setup_teardown(test_a_path_too_long, begin, end),
        cmocka_unit_test_setup_teardown(test_a_file, begin, end),
        cmocka_unit_test_setup_teardown(test_the_file_before_is_kept, begin, end),
        cmocka_unit_test_setup_teardown(test_a_file_that_cannot_be, begin, end),
        cmocka_unit_test_setup_teardown(test_a_receiver_that_says_nothing_or_nonsense, begin, end),
        cmocka_unit_test_setup_teardown(test_a_receiver_that_stops_reading, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
