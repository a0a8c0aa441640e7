/* The file behind the cache: kept over a restart, doubted byte by byte. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "resolver/base/log.h"
#include "resolver/base/rand.h"
#include "resolver/cache/layout.h"
#include "tests/unit/resolver/cache/messages.h"

enum { SIZE = 1 << 20, NAMES = 500 };

static char folder[64], path[80];

static int start(void **state) {
    (void)state;
    strcpy(folder, "/tmp/candor-cache-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/cache", folder);
    test_now_s = 1000000;
    test_clock_on();
    log_open("test", LEVEL_ERROR, LOG_FORMAT_LOGFMT, LOG_TARGET_STDERR);
    return 0;
}

static int finish(void **state) {
    char fresh[96];
    (void)state;
    snprintf(fresh, sizeof fresh, "%s.new", path);
    assert_int_equal(unlink(fresh), -1); /* nothing half-made is left */
    unlink(path);
    return rmdir(folder);
}

static struct name numbered(unsigned i) {
    char text[64];
    snprintf(text, sizeof text, "n%u.example.", i);
    return test_name(text);
}

/* RRs that say which name they belong to. */
static void fill(struct cache *c) {
    for (unsigned i = 0; i < NAMES; i++) {
        uint8_t msg[512];
        struct name n = numbered(i);
        struct cache_key key = test_key(&n, TYPE_A);
        struct dns_writer w;
        uint8_t value[4];
        put_u32(value, i);
        dns_writer_open(&w, msg, sizeof msg, 0, FLAG_QR, OPCODE_QUERY);
        dns_writer_question(&w, &n, TYPE_A, CLASS_IN);
        for (unsigned k = 0; k < 3; k++)
            dns_writer_a(&w, SECTION_ANSWER, &n, 300, value);
        int size = dns_writer_end(&w, FLAG_QR, RCODE_NOERROR);
        assert_true(size > 0);
        assert_int_equal(cache_put(c, &key, msg, (size_t)size), 0);
    }
}

/* How many names are found; every one found is right in each octet that matters. */
static unsigned found(struct cache *c) {
    unsigned count = 0;
    cache_tick(c);
    for (unsigned i = 0; i < NAMES; i++) {
        uint8_t msg[LIMIT_MESSAGE];
        struct name n = numbered(i);
        struct cache_key key = test_key(&n, TYPE_A);
        struct cache_hit hit;
        struct dns_reader r;
        struct dns_rr rr;
        if (cache_get(c, &key, msg, sizeof msg, &hit) != 0)
            continue;
        assert_int_equal(dns_reader_open(&r, msg, hit.size, NULL, NULL, NULL), 0);
        for (unsigned k = 0; k < 3; k++) {
            assert_int_equal(dns_reader_next(&r, &rr), 0);
            assert_int_equal(rr.ttl, 300);
            assert_int_equal(get_u32(msg + rr.rdata), i);
        }
        count++;
    }
    return count;
}

static void test_a_restart_is_warm(void **state) {
    (void)state;
    struct cache *c = test_cache(path, SIZE);
    assert_true(cache_on_disk(c));
    fill(c);
    cache_close(c);
    c = test_cache(path, SIZE);
    assert_int_equal(found(c), NAMES);
    assert_int_equal(cache_count(c), NAMES);
    cache_close(c);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_true(st.st_blocks * 512 >= SIZE); /* no holes that a full disk could turn into a signal */
}

static void test_without_persist_it_starts_empty(void **state) {
    (void)state;
    struct cache *c = test_cache(path, SIZE);
    fill(c);
    cache_close(c);
    struct cache_config config = {.path = path, .size = SIZE, .max_ttl_s = 86400};
    assert_int_equal(cache_open(&c, &config, NULL), 0);
    assert_int_equal(found(c), 0);
    cache_close(c);
}

static void test_another_size_or_clock_starts_empty(void **state) {
    (void)state;
    struct cache *c = test_cache(path, SIZE);
    fill(c);
    cache_close(c);
    c = test_cache(path, 2 * SIZE);
    assert_int_equal(found(c), 0);
    fill(c);
    cache_close(c);
    struct cache_config config = {
        .path = path, .size = 2 * SIZE, .persist = true, .monotonic = true, .max_ttl_s = 86400};
    assert_int_equal(cache_open(&c, &config, NULL), 0);
    assert_int_equal(found(c), 0);
    fill(c);
    cache_close(c);
    assert_int_equal(cache_open(&c, &config, NULL), 0); /* the same boot of the machine */
    assert_int_equal(found(c), NAMES);
    cache_close(c);
}

static void poke(off_t at, uint8_t flip) {
    uint8_t octet;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &octet, 1, at), 1);
    octet ^= flip;
    assert_int_equal(pwrite(fd, &octet, 1, at), 1);
    close(fd);
}

static void test_a_damaged_header_starts_empty(void **state) {
    (void)state;
    for (size_t at = 0; at < offsetof(struct cache_file, pad); at++) {
        struct cache *c = test_cache(path, SIZE);
        fill(c);
        cache_close(c);
        poke((off_t)at, (uint8_t)(1 << rand_below(8)));
        c = test_cache(path, SIZE);
        assert_int_equal(found(c), 0);
        fill(c);                            /* and works */
        assert_true(found(c) >= NAMES - 2); /* two may have one tag in one bucket */
        cache_close(c);
    }
}

static void test_a_cut_or_foreign_file_starts_empty(void **state) {
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct cache *c = test_cache(path, SIZE);
        fill(c);
        cache_close(c);
        if (i == 0)
            assert_int_equal(truncate(path, SIZE / 2), 0);
        if (i == 1)
            assert_int_equal(truncate(path, 0), 0);
        if (i == 2) {
            unlink(path);
            assert_int_equal(symlink("/etc/passwd", path), 0);
        }
        c = test_cache(path, SIZE);
        assert_int_equal(found(c), 0);
        cache_close(c);
    }
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISREG(st.st_mode));
}

static void test_no_bit_can_make_an_answer_wrong(void **state) {
    (void)state;
    unsigned lost = 0;
    for (unsigned round = 0; round < 40; round++) {
        struct cache *c = test_cache(path, SIZE);
        fill(c);
        assert_true(found(c) >= NAMES - 1);
        uint8_t *all = (uint8_t *)c->file;
        for (unsigned i = 0; i < 2000; i++) { /* index, logs, heads and judges */
            size_t at = i % 50 == 0 ? offsetof(struct cache_file, ring) + rand_below(sizeof c->file->ring)
                                    : CACHE_PAGE + rand_below((uint32_t)(c->size - CACHE_PAGE));
            if (i % 2 == 0) /* where the records are */
                at = (size_t)(c->ring[CACHE_NEW].log - all) + rand_below(NAMES * 128);
            all[at] ^= (uint8_t)(1 << rand_below(8));
        }
        lost += NAMES - found(c);
        assert_int_equal(found(c), found(c)); /* what was damaged was dropped, the rest stays */
        fill(c);
        assert_true(found(c) >= NAMES - 1);
        cache_close(c);
    }
    print_message("%u records were damaged and found out\n", lost);
    assert_true(lost > 1000);
}

static void test_noise_is_only_misses(void **state) {
    (void)state;
    struct cache *c = test_cache(path, SIZE);
    for (unsigned round = 0; round < 20; round++) {
        rand_bytes(c->file->ring, sizeof c->file->ring);
        rand_bytes(c->index, c->size - CACHE_PAGE);
        assert_int_equal(found(c), 0);
        (void)cache_count(c);
        fill(c);
        assert_true(found(c) > 0);
    }
    cache_close(c);
}

static void test_no_disk_is_no_reason_not_to_serve(void **state) {
    (void)state;
    struct cache *c = test_cache("/nonexistent/folder/cache", SIZE);
    assert_false(cache_on_disk(c));
    fill(c);
    assert_int_equal(found(c), NAMES);
    cache_close(c);
}

static void test_a_file_cut_short_is_renewed(void **state) {
    (void)state;
    struct cache *c = test_cache(path, SIZE);
    fill(c);
    assert_int_equal(truncate(path, 0), 0);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGBUS, SIG_DFL);  /* instead of the test framework's */
        _exit((int)found(c) & 1); /* a worker that touches what is gone */
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
    assert_int_equal(cache_renew(c, NULL), 0);
    assert_int_equal(found(c), 0);
    fill(c);
    assert_int_equal(found(c), NAMES);
    cache_close(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_restart_is_warm, start, finish),
        cmocka_unit_test_setup_teardown(test_without_persist_it_starts_empty, start, finish),
        cmocka_unit_test_setup_teardown(test_another_size_or_clock_starts_empty, start, finish),
        cmocka_unit_test_setup_teardown(test_a_damaged_header_starts_empty, start, finish),
        cmocka_unit_test_setup_teardown(test_a_cut_or_foreign_file_starts_empty, start, finish),
        cmocka_unit_test_setup_teardown(test_no_bit_can_make_an_answer_wrong, start, finish),
        cmocka_unit_test_setup_teardown(test_noise_is_only_misses, start, finish),
        cmocka_unit_test_setup_teardown(test_no_disk_is_no_reason_not_to_serve, start, finish),
        cmocka_unit_test_setup_teardown(test_a_file_cut_short_is_renewed, start, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
