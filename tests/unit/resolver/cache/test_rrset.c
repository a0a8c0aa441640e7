/* RRsets: who may replace whom, how long each lives, and what damage makes of them. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "resolver/base/rand.h"
#include "resolver/cache/layout.h"
#include "resolver/cache/rrset.h"
#include "tests/unit/resolver/cache/messages.h"

static uint8_t buf[RRSET_MAX];

static int start(void **state) {
    struct cache *c;
    struct cache_config config = {.size = 1 << 20, .min_ttl_s = 5, .max_ttl_s = 86400, .max_negative_ttl_s = 3600};
    test_now_s = 1000000;
    test_clock_on();
    assert_int_equal(cache_open(&c, &config, NULL), 0);
    *state = c;
    return 0;
}

static int finish(void **state) {
    cache_close(*state);
    return 0;
}

/* `count` RDATA of `size` octets, each of them `fill`. */
static size_t data_make(uint8_t *to, unsigned count, uint16_t size, uint8_t fill) {
    size_t at = 0;
    for (unsigned i = 0; i < count; i++) {
        memcpy(to + at, &size, 2);
        memset(to + at + 2, fill, size);
        at += 2 + (size_t)size;
    }
    return at;
}

static struct rrset rrset_of(const char *owner, uint16_t type, enum rrset_trust trust, uint32_t ttl_s, uint8_t fill) {
    static uint8_t data[64];
    return (struct rrset){.owner = test_name(owner),
                          .type = type,
                          .klass = CLASS_IN,
                          .kind = RRSET_DATA,
                          .trust = (uint8_t)trust,
                          .ttl_s = ttl_s,
                          .count = 2,
                          .data = {data, data_make(data, 2, 4, fill)}};
}

/* The SOA of example., as a denial has it. */
static struct rrset denial_of(const char *owner, uint16_t type, uint32_t ttl_s) {
    static const uint8_t soa[] = "\7example\0\0\6\0\1\0\0\0\x3c\0\x16\0\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\x3c";
    return (struct rrset){.owner = test_name(owner),
                          .type = type,
                          .klass = CLASS_IN,
                          .kind = type == RRSET_NAME ? RRSET_NXDOMAIN : RRSET_NODATA,
                          .trust = TRUST_AUTHORITY,
                          .ttl_s = ttl_s,
                          .count = 1,
                          .data = {soa, sizeof soa - 1}};
}

static int get(struct cache *c, const char *owner, uint16_t type, uint32_t stale_s, struct rrset *out) {
    struct name n = test_name(owner);
    cache_tick(c);
    return cache_rrset_get(c, &n, type, CLASS_IN, stale_s, out, buf);
}

static void test_an_rrset_comes_back(void **state) {
    struct cache *c = *state;
    struct rrset r = rrset_of("www.example.", TYPE_A, TRUST_DATA, 300, 7), got;
    uint8_t data[64];
    size_t size = data_make(data, 2, 4, 7);
    size += data_make(data + size, 1, 20, 9);
    r.sigs = 1;
    r.with_dnssec = true;
    r.security = SECURITY_INSECURE;
    r.data = (struct bytes){data, size};
    assert_int_equal(get(c, "www.example.", TYPE_A, 0, &got), E_NOTFOUND);
    assert_int_equal(cache_rrset_put(c, &r), 0);
    test_now_s += 100;
    assert_int_equal(get(c, "WWW.Example.", TYPE_A, 0, &got), 0);
    assert_memory_equal(got.owner.wire, r.owner.wire, r.owner.size);
    assert_int_equal(got.ttl_s, 200);
    assert_int_equal(got.age_s, 100);
    assert_int_equal(got.kind, RRSET_DATA);
    assert_int_equal(got.trust, TRUST_DATA);
    assert_int_equal(got.security, SECURITY_INSECURE);
    assert_true(got.with_dnssec);
    assert_int_equal(got.count, 2);
    assert_int_equal(got.sigs, 1);
    assert_int_equal(got.data.size, size);
    assert_memory_equal(got.data.at, data, size);

    struct bytes rdata;
    size_t at = 0;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(rrset_next(&got, &at, &rdata), 0);
        assert_int_equal(rdata.size, i < 2 ? 4 : 20);
        assert_int_equal(rdata.at[0], i < 2 ? 7 : 9);
    }
    assert_int_equal(rrset_next(&got, &at, &rdata), E_NOTFOUND);
    assert_int_equal(get(c, "www.example.", TYPE_AAAA, 0, &got), E_NOTFOUND);
    assert_int_equal(get(c, "example.", TYPE_A, 0, &got), E_NOTFOUND);
    test_now_s += 200;
    assert_int_equal(get(c, "www.example.", TYPE_A, 0, &got), E_NOTFOUND);
}

static void test_an_rrset_is_no_answer(void **state) {
    struct cache *c = *state;
    struct rrset r = rrset_of("www.example.", TYPE_A, TRUST_DATA, 300, 7), got;
    struct name n = test_name("www.example.");
    struct cache_key key = test_key(&n, TYPE_A);
    struct cache_hit hit;
    uint8_t msg[512];
    assert_int_equal(cache_rrset_put(c, &r), 0);
    assert_int_equal(cache_get(c, &key, buf, sizeof buf, &hit), E_NOTFOUND);
    size_t size = test_positive(msg, sizeof msg, &n, (const uint32_t[]){300}, 1);
    assert_int_equal(cache_put(c, &key, msg, size), 0);
    assert_int_equal(get(c, "www.example.", TYPE_A, 0, &got), 0);
    assert_int_equal(got.data.at[2], 7);
    assert_int_equal(cache_get(c, &key, buf, sizeof buf, &hit), 0);
}

/* Every pair of ranks: what stands there gives way to its like and to more, and to anything once it has ended. */
static void test_trust(void **state) {
    struct cache *c = *state;
    struct rrset got;
    for (unsigned there = TRUST_NONE; there <= TRUST_DATA; there++)
        for (unsigned comes = TRUST_NONE; comes <= TRUST_DATA; comes++) {
            char owner[64];
            snprintf(owner, sizeof owner, "t%u-%u.example.", there, comes);
            struct rrset r = rrset_of(owner, TYPE_A, there, 60, 1);
            assert_int_equal(cache_rrset_put(c, &r), 0);
            r = rrset_of(owner, TYPE_A, comes, 60, 2);
            assert_int_equal(cache_rrset_put(c, &r), comes < there ? E_REFUSED : 0);
            assert_int_equal(get(c, owner, TYPE_A, 0, &got), 0);
            assert_int_equal(got.data.at[2], comes < there ? 1 : 2);
            assert_int_equal(got.trust, comes < there ? there : comes);
            test_now_s += 61;
            r = rrset_of(owner, TYPE_A, TRUST_NONE, 60, 3);
            assert_int_equal(cache_rrset_put(c, &r), 0);
            assert_int_equal(get(c, owner, TYPE_A, 0, &got), 0);
            assert_int_equal(got.data.at[2], 3);
        }
}

static void test_what_is_denied(void **state) {
    struct cache *c = *state;
    struct rrset got, r = denial_of("x.example.", TYPE_AAAA, 100);
    assert_int_equal(cache_rrset_put(c, &r), 0);
    assert_int_equal(get(c, "x.example.", TYPE_AAAA, 0, &got), 0);
    assert_int_equal(got.kind, RRSET_NODATA);
    assert_int_equal(got.data.size, r.data.size);
    size_t at = 0;
    struct bytes rdata;
    assert_int_equal(rrset_next(&got, &at, &rdata), E_NOTFOUND);

    r = denial_of("x.example.", RRSET_NAME, 100000);
    assert_int_equal(cache_rrset_put(c, &r), 0);
    assert_int_equal(get(c, "x.example.", RRSET_NAME, 0, &got), 0);
    assert_int_equal(got.kind, RRSET_NXDOMAIN);
    assert_int_equal(got.ttl_s, 3600);
    assert_int_equal(get(c, "x.example.", TYPE_A, 0, &got), E_NOTFOUND);

    /* glue says nothing about whether the name is there; an answer does */
    r = rrset_of("x.example.", TYPE_A, TRUST_ADDITIONAL, 60, 1);
    assert_int_equal(cache_rrset_put(c, &r), 0);
    assert_int_equal(get(c, "x.example.", RRSET_NAME, 0, &got), 0);
    r.trust = TRUST_DATA;
    assert_int_equal(cache_rrset_put(c, &r), 0);
    assert_int_equal(get(c, "x.example.", RRSET_NAME, 0, &got), E_NOTFOUND);

    /* data gives way to the zone's later word that it is gone, and not to a forwarder's */
    r = denial_of("x.example.", TYPE_A, 50);
    r.trust = TRUST_ANSWER;
    assert_int_equal(cache_rrset_put(c, &r), E_REFUSED);
    r.trust = TRUST_AUTHORITY;
    assert_int_equal(cache_rrset_put(c, &r), 0);
    assert_int_equal(get(c, "x.example.", TYPE_A, 0, &got), 0);
    assert_int_equal(got.kind, RRSET_NODATA);
}

static void test_ttl_limits(void **state) {
    struct cache *c = *state;
    struct rrset got, r = rrset_of("a.example.", TYPE_A, TRUST_DATA, UINT32_MAX, 1);
    assert_int_equal(cache_rrset_put(c, &r), 0);
    assert_int_equal(get(c, "a.example.", TYPE_A, 0, &got), 0);
    assert_int_equal(got.ttl_s, 86400);
    r.ttl_s = 1;
    assert_int_equal(cache_rrset_put(c, &r), 0);
    assert_int_equal(get(c, "a.example.", TYPE_A, 0, &got), 0);
    assert_int_equal(got.ttl_s, 5);
    r = denial_of("b.example.", TYPE_A, 0); /* the minimum is for data */
    assert_int_equal(cache_rrset_put(c, &r), E_REFUSED);
    r.ttl_s = 1;
    assert_int_equal(cache_rrset_put(c, &r), 0);
    assert_int_equal(get(c, "b.example.", TYPE_A, 0, &got), 0);
    assert_int_equal(got.ttl_s, 1);

    struct cache_config config = {.size = 1 << 20, .max_ttl_s = 60};
    assert_int_equal(cache_open(&c, &config, NULL), 0);
    r = rrset_of("a.example.", TYPE_A, TRUST_DATA, 0, 1);
    assert_int_equal(cache_rrset_put(c, &r), E_REFUSED);
    cache_close(c);
}

/* The child renews its own delegation again and again, each time with other names and more trust; it ends all the same
 * when its parent said that it would. */
static void test_a_ghost_domain_ends(void **state) {
    struct cache *c = *state;
    struct rrset got, r = rrset_of("ghost.example.", TYPE_NS, TRUST_REFERRAL, 100, 1);
    assert_int_equal(cache_rrset_put(c, &r), 0);
    for (unsigned i = 0; i < 99; i++) {
        test_now_s++;
        unsigned trust = i < 40 ? TRUST_REFERRAL : i < 80 ? TRUST_AUTHORITY : TRUST_DATA;
        r = rrset_of("ghost.example.", TYPE_NS, trust, 86400, (uint8_t)i);
        assert_int_equal(cache_rrset_put(c, &r), 0);
        assert_int_equal(get(c, "ghost.example.", TYPE_NS, 0, &got), 0);
        assert_int_equal(got.ttl_s, 99 - i);
        assert_int_equal(got.data.at[2], i);
    }
    test_now_s++;
    assert_int_equal(get(c, "ghost.example.", TYPE_NS, 0, &got), E_NOTFOUND);
    assert_int_equal(cache_rrset_put(c, &r), 0); /* asked for anew from above: a new life */
    assert_int_equal(get(c, "ghost.example.", TYPE_NS, 0, &got), 0);
    assert_int_equal(got.ttl_s, 86400);
    r.ttl_s = 7; /* a shorter one is taken at its word */
    assert_int_equal(cache_rrset_put(c, &r), 0);
    assert_int_equal(get(c, "ghost.example.", TYPE_NS, 0, &got), 0);
    assert_int_equal(got.ttl_s, 7);
    r = rrset_of("live.example.", TYPE_A, TRUST_DATA, 10, 1); /* other types live as long as they say */
    assert_int_equal(cache_rrset_put(c, &r), 0);
    r.ttl_s = 500;
    assert_int_equal(cache_rrset_put(c, &r), 0);
    assert_int_equal(get(c, "live.example.", TYPE_A, 0, &got), 0);
    assert_int_equal(got.ttl_s, 500);
}

static void test_stale(void **state) {
    struct cache *c = *state;
    struct rrset got, r = rrset_of("old.example.", TYPE_A, TRUST_DATA, 10, 1);
    assert_int_equal(cache_rrset_put(c, &r), 0);
    test_now_s += 10;
    assert_int_equal(get(c, "old.example.", TYPE_A, 0, &got), E_NOTFOUND);
    assert_int_equal(get(c, "old.example.", TYPE_A, 1, &got), 0);
    assert_int_equal(got.ttl_s, 0);
    test_now_s += 3600;
    assert_int_equal(get(c, "old.example.", TYPE_A, 3600, &got), E_NOTFOUND);
    assert_int_equal(get(c, "old.example.", TYPE_A, 3601, &got), 0);
}

static void test_a_clock_set_back(void **state) {
    struct cache *c = *state;
    struct rrset got, r = rrset_of("a.example.", TYPE_A, TRUST_DATA, 1000, 1);
    assert_int_equal(cache_rrset_put(c, &r), 0);
    test_now_s -= 5000;
    assert_int_equal(get(c, "a.example.", TYPE_A, 0, &got), E_NOTFOUND);
    r = rrset_of("a.example.", TYPE_A, TRUST_ADDITIONAL, 1000, 2);
    assert_int_equal(cache_rrset_put(c, &r), 0); /* what another clock stored outranks nobody */
    assert_int_equal(get(c, "a.example.", TYPE_A, 0, &got), 0);
    assert_int_equal(got.data.at[2], 2);
}

static void test_what_is_malformed_is_not_taken(void **state) {
    struct cache *c = *state;
    struct rrset good = rrset_of("a.example.", TYPE_A, TRUST_DATA, 60, 1), r = good;
    for (size_t size = 0; size < good.data.size; size++) {
        r.data.size = size;
        assert_int_equal(cache_rrset_put(c, &r), E_INVALID);
    }
    static const struct rrset wrongs[] = {{.count = 0},
                                          {.count = 3},
                                          {.count = 2, .sigs = 1},
                                          {.count = 1},
                                          {.count = 2, .kind = RRSET_NXDOMAIN + 1},
                                          {.count = 2, .kind = RRSET_NXDOMAIN},
                                          {.count = 2, .kind = RRSET_NODATA},
                                          {.count = 2, .trust = TRUST_DATA + 1},
                                          {.count = 2, .security = SECURITY_BOGUS + 1}};
    for (unsigned i = 0; i < ARRAY_SIZE(wrongs); i++) {
        r = good;
        r.count = wrongs[i].count;
        r.sigs = wrongs[i].sigs;
        r.kind = wrongs[i].kind;
        r.trust = wrongs[i].trust;
        r.security = wrongs[i].security;
        assert_int_equal(cache_rrset_put(c, &r), E_INVALID);
    }
    r = good;
    r.type = RRSET_NAME;
    assert_int_equal(cache_rrset_put(c, &r), E_INVALID);

    good = r = denial_of("a.example.", TYPE_A, 60);
    for (size_t size = 0; size < good.data.size; size++) {
        r.data.size = size;
        assert_int_equal(cache_rrset_put(c, &r), E_INVALID);
    }
    for (unsigned i = 0; i < 20000; i++) { /* turned at random: taken or not, never read past its end */
        uint8_t *copy = malloc(good.data.size);
        assert_non_null(copy);
        memcpy(copy, good.data.at, good.data.size);
        copy[rand_below(12)] = (uint8_t)rand_u32();
        copy[rand_below((uint32_t)good.data.size)] ^= (uint8_t)(1 << rand_below(8));
        r.data = (struct bytes){copy, good.data.size};
        int e = cache_rrset_put(c, &r);
        assert_true(e == 0 || e == E_INVALID);
        free(copy);
    }
}

static void test_the_largest(void **state) {
    static uint8_t data[RRSET_MAX];
    struct cache *c = *state;
    struct rrset got, r = rrset_of("large.example.", TYPE_TXT, TRUST_DATA, 60, 1);
    size_t most = CACHE_MESSAGE_MAX - CACHE_QUESTION_MAX;
    r.count = 1;
    r.data = (struct bytes){data, data_make(data, 1, (uint16_t)(most - 2), 'x')};
    assert_int_equal(cache_rrset_put(c, &r), 0);
    assert_int_equal(get(c, "large.example.", TYPE_TXT, 0, &got), 0);
    assert_int_equal(got.data.size, most);
    assert_memory_equal(got.data.at, data, most);
    r.data.size = data_make(data, 1, (uint16_t)(most - 1), 'x');
    assert_int_equal(cache_rrset_put(c, &r), E_INVALID);
}

/* Each bit of the log, one at a time: what comes back is what was kept, or nothing. */
static void test_damage_is_only_misses(void **state) {
    struct cache *c = *state;
    struct rrset got, r = rrset_of("a.example.", TYPE_A, TRUST_DATA, 1000, 1);
    unsigned misses = 0;
    assert_int_equal(cache_rrset_put(c, &r), 0);
    size_t end = 32 + 11 + 4 + r.data.size; /* the record: its head, owner, type and class, data */
    uint64_t place = (c->file->ring[CACHE_NEW].head - c->ring[CACHE_NEW].bytes) - cache_room(end);
    for (size_t bit = 0; bit < end * 8; bit++) {
        c->ring[CACHE_NEW].log[place + bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (get(c, "a.example.", TYPE_A, 0, &got) == 0)
            assert_memory_equal(got.data.at, r.data.at, r.data.size);
        else
            misses++;
        c->ring[CACHE_NEW].log[place + bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(cache_rrset_put(c, &r), 0);
        place = (c->file->ring[CACHE_NEW].head - c->ring[CACHE_NEW].bytes) - cache_room(end);
    }
    assert_int_equal(misses, end * 8);
}

enum { WRITERS = 4, ROUNDS = 20000, SHARED_NAMES = 8 };

/* Writers of all trusts on the same few names: an RRset is whole, and nobody ever sees the trust of one go down. */
static void writer(struct cache *c) {
    uint8_t seen[SHARED_NAMES] = {0};
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned which = rand_below(SHARED_NAMES);
        char owner[32];
        snprintf(owner, sizeof owner, "n%u.example.", which);
        /* the highest trust is rare, so that there is time for races below it */
        unsigned trust = rand_below(1000) == 0 ? 1 + rand_below(TRUST_DATA) : 1;
        struct rrset got, r = rrset_of(owner, TYPE_A, trust, 1000, (uint8_t)trust);
        int e = cache_rrset_put(c, &r);
        if (e != 0 && e != E_REFUSED && e != E_AGAIN)
            _exit(1);
        if (get(c, owner, TYPE_A, 0, &got) != 0)
            continue;
        if (got.data.at[2] != got.trust || got.data.at[got.data.size - 1] != got.trust)
            _exit(2);
        if (got.trust < seen[which])
            _exit(3);
        seen[which] = got.trust;
    }
    _exit(0);
}

static void test_writers_at_once(void **state) {
    struct cache *c = *state;
    pid_t pids[WRITERS];
    (void)c;
    for (unsigned i = 0; i < WRITERS; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0)
            writer(c);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        int status;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, start, finish)
    const struct CMUnitTest tests[] = {
        T(test_an_rrset_comes_back),
        T(test_an_rrset_is_no_answer),
        T(test_trust),
        T(test_what_is_denied),
        T(test_ttl_limits),
        T(test_a_ghost_domain_ends),
        T(test_stale),
        T(test_a_clock_set_back),
        T(test_what_is_malformed_is_not_taken),
        T(test_the_largest),
        T(test_damage_is_only_misses),
        T(test_writers_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
