/* From packet to packet: a fake zone source, a scripted network, hands on the clock. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "resolver/base/clock.h"
#include "resolver/base/own_label.h"
#include "resolver/base/rand.h"
#include "resolver/serve/impl.h"
#include "tests/unit/resolver/iterate/script.h"

static const char CONFIG[] = "resolver:\n"
                             "  allow: [127.0.0.0/8, 192.0.2.0/24, '::1']\n"
                             "  udp-size: 1232\n"
                             "  forward: [{zone: ., to: [198.51.100.1@53]}]\n"
                             "health:\n"
                             "  peers: [{name: peer, resolver: 203.0.113.5@53, health: 203.0.113.6@5380}]\n";

/* --- a zone that holds bl.test.: *.many.bl.test. has 100 A RRs, stale.bl.test. is refused, the rest one A */

struct fake {
    unsigned begun, ended, answered;
};

static void fake_begin(void *self) { ((struct fake *)self)->begun++; }
static void fake_end(void *self) { ((struct fake *)self)->ended++; }

static int fake_zone(void *self, const struct name *qname) {
    struct name zone = script_name("bl.test.");
    (void)self;
    return name_under(qname, &zone) ? 0 : -1;
}

static void fake_answer(void *self, int zone, const struct dns_query *q, const struct addr *client,
                        struct dns_writer *w, struct source_answer *a) {
    struct name many = script_name("many.bl.test."), stale = script_name("stale.bl.test.");
    struct fake *f = self;
    assert_int_equal(zone, 0);
    assert_true(addr_family(client) == AF_INET || addr_family(client) == AF_INET6);
    assert_int_equal(f->begun, f->ended + 1); /* always inside a batch */
    f->answered++;
    if (name_under(&q->qname, &stale)) {
        a->rcode = RCODE_SERVFAIL;
        a->ede = EDE_NOT_READY;
        a->ede_text = "no data yet";
        return;
    }
    unsigned count = name_under(&q->qname, &many) ? 100 : 1;
    for (unsigned i = 0; i < count; i++)
        dns_writer_a(w, SECTION_ANSWER, &q->qname, 60, (const uint8_t[]){127, 0, 0, (uint8_t)(i + 2)});
}

static const struct source_ops fake_ops = {fake_begin, fake_end, fake_zone, fake_answer};

/* --- the world */

struct world {
    struct fake fake;
    struct source source;
    struct script script;
    struct conf *conf;
    struct cache *cache;
    struct board_worker stats;
    struct board board;
    struct resolve *resolve;
    struct serve *serve;
    struct client client;
    uint8_t query[LIMIT_UDP_QUERY], reply[LIMIT_MESSAGE];
    size_t query_size, size;
    struct client late_client;
    uint8_t late[LIMIT_MESSAGE];
    size_t late_size;
    unsigned lates;
};

static int64_t now_s;
static int64_t hands(enum clock_kind kind) {
    (void)kind;
    return now_s * NS_PER_S;
}

static void late(void *ctx, const struct client *c, const uint8_t *msg, size_t size) {
    struct world *w = ctx;
    w->late_client = *c;
    if (size > 0)
        memcpy(w->late, msg, size);
    w->late_size = size;
    w->lates++;
}

static struct addr address(const char *text) {
    struct addr a;
    assert_int_equal(addr_parse(&a, text, 53, NULL), 0);
    return a;
}

static int start(void **state) {
    struct world *w = *state = calloc(1, sizeof *w);
    struct cache_config cache = {.max_ttl_s = 86400, .max_negative_ttl_s = 3600};
    now_s = 1000000;
    clock_set_source(hands);
    assert_non_null(w);
    w->conf = script_conf(CONFIG);
    w->source = (struct source){&fake_ops, &w->fake};
    assert_int_equal(cache_open(&w->cache, &cache, NULL), 0);
    struct resolve_config resolve = {
        .conf = w->conf, .cache = w->cache, .sender = script_sender(&w->script), .stats = &w->stats};
    assert_int_equal(resolve_open(&w->resolve, &resolve, NULL), 0);
    struct serve_config serve = {.conf = w->conf,
                                 .source = &w->source,
                                 .cache = w->cache,
                                 .resolve = w->resolve,
                                 .stats = &w->stats,
                                 .board = &w->board,
                                 .identity = "node/0123456789abcdef/3",
                                 .reply = late,
                                 .reply_ctx = w};
    assert_int_equal(serve_open(&w->serve, &serve, NULL), 0);
    w->client = (struct client){.peer = address("192.0.2.9@4000"), .local = address("192.0.2.1@53")};
    return 0;
}

static int finish(void **state) {
    struct world *w = *state;
    resolve_close(w->resolve);
    assert_int_equal(w->serve->pending, 0);
    serve_close(w->serve);
    cache_close(w->cache);
    conf_free(w->conf);
    assert_int_equal(w->fake.begun, w->fake.ended);
    free(w);
    return 0;
}

/* --- asking */

enum { NO_EDNS = 0 };

static void handle(struct world *w) {
    w->client.arrived_ns = now_s * NS_PER_S;
    serve_batch(w->serve, true);
    w->size = serve_handle(w->serve, &w->client, w->query, w->query_size, w->reply,
                           w->client.proto == PROTO_UDP ? LIMIT_UDP_QUERY : LIMIT_MESSAGE);
    serve_batch(w->serve, false);
}

static void ask_class(struct world *w, const char *name, uint16_t type, uint16_t klass, uint16_t flags,
                      uint16_t udp_size) {
    struct name n = script_name(name);
    struct dns_opt o = {.udp_size = udp_size, .nsid = true, .ede = EDE_NONE, .keepalive = -1};
    int size =
        dns_query_write(w->query, sizeof w->query, 0x1234, flags, &n, type, klass, udp_size == NO_EDNS ? NULL : &o);
    assert_true(size > 0);
    w->query_size = (size_t)size;
    handle(w);
}

static void ask(struct world *w, const char *name, uint16_t type, uint16_t flags, uint16_t udp_size) {
    ask_class(w, name, type, CLASS_IN, flags, udp_size);
}

struct read {
    struct dns_header h;
    struct name qname;
    unsigned answers, authority;
    struct dns_edns edns;
    unsigned rcode;
    uint32_t ttl; /* of the first answer */
    uint8_t value;
};

static struct read read_message(const uint8_t *msg, size_t size) {
    struct read r = {.edns.ede = EDE_NONE};
    struct dns_reader reader;
    struct dns_rr rr;
    uint16_t qtype, qclass;
    int e;
    assert_int_equal(dns_reader_open(&reader, msg, size, &r.qname, &qtype, &qclass), 0);
    r.h = reader.header;
    r.rcode = r.h.rcode;
    assert_true(r.h.flags & FLAG_QR);
    assert_int_equal(r.h.id, 0x1234);
    while ((e = dns_reader_next(&reader, &rr)) == 0) {
        if (rr.type == TYPE_OPT) {
            assert_int_equal(dns_edns_read(&r.edns, &rr, msg, size), 0);
            r.rcode |= (unsigned)r.edns.rcode_high << 4;
        } else if (rr.section == SECTION_ANSWER && r.answers++ == 0) {
            r.ttl = rr.ttl;
            r.value = msg[rr.rdata + rr.rdata_size - 1];
        }
        r.authority += rr.section == SECTION_AUTHORITY;
    }
    assert_int_equal(e, E_NOTFOUND);
    return r;
}

static struct read reply(const struct world *w) {
    assert_true(w->size > 0);
    return read_message(w->reply, w->size);
}

/* --- tests */

static void test_a_zone_answers(void **state) {
    struct world *w = *state;
    ask(w, "X.Bl.tEst.", TYPE_A, FLAG_RD, NO_EDNS);
    struct read r = reply(w);
    assert_int_equal(r.rcode, RCODE_NOERROR);
    assert_int_equal(r.answers, 1);
    assert_true(r.h.flags & FLAG_AA);
    assert_true(r.h.flags & FLAG_RD);
    assert_true(r.h.flags & FLAG_RA);
    assert_false(r.h.flags & (FLAG_AD | FLAG_TC));
    assert_false(r.edns.present);
    assert_memory_equal(r.qname.wire, "\1X\2Bl\4tEst", 11); /* case kept */
    assert_int_equal(board_get(&w->stats.responses[SOURCE_ZONE][RCODE_NOERROR]), 1);
    assert_int_equal(w->script.count, 0);
}

static void test_zones_serve_those_who_may_not_recurse(void **state) {
    struct world *w = *state;
    w->client.peer = address("203.0.113.200@999");
    ask(w, "x.bl.test.", TYPE_A, FLAG_RD, 1232);
    struct read r = reply(w);
    assert_int_equal(r.answers, 1);
    assert_false(r.h.flags & FLAG_RA);
    ask(w, "www.example.", TYPE_A, FLAG_RD, 1232);
    r = reply(w);
    assert_int_equal(r.rcode, RCODE_REFUSED);
    assert_int_equal(r.edns.ede, EDE_PROHIBITED);
    assert_int_equal(w->script.count, 0);
}

static void test_a_zone_in_trouble_says_why(void **state) {
    struct world *w = *state;
    ask(w, "stale.bl.test.", TYPE_A, FLAG_RD, 1232);
    struct read r = reply(w);
    assert_int_equal(r.rcode, RCODE_SERVFAIL);
    assert_int_equal(r.edns.ede, EDE_NOT_READY);
    assert_int_equal(r.edns.ede_text.size, strlen("no data yet"));
    assert_false(r.h.flags & FLAG_AA);
}

static void test_a_zone_answer_too_large_is_truncated(void **state) {
    struct world *w = *state;
    ask(w, "many.bl.test.", TYPE_A, FLAG_RD, NO_EDNS);
    struct read r = reply(w);
    assert_true(w->size <= 512);
    assert_true(r.h.flags & FLAG_TC);
    assert_int_equal(r.answers, 0);
    ask(w, "many.bl.test.", TYPE_A, FLAG_RD, 4096); /* more than our own udp-size */
    r = reply(w);
    assert_true(r.h.flags & FLAG_TC);
    assert_true(r.edns.present && w->size <= 1232);
    assert_int_equal(board_get(&w->stats.truncated), 2);
    w->client.proto = PROTO_TCP;
    ask(w, "many.bl.test.", TYPE_A, FLAG_RD, NO_EDNS);
    r = reply(w);
    assert_false(r.h.flags & FLAG_TC);
    assert_int_equal(r.answers, 100);
}

static void test_forwarded_then_cached(void **state) {
    struct world *w = *state;
    ask(w, "WWW.example.", TYPE_A, FLAG_RD | FLAG_CD, 1232);
    assert_int_equal(w->size, 0);
    assert_int_equal(board_get(&w->stats.in_flight), 1);
    script_answer_a(&w->script, script_last(&w->script), 300, 20);
    assert_int_equal(w->lates, 1);
    assert_true(addr_same(&w->late_client.peer, &w->client.peer));
    struct read r = read_message(w->late, w->late_size);
    assert_int_equal(r.answers, 1);
    assert_int_equal(r.ttl, 300);
    assert_memory_equal(r.qname.wire, "\3WWW\7example", 13);
    assert_true((r.h.flags & (FLAG_RD | FLAG_RA | FLAG_CD)) == (FLAG_RD | FLAG_RA | FLAG_CD));
    assert_false(r.h.flags & (FLAG_AA | FLAG_AD));
    assert_true(r.edns.present);
    assert_int_equal(board_get(&w->stats.in_flight), 0);
    assert_int_equal(board_get(&w->stats.responses[SOURCE_UPSTREAM][RCODE_NOERROR]), 1);

    now_s += 100;
    ask(w, "www.EXAMPLE.", TYPE_A, FLAG_RD | FLAG_CD, NO_EDNS);
    r = reply(w);
    assert_int_equal(r.answers, 1);
    assert_int_equal(r.ttl, 200);
    assert_memory_equal(r.qname.wire, "\3www\7EXAMPLE", 13);
    assert_false(r.edns.present);
    assert_int_equal(w->script.count, 1);
    assert_int_equal(board_get(&w->stats.responses[SOURCE_CACHE][RCODE_NOERROR]), 1);
    assert_int_equal(board_get(&w->stats.cache_hits), 1);
    assert_int_equal(board_get(&w->stats.cache_misses), 1);

    now_s += 200; /* run out */
    ask(w, "www.example.", TYPE_A, FLAG_RD | FLAG_CD, NO_EDNS);
    assert_int_equal(w->size, 0);
    assert_int_equal(w->script.count, 2);
}

static void test_many_askers_one_question(void **state) {
    struct world *w = *state;
    for (unsigned i = 0; i < 50; i++) {
        addr_set_port(&w->client.peer, (uint16_t)(5000 + i));
        ask(w, "www.example.", TYPE_A, FLAG_RD, NO_EDNS);
    }
    assert_int_equal(w->script.count, 1);
    script_answer_a(&w->script, script_last(&w->script), 300, 20);
    assert_int_equal(w->lates, 50);
}

static void test_without_rd_only_what_is_there(void **state) {
    struct world *w = *state;
    ask(w, "www.example.", TYPE_A, 0, 1232);
    struct read r = reply(w);
    assert_int_equal(r.rcode, RCODE_REFUSED);
    assert_true(r.edns.ede != EDE_NONE);
    assert_int_equal(w->script.count, 0);
    ask(w, "www.example.", TYPE_A, FLAG_RD, 1232);
    script_answer_a(&w->script, script_last(&w->script), 300, 20);
    ask(w, "www.example.", TYPE_A, 0, 1232);
    r = reply(w);
    assert_int_equal(r.answers, 1);
    assert_false(r.h.flags & FLAG_RD);
    ask(w, "x.bl.test.", TYPE_A, 0, 1232);
    assert_int_equal(reply(w).answers, 1);
}

static void test_silence_upstream_is_servfail_with_reason(void **state) {
    struct world *w = *state;
    ask(w, "www.example.", TYPE_A, FLAG_RD, 1232);
    while (script_open(&w->script) > 0)
        script_fail(&w->script, script_last(&w->script), E_TIMEOUT);
    assert_int_equal(w->lates, 1);
    struct read r = read_message(w->late, w->late_size);
    assert_int_equal(r.rcode, RCODE_SERVFAIL);
    assert_int_equal(r.edns.ede, EDE_NO_REACHABLE_AUTHORITY);
    assert_int_equal(board_get(&w->stats.responses[SOURCE_UPSTREAM][RCODE_SERVFAIL]), 1);
    unsigned sent = w->script.count;
    ask(w, "www.example.", TYPE_A, FLAG_RD, 1232); /* remembered for a moment */
    r = reply(w);
    assert_int_equal(r.rcode, RCODE_SERVFAIL);
    assert_int_equal(r.edns.ede, EDE_NO_REACHABLE_AUTHORITY);
    assert_int_equal(w->script.count, sent);
    now_s += CACHE_FAILURE_FIRST_S;
    ask(w, "www.example.", TYPE_A, FLAG_RD, 1232);
    assert_int_equal(w->script.count, sent + 1);
}

static void test_no_socket_is_answered_at_once(void **state) {
    struct world *w = *state;
    w->script.refuse = 100;
    ask(w, "www.example.", TYPE_A, FLAG_RD, 1232);
    struct read r = reply(w); /* in the handler's own buffer */
    assert_int_equal(r.rcode, RCODE_SERVFAIL);
    assert_int_equal(w->lates, 0);
    assert_int_equal(w->serve->pending, 0);
}

static void test_a_large_answer_is_cut_at_whole_rrsets(void **state) {
    struct world *w = *state;
    static uint8_t buf[LIMIT_MESSAGE];
    struct dns_writer answer;
    ask(w, "www.example.", TYPE_A, FLAG_RD, NO_EDNS);
    struct sent *x = script_last(&w->script);
    struct name www = script_name("www.example."), real = script_name("real.example.");
    script_begin(&answer, x, buf, sizeof buf);
    dns_writer_rr(&answer, SECTION_ANSWER, &www, TYPE_CNAME, CLASS_IN, 300, (struct bytes){real.wire, real.size});
    for (unsigned i = 0; i < 300; i++)
        dns_writer_a(&answer, SECTION_ANSWER, &real, 300, (const uint8_t[]){192, 0, (uint8_t)(i >> 8), (uint8_t)i});
    script_end(&w->script, x, &answer, FLAG_RA, RCODE_NOERROR, 5);
    struct read r = read_message(w->late, w->late_size);
    assert_true(w->late_size <= 512);
    assert_true(r.h.flags & FLAG_TC);
    assert_int_equal(r.answers, 1);                /* the CNAME is whole, the A RRset would not be */
    ask(w, "www.example.", TYPE_A, FLAG_RD, 1232); /* from the cache: larger than what fits, and than the buffer */
    r = reply(w);
    assert_true(r.h.flags & FLAG_TC);
    assert_true(w->size <= 1232);
    w->client.proto = PROTO_TCP;
    ask(w, "www.example.", TYPE_A, FLAG_RD, 1232);
    r = reply(w);
    assert_false(r.h.flags & FLAG_TC);
    assert_int_equal(r.answers, 301);
}

static void test_who_is_told_the_identity(void **state) {
    static const struct {
        const char *peer;
        bool told;
    } cases[] = {{"127.0.0.1@9", true},    {"127.9.9.9@9", true},    {"::1@9", true},        {"192.0.2.1@9", true},
                 {"203.0.113.5@9", true},  {"203.0.113.6@9", true},  {"192.0.2.9@9", false}, {"203.0.113.7@9", false},
                 {"2001:db8::1@9", false}, {"198.51.100.1@9", false}};
    struct world *w = *state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        w->client.peer = address(cases[i].peer);
        ask(w, "x.bl.test.", TYPE_A, FLAG_RD, 1232);
        struct read r = reply(w);
        assert_int_equal(r.edns.nsid.size, cases[i].told ? 23 : 0);
        if (cases[i].told)
            assert_memory_equal(r.edns.nsid.at, "node/0123456789abcdef/3", 23);
        ask_class(w, "ID.server.", TYPE_TXT, CLASS_CH, 0, 1232);
        assert_int_equal(reply(w).rcode, cases[i].told ? RCODE_NOERROR : RCODE_REFUSED);
        ask_class(w, "version.bind.", TYPE_TXT, CLASS_CH, 0, 1232);
        assert_int_equal(reply(w).answers, cases[i].told ? 1 : 0);
    }
    w->client.peer = address("127.0.0.1@9");
    ask_class(w, "other.server.", TYPE_TXT, CLASS_CH, 0, 1232);
    assert_int_equal(reply(w).rcode, RCODE_REFUSED);
}

static void test_any_is_hinfo(void **state) {
    struct world *w = *state;
    ask(w, "www.example.", TYPE_ANY, FLAG_RD, 1232);
    struct read r = reply(w);
    assert_int_equal(r.answers, 1);
    assert_int_equal(w->script.count, 0);
    assert_int_equal(board_get(&w->stats.responses[SOURCE_LOCAL][RCODE_NOERROR]), 1);
}

static void test_what_is_not_served_here(void **state) {
    static const struct {
        uint16_t type, klass;
        unsigned rcode;
    } cases[] = {{TYPE_AXFR, CLASS_IN, RCODE_REFUSED},
                 {TYPE_IXFR, CLASS_IN, RCODE_REFUSED},
                 {TYPE_TKEY, CLASS_IN, RCODE_NOTIMP},
                 {TYPE_TSIG, CLASS_IN, RCODE_NOTIMP},
                 {TYPE_OPT, CLASS_IN, RCODE_NOTIMP},
                 {253, CLASS_IN, RCODE_NOTIMP},
                 {128, CLASS_IN, RCODE_NOTIMP},
                 {0, CLASS_IN, RCODE_NOTIMP},
                 {TYPE_A, CLASS_ANY, RCODE_REFUSED},
                 {TYPE_A, CLASS_NONE, RCODE_REFUSED},
                 {TYPE_A, 2, RCODE_REFUSED}};
    struct world *w = *state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        ask_class(w, "x.bl.test.", cases[i].type, cases[i].klass, FLAG_RD, 1232);
        assert_int_equal(reply(w).rcode, cases[i].rcode);
    }
    assert_int_equal(w->fake.answered, 0);
    static const uint8_t opcodes[] = {OPCODE_NOTIFY, OPCODE_UPDATE, 1, 2, 3, 6, 15};
    for (size_t i = 0; i < ARRAY_SIZE(opcodes); i++) {
        ask(w, "x.bl.test.", TYPE_A, FLAG_RD, 1232);
        w->query[2] = (uint8_t)((w->query[2] & 0x87) | opcodes[i] << 3);
        handle(w);
        struct read r = reply(w);
        assert_int_equal(r.h.opcode, opcodes[i]);
        assert_true(r.rcode == RCODE_NOTIMP || r.rcode == RCODE_REFUSED);
        assert_int_equal(r.answers, 0);
    }
}

static void test_a_newer_edns_is_badvers(void **state) {
    struct world *w = *state;
    ask(w, "x.bl.test.", TYPE_A, FLAG_RD, 1232);
    struct name n = script_name("x.bl.test.");
    /* the TTL field of OPT: rcode, version, flags */
    size_t version = DNS_HEADER + n.size + 4 + 1 + 2 + 2 + 1;
    w->query[version] = 1;
    handle(w);
    struct read r = reply(w);
    assert_int_equal(r.rcode, RCODE_BADVERS);
    assert_true(r.edns.present);
    assert_int_equal(r.edns.version, 0);
    assert_int_equal(board_get(&w->stats.responses[SOURCE_LOCAL][RCODE_BADVERS]), 1);
}

static void test_what_deserves_no_answer(void **state) {
    struct world *w = *state;
    ask(w, "x.bl.test.", TYPE_A, FLAG_RD, NO_EDNS);
    size_t whole = w->query_size;
    for (w->query_size = 0; w->query_size < DNS_HEADER; w->query_size++) {
        handle(w);
        assert_int_equal(w->size, 0);
    }
    assert_int_equal(board_get(&w->stats.drops[DROP_MALFORMED]), DNS_HEADER);
    w->query_size = whole;
    w->query[2] |= 0x80;
    handle(w);
    assert_int_equal(w->size, 0);
    assert_int_equal(board_get(&w->stats.drops[DROP_RESPONSE]), 1);
    assert_int_equal(w->lates, 0);
    w->client.proto = PROTO_TCP; /* a connection is told that nothing will come */
    handle(w);
    assert_int_equal(w->size, 0);
    assert_int_equal(w->lates, 1);
    assert_int_equal(w->late_size, 0);
    w->client.proto = PROTO_UDP;
    w->query[2] &= 0x7f;
    for (w->query_size = DNS_HEADER; w->query_size < whole; w->query_size++) {
        handle(w);
        assert_int_equal(reply(w).rcode, RCODE_FORMERR);
    }
}

/* Whatever comes in, what goes out is well-formed, no larger than allowed, and no answer to an answer. */
static void test_noise(void **state) {
    struct world *w = *state;
    unsigned answered = 0;
    for (unsigned i = 0; i < 100000; i++) {
        struct name n = script_name(i % 3 == 0 ? "many.bl.test." : i % 3 == 1 ? "x.bl.test." : "www.example.");
        struct dns_opt o = {.udp_size = 1232, .nsid = true, .ede = EDE_NONE, .keepalive = -1};
        int size = dns_query_write(w->query, sizeof w->query, 0x1234, FLAG_RD, &n, TYPE_A, CLASS_IN, &o);
        w->query_size = (size_t)size;
        for (unsigned k = rand_below(5); k > 0; k--)
            w->query[2 + rand_below((uint32_t)size - 2)] = (uint8_t)rand_u32();
        if (rand_below(8) == 0)
            w->query_size = rand_below((uint32_t)size);
        w->script.count = 0;
        w->script.refuse = 1000;
        handle(w);
        if (w->size == 0)
            continue;
        assert_true(w->size <= 1232);
        answered++;
        (void)reply(w);
    }
    assert_true(answered > 50000);
}

static void test_latency_is_counted_per_burst(void **state) {
    struct world *w = *state;
    struct name n = script_name("x.bl.test.");
    int size = dns_query_write(w->query, sizeof w->query, 0x1234, FLAG_RD, &n, TYPE_A, CLASS_IN, NULL);
    serve_batch(w->serve, true);
    w->client.arrived_ns = now_s * NS_PER_S;
    for (unsigned i = 0; i < 3; i++)
        assert_true(serve_handle(w->serve, &w->client, w->query, (size_t)size, w->reply, LIMIT_UDP_QUERY) > 0);
    w->client.arrived_ns += NS_PER_S / 2;
    assert_true(serve_handle(w->serve, &w->client, w->query, (size_t)size, w->reply, LIMIT_UDP_QUERY) > 0);
    now_s += 1;
    serve_batch(w->serve, false);
    uint64_t sum = 0;
    for (unsigned i = 0; i < BOARD_LATENCY_BUCKETS; i++)
        sum += board_get(&w->stats.latency[SOURCE_ZONE][i]);
    assert_int_equal(sum, 4);
    assert_int_equal(board_get(&w->stats.latency_sum_us[SOURCE_ZONE]), 0 + 500000);
}

/* NSID and COOKIE included, whatever udp-size says; what does not fit the asker is cut, and TCP has it whole. */
static void test_an_answer_of_the_size_that_was_asked_for(void **state) {
    struct world *w = *state;
    static const struct {
        const char *qname;
        uint16_t edns; /* 0: none */
        bool tcp;
        size_t size; /* 0: truncated */
    } cases[] = {{"512.size.server.", 512, false, 512},    {"1232.size.server.", 1232, false, 1232},
                 {"4096.SIZE.server.", 4096, false, 4096}, {"4096.size.server.", 1232, false, 0},
                 {"4096.size.server.", 512, true, 4096},   {"512.size.server.", 0, false, 512},
                 {"513.size.server.", 0, false, 0},        {"777.size.server.", 4096, false, 777},
                 {"1279.size.server.", 4096, true, 1279}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        for (unsigned nsid = 0; nsid <= (cases[i].edns > 0); nsid++) {
            struct name n = script_name(cases[i].qname);
            struct dns_opt o = {.udp_size = cases[i].edns, .nsid = nsid, .ede = EDE_NONE, .keepalive = -1};
            w->client.peer = address("127.0.0.1@9");
            w->client.proto = cases[i].tcp ? PROTO_TCP : PROTO_UDP;
            int size = dns_query_write(w->query, sizeof w->query, 0x1234, 0, &n, TYPE_TXT, CLASS_CH,
                                       cases[i].edns > 0 ? &o : NULL);
            w->size = serve_handle(w->serve, &w->client, w->query, (size_t)size, w->reply, LIMIT_UDP_QUERY);
            struct read r = reply(w);
            assert_int_equal(!!(r.h.flags & FLAG_TC), cases[i].size == 0);
            if (cases[i].size > 0)
                assert_int_equal(w->size, cases[i].size);
        }
    }
}

static void test_sizes_that_nobody_gets(void **state) {
    struct world *w = *state;
    static const char *const names[] = {
        "511.size.server.",   "4097.size.server.",   "12345.size.server.", "9999.size.server.", "x.size.server.",
        "1232x.size.server.", "a.1232.size.server.", "1232.size.bind.",    "size.server.",      "."};
    w->client.peer = address("127.0.0.1@9");
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        ask_class(w, names[i], TYPE_TXT, CLASS_CH, 0, 4096);
        assert_int_equal(reply(w).rcode, RCODE_REFUSED);
    }
    w->client.peer = address("192.0.2.9@9"); /* may recurse, and may not know who answers */
    ask_class(w, "4096.size.server.", TYPE_TXT, CLASS_CH, 0, 4096);
    assert_int_equal(reply(w).rcode, RCODE_REFUSED);
    assert_true(w->size < 100);
}

static struct board_client *place_of(struct world *w, const char *peer) {
    struct addr a = address(peer);
    return &w->stats.client[client_place(board_get(&w->board.node_boot), &a)];
}

static uint64_t timed(const struct board_client *c) {
    uint64_t n = 0;
    for (unsigned i = 0; i < BOARD_LATENCY_BUCKETS; i++)
        n += board_get(&c->latency[i]);
    return n;
}

static void test_what_clients_live_through(void **state) {
    struct world *w = *state;
    struct board_client *c = place_of(w, "192.0.2.77@1");
    ask(w, "x.bl.test.", TYPE_A, FLAG_RD, 1232);
    ask(w, "stale.bl.test.", TYPE_A, FLAG_RD, 1232);
    ask(w, "www.example.", TYPE_A, FLAG_RD, 1232); /* waits */
    assert_ptr_equal(place_of(w, "192.0.2.9@1"), c);
    assert_int_equal(board_get(&c->queries), 3);
    assert_int_equal(board_get(&c->answered), 1);
    assert_int_equal(board_get(&c->failed), 1);
    assert_int_equal(timed(c), 2);
    while (script_open(&w->script) > 0) /* nobody answers: the one that waits becomes SERVFAIL */
        script_fail(&w->script, script_last(&w->script), E_TIMEOUT);
    assert_int_equal(board_get(&c->failed), 2);
    assert_int_equal(timed(c), 3);
}

static void test_probes_are_no_clients(void **state) {
    struct world *w = *state;
    struct name n = script_name("x.bl.test.");
    struct dns_opt o = {.udp_size = 1232, .nsid = true, .ede = EDE_NONE, .keepalive = -1};
    int size = dns_query_write(w->query, sizeof w->query, 0x1234, 0, &n, TYPE_A, CLASS_IN, &o);
    w->client.peer = address("127.0.0.1@9");
    assert_true(serve_handle(w->serve, &w->client, w->query, (size_t)size, w->reply, LIMIT_UDP_QUERY) > 0);
    assert_int_equal(board_get(&place_of(w, "127.0.0.1@1")->queries), 0);
    assert_int_equal(board_get(&w->stats.responses[SOURCE_ZONE][RCODE_NOERROR]), 1);
    w->client.peer = address("192.0.2.9@9"); /* NSID is not for him: a client like others */
    assert_true(serve_handle(w->serve, &w->client, w->query, (size_t)size, w->reply, LIMIT_UDP_QUERY) > 0);
    assert_int_equal(board_get(&place_of(w, "192.0.2.9@1")->queries), 1);
}

static void test_prefixes_spread(void **state) {
    struct world *w = *state;
    unsigned used[BOARD_CLIENTS] = {0}, places = 0;
    for (unsigned i = 0; i < 256; i++) {
        struct addr a = address("10.0.0.1@1");
        a.in.sin_addr.s_addr = htonl(10u << 24 | i << 8 | (i & 255));
        used[client_place(12345, &a)]++;
    }
    for (unsigned i = 0; i < BOARD_CLIENTS; i++)
        places += used[i] > 0;
    assert_true(places > BOARD_CLIENTS / 2);
    struct addr a = address("2001:db8:1:2f0::1@1"), b = address("2001:db8:1:2ff::9@2"),
                c = address("2001:db8:1:300::1@1");
    assert_int_equal(client_place(7, &a), client_place(7, &b));
    unsigned differ = 0;
    for (uint64_t key = 0; key < 16; key++)
        differ += client_place(key, &a) != client_place(key, &c);
    assert_true(differ > 8);
    (void)w;
}

static void test_own_labels_are_known_again(void **state) {
    struct world *w = *state;
    struct name own = script_name("qabcdefgh.example."), upper = script_name("QABCDefgh.other.");
    board_set(&w->board.node_boot, 99);
    board_set(&w->board.own_label[3].hash, own_label_hash(own.wire, 99));
    ask(w, "qabcdefgh.example.", TYPE_A, FLAG_RD, 1232);
    assert_int_equal(board_get(&w->board.own_label[3].seen), 1);
    assert_int_equal(own_label_hash(upper.wire, 99), own_label_hash(own.wire, 99));
    ask(w, "qabcdefgx.example.", TYPE_A, FLAG_RD, 1232);
    ask(w, "x.bl.test.", TYPE_A, FLAG_RD, 1232);
    ask(w, ".", TYPE_NS, FLAG_RD, 1232);
    assert_int_equal(board_get(&w->board.own_label[3].seen), 1);
}

static void test_too_many_waiting(void **state) {
    struct world *w = *state;
    w->serve->pending = SERVE_PENDING_MAX;
    ask(w, "www.example.", TYPE_A, FLAG_RD, 1232);
    assert_int_equal(reply(w).rcode, RCODE_SERVFAIL);
    w->serve->pending = 0;
    for (unsigned i = 0; i <= LIMIT_JOINERS; i++)
        ask(w, "www.example.", TYPE_A, FLAG_RD, 1232);
    assert_int_equal(w->size, 0);
    assert_int_equal(board_get(&w->stats.drops[DROP_FULL]), 1);
    assert_int_equal(w->serve->pending, LIMIT_JOINERS);
}

/* A question with these options; what the reply says in return. */
static struct read ask_with(struct world *w, uint8_t proto, const char *name, const uint8_t *options, size_t size) {
    struct name n = script_name(name);
    struct dns_opt o = DNS_OPT_INIT(1232);
    o.options = (struct bytes){options, size};
    w->client.proto = proto;
    int whole = dns_query_write(w->query, sizeof w->query, 0x1234, FLAG_RD, &n, TYPE_A, CLASS_IN, &o);
    assert_true(whole > 0);
    w->query_size = (size_t)whole;
    handle(w);
    return w->size > 0 ? reply(w) : (struct read){.edns.ede = EDE_NONE};
}

static void test_padding_and_keepalive_by_way(void **state) {
    struct world *w = *state;
    static const uint8_t both[] = {0, 12, 0, 3, 0, 0, 0, 0, 11, 0, 0};
    const struct {
        size_t size; /* of `both` that are sent */
        uint8_t proto;
        bool padding, keepalive;
    } cases[] = {{sizeof both, PROTO_UDP, false, false}, {sizeof both, PROTO_TCP, false, true},
                 {sizeof both, PROTO_TLS, true, true},   {7, PROTO_TLS, true, false},
                 {0, PROTO_TLS, false, false},           {0, PROTO_TCP, false, false}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct read r = ask_with(w, cases[i].proto, "x.bl.test.", both, cases[i].size);
        assert_int_equal(r.answers, 1);
        assert_int_equal(r.edns.padding, cases[i].padding);
        assert_int_equal(r.edns.keepalive, cases[i].keepalive);
        assert_int_equal(w->size % DNS_PAD_ANSWER == 0, cases[i].padding);
    }
}

/* RFC 7871 section 7.1.2 leaves it to us: where a client is, is nobody's business upstream; it is not echoed either. */
static void test_where_a_client_is_stays_here(void **state) {
    struct world *w = *state;
    static const uint8_t ecs[] = {0, 8, 0, 7, 0, 1, 24, 0, 198, 51, 100};
    struct dns_edns sent;
    assert_int_equal(ask_with(w, PROTO_UDP, "www.example.", ecs, sizeof ecs).answers, 0);
    assert_int_equal(w->size, 0);
    struct sent *x = script_last(&w->script);
    assert_int_equal(dns_edns_find(&sent, x->msg, x->size), 0);
    assert_int_equal(sent.ecs.size, 0);
    script_answer_a(&w->script, x, 300, 20);
    assert_int_equal(w->lates, 1);
    assert_int_equal(read_message(w->late, w->late_size).edns.ecs.size, 0);
    const char *names[] = {"www.example.", "x.bl.test."}; /* from the cache, from a zone */
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct read r = ask_with(w, PROTO_UDP, names[i], ecs, sizeof ecs);
        assert_int_equal(r.answers, 1);
        assert_int_equal(r.edns.ecs.size, 0);
    }
}

/* Whatever upstream said, or did not say, of it. */
static void test_no_servfail_without_a_reason(void **state) {
    struct world *w = *state;
    static const unsigned rcodes[] = {RCODE_SERVFAIL, RCODE_REFUSED, RCODE_FORMERR, RCODE_NOTIMP};
    for (size_t i = 0; i < ARRAY_SIZE(rcodes); i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "n%zu.example.", i);
        ask(w, name, TYPE_A, FLAG_RD, 1232);
        for (unsigned tries = 0; w->lates == i && tries < SCRIPT_SENDS; tries++)
            script_rcode(&w->script, script_last(&w->script), rcodes[i], 20);
        assert_int_equal(w->lates, i + 1);
        struct read r = read_message(w->late, w->late_size);
        assert_int_equal(r.rcode, RCODE_SERVFAIL);
        assert_int_not_equal(r.edns.ede, EDE_NONE);
        ask(w, name, TYPE_A, FLAG_RD, 1232); /* remembered */
        if (w->size > 0)
            assert_int_not_equal(reply(w).edns.ede, EDE_NONE);
    }
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, start, finish)
    const struct CMUnitTest tests[] = {
        TEST(test_a_zone_answers),
        TEST(test_padding_and_keepalive_by_way),
        TEST(test_where_a_client_is_stays_here),
        TEST(test_no_servfail_without_a_reason),
        TEST(test_zones_serve_those_who_may_not_recurse),
        TEST(test_a_zone_in_trouble_says_why),
        TEST(test_a_zone_answer_too_large_is_truncated),
        TEST(test_forwarded_then_cached),
        TEST(test_many_askers_one_question),
        TEST(test_without_rd_only_what_is_there),
        TEST(test_silence_upstream_is_servfail_with_reason),
        TEST(test_no_socket_is_answered_at_once),
        TEST(test_a_large_answer_is_cut_at_whole_rrsets),
        TEST(test_who_is_told_the_identity),
        TEST(test_any_is_hinfo),
        TEST(test_what_is_not_served_here),
        TEST(test_a_newer_edns_is_badvers),
        TEST(test_what_deserves_no_answer),
        TEST(test_noise),
        TEST(test_latency_is_counted_per_burst),
        TEST(test_an_answer_of_the_size_that_was_asked_for),
        TEST(test_sizes_that_nobody_gets),
        TEST(test_what_clients_live_through),
        TEST(test_probes_are_no_clients),
        TEST(test_prefixes_spread),
        TEST(test_own_labels_are_known_again),
        TEST(test_too_many_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
