/* Environments: what is opened, refused, grown, crossed by fork, and shared with other processes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "resolver/store/env.h"

static const char *const TABLES[] = {"alpha", "beta"};
enum { ALPHA, BETA };

static char dir[64];
static unsigned dirs;

static const char *fresh(void) {
    static char path[96];
    snprintf(path, sizeof path, "%s/%u", dir, dirs++);
    return path;
}

static int make_dir(void **state) {
    (void)state;
    strcpy(dir, "/tmp/test_env.XXXXXX");
    return mkdtemp(dir) == NULL;
}

static int drop_dir(void **state) {
    (void)state;
    char command[96];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}

static struct store *open_at(const char *path, bool writer, uint64_t map) {
    struct store *s = NULL;
    struct err err = {0};
    struct store_config c = {.path = path, .writer = writer, .tables = TABLES, .table_count = 2, .map_bytes = map};
    int rc = store_open(&s, &c, &err);
    if (rc != 0)
        fail_msg("open: %s", err.text);
    return s;
}

static int try_open(const char *path, bool writer, struct err *err) {
    struct store *s = NULL;
    struct store_config c = {.path = path, .writer = writer, .tables = TABLES, .table_count = 2};
    int rc = store_open(&s, &c, err);
    assert_true((rc == 0) == (s != NULL));
    store_close(s);
    return rc;
}

static struct bytes text(const char *t) { return (struct bytes){(const uint8_t *)t, strlen(t)}; }

struct fill {
    unsigned from, count, size;
    int runs, swallow, result;
};

static int fill_body(struct store_txn *t, void *ctx, struct err *err) {
    struct fill *f = ctx;
    uint8_t value[4096];
    f->runs++;
    memset(value, 'x', sizeof value);
    for (unsigned i = 0; i < f->count; i++) {
        uint8_t key[4];
        put_u32(key, f->from + i);
        int rc = store_put(t, ALPHA, (struct bytes){key, 4}, (struct bytes){value, f->size});
        if (rc < 0 && f->swallow == 0)
            return store_failed(t, rc, err, "put");
        if (rc < 0 && f->swallow == 1)
            return err_set(err, E_INVALID, "something else");
        if (rc < 0)
            return 0; /* as if nothing had happened */
    }
    return f->result;
}

static uint64_t count_rows(struct store *s) {
    struct store_txn *t;
    assert_int_equal(store_read_begin(s, &t, NULL), 0);
    uint64_t n = store_count(t, ALPHA);
    store_read_end(t);
    return n;
}

static void round_trip(void **state) {
    (void)state;
    const char *path = fresh();
    struct err err = {0};
    assert_int_equal(try_open(path, false, &err), E_NOTFOUND);
    struct store *s = open_at(path, true, 0);
    struct fill f = {.from = 1, .count = 10, .size = 100};
    assert_int_equal(store_write(s, fill_body, &f, &err), 0);
    assert_true(store_last_commit_bytes(s) >= 4096);
    store_close(s);
    s = open_at(path, false, 0);
    struct store_txn *t, *again;
    struct bytes v;
    uint8_t key[4];
    assert_int_equal(store_read_begin(s, &t, &err), 0);
    assert_int_equal(store_read_begin(s, &again, &err), E_INVALID);
    put_u32(key, 10);
    assert_int_equal(store_get(t, ALPHA, (struct bytes){key, 4}, &v), 0);
    assert_int_equal(v.size, 100);
    put_u32(key, 11);
    assert_int_equal(store_get(t, ALPHA, (struct bytes){key, 4}, &v), E_NOTFOUND);
    assert_int_equal(store_get(t, BETA, (struct bytes){key, 4}, &v), E_NOTFOUND);
    assert_int_equal(store_get(t, 2, (struct bytes){key, 4}, &v), E_INVALID);
    assert_true(store_get(t, ALPHA, (struct bytes){key, 0}, &v) < 0);
    assert_int_equal(store_put(t, ALPHA, text("k"), text("v")), E_INVALID);
    store_read_end(t);
    assert_int_equal(store_get(t, ALPHA, (struct bytes){key, 4}, &v), E_INVALID);
    assert_int_equal(store_write(s, fill_body, &f, &err), E_INVALID);
    store_close(s);
}

static void an_error_aborts(void **state) {
    (void)state;
    struct store *s = open_at(fresh(), true, 0);
    struct err err = {0};
    struct fill f = {.count = 10, .size = 10, .result = E_REFUSED};
    assert_int_equal(store_write(s, fill_body, &f, &err), E_REFUSED);
    assert_int_equal(count_rows(s), 0);
    store_close(s);
}

/* The map starts at 1 MiB; 20 MB go in, whatever the body makes of the error in between. */
static void the_map_grows(void **state) {
    (void)state;
    for (int swallow = 0; swallow < 3; swallow++) {
        struct store *s = open_at(fresh(), true, 1);
        struct err err = {0};
        struct fill f = {.count = 5000, .size = 3900, .swallow = swallow};
        assert_int_equal(store_write(s, fill_body, &f, &err), 0);
        assert_true(f.runs > 3);
        assert_int_equal(count_rows(s), 5000);
        store_close(s);
    }
}

static void a_reader_elsewhere_follows_the_map(void **state) {
    (void)state;
    const char *path = fresh();
    struct store *s = open_at(path, true, 1);
    struct fill f = {.count = 1, .size = 10};
    assert_int_equal(store_write(s, fill_body, &f, NULL), 0);
    int go[2], back[2];
    char c;
    assert_int_equal(pipe(go) | pipe(back), 0);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct store *r = open_at(path, false, 0);
        uint64_t before = count_rows(r);
        if (write(back[1], "r", 1) != 1 || read(go[0], &c, 1) != 1)
            _exit(9);
        uint64_t after = count_rows(r);
        store_close(r);
        _exit(before == 1 && after == 5001 ? 0 : 1);
    }
    assert_int_equal(read(back[0], &c, 1), 1);
    f = (struct fill){.from = 1, .count = 5000, .size = 3900};
    assert_int_equal(store_write(s, fill_body, &f, NULL), 0);
    assert_int_equal(write(go[1], "g", 1), 1);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    store_close(s);
    close(go[0]), close(go[1]), close(back[0]), close(back[1]);
}

static void fork_is_guarded(void **state) {
    (void)state;
    struct store *s = open_at(fresh(), true, 0);
    struct store_txn *t;
    assert_int_equal(store_read_begin(s, &t, NULL), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct err err = {0};
        struct store_txn *u;
        struct store_stat st;
        struct fill f = {.count = 1, .size = 1};
        int bad = store_read_begin(s, &u, &err) != E_INVALID || strstr(err.text, "fork") == NULL ||
                  store_write(s, fill_body, &f, NULL) != E_INVALID || store_stat(s, &st, NULL) != E_INVALID ||
                  store_sync(s, NULL) != E_INVALID;
        store_read_end(t);
        store_close(s);
        _exit(bad);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    store_read_end(t);
    struct fill f = {.count = 1, .size = 1};
    assert_int_equal(store_write(s, fill_body, &f, NULL), 0); /* the parent's is as good as before */
    store_close(s);
}

static void cursors_walk(void **state) {
    (void)state;
    struct store *s = open_at(fresh(), true, 0);
    struct fill f = {.from = 10, .count = 500, .size = 40};
    assert_int_equal(store_write(s, fill_body, &f, NULL), 0);
    for (int round = 0; round < 100; round++) { /* more often than there are cursors */
        struct store_txn *t;
        struct store_cursor *c, *d;
        struct bytes k, v;
        uint8_t key[4];
        assert_int_equal(store_read_begin(s, &t, NULL), 0);
        assert_int_equal(store_cursor_open(t, ALPHA, &c), 0);
        assert_int_equal(store_cursor_open(t, BETA, &d), 0);
        assert_int_equal(store_cursor_seek(d, (struct bytes){NULL, 0}, &k, &v), E_NOTFOUND);
        unsigned n = 0;
        int rc = store_cursor_seek(c, (struct bytes){NULL, 0}, &k, &v);
        for (; rc == 0; rc = store_cursor_next(c, &k, &v))
            assert_int_equal(get_u32(k.at), 10 + n++);
        assert_int_equal(rc, E_NOTFOUND);
        assert_int_equal(n, 500);
        put_u32(key, 5);
        assert_int_equal(store_cursor_seek(c, (struct bytes){key, 4}, &k, &v), 0);
        assert_int_equal(get_u32(k.at), 10);
        put_u32(key, 510);
        assert_int_equal(store_cursor_seek(c, (struct bytes){key, 4}, &k, &v), E_NOTFOUND);
        assert_int_equal(store_cursor_last(c, &k, &v), 0);
        assert_int_equal(get_u32(k.at), 509);
        assert_int_equal(store_cursor_put(c, text("x")), E_INVALID);
        if (round % 2)
            store_cursor_close(c); /* or left to the end of the transaction */
        store_read_end(t);
        assert_int_equal(store_cursor_next(d, &k, &v), E_INVALID);
    }
    store_close(s);
}

static int change_body(struct store_txn *t, void *ctx, struct err *err) {
    (void)ctx, (void)err;
    struct store_cursor *c;
    struct bytes k, v;
    assert_int_equal(store_put(t, BETA, text("a"), text("1")), 0);
    assert_int_equal(store_append(t, BETA, text("b"), text("2")), 0);
    assert_int_equal(store_append(t, BETA, text("a"), text("3")), E_EXISTS);
    assert_int_equal(store_append(t, BETA, text("c"), text("3")), 0);
    assert_int_equal(store_del(t, BETA, text("x")), E_NOTFOUND);
    assert_int_equal(store_cursor_open(t, BETA, &c), 0);
    assert_int_equal(store_cursor_seek(c, text("b"), &k, &v), 0);
    assert_int_equal(store_cursor_put(c, text("two")), 0);
    assert_int_equal(store_cursor_next(c, &k, &v), 0);
    assert_int_equal(store_cursor_del(c), 0);
    assert_int_equal(store_get(t, BETA, text("b"), &v), 0);
    assert_int_equal(v.size, 3);
    assert_int_equal(store_count(t, BETA), 2);
    return 0; /* the cursor is left open */
}

static int clear_body(struct store_txn *t, void *ctx, struct err *err) {
    (void)ctx, (void)err;
    return store_clear(t, BETA);
}

static void writes_of_all_kinds(void **state) {
    (void)state;
    const char *path = fresh();
    struct store *s = open_at(path, true, 0);
    assert_int_equal(store_write(s, change_body, NULL, NULL), 0);
    store_close(s);
    s = open_at(path, true, 0);
    struct store_txn *t;
    assert_int_equal(store_read_begin(s, &t, NULL), 0);
    uint64_t id = store_txn_id(t);
    assert_int_equal(store_count(t, BETA), 2);
    assert_true(store_read_age_ms(t) >= 0);
    store_read_end(t);
    assert_int_equal(store_write(s, clear_body, NULL, NULL), 0);
    assert_int_equal(store_read_begin(s, &t, NULL), 0);
    assert_int_equal(store_txn_id(t), id + 1);
    assert_int_equal(store_count(t, BETA), 0);
    store_read_end(t);
    store_close(s);
}

static void stat_names_the_oldest_reader(void **state) {
    (void)state;
    const char *path = fresh();
    struct store *s = open_at(path, true, 0);
    struct fill f = {.count = 50, .size = 1000};
    assert_int_equal(store_write(s, fill_body, &f, NULL), 0);
    int back[2];
    char c;
    assert_int_equal(pipe(back), 0);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct store_txn *t;
        struct store *r = open_at(path, false, 0);
        if (store_read_begin(r, &t, NULL) != 0 || write(back[1], "r", 1) != 1)
            _exit(9);
        for (;;)
            pause();
    }
    assert_int_equal(read(back[0], &c, 1), 1);
    for (int i = 0; i < 7; i++)
        assert_int_equal(store_write(s, fill_body, &f, NULL), 0);
    struct store_stat st;
    assert_int_equal(store_stat(s, &st, NULL), 0);
    assert_int_equal(st.oldest_reader_pid, pid);
    assert_int_equal(st.oldest_reader_txns, 7);
    assert_true(st.readers >= 1 && st.readers_max == STORE_READERS);
    assert_true(st.used_bytes >= 50000 && st.used_bytes <= st.map_bytes && st.free_pages > 0);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(store_stat(s, &st, NULL), 0);
    assert_int_equal(st.stale_cleared, 1);
    assert_int_equal(st.oldest_reader_txns, 0);
    store_close(s);
    close(back[0]), close(back[1]);
}

/* --- files that are not what they should be --- */

static void data_file(char *to, size_t cap, const char *path) { snprintf(to, cap, "%s/data.mdb", path); }

static void filled(const char *path) {
    struct store *s = open_at(path, true, 0);
    struct fill f = {.count = 2000, .size = 200};
    assert_int_equal(store_write(s, fill_body, &f, NULL), 0);
    assert_int_equal(store_write(s, fill_body, &f, NULL), 0);
    store_close(s);
}

static void cut_files_are_refused(void **state) {
    (void)state;
    char file[160];
    const char *path = fresh();
    filled(path);
    data_file(file, sizeof file, path);
    struct stat st;
    assert_int_equal(stat(file, &st), 0);
    const off_t cuts[] = {st.st_size - 1, st.st_size / 2, 8192, 8191, 4096 + 60, 4096, 100, 1};
    for (size_t i = 0; i < ARRAY_SIZE(cuts); i++) {
        assert_int_equal(truncate(file, cuts[i]), 0);
        for (int writer = 0; writer < 2; writer++) {
            struct err err = {0};
            assert_int_equal(try_open(path, writer, &err), E_CORRUPT);
            assert_non_null(strstr(err.text, "data.mdb"));
        }
    }
    assert_int_equal(truncate(file, 0), 0);
    assert_int_equal(try_open(path, false, NULL), E_NOTFOUND);
}

static void garbage_is_refused(void **state) {
    (void)state;
    char file[160];
    const char *path = fresh();
    filled(path);
    data_file(file, sizeof file, path);
    int fd = open(file, O_RDWR);
    assert_true(fd >= 0);
    uint8_t meta[2 * 4096], bad[2 * 4096];
    assert_int_equal(pread(fd, meta, sizeof meta, 0), sizeof meta);
    srand(7);
    /* every byte of both metas turned over, in turn: opened and read, or refused, never a crash */
    for (size_t page = 0; page < 2; page++)
        for (size_t i = 0; i < 152; i++) {
            memcpy(bad, meta, sizeof bad);
            bad[page * 4096 + i] ^= (uint8_t)(1 + rand() % 255);
            assert_int_equal(pwrite(fd, bad, sizeof bad, 0), sizeof bad);
            struct err err = {0};
            int rc = try_open(path, false, &err);
            assert_true(rc == 0 || err.text[0] != '\0');
        }
    for (int i = 0; i < 50; i++) {
        for (size_t j = 0; j < sizeof bad; j++)
            bad[j] = (uint8_t)rand();
        assert_int_equal(pwrite(fd, bad, sizeof bad, 0), sizeof bad);
        assert_int_equal(try_open(path, i % 2, NULL), E_CORRUPT);
    }
    memcpy(bad, meta, sizeof bad);
    bad[20] = bad[4096 + 20] = 99; /* a later data version */
    assert_int_equal(pwrite(fd, bad, sizeof bad, 0), sizeof bad);
    struct err err = {0};
    assert_int_equal(try_open(path, false, &err), E_CORRUPT);
    assert_non_null(strstr(err.text, "version 99"));
    assert_int_equal(pwrite(fd, meta, sizeof meta, 0), sizeof meta);
    assert_int_equal(try_open(path, false, NULL), 0);
    close(fd);
}

static void other_things_in_its_place(void **state) {
    (void)state;
    char file[160];
    const char *path = fresh();
    assert_int_equal(mkdir(path, 0700), 0);
    data_file(file, sizeof file, path);
    assert_int_equal(mkdir(file, 0700), 0);
    assert_int_equal(try_open(path, false, NULL), E_CORRUPT);
    assert_int_equal(rmdir(file), 0);
    assert_int_equal(mkfifo(file, 0600), 0);
    assert_int_equal(try_open(path, true, NULL), E_CORRUPT);
    const char *other = fresh();
    struct store *s = NULL;
    const char *const one[] = {"alpha"};
    struct store_config c = {.path = other, .writer = true, .tables = one, .table_count = 1};
    assert_int_equal(store_open(&s, &c, NULL), 0);
    store_close(s);
    struct err err = {0};
    assert_int_equal(try_open(other, false, &err), E_CORRUPT);
    assert_non_null(strstr(err.text, "beta"));
    assert_true(try_open("/proc/nowhere", true, NULL) < 0);
}

/* Opens with `check`, reads everything; 0, or the code of what was refused. */
static int read_checked(const char *path, struct err *err) {
    struct store *s = NULL;
    struct store_config c = {.path = path, .tables = TABLES, .table_count = 2, .check = true};
    struct store_txn *t;
    struct store_cursor *cursor;
    struct bytes k, v;
    unsigned steps = 0, sum = 0;
    int rc = store_open(&s, &c, err);
    if (rc < 0)
        return rc;
    if (store_read_begin(s, &t, err) == 0 && store_cursor_open(t, ALPHA, &cursor) == 0)
        for (rc = store_cursor_seek(cursor, (struct bytes){NULL, 0}, &k, &v); rc == 0 && steps < 100000; steps++) {
            for (size_t i = 0; i < v.size; i += 64)
                sum += v.at[i];
            rc = store_cursor_next(cursor, &k, &v);
        }
    (void)sum;
    store_close(s);
    return rc == E_NOTFOUND ? 0 : rc;
}

/* Any byte of any page turned over: what passes the check can be read without a crash. */
static void damaged_pages(void **state) {
    (void)state;
    char file[160];
    const char *path = fresh();
    struct store *s = open_at(path, true, 0);
    struct fill small = {.count = 3000, .size = 60}, large = {.from = 5000, .count = 40, .size = 4000};
    assert_int_equal(store_write(s, fill_body, &small, NULL), 0);
    assert_int_equal(store_write(s, fill_body, &large, NULL), 0);
    assert_int_equal(store_write(s, fill_body, &large, NULL), 0);
    store_close(s);
    struct err err = {0};
    assert_int_equal(read_checked(path, &err), 0);
    data_file(file, sizeof file, path);
    int fd = open(file, O_RDWR);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    pid_t pid = fork();
    if (pid == 0) {
        unsigned refused = 0;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        srand(11);
        for (unsigned i = 0; i < 4000; i++) {
            uint8_t was[64], is[64];
            off_t page = rand() % (st.st_size / 4096) * 4096;
            off_t at = page + (rand() % 2 ? rand() % 64 : rand() % (4096 - 8)); /* half of them among the offsets */
            size_t n = i % 3 == 0 ? 8 : 1;
            if (pread(fd, was, n, at) != (ssize_t)n)
                _exit(2);
            for (size_t b = 0; b < n; b++)
                is[b] = (uint8_t)rand();
            if (pwrite(fd, is, n, at) != (ssize_t)n)
                _exit(3);
            int rc = read_checked(path, &err);
            refused += rc == E_CORRUPT;
            if (rc != 0 && (rc > 0 || err.text[0] == '\0'))
                _exit(4);
            if (pwrite(fd, was, n, at) != (ssize_t)n)
                _exit(5);
        }
        _exit(refused > 500 ? 0 : 6);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status != 0)
        fail_msg("status %x", status);
    assert_int_equal(read_checked(path, &err), 0);
    close(fd);
}

/* A check beside a writer at work never finds damage. */
static void checks_beside_a_writer(void **state) {
    (void)state;
    const char *path = fresh();
    filled(path);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct store *s = open_at(path, true, 0);
        for (unsigned i = 0;; i++) {
            struct fill f = {.from = i * 37 % 4000, .count = 30, .size = 100 + i % 3 * 1500};
            if (store_write(s, fill_body, &f, NULL) != 0)
                _exit(1);
        }
    }
    for (unsigned i = 0; i < 300; i++) {
        struct err err = {0};
        if (read_checked(path, &err) != 0)
            fail_msg("%s", err.text);
    }
    int status;
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}

static void bulk_is_there_after_sync(void **state) {
    (void)state;
    struct store *s = NULL;
    const char *path = fresh();
    struct store_config c = {.path = path, .writer = true, .tables = TABLES, .table_count = 2, .bulk = true};
    assert_int_equal(store_open(&s, &c, NULL), 0);
    struct fill f = {.count = 1000, .size = 100};
    assert_int_equal(store_write(s, fill_body, &f, NULL), 0);
    assert_int_equal(store_sync(s, NULL), 0);
    store_close(s);
    s = open_at(path, false, 0);
    assert_int_equal(count_rows(s), 1000);
    store_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(an_error_aborts),
        cmocka_unit_test(the_map_grows),
        cmocka_unit_test(a_reader_elsewhere_follows_the_map),
        cmocka_unit_test(fork_is_guarded),
        cmocka_unit_test(cursors_walk),
        cmocka_unit_test(writes_of_all_kinds),
        cmocka_unit_test(stat_names_the_oldest_reader),
        cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(garbage_is_refused),
        cmocka_unit_test(other_things_in_its_place),
        cmocka_unit_test(damaged_pages),
        cmocka_unit_test(checks_beside_a_writer),
        cmocka_unit_test(bulk_is_there_after_sync),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
