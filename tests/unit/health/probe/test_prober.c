/* The prober against a scripted name server in the same process: what it must notice, and what it must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "health/probe/prober.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"
#include "resolver/base/rand.h"
#include "resolver/dns/writer.h"
#include "resolver/net/socket.h"

enum { WORKERS = 3, PATIENCE_MS = 30000, SERIAL = 77 };

enum mode { ANSWER, SILENT, SERVFAIL, NO_NSID, OLD_BOOT, HIJACK, NO_RA, LISTS_THE_WORLD, NO_AA };

struct talk {
    struct world *world;
    int fd;
    struct loop_watch *watch; /* NULL: free */
};

struct world {
    struct talk talks[32];
    struct loop *loop;
    struct conf *conf;
    struct board *board;
    struct prober *prober;
    char folder[64];
    int node_udp, node_tcp, upstream;
    struct loop_watch *watches[3];
    enum mode node, forwarder;
    unsigned silent_worker; /* WORKERS: none */
    bool tcp_hangs;
    uint32_t serial[WORKERS];
    unsigned ports_seen, asked;
    uint16_t last_port;
};

static size_t reply_to(struct world *w, enum mode mode, bool node, unsigned worker, const uint8_t *msg, size_t size,
                       uint8_t *to, size_t cap) {
    struct dns_query q;
    struct dns_writer out;
    char nsid[64];
    uint64_t boot = mode == OLD_BOOT ? 0xdead : board_get(&w->board->worker[worker].boot);
    static const uint8_t text[] = {2, 'm', 'e'}, listed[4] = {127, 0, 0, 2}, other[4] = {192, 0, 2, 66};
    if (mode == SILENT || dns_query_read(&q, msg, size) != 0)
        return 0;
    uint16_t flags = FLAG_QR | (q.header.flags & FLAG_RD) | (mode == NO_RA ? 0 : FLAG_RA);
    unsigned rcode = RCODE_NXDOMAIN;
    dns_writer_open(&out, to, cap, q.header.id, flags, OPCODE_QUERY);
    dns_writer_question(&out, &q.qname, q.qtype, q.qclass);
    struct name zone, point, canary;
    assert_int_equal(name_from_text(&zone, "bl.test.", NULL), 0);
    assert_int_equal(name_from_text(&point, "2.0.0.127.bl.test.", NULL), 0);
    assert_int_equal(name_from_text(&canary, "example.com.", NULL), 0);
    if (q.qname.size > 13 && memcmp(q.qname.wire + q.qname.size - 13, "\4size\6server", 13) == 0) {
        unsigned wanted = (unsigned)strtoul((const char *)q.qname.wire + 1, NULL, 10);
        size_t around = DNS_HEADER + q.qname.size + 4 + 12 + DNS_OPT_FIXED;
        rcode = RCODE_NOERROR;
        if (wanted > q.edns.udp_size) {
            flags |= FLAG_TC;
        } else {
            uint8_t filling[4096] = {0}; /* empty strings */
            dns_writer_rr(&out, SECTION_ANSWER, &q.qname, TYPE_TXT, CLASS_CH, 0,
                          (struct bytes){filling, wanted - around});
        }
        struct dns_opt bare = DNS_OPT_INIT(1232);
        dns_writer_opt(&out, &bare);
        int n = dns_writer_end(&out, flags, rcode);
        assert_true(n > 0);
        return (size_t)n;
    }
    if (mode == SERVFAIL) {
        rcode = RCODE_SERVFAIL;
    } else if (q.qclass == CLASS_CH) {
        rcode = RCODE_NOERROR;
        dns_writer_rr(&out, SECTION_ANSWER, &q.qname, TYPE_TXT, CLASS_CH, 0, (struct bytes){text, sizeof(text)});
    } else if (q.qtype == TYPE_SOA && name_equal(&q.qname, &zone)) {
        struct dns_soa soa = {.primary = zone, .contact = zone, .serial = w->serial[worker]};
        rcode = RCODE_NOERROR;
        flags |= mode == NO_AA ? 0 : FLAG_AA;
        dns_writer_soa(&out, SECTION_ANSWER, &q.qname, 60, &soa);
    } else if (name_equal(&q.qname, &canary)) {
        rcode = RCODE_NOERROR;
        dns_writer_a(&out, SECTION_ANSWER, &q.qname, 60, other);
    } else if (name_equal(&q.qname, &point) || (mode == LISTS_THE_WORLD && name_under(&q.qname, &zone))) {
        rcode = RCODE_NOERROR;
        dns_writer_a(&out, SECTION_ANSWER, &q.qname, 60, listed);
    } else if (mode == HIJACK || (node && w->forwarder == HIJACK)) {
        rcode = RCODE_NOERROR;
        dns_writer_a(&out, SECTION_ANSWER, &q.qname, 60, other);
    }
    snprintf(nsid, sizeof(nsid), "node/%llx/%u", (unsigned long long)boot, worker);
    struct dns_opt o = {.udp_size = 1232, .rcode = (uint16_t)rcode, .ede = EDE_NONE, .keepalive = -1};
    o.nsid = node && mode != NO_NSID;
    o.nsid_text = (struct bytes){(const uint8_t *)nsid, strlen(nsid)};
    dns_writer_opt(&out, &o);
    int n = dns_writer_end(&out, flags, rcode);
    assert_true(n > 0);
    return (size_t)n;
}

static void serve_udp(struct world *w, int fd, bool node) {
    uint8_t msg[4096], reply[4096];
    struct sockaddr_storage from;
    socklen_t len = sizeof(from);
    ssize_t n = recvfrom(fd, msg, sizeof(msg), 0, (struct sockaddr *)&from, &len);
    if (n < 0)
        return;
    uint16_t port = ntohs(((struct sockaddr_in *)&from)->sin_port);
    w->asked++;
    w->ports_seen += port != w->last_port;
    w->last_port = port;
    unsigned worker = node ? rand_below(WORKERS) : 0; /* as SO_REUSEPORT picks one by the port */
    if (node && worker == w->silent_worker)
        return;
    size_t size = reply_to(w, node ? w->node : w->forwarder, node, worker, msg, (size_t)n, reply, sizeof(reply));
    if (size > 0)
        (void)!sendto(fd, reply, size, 0, (struct sockaddr *)&from, len);
}

static void node_readable(void *ctx, int events) {
    struct world *w = ctx;
    (void)events;
    serve_udp(w, w->node_udp, true);
}

static void upstream_readable(void *ctx, int events) {
    struct world *w = ctx;
    (void)events;
    serve_udp(w, w->upstream, false);
}

static void talk_end(struct talk *t) {
    if (t->watch == NULL)
        return;
    loop_watch_stop(t->watch);
    close(t->fd);
    *t = (struct talk){0};
}

/* One question, one answer, closed; or nothing at all, for as long as the other side likes. */
static void talk_readable(void *ctx, int events) {
    struct talk *t = ctx;
    struct world *w = t->world;
    uint8_t msg[4096], reply[2 + 4096];
    (void)events;
    ssize_t n = recv(t->fd, msg, sizeof(msg), MSG_DONTWAIT);
    size_t size = 0;
    if (n > 2 && w->tcp_hangs)
        return;
    if (n > 2)
        size = reply_to(w, w->node, true, 1, msg + 2, (size_t)n - 2, reply + 2, sizeof(reply) - 2);
    put_u16(reply, (uint16_t)size);
    if (size > 0)
        (void)!send(t->fd, reply, size + 2, MSG_NOSIGNAL);
    talk_end(t);
}

static void tcp_readable(void *ctx, int events) {
    struct world *w = ctx;
    (void)events;
    int fd = accept(w->node_tcp, NULL, NULL);
    for (size_t i = 0; fd >= 0 && i < ARRAY_SIZE(w->talks); i++) {
        if (w->talks[i].watch != NULL)
            continue;
        w->talks[i] = (struct talk){.world = w, .fd = fd};
        w->talks[i].watch = loop_watch_start(w->loop, fd, LOOP_READ, talk_readable, &w->talks[i]);
        return;
    }
    if (fd >= 0)
        close(fd);
}

static void open_sockets(struct world *w, struct addr *node, struct addr *upstream) {
    struct err err = {0};
    struct addr any = {.in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
    for (int tries = 0;; tries++) { /* the same port for UDP and TCP */
        w->node_udp = socket_udp(&any, false, NULL, &err);
        assert_true(w->node_udp >= 0);
        assert_int_equal(socket_name(w->node_udp, node), 0);
        w->node_tcp = socket_tcp(node, false, &err);
        if (w->node_tcp >= 0)
            break;
        close(w->node_udp);
        assert_true(tries < 100);
    }
    w->upstream = socket_udp(&any, false, NULL, &err);
    assert_true(w->upstream >= 0);
    assert_int_equal(socket_name(w->upstream, upstream), 0);
}

static void fill_board(struct world *w) {
    board_set(&w->board->worker_count, WORKERS);
    for (unsigned i = 0; i < WORKERS; i++) {
        board_set(&w->board->worker[i].boot, 0x1000 + i);
        board_set(&w->board->worker[i].pid, (uint64_t)getpid());
        w->serial[i] = SERIAL;
    }
    for (int i = 0; i < ROLE_COUNT; i++)
        board_claim(&w->board->process[i]);
    board_set(&w->board->zone_count, 1);
    struct board_zone *z = &w->board->zone[0];
    board_zone_open(z);
    snprintf(z->name, sizeof(z->name), "bl.test.");
    snprintf(z->generation, sizeof(z->generation), "g1");
    board_zone_close(z);
    board_set(&z->state, ZONE_OK);
    board_set(&z->serial, SERIAL);
    board_set(&z->commits, 1);
}

static void keep_beating(void *ctx) {
    struct world *w = ctx;
    for (int i = 0; i < ROLE_COUNT; i++)
        board_set(&w->board->process[i].heartbeat_ms, (uint64_t)clock_mono_ms());
    for (int i = 0; i < WORKERS; i++)
        board_set(&w->board->worker[i].heartbeat_ms, (uint64_t)clock_mono_ms());
}

static void judged(void *ctx) { keep_beating(ctx); }

static int set_up(void **state) {
    struct world *w = calloc(1, sizeof(*w));
    struct addr node, upstream;
    struct err err = {0};
    char text[1024];
    log_open("test", LEVEL_ERROR, LOG_FORMAT_LOGFMT, LOG_TARGET_STDERR);
    snprintf(w->folder, sizeof(w->folder), "/tmp/candor-prober-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    open_sockets(w, &node, &upstream);
    snprintf(text, sizeof(text),
             "node: {name: node, state: state, run: .}\n"
             "resolver: {listen: [{address: 127.0.0.1@%u}], workers: %d, forward: [{zone: ., to: [127.0.0.1@%u]}]}\n"
             "rbl: {zones: [{name: bl.test., test: rfc5782-ip4, data: [{type: ip4set, files: [bl]}]}]}\n"
             "health: {interval: {local: 500ms, upstream: 500ms, zones: 1s}}\n",
             addr_port(&node), WORKERS, addr_port(&upstream));
    if (conf_read_text(&w->conf, text, strlen(text), w->folder, "test", &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(mkdir(w->conf->node.state, 0755), 0);
    assert_int_equal(board_attach(&w->board, w->folder, &err), 0);
    w->silent_worker = WORKERS;
    fill_board(w);
    keep_beating(w);
    assert_int_equal(loop_open(&w->loop, &err), 0);
    w->watches[0] = loop_watch_start(w->loop, w->node_udp, LOOP_READ, node_readable, w);
    w->watches[1] = loop_watch_start(w->loop, w->upstream, LOOP_READ, upstream_readable, w);
    w->watches[2] = loop_watch_start(w->loop, w->node_tcp, LOOP_READ, tcp_readable, w);
    assert_int_equal(prober_open(&w->prober, w->loop, w->conf, w->board, judged, w, &err), 0);
    *state = w;
    return 0;
}

static int tear_down(void **state) {
    struct world *w = *state;
    char path[160];
    prober_close(w->prober);
    for (size_t i = 0; i < ARRAY_SIZE(w->talks); i++)
        talk_end(&w->talks[i]);
    for (int i = 0; i < 3; i++)
        loop_watch_stop(w->watches[i]);
    loop_close(w->loop);
    close(w->node_udp);
    close(w->node_tcp);
    close(w->upstream);
    board_detach(w->board);
    static const char *const files[] = {"state/health.canary", "state/health.canary.new", "candor.board"};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", w->folder, files[i]);
        unlink(path);
    }
    snprintf(path, sizeof(path), "%s/state", w->folder);
    rmdir(path);
    rmdir(w->folder);
    conf_free(w->conf);
    free(w);
    return 0;
}

static const struct verdict_check *check(struct world *w, const char *component, const char *measurement) {
    const struct verdict_book *b = prober_book(w->prober);
    for (size_t i = 0; i < b->count; i++)
        if (strcmp(b->checks[i].component, component) == 0 && strcmp(b->checks[i].measurement, measurement) == 0)
            return &b->checks[i];
    fail_msg("no check %s:%s", component, measurement);
    return NULL;
}

/* Turns the loop until the scope is so, within patience. */
static void until(struct world *w, enum verdict_scope scope, enum verdict_state s) {
    int64_t end = clock_mono_ms() + PATIENCE_MS;
    const struct verdict_book *b = prober_book(w->prober);
    while (b->scope[scope].state != s && clock_mono_ms() < end)
        loop_turn(w->loop, 20);
    if (b->scope[scope].state != s)
        fail_msg("%s is %s because of %s", verdict_scope_name(scope), verdict_state_name(b->scope[scope].state),
                 b->checks[b->scope[scope].cause].evidence.came);
}

static void until_well(struct world *w) {
    for (int i = 0; i < SCOPE_COUNT; i++)
        if (prober_book(w->prober)->scope[i].present)
            until(w, (enum verdict_scope)i, VERDICT_PASS);
}

static void says(struct world *w, const char *component, const char *measurement, const char *words) {
    const struct verdict_check *c = check(w, component, measurement);
    if (strstr(c->evidence.came, words) == NULL)
        fail_msg("%s:%s says \"%s\", not \"%s\"", component, measurement, c->evidence.came, words);
}

static void test_all_is_well(void **state) {
    struct world *w = *state;
    size_t cause;
    until_well(w);
    assert_true(verdict_ready(prober_book(w->prober), &cause));
    says(w, "listen", "udp", "all 3 workers answer");
    says(w, "zone", "serial", "serial 77 from");
    assert_true(w->ports_seen * 10 > w->asked * 9); /* a fresh port each time */
    assert_int_equal(prober_tallies(w->prober)->probe[TALLY_WORKER][0][FAMILY_V4].runs[TALLY_FAIL], 0);
    assert_int_not_equal(prober_tallies(w->prober)->worker_answer_wall_ms[2], 0);
}

static void test_one_worker_of_three_is_silent(void **state) {
    struct world *w = *state;
    until_well(w);
    w->silent_worker = 1;
    until(w, SCOPE_WORKER, VERDICT_FAIL);
    says(w, "listen", "udp", "first missing: worker 1");
    const struct verdict_book *b = prober_book(w->prober);
    for (size_t i = 0; i < b->count; i++)
        if (strcmp(b->checks[i].component, "worker") == 0 && strcmp(b->checks[i].measurement, "answers") == 0)
            assert_int_equal(b->checks[i].shown == VERDICT_FAIL, strcmp(b->checks[i].id, "worker 1") == 0);
    w->silent_worker = WORKERS;
    until_well(w);
}

static void test_who_answers_matters(void **state) {
    struct world *w = *state;
    until_well(w);
    w->node = OLD_BOOT;
    until(w, SCOPE_WORKER, VERDICT_FAIL);
    says(w, "listen", "udp", "old process");
    w->node = NO_NSID;
    for (int i = 0; i < 200 && strstr(check(w, "listen", "udp")->evidence.came, "no NSID") == NULL; i++)
        loop_turn(w->loop, 20);
    says(w, "listen", "udp", "no NSID");
    w->node = ANSWER;
    until_well(w);
}

static void test_an_answer_is_not_enough(void **state) {
    struct world *w = *state;
    until_well(w);
    w->node = SERVFAIL;
    until(w, SCOPE_WORKER, VERDICT_FAIL);
    until(w, SCOPE_ZONES, VERDICT_FAIL);
    until(w, SCOPE_RESOLUTION, VERDICT_FAIL);
    says(w, "listen", "udp", "SERVFAIL");
    assert_int_equal(prober_book(w->prober)->scope[SCOPE_UPSTREAM].state, VERDICT_PASS);
    w->node = ANSWER;
    until_well(w);
}

static void test_tcp_alone(void **state) {
    struct world *w = *state;
    until_well(w);
    w->tcp_hangs = true; /* connects are accepted all the same */
    until(w, SCOPE_WORKER, VERDICT_FAIL);
    says(w, "listen", "tcp", "no answer");
    assert_int_equal(check(w, "listen", "udp")->shown, VERDICT_PASS);
}

static void test_a_worker_that_stays_behind(void **state) {
    struct world *w = *state;
    until_well(w);
    w->serial[2] = SERIAL - 1;
    until(w, SCOPE_ZONES, VERDICT_FAIL);
    says(w, "zone", "serial", "worker 2 serves serial 76, committed is 77");
    w->serial[2] = SERIAL;
    until_well(w);
}

static void test_zone_content(void **state) {
    struct world *w = *state;
    until_well(w);
    w->node = LISTS_THE_WORLD;
    until(w, SCOPE_ZONES, VERDICT_FAIL);
    says(w, "zone", "point_unlisted", "lists the world");
    assert_int_equal(check(w, "zone", "point_listed")->shown, VERDICT_PASS);
    w->node = NO_AA;
    until(w, SCOPE_ZONES, VERDICT_FAIL);
    for (int i = 0; i < 500 && check(w, "zone", "serial")->shown != VERDICT_FAIL; i++)
        loop_turn(w->loop, 20);
    says(w, "zone", "serial", "without AA");
}

static void test_forwarders(void **state) {
    struct world *w = *state;
    static const struct {
        enum mode mode;
        enum verdict_state is;
        const char *says;
    } rows[] = {
        {SILENT, VERDICT_FAIL, "no answer"}, {SERVFAIL, VERDICT_FAIL, "SERVFAIL"}, {NO_RA, VERDICT_WARN, "without RA"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t cause;
        w->forwarder = ANSWER;
        until_well(w);
        w->forwarder = rows[i].mode;
        until(w, SCOPE_UPSTREAM, rows[i].is);
        says(w, "upstream", "answers", rows[i].says);
        assert_true(verdict_ready(prober_book(w->prober), &cause)); /* readiness stays */
    }
}

static void test_rewritten_answers(void **state) {
    struct world *w = *state;
    until_well(w);
    w->forwarder = HIJACK;
    until(w, SCOPE_RESOLUTION, VERDICT_FAIL);
    says(w, "canary", "nxdomain", "somebody rewrites");
    assert_int_equal(check(w, "canary", "uncached")->shown, VERDICT_PASS);
}

/* Its own loop stood still: what fell silent meanwhile is not held against anybody. */
static void test_a_late_judge_doubts_itself(void **state) {
    struct world *w = *state;
    until_well(w);
    const struct verdict_book *b = prober_book(w->prober);
    uint64_t failed = b->scope[SCOPE_WORKER].transitions[VERDICT_FAIL];
    for (int i = 0; i < 3; i++) {
        for (int turn = 0; turn < 12; turn++)
            loop_turn(w->loop, 20);
        usleep(1300 * 1000);
    }
    for (int turn = 0; turn < 50; turn++)
        loop_turn(w->loop, 20);
    assert_true(prober_tallies(w->prober)->late >= 3);
    assert_int_equal(b->scope[SCOPE_WORKER].transitions[VERDICT_FAIL], failed);
    until(w, SCOPE_WORKER, VERDICT_PASS);
}

static void test_a_heartbeat_does_not_make_up_for_silence(void **state) {
    struct world *w = *state;
    until_well(w);
    w->node = SILENT;
    for (int i = 0; i < 1000 && check(w, "listen", "udp")->shown != VERDICT_FAIL; i++)
        loop_turn(w->loop, 20);
    until(w, SCOPE_WORKER, VERDICT_FAIL);
    assert_int_equal(prober_book(w->prober)->scope[SCOPE_PROCESS].state, VERDICT_PASS);
    says(w, "listen", "udp", "no answer");
}

static void test_closing_in_mid_probe(void **state) {
    struct world *w = *state;
    w->node = w->forwarder = SILENT;
    for (int turn = 0; turn < 20; turn++)
        loop_turn(w->loop, 10); /* tear_down closes with questions under way */
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_all_is_well),
        TEST(test_one_worker_of_three_is_silent),
        TEST(test_who_answers_matters),
        TEST(test_an_answer_is_not_enough),
        TEST(test_tcp_alone),
        TEST(test_a_worker_that_stays_behind),
        TEST(test_zone_content),
        TEST(test_forwarders),
        TEST(test_rewritten_answers),
        TEST(test_a_late_judge_doubts_itself),
        TEST(test_a_heartbeat_does_not_make_up_for_silence),
        TEST(test_closing_in_mid_probe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
