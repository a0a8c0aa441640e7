/* What goes in comes out, with its TTLs counted down, for as long as it may. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "resolver/cache/layout.h"
#include "tests/unit/resolver/cache/messages.h"

enum { SIZE = 1 << 20 };

static int start(void **state) {
    test_now_s = 1000000;
    test_clock_on();
    *state = test_cache(NULL, SIZE);
    return 0;
}

static int finish(void **state) {
    cache_close(*state);
    return 0;
}

static int get(struct cache *c, const char *name, uint8_t *to, struct cache_hit *hit) {
    struct name n = test_name(name);
    struct cache_key key = test_key(&n, TYPE_A);
    cache_tick(c);
    return cache_get(c, &key, to, LIMIT_MESSAGE, hit);
}

static int put(struct cache *c, const char *name, uint32_t ttl) {
    uint8_t msg[512];
    struct name n = test_name(name);
    struct cache_key key = test_key(&n, TYPE_A);
    return cache_put(c, &key, msg, test_positive(msg, sizeof msg, &n, &ttl, 1));
}

static void test_an_answer_comes_back_and_counts_down(void **state) {
    struct cache *c = *state;
    uint8_t msg[512], back[LIMIT_MESSAGE];
    struct cache_hit hit;
    struct name n = test_name("www.example.");
    struct cache_key key = test_key(&n, TYPE_A);
    size_t size = test_positive(msg, sizeof msg, &n, (const uint32_t[]){300, 60, 200}, 3);
    assert_int_equal(get(c, "www.example.", back, &hit), E_NOTFOUND);
    assert_int_equal(cache_put(c, &key, msg, size), 0);

    assert_int_equal(get(c, "www.example.", back, &hit), 0);
    assert_int_equal(hit.size, size);
    assert_memory_equal(back, msg, size);
    assert_int_equal(hit.left_s, 60);
    test_now_s += 59;
    assert_int_equal(get(c, "www.example.", back, &hit), 0);
    assert_int_equal(test_ttl(back, hit.size, 0), 241);
    assert_int_equal(test_ttl(back, hit.size, 1), 1);
    assert_int_equal(test_ttl(back, hit.size, 2), 141);
    assert_int_equal(hit.age_s, 59);
    test_now_s += 1;
    assert_int_equal(get(c, "www.example.", back, &hit), E_NOTFOUND);
}

static void test_the_key_is_all_of_the_question(void **state) {
    struct cache *c = *state;
    uint8_t msg[512], back[LIMIT_MESSAGE];
    struct cache_hit hit;
    struct name n = test_name("www.example."), mixed = test_name("wWw.eXample.");
    struct cache_key key = test_key(&n, TYPE_A);
    assert_int_equal(put(c, "www.example.", 300), 0);
    struct cache_key other = key;
    other.qname = &mixed;
    assert_int_equal(cache_get(c, &other, back, sizeof back, &hit), 0);
    assert_memory_equal(back + DNS_HEADER, n.wire, n.size); /* lower case */
    other = key;
    other.qtype = TYPE_AAAA;
    assert_int_equal(cache_get(c, &other, back, sizeof back, &hit), E_NOTFOUND);
    other = key;
    other.qclass = CLASS_CH;
    assert_int_equal(cache_get(c, &other, back, sizeof back, &hit), E_NOTFOUND);
    other = key;
    other.dnssec_ok = true;
    assert_int_equal(cache_get(c, &other, back, sizeof back, &hit), E_NOTFOUND);
    other = key;
    other.checking_disabled = true;
    assert_int_equal(cache_get(c, &other, back, sizeof back, &hit), E_NOTFOUND);
    /* a message that is not the answer to its key is not taken */
    assert_int_equal(cache_put(c, &other, msg, test_positive(msg, sizeof msg, &mixed, (const uint32_t[]){9}, 1)), 0);
    other.qtype = TYPE_AAAA;
    assert_int_equal(cache_put(c, &other, msg, test_positive(msg, sizeof msg, &n, (const uint32_t[]){9}, 1)),
                     E_INVALID);
}

static void test_a_newer_answer_replaces_the_older(void **state) {
    struct cache *c = *state;
    uint8_t back[LIMIT_MESSAGE];
    struct cache_hit hit;
    for (uint32_t ttl = 100; ttl < 110; ttl++)
        assert_int_equal(put(c, "a.example.", ttl), 0);
    assert_int_equal(get(c, "a.example.", back, &hit), 0);
    assert_int_equal(hit.left_s, 109);
    assert_int_equal(cache_count(c), 1);
}

static void test_ttl_limits(void **state) {
    uint8_t msg[512];
    struct name n = test_name("www.example.");
    struct cache_key key = test_key(&n, TYPE_A);
    struct cache_config config = {.size = SIZE, .min_ttl_s = 30, .max_ttl_s = 600, .max_negative_ttl_s = 50};
    struct cache *c;
    (void)state;
    assert_int_equal(cache_open(&c, &config, NULL), 0);
    size_t size = test_positive(msg, sizeof msg, &n, (const uint32_t[]){0, 100000, 0x7fffffff}, 3);
    assert_int_equal(cache_put(c, &key, msg, size), 0);
    assert_int_equal(test_ttl(msg, size, 0), 30); /* brought within the limits in place */
    assert_int_equal(test_ttl(msg, size, 1), 600);
    assert_int_equal(test_ttl(msg, size, 2), 600);
    struct cache_hit hit;
    size = test_negative(msg, sizeof msg, &n, RCODE_NXDOMAIN, 500, 400);
    assert_int_equal(cache_put(c, &key, msg, size), 0);
    assert_int_equal(cache_get(c, &key, msg, sizeof msg, &hit), 0);
    assert_int_equal(hit.left_s, 50);
    assert_int_equal(test_ttl(msg, hit.size, 0), 50);
    cache_close(c);
}

static void test_ttl_zero_is_not_kept(void **state) {
    uint8_t back[LIMIT_MESSAGE];
    struct cache_hit hit;
    assert_int_equal(put(*state, "zero.example.", 0), E_REFUSED);
    assert_int_equal(get(*state, "zero.example.", back, &hit), E_NOTFOUND);
}

static void test_negative_answers(void **state) {
    struct cache *c = *state;
    uint8_t msg[512], back[LIMIT_MESSAGE];
    struct cache_hit hit;
    struct name n = test_name("nx.example.");
    struct cache_key key = test_key(&n, TYPE_A);
    size_t size = test_negative(msg, sizeof msg, &n, RCODE_NXDOMAIN, 900, 20); /* the SOA's minimum rules */
    assert_int_equal(cache_put(c, &key, msg, size), 0);
    assert_int_equal(get(c, "nx.example.", back, &hit), 0);
    assert_int_equal(hit.rcode, RCODE_NXDOMAIN);
    assert_int_equal(back[3] & 15, RCODE_NXDOMAIN);
    assert_int_equal(hit.left_s, 20);
    test_now_s += 5;
    assert_int_equal(get(c, "nx.example.", back, &hit), 0);
    assert_int_equal(test_ttl(back, hit.size, 0), 15);

    struct name nodata = test_name("nodata.example.");
    key = test_key(&nodata, TYPE_A);
    size = test_negative(msg, sizeof msg, &nodata, RCODE_NOERROR, 10, 900); /* its TTL rules */
    assert_int_equal(cache_put(c, &key, msg, size), 0);
    assert_int_equal(get(c, "nodata.example.", back, &hit), 0);
    assert_int_equal(hit.left_s, 10);

    struct name bare = test_name("bare.example.");
    key = test_key(&bare, TYPE_A);
    size = test_positive(msg, sizeof msg, &bare, NULL, 0); /* NODATA without SOA: RFC 2308 section 5 */
    assert_int_equal(cache_put(c, &key, msg, size), E_REFUSED);
}

static void test_failures_are_remembered_for_a_moment(void **state) {
    struct cache *c = *state;
    uint8_t back[LIMIT_MESSAGE];
    struct cache_hit hit;
    struct name n = test_name("lame.example.");
    struct cache_key key = test_key(&n, TYPE_A);
    assert_int_equal(cache_put_failure(c, &key, RCODE_SERVFAIL, EDE_NO_REACHABLE_AUTHORITY), 0);
    assert_int_equal(get(c, "lame.example.", back, &hit), 0);
    assert_int_equal(hit.rcode, RCODE_SERVFAIL);
    assert_int_equal(hit.ede, EDE_NO_REACHABLE_AUTHORITY);
    test_now_s += CACHE_FAILURE_FIRST_S;
    assert_int_equal(get(c, "lame.example.", back, &hit), E_NOTFOUND);
}

/* Each time that it fails again, twice as long; never longer than five minutes; an answer or a rest begins anew. */
static void test_failures_that_stay_back_off(void **state) {
    struct cache *c = *state;
    uint8_t back[LIMIT_MESSAGE];
    struct cache_hit hit;
    struct name n = test_name("lame.example.");
    struct cache_key key = test_key(&n, TYPE_A);
    uint32_t expected = CACHE_FAILURE_FIRST_S;
    for (unsigned i = 0; i < 12; i++) {
        assert_int_equal(cache_put_failure(c, &key, RCODE_SERVFAIL, EDE_NETWORK_ERROR), 0);
        assert_int_equal(get(c, "lame.example.", back, &hit), 0);
        assert_int_equal(hit.left_s, expected);
        assert_int_equal(cache_put_failure(c, &key, RCODE_SERVFAIL, EDE_NETWORK_ERROR), 0); /* of another worker */
        test_now_s += expected - 1;
        assert_int_equal(get(c, "lame.example.", back, &hit), 0);
        assert_int_equal(hit.left_s, 1);
        test_now_s += 2;
        assert_int_equal(get(c, "lame.example.", back, &hit), E_NOTFOUND);
        expected = expected * 2 < CACHE_FAILURE_MAX_S ? expected * 2 : CACHE_FAILURE_MAX_S;
    }
    assert_int_equal(put(c, "lame.example.", 1), 0);
    test_now_s += 1;
    assert_int_equal(cache_put_failure(c, &key, RCODE_SERVFAIL, EDE_NETWORK_ERROR), 0);
    assert_int_equal(get(c, "lame.example.", back, &hit), 0);
    assert_int_equal(hit.left_s, CACHE_FAILURE_FIRST_S);
    test_now_s += CACHE_FAILURE_FIRST_S + CACHE_FAILURE_REST_S + 1;
    assert_int_equal(cache_put_failure(c, &key, RCODE_SERVFAIL, EDE_NETWORK_ERROR), 0);
    assert_int_equal(get(c, "lame.example.", back, &hit), 0);
    assert_int_equal(hit.left_s, CACHE_FAILURE_FIRST_S);
}

static void test_an_answer_that_has_ended_is_there_for_those_who_ask(void **state) {
    struct cache *c = *state;
    uint8_t msg[512], back[LIMIT_MESSAGE];
    struct cache_hit hit;
    struct name n = test_name("old.example.");
    struct cache_key key = test_key(&n, TYPE_A);
    size_t size = test_positive(msg, sizeof msg, &n, (const uint32_t[]){300, 60}, 2);
    assert_int_equal(cache_put(c, &key, msg, size), 0);
    test_now_s += 59;
    cache_tick(c);
    assert_int_equal(cache_get_stale(c, &key, 1000, back, sizeof back, &hit), 0); /* it has not ended */
    assert_int_equal(hit.left_s, 1);
    assert_int_equal(test_ttl(back, hit.size, 0), 241);
    test_now_s += 1 + 999;
    assert_int_equal(get(c, "old.example.", back, &hit), E_NOTFOUND);
    assert_int_equal(cache_get_stale(c, &key, 999, back, sizeof back, &hit), E_NOTFOUND);
    assert_int_equal(cache_get_stale(c, &key, 1000, back, sizeof back, &hit), 0);
    assert_int_equal(hit.left_s, 0);
    assert_int_equal(hit.age_s, 1059);
    assert_int_equal(test_ttl(back, hit.size, 0), CACHE_STALE_TTL_S);
    assert_int_equal(test_ttl(back, hit.size, 1), CACHE_STALE_TTL_S);
    /* a failure stands beside it, and is never taken for it */
    assert_int_equal(cache_put_failure(c, &key, RCODE_SERVFAIL, EDE_NETWORK_ERROR), 0);
    assert_int_equal(get(c, "old.example.", back, &hit), 0);
    assert_int_equal(hit.rcode, RCODE_SERVFAIL);
    assert_int_equal(cache_get_stale(c, &key, UINT32_MAX, back, sizeof back, &hit), 0);
    assert_int_equal(hit.rcode, RCODE_NOERROR);
    test_now_s -= 5000; /* nor is one of another clock */
    cache_tick(c);
    assert_int_equal(cache_get_stale(c, &key, UINT32_MAX, back, sizeof back, &hit), E_NOTFOUND);
}

static void test_what_is_no_answer_is_not_taken(void **state) {
    uint8_t msg[512], cut[512];
    struct name n = test_name("www.example.");
    struct cache_key key = test_key(&n, TYPE_A);
    size_t size = test_positive(msg, sizeof msg, &n, (const uint32_t[]){300, 300}, 2);
    for (size_t i = 0; i < size; i++) {
        memcpy(cut, msg, i);
        assert_int_equal(cache_put(*state, &key, cut, i), E_INVALID);
    }
    msg[3] = RCODE_REFUSED;
    assert_int_equal(cache_put(*state, &key, msg, size), E_REFUSED);
}

static void test_a_buffer_too_small_is_told(void **state) {
    uint8_t back[512];
    struct cache_hit hit;
    struct name n = test_name("www.example.");
    struct cache_key key = test_key(&n, TYPE_A);
    assert_int_equal(put(*state, "www.example.", 300), 0);
    assert_int_equal(cache_get(*state, &key, back, 20, &hit), E_FULL);
    assert_true(hit.size > 20);
}

static void test_a_clock_set_back_empties(void **state) {
    uint8_t back[LIMIT_MESSAGE];
    struct cache_hit hit;
    assert_int_equal(put(*state, "www.example.", 300), 0);
    test_now_s -= CACHE_CLOCK_SLACK_S;
    assert_int_equal(get(*state, "www.example.", back, &hit), 0);
    assert_int_equal(test_ttl(back, hit.size, 0), 300);
    test_now_s -= 3600;
    assert_int_equal(get(*state, "www.example.", back, &hit), E_NOTFOUND);
}

static void test_the_largest_answer(void **state) {
    static uint8_t msg[LIMIT_MESSAGE], back[LIMIT_MESSAGE];
    struct name n = test_name("large.example.");
    struct cache_key key = {.qname = &n, .qtype = TYPE_TXT, .qclass = CLASS_IN};
    static uint8_t text[60000];
    struct dns_writer w;
    struct cache_hit hit;
    memset(text, 'x', sizeof text);
    dns_writer_open(&w, msg, sizeof msg, 0, FLAG_QR, OPCODE_QUERY);
    dns_writer_question(&w, &n, TYPE_TXT, CLASS_IN);
    for (unsigned i = 0; i < 3; i++) {
        struct dns_mark mark = dns_writer_mark(&w);
        dns_writer_txt(&w, SECTION_ANSWER, &n, 77, (struct bytes){text, i == 0 ? sizeof text : 100});
        if (w.error != 0)
            dns_writer_rewind(&w, &mark);
    }
    int size = dns_writer_end(&w, FLAG_QR, RCODE_NOERROR);
    assert_true(size > 60000);
    assert_int_equal(cache_put(*state, &key, msg, (size_t)size), 0);
    assert_int_equal(cache_get(*state, &key, back, sizeof back, &hit), 0);
    assert_int_equal(hit.size, size);
    assert_memory_equal(back, msg, hit.size);
}

/* Far more than fits: the newest are there, the oldest are not, and what is asked all the time stays (but for the few
 * that share a bucket with too many others). */
static void test_what_is_asked_stays(void **state) {
    struct cache *c = *state;
    uint8_t back[LIMIT_MESSAGE];
    struct cache_hit hit;
    char name[64];
    enum { MANY = 60000, HOT = 32 };
    unsigned asked = 0, lost = 0;
    assert_int_equal(put(c, "cold.example.", 86400), 0);
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "n%u.example.", i);
        assert_int_equal(put(c, name, 86400), 0);
        if (i % 100 != 0)
            continue;
        for (unsigned k = 0; k < HOT; k++) {
            snprintf(name, sizeof name, "hot%u.example.", k);
            bool there = get(c, name, back, &hit) == 0;
            if (!there)
                assert_int_equal(put(c, name, 86400), 0);
            asked += i > 0;
            lost += i > 0 && !there;
        }
    }
    print_message("asked all the time: %u of %u lost\n", lost, asked);
    assert_true(lost < asked / 200);
    unsigned found = 0, newest = 0;
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "n%u.example.", i);
        bool there = get(c, name, back, &hit) == 0;
        found += there;
        newest += there && i >= MANY - 500;
    }
    assert_true(newest >= 475); /* within the room of what is new, but for full buckets */
    uint64_t bytes = SIZE / found;
    print_message("%u of %u names of one A RR in %d octets: %llu octets a name\n", found, MANY, SIZE,
                  (unsigned long long)bytes);
    assert_true(bytes <= 200);
}

/* What nobody asks for goes as soon as others are asked for twice, be it in a row or after they were dropped. */
static void test_what_is_not_asked_goes(void **state) {
    struct cache *c = *state;
    uint8_t back[LIMIT_MESSAGE];
    struct cache_hit hit;
    char name[64];
    assert_int_equal(put(c, "cold.example.", 86400), 0);
    for (unsigned i = 0; i < 20000; i++) {
        snprintf(name, sizeof name, "n%u.example.", i);
        assert_int_equal(put(c, name, 86400), 0);
        assert_int_equal(get(c, name, back, &hit), 0);
    }
    assert_int_equal(get(c, "cold.example.", back, &hit), E_NOTFOUND);
    assert_int_equal(put(c, "cold.example.", 86400), 0);
    for (unsigned round = 0; round < 8; round++) /* each comes back when it has left the room of what is new */
        for (unsigned i = 0; i < 2500; i++) {
            snprintf(name, sizeof name, "m%u.example.", i);
            if (get(c, name, back, &hit) != 0)
                assert_int_equal(put(c, name, 86400), 0);
        }
    unsigned there = 0;
    for (unsigned i = 0; i < 2500; i++) {
        snprintf(name, sizeof name, "m%u.example.", i);
        there += get(c, name, back, &hit) == 0;
    }
    print_message("of 2500 that come back %u are there\n", there);
    assert_true(there > 2300);
}

static void test_the_end_of_the_position_numbers(void **state) {
    struct cache *c = *state;
    uint8_t back[LIMIT_MESSAGE];
    struct cache_hit hit;
    char name[64];
    for (unsigned ring = 0; ring < CACHE_RINGS; ring++)
        c->file->ring[ring].head = ((CACHE_POSITION_MASK + 1) - 64) * CACHE_UNIT;
    for (unsigned i = 0; i < 20000; i++) { /* both rings go past it */
        snprintf(name, sizeof name, "n%u.example.", i);
        assert_int_equal(put(c, name, 300), 0);
        assert_int_equal(get(c, name, back, &hit), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_an_answer_comes_back_and_counts_down, start, finish),
        cmocka_unit_test_setup_teardown(test_the_key_is_all_of_the_question, start, finish),
        cmocka_unit_test_setup_teardown(test_a_newer_answer_replaces_the_older, start, finish),
        cmocka_unit_test_setup_teardown(test_ttl_limits, start, finish),
        cmocka_unit_test_setup_teardown(test_ttl_zero_is_not_kept, start, finish),
        cmocka_unit_test_setup_teardown(test_negative_answers, start, finish),
        cmocka_unit_test_setup_teardown(test_failures_are_remembered_for_a_moment, start, finish),
        cmocka_unit_test_setup_teardown(test_failures_that_stay_back_off, start, finish),
        cmocka_unit_test_setup_teardown(test_an_answer_that_has_ended_is_there_for_those_who_ask, start, finish),
        cmocka_unit_test_setup_teardown(test_what_is_no_answer_is_not_taken, start, finish),
        cmocka_unit_test_setup_teardown(test_a_buffer_too_small_is_told, start, finish),
        cmocka_unit_test_setup_teardown(test_a_clock_set_back_empties, start, finish),
        cmocka_unit_test_setup_teardown(test_the_largest_answer, start, finish),
        cmocka_unit_test_setup_teardown(test_what_is_asked_stays, start, finish),
        cmocka_unit_test_setup_teardown(test_what_is_not_asked_goes, start, finish),
        cmocka_unit_test_setup_teardown(test_the_end_of_the_position_numbers, start, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
