/* Faults inside of maps become E_CORRUPT, all others stay what they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "resolver/store/fault.h"

/* What a fault jumps over is not freed. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "handle_segv=0:handle_sigbus=0"; }
/* What a fault leaves of LMDB in the middle of its work stays as it is, on purpose. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void) { return 1; }

static char dir[64];
static const char *const tables[] = {"one"};

static int fill(struct store_txn *t, void *ctx, struct err *err) {
    (void)err;
    static uint8_t value[1000];
    for (uint32_t i = 0; i < 500; i++) {
        uint8_t key[4];
        put_u32(key, i + *(uint32_t *)ctx);
        int rc = store_put(t, 0, (struct bytes){key, 4}, (struct bytes){value, sizeof value});
        if (rc < 0)
            return rc;
    }
    return 0;
}

static struct store *filled(void) {
    struct store *s;
    struct err err;
    uint32_t from = 0;
    struct store_config c = {.path = dir, .writer = true, .tables = tables, .table_count = 1};
    strcpy(dir, "/tmp/test_fault.XXXXXX");
    assert_non_null(mkdtemp(dir));
    assert_int_equal(store_open(&s, &c, &err), 0);
    assert_int_equal(store_write(s, fill, &from, &err), 0);
    store_fault_watch();
    return s;
}

static void cut(off_t size) {
    char path[80];
    snprintf(path, sizeof path, "%s/data.mdb", dir);
    assert_int_equal(truncate(path, size), 0);
}

static void drop(struct store *s) {
    char command[96];
    store_close(s);
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    assert_int_equal(system(command), 0);
}

static int read_all(struct store *s, unsigned *found) {
    struct store_txn *t;
    struct err err;
    struct bytes v;
    int rc = store_read_begin(s, &t, &err);
    *found = 0;
    if (rc < 0)
        return rc;
    for (uint32_t i = 0; i < 500 && rc == 0; i++) {
        uint8_t key[4];
        put_u32(key, i);
        rc = store_get(t, 0, (struct bytes){key, 4}, &v);
        *found += rc == 0 && v.size == 1000 && v.at[999] == 0;
    }
    store_read_end(t);
    return rc;
}

static int guarded(struct store *s, unsigned *found, struct err *err) {
    struct store_fault f;
    if (sigsetjmp(f.back, 0) != 0)
        return store_faulted(&f, err);
    store_fault_arm(&f);
    int rc = read_all(s, found);
    store_fault_disarm(&f);
    return rc;
}

static void a_cut_file_is_told(void **state) {
    (void)state;
    struct store *s = filled();
    struct err err = {0};
    unsigned found, before = store_faults();
    assert_int_equal(guarded(s, &found, &err), 0);
    assert_int_equal(found, 500);
    assert_int_equal(store_faults(), before);
    cut(100 * 4096);
    assert_int_equal(guarded(s, &found, &err), E_CORRUPT);
    assert_non_null(strstr(err.text, "the file ends"));
    assert_true(store_faults() > before);
    assert_null(store_fault_now); /* nothing stays armed */
    cut(0);
    for (unsigned i = 0; i < 3; i++)
        assert_true(guarded(s, &found, &err) < 0);
    drop(s);
}

static void the_inner_guard_is_told(void **state) {
    (void)state;
    struct store *s = filled();
    struct store_fault outer;
    struct err err;
    unsigned found;
    volatile bool back = false;
    cut(100 * 4096);
    if (sigsetjmp(outer.back, 0) == 0) {
        store_fault_arm(&outer);
        assert_int_equal(guarded(s, &found, &err), E_CORRUPT);
        assert_ptr_equal(store_fault_now, &outer);
        store_fault_disarm(&outer);
        back = true;
    }
    assert_true(back);
    drop(s);
}

static void a_write_is_lost_and_says_so(void **state) {
    (void)state;
    struct store *s = filled();
    struct err err = {0};
    uint32_t from = 250;
    cut(8 * 4096);
    assert_int_equal(store_write(s, fill, &from, &err), E_CORRUPT);
    assert_non_null(strstr(err.text, dir));
    assert_true(store_is_broken(s) && store_is_lost(s));
    assert_int_equal(store_write(s, fill, &from, &err), E_IO); /* and not once more */
    drop(s);
}

/* Runs `how` in a child; the signal that it died of, or 0. */
static int dies(void (*how)(struct store *s), struct store *s) {
    int status;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGSEGV, SIG_DFL), signal(SIGBUS, SIG_DFL);
        store_fault_watch();
        how(s);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void elsewhere(struct store *s) {
    (void)s;
    struct store_fault f;
    if (sigsetjmp(f.back, 0) != 0)
        _exit(1);
    store_fault_arm(&f);
    volatile uintptr_t nowhere = 64;
    *(volatile int *)nowhere = 1; /* our own mistake stays one */
    store_fault_disarm(&f);
}
static void unarmed(struct store *s) {
    unsigned found;
    struct store *own;
    struct err err;
    struct store_txn *t;
    struct bytes v;
    struct store_config c = {.path = dir, .tables = tables, .table_count = 1};
    (void)s, (void)found;
    uint8_t key[4] = {0, 0, 1, 200};
    if (store_open(&own, &c, &err) != 0 || store_read_begin(own, &t, &err) != 0)
        _exit(1);
    cut(8 * 4096);
    _exit(store_get(t, 0, (struct bytes){key, 4}, &v) == 0 ? 2 : 3);
}
static void sent(struct store *s) {
    (void)s;
    struct store_fault f;
    if (sigsetjmp(f.back, 0) != 0)
        _exit(1);
    store_fault_arm(&f);
    raise(SIGSEGV); /* somebody's kill is no fault */
    raise(SIGSEGV);
    store_fault_disarm(&f);
}

static void other_faults_stay_what_they_are(void **state) {
    (void)state;
    struct store *s = filled();
    assert_int_equal(dies(elsewhere, s), SIGSEGV);
    assert_int_equal(dies(sent, s), SIGSEGV);
    assert_int_equal(dies(unarmed, s), SIGBUS);
    drop(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cut_file_is_told),
        cmocka_unit_test(the_inner_guard_is_told),
        cmocka_unit_test(a_write_is_lost_and_says_so),
        cmocka_unit_test(other_faults_stay_what_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
