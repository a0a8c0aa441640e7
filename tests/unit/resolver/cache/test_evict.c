/* Who stays when the cache is full, and that neither a crash, nor damage, nor a flood, nor a second writer changes what
 * is believed. */
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

enum { SIZE = 1 << 20, MIDDLE = 16 << 20, LARGE = 64 << 20 };

static int start(void **state) {
    test_now_s = 1000000;
    test_clock_on();
    *state = test_cache(NULL, SIZE);
    return 0;
}

static int start_large(void **state) {
    test_now_s = 1000000;
    test_clock_on();
    *state = test_cache(NULL, LARGE);
    return 0;
}

static int start_middle(void **state) {
    test_now_s = 1000000;
    test_clock_on();
    *state = test_cache(NULL, MIDDLE);
    return 0;
}

static int finish(void **state) {
    cache_close(*state);
    return 0;
}

static struct name name_of(const char *form, unsigned i) {
    char text[64];
    snprintf(text, sizeof text, form, i);
    return test_name(text);
}

/* True: it was found, and is the answer to this question. */
static bool get(struct cache *c, const char *form, unsigned i) {
    static uint8_t back[LIMIT_MESSAGE];
    struct cache_hit hit;
    struct dns_reader r;
    struct name qname, n = name_of(form, i);
    struct cache_key key = test_key(&n, TYPE_A);
    cache_tick(c);
    int e = cache_get(c, &key, back, sizeof back, &hit);
    if (e != 0)
        assert_int_equal(e, E_NOTFOUND);
    else
        assert_true(dns_reader_open(&r, back, hit.size, &qname, NULL, NULL) == 0 && name_equal(&qname, &n));
    return e == 0;
}

static int put(struct cache *c, const char *form, unsigned i) {
    uint8_t msg[512];
    struct name n = name_of(form, i);
    struct cache_key key = test_key(&n, TYPE_A);
    return cache_put(c, &key, msg, test_positive(msg, sizeof msg, &n, (const uint32_t[]){86400}, 1));
}

static void probe(const struct cache *c, const char *form, unsigned i, struct cache_probe *p) {
    struct name n = name_of(form, i);
    cache_probe_make(c, &n, TYPE_A, CLASS_IN, 0, p);
}

/* The index word of a name; 0: none. */
static uint64_t word_of(const struct cache *c, const char *form, unsigned i) {
    struct cache_probe p;
    probe(c, form, i, &p);
    for (unsigned k = 0; k < CACHE_WAYS; k++)
        if ((p.bucket[k] & CACHE_PLACE_MASK) != 0 && p.bucket[k] >> CACHE_TAG_SHIFT == p.tag)
            return p.bucket[k];
    return 0;
}

static unsigned found(struct cache *c, const char *form, unsigned count) {
    unsigned sum = 0;
    for (unsigned i = 0; i < count; i++)
        sum += get(c, form, i);
    return sum;
}

static void put_all(struct cache *c, const char *form, unsigned from, unsigned count) {
    for (unsigned i = from; i < from + count; i++)
        assert_int_equal(put(c, form, i), 0);
}

enum { ONE_LAP = 1500, MANY_LAPS = 30000, HOT = 500 }; /* names, of the ring of what is new */

/* The large ring is full of what was asked for once, and the hot names are in the small one, asked for. */
static void fill(struct cache *c) {
    for (unsigned i = 0; i < MANY_LAPS; i++) {
        assert_int_equal(put(c, "old%u.example.", i), 0);
        (void)get(c, "old%u.example.", i);
    }
    put_all(c, "hot%u.example.", 0, HOT);
    assert_true(found(c, "hot%u.example.", HOT) >= HOT * 94 / 100);
}

static unsigned one_of(struct cache *c) {
    for (unsigned i = 0; i < HOT; i++)
        if (get(c, "hot%u.example.", i))
            return i;
    fail();
    return 0;
}

static void test_names_asked_for_once_push_nobody_out(void **state) {
    struct cache *c = *state;
    fill(c);
    put_all(c, "once%u.example.", 0,
            MANY_LAPS); /* three times the whole room, and nobody asks for the hot ones meanwhile */
    unsigned there = found(c, "hot%u.example.", HOT);
    print_message("after %u names that were asked for once %u of %u are there\n", MANY_LAPS, there, HOT);
    assert_true(there > HOT * 9 / 10);
}

static void test_a_hit_writes_once(void **state) {
    struct cache *c = *state;
    assert_int_equal(put(c, "n%u.example.", 1), 0);
    uint64_t before = word_of(c, "n%u.example.", 1);
    assert_int_equal(before & CACHE_ASKED, 0);
    assert_true(get(c, "n%u.example.", 1));
    uint64_t after = word_of(c, "n%u.example.", 1), heads[2] = {c->file->ring[0].head, c->file->ring[1].head};
    assert_true(after == (before | CACHE_ASKED));
    for (unsigned i = 0; i < 1000; i++)
        assert_true(get(c, "n%u.example.", 1));
    assert_true(word_of(c, "n%u.example.", 1) == after);
    assert_true(heads[0] == c->file->ring[0].head && heads[1] == c->file->ring[1].head);
}

/* Each state that a process killed while it moves a record can leave. */
static void test_killed_in_the_middle_of_a_move(void **state) {
    struct cache *c = *state;
    struct cache_probe p;
    struct cache_found at;
    fill(c);
    for (unsigned i = 0; i < 40; i++) { /* appended, never published: nobody points at the copy */
        probe(c, "hot%u.example.", i, &p);
        const struct cache_record *r = cache_find(c, &p, 0, &at);
        if (r != NULL)
            assert_true(cache_append(c, CACHE_KEPT, c->scratch, cache_record_size(r)) != 0);
    }
    for (unsigned i = 0; i < 40; i++) { /* reserved, never written: what stood there stays, or half of it */
        c->file->ring[CACHE_KEPT].head += 104;
        c->file->ring[CACHE_NEW].head += 72;
    }
    c->file->ring[CACHE_NEW].judged -= 4096; /* judged, not said so: judged again */
    c->file->ring[CACHE_KEPT].judged -= 4096;
    put_all(c, "once%u.example.", 0, ONE_LAP * 4);
    assert_true(found(c, "hot%u.example.", HOT) > HOT * 8 / 10);
    put_all(c, "n%u.example.", 0, 100);
    assert_true(found(c, "n%u.example.", 100) >= 90);
}

static void test_the_judge_may_be_anywhere(void **state) {
    struct cache *c = *state;
    const uint64_t places[] = {0, 1, 7, UINT64_MAX, UINT64_MAX - 8, 1ULL << 45, c->file->ring[CACHE_NEW].head + 65536};
    fill(c);
    for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
        c->file->ring[CACHE_NEW].judged = c->file->ring[CACHE_KEPT].judged = places[i];
        put_all(c, "n%u.example.", i * 1000, 1000);
        for (unsigned k = 0; k < 100; k++)
            if (!get(c, "again%u.example.", k))
                assert_int_equal(put(c, "again%u.example.", k), 0);
    }
    assert_true(found(c, "again%u.example.", 100) >= 90);
}

/* A bit of a record turns over before it is moved: it is dropped then, and those beside it are not. */
static void test_damage_is_not_moved(void **state) {
    struct cache *c = *state;
    fill(c);
    unsigned one = one_of(c);
    uint64_t place = word_of(c, "hot%u.example.", one) & CACHE_PLACE_MASK;
    uint64_t offset = (place & CACHE_POSITION_MASK) * CACHE_UNIT % c->ring[cache_ring_of(place)].bytes;
    assert_true(place != 0);
    c->ring[cache_ring_of(place)].log[offset + 50] ^= 4;
    uint64_t head = c->file->ring[CACHE_KEPT].head;
    put_all(c, "once%u.example.", 0, ONE_LAP);
    assert_true(c->file->ring[CACHE_KEPT].head > head); /* others were moved */
    assert_false(word_of(c, "hot%u.example.", one) & 1ULL << CACHE_RING_SHIFT);
    assert_false(get(c, "hot%u.example.", one));
    assert_true(found(c, "hot%u.example.", HOT) > HOT * 9 / 10);
}

/* Names that fall into one bucket harm each other alone, and not what is asked for there. */
static void test_a_flood_into_one_bucket(void **state) {
    struct cache *c = *state;
    struct cache_probe hot, p;
    enum { FLOOD = 200 };
    fill(c);
    unsigned one = one_of(c);
    probe(c, "hot%u.example.", one, &hot);
    unsigned flooded = 0, there = found(c, "hot%u.example.", HOT);
    for (unsigned i = 0; flooded < FLOOD && i < 4000000; i++) {
        probe(c, "f%u.example.", i, &p);
        if (p.bucket != hot.bucket || p.tag == hot.tag)
            continue;
        assert_int_equal(put(c, "f%u.example.", i), 0);
        assert_true(get(c, "f%u.example.", i)); /* each is there at first; those before it had to go */
        flooded++;
    }
    assert_int_equal(flooded, FLOOD);
    unsigned lost = there - found(c, "hot%u.example.", HOT);
    print_message("%u names into one bucket: %u of %u others lost\n", flooded, lost, there);
    assert_true(lost <= CACHE_WAYS);
}

/* Two handles on one file: what one knows of heads and places is behind what the other did. */
static void test_two_writers(void **state) {
    char path[] = "/tmp/candor-cache-XXXXXX";
    (void)state;
    test_clock_on();
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    unlink(path);
    struct cache *a = test_cache(path, SIZE), *b = test_cache(path, SIZE);
    unsigned hits[2] = {0, 0};
    for (unsigned i = 0; i < MANY_LAPS; i++) {
        assert_int_equal(put(i % 2 ? a : b, "n%u.example.", i), 0);
        hits[0] += get(a, "n%u.example.", i);
        hits[1] += get(b, "n%u.example.", i);
        struct cache *other = i % 2 ? b : a;
        if (i % 10 == 0 && !get(other, "hot%u.example.", i / 10 % 100))
            assert_int_equal(put(other, "hot%u.example.", i / 10 % 100), 0);
    }
    assert_true(hits[0] > MANY_LAPS - 100 && hits[1] > MANY_LAPS - 100);
    assert_true(found(a, "hot%u.example.", 100) >= 90 && found(b, "hot%u.example.", 100) >= 90);
    cache_close(a);
    cache_close(b);
    unlink(path);
}

/* A part of the index is used for a part of the log; whatever was put in one is found from all later ones, once. */
static void test_the_index_grows(void **state) {
    struct cache *c = *state;
    unsigned put_so_far = 0, least = c->least, extents = 1;
    uint64_t used = cache_used(c);
    assert_true(used < c->buckets / 32);
    while (extents < 100 && put_so_far < 400000) {
        put_all(c, "n%u.example.", put_so_far, 1000);
        put_so_far += 1000;
        if (cache_used(c) == used)
            continue;
        used = cache_used(c);
        extents++;
        assert_true(found(c, "n%u.example.", put_so_far) >= put_so_far - put_so_far / 100);
        put_all(c, "n%u.example.", 0, 1000); /* again, into the part in use now */
        uint64_t count = cache_count(c);
        assert_true(count <= put_so_far && count >= put_so_far - put_so_far / 100);
    }
    assert_int_equal(extents, CACHE_EXTENTS - least);
    assert_true(used == c->buckets && c->least == least);
    struct name root = test_name("example.");
    uint64_t forgotten;
    assert_int_equal(cache_flush(c, &root, true, &forgotten), 0);
    assert_true(forgotten > put_so_far * 9 / 10);
    assert_int_equal(cache_count(c), 0);
}

/* What stood in an early part of the index and is asked for is in the last one when the rest is no more looked at. */
static void test_what_was_put_early_stays(void **state) {
    struct cache *c = *state;
    put_all(c, "hot%u.example.", 0, HOT);
    unsigned i = 0, lost = 0;
    assert_true(c->least < CACHE_EXTENTS - 1);
    for (; c->least < CACHE_EXTENTS - 1 && i < 10000000; i++) {
        assert_int_equal(put(c, "n%u.example.", i), 0);
        (void)get(c, "n%u.example.", i);
        if (i % 500 == 0) {
            lost += HOT - found(c, "hot%u.example.", HOT);
        }
    }
    assert_int_equal(c->least, CACHE_EXTENTS - 1);
    print_message("%u names later %u of %u asked were lost, %u are there\n", i, lost, i / 500 * HOT,
                  found(c, "hot%u.example.", HOT));
    assert_true(found(c, "hot%u.example.", HOT) >= HOT * 98 / 100);
}

enum { PROCESSES = 3, KILLS = 60, NAMES = 150000, STATUS_WRONG = 42 };

/* Puts and asks until it is killed: what comes back is the answer to what was asked. */
static void child(struct cache *c) {
    static uint8_t back[LIMIT_MESSAGE];
    for (;;) {
        struct cache_hit hit;
        struct dns_reader r;
        struct name qname, n = name_of("n%u.example.", rand_below(rand_below(2) ? NAMES : HOT));
        struct cache_key key = test_key(&n, TYPE_A);
        cache_tick(c);
        if (cache_get(c, &key, back, sizeof back, &hit) != 0) {
            size_t size = test_positive(back, sizeof back, &n, (const uint32_t[]){86400}, 1);
            int e = cache_put(c, &key, back, size);
            if (e != 0 && e != E_AGAIN)
                _exit(1);
        } else if (dns_reader_open(&r, back, hit.size, &qname, NULL, NULL) != 0 || !name_equal(&qname, &n)) {
            _exit(STATUS_WRONG);
        }
    }
}

static pid_t child_start(struct cache *c) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        child(c);
    return pid;
}

/* From an empty index to a full one, and on until words in its early parts no more count. */
static void test_killed_while_the_index_grows(void **state) {
    struct cache *c = *state;
    pid_t pids[PROCESSES];
    int status;
    for (unsigned i = 0; i < PROCESSES; i++)
        pids[i] = child_start(c);
    for (unsigned n = 0; n < KILLS; n++) {
        unsigned i = rand_below(PROCESSES);
        for (unsigned k = 0; k < 2000; k++) { /* what is asked for once, and drives the rings round */
            int e = put(c, "once%u.example.", n * 2000 + k);
            assert_true(e == 0 || e == E_AGAIN); /* others were quicker each time */
            (void)get(c, "once%u.example.", n * 2000 + k);
        }
        kill(pids[i], SIGKILL);
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        pids[i] = child_start(c);
    }
    for (unsigned i = 0; i < PROCESSES; i++) {
        kill(pids[i], SIGKILL);
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    }
    for (unsigned i = 0; c->least < CACHE_EXTENTS - 1 && i < 2000000; i++) {
        assert_int_equal(put(c, "more%u.example.", i), 0);
        (void)get(c, "more%u.example.", i);
    }
    assert_int_equal(c->least, CACHE_EXTENTS - 1);
    (void)found(c, "n%u.example.", NAMES); /* each is the answer to its question */
    put_all(c, "last%u.example.", 0, HOT);
    assert_true(found(c, "last%u.example.", HOT) >= HOT * 9 / 10);
}

/* Name servers that come with every answer take no room each time; what is news does. */
static void test_an_rrset_that_says_the_same(void **state) {
    struct cache *c = *state;
    uint8_t data[] = {4, 0, 192, 0, 2, 1};
    struct rrset r = {.owner = test_name("a.example."),
                      .type = TYPE_A,
                      .klass = CLASS_IN,
                      .ttl_s = 3600,
                      .count = 1,
                      .trust = TRUST_DATA,
                      .data = {data, sizeof data}};
    assert_int_equal(cache_rrset_put(c, &r), 0);
    uint64_t head = c->file->ring[CACHE_NEW].head;
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(cache_rrset_put(c, &r), 0);
    assert_true(c->file->ring[CACHE_NEW].head == head);
    test_now_s += 1000; /* it would live much longer now */
    assert_int_equal(cache_rrset_put(c, &r), 0);
    assert_true(c->file->ring[CACHE_NEW].head > head);
    head = c->file->ring[CACHE_NEW].head;
    r.ttl_s = 60; /* it is to live less long */
    assert_int_equal(cache_rrset_put(c, &r), 0);
    assert_true(c->file->ring[CACHE_NEW].head > head);
    head = c->file->ring[CACHE_NEW].head;
    data[5] = 2;
    assert_int_equal(cache_rrset_put(c, &r), 0);
    assert_true(c->file->ring[CACHE_NEW].head > head);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_names_asked_for_once_push_nobody_out, start, finish),
        cmocka_unit_test_setup_teardown(test_a_hit_writes_once, start, finish),
        cmocka_unit_test_setup_teardown(test_killed_in_the_middle_of_a_move, start, finish),
        cmocka_unit_test_setup_teardown(test_the_judge_may_be_anywhere, start, finish),
        cmocka_unit_test_setup_teardown(test_damage_is_not_moved, start, finish),
        cmocka_unit_test_setup_teardown(test_a_flood_into_one_bucket, start, finish),
        cmocka_unit_test(test_two_writers),
        cmocka_unit_test_setup_teardown(test_the_index_grows, start_large, finish),
        cmocka_unit_test_setup_teardown(test_what_was_put_early_stays, start_middle, finish),
        cmocka_unit_test_setup_teardown(test_killed_while_the_index_grows, start_middle, finish),
        cmocka_unit_test_setup_teardown(test_an_rrset_that_says_the_same, start, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
