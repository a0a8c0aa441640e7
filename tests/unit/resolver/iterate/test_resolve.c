/* Flights and forwarding against a scripted network. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "resolver/iterate/flight.h"
#include "tests/unit/resolver/iterate/script.h"

static const char TWO[] = "resolver: {forward: [{zone: ., to: [192.0.2.1@53, 192.0.2.2@53]},"
                          "{zone: inside.example., to: [192.0.2.3@53]}]}\n";
static const char ONE[] = "resolver: {forward: [{zone: ., to: [192.0.2.1@53]}]}\n";

struct asker {
    struct resolve_waiter waiter;
    unsigned calls;
    uint8_t msg[LIMIT_MESSAGE];
    size_t size;
    struct resolve_result result;
};

struct world {
    struct script script;
    struct conf *conf;
    struct cache *cache;
    struct board_worker stats;
    struct resolve *resolve;
    struct asker asker[LIMIT_JOINERS + 2];
};

static void told(struct resolve_waiter *w, const struct resolve_result *r) {
    struct asker *a = CONTAINER_OF(w, struct asker, waiter);
    a->calls++;
    a->result = *r;
    a->size = r->msg != NULL ? r->size : 0;
    if (r->msg != NULL)
        memcpy(a->msg, r->msg, r->size);
}

static struct world *world(const char *yaml) {
    struct world *w = calloc(1, sizeof *w);
    struct cache_config cache = {.max_ttl_s = 86400, .max_negative_ttl_s = 3600};
    assert_non_null(w);
    w->conf = script_conf(yaml);
    w->script.now_ms = 1000;
    assert_int_equal(cache_open(&w->cache, &cache, NULL), 0);
    struct resolve_config config = {
        .conf = w->conf, .cache = w->cache, .sender = script_sender(&w->script), .stats = &w->stats};
    assert_int_equal(resolve_open(&w->resolve, &config, NULL), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(w->asker); i++)
        w->asker[i].waiter.done = told;
    return w;
}

static void world_end(struct world *w) {
    resolve_close(w->resolve);
    assert_int_equal(script_open(&w->script), 0);
    cache_close(w->cache);
    conf_free(w->conf);
    free(w);
}

static int ask(struct world *w, unsigned asker, const char *name) {
    struct resolve_question q = {.qname = script_name(name), .qtype = TYPE_A, .qclass = CLASS_IN};
    return resolve_ask(w->resolve, &q, &w->asker[asker].waiter);
}

static uint8_t host_of(const struct sent *x) { return (uint8_t)(ntohl(x->server.in.sin_addr.s_addr) & 0xff); }

static void test_one_question_for_all_who_ask(void **state) {
    (void)state;
    struct world *w = world(ONE);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(ask(w, i, i % 2 ? "www.example." : "WWW.Example."), 0);
    assert_int_equal(w->script.count, 1);
    assert_int_equal(resolve_flights(w->resolve), 1);
    script_answer_a(&w->script, script_last(&w->script), 300, 20);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(w->asker[i].calls, 1);
        assert_non_null(w->asker[i].result.msg);
        assert_int_equal(w->asker[i].result.rcode, RCODE_NOERROR);
        assert_memory_equal(w->asker[i].msg + DNS_HEADER, "\3www\7example", 13);
    }
    assert_int_equal(resolve_flights(w->resolve), 0);
    assert_int_equal(board_get(&w->stats.cache_stores), 1);
    assert_int_equal(board_get(&w->stats.upstream[0].queries[0][UPSTREAM_OK]), 1);
    world_end(w);
}

static void test_another_type_or_bit_is_another_question(void **state) {
    (void)state;
    struct world *w = world(ONE);
    struct resolve_question q = {.qname = script_name("www.example."), .qtype = TYPE_A, .qclass = CLASS_IN};
    assert_int_equal(resolve_ask(w->resolve, &q, &w->asker[0].waiter), 0);
    q.qtype = TYPE_AAAA;
    assert_int_equal(resolve_ask(w->resolve, &q, &w->asker[1].waiter), 0);
    q.dnssec_ok = true;
    assert_int_equal(resolve_ask(w->resolve, &q, &w->asker[2].waiter), 0);
    assert_int_equal(w->script.count, 3);
    q.checking_disabled = true;
    assert_int_equal(resolve_ask(w->resolve, &q, &w->asker[3].waiter), 0);
    assert_int_equal(w->script.count, 4);
    struct dns_query sent;
    assert_int_equal(dns_query_read(&sent, w->script.sent[3].msg, w->script.sent[3].size), 0);
    assert_true(sent.edns.dnssec_ok && (sent.header.flags & FLAG_CD) && (sent.header.flags & FLAG_RD));
    assert_int_equal(sent.edns.udp_size, w->conf->resolver.recursion.edns_size);
    assert_int_equal(dns_query_read(&sent, w->script.sent[0].msg, w->script.sent[0].size), 0);
    assert_false(sent.edns.dnssec_ok || (sent.header.flags & FLAG_CD));
    world_end(w);
    /* closing told everyone */
}

static void test_ids_differ(void **state) {
    (void)state;
    struct world *w = world(ONE);
    unsigned same = 0;
    for (unsigned i = 0; i < 100; i++) {
        char name[32];
        snprintf(name, sizeof name, "n%u.example.", i);
        assert_int_equal(ask(w, i, name), 0);
        same += i > 0 && get_u16(w->script.sent[i].msg) == get_u16(w->script.sent[i - 1].msg);
    }
    assert_true(same <= 2);
    world_end(w);
}

static void test_joiners_are_bounded(void **state) {
    (void)state;
    struct world *w = world(ONE);
    for (unsigned i = 0; i < LIMIT_JOINERS; i++)
        assert_int_equal(ask(w, i, "www.example."), 0);
    assert_int_equal(ask(w, LIMIT_JOINERS, "www.example."), E_AGAIN);
    assert_int_equal(w->asker[LIMIT_JOINERS].calls, 0);
    world_end(w);
}

static void test_flights_are_bounded(void **state) {
    (void)state;
    struct world *w = world("resolver: {forward: [{zone: ., to: [192.0.2.1@53]}]}\n");
    static struct asker many[LIMIT_FLIGHTS + 1];
    w->resolve->flights = LIMIT_FLIGHTS - 3;
    for (unsigned i = 0; i < 4; i++) {
        char name[32];
        snprintf(name, sizeof name, "n%u.example.", i);
        many[i].waiter.done = told;
        struct resolve_question q = {.qname = script_name(name), .qtype = TYPE_A, .qclass = CLASS_IN};
        assert_int_equal(resolve_ask(w->resolve, &q, &many[i].waiter), i < 3 ? 0 : E_FULL);
    }
    w->resolve->flights = 3;
    world_end(w);
}

static void test_the_longest_zone_is_asked(void **state) {
    (void)state;
    struct world *w = world(TWO);
    assert_int_equal(ask(w, 0, "a.INSIDE.example."), 0);
    assert_int_equal(host_of(script_last(&w->script)), 3);
    assert_int_equal(ask(w, 1, "outside.example."), 0);
    assert_true(host_of(script_last(&w->script)) < 3);
    world_end(w);
}

static void test_without_forwarder_it_says_so(void **state) {
    (void)state;
    struct world *w =
        world("resolver: {recursion: {enabled: false}, forward: [{zone: example., to: [192.0.2.1@53]}]}\n");
    assert_int_equal(ask(w, 0, "www.example.org."), 0);
    assert_int_equal(w->asker[0].calls, 1); /* at once */
    assert_null(w->asker[0].result.msg);
    assert_int_equal(w->asker[0].result.rcode, RCODE_SERVFAIL);
    assert_int_equal(w->asker[0].result.ede, EDE_OTHER);
    assert_non_null(strstr(w->asker[0].result.ede_text, "no forwarder"));
    world_end(w);
}

static void test_silence_moves_on_to_the_next(void **state) {
    (void)state;
    struct world *w = world(TWO);
    assert_int_equal(ask(w, 0, "www.example."), 0);
    struct sent *first = script_last(&w->script);
    assert_int_equal(first->timeout_ms, FORWARD_TRY_MS);
    script_fail(&w->script, first, E_TIMEOUT);
    struct sent *second = script_last(&w->script);
    assert_int_not_equal(host_of(first), host_of(second));
    assert_int_not_equal(get_u16(first->msg), get_u16(second->msg));
    script_answer_a(&w->script, second, 300, 20);
    assert_non_null(w->asker[0].result.msg);
    /* and is remembered: the next question goes to the one that answers */
    assert_int_equal(ask(w, 1, "next.example."), 0);
    assert_int_equal(host_of(script_last(&w->script)), host_of(second));
    world_end(w);
}

static void test_all_silent_ends_in_time(void **state) {
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct world *w = world(i == 0 ? ONE : TWO);
        assert_int_equal(ask(w, 0, "www.example."), 0);
        while (script_open(&w->script) > 0)
            script_fail(&w->script, script_last(&w->script), E_TIMEOUT);
        assert_int_equal(w->asker[0].calls, 1);
        assert_int_equal(w->asker[0].result.ede, EDE_NO_REACHABLE_AUTHORITY);
        assert_in_range(w->script.now_ms, 1000 + 4900, 1000 + 5000);
        assert_in_range(w->script.count, 4, LIMIT_FORWARD_TRIES);
        world_end(w);
    }
}

static void test_errors_move_on(void **state) {
    static const unsigned rcodes[] = {RCODE_SERVFAIL, RCODE_REFUSED, RCODE_NOTIMP, RCODE_YXDOMAIN};
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(rcodes); i++) {
        struct world *w = world(TWO);
        assert_int_equal(ask(w, 0, "www.example."), 0);
        uint8_t first = host_of(script_last(&w->script));
        script_rcode(&w->script, script_last(&w->script), rcodes[i], 1);
        bool edns_to_blame = rcodes[i] == RCODE_NOTIMP;
        if (edns_to_blame) { /* the same once more, without */
            assert_int_equal(host_of(script_last(&w->script)), first);
            script_rcode(&w->script, script_last(&w->script), rcodes[i], 1);
        }
        assert_int_not_equal(host_of(script_last(&w->script)), first);
        script_answer_a(&w->script, script_last(&w->script), 300, 20);
        assert_non_null(w->asker[0].result.msg);
        assert_int_equal(board_get(&w->stats.upstream[first - 1].queries[0][UPSTREAM_ERROR_RCODE]), 1 + edns_to_blame);
        world_end(w);
    }
}

static void test_all_refuse(void **state) {
    (void)state;
    struct world *w = world(TWO);
    assert_int_equal(ask(w, 0, "www.example."), 0);
    while (script_open(&w->script) > 0)
        script_rcode(&w->script, script_last(&w->script), RCODE_REFUSED, 1);
    assert_int_equal(w->script.count, LIMIT_FORWARD_TRIES);
    assert_int_equal(w->asker[0].result.rcode, RCODE_SERVFAIL);
    assert_non_null(strstr(w->asker[0].result.ede_text, "refused"));
    /* remembered for a moment, then asked again */
    struct name n = script_name("www.example.");
    struct cache_key key = {.qname = &n, .qtype = TYPE_A, .qclass = CLASS_IN};
    struct cache_hit hit;
    uint8_t msg[LIMIT_MESSAGE];
    assert_int_equal(cache_get(w->cache, &key, msg, sizeof msg, &hit), 0);
    assert_int_equal(hit.rcode, RCODE_SERVFAIL);
    world_end(w);
}

static void test_no_socket_is_a_failure_and_no_loop(void **state) {
    (void)state;
    struct world *w = world(TWO);
    w->script.refuse = 100;
    assert_int_equal(ask(w, 0, "www.example."), 0);
    assert_int_equal(w->asker[0].calls, 1);
    assert_int_equal(w->asker[0].result.ede, EDE_NETWORK_ERROR);
    assert_int_equal(w->script.refuse, 100 - LIMIT_FORWARD_TRIES);
    world_end(w);
}

static void test_truncated_goes_over_tcp(void **state) {
    (void)state;
    struct world *w = world(TWO);
    uint8_t buf[512];
    struct dns_writer answer;
    assert_int_equal(ask(w, 0, "www.example."), 0);
    struct sent *udp = script_last(&w->script);
    script_begin(&answer, udp, buf, sizeof buf);
    script_end(&w->script, udp, &answer, FLAG_TC, RCODE_NOERROR, 5);
    struct sent *tcp = script_last(&w->script);
    assert_true(tcp->tcp && addr_same(&tcp->server, &udp->server));
    script_answer_a(&w->script, tcp, 300, 20);
    assert_non_null(w->asker[0].result.msg);
    assert_int_equal(board_get(&w->stats.upstream[host_of(tcp) - 1].queries[1][UPSTREAM_OK]), 1);

    /* TCP that fails: the other server, over UDP */
    assert_int_equal(ask(w, 1, "other.example."), 0);
    udp = script_last(&w->script);
    script_begin(&answer, udp, buf, sizeof buf);
    script_end(&w->script, udp, &answer, FLAG_TC, RCODE_NOERROR, 5);
    script_fail(&w->script, script_last(&w->script), E_SYSTEM);
    struct sent *next = script_last(&w->script);
    assert_true(!next->tcp && !addr_same(&next->server, &udp->server));
    world_end(w);
}

static void test_formerr_to_edns_is_asked_again_without(void **state) {
    (void)state;
    struct world *w = world(ONE);
    struct dns_query q;
    assert_int_equal(ask(w, 0, "www.example."), 0);
    assert_int_equal(dns_query_read(&q, script_last(&w->script)->msg, script_last(&w->script)->size), 0);
    assert_true(q.edns.present);
    script_rcode(&w->script, script_last(&w->script), RCODE_FORMERR, 5);
    assert_int_equal(dns_query_read(&q, script_last(&w->script)->msg, script_last(&w->script)->size), 0);
    assert_false(q.edns.present);
    script_answer_a(&w->script, script_last(&w->script), 300, 5);
    assert_non_null(w->asker[0].result.msg);
    /* remembered */
    assert_int_equal(ask(w, 1, "next.example."), 0);
    assert_int_equal(dns_query_read(&q, script_last(&w->script)->msg, script_last(&w->script)->size), 0);
    assert_false(q.edns.present);
    /* FORMERR without EDNS is an error like any other */
    while (script_open(&w->script) > 0)
        script_rcode(&w->script, script_last(&w->script), RCODE_FORMERR, 5);
    assert_int_equal(w->asker[1].calls, 1);
    assert_null(w->asker[1].result.msg);
    world_end(w);
}

static void test_nonsense_moves_on(void **state) {
    (void)state;
    struct world *w = world(TWO);
    assert_int_equal(ask(w, 0, "www.example."), 0);
    struct sent *x = script_last(&w->script);
    uint8_t msg[600];
    memcpy(msg, x->msg, x->size);
    msg[2] |= 0x80;
    put_u16(msg + 6, 9); /* nine answers that are not there */
    script_reply(&w->script, x, msg, x->size, 1);
    script_answer_a(&w->script, script_last(&w->script), 300, 1);
    assert_non_null(w->asker[0].result.msg);
    world_end(w);
}

/* A failing server is asked beside a real question, never before it; once it answers it is used again. */
static void test_a_failing_server_is_probed(void **state) {
    (void)state;
    struct world *w = world(TWO);
    struct upstream *u = w->resolve->upstreams;
    u[0].srtt_us = 1000;
    u[1].srtt_us = 90000;
    assert_int_equal(ask(w, 0, "first.example."), 0);
    assert_int_equal(host_of(script_last(&w->script)), 1);
    script_fail(&w->script, script_last(&w->script), E_TIMEOUT); /* the quick one falls silent */
    assert_true(upstream_failing(&u[0]));
    assert_int_equal(u[0].srtt_us, 1000);
    script_answer_a(&w->script, script_last(&w->script), 300, 90);
    assert_int_equal(ask(w, 10, "early.example."), 0); /* too early for a probe */
    assert_int_equal(script_open(&w->script), 1);
    assert_int_equal(host_of(script_last(&w->script)), 2);
    script_answer_a(&w->script, script_last(&w->script), 300, 90);
    w->script.now_ms += UPSTREAM_PROBE_FIRST_MS;
    assert_int_equal(ask(w, 11, "late.example."), 0);
    assert_int_equal(script_open(&w->script), 2);
    struct sent *real = &w->script.sent[w->script.count - 2], *probe = &w->script.sent[w->script.count - 1];
    assert_int_equal(host_of(real), 2);
    assert_int_equal(host_of(probe), 1);
    w->script.now_ms += UPSTREAM_PROBE_MAX_MS;
    assert_int_equal(ask(w, 12, "later.example."), 0); /* one probe at a time */
    assert_int_equal(script_open(&w->script), 3);
    script_answer_a(&w->script, real, 300, 90);
    assert_int_equal(w->asker[11].calls, 1);
    script_fail(&w->script, probe, E_TIMEOUT);
    assert_int_equal(ask(w, 13, "again.example."), 0);
    probe = script_last(&w->script);
    assert_int_equal(host_of(probe), 1);
    script_rcode(&w->script, probe, RCODE_SERVFAIL, 2); /* that is no recovery */
    assert_true(upstream_failing(&u[0]));
    w->script.now_ms += UPSTREAM_PROBE_MAX_MS;
    assert_int_equal(ask(w, 14, "andagain.example."), 0);
    probe = script_last(&w->script);
    assert_int_equal(host_of(probe), 1);
    script_answer_a(&w->script, probe, 300, 2);
    assert_false(upstream_failing(&u[0]));
    assert_int_equal(ask(w, 15, "back.example."), 0);
    assert_int_equal(host_of(script_last(&w->script)), 1);
    world_end(w); /* cancels what is open */
}

/* Silence makes nobody wait longer later: what is waited follows the answers. */
static void test_waits_follow_what_was_measured(void **state) {
    (void)state;
    struct world *w = world(ONE);
    for (unsigned i = 0; i < 20; i++) {
        char name[32];
        snprintf(name, sizeof name, "n%u.example.", i);
        assert_int_equal(ask(w, i, name), 0);
        assert_int_equal(script_last(&w->script)->timeout_ms, FORWARD_TRY_MS);
        script_fail(&w->script, script_last(&w->script), E_TIMEOUT);
        assert_int_equal(script_last(&w->script)->timeout_ms, FORWARD_TRY_MS * 3 / 2);
        script_answer_a(&w->script, script_last(&w->script), 300, 20);
    }
    w->resolve->upstreams[0].srtt_us = 0;
    assert_int_equal(ask(w, 30, "slow.example."), 0);
    script_answer_a(&w->script, script_last(&w->script), 300, 390);
    assert_int_equal(ask(w, 31, "slower.example."), 0);
    assert_int_equal(script_last(&w->script)->timeout_ms, 2 * 390 + 100);
    w->resolve->upstreams[0].srtt_us = 5000000;
    assert_int_equal(ask(w, 32, "slowest.example."), 0);
    assert_int_equal(script_last(&w->script)->timeout_ms, FORWARD_USUAL_MAX_MS);
    world_end(w);
}

static void test_closing_tells_everyone_and_cancels(void **state) {
    (void)state;
    struct world *w = world(TWO);
    assert_int_equal(ask(w, 0, "a.example."), 0);
    assert_int_equal(ask(w, 1, "a.example."), 0);
    assert_int_equal(ask(w, 2, "b.example."), 0);
    resolve_close(w->resolve);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(w->asker[i].calls, 1);
        assert_true(w->asker[i].result.closing);
    }
    assert_int_equal(w->script.cancelled, 2);
    cache_close(w->cache);
    conf_free(w->conf);
    free(w);
}

static void test_over_tls_and_never_in_the_clear(void **state) {
    (void)state;
    struct world *w =
        world("resolver: {recursion: {enabled: true}, forward: [{zone: ., to: [192.0.2.1, 192.0.2.2@8853], "
              "tls-name: dns.example, ca: ca.pem}]}\n");
    assert_int_equal(ask(w, 0, "a.example."), 0);
    for (unsigned i = 0; w->asker[0].calls == 0; i++) { /* silence, refusal of the connection, TC, FORMERR */
        struct sent *x = script_last(&w->script);
        assert_string_equal(x->tls_name, "dns.example");
        assert_string_equal(x->tls_ca, "/ca.pem");
        assert_true(addr_port(&x->server) == (host_of(x) == 1 ? 853 : 8853));
        if (i < 2)
            script_fail(&w->script, x, i == 0 ? E_TIMEOUT : E_SYSTEM);
        else
            script_rcode(&w->script, x, i == 2 ? RCODE_FORMERR : RCODE_REFUSED, 5);
    }
    assert_null(w->asker[0].result.msg);
    assert_true(w->script.count > 2);
    for (unsigned i = 0; i < w->script.count; i++)
        assert_non_null(w->script.sent[i].tls_name);
    world_end(w);
}

static bool over_tls(const struct sent *x) { return x->tls_name != NULL && addr_port(&x->server) == 853; }

/* TLS where it is to be had: found out beside a question in the clear, given up without a client's waiting for it. */
static void test_tls_that_is_hoped_for(void **state) {
    (void)state;
    struct world *w = world("resolver: {forward: [{zone: ., to: [192.0.2.1], opportunistic: true}]}\n");
    assert_int_equal(ask(w, 0, "a.example."), 0);
    assert_int_equal(w->script.count, 2);
    struct sent *clear = &w->script.sent[0], *probe = &w->script.sent[1];
    assert_null(clear->tls_name);
    assert_int_equal(addr_port(&clear->server), 53);
    assert_true(over_tls(probe));
    assert_string_equal(probe->tls_name, ""); /* whoever it is */
    script_answer_a(&w->script, clear, 300, 5);
    assert_non_null(w->asker[0].result.msg);
    script_answer_a(&w->script, probe, 300, 5);

    assert_int_equal(ask(w, 1, "b.example."), 0);
    struct sent *x = script_last(&w->script);
    assert_true(over_tls(x) && w->script.count == 3);
    script_answer_a(&w->script, x, 300, 5);

    /* it ends: the same server in the clear, at once */
    assert_int_equal(ask(w, 2, "c.example."), 0);
    script_fail(&w->script, script_last(&w->script), E_SYSTEM);
    x = script_last(&w->script);
    assert_true(x->tls_name == NULL && !x->tcp);
    script_answer_a(&w->script, x, 300, 5);
    assert_non_null(w->asker[2].result.msg);
    assert_false(upstream_failing(&w->resolve->upstreams[0]));

    /* and is not tried again before its time */
    assert_int_equal(ask(w, 3, "d.example."), 0);
    assert_null(script_last(&w->script)->tls_name);
    assert_int_equal(script_open(&w->script), 1);
    script_answer_a(&w->script, script_last(&w->script), 300, 5);
    w->script.now_ms += UPSTREAM_TLS_FIRST_MS;
    assert_int_equal(ask(w, 4, "e.example."), 0);
    assert_int_equal(script_open(&w->script), 2);
    assert_true(over_tls(script_last(&w->script)));
    script_fail(&w->script, script_last(&w->script), E_SYSTEM);
    w->script.now_ms += UPSTREAM_TLS_FIRST_MS;
    assert_int_equal(ask(w, 5, "f.example."), 0); /* twice as long now */
    assert_null(script_last(&w->script)->tls_name);
    world_end(w);
}

static void test_a_cookie_for_forwarders(void **state) {
    (void)state;
    struct world *w = world(ONE);
    struct dns_query q;
    assert_int_equal(ask(w, 0, "www.example."), 0);
    assert_int_equal(dns_query_read(&q, script_last(&w->script)->msg, script_last(&w->script)->size), 0);
    assert_int_equal(q.edns.cookie.size, 8);
    script_answer_a(&w->script, script_last(&w->script), 300, 5);
    world_end(w);

    w = world("resolver: {forward: [{zone: ., to: [192.0.2.1], tls-name: dns.example}]}\n");
    assert_int_equal(ask(w, 0, "www.example."), 0);
    struct sent *x = script_last(&w->script);
    assert_int_equal(dns_query_read(&q, x->msg, x->size), 0);
    assert_int_equal(q.edns.cookie.size, 0);
    assert_int_equal(x->size % DNS_PAD_QUERY, 0);
    world_end(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_question_for_all_who_ask),
        cmocka_unit_test(test_another_type_or_bit_is_another_question),
        cmocka_unit_test(test_ids_differ),
        cmocka_unit_test(test_joiners_are_bounded),
        cmocka_unit_test(test_flights_are_bounded),
        cmocka_unit_test(test_the_longest_zone_is_asked),
        cmocka_unit_test(test_without_forwarder_it_says_so),
        cmocka_unit_test(test_silence_moves_on_to_the_next),
        cmocka_unit_test(test_all_silent_ends_in_time),
        cmocka_unit_test(test_errors_move_on),
        cmocka_unit_test(test_all_refuse),
        cmocka_unit_test(test_no_socket_is_a_failure_and_no_loop),
        cmocka_unit_test(test_truncated_goes_over_tcp),
        cmocka_unit_test(test_formerr_to_edns_is_asked_again_without),
        cmocka_unit_test(test_nonsense_moves_on),
        cmocka_unit_test(test_a_failing_server_is_probed),
        cmocka_unit_test(test_waits_follow_what_was_measured),
        cmocka_unit_test(test_closing_tells_everyone_and_cancels),
        cmocka_unit_test(test_over_tls_and_never_in_the_clear),
        cmocka_unit_test(test_tls_that_is_hoped_for),
        cmocka_unit_test(test_a_cookie_for_forwarders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
