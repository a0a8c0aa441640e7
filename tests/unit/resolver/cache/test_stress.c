/* Many processes on one small cache, killed with SIGKILL at any moment: never a torn answer, never a wait. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "resolver/base/clock.h"
#include "resolver/base/rand.h"
#include "resolver/cache/layout.h"
#include "tests/unit/resolver/cache/messages.h"

enum { PROCESSES = 4, NAMES = 400, KILLS = 300, RRS_MAX = 300, STATUS_TORN = 42 };

struct tally {
    uint64_t hits, misses, puts;
};

/* Every RR of one answer carries the same four octets, made from the name's number and a number drawn anew for each
 * answer: an answer of two halves shows. */
static size_t answer_make(uint8_t *msg, const struct name *n, unsigned number) {
    struct dns_writer w;
    uint32_t draw = rand_u32() & 0xffff;
    uint8_t value[4];
    put_u32(value, (uint32_t)number << 16 | draw);
    unsigned rrs = 1 + rand_below(rand_below(8) == 0 ? RRS_MAX : 4);
    dns_writer_open(&w, msg, LIMIT_MESSAGE, 0, FLAG_QR, OPCODE_QUERY);
    dns_writer_question(&w, n, TYPE_A, CLASS_IN);
    for (unsigned i = 0; i < rrs; i++)
        dns_writer_a(&w, SECTION_ANSWER, n, 1000, value);
    int size = dns_writer_end(&w, FLAG_QR, RCODE_NOERROR);
    return size > 0 ? (size_t)size : 0;
}

static bool answer_whole(const uint8_t *msg, size_t size, const struct name *n, unsigned number) {
    struct dns_reader r;
    struct dns_rr rr;
    struct name qname;
    uint32_t first = 0;
    unsigned seen = 0;
    int e;
    if (dns_reader_open(&r, msg, size, &qname, NULL, NULL) != 0 || !name_equal(&qname, n))
        return false;
    while ((e = dns_reader_next(&r, &rr)) == 0) {
        uint32_t value = rr.rdata_size == 4 ? get_u32(msg + rr.rdata) : 0;
        if (value >> 16 != number || (seen > 0 && value != first) || rr.ttl > 1000)
            return false;
        first = value;
        seen++;
    }
    return e == E_NOTFOUND && seen == r.header.an && seen > 0;
}

static void child(struct cache *c, struct tally *t) {
    static uint8_t msg[LIMIT_MESSAGE];
    for (;;) {
        unsigned number = rand_below(rand_below(2) ? NAMES : NAMES / 20);
        struct name n = {.labels = 2};
        n.size = 12;
        memcpy(n.wire, "\5n0000\4test", 12);
        for (unsigned i = 0, rest = number; i < 4; i++, rest /= 10)
            n.wire[5 - i] = (uint8_t)('0' + rest % 10);
        struct cache_key key = test_key(&n, TYPE_A);
        struct cache_hit hit;
        cache_tick(c);
        int e = cache_get(c, &key, msg, sizeof msg, &hit);
        if (e == 0 && !answer_whole(msg, hit.size, &n, number))
            _exit(STATUS_TORN);
        if (e == 0)
            __atomic_fetch_add(&t->hits, 1, __ATOMIC_RELAXED);
        else
            __atomic_fetch_add(&t->misses, 1, __ATOMIC_RELAXED);
        if (e != 0 || rand_below(4) == 0) {
            size_t size = answer_make(msg, &n, number);
            if (size == 0 || cache_put(c, &key, msg, size) != 0)
                _exit(1);
            __atomic_fetch_add(&t->puts, 1, __ATOMIC_RELAXED);
        }
    }
}

static pid_t child_start(struct cache *c, struct tally *t) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        child(c, t);
    return pid;
}

static void test_killed_at_any_moment(void **state) {
    (void)state;
    struct cache *c = test_cache(NULL, CACHE_SIZE_MIN);
    struct cache *shared = test_cache(NULL, CACHE_SIZE_MIN); /* its log is our shared memory */
    struct tally *t = (struct tally *)shared->ring[CACHE_KEPT].log;
    pid_t pids[PROCESSES];
    int status;
    for (unsigned i = 0; i < PROCESSES; i++)
        pids[i] = child_start(c, t);
    for (unsigned n = 0; n < KILLS; n++) {
        unsigned i = rand_below(PROCESSES);
        usleep(rand_below(4000));
        kill(pids[i], SIGKILL);
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        pids[i] = child_start(c, t);
    }
    for (unsigned i = 0; i < PROCESSES; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], &status, 0);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    }
    uint64_t laps[CACHE_RINGS];
    for (unsigned i = 0; i < CACHE_RINGS; i++)
        laps[i] = c->file->ring[i].head / c->ring[i].bytes;
    print_message("%llu hits, %llu misses, %llu puts, %llu laps of what is new, %llu of what is kept\n",
                  (unsigned long long)t->hits, (unsigned long long)t->misses, (unsigned long long)t->puts,
                  (unsigned long long)laps[CACHE_NEW], (unsigned long long)laps[CACHE_KEPT]);
    assert_true(t->hits > 1000 && t->puts > 1000);
    assert_true(laps[CACHE_KEPT] > 2); /* what comes back is kept, so that what is new goes round slowly */
    cache_close(shared);
    cache_close(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_killed_at_any_moment)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
