/* TLS on both ends: who is believed and who is not, handshakes that stall, break or are not TLS at all, streams. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/resolver/net/certs.h"
#include "tests/unit/resolver/net/talk.h"

static struct rig rig;
static struct talk talk;
static struct cert authority, stranger, node_a, node_b, old, foreign, later;
static struct tls_context *server_tls, *client_tls;
static unsigned drained, gone;

static void on_event(void *ctx, uint64_t token, enum server_event e) {
    (void)ctx, (void)token;
    drained += e == SERVER_DRAINED;
    gone += e == SERVER_GONE;
}

static struct tls_context *context(bool server, const struct cert *own, const struct cert *ca, bool needed) {
    struct tls_config c = {.server = server, .client_certificate_needed = needed};
    struct tls_context *t = NULL;
    struct err err = {0};
    if (own != NULL) {
        c.certificate = own->certificate_path;
        c.key = own->key_path;
    }
    if (ca != NULL)
        c.ca = ca->certificate_path;
    if (tls_open(&t, &c, &err) != 0)
        fail_msg("%s", err.text);
    return t;
}

/* The rig's server again, with TLS on its TCP socket. */
static void serve(struct rig *r, struct tls_context *t) {
    server_close(r->server);
    r->sockets.at[0].tls = true;
    rig_serve(r);
    server_on_event(r->server, on_event);
    server_use_tls(r->server, t);
}

static int set_up(void **state) {
    memset(&talk, 0, sizeof talk);
    drained = gone = 0;
    rig_open(&rig, "127.0.0.1");
    server_tls = context(true, &node_a, &authority, false);
    client_tls = context(false, NULL, &authority, false);
    serve(&rig, server_tls);
    *state = &rig;
    return 0;
}

static int tear_down(void **state) {
    rig_close(*state);
    tls_close(server_tls);
    tls_close(client_tls);
    return 0;
}

static void start(struct rig *r, struct talk *t, struct tls_context *tls, const char *name) {
    struct session_plan plan = {.tls = tls, .tls_name = name};
    talk_open(t, r->loop, &r->tcp, &plan);
}

static void send_message(struct talk *t, size_t size, uint16_t id) {
    static uint8_t msg[LIMIT_MESSAGE];
    make_message(msg, size, id);
    assert_int_equal(session_send(t->s, msg, size), 0);
}

static uint64_t open_now(struct rig *r) { return board_get(&r->worker.tcp_connections); }

/* Connects, and expects that it works. */
static void expect_good(struct rig *r, struct tls_context *tls, const char *name) {
    struct talk *t = calloc(1, sizeof *t);
    start(r, t, tls, name);
    send_message(t, 20, 5);
    TURN_UNTIL(r->loop, t->messages == 1 || t->downs == 1);
    if (t->downs > 0)
        fail_msg("%s", t->why.text);
    assert_echo(t->last, t->last_size, 5, 20);
    session_close(t->s);
    free(t);
}

/* Connects, and expects that it does not: with this code, and a text that says `word`. */
static void expect_bad(struct rig *r, struct tls_context *tls, const char *name, int code, const char *word) {
    struct talk *t = calloc(1, sizeof *t);
    unsigned before = r->seen;
    start(r, t, tls, name);
    send_message(t, 20, 5);
    TURN_UNTIL(r->loop, t->downs == 1);
    assert_int_equal(t->why.code, code);
    if (strstr(t->why.text, word) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", t->why.text, word);
    assert_int_equal(t->messages, 0);
    assert_int_equal(r->seen, before);
    free(t);
}

/* --- sessions */

static void test_asks_and_hears(void **state) {
    struct rig *r = *state;
    uint64_t in = 0, out = 0;
    start(r, &talk, client_tls, "node-a.test");
    send_message(&talk, 30, 1);
    send_message(&talk, LIMIT_MESSAGE, 2);
    send_message(&talk, 12, 3);
    TURN_UNTIL(r->loop, talk.messages == 3);
    assert_echo(talk.last, talk.last_size, 3, 12);
    session_traffic(talk.s, &in, &out);
    assert_int_equal(in, 3 * 2 + 30 + LIMIT_MESSAGE + 12);
    assert_int_equal(out, in);
    assert_false(server_client_is(r->server, &r->last, "node-b.test")); /* it showed none */
    session_close(talk.s);
    TURN_UNTIL(r->loop, open_now(r) == 0);
}

static void test_fifty_megabytes(void **state) {
    struct rig *r = *state;
    enum { COUNT = 1000 };
    static uint8_t msg[52429];
    unsigned sent = 0;
    bool may = true;
    int64_t until = 0;
    r->mode = MODE_KEEP;
    talk.counted = true;
    start(r, &talk, client_tls, "node-a.test");
    send_message(&talk, 20, 1);
    TURN_UNTIL(r->loop, r->kept_count == 1);
    while (talk.messages < COUNT) {
        while (may && sent < COUNT) {
            stream_message(msg, sizeof msg, sent++);
            may = server_more(r->server, &r->kept[0].client, msg, sizeof msg) == 0;
        }
        assert_true(turn_again(r->loop, &until));
        may |= drained > 0;
        drained = 0;
    }
    assert_int_equal(talk.octets, (uint64_t)COUNT * sizeof msg);
    session_close(talk.s);
    TURN_UNTIL(r->loop, gone == 1 || (server_more(r->server, &r->kept[0].client, msg, 20) != 0 && gone == 1));
}

/* Both at once, more than any buffer between them holds: nobody waits for the other for ever. */
static void test_both_ways(void **state) {
    struct rig *r = *state;
    enum { COUNT = 600 };
    static uint8_t msg[60000];
    unsigned sent = 0;
    int64_t until = 0;
    start(r, &talk, client_tls, "node-a.test");
    make_message(msg, sizeof msg, 1);
    while (talk.messages < COUNT) {
        while (sent < COUNT && session_send(talk.s, msg, sizeof msg) == 0)
            sent++;
        assert_true(turn_again(r->loop, &until));
    }
    assert_int_equal(talk.octets, (uint64_t)COUNT * sizeof msg);
    session_close(talk.s);
}

static void test_pause(void **state) {
    struct rig *r = *state;
    enum { COUNT = 200 };
    talk.pause_after = 2;
    start(r, &talk, client_tls, "node-a.test");
    for (uint16_t i = 0; i < COUNT; i++)
        send_message(&talk, 100, i);
    TURN_UNTIL(r->loop, talk.messages == 2);
    for (unsigned i = 0; i < 20; i++)
        loop_turn(r->loop, 1);
    assert_int_equal(talk.messages, 2);
    talk.pause_after = 0;
    session_pause(talk.s, false);
    TURN_UNTIL(r->loop, talk.messages == COUNT);
    session_close(talk.s);
}

static void test_names(void **state) {
    struct rig *r = *state;
    expect_good(r, client_tls, "node-a.test");
    expect_good(r, client_tls, "node-a.test."); /* as names of the DNS are written */
    expect_good(r, client_tls, "NODE-A.test");
    expect_good(r, client_tls, "127.0.0.1");
    expect_good(r, client_tls, "x.wild.test");
    expect_bad(r, client_tls, "node-b.test", E_DENIED, "node-b.test");
    expect_bad(r, client_tls, "test", E_DENIED, "mismatch");
    expect_bad(r, client_tls, "x.y.wild.test", E_DENIED, "mismatch");
    expect_bad(r, client_tls, "127.0.0.2", E_DENIED, "IP address mismatch");
    expect_bad(r, client_tls, "::1", E_DENIED, "IP address mismatch");
}

static void test_no_name_no_session(void **state) {
    struct rig *r = *state;
    struct session_plan plan = {.server = r->tcp, .connect_ms = 1000, .tls = client_tls};
    struct session *s = NULL;
    struct err err = {0};
    assert_int_equal(session_open(&s, r->loop, &plan, &err), E_INVALID);
    plan.tls_name = "";
    assert_int_equal(session_open(&s, r->loop, &plan, &err), E_INVALID);
    assert_null(s);
}

/* Only not to be overheard: any certificate and no name (RFC 7435). */
static void test_anybody(void **state) {
    struct rig *r = *state;
    struct tls_config config = {.ca = "", .anybody = true};
    struct tls_context *t;
    struct err err;
    config.ca = authority.certificate_path;
    assert_int_equal(tls_open(&t, &config, &err), E_INVALID); /* trust in one, and in anybody */
    config.ca = "";
    assert_int_equal(tls_open(&t, &config, &err), 0);
    expect_good(r, t, "");
    struct tls_context *theirs = context(true, &foreign, NULL, false);
    serve(r, theirs);
    expect_good(r, t, "");
    serve(r, server_tls);
    tls_close(theirs);
    tls_close(t);
}

static void with_server_certificate(struct rig *r, const struct cert *c, const char *word) {
    struct tls_context *t = context(true, c, NULL, false);
    serve(r, t);
    expect_bad(r, client_tls, "node-a.test", E_DENIED, word);
    serve(r, server_tls);
    tls_close(t);
}

static void test_certificates_that_are_not_believed(void **state) {
    struct rig *r = *state;
    with_server_certificate(r, &old, "expired");
    with_server_certificate(r, &later, "not yet valid");
    with_server_certificate(r, &foreign, "issuer");
    expect_good(r, client_tls, "node-a.test");
}

/* A server's own certificate may stand in the file of who is trusted. */
static void test_pinned(void **state) {
    struct rig *r = *state;
    struct tls_context *pin = context(false, NULL, &node_a, false), *other = context(false, NULL, &node_b, false);
    expect_good(r, pin, "node-a.test");
    expect_bad(r, other, "node-a.test", E_DENIED, "certificate");
    tls_close(pin);
    tls_close(other);
}

/* --- clients' certificates */

static void test_client_certificates(void **state) {
    struct rig *r = *state;
    struct tls_context *asks = context(true, &node_a, &authority, true);
    struct tls_context *good = context(false, &node_b, &authority, false);
    struct tls_context *bad = context(false, &foreign, &authority, false);
    serve(r, asks);
    expect_bad(r, client_tls, "node-a.test", E_DENIED, "certificate required");
    expect_bad(r, bad, "node-a.test", E_DENIED, "refused our certificate");
    start(r, &talk, good, "node-a.test");
    send_message(&talk, 20, 1);
    TURN_UNTIL(r->loop, talk.messages == 1);
    assert_true(server_client_is(r->server, &r->last, "node-b.test"));
    assert_true(server_client_is(r->server, &r->last, "node-b.test."));
    assert_false(server_client_is(r->server, &r->last, "node-a.test"));
    assert_false(server_client_is(r->server, &r->last, ""));
    assert_false(server_client_is(r->server, &r->last, "."));
    struct client gone_client = r->last;
    session_close(talk.s);
    TURN_UNTIL(r->loop, open_now(r) == 0);
    assert_false(server_client_is(r->server, &gone_client, "node-b.test"));
    serve(r, server_tls); /* asks, needs none; a wrong one is refused all the same */
    expect_good(r, client_tls, "node-a.test");
    expect_bad(r, bad, "node-a.test", E_DENIED, "refused our certificate");
    tls_close(asks);
    tls_close(good);
    tls_close(bad);
}

/* --- files */

static void copy_file(const char *from, const char *to) {
    char buf[8192];
    FILE *in = fopen(from, "r"), *out = fopen(to, "w");
    assert_true(in != NULL && out != NULL);
    size_t n = fread(buf, 1, sizeof buf, in);
    assert_int_equal(fwrite(buf, 1, n, out), n);
    assert_int_equal(fclose(in) | fclose(out), 0);
}

static void test_reload(void **state) {
    struct rig *r = *state;
    struct err err = {0};
    struct cert now = {0};
    (void)snprintf(now.certificate_path, sizeof now.certificate_path, "%s/now.pem", certs_folder());
    (void)snprintf(now.key_path, sizeof now.key_path, "%s/now.key", certs_folder());
    copy_file(node_a.certificate_path, now.certificate_path);
    copy_file(node_a.key_path, now.key_path);
    struct tls_context *t = context(true, &now, NULL, false);
    int64_t end = tls_not_after(t), wall = clock_wall_s();
    assert_true(end > wall + 80000 && end < wall + 90000);
    serve(r, t);
    start(r, &talk, client_tls, "node-a.test");
    send_message(&talk, 20, 1);
    TURN_UNTIL(r->loop, talk.messages == 1);
    copy_file(node_b.certificate_path, now.certificate_path); /* without its key */
    assert_int_equal(tls_reload(t, &err), E_INVALID);
    expect_good(r, client_tls, "node-a.test");
    copy_file(node_b.key_path, now.key_path);
    assert_int_equal(tls_reload(t, &err), 0);
    expect_good(r, client_tls, "node-b.test");
    expect_bad(r, client_tls, "node-a.test", E_DENIED, "mismatch");
    assert_int_equal(unlink(now.key_path), 0);
    assert_true(tls_reload(t, &err) < 0);
    assert_non_null(strstr(err.text, now.key_path));
    expect_good(r, client_tls, "node-b.test");
    send_message(&talk, 20, 1); /* who was there stays */
    TURN_UNTIL(r->loop, talk.messages == 2);
    session_close(talk.s);
    serve(r, server_tls);
    tls_close(t);
    assert_int_equal(tls_not_after(client_tls), 0);
}

static void test_configurations_that_cannot_be(void **state) {
    struct cert locked = cert_make(&(struct cert_plan){.file = "locked", .signer = &authority, .password = "secret"});
    struct cert twin = node_a;
    (void)state;
    (void)snprintf(twin.key_path, sizeof twin.key_path, "%s", node_b.key_path);
    const struct tls_config bad[] = {
        {.server = true},
        {.server = false},
        {.server = true, .certificate = node_a.certificate_path},
        {.server = true, .key = node_a.key_path, .certificate = ""},
        {.server = true, .certificate = "/nowhere/a.pem", .key = node_a.key_path},
        {.server = true, .certificate = node_a.key_path, .key = node_a.key_path},
        {.server = true, .certificate = node_a.certificate_path, .key = node_a.certificate_path},
        {.server = true, .certificate = twin.certificate_path, .key = twin.key_path},
        {.server = true, .certificate = locked.certificate_path, .key = locked.key_path},
        {.server = true,
         .certificate = node_a.certificate_path,
         .key = node_a.key_path,
         .client_certificate_needed = true},
        {.server = true, .certificate = node_a.certificate_path, .key = node_a.key_path, .ca = "/nowhere/ca.pem"},
        {.server = false, .ca = node_a.key_path},
        {.server = false, .ca = certs_folder()},
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct tls_context *t = NULL;
        struct err err = {0};
        assert_int_equal(tls_open(&t, &bad[i], &err), E_INVALID);
        assert_null(t);
        assert_true(err.text[0] != '\0');
    }
    tls_close(NULL);
    cert_free(&locked);
}

/* --- hands that do not shake */

static void test_silent_client(void **state) {
    struct rig *r = *state;
    struct server_limits l = {10, 10, 10, 150, SERVER_TCP_QUEUE, 0};
    server_set_limits(r->server, &l);
    int fd = ask_tcp("127.0.0.1", &r->tcp, NULL);
    expect_end(r, fd);
    close(fd);
    /* The beginning of a handshake, octet by octet, and then nothing. */
    fd = ask_tcp("127.0.0.1", &r->tcp, NULL);
    for (const char *at = "\x16\x03\x01\x02\x00\x01", *end = at + 6; at < end; at++) {
        send_all_of(fd, at, 1);
        loop_turn(r->loop, 1);
    }
    expect_end(r, fd);
    assert_int_equal(open_now(r), 0);
    close(fd);
}

static void test_silent_server(void **state) {
    struct rig *r = *state;
    struct session_plan plan = {.tls = client_tls, .tls_name = "node-a.test", .connect_ms = 200};
    struct addr at;
    int listening = listen_raw(&at, 4);
    talk_open(&talk, r->loop, &at, &plan);
    int fd = accept_raw(r->loop, listening);
    TURN_UNTIL(r->loop, talk.downs == 1);
    assert_int_equal(talk.why.code, E_TIMEOUT);
    assert_non_null(strstr(talk.why.text, "handshake"));
    close(fd);
    close(listening);
}

static void test_not_tls(void **state) {
    struct rig *r = *state;
    static const char *const words[] = {"HTTP/1.1 400 Bad Request\r\n\r\n", "\x15\x03\x03\x00\x02\x02\x28", "", "\x15"};
    uint8_t frame[64];
    int fd = ask_tcp("127.0.0.1", &r->tcp, NULL); /* a plain question at a port with TLS */
    send_all_of(fd, frame, make_frame(frame, 20, 1));
    expect_end(r, fd);
    close(fd);
    assert_int_equal(r->seen, 0);
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        struct session_plan plan = {.tls = client_tls, .tls_name = "node-a.test"};
        struct addr at;
        int listening = listen_raw(&at, 4);
        memset(&talk, 0, sizeof talk);
        talk_open(&talk, r->loop, &at, &plan);
        fd = accept_raw(r->loop, listening);
        send_all_of(fd, words[i], i == 1 ? 7 : strlen(words[i]));
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
        TURN_UNTIL(r->loop, talk.downs == 1);
        assert_int_equal(talk.why.code, i < 2 ? E_INVALID : E_CLOSED);
        assert_int_equal(talk.ups, 0);
        close(fd);
        close(listening);
    }
}

/* A client of another make. */
static SSL *other_make(SSL_CTX *ctx, int fd) {
    SSL *ssl = SSL_new(ctx);
    assert_non_null(ssl);
    assert_int_equal(SSL_set_fd(ssl, fd), 1);
    SSL_set_connect_state(ssl);
    return ssl;
}

/* Its handshake, while our loop turns. Whether it came to be. */
static bool shake(struct rig *r, SSL *ssl) {
    int64_t until = 0;
    for (;;) {
        ERR_clear_error();
        int rc = SSL_do_handshake(ssl), why = rc == 1 ? 0 : SSL_get_error(ssl, rc);
        if (rc == 1)
            return true;
        if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
            return false;
        assert_true(turn_again(r->loop, &until));
    }
}

struct make {
    int least, most;
    const char *alpn;
    bool good;
};

static void try_make(struct rig *r, const struct make *m) {
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_set_min_proto_version(ctx, m->least), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(ctx, m->most), 1);
    if (m->most < TLS1_2_VERSION)
        assert_int_equal(SSL_CTX_set_cipher_list(ctx, "ALL:@SECLEVEL=0"), 1);
    if (m->alpn != NULL)
        assert_int_equal(SSL_CTX_set_alpn_protos(ctx, (const uint8_t *)m->alpn, (unsigned)strlen(m->alpn)), 0);
    int fd = ask_tcp("127.0.0.1", &r->tcp, NULL);
    struct timeval soon = {.tv_usec = 1000};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon), 0);
    SSL *ssl = other_make(ctx, fd);
    assert_int_equal(shake(r, ssl), m->good);
    if (m->good) {
        const uint8_t *chosen = NULL;
        unsigned size = 0;
        SSL_get0_alpn_selected(ssl, &chosen, &size);
        assert_int_equal(size, m->alpn != NULL ? 3 : 0);
        uint8_t frame[64];
        size_t n = make_frame(frame, 20, 8);
        unsigned before = r->seen;
        for (size_t i = 0; i < n; i++) /* a record for each octet */
            assert_int_equal(SSL_write(ssl, frame + i, 1), 1);
        TURN_UNTIL(r->loop, r->seen == before + 1);
    }
    SSL_free(ssl);
    close(fd);
    SSL_CTX_free(ctx);
    TURN_UNTIL(r->loop, open_now(r) == 0);
}

static void test_other_makes(void **state) {
    struct rig *r = *state;
    static const struct make makes[] = {
        {TLS1_3_VERSION, TLS1_3_VERSION, NULL, true},
        {TLS1_2_VERSION, TLS1_2_VERSION, NULL, true},
        {TLS1_2_VERSION, TLS1_3_VERSION,
         "\x03"
         "dot",
         true},
        {TLS1_2_VERSION, TLS1_3_VERSION,
         "\x02h2\x03"
         "dot",
         true},
        {TLS1_2_VERSION, TLS1_3_VERSION, "\x02h2", false},
        {TLS1_VERSION, TLS1_1_VERSION, NULL, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(makes); i++)
        try_make(r, &makes[i]);
}

/* Cut off at every flight of the handshake and after it. */
static void test_client_leaves(void **state) {
    struct rig *r = *state;
    for (unsigned steps = 0; steps < 6; steps++) {
        SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
        int fd = ask_tcp("127.0.0.1", &r->tcp, NULL);
        struct timeval soon = {.tv_usec = 1000};
        struct linger now = {.l_onoff = 1};
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon), 0);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
        SSL *ssl = other_make(ctx, fd);
        for (unsigned i = 0; i < steps; i++) {
            (void)SSL_do_handshake(ssl);
            loop_turn(r->loop, 1);
        }
        SSL_free(ssl);
        close(fd);
        SSL_CTX_free(ctx);
        for (unsigned i = 0; i < 3; i++)
            loop_turn(r->loop, 1);
        TURN_UNTIL(r->loop, open_now(r) == 0);
    }
    expect_good(r, client_tls, "node-a.test");
}

static void test_no_context_no_service(void **state) {
    struct rig *r = *state;
    serve(r, NULL);
    int fd = ask_tcp("127.0.0.1", &r->tcp, NULL);
    expect_end(r, fd);
    close(fd);
    assert_int_equal(open_now(r), 0);
}

static int make_certificates(void **state) {
    (void)state;
    authority = cert_make(&(struct cert_plan){.file = "authority", .authority = true});
    stranger = cert_make(&(struct cert_plan){.file = "stranger", .authority = true});
    node_a = cert_make(&(struct cert_plan){
        .file = "node-a", .signer = &authority, .says = "DNS:node-a.test,DNS:*.wild.test,IP:127.0.0.1"});
    node_b = cert_make(&(struct cert_plan){.file = "node-b", .signer = &authority, .says = "DNS:node-b.test"});
    old = cert_make(&(struct cert_plan){
        .file = "old", .signer = &authority, .says = "DNS:node-a.test", .from_s = -7200, .to_s = -3600});
    later = cert_make(&(struct cert_plan){
        .file = "later", .signer = &authority, .says = "DNS:node-a.test", .from_s = 3600, .to_s = 7200});
    foreign = cert_make(
        &(struct cert_plan){.file = "foreign", .signer = &stranger, .says = "DNS:node-a.test,DNS:node-b.test"});
    return 0;
}

static int free_certificates(void **state) {
    struct cert *all[] = {&authority, &stranger, &node_a, &node_b, &old, &later, &foreign};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        cert_free(all[i]);
    certs_clean();
    return 0;
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_asks_and_hears), T(test_fifty_megabytes),
        T(test_both_ways),      T(test_pause),
        T(test_names),          T(test_no_name_no_session),
        T(test_anybody),        T(test_certificates_that_are_not_believed),
        T(test_pinned),         T(test_client_certificates),
        T(test_reload),         T(test_configurations_that_cannot_be),
        T(test_silent_client),  T(test_silent_server),
        T(test_not_tls),        T(test_other_makes),
        T(test_client_leaves),  T(test_no_context_no_service),
    };
    return cmocka_run_group_tests(tests, make_certificates, free_certificates);
}
