/* Reports on the wire, and a sender with a monitor that answers, lies, or says nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "health/report/sender.h"
#include "resolver/base/clock.h"
#include "resolver/dns/writer.h"
#include "resolver/net/server.h"
#include "resolver/net/socket.h"

#include <unistd.h>

static struct report full(void) {
    struct report r = {.node = "scan1",
                       .version = "0.1.0",
                       .boot = UINT64_MAX,
                       .sequence = 7,
                       .wall_ms = INT64_C(1) << 53,
                       .revision = 99,
                       .lag_ms = UINT32_MAX,
                       .overall = VERDICT_UNKNOWN,
                       .ready = true,
                       .cause = "worker:answers (worker 2): no answer"};
    for (int s = 0; s < SCOPE_COUNT; s++)
        r.scope[s] = (uint8_t)(s % (REPORT_ABSENT + 1));
    return r;
}

static void reports(void **ctx) {
    (void)ctx;
    uint8_t wire[REPORT_OPTION_MAX];
    struct report r = full(), back;
    int size = report_write(&r, wire, sizeof wire);
    assert_true(size > 0);
    assert_int_equal(report_read(&back, (struct bytes){wire, (size_t)size}), 0);
    assert_memory_equal(&back.scope, &r.scope, sizeof r.scope);
    assert_string_equal(back.node, r.node);
    assert_string_equal(back.cause, r.cause);
    assert_true(back.boot == r.boot && back.sequence == r.sequence && back.wall_ms == r.wall_ms);
    assert_true(back.lag_ms == r.lag_ms && back.ready && back.overall == r.overall && back.revision == 99);
    for (size_t cut = 0; cut < (size_t)size; cut++) {
        assert_true(report_read(&back, (struct bytes){wire, cut}) < 0);
        assert_int_equal(report_write(&r, wire + sizeof wire - cut, cut), E_FULL);
        size = report_write(&r, wire, sizeof wire);
    }
}

/* Each octet replaced by each value: never read as anything that does not fit its type. */
static void hostile(void **ctx) {
    (void)ctx;
    uint8_t wire[REPORT_OPTION_MAX], copy[REPORT_OPTION_MAX];
    struct report r = full(), back;
    int size = report_write(&r, wire, sizeof wire);
    for (int at = 0; at < size; at++)
        for (unsigned v = 0; v < 256; v++) {
            memcpy(copy, wire, sizeof copy);
            copy[at] = (uint8_t)v;
            if (report_read(&back, (struct bytes){copy, (size_t)size}) < 0)
                continue;
            assert_true(back.overall < VERDICT_STATES && back.node[0] != '\0' && back.boot != 0);
            for (int s = 0; s < SCOPE_COUNT; s++)
                assert_true(back.scope[s] <= REPORT_ABSENT);
            for (const char *c = back.cause; *c != '\0'; c++)
                assert_true(*c >= ' ' && *c <= '~');
        }
    copy[0] = 0;
    memcpy(copy, wire, sizeof copy);
    copy[0] = REPORT_VERSION + 1;
    assert_int_equal(report_read(&back, (struct bytes){copy, (size_t)size}), E_UNSUPPORTED);
    memcpy(copy, wire, sizeof copy);
    copy[1] = 2; /* an acknowledgement is no report */
    assert_int_equal(report_read(&back, (struct bytes){copy, (size_t)size}), E_UNSUPPORTED);
}

static void acks(void **ctx) {
    (void)ctx;
    uint8_t wire[128];
    struct report_ack a = {.monitor = "mon", .boot = 3, .sequence = 4, .wall_ms = 5, .missed = 6, .asked_ago_ms = 7},
                      back;
    int size = report_ack_write(&a, wire, sizeof wire);
    assert_true(size > 0);
    assert_int_equal(report_ack_read(&back, (struct bytes){wire, (size_t)size}), 0);
    assert_string_equal(back.monitor, "mon");
    assert_true(back.boot == 3 && back.sequence == 4 && back.wall_ms == 5 && back.missed == 6);
    assert_int_equal(back.asked_ago_ms, 7);
    for (size_t cut = 0; cut < (size_t)size; cut++)
        if (cut != (size_t)size - 4) /* that field may be missing */
            assert_true(report_ack_read(&back, (struct bytes){wire, cut}) < 0);
    assert_int_equal(report_ack_read(&back, (struct bytes){wire, (size_t)size - 4}), 0);
    assert_int_equal(back.asked_ago_ms, -1);
    a.asked_ago_ms = -1;
    size = report_ack_write(&a, wire, sizeof wire);
    assert_int_equal(report_ack_read(&back, (struct bytes){wire, (size_t)size}), 0);
    assert_int_equal(back.asked_ago_ms, -1);
    struct report r;
    assert_int_equal(report_read(&r, (struct bytes){wire, (size_t)size}), E_UNSUPPORTED);
}

/* --- a sender, and a monitor of the test's own that does as it is told */

enum manner { HONEST, MUTE, REFUSES, UNSIGNED, OTHER_NUMBER, OTHER_KEY };

struct monitor {
    enum manner manner;
    struct tsig_keys *keys, *foreign;
    struct server *server;
    struct server_sockets sockets;
    unsigned asked;
};

static const struct conf_key key = {"r.", "hmac-sha256", "c2VjcmV0c2VjcmV0c2VjcmV0", ""};
static const struct conf_key other = {"r.", "hmac-sha256", "b3RoZXJvdGhlcm90aGVyb3RoZXI=", ""};

static size_t respond(void *ctx, const struct client *c, const uint8_t *msg, size_t size, uint8_t *reply, size_t cap) {
    struct monitor *m = ctx;
    struct dns_query q;
    struct tsig t;
    struct report r;
    struct bytes data;
    uint8_t payload[128], option[160];
    (void)c;
    m->asked++;
    if (m->manner == MUTE || dns_query_read(&q, msg, size) != 0)
        return 0;
    assert_int_equal(tsig_check(&t, m->keys, msg, size, clock_wall_ms() / 1000), 0);
    assert_non_null(t.key);
    assert_int_equal(report_option(&data, msg, size), 0);
    assert_int_equal(report_read(&r, data), 0);
    struct report_ack a = {.monitor = "mon", .boot = r.boot, .wall_ms = clock_wall_ms() + 5000};
    a.sequence = r.sequence + (m->manner == OTHER_NUMBER);
    int n = report_ack_write(&a, payload, sizeof payload);
    n = dns_option_put(option, 0, sizeof option, REPORT_OPTION, (struct bytes){payload, (size_t)n});
    struct dns_opt opt = DNS_OPT_INIT(1232);
    opt.options = (struct bytes){option, (size_t)n};
    struct dns_writer w;
    dns_writer_open(&w, reply, cap, q.header.id, FLAG_QR, 0);
    dns_writer_question(&w, &q.qname, q.qtype, q.qclass);
    dns_writer_opt(&w, &opt);
    n = dns_writer_end(&w, 0, m->manner == REFUSES ? RCODE_REFUSED : 0);
    if (m->manner == OTHER_KEY) {
        struct name name;
        assert_int_equal(name_from_text(&name, "r.", NULL), 0);
        t.key = tsig_keys_find(m->foreign, &name);
    }
    return m->manner == UNSIGNED ? (size_t)n : (size_t)tsig_reply(&t, reply, (size_t)n, cap, clock_wall_ms() / 1000);
}

struct play {
    struct loop *loop;
    struct monitor m;
    struct sender *s;
    struct conf conf;
    struct conf_sink sink;
};

static void play_open(struct play *p, enum manner manner) {
    struct err err = {.text = ""};
    struct addr at;
    memset(p, 0, sizeof *p);
    p->m.manner = manner;
    assert_int_equal(loop_open(&p->loop, &err), 0);
    assert_int_equal(tsig_keys_open(&p->m.keys, &key, 1, &err), 0);
    assert_int_equal(tsig_keys_open(&p->m.foreign, &other, 1, &err), 0);
    assert_int_equal(addr_parse(&at, "127.0.0.1@1", 0, &err), 0);
    at.in.sin_port = 0; /* any */
    p->m.sockets.at[0].udp = socket_udp(&at, false, NULL, &err);
    assert_true(p->m.sockets.at[0].udp >= 0);
    p->m.sockets.at[0].tcp = -1;
    p->m.sockets.count = 1;
    assert_int_equal(server_open(&p->m.server, p->loop, &p->m.sockets, respond, NULL, &p->m, NULL, &err), 0);
    p->sink.key = "r.";
    assert_int_equal(socket_name(p->m.sockets.at[0].udp, &p->sink.address), 0);
    p->conf.rbl.keys = (struct conf_key *)&key;
    p->conf.rbl.key_count = 1;
    p->conf.health.datagram = &p->sink;
    p->conf.health.datagram_count = 1;
    p->conf.health.interval.push_ms = 100;
    assert_int_equal(sender_open(&p->s, p->loop, &p->conf, &err), 0);
    assert_int_equal(sender_count(p->s), 1);
}

static uint64_t results(const struct play *p) {
    const struct sender_target *t = sender_target(p->s, 0);
    return t->results[0] + t->results[1] + t->results[2];
}

static void play_until(struct play *p, uint64_t n) {
    for (int i = 0; i < 1000 && results(p) < n; i++)
        loop_turn(p->loop, 20);
    assert_int_equal(results(p), n);
}

static void play_close(struct play *p) {
    sender_close(p->s);
    server_close(p->m.server);
    loop_close(p->loop);
    close(p->m.sockets.at[0].udp);
    tsig_keys_close(p->m.keys);
    tsig_keys_close(p->m.foreign);
}

static void heard(void **ctx) {
    (void)ctx;
    struct play p;
    struct report r = full();
    play_open(&p, HONEST);
    r.sequence = 1;
    sender_send(p.s, &r);
    play_until(&p, 1);
    const struct sender_target *t = sender_target(p.s, 0);
    assert_int_equal(t->results[SENDER_ACKNOWLEDGED], 1);
    assert_int_equal(t->sequence, 1);
    assert_string_equal(t->monitor, "mon");
    assert_string_equal(t->trouble, "");
    assert_true(t->clock_offset_ms > 1000 && t->clock_offset_ms < 10000);
    r.sequence = 2;
    sender_send(p.s, &r);
    play_until(&p, 2);
    assert_int_equal(sender_target(p.s, 0)->sequence, 2);
    play_close(&p);
}

static void not_heard(void **ctx) {
    (void)ctx;
    static const enum manner bad[] = {REFUSES, UNSIGNED, OTHER_NUMBER, OTHER_KEY};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct play p;
        struct report r = full();
        play_open(&p, bad[i]);
        sender_send(p.s, &r);
        play_until(&p, 1);
        const struct sender_target *t = sender_target(p.s, 0);
        assert_int_equal(t->results[SENDER_REFUSED], 1);
        assert_int_equal(t->acked_mono_ms, 0);
        assert_true(t->trouble[0] != '\0');
        play_close(&p);
    }
}

static void silence(void **ctx) {
    (void)ctx;
    struct play p;
    struct report r = full();
    play_open(&p, MUTE);
    sender_send(p.s, &r);
    play_until(&p, 1);
    assert_int_equal(sender_target(p.s, 0)->results[SENDER_SILENT], 1);
    assert_int_equal(p.m.asked, SENDER_TRIES);
    /* The next report does not wait for one that is under way. */
    sender_send(p.s, &r);
    sender_send(p.s, &r);
    assert_int_equal(sender_target(p.s, 0)->results[SENDER_SILENT], 2);
    play_close(&p);
}

static void keys(void **ctx) {
    (void)ctx;
    struct loop *l;
    struct sender *s;
    struct err err = {.text = ""};
    struct conf_sink sink = {.key = "unknown."};
    struct conf conf = {.rbl = {.keys = (struct conf_key *)&key, .key_count = 1}};
    conf.health.datagram = &sink;
    conf.health.datagram_count = 1;
    assert_int_equal(loop_open(&l, &err), 0);
    assert_int_equal(sender_open(&s, l, &conf, &err), E_NOTFOUND);
    assert_non_null(strstr(err.text, "unknown."));
    assert_null(s);
    sink.key = "";
    assert_int_equal(sender_open(&s, l, &conf, &err), E_INVALID);
    loop_close(l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports),   cmocka_unit_test(hostile), cmocka_unit_test(acks), cmocka_unit_test(heard),
        cmocka_unit_test(not_heard), cmocka_unit_test(silence), cmocka_unit_test(keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
