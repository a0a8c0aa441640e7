/* Random bytes: no repetition, not even over a fork, and fair draws. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "resolver/base/rand.h"

enum { CHUNK = 64, CHUNKS = 500 };

static int compare(const void *a, const void *b) { return memcmp(a, b, CHUNK); }

static void never_repeats(void **state) {
    static uint8_t chunk[CHUNKS][CHUNK];
    (void)state;
    for (int i = 0; i < CHUNKS; i++)
        rand_bytes(chunk[i], CHUNK);
    qsort(chunk, CHUNKS, CHUNK, compare);
    for (int i = 1; i < CHUNKS; i++)
        assert_memory_not_equal(chunk[i - 1], chunk[i], CHUNK);
}

/* Reads whole, or fails the test. */
static void take(int fd, uint8_t *to) {
    for (ssize_t got = 0, n; got < CHUNK; got += n) {
        n = read(fd, to + got, (size_t)(CHUNK - got));
        assert_true(n > 0);
    }
}

static void child_differs_from_parent(void **state) {
    uint8_t mine[CHUNK], theirs[2][CHUNK];
    (void)state;
    rand_bytes(mine, CHUNK); /* fills the pool that the children inherit */
    for (int i = 0; i < 2; i++) {
        int ends[2], status;
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            rand_bytes(mine, CHUNK);
            _exit(write(ends[1], mine, CHUNK) == CHUNK ? 0 : 1);
        }
        take(ends[0], theirs[i]);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        close(ends[0]);
        close(ends[1]);
    }
    rand_bytes(mine, CHUNK);
    assert_memory_not_equal(theirs[0], theirs[1], CHUNK);
    assert_memory_not_equal(mine, theirs[0], CHUNK);
    assert_memory_not_equal(mine, theirs[1], CHUNK);
}

static void large_and_empty(void **state) {
    static uint8_t big[100000];
    size_t zeros = 0;
    (void)state;
    rand_bytes(NULL, 0);
    rand_bytes(big, sizeof(big));
    for (size_t i = 0; i < sizeof(big); i++)
        zeros += big[i] == 0;
    assert_in_range(zeros, 200, 650); /* 391 expected, deviation 20 */
}

static void below_is_fair(void **state) {
    unsigned hits[3] = {0};
    (void)state;
    assert_int_equal(rand_below(0), 0);
    assert_int_equal(rand_below(1), 0);
    for (int i = 0; i < 30000; i++)
        hits[rand_below(3)]++;
    for (int i = 0; i < 3; i++)
        assert_in_range(hits[i], 9200, 10800); /* 10 deviations */
    for (int i = 0; i < 1000; i++)
        assert_true(rand_below(0x80000001u) <= 0x80000000u);
}

static void covers_its_width(void **state) {
    uint64_t seen = 0, all64 = 0;
    uint32_t all32 = 0;
    (void)state;
    for (int i = 0; i < 200; i++) {
        seen |= rand_u16();
        all32 |= rand_u32();
        all64 |= rand_u64();
    }
    assert_int_equal(seen, 0xffff);
    assert_int_equal(all32, 0xffffffff);
    assert_true(all64 == UINT64_MAX);
}

static void labels(void **state) {
    char label[64];
    (void)state;
    for (int i = 0; i < 200; i++) {
        memset(label, '!', sizeof(label));
        rand_label(label, 20);
        assert_int_equal(strlen(label), 20);
        assert_true(label[0] >= 'a' && label[0] <= 'z');
        assert_int_equal(strspn(label, "abcdefghijklmnopqrstuvwxyz0123456789"), 20);
        assert_int_equal(label[21], '!');
    }
    rand_label(label, 0);
    assert_string_equal(label, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_repeats), cmocka_unit_test(child_differs_from_parent), cmocka_unit_test(large_and_empty),
        cmocka_unit_test(below_is_fair), cmocka_unit_test(covers_its_width),          cmocka_unit_test(labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
