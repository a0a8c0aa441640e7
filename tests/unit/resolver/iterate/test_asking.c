/* One question to one server: what each kind of answer, and silence, leads to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "resolver/dns/cookie.h"
#include "resolver/iterate/asking.h"
#include "resolver/iterate/bounds.h"
#include "tests/unit/resolver/iterate/script.h"

struct world {
    struct script script;
    struct conf *conf;
    struct servers *servers;
    struct askings *askings;
    struct addr address;
    struct name qname;
    unsigned calls;
    struct asking_reply reply;
    unsigned rcode;
};

static void finished(void *ctx, const struct asking_reply *r) {
    struct world *w = ctx;
    w->calls++;
    w->reply = *r;
    w->rcode = r->answer.size >= DNS_HEADER ? r->answer.at[3] & 15 : 999;
}

static struct world *world(const char *recursion) {
    struct world *w = calloc(1, sizeof *w);
    struct err err = {0};
    char yaml[256];
    assert_non_null(w);
    snprintf(yaml, sizeof yaml, "resolver: {recursion: {%s}}\n", recursion);
    w->conf = script_conf(yaml);
    w->script.now_ms = 1000;
    w->qname = script_name("www.example.");
    assert_int_equal(addr_parse(&w->address, "192.0.2.1@53", 0, &err), 0);
    assert_int_equal(servers_open(&w->servers, &err), 0);
    struct asking_config config = {w->conf, script_sender(&w->script), w->servers};
    assert_int_equal(askings_open(&w->askings, &config, &err), 0);
    return w;
}

static void world_end(struct world *w) {
    askings_close(w->askings);
    assert_int_equal(script_open(&w->script), 0);
    servers_close(w->servers);
    conf_free(w->conf);
    free(w);
}

static struct asking *start(struct world *w, unsigned sends_max) {
    struct asking_plan plan = {.server = &w->address,
                               .qname = &w->qname,
                               .qtype = TYPE_A,
                               .qclass = CLASS_IN,
                               .dnssec_ok = true,
                               .sends_max = sends_max,
                               .deadline_ms = w->script.now_ms + 5000,
                               .done = finished,
                               .ctx = w};
    w->calls = 0;
    return asking_start(w->askings, &plan);
}

static struct dns_query query_of(const struct sent *x) {
    struct dns_query q;
    assert_int_equal(dns_query_read(&q, x->msg, x->size), 0);
    return q;
}

static struct server *server(struct world *w) { return servers_get(w->servers, &w->address, w->script.now_ms); }

/* An answer with this OPT; NULL: without EDNS. */
static void say(struct world *w, unsigned rcode, uint16_t flags, const struct dns_opt *opt) {
    uint8_t buf[1024];
    struct dns_writer writer;
    struct sent *x = script_last(&w->script);
    script_begin(&writer, x, buf, sizeof buf);
    if (opt != NULL) {
        struct dns_opt o = *opt;
        o.rcode = (uint16_t)rcode;
        dns_writer_opt(&writer, &o);
    }
    script_end(&w->script, x, &writer, flags, rcode & 15, 20);
}

static const struct dns_opt plain_opt = DNS_OPT_INIT(1232);

static void test_an_answer(void **state) {
    (void)state;
    struct world *w = world("edns-size: 1400");
    assert_non_null(start(w, 10));
    assert_int_equal(w->calls, 0);
    struct dns_query q = query_of(script_last(&w->script));
    assert_true(q.edns.present && q.edns.dnssec_ok && q.edns.udp_size == 1400 && !(q.header.flags & FLAG_RD));
    assert_int_equal(q.edns.cookie.size, COOKIE_CLIENT);
    assert_int_equal(server(w)->in_flight, 1);
    say(w, RCODE_NOERROR, FLAG_AA, &plain_opt);
    assert_true(w->calls == 1 && w->reply.code == 0 && w->reply.sends == 1 && !w->reply.stream);
    assert_true(server(w)->edns_answered && server(w)->srtt_us == 20000 && server(w)->in_flight == 0);
    world_end(w);
}

static void test_without_edns(void **state) {
    static const unsigned rcodes[] = {RCODE_FORMERR, RCODE_NOTIMP, RCODE_BADVERS};
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(rcodes); i++) {
        struct world *w = world("edns-size: 1232");
        assert_non_null(start(w, 10));
        say(w, rcodes[i], 0, rcodes[i] == RCODE_BADVERS ? &plain_opt : NULL);
        assert_int_equal(w->calls, 0);
        assert_false(query_of(script_last(&w->script)).edns.present);
        say(w, RCODE_NOERROR, FLAG_AA, NULL);
        assert_true(w->calls == 1 && w->reply.code == 0 && w->reply.sends == 2);
        assert_non_null(start(w, 10)); /* remembered */
        assert_false(query_of(script_last(&w->script)).edns.present);
        world_end(w);
    }
}

/* FORMERR to a question without EDNS is the answer. */
static void test_it_ends(void **state) {
    (void)state;
    struct world *w = world("edns-size: 1232");
    assert_non_null(start(w, 10));
    say(w, RCODE_FORMERR, 0, NULL);
    say(w, RCODE_FORMERR, 0, NULL);
    assert_true(w->calls == 1 && w->rcode == RCODE_FORMERR);
    world_end(w);
}

static void test_truncated(void **state) {
    (void)state;
    struct world *w = world("edns-size: 1232");
    assert_non_null(start(w, 10));
    say(w, RCODE_NOERROR, FLAG_TC, &plain_opt);
    assert_true(w->calls == 0 && script_last(&w->script)->tcp);
    say(w, RCODE_NOERROR, FLAG_TC, &plain_opt); /* over TCP it stands for itself */
    assert_true(w->calls == 1 && w->reply.stream && w->reply.sends == 2);
    world_end(w);
}

static struct dns_opt with_cookie(const struct sent *x, const char *server_part, uint8_t cookie[COOKIE_WHOLE]) {
    struct dns_query q = query_of(x);
    struct dns_opt o = plain_opt;
    memcpy(cookie, q.edns.cookie.at, COOKIE_CLIENT);
    memcpy(cookie + COOKIE_CLIENT, server_part, COOKIE_WHOLE - COOKIE_CLIENT);
    o.cookie = (struct bytes){cookie, COOKIE_WHOLE};
    return o;
}

static void test_cookies(void **state) {
    (void)state;
    uint8_t cookie[COOKIE_WHOLE];
    struct world *w = world("edns-size: 1232");
    assert_non_null(start(w, 10));
    struct dns_opt o = with_cookie(script_last(&w->script), "0123456789abcdef", cookie);
    say(w, RCODE_NOERROR, FLAG_AA, &o);
    assert_int_equal(w->calls, 1);
    assert_non_null(start(w, 10));
    struct dns_query q = query_of(script_last(&w->script));
    assert_int_equal(q.edns.cookie.size, COOKIE_WHOLE);
    assert_memory_equal(q.edns.cookie.at, cookie, COOKIE_WHOLE);
    say(w, RCODE_NOERROR, FLAG_AA, &plain_opt); /* without it: that may be anybody */
    assert_true(w->calls == 0 && script_last(&w->script)->tcp);
    say(w, RCODE_NOERROR, FLAG_AA, &plain_opt);
    assert_int_equal(w->calls, 1);
    assert_non_null(start(w, 10)); /* a cookie with another client's part */
    o = with_cookie(script_last(&w->script), "0123456789abcdef", cookie);
    cookie[0] ^= 1;
    say(w, RCODE_NOERROR, FLAG_AA, &o);
    assert_true(w->calls == 0 && script_last(&w->script)->tcp);
    world_end(w);
}

/* Refusals that somebody else may have said change nothing of how a server with cookies is asked. */
static void test_a_forged_refusal(void **state) {
    static const unsigned rcodes[] = {RCODE_FORMERR, RCODE_NOTIMP, RCODE_BADVERS, RCODE_BADCOOKIE};
    (void)state;
    uint8_t cookie[COOKIE_WHOLE];
    struct world *w = world("edns-size: 1232");
    assert_non_null(start(w, 10));
    struct dns_opt o = with_cookie(script_last(&w->script), "0123456789abcdef", cookie);
    say(w, RCODE_NOERROR, FLAG_AA, &o);
    for (unsigned i = 0; i < ARRAY_SIZE(rcodes); i++) {
        assert_non_null(start(w, 10));
        say(w, rcodes[i], 0, rcodes[i] > 15 ? &plain_opt : NULL);
        assert_true(w->calls == 0 && script_last(&w->script)->tcp);
        assert_int_equal(query_of(script_last(&w->script)).edns.cookie.size, COOKIE_WHOLE);
        o = with_cookie(script_last(&w->script), "0123456789abcdef", cookie);
        say(w, RCODE_NOERROR, FLAG_AA, &o);
        assert_true(w->calls == 1 && server(w)->plain_until_ms == 0);
    }
    world_end(w);
}

/* An OPT that cannot be read is no cookie. */
static void test_a_broken_opt(void **state) {
    (void)state;
    uint8_t cookie[COOKIE_WHOLE];
    struct world *w = world("edns-size: 1232");
    assert_non_null(start(w, 10));
    struct dns_opt o = with_cookie(script_last(&w->script), "0123456789abcdef", cookie);
    say(w, RCODE_NOERROR, FLAG_AA, &o);
    assert_non_null(start(w, 10));
    o.cookie.size = COOKIE_CLIENT + 1; /* RFC 7873 section 4: 8 or 16 to 40 */
    say(w, RCODE_NOERROR, FLAG_AA, &o);
    assert_true(w->calls == 0 && script_last(&w->script)->tcp);
    world_end(w);
}

static void test_a_bad_cookie_twice(void **state) {
    (void)state;
    uint8_t cookie[COOKIE_WHOLE];
    struct world *w = world("edns-size: 1232");
    assert_non_null(start(w, 10));
    for (unsigned i = 0; i < 2; i++) {
        struct dns_opt o =
            with_cookie(script_last(&w->script), i == 0 ? "fresh-fresh-fres" : "other-other-othe", cookie);
        say(w, RCODE_BADCOOKIE, 0, &o);
        assert_int_equal(w->calls, 0);
        assert_int_equal(script_last(&w->script)->tcp, i == 1);
        struct dns_query q = query_of(script_last(&w->script));
        assert_memory_equal(q.edns.cookie.at, cookie, COOKIE_WHOLE);
    }
    world_end(w);
}

static void mismatched(struct world *w, uint32_t mismatches, uint32_t case_lost) {
    struct sent *x = script_last(&w->script);
    struct sender_reply r = {.code = E_TIMEOUT, .mismatches = mismatches, .case_lost = case_lost};
    x->open = false;
    w->script.now_ms += x->timeout_ms;
    x->done(x->ctx, &r);
}

static void test_somebody_guesses(void **state) {
    (void)state;
    struct world *w = world("edns-size: 1232");
    assert_non_null(start(w, 10));
    mismatched(w, BOUND_MISMATCHES, 0);
    assert_true(w->calls == 0 && script_last(&w->script)->tcp);
    say(w, RCODE_NOERROR, FLAG_AA, &plain_opt);
    assert_non_null(start(w, 10)); /* for a while */
    assert_true(script_last(&w->script)->tcp);
    script_fail(&w->script, script_last(&w->script), E_TIMEOUT);
    assert_true(w->calls == 1 && w->reply.code == E_TIMEOUT && w->reply.stream);
    w->script.now_ms += 3600000;
    assert_non_null(start(w, 10));
    assert_false(script_last(&w->script)->tcp);
    world_end(w);
}

static bool is_lower(const struct sent *x) {
    struct dns_query q = query_of(x);
    struct name lower = q.qname;
    name_lower(&lower);
    return memcmp(lower.wire, q.qname.wire, lower.size) == 0;
}

static void test_mixed_case(void **state) {
    (void)state;
    struct world *w = world("case-randomisation: true");
    w->qname = script_name("abcdefghijklmnopqrstuvwxyz.abcdefghijklmnopqrstuvwxyz.");
    assert_non_null(start(w, 10));
    assert_false(is_lower(script_last(&w->script))); /* 2^-52 */
    mismatched(w, BOUND_MISMATCHES - 1, 0);          /* that may be anybody, and takes nothing away */
    assert_true(w->calls == 1 && w->reply.code == E_TIMEOUT);
    assert_non_null(start(w, 10));
    assert_false(is_lower(script_last(&w->script)));
    mismatched(w, 1, 1);
    assert_true(w->calls == 0 && script_last(&w->script)->tcp && is_lower(script_last(&w->script)));
    say(w, RCODE_NOERROR, FLAG_AA, &plain_opt);
    assert_non_null(start(w, 10));
    assert_true(!script_last(&w->script)->tcp && is_lower(script_last(&w->script)));
    world_end(w);
}

static void test_silence(void **state) {
    (void)state;
    struct world *w = world("edns-size: 1232");
    for (unsigned i = 0; i < 3; i++) {
        assert_non_null(start(w, 10));
        struct dns_query q = query_of(script_last(&w->script));
        assert_int_equal(q.edns.present, i < 2);
        assert_int_equal(q.edns.udp_size, i == 0 ? 1232 : 512);
        script_fail(&w->script, script_last(&w->script), E_TIMEOUT);
        assert_true(w->calls == 1 && w->reply.code == E_TIMEOUT && w->reply.sends == 1);
    }
    world_end(w);
}

static void test_bounds(void **state) {
    (void)state;
    struct world *w = world("edns-size: 1232");
    assert_null(start(w, 0)); /* nothing is left of max-queries */
    assert_non_null(start(w, 1));
    say(w, RCODE_NOERROR, FLAG_TC, &plain_opt);
    assert_true(w->calls == 1 && w->reply.code == E_TIMEOUT);
    w->script.refuse = 1;
    assert_null(start(w, 10));
    assert_int_equal(server(w)->in_flight, 0);
    server(w)->in_flight = BOUND_SERVER_IN_FLIGHT;
    assert_null(start(w, 10));
    server(w)->in_flight = 0;
    struct asking *q = start(w, 10);
    asking_cancel(q);
    assert_true(w->script.cancelled == 1 && w->calls == 0 && server(w)->in_flight == 0);
    assert_non_null(start(w, 10)); /* left for askings_close */
    world_end(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_answer),        cmocka_unit_test(test_without_edns),
        cmocka_unit_test(test_it_ends),          cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_cookies),          cmocka_unit_test(test_a_bad_cookie_twice),
        cmocka_unit_test(test_somebody_guesses), cmocka_unit_test(test_mixed_case),
        cmocka_unit_test(test_silence),          cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_a_forged_refusal), cmocka_unit_test(test_a_broken_opt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
