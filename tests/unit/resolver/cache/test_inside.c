/* The cache looked into: every record once, flushed ones gone for everybody, damage passed over. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "resolver/base/rand.h"
#include "resolver/cache/inside.h"
#include "resolver/cache/layout.h"
#include "tests/unit/resolver/cache/messages.h"

static uint8_t buf[RRSET_MAX];

static int start(void **state) {
    test_now_s = 1000000;
    test_clock_on();
    *state = test_cache(NULL, 1 << 20);
    return 0;
}

static int finish(void **state) {
    cache_close(*state);
    return 0;
}

static bool has(struct cache *c, const char *name) {
    struct name n = test_name(name);
    struct cache_key key = test_key(&n, TYPE_A);
    struct cache_hit hit;
    cache_tick(c);
    return cache_get(c, &key, buf, sizeof buf, &hit) == 0 && hit.rcode != RCODE_SERVFAIL;
}

static void put(struct cache *c, const char *name, uint32_t ttl) {
    uint8_t msg[512];
    struct name n = test_name(name);
    struct cache_key key = test_key(&n, TYPE_A);
    assert_int_equal(cache_put(c, &key, msg, test_positive(msg, sizeof msg, &n, &ttl, 1)), 0);
}

static void put_nx(struct cache *c, const char *name) {
    uint8_t msg[512];
    struct name n = test_name(name);
    struct cache_key key = test_key(&n, TYPE_A);
    assert_int_equal(cache_put(c, &key, msg, test_negative(msg, sizeof msg, &n, RCODE_NXDOMAIN, 60, 60)), 0);
}

/* name CNAME target, target A. */
static void put_chain(struct cache *c, const char *name, const char *target) {
    uint8_t msg[512];
    struct dns_writer w;
    struct name n = test_name(name), t = test_name(target);
    struct cache_key key = test_key(&n, TYPE_A);
    dns_writer_open(&w, msg, sizeof msg, 0, FLAG_QR, OPCODE_QUERY);
    dns_writer_question(&w, &n, TYPE_A, CLASS_IN);
    dns_writer_rr(&w, SECTION_ANSWER, &n, TYPE_CNAME, CLASS_IN, 300, (struct bytes){t.wire, t.size});
    dns_writer_a(&w, SECTION_ANSWER, &t, 300, (const uint8_t[]){192, 0, 2, 1});
    int size = dns_writer_end(&w, FLAG_QR, RCODE_NOERROR);
    assert_true(size > 0);
    assert_int_equal(cache_put(c, &key, msg, (size_t)size), 0);
}

static void put_rrset(struct cache *c, const char *name, uint16_t type) {
    static const uint8_t soa[] = "\0\0\6\0\1\0\0\0\x3c\0\x16\0\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\x3c";
    static const uint8_t a[] = {4, 0, 192, 0, 2, 1};
    struct rrset r = {.owner = test_name(name),
                      .type = type,
                      .klass = CLASS_IN,
                      .kind = type == RRSET_NAME ? RRSET_NXDOMAIN : RRSET_DATA,
                      .trust = TRUST_AUTHORITY,
                      .ttl_s = 300,
                      .count = 1,
                      .data = {type == RRSET_NAME ? soa : a, type == RRSET_NAME ? sizeof soa - 1 : sizeof a}};
    assert_int_equal(cache_rrset_put(c, &r), 0);
}

static bool has_rrset(struct cache *c, const char *name, uint16_t type) {
    struct rrset r;
    struct name n = test_name(name);
    cache_tick(c);
    return cache_rrset_get(c, &n, type, CLASS_IN, 0, &r, buf) == 0;
}

struct seen {
    unsigned count[CACHE_KINDS], forget_every;
    unsigned ended;
    char last[NAME_TEXT_MAX];
    struct rrset rrset;
    uint32_t age_s, left_s, ended_s;
    uint32_t ttl;
};

static bool see(void *ctx, const struct cache_item *item) {
    struct seen *s = ctx;
    s->count[item->kind]++;
    s->ended += item->left_s == 0;
    name_text(&item->name, s->last);
    s->age_s = item->age_s;
    s->left_s = item->left_s;
    s->ended_s = item->ended_s;
    if (item->kind == CACHE_ANSWER && item->msg[7] > 0)
        s->ttl = test_ttl(item->msg, item->msg_size, 0);
    if (item->kind == CACHE_RRSET)
        s->rrset = item->rrset;
    return s->forget_every > 0 && s->count[item->kind] % s->forget_every == 0;
}

static struct seen walk(struct cache *c, unsigned forget_every) {
    struct seen s = {.forget_every = forget_every};
    uint64_t forgotten;
    assert_int_equal(cache_walk(c, see, &s, &forgotten), 0);
    if (forget_every == 0)
        assert_int_equal(forgotten, 0);
    return s;
}

static struct cache_figures measure(struct cache *c) {
    struct cache_survey s = {.at = 0};
    struct cache_figures f;
    unsigned steps = 1;
    while (!cache_measure(c, &s, &f))
        steps++;
    assert_int_equal(steps, CACHE_SAMPLE / CACHE_STEP);
    return f;
}

static void test_every_record_once(void **state) {
    struct cache *c = *state;
    char name[32];
    struct name lame = test_name("lame.example.");
    struct cache_key key = test_key(&lame, TYPE_A);
    for (unsigned i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "n%u.example.", i);
        put(c, name, 300);
        put(c, name, 300);
        put_rrset(c, name, TYPE_A);
    }
    assert_int_equal(cache_put_failure(c, &key, RCODE_SERVFAIL, EDE_NETWORK_ERROR), 0);
    struct seen s = walk(c, 0);
    assert_in_range(s.count[CACHE_ANSWER], 498, 500); /* a bucket may have been full */
    assert_in_range(s.count[CACHE_RRSET], 498, 500);
    assert_int_equal(s.count[CACHE_FAILURE], 1);
    assert_int_equal(s.rrset.trust, TRUST_AUTHORITY);
    assert_int_equal(s.rrset.owner.labels, 2);
    struct cache_figures f = measure(c);
    assert_in_range(f.records[CACHE_ANSWER], 200, 1000); /* from a sample */
    assert_in_range(f.records[CACHE_RRSET], 200, 1000);
    assert_true(f.octets > 0 && f.octets < cache_size(c));
    unsigned before = s.count[CACHE_ANSWER];
    walk(c, 2);
    s = walk(c, 0);
    assert_int_equal(s.count[CACHE_ANSWER], before - before / 2);
}

static void test_times(void **state) {
    struct cache *c = *state;
    put(c, "www.example.", 300);
    test_now_s += 100;
    struct seen s = walk(c, 0);
    assert_string_equal(s.last, "www.example.");
    assert_int_equal(s.age_s, 100);
    assert_int_equal(s.left_s, 200);
    assert_int_equal(s.ttl, 200);
    test_now_s += 250;
    s = walk(c, 0);
    assert_int_equal(s.left_s, 0);
    assert_int_equal(s.ended_s, 50);
    assert_int_equal(s.ttl, CACHE_STALE_TTL_S);
    test_now_s -= 10000; /* of another clock: nobody would find it */
    assert_int_equal(walk(c, 0).count[CACHE_ANSWER], 0);
}

static void fill(struct cache *c) {
    put(c, "example.", 300);
    put(c, "www.example.", 300);
    put(c, "a.www.example.", 300);
    put(c, "xwww.example.", 300);
    put(c, "other.test.", 300);
    put_nx(c, "gone.example.");
    put_chain(c, "alias.test.", "www.example.");
    put_chain(c, "far.test.", "near.test.");
    put_rrset(c, "www.example.", TYPE_A);
    put_rrset(c, "www.example.", TYPE_AAAA);
    put_rrset(c, "example.", TYPE_NS);
    put_rrset(c, "www.other.", RRSET_NAME);
}

static uint64_t flush(struct cache *c, const char *name, bool below) {
    struct name n = test_name(name);
    uint64_t forgotten;
    assert_int_equal(cache_flush(c, &n, below, &forgotten), 0);
    return forgotten;
}

static void test_flush_a_name(void **state) {
    struct cache *c = *state;
    fill(c);
    assert_int_equal(flush(c, "WWW.example.", false), 4); /* answer, two RRsets, the alias that leads to it */
    assert_false(has(c, "www.example."));
    assert_false(has(c, "alias.test."));
    assert_false(has_rrset(c, "www.example.", TYPE_A));
    assert_false(has_rrset(c, "www.example.", TYPE_AAAA));
    assert_true(has(c, "example.") && has(c, "a.www.example.") && has(c, "xwww.example.") && has(c, "far.test."));
    assert_true(has(c, "gone.example."));
    assert_true(has_rrset(c, "example.", TYPE_NS));
    assert_int_equal(flush(c, "www.example.", false), 0);
    /* what is denied by a name above it */
    assert_int_equal(flush(c, "a.b.www.other.", false), 1);
    assert_false(has_rrset(c, "www.other.", RRSET_NAME));
}

static void test_flush_a_zone(void **state) {
    struct cache *c = *state;
    fill(c);
    assert_int_equal(flush(c, "example.", true), 9);
    assert_false(has(c, "example.") || has(c, "www.example.") || has(c, "gone.example.") || has(c, "alias.test."));
    assert_true(has(c, "other.test.") && has(c, "far.test."));
    assert_true(has_rrset(c, "www.other.", RRSET_NAME));
    flush(c, ".", true);
    assert_int_equal(cache_count(c), 0);
}

static void test_flush_ends_failures_and_the_stale(void **state) {
    struct cache *c = *state;
    struct name lame = test_name("lame.example.");
    struct cache_key key = test_key(&lame, TYPE_A);
    struct cache_hit hit;
    put(c, "lame.example.", 10);
    test_now_s += 20;
    assert_int_equal(cache_put_failure(c, &key, RCODE_SERVFAIL, EDE_NETWORK_ERROR), 0);
    assert_int_equal(flush(c, "lame.example.", false), 2);
    assert_int_equal(cache_get_stale(c, &key, 1000, buf, sizeof buf, &hit), E_NOTFOUND);
    assert_false(cache_failing(c, &key));
}

/* Others ask and write all the time: what was there before is never given again afterwards. */
static void test_flush_beside_writers(void **state) {
    (void)state;
    struct cache *c = test_cache(NULL, CACHE_SIZE_MIN);
    enum { WRITERS = 3, ROUNDS = 40 };
    pid_t pids[WRITERS];
    for (unsigned i = 0; i < WRITERS; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        for (unsigned k = 0; pids[i] == 0; k++) { /* hits move what is old: the log goes round and round */
            char name[32];
            snprintf(name, sizeof name, "n%u.test.", rand_below(20000));
            put(c, name, 1000);
            (void)has(c, "kept.example.");
        }
    }
    for (unsigned i = 0; i < ROUNDS; i++) {
        put(c, "kept.example.", 1000);
        usleep(rand_below(3000));
        flush(c, "kept.example.", false);
        for (unsigned k = 0; k < 100; k++)
            assert_false(has(c, "kept.example."));
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        int status;
        kill(pids[i], SIGKILL);
        waitpid(pids[i], &status, 0);
        assert_true(WIFSIGNALED(status));
    }
    cache_close(c);
}

static void test_noise(void **state) {
    struct cache *c = *state;
    char name[32];
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "n%u.example.", i);
        put(c, name, 300);
        put_rrset(c, name, TYPE_A);
    }
    for (unsigned i = 0; i < 20000; i++)
        c->ring[CACHE_NEW].log[rand_below((uint32_t)c->file->log_bytes)] = (uint8_t)rand_u32(); /* both logs */
    for (unsigned i = 0; i < 2000; i++)
        c->index[rand_below((uint32_t)(c->buckets * CACHE_WAYS))] = rand_u64();
    struct seen s = walk(c, 0);
    assert_true(s.count[CACHE_ANSWER] < 1000);
    (void)measure(c);
    flush(c, ".", true);
    assert_int_equal(walk(c, 0).count[CACHE_ANSWER], 0);
}

static void test_attach(void **state) {
    char path[] = "/tmp/candor-cache-XXXXXX", text[4] = "no";
    struct cache *again, *c;
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    struct cache_config config = {.path = path, .max_ttl_s = 86400, .max_negative_ttl_s = 3600};
    assert_int_equal(write(fd, text, sizeof text), sizeof text);
    assert_int_equal(cache_attach(&again, &config, NULL), E_CORRUPT);
    close(fd);
    unlink(path);
    assert_int_equal(cache_attach(&again, &config, NULL), E_NOTFOUND);
    c = test_cache(path, 2 << 20);
    put(c, "www.example.", 300);
    assert_int_equal(cache_attach(&again, &config, NULL), 0);
    assert_int_equal(cache_identity(again), cache_identity(c));
    assert_true(cache_identity(c) != 0);
    assert_true(has(again, "www.example."));
    assert_int_equal(flush(again, "www.example.", false), 1);
    assert_false(has(c, "www.example.")); /* gone for everybody */
    put(again, "new.example.", 300);
    assert_true(has(c, "new.example."));
    cache_close(again);
    c->file->check ^= 1;
    assert_int_equal(cache_attach(&again, &config, NULL), E_CORRUPT);
    cache_close(c);
    unlink(path);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, start, finish)
    const struct CMUnitTest tests[] = {
        T(test_every_record_once),
        T(test_times),
        T(test_flush_a_name),
        T(test_flush_a_zone),
        T(test_flush_ends_failures_and_the_stale),
        T(test_flush_beside_writers),
        T(test_noise),
        T(test_attach),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
